//! Pictures that are made to hurt, many at once: what they cost is bounded, and whoever else is there does not notice.
//!
//! Memory is what the kernel counts for the process. Times are bounds for a machine that is busy with other tests; where
//! optimised code has a stricter one, that is asked of it.

use std::time::Duration;

use image::ImageFormat;
use overfall_test_support::{Answer, Origin, Reply, Settings, wait_until};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    Lone, lone,
    pictures::{decode, encode, fixture, fixtures, sample},
    shown,
};

const MIB: u64 = 1024 * 1024;
/// Bombs at once.
const BOMBS: usize = 24;
/// What they may cost, all together.
const BOMBS_BYTES_MAX: u64 = 512 * MIB;
/// When the last of them is answered.
const BOMBS_ANSWERED_WITHIN: Duration = Duration::from_secs(12);
/// 95 of 100 honest clients beside them are answered within this time.
const HONEST_P95: Duration = Duration::from_secs(1);
/// The bomb that the usual limits just let in: 196 MB of pixels.
const HEAVIEST: &str = "png-49-megapixels.png";
/// Renderings of a burst.
const BURST: u32 = 12;
/// Resident memory that may be left of a burst, in percent of what was there before.
const GROWTH_PERCENT_MAX: u64 = 20;
/// When it is back to that.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(15);

/// Fetched by its node, and stored by nobody.
fn unstored(body: Vec<u8>) -> Reply {
    Reply::ok(body).cache_control("private, no-store")
}

async fn studio(origin: &Origin, rules: &str) -> Lone {
    origin
        .on("/fine.png", Reply::ok(encode(&sample(320, 240), ImageFormat::Png)).cache_control("max-age=600"));
    // as many threads on every machine, since memory goes by threads
    let settings = Settings::new().origin("app", &origin.url()).tables("[limits]\nimage_threads = 2");
    lone(&settings.without_images().site("[site.images]").site(rules)).await
}

/// The time within which this part of a hundred was answered.
fn percentile(times: &mut [Duration], part: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * part / 100).min(times.len() - 1)]
}

/// Small renderings and hits in turn, until every bomb is answered: how long each took.
async fn honest_beside(bombs: &mut JoinSet<Answer>, lone: &Lone) -> (Vec<Answer>, Vec<Duration>) {
    let client = lone.node.client();
    let (mut answers, mut times) = (Vec::new(), Vec::new());
    while !bombs.is_empty() {
        let width = if times.len() % 2 == 0 { 16 } else { 17 + times.len() % 280 };
        let url = lone.node.url(&format!("/cdn-cgi/image/width={width},format=png/fine.png"));
        let began = Instant::now();
        let answer = client.get(&url).await.expect(200);
        times.push(began.elapsed());
        assert_eq!(decode(&answer.body).width() as usize, width, "{answer}");
        answers.extend(std::iter::from_fn(|| bombs.try_join_next()).map(Result::unwrap));
    }
    (answers, times)
}

/// Requests for bombs: every one of the fixtures, and those that are just within the limits again and again.
fn bombs_at_once(lone: &Lone, origin: &Origin) -> JoinSet<Answer> {
    let names = fixtures("bombs");
    for name in &names {
        origin.on(&format!("/{name}"), unstored(fixture(&format!("bombs/{name}"))));
    }
    let costly = std::iter::repeat(&HEAVIEST).map(|name| (*name).to_owned());
    let mut requests = JoinSet::new();
    for (number, name) in names.into_iter().chain(costly).take(BOMBS).enumerate() {
        let format = if number % 2 == 0 { "webp" } else { "png" };
        let url = lone.node.url(&format!("/cdn-cgi/image/width={},format={format}/{name}", 100 + number));
        let client = lone.node.client();
        requests.spawn(async move { client.get(&url).await });
    }
    requests
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_bombs_at_once_cost_little_and_honest_clients_do_not_notice() {
    let origin = Origin::start().await;
    let lone = studio(&origin, "").await;
    let began = Instant::now();
    let mut bombs = bombs_at_once(&lone, &origin);
    let (answers, mut times) = honest_beside(&mut bombs, &lone).await;
    let took = began.elapsed();
    assert_eq!(answers.len(), BOMBS);
    for answer in &answers {
        assert!([200, 415, 422, 503, 504].contains(&answer.status) && answer.cut.is_none(), "{answer}");
    }
    let peak = lone.node.process.resident_bytes_peak();
    let p95 = percentile(&mut times, 95);
    let seen = format!("{} MiB, {took:?}, {} honest answers, p95 {p95:?}", peak / MIB, times.len());
    shown(&format!("{BOMBS} bombs: {seen}"));
    assert!(peak < BOMBS_BYTES_MAX, "{seen}");
    assert!(took < BOMBS_ANSWERED_WITHIN, "{seen}");
    assert!(p95 < HONEST_P95 && times.len() >= 20, "{seen}");
    assert!(answers.iter().any(|answer| answer.status == 200), "one of them is a picture, and is shown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_given_back_after_a_burst() {
    let origin = Origin::start().await;
    origin.on("/large.jpg", unstored(encode(&sample(3_000, 2_000), ImageFormat::Jpeg)));
    origin.on("/large.png", unstored(fixture(&format!("bombs/{HEAVIEST}"))));
    let lone = studio(&origin, "deadline = \"60s\"").await;
    let client = lone.node.client();
    for format in ["jpeg", "png", "webp", "avif"] {
        let url = lone.node.url(&format!("/cdn-cgi/image/width=64,format={format}/fine.png"));
        client.get(&url).await.expect(200);
    }
    let before = lone.node.process.resident_bytes();
    let mut burst = JoinSet::new();
    for number in 0..BURST {
        // not carefully: what takes memory is to take little time, also unoptimised
        let (source, format) = if number % 6 == 5 {
            ("large.png", "png,reduce=fast")
        } else {
            ("large.jpg", ["jpeg", "png", "webp", "avif"][number as usize % 4])
        };
        let url = lone.node.url(&format!("/cdn-cgi/image/width={},format={format}/{source}", 400 + number));
        let client = lone.node.client();
        burst.spawn(async move { client.get(&url).await.expect(200) });
    }
    while let Some(answer) = burst.join_next().await {
        answer.unwrap();
    }
    let peak = lone.node.process.resident_bytes_peak();
    assert!(peak > before + 100 * MIB, "a burst that needs memory: {} of {} MiB", peak / MIB, before / MIB);
    let most = before + before * GROWTH_PERCENT_MAX / 100;
    let mut now = peak;
    let is_back = async {
        wait_until("memory is given back", Duration::from_secs(600), async || {
            now = lone.node.process.resident_bytes();
            (now <= most).then_some(())
        })
        .await;
    };
    let returned = tokio::time::timeout(GIVEN_BACK_WITHIN, is_back).await;
    assert!(returned.is_ok(), "{} MiB before, {} at most, {} still", before / MIB, peak / MIB, now / MIB);
}
