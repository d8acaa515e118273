//! Counters of a pool, plain atomics; the exporter reads them.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a pool did and does. All counts are since its start; those named "now" go up and down.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Renderings finished without error.
    pub renders: AtomicU64,
    /// Renderings that ended in an error other than those below.
    pub failures: AtomicU64,
    /// Renderings refused at once because the queue was full or the pool stopping.
    pub refusals: AtomicU64,
    /// Renderings given up: over their deadline, or nobody waited any more.
    pub abandoned: AtomicU64,
    /// Renderings lost to a panic of a codec.
    pub panics: AtomicU64,
    /// Sources decoded for one rendering or several.
    pub decodes: AtomicU64,
    /// Renderings made of what was decoded for another.
    pub shared_decodes: AtomicU64,
    /// Jobs waiting now.
    pub queue_jobs: AtomicU64,
    /// What the waiting jobs weigh now, in pixels.
    pub queue_pixels: AtomicU64,
    /// Threads at work now.
    pub busy_threads: AtomicU64,
}

impl Metrics {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sub(gauge: &AtomicU64) {
        gauge.fetch_sub(1, Ordering::Relaxed);
    }
}
