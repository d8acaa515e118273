//! Origins of every kind, built from the configuration.
//!
//! Each kind turns what its place says into a response with a clean head and a body that never ends early without an
//! error. None of them retries across origins, caches, or judges health.

pub mod checks;
pub mod file;
pub mod http;
mod part;
pub mod s3;
pub mod switch;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ::http::{HeaderMap, StatusCode, header};
use overfall_cache::{
    body::Body,
    origin::{Origin, OriginResponse},
    stored::ResponseHead,
};
use overfall_config::OriginTarget;

pub use self::switch::{Distance, Switch};

/// An origin cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum OriginSetupError {
    /// The file of root certificates is unreadable or empty.
    #[error("origin {name}: no usable root certificate in {}: {reason}", path.display())]
    Ca {
        /// The origin.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system has no usable root certificates.
    #[error("origin {name}: the system's root certificates cannot be used: {reason}")]
    SystemCa {
        /// The origin.
        name: String,
        /// Why.
        reason: String,
    },
    /// A value cannot be sent.
    #[error("origin {name}: \"{value}\" cannot be sent as {what}")]
    Value {
        /// The origin.
        name: String,
        /// What it should be.
        what: &'static str,
        /// The value.
        value: String,
    },
    /// The S3 client refused.
    #[error("origin {name}: {reason}")]
    S3 {
        /// The origin.
        name: String,
        /// Why.
        reason: String,
    },
}

/// Makes the origin that `origin` describes. Nothing is connected yet. Call
/// [`install_provider`](crate::tls::install_provider) first.
///
/// # Errors
/// [`OriginSetupError`], naming the origin.
pub async fn build(origin: &overfall_config::Origin) -> Result<Arc<dyn Origin>, OriginSetupError> {
    Ok(match &origin.target {
        OriginTarget::Http { tls, host, port, path } => {
            let place = http::Place { tls: *tls, host: host.clone(), port: *port, path: path.clone() };
            Arc::new(http::HttpOrigin::new(origin, place)?)
        }
        OriginTarget::S3(target) => Arc::new(s3::S3Origin::new(origin, target)?),
        OriginTarget::File { path } => Arc::new(file::FileOrigin::new(origin, path.clone())),
    })
}

/// A response without a body.
fn bare(status: StatusCode, headers: HeaderMap) -> OriginResponse {
    OriginResponse { head: ResponseHead { status, headers }, body: Body::empty(), provenance: None }
}

/// Whether `If-None-Match` names `etag`, by weak comparison (RFC 9110 sections 8.8.3.2 and 13.1.2).
fn none_match(request: &HeaderMap, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let wanted = opaque(etag);
    let values = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|tag| tag.trim() == "*" || opaque(tag) == wanted)
}

/// A request target without its query.
fn path_of(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

/// A date as HTTP writes it; none for years that it cannot write (the formatter panics on them).
pub(crate) fn http_date(time: SystemTime) -> Option<String> {
    let age = time.duration_since(UNIX_EPOCH).ok()?;
    (age < YEAR_10_000).then(|| httpdate::fmt_http_date(time))
}

const YEAR_10_000: Duration = Duration::from_secs(253_402_300_800);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dates_that_http_can_write() {
        assert_eq!(http_date(UNIX_EPOCH).as_deref(), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
        assert!(http_date(UNIX_EPOCH + YEAR_10_000 - Duration::from_secs(1)).is_some());
        assert_eq!(http_date(UNIX_EPOCH + YEAR_10_000), None);
        assert_eq!(http_date(UNIX_EPOCH - Duration::from_secs(1)), None);
    }
}
