//! Memory and disk: what is found again, and what a broken disk may do.

use std::{fs, os::unix::fs::FileExt as _, path::PathBuf, sync::atomic::AtomicU64, time::Duration};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::tier::testing::{body, key, stored};

mod harm;
mod memory;

const MEMORY: u64 = 8 << 20;
/// Enough for the queue in front of the disk, which is a part of it.
const MEMORY_BESIDE_DISK: u64 = 256 << 20;
const DISK: u64 = 16 << 20;

async fn open(path: &Path) -> Arc<Hybrid> {
    open_with(path, DISK).await
}

async fn open_with(path: &Path, bytes_max: u64) -> Arc<Hybrid> {
    // a busy machine must not turn hits into misses here
    let hybrid = Hybrid::open_with(MEMORY_BESIDE_DISK, Some((path, bytes_max)), Duration::from_secs(30))
        .await
        .unwrap();
    assert_eq!(*hybrid.disk_state(), DiskState::Ready);
    hybrid
}

fn insert(hybrid: &Hybrid, target: &str, body: impl Into<Bytes>) {
    let stored = stored(target, body);
    hybrid.insert(stored.key.hash(), stored);
}

fn remembered(hybrid: &Hybrid, target: &str) -> Option<Bytes> {
    let key = key(target);
    hybrid.memory(&key, key.hash()).map(|stored| stored.body.clone())
}

async fn get(hybrid: &Hybrid, target: &str) -> Result<Option<Bytes>, TierError> {
    let key = key(target);
    Ok(hybrid.get(&key, key.hash()).await?.map(|stored| stored.body.clone()))
}

async fn flush(hybrid: &Hybrid) {
    timeout(Duration::from_secs(30), hybrid.flush()).await.unwrap();
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The block files of a disk folder.
fn blocks(root: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let mut files: Vec<PathBuf> =
        folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())).collect();
    files.sort();
    files
}

/// Whether a block holds anything.
fn is_used(block: &Path) -> bool {
    fs::read(block).unwrap().iter().take(4096).any(|byte| *byte != 0)
}

#[tokio::test]
async fn memory_answers_at_once() {
    let hybrid = Hybrid::open(MEMORY, None).await.unwrap();
    insert(&hybrid, "/a", "hello");
    assert_eq!(remembered(&hybrid, "/a"), Some(Bytes::from_static(b"hello")));
    assert_eq!(remembered(&hybrid, "/b"), None);
    assert_eq!((count(&hybrid.counters().memory.hits), count(&hybrid.counters().memory.misses)), (1, 1));
    assert_eq!(hybrid.usage().memory_entries, 1);
}

#[tokio::test]
async fn memory_compares_the_whole_key() {
    let hybrid = Hybrid::open(MEMORY, None).await.unwrap();
    hybrid.insert(key("/b").hash(), stored("/a", "hello"));
    assert_eq!(remembered(&hybrid, "/b"), None);
}

#[tokio::test]
async fn memory_stays_within_its_budget() {
    let hybrid = Hybrid::open(MEMORY, None).await.unwrap();
    for n in 0..200 {
        insert(&hybrid, &format!("/{n}"), body(n, 100_000));
    }
    let usage = hybrid.usage();
    assert!(usage.memory_bytes <= MEMORY, "{usage:?}");
    assert!(usage.memory_bytes > MEMORY / 2, "{usage:?}");
}

#[tokio::test]
async fn a_response_too_large_for_memory_replaces_the_smaller_one_there() {
    let hybrid = Hybrid::open(MEMORY, None).await.unwrap();
    insert(&hybrid, "/a", "old");
    insert(&hybrid, "/a", body(1, 5 << 20));
    assert_eq!(remembered(&hybrid, "/a"), None);
}

#[tokio::test]
async fn without_a_disk_there_is_a_miss_and_nothing_waits() {
    let hybrid = Hybrid::open(MEMORY, None).await.unwrap();
    insert(&hybrid, "/a", "hello");
    assert_eq!(get(&hybrid, "/a").await, Ok(None));
    assert_eq!((hybrid.has_disk(), hybrid.disk_state()), (false, &DiskState::Off));
    flush(&hybrid).await;
    hybrid.close().await;
}

#[tokio::test]
async fn no_memory_is_an_error() {
    assert!(matches!(Hybrid::open(1000, None).await, Err(TierError::Io(_))));
}

#[tokio::test]
async fn a_clean_restart_finds_what_was_inserted_and_moves_it_up() {
    let root = TempDir::new().unwrap();
    let hybrid = open(root.path()).await;
    for n in 0..50 {
        insert(&hybrid, &format!("/{n}"), body(n, 3000));
    }
    hybrid.close().await;
    drop(hybrid);
    let hybrid = open(root.path()).await;
    for n in 0..50 {
        assert_eq!(get(&hybrid, &format!("/{n}")).await, Ok(Some(body(n, 3000))), "/{n}");
        assert_eq!(remembered(&hybrid, &format!("/{n}")), Some(body(n, 3000)), "/{n}");
    }
    assert_eq!(count(&hybrid.counters().disk.hits), 50);
    assert!(hybrid.usage().disk_bytes >= 50 * 4096, "{:?}", hybrid.usage());
}

#[tokio::test]
async fn a_killed_process_leaves_what_it_had_written() {
    let (root, copied) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let hybrid = open(root.path()).await;
    for n in 0..50 {
        insert(&hybrid, &format!("/{n}"), body(n, 30_000));
    }
    flush(&hybrid).await;
    // what a kill would leave: the files as they are, nothing closed
    copy(root.path(), copied.path());
    let after = open(copied.path()).await;
    for n in 0..50 {
        assert_eq!(get(&after, &format!("/{n}")).await, Ok(Some(body(n, 30_000))), "/{n}");
    }
}

#[tokio::test]
async fn thousands_of_responses_are_found_soon_after_a_restart() {
    let root = TempDir::new().unwrap();
    let hybrid = open_with(root.path(), 64 << 20).await;
    for n in 0..6000 {
        insert(&hybrid, &format!("/{n}"), body(n, 500));
        if n % 1000 == 999 {
            flush(&hybrid).await;
        }
    }
    hybrid.close().await;
    drop(hybrid);
    let began = tokio::time::Instant::now();
    let hybrid = open_with(root.path(), 64 << 20).await;
    assert_eq!(get(&hybrid, "/7").await, Ok(Some(body(7, 500))));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?} until the first hit", began.elapsed());
    for n in 0..6000 {
        assert_eq!(get(&hybrid, &format!("/{n}")).await, Ok(Some(body(n, 500))), "/{n}");
    }
}

#[tokio::test]
async fn a_killed_process_can_go_on_writing_next_time() {
    let (root, copied) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let hybrid = open(root.path()).await;
    insert(&hybrid, "/a", "first");
    flush(&hybrid).await;
    copy(root.path(), copied.path());
    let after = open(copied.path()).await;
    insert(&after, "/b", "second");
    after.close().await;
    drop(after);
    let again = open(copied.path()).await;
    assert_eq!(get(&again, "/a").await, Ok(Some(Bytes::from_static(b"first"))));
    assert_eq!(get(&again, "/b").await, Ok(Some(Bytes::from_static(b"second"))));
}

#[tokio::test]
async fn the_newer_response_survives_a_restart() {
    let root = TempDir::new().unwrap();
    let hybrid = open(root.path()).await;
    for version in 0..20 {
        insert(&hybrid, "/a", body(version, 2000));
        flush(&hybrid).await;
    }
    drop(hybrid);
    assert_eq!(get(open(root.path()).await.as_ref(), "/a").await, Ok(Some(body(19, 2000))));
}

#[tokio::test]
async fn a_burst_is_written_whole() {
    let root = TempDir::new().unwrap();
    let hybrid = open_with(root.path(), 64 << 20).await;
    for n in 0..1500 {
        insert(&hybrid, &format!("/small/{n}"), body(n, 100));
    }
    for n in 0..12 {
        insert(&hybrid, &format!("/large/{n}"), body(n, 2 << 20));
    }
    flush(&hybrid).await;
    let counters = &hybrid.counters().disk;
    assert_eq!((count(&counters.written), count(&counters.dropped)), (1512, 0));
    drop(hybrid);
    let hybrid = open_with(root.path(), 64 << 20).await;
    for n in 0..1500 {
        assert_eq!(get(&hybrid, &format!("/small/{n}")).await, Ok(Some(body(n, 100))), "/small/{n}");
    }
    for n in 0..12 {
        assert_eq!(get(&hybrid, &format!("/large/{n}")).await, Ok(Some(body(n, 2 << 20))), "/large/{n}");
    }
}

#[tokio::test]
async fn the_largest_record_of_a_block_is_kept_and_a_larger_one_is_counted() {
    let root = TempDir::new().unwrap();
    let hybrid = open(root.path()).await;
    insert(&hybrid, "/fits", body(1, (1 << 20) - 16_384));
    insert(&hybrid, "/over", body(2, 1 << 20));
    flush(&hybrid).await;
    assert_eq!((count(&hybrid.counters().disk.written), count(&hybrid.counters().disk.dropped)), (1, 1));
    drop(hybrid);
    let hybrid = open(root.path()).await;
    assert_eq!(get(&hybrid, "/fits").await, Ok(Some(body(1, (1 << 20) - 16_384))));
    assert_eq!(get(&hybrid, "/over").await, Ok(None));
}

#[tokio::test]
async fn the_same_response_is_not_written_twice() {
    let root = TempDir::new().unwrap();
    let hybrid = open(root.path()).await;
    let response = stored("/a", "hello");
    hybrid.insert(response.key.hash(), Arc::clone(&response));
    hybrid.insert(response.key.hash(), response);
    flush(&hybrid).await;
    assert_eq!(count(&hybrid.counters().disk.written), 1);
}

#[tokio::test]
async fn another_key_in_the_slot_is_a_miss() {
    let root = TempDir::new().unwrap();
    let hybrid = open(root.path()).await;
    hybrid.insert(key("/b").hash(), stored("/a", "hello"));
    flush(&hybrid).await;
    assert_eq!(get(&hybrid, "/b").await, Ok(None));
    drop(hybrid);
    assert_eq!(get(open(root.path()).await.as_ref(), "/b").await, Ok(None));
}

/// Fills every block that foyer fills by itself.
async fn full(root: &Path) {
    let hybrid = open(root).await;
    for n in 0..60 {
        insert(&hybrid, &format!("/{n}"), body(n, 500_000));
        flush(&hybrid).await;
    }
    hybrid.close().await;
}

#[tokio::test]
async fn the_disk_stays_within_its_bound_and_keeps_the_newest() {
    let root = TempDir::new().unwrap();
    full(root.path()).await;
    let bytes: u64 = blocks(root.path()).iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(bytes <= DISK, "{bytes} bytes");
    let hybrid = open(root.path()).await;
    assert_eq!(get(&hybrid, "/59").await, Ok(Some(body(59, 500_000))));
    assert_eq!(get(&hybrid, "/0").await, Ok(None));
}

#[tokio::test]
async fn a_disk_without_a_free_block_takes_writes_after_a_restart() {
    let root = TempDir::new().unwrap();
    full(root.path()).await;
    // a process killed at the wrong moment leaves this
    let files = blocks(root.path());
    let used = files.iter().find(|file| is_used(file)).unwrap().clone();
    for file in files.iter().filter(|file| !is_used(file)) {
        fs::copy(&used, file).unwrap();
    }
    let hybrid = open(root.path()).await;
    insert(&hybrid, "/new", "hello");
    flush(&hybrid).await;
    drop(hybrid);
    assert_eq!(get(open(root.path()).await.as_ref(), "/new").await, Ok(Some(Bytes::from_static(b"hello"))));
}

#[tokio::test]
async fn another_block_size_begins_anew_and_leaves_nothing_behind() {
    let root = TempDir::new().unwrap();
    let hybrid = open(root.path()).await;
    insert(&hybrid, "/a", "hello");
    hybrid.close().await;
    drop(hybrid);
    let hybrid = open_with(root.path(), 64 << 20).await;
    assert_eq!(get(&hybrid, "/a").await, Ok(None));
    let folders = fs::read_dir(root.path()).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(folders.count(), 1);
}

#[tokio::test]
async fn a_disk_that_hangs_is_a_timeout() {
    let root = TempDir::new().unwrap();
    let hybrid = Hybrid::open(MEMORY, Some((root.path(), DISK))).await.unwrap();
    insert(&hybrid, "/a", "hello");
    flush(&hybrid).await;
    let permits = hybrid.disk.as_ref().unwrap().hang().await;
    let found = get(&hybrid, "/a").await;
    assert_eq!(found, Err(TierError::Timeout { ms: 250 }));
    assert_eq!(count(&hybrid.counters().disk.failures), 1);
    drop(permits);
    drop(hybrid);
    assert_eq!(get(open(root.path()).await.as_ref(), "/a").await, Ok(Some(Bytes::from_static(b"hello"))));
}

async fn unusable(path: &Path, bytes_max: u64) -> String {
    let hybrid = Hybrid::open(MEMORY, Some((path, bytes_max))).await.unwrap();
    insert(&hybrid, "/a", "hello");
    assert_eq!(remembered(&hybrid, "/a"), Some(Bytes::from_static(b"hello")), "memory must work");
    assert_eq!(get(&hybrid, "/a").await, Ok(None));
    flush(&hybrid).await;
    hybrid.close().await;
    match hybrid.disk_state() {
        DiskState::Unusable(reason) => reason.clone(),
        state => panic!("{state:?}"),
    }
}

#[tokio::test]
async fn a_file_in_place_of_the_folder_leaves_memory_alone() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("file");
    fs::write(&path, "x").unwrap();
    let reason = unusable(&path, DISK).await;
    assert!(reason.starts_with("folder can't be created"), "{reason}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_leaves_memory_alone() {
    let reason = unusable(Path::new("/proc/overfall"), DISK).await;
    assert!(reason.starts_with("folder can't be created"), "{reason}");
}

#[tokio::test]
async fn a_disk_too_small_leaves_memory_alone() {
    let root = TempDir::new().unwrap();
    let reason = unusable(root.path(), 1 << 20).await;
    assert!(reason.contains("too few"), "{reason}");
}

#[tokio::test]
async fn a_folder_in_use_leaves_memory_alone() {
    let root = TempDir::new().unwrap();
    let first = open(root.path()).await;
    let reason = unusable(root.path(), DISK).await;
    assert!(reason.starts_with("another process has it"), "{reason}");
    insert(&first, "/a", "hello");
    flush(&first).await;
    assert_eq!(get(&first, "/a").await, Ok(Some(Bytes::from_static(b"hello"))));
}

#[tokio::test]
async fn a_folder_in_place_of_a_block_leaves_memory_alone() {
    let root = TempDir::new().unwrap();
    drop(open(root.path()).await);
    let block = blocks(root.path()).first().unwrap().clone();
    fs::remove_file(&block).unwrap();
    fs::create_dir(&block).unwrap();
    unusable(root.path(), DISK).await;
}
