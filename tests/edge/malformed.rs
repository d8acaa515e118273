//! Requests that are broken or meant to break something: reject, never repair; the next request is fine.

use std::time::Duration;

use http::Method;
use overfall_test_support::{
    Origin, Reply, Settings,
    client::Protocol,
    node::HOST,
    raw::{Raw, exchange},
    tls,
};

use crate::{Lone, lone};

/// A request that is whole, if broken, is refused this soon.
const REFUSED_WITHIN: Duration = Duration::from_secs(3);

async fn edge(origin: &Origin) -> Lone {
    origin.on("/a", Reply::ok("fine").cache_control("max-age=600"));
    lone(&Settings::new().origin("app", &origin.url())).await
}

async fn still_fine(lone: &Lone) {
    assert_eq!(lone.node.client().get(&lone.node.url("/a")).await.expect(200).text(), "fine");
}

#[tokio::test]
async fn requests_that_can_be_read_in_two_ways_are_refused() {
    let origin = Origin::start().await;
    let lone = edge(&origin).await;
    let host = format!("Host: {HOST}\r\n");
    let mut wrong = Vec::new();
    for (name, request) in [
        (
            "both lengths",
            format!(
                "POST /a HTTP/1.1\r\n{host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        (
            "two lengths",
            format!("POST /a HTTP/1.1\r\n{host}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        ),
        ("length list", format!("POST /a HTTP/1.1\r\n{host}Content-Length: 5, 5\r\n\r\nhello")),
        ("signed length", format!("POST /a HTTP/1.1\r\n{host}Content-Length: +5\r\n\r\nhello")),
        ("odd coding", format!("POST /a HTTP/1.1\r\n{host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")),
        (
            "two codings",
            format!("POST /a HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ),
        (
            "coding with tab",
            format!("POST /a HTTP/1.1\r\n{host}Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n"),
        ),
        ("folded field", format!("GET /a HTTP/1.1\r\n{host}X-A: 1\r\n folded\r\n\r\n")),
        ("space before colon", format!("GET /a HTTP/1.1\r\n{host}X-A : 1\r\n\r\n")),
        ("bare line feeds", format!("GET /a HTTP/1.1\nHost: {HOST}\n\n")),
        ("bare carriage return", format!("GET /a HTTP/1.1\r\n{host}X-A: 1\r2\r\n\r\n")),
        ("null byte", format!("GET /a HTTP/1.1\r\n{host}X-A: a\0b\r\n\r\n")),
        ("no host", "GET /a HTTP/1.1\r\n\r\n".to_owned()),
        ("two hosts", format!("GET /a HTTP/1.1\r\n{host}{host}\r\n")),
        ("bad host", "GET /a HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned()),
        ("host with path", format!("GET /a HTTP/1.1\r\nHost: {HOST}/x\r\n\r\n")),
        ("host with user", format!("GET /a HTTP/1.1\r\nHost: u@{HOST}\r\n\r\n")),
        ("no slash", format!("GET a HTTP/1.1\r\n{host}\r\n")),
        ("noise", "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n".to_owned()),
        ("words", "HELLO\r\n\r\n".to_owned()),
        ("odd version", format!("GET /a HTTP/9.9\r\n{host}\r\n")),
    ] {
        let before = origin.count_all();
        let mut raw = Raw::connect(lone.node.http).await;
        raw.send(&request).await;
        let Some(answer) = raw.answer_within(REFUSED_WITHIN).await else {
            wrong.push(format!("{name}, no answer in {REFUSED_WITHIN:?}\n> {request:?}"));
            continue;
        };
        let reached = origin.count_all() - before;
        // a connection closed without a word is a refusal too, but never an answer
        let is_refused = [0, 400, 501, 505].contains(&answer.status) && reached == 0;
        // what a broken request leaves behind is not read as the next one
        let is_over = is_refused && (answer.status == 0 || raw.is_closed(REFUSED_WITHIN).await);
        if !is_over {
            wrong.push(format!("{name}, origin asked {reached} times\n> {request:?}\n< {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert_eq!(origin.count_all(), 0, "nothing of this reaches an origin: {:?}", origin.requests("/a"));
    still_fine(&lone).await;
}

#[tokio::test]
async fn requests_that_are_too_large_are_refused() {
    let origin = Origin::start().await;
    let lone = edge(&origin).await;
    let head = |fields: &str| format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n");
    for (name, request, statuses) in [
        ("one huge field", head(&format!("X-A: {}\r\n", "a".repeat(100_000))), [431, 400, 0]),
        ("endless fields", head(&"X-A: b\r\n".repeat(20_000)), [431, 400, 0]),
        ("many fields", head(&(0..150).map(|n| format!("X-{n}: b\r\n")).collect::<String>()), [431, 400, 0]),
        (
            "long target",
            format!("GET /{} HTTP/1.1\r\nHost: {HOST}\r\n\r\n", "a".repeat(20_000)),
            [414, 414, 414],
        ),
    ] {
        let answer = exchange(lone.node.http, &request).await;
        assert!(statuses.contains(&answer.status), "{name}: {answer:?}");
    }
    assert_eq!(origin.count_all(), 0);
    still_fine(&lone).await;
}

#[tokio::test]
async fn unknown_hosts_get_a_plain_refusal() {
    let origin = Origin::start().await;
    let lone = edge(&origin).await;
    for host in ["www.elsewhere.test", "127.0.0.1", "site.test", "www.site.test.elsewhere.test"] {
        let answer = exchange(lone.node.http, format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status, 404, "{host}: {answer:?}");
        assert!(
            answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")),
            "{answer:?}"
        );
    }
    let stream = tls::connect(&lone.node.ca, lone.node.https, HOST, &["http/1.1"]).await.unwrap();
    let mut raw = Raw::over(stream);
    raw.send("GET /a HTTP/1.1\r\nHost: www.elsewhere.test\r\n\r\n").await;
    let answer = raw.answer().await;
    assert_eq!(answer.status, 421, "RFC 9110 section 15.5.20: {answer:?}");
    for host in [HOST.to_ascii_uppercase(), format!("{HOST}."), format!("{HOST}:80")] {
        let answer = exchange(lone.node.http, format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{host} is the same host: {answer:?}");
    }
    let absolute =
        exchange(lone.node.http, format!("GET http://{HOST}/a HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
    assert_eq!(absolute.status, 200, "RFC 9112 section 3.2.2: {absolute:?}");
    assert_eq!(origin.count_all(), 1);
}

#[tokio::test]
async fn tunnels_and_echoes_are_not_offered() {
    let origin = Origin::start().await;
    let lone = edge(&origin).await;
    for request in [
        format!("CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}\r\n\r\n"),
        format!("TRACE /a HTTP/1.1\r\nHost: {HOST}\r\n\r\n"),
    ] {
        let answer = exchange(lone.node.http, &request).await;
        assert_eq!(answer.status, 405, "> {request:?}\n< {answer:?}");
        let says_what_is = answer.header("allow").is_some() || request.starts_with("CONNECT");
        assert!(says_what_is, "RFC 9110 section 15.5.6: {answer:?}");
    }
    let marks = "CDN-Loop: overfall\r\n".repeat(3);
    let looping = exchange(lone.node.http, format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\n{marks}\r\n")).await;
    assert_eq!(looping.status, 508, "RFC 8586: {looping:?}");
    assert_eq!(origin.count_all(), 0);
    still_fine(&lone).await;
}

#[tokio::test]
async fn other_methods_pass_to_the_origin_in_bounded_size() {
    let origin = Origin::start().await;
    let settings =
        Settings::new().origin("app", &origin.url()).tables("[limits]\nrequest_body_max = \"64 KiB\"");
    let lone = lone(&settings).await;
    origin.on("/form", Reply::ok("thanks").cache_control("max-age=600"));
    for (client, url) in [
        (lone.node.client(), lone.node.url("/form")),
        (lone.node.tls_client(Protocol::Any), lone.node.tls_url("/form")),
    ] {
        for (method, body) in [(Method::POST, "name=value"), (Method::PUT, "thing"), (Method::DELETE, "")] {
            let seen = origin.count("/form");
            let answer = client.send(method.clone(), &url, &[("x-a", "1")], body).await.expect(200);
            assert_eq!(answer.text(), "thanks");
            assert!(answer.cache_status().contains("fwd=method"), "{answer}");
            let requests = origin.requests("/form");
            assert_eq!(requests.len(), seen + 1, "{answer}");
            let last = requests.last().unwrap();
            assert_eq!((last.method.as_str(), last.body.as_ref()), (method.as_str(), body.as_bytes()));
            assert_eq!(last.headers.get("x-a").unwrap(), "1");
            assert!(last.headers.contains_key("x-forwarded-for"), "{last:?}");
        }
        let fits = client.send(Method::POST, &url, &[], vec![b'x'; 64 << 10]).await.expect(200);
        assert_eq!(origin.requests("/form").last().unwrap().body.len(), 64 << 10, "{fits}");
        let seen = origin.count("/form");
        let large = client.try_send(Method::POST, &url, &[], vec![b'x'; (64 << 10) + 1]).await;
        assert_eq!(large.map(|answer| answer.status).ok(), Some(413));
        let got = origin.requests("/form");
        assert!(
            got.len() == seen || got.last().unwrap().body.len() <= 64 << 10,
            "the origin never sees more"
        );
    }
    let no_http = crate::lone(&Settings::new().origin_with("files", "url = \"file:.\"")).await;
    let refused =
        no_http.node.client().send(Method::POST, &no_http.node.url("/x"), &[], "x").await.expect(405);
    assert!(!refused.header("allow").is_empty(), "{refused}");
}

#[tokio::test]
async fn a_post_does_not_answer_a_get() {
    let origin = Origin::start().await;
    let lone = edge(&origin).await;
    let (client, url) = (lone.node.client(), lone.node.url("/a"));
    client.send(Method::POST, &url, &[], "x").await.expect(200);
    client.get(&url).await.expect(200).expect_miss();
}
