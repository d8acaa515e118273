//! A kill in the middle of service, and what is warm afterwards.

use std::time::Duration;

use overfall_test_support::{DEADLINE, Demo, Node, Origin, Reply, Settings, client::Protocol};
use tokio::time::Instant;

use crate::{EXE, on_disk};

/// Objects that are warm before the kill.
const OBJECTS: usize = 20;

/// Disk hits serve again this soon after a start; generous here, since tests share a machine and run unoptimised code.
const READY_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test]
async fn after_a_kill_the_disk_serves_without_the_origin() {
    let mut origin = Origin::start().await;
    let body = |n: usize| format!("object {n} {}", "x".repeat(1 + n * 1000));
    for n in 0..OBJECTS {
        origin.on(&format!("/{n}"), Reply::ok(body(n)).cache_control("max-age=600").with("etag", "\"v\""));
    }
    let dir = tempfile::TempDir::new().unwrap();
    let settings = Settings::new().origin("app", &origin.url());
    let mut node = Node::start(EXE, dir.path(), &settings).await;
    for n in 0..OBJECTS {
        node.client().get(&node.url(&format!("/{n}"))).await.expect(200).expect_miss();
    }
    for n in 0..OBJECTS {
        on_disk(dir.path(), &format!("object {n} x")).await;
    }
    node.process.kill();
    origin.stop().await;

    let began = Instant::now();
    let node = Node::start(EXE, dir.path(), &settings).await;
    let client = node.client();
    for n in 0..OBJECTS {
        let hit = client.get(&node.url(&format!("/{n}"))).await.expect(200).expect_hit();
        assert_eq!(hit.text(), body(n), "every byte as it was");
        assert!(hit.cache_status().contains("disk"), "{hit}\n  says which tier");
        assert_eq!(hit.header("etag"), "\"v\"", "{hit}");
    }
    assert!(began.elapsed() < READY_WITHIN, "warm again after {:?}", began.elapsed());
}

#[tokio::test]
async fn a_damaged_cache_file_is_a_miss_not_a_wrong_byte() {
    let origin = Origin::start().await;
    origin.on("/a", Reply::ok("x".repeat(100_000)).cache_control("max-age=600"));
    let dir = tempfile::TempDir::new().unwrap();
    let settings = Settings::new().origin("app", &origin.url());
    let node = Node::start(EXE, dir.path(), &settings).await;
    node.client().get(&node.url("/a")).await.expect(200).expect_miss();
    let mut process = node.process;
    process.terminate();
    assert!(process.exit(DEADLINE).await.success());
    let mut damaged = 0;
    for file in files(&dir.path().join("cache")) {
        let mut bytes = std::fs::read(&file).unwrap();
        for byte in bytes.iter_mut().filter(|byte| **byte == b'x') {
            *byte = b'y';
            damaged += 1;
        }
        std::fs::write(&file, bytes).unwrap();
    }
    assert!(damaged > 50_000, "the object was on disk");
    let node = Node::start(EXE, dir.path(), &settings).await;
    let answer = node.client().get(&node.url("/a")).await.expect(200);
    assert!(answer.body.iter().all(|byte| *byte == b'x'), "{answer}");
    assert_eq!(origin.count("/a"), 2, "fetched anew");
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_demo_starts_again_in_its_folder_with_the_same_authority() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut demo = Demo::start_in(EXE, dir.path()).await;
    let authority = std::fs::read(&demo.ca).unwrap();
    demo.client("us-east", Protocol::Any).get(&demo.url("/w/loader.js")).await.expect(200);
    demo.process.kill();
    let mut demo = Demo::start_in(EXE, dir.path()).await;
    assert_eq!(std::fs::read(&demo.ca).unwrap(), authority, "browsers that trusted it still do");
    demo.client("us-east", Protocol::Any).get(&demo.url("/w/loader.js")).await.expect(200);
    demo.process.terminate();
    assert!(demo.process.exit(DEADLINE).await.success(), "a clean stop");
}
