use http::HeaderValue;
use proptest::prelude::proptest;

use super::{NAMES_MAX, VARIANT_BYTES_MAX, Vary, names, variant};
use crate::fields::tests::map;

fn vary(lines: &[&str]) -> Vary {
    names(&map(&lines.iter().map(|line| ("vary", *line)).collect::<Vec<_>>()))
}

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn reads_names() {
    let table: [(&[&str], Vary); 8] = [
        (&[], Vary::None),
        (&[""], Vary::None),
        (&[" , ,"], Vary::None),
        (&["Accept"], Vary::Names(list(&["accept"]))),
        (&["b, A,b"], Vary::Names(list(&["a", "b"]))),
        (&["b", "a"], Vary::Names(list(&["a", "b"]))),
        (&["*"], Vary::Star),
        (&["accept", "x, *"], Vary::Star),
    ];
    for (lines, wanted) in table {
        assert_eq!(vary(lines), wanted, "{lines:?}");
    }
}

#[test]
fn what_is_not_a_name_is_a_star() {
    for value in ["accept cookie", "a;b", "\"accept\"", "a:b", "accept, (x)"] {
        assert_eq!(vary(&[value]), Vary::Star, "{value}");
    }
    let mut headers = map(&[]);
    headers.insert("vary", HeaderValue::from_bytes(b"accept, \xff").unwrap());
    assert_eq!(names(&headers), Vary::Star);
}

#[test]
fn too_many_names_are_a_star() {
    let many = |n: usize| (0..n).map(|i| format!("x-{i}")).collect::<Vec<_>>().join(",");
    assert!(matches!(vary(&[&many(NAMES_MAX)]), Vary::Names(names) if names.len() == NAMES_MAX));
    assert_eq!(vary(&[&many(NAMES_MAX + 1)]), Vary::Star);
}

fn codings(value: &str) -> String {
    variant(&list(&["accept-encoding"]), &map(&[("accept-encoding", value)]))
}

#[test]
fn accept_encoding_is_a_set() {
    let table = [
        ("gzip, deflate, br, zstd", "br,deflate,gzip,zstd"),
        ("zstd;q=0.1,br;q=1.0, GZIP", "br,gzip,zstd"),
        ("br, br;q=0.5", "br"),
        ("gzip;q=0", ""),
        ("gzip; q=0.000, br", "br"),
        ("gzip;Q=0", ""),
        ("gzip;q=0.001", "gzip"),
        ("gzip;q=x", "gzip"),
        ("x-gzip", "gzip"),
        ("identity", ""),
        ("identity;q=0, br", "br"),
        ("*", "*,br,gzip,zstd"),
        ("*, br;q=0", "*,gzip,zstd"),
        ("*;q=0, br", "br"),
        ("dcb", "dcb"),
        ("", ""),
    ];
    for (value, wanted) in table {
        assert_eq!(codings(value), format!("accept-encoding={wanted}"), "{value}");
    }
}

#[test]
fn no_accept_encoding_is_like_an_empty_one() {
    assert_eq!(variant(&list(&["accept-encoding"]), &map(&[])), codings(""));
}

#[test]
fn languages_are_compared_by_weight_without_case_and_blanks() {
    let name = list(&["accept-language"]);
    let language = |value| variant(&name, &map(&[("accept-language", value)]));
    assert_eq!(language("de-AT , en;q=0.5"), language("de-at,EN; q=0.5"));
    assert_eq!(language("de, en"), language("en, de"));
    assert_eq!(language("en;q=0.50,de"), language("de;q=1.000 , en; Q=0.5"));
    assert_ne!(language("de, en;q=0.9"), language("en, de;q=0.9"));
    assert_ne!(language("de;q=0.5"), language("de;q=0.6"));
    assert_ne!(language("de;q=0"), language("de"));
    assert_ne!(language(""), variant(&name, &map(&[])));
}

#[test]
fn other_fields_are_compared_but_for_blanks() {
    let cookie = |fields: &[(&str, &str)]| variant(&list(&["cookie"]), &map(fields));
    assert_eq!(cookie(&[("cookie", "a=b;  c=d")]), cookie(&[("cookie", "a=b;\tc=d")]));
    assert_eq!(cookie(&[("cookie", "a"), ("cookie", "b")]), cookie(&[("cookie", "a,b")]));
    assert_ne!(cookie(&[("cookie", "A=b")]), cookie(&[("cookie", "a=b")]));
    assert_ne!(cookie(&[("cookie", "")]), cookie(&[]));
}

#[test]
fn a_favourite_language_is_one_that_no_other_equals() {
    let favourite = |value| super::favourite_language(&map(&[("accept-language", value)]));
    for (value, wanted) in [
        ("fr;q=0.5, de;q=1.0", Some("de")),
        ("DE, en;q=0.9", Some("de")),
        ("de;q=0.3", Some("de")),
        ("en, de", None),
        ("*", None),
        ("de;q=0", None),
        ("", None),
    ] {
        assert_eq!(favourite(value).as_deref(), wanted, "{value}");
    }
    assert_eq!(super::favourite_language(&map(&[])), None);
}

#[test]
fn lists_are_compared_but_for_lines_and_blanks() {
    let foo = |fields: &[(&str, &str)]| variant(&list(&["foo"]), &map(fields));
    assert_eq!(foo(&[("foo", "1, 2")]), foo(&[("foo", "1"), ("foo", "2")]));
    assert_eq!(foo(&[("foo", "1,2")]), foo(&[("foo", " 1 ,\t2 ")]));
    assert_ne!(foo(&[("foo", "1,2")]), foo(&[("foo", "2,1")]), "order may matter");
    assert_ne!(foo(&[("foo", "\"1, 2\"")]), foo(&[("foo", "\"1,2\"")]), "text is not touched");
    let agent = |value| variant(&list(&["user-agent"]), &map(&[("user-agent", value)]));
    assert_ne!(agent("a, b"), agent("a,b"), "no list");
}

#[test]
fn bytes_that_are_no_text_are_told_apart() {
    let foo = |bytes: &[u8]| {
        let mut headers = map(&[]);
        headers.insert("foo", HeaderValue::from_bytes(bytes).unwrap());
        variant(&list(&["foo"]), &headers)
    };
    assert_ne!(foo(b"\xfe"), foo(b"\xff"));
}

#[test]
fn no_names_no_variant() {
    assert_eq!(variant(&[], &map(&[("accept", "x")])), "");
}

#[test]
fn fields_that_are_not_named_do_not_matter() {
    let names = list(&["accept"]);
    assert_eq!(
        variant(&names, &map(&[("accept", "x"), ("cookie", "y")])),
        variant(&names, &map(&[("accept", "x")]))
    );
}

#[test]
fn no_value_poses_as_another_field() {
    let names = list(&["x-a", "x-b"]);
    let one = variant(&names, &map(&[("x-a", "1;x-b=2"), ("x-b", "3")]));
    let two = variant(&names, &map(&[("x-a", "1"), ("x-b", "2;x-b=3")]));
    assert_ne!(one, two);
}

#[test]
fn long_variants_are_hashed_and_stay_apart() {
    let names = list(&["cookie"]);
    let cookie =
        |n: usize, end: &str| variant(&names, &map(&[("cookie", &format!("{}{end}", "x".repeat(n)))]));
    let most = VARIANT_BYTES_MAX - "cookie=".len();
    assert_eq!(cookie(most, "").len(), VARIANT_BYTES_MAX);
    assert_eq!(cookie(most + 1, "").len(), 65);
    assert_ne!(cookie(9000, "a"), cookie(9000, "b"));
    assert_eq!(cookie(9000, "a"), cookie(9000, "a"));
}

proptest! {
    #[test]
    fn any_request_has_a_short_variant(encoding in "[ -~]{0,80}", cookie in "[ -~]{0,400}") {
        let request = map(&[("accept-encoding", &encoding), ("cookie", &cookie)]);
        assert!(variant(&list(&["accept-encoding", "accept-language", "cookie"]), &request).len() <= VARIANT_BYTES_MAX);
    }

    #[test]
    fn the_order_and_weights_of_codings_do_not_matter(flip in proptest::bool::ANY, weight in 1_u16..1000) {
        let (a, b) = (format!("br;q=0.{weight:03}"), "gzip".to_owned());
        let value = if flip { format!("{b}, {a}") } else { format!("{a},{b}") };
        assert_eq!(codings(&value), codings("gzip, br"));
    }
}
