//! What memory keeps, and what it gives up for loans.

use super::*;

/// Objects of this length; fields and key add to their weight.
const LENGTH: usize = 8000;
/// Objects that are asked for again and again: an eighth of memory.
const HOT: u64 = 100;
/// Objects that are asked for once: ten times what memory holds.
const SCANNED: u64 = 10 * MEMORY / LENGTH as u64;

/// Inserts the hot objects and asks for each a few times.
fn warm(hybrid: &Hybrid) {
    for n in 0..HOT {
        insert(hybrid, &format!("/hot/{n}"), body(n, LENGTH));
    }
    for _ in 0..3 {
        (0..HOT).for_each(|n| drop(remembered(hybrid, &format!("/hot/{n}"))));
    }
}

fn hot_hits(hybrid: &Hybrid) -> usize {
    (0..HOT).filter(|n| remembered(hybrid, &format!("/hot/{n}")).is_some()).count()
}

#[tokio::test]
async fn a_scan_does_not_flush_what_is_asked_for_again() {
    let hybrid = Hybrid::open(MEMORY, None).await.unwrap();
    warm(&hybrid);
    for n in 0..SCANNED {
        insert(&hybrid, &format!("/scan/{n}"), body(n, LENGTH));
    }
    assert!(hot_hits(&hybrid) >= 90, "{} of {HOT} hot objects are left", hot_hits(&hybrid));
}

#[tokio::test]
async fn a_scan_beside_a_loan_does_not_flush_it_either() {
    let hybrid = Hybrid::open(MEMORY, None).await.unwrap();
    warm(&hybrid);
    let loan = hybrid.budget().lend(MEMORY / 3);
    hybrid.make_room();
    for n in 0..SCANNED {
        insert(&hybrid, &format!("/scan/{n}"), body(n, LENGTH));
    }
    assert!(hybrid.usage().memory_bytes + loan.bytes() <= MEMORY, "{:?}", hybrid.usage());
    assert!(hot_hits(&hybrid) >= 90, "{} of {HOT} hot objects are left", hot_hits(&hybrid));
}

#[tokio::test]
async fn memory_makes_room_for_loans_and_grows_back() {
    let hybrid = Hybrid::open(256 << 20, None).await.unwrap();
    let fill = || (0..300).for_each(|n| insert(&hybrid, &format!("/{n}"), body(n, 1 << 20)));
    fill();
    let full = hybrid.usage().memory_bytes;
    assert!(full > 200 << 20, "{:?}", hybrid.usage());
    let mut loan = hybrid.budget().lend(0);
    for _ in 0..100 {
        loan.add(1 << 20);
        hybrid.make_room();
    }
    let usage = hybrid.usage();
    assert!(usage.memory_bytes + usage.lent_bytes <= 256 << 20, "{usage:?}");
    drop(loan);
    fill();
    assert!(hybrid.usage().memory_bytes > 200 << 20, "{:?}", hybrid.usage());
}

#[tokio::test]
async fn a_loan_larger_than_the_budget_leaves_a_little_memory() {
    let hybrid = Hybrid::open(MEMORY, None).await.unwrap();
    let _loan = hybrid.budget().lend(10 * MEMORY);
    hybrid.make_room();
    insert(&hybrid, "/a", body(1, 10_000));
    assert_eq!(remembered(&hybrid, "/a"), Some(body(1, 10_000)));
}
