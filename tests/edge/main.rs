//! What a browser, a publisher, an operator and a resolver see of the real binary over real sockets.
//!
//! Every test starts its own process in its own folder on ports that the system chooses, and prints the dialogue when it
//! fails.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests fail the test that calls them; `allow-unwrap-in-tests` does not reach them"
)]

mod admin;
mod breaker;
mod browser;
mod budget;
mod cli;
mod conformance;
mod corpora;
mod crash;
mod dns;
mod encodings;
mod faults;
mod front;
mod herd_failing;
mod hit_and_miss;
mod image_cli;
mod image_clients;
mod image_crowd;
mod image_dialects;
mod image_load;
mod image_refusals;
mod image_safety;
mod image_workers;
mod images;
mod last_good;
mod logs;
mod malformed;
mod origin_health;
mod origins;
mod pictures;
mod poisoning;
mod purge;
mod quick_start;
mod ranges;
mod restart;
mod s3;
mod shadow;
mod signals;
mod single_flight;
mod slow_clients;
mod tailoring;
mod tier_faults;
mod tls_and_h2;

use std::{path::Path, process::Command};

use overfall_test_support::{DEADLINE, Demo, Node, Settings, wait_until};
use tempfile::TempDir;

/// The binary under test.
const EXE: &str = env!("CARGO_BIN_EXE_overfall");

/// A node and the folder that it lives in; the process ends before the folder goes.
struct Lone {
    node: Node,
    _dir: TempDir,
}

async fn lone(settings: &Settings) -> Lone {
    let dir = TempDir::new().expect("a temporary folder");
    let node = Node::start(EXE, dir.path(), settings).await;
    Lone { node, _dir: dir }
}

/// Says what was measured; runners show it when they are asked to.
#[expect(clippy::print_stderr, reason = "`make image-load` shows what a run came to, also when it went well")]
fn shown(line: &str) {
    eprintln!("{line}");
}

async fn demo() -> Demo {
    Demo::start(EXE).await
}

/// Waits until a file of the node's disk tier holds these bytes.
async fn on_disk(dir: &Path, bytes: &str) {
    let what = format!("the disk holds {bytes:?}");
    wait_until(&what, DEADLINE, async || {
        let found = Command::new("grep").args(["-rqaF", "--", bytes]).arg(dir.join("cache")).status();
        found.expect("grep is there").success().then_some(())
    })
    .await;
}

/// Waits until the memory tier holds a response for this URL. What a client has read to its end may still be on its way
/// there.
async fn stored(node: &Node, url: &str) {
    wait_until("the response is stored", DEADLINE, async || {
        let explained = node.admin.explain(url).await;
        let tiers = explained["nodes"][0]["tiers"].as_array().cloned().unwrap_or_default();
        tiers.iter().any(|tier| tier["tier"] == "memory" && tier["state"] != "absent").then_some(())
    })
    .await;
}
