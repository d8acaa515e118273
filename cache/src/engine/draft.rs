//! From an origin's response to the record that is stored: key, fields, and what purges can name.

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderValue, header};

use super::{Provenance, Request, vary_variant};
use crate::{
    clock::Millis,
    encoding, fields,
    stored::{Kind, Lifetime, Position, ResponseHead, Scopes, Stored},
    surrogate,
    vary::{self, Vary},
    waterfall::Fetched,
};

/// The stored response without its body.
pub(super) fn draft(request: &Request, fetched: &Fetched, lifetime: Lifetime, position: Position) -> Stored {
    let head = &fetched.response.head;
    let vary = match vary::names(&head.headers) {
        Vary::Names(names) => names,
        Vary::None | Vary::Star => Vec::new(),
    };
    let key = if vary.is_empty() {
        request.key.clone()
    } else {
        let selected = vary::variant(&vary, &request.headers);
        request.key.with_variant(vary_variant(&request.key.variant, &selected))
    };
    let mut scopes = Scopes { tags: surrogate::tags(&head.headers).kept, sources: Vec::new() };
    let mut position = position;
    if let Some(inherited) = &fetched.response.provenance {
        inherit(&mut position, &mut scopes, inherited);
    }
    let mut headers = fields::storable_response(&head.headers);
    if let Some(date) = http_date(lifetime.received).filter(|_| !headers.contains_key(header::DATE)) {
        headers.insert(header::DATE, date);
    }
    let mut head = ResponseHead { status: head.status, headers };
    if request.policy.compress.is_some() {
        encoding::mark(&mut head);
    }
    Stored {
        key,
        head,
        body: bytes::Bytes::new(),
        lifetime,
        position,
        scopes,
        vary,
        codings: Vec::new(),
        kind: Kind::Response,
    }
}

/// When a response without a `Date` arrived stands for when it was made (RFC 9110 section 6.6.1). None for times that
/// HTTP can't write.
fn http_date(at: Millis) -> Option<HeaderValue> {
    let seconds = at.0 / 1000;
    if seconds >= YEAR_10_000_S {
        return None;
    }
    HeaderValue::try_from(httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))).ok()
}

const YEAR_10_000_S: u64 = 253_402_300_800;

/// A derived response promises no more than its sources, and goes by all of their names.
pub(super) fn inherit(position: &mut Position, scopes: &mut Scopes, inherited: &Provenance) {
    *position = older(*position, inherited.position);
    for tag in &inherited.scopes.tags {
        if scopes.tags.len() < surrogate::TAGS_MAX && !scopes.tags.contains(tag) {
            scopes.tags.push(tag.clone());
        }
    }
    scopes.sources.clone_from(&inherited.scopes.sources);
}

/// The position that promises less. Another log's position is the weakest there is.
const fn older(a: Position, b: Position) -> Position {
    if a.epoch != b.epoch || b.seq < a.seq { b } else { a }
}
