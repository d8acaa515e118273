//! `GET /api/v1/status`: is it fine?

use std::sync::{Arc, atomic::Ordering};

use axum::{Json, extract::State};
use overfall_cache::tier::hybrid::DiskState;
use overfall_config::Scope;
use serde_json::{Value, json};

use super::{auth::Caller, problem::Problem};
use crate::{fleet::Fleet, node::Node};

/// Nodes, origins, purge log and DNS of this process.
pub(super) async fn status(State(fleet): State<Arc<Fleet>>, caller: Caller) -> Result<Json<Value>, Problem> {
    caller.require(Scope::Read)?;
    let tail = fleet.bus.tail();
    let origins: Vec<_> = fleet
        .origins()
        .into_iter()
        .map(|(name, enabled)| json!({ "name": name, "state": if enabled { "up" } else { "down" } }))
        .collect();
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "nodes": fleet.nodes.iter().map(|node| describe(node)).collect::<Vec<_>>(),
        "origins": origins,
        "purge_log": { "epoch": format!("{:016x}", tail.epoch), "seq": tail.seq },
        "dns": fleet.dns.as_ref().map(|view| (view.regions)()),
    })))
}

fn describe(node: &Node) -> Value {
    let counters = node.engine().counters();
    let usage = node.hybrid().usage();
    json!({
        "name": node.name(),
        "region": node.region(),
        "state": node.state(),
        "listening": *node.watch_open().borrow(),
        "purge_seq": node.purges().position().seq,
        "fetches": node.engine().fetches(),
        "stored": counters.stored.load(Ordering::Relaxed),
        "passed": counters.passed.load(Ordering::Relaxed),
        "collapsed": counters.collapsed.load(Ordering::Relaxed),
        "validated": counters.validated.load(Ordering::Relaxed),
        "memory_bytes": usage.memory_bytes,
        "disk": disk(node.hybrid().disk_state()),
        "origins": origins(node),
        "sites": node.routes().sites().iter().map(|route| route.site.name.clone()).collect::<Vec<_>>(),
    })
}

/// What this node believes of each origin: `ok`, `open`, `half-open`, `unhealthy` or `disabled`.
fn origins(node: &Node) -> Value {
    let routes = node.routes();
    routes.origins().iter().map(|(name, switch)| (name.clone(), json!(switch.state()))).collect()
}

fn disk(state: &DiskState) -> String {
    match state {
        DiskState::Off => "off".to_owned(),
        DiskState::Ready => "ready".to_owned(),
        DiskState::Unusable(reason) => format!("unusable: {reason}"),
    }
}
