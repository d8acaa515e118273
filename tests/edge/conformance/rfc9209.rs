//! RFC 9209, the Proxy-Status field.

use http::Method;
use overfall_test_support::{Origin, Reply, Settings, raw::exchange};

use super::{page, stage};
use crate::lone;

#[tokio::test]
async fn section_2_3_what_failed_is_named_by_its_type() {
    let mut stage = stage("").await;
    stage.origin.on("/slam", Reply::slam());
    let slam = stage.get("/slam").await.expect(502);
    assert_eq!(slam.header("proxy-status"), "edge-1; error=http_protocol_error; next-hop=app", "{slam}");
    stage.origin.stop().await;
    let refused = stage.get("/a").await.expect(502);
    assert_eq!(refused.header("proxy-status"), "edge-1; error=connection_refused; next-hop=app", "{refused}");
    let passed = stage.send(Method::POST, "/a").await.expect(502);
    assert_eq!(passed.header("proxy-status"), "edge-1; error=connection_refused", "{passed}");
}

#[tokio::test]
async fn section_2_3_a_late_origin_is_told_from_a_missing_one() {
    let origin = Origin::start().await;
    origin.on("/hang", Reply::hang());
    let late = format!("url = \"{}\"\nhead_timeout = \"100ms\"", origin.url());
    let settings = Settings::new().origin_with("late", &late).site("on_failure = { body = \"sorry\" }");
    let lone = lone(&settings).await;
    let answer = lone.node.client().get(&lone.node.url("/hang")).await.expect(200);
    assert_eq!(
        answer.header("proxy-status"),
        "edge-1; error=http_response_timeout; next-hop=late",
        "{answer}"
    );
}

#[tokio::test]
async fn a_refusal_says_what_was_wrong() {
    let stage = stage("").await;
    let unknown = exchange(stage.lone.node.http, "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n").await;
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.header("proxy-status").as_deref(), Some("edge-1; error=destination_not_found"));
    let broken = exchange(stage.lone.node.http, "GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(broken.status, 400);
    assert_eq!(broken.header("proxy-status").as_deref(), Some("edge-1; error=http_request_error"));
}

#[tokio::test]
async fn an_answer_of_the_origin_bears_none() {
    let stage = stage("").await;
    stage.origin.on("/a", page("max-age=600"));
    stage.origin.on("/503", Reply::status(503));
    for path in ["/a", "/503", "/none"] {
        let answer = stage.get(path).await;
        assert_eq!(answer.header("proxy-status"), "", "{answer}");
    }
}
