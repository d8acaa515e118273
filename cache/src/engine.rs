//! The engine: one request in, one answer out, whatever broke on the way.
//!
//! It walks the tiers, lets the pure decisions judge what it finds, joins or leads a flight over the waterfall of
//! origins, and falls back to stale. It knows no HTTP server: widget files, S3 objects and image renderings all come
//! through here.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, Method};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::{
    body::{Body, BodyError},
    cache_control::{self, RequestDirectives},
    clock::{Clock, Millis},
    encoding::{self, Accepted, Workshop},
    flight::{Flights, Growing},
    key::{Key, KeyHash},
    mapped,
    origin::OriginRequest,
    policy::Policy,
    purge::Table,
    stored::{Kind, ResponseHead, Stored, StoredRef},
    tier::{Tier, hybrid::Hybrid},
    waterfall::{Attempt, Failure, Waterfall},
};

mod answer;
mod draft;
mod early;
mod explain;
mod failures;
mod fetch;
mod invalidate;
mod language;
mod last_good;
mod lead;
mod lookup;
mod memory_hit;
mod part;
mod sliced;
#[cfg(test)]
mod tests;

pub use early::{Early, Interim, Nobody};
pub use explain::{Explanation, OriginFinding, TierFinding};
pub use last_good::LAST_GOOD;
pub use memory_hit::MemoryHit;

/// Keys remembered as not shareable.
const PASS_MARKS_MAX: usize = 65_536;
/// Bodies freed of their coding at once; further ones wait.
const UNDOING_MAX: usize = 2;
/// How long such a key is remembered, in ms.
const PASS_MARK_MS: u64 = 60_000;

/// One request for a response that may be stored.
#[derive(Clone)]
pub struct Request {
    /// Key with an empty variant, or with the variant that the route chose (an image rendering).
    pub key: Key,
    /// GET or HEAD.
    pub method: Method,
    /// The client's end-to-end fields. On a site that compresses, `Accept-Encoding` asks for the plain body.
    pub headers: HeaderMap,
    /// What the client takes.
    pub accepted: Accepted,
    /// Host that the client named, lower case, no port.
    pub host: String,
    /// Raw path and query, for the origins.
    pub path_and_query: String,
    /// The site's caching rules.
    pub policy: Arc<Policy>,
    /// The site's origins.
    pub waterfall: Arc<Waterfall>,
    /// Identifies the request in logs.
    pub request_id: u128,
    /// Whether the client's wishes on the age of the answer count (RFC 9111 section 5.2.1).
    pub is_trusted: bool,
}

impl Request {
    fn directives(&self) -> RequestDirectives {
        RequestDirectives { is_trusted: self.is_trusted, ..cache_control::request(&self.headers) }
    }
}

/// A response for the client, before connection-level fields.
#[derive(Debug)]
pub struct Answer {
    /// Status and fields with `Age`; no `Cache-Status` yet.
    pub head: ResponseHead,
    /// Body; for HEAD it is empty while the fields speak of the GET.
    pub body: Body,
    /// Where it came from and why.
    pub trace: Trace,
    /// What a derived response inherits: set when the answer is or will be a stored response.
    pub source: Option<Provenance>,
    /// The fetch that the body is all of.
    pub(crate) growing: Option<Arc<Growing>>,
}

impl Answer {
    /// The body whole, refusing more than `max` bytes. All who read the same fetch have the same bytes, and the cache too where
    /// it stores them, so that many who wait for a body hold it once.
    ///
    /// # Errors
    /// As [`Body::collect`].
    pub async fn whole(self, max: u64) -> Result<Bytes, BodyError> {
        let Some(growing) = self.growing else { return self.body.collect(max).await };
        let chunks = self.body.chunks(max).await?;
        let length: usize = chunks.iter().map(Bytes::len).sum();
        let shared = growing.put_together().filter(|whole| whole.len() == length);
        Ok(shared.unwrap_or_else(|| mapped::concat(&chunks)))
    }
}

pub use crate::origin::Provenance;

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Served {
    /// Fresh from a tier.
    Hit(&'static str),
    /// Stale from a tier: revalidation runs behind it, or every origin failed.
    Stale(&'static str),
    /// A stored response that an origin has just confirmed.
    Validated,
    /// From an origin, being stored.
    Fetched,
    /// From an origin, not stored.
    Passed,
    /// Nowhere: no origin answered.
    Failed,
}

/// What one tier said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TierResult {
    /// Nothing under the key.
    Miss,
    /// Nothing for this request, though there are other variants.
    VariantMiss,
    /// A response that would do, but the request wants a newer one.
    Unwanted,
    /// A response that may be used as it is.
    Fresh,
    /// A response past its freshness, or softly purged.
    Stale,
    /// A head whose body was not there where the request wanted it.
    Partial,
    /// A purged response.
    Purged,
    /// The tier could not say, for this reason.
    Failed(&'static str),
}

/// How an answer was found, step by step.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Tiers in the order they were asked.
    pub tiers: Vec<(&'static str, TierResult)>,
    /// Origins in the order they were asked.
    pub attempts: Arc<Vec<Attempt>>,
    /// Where the answer came from.
    pub served: Served,
    /// Freshness left in ms; negative when stale.
    pub ttl_ms: i64,
    /// Whether the answer came from another request's fetch.
    pub collapsed: bool,
    /// Whether the response is being stored.
    pub stored: bool,
    /// Why a response was not stored, or why it was served stale.
    pub reason: Option<&'static str>,
    /// Time spent on tiers, in µs.
    pub lookup_us: u64,
    /// Time until the origin's head, in µs; zero without a fetch.
    pub fetch_us: u64,
}

impl Trace {
    fn new() -> Self {
        Self {
            tiers: Vec::new(),
            attempts: Arc::default(),
            served: Served::Failed,
            ttl_ms: 0,
            collapsed: false,
            stored: false,
            reason: None,
            lookup_us: 0,
            fetch_us: 0,
        }
    }
}

/// No answer: every origin failed and nothing stored may be used.
#[derive(Debug)]
pub struct Unanswered {
    /// What was tried.
    pub failure: Arc<Failure>,
    /// How far the request came.
    pub trace: Trace,
    /// The client asked for stored responses only (RFC 9111 section 5.2.1.7).
    pub only_if_cached: bool,
}

/// Bounds of an engine.
#[derive(Debug, Clone, Copy)]
pub struct EngineLimits {
    /// Bodies above this pass through without being stored. Bytes.
    pub object_bytes_max: u64,
    /// Concurrent fetches.
    pub fetches_max: usize,
    /// Bytes of growing bodies over all fetches; past it new bodies pass through.
    pub filling_bytes_max: u64,
}

/// Event counts since start.
#[derive(Debug, Default)]
pub struct EngineCounters {
    /// Requests answered by another request's fetch.
    pub collapsed: AtomicU64,
    /// Responses stored.
    pub stored: AtomicU64,
    /// Responses that could not be stored.
    pub passed: AtomicU64,
    /// Validations that an origin confirmed with 304.
    pub validated: AtomicU64,
    /// Fetches refused because `fetches_max` were running.
    pub refused: AtomicU64,
    /// Bytes of growing bodies at this moment.
    pub filling_bytes: AtomicU64,
}

/// Parts that an engine is made of.
pub struct EngineParts {
    /// Memory and disk.
    pub hybrid: Arc<Hybrid>,
    /// Tiers after the disk, in order.
    pub shared: Vec<Arc<dyn Tier>>,
    /// Purges applied by this node.
    pub purges: Arc<Table>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Bounds.
    pub limits: EngineLimits,
}

/// Answers requests for storable responses. Shared by all connections of a node.
pub struct Engine {
    hybrid: Arc<Hybrid>,
    shared: Vec<Arc<dyn Tier>>,
    purges: Arc<Table>,
    clock: Arc<dyn Clock>,
    limits: EngineLimits,
    flights: Flights,
    slices: sliced::SliceFlights,
    permits: Arc<Semaphore>,
    pass_marks: Mutex<HashMap<KeyHash, Millis>>,
    failures: failures::Failures,
    counters: EngineCounters,
    workshop: Workshop,
    /// Held while a slot's content is replaced.
    placing: Mutex<()>,
    /// Bounds the threads that undo codings.
    undoing: Semaphore,
}

impl Engine {
    /// Assembles an engine.
    #[must_use]
    pub fn new(parts: EngineParts) -> Arc<Self> {
        Arc::new_cyclic(|engine: &Weak<Self>| Self {
            hybrid: parts.hybrid,
            shared: parts.shared,
            purges: parts.purges,
            clock: parts.clock,
            limits: parts.limits,
            flights: Flights::default(),
            slices: sliced::SliceFlights::default(),
            permits: Arc::new(Semaphore::new(parts.limits.fetches_max)),
            pass_marks: Mutex::default(),
            failures: failures::Failures::default(),
            counters: EngineCounters::default(),
            workshop: Workshop::start(replacer(engine.clone())),
            placing: Mutex::default(),
            undoing: Semaphore::new(UNDOING_MAX),
        })
    }

    /// Event counts since start.
    #[must_use]
    pub const fn counters(&self) -> &EngineCounters {
        &self.counters
    }

    /// Fetches running at this moment.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.flights.len()
    }

    /// Waits until everything stored so far is durable or dropped; called at shutdown.
    pub async fn flush(&self) {
        self.hybrid.flush().await;
        for tier in &self.shared {
            tier.flush().await;
        }
    }

    /// Content codings made and waiting.
    #[must_use]
    pub const fn workshop(&self) -> &Workshop {
        &self.workshop
    }

    fn store(&self, stored: StoredRef, policy: &Policy) {
        self.counters.stored.fetch_add(1, Ordering::Relaxed);
        let hash = stored.key.hash();
        if matches!(stored.kind, Kind::Response | Kind::Sliced { .. }) {
            self.mark_variant(&stored);
        }
        self.place_at(hash, Arc::clone(&stored));
        if let Some(compress) = policy.compress {
            self.workshop.offer(hash, &stored, compress);
        }
    }

    /// Sees to it that requests which select the same variant look under it.
    fn mark_variant(&self, stored: &Stored) {
        if stored.vary.is_empty() {
            return;
        }
        let mut marker = vary_marker(stored);
        let selected = stored.key.variant.split_once(VARY_MARK).map_or("", |(_, selected)| selected);
        marker.head.headers = self.languages(&marker, stored, selected);
        self.place(Arc::new(marker));
    }

    fn place(&self, stored: StoredRef) {
        self.place_at(stored.key.hash(), stored);
    }

    /// What comes from a tier that outlived the process may have been stored before its codings were made.
    fn offer_from(&self, tier: &'static str, request: &Request, hash: KeyHash, stored: &StoredRef) {
        if let Some(compress) = request.policy.compress.filter(|_| tier != lookup::MEMORY) {
            self.workshop.offer(hash, stored, compress);
        }
    }

    /// Puts `after` where `before` still is; what has come in the meantime stays.
    fn replace(&self, hash: KeyHash, before: &StoredRef, after: Stored) {
        let _placing = self.placing.lock();
        if self.hybrid.memory(&before.key, hash).is_some_and(|present| Arc::ptr_eq(&present, before)) {
            self.put(hash, Arc::new(after));
        }
    }

    fn place_at(&self, hash: KeyHash, stored: StoredRef) {
        let _placing = self.placing.lock();
        self.put(hash, stored);
    }

    fn put(&self, hash: KeyHash, stored: StoredRef) {
        self.hybrid.insert(hash, Arc::clone(&stored));
        for tier in &self.shared {
            tier.put(hash, Arc::clone(&stored));
        }
    }

    fn is_marked_pass(&self, hash: KeyHash) -> bool {
        let now = self.clock.now();
        self.pass_marks.lock().get(&hash).is_some_and(|until| *until > now)
    }

    fn mark_pass(&self, hash: KeyHash) {
        let now = self.clock.now();
        let mut marks = self.pass_marks.lock();
        if marks.len() >= PASS_MARKS_MAX {
            marks.retain(|_, until| *until > now);
        }
        if marks.len() < PASS_MARKS_MAX {
            marks.insert(hash, Millis(now.0.saturating_add(PASS_MARK_MS)));
        }
    }

    fn unmark_pass(&self, hash: KeyHash) {
        let mut marks = self.pass_marks.lock();
        if !marks.is_empty() {
            marks.remove(&hash);
        }
    }
}

/// Puts a response with its codings in the place of the plain one.
fn replacer(engine: Weak<Engine>) -> encoding::Done {
    Box::new(move |hash, before, after| {
        if let Some(engine) = engine.upgrade() {
            engine.replace(hash, before, after);
        }
    })
}

/// "Look under the variant made of these fields", stored where the plain response would be.
fn vary_marker(stored: &Stored) -> Stored {
    Stored {
        key: stored.key.with_variant(base_variant(&stored.key.variant)),
        head: ResponseHead { status: stored.head.status, headers: HeaderMap::new() },
        body: Bytes::new(),
        lifetime: stored.lifetime,
        position: stored.position,
        scopes: stored.scopes.clone(),
        vary: stored.vary.clone(),
        codings: Vec::new(),
        kind: Kind::VaryMarker,
    }
}

/// Separates the route's variant from the one that `Vary` selects.
const VARY_MARK: char = '\u{1}';

fn base_variant(variant: &str) -> String {
    variant.split(VARY_MARK).next().unwrap_or_default().to_owned()
}

fn vary_variant(base: &str, selected: &str) -> String {
    format!("{base}{VARY_MARK}{selected}")
}

fn origin_request(request: &Request, headers: HeaderMap) -> OriginRequest {
    OriginRequest {
        host: request.host.clone(),
        path_and_query: request.path_and_query.clone(),
        headers,
        deadline: tokio::time::Instant::now(),
        request_id: request.request_id,
        interim: None,
    }
}
