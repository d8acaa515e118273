//! What a request must be before anything else looks at it: reject, never repair.
//!
//! Pure: header in, decision out. The HTTP parser below has already refused broken framing.

use http::{HeaderMap, Method, Version, header};
use pingora::http::RequestHeader;

/// Longest request target, in bytes.
pub const TARGET_BYTES_MAX: usize = 16 * 1024;
/// Most fields in one request.
pub const FIELDS_MAX: usize = 100;
/// Most bytes of field names and values in one request.
pub const FIELD_BYTES_MAX: usize = 64 * 1024;
/// Longest host name (RFC 1035 section 2.3.4), port excluded.
const HOST_BYTES_MAX: usize = 253;

/// Why a request is refused, as the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Status code.
    pub status: u16,
    /// One plain sentence: what was wrong and what would be right.
    pub message: String,
    /// Media type of the message, where it is not plain text.
    pub content_type: Option<&'static str>,
    /// The number that Cloudflare's clients read, of an image URL.
    pub image_error: Option<u16>,
}

impl Refusal {
    /// A refusal with this status and sentence.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), content_type: None, image_error: None }
    }
}

impl From<overfall_imaging::dialect::Refusal> for Refusal {
    fn from(refusal: overfall_imaging::dialect::Refusal) -> Self {
        tracing::debug!(reason = refusal.reason, status = refusal.status, "an image URL was refused");
        Self {
            content_type: Some(refusal.content_type),
            image_error: refusal.code,
            ..Self::new(refusal.status, refusal.body)
        }
    }
}

/// A request that may be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// Host, lower case, without port and final dot.
    pub host: String,
    /// Raw path and query, begins with `/` (or is `*` for OPTIONS).
    pub target: String,
}

/// Checks a request head.
///
/// # Errors
/// A [`Refusal`] with 400, 414, 431 or 405.
pub fn admit(request: &RequestHeader) -> Result<Admitted, Refusal> {
    let headers = &request.headers;
    if request.method == Method::CONNECT {
        return Err(Refusal::new(405, "CONNECT is not offered here"));
    }
    if request.method == Method::TRACE {
        return Err(Refusal::new(405, "TRACE is not offered here"));
    }
    within_limits(headers)?;
    framing(headers)?;
    let host = host(request)?;
    let target = target(request)?;
    Ok(Admitted { host, target })
}

/// Checks an HTTP/1.1 request head as it came, before any parser was lenient with it: what two parsers could read in two
/// ways is refused (RFC 9112 sections 2.2, 5.1, 5.2, 6.1 and 6.3).
///
/// # Errors
/// A [`Refusal`] with 400.
pub fn admit_raw(head: &[u8]) -> Result<(), Refusal> {
    let bad = |message: &str| Err(Refusal::new(400, message));
    // a server may skip an empty line before the request line (RFC 9112 section 2.2)
    let head = head.trim_ascii_start();
    if head.contains(&0) {
        return bad("NUL in the request head");
    }
    let mut lines = head.split(|byte| *byte == b'\n').peekable();
    let mut fields = RawFields::default();
    let mut is_first = true;
    while let Some(line) = lines.next() {
        if line.is_empty() && lines.peek().is_none() {
            break;
        }
        let Some((b'\r', line)) = line.split_last() else { return bad("a line that ends without CR") };
        if line.contains(&b'\r') {
            return bad("CR inside a line");
        }
        if is_first {
            request_line(line)?;
            is_first = false;
        } else if !line.is_empty() {
            fields.note(line)?;
        }
    }
    if fields.lengths > 0 && fields.codings > 0 {
        return bad("both Content-Length and Transfer-Encoding; send one of them");
    }
    if fields.lengths > 1 || fields.codings > 1 {
        return bad("more than one Content-Length or Transfer-Encoding");
    }
    Ok(())
}

/// How often the fields that frame a body were seen.
#[derive(Default)]
struct RawFields {
    lengths: usize,
    codings: usize,
}

impl RawFields {
    fn note(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let bad = |message: &str| Err(Refusal::new(400, message));
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            return bad("a folded field line");
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return bad("a field line without colon");
        };
        let (name, value) = line.split_at_checked(colon).unwrap_or((line, b""));
        let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
        if name.is_empty() || name.iter().any(u8::is_ascii_whitespace) {
            return bad("white space in a field name");
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            self.lengths += 1;
            if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
                return bad("Content-Length is not a number");
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.codings += 1;
            if !value.eq_ignore_ascii_case(b"chunked") {
                return bad("the only Transfer-Encoding understood is a single chunked");
            }
        }
        Ok(())
    }
}

/// `METHOD SP target SP HTTP/1.x` (RFC 9112 section 3).
fn request_line(line: &[u8]) -> Result<(), Refusal> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(_), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::new(400, "the request line is not `METHOD target HTTP/1.1`"));
    };
    if !version.starts_with(b"HTTP/1.") {
        return Err(Refusal::new(505, "HTTP/1.0, HTTP/1.1 and HTTP/2 are spoken here"));
    }
    if !target.iter().all(u8::is_ascii_graphic) {
        return Err(Refusal::new(400, "the target has bytes that must be percent-encoded"));
    }
    let is_absolute = target.iter().position(|byte| *byte == b':').is_some_and(|colon| {
        target.get(..colon).is_some_and(|scheme| {
            scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https")
        })
    });
    if target.starts_with(b"/") || target == b"*" || is_absolute {
        return Ok(());
    }
    Err(Refusal::new(400, "the target must begin with /"))
}

fn within_limits(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.len() > FIELDS_MAX {
        return Err(Refusal::new(431, format!("more than {FIELDS_MAX} header fields")));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if bytes > FIELD_BYTES_MAX {
        return Err(Refusal::new(431, format!("header fields are longer than {FIELD_BYTES_MAX} bytes")));
    }
    Ok(())
}

/// Two lengths, or a length and a transfer coding, are how requests are smuggled (RFC 9112 sections 6.1 and 6.3).
fn framing(headers: &HeaderMap) -> Result<(), Refusal> {
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter().count();
    if lengths > 1 {
        return Err(Refusal::new(400, "more than one Content-Length"));
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(_), _) if lengths > 0 => {
            Err(Refusal::new(400, "both Content-Length and Transfer-Encoding; send one of them"))
        }
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::new(400, "the only Transfer-Encoding understood is a single chunked")),
    }
}

fn host(request: &RequestHeader) -> Result<String, Refusal> {
    let mut named = request.headers.get_all(header::HOST).iter();
    let (first, second) = (named.next(), named.next());
    if second.is_some() {
        return Err(Refusal::new(400, "more than one Host field"));
    }
    let first = first.map(|value| value.to_str().map_err(|_| Refusal::new(400, "Host is not a host name")));
    let authority = match (request.uri.authority(), first.transpose()?) {
        (Some(authority), _) => authority.as_str(),
        (None, Some(host)) => host,
        (None, None) if request.version == Version::HTTP_10 => "",
        (None, None) => return Err(Refusal::new(400, "Host is missing (RFC 9112 section 3.2)")),
    };
    canonical_host(authority)
}

/// Host without port, lower case, no final dot.
///
/// # Errors
/// 400 when it is not a host name or address with an optional port.
pub fn canonical_host(authority: &str) -> Result<String, Refusal> {
    let bad = || Refusal::new(400, "Host is not a host name or address with an optional port");
    let (host, port) = split_port(authority).ok_or_else(bad)?;
    if !port.is_empty() && port.parse::<u16>().is_err() {
        return Err(bad());
    }
    let host = host.to_ascii_lowercase();
    let trimmed = host.strip_suffix('.').unwrap_or(&host);
    let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'[' | b']' | b':');
    if trimmed.len() > HOST_BYTES_MAX || !trimmed.bytes().all(legal) {
        return Err(bad());
    }
    Ok(trimmed.to_owned())
}

/// Host and port; the port is empty when there is none. `None`: malformed brackets.
fn split_port(authority: &str) -> Option<(&str, &str)> {
    let Some(rest) = authority.strip_prefix('[') else {
        return Some(authority.split_once(':').unwrap_or((authority, "")));
    };
    let (inside, after) = rest.split_once(']')?;
    inside.parse::<std::net::Ipv6Addr>().ok()?;
    let host = authority.get(..inside.len() + 2)?;
    if after.is_empty() { Some((host, "")) } else { Some((host, after.strip_prefix(':')?)) }
}

fn target(request: &RequestHeader) -> Result<String, Refusal> {
    let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
    let target = if target.is_empty() { "/" } else { target };
    if target.len() > TARGET_BYTES_MAX {
        return Err(Refusal::new(414, format!("the target is longer than {TARGET_BYTES_MAX} bytes")));
    }
    let is_asterisk = target == "*" && request.method == Method::OPTIONS;
    if !target.starts_with('/') && !is_asterisk {
        return Err(Refusal::new(400, "the target must begin with /"));
    }
    Ok(target.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Refusal, admit, admit_raw, canonical_host};
    use pingora::http::RequestHeader;

    fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build(method, target.as_bytes(), None).unwrap();
        for (name, value) in fields {
            request.append_header((*name).to_owned(), *value).unwrap();
        }
        request
    }

    fn status(result: Result<super::Admitted, Refusal>) -> u16 {
        result.map_or_else(|refusal| refusal.status, |_| 200)
    }

    #[test]
    fn hosts_are_canonical() {
        for (sent, host) in [
            ("A.Example", "a.example"),
            ("a.example.:8443", "a.example"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:443", "[::1]"),
        ] {
            assert_eq!(canonical_host(sent).as_deref(), Ok(host), "{sent}");
        }
        for sent in ["a b", "a/b", "a:b", "[::1", "[zz]:1", "a:99999", "a@b", "é"] {
            assert_eq!(canonical_host(sent).map_err(|refusal| refusal.status), Err(400), "{sent}");
        }
    }

    #[test]
    fn smuggling_shapes_are_refused() {
        let host = ("Host", "a.example");
        for fields in [
            &[host, ("Content-Length", "1"), ("Transfer-Encoding", "chunked")][..],
            &[host, ("Content-Length", "1"), ("Content-Length", "1")][..],
            &[host, ("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")][..],
            &[host, ("Transfer-Encoding", "gzip, chunked")][..],
            &[host, ("Host", "b.example")][..],
            &[][..],
        ] {
            assert_eq!(status(admit(&request("GET", "/", fields))), 400, "{fields:?}");
        }
        assert_eq!(status(admit(&request("GET", "/", &[host]))), 200);
    }

    #[test]
    fn raw_heads_that_read_in_two_ways_are_refused() {
        let head = |middle: &str| format!("GET /a HTTP/1.1\r\nHost: h\r\n{middle}\r\n");
        for (fine, middle) in [
            (true, ""),
            (true, "Content-Length: 5\r\n"),
            (true, "Transfer-Encoding: chunked\r\n"),
            (true, "X-A:\r\n"),
            (false, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
            (false, "Content-Length: 5\r\nContent-Length: 5\r\n"),
            (false, "Content-Length: 5, 5\r\n"),
            (false, "Content-Length: +5\r\n"),
            (false, "Content-Length:\r\n"),
            (false, "Transfer-Encoding: gzip, chunked\r\n"),
            (false, "Transfer-Encoding:\x0bchunked\r\n"),
            (false, "X-A: 1\r\n folded\r\n"),
            (false, "X-A : 1\r\n"),
            (false, "X-A: 1\r2\r\n"),
            (false, "X-A: 1\n"),
            (false, "X-A: a\0b\r\n"),
            (false, "no colon\r\n"),
        ] {
            assert_eq!(admit_raw(head(middle).as_bytes()).is_ok(), fine, "{middle:?}");
        }
        for (line, status) in [
            ("GET a HTTP/1.1", 400),
            ("GET  /a HTTP/1.1", 400),
            ("GET /a", 400),
            ("GET /a\x01 HTTP/1.1", 400),
            ("GET /\u{fc} HTTP/1.1", 400),
            ("GET @evil/x HTTP/1.1", 400),
            ("GET evil:80 HTTP/1.1", 400),
            ("GET /a HTTP/9.9", 505),
            ("GET ftp://h/ HTTP/1.1", 400),
        ] {
            let refused = admit_raw(format!("{line}\r\nHost: h\r\n\r\n").as_bytes());
            assert_eq!(refused.map_err(|refusal| refusal.status), Err(status), "{line}");
        }
        assert!(admit_raw(b"GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n").is_ok());
    }

    #[test]
    fn sizes_are_bounded() {
        let host = ("Host", "a.example");
        let long = format!("/{}", "a".repeat(17_000));
        assert_eq!(status(admit(&request("GET", &long, &[host]))), 414);
        let many: Vec<_> = std::iter::once(host).chain((0..101).map(|_| ("X-A", "b"))).collect();
        assert_eq!(status(admit(&request("GET", "/", &many))), 431);
        let big = "v".repeat(66_000);
        assert_eq!(status(admit(&request("GET", "/", &[host, ("X-Big", &big)]))), 431);
    }

    #[test]
    fn tunnels_and_echoes_are_refused() {
        for method in ["CONNECT", "TRACE"] {
            assert_eq!(status(admit(&request(method, "/", &[("Host", "a.example")]))), 405, "{method}");
        }
    }
}
