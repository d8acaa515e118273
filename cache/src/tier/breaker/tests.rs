//! When a tier is asked, and when it is spared.

use super::*;

fn fail(breaker: &mut Breaker, now_ms: u64) {
    let admission = breaker.admit(now_ms);
    assert_ne!(admission, Admission::Skip, "{breaker:?}");
    breaker.end(admission, Ending::Failed, now_ms);
}

fn opened(now_ms: u64) -> Breaker {
    let mut breaker = Breaker::new();
    (0..FAILURES_MAX).for_each(|_| fail(&mut breaker, now_ms));
    assert!(breaker.is_open());
    breaker
}

#[test]
fn it_opens_after_failures_in_a_row() {
    let mut breaker = Breaker::new();
    for _ in 0..FAILURES_MAX - 1 {
        fail(&mut breaker, 5);
    }
    assert!(!breaker.is_open());
    assert_eq!(breaker.admit(5), Admission::Read);
    breaker.end(Admission::Read, Ending::Failed, 5);
    assert_eq!(breaker.admit(5), Admission::Skip);
    assert_eq!(breaker.admit(5 + PAUSE_MS - 1), Admission::Skip);
}

#[test]
fn an_answer_ends_the_row() {
    let mut breaker = Breaker::new();
    for _ in 0..10 {
        for _ in 0..FAILURES_MAX - 1 {
            fail(&mut breaker, 5);
        }
        assert_eq!(breaker.admit(5), Admission::Read);
        breaker.end(Admission::Read, Ending::Answered, 5);
    }
    assert!(!breaker.is_open());
}

#[test]
fn failures_far_apart_are_no_row() {
    let mut breaker = Breaker::new();
    for n in 0..50 {
        fail(&mut breaker, n * WINDOW_MS);
    }
    assert!(!breaker.is_open());
}

#[test]
fn one_probe_closes_it() {
    let mut breaker = opened(0);
    assert_eq!(breaker.admit(PAUSE_MS), Admission::Probe);
    assert_eq!(breaker.admit(PAUSE_MS), Admission::Skip, "one at a time");
    breaker.end(Admission::Probe, Ending::Answered, PAUSE_MS + 1);
    assert_eq!(breaker.admit(PAUSE_MS + 1), Admission::Read);
}

#[test]
fn each_failed_probe_doubles_the_pause_up_to_its_bound() {
    let mut breaker = opened(0);
    let (mut now, mut pause) = (0, PAUSE_MS);
    for _ in 0..10 {
        now += pause;
        assert_eq!(breaker.admit(now - 1), Admission::Skip);
        assert_eq!(breaker.admit(now), Admission::Probe);
        breaker.end(Admission::Probe, Ending::Failed, now);
        pause = (pause * 2).min(PAUSE_MS_MAX);
    }
    assert_eq!(pause, PAUSE_MS_MAX);
}

#[test]
fn an_abandoned_probe_leaves_the_next_one_to_try() {
    let mut breaker = opened(0);
    assert_eq!(breaker.admit(PAUSE_MS), Admission::Probe);
    breaker.end(Admission::Probe, Ending::Abandoned, PAUSE_MS + 7);
    assert_eq!(breaker.admit(PAUSE_MS + 7), Admission::Probe);
}

#[test]
fn what_began_before_it_opened_neither_closes_it_nor_lengthens_the_pause() {
    let mut breaker = Breaker::new();
    let early = [breaker.admit(0), breaker.admit(0)];
    (0..FAILURES_MAX).for_each(|_| fail(&mut breaker, 1));
    breaker.end(early[0], Ending::Answered, 2);
    breaker.end(early[1], Ending::Failed, 3);
    assert_eq!(breaker.admit(PAUSE_MS), Admission::Skip);
    assert_eq!(breaker.admit(PAUSE_MS + 1), Admission::Probe);
}

#[test]
fn a_late_ending_of_an_early_read_does_not_end_the_probe() {
    let mut breaker = Breaker::new();
    let early = breaker.admit(0);
    (0..FAILURES_MAX).for_each(|_| fail(&mut breaker, 0));
    assert_eq!(breaker.admit(PAUSE_MS), Admission::Probe);
    breaker.end(early, Ending::Answered, PAUSE_MS);
    assert!(breaker.is_open());
}

#[test]
fn nobody_joins_a_silent_queue() {
    let mut breaker = Breaker::new();
    for _ in 0..WAITING_MIN {
        assert_eq!(breaker.admit(1000), Admission::Read);
    }
    assert_eq!(breaker.admit(1000 + SILENCE_MS), Admission::Read, "not silent for long enough");
    assert_eq!(breaker.admit(1001 + SILENCE_MS), Admission::Skip);
    breaker.end(Admission::Read, Ending::Answered, 1300);
    assert_eq!(breaker.admit(1300), Admission::Read, "it is not silent any more");
}

#[test]
fn few_slow_reads_are_no_silence() {
    let mut breaker = Breaker::new();
    for now in [0, 10_000, 20_000] {
        assert_eq!(breaker.admit(now), Admission::Read, "at {now}");
    }
}

#[test]
fn abandoned_reads_leave_no_trace() {
    let mut breaker = Breaker::new();
    for now in 0..100 {
        let admission = breaker.admit(now);
        breaker.end(admission, Ending::Abandoned, now);
    }
    assert_eq!(breaker.admit(1_000_000), Admission::Read);
    assert_eq!(breaker.waiting, 1);
}
