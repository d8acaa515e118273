//! Which request fields select the response, and what they come to. RFC 9111 section 4.1.
//!
//! Requests that mean the same get the same variant, as far as that is certain: two requests share a variant only if
//! every response to the one is a right response to the other. Weights are dropped, sets are not.

use std::cmp::Reverse;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use twox_hash::XxHash3_128;

use crate::fields::{Quoting, elements, split_list};

#[cfg(test)]
mod tests;

/// Most field names taken from one `Vary`; more is as good as `*`.
const NAMES_MAX: usize = 16;
/// Longest variant that is kept as it is; a longer one is hashed. Bytes.
const VARIANT_BYTES_MAX: usize = 256;
/// Separates fields in a variant: no field value can hold it (RFC 9110 section 5.5), so that no value can pose as
/// another field.
const SEPARATOR: &str = "\n";
/// Weight of what has none, in thousandths.
const WEIGHT_MAX: u16 = 1000;
/// Fields whose commas separate nothing.
const NO_LISTS: [&str; 6] = ["authorization", "cookie", "from", "origin", "referer", "user-agent"];
/// Codings that `*` stands for.
const CODINGS: [&str; 3] = ["br", "gzip", "zstd"];

/// What a response's `Vary` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vary {
    /// Nothing.
    None,
    /// Everything, even what a cache can't see; or more than it tells apart.
    Star,
    /// These request fields, lower case, sorted, at most 16.
    Names(Vec<String>),
}

/// Reads `Vary`. What is not a list of field names counts as `*`.
#[must_use]
pub fn names(headers: &HeaderMap) -> Vary {
    let mut names: Vec<String> = Vec::new();
    let mut is_star = false;
    elements(headers, header::VARY.as_str(), Quoting::Literal, |name| match HeaderName::try_from(name) {
        Ok(name) if name.as_str() != "*" => names.push(name.as_str().to_owned()),
        _ => is_star = true,
    });
    names.sort_unstable();
    names.dedup();
    if is_star || names.len() > NAMES_MAX {
        Vary::Star
    } else if names.is_empty() {
        Vary::None
    } else {
        Vary::Names(names)
    }
}

/// What these fields of a request come to; empty when there are none.
///
/// `Accept-Encoding` becomes the set of codings with a weight above zero, `Accept-Language` its languages by weight,
/// without case and blanks. Of all others the lines are joined (RFC 9110 section 5.3) and blanks around commas count for
/// nothing, but in the few that are no lists, where runs of blanks count as one. An absent field differs from an empty
/// one. Above 256 bytes the result is a hash of 256 bits.
#[must_use]
pub fn variant(names: &[String], request: &HeaderMap) -> String {
    let parts: Vec<String> = names.iter().map(|name| part(name, request)).collect();
    let whole = parts.join(SEPARATOR);
    if whole.len() <= VARIANT_BYTES_MAX {
        return whole;
    }
    let hash = |seed: u64| XxHash3_128::oneshot_with_seed(seed, whole.as_bytes());
    format!("#{:032x}{:032x}", hash(0), hash(1))
}

fn part(name: &str, request: &HeaderMap) -> String {
    if name == header::ACCEPT_ENCODING.as_str() {
        return format!("{name}={}", codings(request).join(","));
    }
    if !request.contains_key(name) {
        return name.to_owned();
    }
    if name == header::ACCEPT_LANGUAGE.as_str() {
        return format!("{name}={}", languages(request).join(","));
    }
    // byte for byte, so that no two values become one
    let text = |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect::<String>();
    let whole = request.get_all(name).iter().map(text).collect::<Vec<_>>().join(",");
    let single = |text: &str| text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    if NO_LISTS.contains(&name) {
        return format!("{name}={}", single(&whole));
    }
    let members: Vec<String> = split_list(&whole, Quoting::Escapes).map(single).collect();
    format!("{name}={}", members.join(","))
}

/// Languages of the request, the most wanted first (RFC 9110 section 12.5.4). Among equals the order means nothing.
fn languages(request: &HeaderMap) -> Vec<String> {
    let mut ranges: Vec<(Reverse<u16>, String)> = Vec::new();
    elements(request, header::ACCEPT_LANGUAGE.as_str(), Quoting::Literal, |element| {
        let mut pieces = element.split(';').map(str::trim);
        let range = pieces.next().unwrap_or_default().to_ascii_lowercase();
        ranges.push((Reverse(pieces.find_map(weight).unwrap_or(WEIGHT_MAX)), range));
    });
    ranges.sort_unstable();
    ranges.dedup();
    let shown = |(Reverse(weight), range)| {
        if weight == WEIGHT_MAX { range } else { format!("{range};{weight}") }
    };
    ranges.into_iter().map(shown).collect()
}

/// The language that a request wants more than any other; none when several are equal, or when it wants just anything.
pub(crate) fn favourite_language(request: &HeaderMap) -> Option<String> {
    let mut wanted = languages(request).into_iter().map(|text| match text.split_once(';') {
        Some((range, weight)) => (range.to_owned(), weight.parse().unwrap_or(0)),
        None => (text, WEIGHT_MAX),
    });
    let (range, weight) = wanted.next()?;
    let is_clear = wanted.next().is_none_or(|(_, next)| next < weight);
    (is_clear && weight > 0 && range != "*").then_some(range)
}

/// A weight in thousandths (RFC 9110 section 12.4.2). `None`: this parameter is no weight.
fn weight(parameter: &str) -> Option<u16> {
    let (name, weight) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, fraction) = weight.trim().split_once('.').unwrap_or_else(|| (weight.trim(), ""));
    let is_sound = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "0" if is_sound => format!("{fraction:0<3}").parse().ok(),
        "1" => Some(WEIGHT_MAX),
        _ => None,
    }
}

/// Codings that the client takes, sorted (RFC 9110 section 12.5.3). `identity` goes without saying. A coding unknown to
/// us is kept too: the origin may know it, and what it sends must reach no one else.
fn codings(request: &HeaderMap) -> Vec<String> {
    let mut accepted: Vec<String> = Vec::new();
    let mut refused: Vec<String> = Vec::new();
    elements(request, header::ACCEPT_ENCODING.as_str(), Quoting::Literal, |element| {
        let mut pieces = element.split(';').map(str::trim);
        let coding = pieces.next().unwrap_or_default().to_ascii_lowercase();
        let coding = coding.strip_prefix("x-").filter(|old| *old == "gzip").unwrap_or(&coding).to_owned();
        if pieces.any(is_zero_weight) { refused.push(coding) } else { accepted.push(coding) }
    });
    if accepted.iter().any(|coding| coding == "*") {
        accepted.extend(CODINGS.map(str::to_owned));
    }
    accepted.sort_unstable();
    accepted.dedup();
    refused.sort_unstable();
    accepted.retain(|coding| coding != "identity" && refused.binary_search(coding).is_err());
    accepted
}

/// `q=0`, `q=0.`, `q=0.000` (RFC 9110 section 12.4.2).
fn is_zero_weight(parameter: &str) -> bool {
    let Some((name, weight)) = parameter.split_once('=') else { return false };
    let weight = weight.trim();
    name.trim().eq_ignore_ascii_case("q")
        && weight.starts_with('0')
        && weight.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}
