//! The engine against scripted origins: what a client gets, and how often an origin is asked.

mod failing;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use super::{Answer, Engine, EngineLimits, EngineParts, Request, Served, Unanswered, lead::Errand};
use crate::{
    body::{Body, BodyError},
    clock::{ManualClock, Millis},
    encoding::Accepted,
    flight::Role,
    key::Key,
    origin::{Origin, OriginError, OriginRequest, OriginResponse},
    policy::Policy,
    purge::{Mode, PurgeEvent, Selector, Table},
    stored::{Position, ResponseHead},
    tier::hybrid::Hybrid,
    waterfall::{Step, Waterfall},
};

mod memory_hit;
mod model;
mod part;
mod simulation;
mod sliced;
mod time;
mod world;

const START: Millis = Millis(1_800_000_000_000);
const LIMITS: EngineLimits =
    EngineLimits { object_bytes_max: 1 << 20, fetches_max: 64, filling_bytes_max: 1 << 24 };

type Script = dyn Fn(usize, &OriginRequest) -> Result<OriginResponse, OriginError> + Send + Sync;

/// Answers by script; `n` counts from 0.
struct Scripted {
    name: &'static str,
    calls: AtomicUsize,
    script: Box<Script>,
    gate: Option<Arc<Notify>>,
}

#[async_trait]
impl Origin for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    async fn fetch(&self, request: &OriginRequest) -> Result<OriginResponse, OriginError> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        if let Some(gate) = &self.gate {
            gate.notified().await;
        }
        (self.script)(call, request)
    }
}

fn origin(
    name: &'static str,
    script: impl Fn(usize, &OriginRequest) -> Result<OriginResponse, OriginError> + Send + Sync + 'static,
) -> Arc<Scripted> {
    Arc::new(Scripted { name, calls: AtomicUsize::new(0), script: Box::new(script), gate: None })
}

fn response(status: u16, fields: &[(&str, &str)], body: Body) -> OriginResponse {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let head = ResponseHead { status: StatusCode::from_u16(status).unwrap(), headers };
    OriginResponse { head, body, provenance: None }
}

fn ok(fields: &[(&str, &str)], body: &'static str) -> Result<OriginResponse, OriginError> {
    Ok(response(200, fields, Body::Full(Bytes::from_static(body.as_bytes()))))
}

struct World {
    engine: Arc<Engine>,
    clock: Arc<ManualClock>,
    purges: Arc<Table>,
    seq: AtomicUsize,
}

impl World {
    async fn new() -> Self {
        Self::with_limits(LIMITS).await
    }

    async fn with_limits(limits: EngineLimits) -> Self {
        Self::of(Hybrid::open(16 << 20, None).await.unwrap(), limits)
    }

    fn of(hybrid: Arc<Hybrid>, limits: EngineLimits) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let purges = Arc::new(Table::new());
        let parts = EngineParts {
            hybrid,
            shared: Vec::new(),
            purges: Arc::clone(&purges),
            clock: Arc::clone(&clock) as _,
            limits,
        };
        Self { engine: Engine::new(parts), clock, purges, seq: AtomicUsize::new(0) }
    }

    fn purge(&self, selector: Selector, mode: Mode) {
        let seq = self.seq.fetch_add(1, Ordering::SeqCst) as u64 + 1;
        let event = PurgeEvent { selectors: vec![selector], mode, by: "test".to_owned(), at_ms: 0 };
        self.purges.apply(Position { epoch: 7, seq }, &event);
    }

    async fn get(&self, target: &str, origins: &[Arc<Scripted>]) -> Result<Answer, Unanswered> {
        self.engine.serve(request(target, origins, &[])).await
    }
}

fn request(target: &str, origins: &[Arc<Scripted>], fields: &[(&str, &str)]) -> Request {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let steps = origins
        .iter()
        .map(|origin| Step::new(Arc::clone(origin) as _, std::time::Duration::from_secs(5)))
        .collect();
    Request {
        key: Key {
            site: "s".to_owned(),
            host: "h.example".to_owned(),
            target: target.to_owned(),
            variant: String::new(),
        },
        method: Method::GET,
        accepted: Accepted::of(&headers),
        headers,
        host: "h.example".to_owned(),
        path_and_query: target.to_owned(),
        policy: Arc::new(Policy {
            default_ttl_ms: None,
            stale_while_revalidate_ms: 0,
            stale_if_error_ms: 0,
            negative_ttl_ms: 0,
            compress: None,
            stores_cookies: false,
            stores_errors: true,
        }),
        waterfall: Arc::new(Waterfall { steps }),
        request_id: 1,
        is_trusted: false,
    }
}

async fn text(answer: Answer) -> String {
    String::from_utf8(answer.body.collect(1 << 24).await.unwrap().to_vec()).unwrap()
}

fn calls(origin: &Scripted) -> usize {
    origin.calls.load(Ordering::SeqCst)
}

#[tokio::test]
async fn second_request_is_a_hit_until_it_expires() {
    let world = World::new().await;
    let origin =
        origin("o", |n, _| ok(&[("cache-control", "max-age=10")], if n == 0 { "one" } else { "two" }));
    let first = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
    assert_eq!(first.trace.served, Served::Fetched);
    assert_eq!(text(first).await, "one");
    world.clock.advance(9_000);
    let hit = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
    assert_eq!(hit.trace.served, Served::Hit("memory"));
    assert_eq!(hit.head.headers.get("age").unwrap(), "9");
    assert_eq!(text(hit).await, "one");
    world.clock.advance(2_000);
    assert_eq!(text(world.get("/a", &[Arc::clone(&origin)]).await.unwrap()).await, "two");
    assert_eq!(calls(&origin), 2);
}

#[tokio::test]
async fn a_304_revives_the_stored_response() {
    let world = World::new().await;
    let origin = origin("o", |n, request| {
        if n == 0 {
            return ok(&[("cache-control", "max-age=1"), ("etag", "\"v1\"")], "body");
        }
        assert_eq!(request.headers.get("if-none-match").unwrap(), "\"v1\"");
        Ok(response(304, &[("cache-control", "max-age=60"), ("etag", "\"v1\"")], Body::empty()))
    });
    drop(text(world.get("/a", &[Arc::clone(&origin)]).await.unwrap()).await);
    world.clock.advance(5_000);
    let validated = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
    assert_eq!(validated.trace.served, Served::Validated);
    assert_eq!(text(validated).await, "body");
    let hit = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
    assert_eq!(hit.trace.served, Served::Hit("memory"));
    assert_eq!(calls(&origin), 2);
}

#[tokio::test]
async fn stale_if_error_holds_exactly_its_window() {
    let world = World::new().await;
    let origin = origin("o", |n, _| {
        if n == 0 {
            ok(&[("cache-control", "max-age=10, stale-if-error=20")], "kept")
        } else {
            Err(OriginError::Connect("refused".to_owned()))
        }
    });
    drop(text(world.get("/a", &[Arc::clone(&origin)]).await.unwrap()).await);
    world.clock.advance(29_000);
    let stale = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
    assert_eq!(stale.trace.served, Served::Stale("memory"));
    assert_eq!(stale.trace.reason, Some("stale-if-error"));
    assert_eq!(text(stale).await, "kept");
    world.clock.advance(2_000);
    assert!(world.get("/a", &[Arc::clone(&origin)]).await.is_err(), "31 s old: 10 fresh + 20 stale are over");
}

#[tokio::test]
async fn the_waterfall_goes_on_after_an_error_and_stops_at_a_404() {
    let world = World::new().await;
    let broken = origin("broken", |_, _| Ok(response(503, &[], Body::empty())));
    let refusing = origin("refusing", |_, _| Err(OriginError::Timeout));
    let absent = origin("absent", |_, _| Ok(response(404, &[], Body::empty())));
    let never = origin("never", |_, _| ok(&[], "masked"));
    let origins = [broken, refusing, absent, Arc::clone(&never)];
    let answer = world.get("/a", &origins).await.unwrap();
    assert_eq!(answer.head.status, StatusCode::NOT_FOUND);
    let names: Vec<_> = answer.trace.attempts.iter().map(|attempt| attempt.origin.as_str()).collect();
    assert_eq!(names, ["broken", "refusing", "absent"]);
    assert_eq!(calls(&never), 0);
}

#[tokio::test]
async fn many_cold_requests_make_one_fetch() {
    let world = World::new().await;
    let gate = Arc::new(Notify::new());
    let origin = Arc::new(Scripted {
        name: "o",
        calls: AtomicUsize::new(0),
        script: Box::new(|_, _| ok(&[("cache-control", "max-age=10")], "shared")),
        gate: Some(Arc::clone(&gate)),
    });
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let engine = Arc::clone(&world.engine);
            let request = request("/a", &[Arc::clone(&origin)], &[]);
            tokio::spawn(async move { text(engine.serve(request).await.unwrap()).await })
        })
        .collect();
    while calls(&origin) == 0 {
        tokio::task::yield_now().await;
    }
    gate.notify_one();
    for body in waiting {
        assert_eq!(body.await.unwrap(), "shared");
    }
    assert_eq!(calls(&origin), 1);
}

#[tokio::test]
async fn unshareable_answers_release_followers_who_fetch_for_themselves() {
    let world = World::new().await;
    let origin =
        origin("o", |n, _| ok(&[("cache-control", "private")], if n == 0 { "first" } else { "later" }));
    let mine = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
    assert_eq!(mine.trace.served, Served::Passed);
    assert_eq!(text(mine).await, "first");
    assert_eq!(text(world.get("/a", &[Arc::clone(&origin)]).await.unwrap()).await, "later");
    assert_eq!(calls(&origin), 2);
}

#[tokio::test]
async fn a_private_answer_reaches_only_the_request_that_it_was_made_for() {
    let world = World::new().await;
    let gate = Arc::new(Notify::new());
    let origin = Arc::new(Scripted {
        name: "o",
        calls: AtomicUsize::new(0),
        script: Box::new(|_, request| {
            let user = request.headers.get("x-user").unwrap().as_bytes().to_vec();
            Ok(response(200, &[("cache-control", "private")], Body::Full(user.into())))
        }),
        gate: Some(Arc::clone(&gate)),
    });
    let users: Vec<_> = (0..20)
        .map(|user| {
            let engine = Arc::clone(&world.engine);
            let request = request("/me", &[Arc::clone(&origin)], &[("x-user", &user.to_string())]);
            tokio::spawn(async move { (user, text(engine.serve(request).await.unwrap()).await) })
        })
        .collect();
    for user in users {
        // one permit at a time, until this user has an answer
        let answered = async {
            loop {
                gate.notify_one();
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            answer = user => {
                let (user, body) = answer.unwrap();
                assert_eq!(body, user.to_string());
            }
            () = answered => {}
        }
    }
}

/// A body under the test's control.
fn dripping() -> (mpsc::UnboundedSender<Result<Bytes, BodyError>>, Body) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let stream = stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    (sender, Body::Stream { length: None, stream: Box::pin(stream) })
}

fn drip_origin(fields: &'static [(&'static str, &'static str)], body: Body) -> Arc<Scripted> {
    let body = Mutex::new(Some(body));
    origin("drip", move |_, _| Ok(response(200, fields, body.lock().take().unwrap_or_else(Body::empty))))
}

#[tokio::test]
async fn followers_read_from_the_first_byte_while_the_body_grows() {
    let world = World::new().await;
    let (sender, body) = dripping();
    let origin = drip_origin(&[("cache-control", "max-age=10")], body);
    let Body::Stream { stream: mut leader, .. } = world.get("/a", &[Arc::clone(&origin)]).await.unwrap().body
    else {
        panic!("the leader's body should grow")
    };
    sender.send(Ok(Bytes::from_static(b"one "))).unwrap();
    assert_eq!(leader.next().await.unwrap().unwrap(), "one ");
    let Body::Stream { stream: mut follower, .. } =
        world.get("/a", &[Arc::clone(&origin)]).await.unwrap().body
    else {
        panic!("the follower's body should grow")
    };
    assert_eq!(follower.next().await.unwrap().unwrap(), "one ");
    drop(leader);
    sender.send(Ok(Bytes::from_static(b"two"))).unwrap();
    assert_eq!(follower.next().await.unwrap().unwrap(), "two");
    drop(sender);
    assert!(follower.next().await.is_none());
    assert_eq!(calls(&origin), 1);
}

#[tokio::test]
async fn who_reads_the_same_fetch_whole_has_the_same_bytes_as_the_cache() {
    let world = World::new().await;
    let (sender, body) = dripping();
    let origin = drip_origin(&[("cache-control", "max-age=10")], body);
    let leader = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
    let follower = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
    for chunk in ["one ", "two ", "three"] {
        sender.send(Ok(Bytes::from_static(chunk.as_bytes()))).unwrap();
    }
    drop(sender);
    let (leader, follower) = (leader.whole(13).await.unwrap(), follower.whole(13).await.unwrap());
    assert_eq!(leader, "one two three");
    assert_eq!(leader.as_ptr(), follower.as_ptr());
    let stored = loop {
        // it may be on its way there
        let answer = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
        if let Body::Full(bytes) = answer.body {
            break bytes;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(leader.as_ptr(), stored.as_ptr());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_held() {
    let world = World::new().await;
    let (sender, body) = dripping();
    let origin = drip_origin(&[("cache-control", "max-age=10")], body);
    let answer = world.get("/a", &[origin]).await.unwrap();
    for chunk in ["one ", "two ", "three"] {
        sender.send(Ok(Bytes::from_static(chunk.as_bytes()))).unwrap();
    }
    assert_eq!(answer.whole(12).await, Err(BodyError::TooLarge { max: 12 }));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_is_not_stored() {
    let world = World::new().await;
    let (sender, body) = dripping();
    let origin = drip_origin(&[("cache-control", "max-age=10")], body);
    let answer = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
    sender.send(Ok(Bytes::from_static(b"half"))).unwrap();
    sender.send(Err(BodyError::Cut { received: 4 })).unwrap();
    assert_eq!(answer.body.collect(1 << 20).await, Err(BodyError::Cut { received: 4 }));
    drop(text(world.get("/a", &[Arc::clone(&origin)]).await.unwrap()).await);
    assert_eq!(calls(&origin), 2);
}

#[tokio::test]
async fn a_body_shorter_than_announced_is_an_error() {
    let world = World::new().await;
    let origin = origin("o", |_, _| {
        let stream = Box::pin(stream::iter([Ok(Bytes::from_static(b"half"))]));
        Ok(response(200, &[("cache-control", "max-age=10")], Body::Stream { length: Some(8), stream }))
    });
    let answer = world.get("/a", &[origin]).await.unwrap();
    assert_eq!(answer.body.collect(1 << 20).await, Err(BodyError::Cut { received: 4 }));
}

#[tokio::test]
async fn a_body_over_the_bound_reaches_its_reader_but_is_not_stored() {
    let limits = EngineLimits { object_bytes_max: 1000, fetches_max: 64, filling_bytes_max: 1 << 24 };
    let world = World::with_limits(limits).await;
    let origin = origin("o", |_, _| {
        let chunks = (0..100).map(|_| Ok(Bytes::from_static(&[b'x'; 1000])));
        let stream = Box::pin(stream::iter(chunks));
        Ok(response(200, &[("cache-control", "max-age=10")], Body::Stream { length: None, stream }))
    });
    for _ in 0..2 {
        let answer = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
        assert_eq!(answer.body.collect(1 << 20).await.unwrap().len(), 100_000);
    }
    assert_eq!(calls(&origin), 2);
    assert_eq!(world.engine.counters().filling_bytes.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_hard_purge_removes_and_beats_a_fill_in_flight() {
    let world = World::new().await;
    let (sender, body) = dripping();
    let slow = drip_origin(&[("cache-control", "max-age=10")], body);
    let answer = world.get("/a", &[Arc::clone(&slow)]).await.unwrap();
    sender.send(Ok(Bytes::from_static(b"old"))).unwrap();
    world.purge(Selector::Url { host: "h.example".to_owned(), target: "/a".to_owned() }, Mode::Hard);
    drop(sender);
    assert_eq!(text(answer).await, "old");
    let after = origin("o", |_, _| ok(&[("cache-control", "max-age=10")], "new"));
    assert_eq!(text(world.get("/a", &[Arc::clone(&after)]).await.unwrap()).await, "new");
    assert_eq!(calls(&after), 1);
}

#[tokio::test]
async fn what_was_found_before_a_purge_is_not_validated_after_it() {
    let world = World::new().await;
    let origin = origin("o", |n, request| {
        assert!(!request.headers.contains_key("if-none-match"), "a 304 would revive what was purged");
        ok(&[("cache-control", "max-age=1"), ("etag", "\"v1\"")], if n == 0 { "old" } else { "new" })
    });
    drop(text(world.get("/a", &[Arc::clone(&origin)]).await.unwrap()).await);
    let request = request("/a", &[Arc::clone(&origin)], &[]);
    let hash = request.key.hash();
    let found = world.engine.hybrid.memory(&request.key, hash).unwrap();
    world.purge(Selector::Url { host: "h.example".to_owned(), target: "/a".to_owned() }, Mode::Hard);
    let Role::Leader(flight) = world.engine.join(&request.key, hash) else { panic!("nobody fetches") };
    world.engine.lead(flight, Errand::new(&request, hash, Some(found)));
    while world.engine.fetches() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(text(world.get("/a", &[Arc::clone(&origin)]).await.unwrap()).await, "new");
    assert_eq!(calls(&origin), 2);
}

#[tokio::test]
async fn a_request_after_a_purge_does_not_join_an_older_flight() {
    let world = World::new().await;
    let (_held, body) = dripping();
    let slow = drip_origin(&[("cache-control", "max-age=10")], body);
    let _old = world.get("/a", &[slow]).await.unwrap();
    world.purge(Selector::Tag { site: "s".to_owned(), tag: "any".to_owned() }, Mode::Hard);
    let fresh = origin("o", |_, _| ok(&[("cache-control", "max-age=10")], "new"));
    assert_eq!(text(world.get("/a", &[fresh]).await.unwrap()).await, "new");
}

#[tokio::test]
async fn a_soft_purge_makes_stale_and_an_error_still_serves_it() {
    let world = World::new().await;
    let fields = &[("cache-control", "max-age=100, stale-if-error=100"), ("surrogate-key", "t")];
    let origin = origin("o", move |n, _| if n == 0 { ok(fields, "kept") } else { Err(OriginError::Timeout) });
    drop(text(world.get("/a", &[Arc::clone(&origin)]).await.unwrap()).await);
    world.purge(Selector::Tag { site: "s".to_owned(), tag: "t".to_owned() }, Mode::Soft);
    let stale = world.get("/a", &[Arc::clone(&origin)]).await.unwrap();
    assert_eq!(stale.trace.served, Served::Stale("memory"));
    assert_eq!(text(stale).await, "kept");
    world.purge(Selector::Tag { site: "s".to_owned(), tag: "t".to_owned() }, Mode::Hard);
    assert!(world.get("/a", &[origin]).await.is_err());
}

#[tokio::test]
async fn variants_are_kept_apart() {
    let world = World::new().await;
    let origin = origin("o", |_, request| {
        let is_german = request.headers.get("accept-language").is_some_and(|value| value == "de");
        let fields = [("cache-control", "max-age=10"), ("vary", "accept-language")];
        ok(&fields, if is_german { "hallo" } else { "hello" })
    });
    for _ in 0..2 {
        for (language, greeting) in [("de", "hallo"), ("en", "hello")] {
            let request = request("/a", &[Arc::clone(&origin)], &[("accept-language", language)]);
            assert_eq!(text(world.engine.serve(request).await.unwrap()).await, greeting);
        }
    }
    assert_eq!(calls(&origin), 2);
}

#[tokio::test]
async fn a_full_node_says_so_instead_of_queueing() {
    let limits = EngineLimits { object_bytes_max: 1000, fetches_max: 1, filling_bytes_max: 1 << 24 };
    let world = World::with_limits(limits).await;
    let (_held, body) = dripping();
    let slow = drip_origin(&[("cache-control", "max-age=10")], body);
    let _running = world.get("/slow", &[slow]).await.unwrap();
    let other = origin("o", |_, _| ok(&[], "never"));
    let refused = world.get("/b", &[Arc::clone(&other)]).await.unwrap_err();
    assert_eq!(refused.failure.retry_after_s, Some(1));
    assert_eq!(calls(&other), 0);
}

#[tokio::test]
async fn only_if_cached_asks_no_origin() {
    let world = World::new().await;
    let origin = origin("o", |_, _| ok(&[], "never"));
    let request = request("/a", &[Arc::clone(&origin)], &[("cache-control", "only-if-cached")]);
    assert!(world.engine.serve(request).await.unwrap_err().only_if_cached);
    assert_eq!(calls(&origin), 0);
}
