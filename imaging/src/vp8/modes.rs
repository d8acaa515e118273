//! How each macroblock is predicted (RFC 6386 sections 9.3, 9.11 and 11).

use super::bits::Bits;
use super::tables;

/// How 16 × 16 samples of luma or 8 × 8 of chroma are predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    /// The mean of the samples above and to the left.
    #[default]
    Mean,
    /// The row above.
    Down,
    /// The column to the left.
    Across,
    /// Row above and column to the left, added up.
    Slope,
}

/// How 4 × 4 samples of luma are predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Fine {
    #[default]
    Mean = 0,
    Slope = 1,
    Down = 2,
    Across = 3,
    DownLeft = 4,
    DownRight = 5,
    DownToRight = 6,
    DownToLeft = 7,
    AcrossDown = 8,
    AcrossUp = 9,
}

/// How luma is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Luma {
    Whole(Mode),
    /// In blocks of 4 × 4, row by row.
    Fine([Fine; 16]),
}

/// What the first partition says of a macroblock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Macroblock {
    pub(super) segment: u8,
    /// It has no coefficients.
    pub(super) is_empty: bool,
    pub(super) luma: Luma,
    pub(super) chroma: Mode,
}

/// Reads one macroblock after the other.
#[derive(Debug)]
pub(super) struct Modes<'a> {
    bits: Bits<'a>,
    /// Probabilities of the segments, where macroblocks name theirs.
    segments: Option<[u8; 3]>,
    /// Probability that a macroblock has coefficients, where they say it.
    filled: Option<u8>,
    /// The lowest modes of the row above, four of each macroblock.
    above: Vec<[Fine; 4]>,
    /// The rightmost modes of the macroblock before.
    left: [Fine; 4],
}

impl<'a> Modes<'a> {
    pub(super) fn new(bits: Bits<'a>, segments: Option<[u8; 3]>, filled: Option<u8>, across: usize) -> Self {
        Self { bits, segments, filled, above: vec![[Fine::Mean; 4]; across], left: [Fine::Mean; 4] }
    }

    /// Reads a row into `row`; false when the partition ends before.
    #[inline(always)]
    pub(super) fn row(&mut self, row: &mut Vec<Macroblock>) -> bool {
        row.clear();
        self.left = [Fine::Mean; 4];
        // a copy stays in registers
        let mut bits = self.bits;
        for above in &mut self.above {
            let segment = self.segments.map_or(0, |odds| segment(&mut bits, odds));
            let is_empty = self.filled.is_some_and(|filled| bits.bit(filled));
            let luma = luma(&mut bits, above, &mut self.left);
            row.push(Macroblock { segment, is_empty, luma, chroma: chroma(&mut bits) });
        }
        self.bits = bits;
        !bits.is_exhausted()
    }
}

#[inline(always)]
fn segment(bits: &mut Bits<'_>, [high, low, lower]: [u8; 3]) -> u8 {
    if bits.bit(high) { 2 + u8::from(bits.bit(lower)) } else { u8::from(bits.bit(low)) }
}

#[inline(always)]
fn luma(bits: &mut Bits<'_>, above: &mut [Fine; 4], left: &mut [Fine; 4]) -> Luma {
    if bits.bit(145) {
        let mode = if !bits.bit(156) {
            if bits.bit(163) { Mode::Down } else { Mode::Mean }
        } else if bits.bit(128) {
            Mode::Slope
        } else {
            Mode::Across
        };
        let fine = match mode {
            Mode::Mean => Fine::Mean,
            Mode::Down => Fine::Down,
            Mode::Across => Fine::Across,
            Mode::Slope => Fine::Slope,
        };
        (*above, *left) = ([fine; 4], [fine; 4]);
        return Luma::Whole(mode);
    }
    let mut modes = [Fine::Mean; 16];
    let (rows, _) = modes.as_chunks_mut::<4>();
    for (row, left) in rows.iter_mut().zip(left) {
        for (mode, above) in row.iter_mut().zip(above.iter_mut()) {
            *mode = fine(bits, *above, *left);
            (*above, *left) = (*mode, *mode);
        }
    }
    Luma::Fine(modes)
}

#[inline(always)]
fn fine(bits: &mut Bits<'_>, above: Fine, left: Fine) -> Fine {
    const NONE: &[u8; 9] = &[0; 9];
    let odds = tables::MODES.get(above as usize * 10 + left as usize).unwrap_or(NONE);
    if !bits.bit(odds[0]) {
        Fine::Mean
    } else if !bits.bit(odds[1]) {
        Fine::Slope
    } else if !bits.bit(odds[2]) {
        Fine::Down
    } else if !bits.bit(odds[3]) {
        if !bits.bit(odds[4]) {
            Fine::Across
        } else if !bits.bit(odds[5]) {
            Fine::DownRight
        } else {
            Fine::DownToRight
        }
    } else if !bits.bit(odds[6]) {
        Fine::DownLeft
    } else if !bits.bit(odds[7]) {
        Fine::DownToLeft
    } else if !bits.bit(odds[8]) {
        Fine::AcrossDown
    } else {
        Fine::AcrossUp
    }
}

#[inline(always)]
fn chroma(bits: &mut Bits<'_>) -> Mode {
    if !bits.bit(142) {
        Mode::Mean
    } else if !bits.bit(114) {
        Mode::Down
    } else if bits.bit(183) {
        Mode::Slope
    } else {
        Mode::Across
    }
}
