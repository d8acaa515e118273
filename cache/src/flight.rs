//! Single flight: one fetch per key, whose growing body every follower reads from its first byte.
//!
//! A follower never waits on a timer: head and body are `watch` values, and a writer that dies closes them, which
//! followers see as an error and never as a clean end.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    body::{BodyError, BodyStream},
    key::KeyHash,
    mapped,
    stored::{Lifetime, Position, ResponseHead, Scopes, StoredRef},
    waterfall::{Attempt, Failure, Fetched},
};

/// Bytes that a body which is too large to keep may run ahead of its slowest reader.
pub const WINDOW_BYTES: u64 = 4 * 1024 * 1024;

/// What followers learn when the response head is there.
#[derive(Clone)]
pub enum Head {
    /// Not yet.
    Pending,
    /// A response that is being stored; read the body from `body`.
    Growing(Arc<Growing>),
    /// A validation ended with this response, whole.
    Whole(StoredRef, Arc<Origins>),
    /// The head of a response whose body comes in slices.
    Sliced(StoredRef, Arc<Origins>),
    /// Not to be shared: the leader takes it, followers fetch for themselves.
    Private(&'static str),
    /// No origin answered.
    Failed(Arc<Failure>),
}

/// Which origin answered and what was tried before.
#[derive(Debug)]
pub struct Origins {
    /// The origin that answered.
    pub origin: String,
    /// Every try, the winning one last.
    pub attempts: Vec<Attempt>,
}

/// A response whose body is arriving.
pub struct Growing {
    /// Everything but the body.
    pub about: About,
    body: watch::Sender<Chunks>,
    readers: Mutex<HashMap<u64, usize>>,
    reader_ids: AtomicU64,
    consumed: watch::Sender<u64>,
    /// Set before the end.
    whole: OnceLock<Bytes>,
}

/// What is known of a response when its head is there.
pub struct About {
    /// Status and fields as they will be stored.
    pub head: ResponseHead,
    /// Announced length in bytes.
    pub length: Option<u64>,
    /// Variant that the leader's request selected; a follower with another one starts over.
    pub variant: String,
    /// Fields that select the variant.
    pub vary: Vec<String>,
    /// Freshness.
    pub lifetime: Lifetime,
    /// Where it comes from.
    pub origins: Arc<Origins>,
    /// Names for purges, for what is made from it.
    pub scopes: Scopes,
    /// Log position when its fetch began.
    pub position: Position,
}

impl fmt::Debug for Growing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Growing").field("length", &self.about.length).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Chunks {
    chunks: Vec<Bytes>,
    /// Index of the first chunk still held; earlier ones were read by everyone and let go.
    first: usize,
    held_bytes: u64,
    end: Option<Result<(), BodyError>>,
}

impl Growing {
    /// Starts with an empty body.
    #[must_use]
    pub fn new(about: About) -> Self {
        Self {
            about,
            body: watch::Sender::new(Chunks::default()),
            readers: Mutex::default(),
            reader_ids: AtomicU64::new(0),
            consumed: watch::Sender::new(0),
            whole: OnceLock::new(),
        }
    }

    /// A body without a head of its own, such as a slice.
    #[must_use]
    pub fn bare() -> Self {
        Self::new(About {
            head: ResponseHead { status: StatusCode::OK, headers: HeaderMap::new() },
            length: None,
            variant: String::new(),
            vary: Vec::new(),
            lifetime: Lifetime::NONE,
            origins: Arc::new(Origins { origin: String::new(), attempts: Vec::new() }),
            scopes: Scopes::default(),
            position: Position::default(),
        })
    }

    /// Appends a chunk and wakes the readers.
    pub fn push(&self, chunk: Bytes) {
        self.body.send_modify(|body| {
            body.held_bytes += chunk.len() as u64;
            body.chunks.push(chunk);
        });
    }

    /// Ends the body; the first end counts. Nothing may be pushed after that.
    pub fn end(&self, result: Result<(), BodyError>) {
        self.body.send_modify(|body| {
            body.end.get_or_insert(result);
        });
    }

    /// Whether anybody reads it.
    #[must_use]
    pub fn is_read(&self) -> bool {
        !self.readers.lock().is_empty()
    }

    /// The whole body as one buffer, which readers use too from here on; call it once after the last push.
    #[must_use]
    pub fn whole(&self) -> Bytes {
        self.whole.get_or_init(|| self.joined()).clone()
    }

    /// The one buffer, once there is one.
    #[must_use]
    pub fn put_together(&self) -> Option<Bytes> {
        self.whole.get().cloned()
    }

    fn joined(&self) -> Bytes {
        let whole = match self.body.borrow().chunks.as_slice() {
            [one] if one.len() < mapped::MAPPED_BYTES_MIN => return one.clone(),
            many => mapped::concat(many),
        };
        self.body.send_if_modified(|body| {
            let mut rest = whole.clone();
            for chunk in &mut body.chunks {
                *chunk = rest.split_to(chunk.len().min(rest.len()));
            }
            false
        });
        whole
    }

    /// Lets go of what every reader has read, then waits until no more than [`WINDOW_BYTES`] are held. `false` when
    /// nobody reads any more. Cancel safe.
    pub async fn drain_window(&self) -> bool {
        let mut consumed = self.consumed.subscribe();
        loop {
            consumed.borrow_and_update();
            let held = {
                let readers = self.readers.lock();
                let Some(slowest) = readers.values().copied().min() else { return false };
                self.release(slowest)
            };
            if held <= WINDOW_BYTES {
                return true;
            }
            if consumed.changed().await.is_err() {
                return false;
            }
        }
    }

    fn release(&self, until: usize) -> u64 {
        let mut held = 0;
        self.body.send_if_modified(|body| {
            let count = until.saturating_sub(body.first).min(body.chunks.len());
            let freed: u64 = body.chunks.drain(..count).map(|chunk| chunk.len() as u64).sum();
            body.first += count;
            body.held_bytes -= freed;
            held = body.held_bytes;
            false
        });
        held
    }

    /// A reader from the first byte, `None` when the beginning was let go. Dropping it lets the writer go on without
    /// it.
    #[must_use]
    pub fn reader(self: &Arc<Self>) -> Option<BodyStream> {
        let id = self.reader_ids.fetch_add(1, Ordering::Relaxed);
        {
            let mut readers = self.readers.lock();
            if self.body.borrow().first > 0 {
                return None;
            }
            readers.insert(id, 0);
        }
        let reader = Reader { growing: Arc::clone(self), body: self.body.subscribe(), id, next: 0 };
        Some(Box::pin(stream::unfold(Some(reader), |reader| async move {
            let mut reader = reader?;
            match reader.next().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(reader))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })))
    }
}

struct Reader {
    growing: Arc<Growing>,
    body: watch::Receiver<Chunks>,
    id: u64,
    next: usize,
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            {
                let body = self.body.borrow_and_update();
                if let Some(chunk) = self.next.checked_sub(body.first).and_then(|i| body.chunks.get(i)) {
                    let chunk = chunk.clone();
                    drop(body);
                    self.next += 1;
                    self.growing.readers.lock().insert(self.id, self.next);
                    self.growing.consumed.send_modify(|count| *count += 1);
                    return Ok(Some(chunk));
                }
                match &body.end {
                    Some(Ok(())) => return Ok(None),
                    Some(Err(error)) => return Err(error.clone()),
                    None => {}
                }
            }
            if self.body.changed().await.is_err() {
                return Err(BodyError::Io("the fetch was abandoned".to_owned()));
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.growing.readers.lock().remove(&self.id);
        self.growing.consumed.send_modify(|count| *count += 1);
    }
}

/// One fetch that others may join.
pub struct Flight {
    /// Log position when it began.
    pub position: Position,
    head: watch::Sender<Head>,
    private: Mutex<Option<Fetched>>,
    leader: Mutex<LeaderSeat>,
}

/// The place at the body that is kept for the client whose request leads, so that a writer who is ahead of it does not
/// believe that nobody reads.
enum LeaderSeat {
    /// Nobody waits: a background validation, or the client left.
    Empty,
    /// The client waits for the head.
    Waiting,
    /// Its reader, not yet taken.
    Kept(BodyStream),
}

/// Held by the client whose request leads. Dropping it gives the seat up.
pub struct Seat(Arc<Flight>);

impl Seat {
    /// The reader that was kept.
    #[must_use]
    pub fn take(&self) -> Option<BodyStream> {
        match std::mem::replace(&mut *self.0.leader.lock(), LeaderSeat::Empty) {
            LeaderSeat::Kept(stream) => Some(stream),
            LeaderSeat::Empty | LeaderSeat::Waiting => None,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *self.0.leader.lock() = LeaderSeat::Empty;
    }
}

impl Flight {
    fn new(position: Position) -> Self {
        Self {
            position,
            head: watch::Sender::new(Head::Pending),
            private: Mutex::default(),
            leader: Mutex::new(LeaderSeat::Empty),
        }
    }

    /// A flight that nobody can join.
    #[must_use]
    pub fn alone(position: Position) -> Arc<Self> {
        Arc::new(Self::new(position))
    }

    /// Takes the leading client's seat; call it before the fetch begins.
    #[must_use]
    pub fn seat(self: &Arc<Self>) -> Seat {
        *self.leader.lock() = LeaderSeat::Waiting;
        Seat(Arc::clone(self))
    }

    /// Shares a growing response; the leading client's reader is there before anyone hears of it.
    pub fn share(&self, growing: &Arc<Growing>) {
        let mut leader = self.leader.lock();
        if matches!(*leader, LeaderSeat::Waiting)
            && let Some(reader) = growing.reader()
        {
            *leader = LeaderSeat::Kept(reader);
        }
        drop(leader);
        self.announce(Head::Growing(Arc::clone(growing)));
    }

    /// Tells everyone what the head is; the first word counts.
    pub fn announce(&self, head: Head) {
        self.head.send_if_modified(|present| {
            let settles = matches!(present, Head::Pending);
            if settles {
                *present = head;
            }
            settles
        });
    }

    /// Hands an unshareable response to the leader's client and tells followers to fetch for themselves.
    pub fn hand_over(&self, fetched: Fetched, reason: &'static str) {
        *self.private.lock() = Some(fetched);
        self.announce(Head::Private(reason));
    }

    /// Takes the unshareable response; only the first caller gets it.
    pub fn take_private(&self) -> Option<Fetched> {
        self.private.lock().take()
    }

    /// Waits for the head. An abandoned flight is a failure. Cancel safe.
    pub async fn head(&self) -> Head {
        let mut head = self.head.subscribe();
        let settled = head.wait_for(|head| !matches!(head, Head::Pending)).await;
        settled.map_or_else(|_| Head::Failed(Arc::default()), |head| head.clone())
    }
}

/// Whether a request leads a flight or follows one.
pub enum Role {
    /// Nobody was fetching: the caller must.
    Leader(Arc<Flight>),
    /// Somebody is.
    Follower(Arc<Flight>),
}

/// The flights of a node. At most one entry per running fetch, and those are bounded by the engine's permits.
#[derive(Default)]
pub struct Flights {
    running: Mutex<HashMap<KeyHash, Arc<Flight>>>,
}

impl Flights {
    /// Joins the running flight unless `outdated` says that a purge came after it began; then, or when there is none,
    /// starts one at `position`.
    pub fn join(&self, hash: KeyHash, position: Position, outdated: impl FnOnce(Position) -> bool) -> Role {
        enter(&mut self.running.lock(), hash, position, outdated)
    }

    /// The same, but nothing is started when nobody flies and it `is_done`. A flight leaves after what it fetched is stored, so
    /// that whoever saw the tiers before that sees them right here.
    pub fn join_unless(
        &self,
        hash: KeyHash,
        position: Position,
        outdated: impl FnOnce(Position) -> bool,
        is_done: impl FnOnce() -> bool,
    ) -> Option<Role> {
        let mut running = self.running.lock();
        let is_over = !running.contains_key(&hash) && is_done();
        (!is_over).then(|| enter(&mut running, hash, position, outdated))
    }

    /// Forgets a flight, unless a younger one took its place.
    pub fn leave(&self, hash: KeyHash, flight: &Arc<Flight>) {
        let mut running = self.running.lock();
        if running.get(&hash).is_some_and(|present| Arc::ptr_eq(present, flight)) {
            running.remove(&hash);
        }
    }

    /// Whether somebody fetches this key.
    #[must_use]
    pub fn is_running(&self, hash: KeyHash) -> bool {
        self.running.lock().contains_key(&hash)
    }

    /// Number of running fetches.
    #[must_use]
    pub fn len(&self) -> usize {
        self.running.lock().len()
    }

    /// Whether nothing is being fetched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn enter(
    running: &mut HashMap<KeyHash, Arc<Flight>>,
    hash: KeyHash,
    position: Position,
    outdated: impl FnOnce(Position) -> bool,
) -> Role {
    if let Some(flight) = running.get(&hash)
        && !outdated(flight.position)
    {
        return Role::Follower(Arc::clone(flight));
    }
    let flight = Arc::new(Flight::new(position));
    running.insert(hash, Arc::clone(&flight));
    Role::Leader(flight)
}

#[cfg(test)]
mod tests;
