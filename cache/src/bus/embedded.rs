//! The purge log of one process: an fsynced segment log in a folder.
//!
//! One thread writes; publishers that arrive while it syncs share the next sync. Followers at the tail are served from
//! memory, others from the files. A log that lost acknowledged events takes a new epoch: when damage is found at open,
//! or when a node reports a position beyond the tail. It refuses a second process on the same folder, events above
//! [`EVENT_BYTES_MAX`], and every write after a failed fsync.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot, watch};

use self::{
    index::{Index, Segment, Step},
    receipts::Receipts,
    segment::{Head, Records},
    store::{Bounds, Store},
    writer::{Append, Command},
};
use super::{Bus, BusError, Delivery, Receipt};
use crate::{purge::PurgeEvent, stored::Position};

mod index;
mod receipts;
mod segment;
mod store;
mod writer;

/// Largest event as stored, in bytes.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// Publishers waiting for the writer; one more waits before it hands its event over.
const INBOX_MAX: usize = 1024;
/// 64 MiB in all: some 300 000 purges.
const BOUNDS: Bounds = Bounds { segment_bytes_max: 4 * 1024 * 1024, segments_max: 16 };

/// A purge log in a local folder. Dropping the last handle finishes what was handed over and releases the folder.
///
/// ```
/// use overfall_cache::{bus::{Bus as _, embedded::Embedded}, purge::{Mode, PurgeEvent, Selector}};
///
/// # let folder = tempfile::tempdir()?;
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let bus = Embedded::open(folder.path())?;
/// let event = PurgeEvent {
///     selectors: vec![Selector::tag("shop", "post-77")?],
///     mode: Mode::Soft,
///     by: "deploy".to_owned(),
///     at_ms: 0,
/// };
/// let position = bus.publish(event).await?;
/// assert_eq!(position, bus.tail());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Embedded {
    dir: PathBuf,
    shared: Arc<Shared>,
    /// `None` only while being dropped.
    inbox: Option<mpsc::Sender<Command>>,
    writer: Option<thread::JoinHandle<()>>,
}

/// What the writer and the readers share.
#[derive(Debug)]
struct Shared {
    index: RwLock<Index>,
    /// Present end, and whether it is final.
    tail: watch::Sender<Tail>,
    receipts: Receipts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tail {
    position: Position,
    is_closed: bool,
}

impl Embedded {
    /// Opens the log in `dir`, or begins one. Reads every segment once, so call it before serving.
    ///
    /// # Errors
    /// [`BusError::Write`] when the folder is in use or can't be written, [`BusError::Read`] when it can't be read or
    /// was written by a newer format. Damage is no error: see the module's first paragraph.
    pub fn open(dir: &Path) -> Result<Arc<Self>, BusError> {
        Self::open_bounded(dir, BOUNDS)
    }

    fn open_bounded(dir: &Path, bounds: Bounds) -> Result<Arc<Self>, BusError> {
        let (store, segments) = Store::open(dir, bounds)?;
        Self::start(dir, store, Index::new(segments))
    }

    fn start(dir: &Path, store: Store, index: Index) -> Result<Arc<Self>, BusError> {
        let tail = Tail { position: index.tail(), is_closed: false };
        let shared = Arc::new(Shared {
            index: RwLock::new(index),
            tail: watch::Sender::new(tail),
            receipts: Receipts::new(),
        });
        let (inbox, commands) = mpsc::channel(INBOX_MAX);
        let for_writer = Arc::clone(&shared);
        let writer = thread::Builder::new()
            .name("purge-log".to_owned())
            .spawn(move || writer::run(store, commands, &for_writer))
            .map_err(|error| BusError::Write(format!("the writing thread can't be started: {error}")))?;
        Ok(Arc::new(Self { dir: dir.to_owned(), shared, inbox: Some(inbox), writer: Some(writer) }))
    }

    /// Reads the records after `after` from their file. `None` when the file has been dropped meanwhile.
    async fn read(&self, segment: Segment, after: u64) -> Result<Option<Delivery>, BusError> {
        let path = store::path_of(&self.dir, segment.number);
        let mut bytes = match tokio::fs::read(&path).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.has(segment.number) => {
                return Ok(None);
            }
            Err(error) => return Err(BusError::Read(format!("{}: {error}", path.display()))),
        };
        // what stands behind the durable end may never have happened
        bytes.truncate(usize::try_from(segment.bytes).unwrap_or(usize::MAX));
        Ok(Some(decode(segment, &bytes, after)))
    }

    fn has(&self, number: u64) -> bool {
        self.shared.index.read().segments.iter().any(|segment| segment.number == number)
    }
}

/// The events after `after`, or a gap over what can't be understood: never nothing.
fn decode(segment: Segment, bytes: &[u8], after: u64) -> Delivery {
    let head = Head { epoch: segment.epoch, first_seq: segment.first_seq };
    let mut events = Vec::new();
    for (seq, payload) in
        Records::new(head, bytes).filter(|(seq, _)| *seq > after).take(index::BATCH_EVENTS_MAX)
    {
        let position = Position { epoch: segment.epoch, seq };
        match serde_json::from_slice(payload) {
            Ok(event) => events.push((position, event)),
            Err(error) if events.is_empty() => {
                tracing::warn!(%error, seq, "purge event can't be understood, everything before it is validated");
                return Delivery::Gap(position);
            }
            Err(_) => break,
        }
    }
    if events.is_empty() {
        tracing::warn!(segment = segment.number, "purge log segment was damaged while open");
        return Delivery::Gap(segment.end());
    }
    Delivery::Events(events)
}

#[async_trait]
impl Bus for Embedded {
    /// When the future is dropped, the event may still be accepted.
    async fn publish(&self, event: PurgeEvent) -> Result<Position, BusError> {
        let payload = serde_json::to_vec(&event).map_err(|error| BusError::Write(error.to_string()))?;
        if payload.len() > EVENT_BYTES_MAX {
            return Err(BusError::Write(format!(
                "an event of {} bytes is larger than {EVENT_BYTES_MAX}; name less at a time",
                payload.len()
            )));
        }
        let inbox = self.inbox.as_ref().ok_or(BusError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let append = Append { event, payload, reply };
        inbox.send(Command::Append(append)).await.map_err(|_| BusError::Closed)?;
        answer.await.map_err(|_| BusError::Closed)?
    }

    async fn next(&self, after: Option<Position>) -> Result<Delivery, BusError> {
        let mut tail = self.shared.tail.subscribe();
        loop {
            let is_closed = tail.borrow_and_update().is_closed;
            let step = self.shared.index.read().step(after);
            match step {
                Step::Deliver(delivery) => return Ok(delivery),
                Step::Read(segment, after) => {
                    if let Some(delivery) = self.read(segment, after).await? {
                        return Ok(delivery);
                    }
                }
                Step::Wait if is_closed => return Err(BusError::Closed),
                Step::Wait => tail.changed().await.map_err(|_| BusError::Closed)?,
            }
        }
    }

    fn tail(&self) -> Position {
        self.shared.tail.borrow().position
    }

    /// A position of this epoch beyond the tail proves that the log lost events: it then takes a new epoch.
    fn report(&self, node: &str, position: Position) {
        let tail = self.tail();
        if position.epoch == tail.epoch && position.seq > tail.seq {
            let renew = self.inbox.as_ref().map(|inbox| inbox.try_send(Command::Renew(position)));
            if !matches!(renew, Some(Ok(()))) {
                tracing::warn!(node, seq = position.seq, "purge log went back and could not be renamed yet");
            }
        }
        self.shared.receipts.report(node, position);
    }

    async fn receipts(&self, position: Position, patience: Duration) -> Vec<Receipt> {
        self.shared.receipts.wait(position, patience).await
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // the writer ends when it has emptied the inbox; it holds the folder's lock until then
        drop(self.inbox.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the purge log's writing thread had panicked");
        }
    }
}

#[cfg(test)]
mod tests;
