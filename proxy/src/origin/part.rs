//! Parts of a response: which single range a request asks for, and what a 206 says of itself.
//!
//! Pure. RFC 9110 section 14. Several ranges at once are answered whole, which section 14.2 permits.

use std::ops::RangeInclusive;

use ::http::{HeaderMap, HeaderValue, header};

/// The `Range` of a request, if it is one well-formed range of bytes.
pub(super) fn single_range(request: &HeaderMap) -> Option<&str> {
    let mut values = request.get_all(header::RANGE).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
    let (unit, range) = value.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    let is_number = |text: &str| text.len() <= DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = is_number(first) && is_number(last) && !(first.is_empty() && last.is_empty());
    (unit.eq_ignore_ascii_case("bytes") && is_whole).then_some(value)
}

/// The strong tag under which alone the range counts (RFC 9110 section 13.1.5).
///
/// # Errors
/// `()` when the condition is a date or a weak tag: the whole is the answer that is always right.
pub(super) fn if_range(request: &HeaderMap) -> Result<Option<&str>, ()> {
    let Some(value) = request.get(header::IF_RANGE) else { return Ok(None) };
    let tag = value.to_str().ok().filter(|tag| tag.len() >= 2 && tag.starts_with('"') && tag.ends_with('"'));
    tag.map(Some).ok_or(())
}

/// A `Content-Range` of bytes: first and last, and the length of the whole if it is known. None: malformed.
pub(super) fn content_range(value: &HeaderValue) -> Option<(RangeInclusive<u64>, Option<u64>)> {
    let (unit, rest) = value.to_str().ok()?.trim().split_once(' ')?;
    let (range, whole) = rest.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let whole = if whole == "*" { None } else { Some(number(whole)?) };
    let fits = first <= last && last < u64::MAX && whole.is_none_or(|whole| last < whole);
    (unit.eq_ignore_ascii_case("bytes") && fits).then_some((first..=last, whole))
}

/// Bytes of a range that [`content_range`] gave.
pub(super) const fn length_of(range: &RangeInclusive<u64>) -> u64 {
    range.end().saturating_sub(*range.start()).saturating_add(1)
}

fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Digits of a 64-bit number.
const DIGITS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn one_range_is_recognised() {
        for value in ["bytes=0-4", "bytes=5-", "bytes=-3", "Bytes=0-0"] {
            assert_eq!(single_range(&headers(header::RANGE, value)), Some(value));
        }
        for value in ["bytes=0-1,3-4", "bytes=-", "bytes=a-b", "lines=0-4", "bytes 0-4", "", "bytes=1--2"] {
            assert_eq!(single_range(&headers(header::RANGE, value)), None, "{value}");
        }
        let mut two = headers(header::RANGE, "bytes=0-1");
        two.append(header::RANGE, HeaderValue::from_static("bytes=2-3"));
        assert_eq!(single_range(&two), None);
    }

    #[test]
    fn only_a_strong_tag_makes_a_range_conditional() {
        assert_eq!(if_range(&HeaderMap::new()), Ok(None));
        assert_eq!(if_range(&headers(header::IF_RANGE, "\"a\"")), Ok(Some("\"a\"")));
        for value in ["W/\"a\"", "Thu, 01 Jan 1970 00:00:00 GMT", "\"", ""] {
            assert_eq!(if_range(&headers(header::IF_RANGE, value)), Err(()), "{value}");
        }
    }

    #[test]
    fn a_content_range_is_read_exactly_or_not_at_all() {
        let read = |text: &str| content_range(&HeaderValue::from_str(text).unwrap());
        assert_eq!(read("bytes 0-4/10"), Some((0..=4, Some(10))));
        assert_eq!(read("bytes 3-3/*"), Some((3..=3, None)));
        assert_eq!(read("bytes 3-7/10").map(|(range, _)| length_of(&range)), Some(5));
        for text in [
            "bytes */10",
            "bytes 4-0/10",
            "bytes 0-10/10",
            "bytes 0-4",
            "0-4/10",
            "bytes=0-4/10",
            "bytes 0-/9",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
