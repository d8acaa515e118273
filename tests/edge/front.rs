//! Hits from memory over HTTP/1.1 are answered before the ordinary way sees them: nobody may notice.

use std::time::Duration;

use overfall_test_support::{
    DEADLINE, Origin, Reply, Settings,
    client::Protocol,
    node::HOST,
    raw::{Raw, RawAnswer, exchange},
    wait_until,
};

use crate::{Lone, lone, stored};

const CLOSED_WITHIN: Duration = Duration::from_secs(5);
/// A field that takes a request the ordinary way without changing its answer.
const ORDINARY: &str = "Cache-Control: x-ordinary\r\n";

async fn edge(origin: &Origin) -> Lone {
    origin.on("/a", Reply::ok("hello").cache_control("max-age=600").with("etag", "\"1\"").with("x-a", "1"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    lone.node.client().get(&lone.node.url("/a")).await.expect(200);
    stored(&lone.node, &lone.node.url("/a")).await;
    lone
}

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n")
}

/// Names and values in order of names, without what differs from answer to answer.
fn lasting(head: impl Iterator<Item = (String, String)>) -> Vec<(String, String)> {
    let changes = ["age", "connection", "date", "server-timing", "x-request-id"];
    let mut fields: Vec<_> = head
        .filter(|(name, _)| !changes.contains(&name.as_str()))
        .map(|(name, value)| match value.split_once("ttl=") {
            Some((status, _)) if name == "cache-status" => (name, status.to_owned()),
            _ => (name, value),
        })
        .collect();
    fields.sort();
    fields
}

fn of_raw(answer: &RawAnswer) -> Vec<(String, String)> {
    let fields = answer.head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lasting(fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())))
}

#[tokio::test]
async fn a_hit_says_the_same_whichever_way_it_goes() {
    let origin = Origin::start().await;
    let lone = edge(&origin).await;
    let fast = exchange(lone.node.http, get("/a", "")).await;
    let ordinary = exchange(lone.node.http, get("/a", ORDINARY)).await;
    assert_eq!(of_raw(&fast), of_raw(&ordinary), "\n{}\n{}", fast.head, ordinary.head);
    assert_eq!((fast.status, fast.text().as_str()), (200, "hello"));
    assert_eq!(ordinary.text(), "hello");
    for name in ["age", "connection", "date", "server-timing", "x-request-id"] {
        let of = |answer: &RawAnswer| answer.header(name).is_some_and(|value| !value.is_empty());
        assert!(of(&fast) && of(&ordinary), "{name}\n{}\n{}", fast.head, ordinary.head);
    }
    let second = lone.node.tls_client(Protocol::Any).hit(&lone.node.tls_url("/a"), &[]).await.expect(200);
    let fields = second.headers.iter();
    let fields = fields.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    assert_eq!(lasting(fields), of_raw(&fast), "HTTP/2 says {second}");
    assert_eq!(second.body, fast.body);

    let mut raw = Raw::connect(lone.node.http).await;
    raw.send(get("/a", "").replacen("GET", "HEAD", 1)).await;
    assert_eq!(of_raw(&raw.head().await), of_raw(&fast), "HEAD says what GET says");
    raw.send(get("/a", "")).await;
    assert_eq!(raw.answer().await.text(), "hello", "and nothing was left behind it");
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn requests_of_every_kind_share_a_connection_in_order() {
    let origin = Origin::start().await;
    let lone = edge(&origin).await;
    origin.on("/miss", Reply::ok("missed").cache_control("max-age=600"));
    origin.on("/form", Reply::ok("thanks"));
    let mut raw = Raw::connect(lone.node.http).await;
    let post = format!("POST /form HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 9\r\n\r\nGET /a HT");
    let requests = [
        get("/a", ""),
        get("/miss", ""),
        get("/a", ORDINARY),
        post,
        get("/a", "If-None-Match: \"1\"\r\n"),
        get("/a", "Range: bytes=1-2\r\n"),
        get("/healthz", ""),
        get("/a", ""),
    ];
    // all at once, as RFC 9112 section 9.3.2 allows
    raw.send(requests.concat()).await;
    let expected = [
        (200, "hello"),
        (200, "missed"),
        (200, "hello"),
        (200, "thanks"),
        (304, ""),
        (206, "el"),
        (200, "{"),
        (200, "hello"),
    ];
    for (number, (status, body)) in expected.into_iter().enumerate() {
        let answer = raw.answer().await;
        let is_right = answer.status == status && answer.text().starts_with(body);
        assert!(is_right, "{number}: > {:?}\n< {answer:?}", requests[number]);
    }
    assert_eq!(origin.requests("/form")[0].body, "GET /a HT", "a body is not a request");
    raw.send(get("/a", "")).await;
    assert_eq!(raw.answer().await.text(), "hello", "the connection stays open");
}

#[tokio::test]
async fn a_head_may_come_in_pieces() {
    let origin = Origin::start().await;
    let lone = edge(&origin).await;
    let request = get("/a", "User-Agent: tests\r\n");
    let mut raw = Raw::connect(lone.node.http).await;
    for cut in 1..request.len() {
        raw.send(&request[..cut]).await;
        raw.send(&request[cut..]).await;
        let answer = raw.answer().await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello"), "cut at {cut}");
    }
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn a_connection_ends_when_the_client_says_so() {
    let origin = Origin::start().await;
    let lone = edge(&origin).await;
    for request in [
        get("/a", "Connection: close\r\n"),
        get("/a", &format!("Connection: close\r\n{ORDINARY}")),
        get("/a", "").replace("HTTP/1.1", "HTTP/1.0"),
    ] {
        let mut raw = Raw::connect(lone.node.http).await;
        raw.send(&request).await;
        let answer = raw.answer().await;
        assert_eq!(answer.text(), "hello", "{request:?}");
        assert_eq!(answer.header("connection").as_deref(), Some("close"), "{request:?}\n{}", answer.head);
        assert!(raw.is_closed(CLOSED_WITHIN).await, "{request:?}");
    }
    let mut raw = Raw::connect(lone.node.http).await;
    raw.send(get("/a", "Connection: keep-alive\r\n")).await;
    assert_eq!(raw.answer().await.header("connection").as_deref(), Some("keep-alive"));
}

#[tokio::test]
async fn hits_are_counted_and_logged_like_any_answer() {
    let origin = Origin::start().await;
    let mut lone = edge(&origin).await;
    let hits = async |lone: &Lone| {
        let metrics = lone.node.admin.get("/metrics").await.expect(200).text();
        let wanted = ["overfall_requests_total{", "site=\"site\"", "source=\"memory\"", "status=\"2xx\""];
        let line = metrics.lines().find(|line| wanted.iter().all(|part| line.contains(part)));
        line.and_then(|line| line.rsplit(' ').next()).map_or(0, |count| count.parse::<u64>().unwrap())
    };
    let before = hits(&lone).await;
    exchange(lone.node.http, get("/a?", "User-Agent: fast\r\nConnection: close\r\n")).await;
    exchange(lone.node.http, get("/a?", &format!("User-Agent: slow\r\n{ORDINARY}"))).await;
    wait_until("both are counted", DEADLINE, async || (hits(&lone).await == before + 2).then_some(())).await;
    let mut keys = Vec::new();
    for agent in ["fast", "slow"] {
        let line = lone.node.process.stderr_line("the hit is logged", DEADLINE, |line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            (line["agent"] == agent).then_some(line)
        });
        let line = line.await;
        assert_eq!((&line["target"], &line["bytes"]), (&"/a?".into(), &5.into()), "{line}");
        assert!(line["cache"].as_str().is_some_and(|status| status.contains("/memory; hit; ttl=")), "{line}");
        keys.push(line.as_object().unwrap().keys().cloned().collect::<Vec<_>>());
    }
    assert_eq!(keys[0], keys[1]);
}
