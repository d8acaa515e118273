//! Archives: asked when every ordinary origin failed and no stored response may be used.
//!
//! What an archive has was right once. So it is served for a few seconds at a time and says so; its own words about
//! freshness do not count, and its validators are taken off: with them an ordinary origin that is back might confirm
//! what it has long replaced.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Engine, Request, origin_request};
use crate::{
    cache_control,
    freshness::{self, Use},
    stored::Stored,
    validation,
    waterfall::{Failure, Fetched},
};

/// Marks a response that an archive gave, stored or not: `?1`.
pub const LAST_GOOD: HeaderName = HeaderName::from_static("overfall-last-good");

impl Engine {
    /// After `failure`: what an archive has, unless the stored response may still be used.
    pub(super) async fn last_good(
        &self,
        request: &Request,
        stale: Option<&Arc<Stored>>,
        mut failure: Failure,
    ) -> Result<Fetched, Failure> {
        let is_wanted = request.waterfall.has_archive() && failure.retry_after_s.is_none();
        if !is_wanted || stale.is_some_and(|stored| self.may_be_stale(request, stored)) {
            return Err(failure);
        }
        let headers = validation::without_conditions(&request.headers);
        let asked = origin_request(request, headers);
        let mut attempts = std::mem::take(&mut failure.attempts);
        match request.waterfall.last_good(&asked, &mut attempts).await {
            Some(mut fetched) => {
                mark(&mut fetched.response.head.headers);
                Ok(fetched)
            }
            None => Err(Failure { attempts, ..failure }),
        }
    }

    /// Whether the rules of a stored response allow its use at this moment, now that every origin has failed (RFC 5861
    /// section 4). Judged after the fetch: it may have taken longer than the window was open, or a purge came.
    pub(super) fn may_be_stale(&self, request: &Request, stored: &Stored) -> bool {
        let directives = cache_control::request(&request.headers);
        let coverage = self.purges.coverage(stored);
        let usage = freshness::judge(&stored.lifetime, coverage, &directives, self.clock.now());
        matches!(usage, Use::Validate { stale_if_error: true } | Use::StaleWhileRevalidate)
    }
}

/// Replaces what the archive says of freshness and takes its validators off.
fn mark(headers: &mut HeaderMap) {
    for name in UNSAID {
        headers.remove(name);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(FRESHNESS));
    headers.insert(LAST_GOOD, HeaderValue::from_static("?1"));
}

/// Long enough to spare the archive, short enough that an origin which is back is heard.
const FRESHNESS: &str = "max-age=10, stale-while-revalidate=30, stale-if-error=0";

const UNSAID: [&str; 10] = [
    "age",
    "cdn-cache-control",
    "date",
    "etag",
    "expires",
    "last-modified",
    "overfall-cache-control",
    "pragma",
    "set-cookie",
    "surrogate-control",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archives_word_on_freshness_does_not_count() {
        let mut headers = HeaderMap::new();
        for name in UNSAID {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=31536000, immutable"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        mark(&mut headers);
        let mut left: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        left.sort_unstable();
        assert_eq!(
            left,
            [("cache-control", FRESHNESS), ("content-type", "text/plain"), ("overfall-last-good", "?1")]
        );
    }
}
