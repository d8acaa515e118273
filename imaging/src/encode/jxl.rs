//! JPEG XL (ISO/IEC 18181-1): still, with alpha, lossy or lossless.
//!
//! jixel compresses, in Rust. It takes pixels as floating-point numbers and cannot be interrupted, so a picture that can't be
//! ready in time is not begun, nor one of more pixels than there should be memory for. A lossy picture is always sRGB, since
//! its colours are mixed before they are stored; a lossless one has a profile if there is one. It refuses CMYK and planes.

use jixel::{EncodeConfig, Speed};

use crate::Error;
use crate::encode::ycc::size;
use crate::encode::{Effort, Format, Picture, Settings, estimate};
use crate::frame::Layout;

/// Most pixels, for which the encoder takes about 27 bytes each.
const PIXELS_MAX: u64 = 16_000_000;
/// The same of lossless pictures: 95 bytes each.
const LOSSLESS_PIXELS_MAX: u64 = 5_000_000;

/// Whether there should be memory for a picture of so many pixels.
///
/// # Errors
/// `TooManyPixels`.
pub(crate) fn check(pixels: u64, lossless: bool) -> Result<(), Error> {
    let max = if lossless { LOSSLESS_PIXELS_MAX } else { PIXELS_MAX };
    if pixels > max { Err(Error::TooManyPixels { pixels, max }) } else { Ok(()) }
}

/// Writes a JPEG XL.
///
/// # Errors
/// `TooManyPixels`; `Unencodable` for CMYK, planes, a profile of a lossy picture, or when the codec fails; `Deadline`, before it
/// begins, also when it can't end in time.
pub(crate) fn encode(picture: Picture<'_>, settings: &Settings<'_>) -> Result<Vec<u8>, Error> {
    let Picture::Frame(frame) = picture else {
        return Err(Error::Unencodable { reason: "jxl has no planes" });
    };
    let write = match frame.layout {
        Layout::Grey => jixel::encode_image_gray,
        Layout::GreyAlpha => jixel::encode_image_gray_alpha,
        Layout::Rgb => jixel::encode_image,
        Layout::Rgba => jixel::encode_image_with_alpha,
        Layout::Cmyk => return Err(Error::Unencodable { reason: "it is still in CMYK" }),
    };
    if settings.icc.is_some() && !settings.lossless {
        return Err(Error::Unencodable { reason: "a lossy jxl is in sRGB" });
    }
    let pixels = u64::from(frame.width) * u64::from(frame.height);
    check(pixels, settings.lossless)?;
    settings.deadline.check()?;
    // flat pictures take half of what is estimated; whatever is begun is the same each time
    let least = estimate(Format::Jxl, pixels, settings) / 2;
    if settings.deadline.left().is_some_and(|left| left < least) {
        return Err(Error::Deadline);
    }
    write(&frame.pixels, size(frame.width), size(frame.height), &config(settings)).map_err(|error| {
        tracing::debug!(?error, "encoding failed");
        Error::Unencodable { reason: "the encoder failed" }
    })
}

fn config(settings: &Settings<'_>) -> EncodeConfig {
    let config = EncodeConfig {
        lossless: settings.lossless,
        speed: match settings.effort {
            Effort::Fast => Speed::UltraFast,
            Effort::Normal => Speed::Fast,
            Effort::Best => Speed::Medium,
        },
        // lossy alpha comes back wrong where a picture is small
        alpha_distance: Some(0.0),
        // a rendering is one thread's work, however many cores there are
        num_threads: 1,
        icc_profile: settings.icc.map(<[u8]>::to_vec),
        exif: settings.exif.map(<[u8]>::to_vec),
        ..EncodeConfig::default()
    };
    config.with_quality(settings.quality.clamp(1, 100).into())
}

#[cfg(test)]
mod tests;
