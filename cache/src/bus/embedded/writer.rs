//! The thread that writes the log: takes what has gathered, makes it durable with one sync, then answers everyone.

use tokio::sync::{mpsc, oneshot};

use super::{Shared, Tail, store::Store};
use crate::{bus::BusError, purge::PurgeEvent, stored::Position};

/// Events that share one sync.
const GROUP_EVENTS_MAX: usize = 256;
/// Payload bytes that share one sync; the last event may go above.
const GROUP_BYTES_MAX: usize = 1024 * 1024;

/// What the writer can be asked for.
#[derive(Debug)]
pub(super) enum Command {
    /// Make an event durable.
    Append(Append),
    /// A node has seen this position, which the log has lost.
    Renew(Position),
}

/// One event on its way.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) event: PurgeEvent,
    /// The event as stored.
    pub(super) payload: Vec<u8>,
    pub(super) reply: oneshot::Sender<Result<Position, BusError>>,
}

/// Marks the log closed however the thread ends.
struct CloseOnDrop<'a>(&'a Shared);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.tail.send_modify(|tail| tail.is_closed = true);
    }
}

/// Runs until every sender is gone and the inbox is empty.
pub(super) fn run(mut store: Store, mut inbox: mpsc::Receiver<Command>, shared: &Shared) {
    let _closing = CloseOnDrop(shared);
    while let Some(first) = inbox.blocking_recv() {
        let mut group = Vec::new();
        let mut group_bytes = 0;
        let mut command = Some(first);
        while let Some(taken) = command {
            match taken {
                Command::Renew(seen) => renew(&mut store, shared, seen),
                Command::Append(append) => {
                    group_bytes += append.payload.len();
                    group.push(append);
                }
            }
            let has_room = group.len() < GROUP_EVENTS_MAX && group_bytes < GROUP_BYTES_MAX;
            command = if has_room { inbox.try_recv().ok() } else { None };
        }
        if !group.is_empty() {
            commit(&mut store, shared, group);
        }
    }
}

fn commit(store: &mut Store, shared: &Shared, group: Vec<Append>) {
    match write(store, shared, &group) {
        Ok(()) => accept(store, shared, group),
        Err(error) => {
            tracing::error!(%error, events = group.len(), "purges were refused");
            for append in group {
                answer(append.reply, Err(error.clone()));
            }
        }
    }
}

fn write(store: &mut Store, shared: &Shared, group: &[Append]) -> Result<(), BusError> {
    let bytes = group.iter().map(|append| append.payload.len()).sum();
    if let Some(begun) = store.make_room(bytes, group.len())? {
        let mut index = shared.index.write();
        index.begin(begun);
        store.drop_old(&mut index.segments);
    }
    store.append(group.iter().map(|append| append.payload.as_slice()))
}

/// Shows durable events to followers, then answers their publishers.
fn accept(store: &Store, shared: &Shared, group: Vec<Append>) {
    let present = store.present();
    let mut replies = Vec::with_capacity(group.len());
    let mut events = Vec::with_capacity(group.len());
    for append in group {
        replies.push(append.reply);
        events.push((append.event, append.payload.len()));
    }
    let first_seq = present.last_seq.saturating_sub(replies.len() as u64).saturating_add(1);
    let position = shared.index.write().extend(events, present.bytes);
    shared.tail.send_replace(Tail { position, is_closed: false });
    for (seq, reply) in (first_seq..).zip(replies) {
        answer(reply, Ok(Position { epoch: present.epoch, seq }));
    }
}

fn answer(reply: oneshot::Sender<Result<Position, BusError>>, result: Result<Position, BusError>) {
    if reply.send(result).is_err() {
        tracing::debug!("a publisher did not wait for its purge");
    }
}

fn renew(store: &mut Store, shared: &Shared, seen: Position) {
    let tail = store.present().end();
    if seen.epoch != tail.epoch || seen.seq <= tail.seq {
        return;
    }
    tracing::warn!(
        seen = seen.seq,
        tail = tail.seq,
        "purge log went back: it takes a new epoch, every stored response will be validated before use"
    );
    match store.begin_epoch(seen.seq) {
        Ok(begun) => {
            let mut index = shared.index.write();
            index.begin(begun);
            store.drop_old(&mut index.segments);
            let position = index.tail();
            drop(index);
            shared.tail.send_replace(Tail { position, is_closed: false });
        }
        Err(error) => tracing::error!(%error, "purge log could not take a new epoch"),
    }
}
