//! Large bodies in slices: where they begin, what they are called, and how a range is widened to whole ones.
//!
//! A response over [`SLICED_OVER`] bytes with a strong validator is stored as a head and slices of [`SLICE_BYTES`]. The
//! name of a slice holds the validator, so that parts of two versions never meet in one body (RFC 9110 section 15.3.7.3).
//! Pure: nothing here reads or fetches.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use twox_hash::XxHash3_128;

use crate::{range::Span, stored::ResponseHead};

#[cfg(test)]
mod tests;

/// Bytes of a slice; the last one may be shorter.
pub const SLICE_BYTES: u64 = 1 << 20;
/// Bodies above this are stored in slices, in bytes.
pub const SLICED_OVER: u64 = 8 << 20;

/// Separates the variant of a response from the name of its slice; no field value can hold it.
const SLICE_MARK: char = '\u{2}';

/// The validator by which slices belong together (RFC 9110 section 8.8.1).
#[must_use]
pub fn strong_etag(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut tags = headers.get_all(header::ETAG).iter();
    let (tag, None) = (tags.next()?, tags.next()) else { return None };
    let bytes = tag.as_bytes();
    (bytes.len() > 2 && bytes.starts_with(b"\"") && bytes.ends_with(b"\"")).then_some(tag)
}

/// Whether parts of a response may be told from parts of another version: it has a strong validator. One that its origin
/// has coded is kept in one piece, since a client that does not take the coding needs the whole.
#[must_use]
pub fn is_sliceable(head: &ResponseHead) -> bool {
    head.status == StatusCode::OK
        && strong_etag(&head.headers).is_some()
        && !head.headers.contains_key(header::CONTENT_ENCODING)
}

/// Variant under which a slice is stored.
#[must_use]
pub fn variant(base: &str, etag: &HeaderValue, length: u64, slice: u64) -> String {
    let version = XxHash3_128::oneshot(etag.as_bytes());
    format!("{base}{SLICE_MARK}{version:032x};{length};{slice}")
}

/// Variant that names a fetch of a part, so that equal ones are made once.
#[must_use]
pub fn fetch_variant(base: &str, range: &HeaderValue) -> String {
    format!("{base}{SLICE_MARK}{}", String::from_utf8_lossy(range.as_bytes()))
}

/// Variant under which a part that is neither the whole nor slices is kept; see [`crate::part`].
#[must_use]
pub fn part_variant(base: &str) -> String {
    format!("{base}{SLICE_MARK}part")
}

/// The bytes of a slice of a body of `length` bytes; `None` beyond its end.
#[must_use]
pub fn span_of(slice: u64, length: u64) -> Option<Span> {
    let first = slice.checked_mul(SLICE_BYTES).filter(|first| *first < length)?;
    Some(Span { first, last: first.saturating_add(SLICE_BYTES).min(length) - 1 })
}

/// The slice that holds a byte.
#[must_use]
pub const fn slice_at(byte: u64) -> u64 {
    byte / SLICE_BYTES
}

/// One range of bytes, as a request words it (RFC 9110 section 14.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// From one byte to another.
    Between(Span),
    /// From a byte to the end.
    From(u64),
    /// So many bytes before the end, one at least.
    Last(u64),
}

/// Reads the `Range` of a request for one range. `None`: several ranges, another unit, or malformed.
#[must_use]
pub fn wanted(request: &HeaderMap) -> Option<Wanted> {
    let mut values = request.get_all(header::RANGE).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (unit, range) = value.to_str().ok()?.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    match (first, last) {
        ("", suffix) => number(suffix).filter(|suffix| *suffix > 0).map(Wanted::Last),
        (first, "") => number(first).map(Wanted::From),
        (first, last) => {
            let span = Span { first: number(first)?, last: number(last)? };
            (span.first <= span.last).then_some(Wanted::Between(span))
        }
    }
}

/// What an origin is asked for when a client asks for one range of something that is not stored: the same, widened to
/// whole slices, but for a short end. Where that begins is not known, so that the slices around it would be up to two,
/// and its bytes would come last. `None`: no single range.
#[must_use]
pub fn widened(request: &HeaderMap) -> Option<HeaderValue> {
    let widened = match wanted(request)? {
        Wanted::Last(suffix) if suffix <= SLICE_BYTES => format!("bytes=-{suffix}"),
        // one slice more, since the body need not end where a slice does
        Wanted::Last(suffix) => {
            format!("bytes=-{}", suffix.div_ceil(SLICE_BYTES).checked_add(1)?.checked_mul(SLICE_BYTES)?)
        }
        Wanted::From(first) => format!("bytes={}-", floor(first)),
        Wanted::Between(Span { first, last }) => {
            format!("bytes={}-{}", floor(first), floor(last).checked_add(SLICE_BYTES - 1)?)
        }
    };
    HeaderValue::try_from(widened).ok()
}

const fn floor(byte: u64) -> u64 {
    byte - byte % SLICE_BYTES
}

fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// What a 206 holds (RFC 9110 section 14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// The bytes enclosed.
    pub span: Span,
    /// Bytes of the whole body; `None` when the origin does not know.
    pub length: Option<u64>,
}

impl ContentRange {
    /// Bytes enclosed, by its own word.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.span.last.saturating_sub(self.span.first).saturating_add(1)
    }
}

/// Reads `Content-Range` of a 206; `None` when it is missing, doubled, malformed or of another unit.
#[must_use]
pub fn content_range(headers: &HeaderMap) -> Option<ContentRange> {
    let mut values = headers.get_all(header::CONTENT_RANGE).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (unit, rest) = value.to_str().ok()?.trim().split_once(' ')?;
    let (span, length) = rest.trim().split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let span = Span { first: number(first)?, last: number(last)? };
    let length = if length == "*" { None } else { Some(number(length)?) };
    let fits = span.first <= span.last && length.is_none_or(|length| span.last < length);
    (unit.eq_ignore_ascii_case("bytes") && fits).then_some(ContentRange { span, length })
}
