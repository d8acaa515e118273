//! Decoders in processes of their own: shut off from the system, killed when they are late, replaced when they die.

use std::{fs, time::Duration};

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

async fn one_worker(lone: &Lone) -> Pid {
    wait_until("there is a worker", DEADLINE, async || workers(lone).first().copied()).await
}

#[tokio::test]
async fn a_worker_has_nothing_but_its_pictures() {
    let origin = Origin::start().await;
    let lone = studio(&origin, "").await;
    let worker = one_worker(&lone).await.as_raw_nonzero();
    let about = |file: &str| fs::read(format!("/proc/{worker}/{file}")).unwrap();
    assert_eq!(about("environ"), b"", "secrets may be in the environment");
    let command = about("cmdline");
    assert!(command.ends_with(b"\0image-worker\0"), "{}", String::from_utf8_lossy(&command));
    let status = String::from_utf8(about("status")).unwrap();
    for line in ["Seccomp:\t2", "NoNewPrivs:\t1"] {
        assert!(status.lines().any(|has| has == line), "{line}: {status}");
    }
    for entry in fs::read_dir(format!("/proc/{worker}/fd")).unwrap() {
        let to = fs::read_link(entry.unwrap().path()).unwrap();
        let to = to.to_string_lossy();
        assert!(to.starts_with("pipe:") || to == "/dev/null", "{to}");
    }
}

#[tokio::test]
async fn one_that_dies_is_replaced() {
    let origin = Origin::start().await;
    let lone = studio(&origin, "").await;
    let first = one_worker(&lone).await;
    photo(&lone, 10).await;
    kill_process(first, Signal::KILL).unwrap();
    photo(&lone, 11).await;
    assert!(!workers(&lone).contains(&first));
}

#[tokio::test]
async fn one_that_is_late_is_killed_and_its_thread_free() {
    let origin = Origin::start().await;
    let lone = studio(&origin, "").await;
    let mut widths = 10..;
    let worker = wait_until("a worker is stopped and asked", DEADLINE, async || {
        photo(&lone, widths.next().unwrap()).await;
        let worker = workers(&lone).first().copied()?;
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
    let mut lone = studio(&origin, "").await;
    photo(&lone, 10).await;
    wait_until("nobody is idle", DEADLINE, async || workers(&lone).is_empty().then_some(())).await;
    photo(&lone, 11).await;
    let there = workers(&lone);
    lone.node.process.terminate();
    lone.node.process.exit(DEADLINE).await;
    let is_gone = |pid: &Pid| {
        !fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).is_ok_and(|words| !words.is_empty())
    };
    wait_until("they are gone", DEADLINE, async || there.iter().all(is_gone).then_some(())).await;
}

#[tokio::test]
async fn a_node_can_do_without() {
    let origin = Origin::start().await;
    let lone = studio(&origin, "image_workers = false").await;
    photo(&lone, 10).await;
    assert_eq!(workers(&lone), []);
}
