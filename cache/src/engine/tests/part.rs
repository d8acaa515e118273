//! Parts that are neither the whole nor slices: when one is kept, what it answers, and when it is not used.

use super::*;
use crate::{engine::TierResult, part::PART_BYTES_MAX};

/// Bytes of the whole.
const LENGTH: usize = 5 << 20;

fn letters(from: usize, to: usize) -> String {
    (from..to).map(|at| char::from(b'a' + u8::try_from(at % 26).unwrap())).collect()
}

/// Ten letters, of which a 206 brings the last six.
fn end(fields: &[(&str, &str)]) -> OriginResponse {
    let fields = [&[("content-range", "bytes 4-9/10"), ("cache-control", "max-age=60")], fields].concat();
    response(206, &fields, Body::Full(Bytes::from_static(b"efghij")))
}

/// The same, streamed in pieces and announced with a length.
fn pieces(fields: &[(&str, &str)], announced: usize, pieces: &[&'static str]) -> OriginResponse {
    let chunks: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
    let body = Body::Stream { length: Some(announced as u64), stream: Box::pin(stream::iter(chunks)) };
    let fields = [&[("cache-control", "max-age=60")], fields].concat();
    response(206, &fields, body)
}

/// Every request gets this.
fn always(answer: impl Fn() -> OriginResponse + Send + Sync + 'static) -> Arc<Scripted> {
    origin("o", move |_, _| Ok(answer()))
}

/// A file without validator; it says which ranges it was asked for.
fn file(length: usize) -> (Arc<Scripted>, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let asks = Arc::clone(&asked);
    let origin = origin("file", move |_, request| {
        let range = request.headers.get("range").map_or("", |range| range.to_str().unwrap());
        asks.lock().push(range.to_owned());
        let rules = ("cache-control", "max-age=60");
        let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
            return Ok(response(200, &[rules], Body::Full(letters(0, length).into())));
        };
        let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), last) => (first, last.unwrap_or(length).min(length - 1)),
            (_, last) => (length.saturating_sub(last.unwrap()), length - 1),
        };
        let content_range = format!("bytes {first}-{last}/{length}");
        let body = Body::Full(letters(first, last + 1).into());
        Ok(response(206, &[rules, ("content-range", &content_range)], body))
    });
    (origin, asked)
}

async fn ask(world: &World, origin: &Arc<Scripted>, fields: &[(&str, &str)]) -> Answer {
    world.engine.serve(request("/a", &[Arc::clone(origin)], fields)).await.unwrap()
}

async fn ask_range(world: &World, origin: &Arc<Scripted>, range: &str) -> Answer {
    ask(world, origin, &[("range", range)]).await
}

fn is_hit(answer: &Answer) -> bool {
    matches!(answer.trace.served, Served::Hit(_))
}

/// What is answered once the end is kept.
async fn second(fields: &[(&str, &str)]) -> Answer {
    let world = World::new().await;
    let origin = always(|| end(&[]));
    drop(text(ask_range(&world, &origin, "bytes=-6").await).await);
    ask(&world, &origin, fields).await
}

/// Whether a part that came for `bytes=-6` is used again.
async fn is_reused(answer: impl Fn() -> OriginResponse + Send + Sync + 'static) -> bool {
    let (world, origin) = (World::new().await, always(answer));
    drop(ask_range(&world, &origin, "bytes=-6").await.body.collect(1 << 24).await);
    ask_range(&world, &origin, "bytes=-6").await;
    calls(&origin) == 1
}

#[tokio::test]
async fn a_part_is_kept_and_answers_what_lies_inside() {
    let world = World::new().await;
    let origin = always(|| end(&[]));
    let first = ask_range(&world, &origin, "bytes=-6").await;
    let said = (first.trace.served, first.trace.stored, first.trace.reason);
    assert_eq!(said, (Served::Fetched, true, None));
    assert_eq!(first.head.headers["content-range"], "bytes 4-9/10");
    assert_eq!(text(first).await, "efghij");
    world.clock.advance(5_000);
    for (range, content_range, body) in [
        ("bytes=-6", "bytes 4-9/10", "efghij"),
        ("bytes=-2", "bytes 8-9/10", "ij"),
        ("bytes=4-4", "bytes 4-4/10", "e"),
        ("bytes=8-", "bytes 8-9/10", "ij"),
    ] {
        let again = ask_range(&world, &origin, range).await;
        assert_eq!((again.trace.served, again.trace.ttl_ms), (Served::Hit("memory"), 55_000), "{range}");
        assert_eq!(
            (again.head.status.as_u16(), again.head.headers["age"].as_bytes()),
            (206, &b"5"[..]),
            "{range}"
        );
        assert_eq!(again.head.headers["content-range"], content_range, "{range}");
        assert_eq!(text(again).await, body, "{range}");
    }
    assert_eq!(calls(&origin), 1);
}

#[tokio::test]
async fn what_a_part_does_not_hold_is_fetched() {
    for fields in [
        &[("range", "bytes=3-5")][..],
        &[("range", "bytes=0-")],
        &[("range", "bytes=-7")],
        &[("range", "bytes=4-5,8-9")],
        &[("range", "bytes=-6"), ("range", "bytes=-6")],
        &[("range", "bytes=-6"), ("if-range", "\"v1\"")],
        &[("range", "lines=4-5")],
        &[],
    ] {
        assert!(!is_hit(&second(fields).await), "{fields:?}");
    }
    let outside = second(&[("range", "bytes=3-5")]).await;
    assert_eq!(outside.trace.tiers, [("memory", TierResult::Partial)]);
    assert!(is_hit(&second(&[("range", "bytes=-6")]).await));
}

#[tokio::test]
async fn a_head_is_not_answered_by_a_part() {
    let world = World::new().await;
    let origin = always(|| end(&[]));
    drop(text(ask_range(&world, &origin, "bytes=-6").await).await);
    let mut head = request("/a", &[Arc::clone(&origin)], &[("range", "bytes=-6")]);
    head.method = Method::HEAD;
    assert!(!is_hit(&world.engine.serve(head).await.unwrap()));
}

#[tokio::test]
async fn a_client_that_has_the_version_of_a_part_learns_so() {
    let world = World::new().await;
    let origin = always(|| end(&[("etag", "W/\"v1\"")]));
    drop(text(ask_range(&world, &origin, "bytes=-6").await).await);
    let answer = ask(&world, &origin, &[("range", "bytes=-6"), ("if-none-match", "W/\"v1\"")]).await;
    assert!(is_hit(&answer));
    assert_eq!(answer.head.status, StatusCode::NOT_MODIFIED);
    assert!(!answer.head.headers.contains_key("content-range"));
}

#[tokio::test]
async fn a_slice_without_validator_is_kept_until_another_takes_its_place() {
    let world = World::new().await;
    let (origin, asked) = file(LENGTH);
    let mib = 1 << 20;
    let first = ask_range(&world, &origin, &format!("bytes={}-{}", mib + 100, mib + 109)).await;
    assert_eq!(first.head.headers["content-range"], format!("bytes {}-{}/{LENGTH}", mib + 100, mib + 109));
    assert_eq!(text(first).await, letters(mib + 100, mib + 110));
    let beside = ask_range(&world, &origin, &format!("bytes={}-{}", mib + 9000, mib + 9001)).await;
    assert!(is_hit(&beside));
    assert_eq!(text(beside).await, letters(mib + 9000, mib + 9002));
    let tail = ask_range(&world, &origin, "bytes=-3").await;
    assert_eq!(text(tail).await, letters(LENGTH - 3, LENGTH));
    assert!(is_hit(&ask_range(&world, &origin, "bytes=-2").await));
    assert!(!is_hit(&ask_range(&world, &origin, &format!("bytes={}-{}", mib + 100, mib + 109)).await));
    let slice = format!("bytes={mib}-{}", 2 * mib - 1);
    assert_eq!(*asked.lock(), [slice.as_str(), "bytes=-3", &slice]);
}

#[tokio::test]
async fn many_readers_share_a_part_that_comes() {
    let world = World::new().await;
    let (origin, asked) = file(LENGTH);
    let readers = (0..100).map(|n| {
        let (world, origin) = (&world, &origin);
        async move {
            let tail = text(ask_range(world, origin, "bytes=-9").await).await;
            let middle = text(ask_range(world, origin, &format!("bytes={n}-{}", n + 4)).await).await;
            (tail, middle)
        }
    });
    for (n, read) in futures_util::future::join_all(readers).await.into_iter().enumerate() {
        assert_eq!(read, (letters(LENGTH - 9, LENGTH), letters(n, n + 5)));
    }
    assert_eq!(asked.lock().len(), 2);
}

#[tokio::test]
async fn a_stale_part_is_fetched_anew() {
    let (world, origin) = (World::new().await, always(|| end(&[])));
    drop(text(ask_range(&world, &origin, "bytes=-6").await).await);
    world.clock.advance(60_000);
    let again = ask_range(&world, &origin, "bytes=-6").await;
    assert_eq!(
        (again.trace.served, &again.trace.tiers[..]),
        (Served::Fetched, &[("memory", TierResult::Stale)][..])
    );
}

#[tokio::test]
async fn a_part_dies_with_a_purge_of_any_scope() {
    let (host, site) = (|| "h.example".to_owned(), || "s".to_owned());
    for (selector, mode) in [
        (Selector::Url { host: host(), target: "/a".to_owned() }, Mode::Hard),
        (Selector::Url { host: host(), target: "/a".to_owned() }, Mode::Soft),
        (Selector::Prefix { host: host(), prefix: "/".to_owned() }, Mode::Hard),
        (Selector::Tag { site: site(), tag: "red".to_owned() }, Mode::Hard),
        (Selector::Tag { site: site(), tag: "red".to_owned() }, Mode::Soft),
        (Selector::Host { host: host() }, Mode::Hard),
        (Selector::Site { site: site() }, Mode::Hard),
    ] {
        let world = World::new().await;
        let origin =
            always(|| end(&[("surrogate-key", "red"), ("cache-control", "stale-while-revalidate=60")]));
        drop(text(ask_range(&world, &origin, "bytes=-6").await).await);
        assert!(is_hit(&ask_range(&world, &origin, "bytes=-6").await));
        let what = format!("{selector:?} {mode:?}");
        world.purge(selector, mode);
        let answer = ask_range(&world, &origin, "bytes=-6").await;
        assert!(!is_hit(&answer), "{what}");
        drop(text(answer).await);
        assert!(is_hit(&ask_range(&world, &origin, "bytes=-6").await), "{what}: what came after it is used");
    }
}

#[tokio::test]
async fn a_purge_during_the_fetch_counts() {
    let world = World::new().await;
    let gate = Arc::new(Notify::new());
    let mut origin = Arc::into_inner(always(|| end(&[]))).unwrap();
    origin.gate = Some(Arc::clone(&gate));
    let origin = Arc::new(origin);
    let asking = ask_range(&world, &origin, "bytes=-6");
    let purging = async {
        while calls(&origin) == 0 {
            tokio::task::yield_now().await;
        }
        world.purge(Selector::Url { host: "h.example".to_owned(), target: "/a".to_owned() }, Mode::Hard);
        gate.notify_one();
    };
    let (answer, ()) = tokio::join!(asking, purging);
    drop(text(answer).await);
    gate.notify_one();
    assert!(!is_hit(&ask_range(&world, &origin, "bytes=-6").await));
}

#[tokio::test]
async fn an_unsafe_request_finds_a_part_to_invalidate() {
    let (world, origin) = (World::new().await, always(|| end(&[])));
    let key = request("/a", &[], &[]).key;
    assert!(!world.engine.may_hold(&key).await);
    drop(text(ask_range(&world, &origin, "bytes=-6").await).await);
    assert!(world.engine.may_hold(&key).await);
}

#[tokio::test]
async fn a_whole_that_is_stored_later_wins() {
    let world = World::new().await;
    let origin = origin("o", |_, request| {
        if request.headers.contains_key("range") {
            return Ok(end(&[]));
        }
        ok(&[("cache-control", "max-age=30")], "0123456789")
    });
    drop(text(ask_range(&world, &origin, "bytes=-6").await).await);
    assert_eq!(text(ask(&world, &origin, &[]).await).await, "0123456789");
    assert_eq!(text(ask_range(&world, &origin, "bytes=-6").await).await, "456789");
    world.clock.advance(40_000);
    let validated = ask_range(&world, &origin, "bytes=-6").await;
    assert_eq!((validated.trace.served, text(validated).await.as_str()), (Served::Fetched, "456789"));
    assert_eq!(calls(&origin), 3);
}

#[tokio::test]
async fn what_a_request_asks_of_age_counts_for_parts() {
    let (world, origin) = (World::new().await, always(|| end(&[])));
    let asked = |wish: &str| {
        let fields = [("range", "bytes=-6"), ("cache-control", wish)];
        let request = Request { is_trusted: true, ..request("/a", &[Arc::clone(&origin)], &fields) };
        world.engine.serve(request)
    };
    let nothing = asked("only-if-cached").await.unwrap_err();
    assert!(nothing.only_if_cached);
    drop(text(ask_range(&world, &origin, "bytes=-6").await).await);
    world.clock.advance(10_000);
    for (wish, expected) in [
        ("only-if-cached", true),
        ("max-age=10", true),
        ("max-age=9", false),
        ("min-fresh=55", false),
        ("no-cache", false),
    ] {
        let answer = asked(wish).await.unwrap();
        assert_eq!(is_hit(&answer), expected, "{wish}");
        if !expected {
            assert_eq!(answer.trace.tiers, [("memory", TierResult::Unwanted)], "{wish}");
            drop(text(answer).await);
            world.clock.advance(10_000);
        }
    }
}

#[tokio::test]
async fn what_a_cache_may_not_store_is_not_kept() {
    assert!(is_reused(|| end(&[])).await);
    for (name, value) in [
        ("cache-control", "no-store"),
        ("cache-control", "private"),
        ("cache-control", "no-cache"),
        ("vary", "*"),
        ("set-cookie", "a=b"),
        ("age", "60"),
        ("content-encoding", "gzip"),
        ("content-type", "multipart/byteranges; boundary=x"),
    ] {
        assert!(!is_reused(move || end(&[(name, value)])).await, "{name}: {value}");
    }
    let unsaid =
        || response(206, &[("content-range", "bytes 4-9/10")], Body::Full(Bytes::from_static(b"efghij")));
    assert!(!is_reused(unsaid).await, "nothing says how long it is fresh");
    let many = [("content-type", "multipart/byteranges; boundary=x")];
    assert!(!is_reused(move || pieces(&many, 6, &["--x--\n"])).await, "as RFC 9110 section 15.3.7.2 has it");
}

#[tokio::test]
async fn credentials_are_not_shared_unless_the_response_allows_it() {
    for (directives, expected) in [("max-age=60", false), ("public", true)] {
        let (world, origin) = (World::new().await, always(move || end(&[("cache-control", directives)])));
        let fields = [("range", "bytes=-6"), ("authorization", "Basic eDp5")];
        drop(text(ask(&world, &origin, &fields).await).await);
        assert_eq!(is_hit(&ask_range(&world, &origin, "bytes=-6").await), expected, "{directives}");
    }
}

#[tokio::test]
async fn each_variant_has_a_part() {
    let world = World::new().await;
    let origin = origin("o", |_, request| {
        let language = request.headers["accept-language"].to_str().unwrap();
        let fields =
            [("content-range", "bytes 4-5/10"), ("cache-control", "max-age=60"), ("vary", "accept-language")];
        Ok(response(206, &fields, Body::Full(language.to_owned().into())))
    });
    for expected in [false, true] {
        for language in ["de", "en"] {
            let answer = ask(&world, &origin, &[("range", "bytes=4-5"), ("accept-language", language)]).await;
            assert_eq!(is_hit(&answer), expected, "{language}");
            assert_eq!(text(answer).await, language);
        }
    }
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_not_kept() {
    const RANGE: &[(&str, &str)] = &[("content-range", "bytes 4-9/10")];
    assert!(is_reused(|| pieces(RANGE, 6, &["efg", "", "hij", ""])).await);
    assert!(is_reused(|| pieces(RANGE, 5, &["efg", "hi"])).await, "short, but of one mind about it");
    for (announced, sent) in [
        (6, &["efg", "hi"][..]),
        (6, &["efg", "hijk"]),
        (6, &["efghij", "k"]),
        (7, &["efghijk"]),
        (5, &["efghij"]),
    ] {
        assert!(!is_reused(move || pieces(RANGE, announced, sent)).await, "{announced} {sent:?}");
    }
    let cut = || {
        let chunks = [Ok(Bytes::from_static(b"efg")), Err(BodyError::Cut { received: 3 })];
        let body = Body::Stream { length: Some(6), stream: Box::pin(stream::iter(chunks)) };
        response(206, &[RANGE[0], ("cache-control", "max-age=60")], body)
    };
    assert!(!is_reused(cut).await, "broken off");
    let unknown = || {
        let body = Body::Stream {
            length: None,
            stream: Box::pin(stream::iter([Ok(Bytes::from_static(b"efghij"))])),
        };
        response(206, &[RANGE[0], ("cache-control", "max-age=60")], body)
    };
    assert!(!is_reused(unknown).await, "of a length that nobody told");
}

#[tokio::test]
async fn a_large_part_passes_through() {
    let world = World::with_limits(EngineLimits {
        object_bytes_max: 16 << 20,
        fetches_max: 4,
        filling_bytes_max: 1 << 26,
    })
    .await;
    let (origin, asked) = file(LENGTH);
    let most = usize::try_from(PART_BYTES_MAX).unwrap();
    for (range, expected) in [
        (format!("bytes=0-{most}"), false),
        (format!("bytes=-{}", most + 1), false),
        (format!("bytes=-{most}"), true),
    ] {
        let first = ask_range(&world, &origin, &range).await;
        assert!(text(first).await.len() >= most);
        assert_eq!(is_hit(&ask_range(&world, &origin, &range).await), expected, "{range}");
    }
    assert_eq!(asked.lock().len(), 5);
}

#[tokio::test]
async fn a_part_shorter_than_its_range_is_read_from_the_side_that_is_asked_for() {
    let world = World::new().await;
    let origin = always(|| pieces(&[("content-range", "bytes 4-9/10")], 5, &["01234"]));
    let first = ask_range(&world, &origin, "bytes=-5").await;
    assert_eq!(first.head.headers["content-range"], "bytes 4-9/10");
    assert_eq!(text(first).await, "01234");
    for (range, content_range, body) in [
        ("bytes=-5", "bytes 4-9/10", "01234"),
        ("bytes=6-8", "bytes 6-8/10", "234"),
        ("bytes=6-", "bytes 6-8/10", "234"),
        ("bytes=-1", "bytes 9-9/10", "4"),
    ] {
        let again = ask_range(&world, &origin, range).await;
        assert!(is_hit(&again), "{range}");
        assert_eq!(again.head.headers["content-range"], content_range, "{range}");
        assert_eq!(text(again).await, body, "{range}");
    }
    assert!(!is_hit(&ask_range(&world, &origin, "bytes=6-9").await));
}

#[tokio::test]
async fn a_contradiction_is_neither_whole_nor_slice_nor_cut() {
    for (etag, content_range) in
        [("W/\"a\"", "bytes 0-9/10"), ("\"a\"", "bytes 0-9/10"), ("\"a\"", "bytes 0-9/99999999")]
    {
        let world = World::new().await;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let asks = Arc::clone(&asked);
        let origin = origin("o", move |_, request| {
            asks.lock().push(request.headers.get("range").cloned());
            Ok(pieces(&[("content-range", content_range), ("etag", etag)], 5, &["01234"]))
        });
        let answer = ask_range(&world, &origin, "bytes=1-2").await;
        assert_eq!(
            (answer.trace.served, answer.head.headers["content-range"].as_bytes()),
            (Served::Passed, content_range.as_bytes())
        );
        assert_eq!(text(answer).await, "01234", "as the origin answers this very range");
        assert_eq!(asked.lock().len(), 2);
        assert_eq!(asked.lock()[1].as_ref().unwrap(), "bytes=1-2");
        assert!(!is_hit(&ask_range(&world, &origin, "bytes=1-2").await));
        assert!(!is_hit(&ask(&world, &origin, &[]).await));
    }
}

#[tokio::test]
async fn slices_are_not_filled_from_a_contradiction() {
    let world = World::new().await;
    let length: usize = 9 << 20;
    let origin = origin("o", move |n, request| {
        let fields = |range: &str| {
            vec![("content-range".to_owned(), range.to_owned()), ("etag".to_owned(), "\"a\"".to_owned())]
        };
        let slice = 1 << 20;
        let (range, bytes) = match request.headers["range"].to_str().unwrap() {
            "bytes=0-1048575" => (format!("bytes 0-{}/{length}", slice - 1), slice),
            // a slice and a half is promised, a slice comes
            _ => (format!("bytes {slice}-{}/{length}", slice * 5 / 2 - 1), slice),
        };
        let fields = fields(&range);
        let mut fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.push(("cache-control", "max-age=60"));
        let body = letters(n, n + bytes);
        Ok(response(206, &fields, Body::Full(body.into())))
    });
    drop(text(ask_range(&world, &origin, "bytes=0-1").await).await);
    assert!(is_hit(&ask_range(&world, &origin, "bytes=2-3").await));
    let answer = ask_range(&world, &origin, "bytes=1048576-1048577").await;
    assert_eq!(answer.trace.served, Served::Passed);
}

#[tokio::test]
async fn a_part_outlives_the_process_on_disk() {
    let folder = tempfile::TempDir::new().unwrap();
    let origin = always(|| end(&[("etag", "W/\"v1\"")]));
    for expected in [Served::Fetched, Served::Hit("disk")] {
        let hybrid = Hybrid::open(16 << 20, Some((folder.path(), 16 << 20))).await.unwrap();
        let world = World::of(Arc::clone(&hybrid), LIMITS);
        let answer = ask_range(&world, &origin, "bytes=-6").await;
        assert_eq!((answer.trace.served, text(answer).await.as_str()), (expected, "efghij"));
        world.engine.flush().await;
        hybrid.close().await;
    }
}
