//! Huffman tables (ITU-T T.81 annex C and section F.2.2), made for looking up.
//!
//! [`Table`] gives for the next bits a symbol and, where both fit, the value of the coefficient that follows it.
//! [`Skip`] gives for the next bits how many coefficients can be left out at once and how many bits they take.

use std::cell::OnceCell;
use std::rc::Rc;

use super::bits::{Bits, Window};
use super::lift::Weights;

/// Bits by which a single symbol is looked up.
const LOOK: u32 = 11;

/// Bits by which coefficients are skipped.
const SKIP: u32 = 12;

/// A step from here on ends the block, in places of coefficients.
pub(super) const TO_END: usize = END as usize;
const END: u32 = 64;

/// What an entry without a symbol holds in place of a step.
const NO_STEP: u16 = 0xff;

/// What the symbols of a table mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Sizes of differences.
    Dc,
    /// Runs of zeros with sizes of coefficients, and ends of runs of blocks.
    Ac,
}

/// What is looked up for the next bits.
///
/// Low byte: bits to go past, code and value. With [`Entry::APART`], bits of the code alone: the value has to be read
/// apart, and its size stands where the value would be. Second byte: how many places the coefficient lies behind the
/// last. Upper half: the value.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Entry(u32);

impl Entry {
    const APART: u32 = 0x80;

    /// Whether code and value were found at once.
    #[inline(always)]
    pub(super) fn is_whole(self) -> bool {
        (1..Self::APART).contains(&(self.0 & 0xff))
    }

    #[inline(always)]
    fn is_apart(self) -> bool {
        self.0 & Self::APART != 0
    }

    #[inline(always)]
    pub(super) fn bits(self) -> u32 {
        self.0 & 0x1f
    }

    #[inline(always)]
    pub(super) fn step(self) -> usize {
        (self.0 >> 8 & 0xff) as usize
    }

    #[inline(always)]
    pub(super) fn value(self) -> i16 {
        (self.0.cast_signed() >> 16) as i16
    }

    /// Bits of a value that stands apart.
    fn size(self) -> u32 {
        self.0 >> 16
    }
}

/// One code with its symbols.
#[derive(Clone)]
pub(super) struct Table {
    quick: Box<[Entry; 1 << LOOK]>,
    /// The first code, aligned to sixteen bits, that is longer than the index says.
    ends: [u32; 17],
    /// What to add to a code of that length to get the place of its symbol.
    places: [i32; 17],
    symbols: [u8; 256],
    kind: Kind,
    skip: OnceCell<Rc<Skip>>,
}

impl Table {
    /// Builds a table from the number of codes of each length and the symbols in order. None when there are more codes
    /// of a length than fit.
    pub(super) fn new(kind: Kind, counts: &[u8; 16], listed: &[u8]) -> Option<Self> {
        let mut table = Self {
            quick: Box::new([Entry::default(); 1 << LOOK]),
            ends: [0; 17],
            places: [0; 17],
            symbols: [0; 256],
            kind,
            skip: OnceCell::new(),
        };
        for (to, from) in table.symbols.iter_mut().zip(listed) {
            *to = *from;
        }
        let (mut code, mut place) = (0_u32, 0_u32);
        let bounds = table.ends.iter_mut().zip(&mut table.places).skip(1);
        for ((length, count), (end, offset)) in (1_u32..).zip(counts).zip(bounds) {
            *offset = place.cast_signed() - code.cast_signed();
            code += u32::from(*count);
            place += u32::from(*count);
            if code > 1 << length {
                return None;
            }
            *end = code << (16 - length);
            code <<= 1;
        }
        table.index(counts);
        Some(table)
    }

    /// Fills the part for looking up.
    fn index(&mut self, counts: &[u8; 16]) {
        let (mut code, mut symbols) = (0_usize, self.symbols.iter());
        for (length, count) in (1..=LOOK).zip(counts) {
            for symbol in symbols.by_ref().take(usize::from(*count)) {
                let first = code << (LOOK - length);
                let entries = self.quick.get_mut(first..first + (1 << (LOOK - length))).unwrap_or_default();
                for (tail, entry) in (0..).zip(entries) {
                    *entry = entry_of(self.kind, *symbol, length, tail);
                }
                code += 1;
            }
            code <<= 1;
        }
    }

    /// How to leave out coefficients coded by this table.
    pub(super) fn skip(&self) -> Rc<Skip> {
        self.skip.get_or_init(|| Rc::new(Skip::new(self))).clone()
    }

    /// The entry for the next bits.
    #[inline(always)]
    pub(super) fn look(&self, bits: Bits) -> Entry {
        self.quick.get(bits.peek::<LOOK>() as usize).copied().unwrap_or_default()
    }

    /// A symbol with its value when [`Entry::is_whole`] says no: the step and the value. Takes up to 32 bits. None for
    /// bits that are no code.
    #[inline]
    pub(super) fn read_apart(&self, entry: Entry, bits: &mut Bits) -> Option<(usize, i16)> {
        let entry = if entry.is_apart() {
            bits.consume(entry.bits());
            entry
        } else {
            let symbol = self.read_symbol(bits)?;
            let entry = entry_apart(self.kind, symbol, 0);
            if !entry.is_apart() {
                return Some((entry.step(), 0));
            }
            entry
        };
        #[expect(clippy::cast_possible_truncation, reason = "a value has no more than 15 bits and a sign")]
        let value = bits.coefficient(entry.size()) as i16;
        Some((entry.step(), value))
    }

    /// A symbol alone, up to 16 bits.
    #[inline]
    pub(super) fn read_symbol(&self, bits: &mut Bits) -> Option<u8> {
        let next = bits.peek::<16>();
        // shorter ones are looked up
        let (length, _) = (0_u32..).zip(&self.ends).skip(LOOK as usize + 1).find(|(_, end)| next < **end)?;
        let place = (next >> (16 - length)).cast_signed() + self.places.get(length as usize)?;
        bits.consume(length);
        self.symbols.get(usize::try_from(place).ok()?).copied()
    }
}

/// The entry of a symbol whose code is followed by the bits `tail` in the index, or of which these are too few.
fn entry_of(kind: Kind, symbol: u8, length: u32, tail: u32) -> Entry {
    let entry = entry_apart(kind, symbol, length);
    let size = entry.size();
    if !entry.is_apart() || length + size > LOOK {
        return entry;
    }
    let value = signed(tail >> (LOOK - length - size), size);
    Entry((length + size) | (entry.0 & 0xff00) | (value << 16).cast_unsigned())
}

/// The entry of a symbol with its value apart, if it has one.
fn entry_apart(kind: Kind, symbol: u8, length: u32) -> Entry {
    let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
    let step = match (kind, run, size) {
        (Kind::Dc, _, _) => 0,
        // sixteen zeros
        (_, 15, 0) => 16,
        // so many bits follow that say how many blocks end; no bits and one block when sequential
        (Kind::Ac, run, 0) => END + run,
        (_, run, _) => run + 1,
    };
    match size {
        0 => Entry(length | step << 8),
        size => Entry(length | Entry::APART | step << 8 | size << 16),
    }
}

/// How to leave out coefficients of a sequential picture.
#[derive(Clone)]
pub(super) struct Skip {
    /// Low byte: bits. High byte: places; 128 more when the block ends there.
    steps: Box<[u16; 1 << SKIP]>,
    /// The sum of the squares of the values in a step.
    squares: Box<[u16; 1 << SKIP]>,
}

/// Added to the places of a step that ends with the block.
const ENDS: usize = 128;

impl Skip {
    fn new(table: &Table) -> Self {
        let (mut steps, mut squares) = (Box::new([0; 1 << SKIP]), Box::new([0; 1 << SKIP]));
        for (index, (step, square)) in (0..).zip(steps.iter_mut().zip(squares.iter_mut())) {
            (*step, *square) = step_of(table, index);
        }
        Self { steps, squares }
    }

    /// Goes past the coefficients from place `place` of a block to its end. None for bits that are no code. Else, if they
    /// are `WEIGHED`, the sum of their squares: those that are gone past together are weighed as the last of them.
    #[inline(always)]
    pub(super) fn to_end<const WEIGHED: bool>(
        &self,
        table: &Table,
        bits: &mut Bits,
        window: &Window,
        place: usize,
        weights: &Weights,
    ) -> Option<f32> {
        let (mut place, mut energy) = (place, 0.0);
        let weight = |next: usize| weights.get(next.wrapping_sub(1) & 63).copied().unwrap_or_default();
        'refilled: loop {
            bits.refill(window);
            for _ in 0..4 {
                let index = bits.peek::<SKIP>() as usize;
                let step = u32::from(self.steps.get(index).copied().unwrap_or(NO_STEP << 8));
                let next = place + (step >> 8) as usize;
                let is_end = next == 64 || next.wrapping_sub(ENDS) < 64;
                if next >= 64 && !is_end {
                    // the block ends in the middle of the step, or its first symbol is longer than the index
                    bits.refill(window);
                    let entry = table.look(*bits);
                    let (step, value) = if entry.is_whole() {
                        bits.consume(entry.bits());
                        (entry.step(), entry.value())
                    } else {
                        table.read_apart(entry, bits)?
                    };
                    place += step;
                    if WEIGHED {
                        energy += f32::from(value).powi(2) * weight(place);
                    }
                    if place >= 64 {
                        return Some(energy);
                    }
                    continue 'refilled;
                }
                bits.consume(step & 15);
                if WEIGHED {
                    let square = self.squares.get(index).copied().unwrap_or_default();
                    energy += f32::from(square) * weight(next);
                }
                if is_end {
                    return Some(energy);
                }
                place = next;
            }
        }
    }
}

/// As many whole symbols with their values as the bits of the index hold, and the sum of the values' squares.
fn step_of(table: &Table, index: u32) -> (u16, u16) {
    let (mut taken, mut places, mut squares) = (0, 0, 0_u16);
    while taken < SKIP {
        let next = index << taken & ((1 << SKIP) - 1);
        let entry = table.quick.get((next >> (SKIP - LOOK)) as usize).copied().unwrap_or_default();
        let bits = if entry.is_apart() { entry.bits() + entry.size() } else { entry.bits() };
        let is_end = entry.step() >= TO_END;
        if bits == 0 || taken + bits > SKIP || (!is_end && places + entry.step() >= 64) {
            break;
        }
        let value = if entry.is_apart() {
            signed(index >> (SKIP - taken - bits), entry.size())
        } else {
            entry.value().into()
        };
        // one that is too large for the sum is read by itself
        let square = u16::try_from(value * value).ok();
        let Some(sum) = square.and_then(|square| squares.checked_add(square)) else { break };
        squares = sum;
        taken += bits;
        if is_end {
            places += ENDS;
            break;
        }
        places += entry.step();
    }
    let places = if taken == 0 { NO_STEP } else { u16::try_from(places).unwrap_or(NO_STEP) };
    (places << 8 | u16::try_from(taken).unwrap_or_default(), squares)
}

/// The value that the last `size` of these bits stand for (T.81 table F.2).
fn signed(bits: u32, size: u32) -> i32 {
    let value = (bits & ((1 << size) - 1)).cast_signed();
    if value >> (size - 1) == 0 { value - (1 << size) + 1 } else { value }
}
