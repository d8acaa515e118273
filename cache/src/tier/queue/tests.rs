//! What the queue takes, drops and keeps in order.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::*;
use crate::tier::testing::stored;

const LIMITS: Limits =
    Limits { bytes_max: 1 << 20, lane_items_max: 4, lanes: 1, batch_bytes: 0, batch_items_max: 1 };

/// Storage that waits for permission and notes what it was given.
#[derive(Clone)]
struct Store {
    gate: Arc<Semaphore>,
    batches: Arc<Mutex<Vec<Vec<KeyHash>>>>,
}

impl Store {
    fn new(permits: usize) -> Self {
        Self { gate: Arc::new(Semaphore::new(permits)), batches: Arc::default() }
    }

    fn queue(&self, limits: Limits, counters: &Arc<TierCounters>) -> WriteBehind {
        let store = self.clone();
        WriteBehind::start(
            "test",
            Some(&Handle::current()),
            limits,
            &Budget::new(1 << 30),
            counters,
            move |batch| {
                let store = store.clone();
                async move {
                    drop(store.gate.acquire().await.map_err(|error| error.to_string())?);
                    store.batches.lock().push(batch.iter().map(|offer| offer.hash).collect());
                    Ok(batch.len())
                }
            },
        )
    }
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("an answer within 20 s")
}

#[tokio::test]
async fn flush_waits_for_what_was_offered() {
    let (store, counters) = (Store::new(1), Arc::default());
    let queue = store.queue(LIMITS, &counters);
    for n in 0..4 {
        queue.offer(KeyHash(n), stored("/a", "x"));
    }
    soon(queue.flush()).await;
    assert_eq!(store.batches.lock().concat(), [KeyHash(0), KeyHash(1), KeyHash(2), KeyHash(3)]);
    assert_eq!((count(&counters.written), count(&counters.dropped)), (4, 0));
}

#[tokio::test]
async fn offers_over_the_count_are_dropped_and_counted() {
    let (store, counters) = (Store::new(0), Arc::default());
    let queue = store.queue(LIMITS, &counters);
    for n in 0..50 {
        queue.offer(KeyHash(n), stored("/a", "x"));
    }
    assert_eq!(count(&counters.dropped), 46);
    store.gate.add_permits(1);
    soon(queue.flush()).await;
    assert_eq!(count(&counters.written), 4);
}

#[tokio::test]
async fn offers_over_the_bytes_are_dropped_and_their_bytes_come_back() {
    let (store, counters) = (Store::new(0), Arc::default());
    let queue = store.queue(Limits { bytes_max: 10_000, ..LIMITS }, &counters);
    queue.offer(KeyHash(1), stored("/a", vec![0; 20_000]));
    queue.offer(KeyHash(2), stored("/b", "x"));
    assert_eq!(count(&counters.dropped), 1, "the first may reach over the bound, the second not");
    store.gate.add_permits(1);
    soon(queue.flush()).await;
    assert_eq!(queue.waiting_bytes(), 0);
    queue.offer(KeyHash(3), stored("/c", "x"));
    soon(queue.flush()).await;
    assert_eq!(store.batches.lock().concat(), [KeyHash(1), KeyHash(3)]);
}

#[tokio::test]
async fn what_waits_is_written_in_one_batch_up_to_its_bounds() {
    let (store, counters) = (Store::new(0), Arc::default());
    let limits = Limits { lane_items_max: 64, batch_bytes: 1 << 20, batch_items_max: 10, ..LIMITS };
    let queue = store.queue(limits, &counters);
    for n in 0..25 {
        queue.offer(KeyHash(n), stored("/a", "x"));
    }
    store.gate.add_permits(1);
    soon(queue.flush()).await;
    let sizes: Vec<usize> = store.batches.lock().iter().map(Vec::len).collect();
    assert_eq!(sizes, [10, 10, 5]);
}

#[tokio::test]
async fn storage_that_fails_is_counted_and_does_not_stop_the_queue() {
    let counters = Arc::default();
    let queue = WriteBehind::start(
        "test",
        Some(&Handle::current()),
        LIMITS,
        &Budget::new(1 << 30),
        &counters,
        |batch: Vec<Offer>| async move {
            if batch.iter().any(|offer| offer.hash == KeyHash(1)) { Err("broken".to_owned()) } else { Ok(1) }
        },
    );
    for n in 0..3 {
        queue.offer(KeyHash(n), stored("/a", "x"));
    }
    soon(queue.flush()).await;
    assert_eq!((count(&counters.written), count(&counters.refused)), (2, 1));
    assert_eq!(queue.waiting_bytes(), 0);
}

#[tokio::test]
async fn writes_of_one_key_stay_in_order() {
    let written = Arc::new(Mutex::new(Vec::new()));
    let (notes, counters) = (Arc::clone(&written), Arc::default());
    let limits = Limits { lanes: 3, lane_items_max: 64, ..LIMITS };
    let queue = WriteBehind::start(
        "test",
        Some(&Handle::current()),
        limits,
        &Budget::new(1 << 30),
        &counters,
        move |batch: Vec<Offer>| {
            let notes = Arc::clone(&notes);
            async move {
                // lanes overtake each other here if they can
                tokio::task::yield_now().await;
                notes.lock().extend(batch.iter().map(|offer| (offer.hash, offer.stored.key.target.clone())));
                Ok(batch.len())
            }
        },
    );
    for n in 0..60_u128 {
        queue.offer(KeyHash(n % 4), stored(&format!("/{n:02}"), "x"));
    }
    soon(queue.flush()).await;
    for key in 0..4 {
        let order: Vec<String> = written
            .lock()
            .iter()
            .filter(|(hash, _)| *hash == KeyHash(key))
            .map(|(_, target)| target.clone())
            .collect();
        assert_eq!(order.len(), 15);
        assert!(order.is_sorted(), "{order:?}");
    }
}

#[test]
fn without_a_runtime_everything_is_dropped() {
    let counters = Arc::default();
    let queue = WriteBehind::start(
        "test",
        None,
        LIMITS,
        &Budget::new(1 << 30),
        &counters,
        |batch: Vec<Offer>| async move { Ok(batch.len()) },
    );
    queue.offer(KeyHash(1), stored("/a", "x"));
    assert_eq!((count(&counters.dropped), queue.waiting_bytes()), (1, 0));
}
