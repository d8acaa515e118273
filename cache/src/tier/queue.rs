//! Write-behind: a queue bounded by bytes and by count in front of slow storage, so that no request waits for a write.
//!
//! One key always takes the same lane, so its writes stay in order. What does not fit is dropped and counted.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::counters::{TierCounters, add};
use crate::{
    budget::{Budget, Loan},
    key::KeyHash,
    stored::StoredRef,
};

/// Weight that may wait for a shared tier: this share of the memory budget, and at most these bytes.
const QUEUE_SHARE: (u64, u64) = (8, 64 * 1024 * 1024);

/// Bounds of a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Weight that may wait or be under way, in bytes; one response may reach over it.
    pub(super) bytes_max: u64,
    /// Responses that may wait in one lane.
    pub(super) lane_items_max: usize,
    /// Writers.
    pub(super) lanes: usize,
    /// A batch is closed at this weight in bytes; 0: each response by itself.
    pub(super) batch_bytes: u64,
    /// Responses in a batch.
    pub(super) batch_items_max: usize,
}

impl Limits {
    /// Bounds for a tier that takes one response at a time.
    pub(super) fn shared(budget: &Budget) -> Self {
        let (share, most) = QUEUE_SHARE;
        Self {
            bytes_max: budget.share(share, most),
            lane_items_max: 256,
            lanes: 4,
            batch_bytes: 0,
            batch_items_max: 1,
        }
    }
}

/// A response on its way to storage.
pub(super) struct Offer {
    pub(super) hash: KeyHash,
    pub(super) stored: StoredRef,
    ticket: Ticket,
}

/// A share of the queue's bytes and of the memory budget, given back when dropped.
struct Ticket {
    waiting: Arc<AtomicU64>,
    loan: Loan,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.loan.bytes(), Ordering::Relaxed);
    }
}

enum Job {
    Write(Offer),
    Flush(oneshot::Sender<()>),
}

/// The queue and its writers.
pub(super) struct WriteBehind {
    lanes: Vec<mpsc::Sender<Job>>,
    waiting: Arc<AtomicU64>,
    bytes_max: u64,
    budget: Arc<Budget>,
    counters: Arc<TierCounters>,
}

impl WriteBehind {
    /// Starts the writers on a runtime; without one, everything is dropped. They end once the queue is dropped and
    /// empty. `write` is given a batch and says how many of it were written; the others count as dropped.
    pub(super) fn start<W, F>(
        tier: &'static str,
        runtime: Option<&Handle>,
        limits: Limits,
        budget: &Arc<Budget>,
        counters: &Arc<TierCounters>,
        write: W,
    ) -> Self
    where
        W: Fn(Vec<Offer>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<usize, String>> + Send + 'static,
    {
        let is_failing = Arc::new(AtomicBool::new(false));
        let lane = |runtime: &Handle| {
            let (sender, jobs) = mpsc::channel(limits.lane_items_max.max(1));
            let report = Report { tier, counters: Arc::clone(counters), is_failing: Arc::clone(&is_failing) };
            runtime.spawn(drain(jobs, limits, report, write.clone()));
            sender
        };
        Self {
            lanes: runtime
                .map_or_else(Vec::new, |runtime| (0..limits.lanes).map(|_| lane(runtime)).collect()),
            waiting: Arc::new(AtomicU64::new(0)),
            bytes_max: limits.bytes_max,
            budget: Arc::clone(budget),
            counters: Arc::clone(counters),
        }
    }

    /// Queues a response, or drops and counts it.
    pub(super) fn offer(&self, hash: KeyHash, stored: StoredRef) {
        let bytes = u64::try_from(stored.weight()).unwrap_or(u64::MAX);
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        let ticket = Ticket { waiting: Arc::clone(&self.waiting), loan: self.budget.lend(bytes) };
        let is_queued = before < self.bytes_max
            && self
                .lane(hash)
                .is_some_and(|lane| lane.try_send(Job::Write(Offer { hash, stored, ticket })).is_ok());
        if !is_queued {
            self.drop_one();
        }
    }

    /// Counts a response that is not even offered.
    pub(super) fn drop_one(&self) {
        add(&self.counters.dropped, 1);
    }

    /// Waits until what was offered so far is written or given up.
    pub(super) async fn flush(&self) {
        let mut written = Vec::with_capacity(self.lanes.len());
        for lane in &self.lanes {
            let (done, is_done) = oneshot::channel();
            if lane.send(Job::Flush(done)).await.is_ok() {
                written.push(is_done);
            }
        }
        for is_done in written {
            // an error is a writer that is gone, and its offers with it
            drop(is_done.await);
        }
    }

    /// Weight that waits or is under way, in bytes.
    pub(super) fn waiting_bytes(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    fn lane(&self, hash: KeyHash) -> Option<&mpsc::Sender<Job>> {
        let number = hash.0.checked_rem(u128::try_from(self.lanes.len()).ok()?)?;
        self.lanes.get(usize::try_from(number).ok()?)
    }
}

async fn drain<W, F>(mut jobs: mpsc::Receiver<Job>, limits: Limits, report: Report, write: W)
where
    W: Fn(Vec<Offer>) -> F,
    F: Future<Output = Result<usize, String>>,
{
    while let Some(first) = jobs.recv().await {
        let (batch, done) = gather(first, &mut jobs, limits);
        if !batch.is_empty() {
            let offered = batch.len();
            report.tell(offered, write(batch).await);
        }
        if let Some(done) = done {
            // nobody may be waiting any more
            done.send(()).unwrap_or_default();
        }
    }
}

/// What is waiting already, up to the bounds of a batch or the next flush.
fn gather(
    first: Job,
    jobs: &mut mpsc::Receiver<Job>,
    limits: Limits,
) -> (Vec<Offer>, Option<oneshot::Sender<()>>) {
    let mut batch = Vec::new();
    let mut bytes = 0_u64;
    let mut next = Some(first);
    while let Some(job) = next {
        match job {
            Job::Flush(done) => return (batch, Some(done)),
            Job::Write(offer) => {
                bytes = bytes.saturating_add(offer.ticket.loan.bytes());
                batch.push(offer);
            }
        }
        if bytes >= limits.batch_bytes || batch.len() >= limits.batch_items_max {
            break;
        }
        next = jobs.try_recv().ok();
    }
    (batch, None)
}

struct Report {
    tier: &'static str,
    counters: Arc<TierCounters>,
    is_failing: Arc<AtomicBool>,
}

impl Report {
    /// Counts a batch; says once when storage begins to fail and once when it takes writes again.
    fn tell(&self, offered: usize, outcome: Result<usize, String>) {
        match outcome {
            Ok(written) => {
                add(&self.counters.written, written);
                add(&self.counters.dropped, offered.saturating_sub(written));
                if written > 0 && self.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::info!(tier = self.tier, "tier takes writes again");
                }
            }
            Err(error) => {
                add(&self.counters.refused, offered);
                if self.is_failing.swap(true, Ordering::Relaxed) {
                    tracing::debug!(tier = self.tier, error, "tier refused a write");
                } else {
                    tracing::warn!(tier = self.tier, error, "tier refuses writes");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
