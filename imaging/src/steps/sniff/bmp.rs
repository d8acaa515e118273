//! The header of a BMP file, and of the bitmaps inside ICO files (BITMAPCOREHEADER, BITMAPINFOHEADER and its successors).

use super::{Header, Reader, SourceFormat};

/// Output, and the palette's or bit field's detour.
const DECODE_BYTES_PER_PIXEL: u32 = 8;

/// Two letters begin many texts, so the size of the second header must be one that exists, too.
pub(super) fn is_bmp(source: &[u8]) -> bool {
    let size = source.get(14..18).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    source.starts_with(b"BM") && matches!(size, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

/// Reads a BMP file's header; none when it is cut short or of an unknown kind.
pub(super) fn header(source: &[u8]) -> Option<Header> {
    let mut reader = Reader::new(source);
    reader.take(14)?;
    let bitmap = bitmap(reader)?;
    Some(bitmap.header(SourceFormat::Bmp))
}

/// What the header of a bitmap says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bitmap {
    pub(super) width: u32,
    /// Rows, whichever of them is stored first.
    pub(super) height: u32,
    pub(super) bits_per_pixel: u16,
    pub(super) has_alpha: bool,
}

impl Bitmap {
    pub(super) fn header(self, format: SourceFormat) -> Header {
        Header {
            has_alpha: self.has_alpha,
            ..Header::still(format, self.width, self.height, DECODE_BYTES_PER_PIXEL)
        }
    }
}

/// Reads a bitmap header from its own size field on.
pub(super) fn bitmap(mut reader: Reader<'_>) -> Option<Bitmap> {
    let size = reader.u32_le()?;
    if size == 12 {
        let (width, height) = (reader.u16_le()?, reader.u16_le()?);
        reader.take(2)?;
        let bits_per_pixel = reader.u16_le()?;
        let (width, height) = (width.into(), height.into());
        return Some(Bitmap { width, height, bits_per_pixel, has_alpha: false });
    }
    if !(16..=256).contains(&size) {
        return None;
    }
    // negative heights store the top row first
    let (width, height) = (reader.i32_le()?, reader.i32_le()?.unsigned_abs());
    reader.take(2)?;
    let bits_per_pixel = reader.u16_le()?;
    let compression = reader.u32_le()?;
    reader.take(20);
    let masks = (reader.take(12), reader.u32_le());
    // with bit fields and a header long enough for the fourth mask
    let has_alpha = compression == 3 && size >= 56 && matches!(masks, (Some(_), Some(1..)));
    let width = u32::try_from(width).ok()?;
    Some(Bitmap { width, height, bits_per_pixel, has_alpha })
}
