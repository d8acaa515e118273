//! A response body on its way in, pulled chunk by chunk as its reader asks.
//!
//! Nothing is read ahead: HTTP/1.1 reads only when polled, HTTP/2 only as far as its window. The connection goes back to
//! the pool at a clean end, and is closed otherwise. Dropping the stream abandons the transfer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream::unfold;
use overfall_cache::body::{Body, BodyError, BodyStream};
use pingora::{protocols::http::client::HttpSession, upstreams::peer::HttpPeer};
use tokio::time::{Instant, timeout_at};

use super::Pool;

/// An exchange whose head has been read.
pub(super) struct Transfer {
    pub(super) session: HttpSession,
    pub(super) peer: HttpPeer,
    pub(super) pool: Arc<Pool>,
    /// The longest wait for a byte.
    pub(super) read_timeout: Duration,
    /// Bytes that the head announced.
    pub(super) length: Option<u64>,
    /// Bytes so far.
    pub(super) received: u64,
}

type Step = Option<(Result<Bytes, BodyError>, Option<Transfer>)>;

impl Transfer {
    /// The body; an empty one gives its connection back at once.
    pub(super) async fn into_body(self) -> Body {
        if self.length == Some(0) {
            self.release().await;
            return Body::empty();
        }
        let length = self.length;
        let stream: BodyStream =
            Box::pin(unfold(Some(self), |transfer| async move { transfer?.pull().await }));
        Body::Stream { length, stream }
    }

    async fn pull(mut self) -> Step {
        let deadline = Instant::now() + self.read_timeout;
        loop {
            let chunk = match timeout_at(deadline, self.session.read_response_body()).await {
                Err(_) => {
                    let ms = u64::try_from(self.read_timeout.as_millis()).unwrap_or(u64::MAX);
                    return Some((Err(BodyError::Stalled { ms }), None));
                }
                Ok(Err(_)) => return self.cut(),
                Ok(Ok(None)) => return self.end().await,
                Ok(Ok(Some(chunk))) => chunk,
            };
            // framing alone: the deadline goes on
            if chunk.is_empty() {
                continue;
            }
            self.received = self.received.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            if self.is_complete() {
                self.release().await;
                return Some((Ok(chunk), None));
            }
            return Some((Ok(chunk), Some(self)));
        }
    }

    /// Whether the last byte is here, known without another read.
    fn is_complete(&mut self) -> bool {
        match self.length {
            Some(length) => self.received == length,
            // for HTTP/2 "done" may also mean "reset"; the next read tells them apart
            None => matches!(self.session, HttpSession::H1(_)) && self.session.response_done(),
        }
    }

    async fn end(self) -> Step {
        if self.length.is_some_and(|length| length != self.received) {
            return self.cut();
        }
        self.release().await;
        None
    }

    fn cut(self) -> Step {
        Some((Err(BodyError::Cut { received: self.received }), None))
    }

    async fn release(mut self) {
        if let HttpSession::H1(session) = &mut self.session {
            session.respect_keepalive();
            if !session.will_keepalive() {
                // dropped: a polite shutdown could wait for an origin that does not read
                return;
            }
        }
        self.pool.release_http_session(self.session, &self.peer, Some(IDLE)).await;
    }
}

/// How long a connection waits in the pool for its next use.
pub(super) const IDLE: Duration = Duration::from_secs(60);
