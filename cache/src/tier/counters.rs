//! What a tier counts, the same for each of them.

use std::sync::atomic::{AtomicU64, Ordering};

use super::TierError;
use crate::stored::StoredRef;

/// Counts since start. Reads end as one of hits, misses, corrupt, failures and skipped; writes as one of written, dropped and
/// refused.
#[derive(Debug, Default)]
pub struct TierCounters {
    /// Reads that found the response.
    pub hits: AtomicU64,
    /// Reads that found nothing, or another key in the slot.
    pub misses: AtomicU64,
    /// Reads that found bytes which are not a sound record.
    pub corrupt: AtomicU64,
    /// Reads that storage failed or did not answer in time.
    pub failures: AtomicU64,
    /// Reads that the breaker did not let through.
    pub skipped: AtomicU64,
    /// 1 while the breaker is open, else 0.
    pub open: AtomicU64,
    /// Responses written.
    pub written: AtomicU64,
    /// Responses dropped because the queue was full or the response is larger than the tier takes.
    pub dropped: AtomicU64,
    /// Responses that storage did not take.
    pub refused: AtomicU64,
}

impl TierCounters {
    /// Reads so far.
    #[must_use]
    pub fn gets(&self) -> u64 {
        [&self.hits, &self.misses, &self.corrupt, &self.failures, &self.skipped]
            .into_iter()
            .fold(0, |sum, counter| sum.saturating_add(counter.load(Ordering::Relaxed)))
    }

    /// Counts a read and passes its outcome on.
    pub(super) fn read(
        &self,
        outcome: Result<Option<StoredRef>, TierError>,
    ) -> Result<Option<StoredRef>, TierError> {
        let counter = match &outcome {
            Ok(Some(_)) => &self.hits,
            Ok(None) => &self.misses,
            Err(TierError::Corrupt(_)) => &self.corrupt,
            Err(TierError::Timeout { .. } | TierError::Io(_)) => &self.failures,
            Err(TierError::Skipped) => &self.skipped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        outcome
    }
}

pub(super) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
}
