//! Which purges name a response: scopes of one epoch with the latest number of each.
//!
//! A scope is kept as a 64-bit hash, seeded per process. A collision makes a purge cover one response too many, which
//! costs a fetch; it can't make a purge miss. Nothing here knows about epochs, floors or locks: see `table`.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState},
};

use twox_hash::XxHash3_128;

use super::{Mode, Selector};
use crate::stored::Stored;

/// Latest numbers of one scope; zero is "never".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    /// Latest hard purge.
    pub(super) hard: u64,
    /// Latest soft purge.
    pub(super) soft: u64,
}

impl Marks {
    pub(super) const fn new(mode: Mode, seq: u64) -> Self {
        match mode {
            Mode::Hard => Self { hard: seq, soft: 0 },
            Mode::Soft => Self { hard: 0, soft: seq },
        }
    }

    /// Idempotent, commutative and associative, so that duplicates and reordering are harmless.
    pub(super) fn merge(self, other: Self) -> Self {
        Self { hard: self.hard.max(other.hard), soft: self.soft.max(other.soft) }
    }

    pub(super) fn newest(self) -> u64 {
        self.hard.max(self.soft)
    }
}

/// Turns names into scope numbers.
#[derive(Debug)]
pub(super) struct Naming {
    seed: u64,
}

const SITE: u64 = 1;
const HOST: u64 = 2;
const URL: u64 = 3;
const PREFIX: u64 = 4;
const TAG: u64 = 5;
/// Any tag of a site, for fills whose tags are not known yet.
const ANY_TAG: u64 = 6;

impl Naming {
    pub(super) fn new() -> Self {
        Self { seed: RandomState::new().hash_one(SITE) }
    }

    /// The first part seeds the hash of the second, so that no separator is needed.
    fn owner(&self, kind: u64, owner: &str) -> Owner {
        Owner(fold(XxHash3_128::oneshot_with_seed(self.seed.wrapping_add(kind), owner.as_bytes())))
    }

    fn scope(&self, kind: u64, owner: &str, name: &[u8]) -> u64 {
        self.owner(kind, owner).scope(name)
    }
}

/// A site or host whose scopes are being named.
#[derive(Clone, Copy)]
struct Owner(u64);

impl Owner {
    fn scope(self, name: &[u8]) -> u64 {
        fold(XxHash3_128::oneshot_with_seed(self.0, name))
    }
}

fn fold(hash: u128) -> u64 {
    let low = u64::try_from(hash & u128::from(u64::MAX)).unwrap_or_default();
    low ^ u64::try_from(hash >> 64).unwrap_or_default()
}

/// Scope numbers are hashes already.
#[derive(Default)]
pub(super) struct Passthrough(u64);

impl Hasher for Passthrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

type ByScope<V> = HashMap<u64, V, BuildHasherDefault<Passthrough>>;

/// Every scope purged in one epoch.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    marks: ByScope<Marks>,
    /// Per host the lengths of its purged prefixes, each with its latest number.
    prefix_lengths: ByScope<BTreeMap<usize, u64>>,
}

impl Scopes {
    pub(super) fn len(&self) -> usize {
        self.marks.len()
    }

    /// Latest number of any scope.
    pub(super) fn newest(&self) -> u64 {
        self.marks.values().map(|marks| marks.newest()).max().unwrap_or_default()
    }

    /// Merges one selector of an event.
    pub(super) fn mark(&mut self, naming: &Naming, selector: &Selector, mode: Mode, seq: u64) {
        let marks = Marks::new(mode, seq);
        let scope = match selector {
            Selector::Site { site } => naming.scope(SITE, site, b""),
            Selector::Host { host } => naming.scope(HOST, host, b""),
            Selector::Url { host, target } => naming.scope(URL, host, target.as_bytes()),
            Selector::Prefix { host, prefix } => {
                let lengths = self.prefix_lengths.entry(naming.scope(HOST, host, b"")).or_default();
                let newest = lengths.entry(prefix.len()).or_default();
                *newest = seq.max(*newest);
                naming.scope(PREFIX, host, prefix.as_bytes())
            }
            Selector::Tag { site, tag } => {
                self.merge(naming.scope(ANY_TAG, site, b""), marks);
                naming.scope(TAG, site, tag.as_bytes())
            }
        };
        self.merge(scope, marks);
    }

    fn merge(&mut self, scope: u64, marks: Marks) {
        let slot = self.marks.entry(scope).or_default();
        *slot = slot.merge(marks);
    }

    fn of(&self, scope: u64) -> Marks {
        self.marks.get(&scope).copied().unwrap_or_default()
    }

    /// Latest numbers over all scopes that name `stored` or what it was made from.
    pub(super) fn naming(&self, naming: &Naming, stored: &Stored) -> Marks {
        if self.marks.is_empty() {
            return Marks::default();
        }
        let key = &stored.key;
        let mut marks =
            self.of(naming.scope(SITE, &key.site, b"")).merge(self.at(naming, &key.host, &key.target));
        let of_site = naming.owner(TAG, &key.site);
        for tag in &stored.scopes.tags {
            marks = marks.merge(self.of(of_site.scope(tag.as_bytes())));
        }
        for (host, target) in &stored.scopes.sources {
            marks = marks.merge(self.at(naming, host, target));
        }
        marks
    }

    /// The same for a response whose tags are not known: every tag of the site counts.
    pub(super) fn may_name(&self, naming: &Naming, site: &str, host: &str, target: &str) -> Marks {
        let of_site = self.of(naming.scope(SITE, site, b""));
        of_site.merge(self.of(naming.scope(ANY_TAG, site, b""))).merge(self.at(naming, host, target))
    }

    fn at(&self, naming: &Naming, host: &str, target: &str) -> Marks {
        let of_host = naming.scope(HOST, host, b"");
        let marks = self.of(of_host).merge(self.of(naming.scope(URL, host, target.as_bytes())));
        let Some(lengths) = self.prefix_lengths.get(&of_host) else { return marks };
        let prefixes =
            lengths.range(..=target.len()).filter_map(|(length, _)| target.as_bytes().get(..*length));
        let of_prefix = naming.owner(PREFIX, host);
        prefixes.fold(marks, |marks, prefix| marks.merge(self.of(of_prefix.scope(prefix))))
    }

    /// Forgets the older half. Gives the latest number forgotten, below which everything must count as softly purged,
    /// and how many scopes that were.
    pub(super) fn forget_older_half(&mut self) -> (u64, usize) {
        let mut ages: Vec<u64> = self.marks.values().map(|marks| marks.newest()).collect();
        if ages.is_empty() {
            return (0, 0);
        }
        let middle = (ages.len() - 1) / 2;
        let cutoff = *ages.select_nth_unstable(middle).1;
        let before = self.marks.len();
        self.marks.retain(|_, marks| marks.newest() > cutoff);
        for lengths in self.prefix_lengths.values_mut() {
            lengths.retain(|_, newest| *newest > cutoff);
        }
        self.prefix_lengths.retain(|_, lengths| !lengths.is_empty());
        (cutoff, before - self.marks.len())
    }
}
