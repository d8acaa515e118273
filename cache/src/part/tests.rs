//! Which ranges a part has, by tables.

use bytes::Bytes;
use http::StatusCode;
use proptest::prelude::*;

use super::*;

fn head(fields: &[(&'static str, &str)]) -> ResponseHead {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    ResponseHead { status: StatusCode::PARTIAL_CONTENT, headers }
}

/// A part and the question that brought it.
fn part(asked: &str, content_range: &str, body: &'static str) -> (ResponseHead, Bytes) {
    let fields = [("content-range", content_range), ("range", asked), ("content-digest", "sha-256=:x:")];
    (head(&fields), Bytes::from_static(body.as_bytes()))
}

/// `Content-Range` and body of the answer.
fn taken((part, body): &(ResponseHead, Bytes), range: &str) -> Option<(String, String)> {
    let (head, span) = answer(part, body.len() as u64, &head(&[("range", range)]).headers)?;
    let body = range::cut(body, span).unwrap();
    assert_eq!(head.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(head.headers["content-length"], body.len().to_string());
    assert!(!head.headers.contains_key("range"), "the question is no part of the answer");
    let content_range = head.headers["content-range"].to_str().unwrap().to_owned();
    Some((content_range, String::from_utf8(body.to_vec()).unwrap()))
}

fn has(part: &(ResponseHead, Bytes), table: &[(&str, &str, &str)]) {
    for (range, content_range, body) in table {
        assert_eq!(taken(part, range), Some(((*content_range).to_owned(), (*body).to_owned())), "{range}");
    }
}

fn lacks(part: &(ResponseHead, Bytes), ranges: &[&str]) {
    for range in ranges {
        assert_eq!(taken(part, range), None, "{range}");
    }
}

#[test]
fn ranges_inside_are_had_and_others_are_not() {
    let end = part("bytes=-6", "bytes 4-9/10", "456789");
    has(
        &end,
        &[
            ("bytes=-6", "bytes 4-9/10", "456789"),
            ("bytes=-1", "bytes 9-9/10", "9"),
            ("bytes=4-4", "bytes 4-4/10", "4"),
            ("bytes=5-7", "bytes 5-7/10", "567"),
            ("bytes=4-9", "bytes 4-9/10", "456789"),
            ("bytes=8-99", "bytes 8-9/10", "89"),
            ("bytes=6-", "bytes 6-9/10", "6789"),
        ],
    );
    lacks(&end, &["bytes=3-5", "bytes=0-", "bytes=-7", "bytes=-99", "bytes=10-", "bytes=10-12", "bytes=7-5"]);
    let middle = part("bytes=2-5", "bytes 2-5/10", "2345");
    has(&middle, &[("bytes=2-5", "bytes 2-5/10", "2345"), ("bytes=3-4", "bytes 3-4/10", "34")]);
    lacks(&middle, &["bytes=3-", "bytes=-1", "bytes=3-6", "bytes=3-99", "bytes=1-2"]);
}

#[test]
fn several_ranges_and_other_units_are_not_had() {
    lacks(&part("bytes=-6", "bytes 4-9/10", "456789"), &["bytes=4-5,7-8", "lines=4-5", "bytes=-0", "4-5"]);
}

#[test]
fn without_the_length_of_the_whole_its_end_is_had_only_as_it_was_asked_for() {
    let end = part("bytes=-4", "bytes 6-9/*", "6789");
    has(&end, &[("bytes=-4", "bytes 6-9/*", "6789"), ("bytes=7-8", "bytes 7-8/*", "78")]);
    lacks(&end, &["bytes=-3", "bytes=6-", "bytes=7-10"]);
}

#[test]
fn a_short_part_is_read_from_the_side_that_a_request_counts_from() {
    let short = part("bytes=-5", "bytes 4-9/10", "01234");
    has(
        &short,
        &[
            ("bytes=-5", "bytes 4-9/10", "01234"),
            ("bytes=6-8", "bytes 6-8/10", "234"),
            ("bytes=6-", "bytes 6-8/10", "234"),
            ("bytes=4-", "bytes 4-8/10", "01234"),
            ("bytes=-1", "bytes 9-9/10", "4"),
            ("bytes=-4", "bytes 6-9/10", "1234"),
        ],
    );
    lacks(&short, &["bytes=6-9", "bytes=4-9", "bytes=9-", "bytes=3-", "bytes=-6"]);
}

#[test]
fn only_the_untouched_body_has_its_digest() {
    let (whole, _) = part("bytes=-6", "bytes 4-9/10", "456789");
    let digest = |range: &str| {
        let (head, _) = answer(&whole, 6, &head(&[("range", range)]).headers).unwrap();
        head.headers.contains_key("content-digest")
    };
    assert!(digest("bytes=-6"));
    assert!(!digest("bytes=-5"));
}

#[test]
fn what_cannot_be_placed_is_not_kept() {
    let is = |fields: &[(&'static str, &str)], length| is_keepable(&head(fields), length);
    let range = ("content-range", "bytes 4-9/10");
    assert!(is(&[range], 6));
    assert!(is(&[range], 5));
    assert!(is(&[range], 1));
    assert!(!is(&[range], 0), "nothing");
    assert!(!is(&[range], 7), "longer than its range");
    assert!(!is(&[range, ("content-encoding", "gzip")], 6));
    assert!(!is(&[range, ("content-type", "Multipart/ByteRanges; boundary=x")], 6));
    assert!(!is(&[("content-type", "text/plain")], 6), "no range");
    let large = ("content-range", "bytes 0-9999999/99999999");
    assert!(is(&[large], PART_BYTES_MAX));
    assert!(!is(&[large], PART_BYTES_MAX + 1));
}

proptest! {
    /// Of an honest part every answer has the bytes of the whole that it says.
    #[test]
    fn bytes_are_those_of_the_whole(
        (first, last, length) in (0_u64..40, 0_u64..40, 1_u64..40).prop_map(|(a, b, more)| {
            (a.min(b), a.max(b), a.max(b) + more)
        }),
        wanted in prop_oneof![
            (0_u64..60, 0_u64..60).prop_map(|(a, b)| Wanted::Between(Span { first: a.min(b), last: a.max(b) })),
            (0_u64..60).prop_map(Wanted::From),
            (1_u64..60).prop_map(Wanted::Last),
        ],
    ) {
        let sent = ContentRange { span: Span { first, last }, length: Some(length) };
        let expected = match wanted {
            Wanted::Between(span) => (span.first, span.last.min(length - 1)),
            Wanted::From(from) => (from, length - 1),
            Wanted::Last(count) => (length.saturating_sub(count), length - 1),
        };
        let is_inside = first <= expected.0 && expected.0 <= expected.1 && expected.1 <= last;
        let found = locate(sent, sent.bytes(), wanted);
        let expected = Span { first: expected.0, last: expected.1 };
        prop_assert_eq!(found, is_inside.then(|| (expected, expected.first - first)));
    }

    /// Whatever an origin says, an answer is as long as its range and no longer than what was sent.
    #[test]
    fn nothing_is_made_up(first in 0_u64..20, bytes in 1_u64..20, sent in 0_u64..25, more in 0_u64..3, count in 1_u64..50) {
        let span = Span { first, last: first + bytes - 1 };
        let range = ContentRange { span, length: Some(first + bytes + more) };
        for wanted in [Wanted::From(count), Wanted::Last(count), Wanted::Between(Span { first: count, last: count + 3 })] {
            if let Some((found, at)) = locate(range, sent, wanted) {
                prop_assert!(span.first <= found.first && found.last <= span.last, "{:?}", found);
                prop_assert!(at + (found.last - found.first) < sent, "{:?} at {}", found, at);
            }
        }
    }
}
