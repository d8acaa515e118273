//! The engine and its tiers against a model of what they promise: random requests, new versions, purges, time, faults
//! and restarts, one after the other.
//!
//! The model keeps one line per response, and says before each request which outcomes are right. It learns from the
//! origin's ledger what was fetched, since chance decides which fetches fail.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use http::Method;
use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::{
    runtime::Builder,
    time::{Duration, sleep},
};

use super::world::{
    Faults, HOST, Ledger, Records, Rules, SITE, START, Said, TARGETS, Versioned, Wish, read, request,
};
use crate::{
    clock::{Clock, ManualClock},
    engine::{Engine, EngineLimits, EngineParts, Served},
    purge::{Mode, PurgeEvent, Selector, Table},
    stored::Position,
    tier::{Tier, hybrid::Hybrid},
};

const EPOCH: u64 = 7;

#[derive(Debug, Clone)]
enum Op {
    Ask { place: usize, is_german: bool, is_head: bool },
    NewVersion { place: usize },
    Purge { place: usize, scope: u8, mode: Mode },
    Advance { ms: u64 },
    Faults { head: u64, body: u64, tier: u64 },
    Restart,
}

fn op() -> impl Strategy<Value = Op> {
    let place = || 0..TARGETS.len();
    let ask = (place(), any::<bool>(), prop::bool::weighted(0.1))
        .prop_map(|(place, is_german, is_head)| Op::Ask { place, is_german, is_head });
    let mode = prop_oneof![2 => Just(Mode::Hard), 1 => Just(Mode::Soft)];
    let percent = || prop_oneof![2 => Just(0_u64), 1 => Just(50_u64), 1 => Just(100_u64)];
    prop_oneof![
        12 => ask,
        3 => place().prop_map(|place| Op::NewVersion { place }),
        3 => (place(), 0..5_u8, mode).prop_map(|(place, scope, mode)| Op::Purge { place, scope, mode }),
        4 => (0..6_000_u64).prop_map(|ms| Op::Advance { ms }),
        2 => (percent(), percent(), percent()).prop_map(|(head, body, tier)| Op::Faults { head, body, tier }),
        1 => Just(Op::Restart),
    ]
}

/// What the engine should keep of one response.
#[derive(Debug, Clone, Copy)]
struct Kept {
    version: u64,
    received_ms: u64,
    seq: u64,
    /// Whether a tier that never fails has it, with all that leads to it.
    is_in_memory: bool,
}

/// What may be done with what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    Fresh,
    /// Served, and validated behind.
    Behind,
    /// Validated first.
    Validate {
        if_error: bool,
    },
}

/// What the engine promises.
#[derive(Default)]
struct Model {
    now_ms: u64,
    seq: u64,
    /// By target and language.
    kept: [[Option<Kept>; 2]; TARGETS.len()],
    events: Vec<(u64, Mode, Selector)>,
}

impl Model {
    fn slot(&mut self, wish: &Wish) -> &mut Option<Kept> {
        &mut self.kept[wish.place][usize::from(wish.rules().varies && wish.is_german)]
    }

    fn last_purge(&self, rules: &Rules, mode: Mode) -> u64 {
        let named = self.events.iter().filter(|(_, of, by)| *of == mode && rules.is_named_by(by));
        named.map(|(seq, ..)| *seq).max().unwrap_or(0)
    }

    fn state(&self, kept: Option<Kept>, rules: &Rules) -> State {
        let Some(kept) = kept else { return State::Absent };
        if self.last_purge(rules, Mode::Hard) > kept.seq {
            return State::Absent;
        }
        let age = self.now_ms - kept.received_ms;
        let stale_for = age.saturating_sub(rules.fresh_ms);
        let is_open = |window: u64| window > 0 && stale_for <= window;
        if age < rules.fresh_ms && self.last_purge(rules, Mode::Soft) <= kept.seq {
            State::Fresh
        } else if is_open(rules.stale_while_revalidate_ms) {
            State::Behind
        } else {
            State::Validate { if_error: is_open(rules.stale_if_error_ms) }
        }
    }

    /// Takes in what the origin said last; a body that broke off changes nothing.
    fn learn(&mut self, wish: &Wish, said: Option<&Said>) {
        let (received_ms, seq) = (self.now_ms, self.seq);
        if let Some(said) = said.filter(|said| !(said.is_whole && said.is_harmed))
            && !wish.rules().is_private()
        {
            let version = said.version;
            *self.slot(wish) = Some(Kept { version, received_ms, seq, is_in_memory: true });
        }
    }
}

/// What a request came to.
#[derive(Debug)]
struct Outcome {
    /// `None`: no answer.
    served: Option<Served>,
    reason: Option<&'static str>,
    version: Option<u64>,
    is_head: bool,
    /// Whether the body ended as it should; one that is not read can't be seen to break off.
    is_whole: bool,
}

/// The engine under test.
struct World {
    engine: Arc<Engine>,
    purges: Arc<Table>,
    records: Arc<Records>,
    origin: Arc<Versioned>,
    clock: Arc<ManualClock>,
    ledger: Arc<Mutex<Ledger>>,
    model: Model,
    faults: Faults,
    requests: u64,
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let origin = Arc::new(Versioned {
            ledger: Arc::clone(&ledger),
            clock: Arc::clone(&clock) as _,
            seed: AtomicU64::new(0),
            faults: Mutex::default(),
            pause_ms_max: 0,
        });
        let records = Arc::new(Records {
            kept: Mutex::default(),
            clock: Arc::clone(&clock) as _,
            seed: AtomicU64::new(0),
            faults: Mutex::default(),
            pause_ms_max: 0,
        });
        let (engine, purges) = Self::start(&records, &clock, &[]).await;
        let (model, faults) = (Model::default(), Faults::default());
        Self { engine, purges, records, origin, clock, ledger, model, faults, requests: 0 }
    }

    /// A node with empty memory that has read the log of purges.
    async fn start(
        records: &Arc<Records>,
        clock: &Arc<ManualClock>,
        log: &[(u64, Mode, Selector)],
    ) -> (Arc<Engine>, Arc<Table>) {
        let purges = Arc::new(Table::new());
        purges.gap(Position { epoch: EPOCH, seq: 0 });
        log.iter().for_each(|(seq, mode, selector)| apply(&purges, *seq, *mode, selector));
        let parts = EngineParts {
            hybrid: Hybrid::open(4 << 20, None).await.unwrap(),
            shared: vec![Arc::clone(records) as Arc<dyn Tier>],
            purges: Arc::clone(&purges),
            clock: Arc::clone(clock) as _,
            limits: EngineLimits { object_bytes_max: 1 << 16, fetches_max: 8, filling_bytes_max: 1 << 20 },
        };
        (Engine::new(parts), purges)
    }

    async fn play(&mut self, op: &Op) -> Result<(), String> {
        match *op {
            Op::Ask { place, is_german, is_head } => return self.ask(place, is_german, is_head).await,
            Op::NewVersion { place } => self.ledger.lock().versions[place] += 1,
            Op::Purge { place, scope, mode } => self.purge(&TARGETS[place], scope, mode),
            Op::Advance { ms } => {
                self.clock.advance(ms);
                self.model.now_ms += ms;
            }
            Op::Faults { head, body, tier } => {
                self.faults = Faults { head, body, tier };
                *self.origin.faults.lock() = self.faults;
                *self.records.faults.lock() = self.faults;
            }
            Op::Restart => {
                (self.engine, self.purges) =
                    Self::start(&self.records, &self.clock, &self.model.events).await;
                let kept = self.model.kept.iter_mut().flatten().flatten();
                kept.for_each(|kept| kept.is_in_memory = false);
            }
        }
        Ok(())
    }

    fn purge(&mut self, rules: &Rules, scope: u8, mode: Mode) {
        let (site, host) = (SITE.to_owned(), HOST.to_owned());
        let selector = match scope {
            0 => Selector::Site { site },
            1 => Selector::Host { host },
            2 => Selector::Prefix { host, prefix: rules.folder() },
            3 => Selector::Tag { site, tag: rules.tag.to_owned() },
            _ => Selector::Url { host, target: rules.target.to_owned() },
        };
        self.model.seq += 1;
        apply(&self.purges, self.model.seq, mode, &selector);
        self.model.events.push((self.model.seq, mode, selector));
    }

    async fn ask(&mut self, place: usize, is_german: bool, is_head: bool) -> Result<(), String> {
        self.requests += 1;
        self.origin.seed.store(self.requests, Ordering::SeqCst);
        self.records.seed.store(self.requests, Ordering::SeqCst);
        let wish = Wish { place, is_german, client: self.requests };
        // failures of a key are remembered for a second, which is not this model's subject
        sleep(Duration::from_secs(2)).await;
        let kept = *self.model.slot(&wish);
        let state = self.model.state(kept, wish.rules());
        let said_before = self.ledger.lock().said.len();
        let asked_before = self.ledger.lock().step();
        let outcome = self.outcome(&wish, is_head).await?;
        let said: Vec<Said> = self.ledger.lock().said[said_before..].to_vec();
        let is_asked = self.ledger.lock().step() > asked_before + 1;
        // with a tier that fails, what memory does not hold may be found or not
        let is_certain = self.faults.tier == 0 || kept.is_none_or(|kept| kept.is_in_memory);
        let states = if is_certain { vec![state] } else { vec![state, State::Absent] };
        let allowed = |state: &State| allows(*state, kept, is_asked, said.last(), &outcome, &wish);
        if !states.iter().any(allowed) {
            return Err(format!(
                "{wish:?}: {outcome:?} is wrong; kept {kept:?}, {state:?}, certain {is_certain}, asked {is_asked}: {said:?}"
            ));
        }
        self.model.learn(&wish, said.last());
        if outcome.served.is_some_and(|served| matches!(served, Served::Hit(_) | Served::Stale(_)))
            && let Some(kept) = self.model.slot(&wish)
        {
            kept.is_in_memory = true;
        }
        Ok(())
    }

    /// Asks, reads, and waits until nothing goes on behind the answer.
    async fn outcome(&self, wish: &Wish, is_head: bool) -> Result<Outcome, String> {
        let method = if is_head { Method::HEAD } else { Method::GET };
        let answer = self.engine.serve(request(wish, method, &self.origin)).await;
        let outcome = match answer {
            Err(_) => Outcome { served: None, reason: None, version: None, is_head, is_whole: false },
            Ok(answer) => {
                let (served, reason) = (Some(answer.trace.served), answer.trace.reason);
                let etag = answer.head.headers.get("etag").unwrap().to_str().unwrap().to_owned();
                let versions = 0..=self.ledger.lock().versions[wish.place];
                let version = versions.into_iter().find(|version| wish.etag(*version) == etag);
                let version = version.ok_or_else(|| format!("{etag} is no version of {wish:?}"))?;
                let expected = if is_head { String::new() } else { wish.body(version) };
                let is_whole = match read(answer.body).await {
                    Ok(body) if body == expected => true,
                    Err((_, body)) if expected.starts_with(&body) => false,
                    other => return Err(format!("v{version} of {wish:?} has another body: {other:?}")),
                };
                Outcome { served, reason, version: Some(version), is_head, is_whole }
            }
        };
        let mut rounds = 0;
        while self.engine.fetches() > 0 {
            sleep(Duration::from_millis(100)).await;
            rounds += 1;
            if rounds > 600 {
                return Err(format!("a fetch for {wish:?} does not end"));
            }
        }
        Ok(outcome)
    }
}

/// Whether an outcome is right for what was kept and for what the origin said.
fn allows(
    state: State,
    kept: Option<Kept>,
    is_asked: bool,
    said: Option<&Said>,
    outcome: &Outcome,
    wish: &Wish,
) -> bool {
    let is_kept = outcome.version == kept.map(|kept| kept.version) && outcome.is_whole;
    let is_said = said.is_some_and(|said| {
        let is_unbroken = !said.is_whole || !said.is_harmed || outcome.is_head;
        outcome.version == Some(said.version) && outcome.is_whole == is_unbroken
    });
    match (state, outcome.served) {
        (State::Fresh, Some(Served::Hit(_))) => is_kept && !is_asked,
        (State::Behind, Some(Served::Stale(_))) => {
            is_kept && is_asked && outcome.reason == Some("stale-while-revalidate")
        }
        (State::Validate { if_error: true }, Some(Served::Stale(_))) => {
            is_kept && said.is_none() && outcome.reason == Some("stale-if-error")
        }
        (State::Validate { .. }, Some(Served::Validated)) => {
            is_said && said.is_some_and(|said| !said.is_whole)
        }
        (State::Validate { .. } | State::Absent, Some(Served::Fetched)) => {
            is_said && said.is_some_and(|said| said.is_whole) && !wish.rules().is_private()
        }
        (State::Absent, Some(Served::Passed)) => is_said && wish.rules().is_private(),
        (State::Validate { if_error: false } | State::Absent, None) => is_asked && said.is_none(),
        _ => false,
    }
}

fn apply(purges: &Table, seq: u64, mode: Mode, selector: &Selector) {
    let event =
        PurgeEvent { selectors: vec![selector.clone()], mode, by: "model".to_owned(), at_ms: START.0 };
    purges.apply(Position { epoch: EPOCH, seq }, &event);
}

fn check(ops: &[Op]) -> Result<(), String> {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut world = World::new().await;
        for (number, op) in ops.iter().enumerate() {
            world.play(op).await.map_err(|wrong| format!("at operation {number}: {wrong}"))?;
        }
        assert_eq!(world.clock.now().since(START), world.model.now_ms);
        Ok(())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_keeps_the_promises_of_its_model(ops in prop::collection::vec(op(), 1..80)) {
        if let Err(wrong) = check(&ops) {
            prop_assert!(false, "{wrong}");
        }
    }
}
