//! `overfall demo`: three regions, two origins, S3 and DNS in one process, through the same code as `overfall run`.

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use overfall_cache::purge::{Mode, Selector};
use parking_lot::RwLock;
use tokio::{sync::watch, time::Instant};

use crate::{
    access_log::AccessLog,
    admin::{self, Admin},
    cli::DemoArgs,
    dns::{self, DnsRole},
    error::StartError,
    fleet::Fleet,
    server::{self, EdgeParts, EdgeRole},
    shutdown::{self, Signals},
    telemetry::{self, Metrics},
    tls,
};

mod accept;
mod data;
mod guide;
mod keys;
mod origin;
mod plan;
mod ports;
mod s3;

use keys::Keys;
use plan::{HOST, Plan, Ports, REGIONS, SITE};
use ports::Reserved;
use s3::S3;

/// A demo that is up.
struct Running {
    ready_ms: u128,
    page: String,
    ca: PathBuf,
    dir: PathBuf,
    admin_url: String,
    token: String,
    dns: SocketAddr,
    ports: Ports,
    _reserved: Reserved,
    /// What was asked for and is not used, in words.
    moved: Vec<String>,
    app: String,
    s3: S3,
    edges: Vec<EdgeRole>,
    dns_role: DnsRole,
    admin: tokio::task::JoinHandle<()>,
    fleet: Arc<Fleet>,
    stop: watch::Sender<bool>,
}

/// Runs the demo until Ctrl-C, SIGTERM or the key `q`.
///
/// # Errors
/// When a part can't be started; the message says which and why.
pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<()> {
    telemetry::init_diagnostics();
    tls::install_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("runtime")?;
    runtime.block_on(demo(args))
}

async fn demo(args: &DemoArgs) -> anyhow::Result<()> {
    let began = Instant::now();
    let signals = shutdown::signals().context("signals")?;
    let temporary = match args.dir {
        Some(_) => None,
        None => {
            Some(tempfile::Builder::new().prefix("overfall-demo-").tempdir().context("temporary folder")?)
        }
    };
    let dir = match (&args.dir, &temporary) {
        (Some(dir), _) => std::path::absolute(dir).context("demo folder")?,
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => PathBuf::from("."),
    };
    let running = start(args, &dir, began).await?;
    let mut keys = if args.json { None } else { Some(Keys::listen()) };
    let mut out = io::stdout();
    match &keys {
        None => writeln!(out, "{}", guide::json(&running))?,
        Some(keys) => writeln!(out, "{}", guide::text(&running, keys.is_live()))?,
    }
    out.flush()?;
    until_stopped(signals, keys.as_mut(), &running.fleet).await;
    running.stop().await;
    Ok(())
}

async fn start(args: &DemoArgs, dir: &Path, began: Instant) -> anyhow::Result<Running> {
    let addresses: Vec<_> = REGIONS.iter().map(|region| region.address).collect();
    let mut reserved = Reserved::default();
    let ports = Ports {
        https: reserved.common_tcp(&addresses, args.https_port).context("https port")?,
        http: reserved.common_tcp(&addresses, args.http_port).context("http port")?,
        dns: reserved.dns(args.dns_port).context("dns port")?,
        admin: reserved.common_tcp(&[Ipv4Addr::LOCALHOST], args.admin_port).context("admin port")?,
    };
    let (stop, stopping) = watch::channel(false);
    let s3 = S3::start(&dir.join("s3"), stopping.clone()).await?;
    let (app, app_address) = origin::bind().await.context("demo origin")?;
    tokio::spawn(origin::serve(app, stopping.clone()));
    let token = admin::random_token().context("admin token")?;
    let app = format!("http://{app_address}");
    let plan = Plan { dir, ports, s3: &s3, app: app.clone(), token: token.clone() };
    let configs = REGIONS.iter().map(|region| plan.config(region)).collect::<anyhow::Result<Vec<_>>>()?;
    let own = configs.first().context("the demo has no region")?.clone();
    std::fs::create_dir_all(&own.node.state).context("state folder")?;
    let bus = server::open_bus(&own)?;
    let metrics = Metrics::new()?;
    let log = std::fs::File::create(dir.join("access.log")).context("access log")?;
    let access_log = AccessLog::to(log).context("access log")?;
    s3.fill().await?;
    let mut edges = Vec::new();
    for (config, region) in configs.iter().zip(&REGIONS) {
        let parts = EdgeParts {
            bus: Arc::clone(&bus),
            metrics: metrics.clone(),
            access_log: access_log.clone(),
            distance: Some(Duration::from_millis(region.distance_ms)).filter(|way| !way.is_zero()),
        };
        edges.push(server::launch_edge(config, parts, stopping.clone()).await?);
    }
    // after the edges, so that no probe finds a region that is only just starting
    let dns_role = dns::launch(&own, &metrics, stopping.clone())?;
    let listener = Admin::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, ports.admin)))
        .await
        .map_err(StartError::Listen)?;
    let admin_url = format!("http://{}", listener.address());
    let fleet = Arc::new(Fleet {
        nodes: edges.iter().map(|edge| Arc::clone(&edge.node)).collect(),
        bus,
        metrics,
        dns: Some(dns_role.view.clone()),
        config: RwLock::new(Arc::new(own)),
        config_file: None,
    });
    let admin = tokio::spawn(listener.serve(Arc::clone(&fleet), stopping));
    let dns = *dns_role.addresses.first().context("the demo's DNS has no address")?;
    Ok(Running {
        ready_ms: began.elapsed().as_millis(),
        page: format!("https://{HOST}:{}/", ports.https),
        ca: dir.join("ca").join("ca.pem"),
        dir: dir.to_owned(),
        admin_url,
        token,
        dns,
        ports,
        _reserved: reserved,
        moved: moved(args, ports),
        app,
        s3,
        edges,
        dns_role,
        admin,
        fleet,
        stop,
    })
}

/// Ports that were asked for but taken.
fn moved(args: &DemoArgs, ports: Ports) -> Vec<String> {
    let pairs = [
        ("https", args.https_port, ports.https),
        ("http", args.http_port, ports.http),
        ("dns", args.dns_port, ports.dns),
        ("admin", args.admin_port, ports.admin),
    ];
    let taken = pairs.into_iter().filter(|(_, asked, used)| *asked != 0 && asked != used);
    taken.map(|(role, asked, used)| format!("{role} port {asked} is taken, {used} is used")).collect()
}

impl Running {
    /// Drains everything in order.
    async fn stop(self) {
        self.stop.send_replace(true);
        for edge in self.edges {
            // a part that panicked has said so; the others still end in order
            drop(edge.task.await);
            edge.node.stop().await;
        }
        drop(self.admin.await);
        drop(self.dns_role.task.await);
    }
}

async fn until_stopped(mut signals: Signals, mut keys: Option<&mut Keys>, fleet: &Arc<Fleet>) {
    loop {
        let key = async {
            match keys.as_deref_mut() {
                Some(keys) => keys.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shutdown::raised(&mut signals.stop) => return,
            key = key => match press(key, fleet).await {
                Some(said) => drop(writeln!(io::stdout(), "{said}")),
                None => return,
            },
        }
    }
}

/// What a key does; `None` quits.
async fn press(key: u8, fleet: &Fleet) -> Option<String> {
    match key {
        b'q' => None,
        b'o' => {
            let enabled = !fleet.origins().get("media").copied().unwrap_or_default();
            let known = fleet.set_origin_enabled("media", enabled);
            known.map(|()| format!("origin media is {}", if enabled { "up" } else { "down" }))
        }
        b'r' => {
            let node = fleet.node("ap-1")?;
            let open = !*node.watch_open().borrow();
            node.set_open(open);
            Some(format!("region ap-south is {}", if open { "back" } else { "gone" }))
        }
        b'p' => {
            let selector = Selector::tag(SITE, "loader").ok()?;
            let said = match fleet.purge(vec![selector], Mode::Hard, "key", true).await {
                Ok(purged) => format!(
                    "purge {}: {}/{} nodes",
                    purged.position.seq,
                    purged.receipts.iter().filter(|receipt| receipt.applied).count(),
                    purged.receipts.len()
                ),
                Err(error) => error.to_string(),
            };
            Some(said)
        }
        b's' => Some(status(fleet)),
        _ => Some("keys: o r p s q".to_owned()),
    }
}

fn status(fleet: &Fleet) -> String {
    let nodes = fleet.nodes.iter().map(|node| {
        let listening = if *node.watch_open().borrow() { "listening" } else { "gone" };
        format!("{} {listening}, purge seq {}", node.name(), node.purges().position().seq)
    });
    let origins =
        fleet.origins().into_iter().map(|(name, up)| format!("{name} {}", if up { "up" } else { "down" }));
    nodes.chain(origins).collect::<Vec<_>>().join("\n")
}
