//! Turns a picture as its EXIF orientation says (values 1 to 8, EXIF 2.32 section 4.6.4).
//!
//! Runs on the small result, not on the source.

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer};

use crate::Error;
use crate::frame::{Frame, Layout};

/// Whether width and height change places.
pub(crate) fn turns(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// The picture as it is to be seen.
///
/// # Errors
/// `Undecodable` when the pixels are fewer than the size says, which no earlier step produces.
pub(crate) fn orient(frame: Frame, orientation: Orientation) -> Result<Frame, Error> {
    if orientation == Orientation::NoTransforms {
        return Ok(frame);
    }
    let Frame { width, height, layout, pixels } = frame;
    let image = match layout {
        Layout::Grey => ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8),
        Layout::GreyAlpha => ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageLumaA8),
        Layout::Rgb => ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8),
        // turning does not look into the four bytes
        Layout::Rgba | Layout::Cmyk => {
            ImageBuffer::from_raw(width, height, pixels).map(DynamicImage::ImageRgba8)
        }
    };
    let mut image = image.ok_or(Error::Undecodable { reason: "its pixels do not match its size" })?;
    image.apply_orientation(orientation);
    Ok(Frame { width: image.width(), height: image.height(), layout, pixels: image.into_bytes() })
}
