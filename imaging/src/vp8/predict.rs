//! What is expected of samples by those above and to the left (RFC 6386 section 12).
//!
//! Samples of a macroblock lie in rows of 32, so that all places are known when this is compiled: first the row above it, and
//! the column to the left before each row. Chroma lies side by side.

use super::modes::{Fine, Mode};
use super::transform::Samples;

/// A row of a macroblock with what is to the left and to the right of it.
pub(super) type Row = [u8; 32];

/// Where luma begins in a row; four samples of the macroblock behind follow it in the row above.
pub(super) const LUMA: usize = 8;
/// Where blue differences begin in a row.
pub(super) const BLUE: usize = 8;
/// Where red differences begin in a row.
pub(super) const RED: usize = 24;
/// Both of chroma.
pub(super) const CHROMA: [usize; 2] = [BLUE, RED];

/// Which neighbours there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) above: bool,
    pub(super) left: bool,
}

/// Predicts `SIDE` × `SIDE` samples that begin at `column`.
#[inline(always)]
pub(super) fn whole<const SIDE: usize>(rows: &mut [Row], column: usize, mode: Mode, known: Known) {
    let Some((above, rows)) = rows.split_first_mut() else { return };
    let before = above.get(column - 1).copied().unwrap_or_default();
    let Some(above) = above.get(column..).and_then(|above| above.first_chunk::<SIDE>()) else { return };
    let left = |row: &Row| row.get(column - 1).copied().unwrap_or_default();
    let place = |row: &mut Row, samples: [u8; SIDE]| {
        if let Some(to) = row.get_mut(column..).and_then(|row| row.first_chunk_mut::<SIDE>()) {
            *to = samples;
        }
    };
    match mode {
        Mode::Mean => {
            let sum_left = rows.iter().take(SIDE).map(|row| u16::from(left(row))).sum();
            let sum_above = above.iter().map(|sample| u16::from(*sample)).sum();
            let mean = mean::<SIDE>(known.above.then_some(sum_above), known.left.then_some(sum_left));
            rows.iter_mut().take(SIDE).for_each(|row| place(row, [mean; SIDE]));
        }
        Mode::Down => rows.iter_mut().take(SIDE).for_each(|row| place(row, *above)),
        Mode::Across => rows.iter_mut().take(SIDE).for_each(|row| place(row, [left(row); SIDE])),
        Mode::Slope => rows.iter_mut().take(SIDE).for_each(|row| {
            let slope = i16::from(left(row)) - i16::from(before);
            place(row, above.map(|sample| byte(i16::from(sample) + slope)));
        }),
    }
}

fn mean<const SIDE: usize>(above: Option<u16>, left: Option<u16>) -> u8 {
    let side = if SIDE == 16 { 16 } else { 8 };
    let (sum, count) = match (above, left) {
        (Some(above), Some(left)) => (above + left, side * 2),
        (Some(sum), None) | (None, Some(sum)) => (sum, side),
        (None, None) => return 128,
    };
    u8::try_from((sum + count / 2) / count).unwrap_or(u8::MAX)
}

#[inline(always)]
fn byte(value: i16) -> u8 {
    #[expect(clippy::cast_sign_loss, reason = "clamped to 0..=255")]
    let byte = value.clamp(0, 255) as u8;
    byte
}

/// What surrounds 4 × 4 samples, in one line: the column to the left from below, the corner, eight samples above, and the last
/// of them again.
pub(super) type Surroundings = [u8; 16];

/// Predicts 4 × 4 samples.
#[inline(always)]
pub(super) fn fine(mode: Fine, around: &Surroundings) -> Samples {
    let &[l3, l2, l1, l0, corner, t0, t1, t2, t3, ..] = around;
    match mode {
        Fine::Mean => {
            let sum: u16 = [l3, l2, l1, l0, t0, t1, t2, t3].into_iter().map(u16::from).sum();
            [u8::try_from((sum + 4) >> 3).unwrap_or(u8::MAX); 16]
        }
        Fine::Slope => {
            let row = |left: u8| {
                let slope = i16::from(left) - i16::from(corner);
                [t0, t1, t2, t3].map(|sample| byte(i16::from(sample) + slope))
            };
            block([row(l0), row(l1), row(l2), row(l3)])
        }
        _ => directed(mode, around),
    }
}

/// Predicts along a direction, from means of two or three neighbours in the line of surroundings.
#[inline(always)]
fn directed(mode: Fine, around: &Surroundings) -> Samples {
    let (two, three) = (means_of_two(around), means_of_three(around));
    let &[l3, l2, ..] = around;
    // the last one below is repeated
    let end = mean_of_three(l2, l3, l3);
    let [a0, a1, a2, a3, a4, a5, a6, a7, a8, ..] = two;
    let [b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, ..] = three;
    match mode {
        Fine::Down => block([[b4, b5, b6, b7]; 4]),
        Fine::Across => block([[b2; 4], [b1; 4], [b0; 4], [end; 4]]),
        Fine::DownLeft => block([[b5, b6, b7, b8], [b6, b7, b8, b9], [b7, b8, b9, b10], [b8, b9, b10, b11]]),
        Fine::DownRight => block([[b3, b4, b5, b6], [b2, b3, b4, b5], [b1, b2, b3, b4], [b0, b1, b2, b3]]),
        Fine::DownToRight => block([[a4, a5, a6, a7], [b3, b4, b5, b6], [b2, a4, a5, a6], [b1, b3, b4, b5]]),
        Fine::DownToLeft => block([[a5, a6, a7, a8], [b5, b6, b7, b8], [a6, a7, a8, b9], [b6, b7, b8, b10]]),
        Fine::AcrossDown => block([[a3, b3, b4, b5], [a2, b2, a3, b3], [a1, b1, a2, b2], [a0, b0, a1, b1]]),
        Fine::AcrossUp => block([[a2, b1, a1, b0], [a1, b0, a0, end], [a0, end, l3, l3], [l3; 4]]),
        // these are no directions
        Fine::Mean | Fine::Slope => [0; 16],
    }
}

#[inline(always)]
fn block([[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]]: [[u8; 4]; 4]) -> Samples {
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

#[inline(always)]
fn mean_of_three(one: u8, two: u8, three: u8) -> u8 {
    let sum = u16::from(one) + 2 * u16::from(two) + u16::from(three) + 2;
    #[expect(clippy::cast_possible_truncation, reason = "means of bytes are bytes")]
    let mean = (sum >> 2) as u8;
    mean
}

#[inline(always)]
fn mean_of_two(one: u8, two: u8) -> u8 {
    let sum = u16::from(one) + u16::from(two) + 1;
    #[expect(clippy::cast_possible_truncation, reason = "means of bytes are bytes")]
    let mean = (sum >> 1) as u8;
    mean
}

/// What is `COUNT` places further on in the line.
#[inline(always)]
fn behind<const COUNT: usize>(around: &Surroundings) -> Surroundings {
    let mut behind = [0; 16];
    for (to, from) in behind.iter_mut().zip(around.iter().skip(COUNT)) {
        *to = *from;
    }
    behind
}

/// The means of all neighbours in the line.
#[inline(always)]
fn means_of_two(around: &Surroundings) -> Surroundings {
    let (one, mut means) = (around, behind::<1>(around));
    means.iter_mut().zip(one).for_each(|(two, one)| *two = mean_of_two(*one, *two));
    means
}

/// The means of all three neighbours in the line.
#[inline(always)]
fn means_of_three(around: &Surroundings) -> Surroundings {
    let (one, two, mut means) = (around, behind::<1>(around), behind::<2>(around));
    let pairs = one.iter().zip(&two);
    means.iter_mut().zip(pairs).for_each(|(three, (one, two))| *three = mean_of_three(*one, *two, *three));
    means
}
