//! Stored heads as HTTP/1.1 text, written once per stored response instead of once per answer.
//!
//! Only what is the same for every answer is here. What differs (`Age`, `Cache-Status`, the connection's fields) and the
//! empty line are the sender's to add.

use std::{
    io::Write as _,
    time::{Duration, UNIX_EPOCH},
};

use http::{StatusCode, header};

use crate::{clock::Millis, stored::ResponseHead};

/// Bytes that status line, `Content-Length` and `Date` may take at most.
const FRAME_BYTES: usize = 128;

/// Status line and fields of a whole response, each line with its CRLF, without the empty line at the end. Names are
/// written in title case, which some old clients expect. A response without `Date` gets the time at which it was received
/// (RFC 9110 section 6.6.1).
///
/// `None` for a status that has no body, or none of that length (RFC 9110 sections 15.2, 15.3.5, 15.4.5).
#[must_use]
pub fn head(head: &ResponseHead, length: usize, received: Millis) -> Option<Vec<u8>> {
    let status = head.status;
    if status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return None;
    }
    let mut text = Vec::with_capacity(bytes(head));
    let reason = status.canonical_reason().unwrap_or_default();
    write!(text, "HTTP/1.1 {} {reason}\r\n", status.as_u16()).ok()?;
    for (name, value) in head.headers.iter().filter(|(name, _)| **name != header::CONTENT_LENGTH) {
        push_name(&mut text, name.as_str());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    write!(text, "Content-Length: {length}\r\n").ok()?;
    if !head.headers.contains_key(header::DATE) {
        let received = UNIX_EPOCH.checked_add(Duration::from_millis(received.0))?;
        write!(text, "Date: {}\r\n", httpdate::HttpDate::from(received)).ok()?;
    }
    Some(text)
}

/// Upper bound of the length of [`head`], in bytes.
#[must_use]
pub fn bytes(head: &ResponseHead) -> usize {
    let fields: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    fields + FRAME_BYTES
}

/// `content-type` becomes `Content-Type`.
fn push_name(text: &mut Vec<u8>, name: &str) {
    if name == header::ETAG.as_str() {
        return text.extend_from_slice(b"ETag");
    }
    let mut is_first = true;
    text.extend(name.bytes().map(|byte| {
        let written = if is_first { byte.to_ascii_uppercase() } else { byte };
        is_first = byte == b'-';
        written
    }));
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::{bytes, head};
    use crate::{clock::Millis, stored::ResponseHead};

    fn of(status: u16, fields: &[(&'static str, &'static str)]) -> ResponseHead {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        ResponseHead { status: StatusCode::from_u16(status).unwrap(), headers }
    }

    fn text(stored: &ResponseHead, length: usize) -> String {
        let text = head(stored, length, Millis(784_111_777_000)).unwrap();
        assert!(text.len() <= bytes(stored), "the bound holds");
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_field_stands_once_with_the_length_of_the_body_that_is_sent() {
        let stored =
            of(200, &[("content-type", "a/b"), ("content-length", "7"), ("set-a", "1"), ("set-a", "2")]);
        let expected = "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nSet-A: 1\r\nSet-A: 2\r\n\
                        Content-Length: 1024\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        assert_eq!(text(&stored, 1024), expected);
    }

    #[test]
    fn the_date_of_the_origin_stays() {
        let stored = of(404, &[("date", "Mon, 07 Nov 1994 08:49:37 GMT"), ("etag", "\"1\"")]);
        let expected = "HTTP/1.1 404 Not Found\r\nDate: Mon, 07 Nov 1994 08:49:37 GMT\r\nETag: \"1\"\r\n\
                        Content-Length: 0\r\n";
        assert_eq!(text(&stored, 0), expected);
    }

    #[test]
    fn a_status_without_a_body_is_not_written() {
        for status in [100, 103, 204, 304] {
            assert!(head(&of(status, &[]), 0, Millis(0)).is_none(), "{status}");
        }
        assert!(text(&of(599, &[]), 0).starts_with("HTTP/1.1 599 \r\n"), "without a reason phrase");
    }
}
