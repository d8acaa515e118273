//! What a source is and how large it claims to be, from its first bytes.
//!
//! The content decides, never a file name or content type. Nothing is decoded and nothing is allocated here, so it is cheap
//! enough to run before a rendering is queued.

use crate::Error;

pub(crate) mod jpeg;
mod reader;
pub(crate) mod webp;

use reader::Reader;

/// The format of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceFormat {
    /// JPEG, baseline or progressive.
    Jpeg,
    /// PNG, of an animation the default image.
    Png,
    /// GIF, of an animation the first frame.
    Gif,
    /// WebP, of an animation the first frame.
    Webp,
}

/// What the header claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// By content.
    pub format: SourceFormat,
    /// As stored, before orientation, in pixels.
    pub width: u32,
    /// As stored, before orientation, in pixels.
    pub height: u32,
    /// Memory that decoding takes at its peak, per pixel, rounded up.
    pub decode_bytes_per_pixel: u32,
}

impl Header {
    /// Width times height.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Reads the header of a source.
///
/// # Errors
/// [`Error::UnknownFormat`] when the content is of no accepted format, [`Error::Undecodable`] when its header is damaged.
///
/// ```
/// use overfall_imaging::{Error, sniff};
///
/// assert_eq!(sniff::header(b"<html>"), Err(Error::UnknownFormat { found: "a text document" }));
/// ```
pub fn header(source: &[u8]) -> Result<Header, Error> {
    match format(source)? {
        SourceFormat::Jpeg => Ok(jpeg::frame(source)?.header()),
        SourceFormat::Png => png(source).ok_or(CUT_SHORT),
        SourceFormat::Gif => gif(source).ok_or(CUT_SHORT),
        SourceFormat::Webp => webp::header(source),
    }
}

/// A header that ends too soon.
pub(crate) const CUT_SHORT: Error = Error::Undecodable { reason: "it is cut short" };

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

fn format(source: &[u8]) -> Result<SourceFormat, Error> {
    let is_webp = source.starts_with(b"RIFF") && source.get(8..12) == Some(b"WEBP".as_slice());
    if source.starts_with(b"\xff\xd8\xff") {
        Ok(SourceFormat::Jpeg)
    } else if source.starts_with(PNG_SIGNATURE) {
        Ok(SourceFormat::Png)
    } else if source.starts_with(b"GIF87a") || source.starts_with(b"GIF89a") {
        Ok(SourceFormat::Gif)
    } else if is_webp {
        Ok(SourceFormat::Webp)
    } else {
        Err(Error::UnknownFormat { found: foreign(source) })
    }
}

/// A word for content that is not accepted.
fn foreign(source: &[u8]) -> &'static str {
    const STARTS: [(&[u8], &str); 8] = [
        (b"BM", "bmp"),
        (b"II*\0", "tiff"),
        (b"MM\0*", "tiff"),
        (b"\0\0\x01\0", "ico"),
        (b"\xff\x0a", "jpeg xl"),
        (b"\0\0\0\x0cJXL ", "jpeg xl"),
        (b"\0\0\0\x0cjP  ", "jpeg 2000"),
        (b"%PDF", "pdf"),
    ];
    if source.is_empty() {
        return "empty";
    }
    if let Some((_, word)) = STARTS.iter().find(|(start, _)| source.starts_with(start)) {
        return word;
    }
    if source.get(4..8) == Some(b"ftyp".as_slice()) {
        return match source.get(8..12) {
            Some(b"avif" | b"avis") => "avif",
            Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1") => "heic",
            _ => "a video",
        };
    }
    let text = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source).trim_ascii_start();
    if text.first() != Some(&b'<') {
        return "not an image";
    }
    let start = text.get(..text.len().min(4_096)).unwrap_or_default();
    if start.windows(4).any(|window| window == b"<svg") { "svg" } else { "a text document" }
}

fn png(source: &[u8]) -> Option<Header> {
    let mut reader = Reader::new(source);
    reader.take(PNG_SIGNATURE.len())?;
    // IHDR is first, RFC 2083 section 4.1.1
    let (_length, _kind) = (reader.u32_be()?, reader.take(4)?);
    let (width, height) = (reader.u32_be()?, reader.u32_be()?);
    let (depth, colour) = (reader.u8()?, reader.u8()?);
    let channels = match colour {
        0 => 2,
        2 => 4,
        // palettes grow to RGBA, grey with alpha stays small but is rare
        _ => 4,
    };
    // 16-bit pictures exist twice while they are narrowed
    let decode_bytes_per_pixel = if depth == 16 { channels * 3 } else { channels };
    Some(Header { format: SourceFormat::Png, width, height, decode_bytes_per_pixel })
}

fn gif(source: &[u8]) -> Option<Header> {
    let mut reader = Reader::new(source);
    reader.take(6)?;
    let (width, height) = (u32::from(reader.u16_le()?), u32::from(reader.u16_le()?));
    // a frame smaller than the canvas is decoded beside it
    Some(Header { format: SourceFormat::Gif, width, height, decode_bytes_per_pixel: 8 })
}

#[cfg(test)]
mod tests;
