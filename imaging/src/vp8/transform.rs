//! From coefficients to differences from what was predicted (RFC 6386 section 14).

use fearless_simd::prelude::*;
use fearless_simd::{i16x8, i32x4, u8x16, u16x8};

use super::tokens::Block;

/// Four rows of four samples.
pub(super) type Samples = [u8; 16];

/// What is predicted and the differences of all coefficients.
#[inline(always)]
pub(super) fn all<S: Simd>(simd: S, block: &Block, predicted: Samples) -> Samples {
    let [low, high] = halves(block);
    let (r0, r1) = i16x8::load_array(simd, low).widen();
    let (r2, r3) = i16x8::load_array(simd, high).widen();
    let [c0, c1, c2, c3] = transposed(pass([r0, r1, r2, r3]));
    let rounding = i32x4::splat(simd, 4);
    let [r0, r1, r2, r3] = transposed(pass([c0 + rounding, c1, c2, c3]));
    let narrow = |one: i32x4<S>, other: i32x4<S>| (one >> 3).relaxed_narrow(other >> 3);
    sum(simd, narrow(r0, r1), narrow(r2, r3), predicted)
}

/// The same where there is no coefficient but the first.
#[inline(always)]
pub(super) fn first<S: Simd>(simd: S, first: i16, predicted: Samples) -> Samples {
    let difference = i16x8::splat(simd, first.wrapping_add(4) >> 3);
    sum(simd, difference, difference, predicted)
}

#[inline(always)]
fn sum<S: Simd>(simd: S, upper: i16x8<S>, lower: i16x8<S>, predicted: Samples) -> Samples {
    let (above, below) = u8x16::load_array(simd, predicted).widen();
    let sum = |difference: i16x8<S>, samples: u16x8<S>| {
        let sum = difference.saturating_add(samples.bitcast::<i16x8<S>>());
        sum.max(0).min(255).bitcast::<u16x8<S>>()
    };
    sum(upper, above).relaxed_narrow(sum(lower, below)).to_array()
}

fn halves(block: &Block) -> [[i16; 8]; 2] {
    let &[a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = block;
    [[a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]]
}

/// Columns to rows.
#[inline(always)]
fn transposed<S: Simd>([r0, r1, r2, r3]: [i32x4<S>; 4]) -> [i32x4<S>; 4] {
    let (even, odd) = (r0.zip_low(r2), r1.zip_low(r3));
    let (even_high, odd_high) = (r0.zip_high(r2), r1.zip_high(r3));
    [even.zip_low(odd), even.zip_high(odd), even_high.zip_low(odd_high), even_high.zip_high(odd_high)]
}

/// The transform of four points, of each lane (section 14.3).
#[inline(always)]
fn pass<S: Simd>([r0, r1, r2, r3]: [i32x4<S>; 4]) -> [i32x4<S>; 4] {
    // the cosine of an eighth of a half turn, less one, and its sine, times the root of two
    let near = |value: i32x4<S>| value + ((value * 20_091) >> 16);
    let far = |value: i32x4<S>| (value * 35_468) >> 16;
    let (outer, inner) = (r0 + r2, r0 - r2);
    let inner_odd = far(r1) - near(r3);
    let outer_odd = near(r1) + far(r3);
    [outer + outer_odd, inner + inner_odd, inner - inner_odd, outer - outer_odd]
}

/// The means of sixteen blocks from their transform (section 14.3).
pub(super) fn means(block: &Block) -> Block {
    let at = |index: usize| block.get(index).copied().map_or(0, i32::from);
    let mut columns = [[0; 4]; 4];
    for (index, column) in columns.iter_mut().enumerate() {
        *column = butterfly([at(index), at(4 + index), at(8 + index), at(12 + index)]);
    }
    let [c0, c1, c2, c3] = columns;
    let mut means = [0; 16];
    let rows = c0.into_iter().zip(c1).zip(c2).zip(c3);
    for (to, (((first, second), third), fourth)) in means.as_chunks_mut::<4>().0.iter_mut().zip(rows) {
        #[expect(clippy::cast_possible_truncation, reason = "only damaged data has more than 16 bits")]
        let row = butterfly([first + 3, second, third, fourth]).map(|sum| (sum >> 3) as i16);
        *to = row;
    }
    means
}

#[inline(always)]
fn butterfly([first, second, third, fourth]: [i32; 4]) -> [i32; 4] {
    let (outer, inner) = (first + fourth, second + third);
    let (outer_odd, inner_odd) = (first - fourth, second - third);
    [outer + inner, outer_odd + inner_odd, outer - inner, outer_odd - inner_odd]
}
