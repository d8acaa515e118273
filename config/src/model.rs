//! The validated configuration: what every other crate receives.
//!
//! Values here have been checked once, by `validate`; nobody checks them again.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use crate::{
    imaging::ImageRules,
    secret::Secret,
    tailoring::{DictionaryFile, Geo, SiteTailoring},
};

/// One fleet's configuration as one node sees it.
#[derive(Debug, Clone)]
pub struct Config {
    /// This machine: the only part that differs within a fleet.
    pub node: Node,
    /// Every region by name.
    pub regions: BTreeMap<String, Region>,
    /// How nodes hear of purges.
    pub cluster: Cluster,
    /// Data-plane listeners.
    pub listen: Listen,
    /// Cache tiers.
    pub cache: Cache,
    /// Where certificates come from.
    pub tls: Tls,
    /// Authoritative DNS, when this node plays that role.
    pub dns: Option<Dns>,
    /// Admin listener and its tokens.
    pub admin: Admin,
    /// Where clients' countries are looked up.
    pub geo: Option<Geo>,
    /// Every dictionary by name.
    pub dictionaries: BTreeMap<String, DictionaryFile>,
    /// Every origin by name.
    pub origins: BTreeMap<String, Arc<Origin>>,
    /// Sites in file order; host names are unique across them.
    pub sites: Vec<Arc<Site>>,
    /// Bounds on what a stranger may send.
    pub limits: Limits,
}

/// `[node]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Unique in the fleet; appears in `Cache-Status` and receipts.
    pub name: String,
    /// Key into [`Config::regions`].
    pub region: String,
    /// Folder for the purge journal and the internal CA.
    pub state: PathBuf,
}

/// `[regions.NAME]`
#[derive(Debug, Clone)]
pub struct Region {
    /// The table's key.
    pub name: String,
    /// Where it stands, for distance.
    pub location: Location,
    /// Addresses that DNS answers for this region (A and AAAA).
    pub addresses: Vec<IpAddr>,
    /// `http://host:port/path` that the DNS role probes; none: never taken out.
    pub probe: Option<String>,
    /// Relative share, 0 to 1000; 0 takes it out of answers. Default 100.
    pub weight: u16,
}

/// Degrees north and east (WGS 84).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Location {
    /// −90 to 90.
    pub latitude: f64,
    /// −180 to 180.
    pub longitude: f64,
}

/// `[cluster]`
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The purge bus.
    pub bus: BusKind,
}

/// Where purge events are numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusKind {
    /// A log in [`Node::state`], for one process.
    Embedded,
}

/// `[listen]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listen {
    /// Plain HTTP.
    pub http: Vec<SocketAddr>,
    /// HTTPS.
    pub https: Vec<SocketAddr>,
    /// DNS over UDP and TCP.
    pub dns: Vec<SocketAddr>,
}

/// `[cache]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Bytes of bodies and heads held in memory.
    pub memory_bytes: u64,
    /// Disk tier.
    pub disk: Option<DiskTier>,
    /// Shared, persistent tier.
    pub shared: Option<SharedTier>,
    /// Larger bodies pass through uncached. Bytes; default 64 MiB.
    pub object_bytes_max: u64,
}

/// `[cache] disk`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskTier {
    /// Folder.
    pub path: PathBuf,
    /// Bytes on disk.
    pub size_bytes: u64,
}

/// `[cache] s3` or `[cache] folder`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharedTier {
    /// An S3 bucket.
    S3(S3Target),
    /// A folder, the embedded default behind the same trait.
    Folder {
        /// Folder.
        path: PathBuf,
    },
}

/// Bucket and credentials, for a tier or an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Target {
    /// Bucket name.
    pub bucket: String,
    /// Key prefix without leading slash; may be empty.
    pub prefix: String,
    /// `http(s)://host[:port]`; none: AWS for the region.
    pub endpoint: Option<String>,
    /// Region name used in signatures.
    pub region: String,
    /// Access key id.
    pub access_key: Secret,
    /// Secret access key.
    pub secret_key: Secret,
}

/// `[tls]`
#[derive(Debug, Clone)]
pub enum Tls {
    /// A certificate authority of our own, created in this folder when absent.
    Internal {
        /// Folder that holds `ca.pem` and `ca.key`.
        path: PathBuf,
    },
    /// Operator's files.
    Certificates(Vec<CertificateFiles>),
}

/// One chain with its key.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// PEM chain, leaf first.
    pub certificate: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
}

/// `[dns]`
#[derive(Debug, Clone)]
pub struct Dns {
    /// Zone apex, lower case, with a trailing dot.
    pub zone: String,
    /// Absolute names in the zone that are steered.
    pub services: Vec<String>,
    /// Absolute name servers for NS and SOA.
    pub name_servers: Vec<String>,
    /// Upper bound of answers' TTL. Default 30 s.
    pub ttl: Duration,
    /// Probing of regions.
    pub health: DnsHealth,
    /// Client networks with a known place, longest match wins.
    pub locations: Vec<(ipnet::IpNet, Location)>,
}

/// `[dns] health`
#[derive(Debug, Clone)]
pub struct DnsHealth {
    /// Time between probes of one region. Default 1 s.
    pub every: Duration,
    /// A probe's deadline. Default 1 s.
    pub timeout: Duration,
    /// Failures in a row that take a region out. Default 2.
    pub fail: u32,
    /// Successes in a row that bring it back. Default 2.
    pub pass: u32,
}

/// `[admin]`
#[derive(Debug, Clone, Default)]
pub struct Admin {
    /// Listener; none: no admin role. Loopback unless tokens are set.
    pub listen: Option<SocketAddr>,
    /// Bearer tokens.
    pub tokens: Vec<AdminToken>,
}

/// A bearer token and what it may do.
#[derive(Debug, Clone)]
pub struct AdminToken {
    /// Name for the audit log.
    pub name: String,
    /// The bearer value.
    pub token: Secret,
    /// What it allows; never empty.
    pub scopes: Vec<Scope>,
}

/// What an admin token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Status, metrics, explain.
    Read,
    /// Purges.
    Purge,
    /// Drain, origin switches, reload.
    Operate,
}

/// `[origins.NAME]`
#[derive(Debug, Clone)]
pub struct Origin {
    /// The table's key.
    pub name: String,
    /// Where it is.
    pub target: OriginTarget,
    /// Until the connection stands. Default 2 s.
    pub connect_timeout: Duration,
    /// Until the response head is whole, connection included. Default 10 s.
    pub head_timeout: Duration,
    /// Between two reads of the body. Default 10 s.
    pub read_timeout: Duration,
    /// `Host` sent to an HTTP origin; none: the client's.
    pub host: Option<String>,
    /// Root certificates (PEM file) for an `https://` origin, in place of the system's.
    pub ca: Option<PathBuf>,
    /// When it is asked.
    pub serve: Serve,
    /// When it is left alone for a while; none: never.
    pub breaker: Option<BreakerRule>,
    /// Checks besides the requests; none: off.
    pub health: Option<OriginHealth>,
}

impl Origin {
    /// An origin with every setting at its default.
    #[must_use]
    pub const fn new(name: String, target: OriginTarget) -> Self {
        Self {
            name,
            target,
            connect_timeout: Duration::from_secs(2),
            head_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(10),
            host: None,
            ca: None,
            serve: Serve::Always,
            breaker: Some(BreakerRule::DEFAULT),
            health: None,
        }
    }
}

/// `serve` of an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serve {
    /// In the order of the site's list.
    Always,
    /// An archive: only when every other origin failed and no stored response may be used.
    LastGood,
}

/// `breaker` of an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRule {
    /// Failures in a row after which it is left alone. Default 5.
    pub failures: u32,
    /// For how long at first. Default 1 s.
    pub open: Duration,
}

impl BreakerRule {
    /// What holds when the file says nothing.
    pub const DEFAULT: Self = Self { failures: 5, open: Duration::from_secs(1) };
}

/// `health` of an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginHealth {
    /// Path that is asked for, beginning with `/`; 2xx and 3xx pass.
    pub path: String,
    /// Time between two checks. Default 5 s.
    pub every: Duration,
    /// A check's deadline. Default 2 s.
    pub timeout: Duration,
    /// Failures in a row after which it is not asked. Default 2.
    pub fail: u32,
    /// Successes in a row after which it is asked again. Default 2.
    pub pass: u32,
}

/// What kind of place an origin is.
#[derive(Debug, Clone)]
pub enum OriginTarget {
    /// `http://` or `https://`; path prefix without trailing slash.
    Http {
        /// TLS to the origin.
        tls: bool,
        /// Host name or address; an IPv6 address without its brackets.
        host: String,
        /// Port.
        port: u16,
        /// Prepended to the request path; empty or begins with `/`.
        path: String,
    },
    /// `s3://bucket/prefix`
    S3(S3Target),
    /// `file:/folder`
    File {
        /// Served folder.
        path: PathBuf,
    },
}

/// `[[site]]`
#[derive(Debug, Clone)]
pub struct Site {
    /// Unique; names the site in purges and metrics.
    pub name: String,
    /// Exact host names, lower case, no port.
    pub hosts: Vec<String>,
    /// The waterfall: keys into [`Config::origins`], tried in order.
    pub origins: Vec<String>,
    /// Freshness when the origin gives none; none: RFC 9111 section 4.2.2 heuristic.
    pub ttl: Option<Duration>,
    /// Default stale-while-revalidate window (RFC 5861 section 3).
    pub stale_while_revalidate: Duration,
    /// Default stale-if-error window (RFC 5861 section 4).
    pub stale_if_error: Duration,
    /// What of the query belongs to the key.
    pub query: QueryRule,
    /// Content codings made here.
    pub compress: CompressRules,
    /// Image URLs; none: off.
    pub images: Option<ImageRules>,
    /// Last resort when every origin failed and no stored response may be used.
    pub on_failure: Option<Fallback>,
    /// Whose `Cache-Control` in requests is obeyed.
    pub request_cache_control: RequestRule,
    /// Which responses with `Set-Cookie` are stored.
    pub set_cookie: SetCookieRule,
    /// What is done differently by request.
    pub tailoring: SiteTailoring,
    /// Requests that are repeated elsewhere; none: off.
    pub shadow: Option<Shadow>,
}

/// `shadow`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadow {
    /// Key into [`Config::origins`].
    pub to: String,
    /// Requests of a million that are repeated, 1 to 1 000 000.
    pub sample_ppm: u32,
}

/// Whose wishes on the age of an answer count (RFC 9111 section 5.2.1). `only-if-cached` and `no-store` always do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RequestRule {
    /// Nobody's: any visitor could turn every hit into a request to the origin.
    #[default]
    Ignore,
    /// Everybody's.
    Obey,
    /// Those of clients in these networks.
    From(Vec<ipnet::IpNet>),
}

/// Which responses with `Set-Cookie` may be stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SetCookieRule {
    /// Only those that say by `public` or `s-maxage` that they are meant for everybody.
    #[default]
    Private,
    /// All that may be stored otherwise; RFC 9111 section 7.3 leaves it to the origin.
    Stored,
}

/// `compress`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompressRules {
    /// Codings that are made, none twice. Empty: responses are passed on as the origin coded them.
    pub codings: Vec<ContentCoding>,
    /// Time against size. Default [`CompressLevel::Balanced`].
    pub level: CompressLevel,
}

/// A content coding that this node can make (RFC 9110 section 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentCoding {
    /// RFC 7932.
    Br,
    /// RFC 8878.
    Zstd,
    /// RFC 1952.
    Gzip,
}

/// How much time a coding may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressLevel {
    /// gzip 4, brotli 4, zstd 3.
    Fast,
    /// gzip 6, brotli 6, zstd 9.
    Balanced,
    /// gzip 9, brotli 11, zstd 19.
    Best,
}

impl Default for CompressRules {
    fn default() -> Self {
        Self {
            codings: vec![ContentCoding::Br, ContentCoding::Zstd, ContentCoding::Gzip],
            level: CompressLevel::Balanced,
        }
    }
}

/// Which query parameters select a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryRule {
    /// All of them, as sent.
    All,
    /// None.
    None,
    /// All but these names.
    Ignore(Vec<String>),
    /// Only these names.
    Allow(Vec<String>),
}

/// `on_failure`
#[derive(Debug, Clone)]
pub struct Fallback {
    /// Status, 200 to 599.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// Body.
    pub body: String,
}

/// `[limits]`
#[derive(Debug, Clone)]
pub struct Limits {
    /// Concurrent client connections. Default 16 384.
    pub connections_max: usize,
    /// Request body of a passed-through request, bytes. Default 32 MiB.
    pub request_body_bytes_max: u64,
    /// Concurrent origin fetches. Default 1 024.
    pub fetches_max: usize,
    /// Image worker threads; default: cores.
    pub image_threads: usize,
    /// Waiting renderings, in megapixels of their sources. Default 400.
    pub image_queue_megapixels: u64,
    /// Whether AVIF and HEIC are decoded in processes of their own. Default true.
    pub has_image_workers: bool,
    /// Time a stopping node gives running requests. Default 30 s.
    pub drain: Duration,
    /// From the first byte of a request head to its end. Default 10 s.
    pub head_deadline: Duration,
    /// Time that a connection may wait for its next request. Default 60 s.
    pub idle: Duration,
    /// Time in which a client must take, or send, something of what is under way. Default 30 s.
    pub stall: Duration,
}
