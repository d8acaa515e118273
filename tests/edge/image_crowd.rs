//! What a node takes when very many want renderings at once: memory for those that wait, and its throughput while most are
//! refused. `make image-load` shows the figures of optimised code.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use image::{DynamicImage, ImageFormat, imageops::FilterType};
use overfall_test_support::{Client, DEADLINE, Origin, Reply, Settings, wait_until};
use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};

use crate::{
    Lone, lone,
    pictures::{decode, encode},
    shown,
};

const MIB: u64 = 1024 * 1024;
/// Renderings that wait while two are at work.
const WAITING: u32 = 64;
/// What all of them may take, and the node with them; more where nothing is optimised, the program least of all.
const WAITING_BYTES_MAX: u64 = if cfg!(debug_assertions) { 200 } else { 120 } * MIB;
/// Requests for each that there is time for.
const OVERLOAD: f64 = 20.0;
/// Part of what is rendered without the excess that is rendered with it, at least.
const THROUGHPUT_MIN: f64 = 0.95;
/// The same where other tests are at work beside, and renderings take long because nothing is optimised.
const THROUGHPUT_MIN_BESIDE_OTHERS: f64 = 0.5;
/// 95 of 100 of the excess know that there is no room within this time.
const REFUSED_WITHIN: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1_000 } else { 50 });
/// Renderings that throughput is measured by.
const COUNTED: u32 = if cfg!(debug_assertions) { 6 } else { 40 };
const ROUNDS_MAX: u32 = 4;

/// A photo of 12 megapixels, as cameras write them.
fn photo() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/proxy/assets/demo/photos/harbour.jpg");
    let small = decode(&std::fs::read(path).unwrap());
    encode(&DynamicImage::resize_exact(&small, 4_000, 3_000, FilterType::Triangle), ImageFormat::Jpeg)
}

/// A crowd that wants this photo, under so many names: the most that the node took, without what the sources themselves do.
async fn resident_with(photo: &[u8], sources: u32) -> u64 {
    let origin = Origin::start().await;
    origin.otherwise(Reply::ok(photo.to_vec()).cache_control("max-age=600"));
    let limits = "[limits]\nimage_threads = 2\nimage_queue_megapixels = 2000";
    let rules = "[site.images]\ndeadline = \"5m\"";
    let settings = Settings::new().origin("app", &origin.url()).tables(limits).without_images().site(rules);
    let lone = lone(&settings).await;
    let before = lone.node.process.resident_bytes();
    let mut requests = JoinSet::new();
    for number in 0..WAITING + 2 {
        let (width, source) = (700 + number, number % sources);
        let url = lone.node.url(&format!("/cdn-cgi/image/width={width},format=jpeg/{source}.jpg"));
        let client = lone.node.client();
        requests.spawn(async move { client.get(&url).await.expect(200) });
    }
    let answers = requests.join_all().await;
    assert!(answers.iter().all(|answer| answer.body.len() > 10_000));
    assert_eq!(origin.count_all() as u64, u64::from(sources));
    let (peak, held) = (lone.node.process.resident_bytes_peak(), u64::from(sources) * photo.len() as u64);
    let [peak_mib, before_mib, held_mib] = [peak, before, held].map(|bytes| bytes / MIB);
    let line = format!(
        "{WAITING} waiting and 2 at work: {peak_mib} MiB resident, {held_mib} of them sources, {before_mib} before"
    );
    shown(&line);
    peak.saturating_sub(held)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_wait_take_little_memory() {
    let photo = photo();
    for sources in [1, WAITING + 2] {
        let peak = resident_with(&photo, sources).await;
        assert!(
            peak < WAITING_BYTES_MAX,
            "{sources} sources: {} of {} MiB",
            peak / MIB,
            WAITING_BYTES_MAX / MIB
        );
    }
}

/// Image URLs that were never asked for, of a rendering that takes its time.
#[derive(Clone)]
struct Urls {
    base: String,
    next: Arc<AtomicU32>,
}

impl Urls {
    fn next(&self) -> String {
        let number = self.next.fetch_add(1, Relaxed);
        // another key, and the same work: the width decides
        let height = 2_000 + number;
        format!("{}/cdn-cgi/image/width=1200,height={height},format=webp/photo.jpg", self.base)
    }
}

/// Renderings in a second when there are always two that want one.
async fn peak(lone: &Lone, urls: &Urls) -> f64 {
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..2 {
        let (client, urls) = (lone.node.client(), urls.clone());
        clients.spawn(async move {
            for _ in 0..COUNTED / 2 {
                client.get(&urls.next()).await.expect(200);
            }
        });
    }
    clients.join_all().await;
    f64::from(COUNTED) / began.elapsed().as_secs_f64()
}

/// Renderings in a second among many more requests than there is time for, and how long those took that were refused.
async fn overloaded(lone: &Lone, urls: &Urls, peak: f64) -> (f64, Duration) {
    let began = Instant::now();
    let lasts = Duration::from_secs_f64(f64::from(COUNTED) / peak);
    let mut ticks = interval(Duration::from_secs_f64(1.0 / (peak * OVERLOAD)));
    let client: Arc<Client> = Arc::new(lone.node.client());
    let mut requests = JoinSet::new();
    while began.elapsed() < lasts {
        ticks.tick().await;
        let (client, url) = (Arc::clone(&client), urls.next());
        requests.spawn(async move {
            let asked = Instant::now();
            let answer = client.get(&url).await;
            (answer.status, asked.elapsed())
        });
    }
    let (mut rendered, mut refused) = (0_u32, Vec::new());
    let mut last = Duration::ZERO;
    while let Some(answered) = requests.join_next().await {
        let (status, took) = answered.unwrap();
        match status {
            200 => {
                rendered += 1;
                last = began.elapsed();
            }
            503 => refused.push(took),
            other => panic!("{other}"),
        }
    }
    assert!(refused.len() > rendered as usize * 5, "{} refused, {rendered} rendered", refused.len());
    refused.sort_unstable();
    (f64::from(rendered) / last.as_secs_f64(), refused[refused.len() * 95 / 100])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overload_is_refused_and_costs_no_throughput() {
    let origin = Origin::start().await;
    origin.on("/photo.jpg", Reply::ok(photo()).cache_control("max-age=600"));
    let limits = "[limits]\nimage_threads = 1\nimage_queue_megapixels = 24";
    let rules = "[site.images]\npixels_max = 12000000\ndeadline = \"60s\"";
    let settings = Settings::new().origin("app", &origin.url()).tables(limits).without_images().site(rules);
    let lone = lone(&settings).await;
    let urls = Urls { base: lone.node.url(""), next: Arc::default() };
    wait_until("the source is there", DEADLINE, async || {
        (lone.node.client().get(&urls.next()).await.status == 200).then_some(())
    })
    .await;
    let least = if cfg!(debug_assertions) { THROUGHPUT_MIN_BESIDE_OTHERS } else { THROUGHPUT_MIN };
    let mut seen = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let peak = peak(&lone, &urls).await;
        let (rate, refused) = overloaded(&lone, &urls, peak).await;
        let line = format!(
            "{peak:.1} renderings/s; at {OVERLOAD} times that {rate:.1}, {:.0} %; 95 of 100 refused within {refused:?}",
            rate / peak * 100.0
        );
        shown(&line);
        seen.push(line);
        if rate >= peak * least && refused <= REFUSED_WITHIN {
            return;
        }
    }
    panic!("{}", seen.join("\n"));
}
