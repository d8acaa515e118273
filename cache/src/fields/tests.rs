use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::{any, proptest};

use super::{Quoting, elements, end_to_end_request, split_list, storable_response};

/// Names and values.
pub(crate) type Fields<'a> = &'a [(&'a str, &'a str)];

/// Fields from pairs, in order.
pub(crate) fn map(fields: Fields<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers
            .append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// Names and values in order of name.
fn pairs(headers: &HeaderMap) -> Vec<String> {
    let mut pairs: Vec<_> = headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
    pairs.sort();
    pairs
}

#[test]
fn hop_by_hop_fields_end_here() {
    let names = [
        "Connection",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "HTTP2-Settings",
        "Proxy-Authentication-Info",
    ];
    for name in names {
        let headers = map(&[(name, "x"), ("Cookie", "a=b")]);
        assert_eq!(pairs(&end_to_end_request(&headers)), ["cookie: a=b"], "{name} in a request");
        assert_eq!(pairs(&storable_response(&headers)), ["cookie: a=b"], "{name} in a response");
    }
}

#[test]
fn connection_names_more_of_them() {
    let headers = map(&[
        ("connection", "close, X-Hop"),
        ("connection", " ,x-other,,nonsense name, \u{fc}"),
        ("x-hop", "1"),
        ("x-hop", "2"),
        ("x-other", "3"),
        ("x-end", "4"),
        ("close", "5"),
    ]);
    assert_eq!(pairs(&end_to_end_request(&headers)), ["x-end: 4"]);
}

#[test]
fn repeated_fields_stay_in_order() {
    let kept = storable_response(&map(&[("link", "a"), ("x", "1"), ("link", "b")]));
    let links: Vec<_> = kept.get_all("link").iter().collect();
    assert_eq!(links, ["a", "b"]);
}

#[test]
fn a_stored_response_has_nothing_meant_for_this_cache_or_this_answer() {
    let gone = [
        "Overfall-Cache-Control",
        "CDN-Cache-Control",
        "Surrogate-Control",
        "Surrogate-Key",
        "Cache-Tag",
        "xkey",
        "X-Cache-Tags",
        "X-Magento-Tags",
        "Edge-Cache-Tag",
        "Age",
        "Cache-Status",
        "Server-Timing",
    ];
    for name in gone {
        assert!(storable_response(&map(&[(name, "x")])).is_empty(), "{name}");
    }
}

#[test]
fn everything_else_is_stored() {
    for name in
        ["Cache-Control", "Expires", "Date", "ETag", "Vary", "Via", "Set-Cookie", "X-Anything", "Warning"]
    {
        assert_eq!(storable_response(&map(&[(name, "x")])).len(), 1, "{name}");
    }
}

#[test]
fn a_request_keeps_what_only_responses_lose() {
    for name in ["Age", "Surrogate-Key", "CDN-Cache-Control", "Cache-Status"] {
        assert_eq!(end_to_end_request(&map(&[(name, "x")])).len(), 1, "{name}");
    }
}

#[test]
fn lists_are_cut_outside_quotes() {
    let table: [(&str, Quoting, &[&str]); 10] = [
        ("a, b ,\tc", Quoting::Escapes, &["a", "b", "c"]),
        (",, a,,", Quoting::Escapes, &["a"]),
        ("", Quoting::Escapes, &[]),
        ("a=\"b,c\", d", Quoting::Escapes, &["a=\"b,c\"", "d"]),
        (r#"a="b\",c", d"#, Quoting::Escapes, &[r#"a="b\",c""#, "d"]),
        (r#""a\", "b""#, Quoting::Literal, &[r#""a\""#, r#""b""#]),
        ("a=\"b, no-store", Quoting::Escapes, &["a=\"b", "no-store"]),
        (r#"a="b\"#, Quoting::Escapes, &[r#"a="b\"#]),
        ("\"", Quoting::Literal, &["\""]),
        ("ü,ö", Quoting::Literal, &["ü", "ö"]),
    ];
    for (text, quoting, wanted) in table {
        assert_eq!(split_list(text, quoting).collect::<Vec<_>>(), wanted, "{text}");
    }
}

#[test]
fn elements_come_from_all_lines_whatever_their_bytes() {
    let mut headers = map(&[("vary", "a, b"), ("vary", "c")]);
    headers.append("vary", HeaderValue::from_bytes(b"\xff, d").unwrap());
    let mut found = Vec::new();
    elements(&headers, "vary", Quoting::Literal, |element| found.push(element.to_owned()));
    assert_eq!(found, ["a", "b", "c", "\u{fffd}", "d"]);
}

proptest! {
    #[test]
    fn cutting_loses_nothing_but_blanks_and_commas(text in any::<String>()) {
        for quoting in [Quoting::Escapes, Quoting::Literal] {
            let whole: String = split_list(&text, quoting).collect();
            let bare = |text: &str| text.replace([',', ' ', '\t'], "");
            assert_eq!(bare(&whole), bare(&text));
        }
    }
}
