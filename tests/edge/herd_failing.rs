//! A herd at a failing object: everybody hears of the failure soon, and the origin is hardly asked.

use std::time::Duration;

use overfall_test_support::{Answer, Origin, Reply, Settings};
use tokio::{task::JoinSet, time::Instant};

use crate::{Lone, lone};

const CLIENTS: usize = 200;
/// From the first failure to the last answer.
const PATIENCE: Duration = Duration::from_secs(2);
const FETCHES_MAX: usize = 10;

fn settings(origin: &Origin) -> Settings {
    let lines = format!("url = \"{}\"\nhead_timeout = \"1s\"\nread_timeout = \"1s\"", origin.url());
    Settings::new().origin_with("app", &lines)
}

/// Sends everybody to a path, each over a connection of its own, and gives the answers with the time from the first to
/// the last.
async fn herd(lone: &Lone, path: &str) -> (Vec<Answer>, Duration) {
    let clients: Vec<_> = (0..CLIENTS).map(|_| lone.node.client()).collect();
    let mut herd = JoinSet::new();
    for client in clients {
        let url = lone.node.url(path);
        herd.spawn(async move { client.get(&url).await });
    }
    let mut answers = Vec::new();
    let mut first = None;
    while let Some(answer) = herd.join_next().await {
        first.get_or_insert_with(Instant::now);
        answers.push(answer.unwrap());
    }
    (answers, first.expect("there was an answer").elapsed())
}

async fn all_fail_soon(reply: Reply, expected: &[u16]) {
    let origin = Origin::start().await;
    origin.on("/a", reply);
    let lone = lone(&settings(&origin)).await;
    let (answers, took) = herd(&lone, "/a").await;
    for answer in &answers {
        assert!(expected.contains(&answer.status), "{answer}");
        assert!(answer.status != 200 || answer.cut.is_some(), "half a body looks whole: {answer}");
    }
    assert_eq!(answers.len(), CLIENTS);
    assert!(took < PATIENCE, "{took:?}");
    assert!(origin.count("/a") <= FETCHES_MAX, "{} fetches", origin.count("/a"));
}

#[tokio::test]
async fn an_origin_that_answers_500() {
    // the one who led a fetch sees the origin's own status, the others ours
    all_fail_soon(Reply::status(500), &[500, 502]).await;
}

#[tokio::test]
async fn an_origin_that_hangs() {
    all_fail_soon(Reply::hang(), &[504]).await;
}

#[tokio::test]
async fn an_origin_that_closes_the_connection() {
    all_fail_soon(Reply::slam(), &[502]).await;
}

#[tokio::test]
async fn an_origin_that_cuts_the_body() {
    all_fail_soon(Reply::cut("half", 8).cache_control("max-age=600"), &[200, 502]).await;
}

#[tokio::test]
async fn with_a_stale_copy_nobody_sees_the_failure() {
    let origin = Origin::start().await;
    origin.on("/a", Reply::ok("copy").cache_control("max-age=0, stale-if-error=600"));
    let lone = lone(&settings(&origin).site("stale_while_revalidate = \"0s\"")).await;
    lone.node.client().get(&lone.node.url("/a")).await.expect(200);
    crate::stored(&lone.node, &lone.node.url("/a")).await;
    origin.on("/a", Reply::hang());
    let (answers, took) = herd(&lone, "/a").await;
    for answer in answers {
        assert_eq!((answer.status, answer.text().as_str()), (200, "copy"), "{answer}");
    }
    assert!(took < PATIENCE, "{took:?}");
    assert!(origin.count("/a") <= FETCHES_MAX, "{} fetches", origin.count("/a"));
}

#[tokio::test]
async fn an_object_that_works_again_is_served_soon() {
    let origin = Origin::start().await;
    origin.on("/a", Reply::status(500));
    let lone = lone(&settings(&origin)).await;
    herd(&lone, "/a").await;
    origin.on("/a", Reply::ok("fine").cache_control("max-age=600"));
    let began = Instant::now();
    let url = lone.node.url("/a");
    overfall_test_support::wait_until("it is served again", Duration::from_secs(5), async || {
        (lone.node.client().get(&url).await.status == 200).then_some(())
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}
