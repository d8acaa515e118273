//! Switches: origins up and down, nodes drained and dropped, configuration reloaded.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use overfall_config::Scope;
use serde_json::{Value, json};

use super::{auth::Caller, problem::Problem};
use crate::{fleet::Fleet, reload};

/// `POST /api/v1/origins/{name}/{up|down}`.
pub(super) async fn origin(
    State(fleet): State<Arc<Fleet>>,
    caller: Caller,
    Path((name, action)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let by = caller.require(Scope::Operate)?;
    let enabled = match action.as_str() {
        "up" => true,
        "down" => false,
        _ => return Err(Problem::absent(format!("an origin can be switched up or down, not {action:?}"))),
    };
    fleet.set_origin_enabled(&name, enabled).ok_or_else(|| {
        let known: Vec<_> = fleet.origins().into_keys().collect();
        Problem::absent(format!("there is no origin {name:?}; origins: {}", known.join(", ")))
    })?;
    tracing::info!(target: "audit", by, origin = name, action, "origin switched");
    Ok(Json(json!({ "origin": name, "state": action })))
}

/// `POST /api/v1/nodes/{name}/{drain|resume|drop|restore}`.
pub(super) async fn node(
    State(fleet): State<Arc<Fleet>>,
    caller: Caller,
    Path((name, action)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    let by = caller.require(Scope::Operate)?;
    let node = fleet.node(&name).ok_or_else(|| {
        let known: Vec<_> = fleet.nodes.iter().map(|node| node.name().to_owned()).collect();
        Problem::absent(format!("there is no node {name:?} in this process; nodes: {}", known.join(", ")))
    })?;
    match action.as_str() {
        "drain" => node.set_draining(true),
        "resume" => node.set_draining(false),
        "drop" => node.set_open(false),
        "restore" => node.set_open(true),
        _ => {
            let detail = format!("a node can be told to drain, resume, drop or restore, not {action:?}");
            return Err(Problem::absent(detail));
        }
    }
    tracing::info!(target: "audit", by, node = name, action, "node switched");
    Ok(Json(json!({ "node": name, "state": node.state(), "listening": *node.watch_open().borrow() })))
}

/// `POST /api/v1/reload`: reads the configuration file again.
pub(super) async fn reload(State(fleet): State<Arc<Fleet>>, caller: Caller) -> Result<Json<Value>, Problem> {
    let by = caller.require(Scope::Operate)?;
    let needs_restart = reload::reload(&fleet)
        .await
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    tracing::info!(target: "audit", by, "configuration reloaded");
    Ok(Json(json!({ "reloaded": true, "needs_restart": needs_restart })))
}
