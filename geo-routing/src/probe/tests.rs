use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::broadcast;

use super::*;
use crate::{
    fixture::{board, dns, regions},
    health::Flip,
};

/// Fails, hangs or passes by the region's name.
#[derive(Default)]
struct Scripted {
    calls: AtomicU32,
}

#[async_trait]
impl Prober for Scripted {
    async fn probe(&self, region: &str, _url: &str) -> Result<(), ProbeFailure> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match region {
            "ap" => Err(ProbeFailure::new("status 503")),
            "eu" => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

async fn next(flips: &mut broadcast::Receiver<Flip>) -> Option<Flip> {
    timeout(Duration::from_secs(10), flips.recv()).await.ok()?.ok()
}

fn stopper() -> (watch::Sender<bool>, watch::Receiver<bool>) {
    watch::channel(false)
}

#[test]
fn a_failure_keeps_no_endless_text() {
    let failure = ProbeFailure::new("é".repeat(5000));
    assert_eq!(failure.to_string().chars().count(), 200);
}

#[tokio::test]
async fn failing_and_hanging_regions_are_taken_out_and_others_stay() {
    let board = board();
    let mut flips = board.subscribe();
    let mut dns = dns();
    dns.health.every = Duration::from_millis(10);
    dns.health.timeout = Duration::from_millis(20);
    let (stop, stopped) = stopper();
    let probes = tokio::spawn(run(Arc::clone(&board), Arc::<Scripted>::default(), &regions(), &dns, stopped));
    let mut out = [next(&mut flips).await.unwrap(), next(&mut flips).await.unwrap()];
    out.sort_by(|a, b| a.region.cmp(&b.region));
    assert_eq!(out[0].reason, "probes fail: status 503");
    assert_eq!(out[1].reason, "probes fail: no answer within 20ms");
    assert!(out.iter().all(|flip| !flip.up));
    assert!(board.snapshot().regions[2].up, "us passes");
    stop.send(true).unwrap();
    timeout(Duration::from_secs(10), probes).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_hanging_probe_does_not_delay_shutdown() {
    let mut dns = dns();
    dns.health.timeout = Duration::from_secs(3600);
    let (stop, stopped) = stopper();
    let probes = tokio::spawn(run(board(), Arc::<Scripted>::default(), &regions(), &dns, stopped));
    stop.send(true).unwrap();
    timeout(Duration::from_secs(10), probes).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_lost_sender_stops_the_probes() {
    let (stop, stopped) = stopper();
    drop(stop);
    let probes = run(board(), Arc::<Scripted>::default(), &regions(), &dns(), stopped);
    timeout(Duration::from_secs(10), probes).await.unwrap();
}

#[tokio::test]
async fn regions_without_a_probe_are_not_asked() {
    let mut regions = regions();
    for region in regions.values_mut() {
        region.probe = None;
    }
    let prober = Arc::<Scripted>::default();
    let asked = Arc::clone(&prober);
    let (_stop, stopped) = stopper();
    timeout(Duration::from_secs(10), run(board(), prober, &regions, &dns(), stopped)).await.unwrap();
    assert_eq!(asked.calls.load(Ordering::Relaxed), 0);
}
