//! Misses that want a part: the origin is asked for whole slices around it, and for nothing else. What comes is stored as
//! the whole or as slices where it can be; else it is kept as it is (RFC 9111 section 3.3).

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    Answer, Engine, Request, Served, TierResult, Trace,
    answer::{hold_while_streaming, left_ms, provenance},
    draft::draft,
    fetch::is_sharable,
    lead::{EndGuard, Errand, Lead, growing, origins},
    lookup::{Found, Place},
    sliced::{Run, Sliced},
};
use crate::{
    body::{Body, BodyError, BodyStream},
    cache_control::{self, RequestDirectives},
    flight::Head,
    freshness::{self, Use},
    mapped, part,
    range::{self, Selection, Span},
    slices::{self, ContentRange},
    storability,
    stored::{Kind, Lifetime, ResponseHead, Stored},
    validation::{self, Condition},
    waterfall::Fetched,
};

/// What to ask an origin for when a client wants one range of something that is not stored. With `If-Range` the client may
/// get the whole, so that the whole is fetched.
pub(super) fn part_wanted(request: &Request) -> Option<HeaderValue> {
    takes_part(request).then(|| slices::widened(&request.headers)).flatten()
}

fn takes_part(request: &Request) -> bool {
    request.method == Method::GET && !request.headers.contains_key(header::IF_RANGE)
}

impl Engine {
    /// A kept part that answers a request for which nothing else is there. It is never validated: one that is not fresh is
    /// as good as absent.
    pub(super) async fn part_hit(
        &self,
        request: &Request,
        place: &Place,
        directives: &RequestDirectives,
        trace: &mut Trace,
    ) -> Option<Answer> {
        if !takes_part(request) || slices::wanted(&request.headers).is_none() {
            return None;
        }
        let mut seen = Trace::new();
        let found = self.lookup_part(place, directives, &mut seen).await;
        let found = found.filter(|found| found.usage == Use::Fresh);
        let cut = found
            .as_ref()
            .and_then(|found| cut_part(request, &found.stored.head, found.stored.body.len() as u64));
        let (Some(Found { stored, tier, .. }), Some((mut head, span))) = (found, cut) else {
            // why the part does not do says more than that nothing else is there
            for (tier, result) in seen.tiers.iter().filter(|(_, result)| *result != TierResult::Miss) {
                let why = if *result == TierResult::Fresh { &TierResult::Partial } else { result };
                let asked = trace.tiers.iter_mut().find(|(asked, _)| asked == tier);
                asked.into_iter().for_each(|(_, result)| result.clone_from(why));
            }
            return None;
        };
        let body = span.and_then(|span| range::cut(&stored.body, span)).unwrap_or_default();
        let age_ms = freshness::age_ms(&stored.lifetime, self.clock.now());
        head.headers.insert(header::AGE, HeaderValue::from(age_ms / 1000));
        let ttl_ms = left_ms(&stored.lifetime, age_ms);
        let trace = Trace { tiers: seen.tiers, served: Served::Hit(tier), ttl_ms, ..trace.clone() };
        let source = Some(provenance(&stored.key, stored.position, &stored.scopes));
        Some(Answer { head, body: Body::Full(body), trace, source, growing: None })
    }

    /// Keeps a part on this node, in the place of the one before it.
    fn keep(&self, mut part: Stored) {
        self.mark_variant(&part);
        part.key.variant = slices::part_variant(&part.key.variant);
        part.kind = Kind::Part;
        self.counters.stored.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.hybrid.insert(part.key.hash(), Arc::new(part));
    }
}

impl Lead {
    /// A 206: the whole of a small response, slices of a large one, or neither.
    pub(super) async fn take_part(
        &self,
        errand: &Errand,
        mut fetched: Fetched,
        lifetime: Lifetime,
        permit: OwnedSemaphorePermit,
    ) {
        let head = &fetched.response.head;
        let Some(sent) = slices::content_range(&head.headers) else {
            return self.give_part(errand, fetched, "content-range", permit);
        };
        let is_odd = fetched.response.body.length().is_some_and(|length| length != sent.bytes());
        if is_odd && errand.range.as_ref() != errand.request.headers.get(header::RANGE) {
            // nothing can be cut out of what contradicts itself: the origin is asked what the client asks
            drop(permit);
            return self.settle(Head::Private("content-range"));
        }
        let as_whole = whole_head(head);
        let refused = match storability::judge(&errand.request.headers, &as_whole, &errand.request.policy) {
            Err(reason) => Some(reason.reason()),
            Ok(()) if self.engine.is_full() => Some("busy"),
            Ok(()) => None,
        };
        if let Some(reason) = refused {
            self.engine.counters.passed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if !cache_control::request(&errand.request.headers).no_store {
                self.engine.mark_pass(errand.hash);
            }
            return self.give_part(errand, fetched, reason, permit);
        }
        let is_whole = sent.length.is_some_and(|length| sent.span == (Span { first: 0, last: length - 1 }));
        if is_whole && !is_odd {
            fetched.response.head = as_whole;
            return self.take(errand, fetched, lifetime, permit).await;
        }
        let Some(length) = sliceable(&as_whole, sent).filter(|_| !is_odd) else {
            return self.keep_part(errand, fetched, lifetime, permit).await;
        };
        let first = sent.span.first.next_multiple_of(slices::SLICE_BYTES);
        let wants = range::select(&errand.request.headers, &as_whole, length);
        let is_on_the_way = match wants {
            Selection::One(span) => span.first >= first,
            _ => true,
        };
        if !is_on_the_way {
            return self.keep_part(errand, fetched, lifetime, permit).await;
        }
        fetched.response.head = as_whole;
        if first > sent.span.first
            && let Body::Stream { stream, .. } = fetched.response.body
        {
            let rest = Span { first, last: sent.span.last };
            fetched.response.body = cut(stream, sent.span.first, rest);
        }
        let _permit = permit;
        self.fill_slices(errand, fetched, lifetime, length, first).await;
    }

    /// Stores a body that begins at byte `first` of `length` in slices. Followers read them as they come.
    pub(super) async fn fill_slices(
        &self,
        errand: &Errand,
        fetched: Fetched,
        lifetime: Lifetime,
        length: u64,
        first: u64,
    ) {
        let engine = &self.engine;
        let origins = Arc::new(origins(&fetched));
        let mut draft = draft(&errand.request, &fetched, lifetime, self.flight.position);
        draft.kind = Kind::Sliced { length };
        draft.head.headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let index = Arc::new(draft);
        engine.store(Arc::clone(&index), &errand.request.policy);
        let request = errand.request.clone();
        let sliced =
            Arc::new(Sliced { engine: Arc::clone(engine), request, index: Arc::clone(&index), length });
        // nobody else brings this slice as a rule; if somebody does, this body is not needed
        let run = Run::promise(&sliced, slices::slice_at(first));
        self.flight.announce(Head::Sliced(index, origins));
        if let Some(run) = run {
            run.since(self.flight.position).pump_whole(fetched.response.body, first).await;
        }
    }

    /// A part that answers the client that asked is shared while it comes, and kept; any other goes to that client alone.
    async fn keep_part(
        &self,
        errand: &Errand,
        fetched: Fetched,
        lifetime: Lifetime,
        permit: OwnedSemaphorePermit,
    ) {
        let engine = &self.engine;
        let mut draft = draft(&errand.request, &fetched, lifetime, self.flight.position);
        if let Some(range) = &errand.range {
            draft.head.headers.insert(header::RANGE, range.clone());
        }
        let is_of_use = |length: &u64| {
            *length <= engine.limits.object_bytes_max
                && part::is_keepable(&draft.head, *length)
                && is_sharable(&lifetime, engine.clock.now())
                && cut_part(&errand.request, &draft.head, *length).is_some()
        };
        let Some(length) = fetched.response.body.length().filter(is_of_use) else {
            return self.give_part(errand, fetched, "partial", permit);
        };
        let origins = Arc::new(origins(&fetched));
        let growing = Arc::new(growing(&draft, Some(length), &origins));
        let keeper = Arc::clone(engine);
        let kept = kept(fetched.response.body, length, move |body| keeper.keep(Stored { body, ..draft }));
        self.flight.share(&growing);
        let _ended = EndGuard(&growing);
        let _permit = permit;
        match self.pump(errand.hash, kept, &growing, Some(length)).await {
            Ok(_) => engine.failures.forget(errand.hash),
            Err(error) => engine.failures.note_cut(errand.hash, &origins.origin, &error, Instant::now()),
        }
    }

    /// Hands a part to the one client that asked, cut to what it asked for.
    fn give_part(
        &self,
        errand: &Errand,
        mut fetched: Fetched,
        reason: &'static str,
        permit: OwnedSemaphorePermit,
    ) {
        let response = &mut fetched.response;
        let fits = |sent: &ContentRange| response.body.length().is_none_or(|length| length == sent.bytes());
        let sent = slices::content_range(&response.head.headers).filter(fits);
        if let Some(length) = sent.and_then(|sent| sent.length) {
            // the slices around it are there, what was asked for is not
            let whole = whole_head(&response.head);
            if range::select(&errand.request.headers, &whole, length) == Selection::Unsatisfiable {
                response.head = range::unsatisfiable(&whole, length);
                response.body = Body::empty();
                return self.hand_over(fetched, reason);
            }
        }
        let wanted = sent.and_then(|sent| {
            let length = sent.length.unwrap_or(u64::MAX);
            let selection = range::select(&errand.request.headers, &whole_head(&response.head), length);
            match selection {
                Selection::One(span) if span.first >= sent.span.first => {
                    let span = Span { last: span.last.min(sent.span.last), ..span };
                    (span.first <= span.last && span != sent.span).then_some((sent, span))
                }
                _ => None,
            }
        });
        if let Some((sent, span)) = wanted
            && let Some(head) = range::one_head(&response.head, span, sent.length)
        {
            response.head = head;
            let body = std::mem::replace(&mut response.body, Body::empty());
            response.body = cut(body.into_stream(), sent.span.first, span);
        }
        let body = std::mem::replace(&mut fetched.response.body, Body::empty());
        fetched.response.body = hold_while_streaming(body, permit);
        self.hand_over(fetched, reason);
    }
}

/// The length of a body whose parts may be stored as slices: it is known, and so is its version.
fn sliceable(head: &ResponseHead, sent: ContentRange) -> Option<u64> {
    sent.length.filter(|_| slices::is_sliceable(head))
}

/// The head of the 200 that this 206 is a part of.
pub(super) fn whole_head(head: &ResponseHead) -> ResponseHead {
    let mut headers: HeaderMap = head.headers.clone();
    headers.remove(header::CONTENT_RANGE);
    headers.remove(header::CONTENT_LENGTH);
    ResponseHead { status: StatusCode::OK, headers }
}

/// The answer out of a part of `length` bytes: its head and which bytes belong to it, none where the client has them. `None`
/// when the part does not answer the request.
pub(super) fn cut_part(
    request: &Request,
    part: &ResponseHead,
    length: u64,
) -> Option<(ResponseHead, Option<Span>)> {
    let (head, span) = part::answer(part, length, &request.headers)?;
    match validation::client_condition(&request.headers, &head, &request.method) {
        Condition::NotModified => Some((validation::not_modified_head(&head), None)),
        Condition::Proceed => Some((head, Some(span))),
    }
}

/// The same body of `length` bytes. `keep` gets it before its last bytes are handed on, so that whoever has them finds it
/// kept; it gets none that breaks off or goes on after its length.
fn kept(body: Body, length: u64, keep: impl FnOnce(Bytes) + Send + 'static) -> BodyStream {
    let stream = body.exact().into_stream().filter(is_filled).fuse();
    let begun = (stream, Vec::new(), 0_u64, Some(keep));
    Box::pin(stream::unfold(begun, move |(mut stream, mut chunks, mut received, mut keep)| async move {
        let mut next = stream.next().await?;
        if let Ok(chunk) = &next {
            chunks.push(chunk.clone());
            received = received.saturating_add(chunk.len() as u64);
            if let Some(keep) = keep.take_if(|_| received == length) {
                match stream.next().await {
                    Some(more) => next = more,
                    None => keep(mapped::concat(&chunks)),
                }
            }
        }
        Some((next, (stream, chunks, received, keep)))
    }))
}

fn is_filled(piece: &Result<Bytes, BodyError>) -> std::future::Ready<bool> {
    std::future::ready(piece.as_ref().map_or(true, |piece| !piece.is_empty()))
}

/// The bytes of a span out of a stream that begins at byte `begins` of the whole.
pub(super) fn cut(stream: BodyStream, begins: u64, span: Span) -> Body {
    let end = span.last.saturating_add(1);
    let pieces = stream.scan(begins, move |at, chunk| {
        let piece = if *at >= end {
            None
        } else {
            Some(chunk.map(|chunk| {
                let from = span.first.saturating_sub(*at).min(chunk.len() as u64);
                let to = end.saturating_sub(*at).min(chunk.len() as u64);
                *at = at.saturating_add(chunk.len() as u64);
                let place = |at: u64| usize::try_from(at).unwrap_or(chunk.len());
                chunk.slice(place(from)..place(to))
            }))
        };
        std::future::ready(piece)
    });
    let stream = Box::pin(pieces.filter(is_filled));
    Body::Stream { length: Some(end.saturating_sub(span.first)), stream }
}
