//! Chance from a seed: the same seed gives the same throws, on every machine.
//!
//! SplitMix64, since a test needs a long period and no secrets. A seed belongs into every failure message; [`seed`] takes
//! one from the environment, so that a run can be repeated.

/// Names the environment variable that fixes the seed.
pub const SEED_VARIABLE: &str = "OVERFALL_SEED";

/// A source of chance.
#[derive(Debug, Clone)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// Dice that fall as this seed says.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Dice for one of several uses of a seed, so that they do not fall alike.
    #[must_use]
    pub fn of(seed: u64, purpose: &str) -> Self {
        Self::new(seed ^ hash(purpose))
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        let bits = self.bits();
        if bound == 0 { 0 } else { bits % bound }
    }

    /// A place in something of this length; 0 when that is empty.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// Whether something of so many chances in 1000 happens.
    pub const fn permille(&mut self, chances: u64) -> bool {
        self.below(1000) < chances
    }

    /// One of these; each is as likely as the others.
    ///
    /// # Panics
    /// When there is none.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        *choices.get(self.place(choices.len())).expect("something to choose from")
    }
}

/// A 64-bit hash of text (FNV-1a), for what must follow from a name.
#[must_use]
pub fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The seed that the environment names, else this one.
///
/// # Panics
/// When the variable holds something else than a number.
#[must_use]
pub fn seed(otherwise: u64) -> u64 {
    std::env::var(SEED_VARIABLE).map_or(otherwise, |text| {
        text.parse().unwrap_or_else(|error| panic!("{SEED_VARIABLE}={text:?}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn a_seed_repeats_itself_and_no_other() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            (0..100).map(|_| dice.below(6)).collect::<Vec<_>>()
        };
        assert_eq!(throws(1), throws(1));
        assert_ne!(throws(1), throws(2));
        assert!((0..6).all(|face| throws(1).contains(&face)));
    }
}
