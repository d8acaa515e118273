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

#[path = "../fuzz/images/src/lib.rs"]
#[expect(unreachable_pub, reason = "the fuzzer's crate includes it as well")]
mod image_targets;

use targets::Target;

/// Mutations of one target; fewer when they take longer than a moment.
const MUTATIONS: u64 = 40_000;
const MOMENT: Duration = Duration::from_secs(2);
/// A corpus has some tens of files.
const FILES_MIN: usize = 10;
/// Longest input that mutation makes, in bytes.
const BYTES_MAX: usize = 4096;

/// Mutations of pictures take longer; as many on every machine.
const PICTURES: u64 = 120;

/// Targets and the folder of their corpora.
struct Suite {
    folder: &'static str,
    targets: &'static [Target],
}

const WIRE: Suite = Suite { folder: "tests/fuzz/corpus", targets: &targets::TARGETS };
const IMAGES: Suite = Suite { folder: "tests/fuzz/images/corpus", targets: &image_targets::TARGETS };

/// The files of a corpus, sorted by name.
fn corpus(folder: &str, name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder).join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    assert!(files.len() >= FILES_MIN, "{name} has {} files", files.len());
    files
}

fn holds((name, target): Target, data: &[u8], of: &str) {
    if catch_unwind(AssertUnwindSafe(|| target(data))).is_err() {
        panic!("{name} breaks on {of}: {}", data.escape_ascii());
    }
}

fn replay(suite: &Suite) {
    for &target in suite.targets {
        for (file, data) in corpus(suite.folder, target.0) {
            holds(target, &data, &file);
        }
    }
}

#[test]
fn every_corpus_holds() {
    replay(&WIRE);
}

#[test]
fn every_corpus_of_pictures_holds() {
    replay(&IMAGES);
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

/// Mutates every corpus of a suite so many times, or for a moment at most where there is one.
fn mutations(suite: &Suite, most: u64, moment: Option<Duration>) {
    let seed = seed(20_260_103);
    for &target in suite.targets {
        let files = corpus(suite.folder, target.0);
        let mut dice = Dice::of(seed, target.0);
        let began = Instant::now();
        let mut done = 0;
        while done < most && moment.is_none_or(|moment| began.elapsed() < moment) {
            let data = mutate(&mut dice, &files);
            holds(target, &data, &format!("mutation {done} of seed {seed}"));
            done += 1;
        }
        assert!(done > most / 100, "{}: {done} mutations", target.0);
    }
}

#[test]
fn mutations_of_every_corpus_hold() {
    mutations(&WIRE, MUTATIONS, Some(MOMENT));
}

#[test]
fn mutations_of_pictures_hold() {
    mutations(&IMAGES, PICTURES, None);
}
