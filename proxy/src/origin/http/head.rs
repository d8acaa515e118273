//! Heads on the way to an origin and back: which fields pass, and what makes a response unusable.
//!
//! Pure. What a response says about its own framing must be unambiguous (RFC 9112 section 6.3): it is refused, not
//! repaired, since a guess here would be stored.

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode, Version,
    header::{self, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, VIA},
};
use overfall_cache::{
    origin::{OriginError, OriginRequest},
    stored::ResponseHead,
};
use pingora::http::{RequestHeader, ResponseHeader};

use crate::origin::part;

/// A request head for the wire. `host` replaces the client's; `prefix` stands before its path.
pub(super) fn request(
    request: &OriginRequest,
    host: Option<&HeaderValue>,
    prefix: &str,
) -> Result<RequestHeader, OriginError> {
    let refused = |what: &str| OriginError::Protocol(format!("request cannot be sent: {what}"));
    if !request.path_and_query.starts_with('/') {
        return Err(refused("its target is not a path"));
    }
    let target = format!("{prefix}{}", request.path_and_query);
    if target.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(refused("its target holds a space or a control character"));
    }
    let mut head = RequestHeader::build("GET", target.as_bytes(), Some(request.headers.len() + 3))
        .map_err(|_| refused("its target is malformed"))?;
    let client_host = HeaderValue::try_from(&request.host);
    let host = host.cloned().map_or(client_host, Ok).map_err(|_| refused("its host is malformed"))?;
    let mut append = |name: HeaderName, value: HeaderValue| {
        head.append_header(name, value).map(drop).map_err(|_| refused("it has too many fields"))
    };
    append(HOST, host)?;
    let dropped = connection_options(&request.headers);
    for (name, value) in &request.headers {
        if !is_hop_by_hop(name, &dropped) && !NEVER_SENT.contains(name) {
            append(name.clone(), value.clone())?;
        }
    }
    append(VIA, HeaderValue::from_static("1.1 overfall"))?;
    append(CDN_LOOP, HeaderValue::from_static(super::CDN_ID))?;
    Ok(head)
}

/// A response head without hop-by-hop fields. `raw` is the head as it came, for what its parser has smoothed over;
/// empty for HTTP/2.
pub(super) fn response(head: &ResponseHeader, raw: &[u8]) -> Result<ResponseHead, OriginError> {
    let refused = |what: &str| Err(OriginError::Protocol(what.to_owned()));
    if head.status.as_u16() >= 600 || head.status.is_informational() {
        return refused("status code is out of range");
    }
    if head.headers.len() > FIELDS_MAX {
        return refused("response has too many fields");
    }
    let bytes: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if bytes.max(raw.len()) > HEAD_BYTES_MAX {
        return refused("response head is too large");
    }
    if has_bare_control(raw) {
        return refused("response head holds a stray CR or NUL");
    }
    if let Some(problem) = ambiguous_framing(head, raw) {
        return refused(problem);
    }
    let dropped = connection_options(&head.headers);
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for (name, value) in &head.headers {
        if is_hop_by_hop(name, &dropped) {
            continue;
        }
        // the parser lets control characters through
        let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else {
            return refused("response field holds a control character");
        };
        headers.append(name.clone(), value);
    }
    let head = ResponseHead { status: head.status, headers };
    if is_over_range(&head) { refused("part is longer than its range") } else { Ok(head) }
}

/// Bytes that the head announces for its body; none when only the end of the transfer tells.
pub(super) fn body_length(head: &ResponseHead) -> Option<u64> {
    if matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Some(0);
    }
    announced(&head.headers).or_else(|| part_length(head))
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(CONTENT_LENGTH)?.to_str().ok()?;
    // "5, 5" passed the parser as 5 (RFC 9110 section 8.6)
    value.split(',').next()?.trim().parse().ok()
}

/// What the `Content-Range` of a single part announces.
fn part_length(head: &ResponseHead) -> Option<u64> {
    let value =
        head.headers.get(header::CONTENT_RANGE).filter(|_| head.status == StatusCode::PARTIAL_CONTENT)?;
    part::content_range(value).map(|(range, _)| part::length_of(&range))
}

/// RFC 9110 section 15.3.7.1: what is beyond its range can't be put in any place. A part that is shorter passes; whoever
/// stores it has to see what it is good for.
fn is_over_range(head: &ResponseHead) -> bool {
    part_length(head).zip(announced(&head.headers)).is_some_and(|(part, announced)| part < announced)
}

fn ambiguous_framing(head: &ResponseHeader, raw: &[u8]) -> Option<&'static str> {
    let mut encodings = head.headers.get_all(TRANSFER_ENCODING).iter();
    let encoding = encodings.next()?;
    let is_chunked = encoding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if encodings.next().is_some() || !(is_chunked || is_meaningless(encoding)) {
        return Some("response has a transfer coding other than chunked");
    }
    if head.version != Version::HTTP_11 {
        return Some("response has a transfer coding, but is not http/1.1");
    }
    let lines = raw.split(|byte| *byte == b'\n');
    let names = lines.filter_map(|line| line.split(|byte| *byte == b':').next());
    let lengths = names.filter(|name| name.trim_ascii().eq_ignore_ascii_case(b"content-length"));
    (lengths.count() > 0).then_some("response has both content-length and transfer-encoding")
}

/// Whether a transfer coding is one that nobody knows, so that nothing can have been coded with it; such a body ends with
/// its connection (RFC 9112 section 6.3). What resembles a known one is not believed to be another.
fn is_meaningless(coding: &HeaderValue) -> bool {
    let Ok(coding) = coding.to_str() else { return false };
    let is_token = !coding.is_empty() && coding.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let coding = coding.to_ascii_lowercase();
    is_token && !KNOWN_CODINGS.iter().any(|known| coding.contains(known))
}

fn has_bare_control(raw: &[u8]) -> bool {
    let stray_cr = raw.windows(2).any(|pair| matches!(pair, [b'\r', next] if *next != b'\n'));
    stray_cr || raw.contains(&0)
}

/// Fields that `Connection` nominates, lower case (RFC 9110 section 7.6.1).
fn connection_options(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

fn is_hop_by_hop(name: &HeaderName, nominated: &[String]) -> bool {
    HOP_BY_HOP.contains(name) || nominated.iter().any(|other| other == name.as_str())
}

/// Transfer codings of the registry (RFC 9112 section 7), also as parts of misspelled ones.
const KNOWN_CODINGS: [&str; 6] = ["chunk", "compress", "deflate", "gzip", "identity", "trailers"];

const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    TRANSFER_ENCODING,
    header::UPGRADE,
];

/// `Host` is written by us; the rest would announce a body that a GET here never has.
const NEVER_SENT: [HeaderName; 3] = [HOST, CONTENT_LENGTH, header::EXPECT];

/// Fields of a response head.
const FIELDS_MAX: usize = 128;
/// Bytes of a response head that is used. (pingora stops reading at 1 MiB.)
const HEAD_BYTES_MAX: usize = 64 << 10;
