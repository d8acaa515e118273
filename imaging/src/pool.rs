//! Threads that render, and the bounded queue before them.
//!
//! Rendering is long processor work, so it never runs on the threads that serve requests. The queue is bounded by what its
//! jobs weigh in pixels, because one panorama costs as much as a hundred thumbnails; a full queue answers at once instead of
//! making everyone wait. Jobs that take a second or more never have all threads, so that a handful of them does not hold up
//! everybody else's. A job whose client went away, or whose time is over, is skipped. A panic costs one rendering.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::metrics::Metrics;
use crate::pipeline::{self, Rendered, Settings};
use crate::share::{Sibling, Sources};
use crate::sniff::Header;
use crate::transform::{Format, Transform};
use crate::{Deadline, Error};

/// What the smallest job weighs, so that tiny pictures cannot fill memory by their number.
const WEIGHT_MIN: u64 = 65_536;

/// What one thread renders in a second, in pixels; a low estimate, for `Retry-After` only.
const PIXELS_PER_SECOND: u64 = 25_000_000;

/// From here on a job is heavy: one leaves a thread, if there are two, to those that are not.
const HEAVY_PIXELS: u64 = PIXELS_PER_SECOND;

/// What a pixel of a JPEG XL weighs when it is written, by the time that it takes and the memory.
const JXL_PIXELS: u64 = 4;

/// A thread that has worked and finds nothing to do for this long tidies up.
const QUIET: Duration = Duration::from_secs(1);

/// How far the threads stand back, on the scale of nice(2). On Linux it is the calling thread's own.
pub(crate) const NICENESS: i32 = 10;

/// Longest wait that is suggested, in seconds.
const RETRY_AFTER_S_MAX: u64 = 30;

type Outcome = Result<Rendered, Error>;
type Work = Box<dyn FnOnce(&Deadline) -> Outcome + Send>;

/// A fixed number of rendering threads. Dropping it stops it and waits for the renderings at work.
#[derive(Debug)]
pub struct Pool {
    shared: Arc<Shared>,
    sources: Sources,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    metrics: Arc<Metrics>,
    threads: u64,
    queue_pixels_max: u64,
    on_quiet: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    pixels: u64,
    heavy_at_work: u64,
    stopping: bool,
}

struct Job {
    work: Work,
    weight: u64,
    deadline: Deadline,
    queued_at: Instant,
    reply: oneshot::Sender<Outcome>,
}

impl Job {
    const fn is_heavy(&self) -> bool {
        self.weight >= HEAVY_PIXELS
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Job").field("weight", &self.weight).finish_non_exhaustive()
    }
}

/// Cancels a job when the future that waits for it is dropped.
struct CancelOnDrop(Deadline);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Shared").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Pool {
    /// Starts `threads` threads (at least one) with a queue of `queue_megapixels` million pixels. A single job heavier than
    /// the whole queue still waits when nothing else does.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(threads: usize, queue_megapixels: u64) -> std::io::Result<Self> {
        Self::with_quiet(threads, queue_megapixels, || {})
    }

    /// The same. Each thread calls `on_quiet` when it has worked and then had nothing to do for a second: the time to tidy up.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn with_quiet(
        threads: usize,
        queue_megapixels: u64,
        on_quiet: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let threads = threads.max(1);
        let metrics = Arc::<Metrics>::default();
        let sources = Sources::new(Arc::clone(&metrics));
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            wake: Condvar::new(),
            metrics,
            threads: u64::try_from(threads).unwrap_or(u64::MAX),
            queue_pixels_max: queue_megapixels.saturating_mul(1_000_000),
            on_quiet: Box::new(on_quiet),
        });
        let pool = Self { shared, sources, threads: Mutex::default() };
        for number in 0..threads {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new().name(format!("image-{number}"));
            pool.threads.lock().push(thread.spawn(move || shared.work())?);
        }
        Ok(pool)
    }

    /// The counters, live.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// Joins those that are going to render the source `key`, so that it is decoded once for all of them. To be called
    /// before the source is fetched; the result belongs into the settings of that rendering.
    #[must_use]
    pub fn join(&self, key: u128, transform: &Transform, is_careful: bool) -> Sibling {
        self.sources.join(key, transform, is_careful)
    }

    /// Renders `source` before `deadline`, queue included. The header is judged here, before queueing. Dropping the future abandons the job: one that waits is skipped, one
    /// at work ends at its next step.
    ///
    /// # Errors
    /// Every variant of [`Error`].
    pub async fn render(
        &self,
        source: Bytes,
        transform: Transform,
        settings: Settings,
        deadline: Instant,
    ) -> Result<Rendered, Error> {
        let header = pipeline::admit(&source, &transform, &settings.limits).inspect_err(|_| {
            Metrics::add(&self.shared.metrics.failures);
        })?;
        let weight = weight(&source, &header, &transform);
        let work = move |deadline: &Deadline| pipeline::render(&source, &transform, &settings, deadline);
        self.submit(Box::new(work), weight, deadline).await
    }

    /// Stops: what waits is refused, what is at work is finished and waited for. Blocks for at most one rendering; a
    /// second call returns at once.
    pub fn shutdown(&self) {
        let refused = {
            let mut state = self.shared.state.lock();
            state.stopping = true;
            state.pixels = 0;
            std::mem::take(&mut state.jobs)
        };
        self.shared.show_queue(&self.shared.state.lock());
        self.shared.wake.notify_all();
        // their receivers see the closed channel
        drop(refused);
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("an image thread ended by a panic");
            }
        }
    }

    async fn submit(&self, work: Work, weight: u64, deadline: Instant) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        let end = Deadline::at(deadline);
        let _cancel = CancelOnDrop(end.clone());
        let weight = weight.max(WEIGHT_MIN);
        self.shared.push(Job { work, weight, deadline: end, queued_at: Instant::now(), reply })?;
        match timeout_at(deadline, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_stopped)) => {
                Metrics::add(&self.shared.metrics.refusals);
                Err(Error::Busy { retry_after_s: 1 })
            }
            Err(_elapsed) => Err(Error::Deadline),
        }
    }
}

/// What a job costs, in pixels: those of the source with all its frames, or of the result, or the bytes it holds while it
/// waits.
fn weight(source: &Bytes, header: &Header, transform: &Transform) -> u64 {
    let bytes = u64::try_from(source.len()).unwrap_or(u64::MAX);
    let canvas = pipeline::result_size(header, transform);
    let frames = if transform.still || transform.page.is_some() { 1 } else { header.frames };
    let result = u64::from(canvas.width) * u64::from(canvas.height);
    let result = if transform.format == Format::Jxl { result * JXL_PIXELS } else { result };
    header.pixels().saturating_mul(frames.into()).max(bytes).max(result)
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Shared {
    fn push(&self, job: Job) -> Result<(), Error> {
        let mut state = self.state.lock();
        if !self.has_room(&state, job.weight) {
            self.forget_abandoned(&mut state);
        }
        if state.stopping || !self.has_room(&state, job.weight) {
            Metrics::add(&self.metrics.refusals);
            return Err(Error::Busy { retry_after_s: self.retry_after_s(state.pixels) });
        }
        state.pixels = state.pixels.saturating_add(job.weight);
        state.jobs.push_back(job);
        self.show_queue(&state);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    fn has_room(&self, state: &State, weight: u64) -> bool {
        state.jobs.is_empty() || state.pixels.saturating_add(weight) <= self.queue_pixels_max
    }

    /// Nobody waits for these; their place is worth more.
    fn forget_abandoned(&self, state: &mut State) {
        let before = state.jobs.len();
        state.jobs.retain(|job| !job.reply.is_closed());
        state.pixels = state.jobs.iter().map(|job| job.weight).sum();
        for _ in state.jobs.len()..before {
            Metrics::add(&self.metrics.abandoned);
        }
    }

    fn retry_after_s(&self, pixels: u64) -> u32 {
        let seconds = pixels / PIXELS_PER_SECOND.saturating_mul(self.threads);
        u32::try_from(seconds.clamp(1, RETRY_AFTER_S_MAX)).unwrap_or(1)
    }

    fn show_queue(&self, state: &State) {
        use std::sync::atomic::Ordering::Relaxed;
        self.metrics.queue_jobs.store(u64::try_from(state.jobs.len()).unwrap_or(u64::MAX), Relaxed);
        self.metrics.queue_pixels.store(state.pixels, Relaxed);
    }

    /// The life of a thread. Requests come first: whatever serves them is not to wait for a rendering.
    fn work(&self) {
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::debug!(%error, "an image thread keeps its priority");
        }
        let mut has_worked = false;
        while let Some(job) = self.next_job(has_worked) {
            has_worked = true;
            let is_heavy = job.is_heavy();
            Metrics::add(&self.metrics.busy_threads);
            self.run(job);
            Metrics::sub(&self.metrics.busy_threads);
            if is_heavy {
                let mut state = self.state.lock();
                state.heavy_at_work = state.heavy_at_work.saturating_sub(1);
                drop(state);
                // this thread may find another job before the next heavy one
                self.wake.notify_one();
            }
        }
    }

    /// How many heavy jobs may be at work at a time.
    fn heavy_max(&self) -> u64 {
        self.threads.saturating_sub(1).max(1)
    }

    /// Waits for a job, the oldest that may be begun; none when the pool stops.
    fn next_job(&self, mut is_untidy: bool) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if state.stopping {
                return None;
            }
            let takes_heavy = state.heavy_at_work < self.heavy_max();
            let next = state.jobs.iter().position(|job| takes_heavy || !job.is_heavy());
            if let Some(job) = next.and_then(|next| state.jobs.remove(next)) {
                state.heavy_at_work += u64::from(job.is_heavy());
                state.pixels = state.pixels.saturating_sub(job.weight);
                self.show_queue(&state);
                return Some(job);
            }
            if !is_untidy {
                self.wake.wait(&mut state);
            } else if self.wake.wait_for(&mut state, QUIET).timed_out() {
                is_untidy = false;
                MutexGuard::unlocked(&mut state, &self.on_quiet);
            }
        }
    }

    fn run(&self, job: Job) {
        let Job { work, deadline, queued_at, reply, .. } = job;
        if reply.is_closed() {
            Metrics::add(&self.metrics.abandoned);
            return;
        }
        let queue = Instant::now().saturating_duration_since(queued_at);
        // the work owns all it touches, so nothing half changed survives a panic
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&deadline))).unwrap_or(Err(Error::Panicked));
        let outcome = outcome.map(|mut rendered| {
            rendered.timings.queue = queue;
            rendered
        });
        self.count(&outcome);
        if reply.send(outcome).is_err() {
            tracing::debug!("a rendering was finished after its client left");
        }
    }

    fn count(&self, outcome: &Outcome) {
        Metrics::add(match outcome {
            Ok(_) => &self.metrics.renders,
            Err(Error::Deadline) => &self.metrics.abandoned,
            Err(Error::Panicked) => {
                tracing::error!("a codec panicked, one rendering is lost");
                &self.metrics.panics
            }
            Err(_) => &self.metrics.failures,
        });
    }
}

#[cfg(test)]
mod tests;
