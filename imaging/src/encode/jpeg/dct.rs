//! From samples to quantised coefficients: the forward DCT (T.81 annex A.3.3) in 16 bits, and division by table.
//!
//! The one-dimensional transform is the even and odd halves of the cosine matrix, applied as sums of products of pairs:
//! that is what vectors of 16-bit integers do best.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, i16x8, i32x4, u8x16};

use super::tables::{ZIGZAG_BY_COLUMN, quantisation};

/// Eight rows of eight samples.
pub(super) type Samples = [u8; 64];

/// Rows, or columns, of eight.
type Rows<S> = [i16x8<S>; 8];

/// Fraction bits of the cosines.
const FRACTION: u32 = 14;
/// Bits that the first pass keeps below the integer.
const KEPT: u32 = 2;
/// Fraction bits of the reciprocals.
const PRECISION: u32 = 18;
/// Two numbers whose product is a half with [`PRECISION`] fraction bits.
const HALF: [i16; 2] = [1 << 14, 1 << (PRECISION - 15)];

/// `sqrt(2) * cos(k * pi / 16)` for k = 1 to 7, with [`FRACTION`] bits. The fourth, which is 1, is not multiplied with.
const COSINES: [i16; 7] = [22_725, 21_407, 19_266, 16_384, 12_873, 8_867, 4_520];

/// A block of quantised coefficients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// Column by column; see [`coefficient`](Self::coefficient).
    values: [i16; 64],
    /// Bit n says that the n-th coefficient in the file's order is not 0.
    pub(super) filled: u64,
}

impl Block {
    /// The n-th coefficient in the file's order; n is taken modulo 64.
    #[inline(always)]
    pub(super) fn coefficient(&self, n: u32) -> i16 {
        let place = ZIGZAG_BY_COLUMN.get(usize::try_from(n & 63).unwrap_or(0)).copied().unwrap_or(0);
        self.values.get(usize::from(place & 63)).copied().unwrap_or(0)
    }
}

/// One over each divisor with [`PRECISION`] fraction bits, column by column, each followed by the second half of [`HALF`].
#[derive(Debug, Clone)]
pub(super) struct Divisors([i16; 128]);

impl Divisors {
    /// For luma and for chroma.
    pub(super) fn of_quality(quality: u8) -> [Self; 2] {
        quantisation(quality).map(|steps| Self::new(&steps))
    }

    fn new(steps: &[u8; 64]) -> Self {
        let mut pairs = [0; 128];
        for (step, place) in steps.iter().zip(ZIGZAG_BY_COLUMN) {
            // the transform's results are eight times the coefficients
            let divisor = u32::from((*step).max(1)) * 8;
            let reciprocal = ((1 << PRECISION) + divisor / 2) / divisor;
            if let Some(pair) = pairs.as_chunks_mut::<2>().0.get_mut(usize::from(place)) {
                *pair = [i16::try_from(reciprocal).unwrap_or(i16::MAX), HALF[1]];
            }
        }
        Self(pairs)
    }
}

/// Transforms and quantises a block.
#[inline(always)]
pub(super) fn forward<S: Simd>(simd: S, samples: &Samples, divisors: &Divisors) -> Block {
    let across = turned(pass::<S, { FRACTION - KEPT }>(simd, loaded(simd, samples)));
    let results = pass::<S, { FRACTION + KEPT }>(simd, across);
    let mut values = [0; 64];
    let mut filled = [0; 8];
    let places = values.as_chunks_mut::<8>().0.iter_mut().zip(&mut filled);
    for (((place, bits), result), pairs) in places.zip(results).zip(divisors.0.as_chunks::<16>().0) {
        let quotient = divided(simd, result, pairs);
        quotient.store_slice(place);
        let [low, ..] = quotient.simd_eq(i16x8::splat(simd, 0)).to_bitmask().to_le_bytes();
        *bits = !low;
    }
    Block { values, filled: in_order(filled) }
}

/// Samples as 16-bit values around 0.
#[inline(always)]
fn loaded<S: Simd>(simd: S, samples: &Samples) -> Rows<S> {
    let mut rows = [i16x8::splat(simd, 0); 8];
    for (two, sixteen) in rows.as_chunks_mut::<2>().0.iter_mut().zip(samples.as_chunks::<16>().0) {
        let (upper, lower) = u8x16::load_array_ref(simd, sixteen).widen();
        *two = [upper, lower].map(|row| row.bitcast::<i16x8<S>>() - 128);
    }
    rows
}

/// Transforms all columns at once; products are rounded and shifted right by `SHIFT`.
#[inline(always)]
fn pass<S: Simd, const SHIFT: u32>(simd: S, rows: Rows<S>) -> Rows<S> {
    let [c1, c2, c3, _, c5, c6, c7] = COSINES;
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    let (a, b, c, d) = (r0 + r7, r1 + r6, r2 + r5, r3 + r4);
    let (e, f, g, h) = (r0 - r7, r1 - r6, r2 - r5, r3 - r4);
    let even = pairs(a - d, b - c);
    let (first, second) = (pairs(e, f), pairs(g, h));
    [
        plain::<S, SHIFT>((a + d) + (b + c)),
        odd::<S, SHIFT>(simd, first, [c1, c3], second, [c5, c7]),
        halved::<S, SHIFT>(products(simd, even, [c2, c6])),
        odd::<S, SHIFT>(simd, first, [c3, -c7], second, [-c1, -c5]),
        plain::<S, SHIFT>((a + d) - (b + c)),
        odd::<S, SHIFT>(simd, first, [c5, -c1], second, [c7, c3]),
        halved::<S, SHIFT>(products(simd, even, [c6, -c2])),
        odd::<S, SHIFT>(simd, first, [c7, -c5], second, [c3, -c1]),
    ]
}

/// Values of two rows side by side: the first four columns, the last four.
type Pairs<S> = [i16x8<S>; 2];

#[inline(always)]
fn pairs<S: Simd>(one: i16x8<S>, other: i16x8<S>) -> Pairs<S> {
    [one.zip_low(other), one.zip_high(other)]
}

/// For each pair the sum of its products with the factors.
#[inline(always)]
fn products<S: Simd>(simd: S, [low, high]: Pairs<S>, [a, b]: [i16; 2]) -> [i32x4<S>; 2] {
    let factors = i16x8::load_array(simd, [a, b, a, b, a, b, a, b]);
    [low.pairwise_dot_product(factors), high.pairwise_dot_product(factors)]
}

#[inline(always)]
fn odd<S: Simd, const SHIFT: u32>(
    simd: S,
    first: Pairs<S>,
    factors: [i16; 2],
    second: Pairs<S>,
    other_factors: [i16; 2],
) -> i16x8<S> {
    let [low, high] = products(simd, first, factors);
    let [more_low, more_high] = products(simd, second, other_factors);
    halved::<S, SHIFT>([low + more_low, high + more_high])
}

/// Rounded, shifted, back to 16 bits.
#[inline(always)]
fn halved<S: Simd, const SHIFT: u32>([low, high]: [i32x4<S>; 2]) -> i16x8<S> {
    let half = 1 << (SHIFT - 1);
    ((low + half) >> SHIFT).saturating_narrow((high + half) >> SHIFT)
}

/// A value that is not multiplied, brought to the scale of those that are.
#[inline(always)]
fn plain<S: Simd, const SHIFT: u32>(sum: i16x8<S>) -> i16x8<S> {
    if SHIFT > FRACTION { (sum + (1 << (KEPT - 1))) >> KEPT } else { sum << KEPT }
}

/// Rows become columns.
#[inline(always)]
fn turned<S: Simd>(rows: Rows<S>) -> Rows<S> {
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    let ([a, b], [c, d]) = (pairs(r0, r4), pairs(r1, r5));
    let ([e, f], [g, h]) = (pairs(r2, r6), pairs(r3, r7));
    let ([i, j], [k, l]) = (pairs(a, e), pairs(b, f));
    let ([m, n], [o, p]) = (pairs(c, g), pairs(d, h));
    let ([q, r], [s, t]) = (pairs(i, m), pairs(j, n));
    let ([u, v], [w, x]) = (pairs(k, o), pairs(l, p));
    [q, r, s, t, u, v, w, x]
}

/// Divides by multiplying, to the nearest.
#[inline(always)]
fn divided<S: Simd>(simd: S, result: i16x8<S>, reciprocals: &[i16; 16]) -> i16x8<S> {
    let [low, high] = pairs(result, i16x8::splat(simd, HALF[0]));
    let [first, second, ..] = reciprocals.as_chunks::<8>().0 else { return result };
    let low = low.pairwise_dot_product(i16x8::load_array_ref(simd, first));
    let high = high.pairwise_dot_product(i16x8::load_array_ref(simd, second));
    (low >> PRECISION).saturating_narrow(high >> PRECISION)
}

/// Bits of coefficients that lie column by column, put into the file's order.
#[inline(always)]
fn in_order(filled: [u8; 8]) -> u64 {
    let mut ordered = 0;
    for (column, places) in filled.into_iter().zip(&ORDER) {
        ordered |= places.get(usize::from(column)).copied().unwrap_or(0);
    }
    ordered
}

/// For each column and each set of filled rows in it, the bits in the file's order.
static ORDER: [[u64; 256]; 8] = order();

#[expect(clippy::indexing_slicing, reason = "evaluated when compiling, where a wrong index is an error")]
const fn order() -> [[u64; 256]; 8] {
    let mut order = [[0; 256]; 8];
    let mut n = 0;
    while n < 64 {
        let place = ZIGZAG_BY_COLUMN[n] as usize;
        let mut set = 0;
        while set < 256 {
            if set >> (place % 8) & 1 == 1 {
                order[place / 8][set] |= 1 << n;
            }
            set += 1;
        }
        n += 1;
    }
    order
}

#[cfg(test)]
mod tests {
    use fearless_simd::{Level, dispatch};

    use super::super::tables::ZIGZAG;
    use super::*;

    /// Samples of every kind: flat, edges, noise.
    fn blocks() -> Vec<Samples> {
        let mut state = 1_u32;
        let mut noise = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let mut blocks: Vec<Samples> = [0, 1, 127, 128, 255].iter().map(|&level: &u8| [level; 64]).collect();
        for n in 0..64_usize {
            let mut edge = [0; 64];
            edge[n..].fill(255);
            blocks.push(edge);
        }
        blocks.extend((0..200).map(|_| std::array::from_fn(|_| noise())));
        blocks.extend((0..200).map(|_| std::array::from_fn(|_| if noise() > 127 { 255 } else { 0 })));
        blocks
    }

    /// The definition, in the file's order.
    fn exact(samples: &Samples) -> [f64; 64] {
        std::array::from_fn(|n| {
            let (v, u) = (f64::from(ZIGZAG[n] / 8), f64::from(ZIGZAG[n] % 8));
            let norm = |k: f64| if k == 0.0 { 0.5_f64.sqrt() } else { 1.0 };
            let cosine =
                |k: f64, at: usize| ((2.0 * at as f64 + 1.0) * k * std::f64::consts::PI / 16.0).cos();
            let sum: f64 = (0..64)
                .map(|at| (f64::from(samples[at]) - 128.0) * cosine(v, at / 8) * cosine(u, at % 8))
                .sum();
            sum * norm(u) * norm(v) / 4.0
        })
    }

    #[test]
    fn coefficients_are_those_of_the_definition() {
        for quality in [1, 50, 80, 100] {
            let steps = quantisation(quality)[0];
            let divisors = Divisors::new(&steps);
            for samples in blocks() {
                let block = dispatch!(Level::new(), simd => forward(simd, &samples, &divisors));
                for (n, exact) in (0..).zip(exact(&samples)) {
                    let wanted = exact / f64::from(steps[n as usize]);
                    let found = f64::from(block.coefficient(n));
                    assert!(
                        (found - wanted).abs() < 0.66,
                        "q{quality} #{n}: {found}, not {wanted}: {samples:?}"
                    );
                    assert_eq!(block.filled >> n & 1 == 1, found != 0.0, "{n}");
                }
            }
        }
    }

    #[test]
    fn every_processor_gives_the_same() {
        let level = Level::new();
        let fallback = Level::baseline();
        for divisors in &Divisors::of_quality(90) {
            for samples in blocks() {
                let best = dispatch!(level, simd => forward(simd, &samples, divisors));
                assert_eq!(best, dispatch!(fallback, simd => forward(simd, &samples, divisors)));
            }
        }
    }
}
