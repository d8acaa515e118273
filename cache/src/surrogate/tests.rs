use http::HeaderValue;

use super::{STRIPPED, TAG_BYTES_MAX, TAGS_MAX, is_tag, tags};
use crate::fields::tests::map;

#[test]
fn separators_by_field() {
    let table: [(&str, &str, &[&str], usize); 14] = [
        ("Surrogate-Key", "a b  c", &["a", "b", "c"], 0),
        ("Surrogate-Key", "a, b,c", &["a", "b", "c"], 0),
        ("xkey", "166412 234323,7", &["166412", "234323", "7"], 0),
        ("Cache-Tag", "a,b , c,,", &["a", "b", "c"], 0),
        ("Cache-Tag", "a b,c", &["c"], 1),
        ("X-Cache-Tags", "post-1,post-2", &["post-1", "post-2"], 0),
        ("X-Magento-Tags", "cat_p_1,cat_p", &["cat_p_1", "cat_p"], 0),
        ("Edge-Cache-Tag", "a,b", &["a", "b"], 0),
        ("Edge-Cache-Tag", "a b", &[], 1),
        ("Surrogate-Key", "\ta\t", &["a"], 0),
        ("Surrogate-Key", "", &[], 0),
        ("Surrogate-Key", " , ", &[], 0),
        ("Surrogate-Key", "a A a", &["a", "A"], 0),
        ("Surrogate-Key", "~!@#$%^&*()_+{}|:\"<>?", &["~!@#$%^&*()_+{}|:\"<>?"], 0),
    ];
    for (field, value, kept, refused) in table {
        let found = tags(&map(&[(field, value)]));
        assert_eq!(
            (found.kept.as_slice(), found.refused),
            (kept.map_strings().as_slice(), refused),
            "{field}: {value}"
        );
    }
}

trait Strings {
    fn map_strings(&self) -> Vec<String>;
}

impl Strings for &[&str] {
    fn map_strings(&self) -> Vec<String> {
        self.iter().map(|text| (*text).to_owned()).collect()
    }
}

#[test]
fn the_strongest_field_speaks_alone() {
    let mut fields: Vec<_> = STRIPPED.iter().map(|name| (*name, *name)).collect();
    while let Some((strongest, _)) = fields.first().copied() {
        assert_eq!(tags(&map(&fields)).kept, [strongest]);
        fields.remove(0);
    }
    assert_eq!(tags(&map(&[])).kept.len(), 0);
}

#[test]
fn lines_add_up() {
    let found = tags(&map(&[("surrogate-key", "a b"), ("surrogate-key", "b c")]));
    assert_eq!(found.kept, ["a", "b", "c"]);
}

#[test]
fn too_long_a_key_is_refused_and_not_cut() {
    let fits = "x".repeat(TAG_BYTES_MAX);
    let long = "y".repeat(TAG_BYTES_MAX + 1);
    let found = tags(&map(&[("surrogate-key", &format!("{fits} {long} z"))]));
    assert_eq!((found.kept, found.refused), (vec![fits, "z".to_owned()], 1));
}

#[test]
fn too_many_keys_are_counted() {
    let many: Vec<_> = (0..TAGS_MAX + 3).map(|i| format!("k{i}")).collect();
    let found = tags(&map(&[("surrogate-key", &many.join(" "))]));
    assert_eq!((found.kept.len(), found.refused), (TAGS_MAX, 3));
}

#[test]
fn bytes_beyond_ascii_are_refused_alone() {
    let mut headers = map(&[]);
    headers.insert("cache-tag", HeaderValue::from_bytes(b"a,\xff,\xc3\xbc,b").unwrap());
    let found = tags(&headers);
    assert_eq!((found.kept, found.refused), (vec!["a".to_owned(), "b".to_owned()], 2));
}

#[test]
fn what_can_be_a_key() {
    for tag in ["", "a b", "a,b", "a\tb", "ü", "a\u{7f}", "a\n"] {
        assert!(!is_tag(tag), "{tag:?}");
    }
    assert!(is_tag("loader"));
}
