//! Decoders in processes of their own: shut off from the system, killed when they are late, replaced when they die.

use std::{fs, ops::RangeFrom, path::PathBuf, time::Duration};

use image::ImageFormat;
use overfall_test_support::{Answer, DEADLINE, Origin, Reply, Settings, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use crate::{
    Lone, lone,
    pictures::{decode, encode, fixture, sample},
};

/// Time for a rendering in the site that is impatient.
const IMPATIENCE: Duration = Duration::from_millis(500);
/// When a thread is free again that a decoder held past its deadline; other tests on the machine are allowed for.
const FREE_WITHIN: Duration = Duration::from_secs(1);

async fn studio(origin: &Origin, limits: &str) -> Lone {
    origin.on("/photo.avif", Reply::ok(fixture("modern/photo-irot1.avif")).cache_control("max-age=600"));
    let fine = encode(&sample(64, 48), ImageFormat::Png);
    origin.on("/fine.png", Reply::ok(fine).cache_control("max-age=600"));
    let limits = format!("[limits]\nimage_threads = 1\n{limits}");
    let settings = Settings::new().origin("app", &origin.url()).tables(&limits).without_images();
    lone(&settings.site(&format!("[site.images]\ndeadline = \"{}ms\"", IMPATIENCE.as_millis()))).await
}

async fn get(lone: &Lone, options: &str, name: &str) -> Answer {
    lone.node.client().get(&lone.node.url(&format!("/cdn-cgi/image/{options},format=png/{name}"))).await
}

/// The AVIF at this width, as soon as a machine with other work has it in time.
async fn photo(lone: &Lone, width: u32) -> Answer {
    let answer = wait_until("the photo is rendered in time", DEADLINE, async || {
        let answer = get(lone, &format!("width={width}"), "photo.avif").await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert_eq!(decode(&answer.body).width(), width, "{answer}");
    answer
}

/// Processes that a node has started and that still run.
fn workers(lone: &Lone) -> Vec<Pid> {
    let is_its = |stat: &str| {
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let (state, parent) = (fields.next(), fields.next());
        state != Some("Z") && parent == Some(&lone.node.process.id().to_string())
    };
    let entries = fs::read_dir("/proc").unwrap();
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    // a process may end meanwhile
    let its =
        numbers.filter(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| is_its(&stat)));
    its.filter_map(Pid::from_raw).collect()
}

/// A worker, which has just decoded and ends soon when there is nothing else to do.
async fn one_worker(lone: &Lone, widths: &mut RangeFrom<u32>) -> Pid {
    wait_until("there is a worker", DEADLINE, async || {
        photo(lone, widths.next().unwrap()).await;
        workers(lone).first().copied()
    })
    .await
}

/// What the system says of a process: environment, command, status and open files; none when it has ended.
fn about(process: Pid) -> Option<[String; 4]> {
    let folder = PathBuf::from(format!("/proc/{}", process.as_raw_nonzero()));
    let read =
        |name: &str| fs::read(folder.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let mut files = String::new();
    for entry in fs::read_dir(folder.join("fd")).ok()? {
        files.push_str(&fs::read_link(entry.ok()?.path()).ok()?.to_string_lossy());
        files.push('\n');
    }
    let found = [read("environ").ok()?, read("cmdline").ok()?, read("status").ok()?, files];
    (!found[1].is_empty()).then_some(found)
}

#[tokio::test]
async fn a_worker_has_nothing_but_its_pictures() {
    let origin = Origin::start().await;
    let lone = studio(&origin, "").await;
    let mut widths = 10..;
    let [environment, command, status, files] =
        wait_until("a worker is looked at", DEADLINE, async || about(one_worker(&lone, &mut widths).await))
            .await;
    assert_eq!(environment, "", "secrets may be in it");
    assert!(command.ends_with("\0image-worker\0"), "{command}");
    for line in ["Seccomp:\t2", "NoNewPrivs:\t1"] {
        assert!(status.lines().any(|has| has == line), "{line}: {status}");
    }
    assert!(files.lines().all(|to| to.starts_with("pipe:") || to == "/dev/null"), "{files}");
    assert!(files.lines().count() >= 3, "{files}");
}

#[tokio::test]
async fn one_that_dies_is_replaced() {
    let origin = Origin::start().await;
    let lone = studio(&origin, "").await;
    let mut widths = 10..;
    let first = wait_until("a worker is killed", DEADLINE, async || {
        let worker = one_worker(&lone, &mut widths).await;
        kill_process(worker, Signal::KILL).is_ok().then_some(worker)
    })
    .await;
    photo(&lone, widths.next().unwrap()).await;
    assert!(!workers(&lone).contains(&first));
}

#[tokio::test]
async fn one_that_is_late_is_killed_and_its_thread_free() {
    let origin = Origin::start().await;
    let lone = studio(&origin, "").await;
    let mut widths = 10..;
    let worker = wait_until("a worker is stopped and asked", DEADLINE, async || {
        let worker = one_worker(&lone, &mut widths).await;
        // without work it ends soon, so that this may be too late
        kill_process(worker, Signal::STOP).ok()?;
        let answer = get(&lone, &format!("width={}", widths.next().unwrap()), "photo.avif").await;
        (answer.status == 504).then_some(worker)
    })
    .await;
    let began = Instant::now();
    get(&lone, "width=10", "fine.png").await.expect(200);
    let took = began.elapsed();
    assert!(took < FREE_WITHIN, "{took:?}");
    wait_until("it is killed", DEADLINE, async || (!workers(&lone).contains(&worker)).then_some(())).await;
    photo(&lone, widths.next().unwrap()).await;
}

#[tokio::test]
async fn they_end_when_there_is_nothing_to_do_and_with_their_node() {
    let origin = Origin::start().await;
    for ends in [Signal::TERM, Signal::KILL] {
        let mut lone = studio(&origin, "").await;
        photo(&lone, 10).await;
        wait_until("nobody is idle", DEADLINE, async || workers(&lone).is_empty().then_some(())).await;
        let mut widths = 11..;
        let worker = one_worker(&lone, &mut widths).await;
        lone.node.process.signal(ends);
        lone.node.process.exit(DEADLINE).await;
        let command = format!("/proc/{}/cmdline", worker.as_raw_nonzero());
        // one that nobody waits for keeps its number for a while, but no words
        let is_gone = || !fs::read(&command).is_ok_and(|words| !words.is_empty());
        wait_until("it is gone", DEADLINE, async || is_gone().then_some(())).await;
    }
}

#[tokio::test]
async fn a_node_can_do_without() {
    let origin = Origin::start().await;
    let lone = studio(&origin, "image_workers = false").await;
    photo(&lone, 10).await;
    assert_eq!(workers(&lone), []);
}
