//! From pixels to the bytes of the answer. No metadata is written: no profile (pixels are sRGB), no EXIF, no text.

use image::codecs::{jpeg::JpegEncoder, png};
use image::{ExtendedColorType, ImageEncoder};

use crate::Error;
use crate::frame::{Frame, Layout};
use crate::negotiate::Output;

/// Longest side of a WebP, in pixels (RFC 9649 section 3.4).
const WEBP_SIDE_MAX: u32 = 16_383;

/// Encodes; `quality` is 1 to 100 and not used for PNG.
///
/// # Errors
/// `SideTooLong` for what the format cannot hold, `Unencodable` when the encoder fails.
pub(crate) fn encode(frame: Frame, output: Output, quality: u8) -> Result<Vec<u8>, Error> {
    let quality = quality.clamp(1, 100);
    match output {
        Output::Jpeg => jpeg(&frame, quality),
        Output::Png => png(&frame),
        Output::Webp => webp(frame.into_colour(), quality),
    }
}

fn failed(detail: &dyn std::fmt::Display) -> Error {
    tracing::debug!(%detail, "encoding failed");
    Error::Unencodable { reason: "the encoder failed" }
}

fn kind(layout: Layout) -> Result<ExtendedColorType, Error> {
    match layout {
        Layout::Grey => Ok(ExtendedColorType::L8),
        Layout::GreyAlpha => Ok(ExtendedColorType::La8),
        Layout::Rgb => Ok(ExtendedColorType::Rgb8),
        Layout::Rgba => Ok(ExtendedColorType::Rgba8),
        Layout::Cmyk => Err(failed(&"cmyk pixels reached an encoder")),
    }
}

fn jpeg(frame: &Frame, quality: u8) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode(&frame.pixels, frame.width, frame.height, kind(frame.layout)?)
        .map_err(|error| failed(&error))?;
    Ok(bytes)
}

fn png(frame: &Frame) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let encoder = png::PngEncoder::new_with_quality(
        &mut bytes,
        png::CompressionType::Default,
        png::FilterType::Adaptive,
    );
    encoder
        .write_image(&frame.pixels, frame.width, frame.height, kind(frame.layout)?)
        .map_err(|error| failed(&error))?;
    Ok(bytes)
}

fn webp(frame: Frame, quality: u8) -> Result<Vec<u8>, Error> {
    let side = frame.width.max(frame.height);
    if side > WEBP_SIDE_MAX {
        return Err(Error::SideTooLong { side: side.into(), max: WEBP_SIDE_MAX });
    }
    let layout = match frame.layout {
        Layout::Rgba => webp::PixelLayout::Rgba,
        Layout::Rgb => webp::PixelLayout::Rgb,
        _ => return Err(failed(&"pixels were not widened to colour")),
    };
    let encoder = webp::Encoder::new(&frame.pixels, layout, frame.width, frame.height);
    let bytes =
        encoder.encode_simple(false, f32::from(quality)).map_err(|error| failed(&format!("{error:?}")))?;
    Ok(bytes.to_vec())
}
