//! Files harmed at rest and while they are in use: a miss, never a wrong byte.

use super::*;

/// Objects on the disk that is harmed.
const OBJECTS: u64 = 40;
const LENGTH: usize = 20_000;
const PAGE: usize = 4096;
/// Kinds of harm.
const KINDS: u64 = 10;
/// Every kind at several places.
const ROUNDS: u64 = 4 * KINDS;

#[tokio::test]
async fn harmed_blocks_never_give_a_wrong_byte() {
    let root = TempDir::new().unwrap();
    let hybrid = open(root.path()).await;
    for n in 0..OBJECTS {
        insert(&hybrid, &format!("/{n}"), body(n, LENGTH));
    }
    hybrid.close().await;
    drop(hybrid);
    let used: Vec<PathBuf> = blocks(root.path()).into_iter().filter(|file| is_used(file)).collect();
    let mut lost = vec![0; usize::try_from(KINDS).unwrap()];
    for round in 0..ROUNDS {
        let copied = TempDir::new().unwrap();
        copy(root.path(), copied.path());
        let is_used = |file: &PathBuf| used.iter().any(|used| used.file_name() == file.file_name());
        let files: Vec<PathBuf> = blocks(copied.path()).into_iter().filter(is_used).collect();
        harm(&files, round);
        let hybrid = open(copied.path()).await;
        for n in 0..OBJECTS {
            match get(&hybrid, &format!("/{n}")).await {
                Ok(Some(found)) => assert_eq!(found, body(n, LENGTH), "round {round}, /{n}"),
                Ok(None) | Err(TierError::Corrupt(_) | TierError::Io(_) | TierError::Skipped) => {
                    lost[usize::try_from(round % KINDS).unwrap()] += 1;
                }
                Err(error @ TierError::Timeout { .. }) => panic!("round {round}, /{n}: {error}"),
            }
        }
        insert(&hybrid, "/after", "it takes writes");
        flush(&hybrid).await;
        assert_eq!(
            get(&hybrid, "/after").await.ok().flatten().unwrap_or_default(),
            "it takes writes",
            "round {round}"
        );
    }
    assert!(lost.iter().filter(|lost| **lost > 0).count() >= 9, "the harm must be felt: {lost:?}");
}

/// Harms files as disks, kernels and people do. What is harmed follows from the round alone.
fn harm(files: &[PathBuf], round: u64) {
    let noise = body(round, 64 * 1024);
    for (number, path) in files.iter().enumerate() {
        let at = |n: usize| usize::from_le_bytes(noise[16 * number + 8 * n..][..8].try_into().unwrap());
        let mut bytes = fs::read(path).unwrap();
        let place = at(0) % 800_000;
        let (page, other) = (at(0) % 190 * PAGE, at(1) % 190 * PAGE);
        match round % KINDS {
            // flipped bits
            0 => (0..200).for_each(|n| bytes[(place + n * 3989) % 800_000] ^= 1 << (n % 8)),
            // zeroed
            1 => bytes[place..place + 50_000].fill(0),
            // cut
            2 => bytes.truncate(place),
            // torn: an older page in place of a newer one
            3 => bytes.copy_within(place..place + 100_000, 4096),
            // overwritten with noise
            4 => bytes[place..place + 5000].copy_from_slice(&noise[..5000]),
            // the index lost
            5 => bytes[..PAGE].fill(0xff),
            // two pages swapped, many times
            6 => (0..40).for_each(|n| {
                let (a, b) = ((page + n * 5 * PAGE) % (190 * PAGE), (other + n * 3 * PAGE) % (190 * PAGE));
                let first = bytes[a..a + PAGE].to_vec();
                bytes.copy_within(b..b + PAGE, a);
                bytes[b..b + PAGE].copy_from_slice(&first);
            }),
            // longer than a block
            7 => bytes.extend_from_slice(&noise),
            // gone
            8 => return fs::remove_file(path).unwrap(),
            // another block's bytes
            _ => bytes = fs::read(&files[(number + 1) % files.len()]).unwrap().into_iter().rev().collect(),
        }
        fs::write(path, bytes).unwrap();
    }
}

#[tokio::test]
async fn harm_while_running_is_a_counted_miss() {
    let root = TempDir::new().unwrap();
    let hybrid = open(root.path()).await;
    insert(&hybrid, "/a", body(1, 20_000));
    flush(&hybrid).await;
    for file in blocks(root.path()) {
        let file = fs::OpenOptions::new().write(true).open(file).unwrap();
        file.write_all_at(&[0; 4096], 12_288).unwrap();
    }
    let found = get(&hybrid, "/a").await;
    assert!(matches!(found, Err(TierError::Corrupt(_))), "{found:?}");
    assert_eq!((count(&hybrid.counters().disk.corrupt), count(&hybrid.counters().disk_failures)), (1, 1));
    assert_eq!(get(&hybrid, "/a").await, Ok(None), "it is forgotten then");
}

#[tokio::test]
async fn files_cut_or_removed_while_running_are_misses() {
    let root = TempDir::new().unwrap();
    let hybrid = open(root.path()).await;
    for n in 0..4 {
        insert(&hybrid, &format!("/{n}"), body(n, LENGTH));
    }
    flush(&hybrid).await;
    for file in blocks(root.path()) {
        fs::OpenOptions::new().write(true).open(file).unwrap().set_len(10).unwrap();
    }
    for n in 0..4 {
        let found = get(&hybrid, &format!("/{n}")).await;
        assert!(matches!(found, Ok(None) | Err(_)), "{found:?}");
    }
    fs::remove_dir_all(root.path()).unwrap();
    insert(&hybrid, "/b", "hello");
    assert_eq!(remembered(&hybrid, "/b"), Some(Bytes::from_static(b"hello")), "memory goes on");
    flush(&hybrid).await;
    hybrid.close().await;
    drop(hybrid);
    let again = open(root.path()).await;
    assert_eq!(get(&again, "/b").await, Ok(None), "a new folder, and it is empty");
}

#[tokio::test]
async fn junk_in_the_folder_is_neither_touched_nor_a_hindrance() {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join("notes.txt"), "mine").unwrap();
    fs::create_dir(root.path().join("overfall-blocks-v1-mine")).unwrap();
    let hybrid = open(root.path()).await;
    insert(&hybrid, "/a", "hello");
    hybrid.close().await;
    assert_eq!(fs::read(root.path().join("notes.txt")).unwrap(), b"mine");
    assert!(root.path().join("overfall-blocks-v1-mine").is_dir());
}

#[tokio::test]
async fn blocks_full_of_junk_are_an_empty_disk() {
    let root = TempDir::new().unwrap();
    drop(open(root.path()).await);
    for (n, file) in (0..).zip(blocks(root.path())) {
        fs::write(file, body(n, 1 << 20)).unwrap();
    }
    let hybrid = open(root.path()).await;
    insert(&hybrid, "/a", "hello");
    hybrid.close().await;
    drop(hybrid);
    assert_eq!(get(open(root.path()).await.as_ref(), "/a").await, Ok(Some(Bytes::from_static(b"hello"))));
}
