//! A site's caching rules as the decisions need them.
//!
//! A policy fills in what an origin left unsaid. It never overrules what the origin did say.

use std::time::Duration;

use overfall_config::{SetCookieRule, Site};

use crate::encoding::Compress;

/// Freshness of "not found" answers: long enough to break a herd, short enough not to hide a new file.
const NEGATIVE_TTL_MS: u64 = 10_000;

/// What counts when a response says nothing. Times are in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Freshness of successful answers and permanent redirects without one of their own; `None`: the heuristic of RFC
    /// 9111 section 4.2.2.
    pub default_ttl_ms: Option<u64>,
    /// Stale-while-revalidate window when the origin gives none (RFC 5861 section 3).
    pub stale_while_revalidate_ms: u64,
    /// Stale-if-error window when the origin gives none (RFC 5861 section 4).
    pub stale_if_error_ms: u64,
    /// Freshness of 404, 410 and other storable errors without one of their own, when `default_ttl_ms` is set; at most
    /// that. 10 s for every site.
    pub negative_ttl_ms: u64,
    /// Content codings made here; `None`: responses are passed on as the origin coded them.
    pub compress: Option<Compress>,
    /// Whether a response with `Set-Cookie` is stored like any other.
    pub stores_cookies: bool,
    /// Whether an error of the last origin that says how long it is fresh is stored; not where the site has its own
    /// last resort.
    pub stores_errors: bool,
}

impl From<&Site> for Policy {
    fn from(site: &Site) -> Self {
        Self {
            default_ttl_ms: site.ttl.map(millis),
            stale_while_revalidate_ms: millis(site.stale_while_revalidate),
            stale_if_error_ms: millis(site.stale_if_error),
            negative_ttl_ms: NEGATIVE_TTL_MS,
            compress: Compress::of(&site.compress),
            stores_cookies: site.set_cookie == SetCookieRule::Stored,
            stores_errors: site.on_failure.is_none(),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use overfall_config::{CompressRules, QueryRule, RequestRule, SetCookieRule, Site, SiteTailoring};

    use super::Policy;

    fn site(ttl: Option<Duration>) -> Site {
        Site {
            name: "s".into(),
            hosts: Vec::new(),
            origins: Vec::new(),
            ttl,
            stale_while_revalidate: Duration::from_secs(60),
            stale_if_error: Duration::MAX,
            query: QueryRule::All,
            compress: CompressRules::default(),
            images: None,
            on_failure: None,
            request_cache_control: RequestRule::Ignore,
            set_cookie: SetCookieRule::Private,
            tailoring: SiteTailoring::default(),
            shadow: None,
        }
    }

    #[test]
    fn takes_a_sites_times_in_milliseconds() {
        let policy = Policy::from(&site(Some(Duration::from_millis(1500))));
        assert_eq!(policy.default_ttl_ms, Some(1500));
        assert_eq!(policy.stale_while_revalidate_ms, 60_000);
        assert_eq!(policy.negative_ttl_ms, 10_000);
    }

    #[test]
    fn endless_times_do_not_overflow() {
        assert_eq!(Policy::from(&site(None)).stale_if_error_ms, u64::MAX);
    }

    #[test]
    fn a_site_without_ttl_has_no_default() {
        assert_eq!(Policy::from(&site(None)).default_ttl_ms, None);
    }
}
