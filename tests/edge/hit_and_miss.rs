//! Fetched once, served often: what RFC 9111 and RFC 9110 promise to a client of the cache.

use http::Method;
use overfall_test_support::{DEADLINE, Origin, Reply, Settings, wait_until};

use crate::{lone, stored};

fn cached(body: &'static str) -> Reply {
    Reply::ok(body).cache_control("max-age=600").with("content-type", "text/plain")
}

#[tokio::test]
async fn a_miss_is_fetched_and_the_next_request_hits() {
    let origin = Origin::start().await;
    origin.on("/a", cached("hello").with("surrogate-key", "x"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/a"));

    let miss = client.get(&url).await.expect(200).expect_miss();
    assert_eq!(miss.text(), "hello");
    assert!(miss.cache_status().contains("edge-1/memory;"), "{miss}");
    assert!(miss.cache_status().contains("fwd=uri-miss") && miss.cache_status().contains("stored"), "{miss}");
    assert!(!miss.header("server-timing").is_empty(), "{miss}");

    let hit = client.hit(&url, &[]).await.expect(200);
    assert_eq!(hit.text(), "hello");
    let ttl: u64 =
        hit.cache_status().split("ttl=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
    assert!((500..=600).contains(&ttl), "{hit}");
    assert!(hit.header("age").parse::<u64>().is_ok(), "{hit}\n  says its age");
    assert!(!hit.header("server-timing").is_empty(), "{hit}");
    assert_eq!(hit.header("content-type"), "text/plain");
    assert_eq!(hit.header("surrogate-key"), "", "{hit}\n  surrogate keys are not for browsers");

    client.get(&lone.node.url("/a?x=1")).await.expect(200).expect_miss();
    assert_eq!(origin.count("/a"), 1, "one fetch for two requests");
    assert_eq!(origin.count("/a?x=1"), 1, "a query selects another response");
    let sent = &origin.requests("/a")[0].headers;
    assert!(sent.get("cdn-loop").is_some_and(|mark| mark.to_str().unwrap().contains("overfall")), "{sent:?}");
    assert_eq!(sent.get("host").unwrap(), "www.site.test");
}

#[tokio::test]
async fn head_is_answered_from_the_stored_get() {
    let origin = Origin::start().await;
    origin.on("/a", cached("hello"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/a"));
    client.get(&url).await.expect(200).expect_miss();
    client.hit(&url, &[]).await.expect(200);
    let head = client.send(Method::HEAD, &url, &[], "").await.expect(200).expect_hit();
    assert_eq!((head.header("content-length").as_str(), head.body.len()), ("5", 0), "{head}");
    assert_eq!(origin.count("/a"), 1);
    let cold = client.send(Method::HEAD, &lone.node.url("/b"), &[], "").await.expect(404);
    assert!(cold.body.is_empty(), "{cold}");
}

#[tokio::test]
async fn conditions_are_answered_from_the_store() {
    let origin = Origin::start().await;
    let modified = "Wed, 01 Jan 2025 00:00:00 GMT";
    origin.on("/a", cached("hello").with("etag", "\"v1\"").with("last-modified", modified));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/a"));
    let miss = client.get_with(&url, &[("if-none-match", "\"v1\"")]).await.expect(304);
    stored(&lone.node, &url).await;
    assert!(miss.body.is_empty(), "{miss}");
    assert!(
        origin.requests("/a")[0].headers.get("if-none-match").is_none(),
        "the store wants the whole response"
    );
    for (name, value, status) in [
        ("if-none-match", "\"v1\"", 304),
        ("if-none-match", "W/\"v1\", \"other\"", 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"v2\"", 200),
        ("if-modified-since", modified, 304),
        ("if-modified-since", "Tue, 31 Dec 2024 23:59:59 GMT", 200),
    ] {
        let answer = client.hit(&url, &[(name, value)]).await.expect(status);
        assert_eq!(answer.header("etag"), "\"v1\"", "{answer}");
        assert_eq!(answer.body.is_empty(), status == 304, "{answer}");
    }
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn a_range_is_cut_from_the_stored_response() {
    let origin = Origin::start().await;
    origin.on("/a", cached("0123456789").with("etag", "\"v1\""));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/a"));
    client.get(&url).await.expect(200).expect_miss();
    for (range, body, content_range) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let part = client.hit(&url, &[("range", range)]).await.expect(206);
        assert_eq!(
            (part.text().as_str(), part.header("content-range").as_str()),
            (body, content_range),
            "{part}"
        );
        assert_eq!(part.header("content-length"), body.len().to_string(), "{part}");
    }
    let beyond = client.get_with(&url, &[("range", "bytes=10-")]).await.expect(416);
    assert_eq!(beyond.header("content-range"), "bytes */10", "{beyond}");
    for ignored in ["lines=1-2", "bytes=4-2", "bytes=x"] {
        let whole = client.get_with(&url, &[("range", ignored)]).await.expect(200);
        assert_eq!(whole.text(), "0123456789", "{whole}");
    }
    let changed = client.get_with(&url, &[("range", "bytes=0-1"), ("if-range", "\"v0\"")]).await.expect(200);
    assert_eq!(changed.text(), "0123456789", "RFC 9110 section 13.1.5: {changed}");
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn what_is_not_for_everybody_is_never_stored() {
    let origin = Origin::start().await;
    origin.on("/no-store", Reply::ok("1").cache_control("no-store"));
    origin.on("/private", Reply::ok("1").cache_control("private, max-age=600"));
    origin.on("/cookie", Reply::ok("1").with("set-cookie", "id=7").cache_control("max-age=600"));
    origin.on("/vary", Reply::ok("1").with("vary", "*").cache_control("max-age=600"));
    origin.on("/account", Reply::ok("1").cache_control("max-age=600"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let client = lone.node.client();
    for path in ["/no-store", "/private", "/cookie", "/vary"] {
        for times in 1..=2 {
            let answer = client.get(&lone.node.url(path)).await.expect(200).expect_miss();
            assert!(!answer.cache_status().contains("stored"), "{answer}");
            assert_eq!(origin.count(path), times, "{answer}");
        }
    }
    let cookie = client.get(&lone.node.url("/cookie")).await.expect(200);
    assert_eq!(cookie.header("set-cookie"), "id=7", "{cookie}\n  passed on to the one who asked");
    for times in 1..=2 {
        let fields = [("authorization", "Basic dTpw")];
        client.get_with(&lone.node.url("/account"), &fields).await.expect(200).expect_miss();
        assert_eq!(origin.count("/account"), times, "RFC 9111 section 3.5");
    }
}

#[tokio::test]
async fn a_stale_response_is_validated_not_fetched_again() {
    let origin = Origin::start().await;
    let reply = Reply::ok("hello").with("etag", "\"v1\"");
    origin.on("/a", reply.cache_control("max-age=0, must-revalidate"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/a"));
    client.get(&url).await.expect(200).expect_miss();
    stored(&lone.node, &url).await;
    let again = client.get(&url).await.expect(200);
    assert_eq!(again.text(), "hello", "{again}");
    assert!(again.cache_status().contains("fwd=stale"), "{again}");
    assert!(again.cache_status().contains("fwd-status=304"), "{again}");
    let requests = origin.requests("/a");
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].headers.get("if-none-match").unwrap(), "\"v1\"");
}

#[tokio::test]
async fn stale_while_revalidate_answers_at_once_and_fetches_behind() {
    let origin = Origin::start().await;
    origin.on("/a", Reply::ok("old").cache_control("max-age=0, stale-while-revalidate=600"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/a"));
    client.get(&url).await.expect(200).expect_miss();
    origin.on("/a", Reply::ok("new").cache_control("max-age=600"));
    let stale = client.hit(&url, &[]).await.expect(200);
    assert_eq!(stale.text(), "old", "{stale}");
    assert!(stale.cache_status().contains("ttl=-") || stale.cache_status().contains("ttl=0"), "{stale}");
    let fresh = wait_until("the new response is stored", DEADLINE, async || {
        let answer = client.get(&url).await.expect(200);
        (answer.text() == "new").then_some(answer)
    });
    fresh.await.expect_hit();
    assert_eq!(origin.count("/a"), 2);
}

#[tokio::test]
async fn vary_keeps_a_response_per_language() {
    let origin = Origin::start().await;
    origin.on("/a", cached("hallo").with("vary", "Accept-Language"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/a"));
    client.get_with(&url, &[("accept-language", "de")]).await.expect(200).expect_miss();
    origin.on("/a", cached("hello").with("vary", "Accept-Language"));
    client.get_with(&url, &[("accept-language", "en")]).await.expect(200).expect_miss();
    for (language, body) in [("de", "hallo"), ("en", "hello")] {
        let hit = client.hit(&url, &[("accept-language", language)]).await.expect(200);
        assert_eq!(hit.text(), body, "{hit}");
    }
    assert_eq!(origin.count("/a"), 2);
}

#[tokio::test]
async fn health_is_answered_on_any_host_from_memory() {
    let lone = lone(&Settings::new().origin("app", "http://127.0.0.1:1")).await;
    let client = lone.node.client();
    let health = client.get(&format!("http://{}/healthz", lone.node.http)).await.expect(200);
    assert_eq!(health.json()["status"], "ok", "{health}");
    lone.node.admin.post("/api/v1/nodes/edge-1/drain").await.expect(200);
    client.get(&lone.node.url("/healthz")).await.expect(503);
    lone.node.admin.post("/api/v1/nodes/edge-1/resume").await.expect(200);
    client.get(&lone.node.url("/healthz")).await.expect(200);
}

#[tokio::test]
async fn a_body_above_the_bound_passes_whole_and_is_not_stored() {
    let origin = Origin::start().await;
    let body = "0123456789".repeat(300_000);
    origin.on("/announced", Reply::ok(body.clone()).cache_control("max-age=600"));
    let (reply, drip) = Reply::drip();
    origin.on("/growing", reply.cache_control("max-age=600"));
    drip.push(body.clone());
    drip.end();
    let settings = Settings::new().cache("memory = \"32 MiB\"\nobject_max = \"1 MiB\"");
    let lone = lone(&settings.origin("app", &origin.url())).await;
    for path in ["/announced", "/growing"] {
        for times in 1..=2 {
            let answer = lone.node.client().get(&lone.node.url(path)).await.expect(200).expect_miss();
            assert!(answer.body == body, "{answer}");
            assert_eq!(origin.count(path), times, "{answer}");
        }
    }
}
