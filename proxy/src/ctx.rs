//! What one request carries from its first line to its log line.

use std::sync::Arc;

use overfall_cache::engine::{Served, Trace};
use tokio::time::Instant;

use crate::{route::SiteRoute, tailoring::Asked};

/// State of one request.
pub struct Ctx {
    /// When the head was read.
    pub began: Instant,
    /// Request id.
    pub request_id: u128,
    /// Host as admitted.
    pub host: String,
    /// Path and query as admitted.
    pub target: String,
    /// The site, once known.
    pub route: Option<Arc<SiteRoute>>,
    /// What the site's tailoring knows of the request.
    pub asked: Option<Asked>,
    /// How the engine found the answer.
    pub trace: Option<Trace>,
    /// `Cache-Status` as sent.
    pub cache_status: Option<String>,
    /// Body bytes received of a passed-through request.
    pub request_body_bytes: u64,
    /// Why the body was not sent whole.
    pub error: Option<String>,
}

impl Ctx {
    /// A fresh context.
    #[must_use]
    pub fn new(request_id: u128) -> Self {
        Self {
            began: Instant::now(),
            request_id,
            host: String::new(),
            target: String::new(),
            route: None,
            asked: None,
            trace: None,
            cache_status: None,
            request_body_bytes: 0,
            error: None,
        }
    }

    /// Where the answer came from; `None` before a site was found.
    #[must_use]
    pub fn served(&self) -> Option<Served> {
        self.trace.as_ref().map(|trace| trace.served)
    }
}
