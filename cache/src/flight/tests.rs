//! Flights under every order of steps that chance can think of.
//!
//! A few tasks are polled by hand, one step at a time, in an order that follows from a seed: between any two awaits
//! anything else may happen. The same seed gives the same order, so a failure can be looked at again. Nothing here waits
//! for time; tasks that can't go on while no other can are a deadlock, and fail.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, StatusCode};

use super::{About, Flight, Flights, Growing, Head, Origins, Role, WINDOW_BYTES};
use crate::{
    body::BodyError,
    clock::Millis,
    key::{Key, KeyHash},
    purge::{Mode, PurgeEvent, Selector, Table},
    stored::{Lifetime, Position, ResponseHead, Scopes},
};

const HASH: KeyHash = KeyHash(1);
/// Runs of each test.
const SEEDS: u64 = 3000;
/// Steps after which a run has gone astray.
const STEPS_MAX: usize = 20_000;

/// Chance from a seed (SplitMix64).
struct Dice(Cell<u64>);

impl Dice {
    fn below(&self, bound: u64) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn place(&self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Marks a task as able to go on.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Polls tasks in an order of chance.
struct Scheduler {
    dice: Dice,
    /// Tasks that others have started.
    started: RefCell<Vec<Task>>,
    /// What happened, in order.
    trace: RefCell<Vec<String>>,
    steps: Cell<u64>,
}

impl Scheduler {
    fn new(seed: u64) -> Rc<Self> {
        Rc::new(Self {
            dice: Dice(Cell::new(seed)),
            started: RefCell::default(),
            trace: RefCell::default(),
            steps: Cell::new(0),
        })
    }

    fn start(&self, task: impl Future<Output = ()> + 'static) {
        self.started.borrow_mut().push(Box::pin(task));
    }

    fn note(&self, what: String) {
        self.trace.borrow_mut().push(what);
    }

    /// A moment that no other is equal to.
    fn now(&self) -> u64 {
        self.steps.set(self.steps.get() + 1);
        self.steps.get()
    }

    /// Runs every task to its end; gives the trace.
    fn run(&self) -> Vec<String> {
        let mut tasks: Vec<(Task, Arc<Flag>)> = Vec::new();
        for _ in 0..STEPS_MAX {
            let started = self.started.borrow_mut().drain(..).collect::<Vec<_>>();
            tasks.extend(started.into_iter().map(|task| (task, Arc::new(Flag(AtomicBool::new(true))))));
            if tasks.is_empty() {
                return self.trace.take();
            }
            let awake: Vec<usize> =
                (0..tasks.len()).filter(|place| tasks[*place].1.0.load(Ordering::SeqCst)).collect();
            assert!(!awake.is_empty(), "{} tasks wait for each other:\n{}", tasks.len(), self.shown());
            let place = awake[self.dice.place(awake.len())];
            let (task, flag) = &mut tasks[place];
            flag.0.store(false, Ordering::SeqCst);
            let waker = Waker::from(Arc::clone(flag));
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                drop(tasks.remove(place));
            }
        }
        panic!("no end after {STEPS_MAX} steps:\n{}", self.shown());
    }

    fn shown(&self) -> String {
        self.trace.borrow().join("\n")
    }
}

/// Lets others go first.
async fn step() {
    let mut has_waited = false;
    std::future::poll_fn(|cx| {
        if has_waited {
            return Poll::Ready(());
        }
        has_waited = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn about() -> About {
    About {
        head: ResponseHead { status: StatusCode::OK, headers: HeaderMap::new() },
        length: None,
        variant: String::new(),
        vary: Vec::new(),
        lifetime: Lifetime {
            received: Millis(0),
            initial_age_ms: 0,
            fresh_ms: 1,
            stale_while_revalidate_ms: 0,
            stale_if_error_ms: 0,
            always_validate: false,
            never_stale: false,
        },
        origins: Arc::new(Origins { origin: "o".to_owned(), attempts: Vec::new() }),
        scopes: Scopes::default(),
        position: Position::default(),
    }
}

/// How a fill goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fill {
    Whole,
    /// The origin breaks off.
    Cut,
    /// Too large to be kept: goes only as far ahead as the slowest reader allows.
    Windowed,
    /// The task is dropped in the middle.
    Dropped,
}

/// Ends what a leader began, as the engine's guards do.
struct Guard {
    flights: Rc<Flights>,
    flight: Arc<Flight>,
    growing: Option<Arc<Growing>>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(growing) = &self.growing {
            growing.end(Err(BodyError::Io("abandoned".to_owned())));
        }
        self.flights.leave(HASH, &self.flight);
        self.flight.announce(Head::Failed(Arc::default()));
    }
}

const PIECES: u8 = 5;

/// A piece of a body; two large ones fill a window.
fn piece(number: u8, is_large: bool) -> Bytes {
    static LARGE: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
        let length = usize::try_from(WINDOW_BYTES / 2).unwrap();
        (0..PIECES).map(|number| Bytes::from(vec![number; length])).collect()
    });
    if is_large { LARGE[usize::from(number)].clone() } else { Bytes::from(vec![number]) }
}

async fn fill(world: Rc<Scheduler>, flights: Rc<Flights>, flight: Arc<Flight>, way: Fill) {
    let mut guard = Guard { flights, flight, growing: None };
    step().await;
    let growing = Arc::new(Growing::new(about()));
    guard.growing = Some(Arc::clone(&growing));
    guard.flight.share(&growing);
    let until = if way == Fill::Dropped || way == Fill::Cut { world.dice.below(5) } else { 5 };
    for number in 0..PIECES {
        if u64::from(number) == until {
            if way == Fill::Cut {
                growing.end(Err(BodyError::Cut { received: until }));
            }
            return;
        }
        step().await;
        growing.push(piece(number, way == Fill::Windowed));
        if way == Fill::Windowed {
            if number == 0 {
                guard.flights.leave(HASH, &guard.flight);
            }
            if !growing.drain_window().await {
                world.note("nobody reads".to_owned());
                return;
            }
        }
    }
    growing.end(Ok(()));
}

async fn client(world: Rc<Scheduler>, flights: Rc<Flights>, number: u64, way: Fill, leaves: bool) {
    for _ in 0..world.dice.below(6) {
        step().await;
    }
    let (flight, seat) = match flights.join(HASH, Position::default(), |_| false) {
        Role::Leader(flight) => {
            let seat = flight.seat();
            world.note(format!("{number} leads"));
            world.start(fill(Rc::clone(&world), Rc::clone(&flights), Arc::clone(&flight), way));
            (flight, Some(seat))
        }
        Role::Follower(flight) => (flight, None),
    };
    if leaves && world.dice.below(2) == 0 {
        return world.note(format!("{number} leaves before the head"));
    }
    let Head::Growing(growing) = flight.head().await else {
        assert_eq!(way, Fill::Dropped, "{number}: only a fill that is dropped has no head");
        return world.note(format!("{number} is told of a failure"));
    };
    let is_leader = seat.is_some();
    let kept = seat.and_then(|seat| seat.take());
    let Some(mut body) = kept.or_else(|| growing.reader()) else {
        assert_eq!(way, Fill::Windowed, "{number}: only a windowed body has no beginning any more");
        assert!(!is_leader, "{number}: a place is kept for who leads");
        return world.note(format!("{number} comes too late"));
    };
    let mut read = Vec::new();
    let end = loop {
        if leaves && world.dice.below(3) == 0 {
            return world.note(format!("{number} leaves after {}", read.len()));
        }
        match body.next().await {
            Some(Ok(chunk)) => read.push(chunk[0]),
            Some(Err(error)) => break Err(error),
            None => break Ok(()),
        }
        step().await;
    };
    let whole: Vec<u8> = (0..PIECES).collect();
    match end {
        Ok(()) => assert_eq!(read, whole, "{number}: a clean end of {way:?}"),
        Err(_) => {
            assert!(way != Fill::Whole && whole.starts_with(&read), "{number}: {way:?} {read:?}");
            assert!(!is_leader || way != Fill::Windowed, "{number}: somebody read, and it was given up");
        }
    }
    world.note(format!("{number} ends with {end:?} after {}", read.len()));
}

fn crowd(seed: u64) -> Vec<String> {
    let world = Scheduler::new(seed);
    let flights = Rc::new(Flights::default());
    let way = [Fill::Whole, Fill::Cut, Fill::Windowed, Fill::Dropped][world.dice.place(4)];
    for number in 0..2 + world.dice.below(4) {
        let leaves = world.dice.below(3) == 0;
        world.start(client(Rc::clone(&world), Rc::clone(&flights), number, way, leaves));
    }
    let trace = world.run();
    assert!(flights.is_empty(), "seed {seed}: a flight is left over");
    trace
}

/// Runs many seeds, so that a failure names its own.
fn all_seeds(run: fn(u64) -> Vec<String>) -> Vec<String> {
    let mut seen = Vec::new();
    for seed in 0..SEEDS {
        let result = std::panic::catch_unwind(|| run(seed));
        seen.extend(result.unwrap_or_else(|_| panic!("seed {seed} shows it")));
    }
    seen
}

#[test]
fn the_same_seed_gives_the_same_order() {
    for run in [crowd, purged_while_filling] {
        for seed in 0..100 {
            assert_eq!(run(seed), run(seed), "seed {seed}");
        }
        assert!((0..100).any(|seed| run(seed) != run(seed + 1)));
    }
}

#[test]
fn in_any_order_a_body_is_whole_or_seen_to_be_broken() {
    let seen = all_seeds(crowd);
    let ways = ["leads", "ends with Ok", "ends with Err", "nobody reads", "leaves before", "comes too late"];
    for what in ways {
        assert!(seen.iter().any(|line| line.contains(what)), "no order shows {what:?}");
    }
}

/// The engine's way of storing, with the version for a body: whoever fetches claims the position at which it began.
#[derive(Default)]
struct Shelf {
    stored: Cell<Option<(u64, Position)>>,
    version: Cell<u64>,
    /// Positions of the fetches that run.
    running: RefCell<Vec<Position>>,
    /// Moment and version of the last purge that was acknowledged.
    purged: Cell<(u64, u64)>,
}

fn key() -> Key {
    Key { site: "s".into(), host: "h.example".into(), target: "/a".into(), variant: String::new() }
}

fn is_covered(table: &Table, since: Position) -> bool {
    let Key { site, host, target, .. } = key();
    table.covers_key_since(&site, &host, &target, since)
}

async fn visitor(
    world: Rc<Scheduler>,
    flights: Rc<Flights>,
    table: Rc<Table>,
    shelf: Rc<Shelf>,
    number: u64,
) {
    for _ in 0..world.dice.below(12) {
        step().await;
    }
    let (_, least) = shelf.purged.get();
    let began = world.now();
    let hit = shelf.stored.get().filter(|(_, position)| !is_covered(&table, *position));
    let version = if let Some((version, _)) = hit {
        version
    } else {
        // nothing is stored, or what is there was purged
        let flight = match flights.join(HASH, table.position(), |began| is_covered(&table, began)) {
            Role::Leader(flight) => {
                let mut running = shelf.running.borrow_mut();
                assert!(running.iter().all(|began| is_covered(&table, *began)), "{number} fetches once more");
                running.push(flight.position);
                world.start(fetch(Rc::clone(&flights), Arc::clone(&flight), Rc::clone(&shelf)));
                flight
            }
            Role::Follower(flight) => flight,
        };
        let Head::Growing(growing) = flight.head().await else { panic!("the fetch does not fail") };
        let mut body = growing.reader().expect("a reader");
        let chunk = body.next().await.expect("a chunk").expect("unbroken");
        assert!(body.next().await.is_none(), "one chunk");
        u64::from(chunk[0])
    };
    assert!(version >= least, "{number} began at {began} and got {version}; {least} was purged to");
    world.note(format!("{number} gets {version} ({})", if hit.is_some() { "stored" } else { "fetched" }));
}

async fn fetch(flights: Rc<Flights>, flight: Arc<Flight>, shelf: Rc<Shelf>) {
    let mut guard = Guard { flights, flight, growing: None };
    step().await;
    let version = shelf.version.get();
    step().await;
    let growing = Arc::new(Growing::new(about()));
    guard.growing = Some(Arc::clone(&growing));
    guard.flight.share(&growing);
    step().await;
    growing.push(Bytes::from(vec![u8::try_from(version).unwrap()]));
    step().await;
    shelf.stored.set(Some((version, guard.flight.position)));
    growing.end(Ok(()));
    let mut running = shelf.running.borrow_mut();
    let own = running.iter().position(|began| *began == guard.flight.position).expect("it runs");
    running.remove(own);
}

async fn publisher(world: Rc<Scheduler>, table: Rc<Table>, shelf: Rc<Shelf>) {
    for seq in 1..=3 {
        for _ in 0..world.dice.below(8) {
            step().await;
        }
        shelf.version.set(seq);
        step().await;
        let event = PurgeEvent {
            selectors: vec![Selector::Url { host: key().host, target: key().target }],
            mode: Mode::Hard,
            by: "test".to_owned(),
            at_ms: 0,
        };
        let position = Position { epoch: 1, seq };
        // as the follower of the log does it: the purge counts before anyone may claim to have seen it
        table.mark(position, &event);
        step().await;
        table.advance(position);
        shelf.purged.set((world.now(), seq));
        world.note(format!("purged to {seq}"));
    }
}

fn purged_while_filling(seed: u64) -> Vec<String> {
    let world = Scheduler::new(seed);
    let (flights, table, shelf) = (Rc::<Flights>::default(), Rc::new(Table::new()), Rc::<Shelf>::default());
    table.gap(Position { epoch: 1, seq: 0 });
    world.start(publisher(Rc::clone(&world), Rc::clone(&table), Rc::clone(&shelf)));
    for number in 0..6 {
        let (flights, table, shelf) = (Rc::clone(&flights), Rc::clone(&table), Rc::clone(&shelf));
        world.start(visitor(Rc::clone(&world), flights, table, shelf, number));
    }
    let trace = world.run();
    assert!(flights.is_empty(), "seed {seed}: a flight is left over");
    trace
}

#[test]
fn in_any_order_a_purge_wins_over_a_fill() {
    let seen = all_seeds(purged_while_filling);
    for what in ["(stored)", "(fetched)", "gets 0", "gets 1", "gets 3"] {
        assert!(seen.iter().any(|line| line.contains(what)), "no order shows {what:?}");
    }
}

#[test]
fn nothing_is_started_for_what_a_flight_has_done_meanwhile() {
    let flights = Flights::default();
    let join =
        |is_done: &dyn Fn() -> bool| flights.join_unless(HASH, Position::default(), |_| false, is_done);
    assert!(join(&|| true).is_none());
    assert!(flights.is_empty());
    let Some(Role::Leader(flight)) = join(&|| false) else { panic!("nobody flies, and it is not done") };
    // what is stored is only looked at when nobody flies
    let follows = join(&|| panic!("somebody flies"));
    assert!(matches!(follows, Some(Role::Follower(led)) if Arc::ptr_eq(&led, &flight)));
    flights.leave(HASH, &flight);
    assert!(join(&|| true).is_none());
}
