//! Circuit breakers: a dead origin costs its deadline a few times, the next one answers meanwhile, and the first is
//! back soon after it works again.

use std::time::Duration;

use overfall_test_support::{DEADLINE, Origin, Reply, Settings, wait_until};
use serde_json::json;
use tokio::time::Instant;

use crate::{Lone, lone};

/// An origin that is given up on after half a second, and left alone after three failures.
fn quick(url: &str) -> String {
    format!(
        "url = \"{url}\"\nhead_timeout = \"500ms\"\nread_timeout = \"500ms\"\n\
         breaker = {{ failures = 3, open = \"4s\" }}"
    )
}

async fn state_of(lone: &Lone, origin: &str) -> String {
    let status = lone.node.admin.get("/api/v1/status").await.expect(200).json();
    status["nodes"][0]["origins"][origin].as_str().unwrap_or_default().to_owned()
}

async fn until_state(lone: &Lone, origin: &str, state: &str) {
    let what = format!("{origin} is {state}");
    wait_until(&what, DEADLINE, async || (state_of(lone, origin).await == state).then_some(())).await;
}

#[tokio::test]
async fn a_hanging_origin_costs_its_deadline_a_few_times_only() {
    let (first, second) = (Origin::start().await, Origin::start().await);
    let settings = Settings::new().origin_with("first", &quick(&first.url())).origin("second", &second.url());
    let lone = lone(&settings).await;
    let client = lone.node.client();
    let began = Instant::now();
    for n in 0..30 {
        let path = format!("/{n}");
        first.on(&path, Reply::hang());
        second.on(&path, Reply::ok("second"));
        assert_eq!(client.get(&lone.node.url(&path)).await.expect(200).text(), "second");
        if n == 2 {
            assert_eq!(state_of(&lone, "first").await, "open");
        }
    }
    // three deadlines, and one more for each probe that a slow machine leaves time for
    assert!((3..8).contains(&first.count_all()), "{} requests reached it", first.count_all());
    assert!(began.elapsed() < Duration::from_secs(16), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_open_breaker_shows_everywhere_and_closes_with_the_first_answer() {
    let (mut first, second) = (Origin::start().await, Origin::start().await);
    let settings = Settings::new().origin_with("first", &quick(&first.url())).origin("second", &second.url());
    let lone = lone(&settings).await;
    let client = lone.node.client();
    first.stop().await;
    for path in ["/1", "/2", "/3", "/4"] {
        second.on(path, Reply::ok("second"));
        client.get(&lone.node.url(path)).await.expect(200);
    }
    let lines = [
        "overfall_origin_attempts_total{node=\"edge-1\",origin=\"first\",outcome=\"connect\"} 3",
        "overfall_origin_attempts_total{node=\"edge-1\",origin=\"first\",outcome=\"breaker_open\"} 1",
        "overfall_origin_openings_total{node=\"edge-1\",origin=\"first\"} 1",
    ];
    // a request is counted when its answer has been sent
    wait_until(&lines.join("\n"), DEADLINE, async || {
        let metrics = lone.node.admin.get("/metrics").await.expect(200).text();
        lines.iter().all(|line| metrics.contains(line)).then_some(())
    })
    .await;
    let explained = lone.node.admin.explain(&lone.node.url("/5")).await;
    let states = &explained["nodes"][0]["origin_states"];
    assert_eq!(states[1], json!({ "origin": "second", "role": "ordinary", "state": "ok" }), "{explained}");
    first.resume().await;
    first.on("/9", Reply::ok("first"));
    second.on("/9", Reply::ok("second"));
    let text = wait_until("the first origin answers again", DEADLINE, async || {
        let answer = client.get(&lone.node.url("/9")).await.expect(200);
        (answer.text() == "first").then(|| answer.text())
    })
    .await;
    assert_eq!(text, "first");
    until_state(&lone, "first", "ok").await;
}

#[tokio::test]
async fn one_broken_page_does_not_open_it() {
    let origin = Origin::start().await;
    let lone = lone(&Settings::new().origin_with("app", &quick(&origin.url()))).await;
    let client = lone.node.client();
    origin.on("/broken", Reply::status(500));
    for n in 0..20 {
        client.get(&lone.node.url(&format!("/broken?{n}"))).await;
    }
    // with the query in the key those were twenty targets, so it is open; yet nobody else could answer
    origin.on("/fine", Reply::ok("fine"));
    assert_eq!(client.get(&lone.node.url("/fine")).await.expect(200).text(), "fine");
    assert_eq!(state_of(&lone, "app").await, "ok", "the answer has closed it");
    for _ in 0..20 {
        client.get(&lone.node.url("/broken")).await;
    }
    assert_eq!(state_of(&lone, "app").await, "ok");
}

#[tokio::test]
async fn without_a_breaker_every_request_tries() {
    let (first, second) = (Origin::start().await, Origin::start().await);
    let lines = format!("url = \"{}\"\nbreaker = false", first.url());
    let settings = Settings::new().origin_with("first", &lines).origin("second", &second.url());
    let lone = lone(&settings).await;
    for n in 0..12 {
        let path = format!("/{n}");
        first.on(&path, Reply::slam());
        second.on(&path, Reply::ok("second"));
        lone.node.client().get(&lone.node.url(&path)).await.expect(200);
    }
    assert_eq!(first.count_all(), 12);
}
