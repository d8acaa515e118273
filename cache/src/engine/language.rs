//! Which stored variant a reader's language names. RFC 9111 section 4.1, RFC 9110 section 12.5.4.
//!
//! A response that varies by `Accept-Language` alone and says in what language it is also serves those who want that
//! language most, however they list the others. The marker under the plain key keeps the list: one entry per language.
//! Readers without one clear favourite, and favourites that nothing is stored for, are the origin's to answer.

use http::{HeaderMap, HeaderValue, header};

use super::Engine;
use crate::{
    stored::{Kind, Stored},
    vary,
};

/// Languages remembered per URL.
const LANGUAGES_MAX: usize = 32;
/// Between a language and the variant that is in it.
const SEPARATOR: char = ' ';

impl Engine {
    /// Entries for a marker that is about to replace the present one.
    pub(super) fn languages(&self, marker: &Stored, stored: &Stored, selected: &str) -> HeaderMap {
        let mut entries = HeaderMap::new();
        let Some(language) = language(stored) else { return entries };
        if let Some(present) = self.hybrid.memory(&marker.key, marker.key.hash())
            && present.kind == Kind::VaryMarker
            && present.vary == stored.vary
        {
            let others = present.head.headers.get_all(header::CONTENT_LANGUAGE);
            for other in others.iter().filter(|entry| of(entry, &language).is_none()).take(LANGUAGES_MAX - 1)
            {
                entries.append(header::CONTENT_LANGUAGE, other.clone());
            }
        }
        if let Ok(entry) = HeaderValue::try_from(format!("{language}{SEPARATOR}{selected}")) {
            entries.append(header::CONTENT_LANGUAGE, entry);
        }
        entries
    }
}

/// The variant in the language that this request wants most.
pub(super) fn preferred(marker: &Stored, request: &HeaderMap) -> Option<String> {
    let entries = marker.head.headers.get_all(header::CONTENT_LANGUAGE);
    let language = vary::favourite_language(request).filter(|_| marker.kind == Kind::VaryMarker)?;
    entries.iter().find_map(|entry| of(entry, &language).map(str::to_owned))
}

fn of<'a>(entry: &'a HeaderValue, language: &str) -> Option<&'a str> {
    let (known, variant) = entry.to_str().ok()?.split_once(SEPARATOR)?;
    (known == language).then_some(variant)
}

/// The one language of a response that varies by nothing else, in lower case.
fn language(stored: &Stored) -> Option<String> {
    let mut lines = stored.head.headers.get_all(header::CONTENT_LANGUAGE).iter();
    let (line, None) = (lines.next()?.to_str().ok()?, lines.next()) else { return None };
    let is_tag = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let varies_so = stored.vary.iter().eq([header::ACCEPT_LANGUAGE.as_str()]);
    (is_tag && varies_so).then(|| line.to_ascii_lowercase())
}
