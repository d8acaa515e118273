//! The header of a key frame (RFC 6386 sections 9 and 19.2).

use super::bits::Bits;
use super::filter::Strength;
use super::tables;
use super::tokens::{Factors, Tokens};

/// Bytes before the first partition: tag, start code, size.
const TAG: usize = 10;

/// What the macroblocks of one segment have in common.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Segment {
    pub(super) luma: Factors,
    pub(super) means: Factors,
    pub(super) chroma: Factors,
    /// Of macroblocks that are predicted as a whole, and of those in blocks. None where nothing is smoothed.
    pub(super) smoothing: [Option<Strength>; 2],
}

/// Everything before the macroblocks.
#[derive(Debug, Clone)]
pub(super) struct Header<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) segments: [Segment; 4],
    /// Whether smoothing is the simple one, of luma only.
    pub(super) is_simple: bool,
    pub(super) tokens: Tokens,
    /// Probabilities of the segments, where macroblocks name theirs.
    pub(super) named: Option<[u8; 3]>,
    /// Probability that a macroblock has coefficients, where they say it.
    pub(super) filled: Option<u8>,
    /// The rest of the first partition.
    pub(super) modes: Bits<'a>,
    /// One, two, four or eight.
    pub(super) partitions: Vec<Bits<'a>>,
}

/// Reads the header; none for one that is damaged, or of a frame that is not a picture of its own.
pub(super) fn read(source: &[u8]) -> Option<Header<'_>> {
    let (&[tag0, tag1, tag2, 0x9d, 0x01, 0x2a, width0, width1, height0, height1], rest) =
        source.split_first_chunk::<TAG>()?
    else {
        return None;
    };
    let tag = u32::from_le_bytes([tag0, tag1, tag2, 0]);
    let (is_inter, version, is_shown) = (tag & 1 == 1, tag >> 1 & 7, tag >> 4 & 1 == 1);
    if is_inter || version > 3 || !is_shown {
        return None;
    }
    let (first, rest) = rest.split_at_checked(usize::try_from(tag >> 5).ok()?)?;
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    let mut bits = Bits::new(first);
    // colour space and clamping: all samples are held to a byte anyway
    bits.literal(2);
    let segmentation = Segmentation::read(&mut bits);
    let smoothing = Smoothing::read(&mut bits);
    let partitions = partitions(rest, 1 << bits.literal(2))?;
    let quantisers = Quantisers::read(&mut bits);
    // whether later frames use these probabilities too
    bits.flag();
    let tokens = Tokens::read(&mut bits);
    let filled = bits.flag().then(|| bits.literal(8));
    let mut segments = [Segment::default(); 4];
    for (index, segment) in segments.iter_mut().enumerate() {
        let quantiser = segmentation.applied(quantisers.base, index, |change| change.quantiser);
        *segment = quantisers.segment(quantiser);
        let level = segmentation.applied(smoothing.level, index, |change| change.level);
        segment.smoothing = [smoothing.strength(level, false), smoothing.strength(level, true)];
    }
    Some(Header {
        width: side(width0, width1),
        height: side(height0, height1),
        segments,
        is_simple: smoothing.is_simple,
        tokens,
        named: segmentation.named,
        filled,
        modes: bits,
        partitions,
    })
}

/// The partitions with coefficients: their sizes, 24 bits each, are followed by all of them, the last taking what is left.
fn partitions(source: &[u8], count: usize) -> Option<Vec<Bits<'_>>> {
    let (sizes, mut rest) = source.split_at_checked(3 * (count - 1))?;
    let mut found = Vec::with_capacity(count);
    for &[low, middle, high] in sizes.as_chunks::<3>().0 {
        let size = usize::try_from(u32::from_le_bytes([low, middle, high, 0])).ok()?;
        // one that is cut short shows when it is read
        let (partition, behind) = rest.split_at(size.min(rest.len()));
        found.push(Bits::new(partition));
        rest = behind;
    }
    found.push(Bits::new(rest));
    Some(found)
}

/// What a segment changes.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    quantiser: i32,
    level: i32,
}

/// Segments and what they change (section 9.3).
#[derive(Debug, Default)]
struct Segmentation {
    changes: Option<[Change; 4]>,
    /// Whether changes are added to what the frame says, and do not replace it.
    is_added: bool,
    named: Option<[u8; 3]>,
}

impl Segmentation {
    fn read(bits: &mut Bits<'_>) -> Self {
        if !bits.flag() {
            return Self::default();
        }
        let (names, changes) = (bits.flag(), bits.flag());
        let mut found = Self { changes: Some([Change::default(); 4]), is_added: false, named: None };
        if changes && let Some(changes) = &mut found.changes {
            found.is_added = !bits.flag();
            changes.iter_mut().for_each(|change| change.quantiser = bits.optional(7));
            changes.iter_mut().for_each(|change| change.level = bits.optional(6));
        }
        if names {
            found.named = Some([(); 3].map(|()| if bits.flag() { bits.literal(8) } else { 255 }));
        }
        found
    }

    fn applied(&self, whole: i32, index: usize, of: impl Fn(&Change) -> i32) -> i32 {
        match self.changes.as_ref().and_then(|changes| changes.get(index)) {
            Some(change) if self.is_added => whole + of(change),
            Some(change) => of(change),
            None => whole,
        }
    }
}

/// The loop filter's part (section 9.6).
#[derive(Debug)]
struct Smoothing {
    is_simple: bool,
    level: i32,
    sharpness: i32,
    /// Added for all macroblocks of a key frame, and for those predicted in blocks.
    added: [i32; 2],
}

impl Smoothing {
    fn read(bits: &mut Bits<'_>) -> Self {
        let is_simple = bits.flag();
        let (level, sharpness) = (bits.literal(6).into(), bits.literal(3).into());
        let mut added = [0; 2];
        if bits.flag() && bits.flag() {
            // four for kinds of frames, four for kinds of macroblocks
            let [whole, _, _, _, fine, _, _, _] = [(); 8].map(|()| bits.optional(6));
            added = [whole, fine];
        }
        Self { is_simple, level, sharpness, added }
    }

    /// The filter of one kind of macroblock (section 15.2); none at level 0, and none at all where the frame's is 0.
    fn strength(&self, level: i32, is_fine: bool) -> Option<Strength> {
        let [whole, fine] = self.added;
        let level = (level + whole + if is_fine { fine } else { 0 }).clamp(0, 63);
        if self.level == 0 || level == 0 {
            return None;
        }
        let inner = match self.sharpness {
            0 => level,
            1..=4 => (level >> 1).min(9 - self.sharpness),
            _ => (level >> 2).min(9 - self.sharpness),
        };
        let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
        let inner = inner.max(1);
        Some(Strength {
            edge: byte(2 * level + inner),
            inner: byte(inner),
            variance: match level {
                40.. => 2,
                15.. => 1,
                _ => 0,
            },
        })
    }
}

/// Indices into the tables of factors (section 9.6).
#[derive(Debug)]
struct Quantisers {
    base: i32,
    luma_first: i32,
    means_first: i32,
    means_others: i32,
    chroma_first: i32,
    chroma_others: i32,
}

impl Quantisers {
    fn read(bits: &mut Bits<'_>) -> Self {
        let base = bits.literal(7).into();
        let [luma_first, means_first, means_others, chroma_first, chroma_others] =
            [(); 5].map(|()| bits.optional(4));
        Self { base, luma_first, means_first, means_others, chroma_first, chroma_others }
    }

    /// The factors for a segment (section 14.1).
    fn segment(&self, index: i32) -> Segment {
        let entry = |table: &[u16; 128], index: i32, max: i32| {
            let index = usize::try_from(index.clamp(0, max)).unwrap_or_default();
            table.get(index).copied().map_or(0, i32::from)
        };
        let first = |change: i32, max| entry(&tables::DC_FACTORS, index + change, max);
        let others = |change: i32| entry(&tables::AC_FACTORS, index + change, 127);
        Segment {
            luma: Factors { first: first(self.luma_first, 127), others: others(0) },
            means: Factors {
                first: first(self.means_first, 127) * 2,
                others: (others(self.means_others) * 155 / 100).max(8),
            },
            chroma: Factors { first: first(self.chroma_first, 117), others: others(self.chroma_others) },
            smoothing: [None; 2],
        }
    }
}
