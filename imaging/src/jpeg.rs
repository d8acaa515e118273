//! JPEG pictures as planes, read no larger than they are needed.
//!
//! Most renderings are several times smaller than their source, and the time goes into decoding it. A block of 8 × 8 samples
//! can be had as 4 × 4, 3 × 3, 2 × 2 or one, from its lowest coefficients alone: the others are gone past by table. Luma and chroma
//! each get a size of their own, colours stay unmixed, and of a progressive file the scans that cannot matter are not
//! read.
//!
//! What is read: 8 bits, one or three components, Huffman coding, sequential or progressive. Everything else is left to
//! the general decoder: arithmetic coding, 12 bits, inks, lossless and hierarchical files, tables that are missing.
//! Refused: files without an end marker or with more than a hundred scans. Data damaged inside gives a picture
//! whose damaged part is grey, as browsers show it.

use crate::encode::Range;
use crate::planes::{Plane, Planes};
use crate::steps::geometry::Size;
use crate::{Deadline, Error};

mod bits;
mod block;
mod colour;
mod frame;
mod huffman;
mod idct;
mod lift;
mod progressive;
mod resize;
mod sequential;
mod walk;

pub(crate) use colour::{frame_in, frame_of};
pub(crate) use resize::{Light, Part, resize};

use frame::{Next, Reading};
use idct::Side;
use lift::Lifted;

/// The fewest samples that will do, across and down. Fractions are allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Least {
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// How many samples of chroma a result has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chroma {
    /// As many as of luma.
    Full,
    /// Half as many across and down, rounded up.
    Half,
}

impl Chroma {
    /// The size of a plane of chroma beside that much luma.
    pub(crate) fn of(self, luma: Size) -> Size {
        match self {
            Self::Full => luma,
            Self::Half => Size { width: luma.width.div_ceil(2), height: luma.height.div_ceil(2) },
        }
    }
}

/// The least that a picture must have to be read. More is had if the steps of size require it, less if the source has less.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) luma: Least,
    pub(crate) chroma: Least,
    /// Whether samples have the mean of the numbers that they stand for, or of the light.
    pub(crate) light: Light,
}

impl Wanted {
    /// Everything that there is.
    pub(crate) const WHOLE: Self = Self {
        luma: Least { width: f64::MAX, height: f64::MAX },
        chroma: Least { width: f64::MAX, height: f64::MAX },
        light: Light::Coded,
    };

    /// Enough for both, which must be alike in their light.
    pub(crate) fn and(self, other: Self) -> Self {
        let larger = |one: Least, other: Least| Least {
            width: one.width.max(other.width),
            height: one.height.max(other.height),
        };
        Self {
            luma: larger(self.luma, other.luma),
            chroma: larger(self.chroma, other.chroma),
            light: self.light,
        }
    }

    /// Whether what is enough for this is enough for `other`.
    pub(crate) fn covers(self, other: Self) -> bool {
        self.and(other) == self && self.light == other.light
    }

    /// Enough for a whole picture, not turned or cropped, of `size` pixels, with `factor` samples of luma, and no fewer
    /// than one of chroma, for each that the result has. 1.0 is the fewest; from 1.7 on a reduction in linear light
    /// gains.
    pub(crate) fn for_size(size: Least, factor: f64, chroma: Chroma, light: Light) -> Self {
        let half = match chroma {
            Chroma::Full => 1.0,
            Chroma::Half => 0.5,
        };
        Self {
            luma: Least { width: size.width * factor, height: size.height * factor },
            chroma: Least { width: size.width * half, height: size.height * half },
            light,
        }
    }
}

/// What the three planes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// One plane.
    Grey,
    /// Luma and chroma.
    Ycc,
    /// Red in place of luma, green and blue in place of chroma.
    Rgb,
}

/// Samples for each pixel of the source, at most 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    pub(crate) across: f64,
    pub(crate) down: f64,
}

impl Scale {
    /// As many samples as pixels.
    pub(crate) const WHOLE: Self = Self { across: 1.0, down: 1.0 };
}

/// A picture that may be smaller than its source. The right column and the bottom row of a plane may belong to it in
/// part only: it covers `full` × scale samples, which is rounded up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reduced {
    pub(crate) planes: Planes,
    pub(crate) colour: Colour,
    /// Of luma and chroma.
    pub(crate) range: Range,
    /// The size of the source, in pixels as stored.
    pub(crate) full: Size,
    pub(crate) luma_scale: Scale,
    pub(crate) chroma_scale: Scale,
}

const DAMAGED: Error = Error::Undecodable { reason: "its data is damaged or cut short" };

/// Reads a JPEG at the smallest size that has what is wanted. `None` for a kind that is left to the general decoder.
///
/// Takes memory for the planes, and for a progressive file for those of its coefficients that are needed: at full size a
/// byte and two more for each sample, and an eighth. So judge its size first.
///
/// # Errors
/// [`Error::Undecodable`] for a file cut short or with too many scans, [`Error::Deadline`].
pub(crate) fn read(source: &[u8], wanted: Wanted, deadline: &Deadline) -> Result<Option<Reduced>, Error> {
    let mut reading = Reading::new(source);
    let scan = match reading.next_scan()? {
        Next::Scan(scan) => scan,
        Next::End => return Err(DAMAGED),
        Next::Unusual => return Ok(None),
    };
    let Some(frame) = reading.frame.clone() else { return Ok(None) };
    let colour = reading.colour();
    let sides = match colour {
        // what is called chroma here is as fine as the rest
        Colour::Rgb => frame.sides(Wanted { chroma: wanted.luma, ..wanted }),
        Colour::Grey | Colour::Ycc => frame.sides(wanted),
    };
    let lifted = match (wanted.light, colour) {
        (Light::Coded, _) => Lifted::Nothing,
        (Light::Linear, Colour::Grey | Colour::Ycc) => Lifted::First,
        (Light::Linear, Colour::Rgb) => Lifted::All,
    };
    let planes = if frame.progressive {
        progressive::planes(&mut reading, scan, &frame, &sides, lifted, deadline)?
    } else {
        sequential::planes(&mut reading, scan, &frame, &sides, lifted, deadline)?
    };
    let Some(planes) = planes else { return Ok(None) };
    let mut planes = planes.into_iter();
    let (luma, blue, red) = (planes.next(), planes.next(), planes.next());
    let luma = luma.ok_or(DAMAGED)?;
    let chroma = blue.zip(red).map(<[Plane; 2]>::from);
    let scale = |index: usize| frame.scale(index, sides.get(index).copied().unwrap_or(Side::Eight));
    Ok(Some(Reduced {
        planes: Planes { luma, chroma },
        colour,
        range: Range::Full,
        full: Size { width: frame.width, height: frame.height },
        luma_scale: scale(0),
        chroma_scale: scale(1),
    }))
}

#[cfg(test)]
mod tests;
