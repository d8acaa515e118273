use std::borrow::Cow;

use overfall_config::QueryRule;
use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};

use super::{canonical, normalise};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn all_parameters() {
    let table = [
        ("/", "/"),
        ("", "/"),
        ("a", "/a"),
        ("?a=1", "/?a=1"),
        ("/a", "/a"),
        ("/a?", "/a"),
        ("/a?&", "/a"),
        ("/a?b=2&a=1&b=1", "/a?b=2&a=1&b=1"),
        ("/a?&b&&c=", "/a?b&c="),
        ("/a?b=?c", "/a?b=?c"),
        ("/a#b", "/a"),
        ("/a?b#c?d", "/a?b"),
        ("/a#?b", "/a"),
        ("/a%2fb%3F?c=%c3%bc", "/a%2Fb%3F?c=%C3%BC"),
        ("/a%2Fb", "/a%2Fb"),
        ("/%41", "/A"),
        ("/%7e%2D", "/~-"),
        ("/a//b/../c/.", "/a//b/../c/."),
        ("/A/ü", "/A/%C3%BC"),
        ("/%", "/%25"),
        ("/%a", "/%25a"),
        ("/%az", "/%25az"),
        ("/%%aa", "/%25%AA"),
        ("/%4%31", "/%2541"),
        ("/%aaa", "/%AAa"),
        ("/%ü", "/%25%C3%BC"),
        ("/?%a&b", "/?%25a&b"),
        ("*", "/*"),
    ];
    for (target, wanted) in table {
        assert_eq!(normalise(target, &QueryRule::All), wanted, "{target}");
    }
}

#[test]
fn no_parameters() {
    for target in ["/a", "/a?", "/a?b", "/a?b=1&c#d"] {
        assert_eq!(normalise(target, &QueryRule::None), "/a", "{target}");
    }
}

#[test]
fn ignored_parameters() {
    let rule = QueryRule::Ignore(names(&["utm_source", "a b", ""]));
    let table = [
        ("/?utm_source=x", "/"),
        ("/?utm_source", "/"),
        ("/?utm%5fsource=x&a=1", "/?a=1"),
        ("/?UTM_source=x", "/?UTM_source=x"),
        ("/?utm_source2=x", "/?utm_source2=x"),
        ("/?x=utm_source", "/?x=utm_source"),
        ("/?a+b=1&a%20b=2&c", "/?c"),
        ("/?=1&c", "/?c"),
        ("/?b=2&utm_source=x&a=1", "/?b=2&a=1"),
    ];
    for (target, wanted) in table {
        assert_eq!(normalise(target, &rule), wanted, "{target}");
    }
}

#[test]
fn allowed_parameters() {
    let rule = QueryRule::Allow(names(&["v", "w"]));
    let table = [
        ("/?v=1", "/?v=1"),
        ("/?w=2&x=3&v=1&v", "/?w=2&v=1&v"),
        ("/?%76=1", "/?v=1"),
        ("/?V=1", "/"),
        ("/?x=v", "/"),
        ("/?vv=1", "/"),
    ];
    for (target, wanted) in table {
        assert_eq!(normalise(target, &rule), wanted, "{target}");
    }
    assert_eq!(normalise("/?a", &QueryRule::Allow(Vec::new())), "/");
}

#[test]
fn what_is_canonical_is_not_copied() {
    for (target, is_borrowed) in
        [("/a", true), ("/a?b=1&c", true), ("/a?", false), ("/a%2F", false), ("a", false)]
    {
        assert_eq!(matches!(canonical(target, &QueryRule::All), Cow::Borrowed(_)), is_borrowed, "{target}");
    }
}

fn rules() -> impl Strategy<Value = QueryRule> {
    let names = || prop::collection::vec("[a-c%+]{0,3}", 0..3);
    prop_oneof![
        proptest::strategy::Just(QueryRule::All),
        proptest::strategy::Just(QueryRule::None),
        names().prop_map(QueryRule::Ignore),
        names().prop_map(QueryRule::Allow),
    ]
}

proptest! {
    #[test]
    fn twice_is_once(target in prop_oneof!["[a-f%0-9/?&=#+]{0,40}", any::<String>()], rule in rules()) {
        let once = normalise(&target, &rule);
        assert_eq!(normalise(&once, &rule), once);
        assert_eq!(canonical(&target, &rule), once);
        assert!(once.starts_with('/') && !once.contains('#'));
        assert!(once.split_once('?').is_none_or(|(_, query)| !query.is_empty()), "no empty query");
    }

    #[test]
    fn a_purge_finds_what_a_request_asked_for(path in "/[a-c%2f]{0,8}", query in "[a-c=&%]{0,12}", rule in rules()) {
        let request = normalise(&format!("{path}?{query}"), &rule);
        let purge = normalise(&format!("{path}?{query}#fragment"), &rule);
        assert_eq!(request, purge);
    }
}
