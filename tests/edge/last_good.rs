//! An archive (`serve = "last-good"`): asked last, believed for seconds only, and never an authority on what is absent.

use overfall_test_support::{Origin, Reply, Settings};

use crate::{Lone, lone};

async fn edge(ordinary: &Origin, archive: &str, site: &str) -> Lone {
    let impatient = format!("url = \"{}\"\nhead_timeout = \"1s\"\nread_timeout = \"1s\"", ordinary.url());
    let settings = Settings::new()
        .origin_with("archive", &format!("url = \"{archive}\"\nserve = \"last-good\""))
        .origin_with("app", &impatient);
    lone(&settings.site(site)).await
}

#[tokio::test]
async fn it_answers_when_every_origin_fails_and_says_so() {
    let (app, archive) = (Origin::start().await, Origin::start().await);
    app.on("/a", Reply::status(503));
    archive.on("/a", Reply::ok("old").cache_control("max-age=31536000, immutable").with("etag", "\"old\""));
    let lone = edge(&app, &archive.url(), "").await;
    let client = lone.node.client();
    let answer = client.get(&lone.node.url("/a")).await.expect(200);
    assert_eq!(answer.text(), "old");
    assert!(answer.header("cache-status").contains("detail=last-good"), "{answer}");
    assert!(answer.header("cache-control").starts_with("max-age=10,"), "{answer}");
    assert_eq!(answer.header("etag"), "", "{answer}");
    let hit = client.hit(&lone.node.url("/a"), &[]).await;
    assert!(hit.header("cache-status").contains("detail=last-good"), "{hit}");
    assert_eq!(archive.count("/a"), 1);
    let explained = lone.node.admin.explain(&lone.node.url("/a")).await;
    assert_eq!(explained["nodes"][0]["origin_states"][0]["role"], "archive", "{explained}");
}

#[tokio::test]
async fn it_is_not_asked_while_an_origin_answers() {
    let (app, archive) = (Origin::start().await, Origin::start().await);
    archive.on("/a", Reply::ok("old"));
    let lone = edge(&app, &archive.url(), "").await;
    lone.node.client().get(&lone.node.url("/a")).await.expect(404);
    assert_eq!(archive.count_all(), 0);
}

#[tokio::test]
async fn a_stale_copy_comes_first() {
    let (app, archive) = (Origin::start().await, Origin::start().await);
    app.on("/a", Reply::ok("stale").cache_control("max-age=0, stale-if-error=600"));
    archive.on("/a", Reply::ok("old"));
    let lone = edge(&app, &archive.url(), "stale_while_revalidate = \"0s\"").await;
    let client = lone.node.client();
    client.get(&lone.node.url("/a")).await.expect(200);
    crate::stored(&lone.node, &lone.node.url("/a")).await;
    app.on("/a", Reply::slam());
    let answer = client.get(&lone.node.url("/a")).await.expect(200);
    assert_eq!(answer.text(), "stale", "{answer}");
    assert!(answer.header("cache-status").contains("detail=stale-if-error"), "{answer}");
    assert_eq!(archive.count_all(), 0);
}

#[tokio::test]
async fn what_it_lacks_falls_on_to_the_sites_fallback() {
    let (app, archive) = (Origin::start().await, Origin::start().await);
    app.on("/a", Reply::slam());
    let fallback = "on_failure = { body = \"later\" }";
    let lone = edge(&app, &archive.url(), fallback).await;
    for (method, text) in [(http::Method::GET, "later"), (http::Method::HEAD, "")] {
        let answer = lone.node.client().send(method, &lone.node.url("/a"), &[], "").await.expect(200);
        assert_eq!(answer.text(), text, "{answer}");
        assert_eq!(answer.header("content-length"), "5", "{answer}");
        assert!(answer.header("cache-status").contains("detail=fallback"), "{answer}");
    }
    assert!(archive.count("/a") >= 1);
}

#[tokio::test]
async fn a_folder_can_be_the_archive() {
    let mut app = Origin::start().await;
    app.stop().await;
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("a.txt"), "from the folder").unwrap();
    let lone = edge(&app, &format!("file:{}", folder.path().display()), "").await;
    let answer = lone.node.client().get(&lone.node.url("/a.txt")).await.expect(200);
    assert_eq!(answer.text(), "from the folder");
    assert_eq!(answer.header("last-modified"), "", "{answer}");
    lone.node.client().get(&lone.node.url("/b.txt")).await.expect(502);
}
