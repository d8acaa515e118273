//! Which representation of a stored response a client gets, and the head that goes with it.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{Accepted, Coding};
use crate::{
    fields::{Quoting, elements},
    stored::{Kind, ResponseHead, Stored},
};

/// Smaller bodies gain nothing, in bytes: head and packet cost more than what is saved.
const COMPRESS_BYTES_MIN: usize = 256;
/// Larger bodies are passed on as they are, in bytes: they would hold the workshop up.
const COMPRESS_BYTES_MAX: usize = 8 << 20;

/// Digests of the coded content or of the representation, which a coding changes (RFC 9530).
const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

/// Types besides `text/*`, `*+json` and `*+xml` that are worth coding.
const COMPRESSIBLE: [&str; 14] = [
    "application/javascript",
    "application/json",
    "application/ld+json",
    "application/manifest+json",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/xml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/svg+xml",
    "image/vnd.microsoft.icon",
    "image/x-icon",
];

/// The representation to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice<'a> {
    /// The body as it is stored.
    Stored,
    /// One of the codings that this node made.
    Coded(&'a super::Coded),
    /// The stored body with the origin's coding undone.
    Undone(Coding),
}

/// Chooses by the client's weights; of equal weights the smallest body wins.
#[must_use]
pub fn choose(accepted: Accepted, stored: &Stored) -> Choice<'_> {
    if stored.codings.is_empty() {
        return undoing(accepted, &stored.head.headers).map_or(Choice::Stored, Choice::Undone);
    }
    let best = stored
        .codings
        .iter()
        .map(|coded| (accepted.weight(coded.coding), coded))
        .filter(|(weight, _)| accepted.beats_identity(*weight))
        .max_by_key(|(weight, coded)| (*weight, std::cmp::Reverse(coded.body.len())));
    best.map_or(Choice::Stored, |(_, coded)| Choice::Coded(coded))
}

/// The origin's coding that has to be undone for this client.
#[must_use]
pub fn undoing(accepted: Accepted, headers: &HeaderMap) -> Option<Coding> {
    undoable(headers).filter(|coding| accepted.weight(*coding) == 0)
}

/// The origin's own coding, when it is a single one that this node can undo and may (RFC 9111 section 5.2.2.6).
fn undoable(headers: &HeaderMap) -> Option<Coding> {
    let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let coding = Coding::from_token(value.to_str().ok()?.trim())?;
    (!forbids_transforming(headers)).then_some(coding)
}

/// `no-transform` (RFC 9111 section 5.2.2.6).
fn forbids_transforming(headers: &HeaderMap) -> bool {
    let mut found = false;
    elements(headers, header::CACHE_CONTROL.as_str(), Quoting::Escapes, |directive| {
        found |= directive.eq_ignore_ascii_case("no-transform");
    });
    found
}

/// Head and body of one representation.
#[derive(Debug)]
pub struct Representation<'a> {
    /// Status and fields.
    pub head: Cow<'a, ResponseHead>,
    /// Body.
    pub body: Bytes,
}

/// The head and body of a choice; `undone` is the decoded body for [`Choice::Undone`].
#[must_use]
pub fn represent<'a>(stored: &'a Stored, choice: Choice<'_>, undone: Option<Bytes>) -> Representation<'a> {
    match (choice, undone) {
        (Choice::Coded(coded), _) => Representation {
            head: Cow::Owned(coded_head(&stored.head, Some(coded.coding))),
            body: coded.body.clone(),
        },
        (Choice::Undone(_), Some(body)) => {
            Representation { head: Cow::Owned(coded_head(&stored.head, None)), body }
        }
        (Choice::Stored | Choice::Undone(_), _) => {
            Representation { head: Cow::Borrowed(&stored.head), body: stored.body.clone() }
        }
    }
}

/// The head of the same response without the origin's coding.
#[must_use]
pub fn plain_head(head: &ResponseHead) -> ResponseHead {
    coded_head(head, None)
}

/// The head of the same response in another coding; `None`: plain.
fn coded_head(head: &ResponseHead, coding: Option<Coding>) -> ResponseHead {
    let mut headers = head.headers.clone();
    for name in DIGESTS {
        headers.remove(name);
    }
    match coding {
        Some(coding) => {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
        }
        None => {
            headers.remove(header::CONTENT_ENCODING);
        }
    }
    if let Some(etag) = headers.get(header::ETAG).and_then(|etag| etag_of(etag, coding)) {
        headers.insert(header::ETAG, etag);
    }
    vary_by_coding(&mut headers);
    ResponseHead { status: head.status, headers }
}

/// The entity tag of a representation in another coding: validators of different bytes differ (RFC 9110 section 8.8.3.3).
#[must_use]
pub fn etag_of(etag: &HeaderValue, coding: Option<Coding>) -> Option<HeaderValue> {
    let token = coding.map_or("identity", Coding::token);
    let inner = etag.as_bytes().strip_suffix(b"\"")?;
    HeaderValue::from_bytes(&[inner, b"-", token.as_bytes(), b"\""].concat()).ok()
}

/// Whether a response is worth coding: a whole, plain 200 of a type that shrinks, which nobody forbids to transform.
#[must_use]
pub fn is_compressible(head: &ResponseHead, length: usize) -> bool {
    head.status == StatusCode::OK
        && (COMPRESS_BYTES_MIN..=COMPRESS_BYTES_MAX).contains(&length)
        && !head.headers.contains_key(header::CONTENT_ENCODING)
        && !forbids_transforming(&head.headers)
        && has_compressible_type(&head.headers)
}

fn has_compressible_type(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let shrinks = essence.starts_with("text/") || essence.ends_with("+json") || essence.ends_with("+xml");
    // events are sent one by one and never end
    essence != "text/event-stream" && (shrinks || COMPRESSIBLE.contains(&essence.as_str()))
}

/// Prepares the head of a response that is about to be stored on a site that compresses: who is answered plainly learns
/// too that another client may get a coding (RFC 9110 section 12.5.5).
pub fn mark(head: &mut ResponseHead) {
    let is_negotiated = has_compressible_type(&head.headers) || undoable(&head.headers).is_some();
    if head.status == StatusCode::OK && is_negotiated && !forbids_transforming(&head.headers) {
        vary_by_coding(&mut head.headers);
    }
}

fn vary_by_coding(headers: &mut HeaderMap) {
    let mut is_named = false;
    elements(headers, header::VARY.as_str(), Quoting::Literal, |name| {
        is_named |= name == "*" || name.eq_ignore_ascii_case(header::ACCEPT_ENCODING.as_str());
    });
    if !is_named {
        headers.append(header::VARY, HeaderValue::from_name(HeaderName::from_static("accept-encoding")));
    }
}

/// Whether a stored response waits for its codings.
#[must_use]
pub(super) fn wants_codings(stored: &Stored) -> bool {
    stored.kind == Kind::Response
        && stored.codings.is_empty()
        && is_compressible(&stored.head, stored.body.len())
}
