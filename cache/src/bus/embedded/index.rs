//! What the log holds, in memory: its segments, and the latest events so that followers at the tail read no file.
//!
//! Where a reader goes next is decided here, without I/O.

use std::collections::VecDeque;

use crate::{bus::Delivery, purge::PurgeEvent, stored::Position};

/// Bytes of payloads kept for followers at the tail.
const RECENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Events in one delivery.
pub(super) const BATCH_EVENTS_MAX: usize = 4096;

/// One segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// Number in its file name.
    pub(super) number: u64,
    /// Log that it belongs to.
    pub(super) epoch: u64,
    /// Number of its first record.
    pub(super) first_seq: u64,
    /// Number of its last durable record; `first_seq - 1` when it has none.
    pub(super) last_seq: u64,
    /// Durable bytes, the head included.
    pub(super) bytes: u64,
}

impl Segment {
    /// The position just before its first record.
    pub(super) const fn start(&self) -> Position {
        Position { epoch: self.epoch, seq: self.first_seq.saturating_sub(1) }
    }

    /// The position of its last durable record.
    pub(super) const fn end(&self) -> Position {
        Position { epoch: self.epoch, seq: self.last_seq }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.last_seq < self.first_seq
    }
}

/// Where a reader goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing follows yet.
    Wait,
    /// This can be delivered at once.
    Deliver(Delivery),
    /// The records after this seq stand in this file.
    Read(Segment, u64),
}

/// Segments, oldest first, and recent events of the present epoch.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) segments: VecDeque<Segment>,
    recent: VecDeque<(Position, PurgeEvent, usize)>,
    recent_bytes: usize,
}

impl Index {
    pub(super) fn new(segments: VecDeque<Segment>) -> Self {
        Self { segments, ..Self::default() }
    }

    pub(super) fn tail(&self) -> Position {
        self.segments.back().map(Segment::end).unwrap_or_default()
    }

    /// Begins a segment; of another epoch, when that is what its head says.
    pub(super) fn begin(&mut self, segment: Segment) {
        if self.segments.back().is_some_and(|last| last.epoch != segment.epoch) {
            self.recent.clear();
            self.recent_bytes = 0;
        }
        self.segments.push_back(segment);
    }

    /// Notes durable events at the end; gives the new tail.
    pub(super) fn extend(&mut self, events: Vec<(PurgeEvent, usize)>, bytes: u64) -> Position {
        if let Some(last) = self.segments.back_mut() {
            last.bytes = bytes;
            for (event, size) in events {
                last.last_seq = last.last_seq.saturating_add(1);
                self.recent.push_back((last.end(), event, size));
                self.recent_bytes += size;
            }
        }
        while self.recent_bytes > RECENT_BYTES_MAX {
            let Some((_, _, size)) = self.recent.pop_front() else { break };
            self.recent_bytes -= size;
        }
        self.tail()
    }

    /// Where a reader that has everything up to `after` goes.
    pub(super) fn step(&self, after: Option<Position>) -> Step {
        let Some(first) = self.segments.front() else { return Step::Wait };
        let Some(after) = after else { return self.step_from_beginning(first) };
        let of_epoch = || self.segments.iter().filter(|segment| segment.epoch == after.epoch);
        let (Some(oldest), Some(newest)) = (of_epoch().next(), of_epoch().next_back()) else {
            // everything that the reader stored is of another log, but what is retained can still be hard
            return Step::Deliver(Delivery::Gap(first.start()));
        };
        if after.seq < oldest.start().seq {
            return Step::Deliver(Delivery::Gap(oldest.start()));
        }
        if after.seq >= newest.last_seq {
            let next_epoch = self.segments.iter().find(|segment| segment.number > newest.number);
            return next_epoch.map_or(Step::Wait, |next| Step::Deliver(Delivery::Gap(next.start())));
        }
        if let Some(events) = self.recent_after(after) {
            return Step::Deliver(Delivery::Events(events));
        }
        of_epoch()
            .find(|segment| segment.last_seq > after.seq)
            .map_or(Step::Wait, |segment| Step::Read(*segment, after.seq))
    }

    fn step_from_beginning(&self, first: &Segment) -> Step {
        let start = first.start();
        if self.segments.iter().all(Segment::is_empty) && self.tail().seq == 0 {
            return Step::Wait;
        }
        if start.seq > 0 || first.is_empty() {
            return Step::Deliver(Delivery::Gap(start));
        }
        self.step(Some(start))
    }

    fn recent_after(&self, after: Position) -> Option<Vec<(Position, PurgeEvent)>> {
        let (oldest, _, _) = self.recent.front()?;
        if oldest.epoch != after.epoch || oldest.seq > after.seq.saturating_add(1) {
            return None;
        }
        let skip = usize::try_from((after.seq + 1).saturating_sub(oldest.seq)).ok()?;
        let events = self.recent.iter().skip(skip).take(BATCH_EVENTS_MAX);
        Some(events.map(|(position, event, _)| (*position, event.clone())).collect())
    }
}
