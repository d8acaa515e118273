//! What a node writes: JSON lines on standard error, one for each request, nothing secret, nothing on standard output.

use overfall_test_support::{
    DEADLINE, Origin, Reply, Settings,
    node::{HOST, READER_TOKEN, TOKEN},
    raw::exchange,
};
use serde_json::Value;

use crate::lone;

fn request_line(target: &'static str) -> impl Fn(&str) -> Option<Value> {
    move |line| {
        let line: Value = serde_json::from_str(line).ok()?;
        (line["target"] == target && line.get("status").is_some()).then_some(line)
    }
}

#[tokio::test]
async fn every_request_is_a_line_of_json() {
    let mut first = Origin::start().await;
    first.stop().await;
    let second = Origin::start().await;
    second.on("/a", Reply::ok("hello").cache_control("max-age=600"));
    let settings = Settings::new().origin("first", &first.url()).origin("second", &second.url());
    let mut lone = lone(&settings).await;
    let url = lone.node.url("/a");
    lone.node.client().get_with(&url, &[("user-agent", "tests \"quoted\" \\n")]).await.expect(200);
    let fields = [("authorization", "Bearer nothing-for-logs"), ("cookie", "nothing-for-logs")];
    lone.node.client().get_with(&lone.node.url("/b"), &fields).await.expect(404);
    exchange(lone.node.http, "GET /elsewhere HTTP/1.1\r\nHost: www.elsewhere.test\r\n\r\n").await;

    let process = &mut lone.node.process;
    let line = process.stderr_line("the request is logged", DEADLINE, request_line("/a")).await;
    for (name, value) in [("method", "GET"), ("host", HOST), ("node", "edge-1"), ("site", "site")] {
        assert_eq!(line[name], value, "{name}: {line}");
    }
    assert_eq!((&line["status"], &line["bytes"]), (&200.into(), &5.into()), "{line}");
    assert_eq!(line["protocol"], "HTTP/1.1", "{line}");
    assert_eq!(line["client"], "127.0.0.1", "{line}");
    assert!(line["cache"].as_str().is_some_and(|cache| cache.contains("fwd=uri-miss")), "{line}");
    let attempts = line["attempts"].to_string();
    assert!(attempts.contains("first:connect") && attempts.contains("second:2"), "{line}");
    assert!(
        line["ts_ms"].as_u64() > Some(1_700_000_000_000) && line["duration_us"].as_u64() > Some(0),
        "{line}"
    );
    let refused = process.stderr_line("the refusal is logged", DEADLINE, request_line("/elsewhere")).await;
    assert_eq!((&refused["status"], &refused["site"]), (&404.into(), &Value::Null), "{refused}");

    process.terminate();
    assert!(process.exit(DEADLINE).await.success());
    for line in process.stderr().lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()), "not JSON: {line}");
        for secret in [TOKEN, READER_TOKEN, "nothing-for-logs"] {
            assert!(!line.contains(secret), "a secret is logged: {line}");
        }
    }
    assert_eq!(process.stdout(), "");
}
