//! Metrics and diagnostics of a process.
//!
//! Labels come from closed sets: nothing that a stranger sends becomes a label.

use overfall_cache::engine::Served;
use prometheus::{
    Encoder as _, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder, core::Collector,
};

/// Upper bounds of the duration histogram, in seconds.
const SECONDS: &[f64] =
    &[0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Counters of the request path; all nodes of a process share them and differ by label.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    /// Answers by node, site, source and status class.
    pub requests: IntCounterVec,
    /// Body bytes sent by node, site and source.
    pub response_bytes: IntCounterVec,
    /// Time from request head to last byte, by node and source.
    pub duration: HistogramVec,
    /// Tries by node, origin and outcome.
    pub attempts: IntCounterVec,
    /// Requests refused before a site was found, by node and status.
    pub refused: IntCounterVec,
    /// Versions of dictionaries looked at while running, by node, dictionary and outcome.
    pub dictionaries: IntCounterVec,
    /// Requests redirected from a dictionary, by node and site.
    pub redirects: IntCounterVec,
    /// Connections by node and event (`accepted`, `refused`, `tls_failed`).
    pub connections: IntCounterVec,
}

impl Metrics {
    /// Registers everything once.
    ///
    /// # Errors
    /// When two metrics share a name, which is a mistake in this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| -> Result<IntCounterVec, prometheus::Error> {
            let vec = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(vec.clone()))?;
            Ok(vec)
        };
        let requests = counter(
            "overfall_requests_total",
            "Answers by source and status class.",
            &["node", "site", "source", "status"],
        )?;
        let response_bytes =
            counter("overfall_response_bytes_total", "Body bytes sent.", &["node", "site", "source"])?;
        let attempts = counter(
            "overfall_origin_attempts_total",
            "Tries at origins by outcome.",
            &["node", "origin", "outcome"],
        )?;
        let refused = counter(
            "overfall_refused_requests_total",
            "Requests refused before a site was found.",
            &["node", "status"],
        )?;
        let dictionaries = counter(
            "overfall_dictionary_reloads_total",
            "New versions of dictionaries by outcome.",
            &["node", "dictionary", "outcome"],
        )?;
        let redirects =
            counter("overfall_redirects_total", "Requests redirected from a dictionary.", &["node", "site"])?;
        let connections =
            counter("overfall_connections_total", "Client connections by event.", &["node", "event"])?;
        let duration = HistogramVec::new(
            HistogramOpts::new("overfall_request_duration_seconds", "Request head to last byte.")
                .buckets(SECONDS.to_vec()),
            &["node", "source"],
        )?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self {
            registry,
            requests,
            response_bytes,
            duration,
            attempts,
            refused,
            dictionaries,
            redirects,
            connections,
        })
    }

    /// Adds counters that live elsewhere and are read at scrape time.
    ///
    /// # Errors
    /// When a name is taken.
    pub fn add(&self, collector: Box<dyn Collector>) -> Result<(), prometheus::Error> {
        self.registry.register(collector)
    }

    /// The registry in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics can't be encoded");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// The `source` label.
#[must_use]
pub const fn source(served: Served) -> &'static str {
    match served {
        Served::Hit(tier) => tier,
        Served::Stale(_) => "stale",
        Served::Validated => "validated",
        Served::Fetched => "origin",
        Served::Passed => "passed",
        Served::Failed => "failed",
    }
}

/// The `status` label.
#[must_use]
pub const fn status_class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "none",
    }
}

/// Diagnostics on standard error: text for a terminal, JSON lines for anything else. `OVERFALL_LOG` sets the filter;
/// by default the libraries below speak only of errors, since strangers can trigger their warnings.
pub fn init_diagnostics() {
    use std::io::IsTerminal as _;
    use tracing_subscriber::{EnvFilter, fmt};
    let default = "info,pingora_core=off,pingora_proxy=off,pingora=off,hickory_proto=off,aws=warn,hyper=warn,foyer=warn,usvg=error,resvg=error,fontdb=error";
    let filter = EnvFilter::try_from_env("OVERFALL_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    // whatever is set: it speaks of every letter that its font lacks, again for each part of a text
    let filter = match "usvg::text=error".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // a second call in one process (tests) keeps the first subscriber
    let result = if std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    drop(result);
}
