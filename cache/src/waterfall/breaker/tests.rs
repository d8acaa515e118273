use super::*;

const OPEN: Duration = Duration::from_secs(1);

fn breaker(failures: u32) -> (Breaker, Instant) {
    let now = Instant::now();
    (Breaker::new(BreakerSettings { failures, open: OPEN }, now), now)
}

/// Asks as a request would, and notes the outcome.
fn attempt(breaker: &mut Breaker, outcome: Outcome, now: Instant) -> bool {
    let pass = breaker.admit(now);
    if let Some(pass) = pass {
        breaker.settle(pass, outcome, now);
    }
    pass.is_some()
}

#[test]
fn failures_in_a_row_open_it() {
    let (mut breaker, now) = breaker(3);
    for _ in 0..3 {
        assert_eq!(breaker.state(now), BreakerState::Closed);
        assert!(attempt(&mut breaker, Outcome::Broken, now));
    }
    assert_eq!(breaker.state(now), BreakerState::Open);
    assert!(!attempt(&mut breaker, Outcome::Answered, now));
    assert_eq!(breaker.open_until(now), Some(now + OPEN));
}

#[test]
fn an_answer_ends_the_row() {
    let (mut breaker, now) = breaker(3);
    for outcome in [Outcome::Broken, Outcome::Broken, Outcome::Answered, Outcome::Broken, Outcome::Broken] {
        attempt(&mut breaker, outcome, now);
    }
    assert_eq!(breaker.state(now), BreakerState::Closed);
}

#[test]
fn one_page_that_fails_does_not_open_it() {
    let (mut breaker, now) = breaker(3);
    for _ in 0..100 {
        attempt(&mut breaker, Outcome::Refused(7), now);
    }
    assert_eq!(breaker.state(now), BreakerState::Closed);
    attempt(&mut breaker, Outcome::Refused(8), now);
    attempt(&mut breaker, Outcome::Refused(9), now);
    assert_eq!(breaker.state(now), BreakerState::Open);
}

#[test]
fn what_says_nothing_changes_nothing() {
    let (mut breaker, now) = breaker(1);
    for _ in 0..100 {
        attempt(&mut breaker, Outcome::Neutral, now);
    }
    assert_eq!(breaker.state(now), BreakerState::Closed);
    attempt(&mut breaker, Outcome::Broken, now);
    let later = now + OPEN;
    attempt(&mut breaker, Outcome::Neutral, later);
    assert_eq!(breaker.admit(later), Some(Pass::Probe), "a probe without a result is no result");
}

#[test]
fn one_probe_at_a_time_decides() {
    let (mut breaker, now) = breaker(1);
    attempt(&mut breaker, Outcome::Broken, now);
    let later = now + OPEN;
    assert_eq!(breaker.admit(later - Duration::from_millis(1)), None);
    assert_eq!(breaker.state(later), BreakerState::HalfOpen);
    assert_eq!(breaker.admit(later), Some(Pass::Probe));
    assert_eq!(breaker.admit(later), None);
    breaker.settle(Pass::Probe, Outcome::Answered, later);
    assert_eq!(breaker.admit(later), Some(Pass::Plain));
    assert_eq!(breaker.state(later), BreakerState::Closed);
}

#[test]
fn an_abandoned_probe_leaves_its_place_to_the_next() {
    let (mut breaker, now) = breaker(1);
    attempt(&mut breaker, Outcome::Broken, now);
    let later = now + OPEN;
    let pass = breaker.admit(later).unwrap();
    breaker.abandon(pass);
    assert_eq!(breaker.admit(later), Some(Pass::Probe));
}

#[test]
fn each_failed_probe_doubles_the_open_time_up_to_a_bound() {
    let (mut breaker, mut now) = breaker(1);
    attempt(&mut breaker, Outcome::Broken, now);
    let mut seconds = Vec::new();
    for _ in 0..40 {
        let until = breaker.open_until(now).unwrap();
        seconds.push(until.duration_since(now).as_secs());
        now = until;
        assert!(attempt(&mut breaker, Outcome::Broken, now));
    }
    assert_eq!(seconds[..6], [1, 2, 4, 8, 16, 30]);
    assert_eq!(seconds.last(), Some(&30));
    now = breaker.open_until(now).unwrap();
    attempt(&mut breaker, Outcome::Answered, now);
    attempt(&mut breaker, Outcome::Broken, now);
    assert_eq!(breaker.open_until(now), Some(now + OPEN), "an answer starts over");
}

#[test]
fn half_of_many_failing_opens_it() {
    let (mut breaker, now) = breaker(100);
    for n in 0..19 {
        let outcome = if n % 2 == 0 { Outcome::Broken } else { Outcome::Answered };
        attempt(&mut breaker, outcome, now);
    }
    assert_eq!(breaker.state(now), BreakerState::Closed, "too few to speak of a share");
    attempt(&mut breaker, Outcome::Broken, now);
    assert_eq!(breaker.state(now), BreakerState::Open);
}

#[test]
fn old_failures_are_no_part_of_the_share() {
    let (mut breaker, mut now) = breaker(100);
    for _ in 0..19 {
        attempt(&mut breaker, Outcome::Broken, now);
    }
    now += WINDOW;
    attempt(&mut breaker, Outcome::Broken, now);
    assert_eq!(breaker.state(now), BreakerState::Closed);
}

#[test]
fn error_statuses_are_no_part_of_the_share() {
    let (mut breaker, now) = breaker(100);
    for n in 0..40 {
        attempt(&mut breaker, Outcome::Refused(n), now);
        attempt(&mut breaker, Outcome::Answered, now);
    }
    assert_eq!(breaker.state(now), BreakerState::Closed);
}

#[test]
fn late_results_of_earlier_attempts_change_nothing() {
    let (mut breaker, now) = breaker(2);
    let early: Vec<_> = (0..5).filter_map(|_| breaker.admit(now)).collect();
    for (pass, outcome) in early.into_iter().zip([Outcome::Broken; 5]) {
        breaker.settle(pass, outcome, now);
    }
    assert_eq!(breaker.open_until(now), Some(now + OPEN));
    breaker.settle(Pass::Plain, Outcome::Answered, now);
    assert_eq!(breaker.state(now), BreakerState::Open);
}

#[test]
fn a_forced_attempt_closes_it_with_an_answer_and_prolongs_nothing() {
    let (mut breaker, now) = breaker(1);
    attempt(&mut breaker, Outcome::Broken, now);
    breaker.settle(Pass::Forced, Outcome::Broken, now);
    assert_eq!(breaker.open_until(now), Some(now + OPEN));
    breaker.settle(Pass::Forced, Outcome::Answered, now);
    assert_eq!(breaker.state(now), BreakerState::Closed);
}
