//! Lossy WebP pictures (VP8 key frames, RFC 6386) as planes.
//!
//! What a camera or a program made of colours is luma and chroma again in a lossy file, and an encoder wants luma and chroma.
//! So colours are never mixed between the two.

use crate::planes::{Plane, Planes};
use crate::{Deadline, Error};

mod bits;
mod filter;
mod header;
mod modes;
mod picture;
mod predict;
mod residue;
mod tables;
mod tokens;
mod transform;

use filter::Canvas;
use picture::Painter;

const DAMAGED: Error = Error::Undecodable { reason: "its data is damaged or cut short" };

/// Reads a key frame into planes of the limited range of BT.601, with half as much chroma as luma.
///
/// # Errors
/// [`Error::Undecodable`] for a frame that is damaged or cut short, [`Error::Deadline`].
pub(crate) fn read(source: &[u8], deadline: &Deadline) -> Result<Planes, Error> {
    let header = header::read(source).ok_or(DAMAGED)?;
    let (width, height) = (header.width, header.height);
    if width == 0 || height == 0 {
        return Err(DAMAGED);
    }
    let [luma, blue, red] = Painter::new(header).paint(deadline)?;
    let chroma = [blue, red].map(|plane| cut(plane, width.div_ceil(2), height.div_ceil(2)));
    Ok(Planes { luma: cut(luma, width, height), chroma: Some(chroma) })
}

/// What belongs to the picture.
fn cut(canvas: Canvas, width: u32, height: u32) -> Plane {
    let Canvas { mut samples, stride } = canvas;
    let length = |side: u32| usize::try_from(side).unwrap_or(usize::MAX);
    let (wide, high) = (length(width), length(height));
    if wide < stride {
        for row in 1..high {
            samples.copy_within(row * stride..row * stride + wide, row * wide);
        }
    }
    samples.truncate(wide * high);
    Plane { width, height, samples }
}

#[cfg(test)]
mod tests;
