//! From the coefficients of a block to its samples (ITU-T T.81 section A.3.3), at full size or smaller.
//!
//! A block of `N` × `N` samples, `N` being 1, 2, 3, 4 or 8, is the inverse transform of that many points of the lowest
//! `N` × `N` coefficients: what the picture is without the frequencies that the smaller size cannot hold. Coefficients
//! come column by column and unscaled; the factors of quantisation and of the transform are one table.
//!
//! All of one row or column is a vector.

use std::f32::consts::SQRT_2;

use fearless_simd::prelude::*;
use fearless_simd::{f32x4, f32x8, i32x4, u16x8};

/// Places of a block that lie in the corner in use, and as many again for those that do not.
pub(super) type Block = [i16; 128];

/// The place in [`Block`] of what is not needed.
pub(super) const NOWHERE: u8 = 64;

/// Where in a [`Block`] the coefficients lie, in zigzag order; far enough for steps to the end from anywhere.
pub(super) type Places = [u8; 256];

/// Factors of the coefficients of a block, as [`Block`] has them.
pub(super) type Factors = [f32; 64];

/// How many samples a block becomes in each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    One = 1,
    Two = 2,
    Three = 3,
    Four = 4,
    Eight = 8,
}

impl Side {
    /// From the smallest.
    pub(super) const ALL: [Self; 5] = [Self::One, Self::Two, Self::Three, Self::Four, Self::Eight];

    pub(super) fn samples(self) -> usize {
        self as usize
    }

    /// How far apart in [`Block`] its columns are.
    fn stride(self) -> u8 {
        match self {
            // a vector has no three lanes
            Self::Three => 4,
            side => side as u8,
        }
    }

    /// How many coefficients of [`Block`] are in use.
    pub(super) fn coefficients(self) -> usize {
        self.samples() * usize::from(self.stride())
    }

    /// The last coefficient in zigzag order that is needed.
    pub(super) fn last(self) -> usize {
        match self {
            Self::One => 0,
            Self::Two => 4,
            Self::Three => 12,
            Self::Four => 24,
            Self::Eight => 63,
        }
    }

    /// Where each coefficient of the zigzag order lies in [`Block`]: column by column, or [`NOWHERE`].
    pub(super) fn places(self) -> Places {
        let mut places = [NOWHERE; 256];
        for (place, (row, column)) in places.iter_mut().zip(zigzag()) {
            if row.max(column) < self as u8 {
                *place = column * self.stride() + row;
            }
        }
        places
    }

    /// The factors for a quantisation table in zigzag order.
    pub(super) fn factors(self, quantisers: &[u16; 64]) -> Factors {
        let mut factors = [0.0; 64];
        for ((row, column), quantiser) in zigzag().zip(quantisers) {
            let place = usize::from(column * self.stride() + row);
            if row.max(column) < self as u8
                && let Some(factor) = factors.get_mut(place)
            {
                *factor = f32::from(*quantiser) * self.scale(row) * self.scale(column);
            }
        }
        factors
    }

    /// What the kernel of this side leaves out for a coefficient in one direction.
    fn scale(self, frequency: u8) -> f32 {
        let eighth = 1.0 / SQRT_2 / 2.0;
        match (self, frequency) {
            (Self::One | Self::Two, _) => eighth,
            (_, 0) | (Self::Four, 2) => eighth,
            (Self::Three | Self::Four, _) => 0.5,
            (Self::Eight, _) => 0.5 * (f32::from(frequency) * std::f32::consts::PI / 16.0).cos(),
        }
    }
}

/// Rows and columns of the coefficients in the order in which they are coded (T.81 figure A.6).
fn zigzag() -> impl Iterator<Item = (u8, u8)> {
    (0..15_u8).flat_map(|diagonal| {
        let (first, last) = (diagonal.saturating_sub(7), diagonal.min(7));
        (first..=last).map(move |step| {
            let back = diagonal - step;
            // even diagonals go up, odd ones down
            if diagonal % 2 == 0 { (back, step) } else { (step, back) }
        })
    })
}

/// One sample from the mean.
#[inline(always)]
pub(super) fn one(mean: i32, factors: &Factors) -> u8 {
    let [factor, ..] = factors;
    sample(mean as f32 * factor + 128.0)
}

/// Four samples by two.
#[inline(always)]
pub(super) fn two(block: &Block, factors: &Factors) -> [[u8; 2]; 2] {
    let [mean, down, across, both, ..] = dequantised::<4>(block, factors);
    let (left, right) = (mean + across + 128.0, mean - across + 128.0);
    let (falling, rising) = (down + both, down - both);
    [[sample(left + falling), sample(right + rising)], [sample(left - falling), sample(right - rising)]]
}

/// Three rows of three samples.
#[inline(always)]
pub(super) fn three<S: Simd>(simd: S, block: &Block, factors: &Factors) -> [[u8; 3]; 3] {
    let values = dequantised::<12>(block, factors);
    let (&[c0, c1, c2], []) = (values.as_chunks::<4>().0, values.as_chunks::<4>().1) else {
        return [[0; 3]; 3];
    };
    let column = |column: [f32; 4]| f32x4::load_array(simd, column);
    let [a0, a1, a2] = pass_three([column(c0), column(c1), column(c2)]);
    let [d0, d1, d2, _] = transposed([a0, a1, a2, f32x4::splat(simd, 0.0)]);
    let [r0, r1, r2] = pass_three([d0 + MIDDLE, d1, d2]);
    let [a, b, c, _, d, e, f, _, g, h, i, ..] = bytes(halves(r0, r1), halves(r2, r2));
    [[a, b, c], [d, e, f], [g, h, i]]
}

/// Four rows of four samples.
#[inline(always)]
pub(super) fn four<S: Simd>(simd: S, block: &Block, factors: &Factors) -> [[u8; 4]; 4] {
    let values = dequantised::<16>(block, factors);
    let (columns, _) = values.as_chunks::<4>();
    let mut across = [f32x4::splat(simd, 0.0); 4];
    for (to, column) in across.iter_mut().zip(columns) {
        *to = f32x4::load_array_ref(simd, column);
    }
    let mut down = transposed(pass_four(across));
    down[0] += MIDDLE;
    let [r0, r1, r2, r3] = pass_four(down);
    let bytes = bytes(halves(r0, r1), halves(r2, r3));
    let (rows, _) = bytes.as_chunks::<4>();
    let &[r0, r1, r2, r3] = rows else { return [[0; 4]; 4] };
    [r0, r1, r2, r3]
}

/// Eight rows of eight samples.
#[inline(always)]
pub(super) fn eight<S: Simd>(simd: S, block: &Block, factors: &Factors) -> [[u8; 8]; 8] {
    let values = dequantised::<64>(block, factors);
    let (columns, _) = values.as_chunks::<8>();
    let mut across = [f32x8::splat(simd, 0.0); 8];
    for (to, column) in across.iter_mut().zip(columns) {
        *to = f32x8::load_array_ref(simd, column);
    }
    let mut down = turned(pass_eight(across));
    down[0] += MIDDLE;
    let mut rows = [[0; 8]; 8];
    let lines = pass_eight(down);
    for (to, [above, below]) in rows.as_chunks_mut::<2>().0.iter_mut().zip(lines.as_chunks::<2>().0) {
        let ((a, b), (c, d)) = (above.split(), below.split());
        let bytes = bytes(halves(a, b), halves(c, d));
        let (pair, _) = bytes.as_chunks::<8>();
        to.iter_mut().zip(pair).for_each(|(to, row)| *to = *row);
    }
    rows
}

/// The value of grey, and a half for rounding.
const MIDDLE: f32 = 128.5;

#[inline(always)]
fn dequantised<const COUNT: usize>(block: &Block, factors: &Factors) -> [f32; COUNT] {
    let mut values = [0.0; COUNT];
    for ((value, coefficient), factor) in values.iter_mut().zip(block).zip(factors) {
        *value = f32::from(*coefficient) * factor;
    }
    values
}

/// Rows to columns.
#[inline(always)]
fn transposed<S: Simd>([r0, r1, r2, r3]: [f32x4<S>; 4]) -> [f32x4<S>; 4] {
    let (even, odd) = (r0.zip_low(r2), r1.zip_low(r3));
    let (even_high, odd_high) = (r0.zip_high(r2), r1.zip_high(r3));
    [even.zip_low(odd), even.zip_high(odd), even_high.zip_low(odd_high), even_high.zip_high(odd_high)]
}

/// Rows to columns, a quarter of the square at a time.
#[inline(always)]
fn turned<S: Simd>(rows: [f32x8<S>; 8]) -> [f32x8<S>; 8] {
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    let ((a0, b0), (a1, b1), (a2, b2), (a3, b3)) = (r0.split(), r1.split(), r2.split(), r3.split());
    let ((c0, d0), (c1, d1), (c2, d2), (c3, d3)) = (r4.split(), r5.split(), r6.split(), r7.split());
    let [a0, a1, a2, a3] = transposed([a0, a1, a2, a3]);
    let [b0, b1, b2, b3] = transposed([b0, b1, b2, b3]);
    let [c0, c1, c2, c3] = transposed([c0, c1, c2, c3]);
    let [d0, d1, d2, d3] = transposed([d0, d1, d2, d3]);
    [
        a0.combine(c0),
        a1.combine(c1),
        a2.combine(c2),
        a3.combine(c3),
        b0.combine(d0),
        b1.combine(d1),
        b2.combine(d2),
        b3.combine(d3),
    ]
}

/// Whole numbers, 0 to 255, of eight values.
#[inline(always)]
fn halves<S: Simd>(one: f32x4<S>, other: f32x4<S>) -> u16x8<S> {
    let whole = |values: f32x4<S>| values.max(0.0).min(255.0).to_int::<i32x4<S>>();
    whole(one).relaxed_narrow(whole(other)).bitcast()
}

#[inline(always)]
fn bytes<S: Simd>(one: u16x8<S>, other: u16x8<S>) -> [u8; 16] {
    one.relaxed_narrow(other).to_array()
}

/// The transform of three points, of each lane.
#[inline(always)]
fn pass_three<S: Simd>([r0, r1, r2]: [f32x4<S>; 3]) -> [f32x4<S>; 3] {
    /// The cosine of a sixth of a half turn.
    const NEAR: f32 = 0.866_025_4;
    let (outer, odd) = (r0 + r2 * 0.5, r1 * NEAR);
    [outer + odd, r0 - r2, outer - odd]
}

/// The transform of four points, of each lane.
#[inline(always)]
fn pass_four<S: Simd>([r0, r1, r2, r3]: [f32x4<S>; 4]) -> [f32x4<S>; 4] {
    /// Cosines of an eighth and three eighths of a half turn.
    const NEAR: f32 = 0.923_879_5;
    const FAR: f32 = 0.382_683_43;
    let (outer, inner) = (r0 + r2, r0 - r2);
    let outer_odd = r1 * NEAR + r3 * FAR;
    let inner_odd = r1 * FAR - r3 * NEAR;
    [outer + outer_odd, inner + inner_odd, inner - inner_odd, outer - outer_odd]
}

/// The transform of eight points, of each lane, with the fewest multiplications known (Arai, Agui and Nakajima).
#[inline(always)]
fn pass_eight<S: Simd>([r0, r1, r2, r3, r4, r5, r6, r7]: [f32x8<S>; 8]) -> [f32x8<S>; 8] {
    /// Twice the cosine of an eighth of a half turn, and its difference and sum with twice that of three eighths.
    const TWICE: f32 = 1.847_759_1;
    const LESS: f32 = 1.082_392_2;
    const MORE: f32 = 2.613_126;
    let (sum, difference) = (r0 + r4, r0 - r4);
    let low = r2 + r6;
    let high = (r2 - r6) * SQRT_2 - low;
    let (e0, e3) = (sum + low, sum - low);
    let (e1, e2) = (difference + high, difference - high);

    let (z13, z10) = (r5 + r3, r5 - r3);
    let (z11, z12) = (r1 + r7, r1 - r7);
    let o0 = z11 + z13;
    let z5 = (z10 + z12) * TWICE;
    let o1 = z5 - z10 * MORE - o0;
    let o2 = (z11 - z13) * SQRT_2 - o1;
    let o3 = z5 - z12 * LESS - o2;
    [e0 + o0, e1 + o1, e2 + o2, e3 + o3, e3 - o3, e2 - o2, e1 - o1, e0 - o0]
}

/// Rounded, 0 to 255.
#[inline(always)]
fn sample(value: f32) -> u8 {
    /// From here on floats are whole numbers.
    const WHOLE: f32 = 8_388_608.0;
    // as vector instructions have it, which f32::clamp is not
    let value = if value > 0.0 { value } else { 0.0 };
    let value = if value < 255.0 { value } else { 255.0 };
    #[expect(clippy::cast_possible_truncation, reason = "the lowest byte holds the whole number")]
    let byte = (value + WHOLE).to_bits() as u8;
    byte
}

#[cfg(test)]
mod tests;
