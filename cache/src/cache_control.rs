//! `Cache-Control` of requests and responses, and the fields that override it for a shared cache.
//!
//! Tolerant where RFC 9111 sections 4.2.1 and 5.2 allow it: of duplicates the most restrictive counts, an unreadable
//! `max-age` means "stale", unknown directives are skipped. Strict where RFC 9213 asks for it: a targeted field that is
//! not a valid dictionary counts as absent. Field-qualified `no-cache="…"` and `private="…"` count as unqualified,
//! which RFC 9111 sections 5.2.2.4 and 5.2.2.7 permit.

use http::{HeaderMap, header};

use crate::fields::{Quoting, elements};

mod dictionary;
#[cfg(test)]
mod tests;

/// Largest number of seconds that is told apart from "for ever" (RFC 9111 section 1.2.2).
pub const SECONDS_MAX: u64 = 1 << 31;

/// Fields that speak to this cache alone, strongest first; none of them is stored or sent on.
pub const TARGETED: [&str; 3] = ["overfall-cache-control", "cdn-cache-control", SURROGATE_CONTROL];

/// Targeted fields of RFC 9213, strongest first.
const STRUCTURED: [&str; 2] = ["overfall-cache-control", "cdn-cache-control"];
/// Older than RFC 9213, with the syntax of `Cache-Control`.
const SURROGATE_CONTROL: &str = "surrogate-control";

/// What a response says about its storing and use. Times are in seconds, at most [`SECONDS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Directives {
    /// `no-store`.
    pub no_store: bool,
    /// `no-cache`, with or without field names.
    pub no_cache: bool,
    /// `private`, with or without field names.
    pub private: bool,
    /// `public`.
    pub public: bool,
    /// `must-revalidate`.
    pub must_revalidate: bool,
    /// `proxy-revalidate`.
    pub proxy_revalidate: bool,
    /// `must-understand` (RFC 9111 section 5.2.2.3).
    pub must_understand: bool,
    /// `immutable` (RFC 8246); it speaks to browsers, a shared cache only passes it on.
    pub immutable: bool,
    /// `max-age`.
    pub max_age_s: Option<u64>,
    /// `s-maxage`.
    pub s_maxage_s: Option<u64>,
    /// `stale-while-revalidate` (RFC 5861 section 3).
    pub stale_while_revalidate_s: Option<u64>,
    /// `stale-if-error` (RFC 5861 section 4).
    pub stale_if_error_s: Option<u64>,
    /// The values come from a targeted field, which switches `Cache-Control` and `Expires` off (RFC 9213 section 2.2).
    pub is_targeted: bool,
}

impl Directives {
    /// Freshness that the directives state, in seconds: `s-maxage` before `max-age` (RFC 9111 section 4.2.1).
    #[must_use]
    pub fn fresh_s(&self) -> Option<u64> {
        self.s_maxage_s.or(self.max_age_s)
    }
}

/// What a request says about its answer. Times are in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestDirectives {
    /// `only-if-cached` (RFC 9111 section 5.2.1.7); the caller answers 504 when nothing is stored.
    pub only_if_cached: bool,
    /// `no-store`.
    pub no_store: bool,
    /// `no-cache`.
    pub no_cache: bool,
    /// `max-age`.
    pub max_age_s: Option<u64>,
    /// `min-fresh`: freshness that must be left.
    pub min_fresh_s: Option<u64>,
    /// `max-stale`: how long past its freshness a response may be; [`SECONDS_MAX`] when it names no limit.
    pub max_stale_s: Option<u64>,
    /// Whether `no-cache`, `max-age`, `min-fresh` and `max-stale` are obeyed. Never set from the request itself: with them any visitor could make
    /// every request an origin's.
    pub is_trusted: bool,
}

/// Reads a response's directives. The strongest valid targeted field wins whole; `Surrogate-Control` alone does not
/// overrule a `private` in `Cache-Control`, because it has no word for it.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// headers.insert("cache-control", http::HeaderValue::from_static("no-store"));
/// headers.insert("cdn-cache-control", http::HeaderValue::from_static("max-age=60"));
/// assert_eq!(overfall_cache::cache_control::response(&headers).fresh_s(), Some(60));
/// ```
#[must_use]
pub fn response(headers: &HeaderMap) -> Directives {
    if let Some(found) = STRUCTURED.into_iter().find_map(|name| structured(headers, name)) {
        return found;
    }
    let general = listed(headers, header::CACHE_CONTROL.as_str());
    let surrogate = listed(headers, SURROGATE_CONTROL);
    if surrogate == Directives::default() {
        return general;
    }
    Directives { is_targeted: true, private: surrogate.private || general.private, ..surrogate }
}

/// Reads a request's directives; it trusts no one (see [`RequestDirectives::is_trusted`]).
#[must_use]
pub fn request(headers: &HeaderMap) -> RequestDirectives {
    let mut found = RequestDirectives::default();
    elements(headers, header::CACHE_CONTROL.as_str(), Quoting::Escapes, |element| {
        let Directive { name, value, .. } = Directive::split(element);
        match name.as_str() {
            "only-if-cached" => found.only_if_cached = true,
            "no-store" => found.no_store = true,
            "no-cache" => found.no_cache = true,
            "max-age" => strictest(&mut found.max_age_s, value.map_or(0, seconds)),
            "min-fresh" => {
                found.min_fresh_s = Some(found.min_fresh_s.unwrap_or(0).max(value.map_or(0, seconds)));
            }
            "max-stale" => strictest(&mut found.max_stale_s, value.map_or(SECONDS_MAX, seconds)),
            _ => {}
        }
    });
    found
}

/// A field with the grammar of `Cache-Control` (RFC 9111 section 5.2).
fn listed(headers: &HeaderMap, field: &str) -> Directives {
    let mut found = Directives::default();
    elements(headers, field, Quoting::Escapes, |element| {
        let Directive { name, value, is_loose } = Directive::split(element);
        // blanks around "=" make a number unreadable (RFC 9111 section 5.2), which means stale
        let number = value.map(|value| if is_loose { 0 } else { seconds(value) });
        apply(&mut found, &name, number);
    });
    found
}

/// A targeted field. `None` when it is absent, empty or invalid (RFC 9213 section 2.1).
fn structured(headers: &HeaderMap, field: &str) -> Option<Directives> {
    let lines: Result<Vec<_>, _> = headers.get_all(field).iter().map(|value| value.to_str()).collect();
    let members = dictionary::parse(&lines.ok()?.join(", "))?;
    if members.is_empty() {
        return None;
    }
    let mut found = Directives { is_targeted: true, ..Directives::default() };
    for (name, value) in members {
        let number = match value {
            dictionary::Value::Flag(false) => continue,
            dictionary::Value::Integer(number) => Some(u64::try_from(number).unwrap_or(0).min(SECONDS_MAX)),
            dictionary::Value::Flag(true) | dictionary::Value::Other if is_timed(&name) => return None,
            dictionary::Value::Flag(true) | dictionary::Value::Other => None,
        };
        apply(&mut found, &name, number);
    }
    Some(found)
}

fn is_timed(name: &str) -> bool {
    matches!(name, "max-age" | "s-maxage" | "stale-while-revalidate" | "stale-if-error")
}

fn apply(found: &mut Directives, name: &str, number: Option<u64>) {
    match name {
        "no-store" => found.no_store = true,
        "no-cache" => found.no_cache = true,
        "private" => found.private = true,
        "public" => found.public = true,
        "must-revalidate" => found.must_revalidate = true,
        "proxy-revalidate" => found.proxy_revalidate = true,
        "must-understand" => found.must_understand = true,
        "immutable" => found.immutable = true,
        "max-age" => strictest(&mut found.max_age_s, number.unwrap_or(0)),
        "s-maxage" => strictest(&mut found.s_maxage_s, number.unwrap_or(0)),
        // a window without a length says nothing, so that the site's own counts
        "stale-while-revalidate" => {
            number.into_iter().for_each(|n| strictest(&mut found.stale_while_revalidate_s, n))
        }
        "stale-if-error" => number.into_iter().for_each(|n| strictest(&mut found.stale_if_error_s, n)),
        _ => {}
    }
}

fn strictest(slot: &mut Option<u64>, seconds: u64) {
    *slot = Some(slot.map_or(seconds, |present| present.min(seconds)));
}

/// One element of a `Cache-Control` list.
struct Directive<'a> {
    /// Lower case.
    name: String,
    /// Without quotes.
    value: Option<&'a str>,
    /// Blanks stood around `=`.
    is_loose: bool,
}

impl<'a> Directive<'a> {
    fn split(element: &'a str) -> Self {
        let (name, value) = match element.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (element, None),
        };
        let blank = [' ', '\t'];
        Self {
            name: name.trim_end_matches(blank).to_ascii_lowercase(),
            value: value.map(|value| unquoted(value.trim_matches(blank))),
            is_loose: name.ends_with(blank) || value.is_some_and(|value| value.starts_with(blank)),
        }
    }
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// Delta-seconds; unreadable is 0, too large is [`SECONDS_MAX`] (RFC 9111 section 1.2.2).
fn seconds(value: &str) -> u64 {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    value.parse().unwrap_or(SECONDS_MAX).min(SECONDS_MAX)
}
