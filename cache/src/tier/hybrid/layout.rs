//! The disk tier's folder, made ready before foyer opens it.
//!
//! foyer takes its folder on trust: it keeps blocks of another size, waits for ever when no block is free, and can't be
//! told about a second process. So this locks the folder, fits the size to the disk, removes what another layout left
//! behind, and frees one block. It touches nothing in the folder but the lock and its own block folders.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use bytes::Buf as _;

/// Smallest disk tier, in bytes.
pub const DISK_BYTES_MIN: u64 = 16 * 1024 * 1024;

/// Bytes left free on the file system, whatever the configured size.
const FREE_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// Smallest block, in bytes. A block is what foyer evicts at once.
const BLOCK_BYTES_MIN: u64 = 1024 * 1024;
/// Blocks grow up to here before their number does, in bytes: the default for the largest cached body, and some.
const BLOCK_BYTES_USUAL_MAX: u64 = 68 * 1024 * 1024;
/// Largest block of all, in bytes: foyer counts offsets in 32 bits.
const BLOCK_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Blocks aimed at as a minimum: one eviction costs at most this share of the disk.
const BLOCKS_MIN: u64 = 16;
/// Blocks aimed at as a maximum: each is an open file.
const BLOCKS_MAX: u64 = 512;
/// Blocks without which there is no point.
const BLOCKS_USEFUL: u64 = 4;
/// Unit of foyer's offsets and length of its block index, in bytes.
const PAGE: u64 = 4096;
/// Bytes of a block's index that tell whether it is one.
const INDEX_HEAD: u64 = 8 + 4 + 8 + 8 + 4;
const LOCK: &str = "overfall.lock";
const BLOCKS_PREFIX: &str = "overfall-blocks-v1-";

/// A folder that foyer can open.
#[derive(Debug)]
pub(super) struct Layout {
    /// Where the block files are.
    pub(super) blocks: PathBuf,
    /// Bytes of one block.
    pub(super) block_bytes: u64,
    /// Bytes of all blocks.
    pub(super) bytes_max: u64,
    /// Bytes that the block files take already.
    pub(super) bytes: u64,
    /// Keeps other processes out; unlocked when dropped.
    pub(super) lock: File,
}

impl Layout {
    /// Makes a folder ready. Blocks the thread.
    ///
    /// # Errors
    /// A sentence for the operator when the folder can't be used.
    pub(super) fn prepare(root: &Path, bytes_max: u64) -> Result<Self, String> {
        if bytes_max < DISK_BYTES_MIN {
            return Err(format!("{bytes_max} bytes are too few, at least {DISK_BYTES_MIN} are needed"));
        }
        fs::create_dir_all(root).map_err(said("folder can't be created"))?;
        let lock = lock(root)?;
        let block_bytes = block_bytes(bytes_max);
        let blocks = root.join(format!("{BLOCKS_PREFIX}{block_bytes}"));
        remove_others(root, &blocks).map_err(said("blocks of another size can't be removed"))?;
        fs::create_dir_all(&blocks).map_err(said("block folder can't be created"))?;
        let bytes = allocated(&blocks).map_err(said("block folder can't be read"))?;
        let free = free_bytes(root).map_err(said("free space can't be told"))?;
        let fitting = bytes_max.min(free.saturating_add(bytes).saturating_sub(FREE_BYTES_MIN));
        let count = fitting / block_bytes;
        if count < BLOCKS_USEFUL {
            return Err(format!("only {free} bytes are free on its file system"));
        }
        make_room(&blocks, count).map_err(said("blocks can't be written"))?;
        let fitted = count.saturating_mul(block_bytes);
        if fitting < bytes_max {
            tracing::warn!(folder = %root.display(), bytes_max, fitted, "disk tier is smaller than configured: the disk is full");
        }
        Ok(Self { blocks, block_bytes, bytes_max: fitted, bytes: bytes.min(fitted), lock })
    }
}

/// Whether the file system still has room for writes. Blocks the thread.
pub(super) fn has_room(blocks: &Path) -> bool {
    free_bytes(blocks).is_ok_and(|free| free >= FREE_BYTES_MIN / 2)
}

fn said(what: &'static str) -> impl Fn(io::Error) -> String {
    move |error| format!("{what}: {error}")
}

fn lock(root: &Path) -> Result<File, String> {
    let path = root.join(LOCK);
    let opened = OpenOptions::new().create(true).write(true).truncate(false).open(path);
    let file = opened.map_err(said("lock file can't be written"))?;
    file.try_lock().map_err(|error| format!("another process has it: {error}"))?;
    Ok(file)
}

fn block_bytes(bytes_max: u64) -> u64 {
    let usual = (bytes_max / BLOCKS_MIN).clamp(BLOCK_BYTES_MIN, BLOCK_BYTES_USUAL_MAX);
    let wanted = usual.max(bytes_max / BLOCKS_MAX).min(BLOCK_BYTES_MAX);
    wanted - wanted % PAGE
}

/// Removes block folders of ours that have another block size: foyer would read their blocks wrongly.
fn remove_others(root: &Path, keep: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        let size = name.to_str().and_then(|name| name.strip_prefix(BLOCKS_PREFIX));
        let is_ours =
            size.is_some_and(|size| !size.is_empty() && size.bytes().all(|digit| digit.is_ascii_digit()));
        if is_ours && entry.path() != keep && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> io::Result<Vec<(PathBuf, fs::Metadata)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_file() {
            files.push((entry.path(), metadata));
        }
    }
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(files)
}

fn allocated(blocks: &Path) -> io::Result<u64> {
    let files = files(blocks)?;
    Ok(files.iter().fold(0, |sum, (_, file)| sum.saturating_add(file.blocks().saturating_mul(512))))
}

fn free_bytes(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Drops blocks past `count` and sees to it that foyer finds one without data: it only ever evicts on taking a free one.
fn make_room(blocks: &Path, count: u64) -> io::Result<()> {
    let mut kept = files(blocks)?;
    let surplus = kept.split_off(kept.len().min(usize::try_from(count).unwrap_or(usize::MAX)));
    for (path, _) in surplus {
        fs::remove_file(path)?;
    }
    if u64::try_from(kept.len()).unwrap_or(u64::MAX) < count {
        return Ok(());
    }
    let mut oldest: Option<(u64, PathBuf)> = None;
    for (path, _) in kept {
        let Some(sequence) = first_sequence(&path)? else { return free(&path) };
        if oldest.as_ref().is_none_or(|(least, _)| sequence < *least) {
            oldest = Some((sequence, path));
        }
    }
    oldest.map_or(Ok(()), |(_, path)| free(&path))
}

/// When the first entry of a block was written, as foyer counts; none when the block does not begin with an index:
/// checksum (8 bytes), entries (4), then for each its hash (8), sequence (8), offset (4) and length (4), big-endian.
fn first_sequence(block: &Path) -> io::Result<Option<u64>> {
    let mut head = Vec::new();
    File::open(block)?.take(INDEX_HEAD).read_to_end(&mut head)?;
    if head.len() < usize::try_from(INDEX_HEAD).unwrap_or(usize::MAX) {
        return Ok(None);
    }
    let mut head = head.as_slice();
    let (_checksum, entries) = (head.get_u64(), head.get_u32());
    let (_hash, sequence, offset) = (head.get_u64(), head.get_u64(), head.get_u32());
    Ok((entries > 0 && u64::from(offset) == PAGE).then_some(sequence))
}

/// Takes a block's index away, as foyer does to a block that it evicts.
fn free(block: &Path) -> io::Result<()> {
    let zeroes = [0; 4096];
    OpenOptions::new().write(true).open(block)?.write_all(&zeroes)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A block that begins with an index.
    fn index(sequence: u64) -> Vec<u8> {
        let mut bytes = vec![1; 8];
        bytes.extend(1_u32.to_be_bytes());
        bytes.extend(7_u64.to_be_bytes());
        bytes.extend(sequence.to_be_bytes());
        bytes.extend(4096_u32.to_be_bytes());
        bytes.resize(8192, 9);
        bytes
    }

    #[test]
    fn block_sizes_follow_the_disk() {
        for (disk, block) in [
            (DISK_BYTES_MIN, 1 << 20),
            (256 << 20, 16 << 20),
            (10 << 30, BLOCK_BYTES_USUAL_MAX),
            (100 << 30, 200 << 20),
            (u64::MAX, BLOCK_BYTES_MAX),
        ] {
            assert_eq!(block_bytes(disk), block, "{disk}");
        }
        for disk in (DISK_BYTES_MIN..DISK_BYTES_MIN + 100_000_000).step_by(777_777) {
            assert_eq!(block_bytes(disk) % PAGE, 0, "{disk}");
        }
    }

    #[test]
    fn the_oldest_of_full_blocks_is_freed() {
        let root = TempDir::new().unwrap();
        for (name, sequence) in [("a", 30), ("b", 10), ("c", 20)] {
            fs::write(root.path().join(name), index(sequence)).unwrap();
        }
        make_room(root.path(), 3).unwrap();
        let left = ["a", "b", "c"].map(|name| first_sequence(&root.path().join(name)).unwrap());
        assert_eq!(left, [Some(30), None, Some(20)]);
    }

    #[test]
    fn nothing_is_freed_while_a_block_is_free_or_missing() {
        let root = TempDir::new().unwrap();
        fs::write(root.path().join("a"), index(1)).unwrap();
        fs::write(root.path().join("b"), index(2)).unwrap();
        make_room(root.path(), 3).unwrap();
        fs::write(root.path().join("c"), vec![0; 8192]).unwrap();
        make_room(root.path(), 3).unwrap();
        let left = ["a", "b"].map(|name| first_sequence(&root.path().join(name)).unwrap());
        assert_eq!(left, [Some(1), Some(2)]);
    }

    #[test]
    fn blocks_past_the_bound_are_removed() {
        let root = TempDir::new().unwrap();
        for name in ["a", "b", "c"] {
            fs::write(root.path().join(name), index(1)).unwrap();
        }
        make_room(root.path(), 2).unwrap();
        assert_eq!(files(root.path()).unwrap().len(), 2);
        assert_eq!(first_sequence(&root.path().join("a")).unwrap(), None, "and one of the others is freed");
    }

    #[test]
    fn a_torn_block_counts_as_free() {
        let root = TempDir::new().unwrap();
        fs::write(root.path().join("a"), index(1)).unwrap();
        fs::write(root.path().join("b"), b"torn").unwrap();
        make_room(root.path(), 2).unwrap();
        assert_eq!(first_sequence(&root.path().join("a")).unwrap(), Some(1));
    }
}
