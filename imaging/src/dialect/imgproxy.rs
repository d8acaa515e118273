//! `<prefix><signature>/<options>/<source>`: imgproxy's processing paths, and `<prefix>info/…`.
//!
//! Options are `name:argument:argument`, the first segment without a colon begins the source: `plain/` with an escaped URL
//! and perhaps `@format`, or base64url in any number of segments and perhaps `.format`. Options of the paid edition and
//! everything malformed is 404 `Invalid URL`, as there; why is in the reason only. A query is not looked at.

use data_encoding::BASE64URL_NOPAD;
use percent_encoding::percent_decode_str;

use super::{Asks, Dialect, Fault, Refusal, Rules, pairs, refuse, signature};
use crate::path::{Parsed, PathError, Source, Wants, quoted, source};
use crate::transform::{Format, Transform};

mod finish;
mod options;
mod print;
mod values;

pub(super) use print::print;

/// Between the prefix and the signature of paths that ask for information.
const INFO: &str = "info/";

/// Whether a path is imgproxy's, and what it asks.
pub(super) fn asks(path: &str, rules: &Rules) -> Option<Asks> {
    let rest = path.strip_prefix(rules.imgproxy.prefix.as_str())?;
    if rules.imgproxy.prefix == "/" && !looks_right(rest) {
        return None;
    }
    Some(if rest.starts_with(INFO) { Asks::Info } else { Asks::Image })
}

/// Without a prefix of its own, a path is imgproxy's when it has an option or a source where imgproxy has them.
fn looks_right(rest: &str) -> bool {
    let rest = rest.strip_prefix(INFO).unwrap_or(rest);
    let mut segments = rest.split('/');
    let (Some(first), Some(second)) = (segments.next(), segments.next()) else { return false };
    let is_option = |segment: &str| {
        let name = segment.split_once(':').map(|(name, _)| name);
        name.is_some_and(|name| options::is_name(name) || options::is_paid(name))
    };
    // an option in place of the signature is a mistake that deserves its sentence
    if is_option(second) || first.split_once(':').is_some_and(|(name, _)| options::is_name(name)) {
        return true;
    }
    let is_signature = matches!(first, "unsafe" | "insecure" | "_")
        || (first.len() >= 11 && BASE64URL_NOPAD.decode(first.as_bytes()).is_ok());
    if !is_signature {
        return false;
    }
    if second == "plain" {
        return true;
    }
    let joined: String = std::iter::once(second).chain(segments).collect();
    let encoded = joined.split('.').next().unwrap_or_default();
    BASE64URL_NOPAD
        .decode(encoded.as_bytes())
        .is_ok_and(|url| url.starts_with(b"http") || url.starts_with(b"/"))
}

pub(super) fn parse(target: &str, rules: &Rules) -> Result<Parsed, Refusal> {
    let (path, _) = pairs::split(target);
    let rest = path.strip_prefix(rules.imgproxy.prefix.as_str()).unwrap_or(path);
    let (rest, is_info) = rest.strip_prefix(INFO).map_or((rest, false), |rest| (rest, true));
    let bad = |reason: String| refuse(Dialect::Imgproxy, Fault::Url, reason);
    let (given, path) = rest
        .find('/')
        .and_then(|at| rest.split_at_checked(at))
        .filter(|(given, path)| !given.is_empty() && path.len() > 1)
        .ok_or_else(|| bad("write <signature>/<options>/<source>".into()))?;
    let path = with_slashes(path);
    signature::check_imgproxy(given, &path, &rules.imgproxy)?;
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (options, source) = options::split(&segments).map_err(bad)?;
    let (source, extension) = read_source(source).map_err(bad)?;
    let (transform, wants) = if is_info {
        (Transform { format: Format::Json, ..Transform::default() }.canonical(), info_wants(&options))
    } else {
        processed(&options, &extension, rules)?
    };
    let source = resolved(&source, rules.base.as_deref())
        .map_err(|error| refuse(Dialect::Imgproxy, Fault::Source, error.message))?;
    Ok(Parsed { transform, source, wants })
}

fn processed(
    options: &[options::UrlOption<'_>],
    extension: &str,
    rules: &Rules,
) -> Result<(Transform, Wants), Refusal> {
    let mut reading = options::Reading::new(&rules.imgproxy);
    let fault = |fault: options::Problem| fault.refusal();
    reading.take_default_preset().map_err(fault)?;
    reading.take_all(options).map_err(fault)?;
    if !extension.is_empty() && !reading.is_raw() {
        reading.take_format(extension).map_err(fault)?;
    }
    finish::finish(reading, rules).map_err(|reason| refuse(Dialect::Imgproxy, Fault::Url, reason))
}

/// Options about the information are not ours; those about the URL are.
fn info_wants(options: &[options::UrlOption<'_>]) -> Wants {
    let mut wants = Wants::default();
    for option in options {
        if matches!(option.name, "exp" | "expires") {
            wants.expires_s =
                option.arguments.first().and_then(|text| text.parse().ok()).filter(|at| *at > 0);
        }
    }
    wants
}

/// Some browsers and proxies make one slash of the two in `https://`; the signature is of the two.
fn with_slashes(path: &str) -> String {
    const PLAIN: &str = "/plain/";
    let Some((before, url)) = path.split_once(PLAIN) else { return path.to_owned() };
    let Some((scheme, rest)) = url.split_once(":/") else { return path.to_owned() };
    let is_scheme = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !is_scheme || rest.starts_with('/') || rest.is_empty() {
        return path.to_owned();
    }
    let slashes = if scheme == "local" { "://" } else { ":/" };
    format!("{before}{PLAIN}{scheme}{slashes}/{rest}")
}

/// The source's text, and the format that it names.
fn read_source(segments: &[&str]) -> Result<(String, String), String> {
    let (first, rest) = segments.split_first().ok_or("the source is missing")?;
    match *first {
        "plain" if !rest.is_empty() => plain_source(&rest.join("/")),
        "enc" => Err("encrypted sources (enc) are of the paid edition".into()),
        _ => encoded_source(&segments.concat()),
    }
}

fn plain_source(escaped: &str) -> Result<(String, String), String> {
    let mut parts = escaped.split('@');
    let (url, format) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if url.is_empty() {
        return Err("the source is missing".into());
    }
    if parts.next().is_some() {
        return Err("more than one format is given; write @ in the source as %40".into());
    }
    let url = percent_decode_str(url).decode_utf8().map_err(|_| "the source is not utf-8")?;
    Ok((url.into_owned(), format.to_owned()))
}

fn encoded_source(encoded: &str) -> Result<(String, String), String> {
    let mut parts = encoded.split('.');
    let (url, format) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if url.is_empty() {
        return Err("the source is missing".into());
    }
    if parts.next().is_some() {
        return Err("more than one format is given".into());
    }
    let not_base64 = || format!("{} is neither an option nor a source in base64url", quoted(encoded));
    let bytes = BASE64URL_NOPAD.decode(url.trim_end_matches('=').as_bytes()).map_err(|_| not_base64())?;
    let url = String::from_utf8(bytes).map_err(|_| not_base64())?;
    Ok((url, format.to_owned()))
}

/// The source that a text names. Local files of imgproxy's are paths of the site.
pub(super) fn resolved(text: &str, base: Option<&str>) -> Result<Source, PathError> {
    if let Some(path) = text.strip_prefix("local://") {
        return source::path(path);
    }
    let is_absolute = text.contains("://") || text.starts_with("http:/") || text.starts_with("https:/");
    if is_absolute {
        return source::plain(text);
    }
    match base {
        None => source::path(text),
        Some(base) => {
            let joined = format!("{}/{}", base.trim_end_matches('/'), text.trim_start_matches('/'));
            source::plain(&joined)
        }
    }
}

#[cfg(test)]
mod tests;
