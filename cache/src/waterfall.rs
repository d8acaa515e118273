//! An ordered list of origins: the first usable response wins, everything before it is a recorded attempt.
//!
//! An origin that fails, is late or answers 5xx is passed over, and one that did so several times in a row is not even
//! asked for a while ([`breaker`]). When that leaves nobody to ask, the one that may be asked again soonest is asked
//! nevertheless, by few at a time: a breaker must not be worse than none. Any other status is an answer and is not
//! masked: a 404 of the first origin is the site's 404.
//!
//! Archives stand outside of that order: they are asked by [`Waterfall::last_good`] only, when everything else failed.
//! There are no retries here: the next origin is the second try.

pub mod breaker;
pub mod health;

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use tokio::time::{Instant, timeout_at};

use self::{
    breaker::Outcome,
    health::{Change, Health, Permit},
};

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
    /// What is known of the origin; none: it is always asked.
    pub health: Option<Arc<Health>>,
    /// Its place among the others.
    pub role: OriginRole,
}

impl Step {
    /// An ordinary origin that is always asked.
    #[must_use]
    pub fn new(origin: Arc<dyn Origin>, head_timeout: Duration) -> Self {
        Self { origin, head_timeout, health: None, role: OriginRole::Ordinary }
    }
}

/// What an origin is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OriginRole {
    /// It knows the present state of things.
    #[default]
    Ordinary,
    /// It has copies of an earlier state, for when nobody else answers.
    Archive,
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
    /// Asks the ordinary origins in order. Dropping the future abandons the running attempt.
    ///
    /// # Errors
    /// [`Failure`] with every attempt when none gave a usable response.
    pub async fn fetch(&self, request: &OriginRequest) -> Result<Fetched, Failure> {
        let mut failure = Failure::default();
        let mut was_asked = false;
        for step in self.of(OriginRole::Ordinary) {
            match step.admit() {
                Ok(permit) => {
                    was_asked = true;
                    if let Some(response) = step.attempt(request, permit, &mut failure).await {
                        return Ok(step.fetched(response, failure));
                    }
                }
                Err(error) => failure.attempts.push(step.passed_over(error)),
            }
        }
        if was_asked {
            return Err(failure);
        }
        self.force(request, failure).await
    }

    /// Asks the archives in order, for when every ordinary origin failed. Only a success or a redirection is an answer:
    /// what an archive does not have may exist nevertheless. `attempts` are the ones before, and grow.
    pub async fn last_good(&self, request: &OriginRequest, attempts: &mut Vec<Attempt>) -> Option<Fetched> {
        for step in self.of(OriginRole::Archive) {
            let mut failure = Failure { attempts: std::mem::take(attempts), ..Failure::default() };
            let response = match step.admit() {
                Ok(permit) => step.attempt(request, permit, &mut failure).await,
                Err(error) => {
                    failure.attempts.push(step.passed_over(error));
                    None
                }
            };
            match response {
                Some(response) if is_held(response.head.status) => {
                    return Some(step.fetched(response, failure));
                }
                _ => *attempts = failure.attempts,
            }
        }
        None
    }

    /// Whether there is an archive to ask.
    #[must_use]
    pub fn has_archive(&self) -> bool {
        self.of(OriginRole::Archive).next().is_some()
    }

    /// Every origin is left alone at present: asks the one that may be asked again soonest.
    async fn force(&self, request: &OriginRequest, mut failure: Failure) -> Result<Fetched, Failure> {
        let now = Instant::now();
        let soonest = self
            .of(OriginRole::Ordinary)
            .filter_map(|step| Some((step, step.health.as_ref()?)))
            .min_by_key(|(_, health)| (health.view(now).is_failing_checks, health.open_until(now)));
        let Some((step, health)) = soonest else { return Err(failure) };
        let Some(permit) = health.force() else {
            let wait = health.open_until(now).saturating_duration_since(now);
            failure.retry_after_s = Some(u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(1).max(1));
            return Err(failure);
        };
        match step.attempt(request, Some(permit), &mut failure).await {
            Some(response) => Ok(step.fetched(response, failure)),
            None => Err(failure),
        }
    }

    fn of(&self, role: OriginRole) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.role == role)
    }
}

impl Step {
    fn admit(&self) -> Result<Option<Permit>, OriginError> {
        self.health.as_ref().map(|health| health.admit(Instant::now())).transpose()
    }

    /// Asks once, unless the origin is left alone at present. For who has no other origin to turn to and no visitor
    /// that waits.
    ///
    /// # Errors
    /// [`OriginError`]; a response with an error status is not an error here.
    pub async fn ask(&self, request: &OriginRequest) -> Result<OriginResponse, OriginError> {
        let permit = self.admit()?;
        let began = Instant::now();
        let result = self.send(request, began + self.head_timeout).await;
        self.settle(permit, request, &result);
        result
    }

    /// Asks once and notes what came of it. None: not usable.
    async fn attempt(
        &self,
        request: &OriginRequest,
        permit: Option<Permit>,
        failure: &mut Failure,
    ) -> Option<OriginResponse> {
        let began = Instant::now();
        let deadline = began + self.head_timeout;
        let result = self.send(request, deadline).await;
        self.settle(permit, request, &result);
        let outcome = match &result {
            Ok(response) => AttemptOutcome::Status(response.head.status),
            Err(error) => AttemptOutcome::Failed(error.clone()),
        };
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        failure.attempts.push(Attempt { origin: self.origin.name().to_owned(), outcome, took_ms });
        match result {
            Ok(response) if is_usable(response.head.status) => return Some(response),
            Ok(OriginResponse { head, body, .. }) => {
                let page = timeout_at(deadline, body.collect(ERROR_BODY_BYTES_MAX)).await;
                failure.error_page = page.ok().and_then(Result::ok).map(|bytes| (head, bytes));
            }
            Err(OriginError::Busy { retry_after_s }) => failure.retry_after_s = Some(retry_after_s),
            Err(_) => {}
        }
        None
    }

    async fn send(&self, request: &OriginRequest, deadline: Instant) -> Result<OriginResponse, OriginError> {
        let asked = OriginRequest { deadline, ..request.clone() };
        timeout_at(deadline, self.origin.fetch(&asked)).await.unwrap_or(Err(OriginError::Timeout))
    }

    fn settle(
        &self,
        permit: Option<Permit>,
        request: &OriginRequest,
        result: &Result<OriginResponse, OriginError>,
    ) {
        let origin = self.origin.name();
        match permit.and_then(|permit| permit.settle(judge(request, result), Instant::now())) {
            Some(Change::LeftAlone) => {
                tracing::warn!(origin, "origin failed several times in a row and is left alone for a while");
            }
            Some(Change::Back) => tracing::info!(origin, "origin answers again"),
            None => {}
        }
    }

    fn passed_over(&self, error: OriginError) -> Attempt {
        let outcome = AttemptOutcome::Failed(error);
        Attempt { origin: self.origin.name().to_owned(), outcome, took_ms: 0 }
    }

    fn fetched(&self, response: OriginResponse, failure: Failure) -> Fetched {
        Fetched { origin: self.origin.name().to_owned(), response, attempts: failure.attempts }
    }
}

/// What an attempt says about its origin.
fn judge(request: &OriginRequest, result: &Result<OriginResponse, OriginError>) -> Outcome {
    match result {
        Ok(response) if is_usable(response.head.status) => Outcome::Answered,
        Ok(_) => {
            let mut hasher = DefaultHasher::new();
            (&request.host, &request.path_and_query).hash(&mut hasher);
            Outcome::Refused(hasher.finish())
        }
        Err(
            OriginError::Resolve(_)
            | OriginError::Connect(_)
            | OriginError::Tls(_)
            | OriginError::Timeout
            | OriginError::Protocol(_),
        ) => Outcome::Broken,
        Err(
            OriginError::Disabled
            | OriginError::BreakerOpen
            | OriginError::Unhealthy
            | OriginError::Busy { .. },
        ) => Outcome::Neutral,
    }
}

/// Whether an archive's status says that it has the thing.
fn is_held(status: StatusCode) -> bool {
    status.is_success() || (status.is_redirection() && status != StatusCode::NOT_MODIFIED)
}

/// Whether a status is an answer rather than a reason to try the next origin. 501 and 505 speak of the request, so
/// another origin would say the same.
fn is_usable(status: StatusCode) -> bool {
    !status.is_server_error()
        || matches!(status, StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED)
}

#[cfg(test)]
mod tests;
