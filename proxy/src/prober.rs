//! Health probes over HTTP, for the DNS role.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::Empty;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use overfall_geo_routing::probe::{ProbeFailure, Prober};

/// Asks `http://` URLs; any 2xx is healthy. A new connection for every probe, since a kept one would not notice that
/// the listener is gone.
pub struct HttpProber {
    client: Client<HttpConnector, Empty<Bytes>>,
}

impl HttpProber {
    /// A prober whose connects take at most `timeout`.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(timeout));
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Self { client }
    }
}

#[async_trait]
impl Prober for HttpProber {
    async fn probe(&self, _region: &str, url: &str) -> Result<(), ProbeFailure> {
        let request = Request::get(url)
            .header(header::USER_AGENT, concat!("overfall-probe/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|error| ProbeFailure::new(format!("probe URL is invalid: {error}")))?;
        let response =
            self.client.request(request).await.map_err(|error| ProbeFailure::new(describe(&error)))?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(ProbeFailure::new(format!("answered {}", response.status().as_u16())))
    }
}

/// The innermost reason: "connection refused" rather than "client error".
fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
