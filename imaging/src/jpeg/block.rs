//! One block of a sequential scan (ITU-T T.81 section F.2.2): its bits in, its samples out.

use std::rc::Rc;

use fearless_simd::Simd;

use super::bits::{Bits, Window};
use super::huffman::{Skip, TO_END, Table};
use super::idct::{self, Block, Factors, NOWHERE, Places, Side};

/// What decodes the blocks of one component.
pub(super) struct Decoder {
    side: Side,
    factors: Factors,
    places: Places,
    dc: Rc<Table>,
    ac: Rc<Table>,
    /// None where every coefficient is used.
    skip: Option<Rc<Skip>>,
    /// The DC coefficient of the block before.
    mean: i32,
    block: Block,
}

impl Decoder {
    pub(super) fn new(side: Side, quantisers: &[u16; 64], dc: Rc<Table>, ac: Rc<Table>) -> Self {
        let skip = (side != Side::Eight).then(|| ac.skip());
        Self {
            side,
            factors: side.factors(quantisers),
            places: side.places(),
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
        (offset, stride): (usize, usize),
    ) -> Option<()> {
        self.mean = self.mean.wrapping_add(difference(&self.dc, bits, window)?);
        if self.side == Side::One {
            self.to_end(bits, window, 1)?;
            put(strip, (offset, stride), [[idct::one(self.mean, &self.factors)]]);
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
                self.coefficients::<4>(bits, window, 4)?;
                put(strip, (offset, stride), idct::two(&self.block, &self.factors));
            }
            Side::Three => {
                self.coefficients::<12>(bits, window, 12)?;
                put(strip, (offset, stride), idct::three(simd, &self.block, &self.factors));
            }
            Side::Four => {
                self.coefficients::<16>(bits, window, 24)?;
                put(strip, (offset, stride), idct::four(simd, &self.block, &self.factors));
            }
            Side::Eight => {
                self.coefficients::<64>(bits, window, 63)?;
                put(strip, (offset, stride), idct::eight(simd, &self.block, &self.factors));
            }
        }
        Some(())
    }

    /// Reads the coefficients up to place `last`, of which `COUNT` are used, and goes past the others.
    #[inline(always)]
    fn coefficients<const COUNT: usize>(
        &mut self,
        bits: &mut Bits,
        window: &Window,
        last: usize,
    ) -> Option<()> {
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
                if place > last {
                    break 'refilled;
                }
            }
        }
        if place < 64 { self.to_end(bits, window, place) } else { Some(()) }
    }

    /// Goes past the coefficients from place `place` on.
    #[inline(always)]
    fn to_end(&self, bits: &mut Bits, window: &Window, place: usize) -> Option<()> {
        match &self.skip {
            Some(skip) => skip.to_end(&self.ac, bits, window, place),
            None => Some(()),
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
