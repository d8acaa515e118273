//! `POST /api/v1/purge`.

use std::sync::Arc;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use overfall_cache::{
    bus::Receipt,
    purge::{Mode, Selector},
};
use overfall_config::Scope;
use serde::Deserialize;

use super::{auth::Caller, problem::Problem};
use crate::{
    fleet::{Fleet, Purged},
    key,
    route::Routes,
};

/// Selectors in one call.
const SELECTORS_MAX: usize = 1000;

/// What a purge call says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PurgeCall {
    site: Option<String>,
    #[serde(default)]
    urls: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    prefixes: Vec<String>,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    all: bool,
    #[serde(default = "hard")]
    mode: Mode,
    #[serde(default)]
    wait: bool,
}

const fn hard() -> Mode {
    Mode::Hard
}

/// Accepts a purge: 202 when it is durable, 200 with a receipt per node when asked to wait.
pub(super) async fn purge(
    State(fleet): State<Arc<Fleet>>,
    caller: Caller,
    call: Result<Json<PurgeCall>, JsonRejection>,
) -> Result<Response, Problem> {
    let by = caller.require(Scope::Purge)?;
    let Json(call) = call.map_err(|error| Problem::new(error.status(), error.body_text()))?;
    let node = fleet.own().ok_or_else(|| Problem::absent("this process runs no edge node"))?;
    let selectors = selectors(&call, &node.routes()).map_err(Problem::bad)?;
    let count = selectors.len();
    let purged = fleet
        .purge(selectors, call.mode, by, call.wait)
        .await
        .map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    tracing::info!(target: "audit", by, seq = purged.position.seq, selectors = count, mode = ?call.mode, "purge");
    Ok(answer(&call, count, &purged))
}

fn answer(call: &PurgeCall, selectors: usize, purged: &Purged) -> Response {
    let complete = purged.receipts.iter().all(|receipt| receipt.applied);
    let body = serde_json::json!({
        "seq": purged.position.seq,
        "epoch": format!("{:016x}", purged.position.epoch),
        "mode": call.mode,
        "selectors": selectors,
        "complete": call.wait.then_some(complete),
        "receipts": purged.receipts.iter().map(receipt).collect::<Vec<_>>(),
    });
    let status = if call.wait { StatusCode::OK } else { StatusCode::ACCEPTED };
    (status, Json(body)).into_response()
}

fn receipt(receipt: &Receipt) -> serde_json::Value {
    serde_json::json!({
        "node": receipt.node,
        "applied": receipt.applied,
        "seq": receipt.seq,
        "after_ms": receipt.after_ms,
    })
}

/// From the call's words to canonical selectors.
fn selectors(call: &PurgeCall, routes: &Routes) -> Result<Vec<Selector>, String> {
    let site = call.site.as_deref();
    if let Some(site) = site
        && routes.site_named(site).is_none()
    {
        let known: Vec<_> = routes.sites().iter().map(|route| route.site.name.as_str()).collect();
        return Err(format!("there is no site {site:?}; sites: {}", known.join(", ")));
    }
    let mut selectors = Vec::new();
    for url in &call.urls {
        selectors.extend(key::purge_url(routes, site, url)?);
    }
    for prefix in &call.prefixes {
        selectors.extend(key::purge_prefix(routes, site, prefix)?);
    }
    for host in &call.hosts {
        selectors.push(key::purge_host(routes, site, host)?);
    }
    if !call.tags.is_empty() || call.all {
        let site = site.ok_or("tags and all belong to a site: say which in \"site\"")?;
        for tag in &call.tags {
            selectors.push(Selector::tag(site, tag).map_err(|error| error.to_string())?);
        }
        if call.all {
            selectors.push(Selector::Site { site: site.to_owned() });
        }
    }
    match selectors.len() {
        0 => Err("name what to purge: urls, tags, prefixes, hosts or \"all\": true".to_owned()),
        count if count > SELECTORS_MAX => {
            Err(format!("{count} selectors in one call; send at most {SELECTORS_MAX}"))
        }
        _ => Ok(selectors),
    }
}
