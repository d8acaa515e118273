//! How old is it, how long is it fresh, and may it be used? RFC 9111 section 4.2, RFC 5861.
//!
//! Two steps: [`lifetime`] turns a response head into numbers once, when it arrives; [`judge`] compares them with the
//! time on every read. Neither looks at purges beyond the coverage it is told.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, header};

use crate::{
    cache_control::{self, Directives, RequestDirectives},
    clock::Millis,
    policy::Policy,
    purge::Coverage,
    storability,
    stored::{Lifetime, ResponseHead},
};

#[cfg(test)]
mod tests;

/// Longest freshness that is guessed, in ms: a day, as RFC 9111 section 4.2.2 suggests.
const HEURISTIC_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// Share of the time since the last modification that is guessed to be fresh: a tenth (same section).
const HEURISTIC_SHARE: u64 = 10;
/// Largest age that is told apart from "very old", in seconds (RFC 9111 section 1.2.2).
const AGE_S_MAX: u64 = cache_control::SECONDS_MAX;

/// What may be done with a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Serve it.
    Fresh,
    /// Serve it and validate behind it.
    StaleWhileRevalidate,
    /// Serve it: the client takes a stale one (RFC 9111 section 5.2.1.2).
    MaxStale,
    /// Validate first; serve it all the same if no origin answers and this says so.
    Validate {
        /// Whether it may be served when every origin fails.
        stale_if_error: bool,
    },
    /// Never serve it.
    Never,
}

/// Who says how long a response is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// The origin, by a directive or `Expires` (RFC 9111 section 4.2.1).
    Explicit,
    /// The site's `ttl`; it beats a guess.
    Site,
    /// Nobody: a tenth of the time since `Last-Modified` (RFC 9111 section 4.2.2).
    Heuristic,
    /// Nobody, and there is nothing to guess from.
    Unknown,
}

/// Computes the lifetime of a response whose head came at `received` for a request sent at `asked`.
///
/// The site's stale windows fill in for missing ones, but never where the origin gave reason not to: with `s-maxage`,
/// which forbids unvalidated stale use (RFC 9111 section 5.2.2.10) unless the response names a window itself; for
/// revalidation behind a stale answer also with a freshness of zero, which asks for validation each time. Without any
/// basis for freshness there are no windows at all, and "not found" is not kept beyond its freshness unless the origin
/// says so: a new file should not stay hidden.
#[must_use]
pub fn lifetime(
    request: &HeaderMap,
    head: &ResponseHead,
    policy: &Policy,
    asked: Millis,
    received: Millis,
) -> Lifetime {
    let directives = cache_control::response(&head.headers);
    let basis = basis(head, &directives, policy);
    let fresh_ms = fresh_ms(basis, head, &directives, policy, received);
    let is_open = basis != Basis::Unknown && directives.s_maxage_s.is_none() && !is_error(head);
    let default = |is_due: bool, window_ms: u64| if is_due { window_ms } else { 0 };
    let stale_while_revalidate_ms = directives
        .stale_while_revalidate_s
        .map_or_else(|| default(is_open && fresh_ms > 0, policy.stale_while_revalidate_ms), ms);
    let stale_if_error_ms =
        directives.stale_if_error_s.map_or_else(|| default(is_open, policy.stale_if_error_ms), ms);
    Lifetime {
        received,
        initial_age_ms: initial_age_ms(&head.headers, asked, received),
        fresh_ms,
        stale_while_revalidate_ms,
        stale_if_error_ms,
        always_validate: directives.no_cache,
        never_stale: forbids_stale(request, &directives),
    }
}

/// RFC 9111 section 4.2.4. A response to a request with credentials is shared only as far as its origin allowed (RFC
/// 9111 section 3.5), and never beyond its freshness.
fn forbids_stale(request: &HeaderMap, directives: &Directives) -> bool {
    let names_window = directives.stale_while_revalidate_s.is_some() || directives.stale_if_error_s.is_some();
    directives.must_revalidate
        || directives.proxy_revalidate
        || (directives.s_maxage_s.is_some() && !names_window)
        || request.contains_key(header::AUTHORIZATION)
}

pub(crate) fn basis(head: &ResponseHead, directives: &Directives, policy: &Policy) -> Basis {
    let expires = !directives.is_targeted && head.headers.contains_key(header::EXPIRES);
    if directives.fresh_s().is_some() || expires {
        return Basis::Explicit;
    }
    // RFC 9111 section 4.2.2: no guesses for other statuses unless marked `public`
    if !storability::is_heuristic(head.status) && !directives.public {
        return Basis::Unknown;
    }
    if policy.default_ttl_ms.is_some() {
        return Basis::Site;
    }
    if date(&head.headers, &header::LAST_MODIFIED).is_some() { Basis::Heuristic } else { Basis::Unknown }
}

fn is_error(head: &ResponseHead) -> bool {
    head.status.is_client_error() || head.status.is_server_error()
}

fn fresh_ms(
    basis: Basis,
    head: &ResponseHead,
    directives: &Directives,
    policy: &Policy,
    received: Millis,
) -> u64 {
    let sent = date(&head.headers, &header::DATE).unwrap_or(received);
    match basis {
        // an `Expires` that can't be read has passed (RFC 9111 section 5.3)
        Basis::Explicit => directives.fresh_s().map_or_else(
            || date(&head.headers, &header::EXPIRES).map_or(0, |expires| expires.since(sent)),
            ms,
        ),
        Basis::Site => {
            let ttl = policy.default_ttl_ms.unwrap_or(0);
            if is_error(head) { ttl.min(policy.negative_ttl_ms) } else { ttl }
        }
        Basis::Heuristic => date(&head.headers, &header::LAST_MODIFIED)
            .map_or(0, |modified| (sent.since(modified) / HEURISTIC_SHARE).min(HEURISTIC_MS_MAX)),
        Basis::Unknown => 0,
    }
}

/// Corrected initial age (RFC 9111 section 4.2.3), in ms.
fn initial_age_ms(headers: &HeaderMap, asked: Millis, received: Millis) -> u64 {
    // `Date` has whole seconds: a response sent at once would look up to a second old otherwise
    let arrived = Millis(received.0 - received.0 % 1000);
    let apparent = date(headers, &header::DATE).map_or(0, |sent| arrived.since(sent));
    let stated = age_s(headers).saturating_mul(1000).saturating_add(received.since(asked));
    apparent.max(stated)
}

/// `Age`: the first member counts, and what is not a number is ignored (RFC 9111 section 5.1).
fn age_s(headers: &HeaderMap) -> u64 {
    let first = headers.get(header::AGE).and_then(|value| value.to_str().ok()?.split(',').next());
    let digits = first.map_or("", str::trim);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    digits.parse().unwrap_or(AGE_S_MAX).min(AGE_S_MAX)
}

const fn ms(seconds: u64) -> u64 {
    seconds.saturating_mul(1000)
}

/// A date field (RFC 9110 section 5.6.7). Of several different ones the earliest counts: for `Expires` that is the most
/// restrictive (RFC 9111 section 4.2.1), for `Date` the oldest. One unreadable line makes the field unreadable.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<Millis> {
    let mut earliest: Option<Millis> = None;
    for value in headers.get_all(name) {
        let time = http_date(value.to_str().ok()?)?;
        earliest = Some(earliest.map_or(time, |present| present.min(time)));
    }
    earliest
}

fn http_date(text: &str) -> Option<Millis> {
    let time: SystemTime = httpdate::parse_http_date(text.trim()).ok()?;
    u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok().map(Millis)
}

/// Current age in ms (RFC 9111 section 4.2.3).
#[must_use]
pub const fn age_ms(lifetime: &Lifetime, now: Millis) -> u64 {
    lifetime.initial_age_ms.saturating_add(now.since(lifetime.received))
}

/// Decides what may be done with a stored response at `now`.
///
/// A client's `no-cache`, `max-age`, `min-fresh` and `max-stale` (RFC 9111 section 5.2.1) are not obeyed unless the caller trusts it: any visitor
/// could turn every hit into a request to the origin. `only-if-cached` is the caller's.
///
/// A soft purge makes a fresh response stale as of this moment, so that its windows open: it is served while it is
/// validated behind, and when every origin fails. A response that was stale already gets no longer window than it had.
/// `no-cache`, `must-revalidate` and their like forbid any stale use (RFC 9111 section 4.2.4), also after a soft purge.
///
/// ```
/// use overfall_cache::{cache_control::RequestDirectives, clock::Millis, freshness::{Use, judge}, purge::Coverage};
/// use overfall_cache::stored::Lifetime;
///
/// let lifetime = Lifetime {
///     received: Millis(0),
///     initial_age_ms: 0,
///     fresh_ms: 60_000,
///     stale_while_revalidate_ms: 10_000,
///     stale_if_error_ms: 0,
///     always_validate: false,
///     never_stale: false,
/// };
/// let at = |ms| judge(&lifetime, Coverage::Clear, &RequestDirectives::default(), Millis(ms));
/// assert_eq!(at(59_999), Use::Fresh);
/// assert_eq!(at(60_000), Use::StaleWhileRevalidate);
/// assert_eq!(at(70_001), Use::Validate { stale_if_error: false });
/// ```
#[must_use]
pub fn judge(lifetime: &Lifetime, coverage: Coverage, request: &RequestDirectives, now: Millis) -> Use {
    let age = age_ms(lifetime, now);
    let is_fresh = age < lifetime.fresh_ms;
    let stale_for = age.saturating_sub(lifetime.fresh_ms);
    let may_be_stale = !lifetime.never_stale && !lifetime.always_validate;
    let opens = |window_ms: u64| may_be_stale && window_ms > 0 && stale_for <= window_ms;
    let validate = Use::Validate { stale_if_error: opens(lifetime.stale_if_error_ms) };
    match coverage {
        Coverage::Dead => Use::Never,
        Coverage::Unknown => validate,
        Coverage::Clear | Coverage::Stale if wants_newer(request, lifetime.fresh_ms, age) => validate,
        Coverage::Clear if is_fresh && !lifetime.always_validate => Use::Fresh,
        Coverage::Clear | Coverage::Stale if opens(lifetime.stale_while_revalidate_ms) => {
            Use::StaleWhileRevalidate
        }
        Coverage::Clear if takes_stale(request) && opens(ms(request.max_stale_s.unwrap_or(0))) => {
            Use::MaxStale
        }
        Coverage::Clear | Coverage::Stale => validate,
    }
}

fn wants_newer(request: &RequestDirectives, fresh_ms: u64, age_ms: u64) -> bool {
    let left_ms = fresh_ms.saturating_sub(age_ms);
    request.is_trusted
        && (request.no_cache
            || request.max_age_s.is_some_and(|max| age_ms > ms(max) || max == 0)
            || request.min_fresh_s.is_some_and(|min| left_ms < ms(min)))
}

const fn takes_stale(request: &RequestDirectives) -> bool {
    request.is_trusted && request.max_stale_s.is_some()
}
