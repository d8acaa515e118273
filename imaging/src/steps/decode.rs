//! From source bytes to pixels, 8 bits a channel, as stored: not turned, not converted.
//!
//! The decoders are pure Rust. Each is held to the size its header was judged by, and to the memory bound; of an animation
//! the first frame is taken. Sixteen-bit channels are rounded to eight.

use std::io::Cursor;

use image::codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::sniff::{Header, SourceFormat, jpeg};
use crate::Error;
use crate::frame::{Frame, Layout, buffer_bytes};
use crate::limits::Limits;

/// Memory for everything in a PNG but its pixels: a profile, texts, a row.
const PNG_EXTRA_BYTES_MAX: u64 = 16 << 20;

/// Largest colour profile that is honoured, in bytes; press profiles have 0.5 to 2 MiB.
const PROFILE_BYTES_MAX: usize = 4 << 20;

/// A decoded source.
pub(crate) struct Decoded {
    pub(crate) frame: Frame,
    /// How to turn it before showing.
    pub(crate) orientation: Orientation,
    /// An ICC profile, unread.
    pub(crate) profile: Option<Vec<u8>>,
}

/// Decodes a source whose header passed the limits.
///
/// # Errors
/// `Undecodable` for whatever the decoder objects to, truncation included.
pub(crate) fn decode(source: &[u8], header: &Header, limits: &Limits) -> Result<Decoded, Error> {
    match header.format {
        SourceFormat::Jpeg => decode_jpeg(source, header),
        SourceFormat::Png => {
            let mut bounds = bounds(header, limits);
            bounds.max_alloc = Some(PNG_EXTRA_BYTES_MAX);
            let decoder = PngDecoder::with_limits(Cursor::new(source), bounds)
                .map_err(|error| Error::undecodable("the png is damaged", &error))?;
            read(decoder, header, limits)
        }
        SourceFormat::Gif => {
            let decoder = GifDecoder::new(Cursor::new(source))
                .map_err(|error| Error::undecodable("the gif is damaged", &error))?;
            read(decoder, header, limits)
        }
        SourceFormat::Webp => {
            let decoder = WebPDecoder::new(Cursor::new(source))
                .map_err(|error| Error::undecodable("the webp is damaged", &error))?;
            read(decoder, header, limits)
        }
    }
}

const DAMAGED: &str = "its data is damaged or cut short";

fn bounds(header: &Header, limits: &Limits) -> image::Limits {
    let mut bounds = image::Limits::no_limits();
    bounds.max_image_width = Some(header.width);
    bounds.max_image_height = Some(header.height);
    bounds.max_alloc = Some(limits.decode_bytes_max);
    bounds
}

fn read(mut decoder: impl ImageDecoder, header: &Header, limits: &Limits) -> Result<Decoded, Error> {
    let damaged = |error: image::ImageError| Error::undecodable(DAMAGED, &error);
    decoder.set_limits(bounds(header, limits)).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    if (width, height) != (header.width, header.height) {
        return Err(Error::Undecodable { reason: "it names two different sizes" });
    }
    let profile = decoder.icc_profile().ok().flatten();
    // metadata that cannot be read is no reason to refuse the picture
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let colour = decoder.color_type();
    let (layout, wide) = match colour {
        ColorType::L8 => (Layout::Grey, false),
        ColorType::La8 => (Layout::GreyAlpha, false),
        ColorType::Rgb8 => (Layout::Rgb, false),
        ColorType::Rgba8 => (Layout::Rgba, false),
        ColorType::L16 => (Layout::Grey, true),
        ColorType::La16 => (Layout::GreyAlpha, true),
        ColorType::Rgb16 => (Layout::Rgb, true),
        ColorType::Rgba16 => (Layout::Rgba, true),
        _ => return Err(Error::Undecodable { reason: "its pixels are of an unusual kind" }),
    };
    let bytes = buffer_bytes(width, height, layout)?;
    let mut pixels = vec![0; if wide { bytes.saturating_mul(2) } else { bytes }];
    decoder.read_image(&mut pixels).map_err(damaged)?;
    if wide {
        pixels = narrowed(&pixels);
    }
    Ok(Decoded { frame: Frame { width, height, layout, pixels }, orientation, profile: bounded(profile) })
}

fn bounded(profile: Option<Vec<u8>>) -> Option<Vec<u8>> {
    profile.filter(|profile| profile.len() <= PROFILE_BYTES_MAX)
}

/// Sixteen bits in native order to eight, rounded.
fn narrowed(wide: &[u8]) -> Vec<u8> {
    let narrow = |pair: &[u8]| {
        let value = u32::from(u16::from_ne_bytes(pair.try_into().unwrap_or_default()));
        u8::try_from((value * 255 + 32_767) / 65_535).unwrap_or(u8::MAX)
    };
    wide.chunks_exact(2).map(narrow).collect()
}

fn decode_jpeg(source: &[u8], header: &Header) -> Result<Decoded, Error> {
    let layout = jpeg::layout(source)?;
    let damaged = |error: zune_jpeg::errors::DecodeErrors| Error::undecodable(DAMAGED, &error);
    let side = |side: u32| usize::try_from(side).unwrap_or(usize::MAX);
    let (width, height) = (side(header.width), side(header.height));
    let options =
        DecoderOptions::default().set_strict_mode(false).set_max_width(width).set_max_height(height);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(source), options);
    decoder.decode_headers().map_err(damaged)?;
    if decoder.dimensions() != Some((width, height)) {
        return Err(Error::Undecodable { reason: "it names two different sizes" });
    }
    let stored = decoder.input_colorspace().unwrap_or(ColorSpace::Unknown);
    let (colour, channels) = match stored {
        ColorSpace::Luma => (ColorSpace::Luma, Layout::Grey),
        // converted below, and by its profile after it has become small
        ColorSpace::CMYK | ColorSpace::YCCK => (stored, Layout::Cmyk),
        _ => (ColorSpace::RGB, Layout::Rgb),
    };
    decoder.set_options(options.jpeg_set_out_colorspace(colour));
    let mut pixels = vec![0; buffer_bytes(header.width, header.height, channels)?];
    decoder.decode_into(&mut pixels).map_err(damaged)?;
    match stored {
        ColorSpace::YCCK => ycck_to_ink(&mut pixels),
        ColorSpace::CMYK if layout.adobe => pixels.iter_mut().for_each(|ink| *ink = 255 - *ink),
        _ => {}
    }
    let exif = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let frame = Frame { width: header.width, height: header.height, layout: channels, pixels };
    Ok(Decoded {
        frame,
        orientation: exif.unwrap_or(Orientation::NoTransforms),
        profile: bounded(decoder.icc_profile()),
    })
}

/// Adobe's YCCK to amounts of ink. Luma and chroma (BT.601, full range) hold the ink itself; black is stored inverted.
fn ycck_to_ink(pixels: &mut [u8]) {
    for pixel in pixels.chunks_exact_mut(4) {
        let [first, second, third, black] = pixel else { continue };
        let (y, cb, cr) = (f32::from(*first), f32::from(*second) - 128.0, f32::from(*third) - 128.0);
        *first = to_byte(y + 1.402 * cr);
        *second = to_byte(y - 0.344_136 * cb - 0.714_136 * cr);
        *third = to_byte(y + 1.772 * cb);
        *black = 255 - *black;
    }
}

fn to_byte(value: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255")]
    let byte = value.round().clamp(0.0, 255.0) as u8;
    byte
}

#[cfg(test)]
mod tests;
