//! From coefficients to symbols, and from symbols to bits.
//!
//! Symbols go to a [`Sink`]: at once as bits, when the tables are known, or into a list of [`Tokens`] that is counted, so
//! that the tables fit the picture. The list is bounded: what does not fit any more is written at once, by tables made from
//! what was counted so far.

use super::bits::BitWriter;
use super::dct::Block;
use super::huffman::{self, Codes};
use super::tables::Codebook;

/// Most tokens that are kept; 16 MiB. A photo of 12 megapixels at quality 80 has about a quarter of it.
const TOKENS_MAX: usize = 4 << 20;
/// Tokens for which a list has room at first.
const TOKENS_AT_FIRST: usize = 64 << 10;

/// Which of the four tables a symbol belongs to: DC of luma, AC of luma, DC of chroma, AC of chroma.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table(u16);

impl Table {
    pub(super) const ALL: [Self; 4] = [Self(0), Self(1), Self(2), Self(3)];

    /// The table for differences of DC; `chroma` is 0 or 1.
    pub(super) fn dc(chroma: u16) -> Self {
        Self(chroma << 1 & 2)
    }

    /// The table for AC coefficients; `chroma` is 0 or 1.
    pub(super) fn ac(chroma: u16) -> Self {
        Self(chroma << 1 & 2 | 1)
    }

    fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Class and destination as in a DHT segment.
    pub(super) fn class_and_destination(self) -> u8 {
        let [low, _] = self.0.to_le_bytes();
        (low & 1) << 4 | low >> 1
    }
}

/// Where symbols go.
pub(super) trait Sink {
    /// A symbol with its extra bits: as many as its lower half says, none set above them.
    fn symbol(&mut self, table: Table, symbol: u8, extra: u16);
}

/// Codes of the four tables.
#[derive(Debug)]
pub(super) struct CodeTables([Codes; 4]);

impl CodeTables {
    pub(super) fn new(books: &[Codebook; 4]) -> Self {
        Self(books.each_ref().map(huffman::codes))
    }

    #[inline(always)]
    fn entry(&self, table: Table, symbol: u8) -> u32 {
        self.0.get(table.index() & 3).and_then(|codes| codes.get(usize::from(symbol))).copied().unwrap_or(0)
    }
}

/// Writes symbols at once.
#[derive(Debug)]
pub(super) struct Coder<'t> {
    pub(super) bits: BitWriter,
    pub(super) tables: &'t CodeTables,
}

impl Sink for Coder<'_> {
    #[inline(always)]
    fn symbol(&mut self, table: Table, symbol: u8, extra: u16) {
        let entry = self.tables.entry(table, symbol);
        self.bits.put(entry >> 5 | u32::from(extra), entry & 31);
    }
}

/// Symbols that wait for their tables, with how often each occurs.
///
/// A token is the extra bits, the symbol above them, the table above that; or, with [`RAW`], bits without a symbol, their
/// number where the symbol would be.
#[derive(Debug)]
pub(super) struct Tokens {
    tokens: Vec<u32>,
    counts: [[u32; 256]; 4],
}

const RAW: u32 = 1 << 31;

impl Tokens {
    pub(super) fn new() -> Self {
        Self { tokens: Vec::with_capacity(TOKENS_AT_FIRST), counts: [[0; 256]; 4] }
    }

    /// Whether no more should be added.
    pub(super) fn is_full(&self) -> bool {
        self.tokens.len() >= TOKENS_MAX
    }

    /// Bits without a symbol, `length` 0 to 16.
    pub(super) fn raw(&mut self, bits: u16, length: u8) {
        if length > 0 {
            self.tokens.push(RAW | u32::from(length) << 16 | u32::from(bits));
        }
    }

    /// Whether any symbol of the table occurred.
    pub(super) fn uses(&self, table: Table) -> bool {
        self.counts.get(table.index()).is_some_and(|counts| counts.iter().any(|count| *count > 0))
    }

    /// Tables that fit what was counted, and no other symbol.
    pub(super) fn books(&self) -> [Codebook; 4] {
        self.counts.each_ref().map(huffman::fitted)
    }

    /// Tables that fit what was counted and can write every symbol of a sequential scan.
    pub(super) fn books_for_all(&self) -> [Codebook; 4] {
        let mut counts = self.counts;
        for (table, counts) in Table::ALL.iter().zip(&mut counts) {
            for (symbol, count) in (0..=u8::MAX).zip(counts) {
                let (run, size) = (symbol >> 4, symbol & 15);
                let exists = if table.0 & 1 == 0 {
                    run == 0 && size <= 11
                } else {
                    (1..=10).contains(&size) || symbol == 0 || symbol == 0xF0
                };
                *count = count.saturating_add(u32::from(exists));
            }
        }
        counts.each_ref().map(huffman::fitted)
    }

    /// Writes what was collected and forgets it.
    pub(super) fn replay(&mut self, coder: &mut Coder<'_>) {
        for token in self.tokens.drain(..) {
            let [low, high, symbol, table] = token.to_le_bytes();
            if token & RAW == 0 {
                coder.symbol(Table(u16::from(table)), symbol, u16::from_le_bytes([low, high]));
            } else {
                coder.bits.put(token & 0xFFFF, u32::from(symbol));
            }
        }
        self.counts = [[0; 256]; 4];
    }
}

impl Sink for Tokens {
    #[inline(always)]
    fn symbol(&mut self, table: Table, symbol: u8, extra: u16) {
        if let Some(count) =
            self.counts.get_mut(table.index() & 3).and_then(|counts| counts.get_mut(usize::from(symbol)))
        {
            *count += 1;
        }
        self.tokens.push(u32::from(table.0) << 24 | u32::from(symbol) << 16 | u32::from(extra));
    }
}

/// How many bits the size of `value` takes, and those bits: of a negative value, of the value less one.
#[inline(always)]
pub(super) fn sized(value: i16) -> (u8, u16) {
    let [length, ..] = (16 - value.unsigned_abs().leading_zeros()).to_le_bytes();
    let bits = value.wrapping_add(value >> 15).cast_unsigned();
    (length, bits & !(u16::MAX.checked_shl(length.into()).unwrap_or(0)))
}

/// A block of a sequential scan (T.81 section F.1.2). `before` is the DC of the component's block before, and becomes this one's.
#[inline(always)]
pub(super) fn block(sink: &mut impl Sink, block: &Block, before: &mut i16, chroma: u16) {
    let dc = block.coefficient(0);
    let (size, bits) = sized(dc.wrapping_sub(*before));
    *before = dc;
    sink.symbol(Table::dc(chroma), size, bits);
    let table = Table::ac(chroma);
    let mut filled = block.filled & !1;
    let mut next = 1;
    while filled != 0 {
        let n = filled.trailing_zeros();
        filled &= filled - 1;
        let mut run = n - next;
        next = n + 1;
        while run > 15 {
            sink.symbol(table, 0xF0, 0);
            run -= 16;
        }
        let (size, bits) = sized(block.coefficient(n));
        let [run, ..] = run.to_le_bytes();
        sink.symbol(table, run << 4 | size, bits);
    }
    if next < 64 {
        sink.symbol(table, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (value, wanted) in [
            (0, (0, 0)),
            (1, (1, 1)),
            (-1, (1, 0)),
            (5, (3, 5)),
            (-5, (3, 2)),
            (1023, (10, 1023)),
            (-1023, (10, 0)),
            (-2047, (11, 0)),
        ] {
            assert_eq!(sized(value), wanted, "{value}");
        }
    }
}
