//! A process: the roles that its configuration gives it, started in order and stopped in order.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use overfall_cache::bus::{Bus, embedded::Embedded};
use overfall_config::{BusKind, Config};
use parking_lot::RwLock;
use pingora::{proxy::http_proxy, server::configuration::ServerConf};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    access_log::AccessLog,
    admin::{self, Admin},
    collectors, dns,
    error::StartError,
    fleet::Fleet,
    front::Front,
    listen::{self, Listeners, Scheme},
    node::{Node, NodeParts},
    reload,
    service::Edge,
    shutdown::{self, Signals},
    tailoring,
    telemetry::Metrics,
    tls::{self, Certificates},
};

/// How often certificates are loaded or issued again.
const RENEW_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Every second task comes from the queue that all threads share. A thread's own queue holds 256; of more connections
/// that are busy at once the others stand in the shared one, and would wait many times as long.
const SHARED_QUEUE_INTERVAL: u32 = 2;

/// A running data plane.
pub struct EdgeRole {
    /// The node.
    pub node: Arc<Node>,
    /// Plain addresses really bound.
    pub http: Vec<SocketAddr>,
    /// TLS addresses really bound.
    pub https: Vec<SocketAddr>,
    /// Ends when the last connection has.
    pub task: JoinHandle<()>,
}

/// Runs a node until SIGTERM or SIGINT.
///
/// # Errors
/// When a part can't be started; the message says which and why.
pub fn run(config: Config, file: PathBuf) -> anyhow::Result<()> {
    tls::install_provider();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.global_queue_interval(SHARED_QUEUE_INTERVAL).enable_all().build();
    let runtime = runtime.context("runtime")?;
    runtime.block_on(serve(config, file))
}

async fn serve(mut config: Config, file: PathBuf) -> anyhow::Result<()> {
    let signals = shutdown::signals().context("signals")?;
    std::fs::create_dir_all(&config.node.state)
        .with_context(|| format!("state folder {}", config.node.state.display()))?;
    if let Some(path) = admin::ensure_token(&mut config).context("admin token")? {
        tracing::info!(path = %path.display(), "admin token of this node");
    }
    let metrics = Metrics::new()?;
    let bus = open_bus(&config)?;
    let access_log = AccessLog::to(io::stderr()).context("access log")?;
    let (stop, stopping) = watch::channel(false);
    let parts = EdgeParts { bus: Arc::clone(&bus), metrics: metrics.clone(), access_log, distance: None };
    let edge = launch_edge(&config, parts, stopping.clone()).await?;
    let dns = match &config.dns {
        Some(_) => Some(dns::launch(&config, &metrics, stopping.clone())?),
        None => None,
    };
    let admin = match config.admin.listen {
        Some(address) => Some(Admin::bind(address).await.map_err(StartError::Listen)?),
        None => None,
    };
    tracing::info!(
        node = config.node.name,
        http = ?edge.http,
        https = ?edge.https,
        admin = ?admin.as_ref().map(Admin::address),
        dns = ?dns.as_ref().map(|role| role.addresses.clone()),
        "ready"
    );
    let fleet = Arc::new(Fleet {
        nodes: vec![Arc::clone(&edge.node)],
        bus,
        metrics,
        dns: dns.as_ref().map(|role| role.view.clone()),
        config: RwLock::new(Arc::new(config)),
        config_file: Some(file),
    });
    let admin = admin.map(|admin| tokio::spawn(admin.serve(Arc::clone(&fleet), stopping.clone())));
    until_stopped(signals, &fleet).await;
    tracing::info!("draining");
    stop.send_replace(true);
    // a part that panicked has said so; the others still end in order
    drop(edge.task.await);
    edge.node.stop().await;
    if let Some(admin) = admin {
        drop(admin.await);
    }
    if let Some(dns) = dns {
        drop(dns.task.await);
    }
    edge.node.access_log().close();
    tracing::info!("stopped");
    Ok(())
}

/// Handles SIGHUP until a stop signal comes.
async fn until_stopped(mut signals: Signals, fleet: &Arc<Fleet>) {
    loop {
        tokio::select! {
            () = shutdown::raised(&mut signals.stop) => return,
            changed = signals.reload.changed() => {
                if changed.is_err() {
                    return;
                }
                match reload::reload(fleet).await {
                    Ok(sections) if sections.is_empty() => tracing::info!("configuration reloaded"),
                    Ok(sections) => tracing::warn!(?sections, "configuration reloaded; these sections need a restart"),
                    Err(error) => tracing::error!(%error, "configuration not reloaded; the old one stays"),
                }
            }
        }
    }
}

/// Opens the purge log that the configuration names.
///
/// # Errors
/// When it can't be opened, or another process has it.
pub fn open_bus(config: &Config) -> Result<Arc<dyn Bus>, StartError> {
    match config.cluster.bus {
        BusKind::Embedded => {
            Ok(Embedded::open(&config.node.state.join("purge-log")).map_err(StartError::Bus)?)
        }
    }
}

/// What a data plane needs besides its configuration.
pub struct EdgeParts {
    /// The purge log.
    pub bus: Arc<dyn Bus>,
    /// Counters of the process.
    pub metrics: Metrics,
    /// Where requests are logged.
    pub access_log: AccessLog,
    /// Delay before every origin fetch, for demonstrations.
    pub distance: Option<Duration>,
}

/// Binds the listeners, starts the node and begins to accept.
///
/// # Errors
/// [`StartError`]; nothing is left running then.
pub async fn launch_edge(
    config: &Config,
    parts: EdgeParts,
    shutdown: watch::Receiver<bool>,
) -> Result<EdgeRole, StartError> {
    let listeners = Listeners::bind(&config.listen.http, &config.listen.https)
        .map_err(|error| StartError::Listen(error.to_string()))?;
    let certificates = Certificates::from_config(&config.tls, &config.sites)
        .map_err(|error| StartError::Tls(error.to_string()))?;
    let node = Node::start(
        config,
        NodeParts {
            bus: parts.bus,
            metrics: parts.metrics,
            access_log: parts.access_log,
            distance: parts.distance,
            certificates: Arc::clone(&certificates),
            open: listeners.door(),
            shutdown: shutdown.clone(),
        },
    )
    .await?;
    collectors::register(&node, listeners.counters())?;
    let (http, https) = (listeners.local_addrs(Scheme::Http), listeners.local_addrs(Scheme::Https));
    let mut proxy = http_proxy(&Arc::new(ServerConf::default()), Edge::new(Arc::clone(&node)));
    proxy.server_options = Some(listen::http_options());
    proxy.h2_options = Some(listen::h2_options());
    let front = Arc::new(Front::new(proxy, Arc::clone(&node)));
    let (limits, keeper) = (config.limits.clone(), Arc::clone(&node));
    let task = tokio::spawn(async move {
        let serving = listeners.serve(front, certificates, &limits, shutdown);
        let renewing = renew_daily(&keeper);
        tokio::select! {
            served = serving => if let Err(error) = served {
                tracing::error!(%error, "listeners ended");
            },
            () = renewing => {}
            () = tailoring::watch(&keeper) => {}
        }
    });
    Ok(EdgeRole { node, http, https, task })
}

/// Certificates of the internal CA live 30 days, and an operator's files are replaced under the same names.
async fn renew_daily(node: &Node) {
    let mut days = tokio::time::interval(RENEW_EVERY);
    days.tick().await;
    loop {
        days.tick().await;
        if let Err(error) = node.renew_certificates() {
            tracing::error!(%error, "certificates not renewed; the old ones stay");
        }
    }
}
