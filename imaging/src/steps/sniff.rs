//! What a source is and how large it claims to be, from its first bytes.
//!
//! The content decides, never a file name or content type. Nothing is decoded, and of what is allocated the size is bounded
//! by constants, so it is cheap enough to run before a rendering is queued. Frames and pages are counted by walking the
//! container.

use crate::Error;

mod bmp;
mod gif;
pub(crate) mod heif;
pub(crate) mod ico;
pub(crate) mod isobmff;
pub(crate) mod jpeg;
pub(crate) mod jxl;
mod png;
pub(crate) mod reader;
pub(crate) mod svg;
mod tiff;
pub(crate) mod webp;

pub(crate) use reader::Reader;

/// The format of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceFormat {
    /// JPEG, baseline or progressive.
    Jpeg,
    /// PNG or APNG.
    Png,
    /// GIF.
    Gif,
    /// WebP, lossy or lossless.
    Webp,
    /// AVIF; of a sequence its still picture.
    Avif,
    /// HEIC; of a sequence its still picture.
    Heic,
    /// JPEG XL.
    Jxl,
    /// TIFF or BigTIFF.
    Tiff,
    /// Windows bitmap.
    Bmp,
    /// Windows icon or cursor, of which the largest picture.
    Ico,
    /// SVG, not compressed.
    Svg,
}

impl SourceFormat {
    /// The word in URLs and descriptions.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::Webp => "webp",
            Self::Avif => "avif",
            Self::Heic => "heic",
            Self::Jxl => "jxl",
            Self::Tiff => "tiff",
            Self::Bmp => "bmp",
            Self::Ico => "ico",
            Self::Svg => "svg",
        }
    }

    /// The media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Avif => "image/avif",
            Self::Heic => "image/heic",
            Self::Jxl => "image/jxl",
            Self::Tiff => "image/tiff",
            Self::Bmp => "image/bmp",
            Self::Ico => "image/x-icon",
            Self::Svg => "image/svg+xml",
        }
    }
}

/// What the header claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// By content.
    pub format: SourceFormat,
    /// As stored, before orientation, in pixels. Of an SVG the size that a browser would show it at.
    pub width: u32,
    /// As stored, before orientation, in pixels.
    pub height: u32,
    /// Of an animation, as its container says; 1 for a still picture.
    pub frames: u32,
    /// Of a TIFF; 1 for other formats.
    pub pages: u32,
    /// Whether pixels may be transparent. They need not be.
    pub has_alpha: bool,
    /// Bits of a channel: 8, or 16 for everything above.
    pub depth: u8,
    /// Memory that decoding one picture takes at its peak, per pixel, rounded up.
    pub decode_bytes_per_pixel: u32,
}

impl Header {
    /// A single opaque picture with eight bits a channel.
    #[must_use]
    pub fn still(format: SourceFormat, width: u32, height: u32, decode_bytes_per_pixel: u32) -> Self {
        Self {
            format,
            width,
            height,
            frames: 1,
            pages: 1,
            has_alpha: false,
            depth: 8,
            decode_bytes_per_pixel,
        }
    }

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
    header_of(source, 0)
}

/// Reads the header of one page of a source; the first is 0, and only a TIFF has more.
///
/// # Errors
/// As [`header`], and [`Error::Undecodable`] when there is no such page.
pub fn header_of(source: &[u8], page: u32) -> Result<Header, Error> {
    let format = format(source)?;
    if page > 0 && format != SourceFormat::Tiff {
        return Err(Error::Undecodable { reason: "it has no such page" });
    }
    match format {
        SourceFormat::Jpeg => Ok(jpeg::frame(source)?.header()),
        SourceFormat::Png => png::header(source).ok_or(CUT_SHORT),
        SourceFormat::Gif => gif::header(source).ok_or(CUT_SHORT),
        SourceFormat::Webp => webp::header(source),
        SourceFormat::Avif | SourceFormat::Heic => heif::header(source, format),
        SourceFormat::Jxl => Ok(jxl::basic(source)?.header),
        SourceFormat::Tiff => tiff::header(source, page),
        SourceFormat::Bmp => bmp::header(source).ok_or(CUT_SHORT),
        SourceFormat::Ico => Ok(ico::largest(source)?.header),
        SourceFormat::Svg => svg::header(source),
    }
}

/// A header that ends too soon.
pub(crate) const CUT_SHORT: Error = Error::Undecodable { reason: "it is cut short" };

fn format(source: &[u8]) -> Result<SourceFormat, Error> {
    const STARTS: [(&[u8], SourceFormat); 12] = [
        (b"\xff\xd8\xff", SourceFormat::Jpeg),
        (png::SIGNATURE, SourceFormat::Png),
        (b"GIF87a", SourceFormat::Gif),
        (b"GIF89a", SourceFormat::Gif),
        (jxl::CODESTREAM, SourceFormat::Jxl),
        (jxl::CONTAINER, SourceFormat::Jxl),
        (b"II*\0", SourceFormat::Tiff),
        (b"MM\0*", SourceFormat::Tiff),
        (b"II+\0", SourceFormat::Tiff),
        (b"MM\0+", SourceFormat::Tiff),
        (b"\0\0\x01\0", SourceFormat::Ico),
        (b"\0\0\x02\0", SourceFormat::Ico),
    ];
    let is_webp = source.starts_with(b"RIFF") && source.get(8..12) == Some(b"WEBP".as_slice());
    if is_webp {
        return Ok(SourceFormat::Webp);
    }
    if let Some((_, format)) = STARTS.iter().find(|(start, _)| source.starts_with(start)) {
        return Ok(*format);
    }
    if bmp::is_bmp(source) {
        return Ok(SourceFormat::Bmp);
    }
    if let Some(format) = heif::format(source) {
        return Ok(format);
    }
    if svg::is_svg(source) {
        return Ok(SourceFormat::Svg);
    }
    Err(Error::UnknownFormat { found: foreign(source) })
}

/// A word for content that is not accepted.
fn foreign(source: &[u8]) -> &'static str {
    const STARTS: [(&[u8], &str); 4] = [
        (b"\0\0\0\x0cjP  ", "jpeg 2000"),
        (b"\xff\x4f\xff\x51", "jpeg 2000"),
        (b"%PDF", "pdf"),
        (b"\x1f\x8b", "compressed with gzip"),
    ];
    if source.is_empty() {
        return "empty";
    }
    if let Some((_, word)) = STARTS.iter().find(|(start, _)| source.starts_with(start)) {
        return word;
    }
    if source.get(4..8) == Some(b"ftyp".as_slice()) {
        return "a video";
    }
    let text = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source).trim_ascii_start();
    if text.first() == Some(&b'<') { "a text document" } else { "not an image" }
}

#[cfg(test)]
mod tests;
