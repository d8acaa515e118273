//! Memory and disk, both on foyer: two tiers that fill and empty together.
//!
//! Memory holds responses as they are served. The disk holds records (see `record`), is written when a response is
//! inserted, and is read back with the whole key and the hash checked: what a killed process had finished is found again,
//! and a harmed record is a miss. foyer's disk inserts are best effort, and nothing here relies on its deletes: a purge
//! is a fact that readers check.

use std::{
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
    BlockEngineConfig, Cache, CacheBuilder, Code, DeviceBuilder as _, FsDeviceBuilder, HybridCache,
    HybridCacheBuilder, HybridCachePolicy, PsyncIoEngineConfig, RecoverMode, S3FifoConfig,
};
use tokio::time::timeout;

use super::{Tier, TierError};
use crate::{
    key::{Key, KeyHash},
    record,
    stored::StoredRef,
};

#[cfg(test)]
mod tests;

/// A disk read that takes longer is a miss.
const DISK_DEADLINE: Duration = Duration::from_millis(250);
/// Largest unit of eviction on disk, which is the largest record kept there as well.
const BLOCK_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Smallest unit of eviction on disk.
const BLOCK_BYTES_MIN: u64 = 1024 * 1024;
/// Units that a disk tier has at least, so that evicting one does not empty it.
const BLOCKS_MIN: u64 = 16;
/// Shards of the memory tier: hot keys of one shard wait for each other.
const SHARDS: usize = 16;
/// Records that foyer holds in memory between a disk read and its use.
const READ_BYTES: usize = 1024 * 1024;

/// Bytes that foyer keeps on disk.
#[derive(Debug, Clone)]
struct Record(Bytes);

impl Code for Record {
    fn encode(&self, writer: &mut impl io::Write) -> foyer::Result<()> {
        writer.write_all(&self.0).map_err(foyer::Error::io_error)
    }

    fn decode(reader: &mut impl io::Read) -> foyer::Result<Self> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(foyer::Error::io_error)?;
        Ok(Self(bytes.into()))
    }

    fn estimated_size(&self) -> usize {
        self.0.len()
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
    memory: Cache<u128, StoredRef>,
    disk: Option<HybridCache<u128, Record>>,
    counters: HybridCounters,
}

impl Hybrid {
    /// Opens the tiers. A disk that can't be used is left out and said, because a node without a disk is better than
    /// none.
    ///
    /// # Errors
    /// None at present; a memory tier that could fail to open would say so here.
    pub async fn open(memory_bytes: u64, disk: Option<(&Path, u64)>) -> Result<Arc<Self>, TierError> {
        let mut opened = None;
        if let Some((path, size_bytes)) = disk {
            match open_disk(path, size_bytes).await {
                Ok(cache) => opened = Some(cache),
                Err(error) => {
                    tracing::error!(path = %path.display(), error, "disk tier is unusable; running without it");
                }
            }
        }
        let memory = CacheBuilder::new(bytes(memory_bytes))
            .with_name("memory")
            .with_shards(SHARDS)
            .with_eviction_config(S3FifoConfig::default())
            .with_weighter(|_: &u128, stored: &StoredRef| stored.weight())
            .build();
        Ok(Arc::new(Self { memory, disk: opened, counters: HybridCounters::default() }))
    }

    /// The memory tier alone: no waiting, the whole key compared.
    #[must_use]
    pub fn memory(&self, key: &Key, hash: KeyHash) -> Option<StoredRef> {
        let entry = self.memory.get(&hash.0)?;
        (entry.key == *key).then(|| Arc::clone(entry.value()))
    }

    /// Puts a response into memory now, and on disk as soon as the disk takes it.
    pub fn insert(&self, hash: KeyHash, stored: StoredRef) {
        if let Some(disk) = &self.disk {
            match record::encode(&stored) {
                Ok(record) => drop(disk.storage_writer(hash.0).insert(Record(record.into()))),
                Err(error) => tracing::debug!(%error, "response does not fit a record; kept in memory only"),
            }
        }
        drop(self.memory.insert(hash.0, stored));
    }

    /// Whether there is a disk tier.
    #[must_use]
    pub const fn has_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// Bytes in use.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let bytes = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Usage { memory_bytes: bytes(self.memory.usage()), memory_bytes_max: bytes(self.memory.capacity()) }
    }

    /// Counts since start.
    #[must_use]
    pub const fn counters(&self) -> &HybridCounters {
        &self.counters
    }

    /// Writes out what waits for the disk. The tiers answer on, but nothing reaches the disk any more.
    pub async fn close(&self) {
        if let Some(disk) = &self.disk
            && let Err(error) = disk.close().await
        {
            tracing::warn!(%error, "disk tier was not closed cleanly");
        }
    }
}

fn bytes(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

async fn open_disk(path: &Path, size_bytes: u64) -> Result<HybridCache<u128, Record>, String> {
    usable(path).map_err(|error| error.to_string())?;
    let device = FsDeviceBuilder::new(path).with_capacity(bytes(size_bytes)).build();
    let device = device.map_err(|error| error.to_string())?;
    let block = bytes((size_bytes / BLOCKS_MIN).clamp(BLOCK_BYTES_MIN, BLOCK_BYTES_MAX));
    let engine = BlockEngineConfig::new(device)
        .with_block_size(block)
        .with_buffer_pool_size(block.saturating_mul(2))
        .with_submit_queue_size_threshold(block.saturating_mul(4));
    let built = HybridCacheBuilder::new()
        .with_name("disk")
        .with_policy(HybridCachePolicy::WriteOnInsertion)
        .memory(READ_BYTES)
        .with_shards(1)
        .with_weighter(|_: &u128, record: &Record| record.0.len())
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
        let Some(disk) = &self.disk else { return Ok(None) };
        self.counters.disk_gets.fetch_add(1, Ordering::Relaxed);
        let read = match timeout(DISK_DEADLINE, disk.get(&hash.0)).await {
            Err(_) => {
                Err(TierError::Timeout { ms: u64::try_from(DISK_DEADLINE.as_millis()).unwrap_or(u64::MAX) })
            }
            Ok(Err(error)) => Err(TierError::Io(error.to_string())),
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(entry))) => {
                record::decode(&entry.0, key).map_err(|error| TierError::Corrupt(error.to_string()))
            }
        };
        let Some(stored) = read.inspect_err(|_| {
            self.counters.disk_failures.fetch_add(1, Ordering::Relaxed);
        })?
        else {
            return Ok(None);
        };
        self.counters.disk_hits.fetch_add(1, Ordering::Relaxed);
        let stored = Arc::new(stored);
        drop(self.memory.insert(hash.0, Arc::clone(&stored)));
        Ok(Some(stored))
    }

    /// Inserting does it: see [`Hybrid::insert`].
    fn put(&self, hash: KeyHash, stored: StoredRef) {
        self.insert(hash, stored);
    }

    async fn flush(&self) {
        if let Some(disk) = &self.disk {
            disk.storage().wait().await;
        }
    }
}
