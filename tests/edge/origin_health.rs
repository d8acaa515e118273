//! Active checks take an origin out and bring it back; an origin that is slow does not hold what is stored.

use std::time::Duration;

use overfall_test_support::{DEADLINE, Origin, Reply, Settings, wait_until};
use tokio::time::Instant;

use crate::{Lone, lone};

/// An origin that is checked often, and never left alone by its breaker.
fn checked(url: &str) -> String {
    format!(
        "url = \"{url}\"\nhead_timeout = \"5s\"\nbreaker = false\n\
         health = {{ path = \"/up\", every = \"50ms\", timeout = \"1s\", fail = 2, pass = 2 }}"
    )
}

async fn until_state(lone: &Lone, origin: &str, state: &str) {
    wait_until(&format!("{origin} is {state}"), DEADLINE, async || {
        let status = lone.node.admin.get("/api/v1/status").await.expect(200).json();
        (status["nodes"][0]["origins"][origin] == state).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_origin_that_fails_its_checks_is_passed_over_until_it_passes_them() {
    let (first, second) = (Origin::start().await, Origin::start().await);
    first.on("/up", Reply::ok("up"));
    let settings =
        Settings::new().origin_with("first", &checked(&first.url())).origin("second", &second.url());
    let lone = lone(&settings).await;
    let client = lone.node.client();
    for path in ["/1", "/2", "/3"] {
        first.on(path, Reply::ok("first"));
        second.on(path, Reply::ok("second"));
    }
    assert_eq!(client.get(&lone.node.url("/1")).await.expect(200).text(), "first");
    first.on("/up", Reply::status(503));
    until_state(&lone, "first", "unhealthy").await;
    assert_eq!(client.get(&lone.node.url("/2")).await.expect(200).text(), "second");
    assert_eq!(first.count("/2"), 0);
    let metrics = lone.node.admin.get("/metrics").await.expect(200).text();
    let line = "overfall_origin_state{node=\"edge-1\",origin=\"first\",state=\"unhealthy\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    let explained = lone.node.admin.explain(&lone.node.url("/2")).await;
    assert_eq!(explained["nodes"][0]["origin_states"][0]["state"], "unhealthy", "{explained}");
    first.on("/up", Reply::status(302));
    until_state(&lone, "first", "ok").await;
    assert_eq!(client.get(&lone.node.url("/3")).await.expect(200).text(), "first");
}

#[tokio::test]
async fn the_only_origin_is_asked_though_its_checks_fail() {
    let origin = Origin::start().await;
    origin.on("/a", Reply::ok("text"));
    let lone = lone(&Settings::new().origin_with("app", &checked(&origin.url()))).await;
    until_state(&lone, "app", "unhealthy").await;
    assert_eq!(lone.node.client().get(&lone.node.url("/a")).await.expect(200).text(), "text");
}

#[tokio::test]
async fn hits_are_answered_while_an_origin_hangs() {
    let origin = Origin::start().await;
    origin.on("/stored", Reply::ok("stored").cache_control("max-age=600"));
    let lines = format!("url = \"{}\"\nhead_timeout = \"20s\"", origin.url());
    let settings = Settings::new().origin_with("app", &lines).tables("[limits]\nfetches_max = 16");
    let lone = lone(&settings).await;
    let client = lone.node.client();
    let stored = lone.node.url("/stored");
    client.get(&stored).await.expect(200);
    client.hit(&stored, &[]).await;
    let mut waiting = tokio::task::JoinSet::new();
    for n in 0..16 {
        let path = format!("/hang/{n}");
        origin.on(&path, Reply::hang());
        let (client, url) = (lone.node.client(), lone.node.url(&path));
        waiting.spawn(async move { client.try_send(http::Method::GET, &url, &[], "").await });
    }
    wait_until("all of them wait", DEADLINE, async || (origin.count_all() == 17).then_some(())).await;
    let began = Instant::now();
    for _ in 0..100 {
        assert!(client.get(&stored).await.expect(200).is_hit());
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // there is no room for another fetch, which is said at once
    let refused = client.get(&lone.node.url("/other")).await.expect(503);
    assert_eq!(refused.header("retry-after"), "1", "{refused}");
}
