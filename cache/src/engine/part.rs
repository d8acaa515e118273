//! Misses that want a part: the origin is asked for whole slices around it, and for nothing else.

use std::sync::Arc;

use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Request,
    answer::hold_while_streaming,
    draft::draft,
    lead::{Errand, Lead, origins},
    sliced::{Run, Sliced},
};
use crate::{
    body::{Body, BodyStream},
    cache_control,
    flight::Head,
    range::{self, Selection, Span},
    slices::{self, ContentRange},
    storability,
    stored::{Kind, Lifetime, ResponseHead},
    waterfall::Fetched,
};

/// What to ask an origin for when a client wants one range of something that is not stored. With `If-Range` the client may
/// get the whole, so that the whole is fetched.
pub(super) fn part_wanted(request: &Request) -> Option<HeaderValue> {
    let asks = request.method == Method::GET && !request.headers.contains_key(header::IF_RANGE);
    asks.then(|| slices::widened(&request.headers)).flatten()
}

impl Lead {
    /// A 206: the whole of a small response, slices of a large one, or a part that can't be stored.
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
        if is_whole {
            fetched.response.head = as_whole;
            return self.take(errand, fetched, lifetime, permit).await;
        }
        let Some(length) = sliceable(&as_whole, sent) else {
            return self.give_part(errand, fetched, "partial", permit);
        };
        let first = sent.span.first.next_multiple_of(slices::SLICE_BYTES);
        let wants = range::select(&errand.request.headers, &as_whole, length);
        let is_on_the_way = match wants {
            Selection::One(span) => span.first >= first,
            _ => true,
        };
        if !is_on_the_way {
            return self.give_part(errand, fetched, "partial", permit);
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

    /// Hands a part to the one client that asked, cut to what it asked for.
    fn give_part(
        &self,
        errand: &Errand,
        mut fetched: Fetched,
        reason: &'static str,
        permit: OwnedSemaphorePermit,
    ) {
        let response = &mut fetched.response;
        let sent = slices::content_range(&response.head.headers);
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
                    (span.first <= span.last).then_some((sent, span))
                }
                _ => None,
            }
        });
        if let Some((sent, span)) = wanted {
            narrow(&mut response.head, sent, span);
            let body = std::mem::replace(&mut response.body, Body::empty());
            response.body = match body {
                Body::Full(bytes) => {
                    let stream = futures_util::stream::iter([Ok(bytes)]);
                    cut(Box::pin(stream), sent.span.first, span)
                }
                Body::Stream { stream, .. } => cut(stream, sent.span.first, span),
            };
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

fn narrow(head: &mut ResponseHead, sent: ContentRange, span: Span) {
    let length = sent.length.map_or_else(|| "*".to_owned(), |length| length.to_string());
    if let Ok(value) = HeaderValue::try_from(format!("bytes {}-{}/{length}", span.first, span.last)) {
        head.headers.insert(header::CONTENT_RANGE, value);
    }
    head.headers.remove(header::CONTENT_LENGTH);
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
    let stream =
        pieces.filter(|piece| std::future::ready(piece.as_ref().map_or(true, |piece| !piece.is_empty())));
    Body::Stream { length: Some(end.saturating_sub(span.first)), stream: Box::pin(stream) }
}
