//! Counters that live in other crates, read when metrics are scraped.

use std::sync::{Arc, atomic::Ordering};

use prometheus::{
    core::{Collector, Desc},
    proto::MetricFamily,
    {IntCounterVec, IntGaugeVec, Opts},
};

use crate::{error::StartError, listen, node::Node, telemetry::Metrics};

/// Registers one node's counters.
///
/// # Errors
/// When a metric's name is taken.
pub fn register(node: &Arc<Node>, connections: Arc<listen::Counters>) -> Result<(), StartError> {
    let metrics = node.metrics().clone();
    let collector = NodeCollector::new(Arc::clone(node), connections)?;
    add(&metrics, collector)
}

fn add(metrics: &Metrics, collector: NodeCollector) -> Result<(), StartError> {
    Ok(metrics.add(Box::new(collector))?)
}

/// One gauge per fact; the node's name is a constant label, so that several nodes share one registry.
struct NodeCollector {
    node: Arc<Node>,
    connections: Arc<listen::Counters>,
    facts: IntGaugeVec,
    events: IntCounterVec,
    origins: IntGaugeVec,
    openings: IntCounterVec,
    shadows: IntCounterVec,
}

impl NodeCollector {
    fn new(node: Arc<Node>, connections: Arc<listen::Counters>) -> Result<Self, StartError> {
        let label = |opts: Opts| opts.const_label("node", node.name());
        let facts = IntGaugeVec::new(
            label(Opts::new("overfall_node_state", "Present values of a node, by fact.")),
            &["fact"],
        )?;
        let events = IntCounterVec::new(
            label(Opts::new("overfall_node_events_total", "Events of a node since start, by event.")),
            &["event"],
        )?;
        let origins = IntGaugeVec::new(
            label(Opts::new("overfall_origin_state", "1 for the state that an origin is in.")),
            &["origin", "state"],
        )?;
        let openings = IntCounterVec::new(
            label(Opts::new("overfall_origin_openings_total", "How often an origin's breaker opened.")),
            &["origin"],
        )?;
        let shadows = IntCounterVec::new(
            label(Opts::new("overfall_shadow_requests_total", "Requests repeated to a standby, by outcome.")),
            &["site", "outcome"],
        )?;
        Ok(Self { node, connections, facts, events, origins, openings, shadows })
    }

    fn read_shadows(&self) {
        self.shadows.reset();
        for route in self.node.routes().sites() {
            let Some(counters) = route.shadow.as_ref().map(|shadow| shadow.counters()) else { continue };
            for (outcome, count) in [
                ("answered", &counters.answered),
                ("failed", &counters.failed),
                ("skipped", &counters.skipped),
                ("dropped", &counters.dropped),
            ] {
                let labels = [route.site.name.as_str(), outcome];
                self.shadows.with_label_values(&labels).inc_by(count.load(Ordering::Relaxed));
            }
        }
    }

    fn read_origins(&self) {
        self.origins.reset();
        self.openings.reset();
        for (name, switch) in self.node.routes().origins() {
            let present = switch.state();
            for state in ORIGIN_STATES {
                self.origins.with_label_values(&[name, state]).set(i64::from(state == present));
            }
            self.openings.with_label_values(&[name]).inc_by(switch.health().openings());
        }
    }

    fn read_facts(&self) {
        let node = &self.node;
        let usage = node.hybrid().usage();
        let images = node.studio().pool.metrics();
        for (fact, value) in [
            ("connections", self.connections.active.load(Ordering::Relaxed)),
            ("fetches", node.engine().fetches() as u64),
            ("filling_bytes", node.engine().counters().filling_bytes.load(Ordering::Relaxed)),
            ("memory_bytes", usage.memory_bytes),
            ("lent_bytes", usage.lent_bytes),
            ("disk_waiting_bytes", usage.disk_waiting_bytes),
            ("disk_open", node.hybrid().counters().disk.open.load(Ordering::Relaxed)),
            ("shared_open", shared_open(node)),
            ("purge_seq", node.purges().position().seq),
            ("draining", u64::from(node.state() == "draining")),
            ("image_queue", images.queue_jobs.load(Ordering::Relaxed)),
        ] {
            self.facts.with_label_values(&[fact]).set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    fn read_events(&self) {
        let counters = self.node.engine().counters();
        let codings = self.node.engine().workshop().counters();
        let tiers = self.node.hybrid().counters();
        let images = self.node.studio().pool.metrics();
        self.events.reset();
        for (event, count) in [
            ("connection_accepted", &self.connections.accepted),
            ("connection_refused", &self.connections.refused),
            ("tls_failed", &self.connections.handshakes_failed),
            ("connection_panicked", &self.connections.panics),
            ("response_stored", &counters.stored),
            ("response_passed", &counters.passed),
            ("response_validated", &counters.validated),
            ("request_collapsed", &counters.collapsed),
            ("fetch_refused", &counters.refused),
            ("response_coded", &codings.coded),
            ("response_left_plain", &codings.dropped),
            ("memory_hit", &tiers.memory.hits),
            ("memory_miss", &tiers.memory.misses),
            ("disk_hit", &tiers.disk.hits),
            ("disk_miss", &tiers.disk.misses),
            ("disk_corrupt", &tiers.disk.corrupt),
            ("disk_failed", &tiers.disk_failures),
            ("disk_written", &tiers.disk.written),
            ("disk_dropped", &tiers.disk.dropped),
            ("disk_skipped", &tiers.disk.skipped),
            ("disk_refused", &tiers.disk.refused),
            ("image_source_decoded", &images.decodes),
            ("image_source_shared", &images.shared_decodes),
            ("image_rendered", &images.renders),
            ("image_failed", &images.failures),
            ("image_refused", &images.refusals),
            ("image_abandoned", &images.abandoned),
            ("image_panicked", &images.panics),
        ] {
            self.events.with_label_values(&[event]).inc_by(count.load(Ordering::Relaxed));
        }
        if let Some(shared) = self.node.shared().and_then(|tier| tier.counters()) {
            for (event, count) in [
                ("shared_hit", &shared.hits),
                ("shared_miss", &shared.misses),
                ("shared_corrupt", &shared.corrupt),
                ("shared_failed", &shared.failures),
                ("shared_skipped", &shared.skipped),
                ("shared_written", &shared.written),
                ("shared_dropped", &shared.dropped),
                ("shared_refused", &shared.refused),
            ] {
                self.events.with_label_values(&[event]).inc_by(count.load(Ordering::Relaxed));
            }
        }
        let dropped = self.node.access_log().dropped();
        self.events.with_label_values(&["log_line_dropped"]).inc_by(dropped);
    }
}

/// 1 while the shared tier is skipped.
fn shared_open(node: &Node) -> u64 {
    let counters = node.shared().and_then(|tier| tier.counters());
    counters.map_or(0, |counters| counters.open.load(Ordering::Relaxed))
}

impl Collector for NodeCollector {
    fn desc(&self) -> Vec<&Desc> {
        let mut descriptions = self.facts.desc();
        descriptions.extend(self.events.desc());
        descriptions.extend(self.origins.desc());
        descriptions.extend(self.openings.desc());
        descriptions.extend(self.shadows.desc());
        descriptions
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.read_facts();
        self.read_events();
        self.read_origins();
        self.read_shadows();
        let mut families = self.facts.collect();
        families.extend(self.events.collect());
        families.extend(self.origins.collect());
        families.extend(self.openings.collect());
        families.extend(self.shadows.collect());
        families
    }
}

/// Every word of [`crate::origin::Switch::state`].
const ORIGIN_STATES: [&str; 5] = ["ok", "open", "half-open", "unhealthy", "disabled"];

/// Counters of the DNS role.
struct DnsCollector {
    counters: Arc<overfall_geo_routing::metrics::Metrics>,
    events: IntCounterVec,
}

/// Registers the DNS role's counters.
///
/// # Errors
/// When a metric's name is taken.
pub fn register_dns(
    metrics: &Metrics,
    counters: Arc<overfall_geo_routing::metrics::Metrics>,
) -> Result<(), StartError> {
    let opts = Opts::new("overfall_dns_events_total", "DNS questions and answers since start, by event.");
    Ok(metrics.add(Box::new(DnsCollector { counters, events: IntCounterVec::new(opts, &["event"])? }))?)
}

impl Collector for DnsCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.events.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.events.reset();
        for (event, count) in self.counters.read() {
            self.events.with_label_values(&[event]).inc_by(count);
        }
        self.events.collect()
    }
}
