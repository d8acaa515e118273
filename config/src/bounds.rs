//! The range and default of every number and list, as data.
//!
//! The reader checks a value against its entry, the message names the range, and a test compares the entry with
//! the reference page.

use crate::{
    keys::{self, Keys},
    units,
};

/// What a bounded value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A whole number.
    Count,
    /// A size in bytes.
    Bytes,
    /// A duration in milliseconds.
    Time,
    /// Entries of a list.
    Items,
}

/// One bounded value, in the unit that it counts.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) keys: &'static Keys,
    pub(crate) key: &'static str,
    pub(crate) unit: Unit,
    pub(crate) min: u64,
    pub(crate) max: u64,
    pub(crate) default: Option<u64>,
}

impl Bound {
    /// The value when none is given or the one given is refused.
    pub(crate) fn fallback(&self) -> u64 {
        self.default.unwrap_or(self.min)
    }

    /// A value of this kind as one writes it.
    pub(crate) fn show(&self, value: u64) -> String {
        match self.unit {
            Unit::Count | Unit::Items => value.to_string(),
            Unit::Bytes => units::show_size(value),
            Unit::Time => units::show_duration(value),
        }
    }

    /// The range in words.
    pub(crate) fn range(&self) -> String {
        format!("{} to {}", self.show(self.min), self.show(self.max))
    }

    const fn or(mut self, default: u64) -> Self {
        self.default = Some(default);
        self
    }
}

const fn bound(keys: &'static Keys, key: &'static str, unit: Unit, min: u64, max: u64) -> Bound {
    Bound { keys, key, unit, min, max, default: None }
}

const fn count(keys: &'static Keys, key: &'static str, min: u64, max: u64) -> Bound {
    bound(keys, key, Unit::Count, min, max)
}

const fn bytes(keys: &'static Keys, key: &'static str, min: u64, max: u64) -> Bound {
    bound(keys, key, Unit::Bytes, min, max)
}

const fn time(keys: &'static Keys, key: &'static str, min: u64, max: u64) -> Bound {
    bound(keys, key, Unit::Time, min, max)
}

const fn items(keys: &'static Keys, key: &'static str, min: u64, max: u64) -> Bound {
    bound(keys, key, Unit::Items, min, max)
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

pub(crate) static REGIONS: Bound = items(&keys::ROOT, "regions", 0, 256);
pub(crate) static ORIGINS: Bound = items(&keys::ROOT, "origins", 0, 1_024);
pub(crate) static SITES: Bound = items(&keys::ROOT, "site", 0, 1_024);

pub(crate) static REGION_ADDRESSES: Bound = items(&keys::REGION, "addresses", 0, 16);
pub(crate) static REGION_WEIGHT: Bound = count(&keys::REGION, "weight", 0, 1_000).or(100);

pub(crate) static LISTEN_HTTP: Bound = items(&keys::LISTEN, "http", 0, 64);
pub(crate) static LISTEN_HTTPS: Bound = items(&keys::LISTEN, "https", 0, 64);
pub(crate) static LISTEN_DNS: Bound = items(&keys::LISTEN, "dns", 0, 64);

pub(crate) static CACHE_MEMORY: Bound = bytes(&keys::CACHE, "memory", MIB, TIB).or(256 * MIB);
pub(crate) static CACHE_OBJECT_MAX: Bound = bytes(&keys::CACHE, "object_max", KIB, 4 * GIB).or(64 * MIB);
pub(crate) static DISK_SIZE: Bound = bytes(&keys::DISK, "size", 16 * MIB, 64 * TIB);

pub(crate) static CERTIFICATES: Bound = items(&keys::TLS, "certificates", 1, 1_024);

pub(crate) static DNS_SERVICES: Bound = items(&keys::DNS, "services", 1, 1_024);
pub(crate) static DNS_NAME_SERVERS: Bound = items(&keys::DNS, "name_servers", 1, 13);
pub(crate) static DNS_TTL: Bound = time(&keys::DNS, "ttl", SECOND, DAY).or(30 * SECOND);
pub(crate) static DNS_LOCATIONS: Bound = items(&keys::DNS, "locations", 0, 10_000);
pub(crate) static HEALTH_EVERY: Bound = time(&keys::HEALTH, "every", 50, HOUR).or(SECOND);
pub(crate) static HEALTH_TIMEOUT: Bound = time(&keys::HEALTH, "timeout", 10, MINUTE).or(SECOND);
pub(crate) static HEALTH_FAIL: Bound = count(&keys::HEALTH, "fail", 1, 100).or(2);
pub(crate) static HEALTH_PASS: Bound = count(&keys::HEALTH, "pass", 1, 100).or(2);

pub(crate) static ADMIN_TOKENS: Bound = items(&keys::ADMIN, "tokens", 0, 64);
pub(crate) static TOKEN_SCOPES: Bound = items(&keys::TOKEN, "scopes", 1, 3);

pub(crate) static CONNECT_TIMEOUT: Bound =
    time(&keys::ORIGIN, "connect_timeout", 1, 10 * MINUTE).or(2 * SECOND);
pub(crate) static HEAD_TIMEOUT: Bound = time(&keys::ORIGIN, "head_timeout", 1, 10 * MINUTE).or(10 * SECOND);
pub(crate) static READ_TIMEOUT: Bound = time(&keys::ORIGIN, "read_timeout", 1, 10 * MINUTE).or(10 * SECOND);

pub(crate) static BREAKER_FAILURES: Bound = count(&keys::BREAKER, "failures", 1, 1_000).or(5);
pub(crate) static BREAKER_OPEN: Bound = time(&keys::BREAKER, "open", 10, HOUR).or(SECOND);
pub(crate) static ORIGIN_HEALTH_EVERY: Bound = time(&keys::ORIGIN_HEALTH, "every", 50, HOUR).or(5 * SECOND);
pub(crate) static ORIGIN_HEALTH_TIMEOUT: Bound =
    time(&keys::ORIGIN_HEALTH, "timeout", 10, MINUTE).or(2 * SECOND);
pub(crate) static ORIGIN_HEALTH_FAIL: Bound = count(&keys::ORIGIN_HEALTH, "fail", 1, 100).or(2);
pub(crate) static ORIGIN_HEALTH_PASS: Bound = count(&keys::ORIGIN_HEALTH, "pass", 1, 100).or(2);

pub(crate) static SITE_HOSTS: Bound = items(&keys::SITE, "hosts", 1, HOSTS_MAX);
pub(crate) static SITE_ORIGINS: Bound = items(&keys::SITE, "origins", 1, 16);
pub(crate) static SITE_TTL: Bound = time(&keys::SITE, "ttl", 0, 365 * DAY);
pub(crate) static SITE_STALE_WHILE_REVALIDATE: Bound =
    time(&keys::SITE, "stale_while_revalidate", 0, 365 * DAY).or(MINUTE);
pub(crate) static SITE_STALE_IF_ERROR: Bound = time(&keys::SITE, "stale_if_error", 0, 365 * DAY).or(DAY);
pub(crate) static SITE_TRUSTED: Bound = items(&keys::SITE, "request_cache_control", 1, 256);
pub(crate) static QUERY_IGNORE: Bound = items(&keys::QUERY, "ignore", 1, 256);
pub(crate) static QUERY_ALLOW: Bound = items(&keys::QUERY, "allow", 1, 256);

pub(crate) static COMPRESS_CODINGS: Bound = items(&keys::COMPRESS, "codings", 0, 3);

pub(crate) static IMAGE_QUALITY: Bound = count(&keys::IMAGES, "quality", 1, 100).or(80);
pub(crate) static IMAGE_LIKENESS: Bound = count(&keys::IMAGES, "likeness", 1, 100).or(75);
pub(crate) static IMAGE_DIALECTS: Bound = items(&keys::IMAGES, "dialects", 1, 6);
pub(crate) static IMAGE_FORMATS: Bound = items(&keys::IMAGES, "formats", 0, 2);
pub(crate) static IMAGE_WIDTHS: Bound = items(&keys::IMAGES, "widths", 0, 64);
/// One of [`IMAGE_WIDTHS`].
pub(crate) static IMAGE_WIDTH: Bound = count(&keys::IMAGES, "widths", 1, 16_384);
pub(crate) static IMAGE_PRESETS: Bound = items(&keys::IMAGES, "presets", 0, 256);
pub(crate) static IMAGE_WATERMARKS: Bound = items(&keys::IMAGES, "watermarks", 0, 64);
pub(crate) static SIGN_KEYS: Bound = items(&keys::IMAGE_SIGN, "keys", 1, 16);
pub(crate) static IMGPROXY_KEYS: Bound = items(&keys::IMGPROXY, "keys", 0, 16);
pub(crate) static IMGPROXY_SIGNATURE: Bound = count(&keys::IMGPROXY, "signature_size", 4, 32).or(32);
pub(crate) static IMAGE_FRAMES_MAX: Bound = count(&keys::IMAGES, "frames_max", 1, 100_000).or(1_000);
pub(crate) static IMAGE_ANIMATION_PIXELS_MAX: Bound =
    count(&keys::IMAGES, "animation_pixels_max", 1, 10_000_000_000).or(200_000_000);
pub(crate) static IMAGE_SOURCES: Bound = items(&keys::IMAGES, "sources", 0, 256);
pub(crate) static IMAGE_SOURCE_MAX: Bound = bytes(&keys::IMAGES, "source_max", KIB, GIB).or(30 * MIB);
pub(crate) static IMAGE_PIXELS_MAX: Bound =
    count(&keys::IMAGES, "pixels_max", 1, 1_000_000_000).or(50_000_000);
pub(crate) static IMAGE_SIDE_MAX: Bound = count(&keys::IMAGES, "side_max", 1, 65_535).or(16_384);
pub(crate) static IMAGE_DEADLINE: Bound = time(&keys::IMAGES, "deadline", 10, 5 * MINUTE).or(10 * SECOND);

pub(crate) static FAILURE_STATUS: Bound = count(&keys::ON_FAILURE, "status", 200, 599).or(200);

pub(crate) static DICTIONARIES: Bound = items(&keys::ROOT, "dictionaries", 0, 64);
pub(crate) static LANGUAGES: Bound = items(&keys::VARY, "language", 1, 64);
pub(crate) static COUNTRIES: Bound = items(&keys::VARY, "country", 1, 250);
pub(crate) static REQUEST_HEADERS: Bound = items(&keys::SITE, "request_headers", 0, 32);
pub(crate) static RESPONSE_HEADERS: Bound = items(&keys::SITE, "response_headers", 0, 32);
pub(crate) static REDIRECTS: Bound = items(&keys::SITE, "redirect", 0, 8);

pub(crate) static CONNECTIONS_MAX: Bound = count(&keys::LIMITS, "connections_max", 1, 1_000_000).or(16_384);
pub(crate) static REQUEST_BODY_MAX: Bound =
    bytes(&keys::LIMITS, "request_body_max", KIB, 64 * GIB).or(32 * MIB);
pub(crate) static FETCHES_MAX: Bound = count(&keys::LIMITS, "fetches_max", 1, 65_536).or(1_024);
pub(crate) static IMAGE_THREADS: Bound = count(&keys::LIMITS, "image_threads", 1, 256);
pub(crate) static IMAGE_QUEUE: Bound = count(&keys::LIMITS, "image_queue_megapixels", 1, 100_000).or(400);
pub(crate) static DRAIN: Bound = time(&keys::LIMITS, "drain", 0, HOUR).or(30 * SECOND);
pub(crate) static HEAD_DEADLINE: Bound =
    time(&keys::LIMITS, "head_deadline", 10, 10 * MINUTE).or(10 * SECOND);
pub(crate) static IDLE: Bound = time(&keys::LIMITS, "idle", 10, HOUR).or(MINUTE);
pub(crate) static STALL: Bound = time(&keys::LIMITS, "stall", 10, HOUR).or(30 * SECOND);

/// Host names of all sites together.
pub(crate) const HOSTS_MAX: u64 = 10_000;

/// All of them, for the test that compares them with the reference page.
#[cfg(test)]
pub(crate) static ALL: &[&Bound] = &[
    &REGIONS,
    &ORIGINS,
    &SITES,
    &REGION_ADDRESSES,
    &REGION_WEIGHT,
    &LISTEN_HTTP,
    &LISTEN_HTTPS,
    &LISTEN_DNS,
    &CACHE_MEMORY,
    &CACHE_OBJECT_MAX,
    &DISK_SIZE,
    &CERTIFICATES,
    &DNS_SERVICES,
    &DNS_NAME_SERVERS,
    &DNS_TTL,
    &DNS_LOCATIONS,
    &HEALTH_EVERY,
    &HEALTH_TIMEOUT,
    &HEALTH_FAIL,
    &HEALTH_PASS,
    &ADMIN_TOKENS,
    &TOKEN_SCOPES,
    &CONNECT_TIMEOUT,
    &HEAD_TIMEOUT,
    &READ_TIMEOUT,
    &BREAKER_FAILURES,
    &BREAKER_OPEN,
    &ORIGIN_HEALTH_EVERY,
    &ORIGIN_HEALTH_TIMEOUT,
    &ORIGIN_HEALTH_FAIL,
    &ORIGIN_HEALTH_PASS,
    &SITE_HOSTS,
    &SITE_ORIGINS,
    &SITE_TTL,
    &SITE_STALE_WHILE_REVALIDATE,
    &SITE_STALE_IF_ERROR,
    &SITE_TRUSTED,
    &QUERY_IGNORE,
    &QUERY_ALLOW,
    &COMPRESS_CODINGS,
    &IMAGE_QUALITY,
    &IMAGE_LIKENESS,
    &IMAGE_DIALECTS,
    &IMAGE_FORMATS,
    &IMAGE_WIDTHS,
    &IMAGE_PRESETS,
    &IMAGE_WATERMARKS,
    &SIGN_KEYS,
    &IMGPROXY_KEYS,
    &IMGPROXY_SIGNATURE,
    &IMAGE_FRAMES_MAX,
    &IMAGE_ANIMATION_PIXELS_MAX,
    &IMAGE_SOURCES,
    &IMAGE_SOURCE_MAX,
    &IMAGE_PIXELS_MAX,
    &IMAGE_SIDE_MAX,
    &IMAGE_DEADLINE,
    &FAILURE_STATUS,
    &DICTIONARIES,
    &LANGUAGES,
    &COUNTRIES,
    &REQUEST_HEADERS,
    &RESPONSE_HEADERS,
    &REDIRECTS,
    &CONNECTIONS_MAX,
    &REQUEST_BODY_MAX,
    &FETCHES_MAX,
    &IMAGE_THREADS,
    &IMAGE_QUEUE,
    &DRAIN,
    &HEAD_DEADLINE,
    &IDLE,
    &STALL,
];
