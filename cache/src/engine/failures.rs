//! Keys whose fetch has just failed: a herd that waits for a failing object must not become a herd at its origin.
//!
//! Followers of a failed fetch hear of its failure at once; this is for those who come a moment later. A failure counts
//! from the third within a second on, so that a single hiccup is tried again, and from the first on if it took its time.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    body::BodyError,
    key::KeyHash,
    origin::OriginError,
    waterfall::{Attempt, AttemptOutcome, Failure},
};

/// Failures by key, for a short while.
#[derive(Default)]
pub(super) struct Failures {
    by_key: Mutex<HashMap<KeyHash, Recent>>,
}

struct Recent {
    failure: Arc<Failure>,
    since: Instant,
    count: u32,
    /// When the key may be tried again; none: it may be tried now.
    until: Option<Instant>,
}

impl Failures {
    /// Notes a failed fetch. What this node refused by itself is no failure of an origin and not remembered.
    pub(super) fn note(&self, hash: KeyHash, failure: &Failure, now: Instant) {
        if failure.retry_after_s.is_some() || failure.attempts.is_empty() {
            return;
        }
        let took_ms: u64 =
            failure.attempts.iter().map(|attempt| attempt.took_ms).fold(0, u64::saturating_add);
        let mut by_key = self.by_key.lock();
        if by_key.len() >= KEYS_MAX {
            by_key.retain(|_, recent| recent.is_recent(now));
        }
        let before = by_key.get(&hash).filter(|recent| recent.is_recent(now));
        let (since, count) = before.map_or((now, 0), |recent| (recent.since, recent.count));
        let count = count.saturating_add(1);
        let is_over = count >= TRIES_MAX || took_ms >= SLOW_MS;
        if by_key.len() < KEYS_MAX || by_key.contains_key(&hash) {
            let failure = Arc::new(failure.without_page());
            by_key.insert(hash, Recent { failure, since, count, until: is_over.then(|| now + REMEMBERED) });
        }
    }

    /// Notes a fetch whose body did not come whole.
    pub(super) fn note_cut(&self, hash: KeyHash, origin: &str, error: &BodyError, now: Instant) {
        let outcome = AttemptOutcome::Failed(OriginError::Protocol(error.to_string()));
        let attempt = Attempt { origin: origin.to_owned(), outcome, took_ms: 0 };
        self.note(hash, &Failure { attempts: vec![attempt], ..Failure::default() }, now);
    }

    /// The failure that answers for this key at `now`, if its origins should be left in peace.
    pub(super) fn recall(&self, hash: KeyHash, now: Instant) -> Option<Arc<Failure>> {
        let by_key = self.by_key.lock();
        let recent = by_key.get(&hash)?;
        recent.until.is_some_and(|until| now < until).then(|| Arc::clone(&recent.failure))
    }

    /// Forgets the failures of a key that has just been fetched.
    pub(super) fn forget(&self, hash: KeyHash) {
        let mut by_key = self.by_key.lock();
        if !by_key.is_empty() {
            by_key.remove(&hash);
        }
    }
}

impl Recent {
    fn is_recent(&self, now: Instant) -> bool {
        self.until.map_or(now < self.since + REMEMBERED, |until| now < until)
    }
}

/// How long a failure answers for its key, and how long single failures are counted.
const REMEMBERED: Duration = Duration::from_secs(1);
/// Failed fetches of one key within [`REMEMBERED`].
const TRIES_MAX: u32 = 3;
/// A failure that took this long is not repeated at once.
const SLOW_MS: u64 = 500;
/// Keys remembered.
const KEYS_MAX: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;

    fn hash(n: usize) -> KeyHash {
        let target = format!("/{n}");
        Key { site: "s".into(), host: "h".into(), target, variant: String::new() }.hash()
    }

    fn failure(took_ms: u64) -> Failure {
        let outcome = AttemptOutcome::Failed(OriginError::Timeout);
        Failure { attempts: vec![Attempt { origin: "o".into(), outcome, took_ms }], ..Failure::default() }
    }

    #[test]
    fn a_third_quick_failure_answers_for_a_second() {
        let (failures, now) = (Failures::default(), Instant::now());
        for _ in 0..TRIES_MAX {
            assert!(failures.recall(hash(0), now).is_none());
            failures.note(hash(0), &failure(1), now);
        }
        assert!(failures.recall(hash(0), now).is_some());
        assert!(failures.recall(hash(1), now).is_none());
        assert!(failures.recall(hash(0), now + REMEMBERED).is_none());
        failures.note(hash(0), &failure(1), now + REMEMBERED);
        assert!(failures.recall(hash(0), now + REMEMBERED).is_none(), "counted anew");
    }

    #[test]
    fn failures_far_apart_do_not_add_up() {
        let (failures, mut now) = (Failures::default(), Instant::now());
        for _ in 0..10 {
            failures.note(hash(0), &failure(1), now);
            assert!(failures.recall(hash(0), now).is_none());
            now += REMEMBERED;
        }
    }

    #[test]
    fn a_slow_failure_answers_at_once() {
        let (failures, now) = (Failures::default(), Instant::now());
        failures.note(hash(0), &failure(SLOW_MS), now);
        assert!(failures.recall(hash(0), now).is_some());
    }

    #[test]
    fn a_success_and_our_own_refusals_leave_nothing() {
        let (failures, now) = (Failures::default(), Instant::now());
        failures.note(hash(0), &failure(SLOW_MS), now);
        failures.forget(hash(0));
        assert!(failures.recall(hash(0), now).is_none());
        failures.note(hash(0), &Failure { retry_after_s: Some(1), ..failure(SLOW_MS) }, now);
        failures.note(hash(0), &Failure::default(), now);
        assert!(failures.recall(hash(0), now).is_none());
    }

    #[test]
    fn keys_are_bounded_and_old_ones_make_room() {
        let (failures, now) = (Failures::default(), Instant::now());
        for n in 0..KEYS_MAX + 10 {
            failures.note(hash(n), &failure(SLOW_MS), now);
        }
        assert_eq!(failures.by_key.lock().len(), KEYS_MAX);
        failures.note(hash(KEYS_MAX), &failure(SLOW_MS), now + REMEMBERED);
        assert_eq!(failures.by_key.lock().len(), 1);
    }

    #[test]
    fn an_error_page_is_not_kept() {
        let (failures, now) = (Failures::default(), Instant::now());
        let head = crate::stored::ResponseHead {
            status: http::StatusCode::BAD_GATEWAY,
            headers: http::HeaderMap::new(),
        };
        let page = Some((head, bytes::Bytes::from_static(b"page")));
        failures.note(hash(0), &Failure { error_page: page, ..failure(SLOW_MS) }, now);
        assert!(failures.recall(hash(0), now).unwrap().error_page.is_none());
    }
}
