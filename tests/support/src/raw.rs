//! HTTP/1.1 byte by byte, for requests that no honest client sends.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// One read may take this long.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest head that is read, in bytes.
const HEAD_BYTES_MAX: usize = 256 * 1024;

/// A connection.
pub struct Raw<S = TcpStream> {
    stream: S,
    unread: Vec<u8>,
}

/// An answer as it was on the wire.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    /// Status code; 0 when the connection ended without an answer.
    pub status: u16,
    /// Head as text.
    pub head: String,
    /// Body, chunks joined.
    pub body: Vec<u8>,
}

/// Sends bytes on a new connection and reads one answer.
pub async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> RawAnswer {
    let mut raw = Raw::connect(address).await;
    raw.send(request).await;
    raw.answer().await
}

impl Raw {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap_or_else(|error| panic!("{address}: {error}"));
        Self::over(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Speaks over a stream that stands already.
    pub const fn over(stream: S) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// Sends bytes. A server that has heard enough may close while they are still going out.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        drop(self.stream.write_all(bytes.as_ref()).await);
    }

    /// Reads one answer if it begins within this time.
    pub async fn answer_within(&mut self, within: Duration) -> Option<RawAnswer> {
        timeout(within, self.answer()).await.ok()
    }

    /// Reads one answer; framed by length, chunks, or the end of the connection.
    pub async fn answer(&mut self) -> RawAnswer {
        let Some(head_bytes) = self.until_blank_line().await else {
            return RawAnswer { status: 0, head: String::new(), body: std::mem::take(&mut self.unread) };
        };
        let head = String::from_utf8_lossy(&head_bytes).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let mut answer = RawAnswer { status, head, body: Vec::new() };
        let is_bodiless = status == 204 || status == 304 || (100..200).contains(&status);
        if is_bodiless {
            return answer;
        }
        answer.body = match answer.header("content-length").and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => self.take(length).await,
            None if answer.header("transfer-encoding").is_some() => self.chunks().await,
            None => self.until_end().await,
        };
        answer
    }

    /// Whether the server closes the connection within this time, nothing more being sent.
    pub async fn is_closed(&mut self, within: Duration) -> bool {
        self.unread.is_empty() && timeout(within, self.fill()).await.is_ok_and(|has_more| !has_more)
    }

    /// Reads one answer to a HEAD: its head alone.
    pub async fn head(&mut self) -> RawAnswer {
        let head = self.until_blank_line().await.unwrap_or_default();
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        RawAnswer { status, head, body: Vec::new() }
    }

    async fn until_blank_line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n\r\n") {
                return Some(self.unread.drain(..end + 4).collect());
            }
            if self.unread.len() > HEAD_BYTES_MAX || !self.fill().await {
                return None;
            }
        }
    }

    async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length && self.fill().await {}
        let available = length.min(self.unread.len());
        self.unread.drain(..available).collect()
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(end) = find(&self.unread, b"\r\n") {
                    break self.unread.drain(..end + 2).collect::<Vec<_>>();
                }
                if !self.fill().await {
                    return body;
                }
            };
            let text = String::from_utf8_lossy(&line);
            let size =
                usize::from_str_radix(text.trim().split(';').next().unwrap_or_default(), 16).unwrap_or(0);
            if size == 0 {
                self.take(2).await;
                return body;
            }
            body.extend(self.take(size).await);
            self.take(2).await;
        }
    }

    async fn until_end(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.unread)
    }

    /// Reads what is there; false at the end of the connection.
    async fn fill(&mut self) -> bool {
        let mut buffer = vec![0; 16 * 1024];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
        let read = read.unwrap_or_else(|_| panic!("nothing came in {PATIENCE:?}; so far {:?}", self.unread));
        let count = read.unwrap_or(0);
        buffer.truncate(count);
        self.unread.extend(buffer);
        count > 0
    }
}

impl RawAnswer {
    /// A field's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
            .next()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
