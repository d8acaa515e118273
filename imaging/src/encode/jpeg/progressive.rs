//! The scans of a progressive JPEG (T.81 annex G): a coarse picture first, its bits refined in later scans.
//!
//! All coefficients are held at once. Tables are always fitted, one set for each scan.

use fearless_simd::{Level, Simd, dispatch};

use crate::Error;
use crate::encode::Settings;

use super::bits::BitWriter;
use super::dct::{self, Block, Divisors, Samples};
use super::entropy::{CodeTables, Coder, Sink as _, Table, Tokens, sized};
use super::strips::{Component, Strips};
use super::tables::Codebook;
use super::{codebooks, scan_head};

/// Longest run of blocks without coefficients (section G.1.2.2).
const RUN_MAX: u16 = 0x7FFF;
/// Most bits of corrections that wait for the end of a run.
const CORRECTIONS_MAX: usize = 900;

/// One scan: which components, which coefficients, which bits.
#[derive(Debug, Clone, Copy)]
struct Scan {
    /// Components from the first to the one before the last number.
    components: (usize, usize),
    /// First and last coefficient.
    band: [u8; 2],
    /// Bits that an earlier scan left out, 0 if there was none.
    before: u8,
    /// Bits that this scan leaves out.
    after: u8,
}

const fn scan(components: (usize, usize), band: [u8; 2], before: u8, after: u8) -> Scan {
    Scan { components, band, before, after }
}

/// Luma's low frequencies come right after DC, the last bit of everything last.
const COLOUR: [Scan; 10] = [
    scan((0, 3), [0, 0], 0, 1),
    scan((0, 1), [1, 5], 0, 2),
    scan((2, 3), [1, 63], 0, 1),
    scan((1, 2), [1, 63], 0, 1),
    scan((0, 1), [6, 63], 0, 2),
    scan((0, 1), [1, 63], 2, 1),
    scan((0, 3), [0, 0], 1, 0),
    scan((2, 3), [1, 63], 1, 0),
    scan((1, 2), [1, 63], 1, 0),
    scan((0, 1), [1, 63], 1, 0),
];

const GREY: [Scan; 6] = [
    scan((0, 1), [0, 0], 0, 1),
    scan((0, 1), [1, 5], 0, 2),
    scan((0, 1), [6, 63], 0, 2),
    scan((0, 1), [1, 63], 2, 1),
    scan((0, 1), [0, 0], 1, 0),
    scan((0, 1), [1, 63], 1, 0),
];

/// A component with its coefficients.
struct Coefficients {
    component: Component,
    /// Blocks in a row, with those that only pad.
    stride: usize,
    blocks: Vec<Block>,
}

/// Writes all scans and the end after `bytes`.
pub(super) fn scans(
    mut bytes: Vec<u8>,
    strips: Strips<'_>,
    settings: &Settings<'_>,
) -> Result<Vec<u8>, Error> {
    let (across, down) = (strips.units_across(), strips.units_down());
    let all = transformed(strips, settings)?;
    let script = if all.len() == 1 { &GREY[..] } else { &COLOUR };
    for scan in script {
        settings.deadline.check()?;
        let (from, to) = scan.components;
        let Some(components) = all.get(from..to) else { continue };
        let mut tokens = Tokens::new();
        if scan.band == [0, 0] {
            dc(&mut tokens, components, (across, down), scan);
        } else if let [component] = components {
            ac(&mut tokens, component, scan);
        }
        bytes = written(bytes, tokens, components, scan)?;
    }
    bytes.extend([0xFF, 0xD9]);
    Ok(bytes)
}

fn transformed(mut strips: Strips<'_>, settings: &Settings<'_>) -> Result<Vec<Coefficients>, Error> {
    let divisors = Divisors::of_quality(settings.quality);
    let [luma, chroma] = &divisors;
    let (across, down) = (strips.units_across(), strips.units_down());
    let mut all: Vec<Coefficients> = strips
        .components
        .iter()
        .map(|component| {
            let stride = across * component.across;
            let blocks = Vec::with_capacity(stride * down * component.down);
            Coefficients { component: component.clone(), stride, blocks }
        })
        .collect();
    let mut strip = strips.room();
    for n in 0..down {
        settings.deadline.check()?;
        strips.load(n, &mut strip);
        for (to, rows) in all.iter_mut().zip(&strip) {
            let divisors = if to.component.chroma == 0 { luma } else { chroma };
            dispatch!(Level::new(), simd => transform(simd, rows, divisors, &mut to.blocks));
        }
    }
    Ok(all)
}

#[inline(always)]
fn transform<S: Simd>(simd: S, rows: &[Vec<Samples>], divisors: &Divisors, blocks: &mut Vec<Block>) {
    for samples in rows.iter().flatten() {
        blocks.push(dct::forward(simd, samples, divisors));
    }
}

fn written(
    mut bytes: Vec<u8>,
    mut tokens: Tokens,
    components: &[Coefficients],
    scan: &Scan,
) -> Result<Vec<u8>, Error> {
    let books = tokens.books();
    let used: Vec<(Table, &Codebook)> =
        Table::ALL.into_iter().zip(&books).filter(|(table, _)| tokens.uses(*table)).collect();
    codebooks(&mut bytes, &used)?;
    let numbered: Vec<(usize, u16)> = (scan.components.0..)
        .zip(components)
        .map(|(n, coefficients)| (n, coefficients.component.chroma))
        .collect();
    scan_head(&mut bytes, &numbered, scan.band, scan.before << 4 | scan.after)?;
    let tables = CodeTables::new(&books);
    let mut coder = Coder { bits: BitWriter::after(bytes), tables: &tables };
    tokens.replay(&mut coder);
    Ok(coder.bits.finish())
}

/// DC of all components, interleaved (section G.1.2.1).
fn dc(tokens: &mut Tokens, components: &[Coefficients], (across, down): (usize, usize), scan: &Scan) {
    let mut before = [0; 3];
    for unit in 0..across * down {
        let (x, y) = (unit % across.max(1), unit / across.max(1));
        for (of, before) in components.iter().zip(&mut before) {
            for n in 0..of.component.across * of.component.down {
                let column = x * of.component.across + n % of.component.across;
                let row = y * of.component.down + n / of.component.across;
                let value = of.blocks.get(row * of.stride + column).map_or(0, |block| block.coefficient(0));
                let value = value >> scan.after;
                if scan.before == 0 {
                    let (size, bits) = sized(value.wrapping_sub(*before));
                    tokens.symbol(Table::dc(of.component.chroma), size, bits);
                    *before = value;
                } else {
                    tokens.raw(value.cast_unsigned() & 1, 1);
                }
            }
        }
    }
}

/// A band of one component (section G.1.2.2), refined if an earlier scan had it (section G.1.2.3).
fn ac(tokens: &mut Tokens, of: &Coefficients, scan: &Scan) {
    let mut band = Band {
        tokens,
        table: Table::ac(of.component.chroma),
        after: scan.after,
        empty_blocks: 0,
        corrections: Vec::new(),
    };
    let [first, last] = scan.band.map(u32::from);
    let mask = (u64::MAX << first) & (u64::MAX >> (63 - last));
    // blocks that only pad are left out
    let (across, down) = (of.component.width.div_ceil(8), of.component.height.div_ceil(8));
    for row in of.blocks.chunks_exact(of.stride.max(1)).take(down) {
        for block in row.iter().take(across) {
            if scan.before == 0 {
                band.first(block, block.filled & mask, first, last);
            } else {
                band.refined(block, block.filled & mask, first);
            }
        }
    }
    band.end_run();
}

struct Band<'t> {
    tokens: &'t mut Tokens,
    table: Table,
    after: u8,
    /// Blocks in the run that has nothing more.
    empty_blocks: u16,
    /// Bits of corrections in that run.
    corrections: Vec<u8>,
}

impl Band<'_> {
    /// The size of a coefficient as this scan knows it.
    fn size(&self, value: i16) -> u16 {
        value.unsigned_abs() >> self.after
    }

    fn first(&mut self, block: &Block, filled: u64, first: u32, last: u32) {
        let mut next = first;
        for n in places(filled) {
            let value = block.coefficient(n);
            let size = self.size(value).cast_signed();
            if size == 0 {
                continue;
            }
            self.end_run();
            let run = self.run(n - next, |_| {});
            next = n + 1;
            let (length, bits) = sized(if value < 0 { -size } else { size });
            self.tokens.symbol(self.table, run << 4 | length, bits);
        }
        if next <= last {
            self.empty_block();
        }
    }

    fn refined(&mut self, block: &Block, filled: u64, first: u32) {
        let is_new = |n: &u32| self.size(block.coefficient(*n)) == 1;
        let end = places(filled).filter(is_new).last();
        let mut zeros = 0;
        let mut next = first;
        let mut waiting = Vec::new();
        for n in places(filled) {
            zeros += n - next;
            next = n + 1;
            let value = block.coefficient(n);
            let size = self.size(value);
            if size == 0 {
                zeros += 1;
                continue;
            }
            if end.is_some_and(|end| n <= end) && zeros > 15 {
                self.end_run();
                zeros = self
                    .run(zeros, |tokens| {
                        bits(tokens, &waiting);
                        waiting.clear();
                    })
                    .into();
            }
            if size > 1 {
                waiting.push(u8::from(size & 1 == 1));
                continue;
            }
            self.end_run();
            let [run, ..] = zeros.to_le_bytes();
            self.tokens.symbol(self.table, run << 4 | 1, u16::from(value > 0));
            bits(self.tokens, &waiting);
            waiting.clear();
            zeros = 0;
        }
        if zeros > 0 || next < 64 || !waiting.is_empty() {
            self.corrections.append(&mut waiting);
            self.empty_block();
        }
    }

    /// Writes runs of 16 zeros, `after` each, and gives the rest of the run, below 16.
    fn run(&mut self, mut zeros: u32, mut after: impl FnMut(&mut Tokens)) -> u8 {
        while zeros > 15 {
            self.tokens.symbol(self.table, 0xF0, 0);
            after(self.tokens);
            zeros -= 16;
        }
        u8::try_from(zeros).unwrap_or(0)
    }

    /// The block, or what is left of it, has nothing more.
    fn empty_block(&mut self) {
        self.empty_blocks += 1;
        if self.empty_blocks == RUN_MAX || self.corrections.len() > CORRECTIONS_MAX {
            self.end_run();
        }
    }

    fn end_run(&mut self) {
        if self.empty_blocks > 0 {
            let [length, ..] = self.empty_blocks.ilog2().to_le_bytes();
            self.tokens.symbol(self.table, length << 4, 0);
            self.tokens.raw(self.empty_blocks & !(1 << length), length);
            self.empty_blocks = 0;
        }
        bits(self.tokens, &self.corrections);
        self.corrections.clear();
    }
}

/// Single bits, each 0 or 1.
fn bits(tokens: &mut Tokens, bits: &[u8]) {
    for sixteen in bits.chunks(16) {
        let word = sixteen.iter().fold(0, |word, bit| word << 1 | u16::from(*bit));
        tokens.raw(word, u8::try_from(sixteen.len()).unwrap_or(0));
    }
}

/// Numbers of the bits that are set, ascending.
fn places(mut bits: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let place = (bits != 0).then(|| bits.trailing_zeros())?;
        bits &= bits - 1;
        Some(place)
    })
}
