//! What is known about each region's health, and the one place where it changes.
//!
//! Probes and operators write through [`Board`]; readers take a [`Snapshot`], which is immutable and costs one
//! atomic load. The state machine is pure: N failures in a row take a region out, M passes in a row bring it
//! back, so one lost packet flips nothing. A region without a probe is up until an operator says otherwise; the
//! board never invents a verdict for it.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use overfall_config::{Dns, Location, Region};
use parking_lot::Mutex;
use serde::{Serialize, Serializer, ser::SerializeStruct};
use tokio::sync::broadcast;

use crate::probe::ProbeFailure;

/// Flips kept for a slow subscriber; older ones are lost to it and reported as lagged.
const FLIPS_MAX: usize = 64;

/// Everything steering needs, at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// Regions in order of name.
    pub regions: Vec<RegionState>,
}

impl Snapshot {
    /// The soonest moment at which probes could change an answer; `None` when no region in use is probed.
    pub fn flip_after(&self) -> Option<Duration> {
        self.regions.iter().filter(|region| region.weight > 0).filter_map(|region| region.flip_after).min()
    }
}

/// One region as answers see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegionState {
    /// The region's name.
    pub name: String,
    /// Whether it may be answered.
    pub up: bool,
    /// Why, in words for an operator.
    pub reason: String,
    /// Share, 0 to 1000; 0 keeps it out of answers.
    pub weight: u16,
    /// What a query is answered with.
    pub addresses: Vec<IpAddr>,
    /// Where it stands.
    #[serde(serialize_with = "location")]
    pub location: Location,
    /// Time until probes alone could flip `up`; none without a probe or while forced.
    #[serde(skip)]
    pub flip_after: Option<Duration>,
}

/// A change of a region's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flip {
    /// The region's name.
    pub region: String,
    /// Its new state.
    pub up: bool,
    /// What caused the change.
    pub reason: String,
}

/// An operator's word; stands above probes until withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Forced {
    /// Answered whatever probes say.
    Up,
    /// Drained.
    Down,
}

/// Results in a row that flip a state; 0 counts as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Failures that take a region out.
    pub fail: u32,
    /// Passes that bring it back.
    pub pass: u32,
}

/// The state machine of one probed region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// The verdict.
    pub up: bool,
    /// Results in a row that speak against the verdict; below the threshold that flips it.
    pub against: u32,
}

impl Health {
    /// Where every region starts: up, so that a restarted server does not empty its answers.
    pub const START: Self = Self { up: true, against: 0 };

    /// The state after one more result.
    #[must_use]
    pub fn after(self, passed: bool, thresholds: Thresholds) -> Self {
        if passed == self.up {
            return Self { against: 0, ..self };
        }
        let against = self.against.saturating_add(1);
        if against >= self.threshold(thresholds) {
            return Self { up: passed, against: 0 };
        }
        Self { against, ..self }
    }

    /// Results that would flip the verdict if all spoke against it; at least 1.
    pub fn distance(self, thresholds: Thresholds) -> u32 {
        self.threshold(thresholds).saturating_sub(self.against).max(1)
    }

    fn threshold(self, thresholds: Thresholds) -> u32 {
        if self.up { thresholds.fail.max(1) } else { thresholds.pass.max(1) }
    }
}

/// The living table of regions.
///
/// Writers take a short lock; readers never wait.
#[derive(Debug)]
pub struct Board {
    entries: Mutex<Vec<Entry>>,
    current: ArcSwap<Snapshot>,
    flips: broadcast::Sender<Flip>,
    thresholds: Thresholds,
    every: Duration,
}

#[derive(Debug)]
struct Entry {
    region: Region,
    health: Health,
    forced: Option<Forced>,
    last_failure: Option<ProbeFailure>,
}

impl Board {
    /// A board where every region is up.
    pub fn new(regions: &BTreeMap<String, Region>, dns: &Dns) -> Arc<Self> {
        let thresholds = Thresholds { fail: dns.health.fail, pass: dns.health.pass };
        let entries: Vec<Entry> = regions.values().map(Entry::new).collect();
        let snapshot = capture(&entries, thresholds, dns.health.every);
        Arc::new(Self {
            entries: Mutex::new(entries),
            current: ArcSwap::from_pointee(snapshot),
            flips: broadcast::channel(FLIPS_MAX).0,
            thresholds,
            every: dns.health.every,
        })
    }

    /// Takes one probe's result. Unknown regions and regions without a probe are ignored.
    pub fn record(&self, region: &str, result: Result<(), ProbeFailure>) {
        let thresholds = self.thresholds;
        self.change(region, |entry| {
            if entry.region.probe.is_some() {
                entry.health = entry.health.after(result.is_ok(), thresholds);
                // a first pass does not erase why a region that is still out was taken out
                if result.is_err() || entry.health.up {
                    entry.last_failure = result.err();
                }
            }
        });
    }

    /// Sets or withdraws (`None`) an operator's word. False when no region has that name.
    pub fn force(&self, region: &str, forced: Option<Forced>) -> bool {
        self.change(region, |entry| entry.forced = forced)
    }

    /// The current state.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Flips from here on; a subscriber that falls behind by more than 64 loses the oldest.
    pub fn subscribe(&self) -> broadcast::Receiver<Flip> {
        self.flips.subscribe()
    }

    fn change(&self, name: &str, edit: impl FnOnce(&mut Entry)) -> bool {
        let mut entries = self.entries.lock();
        let Some(entry) = entries.iter_mut().find(|entry| entry.region.name == name) else { return false };
        let before = entry.up();
        edit(entry);
        let flip = (entry.up() != before).then(|| Flip {
            region: name.to_owned(),
            up: entry.up(),
            reason: entry.reason(),
        });
        let next = capture(&entries, self.thresholds, self.every);
        // stored under the lock: two writers must not publish in the wrong order
        if next != **self.current.load() {
            self.current.store(Arc::new(next));
        }
        if let Some(flip) = flip {
            tracing::info!(region = flip.region, up = flip.up, reason = flip.reason, "region changed state");
            // an error only says that nobody listens
            drop(self.flips.send(flip));
        }
        true
    }
}

impl Entry {
    fn new(region: &Region) -> Self {
        Self { region: region.clone(), health: Health::START, forced: None, last_failure: None }
    }

    fn up(&self) -> bool {
        match self.forced {
            Some(forced) => forced == Forced::Up,
            None => self.health.up,
        }
    }

    fn reason(&self) -> String {
        match (self.forced, &self.region.probe, &self.last_failure) {
            (Some(Forced::Up), ..) => "forced up by an operator".to_owned(),
            (Some(Forced::Down), ..) => "forced down by an operator".to_owned(),
            (None, None, _) => "no probe configured".to_owned(),
            (None, Some(_), None) => "probes pass".to_owned(),
            (None, Some(_), Some(failure)) if self.health.up => format!("up, last probe failed: {failure}"),
            (None, Some(_), Some(failure)) => format!("probes fail: {failure}"),
        }
    }

    fn flip_after(&self, thresholds: Thresholds, every: Duration) -> Option<Duration> {
        if self.forced.is_some() || self.region.probe.is_none() {
            return None;
        }
        Some(every.saturating_mul(self.health.distance(thresholds)))
    }
}

fn capture(entries: &[Entry], thresholds: Thresholds, every: Duration) -> Snapshot {
    let regions = entries
        .iter()
        .map(|entry| RegionState {
            name: entry.region.name.clone(),
            up: entry.up(),
            reason: entry.reason(),
            weight: entry.region.weight,
            addresses: entry.region.addresses.clone(),
            location: entry.region.location,
            flip_after: entry.flip_after(thresholds, every),
        })
        .collect();
    Snapshot { regions }
}

fn location<S: Serializer>(location: &Location, serializer: S) -> Result<S::Ok, S::Error> {
    let mut fields = serializer.serialize_struct("Location", 2)?;
    fields.serialize_field("latitude", &location.latitude)?;
    fields.serialize_field("longitude", &location.longitude)?;
    fields.end()
}

#[cfg(test)]
mod tests;
