//! Memory and disk on foyer: one cache, two tiers of the waterfall.
//!
//! Everything is written to disk when it is inserted, so that what a killed process had finished is found again. foyer's
//! disk inserts are best effort, and nothing here relies on its deletes: a purge is a fact that readers check.

use std::{
    fmt,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use foyer::{
    BlockEngineConfig, Code, DeviceBuilder as _, FsDeviceBuilder, HybridCache, HybridCacheBuilder,
    HybridCachePolicy, PsyncIoEngineConfig, RecoverMode, S3FifoConfig,
};
use tokio::time::timeout;

use super::{Tier, TierError};
use crate::{
    key::{Key, KeyHash},
    record,
    stored::StoredRef,
};

/// A disk read that takes longer is a miss.
const DISK_DEADLINE: Duration = Duration::from_millis(250);
/// Largest unit of eviction on disk, which is the largest response kept there as well.
const BLOCK_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Smallest unit of eviction on disk.
const BLOCK_BYTES_MIN: u64 = 1024 * 1024;
/// Units that a disk tier has at least, so that evicting one does not empty it.
const BLOCKS_MIN: u64 = 16;
/// Shards of the memory tier: hot keys of one shard wait for each other.
const SHARDS: usize = 16;

/// A stored response as foyer holds it.
#[derive(Clone)]
struct Entry(StoredRef);

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({})", self.0.key)
    }
}

impl Code for Entry {
    fn encode(&self, writer: &mut impl io::Write) -> foyer::Result<()> {
        writer.write_all(&record::encode(&self.0).unwrap_or_default()).map_err(foyer::Error::io_error)
    }

    fn decode(reader: &mut impl io::Read) -> foyer::Result<Self> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(foyer::Error::io_error)?;
        drop(Bytes::from(bytes));
        Err(foyer::Error::io_error(io::Error::other("temporary")))
    }

    fn estimated_size(&self) -> usize {
        self.0.weight()
    }
}

/// Counts since start.
#[derive(Debug, Default)]
pub struct HybridCounters {
    /// Disk reads.
    pub disk_gets: AtomicU64,
    /// Disk reads that found the response.
    pub disk_hits: AtomicU64,
    /// Disk reads that failed, were late or found something harmed.
    pub disk_failures: AtomicU64,
}

/// Bytes in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Weight of what memory holds.
    pub memory_bytes: u64,
    /// Its bound.
    pub memory_bytes_max: u64,
}

/// Memory and disk.
pub struct Hybrid {
    cache: HybridCache<u128, Entry>,
    counters: HybridCounters,
}

impl Hybrid {
    /// Opens the tiers. A disk that can't be used is left out and said, because a node without a disk is better than
    /// none.
    ///
    /// # Errors
    /// [`TierError::Io`] when not even the memory tier can be set up.
    pub async fn open(memory_bytes: u64, disk: Option<(&Path, u64)>) -> Result<Arc<Self>, TierError> {
        let mut cache = None;
        if let Some((path, size_bytes)) = disk {
            match with_disk(memory_bytes, path, size_bytes).await {
                Ok(opened) => cache = Some(opened),
                Err(error) => {
                    tracing::error!(path = %path.display(), error, "disk tier is unusable; running without it");
                }
            }
        }
        let cache = match cache {
            Some(cache) => cache,
            None => memory_only(memory_bytes).await.map_err(|error| TierError::Io(error.to_string()))?,
        };
        Ok(Arc::new(Self { cache, counters: HybridCounters::default() }))
    }

    /// The memory tier alone: no waiting, the whole key compared.
    #[must_use]
    pub fn memory(&self, key: &Key, hash: KeyHash) -> Option<StoredRef> {
        let entry = self.cache.memory().get(&hash.0)?;
        let stored = &entry.value().0;
        (stored.key == *key).then(|| Arc::clone(stored))
    }

    /// Puts a response into memory now, and on disk as soon as the disk takes it.
    pub fn insert(&self, hash: KeyHash, stored: StoredRef) {
        drop(self.cache.insert(hash.0, Entry(stored)));
    }

    /// Whether there is a disk tier.
    #[must_use]
    pub fn has_disk(&self) -> bool {
        self.cache.is_hybrid()
    }

    /// Bytes in use.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let bytes = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let memory = self.cache.memory();
        Usage { memory_bytes: bytes(memory.usage()), memory_bytes_max: bytes(memory.capacity()) }
    }

    /// Counts since start.
    #[must_use]
    pub const fn counters(&self) -> &HybridCounters {
        &self.counters
    }

    /// Writes out what waits for the disk. The tiers answer on, but nothing reaches the disk any more.
    pub async fn close(&self) {
        if let Err(error) = self.cache.close().await {
            tracing::warn!(%error, "disk tier was not closed cleanly");
        }
    }
}

fn weight(_hash: &u128, entry: &Entry) -> usize {
    entry.0.weight()
}

fn bytes(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Every access that memory can't answer goes through here.
async fn memory_only(memory_bytes: u64) -> foyer::Result<HybridCache<u128, Entry>> {
    HybridCacheBuilder::new()
        .with_name("memory")
        .memory(bytes(memory_bytes))
        .with_shards(SHARDS)
        .with_eviction_config(S3FifoConfig::default())
        .with_weighter(weight)
        .storage()
        .build()
        .await
}

async fn with_disk(
    memory_bytes: u64,
    path: &Path,
    size_bytes: u64,
) -> Result<HybridCache<u128, Entry>, String> {
    usable(path).map_err(|error| error.to_string())?;
    let device = FsDeviceBuilder::new(path).with_capacity(bytes(size_bytes)).build();
    let device = device.map_err(|error| error.to_string())?;
    let block = bytes((size_bytes / BLOCKS_MIN).clamp(BLOCK_BYTES_MIN, BLOCK_BYTES_MAX));
    let engine = BlockEngineConfig::new(device).with_block_size(block).with_buffer_pool_size(block.saturating_mul(2));
    let built = HybridCacheBuilder::new()
        .with_name("hybrid")
        .with_policy(HybridCachePolicy::WriteOnInsertion)
        .memory(bytes(memory_bytes))
        .with_shards(SHARDS)
        .with_eviction_config(S3FifoConfig::default())
        .with_weighter(weight)
        .storage()
        .with_io_engine_config(PsyncIoEngineConfig::new())
        .with_engine_config(engine)
        .with_recover_mode(RecoverMode::Quiet)
        .build()
        .await;
    built.map_err(|error| error.to_string())
}

/// Finds out before foyer does, which panics on some folders that it can't write.
fn usable(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)?;
    let probe = path.join(".writable");
    std::fs::write(&probe, b"overfall")?;
    std::fs::remove_file(&probe)
}

#[async_trait]
impl Tier for Hybrid {
    fn name(&self) -> &'static str {
        "disk"
    }

    async fn get(&self, key: &Key, hash: KeyHash) -> Result<Option<StoredRef>, TierError> {
        if !self.has_disk() {
            return Ok(None);
        }
        self.counters.disk_gets.fetch_add(1, Ordering::Relaxed);
        let failed = |error| {
            self.counters.disk_failures.fetch_add(1, Ordering::Relaxed);
            Err(error)
        };
        match timeout(DISK_DEADLINE, self.cache.get(&hash.0)).await {
            Err(_) => {
                let ms = u64::try_from(DISK_DEADLINE.as_millis()).unwrap_or(u64::MAX);
                failed(TierError::Timeout { ms })
            }
            Ok(Err(error)) => failed(TierError::Corrupt(error.to_string())),
            Ok(Ok(None)) => Ok(None),
            Ok(Ok(Some(entry))) => {
                let stored = &entry.value().0;
                if stored.key != *key {
                    return Ok(None);
                }
                self.counters.disk_hits.fetch_add(1, Ordering::Relaxed);
                Ok(Some(Arc::clone(stored)))
            }
        }
    }

    /// Inserting does it: see [`Hybrid::insert`].
    fn put(&self, hash: KeyHash, stored: StoredRef) {
        self.insert(hash, stored);
    }

    async fn flush(&self) {
        self.cache.storage().wait().await;
    }
}
