//! A connection that keeps the `Date` of a response.
//!
//! pingora writes the present time into every HTTP/1.1 head, but a cache must not change when a response was generated
//! (RFC 9110 section 6.6.1). So the field is put right on its way out: both values have 29 bytes, and no length changes.
//! HTTP/2 frames are not touched; there pingora's `Date` stands.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderMap, header};
use parking_lot::Mutex;
use pingora::{
    protocols::{
        ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream,
        TimingDigest, UniqueID, UniqueIDType, raw_connect::ProxyDigest, tls::SslDigest,
    },
    proxy::Session,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose next response head gets another `Date`.
#[derive(Debug)]
pub(crate) struct Dated {
    inner: Stream,
    next: Mutex<Option<Date>>,
    /// The rest of a head that was put right, while its writer still offers the original.
    patched: Vec<u8>,
}

/// As HTTP writes it today (RFC 9110 section 5.6.7).
type Date = [u8; 29];

/// Before the value of the field that pingora adds.
const FIELD: &[u8] = b"\r\ndate: ";

impl Dated {
    /// Wraps a connection, unless it speaks HTTP/2.
    pub(crate) fn wrap(inner: Stream) -> Stream {
        if matches!(inner.selected_alpn_proto(), Some(ALPN::H2)) {
            return inner;
        }
        Box::new(Self { inner, next: Mutex::new(None), patched: Vec::new() })
    }

    /// The connection without its wrapping.
    pub(crate) fn into_inner(self) -> Stream {
        self.inner
    }

    fn poll_patched(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, &self.patched))?;
        self.patched.drain(..written.min(self.patched.len()));
        Poll::Ready(Ok(written))
    }
}

/// Lets the head that is written next have the `Date` among `headers`; without a readable one it gets the present time.
pub(crate) fn keep(session: &Session, headers: &HeaderMap) {
    let Some(connection) = session.as_downstream().as_http1() else { return };
    let Some(stream) = (**connection.stream()).as_any().downcast_ref::<Dated>() else { return };
    let value = headers.get(header::DATE).and_then(|value| value.to_str().ok());
    *stream.next.lock() = value.and_then(canonical);
}

fn canonical(value: &str) -> Option<Date> {
    let time = httpdate::parse_http_date(value.trim()).ok()?;
    crate::origin::http_date(time)?.into_bytes().try_into().ok()
}

/// `head` with this `Date`; `None` when it has none to replace.
fn patch(head: &[u8], date: &Date) -> Option<Vec<u8>> {
    let end = head.windows(4).position(|four| four == b"\r\n\r\n")?;
    let fields = head.get(..end + 2)?;
    let at = fields.windows(FIELD.len()).position(|some| some.eq_ignore_ascii_case(FIELD))? + FIELD.len();
    let mut patched = head.to_vec();
    patched.get_mut(at..at + date.len()).filter(|old| old.ends_with(b" GMT"))?.copy_from_slice(date);
    Some(patched)
}

impl AsyncWrite for Dated {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.patched.is_empty() {
            let date = if bytes.starts_with(b"HTTP/1") { this.next.get_mut().take() } else { None };
            let Some(patched) = date.and_then(|date| patch(bytes, &date)) else {
                return Pin::new(&mut this.inner).poll_write(cx, bytes);
            };
            this.patched = patched;
        } else if this.patched.len() != bytes.len() {
            // the writer gave up and offers something else: what is left of its head must not go out in between
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        this.poll_patched(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.patched.is_empty() && self.next.lock().is_none() {
            return Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, slices);
        }
        let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
        self.poll_write(cx, first)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

impl AsyncRead for Dated {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_read(cx, buffer)
    }
}

#[async_trait]
impl Shutdown for Dated {
    async fn shutdown(&mut self) {
        self.inner.shutdown().await;
    }
}

#[async_trait]
impl Peek for Dated {
    async fn try_peek(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        self.inner.try_peek(buffer).await
    }
}

impl UniqueID for Dated {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for Dated {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl GetTimingDigest for Dated {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.inner.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.inner.get_write_pending_time()
    }
}

impl GetProxyDigest for Dated {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.get_proxy_digest()
    }

    fn set_proxy_digest(&mut self, digest: ProxyDigest) {
        self.inner.set_proxy_digest(digest);
    }
}

impl GetSocketDigest for Dated {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        self.inner.set_socket_digest(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 13:41:07 GMT\r\nAge: 3\r\n\r\nbody";

    #[test]
    fn the_date_of_a_head_is_replaced_in_place() {
        let date = canonical("Sunday, 06-Nov-94 08:49:37 GMT").expect("an old format is read");
        let patched = patch(OLD, &date).expect("there is a date");
        let wanted = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nAge: 3\r\n\r\nbody";
        assert_eq!(patched, wanted);
    }

    #[test]
    fn what_has_no_date_stays() {
        let date = canonical("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        for text in [
            "HTTP/1.1 200 OK\r\nAge: 3\r\n\r\nDate: Sat, 21 Nov 2026 13:41:07 GMT\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX-Date: Sat, 21 Nov 2026 13:41:07 GMT\r\n\r\n",
            "HTTP/1.1 200 OK\r\nDate: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026",
        ] {
            assert_eq!(patch(text.as_bytes(), &date), None, "{text}");
        }
        assert_eq!(canonical("soon"), None);
    }
}
