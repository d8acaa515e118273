//! One fetch per key: followers read along from the first byte, and are let go when there is nothing to share.

use std::time::Duration;

use http::Method;
use overfall_test_support::{Answer, Client, DEADLINE, Origin, Reply, Settings, wait_until};
use tokio::task::JoinSet;

use crate::{Lone, lone};

const CLIENTS: usize = 200;

async fn edge(origin: &Origin) -> Lone {
    lone(&Settings::new().origin("app", &origin.url())).await
}

/// Many clients at once, each with a connection of its own.
fn crowd(lone: &Lone, path: &str) -> JoinSet<Answer> {
    let mut crowd = JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, url) = (lone.node.client(), lone.node.url(path));
        crowd.spawn(async move { client.get(&url).await });
    }
    crowd
}

async fn collapsed(lone: &Lone, count: usize) {
    wait_until("the followers wait", DEADLINE, async || {
        let status = lone.node.admin.get("/api/v1/status").await.expect(200).json();
        (status["nodes"][0]["collapsed"].as_u64() >= u64::try_from(count).ok()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_hundred_cold_requests_are_one_fetch() {
    let origin = Origin::start().await;
    let (reply, drip) = Reply::drip();
    origin.on("/a", reply.cache_control("max-age=600"));
    let lone = edge(&origin).await;
    let mut crowd = crowd(&lone, "/a");
    origin.until_asked("/a", 1).await;
    drip.push("first ");
    collapsed(&lone, CLIENTS - 1).await;
    drip.push("last");
    drip.end();
    while let Some(answer) = crowd.join_next().await {
        assert_eq!(answer.unwrap().expect(200).text(), "first last");
    }
    assert_eq!(origin.count("/a"), 1);
    lone.node.client().hit(&lone.node.url("/a"), &[]).await.expect(200);
}

#[tokio::test]
async fn followers_read_the_first_bytes_before_the_last_are_there() {
    let origin = Origin::start().await;
    let (reply, drip) = Reply::drip();
    origin.on("/a", reply.cache_control("max-age=600"));
    let lone = edge(&origin).await;
    drip.push("first ");
    let mut readers = Vec::new();
    for _ in 0..5 {
        let client: Client = lone.node.client();
        let mut reader = client.open(Method::GET, &lone.node.url("/a"), &[], "").await.unwrap();
        assert_eq!(reader.at_least(6).await, b"first ");
        readers.push(reader);
    }
    drip.push("last");
    drip.end();
    for mut reader in readers {
        assert_eq!(reader.rest().await.unwrap(), b"last");
    }
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn a_leader_who_leaves_does_not_end_what_others_wait_for() {
    let origin = Origin::start().await;
    let (reply, drip) = Reply::drip();
    origin.on("/a", reply.cache_control("max-age=600"));
    let lone = edge(&origin).await;
    drip.push("first ");
    let (client, url) = (lone.node.client(), lone.node.url("/a"));
    let leader = lone.node.client().open(Method::GET, &url, &[], "").await.unwrap();
    let mut follower = client.open(Method::GET, &url, &[], "").await.unwrap();
    follower.at_least(6).await;
    drop(leader);
    drip.push("last");
    drip.end();
    assert_eq!(follower.rest().await.unwrap(), b"last");
    assert_eq!(origin.count("/a"), 1);
}

#[tokio::test]
async fn what_can_not_be_shared_lets_everybody_go() {
    let origin = Origin::start().await;
    let (reply, drip) = Reply::drip();
    origin.on("/a", reply.cache_control("no-store"));
    let lone = edge(&origin).await;
    let mut crowd = crowd(&lone, "/a");
    // nobody waits for another's body: all are at the origin while none has ended
    wait_until("everybody asks the origin", Duration::from_secs(20), async || {
        (origin.count("/a") >= CLIENTS).then_some(())
    })
    .await;
    drip.push("own");
    drip.end();
    while let Some(answer) = crowd.join_next().await {
        assert_eq!(answer.unwrap().expect(200).text(), "own");
    }
    assert_eq!(origin.count("/a"), CLIENTS);
}

#[tokio::test]
async fn a_fetch_that_fails_fails_for_all_and_is_not_repeated_for_each() {
    let origin = Origin::start().await;
    let (reply, drip) = Reply::drip();
    origin.on("/a", reply.cache_control("max-age=600"));
    let lone = edge(&origin).await;
    let mut crowd = crowd(&lone, "/a");
    drip.push("half");
    collapsed(&lone, CLIENTS - 1).await;
    drip.cut();
    while let Some(answer) = crowd.join_next().await {
        let answer = answer.unwrap();
        assert!(answer.cut.is_some(), "{answer}\n  looks whole");
    }
    assert_eq!(origin.count("/a"), 1);
}
