//! Kept parts: 206s that are neither the whole of a body nor slices of it. RFC 9111 section 3.3.
//!
//! A part answers the range that it was sent for and single ranges inside of it, and is never joined to anything (section
//! 3.4). Its head holds, as `Range`, what the origin was asked for. Pure: nothing here reads or fetches.
//!
//! An origin may announce a longer range than it sends, and nothing says at which end bytes are missing. There are two
//! readings then: the body begins where the range begins, or it ends where the range ends. What is wanted from a byte on
//! is taken by the first, what is wanted from the end by the second; the range that was asked for gets what was sent for
//! it, head and body. A body that is longer than its range has no such reading and is not kept.

use http::{HeaderMap, HeaderValue, header};

use crate::{
    range::{self, Span},
    slices::{self, ContentRange, Wanted},
    stored::ResponseHead,
};

#[cfg(test)]
mod tests;

/// Longest part that is kept, in bytes.
pub const PART_BYTES_MAX: u64 = 1 << 20;

/// Whether a 206 with a body of `length` bytes may be kept. One that its origin has coded may not: a client that does not
/// take the coding could do nothing with a part.
#[must_use]
pub fn is_keepable(head: &ResponseHead, length: u64) -> bool {
    let kind = head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_multipart = kind.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/"));
    let is_coded = head.headers.contains_key(header::CONTENT_ENCODING);
    let fits = |sent: ContentRange| (1..=sent.bytes().min(PART_BYTES_MAX)).contains(&length);
    !is_multipart && !is_coded && slices::content_range(&head.headers).is_some_and(fits)
}

/// The head of the answer to a request out of a part of `length` bytes, and which of its bytes belong to it. `None` when
/// the part does not hold all that the request asks for, or more than one range is asked for.
#[must_use]
pub fn answer(part: &ResponseHead, length: u64, request: &HeaderMap) -> Option<(ResponseHead, Span)> {
    let wanted = slices::wanted(request)?;
    let mut head = part.clone();
    let was_asked = slices::wanted(&head.headers);
    head.headers.remove(header::RANGE);
    if was_asked == Some(wanted) {
        return Some((range::with_length(head, length), Span { first: 0, last: length.checked_sub(1)? }));
    }
    let sent = slices::content_range(&head.headers)?;
    let (span, first) = locate(sent, length, wanted)?;
    let head = range::one_head(&head, span, sent.length)?;
    Some((head, Span { first, last: first + (span.last - span.first) }))
}

/// Where the bytes of a range lie in the whole, and where the first of them lies in a part of `length` bytes.
fn locate(sent: ContentRange, length: u64, wanted: Wanted) -> Option<(Span, u64)> {
    let missing = sent.bytes().checked_sub(length).filter(|_| length > 0)?;
    let begun = Span { last: sent.span.last - missing, ..sent.span };
    let ended = Span { first: sent.span.first + missing, ..sent.span };
    // without the length of the whole nobody knows where its end is
    let end = sent.length.map(|length| length - 1);
    let has_end = end == Some(sent.span.last);
    let (span, held) = match wanted {
        Wanted::Between(span) => (Span { last: span.last.min(end.unwrap_or(span.last)), ..span }, begun),
        Wanted::From(first) if has_end => (Span { first, ..begun }, begun),
        Wanted::Last(count) if has_end => {
            (Span { first: (ended.last + 1).saturating_sub(count), ..ended }, ended)
        }
        Wanted::From(_) | Wanted::Last(_) => return None,
    };
    let is_held = held.first <= span.first && span.first <= span.last && span.last <= held.last;
    is_held.then(|| (span, span.first - held.first))
}
