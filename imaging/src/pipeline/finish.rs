//! What happens to a picture after it has its size: rotation, look, corners, canvas, marks, background.
//!
//! Nothing asked for, nothing done: planes stay planes where no step mixes colours.

use super::canvas::Canvas;
use super::wish;
use crate::frame::Frame;
use crate::negotiate::Output;
use crate::steps::geometry::Size;
use crate::steps::{
    blur, canvas as lay, colour, corners, flatten, grayscale, pixelate, rotate, sharpen, text, tone,
    watermark,
};
use crate::transform::{Fit, Look, Milli, Rgb, Sides, Transform};
use crate::{Deadline, Error};

/// Standard deviation of `sharpen`, in pixels.
const SHARPEN_SIGMA: f32 = 1.0;

/// A quarter of a turn, in thousandths of a degree.
const QUARTER: u32 = 90_000;

/// What is needed besides the picture.
pub(super) struct Finish<'a> {
    pub(super) transform: &'a Transform,
    /// Size of the result before rotation, as planned.
    pub(super) canvas: Size,
    pub(super) output: Output,
    /// Colours of the pixels, where they are to become sRGB.
    pub(super) profile: Option<&'a [u8]>,
    /// The watermark's picture.
    pub(super) mark: Option<&'a Frame>,
    pub(super) deadline: &'a Deadline,
}

impl Finish<'_> {
    /// Takes every step that is asked for. Frames of an animation keep their alpha channel, so that all have one layout.
    pub(super) fn take(&self, picture: Canvas, is_animated: bool) -> Result<Canvas, Error> {
        let all = self.transform;
        let picture = self.turned(picture)?;
        if !self.needs_pixels(&picture) {
            return Ok(picture);
        }
        let mut frame = picture.into_frame()?;
        // a profile is for what is stored; nothing before this mixes colours in a way that shows
        frame = colour::to_srgb(frame, self.profile);
        if !is_animated {
            frame = flatten::drop_opaque(frame);
        }
        if !all.rotate.0.is_multiple_of(QUARTER) {
            frame = rotate::rotate(frame, all.rotate.as_f64(), wish::paint(self.paper()))?;
        }
        self.deadline.check()?;
        frame = self.look(frame)?;
        if let Some(round) = all.corners {
            let paper = self.paper().map(|colour| wish::paint(Some(colour)));
            frame = corners::round(frame, wish::corners(round), paper);
        }
        frame = self.framed(frame)?;
        if let (Some(mark), Some(watermark)) = (self.mark, &all.watermark) {
            frame = watermark::overlay(frame, mark, &wish::placement(watermark))?;
        }
        if let Some(line) = &all.text {
            frame = text::draw(frame, &wish::line(line))?;
        }
        Ok(Canvas::Frame(match self.paper() {
            Some(paper) => flatten::flatten(frame, paper),
            None => frame,
        }))
    }

    /// Whether anything but moving pixels is asked for.
    fn needs_pixels(&self, picture: &Canvas) -> bool {
        let all = self.transform;
        let is_plain =
            matches!(picture, Canvas::Planes(_, crate::jpeg::Colour::Ycc | crate::jpeg::Colour::Grey));
        let takes_planes = matches!(self.output, Output::Jpeg | Output::Webp | Output::Avif);
        !is_plain
            || !takes_planes
            || self.profile.is_some()
            || !all.rotate.0.is_multiple_of(QUARTER)
            || all.look != Look::default()
            || all.corners.is_some()
            || all.padding != Sides::default()
            || all.border.is_some()
            || all.watermark.is_some()
            || all.text.is_some()
            || self.is_on_canvas(picture.size())
    }

    fn turned(&self, picture: Canvas) -> Result<Canvas, Error> {
        let all = self.transform;
        let turns = if all.rotate.0.is_multiple_of(QUARTER) { all.rotate.0 / QUARTER } else { 0 };
        picture.flipped(all.flip_horizontal, all.flip_vertical)?.quarters(turns)
    }

    /// The colour under everything, where it must not show through.
    fn paper(&self) -> Option<Rgb> {
        match (self.transform.background, self.output.has_alpha()) {
            (Some(colour), _) => Some(colour),
            (None, false) => Some(Rgb::WHITE),
            (None, true) => None,
        }
    }

    fn look(&self, frame: Frame) -> Result<Frame, Error> {
        let look = &self.transform.look;
        let mut frame = tone::tone(frame, wish::tone(look));
        if look.grayscale || look.threshold.is_some() {
            frame = grayscale::grayscale(frame);
        }
        if let Some(threshold) = look.threshold {
            frame = two_colours(frame, threshold);
        }
        if look.blur != Milli::ZERO {
            frame = blur::blur(frame, wish::single(look.blur));
        }
        self.deadline.check()?;
        if look.sharpen != Milli::ZERO {
            frame = sharpen::sharpen(frame, SHARPEN_SIGMA, wish::single(look.sharpen));
        }
        if let Some(mask) = look.unsharp {
            frame = sharpen::unsharp(frame, wish::mask(mask));
        }
        if look.pixelate > 1 {
            frame = pixelate::pixelate(frame, look.pixelate);
        }
        Ok(frame)
    }

    /// On its canvas, with padding and border around it.
    fn framed(&self, mut frame: Frame) -> Result<Frame, Error> {
        let all = self.transform;
        let size = Size { width: frame.width, height: frame.height };
        if self.is_on_canvas(size) {
            let (point, offset) = wish::anchor(all.gravity);
            frame = lay::canvas(frame, self.turned_canvas(), point, offset, wish::paint(self.margin()))?;
        }
        if all.padding != Sides::default() {
            frame = lay::surround(frame, wish::sides(all.padding), wish::paint(self.margin()))?;
        }
        if let Some(border) = all.border {
            frame = lay::surround(frame, wish::sides(border.sides), wish::paint(Some(border.colour)))?;
        }
        Ok(frame)
    }

    /// Around the picture: the background, nothing where the format can show nothing, else white.
    fn margin(&self) -> Option<Rgb> {
        self.paper()
    }

    /// Whether the picture lies on a canvas that is not of its size. One that was turned by an odd angle has grown.
    fn is_on_canvas(&self, size: Size) -> bool {
        let all = self.transform;
        let pads = matches!(all.fit, Fit::Pad | Fit::Extend | Fit::CropExtend | Fit::ExtendShape);
        pads && all.rotate.0.is_multiple_of(QUARTER) && size != self.turned_canvas()
    }

    fn turned_canvas(&self) -> Size {
        let turns = self.transform.rotate.0 / QUARTER;
        if turns % 2 == 1 { self.canvas.turned() } else { self.canvas }
    }
}

/// Greys from `threshold` on white, all others black; alpha stays.
fn two_colours(mut frame: Frame, threshold: u8) -> Frame {
    let has_alpha = frame.layout.has_alpha();
    for pixel in frame.pixels.chunks_exact_mut(frame.layout.channels()) {
        let colours = pixel.len() - usize::from(has_alpha);
        for value in pixel.iter_mut().take(colours) {
            *value = if *value >= threshold { 255 } else { 0 };
        }
    }
    frame
}
