//! An ordered list of origins: the first usable response wins, everything before it is a recorded attempt.
//!
//! An origin that fails, is late or answers 5xx is passed over. Any other status is an answer and is not masked: a 404
//! of the first origin is the site's 404.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use tokio::time::{Instant, timeout_at};

use crate::{
    origin::{Origin, OriginError, OriginRequest, OriginResponse},
    stored::ResponseHead,
};

/// Bytes kept of an origin's own error page, should no better answer be found.
pub const ERROR_BODY_BYTES_MAX: u64 = 64 * 1024;

/// One origin and its own deadline.
#[derive(Clone)]
pub struct Step {
    /// Where to ask.
    pub origin: Arc<dyn Origin>,
    /// Until the response head is whole.
    pub head_timeout: Duration,
}

/// The origins of a site, in order.
#[derive(Clone, Default)]
pub struct Waterfall {
    /// Steps, first choice first.
    pub steps: Vec<Step>,
}

/// One try at one origin.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Origin name.
    pub origin: String,
    /// What came of it.
    pub outcome: AttemptOutcome,
    /// Time until the head or the failure, in ms.
    pub took_ms: u64,
}

/// What came of an attempt.
#[derive(Debug, Clone)]
pub enum AttemptOutcome {
    /// A response with this status.
    Status(StatusCode),
    /// No response.
    Failed(OriginError),
}

/// A usable response.
pub struct Fetched {
    /// The origin that gave it.
    pub origin: String,
    /// Head and body.
    pub response: OriginResponse,
    /// Every try, the winning one last.
    pub attempts: Vec<Attempt>,
}

/// No origin gave a usable response.
#[derive(Debug, Clone, Default)]
pub struct Failure {
    /// Every try in order; empty when a bound of this node refused the fetch.
    pub attempts: Vec<Attempt>,
    /// The last origin's own error page, when it sent one.
    pub error_page: Option<(ResponseHead, Bytes)>,
    /// Set when this node is at a bound: seconds after which a retry makes sense.
    pub retry_after_s: Option<u64>,
}

impl Failure {
    /// The same without the origin's own words, for whoever did not ask for them.
    #[must_use]
    pub fn without_page(&self) -> Self {
        Self { error_page: None, ..self.clone() }
    }

    /// Whether time, rather than a refusal, ended the last attempt (504 instead of 502).
    #[must_use]
    pub fn timed_out(&self) -> bool {
        matches!(
            self.attempts.last(),
            Some(Attempt { outcome: AttemptOutcome::Failed(OriginError::Timeout), .. })
        )
    }
}

impl Waterfall {
    /// Asks the origins in order. Dropping the future abandons the running attempt.
    ///
    /// # Errors
    /// [`Failure`] with every attempt when none gave a usable response.
    pub async fn fetch(&self, request: &OriginRequest) -> Result<Fetched, Failure> {
        let mut failure = Failure::default();
        for step in &self.steps {
            let began = Instant::now();
            let deadline = began + step.head_timeout;
            let asked = OriginRequest { deadline, ..request.clone() };
            let result = match timeout_at(deadline, step.origin.fetch(&asked)).await {
                Ok(result) => result,
                Err(_) => Err(OriginError::Timeout),
            };
            let outcome = match &result {
                Ok(response) => AttemptOutcome::Status(response.head.status),
                Err(error) => AttemptOutcome::Failed(error.clone()),
            };
            let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            failure.attempts.push(Attempt { origin: step.origin.name().to_owned(), outcome, took_ms });
            match result {
                Ok(response) if is_usable(response.head.status) => {
                    let origin = step.origin.name().to_owned();
                    return Ok(Fetched { origin, response, attempts: failure.attempts });
                }
                Ok(response) => {
                    let OriginResponse { head, body, .. } = response;
                    let page = timeout_at(deadline, body.collect(ERROR_BODY_BYTES_MAX)).await;
                    failure.error_page = page.ok().and_then(Result::ok).map(|bytes| (head, bytes));
                }
                Err(OriginError::Busy { retry_after_s }) => failure.retry_after_s = Some(retry_after_s),
                Err(_) => {}
            }
        }
        Err(failure)
    }
}

/// Whether a status is an answer rather than a reason to try the next origin. 501 and 505 speak of the request, so
/// another origin would say the same.
fn is_usable(status: StatusCode) -> bool {
    !status.is_server_error()
        || matches!(status, StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED)
}
