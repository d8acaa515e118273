//! Validators: towards the origin (RFC 9111 section 4.3) and towards the client (RFC 9110 section 13).
//!
//! The two never mix: a client's conditions are answered here and not forwarded, because the cache needs the whole
//! response; `If-Match` and `If-Unmodified-Since` are an origin's to judge and are not evaluated (RFC 9111 section
//! 4.3.2).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::{
    cache_control::TARGETED,
    fields::{self, Quoting, elements},
    stored::{Lifetime, Position, ResponseHead, Scopes, Stored},
    surrogate,
};

#[cfg(test)]
mod tests;

/// Conditions of a client, and the range: the cache answers them itself.
pub const CLIENT_CONDITIONS: [HeaderName; 6] = [
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
];

/// Fields that a 304 does not change in a stored response, because they describe its bytes (RFC 9111 section 3.2).
const KEPT_ON_UPDATE: [HeaderName; 7] = [
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

/// What a client's conditions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Send the response.
    Proceed,
    /// The client has it: 304.
    NotModified,
}

/// The request's fields without conditions and ranges: a fetch asks for the whole response.
#[must_use]
pub fn without_conditions(request: &HeaderMap) -> HeaderMap {
    let mut headers = request.clone();
    for name in CLIENT_CONDITIONS {
        headers.remove(name);
    }
    headers
}

/// Conditions that ask the origin whether `stored` still holds (RFC 9111 section 4.3.1). Empty when it has no validator.
#[must_use]
pub fn conditions(stored: &Stored) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let validators =
        [(header::ETAG, header::IF_NONE_MATCH), (header::LAST_MODIFIED, header::IF_MODIFIED_SINCE)];
    for (validator, condition) in validators {
        if let Some(value) = stored.head.headers.get(validator) {
            headers.insert(condition, value.clone());
        }
    }
    headers
}

/// Whether a 304 speaks of `stored` at all: a strong entity tag that differs names another response, which must not
/// update this one (RFC 9111 section 4.3.4).
#[must_use]
pub fn confirms(stored: &Stored, fresh_head: &ResponseHead) -> bool {
    let tags = (stored.head.headers.get(header::ETAG), fresh_head.headers.get(header::ETAG));
    let (Some(own), Some(sent)) = tags else { return true };
    opaque(sent.as_bytes()) == opaque(own.as_bytes())
}

/// The stored response with the fields of a 304 (RFC 9111 sections 3.2 and 4.3.4): they replace those of the same name,
/// all others stay, as do the bytes and what describes them.
///
/// `lifetime` is that of the 304. Where the 304 says nothing on freshness, the stored rules count from its arrival.
/// Surrogate keys are replaced if the 304 names some; `position` is the log position when the validation began.
#[must_use]
pub fn merge(stored: &Stored, fresh_head: &ResponseHead, lifetime: Lifetime, position: Position) -> Stored {
    Stored {
        key: stored.key.clone(),
        head: ResponseHead {
            status: stored.head.status,
            headers: updated(&stored.head.headers, &fresh_head.headers),
        },
        body: Bytes::clone(&stored.body),
        lifetime: if rules_freshness(&fresh_head.headers) {
            lifetime
        } else {
            Lifetime {
                received: lifetime.received,
                initial_age_ms: lifetime.initial_age_ms,
                ..stored.lifetime
            }
        },
        position,
        scopes: Scopes {
            tags: if surrogate::names_tags(&fresh_head.headers) {
                surrogate::tags(&fresh_head.headers).kept
            } else {
                stored.scopes.tags.clone()
            },
            sources: stored.scopes.sources.clone(),
        },
        // the key was built from these names; a 304 can't move the response to another
        vary: stored.vary.clone(),
        codings: stored.codings.clone(),
        kind: stored.kind,
    }
}

fn updated(stored: &HeaderMap, fresh: &HeaderMap) -> HeaderMap {
    let mut headers = stored.clone();
    let updates = fields::storable_response(fresh);
    for name in updates.keys().filter(|name| !KEPT_ON_UPDATE.contains(name)) {
        headers.remove(name);
        for value in updates.get_all(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    headers
}

fn rules_freshness(headers: &HeaderMap) -> bool {
    let general = [header::CACHE_CONTROL, header::EXPIRES];
    general.iter().any(|name| headers.contains_key(name))
        || TARGETED.iter().any(|name| headers.contains_key(*name))
}

/// Evaluates a client's conditions in the order of RFC 9110 section 13.2.2: `If-None-Match`, compared weakly, and
/// `If-Modified-Since` only without it and only for a readable date. Conditions count for GET and HEAD, and where the
/// answer without them would be 2xx (RFC 9110 section 13.2.1).
#[must_use]
pub fn client_condition(request: &HeaderMap, head: &ResponseHead, method: &Method) -> Condition {
    if !head.status.is_success() || !matches!(*method, Method::GET | Method::HEAD) {
        return Condition::Proceed;
    }
    let is_current = if request.contains_key(header::IF_NONE_MATCH) {
        lists_tag(request, head.headers.get(header::ETAG))
    } else {
        is_unmodified(request, &head.headers)
    };
    if is_current { Condition::NotModified } else { Condition::Proceed }
}

/// RFC 9110 section 13.1.2.
fn lists_tag(request: &HeaderMap, etag: Option<&HeaderValue>) -> bool {
    let own = etag.map(|etag| opaque(etag.as_bytes()));
    let mut found = false;
    elements(request, header::IF_NONE_MATCH.as_str(), Quoting::Literal, |tag| {
        found |= tag == "*" || own == Some(opaque(tag.as_bytes()));
    });
    found
}

/// An entity tag without its weakness (RFC 9110 section 8.8.3.2).
fn opaque(tag: &[u8]) -> &[u8] {
    let tag = tag.trim_ascii();
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// RFC 9110 section 13.1.3; without `Last-Modified`, `Date` stands in (RFC 9111 section 4.3.2).
fn is_unmodified(request: &HeaderMap, stored: &HeaderMap) -> bool {
    let since = single_date(request, &header::IF_MODIFIED_SINCE);
    let modified = single_date(stored, &header::LAST_MODIFIED).or_else(|| single_date(stored, &header::DATE));
    matches!((since, modified), (Some(since), Some(modified)) if modified <= since)
}

pub(crate) fn single_date(headers: &HeaderMap, name: &HeaderName) -> Option<std::time::SystemTime> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    httpdate::parse_http_date(value.to_str().ok()?.trim()).ok()
}

/// The head of a 304 for a stored response: all of its fields but those that describe the body it does not carry (RFC
/// 9110 section 15.4.5). What stays guides caches and browsers: validators, freshness, `Vary`, CORS and security fields.
#[must_use]
pub fn not_modified_head(head: &ResponseHead) -> ResponseHead {
    let mut headers = head.headers.clone();
    let unwanted: Vec<HeaderName> =
        headers.keys().filter(|name| describes_body(name.as_str())).cloned().collect();
    for name in unwanted {
        headers.remove(name);
    }
    ResponseHead { status: StatusCode::NOT_MODIFIED, headers }
}

fn describes_body(name: &str) -> bool {
    let is_content = name.starts_with("content-")
        && name != "content-location"
        && !name.starts_with("content-security-policy");
    is_content || matches!(name, "accept-ranges" | "digest" | "repr-digest" | "set-cookie")
}
