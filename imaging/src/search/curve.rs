//! Where a rising curve reaches a value, told from few points.
//!
//! Qualities up to one that falls short, and from one on that reaches the value, are ruled out; a curve that does not rise
//! quite everywhere so still leads to an end.

/// What a quality gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) quality: u8,
    pub(super) value: f64,
}

/// The qualities that are still in question, and what is known at their ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bracket {
    /// First and last quality in question; none is when they have passed each other.
    low: u8,
    high: u8,
    /// The value to be reached.
    aim: f64,
    /// What a step of quality is thought to add while points are known on one side only.
    rise: f64,
    /// The last point that falls short.
    short: Option<Point>,
    /// The last point that reaches the value.
    reaching: Option<Point>,
    /// On which side the last points lay, and how many in a row.
    run: (Side, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Short,
    Reaching,
}

/// Points in a row on one side after which the middle is tried: on a bent curve interpolation creeps.
const RUN_MAX: u32 = 2;

impl Bracket {
    /// `low` to `high`, each 1 to 100.
    pub(super) fn new(low: u8, high: u8, aim: f64, rise: f64) -> Self {
        Self { low, high, aim, rise, short: None, reaching: None, run: (Side::Short, 0) }
    }

    /// Takes in a point whose quality was in question.
    pub(super) fn narrow(&mut self, point: Point) {
        let side = if point.value < self.aim { Side::Short } else { Side::Reaching };
        self.run = if self.run.0 == side { (side, self.run.1 + 1) } else { (side, 1) };
        match side {
            Side::Short => {
                self.low = self.low.max(point.quality.saturating_add(1));
                self.short = Some(point);
            }
            Side::Reaching => {
                self.high = self.high.min(point.quality.saturating_sub(1));
                self.reaching = Some(point);
            }
        }
    }

    /// The quality to try for the lowest that reaches the value; none when all are ruled out.
    pub(super) fn lowest_reaching(&self) -> Option<u8> {
        self.within(self.crossing().ceil())
    }

    /// The quality to try for the highest that falls short; none when all are ruled out.
    pub(super) fn highest_short(&self) -> Option<u8> {
        // steps of a rise that is thought too steep creep too
        let creeps = self.short.is_none() && self.run.1 > RUN_MAX;
        let crossing = if creeps { self.middle() } else { self.crossing() };
        self.within(crossing.ceil() - 1.0)
    }

    /// The lowest in question.
    pub(super) fn lowest(&self) -> Option<u8> {
        (self.low <= self.high).then_some(self.low)
    }

    /// The highest in question.
    pub(super) fn highest(&self) -> Option<u8> {
        (self.low <= self.high).then_some(self.high)
    }

    fn middle(&self) -> f64 {
        f64::midpoint(f64::from(self.low), f64::from(self.high))
    }

    /// Where the curve is thought to reach the value.
    fn crossing(&self) -> f64 {
        let middle = self.middle();
        let along = |from: Point, rise: f64| f64::from(from.quality) + (self.aim - from.value) / rise;
        match (self.short, self.reaching) {
            (Some(_), Some(_)) if self.run.1 > RUN_MAX => middle,
            (Some(short), Some(reaching)) => {
                let steps = f64::from(reaching.quality) - f64::from(short.quality);
                along(short, (reaching.value - short.value) / steps)
            }
            (Some(only), None) | (None, Some(only)) => along(only, self.rise),
            (None, None) => middle,
        }
    }

    /// A whole number held to the qualities in question.
    fn within(&self, quality: f64) -> Option<u8> {
        let (low, high) = (f64::from(self.lowest()?), f64::from(self.high));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to two bytes")]
        let quality = if quality.is_nan() { low } else { quality.clamp(low, high) } as u8;
        Some(quality)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(quality: u8, value: f64) -> Point {
        Point { quality, value }
    }

    #[test]
    fn a_line_is_met_at_once() {
        let mut bracket = Bracket::new(1, 100, 50.0, 1.0);
        bracket.narrow(point(10, 10.0));
        assert_eq!(bracket.lowest_reaching(), Some(50));
        assert_eq!(bracket.highest_short(), Some(49));
        bracket.narrow(point(90, 130.0));
        assert_eq!(bracket.lowest_reaching(), Some(37));
    }

    #[test]
    fn nothing_is_asked_twice() {
        let mut bracket = Bracket::new(40, 60, 50.0, 1.0);
        bracket.narrow(point(50, 49.9));
        bracket.narrow(point(51, 50.1));
        assert_eq!(bracket.lowest_reaching(), None);
        assert_eq!((bracket.lowest(), bracket.highest()), (None, None));
        let mut falling = Bracket::new(40, 60, 50.0, 1.0);
        falling.narrow(point(60, 0.0));
        assert_eq!(falling.lowest_reaching(), None);
    }

    #[test]
    fn a_crossing_outside_is_held_to_the_range() {
        let mut bracket = Bracket::new(40, 60, 1_000.0, 1.0);
        bracket.narrow(point(50, 10.0));
        assert_eq!(bracket.lowest_reaching(), Some(60));
        let mut flat = Bracket::new(40, 60, 5.0, 1.0);
        flat.narrow(point(41, f64::NAN));
        assert_eq!(flat.lowest_reaching(), Some(40));
    }
}
