//! RFC 9211, the Cache-Status field.

use http::Method;
use overfall_test_support::Reply;
use serde_json::json;

use super::{old, page, stage};

#[tokio::test]
async fn section_2_2_every_miss_says_why() {
    let stage = stage("request_cache_control = \"obey\"").await;
    let uri = stage.store("/a", page("max-age=600").with("etag", "\"v\"")).await;
    assert!(uri.cache_status().contains("edge-1; fwd=uri-miss; fwd-status=200; stored"), "{uri}");
    let request = stage.get_with("/a", "cache-control", "no-cache").await;
    assert!(request.cache_status().contains("edge-1; fwd=request; fwd-status=304"), "{request}");
    let method = stage.send(Method::POST, "/post").await;
    assert_eq!(method.cache_status(), "edge-1; fwd=method", "{method}");
    stage.store("/old", old("public")).await;
    let stale = stage.get("/old").await;
    assert!(stale.cache_status().contains("edge-1/memory; fwd=stale"), "{stale}");
    assert!(stale.cache_status().contains("edge-1; fwd=stale"), "{stale}");
}

#[tokio::test]
async fn section_2_2_a_missing_variant_is_told_from_a_missing_url() {
    let stage = stage("").await;
    stage.origin.on("/a", page("max-age=600").with("vary", "foo"));
    stage.client.hit(&stage.lone.node.url("/a"), &[("foo", "1")]).await;
    let other = stage.get_with("/a", "foo", "2").await;
    assert!(other.cache_status().contains("edge-1; fwd=vary-miss"), "{other}");
}

#[tokio::test]
async fn section_2_2_what_was_purged_is_a_miss_of_its_own() {
    let stage = stage("").await;
    stage.store("/a", page("max-age=600")).await;
    stage.lone.node.admin.purge(&json!({ "urls": [stage.lone.node.url("/a")], "wait": true })).await;
    let miss = stage.get("/a").await;
    assert!(miss.cache_status().contains("edge-1; fwd=miss"), "{miss}");
    assert!(miss.cache_status().contains("detail=purged"), "{miss}");
}

#[tokio::test]
async fn section_2_1_a_hit_names_its_tier_and_no_forward() {
    let stage = stage("").await;
    stage.store("/a", page("max-age=600")).await;
    let hit = stage.get("/a").await.expect_hit();
    assert!(hit.cache_status().starts_with("edge-1/memory; hit; ttl="), "{hit}");
    assert!(!hit.cache_status().contains("fwd"), "{hit}");
}

#[tokio::test]
async fn section_2_each_tier_that_was_asked_is_a_member() {
    let stage = stage("").await;
    stage.origin.on("/a", page("max-age=600"));
    let miss = stage.get("/a").await;
    let members: Vec<_> =
        miss.cache_status().split(", ").map(|member| member.split(';').next().unwrap().to_owned()).collect();
    assert_eq!(members, ["edge-1/disk", "edge-1/memory", "edge-1"], "{miss}");
}

#[tokio::test]
async fn section_2_2_a_request_that_went_nowhere_was_not_forwarded() {
    let stage = stage("").await;
    stage.origin.on("/a", Reply::ok("page"));
    let answer = stage.get_with("/a", "cache-control", "only-if-cached").await.expect(504);
    assert!(answer.cache_status().ends_with("edge-1; detail=only-if-cached"), "{answer}");
}
