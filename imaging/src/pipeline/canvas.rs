//! A picture on its way through the steps: in planes for as long as nothing has to mix its colours.

use image::metadata::Orientation;

use crate::Error;
use crate::encode::Picture;
use crate::frame::{Frame, Layout};
use crate::jpeg::{self, Colour};
use crate::planes::{Plane, Planes};
use crate::steps::geometry::Size;
use crate::steps::{orient, turn};

/// Pixels or planes.
#[derive(Debug, Clone)]
pub(super) enum Canvas {
    Frame(Frame),
    Planes(Planes, Colour),
}

impl Canvas {
    pub(super) fn size(&self) -> Size {
        match self {
            Self::Frame(frame) => Size { width: frame.width, height: frame.height },
            Self::Planes(planes, _) => Size { width: planes.luma.width, height: planes.luma.height },
        }
    }

    /// Whether something may be transparent.
    pub(super) fn has_alpha(&self) -> bool {
        matches!(self, Self::Frame(frame) if frame.layout.has_alpha())
    }

    /// Turned as its source says.
    pub(super) fn oriented(self, orientation: Orientation) -> Result<Self, Error> {
        if orientation == Orientation::NoTransforms {
            return Ok(self);
        }
        self.each(|frame| orient::orient(frame, orientation))
    }

    /// Turned clockwise by quarters.
    pub(super) fn quarters(self, turns: u32) -> Result<Self, Error> {
        if turns.is_multiple_of(4) { Ok(self) } else { self.each(|frame| Ok(turn::quarters(frame, turns))) }
    }

    pub(super) fn flipped(self, horizontal: bool, vertical: bool) -> Result<Self, Error> {
        if !horizontal && !vertical {
            return Ok(self);
        }
        self.each(|frame| {
            let frame = if horizontal { turn::flip_horizontal(frame) } else { frame };
            Ok(if vertical { turn::flip_vertical(frame) } else { frame })
        })
    }

    /// As pixels.
    pub(super) fn into_frame(self) -> Result<Frame, Error> {
        match self {
            Self::Frame(frame) => Ok(frame),
            Self::Planes(planes, colour) => jpeg::frame_of(planes, colour),
        }
    }

    /// What an encoder is given. Planes that are not luma and chroma must have become pixels.
    pub(super) const fn picture(&self) -> Picture<'_> {
        match self {
            Self::Frame(frame) => Picture::Frame(frame),
            Self::Planes(planes, _) => Picture::Planes(planes),
        }
    }

    /// Moves the pixels of each plane, or of the frame, in the same way.
    fn each(self, change: impl Fn(Frame) -> Result<Frame, Error>) -> Result<Self, Error> {
        let plane = |plane: Plane| {
            let Plane { width, height, samples } = plane;
            let moved = change(Frame { width, height, layout: Layout::Grey, pixels: samples })?;
            Ok(Plane { width: moved.width, height: moved.height, samples: moved.pixels })
        };
        match self {
            Self::Frame(frame) => change(frame).map(Self::Frame),
            Self::Planes(Planes { luma, chroma }, colour) => {
                let chroma = match chroma {
                    Some([blue, red]) => Some([plane(blue)?, plane(red)?]),
                    None => None,
                };
                Ok(Self::Planes(Planes { luma: plane(luma)?, chroma }, colour))
            }
        }
    }
}
