//! SIGTERM and SIGHUP as a service manager sends them.

use http::Method;
use overfall_test_support::{DEADLINE, Origin, Reply, Settings, node::HOST, raw::Raw, wait_until};
use rustix::process::Signal;

use crate::lone;

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
}

#[tokio::test]
async fn sigterm_lets_a_running_response_finish_and_exits_zero() {
    let origin = Origin::start().await;
    let (reply, drip) = Reply::drip();
    origin.on("/a", reply.cache_control("max-age=600"));
    let mut lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let (client, url) = (lone.node.client(), lone.node.url("/a"));
    drip.push("first ");
    let mut running = client.open(Method::GET, &url, &[], "").await.unwrap();
    running.at_least(6).await;
    lone.node.process.terminate();
    wait_until("new connections are refused", DEADLINE, async || {
        tokio::net::TcpStream::connect(lone.node.http).await.is_err().then_some(())
    })
    .await;
    assert!(lone.node.process.is_running(), "a response is still running");
    drip.push("last");
    drip.end();
    assert_eq!(running.rest().await.unwrap(), b"last");
    let status = lone.node.process.exit(DEADLINE).await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert_eq!(lone.node.process.stdout(), "", "nothing on standard output");
}

#[tokio::test]
async fn a_drain_has_an_end() {
    let origin = Origin::start().await;
    let (reply, drip) = Reply::drip();
    origin.on("/a", reply.cache_control("max-age=600"));
    let settings = Settings::new().origin("app", &origin.url()).tables("[limits]\ndrain = \"200ms\"");
    let mut lone = lone(&settings).await;
    let (client, url) = (lone.node.client(), lone.node.url("/a"));
    drip.push("first ");
    let mut running = client.open(Method::GET, &url, &[], "").await.unwrap();
    running.at_least(6).await;
    lone.node.process.signal(Signal::INT);
    let status = lone.node.process.exit(DEADLINE).await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(running.rest().await.is_err(), "a body that was not sent whole does not look whole");
}

#[tokio::test]
async fn sighup_applies_a_changed_file_and_keeps_connections() {
    let (old, new) = (Origin::start().await, Origin::start().await);
    for path in ["/a", "/b"] {
        old.on(path, Reply::ok("old"));
        new.on(path, Reply::ok("new"));
    }
    let settings =
        |origin: &Origin, ttl| Settings::new().origin("app", &origin.url()).site(&format!("ttl = \"{ttl}\""));
    let lone = lone(&settings(&old, "100s")).await;
    let mut kept = Raw::connect(lone.node.http).await;
    kept.send(get("/a")).await;
    let before = kept.answer().await;
    assert_eq!((before.status, before.text().as_str()), (200, "old"), "{before:?}");

    std::fs::write(&lone.node.config, settings(&new, "500s").to_toml()).unwrap();
    lone.node.process.signal(Signal::HUP);
    let client = lone.node.client();
    let mut asked = 0;
    wait_until("the new origin is asked", DEADLINE, async || {
        asked += 1;
        let path = format!("/a?{asked}");
        (client.get(&lone.node.url(&path)).await.expect(200).text() == "new").then_some(())
    })
    .await;
    kept.send(get("/b")).await;
    let after = kept.answer().await;
    assert_eq!(
        (after.status, after.text().as_str()),
        (200, "new"),
        "on the connection from before: {after:?}"
    );
    kept.send(get("/b")).await;
    let hit = kept.answer().await.header("cache-status").unwrap_or_default();
    let ttl: u64 = hit.split("ttl=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
    assert!(ttl > 400, "the new ttl applies: {hit}");
    kept.send(get("/a")).await;
    let stored = kept.answer().await;
    assert_eq!(stored.text(), "old", "what was stored stays: {stored:?}");
}

#[tokio::test]
async fn a_broken_file_changes_nothing() {
    let origin = Origin::start().await;
    origin.on("/a", Reply::ok("a"));
    let mut lone = lone(&Settings::new().origin("app", &origin.url())).await;
    let good = std::fs::read_to_string(&lone.node.config).unwrap();
    for broken in [
        "this is not toml",
        "[node]\nnaem = \"x\"\n",
        &good.replace("origins = [\"app\"]", "origins = [\"ap\"]"),
    ] {
        std::fs::write(&lone.node.config, broken).unwrap();
        let refused = lone.node.admin.post("/api/v1/reload").await.expect(422);
        assert!(
            refused.json()["detail"].as_str().unwrap().contains("overfall.toml:"),
            "{refused}\n  says where"
        );
    }
    lone.node.process.signal(Signal::HUP);
    let complaint = |line: &str| line.contains("configuration not reloaded").then_some(());
    lone.node.process.stderr_line("the log says that nothing changed", DEADLINE, complaint).await;
    lone.node.client().get(&lone.node.url("/a")).await.expect(200);
    std::fs::write(&lone.node.config, good.replacen("127.0.0.1:0", "127.0.0.1:1", 1)).unwrap();
    let needs = lone.node.admin.post("/api/v1/reload").await.expect(200);
    assert!(needs.text().contains("listen"), "{needs}\n  says what a reload can't change");
}
