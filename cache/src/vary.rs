//! Which request fields select the response, and what they come to. RFC 9111 section 4.1.
//!
//! Requests that mean the same get the same variant, as far as that is certain: two requests share a variant only if
//! every response to the one is a right response to the other. Weights are dropped, sets are not.

use http::{HeaderMap, HeaderName, header};
use twox_hash::XxHash3_128;

use crate::fields::{Quoting, elements};

#[cfg(test)]
mod tests;

/// Most field names taken from one `Vary`; more is as good as `*`.
const NAMES_MAX: usize = 16;
/// Longest variant that is kept as it is; a longer one is hashed. Bytes.
const VARIANT_BYTES_MAX: usize = 256;
/// Separates fields in a variant: no field value can hold it (RFC 9110 section 5.5), so that no value can pose as
/// another field.
const SEPARATOR: &str = "\n";
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
/// `Accept-Encoding` becomes the set of codings with a weight above zero, `Accept-Language` is compared without case and
/// blanks, of all others runs of blanks count as one. An absent field differs from an empty one. Above 256 bytes the
/// result is a hash of 256 bits.
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
    let lines =
        request.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let value = lines.collect::<Vec<_>>().join(",");
    let value = if name == header::ACCEPT_LANGUAGE.as_str() {
        value.split_ascii_whitespace().collect::<String>().to_ascii_lowercase()
    } else {
        value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    };
    format!("{name}={value}")
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
