//! Surrogate keys: names that an origin gives to responses so that they can be purged together.
//!
//! Vendors disagree on field, separator and limits; what is kept here fits all of them. A key that does not fit is
//! refused and counted, never cut: half a key would be purged by accident or not at all.

use http::HeaderMap;

#[cfg(test)]
mod tests;

/// Surrogate keys kept per response.
pub const TAGS_MAX: usize = 128;
/// Longest surrogate key, in bytes.
pub const TAG_BYTES_MAX: usize = 128;

/// Fields that carry surrogate keys, strongest first; none of them reaches a browser.
pub const STRIPPED: [&str; 6] =
    ["surrogate-key", "cache-tag", "xkey", "x-cache-tags", "x-magento-tags", "edge-cache-tag"];

/// Of those, the ones whose keys are separated by spaces. A comma separates too, since no key has one.
const SPACED: [&str; 2] = ["surrogate-key", "xkey"];

/// Surrogate keys of a response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags {
    /// Usable ones in order, without duplicates; at most [`TAGS_MAX`]. Case is kept and matters.
    pub kept: Vec<String>,
    /// How many were too long, malformed or too many.
    pub refused: usize,
}

/// Reads the strongest field that is present.
///
/// ```
/// let mut headers = http::HeaderMap::new();
/// headers.insert("surrogate-key", http::HeaderValue::from_static("loader widget"));
/// assert_eq!(overfall_cache::surrogate::tags(&headers).kept, ["loader", "widget"]);
/// ```
#[must_use]
pub fn tags(headers: &HeaderMap) -> Tags {
    let mut found = Tags::default();
    let Some(field) = STRIPPED.into_iter().find(|name| headers.contains_key(*name)) else { return found };
    let is_spaced = SPACED.contains(&field);
    for value in headers.get_all(field) {
        let text = String::from_utf8_lossy(value.as_bytes());
        for element in text.split(',') {
            if is_spaced {
                element.split_ascii_whitespace().for_each(|tag| found.add(tag));
            } else {
                found.add(element.trim_ascii());
            }
        }
    }
    found
}

/// Whether a response has a field for surrogate keys, empty or not.
pub(crate) fn names_tags(headers: &HeaderMap) -> bool {
    STRIPPED.iter().any(|name| headers.contains_key(*name))
}

/// Whether this can be a surrogate key: printable ASCII without space and comma, at most [`TAG_BYTES_MAX`] bytes.
#[must_use]
pub fn is_tag(tag: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_graphic() && byte != b',';
    !tag.is_empty() && tag.len() <= TAG_BYTES_MAX && tag.bytes().all(is_legal)
}

impl Tags {
    fn add(&mut self, tag: &str) {
        if tag.is_empty() || self.kept.iter().any(|kept| kept == tag) {
            return;
        }
        if is_tag(tag) && self.kept.len() < TAGS_MAX {
            self.kept.push(tag.to_owned());
        } else {
            self.refused = self.refused.saturating_add(1);
        }
    }
}
