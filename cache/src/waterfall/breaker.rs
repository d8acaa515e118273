//! A circuit breaker: when an origin is left alone, and when it is tried again.
//!
//! Pure: `now` is a parameter. Closed, it counts. Open, nobody asks. When the open time is over one probe goes out, and
//! its outcome closes the breaker or opens it for twice as long.
//!
//! An origin that can't be reached, is late or talks nonsense is broken for every request, so each such failure counts.
//! An error status may be the fault of one address only: in a row of failures each target counts once, so that one
//! broken page, asked for again and again, does not cut off the others. The body is not judged.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// When a breaker opens and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures in a row that open it, at least 1.
    pub failures: u32,
    /// The first open time; it doubles with every failed probe, up to [`OPEN_MAX`] or itself if that is longer.
    pub open: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self { failures: 5, open: Duration::from_secs(1) }
    }
}

/// What came of an attempt, as far as the breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An answer.
    Answered,
    /// No answer: not reached, late, or not HTTP.
    Broken,
    /// An error status for the target with this hash.
    Refused(u64),
    /// It says nothing about the origin.
    Neutral,
}

/// Leave to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The breaker is closed.
    Plain,
    /// The one attempt that decides whether it closes.
    Probe,
    /// Asked although it is open, since there is nobody else to ask.
    Forced,
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Everybody may ask.
    Closed,
    /// Nobody asks.
    Open,
    /// The open time is over; a probe decides.
    HalfOpen,
}

impl BreakerState {
    /// As metrics, status and explanations call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// One origin's breaker.
///
/// ```
/// use overfall_cache::waterfall::breaker::{Breaker, BreakerSettings, Outcome, Pass};
/// use tokio::time::{Duration, Instant};
///
/// let now = Instant::now();
/// let mut breaker = Breaker::new(BreakerSettings { failures: 1, open: Duration::from_secs(1) }, now);
/// breaker.settle(Pass::Plain, Outcome::Broken, now);
/// assert_eq!(breaker.admit(now), None);
/// assert_eq!(breaker.admit(now + Duration::from_secs(1)), Some(Pass::Probe));
/// ```
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: State,
    /// Failures since the last answer.
    run: u32,
    /// Targets that answered with an error status in this run; the oldest goes at [`RUN_TARGETS_MAX`].
    run_targets: VecDeque<u64>,
    window: Window,
    /// How often it opened without closing in between.
    openings: u32,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen { is_probing: bool },
}

impl Breaker {
    /// Closed.
    #[must_use]
    pub fn new(settings: BreakerSettings, now: Instant) -> Self {
        Self {
            settings,
            state: State::Closed,
            run: 0,
            run_targets: VecDeque::new(),
            window: Window::new(now),
            openings: 0,
        }
    }

    /// Leave to ask, if there is any at `now`. Whoever gets it must [`settle`](Self::settle) or
    /// [`abandon`](Self::abandon) it.
    pub fn admit(&mut self, now: Instant) -> Option<Pass> {
        match self.state {
            State::Closed => Some(Pass::Plain),
            State::Open { until } if now < until => None,
            State::HalfOpen { is_probing: true } => None,
            State::Open { .. } | State::HalfOpen { is_probing: false } => {
                self.state = State::HalfOpen { is_probing: true };
                Some(Pass::Probe)
            }
        }
    }

    /// Notes what came of an attempt. Attempts that began before it opened change nothing any more.
    pub fn settle(&mut self, pass: Pass, outcome: Outcome, now: Instant) {
        match (self.state, pass, outcome) {
            (_, Pass::Probe, Outcome::Neutral) => self.abandon(pass),
            (_, Pass::Probe | Pass::Forced, Outcome::Answered) => self.close(now),
            (State::HalfOpen { .. }, Pass::Probe, Outcome::Broken | Outcome::Refused(_)) => self.open(now),
            (State::Closed, _, outcome) => self.count(outcome, now),
            _ => {}
        }
    }

    /// Nothing came of an attempt: the next one may probe.
    pub const fn abandon(&mut self, pass: Pass) {
        if let (State::HalfOpen { .. }, Pass::Probe) = (self.state, pass) {
            self.state = State::HalfOpen { is_probing: false };
        }
    }

    /// When the open time ends; none unless it is open at `now`.
    #[must_use]
    pub fn open_until(&self, now: Instant) -> Option<Instant> {
        match self.state {
            State::Open { until } if now < until => Some(until),
            _ => None,
        }
    }

    /// Where it stands at `now`.
    #[must_use]
    pub fn state(&self, now: Instant) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { until } if now < until => BreakerState::Open,
            State::Open { .. } | State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    fn count(&mut self, outcome: Outcome, now: Instant) {
        match outcome {
            Outcome::Neutral => return,
            Outcome::Answered => {
                self.run = 0;
                self.run_targets.clear();
                self.window.note(Counted::Answer, now);
                return;
            }
            Outcome::Refused(target) if self.run_targets.contains(&target) => return,
            Outcome::Refused(target) => {
                if self.run_targets.len() >= RUN_TARGETS_MAX {
                    self.run_targets.pop_front();
                }
                self.run_targets.push_back(target);
            }
            Outcome::Broken => self.window.note(Counted::Failure, now),
        }
        self.run = self.run.saturating_add(1);
        if self.run >= self.settings.failures || self.window.is_failing(now) {
            self.open(now);
        }
    }

    fn open(&mut self, now: Instant) {
        let longest = OPEN_MAX.max(self.settings.open);
        let factor = 1_u32.checked_shl(self.openings).unwrap_or(u32::MAX);
        let open = self.settings.open.saturating_mul(factor).min(longest);
        self.openings = self.openings.saturating_add(1).min(OPENINGS_MAX);
        self.state = State::Open { until: now + open };
        self.forget(now);
    }

    fn close(&mut self, now: Instant) {
        self.state = State::Closed;
        self.openings = 0;
        self.forget(now);
    }

    fn forget(&mut self, now: Instant) {
        self.run = 0;
        self.run_targets.clear();
        self.window = Window::new(now);
    }
}

#[derive(Clone, Copy)]
enum Counted {
    Answer,
    Failure,
}

/// Answers and failures of the last [`WINDOW`], in two halves of which the older one is dropped as time goes on.
#[derive(Debug)]
struct Window {
    began: Instant,
    halves: [Half; 2],
}

#[derive(Debug, Clone, Copy, Default)]
struct Half {
    all: u32,
    failures: u32,
}

impl Window {
    fn new(now: Instant) -> Self {
        Self { began: now, halves: [Half::default(); 2] }
    }

    fn advance(&mut self, now: Instant) {
        let half = WINDOW / 2;
        let [_, younger] = self.halves;
        let since = now.saturating_duration_since(self.began);
        if since >= WINDOW {
            *self = Self::new(now);
        } else if since >= half {
            *self = Self { began: self.began + half, halves: [younger, Half::default()] };
        }
    }

    fn note(&mut self, counted: Counted, now: Instant) {
        self.advance(now);
        let [_, younger] = &mut self.halves;
        younger.all = younger.all.saturating_add(1);
        if matches!(counted, Counted::Failure) {
            younger.failures = younger.failures.saturating_add(1);
        }
    }

    fn is_failing(&mut self, now: Instant) -> bool {
        self.advance(now);
        let [older, younger] = self.halves;
        let all = older.all.saturating_add(younger.all);
        let failures = older.failures.saturating_add(younger.failures);
        all >= WINDOW_ATTEMPTS_MIN && failures.saturating_mul(FAILING_SHARE) >= all
    }
}

/// The longest open time, unless the first one is longer.
pub const OPEN_MAX: Duration = Duration::from_secs(30);
/// Doublings beyond this change nothing.
const OPENINGS_MAX: u32 = 16;
/// Targets remembered in a row of failures.
const RUN_TARGETS_MAX: usize = 32;
/// Time over which the share of failures is counted.
const WINDOW: Duration = Duration::from_secs(10);
/// Fewer attempts than this within the window are no share.
const WINDOW_ATTEMPTS_MIN: u32 = 20;
/// Every second attempt failing is too many.
const FAILING_SHARE: u32 = 2;

#[cfg(test)]
mod tests;
