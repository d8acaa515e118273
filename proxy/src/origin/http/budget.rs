//! How many requests may be sent a second time to the same origin.
//!
//! Repeating is right when an idle connection turns out to be closed, and wrong when an origin under load closes many:
//! then every repetition adds to the load. So repetitions may be a share of the requests and a few per second besides.
//! Going on to the next origin is no repetition, it is what the list is for. Pure: `now` is a parameter.

use std::time::Duration;

use tokio::time::Instant;

/// What may be repeated at one origin.
#[derive(Debug)]
pub(super) struct Budget {
    /// Thousandths of a repetition.
    saved: u64,
    at: Instant,
}

impl Budget {
    /// As after a quiet while.
    pub(super) const fn new(now: Instant) -> Self {
        Self { saved: SAVED_MAX, at: now }
    }

    /// Notes a request.
    pub(super) fn earn(&mut self, now: Instant) {
        self.refill(now);
        self.saved = self.saved.saturating_add(PER_REQUEST).min(SAVED_MAX);
    }

    /// Whether one may be repeated; if so it is paid for.
    pub(super) fn spend(&mut self, now: Instant) -> bool {
        self.refill(now);
        let left = self.saved.checked_sub(ONE);
        self.saved = left.unwrap_or(self.saved);
        left.is_some()
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).min(FULL_AFTER);
        // the rest of a millisecond is not lost
        let whole_ms = u64::try_from(passed.as_millis()).unwrap_or(0);
        if whole_ms > 0 {
            self.at = now;
            self.saved = self.saved.saturating_add(whole_ms.saturating_mul(PER_MS)).min(SAVED_MAX);
        }
    }
}

/// One repetition.
const ONE: u64 = 1000;
/// A fifth of the requests.
const PER_REQUEST: u64 = 200;
/// Ten a second.
const PER_MS: u64 = 10;
/// A burst of 50.
const SAVED_MAX: u64 = 50 * ONE;
/// Longer pauses save no more.
const FULL_AFTER: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(budget: &mut Budget, now: Instant) -> usize {
        (0..1000).filter(|_| budget.spend(now)).count()
    }

    #[test]
    fn a_burst_is_allowed_and_then_ten_a_second() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        assert_eq!(spent(&mut budget, now), 50);
        assert_eq!(spent(&mut budget, now), 0);
        assert_eq!(spent(&mut budget, now + Duration::from_secs(1)), 10);
        assert_eq!(spent(&mut budget, now + Duration::from_secs(3600)), 50);
    }

    #[test]
    fn a_fifth_of_the_requests_may_be_repeated() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        spent(&mut budget, now);
        for _ in 0..100 {
            budget.earn(now);
        }
        assert_eq!(spent(&mut budget, now), 20);
    }
}
