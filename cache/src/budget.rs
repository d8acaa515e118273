//! One memory budget for everything that holds bodies.
//!
//! What grows, waits to be written or stands in a buffer takes a [`Loan`], and the memory tier shrinks by as much: it
//! is the one part that can give memory back at once. A loan is never refused here; whoever lends has a bound of its
//! own, and all of those together stay below the budget (`proxy/docs/limits.md`).

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Part of a budget kept for what nobody counts (allocator, connections, indexes): a sixteenth, up to this many bytes.
const RESERVE_BYTES_MAX: u64 = 32 * 1024 * 1024;
const RESERVE_SHARE: u64 = 16;
/// What growing bodies took lately stays lent up to this share of the budget: they come in pieces from the allocator, and
/// it keeps what it has been given.
const LATELY_SHARE: u64 = 4;
/// With each body that has grown, this part of it is given back.
const LATELY_DECAY: u64 = 1024;

/// Bytes of memory that a node may use for bodies, and how many are lent out of the memory tier.
///
/// ```
/// use overfall_cache::budget::Budget;
/// let budget = Budget::new(64 << 20);
/// let loan = budget.lend(1 << 20);
/// assert_eq!(budget.lent(), 1 << 20);
/// drop(loan);
/// assert_eq!(budget.lent(), 0);
/// ```
#[derive(Debug)]
pub struct Budget {
    bytes: u64,
    lent: AtomicU64,
    growing: AtomicU64,
    growing_lately: AtomicU64,
}

impl Budget {
    /// A budget of this many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            bytes,
            lent: AtomicU64::new(0),
            growing: AtomicU64::new(0),
            growing_lately: AtomicU64::new(0),
        })
    }

    /// Its size in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the memory tier may hold while nothing is lent, in bytes.
    #[must_use]
    pub fn memory_bytes_max(&self) -> u64 {
        self.bytes - (self.bytes / RESERVE_SHARE).min(RESERVE_BYTES_MAX)
    }

    /// Bytes lent at this moment, with what the allocator keeps of bodies that grew lately.
    #[must_use]
    pub fn lent(&self) -> u64 {
        let growing = self.growing.load(Ordering::Relaxed);
        let lately = self.growing_lately.load(Ordering::Relaxed).min(self.bytes / LATELY_SHARE);
        self.lent.load(Ordering::Relaxed).saturating_add(growing.max(lately))
    }

    /// A share of the budget in bytes, for bounds: the whole divided by `parts`, at most `bytes_max`.
    #[must_use]
    pub fn share(&self, parts: u64, bytes_max: u64) -> u64 {
        (self.bytes / parts.max(1)).min(bytes_max)
    }

    /// Lends bytes until the loan is dropped.
    #[must_use]
    pub fn lend(self: &Arc<Self>, bytes: u64) -> Loan {
        self.lent.fetch_add(bytes, Ordering::Relaxed);
        Loan { budget: Arc::clone(self), bytes }
    }

    /// A loan of nothing yet, for a body that grows.
    #[must_use]
    pub fn grow(self: &Arc<Self>) -> Growth {
        Growth { budget: Arc::clone(self), bytes: 0 }
    }
}

/// A growing body's share of the budget; given back when dropped.
#[derive(Debug)]
pub struct Growth {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Growth {
    /// Bytes so far.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Lends more bytes.
    pub fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
        let growing = self.budget.growing.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.budget.growing_lately.fetch_max(growing, Ordering::Relaxed);
    }
}

impl Drop for Growth {
    fn drop(&mut self) {
        self.budget.growing.fetch_sub(self.bytes, Ordering::Relaxed);
        let lately = &self.budget.growing_lately;
        lately.update(Ordering::Relaxed, Ordering::Relaxed, |lately| lately - lately.div_ceil(LATELY_DECAY));
    }
}

/// Bytes that are in use outside of the memory tier; given back when dropped.
#[derive(Debug)]
pub struct Loan {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Loan {
    /// Bytes of this loan.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Lends more bytes.
    pub fn add(&mut self, bytes: u64) {
        self.budget.lent.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
    }

    /// Grows to at least this many bytes.
    pub fn raise(&mut self, bytes: u64) {
        self.add(bytes.saturating_sub(self.bytes));
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.budget.lent.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loans_add_up_and_come_back() {
        let budget = Budget::new(1 << 20);
        let mut a = budget.lend(10);
        let b = budget.lend(5);
        a.add(7);
        a.raise(20);
        a.raise(3);
        assert_eq!((a.bytes(), b.bytes(), budget.lent()), (20, 5, 25));
        drop(a);
        assert_eq!(budget.lent(), 5);
    }

    #[test]
    fn what_grew_lately_stays_lent_for_a_while() {
        let budget = Budget::new(1 << 20);
        let grow = |bytes| {
            let mut growth = budget.grow();
            growth.add(bytes);
            growth
        };
        let large = grow(500_000);
        assert_eq!(budget.lent(), 500_000);
        drop(large);
        assert_eq!(budget.lent(), 1 << 18, "a share of the budget at most");
        for _ in 0..10_000 {
            drop(grow(1000));
        }
        assert!((999..3000).contains(&budget.lent()), "{}", budget.lent());
    }

    #[test]
    fn the_reserve_is_a_sixteenth_up_to_its_bound() {
        assert_eq!(Budget::new(64 << 20).memory_bytes_max(), 60 << 20);
        assert_eq!(Budget::new(1 << 30).memory_bytes_max(), (1 << 30) - (32 << 20));
        assert_eq!(Budget::new(64 << 20).share(4, 1 << 30), 16 << 20);
        assert_eq!(Budget::new(64 << 20).share(4, 1 << 20), 1 << 20);
    }
}
