//! RFC 5861, stale-while-revalidate and stale-if-error.

use overfall_test_support::Reply;

use super::{old, stage};

#[tokio::test]
async fn section_3_a_stale_response_is_served_while_it_is_fetched_anew() {
    let stage = stage("").await;
    stage.store("/a", old("stale-while-revalidate=600")).await.expect(200);
    stage.origin.on("/a", Reply::ok("new").cache_control("max-age=600"));
    let stale = stage.get("/a").await.expect(200).expect_hit();
    assert_eq!(stale.text(), "page", "{stale}");
    assert!(stale.cache_status().contains("ttl=0") || stale.cache_status().contains("ttl=-"), "{stale}");
    stage.origin.until_asked("/a", 2).await;
    overfall_test_support::wait_until(
        "the new page is served",
        overfall_test_support::DEADLINE,
        async || (stage.get("/a").await.expect(200).text() == "new").then_some(()),
    )
    .await;
    assert_eq!(stage.origin.count("/a"), 2, "one fetch for all");
}

#[tokio::test]
async fn section_3_not_after_its_window() {
    let stage = stage("").await;
    let over = Reply::ok("page").cache_control("max-age=60, stale-while-revalidate=5").with("age", "66");
    stage.store("/a", over).await.expect(200);
    stage.origin.on("/a", Reply::ok("new").cache_control("max-age=600"));
    assert_eq!(stage.get("/a").await.expect(200).text(), "new");
}

#[tokio::test]
async fn section_4_a_stale_response_stands_in_for_an_error() {
    let mut stage = stage("").await;
    for status in [500, 502, 503, 504] {
        let path = format!("/{status}");
        stage.store(&path, old("stale-if-error=600")).await.expect(200);
        stage.origin.on(&path, Reply::status(status).cache_control("max-age=600"));
        let stale = stage.get(&path).await.expect(200).expect_hit();
        assert_eq!(stale.text(), "page", "{stale}");
    }
    stage.store("/slam", old("stale-if-error=600")).await;
    stage.origin.on("/slam", Reply::slam());
    stage.get("/slam").await.expect(200).expect_hit();
    stage.store("/refused", old("stale-if-error=600")).await;
    stage
        .store("/over", Reply::ok("page").cache_control("max-age=60, stale-if-error=5").with("age", "66"))
        .await;
    stage.store("/none", old("public")).await;
    stage.origin.stop().await;
    stage.get("/refused").await.expect(200).expect_hit();
    stage.get("/over").await.expect(502);
    stage.get("/none").await.expect(502);
}

#[tokio::test]
async fn section_4_an_answer_that_is_no_failure_is_not_replaced() {
    let stage = stage("").await;
    stage.store("/a", old("stale-if-error=600")).await.expect(200);
    stage.origin.on("/a", Reply::status(404));
    stage.get("/a").await.expect(404);
}
