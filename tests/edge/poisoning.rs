//! One client must not choose, or see, what another gets.

use std::time::Duration;

use http::Method;
use overfall_test_support::{Origin, Reply, Settings};
use serde_json::json;

use crate::lone;

#[tokio::test]
async fn what_is_not_in_the_key_does_not_reach_the_origin() {
    let origin = Origin::start().await;
    origin.on("/a?q=1", Reply::ok("right").cache_control("max-age=600"));
    let settings =
        Settings::new().origin("app", &origin.url()).site(r#"query = { ignore = ["utm_source"] }"#);
    let lone = lone(&settings).await;
    let fields = [
        ("x-forwarded-host", "evil.test"),
        ("x-original-url", "/evil"),
        ("x-http-method-override", "POST"),
        ("forwarded", "host=evil.test"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-kept", "1"),
    ];
    let client = lone.node.client();
    let url = lone.node.url("/a?q=1&utm_source=evil");
    let answer = client.send(Method::GET, &url, &fields, "").await.expect(200);
    assert_eq!(answer.text(), "right");
    let sent = &origin.requests("/a?q=1")[0].headers;
    for (name, _) in fields {
        assert_eq!(sent.contains_key(name), name == "x-kept", "{name}: {sent:?}");
    }
    assert_eq!(origin.count_all(), 1);
}

#[tokio::test]
async fn an_error_page_is_for_the_request_that_it_was_made_for() {
    let origin = Origin::start().await;
    let (reply, drip) = Reply::drip();
    origin.on("/err", reply.with_status(500).with("set-cookie", "sid=alice"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/err"));
    let alice = tokio::spawn({
        let (client, url) = (client.clone(), url.clone());
        async move { client.get_with(&url, &[("cookie", "u=alice")]).await }
    });
    origin.until_asked("/err", 1).await;
    let bob = tokio::spawn(async move { client.get_with(&url, &[("cookie", "u=bob")]).await });
    // the page of the leading request is read whole before anybody is answered
    overfall_test_support::wait_until("bob waits", Duration::from_secs(10), async || {
        let metrics = lone.node.admin.get("/metrics").await.text();
        metrics.contains(r#"event="request_collapsed",node="edge-1"} 1"#).then_some(())
    })
    .await;
    drip.push("page of alice");
    drip.end();
    assert_eq!(alice.await.unwrap().expect(500).text(), "page of alice");
    let bob = bob.await.unwrap();
    assert!(!bob.text().contains("alice") && bob.header("set-cookie").is_empty(), "{bob}");
}

#[tokio::test]
async fn a_response_that_is_never_fresh_is_not_shared() {
    let origin = Origin::start().await;
    let (reply, drip) = Reply::drip();
    origin.on("/me", reply.cache_control("max-age=0, must-revalidate"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/me"));
    let mut alice = client.open(Method::GET, &url, &[], "").await.unwrap();
    drip.push("alice");
    assert_eq!(alice.at_least(5).await, b"alice");
    origin.on("/me", Reply::ok("bob").cache_control("max-age=0, must-revalidate"));
    assert_eq!(client.get(&url).await.expect(200).text(), "bob");
    assert_eq!(origin.count("/me"), 2);
    drip.end();
}

#[tokio::test]
async fn purges_name_what_requests_asked_for_however_it_is_escaped() {
    let origin = Origin::start().await;
    for target in ["/p~a", "/p%C3%BC", "/d%2Fx"] {
        origin.on(target, Reply::ok("body").cache_control("max-age=600"));
    }
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let client = lone.node.client();
    for (asked, purge) in [
        ("/p%7Ea", json!({ "urls": ["http://www.site.test/p~a"] })),
        ("/p~a", json!({ "urls": ["http://www.site.test/%70%7ea"] })),
        ("/p%c3%bc", json!({ "urls": ["http://www.site.test/pü"] })),
        ("/d%2fx", json!({ "prefixes": ["www.site.test/d%2f"] })),
    ] {
        let url = lone.node.url(asked);
        client.get(&url).await.expect(200);
        client.hit(&url, &[]).await.expect(200);
        lone.node.admin.purged(purge.clone()).await;
        client.get(&url).await.expect(200).expect_miss();
    }
    for (purge, reason) in [
        (json!({ "urls": ["https://evil.test/x"] }), "no site has the host"),
        (json!({ "hosts": ["evil.test"] }), "no site has the host"),
        (json!({ "prefixes": ["www.site.test/cdn-cgi/image/"] }), "renderings go with their source"),
    ] {
        let refused = lone.node.admin.purge(&purge).await.expect(400);
        assert!(refused.text().contains(reason), "{refused}");
    }
}

#[tokio::test]
async fn without_its_purge_log_a_node_validates_before_use() {
    let origin = Origin::start().await;
    origin.on(
        "/a",
        Reply::ok("old").cache_control("max-age=600, stale-while-revalidate=600").with("etag", "\"1\""),
    );
    let dir = tempfile::TempDir::new().unwrap();
    let settings = Settings::new().origin("app", &origin.url());
    let node = overfall_test_support::Node::start(crate::EXE, dir.path(), &settings).await;
    node.client().get(&node.url("/a")).await.expect(200);
    crate::on_disk(dir.path(), "old").await;
    drop(node);
    let log = find(dir.path(), "purge-log").expect("the node keeps its purge log in its folder");
    std::fs::remove_dir_all(log).unwrap();
    origin.on("/a", Reply::ok("new").cache_control("max-age=600"));
    let node = overfall_test_support::Node::start(crate::EXE, dir.path(), &settings).await;
    let answer = node.client().get(&node.url("/a")).await.expect(200);
    assert_eq!(answer.text(), "new", "{answer}\n  it may have been purged by the lost log");
}

fn find(dir: &std::path::Path, name: &str) -> Option<std::path::PathBuf> {
    let entries: Vec<_> =
        std::fs::read_dir(dir).ok()?.filter_map(Result::ok).map(|entry| entry.path()).collect();
    let here = entries.iter().find(|path| path.file_name().is_some_and(|own| own == name)).cloned();
    here.or_else(|| entries.iter().filter(|path| path.is_dir()).find_map(|path| find(path, name)))
}
