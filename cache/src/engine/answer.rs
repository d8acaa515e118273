//! From a stored response to an answer: conditions, ranges, age.

use std::sync::Arc;

use http::{HeaderValue, Method, header};

use super::{Answer, Engine, Provenance, Request, Served, Trace};
use crate::{
    body::Body,
    freshness,
    key::Key,
    range,
    stored::{Position, ResponseHead, Scopes, Stored, StoredRef},
    validation::{self, Condition},
};

impl Engine {
    /// Answers from a whole stored response.
    pub(super) fn answer_stored(&self, request: &Request, stored: &StoredRef, mut trace: Trace) -> Answer {
        let now = self.clock.now();
        let age_ms = freshness::age_ms(&stored.lifetime, now);
        trace.ttl_ms = i64::try_from(stored.lifetime.fresh_ms)
            .unwrap_or(i64::MAX)
            .saturating_sub(i64::try_from(age_ms).unwrap_or(i64::MAX));
        if matches!(trace.served, Served::Stale(_)) {
            // a soft purge ends freshness before its time
            trace.ttl_ms = trace.ttl_ms.min(0);
        }
        let (mut head, body) = respond(request, stored);
        head.headers.insert(header::AGE, HeaderValue::from(age_ms / 1000));
        Answer { head, body, trace, source: Some(provenance(&stored.key, stored.position, &stored.scopes)) }
    }
}

/// What a response made from the one under `key` inherits.
pub(super) fn provenance(key: &Key, position: Position, scopes: &Scopes) -> Provenance {
    let mut scopes = scopes.clone();
    scopes.sources.push((key.host.clone(), key.target.clone()));
    Provenance { position, scopes }
}

fn respond(request: &Request, stored: &Arc<Stored>) -> (ResponseHead, Body) {
    if validation::client_condition(&request.headers, &stored.head, &request.method) == Condition::NotModified
    {
        return (validation::not_modified_head(&stored.head), Body::empty());
    }
    let length = stored.body.len();
    let is_head = request.method == Method::HEAD;
    if !is_head && request.headers.contains_key(header::RANGE) {
        let selection = range::select(&request.headers, &stored.head, length as u64);
        let (head, body) = range::slice(&stored.head, &stored.body, selection);
        return (head, Body::Full(body));
    }
    let mut head = stored.head.clone();
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    (head, if is_head { Body::empty() } else { Body::Full(stored.body.clone()) })
}

/// Marks where an answer came from.
pub(super) const fn served(mut trace: Trace, served: Served) -> Trace {
    trace.served = served;
    trace
}
