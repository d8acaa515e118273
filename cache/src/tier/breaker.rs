//! A breaker per tier, so that storage which hangs or fails costs a few requests their patience and not all of them.
//!
//! [`Breaker`] is a state machine of plain values; [`Guard`] puts it around reads. Closed: reads go through. After
//! several failures in a row it opens and reads are skipped; once the pause is over one read goes through as a probe,
//! and its outcome closes the breaker or doubles the pause. While it is closed, reads are skipped too when several wait
//! and none has ended for a while: a hanging disk shows that long before its deadlines do.
//! Bytes that are harmed are no failure here: storage answered.

use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{TierError, counters::TierCounters};
use crate::stored::StoredRef;

/// Failures in a row that open the breaker.
const FAILURES_MAX: u32 = 5;
/// They count as a row when no more than this lies between the first and the last, in ms.
const WINDOW_MS: u64 = 10_000;
/// First pause, in ms; each failed probe doubles it.
const PAUSE_MS: u64 = 1_000;
/// Longest pause, in ms.
const PAUSE_MS_MAX: u64 = 30_000;
/// Reads that wait before silence counts.
const WAITING_MIN: u32 = 4;
/// Silence after which no more reads join those that wait, in ms.
const SILENCE_MS: u64 = 200;

/// Whether a read may go to the tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Read,
    Probe,
    Skip,
}

/// How a read ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Answered,
    Failed,
    /// Nobody waited for it any more.
    Abandoned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed { failures: u32, first_ms: u64 },
    Open { until_ms: u64, pause_ms: u64 },
    Probing { pause_ms: u64 },
}

/// Decides which reads a tier gets. Times are ms on any clock that does not go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breaker {
    state: State,
    waiting: u32,
    heard_ms: u64,
}

impl Breaker {
    /// A closed breaker.
    pub(super) const fn new() -> Self {
        Self { state: CLOSED, waiting: 0, heard_ms: 0 }
    }

    /// Asks for one read. Unless it is skipped, [`Breaker::end`] has to follow.
    pub(super) fn admit(&mut self, now_ms: u64) -> Admission {
        let admission = match self.state {
            State::Closed { .. } if self.is_silent(now_ms) => Admission::Skip,
            State::Closed { .. } => Admission::Read,
            State::Open { until_ms, pause_ms } if now_ms >= until_ms => {
                self.state = State::Probing { pause_ms };
                Admission::Probe
            }
            State::Open { .. } | State::Probing { .. } => Admission::Skip,
        };
        if admission != Admission::Skip {
            if self.waiting == 0 {
                self.heard_ms = now_ms;
            }
            self.waiting += 1;
        }
        admission
    }

    /// Takes note of how an admitted read ended.
    pub(super) fn end(&mut self, admission: Admission, ending: Ending, now_ms: u64) {
        self.waiting = self.waiting.saturating_sub(1);
        if ending == Ending::Answered {
            self.heard_ms = now_ms;
        }
        self.state = match (self.state, ending) {
            (State::Probing { .. }, Ending::Answered) if admission == Admission::Probe => CLOSED,
            (State::Probing { pause_ms }, Ending::Failed) if admission == Admission::Probe => {
                open(now_ms, pause_ms.saturating_mul(2).min(PAUSE_MS_MAX))
            }
            // the next request probes
            (State::Probing { pause_ms }, Ending::Abandoned) if admission == Admission::Probe => {
                State::Open { until_ms: now_ms, pause_ms }
            }
            (State::Closed { .. }, Ending::Answered) => CLOSED,
            (State::Closed { failures, first_ms }, Ending::Failed) => failed(failures, first_ms, now_ms),
            // what began before it opened says nothing new
            (state, _) => state,
        };
    }

    /// Whether reads are being skipped because of failures.
    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    const fn is_silent(&self, now_ms: u64) -> bool {
        self.waiting >= WAITING_MIN && now_ms.saturating_sub(self.heard_ms) > SILENCE_MS
    }
}

fn failed(failures: u32, first_ms: u64, now_ms: u64) -> State {
    if failures == 0 || now_ms.saturating_sub(first_ms) > WINDOW_MS {
        return State::Closed { failures: 1, first_ms: now_ms };
    }
    let failures = failures + 1;
    if failures >= FAILURES_MAX { open(now_ms, PAUSE_MS) } else { State::Closed { failures, first_ms } }
}

const fn open(now_ms: u64, pause_ms: u64) -> State {
    State::Open { until_ms: now_ms.saturating_add(pause_ms), pause_ms }
}

const CLOSED: State = State::Closed { failures: 0, first_ms: 0 };

/// A breaker around the reads of one tier.
pub(super) struct Guard {
    tier: &'static str,
    breaker: Mutex<Breaker>,
    began: Instant,
}

impl Guard {
    pub(super) fn new(tier: &'static str) -> Self {
        Self { tier, breaker: Mutex::new(Breaker::new()), began: Instant::now() }
    }

    /// Runs a read unless the breaker skips it; counts it either way. Dropping this abandons the read.
    ///
    /// # Errors
    /// [`TierError::Skipped`], or what the read gives.
    pub(super) async fn read(
        &self,
        counters: &TierCounters,
        read: impl Future<Output = Result<Option<StoredRef>, TierError>>,
    ) -> Result<Option<StoredRef>, TierError> {
        let admission = self.breaker.lock().admit(self.now_ms());
        if admission == Admission::Skip {
            return counters.read(Err(TierError::Skipped));
        }
        let mut pass = Pass { guard: self, counters, admission, ending: Ending::Abandoned };
        let outcome = read.await;
        pass.ending = match &outcome {
            Ok(_) | Err(TierError::Corrupt(_)) => Ending::Answered,
            Err(TierError::Timeout { .. } | TierError::Io(_) | TierError::Skipped) => Ending::Failed,
        };
        drop(pass);
        counters.read(outcome)
    }

    /// Whether reads are being skipped because of failures.
    pub(super) fn is_open(&self) -> bool {
        self.breaker.lock().is_open()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// An admitted read; says how it ended when dropped.
struct Pass<'a> {
    guard: &'a Guard,
    counters: &'a TierCounters,
    admission: Admission,
    ending: Ending,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let (was_open, is_open) = {
            let mut breaker = self.guard.breaker.lock();
            let was_open = breaker.is_open();
            breaker.end(self.admission, self.ending, self.guard.now_ms());
            (was_open, breaker.is_open())
        };
        self.counters.open.store(u64::from(is_open), Ordering::Relaxed);
        match (was_open, is_open) {
            (false, true) => tracing::warn!(tier = self.guard.tier, "tier fails; it is skipped for a while"),
            (true, false) => tracing::info!(tier = self.guard.tier, "tier answers again"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
