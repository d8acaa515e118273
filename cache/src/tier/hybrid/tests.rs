//! What is found again after a restart, and what harm on the disk does.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::{fs, path::Path, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::Hybrid;
use crate::{
    clock::Millis,
    key::Key,
    stored::{Lifetime, Position, ResponseHead, Scopes, Stored, StoredRef},
    tier::Tier as _,
};

const DISK_BYTES: u64 = 32 << 20;

fn response(number: usize) -> StoredRef {
    let body: Vec<u8> = (0..10_000).map(|i| u8::try_from((i * 7 + number) % 251).unwrap()).collect();
    Arc::new(Stored {
        key: Key {
            site: "s".to_owned(),
            host: "h.example".to_owned(),
            target: format!("/{number}"),
            variant: String::new(),
        },
        head: ResponseHead { status: StatusCode::OK, headers: HeaderMap::new() },
        body: Bytes::from(body),
        lifetime: Lifetime {
            received: Millis(1),
            initial_age_ms: 0,
            fresh_ms: 1000,
            stale_while_revalidate_ms: 0,
            stale_if_error_ms: 0,
            always_validate: false,
            never_stale: false,
        },
        position: Position::default(),
        scopes: Scopes::default(),
        vary: Vec::new(),
        is_vary_marker: false,
    })
}

async fn open(path: &Path) -> Arc<Hybrid> {
    Hybrid::open(8 << 20, Some((path, DISK_BYTES))).await.unwrap()
}

async fn fill(tiers: &Hybrid, count: usize) {
    for number in 0..count {
        let stored = response(number);
        tiers.insert(stored.key.hash(), stored);
    }
    tiers.flush().await;
}

/// How many of the first `count` responses the disk gives; every one given must be whole and right.
async fn found(tiers: &Hybrid, count: usize) -> usize {
    let mut found = 0;
    for number in 0..count {
        let wanted = response(number);
        if let Ok(Some(stored)) = tiers.get(&wanted.key, wanted.key.hash()).await {
            assert_eq!(stored.body, wanted.body, "response {number}");
            found += 1;
        }
    }
    found
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_gives_what_was_inserted_and_compares_the_whole_key() {
    let tiers = Hybrid::open(1 << 20, None).await.unwrap();
    let stored = response(1);
    let hash = stored.key.hash();
    tiers.insert(hash, Arc::clone(&stored));
    assert!(tiers.memory(&stored.key, hash).is_some());
    assert!(tiers.memory(&response(2).key, hash).is_none(), "the slot holds another key");
    assert!(!tiers.has_disk());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_disk_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let tiers = open(dir.path()).await;
    fill(&tiers, 50).await;
    tiers.close().await;
    drop(tiers);
    assert_eq!(found(open(dir.path()).await.as_ref(), 50).await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_flushed_survives_the_end_of_the_process() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tiers = open(dir.path()).await;
    fill(&tiers, 50).await;
    // what the disk holds at this moment is what a kill leaves behind
    copy_tree(dir.path(), copy.path());
    assert_eq!(found(open(copy.path()).await.as_ref(), 50).await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn harm_on_the_disk_is_a_miss_and_never_a_wrong_byte() {
    for harm in [0x01_u8, 0xff] {
        let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let tiers = open(dir.path()).await;
        fill(&tiers, 50).await;
        copy_tree(dir.path(), copy.path());
        for entry in fs::read_dir(copy.path()).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            for byte in bytes.iter_mut().skip(8192).step_by(30_011) {
                *byte ^= harm;
            }
            fs::write(&path, bytes).unwrap();
        }
        let kept = found(open(copy.path()).await.as_ref(), 50).await;
        assert!(kept < 50, "the harm must have hit something, kept {kept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_in_the_folder_does_not_stop_the_node() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("foyer-storage-direct-fs-00000000"), b"junk").unwrap();
    fs::write(dir.path().join("README"), b"not a cache").unwrap();
    let tiers = open(dir.path()).await;
    fill(&tiers, 5).await;
    assert_eq!(found(&tiers, 5).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_disk_leaves_a_memory_only_node() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"in the way").unwrap();
    let tiers = open(&file).await;
    assert!(!tiers.has_disk());
    let stored = response(1);
    tiers.insert(stored.key.hash(), Arc::clone(&stored));
    assert!(tiers.memory(&stored.key, stored.key.hash()).is_some());
}
