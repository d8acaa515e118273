//! Memory and disk, the two tiers of a node itself, both on foyer.
//!
//! They are one type because a response goes into both at once, and because what the disk finds moves up to memory.
//! Purges are not its business: a purge is a fact that readers check, so nothing here is ever deleted on purpose.

use std::{
    hash::BuildHasher as _,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use foyer::{Cache, CacheBuilder, CacheEntry, S3FifoConfig};

use self::disk::{Disk, FoldHash};
use super::{
    Tier, TierError,
    counters::{TierCounters, add},
};
use crate::{
    budget::Budget,
    encoding::{self, Choice, Coding},
    key::{Key, KeyHash, KeyRef},
    stored::StoredRef,
    wire,
};

mod disk;
mod layout;

pub use self::layout::DISK_BYTES_MIN;

/// Smallest memory budget, in bytes.
pub const MEMORY_BYTES_MIN: u64 = 64 * 1024;

/// A disk read that takes longer is a miss.
const DISK_DEADLINE: Duration = Duration::from_millis(250);
/// Memory per shard, in bytes: one response has to fit, several times over.
const SHARD_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// Most shards; readers of different shards do not meet.
const SHARDS_MAX: u64 = 16;
/// A response may take this share of its shard; a larger one goes to the disk alone.
const SHARD_SHARE: usize = 2;
/// What is lent out may take all of a shard but this share.
const SHARD_KEPT: usize = 8;
/// Loans grow by this share of the budget before memory makes room for them.
const ROOM_STEP: u64 = 64;

/// What became of the disk tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskState {
    /// None is configured.
    Off,
    /// In use.
    Ready,
    /// Configured, but it can't be used; the node runs without it.
    Unusable(String),
}

/// Counts since start.
#[derive(Debug, Default)]
pub struct HybridCounters {
    /// Memory; it counts reads alone.
    pub memory: TierCounters,
    /// Disk.
    pub disk: Arc<TierCounters>,
    /// Disk reads that failed, were late or found something harmed.
    pub disk_failures: AtomicU64,
}

/// Bytes in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Weight of what memory holds.
    pub memory_bytes: u64,
    /// Its bound.
    pub memory_bytes_max: u64,
    /// Responses in memory.
    pub memory_entries: u64,
    /// About how much the disk holds.
    pub disk_bytes: u64,
    /// Its bound; 0 without a disk.
    pub disk_bytes_max: u64,
    /// Weight that waits to be written to disk.
    pub disk_waiting_bytes: u64,
    /// Bytes of the memory budget that are in use outside of the memory tier: growing bodies, queues, buffers.
    pub lent_bytes: u64,
}

/// What a slot of the memory tier holds.
enum Held {
    Response(Response),
    /// Nothing, of a weight that pushes other things out. It is there for a moment only.
    Ballast(usize),
}

/// A response with its heads as text: of the stored body, and of each coding in the order of [`Stored::codings`]. They are
/// written at the first use; none when the status has no body.
struct Response {
    stored: StoredRef,
    plain_head: OnceLock<Option<Bytes>>,
    coded_heads: [OnceLock<Option<Bytes>>; Coding::ALL.len()],
}

impl Held {
    fn new(stored: StoredRef) -> Self {
        Self::Response(Response { stored, plain_head: OnceLock::new(), coded_heads: Default::default() })
    }

    const fn response(&self) -> Option<&Response> {
        match self {
            Self::Response(response) => Some(response),
            Self::Ballast(_) => None,
        }
    }

    fn stored(&self) -> Option<&StoredRef> {
        self.response().map(|response| &response.stored)
    }

    /// Bytes that it costs the memory budget, the heads counted whether they have been written or not.
    fn weight(&self) -> usize {
        match self {
            Self::Response(Response { stored, .. }) => {
                stored.weight() + wire::bytes(&stored.head) * (1 + stored.codings.len())
            }
            Self::Ballast(weight) => *weight,
        }
    }
}

impl Response {
    /// Its head as HTTP/1.1 text, see [`wire::head`]. `None` for a body that is not ready made.
    fn wire_head(&self, choice: Choice<'_>) -> Option<&Bytes> {
        let stored = &self.stored;
        let (slot, length) = match choice {
            Choice::Stored => (&self.plain_head, stored.body.len()),
            Choice::Coded(coded) => {
                let place = stored.codings.iter().position(|own| own.coding == coded.coding)?;
                (self.coded_heads.get(place)?, coded.body.len())
            }
            Choice::Undone(_) => return None,
        };
        let write = || {
            let head = encoding::represent(stored, choice, None).head;
            wire::head(&head, length, stored.lifetime.received).map(Bytes::from)
        };
        slot.get_or_init(write).as_ref()
    }
}

type Memory = Cache<u128, Held, FoldHash>;

/// A response where it lies in memory; it stays there at least as long as this lives.
pub struct Resident {
    entry: CacheEntry<u128, Held, FoldHash>,
    stored: StoredRef,
}

impl Resident {
    /// The response.
    #[must_use]
    pub const fn stored(&self) -> &StoredRef {
        &self.stored
    }

    /// The head of one of its representations as HTTP/1.1 text, see [`wire::head`]. `None` when that is not ready made.
    #[must_use]
    pub fn wire_head(&self, choice: Choice<'_>) -> Option<&Bytes> {
        self.entry.value().response()?.wire_head(choice)
    }
}

/// Memory and disk.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use overfall_cache::{key::Key, tier::hybrid::Hybrid};
/// let hybrid = Hybrid::open(1 << 20, None).await?;
/// let key = Key { site: "a".into(), host: "a.example".into(), target: "/".into(), variant: String::new() };
/// assert!(hybrid.memory(&key, key.hash()).is_none());
/// # Ok::<(), overfall_cache::tier::TierError>(())
/// # }).unwrap();
/// ```
pub struct Hybrid {
    memory: Memory,
    budget: Arc<Budget>,
    /// Loans for which memory made room last.
    room_bytes: AtomicU64,
    disk: Option<Disk>,
    disk_state: DiskState,
    counters: HybridCounters,
}

impl Hybrid {
    /// Opens both tiers with bounds in bytes. A disk folder that can't be used is reported and left out: a node without
    /// a disk is better than none. Needs a tokio runtime; takes 10 s at most.
    ///
    /// # Errors
    /// [`TierError::Io`] when the memory budget is below [`MEMORY_BYTES_MIN`].
    pub async fn open(memory_bytes: u64, disk: Option<(&Path, u64)>) -> Result<Arc<Self>, TierError> {
        Self::open_with(memory_bytes, disk, DISK_DEADLINE).await
    }

    async fn open_with(
        memory_bytes: u64,
        disk: Option<(&Path, u64)>,
        disk_deadline: Duration,
    ) -> Result<Arc<Self>, TierError> {
        if memory_bytes < MEMORY_BYTES_MIN {
            let reason =
                format!("{memory_bytes} bytes of memory are too few, at least {MEMORY_BYTES_MIN} are needed");
            return Err(TierError::Io(reason));
        }
        let counters = HybridCounters::default();
        let budget = Budget::new(memory_bytes);
        let (disk, disk_state) = match disk {
            None => (None, DiskState::Off),
            Some((path, bytes_max)) => {
                match Disk::open(path, bytes_max, disk_deadline, &budget, &counters.disk).await {
                    Ok(disk) => (Some(disk), DiskState::Ready),
                    Err(error) => {
                        tracing::error!(path = %path.display(), error, "disk tier can't be used; running on memory alone");
                        (None, DiskState::Unusable(error))
                    }
                }
            }
        };
        let (memory, room_bytes) = (memory(budget.memory_bytes_max()), AtomicU64::new(0));
        Ok(Arc::new(Self { memory, budget, room_bytes, disk, disk_state, counters }))
    }

    /// Looks into memory alone: no waiting, and the whole key is compared.
    #[must_use]
    pub fn memory(&self, key: &Key, hash: KeyHash) -> Option<StoredRef> {
        let found = self.resident(key.borrowed(), hash).map(|resident| Arc::clone(resident.stored()));
        let counter = if found.is_some() { &self.counters.memory.hits } else { &self.counters.memory.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// The same without a copy of anything, and without counting: the caller tells whether it was a hit by
    /// [`Self::count_hit`].
    #[must_use]
    pub fn resident(&self, key: KeyRef<'_>, hash: KeyHash) -> Option<Resident> {
        let entry = self.memory.get(&hash.0)?;
        let stored = Arc::clone(entry.value().stored().filter(|stored| stored.key.borrowed() == key)?);
        Some(Resident { entry, stored })
    }

    /// Counts a response found by [`Self::resident`] and used.
    pub fn count_hit(&self) {
        self.counters.memory.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts a response into memory now, and on disk as soon as the disk takes it. A response that memory holds already
    /// (the same one, not an equal one) is left alone.
    pub fn insert(&self, hash: KeyHash, stored: StoredRef) {
        let held = self.memory.get(&hash.0);
        let is_same = |held: &Held| held.stored().is_some_and(|held| Arc::ptr_eq(held, &stored));
        if held.is_some_and(|entry| is_same(entry.value())) {
            return;
        }
        if let Some(disk) = &self.disk {
            disk.put(hash, Arc::clone(&stored));
        }
        self.keep(hash, &stored);
    }

    /// The budget that memory shares with whatever else holds bodies.
    #[must_use]
    pub const fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Sees to it that memory and loans together stay within the budget; called when loans grow. It costs little while
    /// they have not grown much.
    pub fn make_room(&self) {
        let lent = self.budget.lent();
        let room = self.room_bytes.load(Ordering::Relaxed);
        let step = self.budget.bytes() / ROOM_STEP;
        if lent < room {
            self.room_bytes.store(lent, Ordering::Relaxed);
        } else if lent - room >= step {
            self.room_bytes.store(lent, Ordering::Relaxed);
            (0..self.memory.shards()).for_each(|shard| self.shed(shard));
        }
    }

    /// Whether a disk is in use.
    #[must_use]
    pub const fn has_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// What became of the disk tier.
    #[must_use]
    pub const fn disk_state(&self) -> &DiskState {
        &self.disk_state
    }

    /// Bytes in use.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let disk = self.disk.as_ref();
        Usage {
            memory_bytes: count(self.memory.usage()),
            memory_bytes_max: count(self.memory.capacity()),
            memory_entries: count(self.memory.entries()),
            disk_bytes: disk.map_or(0, Disk::bytes),
            disk_bytes_max: disk.map_or(0, Disk::bytes_max),
            disk_waiting_bytes: disk.map_or(0, Disk::waiting_bytes),
            lent_bytes: self.budget.lent(),
        }
    }

    /// Counts since start.
    #[must_use]
    pub const fn counters(&self) -> &HybridCounters {
        &self.counters
    }

    /// Writes out what waits for the disk; for shutdown. Reads go on, writes do not.
    pub async fn close(&self) {
        if let Some(disk) = &self.disk {
            disk.close().await;
        }
    }

    fn keep(&self, hash: KeyHash, stored: &StoredRef) {
        let held = Held::new(Arc::clone(stored));
        if held.weight() > self.memory.capacity() / self.memory.shards() / SHARD_SHARE {
            // too large for memory, and what memory holds for the key is not the latest any more
            drop(self.memory.remove(&hash.0));
        } else {
            drop(self.memory.insert(hash.0, held));
            self.shed(shard(hash, self.memory.shards()));
        }
    }

    /// Evicts from a shard until its part of the loans fits beside what it holds: foyer evicts for what comes in, so
    /// something of that weight comes in and goes again.
    fn shed(&self, shard: usize) {
        let (shards, capacity) = (self.memory.shards(), self.memory.capacity());
        let lent = usize::try_from(self.budget.lent()).unwrap_or(usize::MAX) / shards;
        let ballast = lent.min(capacity / shards / SHARD_KEPT * (SHARD_KEPT - 1));
        let slot = shard as u128;
        if ballast > 0 {
            drop(self.memory.insert(slot, Held::Ballast(ballast)));
            drop(self.memory.remove(&slot));
        }
    }
}

/// The shard that foyer puts a key into.
fn shard(hash: KeyHash, shards: usize) -> usize {
    let folded = FoldHash.hash_one(hash.0) % u64::try_from(shards).unwrap_or(1);
    usize::try_from(folded).unwrap_or(0)
}

fn memory(bytes: u64) -> Memory {
    let shards = (bytes / SHARD_BYTES_MIN).clamp(1, SHARDS_MAX);
    CacheBuilder::new(usize::try_from(bytes).unwrap_or(usize::MAX))
        .with_name("memory")
        .with_shards(usize::try_from(shards).unwrap_or(1))
        .with_eviction_config(S3FifoConfig::default())
        .with_hash_builder(FoldHash)
        .with_weighter(|_: &u128, held: &Held| held.weight())
        .build()
}

/// The disk tier. What it finds moves up to memory.
#[async_trait]
impl Tier for Hybrid {
    fn name(&self) -> &'static str {
        "disk"
    }

    async fn get(&self, key: &Key, hash: KeyHash) -> Result<Option<StoredRef>, TierError> {
        let Some(disk) = &self.disk else { return Ok(None) };
        let found = disk.get(key, hash).await;
        match &found {
            Ok(Some(stored)) => self.keep(hash, stored),
            Ok(None) => {}
            Err(TierError::Skipped) => {}
            Err(_) => add(&self.counters.disk_failures, 1),
        }
        found
    }

    /// The same as [`Hybrid::insert`].
    fn put(&self, hash: KeyHash, stored: StoredRef) {
        self.insert(hash, stored);
    }

    async fn flush(&self) {
        if let Some(disk) = &self.disk {
            disk.flush().await;
        }
    }

    fn counters(&self) -> Option<&TierCounters> {
        Some(&self.counters.disk)
    }
}

#[cfg(test)]
mod tests;
