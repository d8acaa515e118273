//! The shared tier as a folder: the embedded default, one file per response.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Tier, TierError,
    queue::{QueueCounters, WriteBehind},
};
use crate::{
    key::{Key, KeyHash},
    record,
    stored::StoredRef,
};

/// A folder of records, `aa/<hash>`; files are replaced whole by renaming.
pub struct Folder {
    root: PathBuf,
    writes: WriteBehind,
}

struct Space {
    root: PathBuf,
    bytes: AtomicU64,
    bytes_max: u64,
    temporary: AtomicU64,
}

impl Folder {
    /// Opens a folder and counts what is in it. Past `bytes_max` nothing more is written until files are removed.
    /// Needs a tokio runtime.
    ///
    /// # Errors
    /// When it can't be created or read.
    pub fn open(root: &Path, bytes_max: u64) -> Result<Arc<Self>, TierError> {
        let fail = |error: io::Error| TierError::Io(format!("folder {}: {error}", root.display()));
        std::fs::create_dir_all(root).map_err(fail)?;
        let bytes = AtomicU64::new(size_of_tree(root).map_err(fail)?);
        let space = Arc::new(Space { root: root.to_owned(), bytes, bytes_max, temporary: AtomicU64::new(0) });
        let writes = WriteBehind::start(move |hash, stored| {
            let space = Arc::clone(&space);
            async move { space.write(hash, &stored).await.map_err(|error| error.to_string()) }
        });
        Ok(Arc::new(Self { root: root.to_owned(), writes }))
    }

    /// Counts since start.
    #[must_use]
    pub fn counters(&self) -> &QueueCounters {
        self.writes.counters()
    }
}

impl Space {
    async fn write(&self, hash: KeyHash, stored: &StoredRef) -> io::Result<()> {
        let record = record::encode(stored).map_err(io::Error::other)?;
        let size = u64::try_from(record.len()).unwrap_or(u64::MAX);
        if self.bytes.load(Ordering::Relaxed).saturating_add(size) > self.bytes_max {
            return Err(io::Error::other(format!("folder holds its {} bytes", self.bytes_max)));
        }
        let path = path_of(&self.root, hash);
        if let Some(folder) = path.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let draft = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
        let before = tokio::fs::metadata(&path).await.map_or(0, |file| file.len());
        tokio::fs::write(&draft, record).await?;
        tokio::fs::rename(&draft, &path).await?;
        self.bytes.fetch_add(size, Ordering::Relaxed);
        self.bytes.fetch_sub(before, Ordering::Relaxed);
        Ok(())
    }
}

fn path_of(root: &Path, hash: KeyHash) -> PathBuf {
    let name = hash.to_string();
    let (shelf, _) = name.split_at_checked(2).unwrap_or(("00", ""));
    root.join(shelf).join(name)
}

fn size_of_tree(root: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for shelf in std::fs::read_dir(root)? {
        let shelf = shelf?;
        if shelf.file_type()?.is_dir() {
            for file in std::fs::read_dir(shelf.path())? {
                bytes += file?.metadata()?.len();
            }
        }
    }
    Ok(bytes)
}

#[async_trait]
impl Tier for Folder {
    fn name(&self) -> &'static str {
        "folder"
    }

    async fn get(&self, key: &Key, hash: KeyHash) -> Result<Option<StoredRef>, TierError> {
        let bytes = match tokio::fs::read(path_of(&self.root, hash)).await {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(TierError::Io(error.to_string())),
        };
        let stored = record::decode(&bytes, key).map_err(|error| TierError::Corrupt(error.to_string()))?;
        Ok(stored.map(Arc::new))
    }

    fn put(&self, hash: KeyHash, stored: StoredRef) {
        self.writes.offer(hash, stored);
    }

    async fn flush(&self) {
        self.writes.flush().await;
    }
}
