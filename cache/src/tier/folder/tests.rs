//! What the folder keeps, refuses and removes.

use std::fs as disk;

use tempfile::TempDir;

use super::*;
use crate::tier::testing::{body, key, stored};

async fn open(root: &TempDir) -> Arc<Folder> {
    let folder = Folder::open(root.path(), 10 << 20, &Budget::new(1 << 30)).unwrap();
    folder.space.settled().await;
    folder
}

impl Space {
    /// Waits for the sweep that opening began.
    async fn settled(&self) {
        drop(self.is_counted.subscribe().wait_for(|is_counted| *is_counted).await.unwrap());
    }
}

async fn put(folder: &Folder, target: &str, body: impl Into<Bytes>) -> PathBuf {
    let stored = stored(target, body);
    let hash = stored.key.hash();
    folder.put(hash, stored);
    folder.flush().await;
    folder.space.path(hash)
}

async fn get(folder: &Folder, target: &str) -> Result<Option<Bytes>, TierError> {
    let key = key(target);
    Ok(folder.get(&key, key.hash()).await?.map(|stored| stored.body.clone()))
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[tokio::test]
async fn what_was_put_is_found_also_by_another_node() {
    let root = TempDir::new().unwrap();
    let (one, two) = (open(&root).await, open(&root).await);
    put(&one, "/a", "hello").await;
    assert_eq!(get(&two, "/a").await, Ok(Some(Bytes::from_static(b"hello"))));
    assert_eq!((count(&one.counters().written), count(&two.counters().hits)), (1, 1));
}

#[tokio::test]
async fn the_last_put_wins_and_is_counted_once() {
    let root = TempDir::new().unwrap();
    let folder = open(&root).await;
    put(&folder, "/a", vec![1; 5000]).await;
    let path = put(&folder, "/a", "hello").await;
    assert_eq!(get(&folder, "/a").await, Ok(Some(Bytes::from_static(b"hello"))));
    assert_eq!(folder.bytes(), disk::metadata(path).unwrap().len());
}

#[tokio::test]
async fn an_absent_response_is_none() {
    let root = TempDir::new().unwrap();
    let folder = open(&root).await;
    assert_eq!(get(&folder, "/a").await, Ok(None));
    assert_eq!(count(&folder.counters().misses), 1);
}

#[tokio::test]
async fn another_key_in_the_slot_is_none() {
    let root = TempDir::new().unwrap();
    let folder = open(&root).await;
    folder.put(key("/b").hash(), stored("/a", "hello"));
    folder.flush().await;
    assert_eq!(get(&folder, "/b").await, Ok(None));
}

#[tokio::test]
async fn a_changed_file_is_corrupt() {
    let root = TempDir::new().unwrap();
    let folder = open(&root).await;
    let path = put(&folder, "/a", "hello").await;
    let sound = disk::read(&path).unwrap();
    let cut = sound[..sound.len() / 2].to_vec();
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 1;
    let zeroed = vec![0; sound.len()];
    for broken in [cut, flipped, zeroed, Vec::new(), b"junk".to_vec()] {
        disk::write(&path, &broken).unwrap();
        let found = get(&folder, "/a").await;
        assert!(matches!(found, Err(TierError::Corrupt(_))), "{found:?}");
    }
    assert_eq!(count(&folder.counters().corrupt), 5);
}

#[tokio::test]
async fn a_folder_in_place_of_a_file_is_a_failure() {
    let root = TempDir::new().unwrap();
    let folder = open(&root).await;
    disk::create_dir_all(folder.space.path(key("/a").hash())).unwrap();
    let found = get(&folder, "/a").await;
    assert!(matches!(found, Err(TierError::Io(_))), "{found:?}");
    put(&folder, "/a", "hello").await;
    assert_eq!(count(&folder.counters().refused), 1);
}

#[tokio::test]
async fn the_oldest_are_removed_past_the_bound() {
    let root = TempDir::new().unwrap();
    let folder = open(&root).await;
    for n in 0..10_u32 {
        let path = put(&folder, &format!("/{n}"), body(n.into(), 1 << 20)).await;
        // the tenth takes the bytes over the bound, so ages must stand before it
        if let Ok(file) = disk::File::open(path) {
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1000 - u64::from(n))).unwrap();
        }
    }
    let kept: Vec<u32> = {
        let mut kept = Vec::new();
        for n in 0..10_u32 {
            if get(&folder, &format!("/{n}")).await.unwrap().is_some() {
                kept.push(n);
            }
        }
        kept
    };
    assert!(folder.bytes() <= 10 << 20, "{} bytes are left", folder.bytes());
    assert!(kept.contains(&9), "the newest must stay: {kept:?}");
    assert!(!kept.contains(&8), "the oldest by its date must go: {kept:?}");
    assert!(kept.len() >= 8, "{kept:?}");
}

#[tokio::test]
async fn reopening_counts_what_is_there() {
    let root = TempDir::new().unwrap();
    let folder = open(&root).await;
    put(&folder, "/a", vec![1; 5000]).await;
    let bytes = folder.bytes();
    drop(folder);
    assert_eq!(open(&root).await.bytes(), bytes);
}

#[tokio::test]
async fn a_smaller_bound_is_met_on_opening() {
    let root = TempDir::new().unwrap();
    let folder = open(&root).await;
    for n in 0..5 {
        put(&folder, &format!("/{n}"), vec![1; 100_000]).await;
    }
    drop(folder);
    let folder = Folder::open(root.path(), 250_000, &Budget::new(1 << 30)).unwrap();
    folder.space.settled().await;
    assert!(folder.bytes() <= 250_000, "{} bytes are left", folder.bytes());
}

#[tokio::test]
async fn a_response_larger_than_the_folder_is_dropped() {
    let root = TempDir::new().unwrap();
    let folder = Folder::open(root.path(), 10_000, &Budget::new(1 << 30)).unwrap();
    put(&folder, "/a", vec![1; 20_000]).await;
    assert_eq!((count(&folder.counters().dropped), get(&folder, "/a").await), (1, Ok(None)));
}

#[tokio::test]
async fn a_folder_that_was_removed_is_a_miss_and_made_again() {
    let root = TempDir::new().unwrap();
    let folder = open(&root).await;
    put(&folder, "/a", "hello").await;
    disk::remove_dir_all(root.path()).unwrap();
    assert_eq!(get(&folder, "/a").await, Ok(None));
    put(&folder, "/a", "again").await;
    assert_eq!(get(&folder, "/a").await, Ok(Some(Bytes::from_static(b"again"))));
}

#[tokio::test]
async fn old_drafts_go_and_foreign_files_stay() {
    let root = TempDir::new().unwrap();
    let folder = open(&root).await;
    let path = put(&folder, "/a", "hello").await;
    let (old, young) = (path.with_extension("1.draft"), path.with_extension("2.draft"));
    let foreign = [root.path().join("notes.txt"), path.with_file_name("notes.txt")];
    for file in [&old, &young].into_iter().chain(&foreign) {
        disk::write(file, "x").unwrap();
    }
    disk::File::open(&old).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    folder.space.sweep(true).await.unwrap();
    assert_eq!((old.exists(), young.exists()), (false, true));
    assert!(foreign.iter().all(|file| file.exists()));
}

#[tokio::test]
async fn a_file_in_place_of_the_folder_is_refused() {
    let root = TempDir::new().unwrap();
    let path = root.path().join("file");
    disk::write(&path, "x").unwrap();
    assert!(matches!(Folder::open(&path, 1 << 20, &Budget::new(1 << 30)), Err(TierError::Io(_))));
}
