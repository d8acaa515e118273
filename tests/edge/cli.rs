//! The command line: what it prints where, and how it exits.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use overfall_test_support::{Demo, Settings, client::Protocol};

use crate::{EXE, demo};

/// Variables that the three-region example reads.
const EXAMPLE_ENVIRONMENT: [(&str, &str); 4] = [
    ("NODE_NAME", "eu-west-1"),
    ("REGION", "eu-west"),
    ("ADMIN_TOKEN", "a-token-for-the-example"),
    ("S3_KEY_ID", "key-id"),
];

fn overfall(arguments: &[&str]) -> Output {
    let mut command = Command::new(EXE);
    command.args(arguments).envs(EXAMPLE_ENVIRONMENT).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn succeeds(arguments: &[&str]) -> String {
    let output = overfall(arguments);
    assert_eq!(output.status.code(), Some(0), "overfall {arguments:?}\n{}", text(&output.stderr));
    text(&output.stdout)
}

#[track_caller]
fn fails(code: i32, arguments: &[&str]) -> String {
    let output = overfall(arguments);
    assert_eq!(output.status.code(), Some(code), "overfall {arguments:?}\n{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "", "complaints do not go to standard output: overfall {arguments:?}");
    text(&output.stderr)
}

fn example(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/examples").join(name);
    path.to_str().unwrap().to_owned()
}

fn broken_file(dir: &tempfile::TempDir) -> String {
    let text = Settings::new()
        .origin("app", "http://127.0.0.1:1")
        .site("ttl = \"soon\"\nstale_if_eror = \"1d\"")
        .to_toml();
    let path = dir.path().join("broken.toml");
    std::fs::write(&path, text.replace("origins = [\"app\"]", "origins = [\"aap\"]")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_version_is_printed() {
    for arguments in [["version"], ["--version"]] {
        let printed = succeeds(&arguments);
        assert_eq!(printed.trim(), format!("overfall {}", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn the_examples_are_valid() {
    assert!(succeeds(&["validate", &example("single-node.toml")]).contains("valid"));
    // this one names files that stand on its machines only
    let dir = tempfile::TempDir::new().unwrap();
    let secret = dir.path().join("s3.secret");
    std::fs::write(&secret, "secret").unwrap();
    let text = std::fs::read_to_string(example("three-regions.toml")).unwrap();
    let file = dir.path().join("three-regions.toml");
    std::fs::write(&file, text.replace("/etc/overfall/s3.secret", secret.to_str().unwrap())).unwrap();
    assert!(succeeds(&["validate", file.to_str().unwrap()]).contains("valid"));
}

#[test]
fn every_mistake_of_a_file_is_shown_at_once() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = broken_file(&dir);
    let complaint = fails(78, &["validate", &file]);
    for expected in ["broken.toml:", "\"soon\"", "stale_if_eror", "aap", "did you mean", "^^^"] {
        assert!(complaint.contains(expected), "{complaint}\n  shows {expected:?}");
    }
    assert!(complaint.matches("broken.toml:").count() >= 3, "{complaint}\n  every problem in one go");
    assert_eq!(fails(78, &["run", "--config", &file]), complaint, "run says the same");
}

#[test]
fn words_that_make_no_sense_are_refused() {
    fails(78, &["validate", "/nowhere/overfall.toml"]);
    fails(2, &["dance"]);
    fails(2, &["run"]);
    fails(2, &["origin", "explode", "app"]);
    fails(1, &["status"]);
    let unreachable = fails(1, &["status", "--admin", "http://127.0.0.1:1", "--token", "x"]);
    assert!(unreachable.contains("can't be reached"), "{unreachable}");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("overfall.toml");
    let text = Settings::new().origin("app", "http://127.0.0.1:1").to_toml();
    std::fs::write(&file, text.replacen("http = \"127.0.0.1:0\"", &format!("http = \"{address}\""), 1))
        .unwrap();
    let complaint = fails(1, &["run", "--config", file.to_str().unwrap()]);
    assert!(complaint.contains(&address.to_string()), "{complaint}\n  names {address}");
}

#[tokio::test]
async fn verbs_speak_to_a_running_demo() {
    let demo = demo().await;
    let at = ["--admin", demo.admin.url.as_str(), "--token", demo.admin.token.as_str()];
    let run = |words: &[&str]| succeeds(&[words, &at].concat());
    let url = demo.url("/w/loader.js");
    let client = demo.client("eu-west", Protocol::Any);
    client.get(&url).await.expect(200);
    client.hit(&url, &[]).await.expect(200);

    let status = run(&["status"]);
    assert!(demo.regions.iter().all(|region| status.contains(&region.node)), "{status}");
    let explained = run(&["explain", &url]);
    assert!(explained.contains("hit in memory") && explained.contains("loader"), "{explained}");
    let purged = run(&["purge", "--site", "demo", "--tag", "loader"]);
    assert!(demo.regions.iter().all(|region| purged.contains(&region.node)), "{purged}\n  a receipt each");
    client.get(&url).await.expect(200).expect_miss();
    run(&["purge", &url]);
    client.get(&url).await.expect(200).expect_miss();
    let steered = run(&["dns", "explain", "--from", "203.0.113.9"]);
    assert!(steered.contains("ap-south"), "{steered}");
    switches(&demo, &run);
    let refused = fails(1, &["status", "--admin", &demo.admin.url, "--token", "wrong"]);
    assert!(refused.contains("401"), "{refused}");
}

fn switches(demo: &Demo, run: &impl Fn(&[&str]) -> String) {
    let node = &demo.regions[0].node;
    for words in [
        ["origin", "down", "media"],
        ["origin", "up", "media"],
        ["node", "drain", node],
        ["node", "resume", node],
    ] {
        let said = run(&words);
        assert!(said.contains(words[2]), "{said}");
    }
}
