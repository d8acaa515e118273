//! RFC 8586, CDN loop detection.

use http::Method;

use super::{page, stage};

#[tokio::test]
async fn section_2_every_request_to_an_origin_bears_our_mark_behind_those_that_came() {
    let stage = stage("").await;
    stage.origin.on("/a", page("max-age=600"));
    stage.get_with("/a", "cdn-loop", "other; v=1").await.expect(200);
    stage.send(Method::POST, "/post").await;
    let marks = |path: &str| {
        let headers = stage.origin.requests(path)[0].headers.clone();
        let values = headers.get_all("cdn-loop").iter().map(|value| value.to_str().unwrap().to_owned());
        values.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(marks("/a"), "other; v=1, overfall");
    assert_eq!(marks("/post"), "overfall");
}

#[tokio::test]
async fn section_2_a_request_in_a_circle_is_refused() {
    let stage = stage("").await;
    stage.origin.on("/a", page("no-store"));
    let looping = stage.get_with("/a", "cdn-loop", "overfall, overfall; a=b, OVERFALL").await.expect(508);
    assert_eq!(looping.header("proxy-status"), "edge-1; error=proxy_loop_detected", "{looping}");
    assert_eq!(stage.origin.count_all(), 0);
    for marks in ["overfall, overfall", "overfall-2, overfalls, other, overfall"] {
        stage.get_with("/a", "cdn-loop", marks).await.expect(200);
    }
}
