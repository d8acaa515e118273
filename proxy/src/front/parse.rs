//! HTTP/1.1 request heads, read once and strictly: a [`Simple`] one is whole, regular in every byte, and asks for nothing
//! but a representation of its target.
//!
//! Nothing is refused here. What is not simple goes the ordinary way, whose checks ([`crate::admission`]) decide; so the
//! grammar here may be narrower than theirs, and must never be wider. Pure: bytes in, slices of them out.

use memchr::{memchr, memmem};

use crate::admission::{self, FIELD_BYTES_MAX, FIELDS_MAX, TARGET_BYTES_MAX};

/// A GET or HEAD without body, conditions, ranges, credentials, cache directives or other demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Simple<'a> {
    /// HEAD: the same answer without its body.
    pub(super) is_head: bool,
    /// Path and query: begins with `/`, only characters that RFC 3986 allows there.
    pub(super) target: &'a str,
    /// Lower case, without port.
    pub(super) host: &'a str,
    /// The only `Accept-Encoding`.
    pub(super) accept_encoding: Option<&'a [u8]>,
    /// The first `User-Agent`, when it is visible ASCII.
    pub(super) agent: Option<&'a str>,
    /// The first `Referer`, when it is visible ASCII.
    pub(super) referrer: Option<&'a str>,
    /// `Connection: close`.
    pub(super) closes: bool,
}

/// How far a request's bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// No whole head yet.
    Partial,
    /// No request can begin like this.
    Hopeless,
    /// A head of this many bytes.
    Whole(usize),
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// The next request.
    Nothing,
    /// A body of this many bytes, then the next request.
    Length(u64),
    /// Something that ends where it says itself; or it can't be told.
    Open,
}

/// Fields that ask for more than a representation, or that say so of the connection.
const DEMANDS: [&[u8]; 18] = [
    b"authorization",
    b"cache-control",
    b"cdn-loop",
    b"content-length",
    b"expect",
    b"http2-settings",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"if-unmodified-since",
    b"pragma",
    b"proxy-authorization",
    b"range",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
];

/// Reads a simple request at the beginning of `bytes` and tells how long its head is. `None`: not whole, or not simple.
#[must_use]
pub(super) fn simple(bytes: &[u8]) -> Option<(Simple<'_>, usize)> {
    let (is_head, rest) = match bytes.strip_prefix(b"GET ") {
        Some(rest) => (false, rest),
        None => (true, bytes.strip_prefix(b"HEAD ")?),
    };
    let (target, rest) = rest.split_at_checked(memchr(b' ', rest)?)?;
    let rest = rest.strip_prefix(b" HTTP/1.1\r\n")?;
    if target.len() > TARGET_BYTES_MAX || target.first() != Some(&b'/') || !target.iter().all(is_of_target) {
        return None;
    }
    let (fields, rest) = Fields::read(rest)?;
    let request = Simple {
        is_head,
        target: str::from_utf8(target).ok()?,
        host: host(fields.host?)?,
        accept_encoding: fields.accept_encoding,
        agent: fields.agent.and_then(visible),
        referrer: fields.referrer.and_then(visible),
        closes: fields.closes,
    };
    Some((request, bytes.len() - rest.len()))
}

#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a [u8]>,
    accept_encoding: Option<&'a [u8]>,
    agent: Option<&'a [u8]>,
    referrer: Option<&'a [u8]>,
    closes: bool,
}

impl<'a> Fields<'a> {
    /// Reads field lines up to and including the empty one; gives what follows.
    fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut fields = Self::default();
        let mut rest = bytes;
        for _ in 0..=FIELDS_MAX {
            let (line, after) = rest.split_at_checked(memchr(b'\n', rest)? + 1)?;
            rest = after;
            let line = line.strip_suffix(b"\r\n")?;
            if line.is_empty() {
                let is_short = bytes.len() - rest.len() <= FIELD_BYTES_MAX;
                return is_short.then_some((fields, rest));
            }
            let (name, value) = line.split_at_checked(memchr(b':', line)?)?;
            fields.note(name, value.strip_prefix(b":")?.trim_ascii())?;
        }
        None
    }

    fn note(&mut self, name: &[u8], value: &'a [u8]) -> Option<()> {
        if name.is_empty() || !name.iter().all(is_of_token) || !value.iter().all(is_of_value) {
            return None;
        }
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match name.len() {
            4 if is(b"host") => once(&mut self.host, value)?,
            7 if is(b"referer") => _ = self.referrer.get_or_insert(value),
            10 if is(b"user-agent") => _ = self.agent.get_or_insert(value),
            10 if is(b"connection") => self.connection(value)?,
            15 if is(b"accept-encoding") => once(&mut self.accept_encoding, value)?,
            length => {
                let mut alike = DEMANDS.iter().filter(|demand| demand.len() == length);
                if alike.any(|demand| is(demand)) {
                    return None;
                }
            }
        }
        Some(())
    }

    /// Other options than these two name fields, or a protocol.
    fn connection(&mut self, value: &[u8]) -> Option<()> {
        let is_close = value.eq_ignore_ascii_case(b"close");
        self.closes |= is_close;
        (is_close || value.eq_ignore_ascii_case(b"keep-alive")).then_some(())
    }
}

fn once<'a>(slot: &mut Option<&'a [u8]>, value: &'a [u8]) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

/// The name in a `Host` that is canonical but for its port.
fn host(value: &[u8]) -> Option<&str> {
    let value = str::from_utf8(value).ok()?;
    let (host, port) = value.split_once(':').map_or((value, None), |(host, port)| (host, Some(port)));
    let is_of_host =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let is_canonical = !host.is_empty() && !host.ends_with('.') && host.bytes().all(is_of_host);
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    (is_canonical && port.is_none_or(is_port)).then_some(host)
}

fn visible(value: &[u8]) -> Option<&str> {
    let is_visible = |byte: &u8| *byte == b'\t' || (b' '..=b'~').contains(byte);
    value.iter().all(is_visible).then(|| str::from_utf8(value).ok())?
}

const fn is_of_value(byte: &u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// RFC 9110 section 5.6.2.
const fn is_of_token(byte: &u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'.' | b'^' | b'`' | b'|' | b'~')
}

/// Path and query (RFC 3986 sections 3.3 and 3.4).
const fn is_of_target(byte: &u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' | b'!' | b'$'..=b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' | b'?')
}

/// Finds the end of the head at the beginning of `bytes`, the way a lenient parser would: lines may end without CR, and
/// empty lines may come first. So what is malformed is found whole as well, and refused.
#[must_use]
pub(super) fn extent(bytes: &[u8]) -> Extent {
    let begin = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let head = bytes.get(begin..).unwrap_or_default();
    let end_at = |mark: &[u8]| memmem::find(head, mark).map(|at| at + mark.len());
    let end = match (end_at(b"\n\n"), end_at(b"\n\r\n")) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    if let Some(end) = end {
        return Extent::Whole(begin + end);
    }
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | 0x80..);
    let method = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    let method = method.strip_suffix(b"\r").unwrap_or(method);
    if !line.iter().all(is_text) || !method.iter().all(is_of_token) || head.contains(&0) {
        return Extent::Hopeless;
    }
    Extent::Partial
}

/// What follows a whole head. Only a head that no two parsers read differently says so.
#[must_use]
pub(super) fn framing(head: &[u8]) -> Framing {
    if admission::admit_raw(head).is_err() || head.starts_with(b"CONNECT ") {
        return Framing::Open;
    }
    let mut framing = Framing::Nothing;
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let (name, value) = line.split_at_checked(memchr(b':', line).unwrap_or(0)).unwrap_or_default();
        if name.eq_ignore_ascii_case(b"transfer-encoding") || name.eq_ignore_ascii_case(b"upgrade") {
            return Framing::Open;
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
            let length = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
            framing = match length {
                None => return Framing::Open,
                Some(0) => Framing::Nothing,
                Some(length) => Framing::Length(length),
            };
        }
    }
    framing
}

#[cfg(test)]
mod tests;
