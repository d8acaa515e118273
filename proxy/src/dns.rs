//! The DNS role: health probes, steering and the authoritative server.

use std::{net::SocketAddr, sync::Arc};

use overfall_config::Config;
use overfall_geo_routing::{
    health::Board,
    locate::{Locator, PrefixTable},
    probe,
    server::Server,
    steering,
    zone::Zone,
};
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle};

use crate::{collectors, error::StartError, fleet::DnsView, prober::HttpProber, telemetry::Metrics};

/// A running DNS role.
pub struct DnsRole {
    /// What the admin API shows of it.
    pub view: DnsView,
    /// Addresses really bound.
    pub addresses: Vec<SocketAddr>,
    /// Ends when the server and the probes have stopped.
    pub task: JoinHandle<()>,
}

/// Binds the server and begins to probe.
///
/// # Errors
/// When the configuration has no `[dns]`, or an address can't be had.
pub fn launch(
    config: &Config,
    metrics: &Metrics,
    shutdown: watch::Receiver<bool>,
) -> Result<DnsRole, StartError> {
    let dns = config.dns.as_ref().ok_or_else(|| StartError::Dns("no [dns] section".to_owned()))?;
    let board = Board::new(&config.regions, dns);
    let locator: Arc<dyn Locator> = Arc::new(PrefixTable::new(dns.locations.clone()));
    let server =
        Server::bind(&config.listen.dns, Zone::new(dns), Arc::clone(&board), Arc::clone(&locator), dns.ttl)
            .map_err(|error| StartError::Dns(error.to_string()))?;
    let addresses = server.local_addrs();
    collectors::register_dns(metrics, server.metrics())?;
    let prober = Arc::new(HttpProber::new(dns.health.timeout));
    let probes = probe::run(Arc::clone(&board), prober, &config.regions, dns, shutdown.clone());
    let task = tokio::spawn(async move {
        tokio::join!(server.run(shutdown), probes);
    });
    Ok(DnsRole { view: view(board, locator), addresses, task })
}

fn view(board: Arc<Board>, locator: Arc<dyn Locator>) -> DnsView {
    let shown = Arc::clone(&board);
    DnsView {
        regions: Arc::new(move || serde_json::to_value(shown.snapshot().as_ref()).unwrap_or_default()),
        explain: Arc::new(move |client| {
            let decision = steering::steer(&board.snapshot(), locator.as_ref(), client);
            json!({ "from": client, "decision": decision, "text": decision.to_string() })
        }),
    }
}
