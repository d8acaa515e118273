//! A node's own note of the last purge that it had applied, kept so that it notices when a log goes back or is another.
//!
//! Two slots in one small file are written in turn, each with its check: a crash while writing one leaves the other. The
//! note refuses to be lost silently: a file with no readable slot loads as a position of epoch zero, which no log has,
//! so that the node treats its history as unknown.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, SeekFrom},
    path::{Path, PathBuf},
};

use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use twox_hash::XxHash3_128;

use super::BusError;
use crate::stored::Position;

/// Seeds the checks; another layout takes another number.
const FORMAT: u64 = 0x6f66_6a6e_0000_0001;
const FIELDS: usize = 24;
const SLOT_BYTES: usize = FIELDS + 16;
/// Slots stand in sectors of their own.
const SLOT_STRIDE: usize = 4096;

/// The note of one node.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: tokio::fs::File,
    loaded: Option<Position>,
    /// Counts writes; the slot with the higher count holds the note.
    count: u64,
}

impl Journal {
    /// Opens the note at `path`, or begins an empty one.
    ///
    /// # Errors
    /// [`BusError::Write`] when the file can't be created or opened for writing, [`BusError::Read`] when it can't be
    /// read.
    pub fn open(path: &Path) -> Result<Self, BusError> {
        let unwritable = |error: io::Error| BusError::Write(format!("{}: {error}", path.display()));
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(unwritable)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(unwritable)?;
        Self::from_file(path, file)
    }

    pub(crate) fn from_file(path: &Path, file: File) -> Result<Self, BusError> {
        let mut bytes = Vec::new();
        let bytes_max = (SLOT_STRIDE + SLOT_BYTES) as u64;
        (&file)
            .take(bytes_max)
            .read_to_end(&mut bytes)
            .map_err(|error| BusError::Read(format!("{}: {error}", path.display())))?;
        let slots = [bytes.as_slice(), bytes.get(SLOT_STRIDE..).unwrap_or_default()];
        let newest = slots.into_iter().filter_map(decode).max_by_key(|(count, _)| *count);
        let loaded = match newest {
            Some((_, position)) => Some(position),
            None if bytes.is_empty() => None,
            None => {
                tracing::warn!(path = %path.display(), "the note of applied purges is damaged");
                Some(Position::default())
            }
        };
        let count = newest.map_or(0, |(count, _)| count);
        Ok(Self { path: path.to_owned(), file: tokio::fs::File::from_std(file), loaded, count })
    }

    /// The position stored last; `None` when none ever was. Epoch zero means that the note is damaged.
    #[must_use]
    pub const fn load(&self) -> Option<Position> {
        self.loaded
    }

    /// Makes `position` durable: one write of 40 bytes and one sync, off the runtime's threads. When the future is
    /// dropped, either the old or the new position is found later.
    ///
    /// # Errors
    /// [`BusError::Write`]; the earlier position then still stands.
    pub async fn store(&mut self, position: Position) -> Result<(), BusError> {
        let count = self.count.saturating_add(1);
        let offset = if count.is_multiple_of(2) { 0 } else { SLOT_STRIDE as u64 };
        let slot = encode(count, position);
        let file = &mut self.file;
        let written = async {
            file.seek(SeekFrom::Start(offset)).await?;
            file.write_all(&slot).await?;
            file.flush().await?;
            file.sync_data().await
        };
        written.await.map_err(|error| BusError::Write(format!("{}: {error}", self.path.display())))?;
        self.count = count;
        self.loaded = Some(position);
        Ok(())
    }
}

fn encode(count: u64, position: Position) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(SLOT_BYTES);
    for number in [count, position.epoch, position.seq] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let check = XxHash3_128::oneshot_with_seed(FORMAT, &bytes);
    bytes.extend_from_slice(&check.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<(u64, Position)> {
    let (fields, rest) = bytes.split_at_checked(FIELDS)?;
    let check = rest.first_chunk::<16>()?;
    if XxHash3_128::oneshot_with_seed(FORMAT, fields) != u128::from_le_bytes(*check) {
        return None;
    }
    let (count, fields) = fields.split_first_chunk::<8>()?;
    let (epoch, fields) = fields.split_first_chunk::<8>()?;
    let seq = fields.first_chunk::<8>()?;
    let position = Position { epoch: u64::from_le_bytes(*epoch), seq: u64::from_le_bytes(*seq) };
    Some((u64::from_le_bytes(*count), position))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seq: u64) -> Position {
        Position { epoch: 7, seq }
    }

    #[tokio::test]
    async fn the_last_position_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/applied");
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.load(), None);
        for seq in 1..=5 {
            journal.store(at(seq)).await.unwrap();
            assert_eq!(Journal::open(&path).unwrap().load(), Some(at(seq)));
        }
    }

    #[tokio::test]
    async fn a_torn_write_leaves_the_position_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("applied");
        let mut journal = Journal::open(&path).unwrap();
        journal.store(at(1)).await.unwrap();
        journal.store(at(2)).await.unwrap();
        let whole = std::fs::read(&path).unwrap();
        for place in 0..SLOT_BYTES {
            let mut torn = whole.clone();
            torn[place] ^= 0x40;
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(Journal::open(&path).unwrap().load(), Some(at(1)), "byte {place}");
        }
    }

    #[tokio::test]
    async fn the_slot_after_a_torn_one_is_not_overwritten_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("applied");
        let mut journal = Journal::open(&path).unwrap();
        journal.store(at(1)).await.unwrap();
        journal.store(at(2)).await.unwrap();
        let mut torn = std::fs::read(&path).unwrap();
        torn[0] ^= 1;
        std::fs::write(&path, &torn).unwrap();
        Journal::open(&path).unwrap().store(at(3)).await.unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[0] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(
            Journal::open(&path).unwrap().load(),
            Some(at(1)),
            "the good slot was kept while 3 was written"
        );
    }

    #[test]
    fn garbage_is_unknown_history_and_not_a_first_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("applied");
        for garbage in [&b"x"[..], &[0; SLOT_BYTES], &[0xff; 9000]] {
            std::fs::write(&path, garbage).unwrap();
            assert_eq!(Journal::open(&path).unwrap().load(), Some(Position::default()));
        }
    }

    #[tokio::test]
    async fn a_failed_write_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("applied");
        std::fs::write(&path, b"").unwrap();
        let mut journal = Journal::from_file(&path, File::open(&path).unwrap()).unwrap();
        assert!(matches!(journal.store(at(1)).await, Err(BusError::Write(_))));
        assert_eq!(journal.load(), None);
    }

    #[test]
    fn refuses_a_folder_and_says_which() {
        let folder = tempfile::tempdir().unwrap();
        let error = Journal::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&folder.path().display().to_string()), "{error}");
    }
}
