//! The memory budget holds while far more than it streams through, as the operating system counts.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use overfall_test_support::{Node, Origin, Reply, Settings};
use tokio::task::JoinSet;

use crate::lone;

const MIB: u64 = 1024 * 1024;
const BUDGET: u64 = 64 * MIB;
/// Resident memory may grow by this part of the budget, in percent.
const GROWTH_PERCENT_MAX: u64 = 120;
/// Objects of 1 MiB.
const OBJECTS: usize = 400;
const CLIENTS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_disk_the_budget_holds() {
    stream_through("memory = \"64 MiB\"").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_disk_the_budget_holds() {
    stream_through("memory = \"64 MiB\"\ndisk = { path = \"cache\", size = \"256 MiB\" }").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_shared_tier_that_hangs_the_budget_holds() {
    let hung = Origin::start().await;
    hung.otherwise(Reply::hang());
    let s3 = format!(
        "s3 = {{ bucket = \"bucket\", endpoint = \"{}\", region = \"r\", access_key = \"a\", secret_key = \"s\" }}",
        hung.url()
    );
    stream_through(&format!("memory = \"64 MiB\"\n{s3}")).await;
}

async fn stream_through(cache: &str) {
    let origin = Origin::start().await;
    let large = vec![b'x'; usize::try_from(MIB).unwrap()];
    origin.on("/small", Reply::ok("small").cache_control("no-store"));
    origin.on("/large", Reply::ok(large).cache_control("max-age=600"));
    let lone = lone(&Settings::new().cache(cache).origin("app", &origin.url())).await;
    // code, threads and connections are no part of the budget
    fetch_all(&lone.node, "/small", 50 * CLIENTS).await;
    let before = lone.node.process.resident_bytes();
    fetch_all(&lone.node, "/large", OBJECTS).await;
    let grown = lone.node.process.resident_bytes_peak() - before;
    assert!(
        grown <= BUDGET * GROWTH_PERCENT_MAX / 100,
        "grown by {} MiB over {} MiB\n{}",
        grown / MIB,
        before / MIB,
        lone.node.admin.get("/metrics").await.text()
    );
}

/// Fetches a path with that many different queries.
async fn fetch_all(node: &Node, path: &str, count: usize) {
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, url, next) = (node.client(), node.url(path), Arc::clone(&next));
        workers.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return;
                }
                client.get(&format!("{url}?n={n}")).await.expect(200);
            }
        });
    }
    workers.join_all().await;
}
