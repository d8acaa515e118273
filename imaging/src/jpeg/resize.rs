//! Crops and scales planes one by one, luma in linear light if wanted.
//!
//! Lanczos when a plane becomes smaller, Catmull-Rom when it becomes larger, where Lanczos would ring. Light adds up, coded
//! values do not: fine bright detail comes out too dark when they are averaged. Nearly all of that is in luma, so that
//! chroma stays as coded.

use fast_image_resize::{FilterType, PixelType};

use super::{Chroma, Colour, Reduced, Scale};
use crate::encode::Range;
use crate::frame::{Frame, Layout};
use crate::planes::{Plane, Planes};
use crate::steps::geometry::{Plan, Size};
use crate::steps::light::{self, CURVE};
use crate::steps::resample::Resampling;
use crate::steps::scale::Area;
use crate::{Deadline, Error};

/// In what luma is averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Light {
    /// Values as coded: faster.
    Coded,
    /// Amounts of light by the sRGB curve.
    Linear,
}

/// A part of the source, in its pixels as stored; it may begin and end between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Part {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Part {
    /// The part that a plan uses, at the centre. The plan is for the picture as stored.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests compare with it"))]
    pub(crate) fn centred(full: Size, plan: &Plan) -> Self {
        let (wide, high) = (f64::from(full.width), f64::from(full.height));
        let (width, height) = (plan.used_width.min(wide), plan.used_height.min(high));
        Self { left: (wide - width) / 2.0, top: (high - height) / 2.0, width, height }
    }

    /// In samples of a plane.
    fn scaled(self, scale: Scale) -> Self {
        Self {
            left: self.left * scale.across,
            top: self.top * scale.down,
            width: self.width * scale.across,
            height: self.height * scale.down,
        }
    }
}

/// The part of a picture at a size of `size` pixels, with as much chroma as is asked for, in full range. Planes of red, green
/// and blue all get the full size.
///
/// # Errors
/// As [`Resampling::run`].
pub(crate) fn resize(
    reduced: Reduced,
    part: Part,
    size: Size,
    chroma: Chroma,
    light: Light,
    deadline: &Deadline,
) -> Result<Planes, Error> {
    let (chroma, chroma_light) = match reduced.colour {
        Colour::Rgb => (Chroma::Full, light),
        Colour::Grey | Colour::Ycc => (chroma, Light::Coded),
    };
    let range = reduced.range;
    let plane = reduced.planes.luma;
    let luma = match range {
        Range::Limited if light == Light::Linear => {
            limited(plane, part.scaled(reduced.luma_scale), size, deadline)?
        }
        _ => in_full(resized(plane, part.scaled(reduced.luma_scale), size, light, deadline)?, |luma| {
            range.luma_in_full(luma)
        }),
    };
    let Some([blue, red]) = reduced.planes.chroma else { return Ok(Planes { luma, chroma: None }) };
    let chroma_size = chroma.of(size);
    // where a side is odd the last sample of chroma stands for pixels beyond it too
    let beyond = |chroma: u32, luma: u32| match reduced.colour {
        Colour::Ycc if chroma < luma => f64::from(chroma) * 2.0 / f64::from(luma),
        _ => 1.0,
    };
    let part = Part {
        width: part.width * beyond(chroma_size.width, size.width),
        height: part.height * beyond(chroma_size.height, size.height),
        ..part
    };
    let part = part.scaled(reduced.chroma_scale);
    let chroma = |plane| {
        let plane = resized(plane, part, chroma_size, chroma_light, deadline)?;
        Ok(in_full(plane, |chroma| range.chroma_in_full(chroma)))
    };
    Ok(Planes { luma, chroma: Some([chroma(blue)?, chroma(red)?]) })
}

fn in_full(plane: Plane, map: impl Fn(Vec<u8>) -> Vec<u8>) -> Plane {
    Plane { samples: map(plane.samples), ..plane }
}

/// A part of luma in the limited range, averaged in light where it becomes smaller; the result has the full range. The plane
/// is a whole picture's, so that blocks are averaged first.
fn limited(plane: Plane, part: Part, size: Size, deadline: &Deadline) -> Result<Plane, Error> {
    let reduces = f64::from(size.width) <= part.width && f64::from(size.height) <= part.height;
    let is_same = (plane.width, plane.height) == (size.width, size.height);
    if !reduces || is_same {
        let plane = resized(plane, part, size, Light::Coded, deadline)?;
        return Ok(in_full(plane, |luma| Range::Limited.luma_in_full(luma)));
    }
    let Plane { width, height, samples } = plane;
    let frame = Frame { width, height, layout: Layout::Grey, pixels: samples };
    let area = Area { x: part.left, y: part.top, width: part.width, height: part.height };
    let Frame { width, height, pixels, .. } = light::grey(&frame, area, size, Range::Limited, deadline)?;
    Ok(Plane { width, height, samples: pixels })
}

/// A part of a plane, in its samples, at another size.
fn resized(plane: Plane, part: Part, size: Size, light: Light, deadline: &Deadline) -> Result<Plane, Error> {
    let plane = extended(plane, part);
    let (wide, high) = (f64::from(plane.width), f64::from(plane.height));
    let is_whole = part.left <= 0.0 && part.top <= 0.0 && part.width >= wide && part.height >= high;
    if is_whole && (plane.width, plane.height) == (size.width, size.height) {
        return Ok(plane);
    }
    let enlarges = f64::from(size.width) > part.width || f64::from(size.height) > part.height;
    let filter = if enlarges { FilterType::CatmullRom } else { FilterType::Lanczos3 };
    let (left, top) = (part.left.clamp(0.0, wide), part.top.clamp(0.0, high));
    let (width, height) = (part.width.min(wide - left), part.height.min(high - top));
    let area = Area { x: left, y: top, width, height };
    let area = if enlarges { area.off_centre(size.width) } else { area };
    let from = Size { width: plane.width, height: plane.height };
    let resampling =
        |samples, kind| Resampling { samples, size: from, kind, has_alpha: false, filter, area, to: size };
    let samples = match light {
        // nothing is averaged where a plane becomes larger
        Light::Linear if !enlarges => {
            let light = resampling(&in_light(&plane.samples), PixelType::U16).run(deadline)?;
            coded(&light)
        }
        Light::Linear | Light::Coded => resampling(&plane.samples, PixelType::U8).run(deadline)?,
    };
    Ok(Plane { width: size.width, height: size.height, samples })
}

/// Light of 16 bits in native order.
fn in_light(samples: &[u8]) -> Vec<u8> {
    let curve = &*CURVE;
    let mut light = vec![0; samples.len() * 2];
    for (light, sample) in light.as_chunks_mut::<2>().0.iter_mut().zip(samples) {
        *light = curve.light(*sample).to_ne_bytes();
    }
    light
}

fn coded(light: &[u8]) -> Vec<u8> {
    let curve = &*CURVE;
    light.as_chunks::<2>().0.iter().map(|light| curve.coded(u16::from_ne_bytes(*light))).collect()
}

/// The plane with its last column and row repeated as far as `part` reaches beyond them.
fn extended(plane: Plane, part: Part) -> Plane {
    /// Less than this is rounding.
    const NOTHING: f64 = 1e-6;
    let reach = |end: f64, length: u32| {
        let length = length as usize;
        if end <= length as f64 + NOTHING {
            return length;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most twice the length"
        )]
        let reach = (end - NOTHING).ceil().clamp(0.0, length as f64 * 2.0) as usize;
        reach
    };
    let (width, height) = (plane.width as usize, plane.height as usize);
    let (wide, high) =
        (reach(part.left + part.width, plane.width), reach(part.top + part.height, plane.height));
    if (wide, high) == (width, height) || width == 0 {
        return plane;
    }
    let mut samples = Vec::with_capacity(wide * high);
    let rows = plane.samples.chunks_exact(width);
    let last = rows.clone().last();
    for row in rows.chain(last.into_iter().cycle().take(high - height)) {
        samples.extend_from_slice(row);
        samples.extend(std::iter::repeat_n(row.last().copied().unwrap_or_default(), wide - width));
    }
    let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    Plane { width: side(wide), height: side(high), samples }
}

#[cfg(test)]
mod tests;
