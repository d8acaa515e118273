//! Clients that take their time, by accident or on purpose: each holds one connection, and not for long.

use std::time::Duration;

use overfall_test_support::{
    DEADLINE, Origin, Reply, Settings,
    node::HOST,
    raw::{Raw, exchange},
};

use crate::{Lone, lone, stored};

/// A connection that has run out of time is closed this soon on a loaded machine.
const SOON: Duration = Duration::from_secs(15);

async fn edge(origin: &Origin, limits: &str) -> Lone {
    origin.on("/a", Reply::ok("hello").cache_control("max-age=600"));
    origin.on("/large", Reply::ok(vec![b'x'; 16 << 20]).cache_control("max-age=600"));
    let settings = Settings::new().origin("app", &origin.url()).tables(&format!("[limits]\n{limits}"));
    lone(&settings).await
}

#[tokio::test]
async fn a_head_that_never_ends_is_refused_however_it_comes() {
    let origin = Origin::start().await;
    let lone = edge(&origin, "head_deadline = \"300ms\"").await;
    let mut raw = Raw::connect(lone.node.http).await;
    raw.send(format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\nX-A: ")).await;
    let began = tokio::time::Instant::now();
    let answer = loop {
        // a byte now and then must not buy more time
        raw.send("b").await;
        match raw.answer_within(Duration::from_millis(20)).await {
            Some(answer) => break answer,
            None => assert!(began.elapsed() < SOON, "no answer"),
        }
    };
    assert_eq!(answer.status, 408, "RFC 9110 section 15.5.9: {answer:?}");
    assert_eq!(answer.header("connection").as_deref(), Some("close"), "{answer:?}");
    assert!(raw.is_closed(SOON).await);
    assert_eq!(origin.count_all(), 0);
    assert_eq!(
        exchange(lone.node.http, format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await.status,
        200
    );
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_without_a_word() {
    let origin = Origin::start().await;
    let lone = edge(&origin, "idle = \"200ms\"").await;
    let mut unused = Raw::connect(lone.node.http).await;
    assert_eq!(unused.answer_within(SOON).await.unwrap().status, 0, "before the first request");
    let mut used = Raw::connect(lone.node.http).await;
    // from the origin, then from memory
    for _ in 0..2 {
        used.send(format!("GET /a HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).await;
        assert_eq!(used.answer().await.text(), "hello");
    }
    assert!(used.is_closed(SOON).await, "after the last");
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let origin = Origin::start().await;
    let mut lone = edge(&origin, "stall = \"300ms\"").await;
    let url = lone.node.url("/large");
    lone.node.client().get(&url).await.expect(200);
    stored(&lone.node, &url).await;
    let mut raw = Raw::connect(lone.node.http).await;
    raw.send(format!("GET /large HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: sleeper\r\n\r\n")).await;
    let line = lone.node.process.stderr_line("the answer is given up", DEADLINE, |line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        (line["agent"] == "sleeper").then_some(line)
    });
    let line = line.await;
    assert_eq!(line["error"], "WriteError", "{line}");
    let cut = raw.answer().await;
    assert!(cut.body.len() < 16 << 20, "got {} bytes, a part, and the end tells so", cut.body.len());
}

#[tokio::test]
async fn a_request_body_that_never_comes_ends_the_request() {
    let origin = Origin::start().await;
    let lone = edge(&origin, "stall = \"300ms\"").await;
    let mut raw = Raw::connect(lone.node.http).await;
    raw.send(format!("POST /form HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 10\r\n\r\nabc")).await;
    let answer = raw.answer_within(SOON).await.expect("an end");
    assert!(answer.status == 0 || answer.status >= 400, "{answer:?}");
    assert!(raw.is_closed(SOON).await);
}
