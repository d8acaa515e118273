//! `/_next/image?url=…&w=…&q=…`: what the default loader of `next/image` sends.
//!
//! The checks, their order and their words are those of Next's own server, so that an application does not notice who
//! answers. Parameters may come in any order; those that Next does not know are nobody's business, `dpl` among them.

use super::pairs::{self, Pair};
use super::refusal::text;
use super::{NextRules, Refusal, Rules};
use crate::path::{Parsed, Source, Wants, source};
use crate::transform::{Fit, Format, Quality, SIDE_MAX, Transform};

/// The paths that are Next's.
pub(super) const PATHS: [&str; 2] = ["/_next/image", "/_next/image/"];

/// Longest `url`, in UTF-16 code units.
const URL_UNITS_MAX: usize = 3_072;

pub(super) fn parse(target: &str, rules: &Rules) -> Result<Parsed, Refusal> {
    let (_, query) = pairs::split(target);
    let pairs = pairs::read(query.unwrap_or_default()).map_err(bad)?;
    let source = read_source(&pairs)?;
    let width = digits(&pairs, &WIDTH)?;
    let quality = digits(&pairs, &QUALITY)?;
    let width = allowed_width(width, &rules.next)?;
    let quality = allowed_quality(quality, &rules.next)?;
    let transform = Transform {
        width: Some(width),
        fit: Fit::ScaleDown,
        quality: Quality::Fixed(quality),
        format: Format::Auto,
        ..Transform::default()
    };
    Ok(Parsed { transform: transform.canonical(), source, wants: Wants::default() })
}

fn bad(message: impl Into<String>) -> Refusal {
    let message = message.into();
    text(400, message.clone(), message)
}

/// A parameter that is given once; an empty one is none.
fn once<'a>(pairs: &'a [Pair<'_>], words: &Words) -> Result<&'a str, Refusal> {
    let mut values = pairs.iter().filter(|pair| pair.name == words.name).map(|pair| pair.value.as_ref());
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(bad(words.array)),
        (Some(value), None) if !value.is_empty() => Ok(value),
        _ => Err(bad(words.required)),
    }
}

fn read_source(pairs: &[Pair<'_>]) -> Result<Source, Refusal> {
    let url = once(pairs, &URL)?;
    if url.encode_utf16().count() > URL_UNITS_MAX {
        return Err(bad("\"url\" parameter is too long"));
    }
    if url.starts_with("//") {
        return Err(bad("\"url\" parameter cannot be a protocol-relative URL (//)"));
    }
    let invalid = |reason: String| text(400, URL.range.into(), reason);
    if url.starts_with('/') {
        if is_recursive(url) {
            return Err(bad("\"url\" parameter cannot be recursive"));
        }
        return source::path(url.split('#').next().unwrap_or_default())
            .map_err(|error| invalid(error.message));
    }
    let lower = url.to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        return Err(bad(URL.range));
    }
    source::plain(url).map_err(|error| invalid(error.message))
}

/// Whether the path, decoded, leads to Next's optimiser.
fn is_recursive(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let mut rest = path.as_ref();
    while let Some((_, after)) = rest.split_once("/_next/image") {
        if after.is_empty() || after.starts_with('/') {
            return true;
        }
        rest = after;
    }
    false
}

/// What is said of one parameter.
struct Words {
    name: &'static str,
    required: &'static str,
    array: &'static str,
    range: &'static str,
}

const URL: Words = Words {
    name: "url",
    required: "\"url\" parameter is required",
    array: "\"url\" parameter cannot be an array",
    range: "\"url\" parameter is invalid",
};

const WIDTH: Words = Words {
    name: "w",
    required: "\"w\" parameter (width) is required",
    array: "\"w\" parameter (width) cannot be an array",
    range: "\"w\" parameter (width) must be an integer greater than 0",
};

const QUALITY: Words = Words {
    name: "q",
    required: "\"q\" parameter (quality) is required",
    array: "\"q\" parameter (quality) cannot be an array",
    range: "\"q\" parameter (quality) must be an integer between 1 and 100",
};

fn digits<'a>(pairs: &'a [Pair<'_>], words: &Words) -> Result<&'a str, Refusal> {
    let digits = once(pairs, words)?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { Ok(digits) } else { Err(bad(words.range)) }
}

fn allowed_width(digits: &str, rules: &NextRules) -> Result<u32, Refusal> {
    let shown = digits.trim_start_matches('0');
    if shown.is_empty() {
        return Err(bad(WIDTH.range));
    }
    let width = shown.parse::<u32>().ok().filter(|width| rules.widths.contains(width) && *width <= SIDE_MAX);
    width.ok_or_else(|| bad(format!("\"w\" parameter (width) of {} is not allowed", short(shown))))
}

fn allowed_quality(digits: &str, rules: &NextRules) -> Result<u8, Refusal> {
    let quality = digits.parse::<u8>().ok().filter(|quality| (1..=100).contains(quality));
    let quality = quality.ok_or_else(|| bad(QUALITY.range))?;
    if rules.qualities.is_empty() || rules.qualities.contains(&quality) {
        return Ok(quality);
    }
    Err(bad(format!("\"q\" parameter (quality) of {} is not allowed", short(digits))))
}

/// Digits, but not a page of them.
fn short(digits: &str) -> String {
    digits.chars().take(40).collect()
}

#[cfg(test)]
mod tests;
