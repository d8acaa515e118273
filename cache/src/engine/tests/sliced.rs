//! Large bodies: which bytes an origin is asked for, and what is kept.

use super::*;
use crate::slices::SLICE_BYTES;

const MIB: usize = 1 << 20;
const LENGTH: usize = 9 * MIB + 12_345;

/// The byte at a place, different for each version.
fn byte(version: u8, at: usize) -> u8 {
    u8::try_from(at % 251).unwrap() ^ u8::try_from(at / MIB).unwrap() ^ version
}

fn bytes(version: u8, span: std::ops::Range<usize>) -> Bytes {
    span.map(|at| byte(version, at)).collect::<Vec<_>>().into()
}

/// A file server: ranges, validators, and a record of what it was asked for.
struct Files {
    version: std::sync::atomic::AtomicU8,
    asked: Mutex<Vec<String>>,
    /// Bytes after which each body breaks off.
    cut_after: AtomicUsize,
    ignores_ranges: std::sync::atomic::AtomicBool,
    cache_control: &'static str,
}

impl Files {
    fn new() -> Arc<Self> {
        Self::with("max-age=600")
    }

    fn with(cache_control: &'static str) -> Arc<Self> {
        Arc::new(Self {
            version: 1.into(),
            asked: Mutex::default(),
            cut_after: usize::MAX.into(),
            ignores_ranges: false.into(),
            cache_control,
        })
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock())
    }

    fn answer(&self, request: &OriginRequest) -> OriginResponse {
        let version = self.version.load(Ordering::SeqCst);
        let etag = format!("\"v{version}\"");
        let field = |name: &str| request.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        self.asked.lock().push(field("range").to_owned());
        let mut fields = vec![("etag", etag.clone()), ("cache-control", self.cache_control.to_owned())];
        if field("if-none-match") == etag {
            let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
            return response(304, &fields, Body::empty());
        }
        let holds = field("if-range").is_empty() || field("if-range") == etag;
        let range = field("range").strip_prefix("bytes=").filter(|_| holds);
        let range = range.filter(|_| !self.ignores_ranges.load(Ordering::SeqCst));
        let span = range.map(|range| {
            let (first, last) = range.split_once('-').unwrap();
            let number = |text: &str| text.parse::<usize>().ok();
            match (number(first), number(last)) {
                (None, Some(suffix)) => LENGTH.saturating_sub(suffix)..LENGTH,
                (Some(first), last) => first..last.map_or(LENGTH, |last| (last + 1).min(LENGTH)),
                _ => 0..LENGTH,
            }
        });
        if span.as_ref().is_some_and(|span| span.start >= LENGTH) {
            return response(416, &[("content-range", &format!("bytes */{LENGTH}"))], Body::empty());
        }
        let status = if let Some(span) = &span {
            fields.push(("content-range", format!("bytes {}-{}/{LENGTH}", span.start, span.end - 1)));
            206
        } else {
            200
        };
        let span = span.unwrap_or(0..LENGTH);
        let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        response(status, &fields, self.body(version, span))
    }

    fn body(&self, version: u8, span: std::ops::Range<usize>) -> Body {
        let length = span.len();
        let keep = self.cut_after.load(Ordering::SeqCst).min(length);
        let whole = bytes(version, span);
        let mut chunks: Vec<Result<Bytes, BodyError>> =
            whole.slice(..keep).chunks(100_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        if keep < length {
            chunks.push(Err(BodyError::Cut { received: keep as u64 }));
        }
        Body::Stream { length: Some(length as u64), stream: Box::pin(stream::iter(chunks)) }
    }

    fn origin(self: &Arc<Self>) -> Arc<Scripted> {
        let files = Arc::clone(self);
        origin("files", move |_, request| Ok(files.answer(request)))
    }
}

async fn part(world: &World, origin: &Arc<Scripted>, range: &str) -> Answer {
    let origins = [Arc::clone(origin)];
    world.engine.serve(request("/f", &origins, &[("range", range)])).await.unwrap()
}

async fn body(answer: Answer) -> Bytes {
    answer.body.collect(1 << 30).await.unwrap()
}

fn content_range(answer: &Answer) -> &str {
    answer.head.headers["content-range"].to_str().unwrap()
}

fn mib(n: u64) -> u64 {
    n * SLICE_BYTES
}

#[tokio::test]
async fn a_part_of_a_large_body_costs_its_slices_only() {
    let (world, files) = (World::new().await, Files::new());
    let origin = files.origin();
    let answer = part(&world, &origin, "bytes=2097000-2098000").await;
    assert_eq!(answer.head.status, 206);
    assert_eq!(content_range(&answer), format!("bytes 2097000-2098000/{LENGTH}"));
    assert_eq!(answer.head.headers["content-length"], "1001");
    assert_eq!(body(answer).await, bytes(1, 2_097_000..2_098_001));
    assert_eq!(files.asked(), [format!("bytes={}-{}", mib(1), mib(3) - 1)]);

    let again = part(&world, &origin, "bytes=1048576-1048579").await;
    assert!(matches!(again.trace.served, Served::Hit(_)), "{:?}", again.trace);
    assert_eq!(body(again).await, bytes(1, 1_048_576..1_048_580));
    assert!(files.asked().is_empty());

    let beside = part(&world, &origin, "bytes=1048570-1048580").await;
    assert_eq!(body(beside).await, bytes(1, 1_048_570..1_048_581));
    assert_eq!(files.asked(), [format!("bytes=0-{}", mib(1) - 1)], "only what is missing");
}

#[tokio::test]
async fn parts_and_the_whole_make_up_for_each_other() {
    let (world, files) = (World::new().await, Files::new());
    let origin = files.origin();
    body(part(&world, &origin, "bytes=3145728-4194303").await).await;
    files.asked();
    let whole = world.get("/f", &[Arc::clone(&origin)]).await.unwrap();
    assert_eq!((whole.head.status, body(whole).await), (StatusCode::OK, bytes(1, 0..LENGTH)));
    let asked = files.asked();
    assert_eq!(asked, [format!("bytes=0-{}", mib(3) - 1), format!("bytes={}-{}", mib(4), LENGTH - 1)]);
    let whole = world.get("/f", &[Arc::clone(&origin)]).await.unwrap();
    assert!(matches!(whole.trace.served, Served::Hit(_)), "{:?}", whole.trace);
    assert_eq!(body(whole).await, bytes(1, 0..LENGTH));
    let tail = part(&world, &origin, "bytes=-5").await;
    assert_eq!(content_range(&tail), format!("bytes {}-{}/{LENGTH}", LENGTH - 5, LENGTH - 1));
    assert_eq!(body(tail).await, bytes(1, LENGTH - 5..LENGTH));
    let two = part(&world, &origin, "bytes=0-1,2000000-2000001").await;
    let kind = two.head.headers["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("multipart/byteranges"), "{kind}");
    let beyond = part(&world, &origin, &format!("bytes={LENGTH}-")).await;
    assert_eq!(beyond.head.status, 416);
    assert!(files.asked().is_empty());
}

#[tokio::test]
async fn a_whole_fetch_is_kept_in_slices() {
    let (world, files) = (World::new().await, Files::new());
    let origin = files.origin();
    let whole = world.get("/f", &[Arc::clone(&origin)]).await.unwrap();
    assert_eq!(whole.trace.served, Served::Fetched);
    assert_eq!(whole.head.headers["content-length"], LENGTH.to_string());
    assert_eq!(body(whole).await, bytes(1, 0..LENGTH));
    assert_eq!(files.asked(), [""]);
    let middle = part(&world, &origin, "bytes=5000000-5000009").await;
    assert_eq!(body(middle).await, bytes(1, 5_000_000..5_000_010));
    assert!(files.asked().is_empty());
}

#[tokio::test]
async fn an_origin_that_breaks_off_is_asked_for_the_rest() {
    let (world, files) = (World::new().await, Files::new());
    files.cut_after.store(2_500_000, Ordering::SeqCst);
    let whole = world.get("/f", &[files.origin()]).await.unwrap();
    assert_eq!(body(whole).await, bytes(1, 0..LENGTH));
    assert!(files.asked().len() > 3);
}

#[tokio::test]
async fn an_origin_that_always_breaks_off_early_ends_in_an_error() {
    let (world, files) = (World::new().await, Files::new());
    files.cut_after.store(700_000, Ordering::SeqCst);
    let whole = world.get("/f", &[files.origin()]).await.unwrap();
    let cut = whole.body.collect(1 << 30).await;
    assert!(cut.is_err(), "a part must not pose as the whole");
    assert!(files.asked().len() <= 4);
}

#[tokio::test]
async fn parts_of_two_versions_never_meet() {
    let (world, files) = (World::new().await, Files::new());
    let origin = files.origin();
    body(part(&world, &origin, "bytes=0-10").await).await;
    files.version.store(2, Ordering::SeqCst);
    let old = part(&world, &origin, "bytes=0-10").await;
    assert_eq!(body(old).await, bytes(1, 0..11), "fresh by the old version's own word");
    let new = part(&world, &origin, "bytes=5000000-5000010").await;
    assert_eq!(new.head.headers["etag"], "\"v2\"");
    assert_eq!(body(new).await, bytes(2, 5_000_000..5_000_011));
    let new = part(&world, &origin, "bytes=0-10").await;
    assert_eq!(body(new).await, bytes(2, 0..11));
}

#[tokio::test]
async fn a_validation_keeps_the_slices_and_a_purge_does_not() {
    let (world, files) = (World::new().await, Files::new());
    let origin = files.origin();
    body(part(&world, &origin, "bytes=0-10").await).await;
    world.clock.advance(601_000);
    files.asked();
    let validated = part(&world, &origin, "bytes=0-10").await;
    assert_eq!(validated.trace.served, Served::Validated);
    assert_eq!(body(validated).await, bytes(1, 0..11));
    assert_eq!(files.asked(), [""], "one validation, no slice");
    world.purge(Selector::Url { host: "h.example".into(), target: "/f".into() }, Mode::Hard);
    let fetched = part(&world, &origin, "bytes=0-10").await;
    assert_eq!(fetched.trace.served, Served::Fetched);
    assert_eq!(body(fetched).await, bytes(1, 0..11));
    assert_eq!(files.asked(), [format!("bytes=0-{}", mib(1) - 1)]);
}

#[tokio::test]
async fn what_may_not_be_stored_is_cut_to_what_was_asked() {
    let (world, files) = (World::new().await, Files::with("private"));
    let origin = files.origin();
    for _ in 0..2 {
        let answer = part(&world, &origin, "bytes=1000-2000").await;
        assert_eq!(answer.trace.served, Served::Passed);
        assert_eq!(content_range(&answer), format!("bytes 1000-2000/{LENGTH}"));
        assert_eq!(body(answer).await, bytes(1, 1000..2001));
    }
    assert_eq!(files.asked(), [format!("bytes=0-{}", mib(1) - 1), "bytes=1000-2000".to_owned()]);
}

#[tokio::test]
async fn an_origin_without_ranges_sends_the_whole_once() {
    let (world, files) = (World::new().await, Files::new());
    files.ignores_ranges.store(true, Ordering::SeqCst);
    let origin = files.origin();
    let answer = part(&world, &origin, "bytes=3000000-3000010").await;
    assert_eq!(answer.head.status, 206);
    assert_eq!(body(answer).await, bytes(1, 3_000_000..3_000_011));
    let answer = part(&world, &origin, "bytes=1000000-1000010").await;
    assert_eq!(body(answer).await, bytes(1, 1_000_000..1_000_011));
    assert_eq!(files.asked().len(), 1);
}

#[tokio::test]
async fn a_refused_part_is_not_kept_as_the_whole() {
    let (world, files) = (World::new().await, Files::new());
    let origin = files.origin();
    let beyond = part(&world, &origin, &format!("bytes={}-", mib(100))).await;
    assert_eq!(beyond.head.status, 416);
    let whole = world.get("/f", &[Arc::clone(&origin)]).await.unwrap();
    assert_eq!(whole.head.status, 200);
}

#[tokio::test]
async fn many_readers_share_the_slices() {
    let (world, files) = (World::new().await, Files::new());
    let origin = files.origin();
    let readers = (0..200).map(|_| {
        let (world, origin) = (&world, &origin);
        async move { body(part(world, origin, "bytes=100-2000000").await).await }
    });
    let whole = bytes(1, 100..2_000_001);
    for read in futures_util::future::join_all(readers).await {
        assert_eq!(read, whole);
    }
    assert_eq!(files.asked().len(), 1);
}

#[tokio::test]
async fn origins_that_do_not_agree_on_a_version_are_passed_on() {
    let (world, files) = (World::new().await, Files::new());
    let changing = Arc::clone(&files);
    let origin = origin("pool", move |_, request| {
        changing.version.fetch_add(1, Ordering::SeqCst);
        Ok(changing.answer(request))
    });
    body(part(&world, &origin, "bytes=0-10").await).await;
    for _ in 0..3 {
        let answer = part(&world, &origin, "bytes=5000000-5000010").await;
        let version = files.version.load(Ordering::SeqCst);
        assert_eq!(body(answer).await, bytes(version, 5_000_000..5_000_011));
    }
}
