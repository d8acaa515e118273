//! The coefficients of a block (RFC 6386 section 13).

use super::bits::Bits;
use super::tables;

/// Coefficients in rows, from the lowest frequency on, already multiplied by their factors.
pub(super) type Block = [i16; 16];

/// Where the coefficients of the order in which they are coded lie in a block.
const ZIGZAG: [u8; 16] = [0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15];

/// The band of each coefficient in the order in which they are coded, and of one behind the last, which has no meaning.
const BANDS: [u8; 17] = [0, 1, 2, 3, 6, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7, 0];

/// Probabilities of the bits behind the longer codes.
const LONG: [&[u8]; 4] = [
    &[173, 148, 140],
    &[176, 155, 140, 135],
    &[180, 157, 141, 134, 130],
    &[254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129],
];

/// Probabilities of the branches that lead to a coefficient.
type Branches = [u8; 11];

/// What the blocks of one kind are read by: for each place, by how large the coefficient before it is.
pub(super) type Odds = [[Branches; 3]; 17];

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Luma without means.
    Rest,
    /// The means of luma.
    Means,
    Chroma,
    /// All of luma.
    Whole,
}

/// The probabilities of all kinds.
#[derive(Debug, Clone)]
pub(super) struct Tokens([Odds; 4]);

impl Tokens {
    /// Reads which of the known probabilities are replaced (section 13.4).
    pub(super) fn read(bits: &mut Bits<'_>) -> Self {
        let mut current = tables::TOKENS;
        for (branches, updates) in current.iter_mut().zip(&tables::TOKEN_UPDATES) {
            for (probability, update) in branches.iter_mut().zip(updates) {
                if bits.bit(*update) {
                    *probability = bits.literal(8);
                }
            }
        }
        let mut kinds = [[[[0; 11]; 3]; 17]; 4];
        // eight bands with three contexts each
        for (places, bands) in kinds.iter_mut().zip(current.chunks_exact(24)) {
            for (contexts, band) in places.iter_mut().zip(BANDS) {
                let band = bands.chunks_exact(3).nth(band.into()).unwrap_or_default();
                contexts.iter_mut().zip(band).for_each(|(to, from)| *to = *from);
            }
        }
        Self(kinds)
    }

    pub(super) fn of(&self, kind: Kind) -> &Odds {
        let [rest, means, chroma, whole] = &self.0;
        match kind {
            Kind::Rest => rest,
            Kind::Means => means,
            Kind::Chroma => chroma,
            Kind::Whole => whole,
        }
    }
}

/// Factors of the first coefficient and of the others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Factors {
    pub(super) first: i32,
    pub(super) others: i32,
}

/// Reads the coefficients of a block from place `first` on into a block of zeros. Returns the place behind the last one, and
/// `first` where there is none. `context` is how many of the blocks above and to the left have any.
#[inline(always)]
pub(super) fn read(
    bits: &mut Bits<'_>,
    odds: &Odds,
    context: usize,
    first: usize,
    factors: Factors,
    block: &mut Block,
) -> usize {
    let mut place = first;
    let mut factor = if first == 0 { factors.first } else { factors.others };
    let mut branches = at(odds, place, context);
    while place < 16 {
        if !bits.bit(branches[0]) {
            return place;
        }
        while !bits.bit(branches[1]) {
            place += 1;
            factor = factors.others;
            if place == 16 {
                return 16;
            }
            branches = at(odds, place, 0);
        }
        let number = if !bits.bit(branches[2]) {
            branches = at(odds, place + 1, 1);
            1
        } else {
            let number = large(bits, branches);
            branches = at(odds, place + 1, 2);
            number
        };
        let to = ZIGZAG.get(place).and_then(|to| block.get_mut(usize::from(*to & 15)));
        if let Some(to) = to {
            #[expect(clippy::cast_possible_truncation, reason = "only damaged data has more than 16 bits")]
            let value = (bits.signed(number) * factor) as i16;
            *to = value;
        }
        place += 1;
        factor = factors.others;
    }
    16
}

#[inline(always)]
fn at(odds: &Odds, place: usize, context: usize) -> &Branches {
    const NONE: &Branches = &[0; 11];
    odds.get(place).and_then(|contexts| contexts.get(context)).unwrap_or(NONE)
}

/// The rest of a number above one (section 13.2).
#[inline(always)]
fn large(bits: &mut Bits<'_>, branches: &Branches) -> i32 {
    if !bits.bit(branches[3]) {
        if !bits.bit(branches[4]) {
            return 2;
        }
        return 3 + i32::from(bits.bit(branches[5]));
    }
    if !bits.bit(branches[6]) {
        if !bits.bit(branches[7]) {
            return 5 + i32::from(bits.bit(159));
        }
        let high = i32::from(bits.bit(165));
        return 7 + 2 * high + i32::from(bits.bit(145));
    }
    let high = bits.bit(branches[8]);
    let low = bits.bit(if high { branches[10] } else { branches[9] });
    let length = usize::from(high) * 2 + usize::from(low);
    let mut number = 0;
    for probability in LONG.get(length).copied().unwrap_or_default() {
        number = number * 2 + i32::from(bits.bit(*probability));
    }
    number + 3 + (8 << length)
}
