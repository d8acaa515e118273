//! Wiring of one edge node: tiers, purge log, engine, routes, listeners. No decisions are made here.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use http::{HeaderValue, header};
use overfall_cache::{
    body::Body,
    bus::{Bus, journal::Journal},
    clock::{Clock, SystemClock},
    engine::{Engine, EngineLimits, EngineParts},
    purge::{self, Mode, PurgeEvent, Selector, Table},
    stored::{Position, ResponseHead},
    tier::{Tier, folder::Folder, hybrid::Hybrid, s3},
};
use overfall_config::{Config, Limits, SharedTier};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    access_log::AccessLog,
    blocking::beside,
    error::StartError,
    invalidate::LOG_PATIENCE,
    response,
    route::Routes,
    studio::{self, Studio},
    telemetry::Metrics,
    tls::{self, Certificates},
};

/// Bytes that the embedded shared tier may keep in its folder.
const FOLDER_BYTES_MAX: u64 = 10 * 1024 * 1024 * 1024;
/// Share of the memory budget that growing bodies may take.
const FILLING_SHARE: u64 = 2;
/// Who asked for a purge that an unsafe request brought about, in the log.
const UNSAFE_REQUEST: &str = "unsafe request";
/// Time that a stopping node gives its tiers.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);
/// Time that a starting node waits for its purge log before it serves.
const PURGE_LOG_PATIENCE: Duration = Duration::from_secs(10);

/// What a node needs besides its configuration.
pub struct NodeParts {
    /// The purge log.
    pub bus: Arc<dyn Bus>,
    /// Counters of the process.
    pub metrics: Metrics,
    /// Where requests are logged.
    pub access_log: AccessLog,
    /// Delay before every origin fetch, for demonstrations.
    pub distance: Option<Duration>,
    /// Certificates in use, replaced on reload and daily.
    pub certificates: Arc<Certificates>,
    /// The listeners' door; see [`crate::listen::Listeners::door`].
    pub open: watch::Sender<bool>,
    /// Turns true when the process stops.
    pub shutdown: watch::Receiver<bool>,
}

/// One edge node, shared by all its connections.
pub struct Node {
    name: String,
    region: String,
    engine: Arc<Engine>,
    purges: Arc<Table>,
    bus: Arc<dyn Bus>,
    hybrid: Arc<Hybrid>,
    shared: Option<Arc<dyn Tier>>,
    studio: Arc<Studio>,
    routes: ArcSwap<Routes>,
    metrics: Metrics,
    access_log: AccessLog,
    limits: Limits,
    clock: Arc<dyn Clock>,
    distance: Option<Duration>,
    draining: AtomicBool,
    certificates: Arc<Certificates>,
    config: ArcSwap<Config>,
    open: watch::Sender<bool>,
    request_ids: AtomicU64,
    request_id_base: u64,
    follower: parking_lot::Mutex<Option<JoinHandle<()>>>,
}

impl Node {
    /// Opens the tiers, replays the purge log and builds the routes.
    ///
    /// # Errors
    /// When an origin, a shared tier or the purge journal can't be set up. A broken disk tier is not an error: the
    /// node runs without it and says so.
    pub async fn start(config: &Config, parts: NodeParts) -> Result<Arc<Self>, StartError> {
        let disk = config.cache.disk.as_ref().map(|disk| (disk.path.as_path(), disk.size_bytes));
        let has_workers = config.limits.has_image_workers;
        let (hybrid, workers) = tokio::join!(
            Hybrid::open(config.cache.memory_bytes, disk),
            beside(move || has_workers.then(studio::workers).transpose()),
        );
        let hybrid = hybrid.map_err(StartError::Tier)?;
        let workers = workers.unwrap_or_else(|| Err(std::io::Error::other("starting one broke down")));
        let workers = workers.map_err(|source| {
            let what = "image workers (limits.image_workers = false decodes in the node's own process)";
            StartError::Io { what: what.to_owned(), source }
        })?;
        let shared = shared_tier(config, &hybrid)?;
        let purges = Arc::new(Table::new());
        let follower = follow(config, &parts, &purges).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let engine = Engine::new(EngineParts {
            hybrid: Arc::clone(&hybrid),
            shared: shared.iter().cloned().collect(),
            purges: Arc::clone(&purges),
            clock: Arc::clone(&clock),
            limits: EngineLimits {
                object_bytes_max: config.cache.object_bytes_max,
                fetches_max: config.limits.fetches_max,
                filling_bytes_max: config.cache.memory_bytes / FILLING_SHARE,
            },
        });
        let studio = Studio::new(Arc::clone(&engine), &config.limits, workers)?;
        let routes = Routes::build(config, &Routes::default(), parts.distance).await?;
        Ok(Arc::new(Self {
            name: config.node.name.clone(),
            region: config.node.region.clone(),
            studio: Arc::new(studio),
            engine,
            purges,
            bus: parts.bus,
            hybrid,
            shared,
            routes: ArcSwap::from_pointee(routes),
            metrics: parts.metrics,
            access_log: parts.access_log,
            limits: config.limits.clone(),
            clock,
            distance: parts.distance,
            draining: AtomicBool::new(false),
            certificates: parts.certificates,
            config: ArcSwap::from_pointee(config.clone()),
            open: parts.open,
            request_ids: AtomicU64::new(0),
            request_id_base: random_u64(),
            follower: parking_lot::Mutex::new(Some(follower)),
        }))
    }

    /// Makes what the selectors name unusable, on this node before it returns and on the others as a purge does. Where the
    /// log can't be written, this node alone forgets, until it restarts.
    pub(crate) async fn invalidate(&self, selectors: Vec<Selector>) {
        let event =
            PurgeEvent { selectors, mode: Mode::Hard, by: UNSAFE_REQUEST.to_owned(), at_ms: self.now_ms() };
        let published = tokio::time::timeout(LOG_PATIENCE, self.bus.publish(event.clone())).await;
        let position = match published {
            Ok(Ok(position)) => position,
            Ok(Err(error)) => self.unpublished(&error.to_string()),
            Err(_) => self.unpublished("it takes too long"),
        };
        self.purges.mark(position, &event);
    }

    /// A place that no fetch has seen yet.
    fn unpublished(&self, why: &str) -> Position {
        tracing::error!(why, "an invalidation was not written to the purge log");
        let Position { epoch, seq } = self.purges.position();
        Position { epoch, seq: seq.saturating_add(1) }
    }

    /// Swaps sites and origins; running requests keep what they began with.
    ///
    /// # Errors
    /// When an origin can't be set up; the node then goes on with what it had.
    pub async fn apply(&self, config: &Config) -> Result<(), StartError> {
        let routes = Routes::build(config, &self.routes.load_full(), self.distance).await?;
        self.certificates.replace(certificates(config)?);
        self.routes.store(Arc::new(routes));
        self.config.store(Arc::new(config.clone()));
        Ok(())
    }

    /// Loads or issues the certificates again; handshakes from then on use the new ones.
    ///
    /// # Errors
    /// When a file can't be read or the internal CA can't issue; the old certificates stay.
    pub fn renew_certificates(&self) -> Result<(), StartError> {
        self.certificates.replace(certificates(&self.config.load())?);
        Ok(())
    }

    /// Makes what was stored durable and stops following the purge log.
    pub async fn stop(&self) {
        let durable = async {
            self.engine.flush().await;
            self.hybrid.close().await;
        };
        if tokio::time::timeout(FLUSH_PATIENCE, durable).await.is_err() {
            tracing::warn!("a tier did not take what waited for it; that much is lost to it");
        }
        let follower = self.follower.lock().take();
        if let Some(follower) = follower {
            follower.abort();
        }
    }

    /// `/healthz`: honest, from memory, in every state.
    #[must_use]
    pub fn health(&self) -> (ResponseHead, Body) {
        let state = self.state();
        let status = if state == "ok" { 200 } else { 503 };
        let (mut head, _) = response::plain(status, "");
        head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let position = self.purges.position();
        let body = serde_json::json!({
            "status": state,
            "node": self.name,
            "region": self.region,
            "purge_seq": position.seq,
            "disk": self.hybrid.has_disk(),
        });
        (head, Body::Full(format!("{body}\n").into()))
    }

    /// `ok` or `draining`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        if self.draining.load(Ordering::Relaxed) { "draining" } else { "ok" }
    }

    /// Answers on, but tells health checks to send nobody new; or takes that back.
    pub fn set_draining(&self, draining: bool) {
        self.draining.store(draining, Ordering::Relaxed);
    }

    /// Closes or reopens the listening sockets, as if the node had died and come back.
    pub fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }

    /// Follows [`Self::set_open`].
    #[must_use]
    pub fn watch_open(&self) -> watch::Receiver<bool> {
        self.open.subscribe()
    }

    /// Name from the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Region from the configuration.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The cache engine.
    #[must_use]
    pub const fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Purges applied so far.
    #[must_use]
    pub const fn purges(&self) -> &Arc<Table> {
        &self.purges
    }

    /// Memory and disk.
    #[must_use]
    pub const fn hybrid(&self) -> &Arc<Hybrid> {
        &self.hybrid
    }

    /// The shared tier.
    #[must_use]
    pub const fn shared(&self) -> Option<&Arc<dyn Tier>> {
        self.shared.as_ref()
    }

    /// Image rendering.
    #[must_use]
    pub const fn studio(&self) -> &Arc<Studio> {
        &self.studio
    }

    /// The present routes.
    #[must_use]
    pub fn routes(&self) -> arc_swap::Guard<Arc<Routes>> {
        self.routes.load()
    }

    /// Counters of the process.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where requests are logged.
    #[must_use]
    pub const fn access_log(&self) -> &AccessLog {
        &self.access_log
    }

    /// Bounds.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Wall time in ms since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.clock.now().0
    }

    /// Unique within the fleet for all practical purposes: 64 random bits of this start, then a count.
    #[must_use]
    pub fn next_request_id(&self) -> u128 {
        let count = self.request_ids.fetch_add(1, Ordering::Relaxed);
        (u128::from(self.request_id_base) << 64) | u128::from(count)
    }
}

fn certificates(config: &Config) -> Result<tls::Table, StartError> {
    tls::Table::from_config(&config.tls, &config.sites).map_err(|error| StartError::Tls(error.to_string()))
}

fn shared_tier(config: &Config, hybrid: &Hybrid) -> Result<Option<Arc<dyn Tier>>, StartError> {
    Ok(match &config.cache.shared {
        None => None,
        Some(SharedTier::Folder { path }) => {
            Some(Folder::open(path, FOLDER_BYTES_MAX, hybrid.budget()).map_err(StartError::Tier)?)
        }
        Some(SharedTier::S3(target)) => {
            let client = s3::Client::connect(target).map_err(|error| StartError::S3(error.to_string()))?;
            Some(s3::S3Tier::new(client, &target.prefix, hybrid.budget()))
        }
    })
}

/// Replays the purge log before the node serves past it.
async fn follow(
    config: &Config,
    parts: &NodeParts,
    purges: &Arc<Table>,
) -> Result<JoinHandle<()>, StartError> {
    let path: PathBuf = config.node.state.join(format!("applied-{}", config.node.name));
    let journal = Journal::open(&path).map_err(StartError::Bus)?;
    let (ready, mut is_ready) = watch::channel(false);
    let follower = tokio::spawn(purge::follow(
        config.node.name.clone(),
        Arc::clone(&parts.bus),
        Arc::clone(purges),
        journal,
        ready,
        parts.shutdown.clone(),
    ));
    let caught_up = tokio::time::timeout(PURGE_LOG_PATIENCE, is_ready.wait_for(|ready| *ready)).await;
    match caught_up {
        Ok(Ok(_)) => Ok(follower),
        _ => Err(StartError::PurgeLogSilent),
    }
}

fn random_u64() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id())
}
