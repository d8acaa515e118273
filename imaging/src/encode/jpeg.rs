//! JPEG (ITU-T T.81 with JFIF 1.02): baseline or progressive, colour in full or half resolution, Huffman tables of the
//! standard or fitted to the picture.
//!
//! Planes are written as they are: what was decoded from a JPEG never leaves YCbCr. Quality means what it means in the
//! IJG's library. It refuses CMYK, and sides beyond 65 535 pixels.

mod bits;
mod dct;
mod entropy;
mod huffman;
mod progressive;
mod sequential;
mod strips;
mod tables;

use crate::Error;
use crate::encode::{Effort, Picture, Settings, Subsampling, ycc};

use entropy::Table;
use strips::{Component, Strips};
use tables::Codebook;

/// Longest side (T.81 section B.2.2).
const SIDE_MAX: u32 = 65_535;
/// Larger pictures are not written progressively, since that takes 3 bytes of memory for each pixel and twice the time.
const PROGRESSIVE_PIXELS_MAX: usize = 16_000_000;
/// Bytes that a segment can hold.
const SEGMENT_MAX: usize = 65_533;

/// Writes a JPEG. Transparent pixels show white. `Fast` uses the standard's Huffman tables: a file 1 to 10 % larger, a tenth
/// faster.
///
/// # Errors
/// `SideTooLong`; `Unencodable` for CMYK, chroma of an odd size, metadata that is too long; `Deadline`.
pub(crate) fn encode(picture: Picture<'_>, settings: &Settings<'_>) -> Result<Vec<u8>, Error> {
    let (width, height) = picture.size();
    let side = width.max(height);
    if side > SIDE_MAX {
        return Err(Error::SideTooLong { side: side.into(), max: SIDE_MAX });
    }
    if width == 0 || height == 0 {
        return Err(Error::Unencodable { reason: "it has no pixels" });
    }
    let is_halved = settings.chroma == Subsampling::Quarter;
    let reduced;
    let strips = match picture {
        Picture::Frame(frame) => Strips::of_frame(frame, is_halved)?,
        Picture::Planes(planes) => {
            reduced = if is_halved { ycc::halved(planes) } else { None };
            Strips::of_planes(&planes.luma, reduced.as_ref().or(planes.chroma.as_ref()))?
        }
    };
    let is_progressive = settings.progressive && strips.width * strips.height <= PROGRESSIVE_PIXELS_MAX;
    let mut bytes = Vec::with_capacity(strips.width * strips.height / 4 + 2_048);
    head(&mut bytes, &strips, is_progressive, settings)?;
    if is_progressive {
        progressive::scans(bytes, strips, settings)
    } else {
        sequential::scan(bytes, strips, settings.effort != Effort::Fast, settings)
    }
}

/// Everything before the first scan but the Huffman tables.
fn head(
    bytes: &mut Vec<u8>,
    strips: &Strips<'_>,
    is_progressive: bool,
    settings: &Settings<'_>,
) -> Result<(), Error> {
    bytes.extend([0xFF, 0xD8]);
    // JFIF 1.02, square pixels, no thumbnail
    segment(bytes, 0xE0, &[b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"])?;
    if let Some(exif) = settings.exif {
        segment(bytes, 0xE1, &[b"Exif\0\0", exif])?;
    }
    profile(bytes, settings.icc.unwrap_or_default())?;
    let is_grey = strips.components.len() == 1;
    for (n, steps) in (0..).zip(tables::quantisation(settings.quality)).take(if is_grey { 1 } else { 2 }) {
        segment(bytes, 0xDB, &[&[n], &steps])?;
    }
    let short = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    let mut frame = vec![8];
    frame.extend([short(strips.height), short(strips.width)].as_flattened());
    frame.push(if is_grey { 1 } else { 3 });
    for (n, component) in (1..).zip(&strips.components) {
        let Component { across, down, chroma, .. } = component;
        let [_, chroma] = chroma.to_be_bytes();
        frame.extend([n, if *across == 2 { 0x20 } else { 0x10 } | if *down == 2 { 2 } else { 1 }, chroma]);
    }
    segment(bytes, if is_progressive { 0xC2 } else { 0xC0 }, &[&frame])
}

/// A colour profile, in pieces (ICC.1:2010 annex B.4).
fn profile(bytes: &mut Vec<u8>, profile: &[u8]) -> Result<(), Error> {
    const LABEL: &[u8] = b"ICC_PROFILE\0";
    let pieces = profile.chunks(SEGMENT_MAX - LABEL.len() - 2);
    let count =
        u8::try_from(pieces.len()).map_err(|_| Error::Unencodable { reason: "its profile is too long" })?;
    for (n, piece) in (1..=count).zip(pieces) {
        segment(bytes, 0xE2, &[LABEL, &[n, count], piece])?;
    }
    Ok(())
}

fn segment(bytes: &mut Vec<u8>, marker: u8, parts: &[&[u8]]) -> Result<(), Error> {
    let length = 2 + parts.iter().map(|part| part.len()).sum::<usize>();
    let length =
        u16::try_from(length).map_err(|_| Error::Unencodable { reason: "its metadata is too long" })?;
    bytes.extend([0xFF, marker]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(parts.iter().copied().flatten());
    Ok(())
}

/// Huffman tables, one segment for all.
fn codebooks(bytes: &mut Vec<u8>, books: &[(Table, &Codebook)]) -> Result<(), Error> {
    let mut body = Vec::new();
    for (table, book) in books {
        body.push(table.class_and_destination());
        body.extend(book.lengths);
        body.extend(&book.symbols);
    }
    if body.is_empty() { Ok(()) } else { segment(bytes, 0xC4, &[&body]) }
}

/// The head of a scan: components by their place, then first and last coefficient, then bits taken before and after.
fn scan_head(bytes: &mut Vec<u8>, components: &[(usize, u16)], band: [u8; 2], bits: u8) -> Result<(), Error> {
    let mut body = vec![u8::try_from(components.len()).unwrap_or(0)];
    for (n, chroma) in components {
        let chroma = if *chroma == 0 { 0 } else { 0x11 };
        body.extend([u8::try_from(n + 1).unwrap_or(0), chroma]);
    }
    body.extend(band);
    body.push(bits);
    segment(bytes, 0xDA, &[&body])
}

#[cfg(test)]
mod tests;
