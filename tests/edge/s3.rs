//! S3 as an origin and as a tier, spoken to with real signatures.

use overfall_cache::tier::s3::ObjectFields;
use overfall_test_support::{DEADLINE, Node, Origin, Reply, Settings, s3::S3, wait_until};
use tempfile::TempDir;

use crate::{EXE, lone};

fn photo_fields() -> ObjectFields {
    ObjectFields {
        content_type: Some("image/jpeg".to_owned()),
        cache_control: Some("max-age=600".to_owned()),
        metadata: vec![("surrogate-key".to_owned(), "photos".to_owned())],
        ..ObjectFields::default()
    }
}

#[tokio::test]
async fn a_bucket_is_an_origin() {
    let dir = TempDir::new().unwrap();
    let s3 = S3::start(dir.path()).await;
    let body = "0123456789".repeat(100);
    s3.put("photos/a b.jpg", body.clone(), photo_fields()).await;
    let lone = lone(&Settings::new().origin_with("media", &s3.origin_lines())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/photos/a%20b.jpg"));
    let answer = client.get(&url).await.expect(200).expect_miss();
    assert_eq!(answer.text(), body, "{answer}");
    assert_eq!(answer.header("content-type"), "image/jpeg", "{answer}");
    assert!(!answer.header("etag").is_empty(), "{answer}");
    assert!(
        !answer.headers.keys().any(|name| name.as_str().starts_with("x-amz")),
        "the inside stays inside: {answer}"
    );
    client.hit(&url, &[]).await.expect(200);
    let part = client.get_with(&url, &[("range", "bytes=10-14")]).await.expect(206);
    assert_eq!(part.text(), "01234", "{part}");
    client.get(&lone.node.url("/photos/nothing.jpg")).await.expect(404);
    lone.node.admin.purged(serde_json::json!({ "site": "site", "tags": ["photos"] })).await;
    client.get(&url).await.expect(200).expect_miss();
}

#[tokio::test]
async fn a_bucket_that_denies_or_is_gone_is_passed_over() {
    let dir = TempDir::new().unwrap();
    let mut s3 = S3::start(dir.path()).await;
    s3.put("a", "from the bucket", photo_fields()).await;
    let origin = Origin::start().await;
    for path in ["/a", "/b"] {
        origin.on(path, Reply::ok("from the app").cache_control("max-age=600"));
    }
    let settings = Settings::new().origin_with("media", &s3.origin_lines_with_secret("not-the-secret-key"));
    let lone = lone(&settings.origin("app", &origin.url())).await;
    let denied = lone.node.client().get(&lone.node.url("/a")).await.expect(200);
    assert_eq!(denied.text(), "from the app", "wrong keys are our mistake, not the reader's: {denied}");
    s3.stop().await;
    let gone = lone.node.client().get(&lone.node.url("/b")).await.expect(200);
    assert_eq!(gone.text(), "from the app", "{gone}");
}

#[tokio::test]
async fn what_one_node_stored_in_the_bucket_the_next_finds_without_an_origin() {
    let dir = TempDir::new().unwrap();
    let s3 = S3::start(&dir.path().join("s3")).await;
    let mut origin = Origin::start().await;
    origin.on("/a", Reply::ok("hello".repeat(1000)).cache_control("max-age=600").with("etag", "\"v1\""));
    let cache = format!("memory = \"32 MiB\"\ns3 = {}", s3.tier_table("cache"));
    let settings = Settings::new().cache(&cache).origin("app", &origin.url());
    let work = dir.path().join("node");
    std::fs::create_dir_all(&work).unwrap();
    let mut node = Node::start(EXE, &work, &settings).await;
    node.client().get(&node.url("/a")).await.expect(200).expect_miss();
    held(&node, "/a", "s3").await;
    node.process.kill();
    origin.stop().await;

    // same log, empty memory, no disk: only the bucket can know
    let node = Node::start(EXE, &work, &settings).await;
    let hit = node.client().get(&node.url("/a")).await.expect(200).expect_hit();
    assert_eq!(hit.text(), "hello".repeat(1000));
    assert!(hit.cache_status().contains("s3"), "{hit}\n  says which tier");
    assert_eq!(hit.header("etag"), "\"v1\"");
    node.admin.purged(serde_json::json!({ "urls": [node.url("/a")] })).await;
    node.client().get(&node.url("/a")).await.expect(502);
}

#[tokio::test]
async fn a_broken_shared_tier_is_a_miss() {
    let dir = TempDir::new().unwrap();
    let mut s3 = S3::start(&dir.path().join("s3")).await;
    let origin = Origin::start().await;
    origin.on("/a", Reply::ok("hello").cache_control("max-age=600"));
    let cache = format!("memory = \"32 MiB\"\ns3 = {}", s3.tier_table("cache"));
    let settings = Settings::new().cache(&cache).origin("app", &origin.url());
    s3.stop().await;
    let lone = lone(&settings).await;
    let client = lone.node.client();
    assert_eq!(client.get(&lone.node.url("/a")).await.expect(200).text(), "hello");
    client.hit(&lone.node.url("/a"), &[]).await.expect(200);
}

#[tokio::test]
async fn a_folder_takes_the_place_of_the_bucket() {
    let dir = TempDir::new().unwrap();
    let mut origin = Origin::start().await;
    origin.on("/a", Reply::ok("hello").cache_control("max-age=600"));
    let settings =
        Settings::new().cache("memory = \"32 MiB\"\nfolder = \"shared\"").origin("app", &origin.url());
    let mut node = Node::start(EXE, dir.path(), &settings).await;
    node.client().get(&node.url("/a")).await.expect(200).expect_miss();
    held(&node, "/a", "folder").await;
    node.process.kill();
    origin.stop().await;
    let node = Node::start(EXE, dir.path(), &settings).await;
    let hit = node.client().get(&node.url("/a")).await.expect(200).expect_hit();
    assert_eq!(hit.text(), "hello", "{hit}");
}

/// Waits until a tier holds a path.
async fn held(node: &Node, path: &str, tier: &str) {
    let url = node.url(path);
    wait_until("the tier holds the response", DEADLINE, async || {
        let explained = node.admin.explain(&url).await;
        let tiers = explained["nodes"][0]["tiers"].as_array().cloned().unwrap_or_default();
        tiers.iter().any(|found| found["tier"] == tier && found["state"] == "fresh").then_some(())
    })
    .await;
}
