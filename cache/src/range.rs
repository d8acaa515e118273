//! Byte ranges of a whole stored response. RFC 9110 section 14.
//!
//! [`select`] reads what a client asks for, [`slice()`] builds the answer. A request that is malformed, or greedy, gets
//! the whole response, which RFC 9110 section 14.2 always permits. Overlapping and touching ranges become one, so that no
//! answer is larger than the response and its part headers (section 17.15).

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use twox_hash::XxHash3_128;

use crate::{
    stored::ResponseHead,
    validation::{not_modified_head, single_date},
};

#[cfg(test)]
mod tests;

/// Ranges answered in one response; a request for more gets the whole.
pub const RANGES_MAX: usize = 16;

/// First and last byte, both included; within the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub first: u64,
    /// Last byte, not before the first.
    pub last: u64,
}

/// What a `Range` field comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Send everything.
    Whole,
    /// Send one part.
    One(Span),
    /// Send several parts, 2 to [`RANGES_MAX`], in the order asked for, with at least a byte between any two.
    Many(Vec<Span>),
    /// Nothing in the body was asked for: 416.
    Unsatisfiable,
}

/// What one range of a set comes to.
enum Asked {
    Bytes(Span),
    Everything,
    Nothing,
}

/// Reads `Range` and `If-Range` of a GET for a body of `length` bytes.
#[must_use]
pub fn select(request: &HeaderMap, head: &ResponseHead, length: u64) -> Selection {
    // a `Content-Range` outside a 206 means nothing (RFC 9110 section 14.4), and must not stand beside ours
    let is_whole = head.status == StatusCode::OK && !head.headers.contains_key(header::CONTENT_RANGE);
    if !is_whole || !if_range_holds(request, &head.headers) {
        return Selection::Whole;
    }
    single(request, &header::RANGE)
        .and_then(|value| value.to_str().ok())
        .and_then(range_set)
        .and_then(|set| choose(set, length))
        .unwrap_or(Selection::Whole)
}

/// The ranges after `bytes=`; units are compared without case (RFC 9110 section 14.1).
fn range_set(value: &str) -> Option<&str> {
    let (unit, set) = value.split_once('=')?;
    unit.trim().eq_ignore_ascii_case("bytes").then_some(set)
}

/// `None`: malformed, or more ranges than we answer.
fn choose(set: &str, length: u64) -> Option<Selection> {
    let mut spans: Vec<Span> = Vec::new();
    let parts = set.split(',').map(str::trim).filter(|part| !part.is_empty());
    let mut count = 0;
    for part in parts {
        count += 1;
        if count > RANGES_MAX {
            return None;
        }
        match parse(part, length)? {
            Asked::Bytes(span) => join(&mut spans, span),
            Asked::Everything => return Some(Selection::Whole),
            Asked::Nothing => {}
        }
    }
    match spans.as_slice() {
        [] if count == 0 => None,
        [] => Some(Selection::Unsatisfiable),
        [one] => Some(Selection::One(*one)),
        _ => Some(Selection::Many(spans)),
    }
}

/// `None`: malformed (RFC 9110 section 14.1.1).
fn parse(part: &str, length: u64) -> Option<Asked> {
    let (first, last) = part.split_once('-')?;
    let Some(end) = length.checked_sub(1) else { return parse_empty(first, last) };
    if first.is_empty() {
        let suffix = number(last)?;
        let span = Span { first: length.saturating_sub(suffix), last: end };
        return Some(if suffix == 0 { Asked::Nothing } else { Asked::Bytes(span) });
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    if last < first {
        return None;
    }
    Some(if first > end { Asked::Nothing } else { Asked::Bytes(Span { first, last: last.min(end) }) })
}

/// In an empty body only a suffix can be satisfied, and no `Content-Range` can say so.
fn parse_empty(first: &str, last: &str) -> Option<Asked> {
    if first.is_empty() {
        return Some(if number(last)? == 0 { Asked::Nothing } else { Asked::Everything });
    }
    let first = number(first)?;
    let is_valid = last.is_empty() || number(last)? >= first;
    is_valid.then_some(Asked::Nothing)
}

fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Adds a span at the place of the first one that it meets (RFC 9110 section 15.3.7.2 asks to keep the order).
fn join(spans: &mut Vec<Span>, mut span: Span) {
    let meets =
        |a: &Span, b: &Span| a.first <= b.last.saturating_add(1) && b.first <= a.last.saturating_add(1);
    let place = spans.iter().position(|present| meets(present, &span));
    // a span that grew may meet others that it did not meet before
    while let Some(at) = spans.iter().position(|present| meets(present, &span)) {
        let present = spans.remove(at);
        span = Span { first: span.first.min(present.first), last: span.last.max(present.last) };
    }
    let place = place.unwrap_or(spans.len()).min(spans.len());
    spans.insert(place, span);
}

/// RFC 9110 section 13.1.5: a tag holds by strong comparison, a date only if it is exact and a strong validator (section
/// 8.8.2.2: the response was sent at least a second after it was modified).
fn if_range_holds(request: &HeaderMap, stored: &HeaderMap) -> bool {
    if !request.contains_key(header::IF_RANGE) {
        return true;
    }
    let Some(condition) = single(request, &header::IF_RANGE) else { return false };
    if condition.as_bytes().starts_with(b"\"") {
        return stored.get(header::ETAG) == Some(condition);
    }
    let asked = single_date(request, &header::IF_RANGE);
    let modified = single_date(stored, &header::LAST_MODIFIED);
    let is_strong = modified
        .zip(single_date(stored, &header::DATE))
        .is_some_and(|(modified, sent)| sent.duration_since(modified).is_ok_and(|gap| gap.as_secs() >= 1));
    is_strong && asked == modified
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    Some(value)
}

/// Builds the answer for a selection: 200, 206 (RFC 9110 section 15.3.7) or 416 (section 15.5.17). A selection made for
/// another body gets the whole.
#[must_use]
pub fn slice(head: &ResponseHead, body: &Bytes, selection: Selection) -> (ResponseHead, Bytes) {
    let part = match selection {
        Selection::Whole => None,
        Selection::One(span) => one(head, body, span),
        Selection::Many(spans) => many(head, body, &spans),
        Selection::Unsatisfiable => Some((unsatisfiable(head, body.len() as u64), Bytes::new())),
    };
    part.unwrap_or_else(|| (with_length(head.clone(), body.len() as u64), body.clone()))
}

fn one(head: &ResponseHead, body: &Bytes, span: Span) -> Option<(ResponseHead, Bytes)> {
    let part = cut(body, span)?;
    Some((one_head(head, span, Some(body.len() as u64))?, part))
}

/// The head of a 206 with one part of a body of `length` bytes; `None`: nobody knows how many.
pub(crate) fn one_head(head: &ResponseHead, span: Span, length: Option<u64>) -> Option<ResponseHead> {
    let mut head = partial(head, span.last.checked_sub(span.first)?.checked_add(1)?);
    head.headers.insert(header::CONTENT_RANGE, content_range(span, length)?);
    Some(head)
}

fn many(head: &ResponseHead, body: &Bytes, spans: &[Span]) -> Option<(ResponseHead, Bytes)> {
    let parts: Option<Vec<_>> = spans.iter().map(|span| Some((*span, cut(body, *span)?))).collect();
    multipart(head, &parts?, body.len() as u64)
}

/// `multipart/byteranges` (RFC 9110 section 14.6) of a body of `length` bytes.
pub(crate) fn multipart(
    head: &ResponseHead,
    parts: &[(Span, Bytes)],
    length: u64,
) -> Option<(ResponseHead, Bytes)> {
    let boundary = boundary(parts);
    let mut whole = BytesMut::new();
    for (span, part) in parts {
        whole.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        if let Some(kind) = head.headers.get(header::CONTENT_TYPE) {
            whole.extend_from_slice(b"Content-Type: ");
            whole.extend_from_slice(kind.as_bytes());
            whole.extend_from_slice(b"\r\n");
        }
        whole.extend_from_slice(b"Content-Range: ");
        whole.extend_from_slice(content_range(*span, Some(length))?.as_bytes());
        whole.extend_from_slice(b"\r\n\r\n");
        whole.extend_from_slice(part);
    }
    whole.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let mut head = partial(head, whole.len() as u64);
    let kind = HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}")).ok()?;
    head.headers.insert(header::CONTENT_TYPE, kind);
    Some((head, whole.freeze()))
}

/// Made from the parts, so that none holds its own boundary by chance, and equal for equal answers.
fn boundary(parts: &[(Span, Bytes)]) -> String {
    let mut hasher = XxHash3_128::new();
    parts.iter().for_each(|(_, part)| hasher.write(part));
    format!("overfall-{:032x}", hasher.finish_128())
}

fn partial(head: &ResponseHead, length: u64) -> ResponseHead {
    let mut head = with_length(head.clone(), length);
    head.status = StatusCode::PARTIAL_CONTENT;
    // digests of the whole content, which this is not (RFC 9530 section 2)
    for name in ["content-digest", "content-md5", "digest"] {
        head.headers.remove(name);
    }
    head
}

/// What guides caches and browsers stays, but validators and freshness: those speak of the 200.
pub(crate) fn unsatisfiable(head: &ResponseHead, length: u64) -> ResponseHead {
    let mut headers = not_modified_head(head).headers;
    let of_the_whole = [
        header::ETAG,
        header::LAST_MODIFIED,
        header::CACHE_CONTROL,
        header::EXPIRES,
        header::CONTENT_LOCATION,
    ];
    for name in of_the_whole {
        headers.remove(name);
    }
    if let Ok(value) = HeaderValue::try_from(format!("bytes */{length}")) {
        headers.insert(header::CONTENT_RANGE, value);
    }
    with_length(ResponseHead { status: StatusCode::RANGE_NOT_SATISFIABLE, headers }, 0)
}

/// `None` when the span is empty or not within the body.
pub(crate) fn cut(body: &Bytes, span: Span) -> Option<Bytes> {
    let first = usize::try_from(span.first).ok()?;
    let last = usize::try_from(span.last).ok()?;
    body.get(first..=last).filter(|part| !part.is_empty()).map(|part| body.slice_ref(part))
}

fn content_range(span: Span, length: Option<u64>) -> Option<HeaderValue> {
    let length = length.map_or_else(|| "*".to_owned(), |length| length.to_string());
    HeaderValue::try_from(format!("bytes {}-{}/{length}", span.first, span.last)).ok()
}

pub(crate) fn with_length(mut head: ResponseHead, length: u64) -> ResponseHead {
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    head
}
