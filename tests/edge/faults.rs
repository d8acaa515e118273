//! Load while everything behind the edge fails: not one wrong byte, no body that ends early and looks whole, nobody who
//! waits for ever, and hits that do not notice.
//!
//! Bodies follow from the URL, so each answer is compared with what its target holds. A run of some seconds is part of
//! every test run; `make faults` takes a minute. A failure names the seed; `OVERFALL_SEED` repeats its throws.

use std::{collections::BTreeMap, fmt, time::Duration};

use http::Method;
use overfall_test_support::{
    Answer, Client, DEADLINE, Dice, Node, Settings,
    dice::seed,
    faulty_origin::{Content, ERROR_FIELD, FaultyOrigin},
    faulty_s3::{FaultyS3, MOODS, Mood},
    s3::S3,
    wait_until,
};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, timeout},
};

use crate::{Lone, lone};

/// Names the environment variable that makes the runs longer.
const SECONDS_VARIABLE: &str = "OVERFALL_FAULTS_SECONDS";
/// Length of a run, in seconds, when nothing else is asked for.
const SECONDS: u64 = 6;
const REQUESTS_PER_SECOND: u64 = 200;
/// Nobody waits longer for the end of an answer. Origins have a second for the head and one between two reads, and a
/// request may have to follow several fetches.
const PATIENCE: Duration = Duration::from_secs(10);
/// 99 of 100 hits of memory and disk are whole within this time, when nothing else runs on the machine and the code is
/// optimised.
const HIT_P99_ALONE: Duration = Duration::from_millis(100);
/// The same beside other tests: what a machine that is busy elsewhere may take.
const HIT_P99_BESIDE_OTHERS: Duration = Duration::from_secs(3);
/// Runs in which a bucket must have shown its faults.
const ROUNDS_MAX: u64 = 4;
/// Targets that are asked for again and again.
const POPULAR: u64 = 80;

fn seconds() -> Option<u64> {
    let text = std::env::var(SECONDS_VARIABLE).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{SECONDS_VARIABLE}={text:?}: {error}")))
}

fn origin_lines(origin: &FaultyOrigin) -> String {
    let url = origin.url();
    format!("url = \"{url}\"\nconnect_timeout = \"1s\"\nhead_timeout = \"1s\"\nread_timeout = \"1s\"")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_origin_gives_nobody_a_wrong_byte() {
    let seed = seed(20_260_101);
    let origin = FaultyOrigin::start(seed).await;
    let lone = lone(&Settings::new().origin_with("app", &origin_lines(&origin))).await;
    origin.misbehave(true);
    let report = load(&lone.node, seed, |_| {}).await;
    let counts = origin.counts();
    report.check(&format!("{counts:?} in {} requests", origin.requests()));
    assert!(report.broken > 0 && report.failed > 0, "the faults are seen: {report}");
    let faults: u64 = counts.iter().map(|(_, count)| count).sum();
    assert!(counts.iter().all(|(_, count)| *count > 0), "every fault is played: {counts:?}");
    assert!(faults * 100 > origin.requests() * 8, "{faults} of {}: {counts:?}", origin.requests());
    origin.misbehave(false);
    recovers(&lone, seed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_shared_tier_gives_nobody_a_wrong_byte() {
    let seed = seed(20_260_102);
    let dir = tempfile::TempDir::new().unwrap();
    let s3 = FaultyS3::before(S3::start(dir.path()).await, seed).await;
    let origin = FaultyOrigin::start(seed).await;
    let cache = format!("memory = \"1 MiB\"\nobject_max = \"512 KiB\"\ns3 = {}", s3.tier_table());
    let settings = Settings::new().cache(&cache).origin_with("app", &origin_lines(&origin));
    let lone = lone(&settings).await;
    origin.misbehave(true);
    let mut dice = Dice::of(seed, "moods");
    let is_played = || s3.found() > 20 && s3.harmed() > 5;
    for round in 0..ROUNDS_MAX {
        let report = load(&lone.node, seed + round, |tick| {
            // every half a second
            if tick % (REQUESTS_PER_SECOND / 2) == 0 {
                s3.change(dice.one_of(&[Mood::Well, Mood::Corrupts, dice.clone().one_of(&MOODS)]));
            }
        })
        .await;
        report.check(&format!("s3 found {} objects, {} harmed", s3.found(), s3.harmed()));
        // how much reaches the bucket behind the answers depends on what else the machine does
        if is_played() {
            break;
        }
    }
    assert!(is_played(), "{} found, {} harmed", s3.found(), s3.harmed());
    s3.change(Mood::Well);
    origin.misbehave(false);
    recovers(&lone, seed).await;
}

/// When the faults are over, everything is served again, whole.
async fn recovers(lone: &Lone, seed: u64) {
    let client = lone.node.client();
    for number in 0..POPULAR {
        let target = popular(number);
        // a failure is remembered for a second, and an origin that failed often is left alone for a little longer
        let what = format!("seed {seed}: {target} is served again");
        wait_until(&what, DEADLINE, async || {
            let answer = client.get(&lone.node.url(&target)).await;
            (judge(&target, &Question::Whole, &answer) == Ok(Verdict::Right)).then_some(())
        })
        .await;
    }
}

fn popular(number: u64) -> String {
    format!("/popular/{number}")
}

/// How a target is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Question {
    Whole,
    HeadOnly,
    Part(usize, usize),
    IfChanged,
    /// The asker leaves after the first bytes.
    Leaves,
}

impl Question {
    fn draw(dice: &mut Dice) -> Self {
        match dice.below(100) {
            0..75 => Self::Whole,
            75..83 => {
                let first = dice.place(5000);
                Self::Part(first, first + dice.place(5000))
            }
            83..90 => Self::IfChanged,
            90..95 => Self::HeadOnly,
            _ => Self::Leaves,
        }
    }
}

/// What an answer was, when it was not wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Exactly what the target holds.
    Right,
    /// It broke off, and says so.
    Broken,
    /// An error that is known as one.
    Failed,
}

/// Compares an answer with what its target holds; gives what is wrong with it.
fn judge(target: &str, question: &Question, answer: &Answer) -> Result<Verdict, String> {
    let content = Content::of(target);
    let held = content.bytes.as_slice();
    let body = answer.body.as_ref();
    let compare = |expected: &[u8]| match (&answer.cut, body == expected) {
        (None, true) => Ok(Verdict::Right),
        (None, false) => Err(format!("{} bytes, not the {} expected", body.len(), expected.len())),
        (Some(_), _) if expected.starts_with(body) => Ok(Verdict::Broken),
        (Some(_), _) => Err("wrong bytes before it broke off".to_owned()),
    };
    if matches!(answer.status, 200 | 206 | 304) && answer.header("etag") != content.etag {
        return Err(format!("etag {}", answer.header("etag")));
    }
    match (answer.status, question) {
        (200, Question::HeadOnly) => {
            let length = answer.header("content-length");
            let is_right = length.is_empty() || length == held.len().to_string();
            if is_right { compare(b"") } else { Err(format!("content-length {length}")) }
        }
        (200, _) => compare(held),
        (206, Question::Part(first, last)) if *first < held.len() => {
            let last = (*last).min(held.len() - 1);
            let place = answer.header("content-range");
            if place == format!("bytes {first}-{last}/{}", held.len()) {
                compare(&held[*first..=last])
            } else {
                Err(format!("content-range {place}"))
            }
        }
        (416, Question::Part(first, _)) if *first >= held.len() => Ok(Verdict::Right),
        (304, Question::IfChanged) => compare(b""),
        (500..=504, _) if answer.headers.contains_key(ERROR_FIELD) => {
            let page = Content::error_page(target);
            let expected = if *question == Question::HeadOnly { b"" } else { page.as_bytes() };
            compare(expected).map(|_| Verdict::Failed)
        }
        (502..=504, _) => Ok(Verdict::Failed),
        (status, _) => Err(format!("status {status}")),
    }
}

/// What came of a run.
#[derive(Default)]
struct Report {
    seed: u64,
    requests: u64,
    right: u64,
    broken: u64,
    failed: u64,
    left: u64,
    hits: Vec<Duration>,
    slowest: Duration,
    wrong: Vec<String>,
    sources: BTreeMap<String, u64>,
}

/// What came of one request.
struct Outcome {
    verdict: Result<Option<Verdict>, String>,
    took: Duration,
    is_hit: bool,
    source: String,
}

impl Report {
    fn note(&mut self, outcome: Outcome) {
        self.requests += 1;
        match outcome.verdict {
            Ok(Some(Verdict::Right)) => self.right += 1,
            Ok(Some(Verdict::Broken)) => self.broken += 1,
            Ok(Some(Verdict::Failed)) => self.failed += 1,
            Ok(None) => self.left += 1,
            Err(wrong) => self.wrong.push(wrong),
        }
        self.slowest = self.slowest.max(outcome.took);
        *self.sources.entry(outcome.source).or_default() += 1;
        if outcome.is_hit {
            self.hits.push(outcome.took);
        }
    }

    fn hit_p99(&self) -> Duration {
        let mut sorted = self.hits.clone();
        sorted.sort();
        sorted.get(sorted.len() * 99 / 100).copied().unwrap_or_default()
    }

    #[expect(clippy::print_stderr, reason = "`make faults` shows what a run came to, also when it went well")]
    fn check(&self, behind: &str) {
        eprintln!("{self}\n  behind it: {behind}");
        let first = self.wrong.iter().take(3).cloned().collect::<Vec<_>>().join("\n");
        assert!(self.wrong.is_empty(), "{} wrong answers: {self}\n{first}", self.wrong.len());
        assert!(self.right * 100 > self.requests * 50, "most answers are right all the same: {self}");
        // on a busy machine fetches end later, so that less is stored when it is asked for again
        let (one_in, bound) =
            if seconds().is_some() { (8, HIT_P99_ALONE) } else { (50, HIT_P99_BESIDE_OTHERS) };
        assert!(self.hits.len() as u64 * one_in > self.requests, "too few hits to judge: {self}");
        assert!(self.hit_p99() < bound, "hits wait: {self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, requests, right, broken, failed, left, slowest, sources, .. } = self;
        let (hits, p99) = (self.hits.len(), self.hit_p99());
        write!(
            out,
            "seed {seed}: {requests} requests, {right} right, {broken} broken off, {failed} failed, {left} left early, \
             {} wrong; {hits} local hits, p99 {p99:?}; slowest {slowest:?}; {sources:?}",
            self.wrong.len()
        )
    }
}

/// Asks at a steady pace, whatever becomes of the answers. `tick` is called before each request with its number.
async fn load(node: &Node, seed: u64, mut tick: impl FnMut(u64)) -> Report {
    let client = node.client();
    let mut dice = Dice::of(seed, "load");
    let mut running = JoinSet::new();
    let mut report = Report { seed, ..Report::default() };
    let mut pace = interval(Duration::from_millis(1000 / REQUESTS_PER_SECOND));
    for number in 0..seconds().unwrap_or(SECONDS) * REQUESTS_PER_SECOND {
        pace.tick().await;
        tick(number);
        let target = if dice.permille(650) {
            // a few are far more popular than the rest
            let among = 1 + dice.below(POPULAR);
            popular(dice.below(among))
        } else {
            format!("/once/{number}")
        };
        let question = Question::draw(&mut dice);
        let (client, url) = (client.clone(), node.url(&target));
        running.spawn(async move { ask(&client, &url, &target, &question).await });
        while let Some(outcome) = running.try_join_next() {
            report.note(outcome.expect("asking does not panic"));
        }
    }
    while let Some(outcome) = running.join_next().await {
        report.note(outcome.expect("asking does not panic"));
    }
    report
}

async fn ask(client: &Client, url: &str, target: &str, question: &Question) -> Outcome {
    let method = if *question == Question::HeadOnly { Method::HEAD } else { Method::GET };
    let etag = Content::of(target).etag;
    let range = if let Question::Part(first, last) = question {
        format!("bytes={first}-{last}")
    } else {
        String::new()
    };
    let fields: &[(&str, &str)] = match question {
        Question::Part(..) => &[("range", &range)],
        Question::IfChanged => &[("if-none-match", &etag)],
        Question::Whole | Question::HeadOnly | Question::Leaves => &[],
    };
    let began = Instant::now();
    let outcome = |verdict, is_hit, source| Outcome { verdict, took: began.elapsed(), is_hit, source };
    if *question == Question::Leaves {
        let opened = timeout(PATIENCE, client.open(method, url, fields, "")).await;
        let verdict = match opened {
            Ok(Ok(mut opened)) => match timeout(PATIENCE, opened.chunk()).await {
                Ok(_) => Ok(None),
                Err(_) => Err(format!("{}\n  the body hangs", opened.head)),
            },
            Ok(Err(error)) => Err(format!("{target} {question:?}: no answer: {error:#}")),
            Err(_) => Err(format!("{target} {question:?}: no head within {PATIENCE:?}")),
        };
        return outcome(verdict, false, "left".to_owned());
    }
    match timeout(PATIENCE, client.try_send(method, url, fields, "")).await {
        Ok(Ok(answer)) => {
            let verdict = judge(target, question, &answer).map(Some);
            let verdict = verdict.map_err(|wrong| format!("{wrong}: {target} {question:?}\n{answer}"));
            outcome(verdict, is_local_hit(&answer), source(&answer))
        }
        Ok(Err(error)) => {
            outcome(Err(format!("{target} {question:?}: no answer: {error:#}")), false, String::new())
        }
        Err(_) => {
            outcome(Err(format!("{target} {question:?}: no end within {PATIENCE:?}")), false, String::new())
        }
    }
}

/// Whether memory or disk answered; a hit of a bucket that is slow is slow.
fn is_local_hit(answer: &Answer) -> bool {
    let status = answer.cache_status();
    let is_local = |member: &str| member.contains("memory") || member.contains("disk");
    status.split(',').any(|member| is_local(member) && member.split(';').any(|part| part.trim() == "hit"))
}

/// Status and the telling part of `Cache-Status`.
fn source(answer: &Answer) -> String {
    let status = answer.cache_status();
    let known = ["hit", "fwd=stale", "fwd=miss", "fwd=bypass", "collapsed", "s3", "disk", "memory"];
    let told: Vec<&str> = known.into_iter().filter(|word| status.contains(word)).collect();
    format!("{} {}", answer.status, told.join(" "))
}

#[tokio::test]
async fn the_judge_notices_wrong_and_shortened_bodies() {
    let origin = FaultyOrigin::start(1).await;
    let target = (0..100).map(popular).find(|target| Content::of(target).bytes.len() > 100).unwrap();
    let right = Client::plain(&[]).get(&format!("{}{target}", origin.url())).await;
    assert_eq!(judge(&target, &Question::Whole, &right), Ok(Verdict::Right));
    let with = |change: &dyn Fn(&mut Answer)| {
        let mut answer = right.clone();
        change(&mut answer);
        judge(&target, &Question::Whole, &answer)
    };
    let end = right.body.len() - 1;
    assert!(with(&|answer| answer.body.truncate(end)).is_err(), "shortened, and looks whole");
    let cut = with(&|answer| {
        answer.body.truncate(end);
        answer.cut = Some("reset".to_owned());
    });
    assert_eq!(cut, Ok(Verdict::Broken));
    let flipped = with(&|answer| {
        let mut bytes = answer.body.to_vec();
        bytes[50] ^= 1;
        answer.body = bytes.into();
    });
    assert!(flipped.is_err(), "a bit flipped");
    assert!(with(&|answer| answer.status = 404).is_err(), "a made-up 404");
    assert!(judge(&popular(101), &Question::Whole, &right).is_err(), "another target's body");
}
