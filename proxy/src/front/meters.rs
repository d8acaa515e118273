//! Metrics of hits from memory: the same ones that the ordinary way counts, found once per site instead of once per hit.

use std::time::Duration;

use overfall_cache::engine::MemoryHit;
use prometheus::{Histogram, IntCounter};

use crate::{
    node::Node,
    telemetry::{Metrics, status_class},
};

/// Counters of one site's hits from memory.
pub struct HitMeters {
    metrics: Metrics,
    node: String,
    site: String,
    successes: IntCounter,
    response_bytes: IntCounter,
    duration: Histogram,
}

/// The status class that is looked up beforehand.
const SUCCESS: &str = "2xx";

impl HitMeters {
    /// The counters of a site on a node.
    #[must_use]
    pub fn new(node: &Node, site: &str) -> Self {
        let metrics = node.metrics().clone();
        let labels = [node.name(), site, MemoryHit::TIER];
        Self {
            successes: metrics.requests.with_label_values(&[node.name(), site, MemoryHit::TIER, SUCCESS]),
            response_bytes: metrics.response_bytes.with_label_values(&labels),
            duration: metrics.duration.with_label_values(&[node.name(), MemoryHit::TIER]),
            metrics,
            node: node.name().to_owned(),
            site: site.to_owned(),
        }
    }

    /// Counts one answer with this many body bytes.
    pub fn count(&self, status: u16, bytes: u64, took: Duration) {
        match status_class(status) {
            SUCCESS => self.successes.inc(),
            class => {
                let labels = [self.node.as_str(), &self.site, MemoryHit::TIER, class];
                self.metrics.requests.with_label_values(&labels).inc();
            }
        }
        self.response_bytes.inc_by(bytes);
        self.duration.observe(took.as_secs_f64());
    }
}
