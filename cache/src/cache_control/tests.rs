use http::HeaderValue;

use super::{Directives, RequestDirectives, SECONDS_MAX, request, response};
use crate::fields::tests::map;

fn general(value: &str) -> Directives {
    response(&map(&[("cache-control", value)]))
}

#[test]
fn reads_every_directive() {
    let found = general(
        "no-store, no-cache, private, public, must-revalidate, proxy-revalidate, must-understand, immutable, \
         max-age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4, unknown=5, other",
    );
    let wanted = Directives {
        no_store: true,
        no_cache: true,
        private: true,
        public: true,
        must_revalidate: true,
        proxy_revalidate: true,
        must_understand: true,
        immutable: true,
        max_age_s: Some(1),
        s_maxage_s: Some(2),
        stale_while_revalidate_s: Some(3),
        stale_if_error_s: Some(4),
        is_targeted: false,
    };
    assert_eq!(found, wanted);
}

#[test]
fn max_age_is_tolerant_but_never_fresher_than_meant() {
    let table = [
        ("max-age=60", Some(60)),
        ("MAX-AGE=60", Some(60)),
        ("max-age=\"60\"", Some(60)),
        ("max-age=0060", Some(60)),
        ("max-age=60, max-age=1", Some(1)),
        ("max-age=1, max-age=60", Some(1)),
        ("max-age=60, max-age=x", Some(0)),
        ("max-age=2147483648", Some(SECONDS_MAX)),
        ("max-age=2147483649", Some(SECONDS_MAX)),
        ("max-age=99999999999999999999999999", Some(SECONDS_MAX)),
        ("max-age", Some(0)),
        ("max-age=", Some(0)),
        ("max-age=\"\"", Some(0)),
        ("max-age=-1", Some(0)),
        ("max-age=+1", Some(0)),
        ("max-age=1.5", Some(0)),
        ("max-age=60.0", Some(0)),
        ("max-age=a60", Some(0)),
        ("max-age=60a", Some(0)),
        ("max-age='60'", Some(0)),
        ("max-age=\"60", Some(0)),
        ("max-age =60", Some(0)),
        ("max-age= 60", Some(0)),
        ("x=\"max-age=60\"", None),
        ("x=\"max-age=60\", max-age=1", Some(1)),
        ("max-age=1, x=\"max-age=60\"", Some(1)),
        ("max-ages=60", None),
        ("", None),
        (",,,", None),
    ];
    for (value, wanted) in table {
        assert_eq!(general(value).max_age_s, wanted, "{value}");
    }
}

#[test]
fn lines_are_one_list() {
    let found = response(&map(&[("cache-control", "max-age=60"), ("cache-control", "max-age=5, no-cache")]));
    assert_eq!((found.max_age_s, found.no_cache), (Some(5), true));
}

#[test]
fn an_open_quote_hides_nothing() {
    let found = general("max-age=60, x=\"open, no-store");
    assert!(found.no_store);
}

#[test]
fn bytes_beyond_ascii_hide_nothing() {
    let mut headers = map(&[]);
    headers.insert("cache-control", HeaderValue::from_bytes(b"x=\xfc, no-store").unwrap());
    assert!(response(&headers).no_store);
}

#[test]
fn qualified_forms_count_as_unqualified() {
    assert!(general("private=\"set-cookie\"").private);
    assert!(general("no-cache=\"set-cookie, x\", max-age=5").no_cache);
}

#[test]
fn a_window_without_length_is_left_to_the_site() {
    let found = general("max-age=1, stale-while-revalidate, stale-if-error");
    assert_eq!((found.stale_while_revalidate_s, found.stale_if_error_s), (None, None));
    let found = general("max-age=1, stale-while-revalidate=x, stale-if-error=-1");
    assert_eq!((found.stale_while_revalidate_s, found.stale_if_error_s), (Some(0), Some(0)));
}

#[test]
fn s_maxage_counts_before_max_age() {
    assert_eq!(general("max-age=1, s-maxage=60").fresh_s(), Some(60));
    assert_eq!(general("max-age=60, s-maxage=0").fresh_s(), Some(0));
}

#[test]
fn the_strongest_field_wins_whole() {
    let all = [
        ("overfall-cache-control", "max-age=1"),
        ("cdn-cache-control", "max-age=2"),
        ("surrogate-control", "max-age=3"),
        ("cache-control", "max-age=4, no-store"),
    ];
    for (from, wanted) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
        let found = response(&map(&all[from..]));
        assert_eq!(found.max_age_s, Some(wanted));
        assert_eq!(found.no_store, wanted == 4, "nothing leaks from the weaker field");
        assert_eq!(found.is_targeted, wanted != 4);
    }
}

#[test]
fn an_invalid_targeted_field_counts_as_absent() {
    let bad = [
        "",
        " ",
        "max-age =60",
        "max-age= 60",
        "Max-Age=60",
        "max-age=60, &&&",
        "max-age=\"60\"",
        "max-age=1.5",
        "max-age",
        "max-age=x",
        "max-age=60,",
        "stale-if-error=\"1\", max-age=60",
    ];
    for value in bad {
        let found = response(&map(&[("cdn-cache-control", value), ("cache-control", "max-age=7")]));
        assert_eq!((found.max_age_s, found.is_targeted), (Some(7), false), "{value:?}");
    }
}

#[test]
fn an_invalid_targeted_field_lets_the_next_one_speak() {
    let found = response(&map(&[("overfall-cache-control", "&"), ("cdn-cache-control", "max-age=2")]));
    assert_eq!(found.max_age_s, Some(2));
}

#[test]
fn targeted_fields_follow_the_structured_syntax() {
    let table = [
        ("max-age=60", Some(60)),
        ("foobar, max-age=60", Some(60)),
        ("max-age=60;note=\"a, b\"", Some(60)),
        ("max-age=1, max-age=60", Some(60)),
        ("max-age=-5", Some(0)),
        ("max-age=99999999999", Some(SECONDS_MAX)),
        ("no-store=?0, public", None),
    ];
    for (value, wanted) in table {
        let found = response(&map(&[("cdn-cache-control", value)]));
        assert!(found.is_targeted && !found.no_store, "{value}");
        assert_eq!(found.max_age_s, wanted, "{value}");
    }
}

#[test]
fn lines_of_a_targeted_field_are_one_dictionary() {
    let found =
        response(&map(&[("cdn-cache-control", "max-age=60"), ("cdn-cache-control", "must-revalidate")]));
    assert_eq!((found.max_age_s, found.must_revalidate), (Some(60), true));
}

#[test]
fn targeted_refusals_count() {
    let found = response(&map(&[("cdn-cache-control", "private, no-cache=\"x\", no-store")]));
    assert!(found.private && found.no_cache && found.no_store);
}

#[test]
fn surrogate_control_beats_no_store_but_not_private() {
    let found =
        response(&map(&[("surrogate-control", "max-age=60"), ("cache-control", "no-store, private")]));
    assert_eq!((found.max_age_s, found.no_store, found.private), (Some(60), false, true));
}

#[test]
fn surrogate_control_without_a_known_word_says_nothing() {
    let found =
        response(&map(&[("surrogate-control", "content=\"ESI/1.0\""), ("cache-control", "max-age=7")]));
    assert_eq!((found.max_age_s, found.is_targeted), (Some(7), false));
}

#[test]
fn nothing_says_nothing() {
    assert_eq!(response(&map(&[])), Directives::default());
    assert_eq!(request(&map(&[])), RequestDirectives::default());
}

#[test]
fn reads_requests() {
    let found = request(&map(&[
        ("cache-control", "Only-If-Cached, no-cache"),
        ("cache-control", "no-store,max-age=0, min-fresh=1, max-stale=9"),
        ("cache-control", "min-fresh=3, max-stale, min-fresh=2"),
    ]));
    let wanted = RequestDirectives {
        only_if_cached: true,
        no_store: true,
        no_cache: true,
        max_age_s: Some(0),
        min_fresh_s: Some(3),
        max_stale_s: Some(9),
        is_trusted: false,
    };
    assert_eq!(found, wanted);
}

#[test]
fn a_request_can_not_claim_trust() {
    assert!(!request(&map(&[("cache-control", "is-trusted, trusted, is_trusted=1")])).is_trusted);
}
