//! The fuzz targets on stable: each over its committed corpus, and over mutations of it by seeded chance.
//!
//! What the fuzzer finds is added to the corpus, and so stays found.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    time::Duration,
};

use overfall_test_support::{Dice, dice::seed};
use tokio::time::Instant;

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the fuzzer's crate includes it as well")]
mod targets;

use targets::{TARGETS, Target};

/// Mutations of one target; fewer when they take longer than a moment.
const MUTATIONS: u64 = 40_000;
const MOMENT: Duration = Duration::from_secs(2);
/// A corpus has some tens of files.
const FILES_MIN: usize = 10;
/// Longest input that mutation makes, in bytes.
const BYTES_MAX: usize = 4096;

/// The files of a corpus, sorted by name.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn holds((name, target): Target, data: &[u8], of: &str) {
    if catch_unwind(AssertUnwindSafe(|| target(data))).is_err() {
        panic!("{name} breaks on {of}: {}", data.escape_ascii());
    }
}

#[test]
fn every_corpus_holds() {
    for target in TARGETS {
        let files = corpus(target.0);
        assert!(files.len() >= FILES_MIN, "{} has {} files", target.0, files.len());
        for (file, data) in files {
            holds(target, &data, &file);
        }
    }
}

/// Changes an input a little: bits, bytes, pieces of itself and of others.
fn mutate(dice: &mut Dice, files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let other = |dice: &mut Dice| files[dice.place(files.len())].1.clone();
    let mut data = other(dice);
    for _ in 0..1 + dice.below(4) {
        let place = dice.place(data.len() + 1);
        match dice.below(6) {
            0 if place < data.len() => data[place] ^= 1 << dice.below(8),
            1 if place < data.len() => drop(data.remove(place)),
            2 => data.insert(place, dice.one_of(b"\0\r\n\t ,;:=\"\\%/?&#-*()09azAZ\x7f\x80\xff")),
            3 => data.truncate(place),
            4 => {
                let from = other(dice);
                let start = dice.place(from.len());
                let piece = from.into_iter().skip(start).take(1 + dice.place(20));
                data.splice(place..place, piece);
            }
            _ => {
                let piece: Vec<u8> = data.iter().skip(place).take(1 + dice.place(20)).copied().collect();
                let repeated = piece.repeat(1 + dice.place(4));
                data.splice(place..place, repeated);
            }
        }
    }
    data.truncate(BYTES_MAX);
    data
}

#[test]
fn mutations_of_every_corpus_hold() {
    let seed = seed(20_260_103);
    for target in TARGETS {
        let files = corpus(target.0);
        let mut dice = Dice::of(seed, target.0);
        let began = Instant::now();
        let mut done = 0;
        while done < MUTATIONS && began.elapsed() < MOMENT {
            let data = mutate(&mut dice, &files);
            holds(target, &data, &format!("mutation {done} of seed {seed}"));
            done += 1;
        }
        assert!(done > MUTATIONS / 100, "{}: {done} mutations", target.0);
    }
}
