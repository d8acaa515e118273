//! TIFF and BigTIFF (TIFF 6.0): grey, colour, separated (CMYK) and YCbCr pages of 8 or 16 bits, and grey ones of fewer.
//!
//! Strips and tiles may be stored plainly or by PackBits, LZW, Deflate, JPEG or fax group 4. A JPEG strip has a size of its
//! own, which could claim far more than the page, so those are judged before anything is decoded.

use image::metadata::Orientation;
use tiff::decoder::{ChunkType, Decoder, DecodingResult, Limits as Bounds};
use tiff::tags::{CompressionMethod, Tag};
use tiff::{ColorType, TiffError};

use super::input::Input;
use super::{Decoded, Frames, bounded, damaged, narrowed, to_byte};
use crate::frame::{Frame, Layout};
use crate::limits::Limits;
use crate::sniff::{Header, jpeg};
use crate::{Deadline, Error};

mod inflate;

/// Bytes of one value of a directory: a profile, or the places of all strips.
const VALUE_BYTES_MAX: usize = 16 << 20;

const UNUSUAL: Error = Error::Undecodable { reason: "its pixels are of an unusual kind" };

/// Decodes one page, the first of which is 0.
///
/// # Errors
/// `Undecodable` for whatever the decoder objects to, truncation included; `Deadline`.
pub(super) fn decode(
    source: &[u8],
    header: &Header,
    limits: &Limits,
    deadline: &Deadline,
    page: u32,
) -> Result<Decoded<'static>, Error> {
    let bytes_max = usize::try_from(limits.decode_bytes_max).unwrap_or(usize::MAX);
    let mut decoder = opened(source, header, bytes_max, deadline, page)?;
    match inflate::plain(&mut decoder, source, bytes_max, deadline)? {
        Some(plain) => {
            let decoder = opened(&plain, header, bytes_max, deadline, page)?;
            decode_page(decoder, &plain, header, deadline)
        }
        None => decode_page(decoder, source, header, deadline),
    }
}

/// A decoder that stands at the page, whose size is the one that was judged.
fn opened<'a>(
    source: &'a [u8],
    header: &Header,
    bytes_max: usize,
    deadline: &'a Deadline,
    page: u32,
) -> Result<Decoder<Input<'a>>, Error> {
    let failed = |error: TiffError| damaged(&error, deadline);
    let mut bounds = Bounds::default();
    bounds.decoding_buffer_size = bytes_max;
    bounds.intermediate_buffer_size = bytes_max;
    bounds.ifd_value_size = VALUE_BYTES_MAX;
    let mut decoder = Decoder::new(Input::new(source, deadline)).map_err(failed)?.with_limits(bounds);
    decoder.seek_to_image(usize::try_from(page).unwrap_or(usize::MAX)).map_err(failed)?;
    if decoder.dimensions().map_err(failed)? != (header.width, header.height) {
        return Err(Error::Undecodable { reason: "it names two different sizes" });
    }
    Ok(decoder)
}

fn decode_page(
    mut decoder: Decoder<Input<'_>>,
    source: &[u8],
    header: &Header,
    deadline: &Deadline,
) -> Result<Decoded<'static>, Error> {
    let failed = |error: TiffError| damaged(&error, deadline);
    let colour = decoder.colortype().map_err(failed)?;
    judge_strips(&mut decoder, source).map_err(failed)??;
    let mut result = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut result).map_err(failed)?;
    let samples = match result {
        DecodingResult::U8(samples) => samples,
        DecodingResult::U16(samples) => narrowed_words(&samples),
        _ => return Err(UNUSUAL),
    };
    let samples = match layout.plane_stride {
        Some(stride) if layout.planes > 1 => {
            // sixteen bits have become eight
            let stride = stride.get() / usize::from(colour.bit_depth().div_ceil(8).max(1));
            interleaved(&samples, layout.planes, stride)
        }
        _ => samples,
    };
    let orientation = decoder.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten();
    let profile = decoder.get_tag_u8_vec(Tag::IccProfile).ok();
    Ok(Decoded {
        frames: Frames::one(frame(header, colour, samples)?),
        orientation: orientation.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms),
        profile: bounded(profile),
        ..Decoded::empty(header)
    })
}

/// Refuses a page with JPEG strips or tiles that are larger than it says.
fn judge_strips(decoder: &mut Decoder<Input<'_>>, source: &[u8]) -> Result<Result<(), Error>, TiffError> {
    let compression = decoder.find_tag_unsigned::<u16>(Tag::Compression)?;
    if compression != Some(CompressionMethod::ModernJPEG.to_u16()) {
        return Ok(Ok(()));
    }
    let (offsets, lengths) = match decoder.get_chunk_type() {
        ChunkType::Strip => (Tag::StripOffsets, Tag::StripByteCounts),
        ChunkType::Tile => (Tag::TileOffsets, Tag::TileByteCounts),
    };
    let (offsets, lengths) = (decoder.get_tag_u64_vec(offsets)?, decoder.get_tag_u64_vec(lengths)?);
    let (width, height) = decoder.chunk_dimensions();
    for (offset, length) in offsets.into_iter().zip(lengths) {
        let strip = usize::try_from(offset).ok().zip(usize::try_from(length).ok());
        let strip = strip.and_then(|(offset, length)| source.get(offset..)?.get(..length));
        let Some(strip) = strip else { return Ok(Err(Error::Undecodable { reason: super::DAMAGED })) };
        match jpeg::frame(strip) {
            Ok(frame) if u32::from(frame.width) <= width && u32::from(frame.height) <= height => {}
            Ok(_) => return Ok(Err(Error::Undecodable { reason: "it names two different sizes" })),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}

fn narrowed_words(samples: &[u16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| narrowed(&sample.to_ne_bytes(), u16::from_ne_bytes).next()).collect()
}

/// Planes one behind the other to pixels.
fn interleaved(samples: &[u8], planes: usize, stride: usize) -> Vec<u8> {
    let mut pixels = vec![0; samples.len()];
    for (channel, plane) in samples.chunks_exact(stride.max(1)).take(planes).enumerate() {
        for (pixel, sample) in pixels.chunks_exact_mut(planes).zip(plane) {
            if let Some(to) = pixel.get_mut(channel) {
                *to = *sample;
            }
        }
    }
    pixels
}

fn frame(header: &Header, colour: ColorType, samples: Vec<u8>) -> Result<Frame, Error> {
    let (layout, pixels) = match colour {
        ColorType::Gray(8 | 16) => (Layout::Grey, samples),
        ColorType::Gray(bits @ (1 | 2 | 4)) => (Layout::Grey, unpacked(header, bits, &samples)),
        ColorType::GrayA(8 | 16) => (Layout::GreyAlpha, samples),
        ColorType::Multiband { bit_depth: 8 | 16, num_samples: 2 } => (Layout::GreyAlpha, samples),
        ColorType::RGB(8 | 16) => (Layout::Rgb, samples),
        ColorType::RGBA(8 | 16) => (Layout::Rgba, samples),
        ColorType::CMYK(8 | 16) => (Layout::Cmyk, samples),
        ColorType::YCbCr(8) => (Layout::Rgb, from_ycc(samples)),
        _ => return Err(UNUSUAL),
    };
    let frame = Frame { width: header.width, height: header.height, layout, pixels };
    let expected = crate::frame::buffer_bytes(frame.width, frame.height, layout)?;
    if frame.pixels.len() == expected {
        Ok(frame)
    } else {
        Err(Error::Undecodable { reason: super::DAMAGED })
    }
}

/// Rows of fewer than eight bits a sample, each padded to whole bytes.
fn unpacked(header: &Header, bits: u8, samples: &[u8]) -> Vec<u8> {
    let width = usize::try_from(header.width).unwrap_or(usize::MAX);
    let in_byte = usize::from(8 / bits);
    let white = (1_u32 << bits) - 1;
    let grey = |byte: u8, number: usize| {
        let shift = 8 - bits * (u8::try_from(number).unwrap_or(0) + 1);
        let value = u32::from(byte) >> shift & white;
        u8::try_from(value * 255 / white).unwrap_or(u8::MAX)
    };
    samples
        .chunks(width.div_ceil(in_byte).max(1))
        .flat_map(|row| {
            row.iter().flat_map(|&byte| (0..in_byte).map(move |number| grey(byte, number))).take(width)
        })
        .collect()
}

/// BT.601 with full range, as JPEG has it.
fn from_ycc(mut pixels: Vec<u8>) -> Vec<u8> {
    for pixel in pixels.as_chunks_mut::<3>().0 {
        let [y, cb, cr] = pixel.map(f32::from);
        let (cb, cr) = (cb - 128.0, cr - 128.0);
        *pixel = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(to_byte);
    }
    pixels
}
