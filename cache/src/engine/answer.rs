//! From a stored response to an answer: coding, conditions, ranges, age.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderValue, Method, StatusCode, header};
use tokio::sync::OwnedSemaphorePermit;

use super::{Answer, Engine, Provenance, Request, Served, Trace, part};
use crate::{
    body::{Body, BodyStream},
    clock::Millis,
    encoding::{self, Choice, Coding},
    fields,
    flight::Growing,
    freshness,
    key::Key,
    range::{self, Selection},
    stored::{Kind, Lifetime, Position, ResponseHead, Scopes, StoredRef},
    validation::{self, Condition},
    waterfall::Fetched,
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
        trace.ttl_ms = left_ms(&stored.lifetime, age_ms);
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
        Ok(Answer { head, body, trace, source, growing: None })
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

/// Freshness left at an age, in ms; negative when stale.
pub(super) fn left_ms(lifetime: &Lifetime, age_ms: u64) -> i64 {
    let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    signed(lifetime.fresh_ms).saturating_sub(signed(age_ms))
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

impl Engine {
    /// The coding that has to be undone for a client, on a site that does that.
    pub(super) fn undoing(request: &Request, head: &ResponseHead) -> Option<Coding> {
        request.policy.compress?;
        encoding::undoing(request.accepted, &head.headers)
    }

    /// What a response that is arriving is asked for: the whole of it, where its coding has to be undone before the client's
    /// conditions and ranges mean anything.
    pub(super) fn asked_of_growing<'a>(&self, request: &'a Request, head: &ResponseHead) -> Cow<'a, Request> {
        if Self::undoing(request, head).is_none() {
            return Cow::Borrowed(request);
        }
        let headers = validation::without_conditions(&request.headers);
        Cow::Owned(Request { method: Method::GET, headers, ..request.clone() })
    }

    /// The same answer without the origin's coding, for a client that does not take it. Waits for the whole body; one that
    /// breaks off meanwhile stays an error.
    pub(super) async fn undone(&self, request: &Request, answer: Answer) -> Answer {
        let Answer { head, body, trace, source, growing } = answer;
        let coding = Self::undoing(request, &head);
        let Some(coding) = coding.filter(|_| matches!(body, Body::Stream { .. })) else {
            return Answer { head, body, trace, source, growing };
        };
        let whole = body.collect(self.limits.object_bytes_max).await;
        let (head, body) = match whole {
            Ok(coded) => match self.undo(coded.clone(), coding).await {
                Some(plain) => respond(request, &encoding::plain_head(&head), &plain),
                None => respond(request, &head, &coded),
            },
            Err(error) => (head, Body::failed(error)),
        };
        Answer { head, body, trace, source, growing: None }
    }
}

pub(super) fn answer_growing(
    request: &Request,
    growing: &Arc<Growing>,
    kept: Option<BodyStream>,
    now: Millis,
    trace: &Trace,
) -> Option<Answer> {
    let age_ms = freshness::age_ms(&growing.about.lifetime, now);
    let mut trace = served(trace.clone(), Served::Fetched);
    trace.stored = true;
    trace.attempts = Arc::new(growing.about.origins.attempts.clone());
    trace.ttl_ms = left_ms(&growing.about.lifetime, age_ms);
    let source = Some(provenance(&request.key, growing.about.position, &growing.about.scopes));
    let age = HeaderValue::from(age_ms / 1000);
    if growing.about.head.status == StatusCode::PARTIAL_CONTENT {
        let (mut head, span) = part::cut_part(request, &growing.about.head, growing.about.length?)?;
        head.headers.insert(header::AGE, age);
        let body = match span {
            Some(span) => part::cut(kept.or_else(|| growing.reader())?, 0, span),
            None => Body::empty(),
        };
        return Some(Answer { head, body, trace, source, growing: None });
    }
    if validation::client_condition(&request.headers, &growing.about.head, &request.method)
        == Condition::NotModified
    {
        let mut head = validation::not_modified_head(&growing.about.head);
        head.headers.insert(header::AGE, age);
        return Some(Answer { head, body: Body::empty(), trace, source, growing: None });
    }
    if let Some(length) = growing.about.length.filter(|_| request.method == Method::GET) {
        match range::select(&request.headers, &growing.about.head, length) {
            Selection::One(span) => {
                let mut head = range::one_head(&growing.about.head, span, Some(length))?;
                head.headers.insert(header::AGE, age);
                let body = part::cut(kept.or_else(|| growing.reader())?, 0, span);
                return Some(Answer { head, body, trace, source, growing: None });
            }
            Selection::Unsatisfiable => {
                let mut head = range::unsatisfiable(&growing.about.head, length);
                head.headers.insert(header::AGE, age);
                return Some(Answer { head, body: Body::empty(), trace, source, growing: None });
            }
            Selection::Whole | Selection::Many(_) => {}
        }
    }
    let mut head = growing.about.head.clone();
    head.headers.insert(header::AGE, age);
    if let Some(length) = growing.about.length {
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    if request.method == Method::HEAD {
        return Some(Answer { head, body: Body::empty(), trace, source, growing: None });
    }
    let body = Body::Stream { length: growing.about.length, stream: kept.or_else(|| growing.reader())? };
    Some(Answer { head, body, trace, source, growing: Some(Arc::clone(growing)) })
}

/// An unshareable response for the client that asked.
pub(super) fn pass(request: &Request, fetched: Fetched, mut trace: Trace, reason: &'static str) -> Answer {
    trace.attempts = Arc::new(fetched.attempts);
    trace.reason = Some(reason);
    let source = fetched.response.provenance;
    let mut head = ResponseHead {
        status: fetched.response.head.status,
        headers: fields::storable_response(&fetched.response.head.headers),
    };
    if let Some(length) = fetched.response.body.length() {
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let body = if request.method == Method::HEAD { Body::empty() } else { fetched.response.body.exact() };
    Answer { head, body, trace: served(trace, Served::Passed), source, growing: None }
}

/// Keeps a fetch permit until the body has ended or was dropped.
pub(super) fn hold_while_streaming(body: Body, permit: OwnedSemaphorePermit) -> Body {
    match body {
        Body::Full(bytes) => Body::Full(bytes),
        Body::Stream { length, stream } => {
            let held = stream.map(move |chunk| {
                let _permit = &permit;
                chunk
            });
            Body::Stream { length, stream: Box::pin(held) }
        }
    }
}
