//! From a stored response to an answer: coding, conditions, ranges, age.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, header};

use super::{Answer, Engine, Provenance, Request, Served, Trace};
use crate::{
    body::Body,
    encoding::{self, Choice, Coding},
    freshness,
    key::Key,
    range,
    stored::{Kind, Position, ResponseHead, Scopes, StoredRef},
    validation::{self, Condition},
};

impl Engine {
    /// Answers from a stored response.
    ///
    /// # Errors
    /// The trace, when the response lies in slices that can't be had.
    pub(super) async fn answer_stored(
        self: &Arc<Self>,
        request: &Request,
        stored: &StoredRef,
        mut trace: Trace,
    ) -> Result<Answer, Trace> {
        if let Kind::Sliced { length } = stored.kind {
            return self.answer_sliced(request, stored, length, trace).await;
        }
        let now = self.clock.now();
        let age_ms = freshness::age_ms(&stored.lifetime, now);
        trace.ttl_ms = i64::try_from(stored.lifetime.fresh_ms)
            .unwrap_or(i64::MAX)
            .saturating_sub(i64::try_from(age_ms).unwrap_or(i64::MAX));
        if matches!(trace.served, Served::Stale(_)) {
            // a soft purge ends freshness before its time
            trace.ttl_ms = trace.ttl_ms.min(0);
        }
        let choice = match request.policy.compress {
            Some(_) => encoding::choose(request.accepted, stored),
            None => Choice::Stored,
        };
        let undone = match choice {
            Choice::Undone(coding) => self.undo(stored.body.clone(), coding).await,
            Choice::Stored | Choice::Coded(_) => None,
        };
        let representation = encoding::represent(stored, choice, undone);
        let (mut head, body) = respond(request, &representation.head, &representation.body);
        head.headers.insert(header::AGE, HeaderValue::from(age_ms / 1000));
        let source = Some(provenance(&stored.key, stored.position, &stored.scopes));
        Ok(Answer { head, body, trace, source })
    }

    /// A body without its coding; `None` when it is not of that coding, or too large without it.
    pub(super) async fn undo(&self, body: Bytes, coding: Coding) -> Option<Bytes> {
        let max = self.limits.object_bytes_max;
        let _permit = self.undoing.acquire().await.ok()?;
        #[expect(clippy::disallowed_methods, reason = "bounded by the permits")]
        let decoded = tokio::task::spawn_blocking(move || encoding::decode(&body, coding, max));
        match decoded.await {
            Ok(Ok(plain)) => Some(plain),
            Ok(Err(error)) => {
                tracing::debug!(%error, "stored body is passed on in its coding");
                None
            }
            Err(_) => None,
        }
    }
}

/// What a response made from the one under `key` inherits.
pub(super) fn provenance(key: &Key, position: Position, scopes: &Scopes) -> Provenance {
    let mut scopes = scopes.clone();
    scopes.sources.push((key.host.clone(), key.target.clone()));
    Provenance { position, scopes }
}

pub(super) fn respond(request: &Request, head: &ResponseHead, body: &Bytes) -> (ResponseHead, Body) {
    if validation::client_condition(&request.headers, head, &request.method) == Condition::NotModified {
        return (validation::not_modified_head(head), Body::empty());
    }
    let is_head = request.method == Method::HEAD;
    if !is_head && request.headers.contains_key(header::RANGE) {
        let selection = range::select(&request.headers, head, body.len() as u64);
        let (head, body) = range::slice(head, body, selection);
        return (head, Body::Full(body));
    }
    let mut head = head.clone();
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    (head, if is_head { Body::empty() } else { Body::Full(body.clone()) })
}

/// Marks where an answer came from.
pub(super) const fn served(mut trace: Trace, served: Served) -> Trace {
    trace.served = served;
    trace
}
