use super::{Extent, Framing, Simple, extent, framing, simple};
use crate::admission;

const PLAIN: Simple<'static> = Simple {
    is_head: false,
    target: "/a?b=c",
    host: "h.example",
    accept_encoding: None,
    agent: None,
    referrer: None,
    closes: false,
};

fn get(fields: &str) -> String {
    format!("GET /a?b=c HTTP/1.1\r\nHost: h.example\r\n{fields}\r\n")
}

#[test]
fn simple_requests_are_read_whole() {
    let head = get("");
    assert_eq!(simple(head.as_bytes()), Some((PLAIN, head.len())));
    let full = "HEAD /a?b=c HTTP/1.1\r\nhOST:h.example:8080 \r\nUser-Agent: a b\r\nReferer: https://r/\r\n\
                Accept-Encoding: gzip, br\r\nConnection: Close\r\nX-Other: \u{fc}\r\n\r\n";
    let expected = Simple {
        is_head: true,
        accept_encoding: Some(b"gzip, br"),
        agent: Some("a b"),
        referrer: Some("https://r/"),
        closes: true,
        ..PLAIN
    };
    let with_next = format!("{full}GET /next");
    assert_eq!(simple(with_next.as_bytes()), Some((expected, full.len())));
}

#[test]
fn every_part_of_a_head_is_partial() {
    let head = get("User-Agent: a\r\n");
    for cut in 0..head.len() {
        let part = head.get(..cut).unwrap().as_bytes();
        assert_eq!(simple(part), None, "{cut}");
        assert_eq!(extent(part), Extent::Partial, "{cut}");
    }
    assert_eq!(extent(head.as_bytes()), Extent::Whole(head.len()));
}

#[test]
fn demands_are_not_simple() {
    for field in [
        "Authorization: Basic a",
        "Cache-Control: no-cache",
        "Pragma: no-cache",
        "Range: bytes=0-1",
        "If-Range: \"1\"",
        "If-None-Match: *",
        "If-Modified-Since: x",
        "If-Match: *",
        "If-Unmodified-Since: x",
        "Expect: 100-continue",
        "Upgrade: websocket",
        "Connection: upgrade",
        "Connection: close, x-a",
        "Connection: close\r\nConnection: x-a",
        "Content-Length: 0",
        "Transfer-Encoding: chunked",
        "TE: trailers",
        "CDN-Loop: overfall",
        "Host: h.example",
        "Accept-Encoding: br\r\nAccept-Encoding: gzip",
    ] {
        for field in [field.to_owned(), field.to_ascii_uppercase(), field.to_ascii_lowercase()] {
            assert_eq!(simple(get(&format!("{field}\r\n")).as_bytes()), None, "{field}");
        }
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_not_simple() {
    for field in [
        "X-A: 1\r\n folded",
        "X-A : 1",
        " X-A: 1",
        "X-A: 1\r2",
        "X-A: a\0b",
        "X-A: 1\nX-B: 2",
        "no colon",
        ": no name",
        "X\u{e9}: 1",
        "X-A: \u{7f}",
    ] {
        assert_eq!(simple(get(&format!("{field}\r\n")).as_bytes()), None, "{field:?}");
    }
    for line in [
        "GET /a HTTP/1.0",
        "GET /a HTTP/1.1 ",
        "GET  /a HTTP/1.1",
        "GET\t/a HTTP/1.1",
        "get /a HTTP/1.1",
        "POST /a HTTP/1.1",
        "GET a HTTP/1.1",
        "GET * HTTP/1.1",
        "GET http://h.example/a HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /\u{fc} HTTP/1.1",
        "GET /a\"b HTTP/1.1",
        "GET /a\\b HTTP/1.1",
    ] {
        let head = format!("{line}\r\nHost: h.example\r\n\r\n");
        assert_eq!(simple(head.as_bytes()), None, "{line}");
    }
    assert_eq!(simple(b"\r\nGET /a HTTP/1.1\r\nHost: h.example\r\n\r\n"), None);
    assert_eq!(simple(b"GET /a HTTP/1.1\nHost: h.example\n\n"), None);
    assert_eq!(simple(b"GET /a HTTP/1.1\r\n\r\n"), None, "no host");
}

#[test]
fn hosts_that_need_work_are_not_simple() {
    for host in [
        "H.example",
        "h.example.",
        "h.example:",
        "h.example:x",
        "h.example:99999",
        "h.example:+1",
        "[::1]",
        "h/a",
        "a@h",
        "",
    ] {
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(simple(head.as_bytes()), None, "{host}");
    }
    for host in ["127.0.0.1", "h.example:443", "a--b.example"] {
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let (request, _) = simple(head.as_bytes()).unwrap();
        assert_eq!(Ok(request.host.to_owned()), admission::canonical_host(host), "{host}");
    }
}

#[test]
fn sizes_are_those_of_the_ordinary_way() {
    let many = |count: usize| get(&"X-A: b\r\n".repeat(count));
    assert!(simple(many(99).as_bytes()).is_some());
    assert_eq!(simple(many(100).as_bytes()), None, "with Host one too many");
    assert_eq!(simple(get(&format!("X-A: {}\r\n", "a".repeat(70_000))).as_bytes()), None);
    let long = format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(17_000));
    assert_eq!(simple(long.as_bytes()), None);
}

#[test]
fn whatever_is_simple_is_admitted() {
    for fields in
        ["", "X-A:\r\n", "X-A: \t1 \r\n", "Cookie: a=b\r\nAccept: */*\r\n", "!#$%&'*+-.^_`|~: 1\r\n"]
    {
        let head = get(fields);
        assert!(simple(head.as_bytes()).is_some(), "{head:?}");
        assert_eq!(admission::admit_raw(head.as_bytes()), Ok(()), "{head:?}");
    }
}

#[test]
fn malformed_heads_are_found_whole_too() {
    for (bytes, expected) in [
        ("GET /a HTTP/1.1\nHost: h\n\nrest", Extent::Whole(25)),
        ("\r\n\r\nGET / HTTP/1.1\r\n\r\nrest", Extent::Whole(22)),
        ("HELLO\r\n\r\n", Extent::Whole(9)),
        ("", Extent::Partial),
        ("\r\n", Extent::Partial),
        ("GET /\u{fc}", Extent::Partial),
        ("\u{16}\u{3}\u{1}", Extent::Hopeless),
        ("G\u{e9}T", Extent::Hopeless),
        ("GET / HTTP/1.1\r\nX: \0", Extent::Hopeless),
        ("(GET) /", Extent::Hopeless),
    ] {
        assert_eq!(extent(bytes.as_bytes()), expected, "{bytes:?}");
    }
}

#[test]
fn only_a_clear_head_tells_where_it_ends() {
    for (fields, expected) in [
        ("", Framing::Nothing),
        ("Content-Length: 0\r\n", Framing::Nothing),
        ("content-length:12\r\n", Framing::Length(12)),
        ("Content-Length: 99999999999999999999999\r\n", Framing::Open),
        ("Content-Length: 1\r\nContent-Length: 1\r\n", Framing::Open),
        ("Content-Length: +1\r\n", Framing::Open),
        ("Transfer-Encoding: chunked\r\n", Framing::Open),
        ("Upgrade: websocket\r\n", Framing::Open),
        ("X-A: 1\r\n folded\r\n", Framing::Open),
    ] {
        assert_eq!(framing(get(fields).as_bytes()), expected, "{fields:?}");
    }
    assert_eq!(framing(b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"), Framing::Open);
}
