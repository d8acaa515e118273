//! The directory of an ICO or CUR file: several pictures, of which the largest is taken.
//!
//! The directory's own sizes are hints (256 is stored as 0, and some are wrong), so the size is read from the picture's own
//! header, a PNG's or a bitmap's.

use super::{CUT_SHORT, Header, Reader, SourceFormat, bmp, png};
use crate::Error;

/// Entries looked at; real files have up to a dozen.
const ENTRIES_MAX: u16 = 256;

const DAMAGED: Error = Error::Undecodable { reason: "the ico directory is damaged" };

/// The picture that was chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// Its header, as of an ICO.
    pub(crate) header: Header,
    /// Its directory entry, with the offset still that of the whole file.
    pub(crate) directory: &'a [u8],
    /// A PNG, or a bitmap without file header.
    pub(crate) picture: &'a [u8],
    /// Which of both.
    pub(crate) is_png: bool,
    bits_per_pixel: u16,
}

/// Finds the largest picture; of two alike the one with more bits a pixel.
///
/// # Errors
/// `Undecodable` when there is none, or the directory points outside the file.
pub(crate) fn largest(source: &[u8]) -> Result<Entry<'_>, Error> {
    let mut reader = Reader::new(source);
    reader.take(4).ok_or(CUT_SHORT)?;
    let count = reader.u16_le().ok_or(CUT_SHORT)?.min(ENTRIES_MAX);
    let mut best: Option<Entry<'_>> = None;
    for _ in 0..count {
        let directory = reader.take(16).ok_or(CUT_SHORT)?;
        // one damaged picture does not spoil the others
        let Some(entry) = entry(source, directory) else { continue };
        let rank = |entry: &Entry<'_>| (entry.header.pixels(), entry.bits_per_pixel);
        if best.as_ref().is_none_or(|best| rank(&entry) > rank(best)) {
            best = Some(entry);
        }
    }
    best.ok_or(DAMAGED)
}

fn entry<'a>(source: &'a [u8], directory: &'a [u8]) -> Option<Entry<'a>> {
    let mut reader = Reader::new(directory);
    reader.take(8)?;
    let (length, offset) = (usize::try_from(reader.u32_le()?).ok()?, usize::try_from(reader.u32_le()?).ok()?);
    let picture = source.get(offset..offset.checked_add(length)?)?;
    if picture.starts_with(png::SIGNATURE) {
        let inner = png::header(picture)?;
        let header = Header { format: SourceFormat::Ico, frames: 1, ..inner };
        return Some(Entry { header, directory, picture, is_png: true, bits_per_pixel: 32 });
    }
    let bitmap = bmp::bitmap(Reader::new(picture))?;
    // colour rows, then as many rows of the transparency mask
    let bitmap = bmp::Bitmap { height: bitmap.height / 2, ..bitmap };
    let header = Header { has_alpha: true, ..bitmap.header(SourceFormat::Ico) };
    Some(Entry { header, directory, picture, is_png: false, bits_per_pixel: bitmap.bits_per_pixel })
}
