use bytes::Bytes;
use http::StatusCode;
use proptest::prelude::{any, prop, proptest};

use super::{RANGES_MAX, Selection, Span, select, slice};
use crate::{
    fields::tests::{Fields, map},
    stored::ResponseHead,
};

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const SENT: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

fn head(status: u16, fields: &[(&str, &str)]) -> ResponseHead {
    ResponseHead { status: StatusCode::from_u16(status).unwrap(), headers: map(fields) }
}

const fn span(first: u64, last: u64) -> Span {
    Span { first, last }
}

fn asked(range: &str, length: u64) -> Selection {
    select(&map(&[("range", range)]), &head(200, &[]), length)
}

#[test]
fn one_range() {
    let table = [
        ("bytes=0-0", span(0, 0)),
        ("bytes=0-", span(0, 9)),
        ("bytes=3-5", span(3, 5)),
        ("bytes=9-9", span(9, 9)),
        ("bytes=9-", span(9, 9)),
        ("bytes=0-99", span(0, 9)),
        ("bytes=5-99999999999999999999999999", span(5, 9)),
        ("bytes=-1", span(9, 9)),
        ("bytes=-10", span(0, 9)),
        ("bytes=-99", span(0, 9)),
        ("bytes= 3-5 ", span(3, 5)),
        ("BYTES=3-5", span(3, 5)),
        ("bytes=,3-5,", span(3, 5)),
        ("bytes=3-5,99-100", span(3, 5)),
        ("bytes=-0,3-5", span(3, 5)),
    ];
    for (range, wanted) in table {
        assert_eq!(asked(range, 10), Selection::One(wanted), "{range}");
    }
}

#[test]
fn malformed_ranges_get_the_whole() {
    let bad = [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=x",
        "bytes=-",
        "bytes=5",
        "bytes=5-3",
        "bytes=a-5",
        "bytes=5-a",
        "bytes=+5-6",
        "bytes=0x1-2",
        "bytes=1-2-3",
        "bytes=--1",
        "bytes=1.5-2",
        "bytes=0-1;2-3",
        "bytes 0-1",
        "items=0-1",
        "bytes=0-1,x",
        "bytes=0-1,5-3",
        "byte=0-1",
        "=0-1",
        "bytes=1 - 2",
        "none",
    ];
    for range in bad {
        assert_eq!(asked(range, 10), Selection::Whole, "{range}");
    }
}

#[test]
fn ranges_outside_the_body_cannot_be_satisfied() {
    for range in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999-", "bytes=10-11,-0"] {
        assert_eq!(asked(range, 10), Selection::Unsatisfiable, "{range}");
    }
}

#[test]
fn an_empty_body() {
    for (range, wanted) in [
        ("bytes=0-", Selection::Unsatisfiable),
        ("bytes=0-0", Selection::Unsatisfiable),
        ("bytes=-0", Selection::Unsatisfiable),
        ("bytes=-5", Selection::Whole),
        ("bytes=2-1", Selection::Whole),
        ("bytes=x-", Selection::Whole),
    ] {
        assert_eq!(asked(range, 0), wanted, "{range}");
    }
}

#[test]
fn several_ranges_keep_their_order_and_meet() {
    let many = Selection::Many;
    let table = [
        ("bytes=0-1,4-5", many(vec![span(0, 1), span(4, 5)])),
        ("bytes=4-5,0-1", many(vec![span(4, 5), span(0, 1)])),
        ("bytes=0-1, -2", many(vec![span(0, 1), span(8, 9)])),
        ("bytes=0-1,2-3", Selection::One(span(0, 3))),
        ("bytes=2-3,0-1", Selection::One(span(0, 3))),
        ("bytes=0-5,3-8", Selection::One(span(0, 8))),
        ("bytes=0-,0-,0-", Selection::One(span(0, 9))),
        ("bytes=0-1,8-9,2-7", Selection::One(span(0, 9))),
        ("bytes=8-9,0-1,4-5,1-4", many(vec![span(8, 9), span(0, 5)])),
    ];
    for (range, wanted) in table {
        assert_eq!(asked(range, 10), wanted, "{range}");
    }
}

#[test]
fn too_many_ranges_get_the_whole() {
    let ranges = |n: usize| {
        format!("bytes={}", (0..n).map(|i| format!("{0}-{0}", i * 2)).collect::<Vec<_>>().join(","))
    };
    assert!(matches!(asked(&ranges(RANGES_MAX), 100), Selection::Many(spans) if spans.len() == RANGES_MAX));
    assert_eq!(asked(&ranges(RANGES_MAX + 1), 100), Selection::Whole);
}

#[test]
fn only_a_200_has_ranges() {
    for status in [203, 204, 206, 301, 404, 503] {
        let found = select(&map(&[("range", "bytes=0-1")]), &head(status, &[]), 10);
        assert_eq!(found, Selection::Whole, "{status}");
    }
}

#[test]
fn two_range_fields_get_the_whole() {
    let request = map(&[("range", "bytes=0-1"), ("range", "bytes=2-3")]);
    assert_eq!(select(&request, &head(200, &[]), 10), Selection::Whole);
}

#[test]
fn if_range_compares_strongly() {
    let dated = &[("last-modified", MODIFIED), ("date", SENT)][..];
    let table: [(&str, Fields<'_>, bool); 13] = [
        ("\"a\"", &[("etag", "\"a\"")], true),
        ("\"a\"", &[("etag", "\"b\"")], false),
        ("\"a\"", &[("etag", "W/\"a\"")], false),
        ("W/\"a\"", &[("etag", "W/\"a\"")], false),
        ("W/\"a\"", &[("etag", "\"a\"")], false),
        ("\"a\"", &[], false),
        ("a", &[("etag", "a")], false),
        (MODIFIED, dated, true),
        ("Sunday, 06-Nov-94 08:49:37 GMT", dated, true),
        (SENT, dated, false),
        (MODIFIED, &[("last-modified", MODIFIED), ("date", MODIFIED)], false),
        (MODIFIED, &[("last-modified", MODIFIED)], false),
        ("yesterday", dated, false),
    ];
    for (condition, fields, holds) in table {
        let request = map(&[("range", "bytes=0-1"), ("if-range", condition)]);
        let wanted = if holds { Selection::One(span(0, 1)) } else { Selection::Whole };
        assert_eq!(select(&request, &head(200, fields), 10), wanted, "{condition} of {fields:?}");
    }
}

const BODY: Bytes = Bytes::from_static(b"0123456789");

fn field<'a>(head: &'a ResponseHead, name: &str) -> Option<&'a str> {
    head.headers.get(name).map(|value| value.to_str().unwrap())
}

#[test]
fn the_whole_says_its_length() {
    let (head, body) = slice(&head(200, &[("etag", "\"a\"")]), &BODY, Selection::Whole);
    assert_eq!((head.status, field(&head, "content-length"), body), (StatusCode::OK, Some("10"), BODY));
}

#[test]
fn one_part() {
    let own = head(
        200,
        &[("etag", "\"a\""), ("content-type", "text/plain"), ("content-length", "10"), ("content-md5", "x")],
    );
    let (head, body) = slice(&own, &BODY, Selection::One(span(3, 5)));
    assert_eq!((head.status, &*body), (StatusCode::PARTIAL_CONTENT, &b"345"[..]));
    assert_eq!(field(&head, "content-range"), Some("bytes 3-5/10"));
    assert_eq!(field(&head, "content-length"), Some("3"));
    assert_eq!((field(&head, "etag"), field(&head, "content-type")), (Some("\"a\""), Some("text/plain")));
    assert_eq!(field(&head, "content-md5"), None);
}

#[test]
fn several_parts() {
    let own = head(200, &[("content-type", "text/plain")]);
    let (head, body) = slice(&own, &BODY, Selection::Many(vec![span(8, 9), span(0, 1)]));
    let kind = field(&head, "content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let wanted = format!(
        "\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\
         \r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\
         \r\n--{boundary}--\r\n"
    );
    assert_eq!(std::str::from_utf8(&body).unwrap(), wanted);
    assert_eq!(head.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(field(&head, "content-length"), Some(&*body.len().to_string()));
    assert_eq!(field(&head, "content-range"), None);
    assert!(boundary.len() <= 70, "RFC 2046 section 5.1.1");
}

#[test]
fn parts_without_a_type_name_none() {
    let (_, body) = slice(&head(200, &[]), &BODY, Selection::Many(vec![span(0, 0), span(2, 2)]));
    assert!(!std::str::from_utf8(&body).unwrap().contains("Content-Type"));
}

#[test]
fn an_unsatisfiable_range_is_told_the_length() {
    let own = head(
        200,
        &[
            ("etag", "\"a\""),
            ("content-type", "text/plain"),
            ("cache-control", "max-age=60"),
            ("vary", "accept"),
            ("access-control-allow-origin", "*"),
            ("content-encoding", "br"),
        ],
    );
    let (head, body) = slice(&own, &BODY, Selection::Unsatisfiable);
    assert_eq!((head.status, body.len()), (StatusCode::RANGE_NOT_SATISFIABLE, 0));
    assert_eq!(field(&head, "content-range"), Some("bytes */10"));
    assert_eq!(field(&head, "content-length"), Some("0"));
    assert_eq!(
        (field(&head, "vary"), field(&head, "access-control-allow-origin")),
        (Some("accept"), Some("*"))
    );
    for name in ["etag", "content-type", "cache-control", "content-encoding"] {
        assert_eq!(field(&head, name), None, "{name}");
    }
}

#[test]
fn a_selection_for_another_body_gets_the_whole() {
    let bad = [
        Selection::One(span(0, 10)),
        Selection::One(span(5, 4)),
        Selection::One(span(0, u64::MAX)),
        Selection::One(span(u64::MAX, u64::MAX)),
        Selection::Many(vec![span(0, 0), span(10, 11)]),
    ];
    for selection in bad {
        let (head, body) = slice(&head(200, &[]), &BODY, selection.clone());
        assert_eq!((head.status, body), (StatusCode::OK, BODY), "{selection:?}");
    }
}

proptest! {
    #[test]
    fn spans_lie_in_the_body_and_apart(
        ranges in prop::collection::vec((any::<Option<u8>>(), any::<Option<u8>>()), 0..20), length in 0_u64..300,
    ) {
        let text = |n: Option<u8>| n.map(|n| n.to_string()).unwrap_or_default();
        let set: Vec<_> = ranges.iter().map(|(a, b)| format!("{}-{}", text(*a), text(*b))).collect();
        let selection = asked(&format!("bytes={}", set.join(",")), length);
        let spans = match &selection {
            Selection::One(span) => vec![*span],
            Selection::Many(spans) => spans.clone(),
            _ => Vec::new(),
        };
        assert!(spans.len() <= RANGES_MAX);
        let mut sorted = spans;
        sorted.sort_by_key(|span| span.first);
        assert!(sorted.iter().all(|span| span.first <= span.last && span.last < length));
        assert!(sorted.windows(2).all(|pair| pair[0].last + 1 < pair[1].first));
    }

    #[test]
    fn nothing_panics(range in "[ -~]{0,40}", length in any::<u64>(), first in any::<u64>(), last in any::<u64>()) {
        assert_eq!(asked(&range.replace('=', ""), length), Selection::Whole);
        drop(asked(&format!("bytes={range}"), length));
        let (head, body) = slice(&head(200, &[]), &BODY, Selection::Many(vec![span(first, last)]));
        assert_eq!(field(&head, "content-length"), Some(&*body.len().to_string()));
    }
}
