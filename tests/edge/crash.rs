//! `kill -9` under write load, again and again: what the disk serves afterwards is whole, right, and nearly everything.

use std::{path::Path, sync::Arc, time::Duration};

use overfall_test_support::{Node, Origin, Reply, Settings, origin::derived};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout_at},
};

use crate::EXE;

const ROUNDS: usize = 5;
/// How long a node takes writes before it is killed.
const LOAD: Duration = Duration::from_millis(3500);
/// What was finished this long before the kill has to be on disk.
const SETTLED: Duration = Duration::from_secs(2);
/// Clients, each with one request at a time.
const CLIENTS: usize = 4;
/// Time between two requests of a client.
const PACE: Duration = Duration::from_millis(10);
/// Share of the settled objects that the disk has to serve, in percent.
const KEPT_PERCENT_MIN: usize = 95;
/// The quickest of all starts is ready within this time; tests share a machine and run unoptimised code.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// One finished request: its target, the length of its body, and when its last byte came.
struct Done {
    target: String,
    length: usize,
    at: Instant,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_under_write_load_costs_neither_bytes_nor_the_cache() {
    let origin = Origin::start().await;
    for kib in 1..=48 {
        origin.on(&format!("/{kib}"), Reply::derived(kib * 1024 + kib).cache_control("max-age=600"));
    }
    let dir = tempfile::TempDir::new().unwrap();
    let cache = "memory = \"64 MiB\"\ndisk = { path = \"cache\", size = \"512 MiB\" }";
    let settings = Settings::new().cache(cache).origin("app", &origin.url());
    let mut quickest = Duration::MAX;
    let mut node = start(dir.path(), &settings, &mut quickest).await;
    for round in 0..ROUNDS {
        let done = load(&node, round).await;
        let killed = Instant::now();
        node.process.kill();
        node = start(dir.path(), &settings, &mut quickest).await;
        let settled: Vec<Done> = done.into_iter().filter(|done| done.at + SETTLED <= killed).collect();
        assert!(settled.len() > 100, "round {round}: only {} objects", settled.len());
        let kept = verify(&node, &settled).await;
        assert!(
            kept * 100 >= settled.len() * KEPT_PERCENT_MIN,
            "round {round}: the disk served {kept} of {}",
            settled.len()
        );
    }
    assert!(quickest <= READY_WITHIN, "the quickest start took {quickest:?}");
}

async fn start(dir: &Path, settings: &Settings, quickest: &mut Duration) -> Node {
    let began = Instant::now();
    let node = Node::start(EXE, dir, settings).await;
    *quickest = began.elapsed().min(*quickest);
    node
}

/// Asks for new objects until the time is over; requests that are under way then are left to be killed.
async fn load(node: &Node, round: usize) -> Vec<Done> {
    let until = Instant::now() + LOAD;
    let done = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (client, base, done) = (node.client(), node.url(""), Arc::clone(&done));
        clients.spawn(async move {
            let mut ticks = interval(PACE);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for n in 0_usize.. {
                ticks.tick().await;
                let kib = 1 + (n * 7 + number * 13) % 48;
                let target = format!("/{kib}?o={round}-{number}-{n}");
                let answer = client.get(&format!("{base}{target}")).await.expect(200);
                let length = answer.body.len();
                assert_eq!(answer.body, derived(&target, kib * 1024 + kib), "{target}");
                done.lock().unwrap().push(Done { target, length, at: Instant::now() });
            }
        });
    }
    // they never end by themselves
    drop(
        timeout_at(until, async { while clients.join_next().await.is_some_and(|ended| ended.is_ok()) {} })
            .await,
    );
    clients.abort_all();
    std::mem::take(&mut *done.lock().unwrap())
}

/// Asks for every object again; the number that the disk served. Every byte has to be right, wherever it came from.
async fn verify(node: &Node, settled: &[Done]) -> usize {
    let client = node.client();
    let mut kept = 0;
    for Done { target, length, .. } in settled {
        let answer = client.get(&node.url(target)).await.expect(200);
        assert_eq!(answer.body, derived(target, *length), "{target}");
        kept += usize::from(answer.is_hit() && answer.cache_status().contains("disk"));
    }
    kept
}
