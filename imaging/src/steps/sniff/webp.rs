//! The chunks of a WebP file (RFC 9649 section 2), read without decoding.
//!
//! The sizes stand in several places: the canvas, and each bitstream. All that will be decoded are held to the canvas, which
//! is what the limits judge; and every chunk must lie within the file.

use super::{CUT_SHORT, Header, Reader, SourceFormat};
use crate::Error;

/// Chunks looked at before the first picture.
const CHUNKS_MAX: u32 = 64;

/// Output, alpha, and planes of the lossy decoder.
const DECODE_BYTES_PER_PIXEL: u32 = 10;

const DAMAGED: Error = Error::Undecodable { reason: "the webp header is damaged" };

/// Bits of the extended header's first byte.
const ANIMATED: u8 = 0x02;
const ALPHA: u8 = 0x10;

/// Reads the canvas size, or without one the size of the only bitstream.
///
/// # Errors
/// `Undecodable` when the file ends before its own size says, or the bitstream is larger than the canvas.
pub(super) fn header(source: &[u8]) -> Result<Header, Error> {
    let mut chunks = chunks(source).ok_or(CUT_SHORT)?;
    let (kind, payload) = chunk(&mut chunks).ok_or(CUT_SHORT)?;
    if &kind != b"VP8X" {
        let picture = bitstream(&kind, payload).ok_or(DAMAGED)?;
        return Ok(Header { has_alpha: picture.has_alpha, ..still(picture.width, picture.height) });
    }
    let (flags, width, height) = canvas(payload).ok_or(CUT_SHORT)?;
    let first = first_picture(chunks)?;
    if first.width > width || first.height > height {
        return Err(DAMAGED);
    }
    Ok(Header {
        frames: if flags & ANIMATED == 0 { 1 } else { frames(chunks).max(1) },
        has_alpha: flags & ALPHA != 0,
        ..still(width, height)
    })
}

fn still(width: u32, height: u32) -> Header {
    Header::still(SourceFormat::Webp, width, height, DECODE_BYTES_PER_PIXEL)
}

/// The chunks within the size that the file claims.
pub(crate) fn chunks(source: &[u8]) -> Option<Reader<'_>> {
    let mut reader = Reader::new(source);
    reader.take(4)?;
    let size = usize::try_from(reader.u32_le()?).ok()?;
    reader.take(4)?;
    Some(Reader::new(reader.take(size.saturating_sub(4))?))
}

/// Name and content of the next chunk.
pub(crate) fn chunk<'a>(reader: &mut Reader<'a>) -> Option<([u8; 4], &'a [u8])> {
    let kind = reader.array()?;
    let size = usize::try_from(reader.u32_le()?).ok()?;
    let payload = reader.take(size)?;
    // padded to even length; missing at the very end of some files
    if size % 2 == 1 {
        reader.take(1);
    }
    Some((kind, payload))
}

/// A still picture that is lossy and has no alpha, with what the file says besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lossy<'a> {
    /// A key frame of VP8.
    pub(crate) frame: &'a [u8],
    pub(crate) profile: Option<&'a [u8]>,
    pub(crate) exif: Option<&'a [u8]>,
}

/// Finds the parts of such a picture; none in files of other kinds, and where the picture does not fill its canvas.
pub(crate) fn lossy<'a>(source: &'a [u8], header: &Header) -> Option<Lossy<'a>> {
    let mut chunks = chunks(source)?;
    let mut found = Lossy { frame: &[], profile: None, exif: None };
    for _ in 0..CHUNKS_MAX {
        let Some((kind, payload)) = chunk(&mut chunks) else { break };
        match &kind {
            b"VP8X" if canvas(payload)?.0 & (ANIMATED | ALPHA) != 0 => return None,
            b"VP8L" | b"ALPH" | b"ANIM" => return None,
            b"VP8 " if found.frame.is_empty() => {
                let picture = bitstream(&kind, payload)?;
                if (picture.width, picture.height) != (header.width, header.height) {
                    return None;
                }
                found.frame = payload;
            }
            b"ICCP" => found.profile = found.profile.or(Some(payload)),
            b"EXIF" => found.exif = found.exif.or(Some(payload)),
            _ => {}
        }
    }
    (!found.frame.is_empty()).then_some(found)
}

fn canvas(payload: &[u8]) -> Option<(u8, u32, u32)> {
    let mut reader = Reader::new(payload);
    let flags = reader.u8()?;
    reader.take(3)?;
    Some((flags, reader.u24_le()? + 1, reader.u24_le()? + 1))
}

/// Frames of an animation. Each takes 24 bytes at least, so the file's length bounds the walk.
fn frames(mut chunks: Reader<'_>) -> u32 {
    let mut frames = 0_u32;
    while let Some((kind, _)) = chunk(&mut chunks) {
        frames = frames.saturating_add(u32::from(&kind == b"ANMF"));
    }
    frames
}

/// What a bitstream says of itself.
struct Picture {
    width: u32,
    height: u32,
    has_alpha: bool,
}

/// The first bitstream, which of an animation is inside its first frame.
fn first_picture(mut chunks: Reader<'_>) -> Result<Picture, Error> {
    for _ in 0..CHUNKS_MAX {
        let (kind, payload) = chunk(&mut chunks).ok_or(CUT_SHORT)?;
        match &kind {
            b"VP8 " | b"VP8L" => return bitstream(&kind, payload).ok_or(DAMAGED),
            b"ANMF" => {
                chunks = Reader::new(payload);
                chunks.take(16).ok_or(DAMAGED)?;
            }
            _ => {}
        }
    }
    Err(DAMAGED)
}

fn bitstream(kind: &[u8; 4], payload: &[u8]) -> Option<Picture> {
    let mut reader = Reader::new(payload);
    match kind {
        // RFC 6386 section 9.1
        b"VP8 " => {
            reader.take(3)?;
            if reader.take(3)? != b"\x9d\x01\x2a" {
                return None;
            }
            let (width, height) = (reader.u16_le()?, reader.u16_le()?);
            let side = |packed: u16| u32::from(packed & 0x3fff);
            Some(Picture { width: side(width), height: side(height), has_alpha: false })
        }
        // RFC 9649 section 3.4
        b"VP8L" => {
            if reader.u8()? != 0x2f {
                return None;
            }
            let bits = reader.u32_le()?;
            let (width, height) = ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
            Some(Picture { width, height, has_alpha: bits >> 28 & 1 == 1 })
        }
        _ => None,
    }
}
