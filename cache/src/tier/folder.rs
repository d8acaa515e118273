//! The shared tier as a folder: the embedded default where there is no S3.
//!
//! One file per response, `aa/bb/<hash>`, written under another name and renamed, so that readers (of other nodes too)
//! see a whole record or none. Files are written behind the request; past the size bound the oldest are removed. It does
//! not sync: a record torn by a power cut fails its hash and is a miss.

use std::{
    cmp::Ordering as Order,
    collections::BinaryHeap,
    hash::{BuildHasher as _, RandomState},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{
    fs,
    io::AsyncReadExt as _,
    runtime::Handle,
    sync::{Mutex, Semaphore, watch},
    time::timeout,
};

use super::{
    Tier, TierError,
    breaker::Guard,
    counters::TierCounters,
    queue::{Limits, Offer, WriteBehind},
};
use crate::{
    budget::Budget,
    clock::{Clock as _, SystemClock},
    key::{Key, KeyHash},
    record,
    stored::StoredRef,
};

/// A read that takes longer is a miss.
const READ_DEADLINE: Duration = Duration::from_secs(1);
/// A write that takes longer counts as refused.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// Reads at once, those that nobody waits for any more included.
const READS_MAX: usize = 64;
/// Largest file read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Files that one sweep removes at most; what is left falls to the next one.
const SWEPT_FILES_MAX: usize = 1 << 16;
/// A sweep goes down to this part of the bound, in percent.
const SWEPT_PERCENT: u64 = 90;
/// A draft older than this was left behind by a process that died, in seconds.
const DRAFT_AGE_MAX: Duration = Duration::from_secs(3600);

/// A folder of records.
pub struct Folder {
    space: Arc<Space>,
    queue: WriteBehind,
    reads: Arc<Semaphore>,
    guard: Guard,
    counters: Arc<TierCounters>,
}

impl Folder {
    /// Opens a folder that may grow to `bytes_max` bytes of files, and counts in the background what is in it. What
    /// waits to be written comes out of `budget`. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`TierError::Io`] when it can't be created.
    pub fn open(root: &Path, bytes_max: u64, budget: &Arc<Budget>) -> Result<Arc<Self>, TierError> {
        let runtime = Handle::try_current().map_err(|error| TierError::Io(error.to_string()))?;
        std::fs::create_dir_all(root)
            .map_err(|error| TierError::Io(format!("folder {}: {error}", root.display())))?;
        let space = Arc::new(Space::new(root, bytes_max));
        let counters = Arc::new(TierCounters::default());
        let writer = Arc::clone(&space);
        let queue = WriteBehind::start(
            "folder",
            Some(&runtime),
            Limits::shared(budget),
            budget,
            &counters,
            move |batch| {
                let space = Arc::clone(&writer);
                async move { space.write_all(batch).await }
            },
        );
        let counting = Arc::clone(&space);
        runtime.spawn(async move {
            if let Err(error) = counting.sweep(true).await {
                tracing::warn!(folder = %counting.root.display(), %error, "folder tier can't be counted");
            }
            counting.is_counted.send_replace(true);
        });
        let (reads, guard) = (Arc::new(Semaphore::new(READS_MAX)), Guard::new("folder"));
        Ok(Arc::new(Self { space, queue, reads, guard, counters }))
    }

    /// Counts since start.
    #[must_use]
    pub fn counters(&self) -> &TierCounters {
        &self.counters
    }

    /// Bytes of files, as far as counted; by and large, because other nodes may write there too.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.space.bytes.load(Ordering::Relaxed)
    }

    /// Reads in a task of its own, so that a hung read keeps its permit when nobody waits for it any more.
    async fn read(&self, key: Key, hash: KeyHash) -> Result<Option<StoredRef>, TierError> {
        let failed = |error: &dyn std::error::Error| TierError::Io(error.to_string());
        let permit = Arc::clone(&self.reads).acquire_owned().await.map_err(|error| failed(&error))?;
        let path = self.space.path(hash);
        let reading = tokio::spawn(async move {
            let found = read_file(&path).await;
            drop(permit);
            let Some(bytes) = found? else { return Ok(None) };
            let stored = record::decode(&bytes, &key);
            stored.map(|stored| stored.map(Arc::new)).map_err(|error| TierError::Corrupt(error.to_string()))
        });
        reading.await.map_err(|error| failed(&error))?
    }
}

#[async_trait]
impl Tier for Folder {
    fn name(&self) -> &'static str {
        "folder"
    }

    async fn get(&self, key: &Key, hash: KeyHash) -> Result<Option<StoredRef>, TierError> {
        let ms = u64::try_from(READ_DEADLINE.as_millis()).unwrap_or(u64::MAX);
        let reading = async {
            let found = timeout(READ_DEADLINE, self.read(key.clone(), hash)).await;
            found.unwrap_or(Err(TierError::Timeout { ms }))
        };
        self.guard.read(&self.counters, reading).await
    }

    fn put(&self, hash: KeyHash, stored: StoredRef) {
        // while it hangs, its queue would only take memory away
        if self.guard.is_open() {
            return self.queue.drop_one();
        }
        self.queue.offer(hash, stored);
    }

    async fn flush(&self) {
        self.queue.flush().await;
    }

    fn counters(&self) -> Option<&TierCounters> {
        Some(&self.counters)
    }
}

async fn read_file(path: &Path) -> Result<Option<Bytes>, TierError> {
    let read = async {
        let file = fs::File::open(path).await?;
        let length = file.metadata().await?.len();
        if length > FILE_BYTES_MAX {
            return Err(io::Error::other(format!("file has {length} bytes")));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).await?;
        Ok(bytes)
    };
    match read.await {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TierError::Io(error.to_string())),
    }
}

/// The files and how much they take.
struct Space {
    root: PathBuf,
    bytes: AtomicU64,
    bytes_max: u64,
    /// Tells our drafts from those of other processes in the same folder.
    draft_id: u64,
    drafts: AtomicU64,
    sweeping: Mutex<()>,
    /// Set when what was there on opening is part of `bytes`.
    is_counted: watch::Sender<bool>,
}

impl Space {
    fn new(root: &Path, bytes_max: u64) -> Self {
        Self {
            root: root.to_owned(),
            bytes: AtomicU64::new(0),
            bytes_max,
            draft_id: RandomState::new().hash_one(std::process::id()),
            drafts: AtomicU64::new(0),
            sweeping: Mutex::new(()),
            is_counted: watch::Sender::new(false),
        }
    }

    fn path(&self, hash: KeyHash) -> PathBuf {
        let name = hash.to_string();
        let (first, rest) = name.split_at_checked(2).unwrap_or(("00", ""));
        let (second, _) = rest.split_at_checked(2).unwrap_or(("00", ""));
        self.root.join(first).join(second).join(&name)
    }

    async fn write_all(&self, batch: Vec<Offer>) -> Result<usize, String> {
        let mut written = 0;
        for offer in batch {
            let outcome = timeout(WRITE_DEADLINE, self.write(offer.hash, &offer.stored)).await;
            let outcome = outcome.map_err(|_| "folder did not take a write in time".to_owned())?;
            written += outcome.map_err(|error| error.to_string())?;
        }
        if self.bytes.load(Ordering::Relaxed) > self.bytes_max {
            self.sweep(false).await.map_err(|error| error.to_string())?;
        }
        Ok(written)
    }

    /// Writes one record; 0 when it is larger than the folder takes.
    async fn write(&self, hash: KeyHash, stored: &StoredRef) -> io::Result<usize> {
        let Ok(record) = record::encode(stored) else { return Ok(0) };
        let size = u64::try_from(record.len()).unwrap_or(u64::MAX);
        if size > self.bytes_max.min(FILE_BYTES_MAX) {
            return Ok(0);
        }
        let path = self.path(hash);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).await?;
        }
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        let draft = path.with_extension(format!("{:016x}-{number}.{DRAFT}", self.draft_id));
        let before = fs::metadata(&path).await.map_or(0, |file| file.len());
        let renamed = match fs::write(&draft, record).await {
            Ok(()) => fs::rename(&draft, &path).await,
            Err(error) => Err(error),
        };
        if let Err(error) = renamed {
            // may not even exist
            drop(fs::remove_file(&draft).await);
            return Err(error);
        }
        self.bytes.fetch_add(size, Ordering::Relaxed);
        subtract(&self.bytes, before);
        Ok(1)
    }

    /// Counts all files and removes the oldest while there are too many bytes. Only one runs at a time.
    async fn sweep(&self, is_first: bool) -> io::Result<()> {
        let _alone = self.sweeping.lock().await;
        let known = self.bytes.load(Ordering::Relaxed);
        if !is_first && known <= self.bytes_max {
            return Ok(());
        }
        let (oldest, total) = self.list().await?;
        let mut kept = total;
        if total > self.bytes_max {
            let goal = self.bytes_max / 100 * SWEPT_PERCENT;
            for file in oldest {
                if kept <= goal {
                    break;
                }
                remove(&file.path).await?;
                kept = kept.saturating_sub(file.bytes);
            }
        }
        // what was written meanwhile may be counted twice; that only brings the next sweep, and its count, nearer
        self.bytes.fetch_add(kept, Ordering::Relaxed);
        subtract(&self.bytes, known);
        Ok(())
    }

    /// The oldest files, oldest first, and the bytes of all.
    async fn list(&self) -> io::Result<(Vec<Found>, u64)> {
        let mut oldest = BinaryHeap::new();
        let mut total = 0_u64;
        for first in folders(&self.root).await? {
            for second in folders(&first).await? {
                for file in files(&second).await? {
                    total = total.saturating_add(file.bytes);
                    oldest.push(file);
                    if oldest.len() > SWEPT_FILES_MAX {
                        oldest.pop();
                    }
                }
            }
        }
        Ok((oldest.into_sorted_vec(), total))
    }
}

/// A record's file, ordered by age: the newest is the greatest.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    modified: SystemTime,
    bytes: u64,
    path: PathBuf,
}

impl Ord for Found {
    fn cmp(&self, other: &Self) -> Order {
        self.modified.cmp(&other.modified).then_with(|| self.path.cmp(&other.path))
    }
}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

/// The shelves in a folder; at most 256 have our kind of name.
async fn folders(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut entries = fs::read_dir(path).await?;
    while let Some(entry) = entries.next_entry().await? {
        let name = entry.file_name();
        let is_shelf = name.len() == 2 && name.as_encoded_bytes().iter().all(u8::is_ascii_hexdigit);
        if is_shelf && entry.file_type().await?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// The files of one shelf. Old drafts are removed on the way; what is not ours is left alone.
async fn files(shelf: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let mut entries = fs::read_dir(shelf).await?;
    while let Some(entry) = entries.next_entry().await? {
        // another node may have removed it
        let Ok(metadata) = entry.metadata().await else { continue };
        let (path, modified) = (entry.path(), metadata.modified()?);
        let name = entry.file_name();
        if name.len() == 32 && metadata.is_file() {
            found.push(Found { modified, bytes: metadata.len(), path });
        } else if path.extension().is_some_and(|extension| extension == DRAFT) {
            let written = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let now = Duration::from_millis(SystemClock.now().0);
            if now.saturating_sub(written) > DRAFT_AGE_MAX {
                remove(&path).await?;
            }
        }
    }
    Ok(found)
}

async fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn subtract(counter: &AtomicU64, bytes: u64) {
    counter.update(Ordering::Relaxed, Ordering::Relaxed, |count| count.saturating_sub(bytes));
}

const DRAFT: &str = "draft";

#[cfg(test)]
mod tests;
