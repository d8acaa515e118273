//! One decoding for renderings of one source that are wanted at the same time.
//!
//! A page names a photo in eight widths, and when it is new all eight come at once. Most of their time would go into reading
//! the same file. So whoever is going to render joins the others of that source before it fetches it; the first that
//! works reads the source for all that are still to come, as large as the largest of them needs, and the others wait for
//! that. What was read is held while somebody is to come for it, and no more of it than [`HELD_BYTES_MAX`]: beyond that each
//! reads for itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use twox_hash::XxHash3_128;

use crate::jpeg::{Reduced, Wanted};
use crate::metrics::Metrics;
use crate::steps::decode::Still;
use crate::transform::{Reduction, Transform};
use crate::{Deadline, Error};

/// Decoded pictures of all groups that wait to be used, in bytes.
const HELD_BYTES_MAX: usize = 64 << 20;

/// How long a wait goes on before its deadline is looked at again.
const LOOK_UP: Duration = Duration::from_millis(20);

/// The groups of a pool.
#[derive(Debug)]
pub(crate) struct Sources {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    groups: Mutex<HashMap<u128, Arc<Group>>>,
    held: AtomicUsize,
    metrics: Arc<Metrics>,
}

/// Renderings of one source.
#[derive(Debug, Default)]
struct Group {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    members: usize,
    /// Those that have not read yet.
    to_come: HashMap<u64, Ask>,
    next_id: u64,
    slot: Slot,
}

/// What somebody is going to render.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) transform: Transform,
    pub(crate) is_careful: bool,
}

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Empty,
    Working,
    Here(Held),
}

#[derive(Debug)]
struct Held {
    digest: u128,
    wanted: Wanted,
    content: Content,
    bytes: usize,
}

/// A decoded source.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Of a JPEG.
    Planes(Arc<Reduced>),
    /// Of anything else that stands still.
    Still(Arc<Still>),
}

impl Content {
    fn bytes(&self) -> usize {
        match self {
            Self::Planes(reduced) => reduced.planes.bytes(),
            Self::Still(still) => still.frame.pixels.len(),
        }
    }
}

impl Sources {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { shared: Arc::new(Shared { metrics, ..Shared::default() }) }
    }

    /// Joins those that render the source `key` with as much care.
    pub(crate) fn join(&self, key: u128, transform: &Transform, is_careful: bool) -> Sibling {
        let transform = transform.canonical();
        let is_careful = match transform.reduction {
            Reduction::Site => is_careful,
            Reduction::Fast => false,
            Reduction::Careful => true,
        };
        // a JPEG that is decoded for the one is of no use to the other
        let key = key ^ u128::from(is_careful);
        let mut groups = self.shared.groups.lock();
        let group = Arc::clone(groups.entry(key).or_default());
        let mut state = group.state.lock();
        let id = state.next_id;
        state.next_id = id.wrapping_add(1);
        state.members += 1;
        state.to_come.insert(id, Ask { transform, is_careful });
        drop(state);
        drop(groups);
        Sibling { shared: Arc::clone(&self.shared), group, key, id }
    }
}

/// One of the renderings of a source; it leaves when it is dropped.
#[derive(Debug)]
pub struct Sibling {
    shared: Arc<Shared>,
    group: Arc<Group>,
    key: u128,
    id: u64,
}

impl Sibling {
    /// The source as decoded for this rendering or a larger one. `need` says what of the source a rendering needs, `decode`
    /// decodes that much. The flag tells whether it is more than was `mine`.
    ///
    /// # Errors
    /// Those of `decode`; `Deadline`, also while another decodes.
    pub(crate) fn decoded(
        &self,
        source: &[u8],
        mine: Wanted,
        need: impl Fn(&Ask) -> Option<Wanted>,
        decode: impl FnOnce(Wanted) -> Result<Option<Content>, Error>,
        deadline: &Deadline,
    ) -> Result<Option<(Content, bool)>, Error> {
        let mut state = self.group.state.lock();
        let is_alone = matches!(state.slot, Slot::Empty) && state.to_come.len() <= 1;
        let digest = if is_alone { 0 } else { XxHash3_128::oneshot(source) };
        loop {
            match &state.slot {
                Slot::Here(held) if held.digest == digest && held.wanted.covers(mine) => {
                    let (content, is_more) = (held.content.clone(), held.wanted != mine);
                    self.leave(&mut state);
                    Metrics::add(&self.shared.metrics.shared_decodes);
                    return Ok(Some((content, is_more)));
                }
                Slot::Working => {
                    self.group.changed.wait_for(&mut state, LOOK_UP);
                    deadline.check()?;
                }
                Slot::Empty | Slot::Here(_) => break,
            }
        }
        self.leave(&mut state);
        let wanted = state.to_come.values().filter_map(need).fold(mine, Wanted::and);
        Metrics::add(&self.shared.metrics.decodes);
        if is_alone || state.to_come.is_empty() {
            drop(state);
            return Ok(decode(mine)?.map(|content| (content, false)));
        }
        self.put(&mut state, Slot::Working);
        drop(state);
        let working = Working { sibling: self };
        let Some(content) = decode(wanted)? else { return Ok(None) };
        working.done(Held { digest, wanted, bytes: content.bytes(), content: content.clone() });
        Ok(Some((content, wanted != mine)))
    }

    /// This one has read; what nobody is to come for is let go.
    fn leave(&self, state: &mut MutexGuard<'_, State>) {
        state.to_come.remove(&self.id);
        if state.to_come.is_empty() && matches!(state.slot, Slot::Here(_)) {
            self.put(state, Slot::Empty);
        }
    }

    fn put(&self, state: &mut MutexGuard<'_, State>, slot: Slot) {
        if let Slot::Here(held) = &slot {
            self.shared.held.fetch_add(held.bytes, Ordering::Relaxed);
        }
        if let Slot::Here(held) = std::mem::replace(&mut state.slot, slot) {
            self.shared.held.fetch_sub(held.bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Sibling {
    fn drop(&mut self) {
        let mut groups = self.shared.groups.lock();
        let mut state = self.group.state.lock();
        self.leave(&mut state);
        state.members -= 1;
        if state.members == 0 {
            groups.remove(&self.key);
        }
    }
}

/// Wakes those that wait however the decoding ends.
struct Working<'a> {
    sibling: &'a Sibling,
}

impl Working<'_> {
    fn done(self, held: Held) {
        let mut state = self.sibling.group.state.lock();
        let has_room = self.sibling.shared.held.load(Ordering::Relaxed) + held.bytes <= HELD_BYTES_MAX;
        if has_room && !state.to_come.is_empty() {
            self.sibling.put(&mut state, Slot::Here(held));
        }
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let mut state = self.sibling.group.state.lock();
        if matches!(state.slot, Slot::Working) {
            self.sibling.put(&mut state, Slot::Empty);
        }
        self.sibling.group.changed.notify_all();
    }
}

#[cfg(test)]
mod tests;
