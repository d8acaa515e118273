//! Canonical targets: what of a path and query selects a response. Used for keys and for purges alike, so that a purge
//! names what a request asked for.
//!
//! The path stays as it was sent: `/a%2Fb` and `/a/b` are different resources to some origins (RFC 3986 section 2.2), and
//! so are `//` and dot segments. Parameters keep their order, which some origins read.

use std::borrow::Cow;

use overfall_config::QueryRule;
use percent_encoding::percent_decode_str;

#[cfg(test)]
mod tests;

/// The path, with equivalent escapes written one way (RFC 3986 section 6.2.2), and the part of the query that
/// the rule keeps. Fragment, empty parameters and an empty query are dropped. The result begins with `/`; normalising it
/// again changes nothing.
///
/// Names in a rule are compared with the decoded name of a parameter, so that `utm%5Fsource` is `utm_source`.
///
/// ```
/// use overfall_cache::target::normalise;
/// use overfall_config::QueryRule;
///
/// let rule = QueryRule::Ignore(vec!["utm_source".into()]);
/// assert_eq!(normalise("/a%2fb?b=2&utm_source=x&a=1#top", &rule), "/a%2Fb?b=2&a=1");
/// ```
#[must_use]
pub fn normalise(path_and_query: &str, rule: &QueryRule) -> String {
    let whole = path_and_query.split('#').next().unwrap_or_default();
    let (path, query) = whole.split_once('?').unwrap_or((whole, ""));
    let mut target = String::with_capacity(whole.len() + 1);
    if !path.starts_with('/') {
        target.push('/');
    }
    push_canonical(&mut target, path);
    let mut separator = '?';
    for pair in query.split('&').filter(|pair| !pair.is_empty() && keeps(rule, pair)) {
        target.push(separator);
        push_canonical(&mut target, pair);
        separator = '&';
    }
    target
}

/// The same as [`normalise`]; what is canonical already is not copied.
#[must_use]
pub fn canonical<'a>(path_and_query: &'a str, rule: &QueryRule) -> Cow<'a, str> {
    if is_canonical(path_and_query, rule) {
        Cow::Borrowed(path_and_query)
    } else {
        Cow::Owned(normalise(path_and_query, rule))
    }
}

/// Whether it is certain that nothing has to be rewritten or left out.
fn is_canonical(path_and_query: &str, rule: &QueryRule) -> bool {
    let is_plain = |byte: u8| byte.is_ascii() && byte != b'%' && byte != b'#';
    if !path_and_query.starts_with('/') || !path_and_query.bytes().all(is_plain) {
        return false;
    }
    match path_and_query.split_once('?') {
        None => true,
        Some((_, query)) => *rule == QueryRule::All && query.split('&').all(|pair| !pair.is_empty()),
    }
}

fn keeps(rule: &QueryRule, pair: &str) -> bool {
    let is_listed = |names: &[String]| {
        let name = decoded(pair.split('=').next().unwrap_or_default());
        names.iter().any(|listed| listed.as_bytes() == name)
    };
    match rule {
        QueryRule::All => true,
        QueryRule::None => false,
        QueryRule::Ignore(names) => !is_listed(names),
        QueryRule::Allow(names) => is_listed(names),
    }
}

/// A parameter's name as forms write it: `+` is a space.
fn decoded(name: &str) -> Vec<u8> {
    percent_decode_str(&name.replace('+', " ")).collect()
}

/// Appends `text` with equivalent escapes written one way (RFC 3986 section 6.2.2): digits in upper case, unreserved
/// characters plain, everything outside ASCII escaped, and a `%` that escapes nothing as well.
fn push_canonical(target: &mut String, text: &str) {
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if *byte != b'%' {
            push_byte(target, *byte);
            continue;
        }
        match tail.split_first_chunk::<2>().and_then(|(digits, after)| Some((escaped(*digits)?, after))) {
            Some((decoded, after)) => {
                if is_unreserved(decoded) {
                    target.push(char::from(decoded));
                } else {
                    push_escape(target, decoded);
                }
                rest = after;
            }
            // one that escapes nothing must not begin to when its neighbours are rewritten
            None => push_escape(target, b'%'),
        }
    }
}

fn push_byte(target: &mut String, byte: u8) {
    if byte.is_ascii() { target.push(char::from(byte)) } else { push_escape(target, byte) }
}

fn push_escape(target: &mut String, byte: u8) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    target.push('%');
    target.extend([byte >> 4, byte & 15].into_iter().filter_map(|digit| DIGITS.get(usize::from(digit))));
}

fn escaped(digits: [u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

/// RFC 3986 section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}
