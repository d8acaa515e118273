use super::*;
use crate::fixture::{board, dns, regions};

const THRESHOLDS: Thresholds = Thresholds { fail: 2, pass: 3 };

fn failure() -> Result<(), ProbeFailure> {
    Err(ProbeFailure::new("connection refused"))
}

fn is_up(board: &Board, name: &str) -> Option<bool> {
    board.snapshot().regions.iter().find(|region| region.name == name).map(|region| region.up)
}

#[test]
fn state_flips_only_after_a_run() {
    // p: pass, f: fail; the verdict after each result
    for (results, verdicts) in [
        ("pp", "uu"),
        ("f", "u"),
        ("ff", "ud"),
        ("fpfp", "uuuu"),
        ("ffp", "udd"),
        ("ffppp", "udddu"),
        ("ffppfppp", "uddddddu"),
        ("ffpppf", "uddduu"),
    ] {
        assert_eq!(results.len(), verdicts.len());
        let mut health = Health::START;
        for (result, verdict) in results.chars().zip(verdicts.chars()) {
            health = health.after(result == 'p', THRESHOLDS);
            assert_eq!(health.up, verdict == 'u', "{results}: expected {verdicts}");
        }
    }
}

#[test]
fn thresholds_of_zero_count_as_one() {
    let zero = Thresholds { fail: 0, pass: 0 };
    let down = Health::START.after(false, zero);
    assert!(!down.up);
    assert!(down.after(true, zero).up);
    assert_eq!(down.distance(zero), 1);
}

#[test]
fn distance_shrinks_with_each_result_against() {
    assert_eq!(Health::START.distance(THRESHOLDS), 2);
    assert_eq!(Health::START.after(false, THRESHOLDS).distance(THRESHOLDS), 1);
    assert_eq!(Health { up: false, against: 1 }.distance(THRESHOLDS), 2);
}

#[test]
fn a_flip_is_published_once() {
    let board = board();
    let mut flips = board.subscribe();
    for _ in 0..4 {
        board.record("eu", failure());
    }
    assert_eq!(is_up(&board, "eu"), Some(false));
    let flip = flips.try_recv().unwrap();
    assert_eq!((flip.region.as_str(), flip.up), ("eu", false));
    assert_eq!(flip.reason, "probes fail: connection refused");
    assert!(flips.try_recv().is_err(), "one flip only");
}

#[test]
fn a_snapshot_in_hand_does_not_change() {
    let board = board();
    let before = board.snapshot();
    assert!(board.force("ap", Some(Forced::Down)));
    assert!(before.regions[0].up);
    assert_eq!(is_up(&board, "ap"), Some(false));
}

#[test]
fn an_operator_stands_above_probes() {
    let board = board();
    assert!(board.force("eu", Some(Forced::Up)));
    board.record("eu", failure());
    board.record("eu", failure());
    assert_eq!(is_up(&board, "eu"), Some(true));
    assert!(board.force("eu", None));
    assert_eq!(is_up(&board, "eu"), Some(false), "what probes said meanwhile counts again");
}

#[test]
fn unknown_regions_change_nothing() {
    let board = board();
    let before = board.snapshot();
    board.record("moon", failure());
    assert!(!board.force("moon", Some(Forced::Down)));
    assert_eq!(board.snapshot(), before);
}

#[test]
fn a_region_without_a_probe_ignores_results() {
    let mut regions = regions();
    regions.get_mut("eu").unwrap().probe = None;
    let board = Board::new(&regions, &dns());
    for _ in 0..9 {
        board.record("eu", failure());
    }
    assert_eq!(is_up(&board, "eu"), Some(true));
}

#[test]
fn flip_time_is_the_soonest_of_regions_in_use() {
    let board = board();
    assert_eq!(board.snapshot().flip_after(), Some(Duration::from_secs(2)));
    board.record("us", failure());
    assert_eq!(board.snapshot().flip_after(), Some(Duration::from_secs(1)));
    for name in ["ap", "eu", "us"] {
        board.force(name, Some(Forced::Up));
    }
    assert_eq!(board.snapshot().flip_after(), None);
}

#[test]
fn a_subscriber_that_sleeps_loses_the_oldest_flips() {
    let board = board();
    let mut flips = board.subscribe();
    for round in 0..200 {
        board.force("eu", (round % 2 == 0).then_some(Forced::Down));
    }
    assert!(matches!(flips.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
}

#[test]
fn a_snapshot_serializes_what_an_operator_reads() {
    let value = serde_json::to_value(board().snapshot().as_ref()).unwrap();
    let eu = &value["regions"][1];
    assert_eq!(eu["name"], "eu");
    assert_eq!(eu["up"], true);
    assert_eq!(eu["weight"], 100);
    assert_eq!(eu["addresses"][0], "192.0.2.2");
    assert_eq!(eu["location"]["latitude"], 48.86);
    assert!(eu["reason"].is_string());
}
