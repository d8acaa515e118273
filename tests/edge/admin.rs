//! What an operator learns from the admin listener, and the switches.

use overfall_test_support::{
    DEADLINE, Origin, Reply, Settings, client::Protocol, node::READER_TOKEN, wait_until,
};
use serde_json::Value;

use crate::{demo, lone, stored};

fn tier<'a>(explained: &'a Value, name: &str) -> &'a Value {
    let tiers = explained["nodes"][0]["tiers"].as_array().unwrap_or_else(|| panic!("{explained}"));
    tiers.iter().find(|tier| tier["tier"] == name).unwrap_or_else(|| panic!("no {name} in {explained}"))
}

fn metric(text: &str, name: &str, labels: &[&str]) -> f64 {
    let lines =
        text.lines().filter(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[tokio::test]
async fn explain_says_where_a_response_is_and_changes_nothing() {
    let origin = Origin::start().await;
    origin.on("/a", Reply::ok("hello").cache_control("max-age=600").with("surrogate-key", "one two"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let url = lone.node.url("/a");
    let before = lone.node.admin.explain(&url).await;
    assert_eq!(tier(&before, "memory")["state"], "absent");
    assert!(before["nodes"][0]["verdict"].as_str().unwrap().contains("miss"), "{before}");
    assert_eq!(before["nodes"][0]["origins"][0], "app", "{before}");
    assert_eq!(origin.count_all(), 0, "explaining is not asking");

    lone.node.client().get(&url).await.expect(200);
    stored(&lone.node, &url).await;
    let after = lone.node.admin.explain(&url).await;
    let memory = tier(&after, "memory");
    assert_eq!(
        (&memory["state"], &memory["status"], &memory["bytes"]),
        (&"fresh".into(), &200.into(), &5.into())
    );
    assert_eq!(memory["tags"].to_string(), r#"["one","two"]"#, "{after}");
    assert!(after["nodes"][0]["verdict"].as_str().unwrap().contains("hit in memory"), "{after}");
    assert_eq!(after["site"], "site");

    let purge = serde_json::json!({ "site": "site", "tags": ["two"] });
    lone.node.admin.purged(purge).await;
    let purged = lone.node.admin.explain(&url).await;
    assert_eq!(tier(&purged, "memory")["state"], "purged", "{purged}");
}

#[tokio::test]
async fn explain_knows_images_and_strangers() {
    let lone = lone(&Settings::new().origin("app", "http://127.0.0.1:1")).await;
    let image = lone.node.admin.explain(&lone.node.url("/cdn-cgi/image/width=10,format=auto/p.jpg")).await;
    assert_eq!(image["nodes"][0]["origins"][0], "images", "{image}");
    let explain = |url: &str| format!("/api/v1/explain?url={url}");
    lone.node.admin.get(&explain("http://www.elsewhere.test/")).await.expect(404);
    lone.node.admin.get(&explain("nonsense")).await.expect(400);
    lone.node.admin.get(&explain(&lone.node.url("/cdn-cgi/image/width=0/p.jpg"))).await.expect(400);
    lone.node.admin.get("/api/v1/explain").await.expect(400);
    lone.node.admin.get("/api/v1/nothing").await.expect(404);
}

#[tokio::test]
async fn tokens_open_what_their_scopes_say() {
    let lone = lone(&Settings::new().origin("app", "http://127.0.0.1:1")).await;
    let (admin, stranger) = (&lone.node.admin, lone.node.admin.with_token("nobody"));
    let reader = admin.with_token(READER_TOKEN);
    for path in ["/metrics", "/healthz"] {
        stranger.get(path).await.expect(200);
    }
    for path in ["/api/v1/status", "/api/v1/explain?url=http://www.site.test/"] {
        stranger.get(path).await.expect(401);
        reader.get(path).await.expect(200);
    }
    for path in ["/api/v1/origins/app/down", "/api/v1/nodes/edge-1/drain", "/api/v1/reload"] {
        stranger.post(path).await.expect(401);
        reader.post(path).await.expect(403);
    }
    let refused = stranger.get("/api/v1/status").await.expect(401);
    assert_eq!(refused.header("content-type"), "application/problem+json", "{refused}");
    assert!(!lone.node.process.stderr().contains(READER_TOKEN), "a token stands in the log");
}

#[tokio::test]
async fn metrics_count_requests_by_source() {
    let origin = Origin::start().await;
    origin.on("/a", Reply::ok("hello").cache_control("max-age=600"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let client = lone.node.client();
    client.get(&lone.node.url("/a")).await.expect(200).expect_miss();
    stored(&lone.node, &lone.node.url("/a")).await;
    for _ in 0..3 {
        client.get(&lone.node.url("/a")).await.expect(200).expect_hit();
    }
    let requests = "overfall_requests_total";
    let text = wait_until("all is counted", DEADLINE, async || {
        let text = lone.node.admin.get("/metrics").await.expect(200).text();
        (metric(&text, requests, &["site=\"site\""]) >= 4.0).then_some(text)
    })
    .await;
    assert_eq!(metric(&text, requests, &["source=\"memory\"", "status=\"2xx\""]), 3.0, "{text}");
    assert_eq!(metric(&text, requests, &["source=\"origin\"", "status=\"2xx\""]), 1.0, "{text}");
    assert_eq!(metric(&text, "overfall_response_bytes_total", &["source=\"memory\""]), 15.0, "{text}");
    assert_eq!(metric(&text, "overfall_origin_attempts_total", &["origin=\"app\""]), 1.0, "{text}");
    assert!(metric(&text, "overfall_request_duration_seconds_count", &[]) >= 4.0, "{text}");
}

#[tokio::test]
async fn an_origin_switched_off_is_passed_over_in_every_region() {
    let demo = demo().await;
    let status = demo.admin.get("/api/v1/status").await.expect(200).json();
    assert_eq!(status["nodes"].as_array().map(Vec::len), Some(3), "{status}");
    assert!(status["origins"].to_string().contains("media"), "{status}");
    demo.admin.post("/api/v1/origins/media/down").await.expect(200);
    let attempts = |text: &str, origin: &str| {
        metric(text, "overfall_origin_attempts_total", &[&format!("origin=\"{origin}\""), "2xx"])
    };
    let before = demo.admin.get("/metrics").await.expect(200).text();
    for region in &demo.regions {
        let client = demo.client(&region.name, Protocol::Any);
        client.get(&demo.url(&format!("/w/loader.js?{}", region.name))).await.expect(200).expect_miss();
    }
    let after = demo.admin.get("/metrics").await.expect(200).text();
    assert_eq!(attempts(&after, "media"), attempts(&before, "media"), "{after}");
    demo.admin.post("/api/v1/origins/app/down").await.expect(200);
    let client = demo.client("eu-west", Protocol::Any);
    client.hit(&demo.url("/w/loader.js?eu-west"), &[]).await.expect(200);
    let none = client.get(&demo.url("/w/loader.js?never-seen")).await;
    assert_eq!(none.status, 502, "{none}");
    for origin in ["media", "app"] {
        demo.admin.post(&format!("/api/v1/origins/{origin}/up")).await.expect(200);
    }
    client.get(&demo.url("/w/loader.js?never-seen")).await.expect(200);
    demo.admin.post("/api/v1/origins/nothing/down").await.expect(404);
    demo.admin.post("/api/v1/origins/media/explode").await.expect(404);
    demo.admin.post("/api/v1/nodes/nothing/drain").await.expect(404);
}

#[tokio::test]
async fn a_dropped_node_refuses_and_a_restored_one_serves() {
    let demo = demo().await;
    let node = demo.region("ap-south").node.clone();
    let client = || demo.client("ap-south", Protocol::Any);
    client().get(&demo.url("/")).await.expect(200);
    demo.admin.post(&format!("/api/v1/nodes/{node}/drop")).await.expect(200);
    wait_until("connections are refused", DEADLINE, async || {
        client().try_send(http::Method::GET, &demo.url("/"), &[], "").await.is_err().then_some(())
    })
    .await;
    demo.client("eu-west", Protocol::Any).get(&demo.url("/")).await.expect(200);
    demo.admin.post(&format!("/api/v1/nodes/{node}/restore")).await.expect(200);
    wait_until("connections are taken", DEADLINE, async || {
        client()
            .try_send(http::Method::GET, &demo.url("/"), &[], "")
            .await
            .ok()
            .map(|answer| answer.expect(200))
    })
    .await;
}

#[tokio::test]
async fn dns_is_explained() {
    let demo = demo().await;
    let explained = demo.admin.get("/api/v1/dns/explain?from=198.51.100.7").await.expect(200);
    assert!(explained.text().contains("us-east"), "{explained}");
    demo.admin.get("/api/v1/dns/explain?from=nowhere").await.expect(400);
}
