//! The first who sees a client's HTTP/1.1 requests: answers what memory holds at once, hands all else to the ordinary way.
//!
//! It exists because a hit from memory needs none of what pingora's sessions do for a request, and they cost more than
//! the rest of a hit together. A request is answered here only if the ordinary way ([`crate::service`]) would give the
//! same answer: see `parse::Simple` for the request and [`overfall_cache::engine::Engine::memory_hit`] for the response.
//! **Whatever makes an answer depend on more than site, host, target and `Accept-Encoding` has to be refused in
//! `Front::find`**, or in the grammar of simple requests.
//!
//! Requests are answered one after the other, in order. HTTP/2 goes straight to pingora.

use std::{net::IpAddr, sync::Arc};

use crate::{
    node::Node,
    route::{IMAGE_PREFIX, SiteRoute},
    service::{Edge, HEALTH_PATH},
};
use async_trait::async_trait;
use overfall_cache::{engine::MemoryHit, key::KeyRef, status, target};
use pingora::{
    apps::ServerApp,
    protocols::{ALPN, Stream},
    proxy::HttpProxy,
    server::ShutdownWatch,
};

mod answer;
mod connection;
mod handed;
mod meters;
mod parse;

pub use self::meters::HitMeters;

/// One node's data plane as the listeners see it.
pub struct Front {
    proxy: Arc<HttpProxy<Edge>>,
    node: Arc<Node>,
    /// `Cache-Status` of a hit up to the number behind `ttl=`.
    cache_status: String,
}

/// A request that memory answers.
struct Found {
    route: Arc<SiteRoute>,
    hit: MemoryHit,
}

impl Front {
    /// Stands in front of a proxy for `node`.
    #[must_use]
    pub fn new(proxy: HttpProxy<Edge>, node: Arc<Node>) -> Self {
        let status = status::CacheStatus::new(node.name());
        let status = status.tier(MemoryHit::TIER, status::TierOutcome::Hit { ttl_s: 0 }).to_string();
        let cache_status = status.strip_suffix('0').unwrap_or(&status).to_owned();
        Self { proxy: Arc::new(proxy), node, cache_status }
    }

    /// The stored response for a request, if it may be sent as it is.
    fn find(&self, request: &parse::Simple<'_>) -> Option<Found> {
        let path = request.target.split('?').next().unwrap_or_default();
        if path == HEALTH_PATH || path.starts_with(IMAGE_PREFIX) {
            return None;
        }
        let route = Arc::clone(self.node.routes().find(request.host)?);
        if route.is_tailored() || route.shadow.is_some() {
            return None;
        }
        let target = target::canonical(request.target, &route.site.query);
        let key = KeyRef { site: &route.site.name, host: request.host, target: &target, variant: "" };
        let hit = self.node.engine().memory_hit(key, request.accept_encoding, &route.policy)?;
        Some(Found { route, hit })
    }
}

#[async_trait]
impl ServerApp for Front {
    /// Serves a connection to its end. Dropping the future ends it at once.
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        if matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
            return self.proxy.process_new(stream, shutdown).await;
        }
        connection::Connection::new(self, stream, shutdown).run().await;
        None
    }

    async fn cleanup(&self) {
        ServerApp::cleanup(self.proxy.as_ref()).await;
    }
}

fn client_of(stream: &Stream) -> Option<IpAddr> {
    let digest = stream.get_socket_digest()?;
    digest.peer_addr()?.as_inet().map(|address| address.ip())
}

#[cfg(test)]
mod tests;
