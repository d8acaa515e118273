//! The coefficients of a macroblock (RFC 6386 section 13.3).

use super::bits::Bits;
use super::header::Segment;
use super::tokens::{self, Block, Factors, Kind, Tokens};
use super::transform;

/// Blocks of a macroblock: sixteen of luma, four of each chroma.
pub(super) const BLOCKS: usize = 24;

/// Which blocks of a macroblock have coefficients, for those below it and to the right: four of luma, two of each chroma.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Filled {
    luma: [bool; 4],
    chroma: [[bool; 2]; 2],
    /// Of the means of luma; stays as it is where a macroblock has none.
    means: bool,
}

impl Filled {
    /// After a macroblock without coefficients.
    pub(super) fn clear(&mut self, has_means: bool) {
        *self = Self { means: self.means && !has_means, ..Self::default() };
    }
}

/// How much there is in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Content {
    #[default]
    Nothing,
    /// No coefficient but the first.
    First,
    All,
}

impl Content {
    /// Of a block whose coefficients end before place `end`.
    #[inline(always)]
    fn of(block: &Block, end: usize) -> Self {
        let [first, ..] = block;
        match end {
            2.. => Self::All,
            _ if *first != 0 => Self::First,
            _ => Self::Nothing,
        }
    }
}

/// The blocks of a macroblock, row by row, luma first. Where there is nothing they hold zeros.
#[derive(Debug)]
pub(super) struct Residue {
    pub(super) blocks: [Block; BLOCKS],
    pub(super) contents: [Content; BLOCKS],
}

impl Residue {
    pub(super) const EMPTY: Self = Self { blocks: [[0; 16]; BLOCKS], contents: [Content::Nothing; BLOCKS] };

    /// Takes a block, and leaves zeros.
    #[inline(always)]
    pub(super) fn take(&mut self, index: usize) -> (Content, Block) {
        let Some((block, content)) = self.blocks.get_mut(index).zip(self.contents.get(index)) else {
            return (Content::Nothing, [0; 16]);
        };
        let taken = *block;
        if *content != Content::Nothing {
            *block = [0; 16];
        }
        (*content, taken)
    }

    /// Reads a macroblock; all blocks of the one before must have been taken. False when it has no coefficients after all.
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        bits: &mut Bits<'_>,
        tokens: &Tokens,
        segment: &Segment,
        has_means: bool,
        [above, left]: [&mut Filled; 2],
    ) -> bool {
        let (luma, chroma) = self.blocks.split_at_mut(16);
        let (luma_contents, chroma_contents) = self.contents.split_at_mut(16);
        let kind = if has_means {
            let mut means = [0; 16];
            let context = usize::from(above.means) + usize::from(left.means);
            let end = tokens::read(bits, tokens.of(Kind::Means), context, 0, segment.means, &mut means);
            (above.means, left.means) = (end > 0, end > 0);
            for (block, mean) in luma.iter_mut().zip(transform::means(&means)) {
                let [first, ..] = block;
                *first = mean;
            }
            Kind::Rest
        } else {
            Kind::Whole
        };
        let first = usize::from(has_means);
        let odds = tokens.of(kind);
        let mut any =
            square(bits, odds, first, segment.luma, (luma, luma_contents), (&mut above.luma, &mut left.luma));
        let odds = tokens.of(Kind::Chroma);
        let planes = chroma.chunks_exact_mut(4).zip(chroma_contents.chunks_exact_mut(4));
        let filled = above.chroma.iter_mut().zip(&mut left.chroma);
        for (blocks, filled) in planes.zip(filled) {
            any |= square(bits, odds, 0, segment.chroma, blocks, filled);
        }
        any
    }
}

/// Reads the blocks of one plane.
#[inline(always)]
fn square<const SIDE: usize>(
    bits: &mut Bits<'_>,
    odds: &tokens::Odds,
    first: usize,
    factors: Factors,
    (blocks, contents): (&mut [Block], &mut [Content]),
    (above, left): (&mut [bool; SIDE], &mut [bool; SIDE]),
) -> bool {
    let mut any = false;
    let rows = blocks.as_chunks_mut::<SIDE>().0.iter_mut().zip(contents.as_chunks_mut::<SIDE>().0);
    for ((blocks, contents), left) in rows.zip(left) {
        for ((block, content), above) in blocks.iter_mut().zip(contents).zip(above.iter_mut()) {
            let context = usize::from(*above) + usize::from(*left);
            let end = tokens::read(bits, odds, context, first, factors, block);
            (*above, *left) = (end > first, end > first);
            *content = Content::of(block, end);
            any |= *content != Content::Nothing;
        }
    }
    any
}
