//! Directories of a TIFF structure (TIFF 6.0 section 2): entries with tag, kind, count and value or the value's offset.

use super::Ratio;

/// Entries of a directory that are looked at; cameras write fewer than a hundred.
const ENTRIES_MAX: usize = 256;

/// The mark before the block in a JPEG segment, and in some PNG and WebP files.
const JPEG_MARK: &[u8] = b"Exif\0\0";

/// Kinds of values.
mod kind {
    pub(super) const BYTE: u16 = 1;
    pub(super) const ASCII: u16 = 2;
    pub(super) const SHORT: u16 = 3;
    pub(super) const LONG: u16 = 4;
    pub(super) const RATIONAL: u16 = 5;
    pub(super) const UTF8: u16 = 129;
}

/// A block whose head was in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiff<'a> {
    block: &'a [u8],
    order: Order,
}

/// Which end of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// The mark at the start of a block.
    pub(super) fn mark(self) -> [u8; 2] {
        match self {
            Self::Little => *b"II",
            Self::Big => *b"MM",
        }
    }

    fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// As it is written.
    pub(super) fn short(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    /// As it is written.
    pub(super) fn long(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}

/// One entry with its value, which lies within the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) tag: u16,
    pub(super) kind: u16,
    pub(super) count: u32,
    pub(super) value: &'a [u8],
}

/// The readable entries of a directory, in their order.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    order: Order,
    pub(super) entries: Vec<Entry<'a>>,
}

impl<'a> Tiff<'a> {
    /// Checks the head; none when it is not one.
    pub(super) fn open(block: &'a [u8]) -> Option<Self> {
        let block = block.strip_prefix(JPEG_MARK).unwrap_or(block);
        let order = match block.get(..2)? {
            b"II" => Order::Little,
            b"MM" => Order::Big,
            _ => return None,
        };
        let tiff = Self { block, order };
        (tiff.u16_at(2)? == 42).then_some(tiff)
    }

    /// The order of its numbers.
    pub(super) fn order(&self) -> Order {
        self.order
    }

    /// The first directory; what else follows it in the chain describes a thumbnail.
    pub(super) fn first(&self) -> Directory<'a> {
        self.u32_at(4).map_or_else(|| self.empty(), |offset| self.directory(offset))
    }

    /// The directory that an entry points at.
    pub(super) fn below(&self, above: &Directory<'_>, tag: u16) -> Directory<'a> {
        above.number(tag).map_or_else(|| self.empty(), |offset| self.directory(offset))
    }

    fn empty(&self) -> Directory<'a> {
        Directory { order: self.order, entries: Vec::new() }
    }

    fn directory(&self, offset: u32) -> Directory<'a> {
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let count = self.u16_at(at).map_or(0, usize::from).min(ENTRIES_MAX);
        let entries = (0..count).map_while(|index| at.checked_add(2 + index * 12));
        let entries = entries.filter_map(|at| self.entry(at)).collect();
        Directory { order: self.order, entries }
    }

    fn entry(&self, at: usize) -> Option<Entry<'a>> {
        let (tag, kind) = (self.u16_at(at)?, self.u16_at(at.checked_add(2)?)?);
        let count = self.u32_at(at.checked_add(4)?)?;
        let bytes = usize::try_from(count).ok()?.checked_mul(size(kind)?)?;
        let inside = at.checked_add(8)?;
        let start = if bytes <= 4 { inside } else { usize::try_from(self.u32_at(inside)?).ok()? };
        let value = self.block.get(start..start.checked_add(bytes)?)?;
        Some(Entry { tag, kind, count, value })
    }

    fn u16_at(&self, at: usize) -> Option<u16> {
        let bytes = self.block.get(at..at.checked_add(2)?)?;
        Some(self.order.u16(bytes.try_into().ok()?))
    }

    fn u32_at(&self, at: usize) -> Option<u32> {
        let bytes = self.block.get(at..at.checked_add(4)?)?;
        Some(self.order.u32(bytes.try_into().ok()?))
    }
}

/// Bytes of one value; none for kinds that no tag of ours has.
fn size(kind: u16) -> Option<usize> {
    match kind {
        // byte, text, signed byte, undefined, UTF-8
        1 | 2 | 6 | 7 | kind::UTF8 => Some(1),
        // short, signed
        3 | 8 => Some(2),
        // long, signed, single
        4 | 9 | 11 => Some(4),
        // fraction, signed, double
        5 | 10 | 12 => Some(8),
        _ => None,
    }
}

impl<'a> Directory<'a> {
    /// The first entry of a tag.
    pub(super) fn find(&self, tag: u16) -> Option<Entry<'a>> {
        self.entries.iter().find(|entry| entry.tag == tag).copied()
    }

    /// The bytes of a text, zeros included.
    pub(super) fn text(&self, tag: u16) -> Option<&'a [u8]> {
        let entry = self.find(tag)?;
        matches!(entry.kind, kind::ASCII | kind::UTF8).then_some(entry.value)
    }

    /// The first of one or more whole numbers.
    pub(super) fn number(&self, tag: u16) -> Option<u32> {
        let Entry { kind, value, .. } = self.find(tag)?;
        match kind {
            kind::BYTE => value.first().copied().map(u32::from),
            kind::SHORT => Some(self.order.u16(value.first_chunk().copied()?).into()),
            kind::LONG => Some(self.order.u32(value.first_chunk().copied()?)),
            _ => None,
        }
    }

    /// The fraction at `index`; none with a denominator of 0.
    pub(super) fn ratio(&self, tag: u16, index: usize) -> Option<Ratio> {
        let entry = self.find(tag).filter(|entry| entry.kind == kind::RATIONAL)?;
        let (pair, _) = entry.value.as_chunks::<4>().0.get(index * 2..)?.split_first_chunk::<2>()?;
        let [numerator, denominator] = pair.map(|bytes| self.order.u32(bytes));
        (denominator != 0).then_some(Ratio { numerator, denominator })
    }
}
