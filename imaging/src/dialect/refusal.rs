//! How each service says no.

use std::fmt;

use super::Dialect;
use crate::path::PathError;

/// A URL that is not served, in its dialect's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// What strangers see.
    pub body: String,
    /// What is wrong and what would be right, for logs and for whoever may debug; repeats at most short, printable parts of
    /// the URL.
    pub reason: String,
    /// The number for `Cf-Resized: err=`, on Cloudflare's paths.
    pub code: Option<u16>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.reason)
    }
}

impl std::error::Error for Refusal {}

/// What is wrong with a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It cannot be read, or asks for what is not allowed.
    Url,
    /// Its source cannot be read.
    Source,
    /// The host of its source is not allowed.
    SourceHost,
    /// Its signature is missing or wrong.
    Signature,
    /// It was good once.
    Expired,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// The refusal for a fault, as the dialect words it. `reason` is public in the dialects that say what is wrong: all but
/// imgproxy's.
#[must_use]
pub fn refuse(dialect: Dialect, fault: Fault, reason: impl Into<String>) -> Refusal {
    let reason = reason.into();
    match dialect {
        Dialect::Cloudflare => cloudflare(fault, reason),
        Dialect::Imgproxy => imgproxy(fault, reason),
        Dialect::Next if fault == Fault::SourceHost => {
            text(400, "\"url\" parameter is not allowed".into(), reason)
        }
        Dialect::Ipx => ipx_fault(fault, reason),
        Dialect::Query if fault == Fault::Expired => text(404, reason.clone(), reason),
        Dialect::Next | Dialect::Query | Dialect::Iiif => text(plain_status(fault), reason.clone(), reason),
    }
}

fn plain_status(fault: Fault) -> u16 {
    match fault {
        Fault::Url | Fault::Source => 400,
        Fault::SourceHost | Fault::Signature | Fault::Expired => 403,
    }
}

/// A refusal in plain words.
pub(super) fn text(status: u16, body: String, reason: String) -> Refusal {
    Refusal { status, content_type: TEXT, body, reason, code: None }
}

fn cloudflare(fault: Fault, reason: String) -> Refusal {
    let code = match fault {
        Fault::Url | Fault::Signature | Fault::Expired => PathError::OPTIONS,
        Fault::Source | Fault::SourceHost => PathError::SOURCE,
    };
    let body = format!("ERROR {code}: {reason}");
    Refusal { status: plain_status(fault), content_type: TEXT, body, reason, code: Some(code) }
}

/// A refusal with the number that the reader gave.
pub(super) fn cloudflare_path(error: PathError) -> Refusal {
    let PathError { code, message } = error;
    let body = format!("ERROR {code}: {message}");
    Refusal { status: 400, content_type: TEXT, body, reason: message, code: Some(code) }
}

fn imgproxy(fault: Fault, reason: String) -> Refusal {
    let (status, body) = match fault {
        Fault::Url | Fault::Expired => (404, "Invalid URL"),
        Fault::Source | Fault::SourceHost => (404, "Invalid source URL"),
        Fault::Signature => (403, "Forbidden"),
    };
    text(status, body.into(), reason)
}

fn ipx_fault(fault: Fault, reason: String) -> Refusal {
    match fault {
        Fault::Url => ipx(400, "IPX_INVALID_MODIFIER", reason),
        Fault::Source => ipx(400, "IPX_INVALID_ID", reason),
        Fault::SourceHost => ipx(403, "IPX_FORBIDDEN_HOST", reason),
        Fault::Signature => ipx(403, "IPX_FORBIDDEN", reason),
        Fault::Expired => ipx(403, "IPX_EXPIRED", reason),
    }
}

/// IPX answers with its status, one of its words and a message, as JSON.
pub(super) fn ipx(status: u16, word: &str, message: String) -> Refusal {
    let text = json_text(&format!("[{status}] [{word}] {message}"));
    let body = format!("{{\"error\":{{\"message\":{text}}}}}");
    Refusal { status, content_type: JSON, body, reason: message, code: None }
}

/// A text between quotation marks (RFC 8259 section 7).
pub(super) fn json_text(text: &str) -> String {
    use fmt::Write as _;

    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            letter if letter.is_control() => {
                // writing to a string does not fail
                let _written = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

impl From<PathError> for String {
    fn from(error: PathError) -> Self {
        error.message
    }
}
