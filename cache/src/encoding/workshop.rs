//! Where bodies are coded: one thread of low priority behind a bounded queue.
//!
//! What does not fit into the queue stays plain until it is stored or read from a lower tier again; nobody waits for a
//! coding.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use super::{Coded, Compress, encode, represent::wants_codings};
use crate::{
    key::KeyHash,
    stored::{Stored, StoredRef},
};

/// Responses that wait.
pub const QUEUE_MAX: usize = 1024;
/// Bytes of bodies that wait.
pub const QUEUE_BYTES_MAX: u64 = 64 << 20;
/// A coding is kept when it saves at least one part in this many.
const SAVING_MIN: usize = 20;
/// Behind everything that answers requests.
const NICENESS: i32 = 10;

/// Called with the response as it was offered and the same with its codings.
pub type Done = Box<dyn Fn(KeyHash, &StoredRef, Stored) + Send>;

/// Counts since start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Responses coded.
    pub coded: AtomicU64,
    /// Responses left plain because the queue was full.
    pub dropped: AtomicU64,
    /// Bytes that wait at this moment.
    pub waiting_bytes: AtomicU64,
}

struct Job {
    hash: KeyHash,
    stored: StoredRef,
    compress: Compress,
}

/// The queue's end at which responses are offered. Dropping it ends the thread after the job at hand.
pub struct Workshop {
    /// `None`: the system gave no thread, and every body stays plain.
    jobs: Option<SyncSender<Job>>,
    counters: Arc<Counters>,
}

impl Workshop {
    /// Starts the thread.
    #[must_use]
    pub fn start(done: Done) -> Self {
        let (jobs, queue) = sync_channel(QUEUE_MAX);
        let counters = Arc::<Counters>::default();
        let shared = Arc::clone(&counters);
        let thread = thread::Builder::new().name("compress".to_owned());
        let started = thread.spawn(move || work(&queue, &shared, &done));
        if let Err(error) = &started {
            tracing::error!(%error, "no thread for content codings; bodies stay plain");
        }
        Self { jobs: started.is_ok().then_some(jobs), counters }
    }

    /// Counts since start.
    #[must_use]
    pub const fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Offers a response; returns at once. Nothing happens when it is not worth coding or has its codings.
    pub fn offer(&self, hash: KeyHash, stored: &StoredRef, compress: Compress) {
        if !wants_codings(stored) {
            return;
        }
        let bytes = stored.body.len() as u64;
        let waiting = self.counters.waiting_bytes.fetch_add(bytes, Relaxed).saturating_add(bytes);
        let job = Job { hash, stored: Arc::clone(stored), compress };
        let has_room = waiting <= QUEUE_BYTES_MAX;
        let is_taken = has_room && self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok());
        if !is_taken {
            self.counters.waiting_bytes.fetch_sub(bytes, Relaxed);
            self.counters.dropped.fetch_add(1, Relaxed);
        }
    }
}

fn work(queue: &Receiver<Job>, counters: &Counters, done: &Done) {
    // without the right to change it, the work is done at the priority of the rest
    rustix::process::setpriority_process(None, NICENESS).ok();
    while let Ok(Job { hash, stored, compress }) = queue.recv() {
        if let Some(coded) = coded(&stored, compress) {
            counters.coded.fetch_add(1, Relaxed);
            done(hash, &stored, coded);
        }
        counters.waiting_bytes.fetch_sub(stored.body.len() as u64, Relaxed);
    }
}

/// The same response with the codings that pay; `None` when none does.
fn coded(stored: &Stored, compress: Compress) -> Option<Stored> {
    let body_bytes = stored.body.len();
    let pays = |coded: &Vec<u8>| coded.len() <= body_bytes - body_bytes / SAVING_MIN;
    let make = |coding| match encode(&stored.body, coding, compress.level) {
        Ok(body) => pays(&body).then(|| Coded { coding, body: body.into() }),
        Err(error) => {
            tracing::warn!(coding = coding.token(), %error, "body could not be coded");
            None
        }
    };
    let codings: Vec<Coded> = compress.codings().filter_map(make).collect();
    (!codings.is_empty()).then(|| Stored {
        key: stored.key.clone(),
        head: stored.head.clone(),
        body: stored.body.clone(),
        lifetime: stored.lifetime,
        position: stored.position,
        scopes: stored.scopes.clone(),
        vary: stored.vary.clone(),
        codings,
        kind: stored.kind,
    })
}
