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

/// Reads the canvas size, or without one the size of the only bitstream.
///
/// # Errors
/// `Undecodable` when the file ends before its own size says, or the bitstream is larger than the canvas.
pub(super) fn header(source: &[u8]) -> Result<Header, Error> {
    let mut reader = Reader::new(source);
    let size = head(&mut reader).ok_or(CUT_SHORT)?;
    let body = reader.take(size.saturating_sub(4)).ok_or(CUT_SHORT)?;
    let mut chunks = Reader::new(body);
    let (kind, payload) = chunk(&mut chunks).ok_or(CUT_SHORT)?;
    let (width, height) = if &kind == b"VP8X" {
        let canvas = canvas(payload).ok_or(CUT_SHORT)?;
        let first = first_picture(chunks)?;
        if first.0 > canvas.0 || first.1 > canvas.1 {
            return Err(DAMAGED);
        }
        canvas
    } else {
        bitstream(&kind, payload).ok_or(DAMAGED)?
    };
    let decode_bytes_per_pixel = DECODE_BYTES_PER_PIXEL;
    Ok(Header { format: SourceFormat::Webp, width, height, decode_bytes_per_pixel })
}

/// `RIFF`, size of what follows, `WEBP`.
fn head(reader: &mut Reader<'_>) -> Option<usize> {
    reader.take(4)?;
    let size = usize::try_from(reader.u32_le()?).ok()?;
    reader.take(4)?;
    Some(size)
}

fn chunk<'a>(reader: &mut Reader<'a>) -> Option<([u8; 4], &'a [u8])> {
    let kind = reader.array()?;
    let size = usize::try_from(reader.u32_le()?).ok()?;
    let payload = reader.take(size)?;
    // padded to even length; missing at the very end of some files
    if size % 2 == 1 {
        reader.take(1);
    }
    Some((kind, payload))
}

fn canvas(payload: &[u8]) -> Option<(u32, u32)> {
    let mut reader = Reader::new(payload);
    reader.take(4)?;
    Some((reader.u24_le()? + 1, reader.u24_le()? + 1))
}

/// The size of the first bitstream, which of an animation is inside its first frame.
fn first_picture(mut chunks: Reader<'_>) -> Result<(u32, u32), Error> {
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

fn bitstream(kind: &[u8; 4], payload: &[u8]) -> Option<(u32, u32)> {
    let mut reader = Reader::new(payload);
    match kind {
        // RFC 6386 section 9.1
        b"VP8 " => {
            reader.take(3)?;
            if reader.take(3)? != b"\x9d\x01\x2a" {
                return None;
            }
            let (width, height) = (reader.u16_le()?, reader.u16_le()?);
            Some((u32::from(width & 0x3fff), u32::from(height & 0x3fff)))
        }
        // RFC 9649 section 3.4
        b"VP8L" => {
            if reader.u8()? != 0x2f {
                return None;
            }
            let bits = reader.u32_le()?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        _ => None,
    }
}
