//! Crops and scales in one pass.
//!
//! Lanczos when a picture becomes smaller, Catmull-Rom when it becomes larger, where Lanczos would ring. Colour is weighted
//! by alpha, so that what hides under transparent pixels does not bleed out.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::geometry::Plan;
use crate::Error;
use crate::frame::{Frame, Layout, buffer_bytes};

/// The used part of `frame` at its planned size. The plan is for the picture as stored.
///
/// # Errors
/// `Unencodable` when the resizer objects, which sizes that passed the limits do not bring about.
pub(crate) fn resize(frame: Frame, plan: &Plan) -> Result<Frame, Error> {
    let (wide, high) = (f64::from(frame.width), f64::from(frame.height));
    let (width, height) = (plan.scaled.width, plan.scaled.height);
    let same_size = (width, height) == (frame.width, frame.height);
    if same_size && plan.used_width >= wide && plan.used_height >= high {
        return Ok(frame);
    }
    let failed = |error: &dyn std::fmt::Display| {
        tracing::debug!(%error, "resizing failed");
        Error::Unencodable { reason: "it cannot be scaled to this size" }
    };
    let kind = match frame.layout {
        Layout::Grey => PixelType::U8,
        Layout::GreyAlpha => PixelType::U8x2,
        Layout::Rgb => PixelType::U8x3,
        Layout::Rgba | Layout::Cmyk => PixelType::U8x4,
    };
    let enlarges = f64::from(width) > plan.used_width || f64::from(height) > plan.used_height;
    let filter = if enlarges { FilterType::CatmullRom } else { FilterType::Lanczos3 };
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(filter))
        .use_alpha(frame.layout.has_alpha())
        .crop(
            (wide - plan.used_width) / 2.0,
            (high - plan.used_height) / 2.0,
            plan.used_width,
            plan.used_height,
        );
    let source = ImageRef::new(frame.width, frame.height, &frame.pixels, kind).map_err(|e| failed(&e))?;
    let buffer = vec![0; buffer_bytes(width, height, frame.layout)?];
    let mut result = Image::from_vec_u8(width, height, buffer, kind).map_err(|e| failed(&e))?;
    Resizer::new().resize(&source, &mut result, &options).map_err(|e| failed(&e))?;
    Ok(Frame { width, height, layout: frame.layout, pixels: result.into_vec() })
}
