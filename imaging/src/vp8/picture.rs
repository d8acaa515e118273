//! From macroblocks to planes, a row at a time: read, predicted and completed, then smoothed.
//!
//! Prediction needs what has not been smoothed, of the row above its last line only. So that is kept apart, and planes are
//! smoothed where they are as soon as a row is complete; what that changes in the row above no longer matters to anyone.

use fearless_simd::Simd;

use super::bits::Bits;
use super::filter::{self, Canvas, Place};
use super::header::Header;
use super::modes::{Luma, Macroblock, Modes};
use super::predict::{self, BLUE, CHROMA, Known, LUMA, RED, Row, Surroundings};
use super::residue::{Content, Filled, Residue};
use super::tokens::Block;
use super::transform::{self, Samples};
use crate::simd::widest;
use crate::{Deadline, Error};

/// What stands above the first row.
const ABOVE: u8 = 127;
/// What stands to the left of the first column.
const LEFT: u8 = 129;

/// The macroblock in work: for luma and for both of chroma the row above it and its own.
struct Work {
    luma: [Row; 17],
    chroma: [Row; 9],
}

/// The last line of the row above, before it was smoothed.
struct Above {
    luma: Vec<u8>,
    chroma: [Vec<u8>; 2],
    filled: Vec<Filled>,
}

/// Everything that lasts from row to row.
pub(super) struct Painter<'a> {
    header: Header<'a>,
    across: usize,
    down: usize,
    above: Above,
    work: Work,
    residue: Residue,
    planes: [Canvas; 3],
    /// How the macroblocks of a row are smoothed.
    places: Vec<Place>,
}

impl<'a> Painter<'a> {
    pub(super) fn new(header: Header<'a>) -> Self {
        let macroblocks = |side: u32| usize::try_from(side.div_ceil(16)).unwrap_or(usize::MAX);
        let (across, down) = (macroblocks(header.width), macroblocks(header.height));
        let plane = |side: usize| Canvas {
            samples: vec![0; (across * side).saturating_mul(down * side)],
            stride: across * side,
        };
        Self {
            header,
            across,
            down,
            above: Above {
                luma: vec![ABOVE; across * 16],
                chroma: [vec![ABOVE; across * 8], vec![ABOVE; across * 8]],
                filled: vec![Filled::default(); across],
            },
            work: Work { luma: [[0; 32]; 17], chroma: [[0; 32]; 9] },
            residue: Residue::EMPTY,
            planes: [plane(16), plane(8), plane(8)],
            places: Vec::with_capacity(across),
        }
    }

    /// Makes luma, blue and red difference, in whole macroblocks.
    ///
    /// # Errors
    /// `Undecodable` when a partition ends early, `Deadline`.
    pub(super) fn paint(mut self, deadline: &Deadline) -> Result<[Canvas; 3], Error> {
        let mut modes = Modes::new(self.header.modes, self.header.named, self.header.filled, self.across);
        let mut partitions = std::mem::take(&mut self.header.partitions);
        let count = partitions.len().max(1);
        let mut row = Vec::with_capacity(self.across);
        for down in 0..self.down {
            deadline.check()?;
            let is_read = widest!(_simd => modes.row(&mut row));
            let Some(bits) = partitions.get_mut(down % count).filter(|_| is_read) else {
                return Err(super::DAMAGED);
            };
            let is_read = widest!(simd => {
                let is_read = self.row(simd, bits, &row, down);
                self.smooth(simd);
                is_read
            });
            if !is_read {
                return Err(super::DAMAGED);
            }
        }
        Ok(self.planes)
    }

    /// Makes a row of macroblocks; false when the partition ends before.
    #[inline(always)]
    fn row(&mut self, simd: impl Simd, partition: &mut Bits<'_>, row: &[Macroblock], down: usize) -> bool {
        // a copy stays in registers
        let mut bits = *partition;
        let mut left = Filled::default();
        self.places.clear();
        self.work.begin(down > 0);
        for (across, macroblock) in row.iter().enumerate() {
            let Some(above) = self.above.filled.get_mut(across) else { break };
            let has_means = matches!(macroblock.luma, Luma::Whole(_));
            let [.., segment] = self.header.segments;
            let segment = self.header.segments.get(usize::from(macroblock.segment)).unwrap_or(&segment);
            let mut has_residue = false;
            if macroblock.is_empty {
                above.clear(has_means);
                left.clear(has_means);
            } else {
                let filled = [above, &mut left];
                has_residue = self.residue.read(&mut bits, &self.header.tokens, segment, has_means, filled);
            }
            let [whole, fine] = segment.smoothing;
            if let Some(strength) = if has_means { whole } else { fine } {
                self.places.push(Place { across, down, strength, has_inner: has_residue || !has_means });
            }
            let residue = has_residue.then_some(&mut self.residue);
            self.work.enter(&self.above, across);
            let known = Known { above: down > 0, left: across > 0 };
            self.work.macroblock(simd, macroblock, residue, known);
            self.work.leave(&mut self.above, &mut self.planes, across, down);
        }
        *partition = bits;
        !bits.is_exhausted()
    }

    /// Smooths the row that was made last.
    #[inline(always)]
    fn smooth(&mut self, simd: impl Simd) {
        for place in &self.places {
            if self.header.is_simple {
                let [luma, ..] = &mut self.planes;
                filter::simple(simd, luma, *place);
            } else {
                filter::normal(simd, &mut self.planes, *place);
            }
        }
    }
}

impl Work {
    /// Before the first macroblock of a row.
    fn begin(&mut self, is_below: bool) {
        let corner = if is_below { LEFT } else { ABOVE };
        for rows in [&mut self.luma[..], &mut self.chroma[..]] {
            for (index, row) in rows.iter_mut().enumerate() {
                let border = if index == 0 { corner } else { LEFT };
                // where the last column of the macroblock before would be
                *row = [border; 32];
            }
        }
    }

    /// Takes over what is above a macroblock, and to its left.
    #[inline(always)]
    fn enter(&mut self, above: &Above, across: usize) {
        for row in &mut self.luma {
            row[LUMA - 1] = row[LUMA + 15];
        }
        for row in &mut self.chroma {
            row[BLUE - 1] = row[BLUE + 7];
            row[RED - 1] = row[RED + 7];
        }
        let [row, ..] = &mut self.luma;
        let line = above.luma.get(across * 16..).unwrap_or_default();
        if let (Some(to), Some(from)) = (row[LUMA..].first_chunk_mut::<16>(), line.first_chunk::<16>()) {
            *to = *from;
        }
        if let Some(to) = row[LUMA + 16..].first_chunk_mut::<4>() {
            // beyond the last column its last sample is repeated
            let last = line.get(15).copied().unwrap_or_default();
            *to = line.get(16..).and_then(|next| next.first_chunk()).copied().unwrap_or([last; 4]);
        }
        let [row, ..] = &mut self.chroma;
        for (line, column) in above.chroma.iter().zip(CHROMA) {
            let line = line.get(across * 8..).and_then(|line| line.first_chunk::<8>());
            if let (Some(to), Some(from)) =
                (row.get_mut(column..).and_then(|row| row.first_chunk_mut::<8>()), line)
            {
                *to = *from;
            }
        }
    }

    /// Predicts and completes a macroblock.
    #[inline(always)]
    fn macroblock(
        &mut self,
        simd: impl Simd,
        macroblock: &Macroblock,
        mut residue: Option<&mut Residue>,
        known: Known,
    ) {
        match &macroblock.luma {
            Luma::Whole(mode) => {
                predict::whole::<16>(&mut self.luma, LUMA, *mode, known);
                if let Some(residue) = &mut residue {
                    for index in 0..16 {
                        self.complete(simd, residue, index, (index / 4 * 4 + 1, LUMA + index % 4 * 4));
                    }
                }
            }
            Luma::Fine(modes) => {
                let [above, ..] = &self.luma;
                let beyond: [u8; 4] = above[LUMA + 16..].first_chunk().copied().unwrap_or_default();
                for row in self.luma.iter_mut().skip(4).step_by(4) {
                    if let Some(to) = row[LUMA + 16..].first_chunk_mut() {
                        *to = beyond;
                    }
                }
                for (index, mode) in modes.iter().enumerate() {
                    let place = (index / 4 * 4, LUMA + index % 4 * 4);
                    let predicted = predict::fine(*mode, &self.around(place));
                    let samples = match &mut residue {
                        Some(residue) => {
                            let (content, block) = residue.take(index);
                            completed(simd, content, &block, predicted)
                        }
                        None => predicted,
                    };
                    put(&mut self.luma, (place.0 + 1, place.1), samples);
                }
            }
        }
        for (plane, column) in CHROMA.into_iter().enumerate() {
            predict::whole::<8>(&mut self.chroma, column, macroblock.chroma, known);
            if let Some(residue) = &mut residue {
                for index in 0..4 {
                    let place = (index / 2 * 4 + 1, column + index % 2 * 4);
                    let block = 16 + plane * 4 + index;
                    self.complete_chroma(simd, residue, block, place);
                }
            }
        }
    }

    #[inline(always)]
    fn complete(&mut self, simd: impl Simd, residue: &mut Residue, index: usize, place: (usize, usize)) {
        let (content, block) = residue.take(index);
        if content == Content::Nothing {
            return;
        }
        let samples = completed(simd, content, &block, samples(&self.luma, place));
        put(&mut self.luma, place, samples);
    }

    #[inline(always)]
    fn complete_chroma(
        &mut self,
        simd: impl Simd,
        residue: &mut Residue,
        index: usize,
        place: (usize, usize),
    ) {
        let (content, block) = residue.take(index);
        if content == Content::Nothing {
            return;
        }
        let samples = completed(simd, content, &block, samples(&self.chroma, place));
        put(&mut self.chroma, place, samples);
    }

    /// What surrounds 4 × 4 samples of luma whose row above and first column are given.
    #[inline(always)]
    fn around(&self, (above, column): (usize, usize)) -> Surroundings {
        let row = |index: usize| self.luma.get(index).unwrap_or(&[0; 32]);
        let left = |index: usize| row(above + index).get(column - 1).copied().unwrap_or_default();
        let [a, b, c, d, e, f, g, h] =
            row(above).get(column..).and_then(|row| row.first_chunk()).copied().unwrap_or_default();
        [left(4), left(3), left(2), left(1), left(0), a, b, c, d, e, f, g, h, h, h, h]
    }

    /// Gives a macroblock away, and keeps its last line.
    #[inline(always)]
    fn leave(&self, above: &mut Above, [luma, blue, red]: &mut [Canvas; 3], across: usize, down: usize) {
        let [_, rows @ ..] = &self.luma;
        copy::<16>(rows, LUMA, luma, (down * luma.stride + across) * 16);
        keep::<16>(rows, LUMA, &mut above.luma, across * 16);
        let [_, rows @ ..] = &self.chroma;
        for ((plane, line), column) in [blue, red].into_iter().zip(&mut above.chroma).zip(CHROMA) {
            copy::<8>(rows, column, plane, (down * plane.stride + across) * 8);
            keep::<8>(rows, column, line, across * 8);
        }
    }
}

#[inline(always)]
fn completed(simd: impl Simd, content: Content, block: &Block, predicted: Samples) -> Samples {
    match content {
        Content::Nothing => predicted,
        Content::First => transform::first(simd, block[0], predicted),
        Content::All => transform::all(simd, block, predicted),
    }
}

#[inline(always)]
fn samples(rows: &[Row], (first, column): (usize, usize)) -> Samples {
    let mut samples = [0; 16];
    let rows = rows.get(first..).unwrap_or_default();
    for (to, row) in samples.as_chunks_mut::<4>().0.iter_mut().zip(rows) {
        *to = row.get(column..).and_then(|row| row.first_chunk()).copied().unwrap_or_default();
    }
    samples
}

#[inline(always)]
fn put(rows: &mut [Row], (first, column): (usize, usize), samples: Samples) {
    let rows = rows.get_mut(first..).unwrap_or_default();
    for (from, row) in samples.as_chunks::<4>().0.iter().zip(rows) {
        if let Some(to) = row.get_mut(column..).and_then(|row| row.first_chunk_mut()) {
            *to = *from;
        }
    }
}

#[inline(always)]
fn copy<const SIDE: usize>(rows: &[Row], column: usize, plane: &mut Canvas, at: usize) {
    let mut at = at;
    for row in rows.iter().take(SIDE) {
        let from = row.get(column..).and_then(|row| row.first_chunk::<SIDE>());
        let to = plane.samples.get_mut(at..at + SIDE).and_then(|rest| rest.first_chunk_mut::<SIDE>());
        if let (Some(to), Some(from)) = (to, from) {
            *to = *from;
        }
        at += plane.stride;
    }
}

#[inline(always)]
fn keep<const SIDE: usize>(rows: &[Row], column: usize, line: &mut [u8], at: usize) {
    let from = rows.get(SIDE - 1).and_then(|row| row.get(column..)).and_then(|row| row.first_chunk::<SIDE>());
    let to = line.get_mut(at..).and_then(|line| line.first_chunk_mut::<SIDE>());
    if let (Some(to), Some(from)) = (to, from) {
        *to = *from;
    }
}
