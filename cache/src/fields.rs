//! Which fields travel and which stay: hop-by-hop fields end at each hop (RFC 9110 section 7.6.1).
//!
//! Everything else is kept as it came. This module does not judge values; lists are only cut into their elements.

use http::{HeaderMap, HeaderName, header};

use crate::{cache_control, surrogate};

#[cfg(test)]
pub(crate) mod tests;

/// Fields of one connection, besides those that `Connection` names.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields of a response that this node computes for every answer. A stored `Cache-Status` would tell each later reader
/// of a request that never left this cache.
const RECOMPUTED: [&str; 4] = ["age", "cache-status", "server-timing", "x-request-id"];

/// The end-to-end fields of a request.
#[must_use]
pub fn end_to_end_request(headers: &HeaderMap) -> HeaderMap {
    without(headers, |_| false)
}

/// The fields of a response that are stored: end-to-end, not meant for this cache alone (RFC 9213 section 2, surrogate
/// keys) and not computed anew for each answer.
#[must_use]
pub fn storable_response(headers: &HeaderMap) -> HeaderMap {
    without(headers, |name| {
        RECOMPUTED.contains(&name)
            || cache_control::TARGETED.contains(&name)
            || surrogate::STRIPPED.contains(&name)
    })
}

fn without(headers: &HeaderMap, is_unwanted: impl Fn(&str) -> bool) -> HeaderMap {
    let mut named: Vec<HeaderName> = Vec::new();
    elements(headers, header::CONNECTION.as_str(), Quoting::Literal, |name| {
        named.extend(HeaderName::try_from(name).ok().filter(|name| headers.contains_key(name)));
    });
    named.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    named.dedup();
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let text = name.as_str();
        if !HOP_BY_HOP.contains(&text) && !named.contains(name) && !is_unwanted(text) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// What a backslash means between quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quoting {
    /// Escapes the next character (quoted strings, RFC 9110 section 5.6.4).
    Escapes,
    /// Stands for itself (entity tags, RFC 9110 section 8.8.3).
    Literal,
}

/// Hands over the elements of a list field in order, over all its lines, trimmed and without empty ones (RFC 9110
/// section 5.6.1.2). Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn elements(headers: &HeaderMap, name: &str, quoting: Quoting, mut take: impl FnMut(&str)) {
    for value in headers.get_all(name) {
        let text = String::from_utf8_lossy(value.as_bytes());
        split_list(&text, quoting).for_each(&mut take);
    }
}

/// Parts between commas that are outside quotes. A quote that never ends quotes nothing, so that it can't hide the
/// directives behind it.
pub(crate) fn split_list(text: &str, quoting: Quoting) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (element, tail) = text.split_at_checked(element_end(text, quoting))?;
        rest = tail.strip_prefix(',');
        Some(element.trim_matches([' ', '\t']))
    })
    .filter(|element| !element.is_empty())
}

fn element_end(text: &str, quoting: Quoting) -> usize {
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted && quoting == Quoting::Escapes => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => return at,
            _ => {}
        }
    }
    let end = if is_quoted { text.find(',') } else { None };
    end.unwrap_or(text.len())
}
