//! Brings any part of a picture to any size.
//!
//! Lanczos when it becomes smaller, Catmull-Rom when it becomes larger, where Lanczos would ring. Colour is weighted by
//! alpha. A part of whole pixels that keeps its size is copied, not filtered.

use fast_image_resize::{FilterType, PixelType};

use super::geometry::Size;
use super::resample::Resampling;
use crate::frame::{Frame, Layout};
use crate::{Deadline, Error};

/// Narrowest area, in pixels; what is less would be a single colour anyway.
const SIDE_MIN: f64 = 1.0 / 64.0;

/// Part of a pixel that a column may be off without a sample being different.
const OFF_CENTRE: f64 = 1.0 / 16_384.0;

/// A part of a picture in pixels, whose edges may lie within pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    /// From the left edge, at least 0.
    pub(crate) x: f64,
    /// From the upper edge, at least 0.
    pub(crate) y: f64,
    /// More than 0.
    pub(crate) width: f64,
    /// More than 0.
    pub(crate) height: f64,
}

impl Area {
    /// All of a picture.
    pub(crate) fn whole(frame: &Frame) -> Self {
        Self { x: 0.0, y: 0.0, width: f64::from(frame.width), height: f64::from(frame.height) }
    }

    /// The part of it that lies in the picture; sides that are no numbers are the picture's.
    pub(super) fn within(self, frame: &Frame) -> Self {
        let whole = Self::whole(frame);
        let along = |start: f64, length: f64, side: f64| {
            let start = if start.is_finite() { start.clamp(0.0, side) } else { 0.0 };
            let length = if length > 0.0 { length.min(side - start) } else { side - start };
            let length = length.max(SIDE_MIN);
            (start.min(side - length), length)
        };
        let (x, width) = along(self.x, self.width, whole.width);
        let (y, height) = along(self.y, self.height, whole.height);
        Self { x, y, width, height }
    }

    /// The area as it can be enlarged to so many columns.
    ///
    /// Catmull-Rom is 0 at a distance of one and of two pixels, and the resizer leaves out pixels of no weight. So where the
    /// middle of a column of the result falls on that of a pixel, fewer pixels count than for the columns beside it. The
    /// resizer takes the first and the last column for those that reach furthest, and reads outside of its rows if they do
    /// not. There the area is made narrower by less than can be seen.
    pub(crate) fn off_centre(self, columns: u32) -> Self {
        let keeps = self.width == f64::from(columns) && self.x == self.x.round();
        if keeps || columns < 2 {
            return self;
        }
        // of three tries two at most can fail, since each of the two columns fails one
        let tries = [0.0, 1.0, 2.0].map(|count| {
            let step = count * OFF_CENTRE;
            Self { x: self.x + step, width: self.width - 2.0 * step, ..self }
        });
        let is_off = |area: &Self| {
            let half = area.width / f64::from(columns) / 2.0;
            let middles = [area.x + half - 0.5, area.x + area.width - half - 0.5];
            middles.iter().all(|middle| (middle - middle.round()).abs() > OFF_CENTRE / 8.0)
        };
        tries.into_iter().find(is_off).unwrap_or(self)
    }
}

/// The `area` of a picture, as far as it lies in it, at the size `to`, whose sides are not 0.
///
/// # Errors
/// As [`Resampling::run`].
pub(crate) fn scale(frame: &Frame, area: Area, to: Size, deadline: &Deadline) -> Result<Frame, Error> {
    let area = area.within(frame);
    let enlarges = f64::from(to.width) > area.width || f64::from(to.height) > area.height;
    if enlarges {
        filtered(frame, area.off_centre(to.width), to, FilterType::CatmullRom, deadline)
    } else {
        filtered(frame, area, to, FilterType::Lanczos3, deadline)
    }
}

/// As [`scale`], but every pixel is the mean of those under it: quick, and good enough to look at, not to show.
///
/// # Errors
/// As [`scale`].
pub(crate) fn average(frame: &Frame, area: Area, to: Size) -> Result<Frame, Error> {
    filtered(frame, area.within(frame), to, FilterType::Box, &Deadline::never())
}

fn filtered(
    frame: &Frame,
    area: Area,
    to: Size,
    filter: FilterType,
    deadline: &Deadline,
) -> Result<Frame, Error> {
    let kind = match frame.layout {
        Layout::Grey => PixelType::U8,
        Layout::GreyAlpha => PixelType::U8x2,
        Layout::Rgb => PixelType::U8x3,
        Layout::Rgba | Layout::Cmyk => PixelType::U8x4,
    };
    let resampling = Resampling {
        samples: &frame.pixels,
        size: Size { width: frame.width, height: frame.height },
        kind,
        has_alpha: frame.layout.has_alpha(),
        filter,
        area,
        to,
    };
    let pixels = resampling.run(deadline)?;
    Ok(Frame { width: to.width, height: to.height, layout: frame.layout, pixels })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::steps::crop::{Rect, crop};
    use crate::steps::specimen::{frames, grey, of};

    #[test]
    fn the_mean_of_what_lies_under_a_pixel() {
        let frame = grey(4, &[0, 10, 50, 70, 20, 30, 90, 110]);
        let small = average(&frame, Area::whole(&frame), Size { width: 2, height: 1 }).unwrap();
        assert_eq!(small.pixels, [15, 80]);
        let right = Area { x: 2.0, width: 2.0, ..Area::whole(&frame) };
        assert_eq!(average(&frame, right, Size { width: 1, height: 1 }).unwrap().pixels, [80]);
    }

    #[test]
    fn transparent_neighbours_give_no_colour() {
        let frame = of(Layout::Rgba, 4, &[[255, 0, 0, 255], [0, 255, 0, 0]].repeat(2).concat());
        let small =
            scale(&frame, Area::whole(&frame), Size { width: 2, height: 1 }, &Deadline::never()).unwrap();
        for pixel in small.pixels.chunks_exact(4) {
            assert_eq!(pixel[..3], [255, 0, 0], "{small:?}");
        }
    }

    #[test]
    fn an_area_outside_is_brought_inside() {
        let frame = grey(3, &[1, 2, 3]);
        for (x, width, pixels) in [(2.0, 9.0, 3), (-4.0, 1.0, 1), (3.0, 1.0, 3), (f64::NAN, f64::NAN, 2)] {
            let area = Area { x, width, ..Area::whole(&frame) };
            let small = average(&frame, area, Size { width: 1, height: 1 }).unwrap();
            assert_eq!(small.pixels, [pixels], "{area:?}");
        }
    }

    #[test]
    fn columns_on_the_middle_of_a_pixel_are_read_from_inside() {
        // 10.25 + 0.25 is the middle of pixel 10
        let frame = grey(41, &[[7; 41], [9; 41]].concat());
        for (x, width) in [(10.25, 20.5), (20.25, 20.5), (0.25, 20.5), (10.0, 21.0)] {
            let area = Area { x, width, ..Area::whole(&frame) };
            let large = scale(&frame, area, Size { width: 41, height: 4 }, &Deadline::never()).unwrap();
            for (row, ends) in large.pixels.chunks_exact(41).zip([7, 7, 9, 9]) {
                assert!(
                    row.iter().all(|&sample| sample == row[0] && sample.abs_diff(ends) <= 1),
                    "{area:?}: {row:?}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn areas_of_quarters_of_pixels_are_read_from_inside(
            frame in frames(24), x in 0..96_u32, y in 0..96_u32, width in 1..96_u32, height in 1..96_u32,
            to in (1..96_u32, 1..96_u32),
        ) {
            let [x, y, width, height] = [x, y, width, height].map(|quarters| f64::from(quarters) / 4.0);
            let (wide, high) = to;
            let large = scale(&frame, Area { x, y, width, height }, Size { width: wide, height: high }, &Deadline::never()).unwrap();
            prop_assert_eq!((large.width, large.height), to);
        }

        #[test]
        fn whole_pixels_of_the_same_size_are_copied(
            frame in frames(9), x in 0..9_u32, y in 0..9_u32, width in 1..9_u32, height in 1..9_u32,
        ) {
            let (x, y) = (x % frame.width, y % frame.height);
            let (width, height) = (width.min(frame.width - x), height.min(frame.height - y));
            let [left, top, wide, high] = [x, y, width, height].map(f64::from);
            let area = Area { x: left, y: top, width: wide, height: high };
            let scaled = scale(&frame, area, Size { width, height }, &Deadline::never()).unwrap();
            prop_assert_eq!(scaled.pixels, crop(frame, Rect { x, y, width, height }).pixels);
        }
    }
}
