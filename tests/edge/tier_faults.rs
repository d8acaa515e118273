//! Tiers that are full, gone, harmed, failing, hanging or lying: the reader gets the next step's answer, always right and
//! soon, and caching goes on when the tier does.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use overfall_test_support::{Answer, DEADLINE, Node, Origin, Reply, Settings, origin::derived, wait_until};
use rustix::process::geteuid;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::{EXE, lone};

/// So little memory that old objects are on disk alone.
const SMALL_CACHE: &str = "memory = \"2 MiB\"\ndisk = { path = \"cache\", size = \"64 MiB\" }";
const OBJECTS: usize = 30;
const LENGTH: usize = 100_000;
/// A tier read may take 1 s, and no request may wait for more than one of them.
const ONE_READ: Duration = Duration::from_secs(4);

async fn origin() -> Origin {
    let origin = Origin::start().await;
    origin.on("/o", Reply::derived(LENGTH).cache_control("max-age=600"));
    origin
}

/// Gets object `n` and checks every byte.
async fn get(node: &Node, n: usize) -> Answer {
    let target = format!("/o?n={n}");
    let answer = node.client().get(&node.url(&target)).await.expect(200);
    assert!(answer.body == derived(&target, LENGTH), "{answer}\n  a wrong byte");
    answer
}

/// Value of a node's event or fact in the metrics.
async fn metric(node: &Node, name: &str) -> u64 {
    let text = node.admin.get("/metrics").await.text();
    let line = text.lines().find(|line| line.contains(&format!("\"{name}\"")));
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in\n{text}"))
}

async fn until_metric(node: &Node, name: &str, holds: impl Fn(u64) -> bool) {
    wait_until(&format!("{name} is as it should be"), DEADLINE, async || {
        holds(metric(node, name).await).then_some(())
    })
    .await;
}

fn block_files(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { block_files(&path) } else { vec![path] }).collect()
}

/// A file system of its own; unmounted when dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// `None` where mounting is not allowed.
    fn tmpfs(at: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let options = format!("size={size}");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output();
        status.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a test that could not run says so")]
async fn a_full_disk_is_passed_over_until_there_is_room() {
    let dir = TempDir::new().unwrap();
    let disk = dir.path().join("cache");
    let Some(_mounted) = Mounted::tmpfs(&disk, "160M") else {
        eprintln!("skipped: mounting a file system is not allowed here");
        return;
    };
    let origin = origin().await;
    let settings = Settings::new().cache(SMALL_CACHE).origin("app", &origin.url());
    let node = Node::start(EXE, dir.path(), &settings).await;
    for n in 0..5 {
        get(&node, n).await;
    }
    until_metric(&node, "disk_written", |count| count >= 5).await;
    let ballast = disk.join("ballast");
    std::fs::write(&ballast, vec![1; 150 << 20]).unwrap();
    for n in 5..OBJECTS {
        get(&node, n).await.expect_miss();
    }
    until_metric(&node, "disk_refused", |count| count >= 20).await;
    for n in 0..5 {
        get(&node, n).await.expect_hit();
    }
    std::fs::remove_file(&ballast).unwrap();
    let before = metric(&node, "disk_written").await;
    get(&node, 100).await;
    until_metric(&node, "disk_written", |count| count > before).await;
    let mut process = node.process;
    process.terminate();
    assert!(process.exit(DEADLINE).await.success());
    let node = Node::start(EXE, dir.path(), &settings).await;
    let hit = get(&node, 100).await.expect_hit();
    assert!(hit.cache_status().contains("disk"), "{hit}");
}

#[tokio::test]
async fn a_disk_that_cannot_be_used_leaves_a_node_that_answers() {
    let origin = origin().await;
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("cache"), "a file, not a folder").unwrap();
    let settings = Settings::new().cache(SMALL_CACHE).origin("app", &origin.url());
    let node = Node::start(EXE, dir.path(), &settings).await;
    get(&node, 1).await.expect_miss();
    let url = node.url("/o?n=1");
    node.client().hit(&url, &[]).await.expect(200);
    let status = node.admin.get("/api/v1/status").await.expect(200);
    assert!(status.text().contains("unusable: "), "{status}\n  says so");
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "a test that could not run says so")]
async fn a_read_only_disk_leaves_a_node_that_answers() {
    let dir = TempDir::new().unwrap();
    let disk = dir.path().join("cache");
    let mounted = Mounted::tmpfs(&disk, "160M");
    let made_read_only = mounted.is_some()
        && Command::new("mount").args(["-o", "remount,ro"]).arg(&disk).status().is_ok_and(|s| s.success());
    if !made_read_only {
        eprintln!("skipped: mounting a file system is not allowed here (user {:?})", geteuid());
        return;
    }
    let origin = origin().await;
    let settings = Settings::new().cache(SMALL_CACHE).origin("app", &origin.url());
    let node = Node::start(EXE, dir.path(), &settings).await;
    get(&node, 1).await.expect_miss();
    let status = node.admin.get("/api/v1/status").await.expect(200);
    assert!(status.text().contains("unusable: "), "{status}\n  says so");
}

#[tokio::test]
async fn block_files_cut_while_running_are_misses() {
    let origin = origin().await;
    let dir = TempDir::new().unwrap();
    let settings = Settings::new().cache(SMALL_CACHE).origin("app", &origin.url());
    let node = Node::start(EXE, dir.path(), &settings).await;
    for n in 0..OBJECTS {
        get(&node, n).await.expect_miss();
        until_metric(&node, "disk_waiting_bytes", |bytes| bytes == 0).await;
    }
    let mut from_disk = 0;
    for n in 0..OBJECTS {
        from_disk += usize::from(get(&node, n).await.cache_status().contains("disk; hit"));
    }
    assert!(from_disk > OBJECTS / 4, "only {from_disk} of {OBJECTS} came from the disk");
    for file in block_files(&dir.path().join("cache")) {
        std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(0).unwrap();
    }
    for n in 0..OBJECTS {
        get(&node, n).await;
    }
    std::fs::remove_dir_all(dir.path().join("cache")).unwrap();
    for n in 0..OBJECTS {
        get(&node, n).await;
    }
    let mut process = node.process;
    process.terminate();
    assert!(process.exit(DEADLINE).await.success());
    let node = Node::start(EXE, dir.path(), &settings).await;
    for n in 0..OBJECTS {
        get(&node, n).await;
    }
}

/// A node whose S3 tier is this server.
async fn with_s3(server: &Origin, origin: &Origin) -> crate::Lone {
    let s3 = format!(
        "s3 = {{ bucket = \"bucket\", endpoint = \"{}\", region = \"r\", access_key = \"a\", secret_key = \"s\" }}",
        server.url()
    );
    lone(&Settings::new().cache(&format!("memory = \"32 MiB\"\n{s3}")).origin("app", &origin.url())).await
}

#[tokio::test]
async fn a_bucket_that_hangs_costs_a_few_requests_a_second_and_is_skipped_then() {
    let (server, origin) = (Origin::start().await, origin().await);
    server.otherwise(Reply::hang());
    let lone = with_s3(&server, &origin).await;
    let mut reasons = Vec::new();
    for n in 0..12 {
        let began = Instant::now();
        let answer = get(&lone.node, n).await.expect_miss();
        assert!(began.elapsed() < ONE_READ, "{answer}\n  took {:?}", began.elapsed());
        let status = answer.cache_status();
        reasons.push(["timeout", "skipped"].into_iter().find(|reason| status.contains(reason)));
    }
    assert!(reasons.iter().all(Option::is_some), "each miss has its reason: {reasons:?}");
    let waited = reasons.iter().filter(|reason| **reason == Some("timeout")).count();
    assert!((1..=6).contains(&waited), "{waited} requests waited: {reasons:?}");
    assert_eq!(metric(&lone.node, "shared_open").await, 1);
    lone.node.client().hit(&lone.node.url("/o?n=0"), &[]).await.expect(200);
}

#[tokio::test]
async fn a_bucket_that_fails_is_skipped_and_asked_again_later() {
    let (server, origin) = (Origin::start().await, origin().await);
    server.otherwise(Reply::status(500));
    let lone = with_s3(&server, &origin).await;
    for n in 0..8 {
        let answer = get(&lone.node, n).await.expect_miss();
        let status = answer.cache_status();
        assert!(status.contains("failed") || status.contains("skipped"), "{answer}");
    }
    assert_eq!(metric(&lone.node, "shared_open").await, 1);
    server.otherwise(Reply::status(404));
    let mut next = 100;
    wait_until("the tier is asked again", DEADLINE, async || {
        next += 1;
        get(&lone.node, next).await;
        (metric(&lone.node, "shared_open").await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_bucket_that_lies_is_never_believed() {
    let (server, origin) = (Origin::start().await, origin().await);
    let lone = with_s3(&server, &origin).await;
    for (n, (reply, reasons)) in [
        (Reply::ok("this is no record"), ["corrupt"]),
        (Reply::ok(vec![0; 100_000]), ["corrupt"]),
        (Reply::ok(""), ["corrupt"]),
        (Reply::cut("ovrf", 100_000), ["failed"]),
        (Reply::slam(), ["failed"]),
        (Reply::status(403), ["failed"]),
    ]
    .into_iter()
    .enumerate()
    {
        server.otherwise(reply);
        let answer = get(&lone.node, n).await.expect_miss();
        assert!(reasons.iter().any(|reason| answer.cache_status().contains(reason)), "{n}: {answer}");
    }
}

#[tokio::test]
async fn a_bucket_that_refuses_connections_is_a_miss() {
    let (mut server, origin) = (Origin::start().await, origin().await);
    let lone = with_s3(&server, &origin).await;
    server.stop().await;
    for n in 0..8 {
        let answer = get(&lone.node, n).await.expect_miss();
        let status = answer.cache_status();
        assert!(status.contains("failed") || status.contains("skipped"), "{answer}");
    }
}
