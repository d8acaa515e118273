//! What ends by itself, and when; in paused time.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::time::{Instant, advance, sleep};

use super::{
    Arc, Body, Bytes, OriginError, Role, Scripted, Served, World, calls, drip_origin, dripping, ok, origin,
    request, text,
};
use crate::flight::Head;

/// How long a fill goes on without readers, from its next byte on.
const ABANDONED: Duration = Duration::from_secs(10);
const KEPT: &[(&str, &str)] = &[("cache-control", "max-age=600")];

/// Lets tasks run that are ready; no time passes.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// Asks and leaves when the head is there.
async fn ask_and_leave(world: &World, origin: &Arc<Scripted>) {
    drop(world.get("/a", &[Arc::clone(origin)]).await.unwrap());
    settle().await;
    assert_eq!(world.engine.fetches(), 1, "the fill goes on without its client");
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_fill_that_drips_ends_after_ten_seconds() {
    let world = World::new().await;
    let (sender, body) = dripping();
    ask_and_leave(&world, &drip_origin(KEPT, body)).await;
    let began = Instant::now();
    while world.engine.fetches() > 0 {
        assert!(began.elapsed() < ABANDONED * 2, "it drips on for nobody");
        // the other side is gone as soon as the fill is
        drop(sender.send(Ok(Bytes::from_static(b"drip "))));
        sleep(Duration::from_secs(1)).await;
    }
    assert!(began.elapsed() > ABANDONED, "ended early, after {:?}", began.elapsed());
    assert_eq!(world.engine.counters().filling_bytes.load(super::Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_fill_that_hangs_ends_too() {
    let world = World::new().await;
    let (_held, body) = dripping();
    ask_and_leave(&world, &drip_origin(KEPT, body)).await;
    advance(ABANDONED + Duration::from_secs(1)).await;
    settle().await;
    assert_eq!(world.engine.fetches(), 0, "it waits for a byte that nobody wants");
}

#[tokio::test(start_paused = true)]
async fn who_meets_an_abandoned_fill_sees_it_broken_off() {
    let world = World::new().await;
    let (sender, body) = dripping();
    let origin = drip_origin(KEPT, body);
    ask_and_leave(&world, &origin).await;
    sender.send(Ok(Bytes::from_static(b"half"))).unwrap();
    let asked = request("/a", &[origin], &[]);
    let Role::Follower(flight) = world.engine.join(&asked.key, asked.key.hash()) else { panic!("it flies") };
    let Head::Growing(growing) = flight.head().await else { panic!("it grows") };
    sleep(ABANDONED * 2).await;
    assert_eq!(world.engine.fetches(), 0);
    let mut reader = growing.reader().unwrap();
    assert_eq!(reader.next().await.unwrap().unwrap(), "half");
    assert!(reader.next().await.unwrap().is_err(), "half a body looks whole");
}

#[tokio::test(start_paused = true)]
async fn a_fill_that_hangs_goes_on_while_somebody_reads() {
    let world = World::new().await;
    let (sender, body) = dripping();
    let answer = world.get("/a", &[drip_origin(KEPT, body)]).await.unwrap();
    let reader = tokio::spawn(text(answer));
    sleep(ABANDONED * 3).await;
    sender.send(Ok(Bytes::from_static(b"late"))).unwrap();
    drop(sender);
    assert_eq!(reader.await.unwrap(), "late");
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_fill_that_ends_in_time_is_stored() {
    let world = World::new().await;
    let (sender, body) = dripping();
    let origin = drip_origin(KEPT, body);
    ask_and_leave(&world, &origin).await;
    sender.send(Ok(Bytes::from_static(b"whole"))).unwrap();
    sleep(ABANDONED / 2).await;
    drop(sender);
    settle().await;
    let hit = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
    assert_eq!(hit.trace.served, Served::Hit("memory"));
    assert_eq!(text(hit).await, "whole");
    assert_eq!(calls(&origin), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reader_who_comes_before_the_end_keeps_an_abandoned_fill_going() {
    let world = World::new().await;
    let (sender, body) = dripping();
    let origin = drip_origin(KEPT, body);
    ask_and_leave(&world, &origin).await;
    for _ in 0..9 {
        sender.send(Ok(Bytes::from_static(b"drip "))).unwrap();
        sleep(Duration::from_secs(1)).await;
    }
    let late = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
    for _ in 0..9 {
        sender.send(Ok(Bytes::from_static(b"drip "))).unwrap();
        sleep(Duration::from_secs(1)).await;
    }
    drop(sender);
    assert_eq!(text(late).await, "drip ".repeat(18));
    assert_eq!(calls(&origin), 1);
}

#[tokio::test(start_paused = true)]
async fn an_origin_that_gives_no_head_is_left_at_its_deadline_for_the_next() {
    let world = World::new().await;
    let silent = Arc::new(Scripted {
        name: "silent",
        calls: super::AtomicUsize::new(0),
        script: Box::new(|_, _| Err(OriginError::Timeout)),
        gate: Some(Arc::default()),
    });
    let next = origin("next", |_, _| ok(KEPT, "from the next"));
    let began = Instant::now();
    let answer = world.engine.serve(request("/a", &[silent, next], &[])).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(5), "the deadline of one step");
    assert!(matches!(answer.body, Body::Stream { .. } | Body::Full(_)));
    assert_eq!(text(answer).await, "from the next");
}
