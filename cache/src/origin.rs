//! What an origin is to the engine: something that answers one request with a head and a body.
//!
//! HTTP servers, S3 buckets, folders and the image pipeline are all origins.

use async_trait::async_trait;
use http::HeaderMap;
use tokio::time::Instant;

use crate::{
    body::Body,
    engine::Interim,
    stored::{Position, ResponseHead, Scopes},
};

/// One request to one origin.
#[derive(Debug, Clone)]
pub struct OriginRequest {
    /// Host that the client named, lower case, no port.
    pub host: String,
    /// Raw path and query as the client sent them.
    pub path_and_query: String,
    /// End-to-end request fields, validators included; no hop-by-hop fields.
    pub headers: HeaderMap,
    /// The head must be here by then.
    pub deadline: Instant,
    /// Identifies the client's request in logs.
    pub request_id: u128,
    /// Takes interim responses; none: they are dropped.
    pub interim: Option<Interim>,
}

/// A response whose body may still be arriving.
#[derive(Debug)]
pub struct OriginResponse {
    /// Status and fields.
    pub head: ResponseHead,
    /// Body.
    pub body: Body,
    /// Set when the response was made from stored ones (an image from its source).
    pub provenance: Option<Provenance>,
}

/// What a derived response inherits from its sources, so that their purge covers it.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// The oldest position among the sources.
    pub position: Position,
    /// Their tags and URLs.
    pub scopes: Scopes,
}

/// Why an attempt gave no usable response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// The name has no address.
    #[error("origin name does not resolve: {0}")]
    Resolve(String),
    /// No connection.
    #[error("origin refused the connection: {0}")]
    Connect(String),
    /// TLS with the origin failed.
    #[error("tls with the origin failed: {0}")]
    Tls(String),
    /// No head by the deadline.
    #[error("origin gave no response head in time")]
    Timeout,
    /// What came was not HTTP, or broke off in the head.
    #[error("origin response is malformed: {0}")]
    Protocol(String),
    /// Switched off by the operator.
    #[error("origin is switched off")]
    Disabled,
    /// Not asked: it failed several times in a row, a short while ago.
    #[error("origin failed repeatedly and is left alone for a while")]
    BreakerOpen,
    /// Not asked: its health checks fail.
    #[error("origin fails its health checks")]
    Unhealthy,
    /// A bound of this node was reached; the answer carries `Retry-After`.
    #[error("busy, try again in {retry_after_s} s")]
    Busy {
        /// Seconds.
        retry_after_s: u64,
    },
}

/// Something that answers requests.
#[async_trait]
pub trait Origin: Send + Sync {
    /// Name from the configuration, for `Cache-Status`, logs and metrics.
    fn name(&self) -> &str;

    /// Tries once. Dropping the future abandons the attempt and its connection.
    ///
    /// # Errors
    /// Any [`OriginError`]; a response with an error status is not an error here.
    async fn fetch(&self, request: &OriginRequest) -> Result<OriginResponse, OriginError>;
}
