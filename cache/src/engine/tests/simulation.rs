//! Many clients, purges and faults at once, in paused time: a run follows from its seed, so that the same seed gives the
//! same trace, and a failure names a seed that shows it again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::Method;
use parking_lot::Mutex;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::world::{
    Dice, Faults, HOST, Ledger, Records, RuntimeClock, SITE, START, TARGETS, Versioned, Wish, read, request,
};
use crate::{
    clock::{Clock, Millis},
    engine::{Answer, Engine, EngineLimits, EngineParts, Served, Unanswered},
    purge::{Mode, PurgeEvent, Selector, Table},
    stored::Position,
    tier::{Tier, hybrid::Hybrid},
};

/// Clients of one run.
const CLIENTS: u64 = 80;
/// They come within this time, in ms.
const SPAN_MS: u64 = 30_000;
/// Time between two crowds, in ms.
const CROWD_EVERY_MS: u64 = 3000;
/// Purges and new versions of one run.
const CHANGES: u64 = 15;
/// Nobody waits longer for the end of an answer: heads of three flights and of one more fetch, and the body.
const PATIENCE: Duration = Duration::from_secs(20);
const FETCHES_MAX: usize = 40;
/// Longest pause of the origin, in ms: more than it may take for a head.
const PAUSE_MS_MAX: u64 = 1200;

/// A node with its surroundings.
struct Sim {
    engine: Arc<Engine>,
    purges: Arc<Table>,
    clock: Arc<dyn Clock>,
    ledger: Arc<Mutex<Ledger>>,
    origin: Arc<Versioned>,
    seq: Mutex<u64>,
}

/// One client's visit.
struct Visit {
    at: Duration,
    wish: Wish,
    method: Method,
    /// How long it has patience, when it has little.
    leaves: Option<Duration>,
}

impl Visit {
    fn draw(dice: &mut Dice, client: u64) -> Self {
        // half of them come in crowds
        let crowd = dice.below(SPAN_MS / CROWD_EVERY_MS) * CROWD_EVERY_MS;
        let at = if dice.percent(50) { Duration::from_millis(crowd) } else { dice.ms(SPAN_MS) };
        let place = usize::try_from(dice.below(TARGETS.len() as u64)).unwrap();
        Self {
            at,
            wish: Wish { place, is_german: dice.percent(30), client },
            method: if dice.percent(5) { Method::HEAD } else { Method::GET },
            leaves: dice.percent(15).then(|| dice.ms(1500)),
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// A run; gives its trace.
fn run(seed: u64) -> Vec<String> {
    runtime().block_on(async {
        let sim = Arc::new(Sim::new(seed).await);
        let mut dice = Dice::new(seed ^ 0xc11e);
        let mut tasks = JoinSet::new();
        for client in 1..=CLIENTS {
            let (visit, sim) = (Visit::draw(&mut dice, client), Arc::clone(&sim));
            tasks.spawn(async move {
                sleep(visit.at).await;
                let asked = sim.ask(visit.wish, visit.method);
                match visit.leaves {
                    Some(after) => drop(timeout(after, asked).await),
                    None => timeout(PATIENCE, asked)
                        .await
                        .unwrap_or_else(|_| panic!("client {client} waits for ever")),
                }
            });
        }
        for _ in 0..CHANGES {
            let (at, sim, what) = (dice.ms(SPAN_MS), Arc::clone(&sim), Dice::new(dice.below(u64::MAX)));
            tasks.spawn(async move {
                sleep(at).await;
                sim.change(what);
            });
        }
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                let trace = sim.ledger.lock().trace.join("\n");
                panic!("seed {seed}: {error}\n{trace}");
            }
        }
        sim.rests(seed).await;
        let mut trace = std::mem::take(&mut sim.ledger.lock().trace);
        // those who wait for the same flight wake in any order, at one moment
        trace.sort();
        trace
    })
}

impl Sim {
    async fn new(seed: u64) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(RuntimeClock(Instant::now()));
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let faults = Faults { head: 20, body: 15, tier: 20 };
        let origin = Arc::new(Versioned {
            ledger: Arc::clone(&ledger),
            clock: Arc::clone(&clock),
            seed: AtomicU64::new(seed ^ 0x0121),
            faults: Mutex::new(faults),
            pause_ms_max: PAUSE_MS_MAX,
        });
        let records = Arc::new(Records {
            kept: Mutex::default(),
            clock: Arc::clone(&clock),
            seed: AtomicU64::new(seed ^ 0x7132),
            faults: Mutex::new(faults),
            pause_ms_max: 300,
        });
        let purges = Arc::new(Table::new());
        purges.gap(Position { epoch: 7, seq: 0 });
        let parts = EngineParts {
            hybrid: Hybrid::open(1 << 20, None).await.unwrap(),
            shared: vec![records as Arc<dyn Tier>],
            purges: Arc::clone(&purges),
            clock: Arc::clone(&clock),
            limits: EngineLimits {
                object_bytes_max: 1 << 16,
                fetches_max: FETCHES_MAX,
                filling_bytes_max: 1 << 20,
            },
        };
        Self { engine: Engine::new(parts), purges, clock, ledger, origin, seq: Mutex::new(0) }
    }

    /// One client, from its request to the end of its body.
    async fn ask(&self, wish: Wish, method: Method) {
        let began = self.clock.now();
        let step = self.ledger.lock().step();
        let is_head = method == Method::HEAD;
        let answer = self.engine.serve(request(&wish, method, &self.origin)).await;
        let said = match answer {
            Ok(answer) => {
                let (served, etag) = (answer.trace.served, answer.head.headers.get("etag").cloned());
                let verdict = self.judge(&wish, began, step, &answer);
                let end = read(answer.body).await;
                let verdict = verdict.and_then(|version| {
                    let expected = if is_head { String::new() } else { wish.body(version) };
                    match &end {
                        Ok(body) if *body == expected => Ok(()),
                        Err((_, read)) if expected.starts_with(read.as_str()) => Ok(()),
                        _ => Err(format!("v{version} has another body: {end:?}")),
                    }
                });
                if let Err(wrong) = verdict {
                    panic!("{wrong}: {wish:?} began {} step {step}, {served:?} {etag:?}", began.since(START));
                }
                let end = end.map_or_else(|(error, _)| error, |body| format!("{} bytes", body.len()));
                format!("{served:?} {etag:?} {end}")
            }
            Err(Unanswered { failure, .. }) => {
                format!("unanswered after {} attempts", failure.attempts.len())
            }
        };
        let line =
            format!("client {} gets {} of {}: {said}", wish.client, wish.rules().target, began.since(START));
        self.ledger.lock().note(self.clock.now(), line);
    }

    /// Which version an answer is, when this client may have it.
    fn judge(&self, wish: &Wish, began: Millis, step: u64, answer: &Answer) -> Result<u64, String> {
        let ledger = self.ledger.lock();
        let rules = wish.rules();
        let etag = answer.head.headers.get("etag").ok_or("no etag")?.to_str().unwrap();
        let version = (0..=ledger.versions[wish.place]).find(|version| wish.etag(*version) == etag);
        let version = version.ok_or_else(|| format!("{etag} is no version of it"))?;
        let purged = ledger.purged_before(rules, step);
        let window = match answer.trace.served {
            Served::Hit(_) => rules.fresh_ms,
            Served::Stale(_) if rules.cache_control.contains("must-revalidate") => {
                return Err("stale against must-revalidate".to_owned());
            }
            Served::Stale(_) if answer.trace.reason == Some("stale-if-error") => {
                rules.fresh_ms + rules.stale_if_error_ms
            }
            Served::Stale(_) => rules.fresh_ms + rules.stale_while_revalidate_ms,
            // a follower may join late, as long as what it joins is fresh
            Served::Fetched | Served::Validated if answer.trace.collapsed => rules.fresh_ms,
            Served::Fetched | Served::Validated | Served::Passed => 0,
            Served::Failed => return Err("an answer that failed".to_owned()),
        };
        let of_it = || ledger.said.iter().filter(|said| said.place == wish.place && said.version == version);
        if !of_it().any(|said| said.at.0 + window >= began.0) {
            let last = of_it().map(|said| said.at.since(START)).max();
            return Err(format!("v{version} is too old: the origin said it at {last:?}, window {window}"));
        }
        // its bytes, not only a word that they still hold
        if !of_it().any(|said| said.is_whole && said.asked_step > purged) {
            return Err(format!("v{version} was purged at step {purged}"));
        }
        Ok(version)
    }

    /// A new version, as a rule with a purge.
    fn change(&self, mut dice: Dice) {
        let place = usize::try_from(dice.below(TARGETS.len() as u64)).unwrap();
        let rules = &TARGETS[place];
        self.ledger.lock().versions[place] += 1;
        self.ledger.lock().note(self.clock.now(), format_args!("new version of {}", rules.target));
        if dice.percent(20) {
            return;
        }
        let mode = if dice.percent(70) { Mode::Hard } else { Mode::Soft };
        let selector = match dice.below(6) {
            0 => Selector::Site { site: SITE.to_owned() },
            1 => Selector::Host { host: HOST.to_owned() },
            2 => Selector::Prefix { host: HOST.to_owned(), prefix: rules.folder() },
            3 => Selector::Tag { site: SITE.to_owned(), tag: rules.tag.to_owned() },
            _ => Selector::Url { host: HOST.to_owned(), target: rules.target.to_owned() },
        };
        let mut seq = self.seq.lock();
        *seq += 1;
        let event =
            PurgeEvent { selectors: vec![selector.clone()], mode, by: "sim".to_owned(), at_ms: START.0 };
        self.purges.apply(Position { epoch: 7, seq: *seq }, &event);
        let mut ledger = self.ledger.lock();
        ledger.note(self.clock.now(), format_args!("purge {mode:?} {selector:?}"));
        ledger.purged(selector, mode);
    }

    /// When all clients are gone, nothing goes on for long and nothing is counted as going on.
    async fn rests(&self, seed: u64) {
        sleep(Duration::from_secs(30)).await;
        let filling = self.engine.counters().filling_bytes.load(Ordering::SeqCst);
        let trace = || self.ledger.lock().trace.join("\n");
        let permits = self.engine.permits.available_permits();
        let rest = (self.engine.fetches(), filling, permits);
        assert_eq!(rest, (0, 0, FETCHES_MAX), "seed {seed}: something goes on\n{}", trace());
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..TWICE {
        repeats(seed);
    }
}

fn repeats(seed: u64) {
    let [first, second, other] = [run(seed), run(seed), run(seed + 1)];
    let parting = first.iter().zip(&second).position(|(one, other)| one != other);
    if let Some(at) = parting.or_else(|| (first.len() != second.len()).then_some(0)) {
        panic!("two runs of seed {seed} part at line {at}:\n{:#?}\n{:#?}", first.get(at), second.get(at));
    }
    assert!(first != other, "the seed decides");
    assert!(first.len() > 100, "{}", first.join("\n"));
}

#[test]
fn no_seed_shows_a_wrong_or_purged_or_outdated_answer() {
    let mut seen = String::new();
    let seeds = std::env::var("OVERFALL_SEEDS").map_or(SEEDS, |text| text.parse().unwrap());
    for seed in 100..100 + seeds {
        seen.push_str(&run(seed).join("\n"));
    }
    // what the runs are for does happen in them
    for what in [
        "Hit(\"memory\")",
        "Hit(\"records\")",
        "Stale(\"memory\")",
        "Validated",
        "Fetched",
        "Passed",
        "unanswered",
    ] {
        assert!(seen.contains(what), "no run shows {what}");
    }
    for what in ["origin ended the body", "sent nothing", "purge Hard", "purge Soft", "304 true"] {
        assert!(seen.contains(what), "no run shows {what:?}");
    }
}

/// Seeds that are run twice.
const TWICE: u64 = 10;
/// Runs of one test: some seconds of unoptimised code.
const SEEDS: u64 = 150;
