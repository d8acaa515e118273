//! Which of a site's languages a client gets: the lookup of RFC 4647 section 3.4 over `Accept-Language`.
//!
//! Pure. It gives one of the tags that the site lists, never anything that the client made up.

use std::cmp::Reverse;

use http::{HeaderMap, header};

/// Ranges of a request that are looked at.
const RANGES_MAX: usize = 32;
/// Bytes of a range; longer ones are no language that a site has.
const RANGE_BYTES_MAX: usize = 64;

/// A range with its weight in thousandths (RFC 9110 section 12.5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range<'a> {
    text: &'a str,
    weight: u16,
}

/// The index of the tag that suits best; 0, the default, when none does. `tags` are as the site lists them.
#[must_use]
pub fn lookup<T: AsRef<str>>(headers: &HeaderMap, tags: &[T]) -> usize {
    let lines = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|line| line.to_str().ok());
    let mut ranges: Vec<Range<'_>> =
        lines.flat_map(|line| line.split(',')).take(RANGES_MAX).filter_map(range).collect();
    // a stable sort: of equal weights the first wins
    ranges.sort_by_key(|range| Reverse(range.weight));
    let is_refused = |tag: &str| ranges.iter().any(|range| range.weight == 0 && covers(range.text, tag));
    let found = ranges.iter().filter(|range| range.weight > 0).find_map(|range| match range.text {
        "*" => tags.iter().position(|tag| !is_refused(tag.as_ref())),
        text => {
            find(text, tags).filter(|index| tags.get(*index).is_some_and(|tag| !is_refused(tag.as_ref())))
        }
    });
    found.unwrap_or(0)
}

/// The tag that a range names, or the nearest shorter one.
fn find<T: AsRef<str>>(range: &str, tags: &[T]) -> Option<usize> {
    let mut range = range;
    loop {
        let found = tags.iter().position(|tag| tag.as_ref().eq_ignore_ascii_case(range));
        if found.is_some() {
            return found;
        }
        range = range.rsplit_once('-')?.0;
        // what a single letter announces goes with it
        if let Some((rest, last)) = range.rsplit_once('-')
            && last.len() == 1
        {
            range = rest;
        }
    }
}

/// Whether a range matches a tag or its beginning (RFC 4647 section 3.3.1).
fn covers(range: &str, tag: &str) -> bool {
    let Some((start, rest)) = tag.split_at_checked(range.len()) else { return false };
    start.eq_ignore_ascii_case(range) && (rest.is_empty() || rest.starts_with('-'))
}

fn range(element: &str) -> Option<Range<'_>> {
    let mut parts = element.split(';').map(|part| part.trim_matches([' ', '\t']));
    let text = parts.next().filter(|text| (1..=RANGE_BYTES_MAX).contains(&text.len()))?;
    let weight = match parts.next() {
        None => 1000,
        Some(parameter) => weight(parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="))?)?,
    };
    parts.next().is_none().then_some(Range { text, weight })
}

/// `0`, `1`, or either with up to three decimals, in thousandths (RFC 9110 section 12.4.2).
fn weight(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{decimals:0<3}").parse::<u16>().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const SITE: [&str; 5] = ["en", "de", "pt-BR", "zh-Hant", "de-CH"];

    fn chosen(sent: &[&str]) -> &'static str {
        let mut headers = HeaderMap::new();
        for value in sent {
            headers.append(header::ACCEPT_LANGUAGE, value.parse::<HeaderValue>().unwrap());
        }
        SITE[lookup(&headers, &SITE)]
    }

    #[test]
    fn finds_the_nearest_tag_by_weight() {
        for (sent, tag) in [
            ("de", "de"),
            ("DE-at", "de"),
            ("de-CH-1996", "de-CH"),
            ("pt-BR", "pt-BR"),
            ("pt", "en"),
            ("pt-PT", "en"),
            ("zh-Hant-CN-x-private1-private2", "zh-Hant"),
            ("zh-Hans", "en"),
            ("fr, de;q=0.5", "de"),
            ("en;q=0.8, de;q=0.9", "de"),
            ("en;q=0.9, de;q=0.9", "en"),
            ("de;q=0.001, fr", "de"),
            ("fr, *;q=0.5", "en"),
            ("*", "en"),
            ("en;q=0, *", "de"),
            ("de;q=0", "en"),
            ("de;q=0, de-CH", "en"),
            ("de-CH;q=0, de", "de"),
            ("", "en"),
            (",,;q=1,;", "en"),
            ("de;q=2, pt-BR;q=0.1", "pt-BR"),
            ("de;q=1.001", "en"),
            ("de;q=0.1234", "en"),
            ("de;level=1", "en"),
            ("de;q=1;x=y", "en"),
            ("de ; q=0.5", "de"),
            ("-", "en"),
            ("de--", "de"),
        ] {
            assert_eq!(chosen(&[sent]), tag, "{sent:?}");
        }
        assert_eq!(chosen(&[]), "en");
        assert_eq!(chosen(&["fr", "de;q=0.1"]), "de", "lines are one list");
    }

    #[test]
    fn a_single_letter_goes_with_what_it_announces() {
        assert_eq!(find("de-x-a-b", &["de"]), Some(0));
        assert_eq!(find("de-a-x", &["de-a"]), None, "\"a\" alone is not asked for");
    }

    #[test]
    fn endless_lists_are_cut() {
        let many = "fr,".repeat(40) + "de";
        assert_eq!(chosen(&[&many]), "en");
    }

    proptest! {
        #[test]
        fn whatever_is_sent_gives_a_tag_of_the_site(
            lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..96), 0..3),
            words in prop::collection::vec("[a-zA-Z*]{0,4}(-[a-z0-9]{0,3}){0,4}(;[qQ]=[0-9.]{0,5})?", 0..40),
        ) {
            let mut headers = HeaderMap::new();
            for line in lines.iter().map(Vec::as_slice).chain([words.join(",").as_bytes()]) {
                if let Ok(value) = HeaderValue::from_bytes(line) {
                    headers.append(header::ACCEPT_LANGUAGE, value);
                }
            }
            prop_assert!(lookup(&headers, &SITE) < SITE.len());
        }
    }
}
