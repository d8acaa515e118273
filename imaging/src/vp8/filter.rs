//! Smooths the edges between blocks (RFC 6386 section 15).
//!
//! Sixteen places of an edge are done at once: those of luma, or eight of each chroma. For edges that run down, the samples
//! next to them are turned to lie in rows, and back.

use fearless_simd::prelude::*;
use fearless_simd::{i8x16, i16x8, mask8x16, u8x16};

/// How an edge is smoothed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Strength {
    /// What the step across an edge may be at most, inside a macroblock; at its border four more.
    pub(super) edge: u8,
    /// What neighbours on one side may differ by at most.
    pub(super) inner: u8,
    /// From more than this on, neighbours count as a detail.
    pub(super) variance: u8,
}

impl Strength {
    fn at_border(self) -> Self {
        Self { edge: self.edge + 4, ..self }
    }
}

/// A plane whose rows are whole macroblocks.
#[derive(Debug)]
pub(super) struct Canvas {
    pub(super) samples: Vec<u8>,
    pub(super) stride: usize,
}

/// One macroblock: where it is, counted in macroblocks, and how it is smoothed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) across: usize,
    pub(super) down: usize,
    pub(super) strength: Strength,
    /// Whether the edges inside it are smoothed too.
    pub(super) has_inner: bool,
}

/// Eight samples across an edge, four on either side.
type Taps<S> = [u8x16<S>; 8];

/// Smooths the edges of a macroblock that lie to the left, above and inside.
#[inline(always)]
pub(super) fn normal<S: Simd>(simd: S, [luma, blue, red]: &mut [Canvas; 3], place: Place) {
    let (inner, border) = (Limits::new(simd, place.strength), Limits::new(simd, place.strength.at_border()));
    let at = place.down * 16 * luma.stride + place.across * 16;
    let half = place.down * 8 * blue.stride + place.across * 8;
    if place.across > 0 {
        across(simd, luma, at, (Filter::Border, border));
        across_both(simd, [blue, red], half, (Filter::Border, border));
    }
    if place.has_inner {
        across_inside(simd, luma, at, (Filter::Inside, inner));
        across_both(simd, [blue, red], half + 4, (Filter::Inside, inner));
    }
    if place.down > 0 {
        down(simd, luma, at, (Filter::Border, border));
        down_both(simd, [blue, red], half, (Filter::Border, border));
    }
    if place.has_inner {
        for edge in [4, 8, 12] {
            down(simd, luma, at + edge * luma.stride, (Filter::Inside, inner));
        }
        let half = half + 4 * blue.stride;
        down_both(simd, [blue, red], half, (Filter::Inside, inner));
    }
}

/// The same by the simple filter, which leaves chroma as it is.
#[inline(always)]
pub(super) fn simple<S: Simd>(simd: S, luma: &mut Canvas, place: Place) {
    let (inner, border) = (Limits::new(simd, place.strength), Limits::new(simd, place.strength.at_border()));
    let at = place.down * 16 * luma.stride + place.across * 16;
    if place.across > 0 {
        across(simd, luma, at, (Filter::Simple, border));
    }
    if place.has_inner {
        across_inside(simd, luma, at, (Filter::Simple, inner));
    }
    if place.down > 0 {
        down(simd, luma, at, (Filter::Simple, border));
    }
    if place.has_inner {
        for edge in [4, 8, 12] {
            down(simd, luma, at + edge * luma.stride, (Filter::Simple, inner));
        }
    }
}

/// [`Strength`] for all lanes.
#[derive(Clone, Copy)]
struct Limits<S: Simd> {
    edge: u8x16<S>,
    inner: u8x16<S>,
    variance: u8x16<S>,
}

impl<S: Simd> Limits<S> {
    #[inline(always)]
    fn new(simd: S, strength: Strength) -> Self {
        let all = |value| u8x16::splat(simd, value);
        Self { edge: all(strength.edge), inner: all(strength.inner), variance: all(strength.variance) }
    }
}

/// What smooths.
#[derive(Debug, Clone, Copy)]
enum Filter {
    Simple,
    Inside,
    Border,
}

#[inline(always)]
fn smoothed<S: Simd>(taps: Taps<S>, (filter, limits): (Filter, Limits<S>)) -> Taps<S> {
    match filter {
        Filter::Simple => simply(taps, limits),
        Filter::Inside => inside(taps, limits),
        Filter::Border => at_border(taps, limits),
    }
}

/// The filter of section 15.2.
#[inline(always)]
fn simply<S: Simd>(taps: Taps<S>, limits: Limits<S>) -> Taps<S> {
    let [p3, p2, p1, p0, q0, q1, q2, q3] = taps;
    let smooth = is_low_step([p1, p0, q0, q1], limits);
    let [before, behind] = [signed(p0), signed(q0)];
    let change = keep(smooth, step(signed(p1).saturating_sub(signed(q1)), before, behind));
    let (p0, q0) = moved(before, behind, change);
    [p3, p2, p1, unsigned(p0), unsigned(q0), q1, q2, q3]
}

/// The filter for edges inside a macroblock (section 15.3).
#[inline(always)]
fn inside<S: Simd>(taps: Taps<S>, limits: Limits<S>) -> Taps<S> {
    let [p3, p2, p1, p0, q0, q1, q2, q3] = taps;
    let smooth = is_smooth(taps, limits);
    let detail = is_detail(taps, limits);
    let [far_before, before, behind, far_behind] = [signed(p1), signed(p0), signed(q0), signed(q1)];
    let outer = keep(detail, far_before.saturating_sub(far_behind));
    let change = keep(smooth, step(outer, before, behind));
    let less = change.saturating_add(4) >> 3;
    let (p0, q0) = moved(before, behind, change);
    let half = keep(!detail, (less + 1) >> 1);
    let (p1, q1) = (far_before.saturating_add(half), far_behind.saturating_sub(half));
    [p3, p2, unsigned(p1), unsigned(p0), unsigned(q0), unsigned(q1), q2, q3]
}

/// The filter for edges between macroblocks (section 15.3).
#[inline(always)]
fn at_border<S: Simd>(taps: Taps<S>, limits: Limits<S>) -> Taps<S> {
    let [p3, p2, p1, p0, q0, q1, q2, q3] = taps;
    let smooth = is_smooth(taps, limits);
    let detail = is_detail(taps, limits);
    let outer = signed(p1).saturating_sub(signed(q1));
    let change = keep(smooth, step(outer, signed(p0), signed(q0)));
    let (p0, q0) = moved(signed(p0), signed(q0), keep(detail, change));
    let (low, high) = keep(!detail, change).widen();
    // 27, 18 and 9 of 128
    let ninth = |part: i16x8<S>| (part << 3) + part;
    let (low, high) = (ninth(low), ninth(high));
    let (low2, high2) = (low + low, high + high);
    let narrow = |low: i16x8<S>, high: i16x8<S>| ((low + 63) >> 7).relaxed_narrow((high + 63) >> 7);
    let near = narrow(low + low2, high + high2);
    let middle = narrow(low2, high2);
    let far = narrow(low, high);
    let (p0, q0) = (p0.saturating_add(near), q0.saturating_sub(near));
    let (p1, q1) = (signed(p1).saturating_add(middle), signed(q1).saturating_sub(middle));
    let (p2, q2) = (signed(p2).saturating_add(far), signed(q2).saturating_sub(far));
    [p3, unsigned(p2), unsigned(p1), unsigned(p0), unsigned(q0), unsigned(q1), unsigned(q2), q3]
}

/// Three times the step across the edge and what lies around it, held to a byte.
#[inline(always)]
fn step<S: Simd>(outer: i8x16<S>, before: i8x16<S>, behind: i8x16<S>) -> i8x16<S> {
    let step = behind.saturating_sub(before);
    outer.saturating_add(step).saturating_add(step).saturating_add(step)
}

/// Both sides of the edge moved towards each other by an eighth of `change`.
#[inline(always)]
fn moved<S: Simd>(before: i8x16<S>, behind: i8x16<S>, change: i8x16<S>) -> (i8x16<S>, i8x16<S>) {
    let (more, less) = (change.saturating_add(3) >> 3, change.saturating_add(4) >> 3);
    (before.saturating_add(more), behind.saturating_sub(less))
}

/// Whether the step across the edge is small enough to be one that coding made.
#[inline(always)]
fn is_low_step<S: Simd>([p1, p0, q0, q1]: [u8x16<S>; 4], limits: Limits<S>) -> mask8x16<S> {
    let (near, far) = (distance(p0, q0), distance(p1, q1));
    near.saturating_add(near).saturating_add(far >> 1).simd_le(limits.edge)
}

/// The same, and whether neighbours on either side are alike.
#[inline(always)]
fn is_smooth<S: Simd>([p3, p2, p1, p0, q0, q1, q2, q3]: Taps<S>, limits: Limits<S>) -> mask8x16<S> {
    let before = distance(p3, p2).max(distance(p2, p1)).max(distance(p1, p0));
    let behind = distance(q3, q2).max(distance(q2, q1)).max(distance(q1, q0));
    before.max(behind).simd_le(limits.inner) & is_low_step([p1, p0, q0, q1], limits)
}

/// Whether there is detail next to the edge.
#[inline(always)]
fn is_detail<S: Simd>([_, _, p1, p0, q0, q1, _, _]: Taps<S>, limits: Limits<S>) -> mask8x16<S> {
    !distance(p1, p0).max(distance(q1, q0)).simd_le(limits.variance)
}

#[inline(always)]
fn distance<S: Simd>(one: u8x16<S>, other: u8x16<S>) -> u8x16<S> {
    one.saturating_sub(other) | other.saturating_sub(one)
}

#[inline(always)]
fn keep<S: Simd>(mask: mask8x16<S>, values: i8x16<S>) -> i8x16<S> {
    mask.select(values, i8x16::splat(values.token(), 0))
}

/// Less 128.
#[inline(always)]
fn signed<S: Simd>(samples: u8x16<S>) -> i8x16<S> {
    (samples ^ 128).bitcast()
}

#[inline(always)]
fn unsigned<S: Simd>(samples: i8x16<S>) -> u8x16<S> {
    samples.bitcast::<u8x16<S>>() ^ 128
}

/// Smooths an edge of luma that runs across, above the row that begins at `at`.
#[inline(always)]
fn down<S: Simd>(simd: S, plane: &mut Canvas, at: usize, filter: (Filter, Limits<S>)) {
    let Canvas { samples, stride } = plane;
    let first = at - 4 * *stride;
    let mut taps = [u8x16::splat(simd, 0); 8];
    for (index, tap) in taps.iter_mut().enumerate() {
        *tap = u8x16::load_array(simd, load(samples, first + index * *stride));
    }
    let [_, p2, p1, p0, q0, q1, q2, _] = smoothed(taps, filter);
    for (index, tap) in (1..).zip(&[p2, p1, p0, q0, q1, q2]) {
        store(samples, first + index * *stride, tap.to_array());
    }
}

/// The same in both planes of chroma.
#[inline(always)]
fn down_both<S: Simd>(simd: S, [blue, red]: [&mut Canvas; 2], at: usize, filter: (Filter, Limits<S>)) {
    let stride = blue.stride;
    let first = at - 4 * stride;
    let mut taps = [u8x16::splat(simd, 0); 8];
    for (index, tap) in taps.iter_mut().enumerate() {
        let at = first + index * stride;
        *tap = pair(simd, load(&blue.samples, at), load(&red.samples, at));
    }
    let [_, p2, p1, p0, q0, q1, q2, _] = smoothed(taps, filter);
    for (index, tap) in (1..).zip(&[p2, p1, p0, q0, q1, q2]) {
        let (blues, reds) = parted(*tap);
        store(&mut blue.samples, first + index * stride, blues);
        store(&mut red.samples, first + index * stride, reds);
    }
}

/// Smooths an edge of luma that runs down, to the left of the sample at `at`.
#[inline(always)]
fn across<S: Simd>(simd: S, plane: &mut Canvas, at: usize, filter: (Filter, Limits<S>)) {
    let Canvas { samples, stride } = plane;
    let at = |index: usize| at - 4 + index * *stride;
    let mut pairs = [u8x16::splat(simd, 0); 8];
    for (index, to) in pairs.iter_mut().enumerate() {
        *to = pair(simd, load(samples, at(2 * index)), load(samples, at(2 * index + 1)));
    }
    let pairs = upright(smoothed(turned(pairs), filter));
    for (index, pair) in pairs.iter().enumerate() {
        let (above, below) = parted(*pair);
        store(samples, at(2 * index), above);
        store(samples, at(2 * index + 1), below);
    }
}

/// The same for the three edges inside the macroblock of luma that begins at `at`.
#[inline(always)]
fn across_inside<S: Simd>(simd: S, plane: &mut Canvas, at: usize, filter: (Filter, Limits<S>)) {
    let Canvas { samples, stride } = plane;
    let at = |index: usize| at + index * *stride;
    let mut rows = [u8x16::splat(simd, 0); 16];
    for (index, row) in rows.iter_mut().enumerate() {
        *row = u8x16::load_array(simd, load(samples, at(index)));
    }
    let [c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15] = turned_square(rows);
    let [c0, c1, c2, c3, c4, c5, c6, c7] = smoothed([c0, c1, c2, c3, c4, c5, c6, c7], filter);
    let [c4, c5, c6, c7, c8, c9, c10, c11] = smoothed([c4, c5, c6, c7, c8, c9, c10, c11], filter);
    let [c8, c9, c10, c11, c12, c13, c14, c15] = smoothed([c8, c9, c10, c11, c12, c13, c14, c15], filter);
    let rows = turned_square([c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15]);
    for (index, row) in rows.iter().enumerate() {
        store(samples, at(index), row.to_array());
    }
}

/// The same for the edge in both planes of chroma.
#[inline(always)]
fn across_both<S: Simd>(simd: S, [blue, red]: [&mut Canvas; 2], at: usize, filter: (Filter, Limits<S>)) {
    let stride = blue.stride;
    let at = |index: usize| at - 4 + index * stride;
    let mut pairs = [u8x16::splat(simd, 0); 8];
    let (blues, reds) = pairs.split_at_mut(4);
    for (pairs, plane) in [(blues, &*blue), (reds, &*red)] {
        for (index, to) in pairs.iter_mut().enumerate() {
            *to = pair(simd, load(&plane.samples, at(2 * index)), load(&plane.samples, at(2 * index + 1)));
        }
    }
    let pairs = upright(smoothed(turned(pairs), filter));
    let (blues, reds) = pairs.split_at(4);
    for (pairs, plane) in [(blues, blue), (reds, red)] {
        for (index, pair) in pairs.iter().enumerate() {
            let (above, below) = parted(*pair);
            store(&mut plane.samples, at(2 * index), above);
            store(&mut plane.samples, at(2 * index + 1), below);
        }
    }
}

#[inline(always)]
fn load<const COUNT: usize>(samples: &[u8], at: usize) -> [u8; COUNT] {
    samples.get(at..at + COUNT).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; COUNT])
}

#[inline(always)]
fn store<const COUNT: usize>(samples: &mut [u8], at: usize, values: [u8; COUNT]) {
    if let Some(to) = samples.get_mut(at..at + COUNT).and_then(|rest| rest.first_chunk_mut()) {
        *to = values;
    }
}

#[inline(always)]
fn pair<S: Simd>(simd: S, [a, b, c, d, e, f, g, h]: [u8; 8], [i, j, k, l, m, n, o, p]: [u8; 8]) -> u8x16<S> {
    u8x16::load_array(simd, [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

#[inline(always)]
fn parted<S: Simd>(pair: u8x16<S>) -> ([u8; 8], [u8; 8]) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = pair.to_array();
    ([a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p])
}

/// Sixteen rows of eight, two in each vector, to eight columns of sixteen: each step moves one bit of the number of a vector
/// to the low end of the number of a lane, and one from its high end back.
#[inline(always)]
fn turned<S: Simd>(pairs: Taps<S>) -> Taps<S> {
    riffled(riffled(riffled(riffled(pairs))))
}

/// And back.
#[inline(always)]
fn upright<S: Simd>(columns: Taps<S>) -> Taps<S> {
    riffled(riffled(riffled(columns)))
}

#[inline(always)]
fn riffled<S: Simd>([v0, v1, v2, v3, v4, v5, v6, v7]: Taps<S>) -> Taps<S> {
    let ((a, b), (c, d), (e, f), (g, h)) = (riffle(v0, v4), riffle(v1, v5), riffle(v2, v6), riffle(v3, v7));
    [a, b, c, d, e, f, g, h]
}

/// Rows to columns, and back.
#[inline(always)]
fn turned_square<S: Simd>(rows: [u8x16<S>; 16]) -> [u8x16<S>; 16] {
    riffled_square(riffled_square(riffled_square(riffled_square(rows))))
}

#[inline(always)]
fn riffled_square<S: Simd>(rows: [u8x16<S>; 16]) -> [u8x16<S>; 16] {
    let [v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15] = rows;
    let ((a, b), (c, d), (e, f), (g, h)) = (riffle(v0, v8), riffle(v1, v9), riffle(v2, v10), riffle(v3, v11));
    let ((i, j), (k, l), (m, n), (o, p)) =
        (riffle(v4, v12), riffle(v5, v13), riffle(v6, v14), riffle(v7, v15));
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

#[inline(always)]
fn riffle<S: Simd>(one: u8x16<S>, other: u8x16<S>) -> (u8x16<S>, u8x16<S>) {
    (one.zip_low(other), one.zip_high(other))
}
