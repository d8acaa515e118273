//! One block of a sequential scan (ITU-T T.81 section F.2.2): its bits in, its samples out.

use std::rc::Rc;

use fearless_simd::Simd;

use super::bits::{Bits, Window};
use super::huffman::{Skip, TO_END, Table};
use super::idct::{self, Block, Factors, NOWHERE, Places, Side};
use super::lift::{self, Weights};

/// What decodes the blocks of one component.
pub(super) struct Decoder {
    side: Side,
    factors: Factors,
    places: Places,
    dc: Rc<Table>,
    ac: Rc<Table>,
    /// None where every coefficient is used.
    skip: Option<Rc<Skip>>,
    /// Whether samples are given the light of what they leave out.
    is_lifted: bool,
    weights: Weights,
    /// Those of the coefficients that are read and not used; of the others 0.
    outside: Weights,
    /// The DC coefficient of the block before.
    mean: i32,
    block: Block,
}

impl Decoder {
    pub(super) fn new(
        side: Side,
        quantisers: &[u16; 64],
        dc: Rc<Table>,
        ac: Rc<Table>,
        is_lifted: bool,
    ) -> Self {
        let skip = (side != Side::Eight).then(|| ac.skip());
        let (places, weights) = (side.places(), lift::weights(quantisers));
        let mut outside = weights;
        for (weight, place) in outside.iter_mut().zip(places) {
            *weight = if place == NOWHERE { *weight } else { 0.0 };
        }
        Self {
            side,
            is_lifted: is_lifted && side != Side::Eight,
            weights,
            outside,
            factors: side.factors(quantisers),
            places,
            dc,
            ac,
            skip,
            mean: 0,
            block: [0; 128],
        }
    }

    /// Forgets the block before, as restart markers demand.
    pub(super) fn restart(&mut self) {
        self.mean = 0;
    }

    /// Decodes a block into `strip`, from `offset` on and with rows `stride` apart. None for bits that are no code.
    #[inline(always)]
    pub(super) fn block(
        &mut self,
        simd: impl Simd,
        bits: &mut Bits,
        window: &Window,
        strip: &mut [u8],
        place: (usize, usize),
    ) -> Option<()> {
        if self.is_lifted {
            self.block_of::<true>(simd, bits, window, strip, place)
        } else {
            self.block_of::<false>(simd, bits, window, strip, place)
        }
    }

    #[inline(always)]
    fn block_of<const LIFTED: bool>(
        &mut self,
        simd: impl Simd,
        bits: &mut Bits,
        window: &Window,
        strip: &mut [u8],
        (offset, stride): (usize, usize),
    ) -> Option<()> {
        self.mean = self.mean.wrapping_add(difference(&self.dc, bits, window)?);
        if self.side == Side::One {
            let energy = self.to_end::<LIFTED>(bits, window, 1)?;
            put(strip, (offset, stride), lift::lifted([[idct::one(self.mean, &self.factors)]], energy));
            return Some(());
        }
        bits.refill(window);
        let entry = self.ac.look(*bits);
        if entry.is_whole() && entry.step() >= TO_END {
            bits.consume(entry.bits());
            let sample = idct::one(self.mean, &self.factors);
            match self.side {
                Side::One => {}
                Side::Two => put(strip, (offset, stride), [[sample; 2]; 2]),
                Side::Three => put(strip, (offset, stride), [[sample; 3]; 3]),
                Side::Four => put(strip, (offset, stride), [[sample; 4]; 4]),
                Side::Eight => put(strip, (offset, stride), [[sample; 8]; 8]),
            }
            return Some(());
        }
        match self.side {
            Side::One => {}
            Side::Two => {
                let energy = self.coefficients::<4, LIFTED>(bits, window, 4)?;
                put(strip, (offset, stride), lift::lifted(idct::two(&self.block, &self.factors), energy));
            }
            Side::Three => {
                let energy = self.coefficients::<12, LIFTED>(bits, window, 12)?;
                let rows = idct::three(simd, &self.block, &self.factors);
                put(strip, (offset, stride), lift::lifted(rows, energy));
            }
            Side::Four => {
                let energy = self.coefficients::<16, LIFTED>(bits, window, 24)?;
                let rows = idct::four(simd, &self.block, &self.factors);
                put(strip, (offset, stride), lift::lifted(rows, energy));
            }
            Side::Eight => {
                self.coefficients::<64, false>(bits, window, 63)?;
                put(strip, (offset, stride), idct::eight(simd, &self.block, &self.factors));
            }
        }
        Some(())
    }

    /// Reads the coefficients up to place `last`, of which `COUNT` are used, and goes past the others; the energy of what is
    /// not used, where samples are `LIFTED`.
    #[inline(always)]
    fn coefficients<const COUNT: usize, const LIFTED: bool>(
        &mut self,
        bits: &mut Bits,
        window: &Window,
        last: usize,
    ) -> Option<f32> {
        let mut energy = 0.0;
        if let Some(used) = self.block.first_chunk_mut::<COUNT>() {
            *used = [0; COUNT];
            let [mean, ..] = &mut self.block;
            #[expect(clippy::cast_possible_truncation, reason = "only damaged data has more than 16 bits")]
            let value = self.mean as i16;
            *mean = value;
        }
        let mut place = 1;
        'refilled: while place <= last {
            bits.refill(window);
            for _ in 0..4 {
                let entry = self.ac.look(*bits);
                let (step, value) = if entry.is_whole() {
                    bits.consume(entry.bits());
                    (entry.step(), entry.value())
                } else {
                    bits.refill(window);
                    let apart = self.ac.read_apart(entry, bits)?;
                    bits.refill(window);
                    apart
                };
                place += step;
                let slot = self.places.get((place - 1) & 0xff).copied().unwrap_or(NOWHERE);
                if let Some(coefficient) = self.block.get_mut(usize::from(slot & 0x7f)) {
                    *coefficient = value;
                }
                if LIFTED {
                    let weight = self.outside.get((place - 1) & 63).copied().unwrap_or_default();
                    energy += f32::from(value).powi(2) * weight;
                }
                if place > last {
                    break 'refilled;
                }
            }
        }
        if place < 64 {
            energy += self.to_end::<LIFTED>(bits, window, place)?;
        }
        Some(energy)
    }

    /// Goes past the coefficients from place `place` on; their energy, where samples are `LIFTED`.
    #[inline(always)]
    fn to_end<const LIFTED: bool>(&self, bits: &mut Bits, window: &Window, place: usize) -> Option<f32> {
        match &self.skip {
            Some(skip) => skip.to_end::<LIFTED>(&self.ac, bits, window, place, &self.weights),
            None => Some(0.0),
        }
    }
}

/// The difference between the DC coefficients of a block and the one before.
#[inline(always)]
pub(super) fn difference(table: &Table, bits: &mut Bits, window: &Window) -> Option<i32> {
    bits.refill(window);
    let entry = table.look(*bits);
    if entry.is_whole() {
        bits.consume(entry.bits());
        return Some(entry.value().into());
    }
    table.read_apart(entry, bits).map(|(_, value)| value.into())
}

/// Writes the rows of a block.
#[inline(always)]
pub(super) fn put<const SIDE: usize>(
    strip: &mut [u8],
    (offset, stride): (usize, usize),
    rows: [[u8; SIDE]; SIDE],
) {
    let mut at = offset;
    for row in rows {
        if let Some(to) = strip.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<SIDE>()) {
            *to = row;
        }
        at += stride;
    }
}
