//! The nodes that one process runs, as the admin API sees them: one in production, several in the demo.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use overfall_cache::{
    bus::{Bus, BusError, Receipt},
    clock::{Clock as _, SystemClock},
    purge::{Mode, PurgeEvent, Selector},
    stored::Position,
};
use overfall_config::{AdminToken, Config};
use parking_lot::RwLock;

use crate::{error::StartError, node::Node, telemetry::Metrics};

/// Longest wait for receipts.
pub const RECEIPT_PATIENCE: Duration = Duration::from_secs(5);

/// Everything that the admin listener can see and switch.
pub struct Fleet {
    /// Nodes of this process.
    pub nodes: Vec<Arc<Node>>,
    /// The purge log.
    pub bus: Arc<dyn Bus>,
    /// Counters of the process.
    pub metrics: Metrics,
    /// Regions' health as DNS sees it, when this process answers DNS.
    pub dns: Option<DnsView>,
    /// Present configuration, and where it came from.
    pub config: RwLock<Arc<Config>>,
    /// File to reload from; none in the demo.
    pub config_file: Option<PathBuf>,
}

/// What the DNS role shows to the admin API.
#[derive(Clone)]
pub struct DnsView {
    /// Regions with their health.
    pub regions: Arc<dyn Fn() -> serde_json::Value + Send + Sync>,
    /// Steering explained for a client address.
    pub explain: Arc<dyn Fn(std::net::IpAddr) -> serde_json::Value + Send + Sync>,
}

/// An accepted purge.
#[derive(Debug)]
pub struct Purged {
    /// Its number.
    pub position: Position,
    /// What each node had applied when the answer was given; empty without `wait`.
    pub receipts: Vec<Receipt>,
}

impl Fleet {
    /// The node of this name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes.iter().find(|node| node.name() == name)
    }

    /// The first node: the process's own.
    #[must_use]
    pub fn own(&self) -> Option<&Arc<Node>> {
        self.nodes.first()
    }

    /// Admin tokens of the present configuration.
    #[must_use]
    pub fn tokens(&self) -> Vec<AdminToken> {
        self.config.read().admin.tokens.clone()
    }

    /// Appends a purge to the log and, when asked, waits for every node's receipt.
    ///
    /// # Errors
    /// [`BusError`] when the purge could not be made durable; it then has no effect.
    pub async fn purge(
        &self,
        selectors: Vec<Selector>,
        mode: Mode,
        by: &str,
        wait: bool,
    ) -> Result<Purged, BusError> {
        let event = PurgeEvent { selectors, mode, by: by.to_owned(), at_ms: SystemClock.now().0 };
        let position = self.bus.publish(event).await?;
        let receipts = if wait { self.bus.receipts(position, RECEIPT_PATIENCE).await } else { Vec::new() };
        Ok(Purged { position, receipts })
    }

    /// Switches an origin on or off on every node. `None` when no node knows it.
    #[must_use]
    pub fn set_origin_enabled(&self, name: &str, enabled: bool) -> Option<()> {
        let mut known = None;
        for node in &self.nodes {
            if let Some(switch) = node.routes().origins().get(name) {
                if enabled {
                    switch.enable();
                } else {
                    switch.disable();
                }
                known = Some(());
            }
        }
        known
    }

    /// Origins by name with their switches' state.
    #[must_use]
    pub fn origins(&self) -> BTreeMap<String, bool> {
        let routes = self.nodes.iter().map(|node| node.routes());
        routes
            .flat_map(|routes| {
                routes
                    .origins()
                    .iter()
                    .map(|(name, switch)| (name.clone(), switch.is_enabled()))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Applies a changed configuration to every node. Gives the sections that only a restart would change.
    ///
    /// # Errors
    /// When the file is invalid or an origin can't be set up; everything stays as it was.
    pub async fn reload(&self, config: Config) -> Result<Vec<&'static str>, StartError> {
        let before = Arc::clone(&self.config.read());
        let needs_restart = overfall_config::restart_needed(&before, &config);
        for node in &self.nodes {
            node.apply(&config).await?;
        }
        *self.config.write() = Arc::new(config);
        Ok(needs_restart)
    }
}
