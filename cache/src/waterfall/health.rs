//! What a node believes about one origin: its breaker, and the word of active checks.
//!
//! One [`Health`] stands for one origin and is shared by every site that lists it. It gives leave to ask and takes the
//! outcome back; a permit that is dropped says nothing about the origin.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::breaker::{Breaker, BreakerSettings, BreakerState, Outcome, Pass};
use crate::origin::OriginError;

/// Attempts at one time at an origin that is left alone, when there is no other to ask.
pub const FORCED_MAX: usize = 8;

/// The state of one origin.
#[derive(Debug)]
pub struct Health {
    breaker: Option<Mutex<Breaker>>,
    is_failing_checks: AtomicBool,
    forced: Arc<Semaphore>,
    openings: AtomicU64,
}

/// What a node believes about an origin at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthView {
    /// Where the breaker stands; none: it has none.
    pub breaker: Option<BreakerState>,
    /// Whether active checks fail.
    pub is_failing_checks: bool,
}

impl HealthView {
    /// One word: `ok`, `unhealthy`, `open` or `half-open`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self { is_failing_checks: true, .. } => "unhealthy",
            Self { breaker: None | Some(BreakerState::Closed), .. } => "ok",
            Self { breaker: Some(state), .. } => state.as_str(),
        }
    }
}

impl Health {
    /// A healthy origin; without settings there is no breaker.
    #[must_use]
    pub fn new(breaker: Option<BreakerSettings>, now: Instant) -> Arc<Self> {
        Arc::new(Self {
            breaker: breaker.map(|settings| Mutex::new(Breaker::new(settings, now))),
            is_failing_checks: AtomicBool::new(false),
            forced: Arc::new(Semaphore::new(FORCED_MAX)),
            openings: AtomicU64::new(0),
        })
    }

    /// Leave to ask.
    ///
    /// # Errors
    /// [`OriginError::Unhealthy`] or [`OriginError::BreakerOpen`].
    pub fn admit(self: &Arc<Self>, now: Instant) -> Result<Permit, OriginError> {
        if self.is_failing_checks.load(Relaxed) {
            return Err(OriginError::Unhealthy);
        }
        let pass = match &self.breaker {
            None => Pass::Plain,
            Some(breaker) => breaker.lock().admit(now).ok_or(OriginError::BreakerOpen)?,
        };
        Ok(Permit { health: Arc::clone(self), pass, _forced: None, is_settled: false })
    }

    /// Leave to ask although [`admit`](Self::admit) refused, for at most [`FORCED_MAX`] attempts at a time.
    #[must_use]
    pub fn force(self: &Arc<Self>) -> Option<Permit> {
        let forced = Arc::clone(&self.forced).try_acquire_owned().ok()?;
        Some(Permit {
            health: Arc::clone(self),
            pass: Pass::Forced,
            _forced: Some(forced),
            is_settled: false,
        })
    }

    /// When it may be asked again, as far as the breaker knows; `now` if it does not forbid it.
    #[must_use]
    pub fn open_until(&self, now: Instant) -> Instant {
        self.breaker.as_ref().and_then(|breaker| breaker.lock().open_until(now)).unwrap_or(now)
    }

    /// Notes the word of active checks.
    pub fn set_failing_checks(&self, is_failing: bool) {
        self.is_failing_checks.store(is_failing, Relaxed);
    }

    /// What is believed at `now`.
    #[must_use]
    pub fn view(&self, now: Instant) -> HealthView {
        HealthView {
            breaker: self.breaker.as_ref().map(|breaker| breaker.lock().state(now)),
            is_failing_checks: self.is_failing_checks.load(Relaxed),
        }
    }

    /// How often the breaker opened.
    #[must_use]
    pub fn openings(&self) -> u64 {
        self.openings.load(Relaxed)
    }

    fn settle(&self, pass: Pass, outcome: Outcome, now: Instant) -> Option<Change> {
        let mut breaker = self.breaker.as_ref()?.lock();
        let before = breaker.state(now);
        breaker.settle(pass, outcome, now);
        let after = breaker.state(now);
        if before != BreakerState::Open && after == BreakerState::Open {
            self.openings.fetch_add(1, Relaxed);
        }
        match (before, after) {
            (BreakerState::Closed, BreakerState::Open) => Some(Change::LeftAlone),
            (BreakerState::Open | BreakerState::HalfOpen, BreakerState::Closed) => Some(Change::Back),
            _ => None,
        }
    }
}

/// A turn for the worse or the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The breaker opened; openings after a failed probe are no change.
    LeftAlone,
    /// The breaker closed.
    Back,
}

/// Leave to ask an origin once.
#[derive(Debug)]
pub struct Permit {
    health: Arc<Health>,
    pass: Pass,
    _forced: Option<OwnedSemaphorePermit>,
    is_settled: bool,
}

impl Permit {
    /// Notes what came of the attempt. Says so when that changed what is believed of the origin.
    pub fn settle(mut self, outcome: Outcome, now: Instant) -> Option<Change> {
        self.is_settled = true;
        self.health.settle(self.pass, outcome, now)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(breaker) = self.health.breaker.as_ref().filter(|_| !self.is_settled) {
            breaker.lock().abandon(self.pass);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings { failures: 1, open: Duration::from_secs(1) };

    #[test]
    fn checks_and_breaker_each_keep_it_from_being_asked() {
        let now = Instant::now();
        let health = Health::new(Some(SETTINGS), now);
        assert_eq!(health.view(now).as_str(), "ok");
        health.set_failing_checks(true);
        assert_eq!(health.admit(now).unwrap_err(), OriginError::Unhealthy);
        assert_eq!(health.view(now).as_str(), "unhealthy");
        health.set_failing_checks(false);
        assert_eq!(health.admit(now).unwrap().settle(Outcome::Broken, now), Some(Change::LeftAlone));
        assert_eq!(health.admit(now).unwrap_err(), OriginError::BreakerOpen);
        assert_eq!((health.view(now).as_str(), health.openings()), ("open", 1));
    }

    #[test]
    fn a_dropped_probe_lets_the_next_one_go() {
        let now = Instant::now();
        let health = Health::new(Some(SETTINGS), now);
        health.admit(now).unwrap().settle(Outcome::Broken, now);
        let later = now + SETTINGS.open;
        let probe = health.admit(later).unwrap();
        assert_eq!(health.admit(later).unwrap_err(), OriginError::BreakerOpen);
        drop(probe);
        assert_eq!(health.admit(later).unwrap().settle(Outcome::Answered, later), Some(Change::Back));
    }

    #[test]
    fn forced_attempts_are_bounded_and_never_counted_twice() {
        let now = Instant::now();
        let health = Health::new(Some(SETTINGS), now);
        let forced: Vec<_> = std::iter::from_fn(|| health.force()).take(100).collect();
        assert_eq!(forced.len(), FORCED_MAX);
        drop(forced);
        assert!(health.force().is_some());
    }

    #[test]
    fn without_a_breaker_nothing_opens() {
        let now = Instant::now();
        let health = Health::new(None, now);
        for _ in 0..100 {
            health.admit(now).unwrap().settle(Outcome::Broken, now);
        }
        assert_eq!(health.view(now), HealthView { breaker: None, is_failing_checks: false });
    }
}
