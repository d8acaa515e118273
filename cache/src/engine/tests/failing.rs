//! Objects whose every origin fails: who is asked how often, and what is served instead.

use std::{
    pin::pin,
    task::{Context, Wake, Waker},
};

use super::*;
use crate::{key::KeyHash, waterfall::OriginRole};

fn refusing() -> Arc<Scripted> {
    origin("o", |_, _| Err(OriginError::Connect("refused".to_owned())))
}

/// A request to ordinary origins and then an archive.
fn archived(target: &str, ordinary: &Arc<Scripted>, archive: &Arc<Scripted>) -> Request {
    let mut request = request(target, &[Arc::clone(archive), Arc::clone(ordinary)], &[]);
    let mut waterfall = Waterfall::clone(&request.waterfall);
    waterfall.steps[0].role = OriginRole::Archive;
    request.waterfall = Arc::new(waterfall);
    request
}

#[tokio::test]
async fn the_window_for_stale_is_judged_after_the_fetch() {
    let world = World::new().await;
    let clock = Arc::clone(&world.clock);
    let origin = origin("o", move |n, _| {
        if n == 0 {
            return ok(&[("cache-control", "max-age=10, stale-if-error=20")], "kept");
        }
        clock.advance(5_000);
        Err(OriginError::Timeout)
    });
    drop(text(world.get("/a", &[Arc::clone(&origin)]).await.unwrap()).await);
    world.clock.advance(22_000);
    assert!(world.get("/a", &[Arc::clone(&origin)]).await.is_ok(), "27 s old when the fetch has failed");
    assert!(world.get("/a", &[origin]).await.is_err(), "27 s old when asked, 32 s when the fetch has failed");
}

#[tokio::test]
async fn who_comes_after_a_few_failures_hears_of_them_at_once() {
    let world = World::new().await;
    let origin = origin("o", |_, _| Ok(response(500, &[], Body::Full(Bytes::from_static(b"page")))));
    let mut pages = 0;
    for _ in 0..100 {
        let unanswered = world.get("/a", &[Arc::clone(&origin)]).await.unwrap_err();
        assert_eq!(unanswered.failure.attempts.len(), 1);
        pages += usize::from(unanswered.failure.error_page.is_some());
    }
    assert!(calls(&origin) <= 6, "{} calls", calls(&origin));
    assert_eq!(pages, calls(&origin), "an error page is for the one who led the fetch");
    assert!(world.get("/b", &[Arc::clone(&origin)]).await.is_err());
    let last = world.get("/a", &[Arc::clone(&origin)]).await.unwrap_err();
    assert_eq!((last.trace.reason, last.trace.collapsed), (Some("recent-failure"), true));
}

#[tokio::test]
async fn bodies_that_break_off_are_not_fetched_again_and_again() {
    let world = World::new().await;
    let origin = origin("o", |_, _| {
        let chunks = [Ok(Bytes::from_static(b"half")), Err(BodyError::Cut { received: 4 })];
        let body = Body::Stream { length: Some(8), stream: Box::pin(stream::iter(chunks)) };
        Ok(response(200, &[("cache-control", "max-age=10")], body))
    });
    let mut cut = 0;
    for _ in 0..100 {
        match world.get("/a", &[Arc::clone(&origin)]).await {
            Ok(answer) => {
                answer.body.collect(100).await.unwrap_err();
                cut += 1;
            }
            Err(unanswered) => assert_eq!(unanswered.trace.reason, Some("recent-failure")),
        }
        tokio::task::yield_now().await;
    }
    assert!(calls(&origin) <= 6 && cut <= 20, "{} calls, {cut} cut", calls(&origin));
}

#[tokio::test]
async fn a_stale_copy_that_is_served_anyway_is_not_refreshed_again_and_again() {
    let world = World::new().await;
    let origin = origin("o", |n, _| {
        if n == 0 {
            return ok(&[("cache-control", "max-age=1, stale-while-revalidate=100")], "kept");
        }
        Err(OriginError::Connect("refused".to_owned()))
    });
    drop(text(world.get("/a", &[Arc::clone(&origin)]).await.unwrap()).await);
    world.clock.advance(2_000);
    for _ in 0..100 {
        let stale = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
        assert_eq!(stale.trace.served, Served::Stale("memory"));
        tokio::task::yield_now().await;
    }
    assert!(calls(&origin) <= 7, "{} calls", calls(&origin));
}

#[tokio::test]
async fn an_archive_answers_when_everybody_else_failed() {
    let world = World::new().await;
    let fields = [("cache-control", "max-age=600"), ("etag", "\"old\"")];
    let archive = origin("archive", move |_, _| ok(&fields, "old"));
    let ordinary = refusing();
    let answer = world.engine.serve(archived("/a", &ordinary, &archive)).await.unwrap();
    assert_eq!(answer.head.headers["overfall-last-good"], "?1");
    assert!(!answer.head.headers.contains_key("etag"));
    assert_eq!(answer.trace.ttl_ms, 10_000);
    let names: Vec<_> = answer.trace.attempts.iter().map(|attempt| attempt.origin.clone()).collect();
    assert_eq!(names, ["o", "archive"]);
    assert_eq!(text(answer).await, "old");
    let hit = world.engine.serve(archived("/a", &ordinary, &archive)).await.unwrap();
    assert_eq!(hit.trace.served, Served::Hit("memory"));
    assert_eq!(hit.head.headers["overfall-last-good"], "?1");
    assert_eq!(calls(&archive), 1);
}

#[tokio::test]
async fn an_origin_that_is_back_replaces_what_the_archive_gave() {
    let world = World::new().await;
    let archive = origin("archive", |_, _| ok(&[("etag", "\"a\"")], "old"));
    let ordinary = origin("o", |n, request| {
        assert!(!request.headers.contains_key("if-none-match"), "an archive's copy must not be confirmed");
        if n == 0 { Err(OriginError::Timeout) } else { ok(&[("cache-control", "max-age=600")], "new") }
    });
    let first = world.engine.serve(archived("/a", &ordinary, &archive)).await.unwrap();
    assert_eq!(text(first).await, "old");
    world.clock.advance(60_000);
    let second = world.engine.serve(archived("/a", &ordinary, &archive)).await.unwrap();
    assert_eq!(text(second).await, "new");
}

#[tokio::test]
async fn a_stale_copy_within_its_window_comes_before_the_archive() {
    let world = World::new().await;
    let archive = origin("archive", |_, _| ok(&[], "old"));
    let ordinary = origin("o", |n, _| {
        let fields = [("cache-control", "max-age=10, stale-if-error=20")];
        if n == 0 { ok(&fields, "stale") } else { Err(OriginError::Connect("refused".to_owned())) }
    });
    drop(text(world.engine.serve(archived("/a", &ordinary, &archive)).await.unwrap()).await);
    world.clock.advance(15_000);
    let stale = world.engine.serve(archived("/a", &ordinary, &archive)).await.unwrap();
    assert_eq!(stale.trace.reason, Some("stale-if-error"));
    assert_eq!((text(stale).await, calls(&archive)), ("stale".to_owned(), 0));
    world.clock.advance(20_000);
    let old = world.engine.serve(archived("/a", &ordinary, &archive)).await.unwrap();
    assert_eq!(text(old).await, "old");
}

#[tokio::test]
async fn what_the_archive_lacks_is_a_failure_not_a_404() {
    let world = World::new().await;
    let archive = origin("archive", |_, _| Ok(response(404, &[], Body::empty())));
    let unanswered = world.engine.serve(archived("/a", &refusing(), &archive)).await.unwrap_err();
    assert_eq!(unanswered.failure.attempts.len(), 2);
    let absent = origin("o", |_, _| Ok(response(404, &[], Body::empty())));
    let answer = world.engine.serve(archived("/b", &absent, &archive)).await.unwrap();
    assert_eq!((answer.head.status.as_u16(), calls(&archive)), (404, 1), "an origin's 404 is an answer");
}

/// Looks, at the moment it is woken, whether a flight can still be joined.
struct Witness {
    engine: Arc<Engine>,
    hash: KeyHash,
    saw: Mutex<Option<bool>>,
}

impl Wake for Witness {
    fn wake(self: Arc<Self>) {
        self.saw.lock().get_or_insert_with(|| self.engine.flights.is_running(self.hash));
    }
}

#[tokio::test]
async fn who_hears_how_a_flight_ended_can_not_join_it_again() {
    for (target, status, cache_control) in [("/failed", 502, "max-age=0"), ("/private", 200, "private")] {
        let world = World::new().await;
        let gate = Arc::new(Notify::new());
        let answer = move |_: usize, _: &OriginRequest| {
            let body = Body::Full(Bytes::from_static(b"page"));
            Ok(response(status, &[("cache-control", cache_control)], body))
        };
        let (calls, script) = (AtomicUsize::new(0), Box::new(answer));
        let origin = Arc::new(Scripted { name: "o", calls, script, gate: Some(Arc::clone(&gate)) });
        let asked = request(target, &[origin], &[]);
        let hash = asked.key.hash();
        let engine = Arc::clone(&world.engine);
        let client = tokio::spawn(async move { engine.serve(asked).await.is_ok() });
        while !world.engine.flights.is_running(hash) {
            tokio::task::yield_now().await;
        }
        let Role::Follower(flight) = world.engine.flights.join(hash, Position::default(), |_| false) else {
            panic!("{target} has no flight");
        };
        let witness = Arc::new(Witness { engine: Arc::clone(&world.engine), hash, saw: Mutex::default() });
        let waker = Waker::from(Arc::clone(&witness));
        let mut head = pin!(flight.head());
        assert!(head.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        gate.notify_one();
        assert_eq!(client.await.unwrap(), status == 200, "{target}");
        assert_eq!(*witness.saw.lock(), Some(false), "{target}");
    }
}
