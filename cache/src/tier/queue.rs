//! Write-behind for shared tiers: a bounded queue and a few writers, so that a slow store never holds a request.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{Mutex, mpsc, watch};

use crate::{key::KeyHash, stored::StoredRef};

/// Records that may wait.
const QUEUE: usize = 1024;
/// Bytes that may wait.
const QUEUE_BYTES: u64 = 64 * 1024 * 1024;
/// Records written at once.
const WRITERS: usize = 4;

/// Counts since start.
#[derive(Debug, Default)]
pub struct QueueCounters {
    /// Records written.
    pub written: AtomicU64,
    /// Records dropped because the queue was full.
    pub dropped: AtomicU64,
    /// Records that the store refused.
    pub failed: AtomicU64,
}

/// A bounded write-behind queue.
pub(super) struct WriteBehind {
    queue: mpsc::Sender<(KeyHash, StoredRef)>,
    shared: Arc<Shared>,
}

struct Shared {
    counters: QueueCounters,
    waiting_bytes: AtomicU64,
    /// Records queued or being written.
    pending: watch::Sender<usize>,
}

impl WriteBehind {
    /// Starts the writers; they end when the queue is dropped. Needs a tokio runtime.
    pub(super) fn start<W, F>(write: W) -> Self
    where
        W: Fn(KeyHash, StoredRef) -> F + Clone + Send + 'static,
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let (queue, records) = mpsc::channel(QUEUE);
        let records = Arc::new(Mutex::new(records));
        let shared = Arc::new(Shared {
            counters: QueueCounters::default(),
            waiting_bytes: AtomicU64::new(0),
            pending: watch::Sender::new(0),
        });
        for _ in 0..WRITERS {
            tokio::spawn(drain(Arc::clone(&records), Arc::clone(&shared), write.clone()));
        }
        Self { queue, shared }
    }

    /// Queues a record, or drops and counts it.
    pub(super) fn offer(&self, hash: KeyHash, stored: StoredRef) {
        let weight = weight(&stored);
        let waiting = self.shared.waiting_bytes.fetch_add(weight, Ordering::Relaxed);
        self.shared.pending.send_modify(|pending| *pending += 1);
        if waiting > QUEUE_BYTES || self.queue.try_send((hash, stored)).is_err() {
            self.shared.settle(weight);
            self.shared.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until nothing is queued or being written.
    pub(super) async fn flush(&self) {
        let mut pending = self.shared.pending.subscribe();
        // the sender lives as long as this
        drop(pending.wait_for(|pending| *pending == 0).await);
    }

    /// Counts since start.
    pub(super) fn counters(&self) -> &QueueCounters {
        &self.shared.counters
    }
}

impl Shared {
    fn settle(&self, weight: u64) {
        self.waiting_bytes.fetch_sub(weight, Ordering::Relaxed);
        self.pending.send_modify(|pending| *pending -= 1);
    }
}

fn weight(stored: &StoredRef) -> u64 {
    u64::try_from(stored.weight()).unwrap_or(u64::MAX)
}

async fn drain<W, F>(records: Arc<Mutex<mpsc::Receiver<(KeyHash, StoredRef)>>>, shared: Arc<Shared>, write: W)
where
    W: Fn(KeyHash, StoredRef) -> F,
    F: Future<Output = Result<(), String>>,
{
    loop {
        let next = records.lock().await.recv().await;
        let Some((hash, stored)) = next else { return };
        let weight = weight(&stored);
        match write(hash, stored).await {
            Ok(()) => shared.counters.written.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                tracing::debug!(error, "shared tier refused a record");
                shared.counters.failed.fetch_add(1, Ordering::Relaxed)
            }
        };
        shared.settle(weight);
    }
}
