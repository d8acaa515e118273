//! Names and places of slices, by tables.

use http::{HeaderMap, HeaderValue, header};

use super::*;

const MIB: u64 = SLICE_BYTES;

fn with(name: http::HeaderName, values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(&name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn only_a_single_strong_tag_tells_versions_apart() {
    let is = |tags: &[&str]| strong_etag(&with(header::ETAG, tags)).is_some();
    assert!(is(&["\"a\""]));
    assert!(!is(&["W/\"a\""]));
    assert!(!is(&["\"\""]));
    assert!(!is(&["a"]));
    assert!(!is(&["\"a\"", "\"b\""]));
    assert!(!is(&[]));
}

#[test]
fn a_range_is_widened_to_whole_slices() {
    let wide =
        |range: &str| widened(&with(header::RANGE, &[range])).map(|value| value.to_str().unwrap().to_owned());
    for (asked, sent) in [
        ("bytes=0-0", format!("bytes=0-{}", MIB - 1)),
        ("bytes=5-", "bytes=0-".to_owned()),
        ("BYTES=1048576-1048577", format!("bytes={MIB}-{}", 2 * MIB - 1)),
        ("bytes=1048575-1048576", format!("bytes=0-{}", 2 * MIB - 1)),
        ("bytes=-1", "bytes=-1".to_owned()),
        ("Bytes=-1048576", format!("bytes=-{MIB}")),
        ("bytes=-1048577", format!("bytes=-{}", 3 * MIB)),
        ("bytes=3000000-", format!("bytes={}-", 2 * MIB)),
    ] {
        assert_eq!(wide(asked), Some(sent), "{asked}");
    }
    for asked in ["bytes=1-2,4-5", "lines=1-2", "bytes=2-1", "bytes=-0", "bytes=-", "bytes", "bytes=a-b", ""]
    {
        assert_eq!(wide(asked), None, "{asked}");
    }
    let huge = format!("bytes=-{}", u64::MAX);
    assert_eq!(wide(&huge), None);
    assert_eq!(widened(&with(header::RANGE, &["bytes=0-1", "bytes=0-1"])), None);
}

#[test]
fn content_range_is_read_strictly() {
    let read = |value: &str| content_range(&with(header::CONTENT_RANGE, &[value]));
    let span = Span { first: 2, last: 5 };
    assert_eq!(read("bytes 2-5/9"), Some(ContentRange { span, length: Some(9) }));
    assert_eq!(read("bytes 2-5/*"), Some(ContentRange { span, length: None }));
    for bad in ["bytes 2-5/5", "bytes 5-2/9", "bytes */9", "lines 2-5/9", "bytes 2-5", "bytes=2-5/9", ""] {
        assert_eq!(read(bad), None, "{bad}");
    }
}

#[test]
fn slices_cover_a_body_without_gap_or_overlap() {
    for length in [1, MIB - 1, MIB, MIB + 1, 5 * MIB + 7] {
        let mut next = 0;
        for slice in 0.. {
            let Some(Span { first, last }) = span_of(slice, length) else { break };
            assert_eq!(first, next);
            assert_eq!(slice_at(first), slice);
            assert_eq!(slice_at(last), slice);
            next = last + 1;
        }
        assert_eq!(next, length);
    }
    assert_eq!(span_of(u64::MAX, 5), None);
}

#[test]
fn versions_lengths_and_places_have_names_of_their_own() {
    let tag = HeaderValue::from_static;
    let names = [
        variant("", &tag("\"a\""), 9, 0),
        variant("", &tag("\"b\""), 9, 0),
        variant("", &tag("\"a\""), 8, 0),
        variant("", &tag("\"a\""), 9, 1),
        variant("x", &tag("\"a\""), 9, 0),
        fetch_variant("", &tag("bytes=0-1")),
        part_variant(""),
    ];
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}
