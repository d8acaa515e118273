//! WebP (RFC 9649): lossy with alpha, lossless, animated.
//!
//! libwebp compresses single pictures; the file around them is ours (see [`container`]). Its YCbCr has the limited range of
//! BT.601, so planes of full range go through a table. It refuses CMYK, and sides beyond 16 383 pixels.

mod animation;
mod container;
#[expect(unsafe_code, reason = "libwebp is C; see the module")]
mod ffi;

use crate::Error;
use crate::encode::ycc::{self, Range};
use crate::encode::{Effort, Picture, Settings};
use crate::frame::{Frame, Layout};
use crate::planes::Planes;

pub(crate) use animation::Animation;
use container::{Extras, Stream};
use ffi::{Job, Pixels, Tuning};

/// Longest side (section 3.4, and 2.6 for canvases, which this keeps to the same).
pub(crate) const SIDE_MAX: u32 = 16_383;

/// Writes a still WebP.
///
/// # Errors
/// `SideTooLong`; `Unencodable` for CMYK, chroma of an odd size, or when the codec fails; `Deadline`.
pub(crate) fn encode(picture: Picture<'_>, settings: &Settings<'_>) -> Result<Vec<u8>, Error> {
    let method = match settings.effort {
        Effort::Fast => 2,
        Effort::Normal => 4,
        Effort::Best => 6,
    };
    let stream = compressed(picture, method, settings)?;
    let (width, height) = picture.size();
    Ok(container::still(&stream, (width, height), Extras { icc: settings.icc, exif: settings.exif }))
}

/// The picture without the file around it. `method` is libwebp's, 0 (fast) to 6 (small).
fn compressed(picture: Picture<'_>, method: u8, settings: &Settings<'_>) -> Result<Stream, Error> {
    let (width, height) = picture.size();
    let side = width.max(height);
    if side > SIDE_MAX {
        return Err(Error::SideTooLong { side: side.into(), max: SIDE_MAX });
    }
    if width == 0 || height == 0 {
        return Err(Error::Unencodable { reason: "it has no pixels" });
    }
    let pixels = match picture {
        Picture::Frame(frame) if settings.lossless => exact(frame)?,
        Picture::Frame(frame) => lossy(frame)?,
        Picture::Planes(planes) => planar(planes)?,
    };
    settings.deadline.check()?;
    let tuning = Tuning { quality: settings.quality.clamp(1, 100), method };
    let file = ffi::compress(Job { width, height, pixels }, &tuning, settings.deadline)?;
    container::stream(&file).ok_or(Error::Unencodable { reason: "the encoder failed" })
}

/// Every pixel as it is: alpha, red, green, blue from the highest byte on.
fn exact(frame: &Frame) -> Result<Pixels, Error> {
    let word = |alpha, red, green, blue| u32::from_be_bytes([alpha, red, green, blue]);
    let pixels = &frame.pixels;
    let words = match frame.layout {
        Layout::Grey => pixels.iter().map(|grey| word(255, *grey, *grey, *grey)).collect(),
        Layout::GreyAlpha => {
            pixels.as_chunks::<2>().0.iter().map(|[grey, alpha]| word(*alpha, *grey, *grey, *grey)).collect()
        }
        Layout::Rgb => pixels.as_chunks::<3>().0.iter().map(|[r, g, b]| word(255, *r, *g, *b)).collect(),
        Layout::Rgba => pixels.as_chunks::<4>().0.iter().map(|[r, g, b, a]| word(*a, *r, *g, *b)).collect(),
        Layout::Cmyk => return Err(Error::Unencodable { reason: "it is still in CMYK" }),
    };
    Ok(Pixels::Exact(words))
}

fn lossy(frame: &Frame) -> Result<Pixels, Error> {
    if frame.layout == Layout::Cmyk {
        return Err(Error::Unencodable { reason: "it is still in CMYK" });
    }
    let [luma, blue, red] = ycc::halved_planes(frame, Range::Limited);
    Ok(Pixels::Planes { luma, chroma: [blue, red], alpha: ycc::alpha(frame) })
}

fn planar(planes: &Planes) -> Result<Pixels, Error> {
    let (width, height) = (planes.luma.width, planes.luma.height);
    let reduced = ycc::halved(planes);
    let half = (width.div_ceil(2), height.div_ceil(2));
    let chroma = match reduced.as_ref().or(planes.chroma.as_ref()) {
        Some(both) if both.iter().all(|plane| (plane.width, plane.height) == half) => {
            both.each_ref().map(|plane| Range::Limited.chroma(&plane.samples))
        }
        Some(_) => return Err(Error::Unencodable { reason: "its chroma has an odd size" }),
        None => [(); 2].map(|()| vec![128; ycc::size(half.0) * ycc::size(half.1)]),
    };
    Ok(Pixels::Planes { luma: Range::Limited.luma(&planes.luma.samples), chroma, alpha: None })
}

#[cfg(test)]
mod tests;
