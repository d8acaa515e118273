//! Queries as pairs of names and values.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Most parameters that are read.
pub(super) const PAIRS_MAX: usize = 128;

/// Path and query of a target; the query is none without `?`.
pub(super) fn split(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    }
}

/// One parameter, decoded, and as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
    pub(super) raw: &'a str,
}

/// Reads a query; `+` is a space, as in forms. Empty parameters are left out.
///
/// # Errors
/// A sentence, for too many parameters and for values that are not UTF-8.
pub(super) fn read(query: &str) -> Result<Vec<Pair<'_>>, String> {
    let raw = query.split('&').filter(|raw| !raw.is_empty());
    let pairs: Vec<_> = raw.take(PAIRS_MAX + 1).collect();
    if pairs.len() > PAIRS_MAX {
        return Err(format!("the query has more than {PAIRS_MAX} parameters"));
    }
    pairs.into_iter().map(pair).collect()
}

fn pair(raw: &str) -> Result<Pair<'_>, String> {
    let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
    let bad = || format!("parameter {} is not utf-8", crate::path::quoted(name));
    Ok(Pair { name: decoded(name).ok_or_else(bad)?, value: decoded(value).ok_or_else(bad)?, raw })
}

fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return percent_decode_str(&spaced).decode_utf8().ok().map(|text| Cow::Owned(text.into_owned()));
    }
    percent_decode_str(text).decode_utf8().ok()
}
