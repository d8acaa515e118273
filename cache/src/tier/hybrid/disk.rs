//! The disk half: foyer's block engine behind a write-behind queue, on threads of its own.
//!
//! Every insert is written at once, not when memory evicts it, so that what a killed process had written is found
//! again. foyer drops what arrives faster than it writes; the queue in front feeds it in batches that fit. Records are
//! our own (`record`), so hash and key are checked here whatever foyer's file holds. It refuses what is larger than a
//! block, and stops writing when the file system is nearly full.

use std::{
    fs::File,
    hash::{BuildHasher, Hasher},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use foyer::{
    BlockEngineConfig, Code, DeviceBuilder as _, FsDeviceBuilder, HybridCache, HybridCacheBuilder,
    HybridCachePolicy, Load, PsyncIoEngineConfig, RecoverMode, Spawner,
};
use parking_lot::Mutex;
use tokio::{sync::Semaphore, time::timeout};

use super::layout::{Layout, has_room};
use crate::{
    budget::{Budget, Loan},
    key::{Key, KeyHash},
    record::{self, Prepared},
    stored::StoredRef,
    tier::{
        TierError,
        breaker::Guard,
        counters::TierCounters,
        queue::{Limits, Offer, WriteBehind},
    },
};

/// Opening that takes longer leaves the node without disk.
const OPEN_DEADLINE: Duration = Duration::from_secs(10);
/// A batch that takes longer counts as refused.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// Reads at once, those that nobody waits for any more included: one for each of these bytes of the memory budget, since
/// each holds its record twice for a moment.
const READ_BYTES: u64 = 16 * 1024 * 1024;
/// Fewest and most reads at once.
const READS: (u64, u64) = (4, 64);
/// Threads that may wait for the disk.
const THREADS_MAX: usize = 16;
/// Weight that may wait for the disk: this share of the memory budget, and at most these bytes.
const QUEUE_SHARE: (u64, u64) = (4, 64 * 1024 * 1024);
/// Responses that may wait for the disk.
const QUEUE_ITEMS_MAX: usize = 4096;
/// Largest batch, as a share of the memory budget and in bytes.
const BATCH_SHARE: (u64, u64) = (64, 8 * 1024 * 1024);
/// Largest record, as a share of the memory budget: foyer's two buffers have to hold one each.
const RECORD_SHARE: u64 = 8;
/// Responses in a batch; each takes whole pages.
const BATCH_ITEMS_MAX: usize = 512;
/// foyer's page, in bytes.
const PAGE: usize = 4096;
/// What foyer writes around a record within a block: an index page, an entry header with the key, and rounding.
const FRAME_BYTES: usize = 3 * PAGE;

/// A slot's value: on its way to the disk, or as it came from there.
enum Slot {
    Leaving(Prepared),
    Arrived(Bytes),
}

impl Code for Slot {
    fn encode(&self, writer: &mut impl io::Write) -> foyer::Result<()> {
        let written = match self {
            Self::Leaving(prepared) => prepared.write(writer),
            Self::Arrived(bytes) => writer.write_all(bytes),
        };
        written.map_err(foyer::Error::io_error)
    }

    fn decode(reader: &mut impl io::Read) -> foyer::Result<Self> {
        record::read(reader).map(Self::Arrived).map_err(foyer::Error::io_error)
    }

    fn estimated_size(&self) -> usize {
        match self {
            Self::Leaving(prepared) => prepared.length(),
            Self::Arrived(bytes) => bytes.len(),
        }
    }
}

type Blocks = HybridCache<u128, Slot, FoldHash>;

/// The disk tier, open.
pub(super) struct Disk {
    blocks: Blocks,
    queue: WriteBehind,
    reads: Arc<Semaphore>,
    guard: Guard,
    counters: Arc<TierCounters>,
    written_bytes: Arc<AtomicU64>,
    bytes_at_open: u64,
    bytes_max: u64,
    read_deadline: Duration,
    /// Keeps other processes out of the folder.
    _lock: File,
}

impl Disk {
    /// Opens a folder and finds what is in it.
    ///
    /// # Errors
    /// A sentence for the operator when the folder can't be used.
    pub(super) async fn open(
        root: &Path,
        bytes_max: u64,
        read_deadline: Duration,
        budget: &Arc<Budget>,
        counters: &Arc<TierCounters>,
    ) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(THREADS_MAX)
            .thread_name("disk-tier")
            .enable_all()
            .build()
            .map_err(|error| format!("threads can't be started: {error}"))?;
        let handle = runtime.handle().clone();
        let spawner = Spawner::from(runtime);
        let (folder, threads) = (root.to_owned(), spawner.clone());
        let buffers = Buffers::within(budget);
        let opening = spawner.spawn(async move {
            let prepared = threads.spawn_blocking(move || Layout::prepare(&folder, bytes_max)).await;
            let layout = prepared.map_err(|error| error.to_string())??;
            let blocks = open_blocks(&layout, buffers, threads).await.map_err(|error| error.to_string())?;
            Ok::<_, String>((layout, blocks))
        });
        let opened = timeout(OPEN_DEADLINE, opening).await;
        let opened = opened.map_err(|_| "it did not open in time".to_owned())?;
        let (layout, blocks) = opened.map_err(|error| error.to_string())??;
        let written_bytes = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            blocks: blocks.clone(),
            folder: layout.blocks.clone(),
            record_bytes_max: buffers.record_bytes_max(&layout).saturating_sub(FRAME_BYTES),
            buffered: Arc::new(Mutex::new(budget.lend(0))),
            written_bytes: Arc::clone(&written_bytes),
        };
        let queue = WriteBehind::start(
            "disk",
            Some(&handle),
            limits(&layout, buffers, budget),
            budget,
            counters,
            move |batch| {
                let writer = writer.clone();
                async move { writer.write(batch).await }
            },
        );
        Ok(Self {
            blocks,
            queue,
            reads: Arc::new(Semaphore::new(size((budget.bytes() / READ_BYTES).clamp(READS.0, READS.1)))),
            guard: Guard::new("disk"),
            counters: Arc::clone(counters),
            written_bytes,
            bytes_at_open: layout.bytes,
            bytes_max: layout.bytes_max,
            read_deadline,
            _lock: layout.lock,
        })
    }

    /// Queues a response for writing.
    pub(super) fn put(&self, hash: KeyHash, stored: StoredRef) {
        // while it hangs, its queue would only take memory away
        if self.guard.is_open() {
            return self.queue.drop_one();
        }
        self.queue.offer(hash, stored);
    }

    /// Reads a response within the deadline.
    ///
    /// # Errors
    /// Any [`TierError`].
    pub(super) async fn get(&self, key: &Key, hash: KeyHash) -> Result<Option<StoredRef>, TierError> {
        if !self.blocks.storage().may_contains(&hash.0) {
            return self.counters.read(Ok(None));
        }
        let ms = u64::try_from(self.read_deadline.as_millis()).unwrap_or(u64::MAX);
        let reading = async {
            let found = timeout(self.read_deadline, self.read(key.clone(), hash)).await;
            found.unwrap_or(Err(TierError::Timeout { ms }))
        };
        self.guard.read(&self.counters, reading).await
    }

    /// Reads and hashes on the tier's own thread. Dropping this leaves the read running; the permit goes with it.
    async fn read(&self, key: Key, hash: KeyHash) -> Result<Option<StoredRef>, TierError> {
        let permit = Arc::clone(&self.reads).acquire_owned().await;
        let permit = permit.map_err(|error| TierError::Io(error.to_string()))?;
        let blocks = self.blocks.clone();
        let reading = self.blocks.storage().spawner().spawn(async move {
            let found = load(&blocks, &key, hash).await;
            drop(permit);
            found
        });
        reading.await.map_err(|error| TierError::Io(error.to_string()))?
    }

    /// Waits until what was put so far is written or given up.
    pub(super) async fn flush(&self) {
        self.queue.flush().await;
    }

    /// Writes what waits, then stops writing. Reads go on.
    pub(super) async fn close(&self) {
        self.flush().await;
        match timeout(WRITE_DEADLINE, self.blocks.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "disk tier was not closed cleanly"),
            Err(_) => tracing::warn!("disk tier was not closed in time"),
        }
    }

    /// About how many bytes are in use: what was there at start and what was written since.
    pub(super) fn bytes(&self) -> u64 {
        let written = self.written_bytes.load(Ordering::Relaxed);
        self.bytes_at_open.saturating_add(written).min(self.bytes_max)
    }

    /// Bytes that it may use.
    pub(super) const fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Weight that waits to be written, in bytes.
    pub(super) fn waiting_bytes(&self) -> u64 {
        self.queue.waiting_bytes()
    }
}

/// How much foyer's write buffers take.
#[derive(Clone, Copy)]
struct Buffers {
    batch_bytes: u64,
    record_bytes_max: u64,
}

impl Buffers {
    fn within(budget: &Budget) -> Self {
        let (share, most) = BATCH_SHARE;
        Self {
            batch_bytes: budget.share(share, most).next_multiple_of(PAGE as u64),
            record_bytes_max: budget.share(RECORD_SHARE, u64::MAX).next_multiple_of(PAGE as u64),
        }
    }

    fn batch_bytes(self, layout: &Layout) -> u64 {
        self.batch_bytes.min(layout.block_bytes)
    }

    /// Largest record with its frame.
    fn record_bytes_max(self, layout: &Layout) -> usize {
        size(self.record_bytes_max.min(layout.block_bytes))
    }

    /// One buffer: a batch, one response that reaches over it, and a page of rounding for each.
    fn bytes(self, layout: &Layout) -> usize {
        self.record_bytes_max(layout) + size(self.batch_bytes(layout)) + (BATCH_ITEMS_MAX + 3) * PAGE
    }
}

fn limits(layout: &Layout, buffers: Buffers, budget: &Budget) -> Limits {
    let (share, most) = QUEUE_SHARE;
    Limits {
        bytes_max: budget.share(share, most),
        lane_items_max: QUEUE_ITEMS_MAX,
        lanes: 1,
        batch_bytes: buffers.batch_bytes(layout),
        batch_items_max: BATCH_ITEMS_MAX,
    }
}

async fn open_blocks(layout: &Layout, buffers: Buffers, spawner: Spawner) -> foyer::Result<Blocks> {
    let device = FsDeviceBuilder::new(&layout.blocks).with_capacity(size(layout.bytes_max)).build()?;
    let buffer = buffers.bytes(layout);
    let engine = BlockEngineConfig::new(device)
        .with_block_size(size(layout.block_bytes))
        .with_buffer_pool_size(buffer)
        .with_submit_queue_size_threshold(buffer);
    HybridCacheBuilder::new()
        .with_name("disk")
        .with_policy(HybridCachePolicy::WriteOnInsertion)
        .with_flush_on_close(false)
        // nothing is kept in this cache's memory; its shards are locks of the write path
        .memory(SHARDS)
        .with_shards(SHARDS)
        .with_hash_builder(FoldHash)
        .storage()
        .with_io_engine_config(PsyncIoEngineConfig::new())
        .with_engine_config(engine)
        .with_recover_mode(RecoverMode::Quiet)
        .with_spawner(spawner)
        .build()
        .await
}

async fn load(blocks: &Blocks, key: &Key, hash: KeyHash) -> Result<Option<StoredRef>, TierError> {
    match blocks.storage().load(&hash.0).await {
        Ok(Load::Entry { value, .. }) => opened(&value, key),
        Ok(Load::Piece { piece, .. }) => opened(piece.value(), key),
        Ok(Load::Throttled) => Ok(None),
        // it was in the index a moment ago, so what stands there is not what was written
        Ok(Load::Miss) => Err(TierError::Corrupt("block holds something else".to_owned())),
        Err(error) => Err(TierError::Io(error.to_string())),
    }
}

fn opened(slot: &Slot, key: &Key) -> Result<Option<StoredRef>, TierError> {
    match slot {
        Slot::Leaving(prepared) => Ok((prepared.stored().key == *key).then(|| Arc::clone(prepared.stored()))),
        Slot::Arrived(bytes) => match record::decode(bytes, key) {
            Ok(found) => Ok(found.map(Arc::new)),
            Err(error) => Err(TierError::Corrupt(error.to_string())),
        },
    }
}

#[derive(Clone)]
struct Writer {
    blocks: Blocks,
    folder: PathBuf,
    record_bytes_max: usize,
    written_bytes: Arc<AtomicU64>,
    /// What foyer's two buffers have held at most: that much of them is resident.
    buffered: Arc<Mutex<Loan>>,
}

impl Writer {
    /// Writes a batch; the number of responses that a block can hold.
    async fn write(&self, batch: Vec<Offer>) -> Result<usize, String> {
        let folder = self.folder.clone();
        let has_room = self.blocks.storage().spawner().spawn_blocking(move || has_room(&folder)).await;
        if !has_room.unwrap_or(false) {
            return Err("file system is full".to_owned());
        }
        let mut written = 0;
        let mut buffered = 0_u64;
        for offer in &batch {
            let Ok(prepared) = Prepared::new(Arc::clone(&offer.stored)) else { continue };
            let length = prepared.length();
            if length > self.record_bytes_max {
                continue;
            }
            let pages = length.saturating_add(FRAME_BYTES / 3).next_multiple_of(PAGE);
            let pages = u64::try_from(pages).unwrap_or(u64::MAX);
            self.written_bytes.fetch_add(pages, Ordering::Relaxed);
            buffered = buffered.saturating_add(pages);
            drop(self.blocks.storage_writer(offer.hash.0).force().insert(Slot::Leaving(prepared)));
            written += 1;
        }
        self.buffered.lock().raise(buffered.saturating_mul(2));
        match timeout(WRITE_DEADLINE, self.blocks.storage().wait()).await {
            Ok(()) => Ok(written),
            Err(_) => Err("disk did not take a batch in time".to_owned()),
        }
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Folds a key hash, which needs no hashing again. The same in every run, as the disk demands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FoldHash;

impl BuildHasher for FoldHash {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(0)
    }
}

/// The state of [`FoldHash`].
#[derive(Debug)]
pub(super) struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "both halves are meant")]
    fn write_u128(&mut self, number: u128) {
        self.0 ^= (number >> 64) as u64 ^ number as u64;
    }
}

const SHARDS: usize = 16;

#[cfg(test)]
impl Disk {
    /// Takes all reads, as a disk that hangs would.
    pub(super) async fn hang(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(self.reads.available_permits()).unwrap_or(u32::MAX);
        Arc::clone(&self.reads).acquire_many_owned(all).await.unwrap_or_else(|error| panic!("{error}"))
    }
}
