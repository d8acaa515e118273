//! The directories of a TIFF file (TIFF 6.0 section 2, and BigTIFF), read without decoding.
//!
//! A file is a chain of pages. The chain is followed as far as [`PAGES_MAX`], so a chain that bites its own tail ends too.

use super::{CUT_SHORT, Header, Reader, SourceFormat};
use crate::Error;

/// Pages counted.
const PAGES_MAX: u32 = 1_000;
/// Entries of one directory; real ones have a few dozen.
const ENTRIES_MAX: u64 = 1_024;

const DAMAGED: Error = Error::Undecodable { reason: "the tiff directory is damaged" };

/// Reads the directory of one page, the first of which is 0.
///
/// # Errors
/// `Undecodable` when the file is cut short before that directory, has no such page, or the page has no size.
pub(super) fn header(source: &[u8], page: u32) -> Result<Header, Error> {
    let file = File::open(source).ok_or(CUT_SHORT)?;
    let mut found = None;
    let mut pages = 0;
    let mut next = Some(file.first);
    while let Some(offset) = next.filter(|&offset| offset != 0) {
        if pages == PAGES_MAX {
            break;
        }
        let Some(directory) = file.directory(offset) else { break };
        if pages == page {
            found = Some(directory);
        }
        next = directory.next;
        pages += 1;
    }
    match found {
        Some(directory) => directory.header(pages),
        None if pages == 0 => Err(CUT_SHORT),
        None => Err(Error::Undecodable { reason: "it has no such page" }),
    }
}

/// Byte order and width of offsets.
#[derive(Clone, Copy)]
struct File<'a> {
    source: &'a [u8],
    is_big_endian: bool,
    is_big: bool,
    first: u64,
}

/// What matters of one directory.
#[derive(Debug, Clone, Copy, Default)]
struct Directory {
    width: Option<u64>,
    height: Option<u64>,
    bits: u64,
    samples: u64,
    is_rgb: bool,
    has_alpha: bool,
    next: Option<u64>,
}

impl<'a> File<'a> {
    fn open(source: &'a [u8]) -> Option<Self> {
        let mut file = Self { source, is_big_endian: source.starts_with(b"MM"), is_big: false, first: 0 };
        let mut reader = file.at(2)?;
        match file.u16(&mut reader)? {
            42 => file.first = file.u32(&mut reader)?.into(),
            43 => {
                file.is_big = true;
                reader.take(4)?;
                file.first = file.u64(&mut reader)?;
            }
            _ => return None,
        }
        Some(file)
    }

    fn at(&self, offset: u64) -> Option<Reader<'a>> {
        self.source.get(usize::try_from(offset).ok()?..).map(Reader::new)
    }

    fn u16(&self, reader: &mut Reader<'_>) -> Option<u16> {
        if self.is_big_endian { reader.u16_be() } else { reader.u16_le() }
    }

    fn u32(&self, reader: &mut Reader<'_>) -> Option<u32> {
        if self.is_big_endian { reader.u32_be() } else { reader.u32_le() }
    }

    fn u64(&self, reader: &mut Reader<'_>) -> Option<u64> {
        let bytes = reader.array()?;
        Some(if self.is_big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    fn offset(&self, reader: &mut Reader<'_>) -> Option<u64> {
        if self.is_big { self.u64(reader) } else { self.u32(reader).map(u64::from) }
    }

    fn directory(&self, offset: u64) -> Option<Directory> {
        let mut reader = self.at(offset)?;
        let count = if self.is_big { self.u64(&mut reader)? } else { self.u16(&mut reader)?.into() };
        if count > ENTRIES_MAX {
            return None;
        }
        let mut directory = Directory { bits: 1, samples: 1, ..Directory::default() };
        for _ in 0..count {
            self.entry(&mut reader, &mut directory)?;
        }
        // some files end right behind their last entry
        directory.next = self.offset(&mut reader);
        Some(directory)
    }

    fn entry(&self, reader: &mut Reader<'_>, directory: &mut Directory) -> Option<()> {
        let (tag, kind) = (self.u16(reader)?, self.u16(reader)?);
        let count = self.offset(reader)?;
        let value = reader.take(if self.is_big { 8 } else { 4 })?;
        let first = self.first_number(kind, count, value);
        match (tag, first) {
            (256, _) => directory.width = first,
            (257, _) => directory.height = first,
            (258, Some(bits)) => directory.bits = bits,
            (262, Some(2)) => directory.is_rgb = true,
            (277, Some(samples)) => directory.samples = samples,
            // unassociated or associated alpha
            (338, Some(1 | 2)) => directory.has_alpha = true,
            _ => {}
        }
        Some(())
    }

    /// The first of an entry's numbers, which stand elsewhere when they do not fit.
    fn first_number(&self, kind: u16, count: u64, value: &[u8]) -> Option<u64> {
        let size = match kind {
            1 => 1,
            3 => 2,
            4 => 4,
            16 => 8,
            _ => return None,
        };
        let mut reader = Reader::new(value);
        if count.saturating_mul(size) > u64::try_from(value.len()).unwrap_or(0) {
            reader = self.at(self.offset(&mut reader)?)?;
        }
        match kind {
            1 => reader.u8().map(u64::from),
            3 => self.u16(&mut reader).map(u64::from),
            4 => self.u32(&mut reader).map(u64::from),
            _ => self.u64(&mut reader),
        }
    }
}

impl Directory {
    fn header(self, pages: u32) -> Result<Header, Error> {
        let side = |side: Option<u64>| side.and_then(|side| u32::try_from(side).ok()).ok_or(DAMAGED);
        let (width, height) = (side(self.width)?, side(self.height)?);
        let samples = u32::try_from(self.samples.clamp(1, 64)).unwrap_or(64);
        let bytes = u32::try_from(self.bits.div_ceil(8).clamp(1, 8)).unwrap_or(8);
        // as stored, and as eight bits
        let decode_bytes_per_pixel = samples * bytes + samples.max(4);
        Ok(Header {
            pages,
            // a fourth sample of a colour is taken for alpha, named or not
            has_alpha: self.has_alpha || self.is_rgb && samples > 3,
            depth: if self.bits > 8 { 16 } else { 8 },
            ..Header::still(SourceFormat::Tiff, width, height, decode_bytes_per_pixel)
        })
    }
}
