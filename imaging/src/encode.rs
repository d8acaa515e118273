//! From pixels or planes to the bytes of a file, one module for each format.
//!
//! Pure functions: nothing here decides which format or quality a client gets. Metadata is written only when it is given.
//! C code is called for WebP and AVIF, and sees only pixels that were decoded and checked here, never bytes of a stranger.

mod area;
pub(crate) mod avif;
pub(crate) mod gif;
pub(crate) mod jpeg;
pub(crate) mod jxl;
mod palette;
pub(crate) mod png;
pub(crate) mod webp;
mod ycc;

pub(crate) use ycc::Range;

use std::time::Duration;

use crate::frame::Frame;
use crate::planes::Planes;
use crate::{Deadline, Error};

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    Jpeg,
    Png,
    Webp,
    Avif,
    Gif,
    Jxl,
}

/// What is encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Picture<'p> {
    /// Pixels; CMYK is refused.
    Frame(&'p Frame),
    /// Luma and chroma of full range.
    Planes(&'p Planes),
}

impl Picture<'_> {
    /// Width and height in pixels.
    pub(crate) fn size(self) -> (u32, u32) {
        match self {
            Self::Frame(frame) => (frame.width, frame.height),
            Self::Planes(planes) => (planes.luma.width, planes.luma.height),
        }
    }
}

/// How much time a smaller file is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As fast as the format allows.
    Fast,
    /// For answers that someone waits for.
    Normal,
    /// For files that are made once and served often.
    Best,
}

/// Resolution of colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subsampling {
    /// Half of luma's both ways, 4:2:0.
    Quarter,
    /// As luma's, 4:4:4. Planes that have less stay as they are.
    Full,
}

/// How to encode. A format ignores what it does not have.
#[derive(Debug, Clone)]
pub(crate) struct Settings<'s> {
    /// 1 to 100; others are held to that range.
    pub(crate) quality: u8,
    /// Every pixel as it is, in formats that also have a lossy way.
    pub(crate) lossless: bool,
    pub(crate) effort: Effort,
    /// A coarse picture first.
    pub(crate) progressive: bool,
    pub(crate) chroma: Subsampling,
    /// Colour profile that the pixels are in; without one they are sRGB.
    pub(crate) icc: Option<&'s [u8]>,
    /// EXIF, beginning with its TIFF header.
    pub(crate) exif: Option<&'s [u8]>,
    /// Checked between rows, scans or frames, as far as the format allows.
    pub(crate) deadline: &'s Deadline,
}

/// Writes one picture.
///
/// # Errors
/// `SideTooLong` for what the format cannot hold; `Unencodable` for CMYK, incomplete planes, metadata that does not fit, or
/// when a codec fails; `Deadline`.
pub(crate) fn encode(
    picture: Picture<'_>,
    format: Format,
    settings: &Settings<'_>,
) -> Result<Vec<u8>, Error> {
    settings.deadline.check()?;
    // the profiles that are kept are of three colours
    let wide;
    let picture = match picture {
        Picture::Frame(frame) if settings.icc.is_some() && frame.layout.is_grey() => {
            wide = frame.clone().into_colour();
            Picture::Frame(&wide)
        }
        picture => picture,
    };
    match format {
        Format::Jpeg => jpeg::encode(picture, settings),
        Format::Png => png::encode(picture, settings),
        Format::Webp => webp::encode(picture, settings),
        Format::Avif => avif::encode(picture, settings),
        Format::Gif => gif::encode(picture, settings),
        Format::Jxl => jxl::encode(picture, settings),
    }
}

/// An animation that is being written, in a format that has such.
#[derive(Debug)]
pub(crate) enum Animation<'s> {
    Webp(webp::Animation<'s>),
    Gif(gif::Animation<'s>),
}

impl<'s> Animation<'s> {
    /// Without frames yet; `loops` is how often it plays, 0 for ever. None if the format has no animations.
    pub(crate) fn new(format: Format, settings: &Settings<'s>, loops: u16) -> Option<Self> {
        match format {
            Format::Webp => Some(Self::Webp(webp::Animation::new(settings, loops))),
            Format::Gif => Some(Self::Gif(gif::Animation::new(settings, loops))),
            Format::Jpeg | Format::Png | Format::Avif | Format::Jxl => None,
        }
    }

    /// Adds a whole frame, of the size and layout of the first, shown for `duration_ms`.
    ///
    /// # Errors
    /// As [`encode`]; also `Unencodable` when size or layout change.
    pub(crate) fn push(&mut self, frame: Frame, duration_ms: u32) -> Result<(), Error> {
        match self {
            Self::Webp(animation) => animation.push(frame, duration_ms),
            Self::Gif(animation) => animation.push(&frame, duration_ms),
        }
    }

    /// The file.
    ///
    /// # Errors
    /// `Unencodable` without frames, `SideTooLong`.
    pub(crate) fn finish(self) -> Result<Vec<u8>, Error> {
        match self {
            Self::Webp(animation) => animation.finish(),
            Self::Gif(animation) => animation.finish(),
        }
    }
}

/// About how long a picture of so many pixels takes on one core: what a photo with much detail took on a server processor.
///
/// Enough to choose a format by when time is short; flat pictures take half of it, a busy machine more.
pub(crate) fn estimate(format: Format, pixels: u64, settings: &Settings<'_>) -> Duration {
    let by_effort = |fast, normal, best| match settings.effort {
        Effort::Fast => fast,
        Effort::Normal => normal,
        Effort::Best => best,
    };
    let picoseconds_per_pixel: u64 = match format {
        Format::Jpeg if settings.progressive => 8_000,
        Format::Jpeg => by_effort(2_200, 2_400, 2_400),
        Format::Png if settings.lossless || settings.quality >= 100 => by_effort(10_000, 100_000, 400_000),
        Format::Png => by_effort(35_000, 60_000, 100_000),
        Format::Webp if settings.lossless => by_effort(300_000, 550_000, 3_000_000),
        Format::Webp => by_effort(30_000, 70_000, 150_000),
        Format::Avif => by_effort(40_000, 220_000, 1_600_000),
        Format::Gif => by_effort(45_000, 60_000, 100_000),
        Format::Jxl if settings.lossless => by_effort(150_000, 180_000, 3_600_000),
        Format::Jxl => by_effort(90_000, 340_000, 620_000),
    };
    Duration::from_nanos(pixels.saturating_mul(picoseconds_per_pixel) / 1_000)
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
