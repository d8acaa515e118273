//! `shadow`: a standby sees what visitors ask for, and visitors never see the standby.

use http::Method;
use overfall_test_support::{DEADLINE, Node, Origin, Reply, Settings, wait_until};

use crate::lone;

/// Waits until this many repetitions have come to some end.
async fn until_counted(node: &Node, count: u64) {
    let metric = "overfall_shadow_requests_total{";
    wait_until(&format!("{count} repetitions are counted"), DEADLINE, async || {
        let metrics = node.admin.get("/metrics").await.expect(200).text();
        let lines = metrics.lines().filter(|line| line.starts_with(metric));
        let counts = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        (counts.sum::<u64>() == count).then_some(())
    })
    .await;
}

fn settings(app: &Origin, standby: &str, sample: &str) -> Settings {
    // the site lists its origins in the order in which they were added, so the standby stands at the end
    let lines = format!("url = \"{standby}\"\nhead_timeout = \"2s\"\nread_timeout = \"2s\"");
    Settings::new()
        .origin("app", &app.url())
        .origin_with("standby", &lines)
        .site(&format!("shadow = {{ to = \"standby\", sample = \"{sample}\" }}"))
}

#[tokio::test]
async fn misses_and_hits_are_repeated_without_what_is_personal() {
    let (app, standby) = (Origin::start().await, Origin::start().await);
    app.on("/a?b=1", Reply::ok("text").cache_control("max-age=600"));
    standby.on("/a?b=1", Reply::ok("elsewhere"));
    let lone = lone(&settings(&app, &standby.url(), "100%")).await;
    let client = lone.node.client();
    let url = lone.node.url("/a?b=1");
    let fields = [("cookie", "a=b"), ("accept-language", "de"), ("authorization", "Basic eA==")];
    assert_eq!(client.get_with(&url, &fields).await.expect(200).text(), "text");
    standby.until_asked("/a?b=1", 1).await;
    client.get(&url).await.expect(200);
    client.hit(&url, &[]).await;
    standby.until_asked("/a?b=1", 3).await;
    let seen = standby.requests("/a?b=1").remove(0);
    assert_eq!(seen.headers["accept-language"], "de");
    assert!(seen.headers["host"].to_str().unwrap().starts_with("www.site.test"), "{:?}", seen.headers);
    assert!(!seen.headers.contains_key("cookie") && !seen.headers.contains_key("authorization"));
}

#[tokio::test]
async fn what_is_no_get_or_is_a_repetition_itself_is_not_repeated() {
    let (app, standby) = (Origin::start().await, Origin::start().await);
    app.on("/a", Reply::ok("text").cache_control("max-age=600"));
    app.on("/last", Reply::ok("text").cache_control("max-age=600"));
    let lone = lone(&settings(&app, &standby.url(), "100%")).await;
    let client = lone.node.client();
    let url = lone.node.url("/a");
    client.send(Method::HEAD, &url, &[], "").await.expect(200);
    client.send(Method::POST, &url, &[], "x").await.expect(200);
    client.get_with(&url, &[("overfall-shadow", "?1")]).await.expect(200);
    client.get(&lone.node.url("/last")).await.expect(200);
    standby.until_asked("/last", 1).await;
    assert_eq!(standby.count_all(), 1);
}

#[tokio::test]
async fn a_standby_that_hangs_or_is_gone_delays_nobody() {
    let (app, standby) = (Origin::start().await, Origin::start().await);
    let mut paths = Vec::new();
    for n in 0..100 {
        let path = format!("/{n}");
        app.on(&path, Reply::ok("text").cache_control("max-age=600"));
        standby.on(&path, Reply::hang());
        paths.push(path);
    }
    let lone = lone(&settings(&app, &standby.url(), "100%")).await;
    let client = lone.node.client();
    let began = tokio::time::Instant::now();
    for path in &paths {
        client.get(&lone.node.url(path)).await.expect(200);
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(standby.count_all() <= 100);
    until_counted(&lone.node, 100).await;
}

#[tokio::test]
async fn without_a_shadow_nobody_else_is_asked() {
    let (app, standby) = (Origin::start().await, Origin::start().await);
    app.on("/a", Reply::ok("text"));
    let lone = lone(&Settings::new().origin("app", &app.url()).origin("standby", &standby.url())).await;
    lone.node.client().get(&lone.node.url("/a")).await.expect(200);
    assert_eq!(standby.count_all(), 0);
}
