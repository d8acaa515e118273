//! Next's own checks in their order, word by word.

use super::*;

fn read(query: &str) -> Result<Parsed, Refusal> {
    parse(&format!("/_next/image{query}"), &Rules::default())
}

#[test]
fn the_default_loader_is_understood() {
    for query in [
        "?url=%2Fa%2Fpic.jpg&w=640&q=75",
        "?w=640&q=75&url=%2Fa%2Fpic.jpg",
        "?url=/a/pic.jpg&w=0640&q=75&dpl=dpl_9&x=1",
    ] {
        let parsed = read(query).unwrap();
        assert_eq!(parsed.transform.to_string(), "w=640,fit=scale-down,q=75,f=auto", "{query}");
        assert_eq!(parsed.source, Source::Path("/a/pic.jpg".into()), "{query}");
    }
    let remote = read("?url=https%3A%2F%2Fh.example%2Fa.jpg%3Fv%3D1%26x%3D%2520&w=16&q=75");
    assert!(remote.is_err(), "16 is not among the widths");
    let remote = read("?url=https%3A%2F%2Fh.example%2Fa.jpg%3Fv%3D1%26x%3D%2520&w=32&q=75").unwrap();
    assert_eq!(remote.source.path_and_query(), "/a.jpg?v=1&x=%20");
}

#[test]
fn refusals_have_nexts_words() {
    let long = format!("?url=/{}&w=640&q=75", "a".repeat(3_072));
    for (query, body) in [
        ("", "\"url\" parameter is required"),
        ("?url=&w=640&q=75", "\"url\" parameter is required"),
        ("?url=/a&url=/b&w=640&q=75", "\"url\" parameter cannot be an array"),
        (long.as_str(), "\"url\" parameter is too long"),
        ("?url=//h.example/a&w=640&q=75", "\"url\" parameter cannot be a protocol-relative URL (//)"),
        ("?url=/_next/image%3Furl=/a&w=640&q=75", "\"url\" parameter cannot be recursive"),
        ("?url=/x/%255Fnext/image&w=640&q=75", "\"url\" parameter cannot be recursive"),
        ("?url=a.jpg&w=640&q=75", "\"url\" parameter is invalid"),
        ("?url=ftp://h.example/a&w=640&q=75", "\"url\" parameter is invalid"),
        ("?url=https://&w=640&q=75", "\"url\" parameter is invalid"),
        ("?url=/a/../b&w=640&q=75", "\"url\" parameter is invalid"),
        ("?url=/a&q=75", "\"w\" parameter (width) is required"),
        ("?url=/a&w=&q=75", "\"w\" parameter (width) is required"),
        ("?url=/a&w=1&w=2&q=75", "\"w\" parameter (width) cannot be an array"),
        ("?url=/a&w=6.4&q=75", "\"w\" parameter (width) must be an integer greater than 0"),
        ("?url=/a&w=-640&q=75", "\"w\" parameter (width) must be an integer greater than 0"),
        ("?url=/a&w=0&q=75", "\"w\" parameter (width) must be an integer greater than 0"),
        ("?url=/a&w=641&q=75", "\"w\" parameter (width) of 641 is not allowed"),
        ("?url=/a&w=00641&q=75", "\"w\" parameter (width) of 641 is not allowed"),
        ("?url=/a&w=99999999999&q=75", "\"w\" parameter (width) of 99999999999 is not allowed"),
        ("?url=/a&w=640", "\"q\" parameter (quality) is required"),
        ("?url=/a&w=640&q=1&q=2", "\"q\" parameter (quality) cannot be an array"),
        ("?url=/a&w=640&q=high", "\"q\" parameter (quality) must be an integer between 1 and 100"),
        ("?url=/a&w=640&q=0", "\"q\" parameter (quality) must be an integer between 1 and 100"),
        ("?url=/a&w=640&q=101", "\"q\" parameter (quality) must be an integer between 1 and 100"),
        ("?url=/a&w=640&q=80", "\"q\" parameter (quality) of 80 is not allowed"),
        // their order
        ("?w=0&q=0", "\"url\" parameter is required"),
        ("?url=/a&w=0&q=x", "\"q\" parameter (quality) must be an integer between 1 and 100"),
        ("?url=/a&w=641&q=0", "\"w\" parameter (width) of 641 is not allowed"),
    ] {
        let refusal = read(query).expect_err(query);
        assert_eq!((refusal.status, refusal.body.as_str()), (400, body), "{query}");
    }
}

#[test]
fn paths_that_only_look_recursive_are_sources() {
    assert!(read("?url=/_next/images/a.png&w=640&q=75").is_ok());
    assert!(read("?url=/_next/static/media/a.png&w=640&q=75").is_ok());
}

#[test]
fn an_empty_list_of_qualities_allows_all() {
    let next = NextRules { qualities: Vec::new(), widths: vec![100] };
    let rules = Rules { next, ..Rules::default() };
    assert!(parse("/_next/image?url=/a&w=100&q=33", &rules).is_ok());
    assert!(parse("/_next/image?url=/a&w=640&q=33", &rules).is_err());
}
