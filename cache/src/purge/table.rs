//! The node's view of all purges, asked on every read.
//!
//! Three things decide: the response's own scopes, the *floor* (everything numbered below it is softly purged, because
//! its history is not fully known), and the epoch (numbers of different logs can't be compared). Readers of a response
//! newer than the last event pay one pointer load; all others one short read lock.
//!
//! The table refuses to grow: past [`SCOPES_MAX`] the older half of the scopes is folded into the floor, so that a purge
//! is widened, never forgotten.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use parking_lot::RwLock;

use super::{
    Coverage, PurgeEvent,
    scopes::{Marks, Naming, Scopes},
};
use crate::{
    clock::Millis,
    stored::{Position, Stored},
};

/// Scopes kept by default: some 40 MB. A tag purge takes one scope and one more per site.
pub const SCOPES_MAX: usize = 1_000_000;
/// Epochs whose hard purges are remembered: the present one and those before it.
const EPOCHS_MAX: usize = 4;

/// Event counts since start, for metrics.
#[derive(Debug, Default)]
pub struct TableCounters {
    /// Events taken in, duplicates included.
    pub events: AtomicU64,
    /// Soft purges of everything: a gap, another epoch, or a log that went back.
    pub gaps: AtomicU64,
    /// Times that the older half of the scopes was folded into the floor.
    pub folds: AtomicU64,
    /// Scopes folded into the floor.
    pub folded_scopes: AtomicU64,
}

/// Latest purge number per scope. One per node, shared by all its requests.
///
/// ```
/// use overfall_cache::{purge::{Mode, PurgeEvent, Selector, Table}, stored::Position};
///
/// let table = Table::new();
/// let began = Position { epoch: 7, seq: 0 };
/// table.gap(began);
/// let event = PurgeEvent {
///     selectors: vec![Selector::host("www.example.com")?],
///     mode: Mode::Hard,
///     by: "deploy".to_owned(),
///     at_ms: 0,
/// };
/// table.apply(Position { epoch: 7, seq: 1 }, &event);
/// assert!(table.covers_key_since("shop", "www.example.com", "/", began));
/// assert!(!table.covers_key_since("shop", "www.example.com", "/", table.position()));
/// # Ok::<(), overfall_cache::purge::SelectorError>(())
/// ```
#[derive(Debug)]
pub struct Table {
    naming: Naming,
    scopes_max: usize,
    front: ArcSwap<Front>,
    inner: RwLock<Inner>,
    /// Milliseconds since the Unix epoch; zero when the bus speaks.
    silent_since: AtomicU64,
    counters: TableCounters,
}

/// What answers most reads without a lock.
#[derive(Debug, Clone, Copy, Default)]
struct Front {
    position: Position,
    /// Latest number marked in the present epoch; ahead of `position` between [`Table::mark`] and [`Table::advance`].
    newest: u64,
    /// Anything numbered below was made under an unknown history.
    floor: u64,
}

impl Front {
    const fn clears(&self, stored: Position) -> bool {
        stored.epoch == self.position.epoch && stored.seq >= self.newest && stored.seq >= self.floor
    }
}

#[derive(Debug)]
struct Inner {
    front: Front,
    /// Oldest first; the last is the present epoch.
    epochs: Vec<Epoch>,
}

#[derive(Debug, Default)]
struct Epoch {
    name: u64,
    scopes: Scopes,
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

impl Table {
    /// An empty table at position zero of epoch zero, bounded by [`SCOPES_MAX`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_scopes_max(SCOPES_MAX)
    }

    /// The same with another bound; at least one scope is kept.
    #[must_use]
    pub fn with_scopes_max(scopes_max: usize) -> Self {
        Self {
            naming: Naming::new(),
            scopes_max: scopes_max.max(1),
            front: ArcSwap::from_pointee(Front::default()),
            inner: RwLock::new(Inner { front: Front::default(), epochs: vec![Epoch::default()] }),
            silent_since: AtomicU64::new(0),
            counters: TableCounters::default(),
        }
    }

    /// The last position that a fetch may claim to have seen. Ask *before* the fetch begins.
    #[must_use]
    pub fn position(&self) -> Position {
        self.front.load().position
    }

    /// Judges a stored response against everything taken in so far.
    ///
    /// A response of another epoch is at best of unknown history, and dead when a hard purge that may be later names it.
    #[must_use]
    pub fn coverage(&self, stored: &Stored) -> Coverage {
        if self.front.load().clears(stored.position) {
            return Coverage::Clear;
        }
        self.inner.read().coverage(&self.naming, stored)
    }

    /// Whether a fill of this key that began at `since` may have been purged meanwhile. Its tags are unknown, so every
    /// tag purge of its site counts; so does a soft purge, and any change of epoch. What the fill is *made from* is
    /// unknown too: for renderings ask [`Self::changed_since`].
    #[must_use]
    pub fn covers_key_since(&self, site: &str, host: &str, target: &str, since: Position) -> bool {
        if !self.changed_since(since) {
            return false;
        }
        let inner = self.inner.read();
        let front = inner.front;
        // a log that went back leaves the floor above every position; that alone says nothing about a new fill
        let floor = front.floor.min(front.position.seq);
        if since.epoch != front.position.epoch || since.seq < floor {
            return true;
        }
        inner
            .present()
            .is_some_and(|epoch| epoch.scopes.may_name(&self.naming, site, host, target).newest() > since.seq)
    }

    /// Whether any purge at all came after `since`.
    #[must_use]
    pub fn changed_since(&self, since: Position) -> bool {
        let front = self.front.load();
        since.epoch != front.position.epoch
            || since.seq < front.newest.max(front.floor.min(front.position.seq))
    }

    /// Takes in an event and moves to its position. Duplicates and reordering are harmless, but a hole before `position`
    /// must be told by [`Self::gap`]. An epoch never seen before becomes the present one.
    pub fn apply(&self, position: Position, event: &PurgeEvent) {
        self.mark(position, event);
        self.advance(position);
    }

    /// Lets an event take effect without moving [`Self::position`], so that the position can be made durable first.
    pub fn mark(&self, position: Position, event: &PurgeEvent) {
        self.counters.events.fetch_add(1, Ordering::Relaxed);
        let mut inner = self.inner.write();
        let place = inner.place_of(position.epoch);
        let Some(epoch) = inner.epochs.get_mut(place) else { return };
        for selector in &event.selectors {
            epoch.scopes.mark(&self.naming, selector, event.mode, position.seq);
        }
        if epoch.name == inner.front.position.epoch {
            inner.front.newest = inner.front.newest.max(position.seq);
        }
        self.keep_bound(&mut inner);
        self.publish(&inner);
    }

    /// Moves [`Self::position`] forward within the present epoch; anything else is ignored.
    pub fn advance(&self, position: Position) {
        let mut inner = self.inner.write();
        let present = &mut inner.front.position;
        if present.epoch == position.epoch && present.seq < position.seq {
            present.seq = position.seq;
            self.publish(&inner);
        }
    }

    /// History before `position` is unknown: softly purges everything stored earlier and goes on from there.
    ///
    /// Another epoch becomes the present one. A position behind the present one means that the log went back: then
    /// everything up to the old position is softly purged. The floor is never lowered.
    pub fn gap(&self, position: Position) {
        self.counters.gaps.fetch_add(1, Ordering::Relaxed);
        let mut inner = self.inner.write();
        let place = inner.place_of(position.epoch);
        if place + 1 < inner.epochs.len() {
            inner.return_to(place);
        }
        let front = &mut inner.front;
        if position.seq < front.position.seq {
            front.floor = front.floor.max(front.position.seq);
        }
        front.floor = front.floor.max(position.seq);
        front.newest = front.newest.max(position.seq);
        front.position.seq = position.seq;
        self.publish(&inner);
    }

    /// Softly purges everything stored before `position` without moving; another epoch is ignored.
    pub fn distrust(&self, position: Position) {
        let mut inner = self.inner.write();
        if inner.front.position.epoch == position.epoch {
            self.counters.gaps.fetch_add(1, Ordering::Relaxed);
            inner.front.floor = inner.front.floor.max(position.seq);
            self.publish(&inner);
        }
    }

    /// Since when the bus has said nothing; `None` while it speaks.
    #[must_use]
    pub fn silent_since(&self) -> Option<Millis> {
        let since = self.silent_since.load(Ordering::Relaxed);
        (since != 0).then_some(Millis(since))
    }

    /// Notes the beginning or the end of the bus's silence; a silence that lasts keeps its beginning.
    pub fn set_silent(&self, silent: Option<Millis>) {
        let Some(now) = silent else { return self.silent_since.store(0, Ordering::Relaxed) };
        if self.silent_since.load(Ordering::Relaxed) == 0 {
            self.silent_since.store(now.0.max(1), Ordering::Relaxed);
        }
    }

    /// Scopes held, over all epochs.
    #[must_use]
    pub fn scopes(&self) -> usize {
        self.inner.read().scopes()
    }

    /// Event counts since start.
    #[must_use]
    pub const fn counters(&self) -> &TableCounters {
        &self.counters
    }

    fn publish(&self, inner: &Inner) {
        self.front.store(Arc::new(inner.front));
    }

    fn keep_bound(&self, inner: &mut Inner) {
        while inner.scopes() > self.scopes_max {
            let folded = inner.fold();
            self.counters.folds.fetch_add(1, Ordering::Relaxed);
            self.counters.folded_scopes.fetch_add(folded as u64, Ordering::Relaxed);
        }
    }
}

impl Inner {
    fn present(&self) -> Option<&Epoch> {
        self.epochs.last()
    }

    fn scopes(&self) -> usize {
        self.epochs.iter().map(|epoch| epoch.scopes.len()).sum()
    }

    fn coverage(&self, naming: &Naming, stored: &Stored) -> Coverage {
        let at = stored.position;
        let own = self.epochs.iter().position(|epoch| epoch.name == at.epoch);
        let mut marks = Marks::default();
        // every purge of a later epoch came after this response; of an epoch never seen, all are taken to be later
        let (own_marks, later) = match own {
            Some(place) => (self.epochs.get(place), place + 1),
            None => (None, 0),
        };
        if let Some(epoch) = own_marks {
            marks = epoch.scopes.naming(naming, stored);
        }
        let is_dead = marks.hard > at.seq
            || self.epochs.iter().skip(later).any(|epoch| epoch.scopes.naming(naming, stored).hard > 0);
        let is_unknown = at.epoch != self.front.position.epoch || at.seq < self.front.floor;
        match (is_dead, is_unknown, marks.soft > at.seq) {
            (true, ..) => Coverage::Dead,
            (false, true, _) => Coverage::Unknown,
            (false, false, true) => Coverage::Stale,
            (false, false, false) => Coverage::Clear,
        }
    }

    /// Where the epoch of this name stands; an unknown one becomes the present one.
    fn place_of(&mut self, name: u64) -> usize {
        if let Some(place) = self.epochs.iter().position(|epoch| epoch.name == name) {
            return place;
        }
        if self.epochs.len() >= EPOCHS_MAX {
            self.epochs.remove(0);
        }
        self.epochs.push(Epoch { name, scopes: Scopes::default() });
        self.front = Front { position: Position { epoch: name, seq: 0 }, newest: 0, floor: 0 };
        self.epochs.len() - 1
    }

    /// Makes an earlier epoch the present one again. Its numbers can't tell what came before the absence, so all that it
    /// has named so far is below the floor.
    fn return_to(&mut self, place: usize) {
        let epoch = self.epochs.remove(place);
        let floor = epoch.scopes.newest();
        self.front = Front { position: Position { epoch: epoch.name, seq: 0 }, newest: floor, floor };
        self.epochs.push(epoch);
    }

    /// Forgets an earlier epoch whole (its responses are stale by their epoch), else the older half of the present one.
    fn fold(&mut self) -> usize {
        if self.epochs.len() > 1 {
            return self.epochs.remove(0).scopes.len();
        }
        let Some(epoch) = self.epochs.last_mut() else { return 0 };
        let (cutoff, folded) = epoch.scopes.forget_older_half();
        self.front.floor = self.front.floor.max(cutoff);
        folded
    }
}

#[cfg(test)]
mod tests;
