//! Asks every region in turn whether it lives, and writes the results on the [`Board`].
//!
//! How a probe is sent is the caller's business ([`Prober`]); this module owns when: one task per region, so a
//! region that hangs delays nobody else's verdict, and a deadline per probe, so hanging counts as failing.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use overfall_config::{Dns, Region};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::health::Board;

/// The shortest pause between probes: a zero interval must not become a busy loop.
const EVERY_MIN: Duration = Duration::from_millis(10);

/// Characters of a failure's text that are kept.
const REASON_CHARS_MAX: usize = 200;

/// Why a probe did not pass, in words for an operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ProbeFailure {
    reason: String,
}

impl ProbeFailure {
    /// A failure with its cause; text beyond 200 characters is cut, since it may come from a peer.
    pub fn new(reason: impl Into<String>) -> Self {
        let reason: String = reason.into();
        Self { reason: reason.chars().take(REASON_CHARS_MAX).collect() }
    }
}

/// Sends one probe.
#[async_trait]
pub trait Prober: Send + Sync {
    /// Passes or fails one probe of `url`. Dropped at its deadline and at shutdown, so it must be cancel safe.
    ///
    /// # Errors
    /// Anything but a healthy answer.
    async fn probe(&self, region: &str, url: &str) -> Result<(), ProbeFailure>;
}

/// Probes every region that has a probe until `shutdown` turns true or its sender is gone.
///
/// All tasks have ended when the future resolves; dropping the future aborts them.
pub fn run(
    board: Arc<Board>,
    prober: Arc<dyn Prober>,
    regions: &BTreeMap<String, Region>,
    dns: &Dns,
    shutdown: watch::Receiver<bool>,
) -> impl Future<Output = ()> + Send + use<> {
    let every = dns.health.every.max(EVERY_MIN);
    let deadline = dns.health.timeout;
    let rounds: Vec<Round> = regions
        .values()
        .filter_map(|region| {
            let url = region.probe.clone()?;
            let (board, prober) = (Arc::clone(&board), Arc::clone(&prober));
            Some(Round { board, prober, region: region.name.clone(), url, every, deadline })
        })
        .collect();
    async move {
        let mut tasks = JoinSet::new();
        for round in rounds {
            let mut shutdown = shutdown.clone();
            tasks.spawn(async move {
                tokio::select! {
                    _ = shutdown.wait_for(|stop| *stop) => {}
                    () = round.repeat() => {}
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// One region's share of the work.
struct Round {
    board: Arc<Board>,
    prober: Arc<dyn Prober>,
    region: String,
    url: String,
    every: Duration,
    deadline: Duration,
}

impl Round {
    /// Runs until dropped.
    async fn repeat(self) {
        let mut ticks = interval(self.every);
        // a slow probe must not be followed by a burst: the burst would count as failures in a row
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let result = match timeout(self.deadline, self.prober.probe(&self.region, &self.url)).await {
                Ok(result) => result,
                Err(_) => Err(ProbeFailure::new(format!("no answer within {:?}", self.deadline))),
            };
            tracing::debug!(region = self.region, passed = result.is_ok(), "probed");
            self.board.record(&self.region, result);
        }
    }
}

#[cfg(test)]
mod tests;
