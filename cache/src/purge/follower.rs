//! Brings the bus's events into a node's table, in the order that makes a crash harmless.
//!
//! On start the retained log is replayed; the node is ready when it has reached the end seen at the start. For each
//! delivery: the purge takes effect, the position is made durable, only then may fetches claim that position, and last
//! the node reports. When history is unknown (a gap, another epoch than the node had noted, a log that went back)
//! everything stored earlier is validated before use; the follower never guesses that nothing happened.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{PurgeEvent, Table};
use crate::{
    bus::{Bus, BusError, Delivery, journal::Journal},
    clock::{Clock as _, SystemClock},
    stored::Position,
};

/// How long the follower waits for what.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Pause after the first failure of the bus; doubled up to `retry_max`.
    retry_min: Duration,
    /// Longest pause between two attempts.
    retry_max: Duration,
    /// A bus that failed before and then waits this long without failing counts as speaking.
    recovered_after: Duration,
    /// Pause before a position that could not be made durable is tried again.
    note_retry: Duration,
}

const PACE: Pace = Pace {
    retry_min: Duration::from_millis(100),
    retry_max: Duration::from_secs(5),
    recovered_after: Duration::from_secs(1),
    note_retry: Duration::from_secs(1),
};

/// Keeps `table` up to date until `shutdown` turns true, its sender is gone, or the bus is closed.
///
/// `ready` turns true once the table is contiguous with the end that the log had at the start; a node must not serve
/// before. While the bus fails, [`Table::silent_since`] tells since when. When the position can't be made durable, purges
/// still take effect and are reported, but [`Table::position`] stays, so that purged scopes are fetched anew each time.
/// Dropping the future stops it at any point without harm.
pub async fn follow(
    node: String,
    bus: Arc<dyn Bus>,
    table: Arc<Table>,
    journal: Journal,
    ready: watch::Sender<bool>,
    shutdown: watch::Receiver<bool>,
) {
    Follower { node, bus, table, journal, at: None, pace: PACE }.run_until(ready, shutdown).await;
}

struct Follower {
    node: String,
    bus: Arc<dyn Bus>,
    table: Arc<Table>,
    journal: Journal,
    /// Everything up to here is in the table.
    at: Option<Position>,
    pace: Pace,
}

impl Follower {
    async fn run_until(self, ready: watch::Sender<bool>, mut shutdown: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            // a sender that is gone can't ask any more: the process is ending
            _ = shutdown.wait_for(|stop| *stop) => {}
            () = self.run(ready) => {}
        }
    }

    async fn run(mut self, ready: watch::Sender<bool>) {
        if !self.replay().await {
            return;
        }
        let mut is_noted = self.settle().await;
        ready.send_replace(true);
        loop {
            let heard = if is_noted {
                Ok(self.listen().await)
            } else {
                timeout(self.pace.note_retry, self.listen()).await
            };
            match heard {
                Ok(Some(delivery)) => self.take(delivery).await,
                Ok(None) => return,
                Err(_) => tracing::debug!(node = self.node, "noting the applied purge position again"),
            }
            is_noted = self.settle().await;
        }
    }

    /// Reads the retained log up to its present end. False when the bus was closed before.
    async fn replay(&mut self) -> bool {
        let noted = self.journal.load();
        let goal = self.bus.tail();
        // registers the node, and lets a log that lost events learn of it
        self.bus.report(&self.node, noted.unwrap_or(Position { seq: 0, ..goal }));
        if goal.seq == 0 {
            self.table.gap(goal);
            self.at = Some(goal);
        }
        loop {
            if let Some(at) = self.at
                && ((at.epoch == goal.epoch && at.seq >= goal.seq) || at == self.bus.tail())
            {
                self.compare(noted, at);
                return true;
            }
            match self.listen().await {
                Some(Delivery::Events(events)) => self.mark(&events),
                Some(Delivery::Gap(position)) => self.skip(position),
                None => return false,
            }
        }
    }

    /// Compares the log with what the node had seen of it in its former life.
    fn compare(&self, noted: Option<Position>, at: Position) {
        match noted {
            Some(noted) if noted.epoch != at.epoch => {
                tracing::warn!(
                    node = self.node,
                    "purge log is another one: everything stored is validated before use"
                );
                self.table.gap(at);
            }
            Some(noted) if noted.seq > at.seq => {
                tracing::warn!(
                    node = self.node,
                    noted = noted.seq,
                    tail = at.seq,
                    "purge log went back: everything stored is validated before use"
                );
                self.table.distrust(noted);
            }
            _ => {}
        }
    }

    /// Waits for what follows, through failures. `None` when the bus was closed.
    async fn listen(&self) -> Option<Delivery> {
        let mut pause = self.pace.retry_min;
        loop {
            let is_silent = self.table.silent_since().is_some();
            let next = self.bus.next(self.at);
            let answer =
                if is_silent { timeout(self.pace.recovered_after, next).await } else { Ok(next.await) };
            match answer {
                Ok(Ok(delivery)) => {
                    self.note_speech();
                    return Some(delivery);
                }
                Err(_) => {
                    self.note_speech();
                    pause = self.pace.retry_min;
                }
                Ok(Err(error)) => {
                    self.note_silence(&error);
                    if error == BusError::Closed {
                        return None;
                    }
                    sleep(pause).await;
                    pause = pause.saturating_mul(2).min(self.pace.retry_max);
                }
            }
        }
    }

    fn note_silence(&self, error: &BusError) {
        if self.table.silent_since().is_none() {
            tracing::warn!(node = self.node, %error, "purge bus is silent");
            self.table.set_silent(Some(SystemClock.now()));
        }
    }

    fn note_speech(&self) {
        if self.table.silent_since().is_some() {
            tracing::info!(node = self.node, "purge bus speaks again");
            self.table.set_silent(None);
        }
    }

    async fn take(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Events(events) => self.mark(&events),
            Delivery::Gap(position) => {
                // tried first, because the table moves at once; a note that fails is tried again
                self.note(position).await;
                self.skip(position);
            }
        }
    }

    fn skip(&mut self, position: Position) {
        if self.at.is_some() {
            tracing::warn!(
                node = self.node,
                seq = position.seq,
                "gap in the purge log: everything before it is validated"
            );
        }
        self.table.gap(position);
        self.at = Some(position);
    }

    fn mark(&mut self, events: &[(Position, PurgeEvent)]) {
        for (position, event) in events {
            let known = self.at.filter(|at| at.epoch == position.epoch).map(|at| at.seq);
            let is_repeated = known.is_some_and(|seq| position.seq <= seq);
            let is_next = known.is_some_and(|seq| position.seq == seq.saturating_add(1));
            if !is_repeated && !is_next {
                self.skip(Position { seq: position.seq.saturating_sub(1), ..*position });
            }
            self.table.mark(*position, event);
            if !is_repeated {
                self.at = Some(*position);
            }
        }
    }

    /// Makes the present position durable, moves the table to it, and reports it. False when it is not durable.
    async fn settle(&mut self) -> bool {
        let Some(at) = self.at else { return true };
        let is_noted = self.note(at).await;
        if is_noted {
            self.table.advance(at);
        }
        self.bus.report(&self.node, at);
        is_noted
    }

    /// A note is never taken back within an epoch: it must outlast a log that went back.
    async fn note(&mut self, at: Position) -> bool {
        if self.journal.load().is_some_and(|noted| noted.epoch == at.epoch && noted.seq >= at.seq) {
            return true;
        }
        let stored = self.journal.store(at).await;
        if let Err(error) = &stored {
            tracing::warn!(node = self.node, %error, "applied purge position can't be noted");
        }
        stored.is_ok()
    }
}

#[cfg(test)]
mod tests;
