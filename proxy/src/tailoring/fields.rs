//! Edits of a head, whichever library it belongs to.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use pingora::http::{RequestHeader, ResponseHeader};

/// Fields that can be taken away and added.
pub trait Fields {
    /// Takes every line of a field away.
    fn clear(&mut self, name: &HeaderName);
    /// Adds a line. A head that is full stays as it is.
    fn add(&mut self, name: HeaderName, value: HeaderValue);
}

impl Fields for HeaderMap {
    fn clear(&mut self, name: &HeaderName) {
        self.remove(name);
    }

    fn add(&mut self, name: HeaderName, value: HeaderValue) {
        // the error is that of a full map
        drop(self.try_append(name, value));
    }
}

impl Fields for RequestHeader {
    fn clear(&mut self, name: &HeaderName) {
        self.remove_header(name);
    }

    fn add(&mut self, name: HeaderName, value: HeaderValue) {
        drop(self.append_header(name, value));
    }
}

impl Fields for ResponseHeader {
    fn clear(&mut self, name: &HeaderName) {
        self.remove_header(name);
    }

    fn add(&mut self, name: HeaderName, value: HeaderValue) {
        drop(self.append_header(name, value));
    }
}

/// What a rule came to for one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// The field's only value.
    Set(HeaderValue),
    /// One more value.
    Append(HeaderValue),
    /// No value.
    Remove,
}

impl Edit {
    /// Does it to a field of a head.
    pub fn apply(self, head: &mut impl Fields, name: &HeaderName) {
        if matches!(self, Self::Set(_) | Self::Remove) {
            head.clear(name);
        }
        if let Self::Set(value) | Self::Append(value) = self {
            head.add(name.clone(), value);
        }
    }
}

/// Names a request field in `Vary`, once.
pub fn vary_by(head: &mut HeaderMap, name: &'static str) {
    if !has_element(head, &header::VARY, |element| element == "*" || element.eq_ignore_ascii_case(name)) {
        head.add(header::VARY, HeaderValue::from_static(name));
    }
}

/// Keeps an answer out of shared caches behind this one (RFC 9111 section 5.2.2.7): no `Vary` could tell them who it is
/// for. Of directives that contradict each other, caches follow the stricter.
pub fn keep_private(head: &mut HeaderMap) {
    let is_kept =
        |element: &str| ["private", "no-store"].iter().any(|word| element.eq_ignore_ascii_case(word));
    if !has_element(head, &header::CACHE_CONTROL, is_kept) {
        head.add(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
}

fn has_element(head: &HeaderMap, name: &HeaderName, is_it: impl Fn(&str) -> bool) -> bool {
    let lines = head.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|element| is_it(element.trim()))
}
