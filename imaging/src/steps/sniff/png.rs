//! The header of a PNG and what stands before its pixels (PNG third edition, sections 5 and 11).
//!
//! The header is first, so it is read even when nothing follows. The chunks behind it say whether the picture moves and
//! whether a colour is transparent; they are walked as far as they are there.

use super::{Header, Reader, SourceFormat};

/// The first bytes of every PNG.
pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Chunks looked at before the pixels.
const CHUNKS_MAX: u32 = 1_024;

/// Reads the header; none when it is cut short.
pub(super) fn header(source: &[u8]) -> Option<Header> {
    let mut reader = Reader::new(source);
    reader.take(SIGNATURE.len())?;
    let (_length, _kind) = (reader.u32_be()?, reader.take(4)?);
    let (width, height) = (reader.u32_be()?, reader.u32_be()?);
    let (depth, colour) = (reader.u8()?, reader.u8()?);
    let ahead = before_pixels(reader);
    let channels = match colour {
        0 => 2,
        // palettes grow to RGBA, grey with alpha stays small but is rare
        _ => 4,
    };
    Some(Header {
        frames: ahead.frames,
        has_alpha: matches!(colour, 4 | 6) || ahead.has_transparency,
        depth: if depth == 16 { 16 } else { 8 },
        ..Header::still(SourceFormat::Png, width, height, channels)
    })
}

/// What the chunks between header and pixels say.
struct Ahead {
    frames: u32,
    has_transparency: bool,
}

fn before_pixels(mut reader: Reader<'_>) -> Ahead {
    let mut ahead = Ahead { frames: 1, has_transparency: false };
    // compression, filter and interlace method, checksum
    reader.take(7);
    for _ in 0..CHUNKS_MAX {
        let Some((kind, payload)) = chunk(&mut reader) else { break };
        match &kind {
            b"IDAT" | b"IEND" => break,
            b"acTL" => ahead.frames = Reader::new(payload).u32_be().unwrap_or(1).max(1),
            b"tRNS" => ahead.has_transparency = true,
            _ => {}
        }
    }
    ahead
}

fn chunk<'a>(reader: &mut Reader<'a>) -> Option<([u8; 4], &'a [u8])> {
    let length = usize::try_from(reader.u32_be()?).ok()?;
    let kind = reader.array()?;
    if &kind == b"IDAT" {
        return Some((kind, &[]));
    }
    let payload = reader.take(length)?;
    reader.take(4)?;
    Some((kind, payload))
}
