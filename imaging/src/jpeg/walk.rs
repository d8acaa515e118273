//! The way through the units of a scan, from restart marker to restart marker (ITU-T T.81 section E.2.4).
//!
//! What follows damage up to the next marker is lost, and if markers themselves are, whole intervals are: the numbers of
//! the markers tell how many.

use std::ops::Range;

use super::bits::{Bits, Feed};

/// How far a scan has been read, and through what damage.
pub(super) struct Walk {
    pub(super) bits: Bits,
    /// Units between restart markers, and those that are left until the next.
    interval: usize,
    left: usize,
    /// The number of the last restart marker.
    number: u8,
    /// Intervals that the file lacks.
    missing: usize,
    /// Nothing can be read until the next restart.
    pub(super) is_lost: bool,
}

/// Units of one row and one interval.
pub(super) struct Stretch {
    pub(super) units: Range<usize>,
    /// The interval begins here: nothing is known of earlier blocks.
    pub(super) is_first: bool,
}

impl Walk {
    /// Through `units` units with a marker after each `restart` of them; 0 for none.
    pub(super) fn new(restart: usize, units: usize) -> Self {
        let interval = if restart == 0 { units } else { restart };
        Self { bits: Bits::default(), interval, left: interval, number: 7, missing: 0, is_lost: false }
    }

    /// The units from `first` of a row of `across` to its end or the next marker.
    #[inline(always)]
    pub(super) fn stretch(&mut self, feed: &mut Feed<'_>, first: usize, across: usize) -> Stretch {
        let is_first = self.left == 0;
        if is_first {
            self.restart(feed);
        }
        let end = across.min(first + self.left);
        self.left -= end - first;
        Stretch { units: first..end, is_first }
    }

    #[inline(never)]
    fn restart(&mut self, feed: &mut Feed<'_>) {
        self.left = self.interval;
        self.number = (self.number + 1) % 8;
        if self.missing > 0 {
            self.missing -= 1;
            self.is_lost = self.missing > 0;
            return;
        }
        self.bits = Bits::default();
        self.is_lost = match feed.restart() {
            // the scan has no more of them
            None => {
                self.missing = usize::MAX;
                true
            }
            Some(found) => {
                // a marker some numbers ahead: those between were destroyed
                let ahead = found.wrapping_sub(self.number) % 8;
                self.missing = if ahead <= 4 { ahead.into() } else { 0 };
                self.missing > 0
            }
        };
    }
}
