//! `overfall demo` as somebody meets it: what it prints, that the commands work when pasted, and how it ends.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use overfall_test_support::{DEADLINE, Demo, Process, client::Protocol};
use rustix::process::Signal;

use crate::EXE;

#[tokio::test]
async fn one_line_says_everything_and_ctrl_c_ends_it_cleanly() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_port = taken.local_addr().unwrap().port();
    let mut demo = Demo::start_with(EXE, &["--https-port", &taken_port.to_string()]).await;
    let ready = demo.ready.clone();
    assert!(ready["ready_ms"].as_u64() > Some(0), "{ready}");
    assert_ne!(demo.regions[0].https.port(), taken_port, "a taken port is replaced, and said");
    assert_eq!(ready["page"], demo.url("/"), "{ready}");
    assert_eq!(ready["zone"], "demo.test.", "{ready}");
    let names: Vec<_> = demo.regions.iter().map(|region| region.name.as_str()).collect();
    assert_eq!(names, ["eu-west", "us-east", "ap-south"], "{ready}");
    let origins: Vec<_> = ready["origins"].as_array().unwrap().iter().map(|origin| &origin["name"]).collect();
    assert_eq!(origins, ["media", "app"], "{ready}");
    for field in ["endpoint", "region", "bucket", "access_key", "secret_key"] {
        assert!(ready["s3"][field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {ready}");
    }
    demo.client("us-east", Protocol::Any).get(&demo.url("/")).await.expect(200);
    demo.process.signal(Signal::INT);
    let status = demo.process.exit(DEADLINE).await;
    assert_eq!(status.code(), Some(0), "{status}");
    assert_eq!(demo.process.stdout().lines().count(), 1, "{}", demo.process.stdout());
    assert!(!demo.ca.exists(), "the temporary folder goes with it");
}

#[tokio::test]
async fn printed_commands_work_when_pasted() {
    let folder = Path::new(EXE).parent().unwrap();
    let mut command = Command::new(EXE);
    command.args(["demo", "--https-port", "0", "--http-port", "0", "--dns-port", "0", "--admin-port", "0"]);
    let mut process = Process::spawn(command.current_dir(folder));
    let last = |line: &str| line.contains("Ctrl-C stops it").then_some(());
    process.stdout_line("the demo says how to stop it", Duration::from_secs(60), last).await;
    let printed = process.stdout();
    let mut said = BTreeMap::new();
    let mut lines = printed.lines();
    while let Some(line) = lines.next() {
        if let Some(what) = line.strip_prefix("# ") {
            let command = lines.next().unwrap();
            said.insert(what.split([',', ':', '?']).next().unwrap().to_owned(), paste(folder, command));
        }
    }
    let find = |what: &str| {
        let found = said.iter().find(|(name, _)| name.contains(what));
        found.unwrap_or_else(|| panic!("nothing about {what:?} in\n{printed}")).1
    };
    for (what, shows) in [
        ("a hit", "cache-status: "),
        ("a miss", "200"),
        ("resized photo", "content-type: image/"),
        ("another region", "cache-status: ap-1/"),
        ("purge", "applied"),
        ("unplug", "media"),
        ("ask DNS", "127.0.0.3"),
        ("drop that region", "ap-1"),
        ("answered that way", "loader"),
        ("why that region", "ap-south"),
    ] {
        let found = if what == "a hit" { find("a miss") } else { find(what) };
        assert!(
            found.to_ascii_lowercase().contains(&shows.to_ascii_lowercase()),
            "{what}:\n{found}\n  shows {shows:?}"
        );
    }
    process.terminate();
    assert_eq!(process.exit(DEADLINE).await.code(), Some(0));
}

/// Runs a printed line in a shell, in the folder where it was printed.
#[track_caller]
fn paste(folder: &Path, line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).current_dir(PathBuf::from(folder)).output().unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "$ {line}\n{said}{complained}");
    said.into_owned()
}
