use std::collections::VecDeque;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::{sync::Notify, task::JoinHandle};

use super::*;
use crate::{
    bus::{Receipt, embedded::Embedded},
    purge::{Mode, Selector},
};

const EPOCH: u64 = 7;
const DEADLINE: Duration = Duration::from_secs(20);
const QUICK: Pace = Pace {
    retry_min: Duration::from_millis(1),
    retry_max: Duration::from_millis(4),
    recovered_after: Duration::from_millis(20),
    note_retry: Duration::from_millis(5),
};

const fn at(seq: u64) -> Position {
    Position { epoch: EPOCH, seq }
}

fn event(site: &str) -> PurgeEvent {
    let selectors = vec![Selector::site(site).unwrap()];
    PurgeEvent { selectors, mode: Mode::Hard, by: "test".to_owned(), at_ms: 0 }
}

/// Says what it was told to say, then waits.
#[derive(Default)]
struct Script {
    lines: Mutex<VecDeque<Result<Delivery, BusError>>>,
    asked: Mutex<Vec<Option<Position>>>,
    reports: Mutex<Vec<Position>>,
    changed: Notify,
    tail: Mutex<Position>,
}

impl Script {
    fn new(tail: Position, lines: impl IntoIterator<Item = Result<Delivery, BusError>>) -> Arc<Self> {
        let lines = Mutex::new(lines.into_iter().collect());
        Arc::new(Self { lines, tail: Mutex::new(tail), ..Self::default() })
    }

    fn say(&self, line: Result<Delivery, BusError>) {
        self.lines.lock().push_back(line);
        self.changed.notify_one();
    }

    fn reports(&self) -> Vec<Position> {
        self.reports.lock().clone()
    }
}

#[async_trait]
impl Bus for Script {
    async fn publish(&self, _event: PurgeEvent) -> Result<Position, BusError> {
        Err(BusError::Closed)
    }

    async fn next(&self, after: Option<Position>) -> Result<Delivery, BusError> {
        self.asked.lock().push(after);
        loop {
            let line = self.lines.lock().pop_front();
            match line {
                Some(line) => return line,
                None => self.changed.notified().await,
            }
        }
    }

    fn tail(&self) -> Position {
        *self.tail.lock()
    }

    fn report(&self, _node: &str, position: Position) {
        self.reports.lock().push(position);
    }

    async fn receipts(&self, _position: Position, _patience: Duration) -> Vec<Receipt> {
        Vec::new()
    }
}

struct Node {
    table: Arc<Table>,
    ready: watch::Receiver<bool>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Node {
    fn start(bus: Arc<dyn Bus>, journal: Journal) -> Self {
        let table = Arc::new(Table::new());
        let (ready, is_ready) = watch::channel(false);
        let (stop, shutdown) = watch::channel(false);
        let follower =
            Follower { node: "n".to_owned(), bus, table: Arc::clone(&table), journal, at: None, pace: QUICK };
        let task = tokio::spawn(follower.run_until(ready, shutdown));
        Self { table, ready: is_ready, stop, task }
    }

    async fn ready(&mut self) {
        timeout(DEADLINE, self.ready.wait_for(|ready| *ready)).await.unwrap().unwrap();
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        timeout(DEADLINE, self.task).await.unwrap().unwrap();
    }
}

/// Waits for what another task does, which has no event to wait for.
async fn until(mut is_so: impl FnMut() -> bool) {
    let looked = async {
        while !is_so() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(DEADLINE, looked).await.unwrap();
}

fn covered(table: &Table, site: &str, since: Position) -> bool {
    table.covers_key_since(site, "h", "/", since)
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn journal(&self) -> Journal {
        Journal::open(&self.0.path().join("applied")).unwrap()
    }

    async fn noted(&self, position: Position) -> Journal {
        let mut journal = self.journal();
        journal.store(position).await.unwrap();
        journal
    }
}

#[tokio::test]
async fn an_empty_log_is_ready_at_once() {
    let folder = Folder::new();
    let bus = Script::new(at(0), []);
    let mut node = Node::start(bus.clone(), folder.journal());
    node.ready().await;
    assert_eq!(node.table.position(), at(0));
    node.stop().await;
    assert_eq!(folder.journal().load(), Some(at(0)));
}

#[tokio::test]
async fn is_ready_only_at_the_end_seen_at_the_start() {
    let folder = Folder::new();
    let bus = Script::new(at(2), [Ok(Delivery::Events(vec![(at(1), event("a"))]))]);
    let mut node = Node::start(bus.clone(), folder.journal());
    until(|| bus.asked.lock().len() == 2).await;
    assert!(!*node.ready.borrow());
    assert_eq!(bus.reports(), [at(0)], "registered, and nothing more");
    bus.say(Ok(Delivery::Events(vec![(at(2), event("b"))])));
    node.ready().await;
    assert_eq!(*bus.asked.lock().first().unwrap(), None, "replay begins at the beginning");
    assert_eq!(node.table.position(), at(2));
    assert!(covered(&node.table, "a", at(0)) && covered(&node.table, "b", at(1)));
    assert_eq!(bus.reports(), [at(0), at(2)]);
    node.stop().await;
}

#[tokio::test]
async fn notes_before_it_reports() {
    let folder = Folder::new();
    let bus = Script::new(at(0), []);
    let mut node = Node::start(bus.clone(), folder.journal());
    node.ready().await;
    bus.say(Ok(Delivery::Events(vec![(at(1), event("a")), (at(2), event("b"))])));
    until(|| bus.reports().last() == Some(&at(2))).await;
    assert_eq!(folder.journal().load(), Some(at(2)));
    assert_eq!(node.table.position(), at(2));
    node.stop().await;
}

#[tokio::test]
async fn duplicates_and_late_events_are_harmless() {
    let folder = Folder::new();
    let bus = Script::new(at(0), []);
    let mut node = Node::start(bus.clone(), folder.journal());
    node.ready().await;
    bus.say(Ok(Delivery::Events(vec![(at(1), event("a")), (at(2), event("b")), (at(1), event("a"))])));
    bus.say(Ok(Delivery::Events(vec![(at(2), event("b")), (at(3), event("c"))])));
    until(|| bus.reports().last() == Some(&at(3))).await;
    assert!(!covered(&node.table, "a", at(1)));
    assert!(!covered(&node.table, "other", at(0)), "nothing was taken for a gap");
    node.stop().await;
}

#[tokio::test]
async fn a_hole_is_a_gap() {
    let folder = Folder::new();
    let bus = Script::new(at(0), []);
    let mut node = Node::start(bus.clone(), folder.journal());
    node.ready().await;
    bus.say(Ok(Delivery::Events(vec![(at(4), event("a"))])));
    until(|| bus.reports().last() == Some(&at(4))).await;
    assert!(covered(&node.table, "other", at(2)));
    assert!(!covered(&node.table, "other", at(3)));
    node.stop().await;
}

#[tokio::test]
async fn a_told_gap_and_another_epoch_make_everything_stale() {
    let folder = Folder::new();
    let bus = Script::new(at(0), []);
    let mut node = Node::start(bus.clone(), folder.journal());
    node.ready().await;
    bus.say(Ok(Delivery::Gap(at(9))));
    until(|| bus.reports().last() == Some(&at(9))).await;
    assert!(covered(&node.table, "other", at(8)));
    let next = Position { epoch: 8, seq: 3 };
    bus.say(Ok(Delivery::Gap(next)));
    until(|| bus.reports().last() == Some(&next)).await;
    assert!(covered(&node.table, "other", at(9)));
    assert_eq!(node.table.position(), next);
    assert_eq!(folder.journal().load(), Some(next));
    node.stop().await;
}

#[tokio::test]
async fn another_epoch_than_noted_is_not_trusted() {
    let folder = Folder::new();
    let journal = folder.noted(Position { epoch: 6, seq: 1 }).await;
    let bus = Script::new(at(1), [Ok(Delivery::Events(vec![(at(1), event("a"))]))]);
    let mut node = Node::start(bus, journal);
    node.ready().await;
    assert!(covered(&node.table, "other", at(0)), "softly purged up to the end");
    assert_eq!(node.table.position(), at(1));
    node.stop().await;
}

#[tokio::test]
async fn a_log_that_went_back_is_not_trusted_and_the_note_stays() {
    let folder = Folder::new();
    let journal = folder.noted(at(5)).await;
    let bus = Script::new(at(1), [Ok(Delivery::Events(vec![(at(1), event("a"))]))]);
    let mut node = Node::start(bus.clone(), journal);
    node.ready().await;
    assert_eq!(*bus.reports().first().unwrap(), at(5), "the log must learn what it lost");
    assert_eq!(node.table.position(), at(1));
    assert!(node.table.counters().gaps.load(std::sync::atomic::Ordering::Relaxed) >= 2);
    node.stop().await;
    assert_eq!(folder.journal().load(), Some(at(5)), "until the log has passed it");
}

#[tokio::test]
async fn a_failing_bus_is_silent_until_it_speaks() {
    let folder = Folder::new();
    let bus = Script::new(at(0), []);
    let mut node = Node::start(bus.clone(), folder.journal());
    node.ready().await;
    assert_eq!(node.table.silent_since(), None);
    let began = tokio::time::Instant::now();
    for _ in 0..10 {
        bus.say(Err(BusError::Read("unplugged".to_owned())));
    }
    until(|| bus.lines.lock().is_empty()).await;
    assert!(
        began.elapsed() >= QUICK.retry_max * 6,
        "ten failures in {:?}: pauses must grow",
        began.elapsed()
    );
    until(|| node.table.silent_since().is_none()).await;
    bus.say(Err(BusError::Read("unplugged".to_owned())));
    bus.say(Ok(Delivery::Events(vec![(at(1), event("a"))])));
    until(|| bus.reports().last() == Some(&at(1))).await;
    assert_eq!(node.table.silent_since(), None, "an event is speech");
    node.stop().await;
}

#[tokio::test]
async fn silence_begins_with_the_first_failure() {
    let folder = Folder::new();
    let bus = Script::new(at(1), (0..50).map(|_| Err(BusError::Read("unplugged".to_owned()))));
    let node = Node::start(bus.clone(), folder.journal());
    until(|| node.table.silent_since().is_some()).await;
    assert!(!*node.ready.borrow(), "a node without its log is not ready");
    node.stop().await;
}

#[tokio::test]
async fn a_closed_bus_ends_the_follower_in_silence() {
    let folder = Folder::new();
    let bus = Script::new(at(0), [Err(BusError::Closed)]);
    let node = Node::start(bus, folder.journal());
    timeout(DEADLINE, node.task).await.unwrap().unwrap();
    assert!(node.table.silent_since().is_some());
}

#[tokio::test]
async fn a_restarted_node_replays_what_it_missed() {
    let folder = Folder::new();
    let log = folder.0.path().join("log");
    {
        let bus = Embedded::open(&log).unwrap();
        let mut node = Node::start(bus.clone(), folder.journal());
        node.ready().await;
        let position = bus.publish(event("a")).await.unwrap();
        let receipts = bus.receipts(position, DEADLINE).await;
        assert!(
            matches!(receipts.as_slice(), [receipt] if receipt.applied && receipt.node == "n"),
            "{receipts:?}"
        );
        node.stop().await;
        bus.publish(event("b")).await.unwrap();
    }
    let bus = Embedded::open(&log).unwrap();
    let tail = bus.tail();
    let mut node = Node::start(bus, folder.journal());
    node.ready().await;
    assert_eq!(node.table.position(), tail);
    let earlier = Position { seq: 0, ..tail };
    assert!(covered(&node.table, "a", earlier) && covered(&node.table, "b", earlier));
    assert!(!covered(&node.table, "other", earlier), "nothing was lost, so nothing else is touched");
    node.stop().await;
}

#[tokio::test]
async fn a_log_restored_from_a_backup_takes_a_new_epoch() {
    let folder = Folder::new();
    let (log, journal) = (folder.0.path().join("log"), folder.journal());
    let bus = Embedded::open(&log).unwrap();
    let first = bus.publish(event("a")).await.unwrap();
    drop(bus);
    let mut journal = journal;
    journal.store(Position { seq: first.seq + 5, ..first }).await.unwrap();
    let bus = Embedded::open(&log).unwrap();
    let mut node = Node::start(bus.clone(), journal);
    node.ready().await;
    let table = Arc::clone(&node.table);
    until(|| table.position().epoch != first.epoch).await;
    assert_eq!(table.position(), bus.tail());
    assert_eq!(bus.tail().seq, first.seq + 5, "numbers go on after what was seen");
    assert!(covered(&table, "other", first));
    node.stop().await;
}

#[tokio::test]
async fn a_position_that_is_not_durable_is_not_claimed() {
    let folder = Folder::new();
    let path = folder.0.path().join("read-only");
    std::fs::write(&path, b"").unwrap();
    let journal = Journal::from_file(&path, std::fs::File::open(&path).unwrap()).unwrap();
    let bus = Script::new(at(0), []);
    let mut node = Node::start(bus.clone(), journal);
    node.ready().await;
    bus.say(Ok(Delivery::Events(vec![(at(1), event("a"))])));
    until(|| bus.reports().last() == Some(&at(1))).await;
    assert!(covered(&node.table, "a", at(0)), "the purge works");
    assert_eq!(node.table.position(), at(0), "but no fetch may claim to have seen it");
    node.stop().await;
}
