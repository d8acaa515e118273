//! Purges: by every selector, hard and soft, on every node, against fills in flight and across a kill.

use overfall_test_support::{
    Client, DEADLINE, Demo, Node, Origin, Reply, Settings, client::Protocol, node::READER_TOKEN, wait_until,
};
use serde_json::{Value, json};

use crate::{EXE, demo, lone, on_disk};

fn cached(body: &'static str) -> Reply {
    Reply::ok(body).cache_control("max-age=600, stale-while-revalidate=0")
}

/// Makes every region hold a path.
async fn warm(demo: &Demo, path: &str) {
    for region in &demo.regions {
        let client = demo.client(&region.name, Protocol::Any);
        client.get(&demo.url(path)).await.expect(200);
        client.hit(&demo.url(path), &[]).await.expect(200);
    }
}

/// Fails unless every region's memory holds a purged response, and then hits again. A region may find what another has
/// fetched since in the tier that they share.
async fn expect_gone(demo: &Demo, path: &str) {
    for region in &demo.regions {
        let client = demo.client(&region.name, Protocol::Any);
        let answer = client.get(&demo.url(path)).await.expect(200);
        let purged = format!("{}/memory; fwd=miss", region.node);
        assert!(answer.cache_status().contains(&purged), "{answer}\n  expected {purged}");
        client.hit(&demo.url(path), &[]).await.expect(200);
    }
}

async fn expect_kept(demo: &Demo, path: &str) {
    for region in &demo.regions {
        demo.client(&region.name, Protocol::Any).get(&demo.url(path)).await.expect(200).expect_hit();
    }
}

fn seq(answer: &Value) -> u64 {
    answer["seq"].as_u64().unwrap_or_else(|| panic!("{answer} has no seq"))
}

/// A photo of the demo, as its page names it.
async fn photo(demo: &Demo) -> String {
    let page = demo.client("eu-west", Protocol::Any).get(&demo.url("/")).await.expect(200).text();
    let start = page.find("/photos/").expect("the page shows photos");
    page[start..].split(['"', '\'', ' ', '?']).next().unwrap().to_owned()
}

#[tokio::test]
async fn a_tag_is_purged_in_all_three_regions_with_a_receipt_each() {
    let demo = demo().await;
    warm(&demo, "/w/loader.js").await;
    warm(&demo, "/").await;
    let answer = demo.admin.purged(json!({ "site": "demo", "tags": ["loader"] })).await;
    let receipts = answer["receipts"].as_array().unwrap();
    let mut nodes: Vec<_> = receipts.iter().map(|receipt| receipt["node"].as_str().unwrap()).collect();
    nodes.sort_unstable();
    let mut expected: Vec<_> = demo.regions.iter().map(|region| region.node.as_str()).collect();
    expected.sort_unstable();
    assert_eq!(nodes, expected, "{answer}");
    assert!(receipts.iter().all(|receipt| receipt["seq"].as_u64() >= Some(seq(&answer))), "{answer}");
    expect_gone(&demo, "/w/loader.js").await;
    expect_kept(&demo, "/").await;
    let next = demo.admin.purged(json!({ "site": "demo", "tags": ["loader"] })).await;
    assert!(seq(&next) > seq(&answer), "{answer} then {next}");
}

#[tokio::test]
async fn renderings_go_with_their_source_in_every_region() {
    let demo = demo().await;
    let photo = photo(&demo).await;
    let rendering = format!("/cdn-cgi/image/width=64,format=jpeg{photo}");
    for call in [
        json!({ "site": "demo", "urls": [demo.url(&photo)] }),
        json!({ "site": "demo", "urls": [demo.url(&rendering)] }),
        json!({ "site": "demo", "tags": ["photos"] }),
    ] {
        warm(&demo, &rendering).await;
        demo.admin.purged(call).await;
        expect_gone(&demo, &rendering).await;
    }
}

#[tokio::test]
async fn urls_prefixes_hosts_and_everything() {
    let demo = demo().await;
    let photo = photo(&demo).await;
    let host = overfall_test_support::demo::HOST;
    for (call, gone, kept) in [
        (json!({ "urls": [demo.url("/w/loader.js")] }), vec!["/w/loader.js"], vec!["/", photo.as_str()]),
        (json!({ "site": "demo", "urls": ["/w/loader.js"] }), vec!["/w/loader.js"], vec!["/"]),
        (json!({ "prefixes": [format!("{host}/photos/")] }), vec![photo.as_str()], vec!["/", "/w/loader.js"]),
        (json!({ "hosts": [host] }), vec!["/", "/w/loader.js", photo.as_str()], vec![]),
        (json!({ "site": "demo", "all": true }), vec!["/", "/w/loader.js", photo.as_str()], vec![]),
    ] {
        for path in gone.iter().chain(&kept) {
            warm(&demo, path).await;
        }
        demo.admin.purged(call).await;
        for path in kept {
            expect_kept(&demo, path).await;
        }
        for path in gone {
            expect_gone(&demo, path).await;
        }
    }
}

#[tokio::test]
async fn hard_forgets_and_soft_keeps_for_bad_times() {
    let mut origin = Origin::start().await;
    let reply = || Reply::ok("copy").cache_control("max-age=600, stale-if-error=600").with("etag", "\"v1\"");
    for path in ["/soft", "/hard", "/both"] {
        origin.on(path, reply().with("surrogate-key", "all-of-it"));
    }
    let settings = Settings::new().origin("app", &origin.url());
    let lone = lone(&settings.site("stale_while_revalidate = \"0s\"")).await;
    let (client, admin) = (lone.node.client(), &lone.node.admin);
    for path in ["/soft", "/hard", "/both"] {
        client.get(&lone.node.url(path)).await.expect(200).expect_miss();
    }
    let soft = json!({ "site": "site", "tags": ["all-of-it"], "mode": "soft" });
    assert_eq!(admin.purged(soft).await["mode"], "soft");

    let validated = client.get(&lone.node.url("/both")).await.expect(200);
    assert!(validated.cache_status().contains("fwd=stale"), "{validated}");
    assert_eq!(origin.requests("/both")[1].headers.get("if-none-match").unwrap(), "\"v1\"");
    client.hit(&lone.node.url("/both"), &[]).await.expect(200);

    admin.purged(json!({ "urls": [lone.node.url("/hard")], "mode": "hard" })).await;
    origin.stop().await;
    let kept = client.get(&lone.node.url("/soft")).await.expect(200);
    assert_eq!(kept.text(), "copy", "{kept}");
    let forgotten = client.get(&lone.node.url("/hard")).await.expect(502);
    assert!(!forgotten.text().contains("copy"), "{forgotten}");
}

#[tokio::test]
async fn strangers_and_readers_may_not_purge() {
    let origin = Origin::start().await;
    origin.on("/a", cached("a"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let client = lone.node.client();
    client.get(&lone.node.url("/a")).await.expect(200).expect_miss();
    client.hit(&lone.node.url("/a"), &[]).await.expect(200);
    let call = json!({ "site": "site", "all": true, "wait": true });
    let wrong = lone.node.admin.with_token("wrong").purge(&call).await.expect(401);
    assert!(wrong.header("www-authenticate").starts_with("Bearer"), "{wrong}");
    lone.node.admin.with_token("").purge(&call).await.expect(401);
    let reader = lone.node.admin.with_token(READER_TOKEN).purge(&call).await.expect(403);
    assert!(reader.text().contains("purge"), "{reader}\n  names the scope");
    assert_eq!(reader.header("content-type"), "application/problem+json");
    client.get(&lone.node.url("/a")).await.expect(200).expect_hit();
}

#[tokio::test]
async fn calls_that_say_nothing_clear_are_refused() {
    let origin = Origin::start().await;
    origin.on("/a", cached("a"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let client = lone.node.client();
    client.get(&lone.node.url("/a")).await.expect(200).expect_miss();
    client.hit(&lone.node.url("/a"), &[]).await.expect(200);
    let many: Vec<_> = (0..1001).map(|n| format!("/{n}")).collect();
    for call in [
        json!({}),
        json!({ "site": "site" }),
        json!({ "site": "site", "urls": [] }),
        json!({ "tags": ["a"] }),
        json!({ "all": true }),
        json!({ "site": "nowhere", "all": true }),
        json!({ "site": "site", "hosts": ["www.elsewhere.test"] }),
        json!({ "site": "site", "urls": ["https://www.elsewhere.test/a"] }),
        json!({ "urls": ["/a"] }),
        json!({ "urls": ["ftp://www.site.test/a"] }),
        json!({ "site": "site", "prefixes": ["www.site.test/?a=1"] }),
        json!({ "site": "site", "tags": [""] }),
        json!({ "site": "site", "tags": ["two words"] }),
        json!({ "site": "site", "urls": many }),
    ] {
        let answer = lone.node.admin.purge(&call).await.expect(400);
        assert!(answer.json()["detail"].as_str().unwrap().len() > 10, "{answer}\n  says what is wrong");
    }
    for (text, statuses) in [
        ("not json", [400, 400]),
        ("[]", [400, 422]),
        (r#"{"site":"site","all":"yes"}"#, [400, 422]),
        (r#"{"site":"site","all":true,"mode":"gentle"}"#, [400, 422]),
        (r#"{"site":"site","all":true,"dry_run":true}"#, [400, 422]),
    ] {
        let answer = lone.node.admin.post_text("/api/v1/purge", text).await;
        assert!(statuses.contains(&answer.status), "{answer}");
    }
    let huge = format!(r#"{{"site":"site","tags":["{}"]}}"#, "x".repeat(2 << 20));
    lone.node.admin.post_text("/api/v1/purge", &huge).await.expect(413);
    client.get(&lone.node.url("/a")).await.expect(200).expect_hit();
}

#[tokio::test]
async fn a_purge_beats_a_fill_in_flight() {
    let origin = Origin::start().await;
    let (reply, drip) = Reply::drip();
    origin.on("/a", reply.cache_control("max-age=600"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/a"));
    drip.push("old ");
    let mut filling = client.open(http::Method::GET, &url, &[], "").await.unwrap();
    filling.at_least(4).await;
    lone.node.admin.purged(json!({ "urls": [url] })).await;

    origin.on("/a", cached("new"));
    let after = client.get(&url).await.expect(200);
    assert_eq!(after.text(), "new", "a request after the purge may not join the old fetch: {after}");
    drip.push("end");
    drip.end();
    assert_eq!(filling.rest().await.unwrap(), b"end", "who asked before gets what was promised");
    let later = client.get(&url).await.expect(200);
    assert_eq!(later.text(), "new", "the old body may not come back: {later}");
}

#[tokio::test]
async fn a_purge_survives_a_kill() {
    let origin = Origin::start().await;
    origin.on("/gone", cached("old body"));
    origin.on("/kept", cached("kept body"));
    let dir = tempfile::TempDir::new().unwrap();
    let settings = Settings::new().origin("app", &origin.url());
    let mut node = Node::start(EXE, dir.path(), &settings).await;
    for (path, body) in [("/gone", "old body"), ("/kept", "kept body")] {
        node.client().get(&node.url(path)).await.expect(200).expect_miss();
        on_disk(dir.path(), body).await;
    }
    let purged = node.admin.purged(json!({ "urls": [node.url("/gone")] })).await;
    node.process.kill();
    origin.on("/gone", cached("new"));

    let node = Node::start(EXE, dir.path(), &settings).await;
    let gone = node.client().get(&node.url("/gone")).await.expect(200).expect_miss();
    assert_eq!(gone.text(), "new", "{gone}");
    node.client().get(&node.url("/kept")).await.expect(200).expect_hit();
    let next = node.admin.purged(json!({ "site": "site", "tags": ["x"] })).await;
    assert_eq!(next["epoch"], purged["epoch"], "the log goes on");
    assert!(seq(&next) > seq(&purged), "{purged} then {next}");
}

#[tokio::test]
async fn without_wait_a_purge_is_durable_and_soon_seen() {
    let origin = Origin::start().await;
    origin.on("/a", cached("a"));
    let lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let client: Client = lone.node.client();
    client.get(&lone.node.url("/a")).await.expect(200).expect_miss();
    let answer = lone.node.admin.purge(&json!({ "site": "site", "all": true })).await.expect(202);
    assert!(answer.json()["seq"].as_u64() > Some(0), "{answer}");
    wait_until("the purge is applied", DEADLINE, async || {
        let answer = client.get(&lone.node.url("/a")).await.expect(200);
        (!answer.is_hit()).then_some(())
    })
    .await;
    assert_eq!(origin.count("/a"), 2);
}
