use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::{
    CLIENT_CONDITIONS, Condition, client_condition, conditions, confirms, merge, not_modified_head,
    without_conditions,
};
use crate::{
    clock::Millis,
    fields::tests::{Fields, map},
    key::Key,
    stored::{Kind, Lifetime, Position, ResponseHead, Scopes, Stored},
};

const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const NEW: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

const LIFETIME: Lifetime = Lifetime {
    received: Millis(1000),
    initial_age_ms: 500,
    fresh_ms: 60_000,
    stale_while_revalidate_ms: 1,
    stale_if_error_ms: 2,
    always_validate: false,
    never_stale: true,
};

fn stored(fields: &[(&str, &str)]) -> Stored {
    Stored {
        key: Key { site: "s".into(), host: "h".into(), target: "/".into(), variant: "v".into() },
        head: head(200, fields),
        body: Bytes::from_static(b"body"),
        lifetime: LIFETIME,
        position: Position { epoch: 1, seq: 1 },
        scopes: Scopes { tags: vec!["old".into()], sources: vec![("h".into(), "/source".into())] },
        vary: vec!["accept".into()],
        codings: Vec::new(),
        kind: Kind::Response,
    }
}

fn head(status: u16, fields: &[(&str, &str)]) -> ResponseHead {
    ResponseHead { status: StatusCode::from_u16(status).unwrap(), headers: map(fields) }
}

/// A merge with a 304 that arrived at 9 s, 1 s old, with 5 s of freshness.
fn merged(stored: &Stored, fields: &[(&str, &str)]) -> Stored {
    let lifetime = Lifetime {
        received: Millis(9000),
        initial_age_ms: 1000,
        fresh_ms: 5000,
        stale_while_revalidate_ms: 0,
        stale_if_error_ms: 0,
        always_validate: true,
        never_stale: false,
    };
    merge(stored, &head(304, fields), lifetime, Position { epoch: 1, seq: 9 })
}

fn all(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[test]
fn a_clients_conditions_stay_here() {
    let mut request = map(&[("accept", "x"), ("cookie", "y")]);
    for name in CLIENT_CONDITIONS {
        request.append(name.clone(), HeaderValue::from_static("1"));
        request.append(name, HeaderValue::from_static("2"));
    }
    assert_eq!(without_conditions(&request), map(&[("accept", "x"), ("cookie", "y")]));
}

#[test]
fn an_origin_is_asked_with_what_is_stored() {
    let table: [(Fields<'_>, Fields<'_>); 4] = [
        (
            &[("etag", "\"v\""), ("last-modified", OLD)],
            &[("if-none-match", "\"v\""), ("if-modified-since", OLD)],
        ),
        (&[("etag", "W/\"v\"")], &[("if-none-match", "W/\"v\"")]),
        (&[("last-modified", OLD)], &[("if-modified-since", OLD)]),
        (&[("date", OLD)], &[]),
    ];
    for (fields, wanted) in table {
        assert_eq!(conditions(&stored(fields)), map(wanted), "{fields:?}");
    }
}

#[test]
fn a_304_with_another_tag_speaks_of_another_response() {
    let table = [
        (Some("\"a\""), Some("\"a\""), true),
        (Some("\"a\""), Some("W/\"a\""), true),
        (Some("\"a\""), None, true),
        (None, Some("\"a\""), true),
        (Some("\"a\""), Some("\"b\""), false),
        (Some("\"a\""), Some("\"A\""), false),
    ];
    for (own, sent, wanted) in table {
        let fields = |tag: Option<&'static str>| tag.map(|tag| ("etag", tag)).into_iter().collect::<Vec<_>>();
        assert_eq!(confirms(&stored(&fields(own)), &head(304, &fields(sent))), wanted, "{own:?} {sent:?}");
    }
}

#[test]
fn a_304_replaces_fields_and_leaves_others() {
    let old = stored(&[
        ("x-a", "1"),
        ("x-a", "2"),
        ("x-b", "3"),
        ("content-type", "text/plain"),
        ("etag", "\"v\""),
    ]);
    let new = merged(&old, &[("x-a", "4"), ("x-c", "5"), ("x-c", "6"), ("content-type", "text/html")]);
    assert_eq!(new.head.status, StatusCode::OK);
    let wanted: [(&str, &[&str]); 5] = [
        ("x-a", &["4"]),
        ("x-b", &["3"]),
        ("x-c", &["5", "6"]),
        ("content-type", &["text/html"]),
        ("etag", &["\"v\""]),
    ];
    for (name, values) in wanted {
        assert_eq!(all(&new.head.headers, name), values, "{name}");
    }
}

#[test]
fn what_describes_the_bytes_is_not_replaced() {
    for name in ["content-length", "content-encoding", "content-range"] {
        let new = merged(&stored(&[(name, "old")]), &[(name, "new")]);
        assert_eq!(all(&new.head.headers, name), ["old"], "{name}");
        assert!(merged(&stored(&[]), &[(name, "new")]).head.headers.is_empty(), "{name}");
    }
}

#[test]
fn what_is_not_stored_is_not_merged() {
    let fields = [
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("age", "5"),
        ("cdn-cache-control", "max-age=1"),
        ("xkey", "t"),
    ];
    assert!(merged(&stored(&[]), &fields).head.headers.is_empty());
}

#[test]
fn body_key_variant_and_sources_stay_and_the_position_moves() {
    let new = merged(&stored(&[]), &[("vary", "cookie")]);
    assert_eq!((&*new.body, &*new.key.variant, new.vary), (&b"body"[..], "v", vec!["accept".to_owned()]));
    assert_eq!(
        new.scopes,
        Scopes { tags: vec!["old".into()], sources: vec![("h".into(), "/source".into())] }
    );
    assert_eq!(new.position, Position { epoch: 1, seq: 9 });
}

#[test]
fn surrogate_keys_follow_a_304_that_names_some() {
    assert_eq!(merged(&stored(&[]), &[("surrogate-key", "new more")]).scopes.tags, ["new", "more"]);
    assert!(merged(&stored(&[]), &[("surrogate-key", "")]).scopes.tags.is_empty());
}

#[test]
fn freshness_follows_a_304_that_speaks_of_it() {
    for field in
        ["cache-control", "expires", "cdn-cache-control", "overfall-cache-control", "surrogate-control"]
    {
        let found = merged(&stored(&[]), &[(field, "x")]).lifetime;
        assert_eq!(
            (found.fresh_ms, found.always_validate, found.never_stale),
            (5000, true, false),
            "{field}"
        );
    }
}

#[test]
fn a_304_without_freshness_starts_the_stored_rules_again() {
    let found = merged(&stored(&[]), &[("date", OLD)]).lifetime;
    assert_eq!(found, Lifetime { received: Millis(9000), initial_age_ms: 1000, ..LIFETIME });
}

fn condition(request: &[(&str, &str)], response: &[(&str, &str)]) -> Condition {
    client_condition(&map(request), &head(200, response), &Method::GET)
}

#[test]
fn if_none_match_compares_weakly() {
    use Condition::{NotModified, Proceed};
    let table = [
        ("\"a\"", "\"a\"", NotModified),
        ("W/\"a\"", "\"a\"", NotModified),
        ("\"a\"", "W/\"a\"", NotModified),
        ("W/\"a\"", "W/\"a\"", NotModified),
        ("\"x\", \"a\"", "\"a\"", NotModified),
        ("\"x\",W/\"a\"", "\"a\"", NotModified),
        ("*", "\"a\"", NotModified),
        ("\"a,b\"", "\"a,b\"", NotModified),
        ("\"a\\\", \"b\"", "\"b\"", NotModified),
        ("\"b\"", "\"a\"", Proceed),
        ("\"A\"", "\"a\"", Proceed),
        ("a", "\"a\"", Proceed),
        ("\"a", "\"a\"", Proceed),
        ("w/\"a\"", "\"a\"", Proceed),
        ("W/W/\"a\"", "\"a\"", Proceed),
        ("\"x,\"a\"\"", "\"a\"", Proceed),
        ("", "\"a\"", Proceed),
        ("\"*\"", "\"a\"", Proceed),
    ];
    for (asked, own, wanted) in table {
        assert_eq!(condition(&[("if-none-match", asked)], &[("etag", own)]), wanted, "{asked} of {own}");
    }
}

#[test]
fn if_none_match_over_several_lines() {
    let request = [("if-none-match", "\"x\""), ("if-none-match", "\"a\"")];
    assert_eq!(condition(&request, &[("etag", "\"a\"")]), Condition::NotModified);
}

#[test]
fn without_a_tag_only_the_star_matches() {
    assert_eq!(condition(&[("if-none-match", "\"a\"")], &[]), Condition::Proceed);
    assert_eq!(condition(&[("if-none-match", "*")], &[]), Condition::NotModified);
}

#[test]
fn if_none_match_shadows_if_modified_since() {
    let response = [("etag", "\"a\""), ("last-modified", OLD)];
    let both = |tag| [("if-none-match", tag), ("if-modified-since", NEW)];
    assert_eq!(condition(&both("\"b\""), &response), Condition::Proceed);
    assert_eq!(
        condition(&[("if-none-match", "\"a\""), ("if-modified-since", OLD)], &response),
        Condition::NotModified
    );
    assert_eq!(condition(&both("\"b\""), &[("last-modified", OLD)]), Condition::Proceed);
}

#[test]
fn if_modified_since_compares_dates() {
    use Condition::{NotModified, Proceed};
    let rfc850 = "Sunday, 06-Nov-94 08:49:37 GMT";
    let table: [(&str, Fields<'_>, Condition); 9] = [
        (OLD, &[("last-modified", OLD)], NotModified),
        (NEW, &[("last-modified", OLD)], NotModified),
        (rfc850, &[("last-modified", OLD)], NotModified),
        (OLD, &[("last-modified", NEW)], Proceed),
        (OLD, &[("date", OLD)], NotModified),
        (OLD, &[("date", NEW)], Proceed),
        (OLD, &[("last-modified", NEW), ("date", OLD)], Proceed),
        ("yesterday", &[("last-modified", OLD)], Proceed),
        (OLD, &[], Proceed),
    ];
    for (since, fields, wanted) in table {
        assert_eq!(condition(&[("if-modified-since", since)], fields), wanted, "{since} of {fields:?}");
    }
    let twice = [("if-modified-since", NEW), ("if-modified-since", NEW)];
    assert_eq!(condition(&twice, &[("last-modified", OLD)]), Proceed, "two dates are no date");
}

#[test]
fn conditions_are_for_get_and_head_and_success() {
    let request = map(&[("if-none-match", "*")]);
    for (method, status, wanted) in [
        (Method::GET, 200, Condition::NotModified),
        (Method::HEAD, 200, Condition::NotModified),
        (Method::GET, 203, Condition::NotModified),
        (Method::POST, 200, Condition::Proceed),
        (Method::GET, 404, Condition::Proceed),
        (Method::GET, 301, Condition::Proceed),
        (Method::GET, 503, Condition::Proceed),
    ] {
        assert_eq!(
            client_condition(&request, &head(status, &[("etag", "\"a\"")]), &method),
            wanted,
            "{method} {status}"
        );
    }
}

#[test]
fn an_origins_conditions_are_not_judged_here() {
    let request = [("if-match", "\"b\""), ("if-unmodified-since", OLD)];
    assert_eq!(condition(&request, &[("etag", "\"a\""), ("last-modified", NEW)]), Condition::Proceed);
}

#[test]
fn a_304_keeps_what_guides_and_drops_what_describes() {
    let kept = [
        "content-location",
        "date",
        "etag",
        "vary",
        "cache-control",
        "expires",
        "last-modified",
        "access-control-allow-origin",
        "content-security-policy",
        "strict-transport-security",
        "link",
    ];
    let dropped = [
        "content-type",
        "content-length",
        "content-encoding",
        "content-language",
        "content-range",
        "content-md5",
        "content-disposition",
        "content-digest",
        "repr-digest",
        "accept-ranges",
        "set-cookie",
    ];
    for name in kept {
        assert_eq!(
            not_modified_head(&head(200, &[(name, "x"), (name, "y")])).headers.get_all(name).iter().count(),
            2,
            "{name}"
        );
    }
    for name in dropped {
        assert!(not_modified_head(&head(200, &[(name, "x"), (name, "y")])).headers.is_empty(), "{name}");
    }
    assert_eq!(not_modified_head(&head(200, &[])).status, StatusCode::NOT_MODIFIED);
}
