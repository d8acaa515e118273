//! The source of an image URL.
//!
//! The source stands raw behind the options, or percent-encoded as a whole when it has a query of its own. Proxies on the
//! way collapse the slashes of `https://`, and clients double the one behind the options. What comes out is a path or URL
//! that can go into a request line: no control characters, no dot segments, no user name, no fragment.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::{PathError, Scheme, Source, quoted};

/// Longest source, in bytes.
const SOURCE_BYTES_MAX: usize = 8_192;

/// Longest host name, in bytes (RFC 1035 section 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// What may not stand in a request target; bytes over 127 are always encoded.
const NOT_IN_TARGET: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Prefix of image URLs on any host.
const IMAGE_PREFIX: &str = "/cdn-cgi/image/";

/// Whether a path leads to an image URL.
pub(super) fn is_image_path(path: &str) -> bool {
    path.get(..IMAGE_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(IMAGE_PREFIX))
}

/// Reads everything behind the first slash after the options.
///
/// # Errors
/// [`PathError`] 9406, or 9403 for a path that is itself an image URL.
pub(crate) fn parse(raw: &str) -> Result<Source, PathError> {
    if raw.len() > SOURCE_BYTES_MAX {
        let message = format!("the source is {} bytes long, at most {SOURCE_BYTES_MAX}", raw.len());
        return Err(PathError::source(message));
    }
    if is_encoded_whole(raw) {
        let decoded = percent_decode_str(raw)
            .decode_utf8()
            .map_err(|_| PathError::source("the percent-encoded source is not utf-8"))?;
        return plain(&decoded);
    }
    plain(raw)
}

/// Reads a source that is not encoded as a whole.
///
/// # Errors
/// As [`parse`].
pub(crate) fn plain(text: &str) -> Result<Source, PathError> {
    if text.len() > SOURCE_BYTES_MAX {
        let message = format!("the source is {} bytes long, at most {SOURCE_BYTES_MAX}", text.len());
        return Err(PathError::source(message));
    }
    if text.chars().any(char::is_control) {
        return Err(PathError::source("the source holds control characters"));
    }
    // never sent in requests (RFC 9110 section 4.2.5)
    let text = text.split_once('#').map_or(text, |(before, _)| before);
    let text = text.trim_start_matches('/');
    if text.is_empty() || text.starts_with('?') {
        let message = "the source is missing; write /cdn-cgi/image/<options>/<path or url>";
        return Err(PathError::source(message));
    }
    match scheme(text)? {
        Some((scheme, rest)) => url(scheme, rest),
        None => path(text),
    }
}

/// A source without a raw slash or query, but with an encoded one, went through an encoder as a whole.
fn is_encoded_whole(raw: &str) -> bool {
    let text = raw.trim_start_matches('/');
    let bare = !text.contains(['/', '?']);
    let upper = text.to_ascii_uppercase();
    bare && (upper.contains("%2F") || upper.contains("%3F"))
}

/// Splits a scheme off, with however many slashes are left of `://`.
fn scheme(text: &str) -> Result<Option<(Scheme, &str)>, PathError> {
    let Some((word, rest)) = text.split_once(':') else { return Ok(None) };
    let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    if !is_word {
        return Ok(None);
    }
    let rest_without_slashes = rest.trim_start_matches('/');
    match word.to_ascii_lowercase().as_str() {
        "http" if rest.starts_with('/') => Ok(Some((Scheme::Http, rest_without_slashes))),
        "https" if rest.starts_with('/') => Ok(Some((Scheme::Https, rest_without_slashes))),
        lower if rest.starts_with("//") || matches!(lower, "data" | "file" | "javascript") => {
            let message = format!("sources of scheme {} are not accepted; use http or https", quoted(word));
            Err(PathError::source(message))
        }
        // a colon is an ordinary character of a path
        _ => Ok(None),
    }
}

/// Reads a path of the site, however much it looks like a URL.
///
/// # Errors
/// As [`parse`].
pub(crate) fn path(text: &str) -> Result<Source, PathError> {
    if text.len() > SOURCE_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(PathError::source("the source is too long, or holds control characters"));
    }
    let text = text.trim_start_matches('/');
    let path = target(&format!("/{text}"))?;
    if is_image_path(&path) {
        let message = "the source is itself an image url; give the original instead".to_owned();
        return Err(PathError { code: PathError::LOOP, message });
    }
    Ok(Source::Path(path))
}

fn url(scheme: Scheme, rest: &str) -> Result<Source, PathError> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if authority.contains('@') {
        return Err(PathError::source("the source holds a user name or password; leave it out"));
    }
    let (host, port) = authority_parts(authority)?;
    let slash = if tail.starts_with('/') { "" } else { "/" };
    let path_and_query = target(&format!("{slash}{tail}"))?;
    Ok(Source::Url { scheme, host, port: port.filter(|&port| port != scheme.port()), path_and_query })
}

fn authority_parts(authority: &str) -> Result<(String, Option<u16>), PathError> {
    let bad = || {
        let message = format!("{} is not a host name with an optional port", quoted(authority));
        PathError::source(message)
    };
    // the colon of a port stands behind the bracket of an IPv6 address
    let port_at = authority.rfind(':').filter(|&at| authority.rfind(']').is_none_or(|bracket| bracket < at));
    let (host, port) = match port_at.and_then(|at| authority.split_at_checked(at)) {
        Some((host, port)) => (host, Some(port.trim_start_matches(':'))),
        None => (authority, None),
    };
    let port = match port {
        None => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse::<u16>().ok().filter(|&port| port > 0).ok_or_else(bad)?)
        }
        Some(_) => return Err(bad()),
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if is_host(&host) { Ok((host, port)) } else { Err(bad()) }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        plain && !label.is_empty() && label.len() <= 63
    };
    host.len() <= HOST_BYTES_MAX && host.split('.').all(is_label)
}

/// A path with query fit for a request line.
fn target(text: &str) -> Result<String, PathError> {
    let path = text.split_once('?').map_or(text, |(path, _)| path);
    let is_dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    if path.split('/').any(is_dots) {
        return Err(PathError::source("the source has a \".\" or \"..\" segment; write its path out"));
    }
    Ok(utf8_percent_encode(text, NOT_IN_TARGET).to_string())
}
