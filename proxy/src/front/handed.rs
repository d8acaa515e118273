//! A connection in pingora's hands for one request: what was read of it comes first, and what belongs to the next request
//! stays with us.
//!
//! pingora closes a connection on which it read past the end of a request. Where the end is known from the head, it
//! never gets to see more; else it reads what there is, and pipelined requests after that one are lost with it.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Buf as _, BytesMut};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream,
    TimingDigest, UniqueID, UniqueIDType, raw_connect::ProxyDigest, tls::SslDigest,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use super::parse::Framing;

/// Bytes of following requests that are read before their time, in order to notice a client that leaves.
const AHEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes of one read.
const READ_BYTES_MAX: usize = 64 * 1024;

/// Bytes per second that a client must send of a body, once it was given the time that it may stall.
const BODY_BYTES_PER_S_MIN: u64 = 500;

/// How long a body of known length may keep us waiting. Time during which nobody wanted to read does not count.
struct Pace {
    /// Waiting that is allowed for what has come so far.
    allowed: Duration,
    /// Since when a read waits, and until when it may.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Pace {
    const fn new(stall: Duration) -> Self {
        Self { allowed: stall, waiting: None }
    }

    /// Notes that bytes came.
    fn came(&mut self, bytes: usize) {
        if let Some((since, _)) = self.waiting.take() {
            self.allowed = self.allowed.saturating_sub(since.elapsed());
        }
        self.allowed += Duration::from_secs(1).saturating_mul(u32::try_from(bytes).unwrap_or(u32::MAX))
            / u32::try_from(BODY_BYTES_PER_S_MIN).unwrap_or(1);
    }

    /// Ready when nothing came for too long.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let allowed = self.allowed;
        let (_, sleep) = self.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(allowed))));
        sleep.as_mut().poll(cx)
    }
}

/// A stream that ends, for reading, where the request ends.
pub(super) struct Handed {
    stream: Stream,
    unread: BytesMut,
    /// Bytes of the request that are still to come; none when it can't be told.
    left: Option<u64>,
    pace: Option<Pace>,
}

impl Handed {
    /// Hands over `stream` with what was `unread` of it, which begins with a head of `head` bytes. A body of known length
    /// may stall this long, and has to come at [`BODY_BYTES_PER_S_MIN`] on average beyond that.
    pub(super) fn new(
        stream: Stream,
        unread: BytesMut,
        head: usize,
        framing: Framing,
        stall: Duration,
    ) -> Self {
        let head = head as u64;
        let left = match framing {
            Framing::Nothing => Some(head),
            Framing::Length(length) => Some(head.saturating_add(length)),
            Framing::Open => None,
        };
        let pace = matches!(framing, Framing::Length(_)).then(|| Pace::new(stall));
        Self { stream, unread, left, pace }
    }

    /// Takes the connection back, with what was read of the next request.
    pub(super) fn into_parts(self) -> (Stream, BytesMut) {
        (self.stream, self.unread)
    }

    /// Reads on behind the request. Nothing of it is shown, only the end of the connection.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.unread.len() < AHEAD_BYTES_MAX {
            match pin!(self.stream.read_buf(&mut self.unread)).poll(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => break,
            }
        }
        Poll::Pending
    }
}

impl AsyncRead for Handed {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let most = this.left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        if most == 0 {
            return this.poll_ahead(cx);
        }
        let most = most.min(into.remaining());
        let read = match this.unread.get(..most.min(this.unread.len())) {
            Some(part) if !part.is_empty() => {
                into.put_slice(part);
                let read = part.len();
                this.unread.advance(read);
                read
            }
            _ => {
                let mut part = ReadBuf::new(into.initialize_unfilled_to(most.min(READ_BYTES_MAX)));
                match Pin::new(&mut this.stream).poll_read(cx, &mut part) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Pending if this.pace.as_mut().is_some_and(|pace| pace.poll_over(cx).is_ready()) => {
                        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                    }
                    other => return other,
                }
                let read = part.filled().len();
                into.advance(read);
                read
            }
        };
        if let Some(pace) = &mut this.pace {
            pace.came(read);
        }
        this.left = this.left.map(|left| left.saturating_sub(read as u64));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Handed {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for Handed {
    async fn shutdown(&mut self) {
        self.stream.shutdown().await;
    }
}

impl UniqueID for Handed {
    fn id(&self) -> UniqueIDType {
        self.stream.id()
    }
}

impl Ssl for Handed {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.stream.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.stream.selected_alpn_proto()
    }
}

impl GetTimingDigest for Handed {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.stream.get_timing_digest()
    }
}

impl GetProxyDigest for Handed {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.stream.get_proxy_digest()
    }
}

impl GetSocketDigest for Handed {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.stream.get_socket_digest()
    }
}

impl Peek for Handed {}

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handed").field("unread", &self.unread.len()).field("left", &self.left).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{io::ErrorKind, time::Duration};

    use bytes::BytesMut;
    use futures_util::FutureExt as _;
    use pingora::protocols::Stream;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use tokio::time::{Instant, advance};

    use super::{BODY_BYTES_PER_S_MIN, Framing, Handed};

    const STALL: Duration = Duration::from_secs(30);
    const HEAD: &str = "POST / HTTP/1.1\r\n\r\n";

    /// A request whose head and the beginning of its body have been read, and the client's end.
    fn handed(read: &str, framing: Framing) -> (Handed, tokio::io::DuplexStream) {
        let (client, server) = tokio::io::duplex(64 * 1024);
        let stream: Stream = Box::new(server);
        let unread = BytesMut::from(format!("{HEAD}{read}").as_bytes());
        (Handed::new(stream, unread, HEAD.len(), framing, STALL), client)
    }

    async fn exactly(handed: &mut Handed, length: usize) -> String {
        let mut bytes = vec![0; length];
        handed.read_exact(&mut bytes).await.unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn what_follows_the_request_is_kept_for_the_next() {
        let (mut handed, mut client) = handed("body of 1", Framing::Length(10));
        client.write_all(b"0GET /next").await.unwrap();
        assert_eq!(exactly(&mut handed, HEAD.len() + 10).await, format!("{HEAD}body of 10"));
        assert!(handed.read_u8().now_or_never().is_none(), "the request is over");
        client.write_all(b" more").await.unwrap();
        assert!(handed.read_u8().now_or_never().is_none());
        assert_eq!(handed.into_parts().1, "GET /next more");
    }

    #[tokio::test]
    async fn what_was_read_already_is_not_shown_beyond_the_request() {
        let (mut handed, _client) = handed("GET /next", Framing::Nothing);
        assert_eq!(exactly(&mut handed, HEAD.len()).await, HEAD);
        assert!(handed.read_u8().now_or_never().is_none());
        assert_eq!(handed.into_parts().1, "GET /next");
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_noticed() {
        let (mut handed, client) = handed("", Framing::Nothing);
        assert_eq!(exactly(&mut handed, HEAD.len()).await, HEAD);
        drop(client);
        assert_eq!(handed.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_or_drips_ends_in_an_error() {
        let (mut handed, _client) = handed("", Framing::Length(10));
        assert_eq!(exactly(&mut handed, HEAD.len()).await, HEAD);
        let began = Instant::now();
        assert_eq!(handed.read_u8().await.map_err(|error| error.kind()), Err(ErrorKind::TimedOut));
        assert!((STALL..STALL * 2).contains(&began.elapsed()), "{:?}", began.elapsed());

        let (mut handed, mut client) = super::tests::handed("", Framing::Length(u64::MAX));
        assert_eq!(exactly(&mut handed, HEAD.len()).await, HEAD);
        let mut seconds = 0;
        assert!(handed.read_u8().now_or_never().is_none());
        while seconds < 100 {
            advance(Duration::from_secs(1)).await;
            seconds += 1;
            if handed.read_u8().now_or_never().is_some() {
                break;
            }
            client.write_u8(b'x').await.unwrap();
            handed.read_u8().await.unwrap();
            assert!(handed.read_u8().now_or_never().is_none());
        }
        assert!(
            (30..40).contains(&seconds),
            "a byte each second is {BODY_BYTES_PER_S_MIN} times too slow: {seconds}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_nobody_reads_is_not_late() {
        let (mut handed, mut client) = handed("", Framing::Length(2));
        assert_eq!(exactly(&mut handed, HEAD.len()).await, HEAD);
        advance(STALL * 10).await;
        client.write_all(b"ab").await.unwrap();
        assert_eq!(exactly(&mut handed, 2).await, "ab");
    }

    #[tokio::test]
    async fn a_request_without_a_known_end_is_read_on() {
        let (mut handed, mut client) = handed("abc", Framing::Open);
        client.write_all(b"def").await.unwrap();
        drop(client);
        let mut all = String::new();
        handed.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, format!("{HEAD}abcdef"));
    }
}
