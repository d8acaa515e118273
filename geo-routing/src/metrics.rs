//! Counters of the DNS server: plain atomics, so that counting cannot fail or block an answer.
//!
//! The metrics page reads them by [`Metrics::read`]. Nothing here has labels: what strangers ask never names a
//! series.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since start; each only grows.
#[derive(Debug, Default)]
pub struct Metrics {
    pub(crate) queries: AtomicU64,
    pub(crate) answered: AtomicU64,
    pub(crate) nxdomain: AtomicU64,
    pub(crate) nodata: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) formerr: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) truncated: AtomicU64,
    pub(crate) tcp_refused: AtomicU64,
}

impl Metrics {
    /// Every counter's name and value, in a fixed order.
    pub fn read(&self) -> [(&'static str, u64); 9] {
        [
            ("queries", load(&self.queries)),
            ("answered", load(&self.answered)),
            ("nxdomain", load(&self.nxdomain)),
            ("nodata", load(&self.nodata)),
            ("refused", load(&self.refused)),
            ("formerr", load(&self.formerr)),
            ("dropped", load(&self.dropped)),
            ("truncated", load(&self.truncated)),
            ("tcp_refused", load(&self.tcp_refused)),
        ]
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
