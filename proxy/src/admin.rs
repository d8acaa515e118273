//! The admin listener: purge, explain, status, switches, metrics. On loopback unless the configuration says otherwise.
//!
//! Everything but `/healthz` and `/metrics` needs a bearer token with the right scope. What changes something is logged
//! under the target `audit` with the token's name.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::{net::TcpListener, sync::watch};

use crate::fleet::Fleet;

mod auth;
mod explain;
mod problem;
mod purge;
mod status;
mod switches;

pub use auth::{ensure_token, random_token};

/// Largest request body, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A bound admin listener.
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
}

impl Admin {
    /// Binds the listener.
    ///
    /// # Errors
    /// The system's reason, with the address.
    pub async fn bind(address: SocketAddr) -> Result<Self, String> {
        let fail = |error| format!("admin listener {address}: {error}");
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        Ok(Self { listener, address })
    }

    /// The bound address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` turns true, then finishes running requests.
    pub async fn serve(self, fleet: Arc<Fleet>, mut shutdown: watch::Receiver<bool>) {
        let stop = async move {
            // a dropped sender is a stop as well
            drop(shutdown.wait_for(|stop| *stop).await);
        };
        let served = axum::serve(self.listener, router(fleet)).with_graceful_shutdown(stop).await;
        if let Err(error) = served {
            tracing::error!(%error, "admin listener ended");
        }
    }
}

fn router(fleet: Arc<Fleet>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .route("/api/v1/status", get(status::status))
        .route("/api/v1/explain", get(explain::explain))
        .route("/api/v1/dns/explain", get(explain::dns))
        .route("/api/v1/purge", post(purge::purge))
        .route("/api/v1/origins/{name}/{action}", post(switches::origin))
        .route("/api/v1/nodes/{name}/{action}", post(switches::node))
        .route("/api/v1/reload", post(switches::reload))
        .fallback(|| async { problem::Problem::new(StatusCode::NOT_FOUND, "no such page of the admin API") })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(fleet)
}

async fn metrics(State(fleet): State<Arc<Fleet>>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, fleet.metrics.render()).into_response()
}
