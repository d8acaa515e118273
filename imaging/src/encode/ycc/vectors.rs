//! The conversion in vectors: four pixels in a register, each with a spare byte.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, i16x8, i32x4, u8x16, u16x8};

use super::{Range, Recipe, channel_of, chroma_of_squares};

/// Bytes of 16 pixels.
const SIXTEEN: usize = 48;

/// Four pixels: red and blue, green and 0, 16 bits each.
type Four<S> = [i16x8<S>; 2];

/// Luma of a row.
pub(super) fn luma(row: &[u8], range: Range, luma: &mut Vec<u8>) {
    let [recipe, ..] = range.recipes();
    let (sixteens, rest) = row.as_chunks::<SIXTEEN>();
    dispatch!(Level::new(), simd => channel(simd, sixteens, recipe, luma));
    channel_of(rest, recipe, luma);
}

/// Chroma of a row.
pub(super) fn chroma(row: &[u8], range: Range, blue: &mut Vec<u8>, red: &mut Vec<u8>) {
    let [_, to_blue, to_red] = range.recipes();
    let (sixteens, rest) = row.as_chunks::<SIXTEEN>();
    dispatch!(Level::new(), simd => {
        channel(simd, sixteens, to_blue, blue);
        channel(simd, sixteens, to_red, red);
    });
    channel_of(rest, to_blue, blue);
    channel_of(rest, to_red, red);
}

/// Chroma of squares of four pixels in two rows.
pub(super) fn chroma_halved(upper: &[u8], lower: &[u8], range: Range, blue: &mut Vec<u8>, red: &mut Vec<u8>) {
    let [_, recipes @ ..] = range.recipes();
    let (uppers, upper_rest) = upper.as_chunks::<SIXTEEN>();
    let (lowers, lower_rest) = lower.as_chunks::<SIXTEEN>();
    dispatch!(Level::new(), simd => halved(simd, [uppers, lowers], recipes, blue, red));
    chroma_of_squares([upper_rest, lower_rest], recipes, blue, red);
}

#[inline(always)]
fn channel<S: Simd>(simd: S, sixteens: &[[u8; SIXTEEN]], recipe: Recipe, channel: &mut Vec<u8>) {
    for sixteen in sixteens {
        let [a, b, c, d] = fours(simd, sixteen);
        let low = eight::<S, 15>(simd, [a, b], recipe);
        let high = eight::<S, 15>(simd, [c, d], recipe);
        channel.extend_from_slice(low.saturating_narrow(high).as_array());
    }
}

#[inline(always)]
fn halved<S: Simd>(
    simd: S,
    [uppers, lowers]: [&[[u8; SIXTEEN]]; 2],
    [to_blue, to_red]: [Recipe; 2],
    blue: &mut Vec<u8>,
    red: &mut Vec<u8>,
) {
    for (upper, lower) in uppers.iter().zip(lowers) {
        let [a, b, c, d] = fours(simd, upper);
        let [e, f, g, h] = fours(simd, lower);
        let left = squares(added(a, e), added(b, f));
        let right = squares(added(c, g), added(d, h));
        let blues = eight::<S, 17>(simd, [left, right], to_blue);
        let reds = eight::<S, 17>(simd, [left, right], to_red);
        let both: u8x16<S> = blues.saturating_narrow(reds);
        let (of_blue, of_red) = both.as_array().split_at(8);
        blue.extend_from_slice(of_blue);
        red.extend_from_slice(of_red);
    }
}

#[inline(always)]
fn fours<S: Simd>(simd: S, sixteen: &[u8; SIXTEEN]) -> [Four<S>; 4] {
    // twelve bytes from the start of each vector but the last, which ends with them
    let at = |start: usize| sixteen.get(start..).and_then(|rest| rest.first_chunk()).unwrap_or(&[0; 16]);
    [four(simd, at(0), 0), four(simd, at(12), 0), four(simd, at(24), 0), four(simd, at(32), 4)]
}

/// Four pixels from `first` on.
#[inline(always)]
fn four<S: Simd>(simd: S, bytes: &[u8; 16], first: u8) -> Four<S> {
    let bytes = u8x16::load_array_ref(simd, bytes);
    let mask = i16x8::splat(simd, 0xFF);
    let taken = |order: [u8; 16]| {
        let order = u8x16::load_array(simd, order) + first;
        bytes.swizzle_dyn(order).bitcast::<i16x8<S>>() & mask
    };
    [
        taken([0, 0, 2, 0, 3, 0, 5, 0, 6, 0, 8, 0, 9, 0, 11, 0]),
        taken([1, 0, 1, 0, 4, 0, 4, 0, 7, 0, 7, 0, 10, 0, 10, 0]),
    ]
}

#[inline(always)]
fn added<S: Simd>([one, green]: Four<S>, [other, other_green]: Four<S>) -> Four<S> {
    [one + other, green + other_green]
}

/// Sums of neighbours.
#[inline(always)]
fn squares<S: Simd>([low, low_green]: Four<S>, [high, high_green]: Four<S>) -> Four<S> {
    [neighbours(low, high), neighbours(low_green, high_green)]
}

#[inline(always)]
fn neighbours<S: Simd>(low: i16x8<S>, high: i16x8<S>) -> i16x8<S> {
    let (low, high) = (low.bitcast::<i32x4<S>>(), high.bitcast::<i32x4<S>>());
    low.unzip_low(high).bitcast::<i16x8<S>>() + low.unzip_high(high).bitcast::<i16x8<S>>()
}

/// Weighted sums with `BITS` fraction bits of eight pixels, rounded, moved by `offset`. None is negative.
#[inline(always)]
fn eight<S: Simd, const BITS: u32>(simd: S, [low, high]: [Four<S>; 2], recipe: Recipe) -> u16x8<S> {
    let low = weighted::<S, BITS>(simd, low, recipe);
    let high = weighted::<S, BITS>(simd, high, recipe);
    low.saturating_narrow(high).bitcast()
}

/// The same of four, moved by `offset`.
#[inline(always)]
fn weighted<S: Simd, const BITS: u32>(simd: S, four: Four<S>, recipe: Recipe) -> i32x4<S> {
    let Recipe { weights: [red, green, blue], offset } = recipe;
    let [first, second] = four;
    let first =
        first.pairwise_dot_product(i16x8::load_array(simd, [red, blue, red, blue, red, blue, red, blue]));
    let second =
        second.pairwise_dot_product(i16x8::load_array(simd, [green, 0, green, 0, green, 0, green, 0]));
    (first + second + ((offset << BITS) + (1 << (BITS - 1)))) >> BITS
}
