//! Lays a picture on a canvas: extending, padding, borders.
//!
//! The picture itself is not mixed with the canvas: where it is transparent it stays so.

use super::crop::Sides;
use super::geometry::Size;
use super::gravity::{Compass, Length};
use super::paint::{Rgba, holding};
use crate::Error;
use crate::frame::{Frame, buffer_bytes};

/// The picture on a canvas of this size and colour, at a place of it moved by offsets away from the edges that the place
/// names. What does not fit the canvas is cut off.
///
/// # Errors
/// `TooManyPixels` when the canvas does not fit the address space.
pub(crate) fn canvas(
    frame: Frame,
    size: Size,
    compass: Compass,
    offset: (Length, Length),
    colour: Rgba,
) -> Result<Frame, Error> {
    let (x, y) = compass.pixels((size.width, size.height), (frame.width, frame.height), offset);
    lay(frame, size, (x, y), colour)
}

/// The picture with so many pixels of a colour around it: padding, or a border.
///
/// # Errors
/// `SideTooLong` when a side does not fit 32 bits, `TooManyPixels` when the canvas does not fit the address space.
pub(crate) fn surround(frame: Frame, sides: Sides, colour: Rgba) -> Result<Frame, Error> {
    let grown = |side: u32, before: u32, after: u32| {
        let side = u64::from(side) + u64::from(before) + u64::from(after);
        u32::try_from(side).map_err(|_| Error::SideTooLong { side, max: u32::MAX })
    };
    let size = Size {
        width: grown(frame.width, sides.left, sides.right)?,
        height: grown(frame.height, sides.top, sides.bottom)?,
    };
    lay(frame, size, (sides.left.into(), sides.top.into()), colour)
}

fn lay(frame: Frame, size: Size, (x, y): (i64, i64), colour: Rgba) -> Result<Frame, Error> {
    let Size { width, height } = size;
    if (frame.width, frame.height, x, y) == (width, height, 0, 0) {
        return Ok(frame);
    }
    let frame = holding(frame, colour);
    let (layout, channels) = (frame.layout, frame.layout.channels());
    let bytes = buffer_bytes(width, height, layout)?;
    let columns = Span::of(x, frame.width, width);
    let rows = Span::of(y, frame.height, height);
    let index = |pixels: u32| usize::try_from(pixels).unwrap_or(usize::MAX);

    let pixel: [u8; 4] = colour.pixel(layout);
    let pixel = pixel.get(..channels).unwrap_or_default();
    let fill = pixel.repeat(index(width));
    let margin = |pixels: u32| fill.get(..index(pixels) * channels).unwrap_or_default();
    let used = index(columns.skipped) * channels..index(columns.skipped + columns.length) * channels;
    let mut pixels = Vec::with_capacity(bytes);
    (0..rows.before).for_each(|_| pixels.extend_from_slice(&fill));
    for row in frame.pixels.chunks_exact(frame.stride()).skip(index(rows.skipped)).take(index(rows.length)) {
        pixels.extend_from_slice(margin(columns.before));
        pixels.extend_from_slice(row.get(used.clone()).unwrap_or_default());
        pixels.extend_from_slice(margin(columns.after));
    }
    (0..rows.after).for_each(|_| pixels.extend_from_slice(&fill));
    debug_assert_eq!(pixels.len(), bytes);
    Ok(Frame { width, height, layout, pixels })
}

/// What is seen of one side of a picture on one side of a canvas.
struct Span {
    /// Pixels of the canvas before the picture.
    before: u32,
    /// Pixels of the picture that lie before the canvas.
    skipped: u32,
    /// Pixels of the picture on the canvas.
    length: u32,
    /// Pixels of the canvas behind the picture.
    after: u32,
}

impl Span {
    fn of(at: i64, inner: u32, outer: u32) -> Self {
        let cut = |value: i64, max: u32| u32::try_from(value.clamp(0, max.into())).unwrap_or(max);
        let before = cut(at, outer);
        let skipped = cut(at.saturating_neg(), inner);
        let length = (inner - skipped).min(outer - before);
        Self { before, skipped, length, after: outer - before - length }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Layout;
    use crate::steps::specimen::{counting, frames, of, pixel};

    const NONE: (Length, Length) = (Length::ZERO, Length::ZERO);
    const NINE: Rgba = Rgba { red: 9, green: 9, blue: 9, alpha: 255 };

    #[test]
    fn the_table_of_places() {
        let size = |width, height| Size { width, height };
        let right = (Length::Pixels(1.0), Length::ZERO);
        for (compass, size, offset, pixels) in [
            (Compass::Center, size(4, 2), NONE, vec![9, 0, 1, 9, 9, 2, 3, 9]),
            (Compass::TopLeft, size(3, 3), NONE, vec![0, 1, 9, 2, 3, 9, 9, 9, 9]),
            (Compass::BottomRight, size(3, 3), NONE, vec![9, 9, 9, 9, 0, 1, 9, 2, 3]),
            (Compass::TopRight, size(4, 2), right, vec![9, 0, 1, 9, 9, 2, 3, 9]),
            // an odd rest goes right and below
            (Compass::Center, size(3, 3), NONE, vec![0, 1, 9, 2, 3, 9, 9, 9, 9]),
            // what does not fit is cut off
            (Compass::Right, size(1, 3), NONE, vec![1, 3, 9]),
            (Compass::Left, size(2, 2), right, vec![9, 0, 9, 2]),
            (Compass::Left, size(2, 1), (Length::Pixels(9.0), Length::ZERO), vec![9, 9]),
        ] {
            let laid = canvas(counting(2, 2), size, compass, offset, NINE).unwrap();
            assert_eq!((laid.width, laid.height), (size.width, size.height));
            assert_eq!(laid.pixels, pixels, "{compass:?} {size:?}");
        }
    }

    #[test]
    fn each_side_gets_its_own() {
        let sides = Sides { top: 1, right: 2, bottom: 0, left: 1 };
        let padded = surround(counting(2, 1), sides, NINE).unwrap();
        assert_eq!((padded.width, padded.height), (5, 2));
        assert_eq!(padded.pixels, [9, 9, 9, 9, 9, 9, 0, 1, 9, 9]);
        let long = surround(counting(2, 1), Sides { right: u32::MAX, ..sides }, NINE);
        assert_eq!(long.unwrap_err(), Error::SideTooLong { side: (1 << 32) + 2, max: u32::MAX });
    }

    #[test]
    fn the_layout_holds_both() {
        let sides = Sides { right: 1, ..Sides::default() };
        let red = Rgba { red: 200, green: 1, blue: 2, alpha: 255 };
        let padded = surround(of(Layout::Grey, 1, &[7]), sides, red).unwrap();
        assert_eq!((padded.layout, padded.pixels), (Layout::Rgb, vec![7, 7, 7, 200, 1, 2]));
        let padded = surround(of(Layout::Grey, 1, &[7]), sides, Rgba::TRANSPARENT).unwrap();
        assert_eq!((padded.layout, padded.pixels), (Layout::GreyAlpha, vec![7, 255, 0, 0]));
        let padded = surround(of(Layout::Rgba, 1, &[7, 8, 9, 0]), sides, red).unwrap();
        assert_eq!((padded.layout, padded.pixels), (Layout::Rgba, vec![7, 8, 9, 0, 200, 1, 2, 255]));
    }

    proptest! {
        #[test]
        fn the_picture_is_found_again(frame in frames(7), sides in prop::array::uniform4(0..9_u32)) {
            let [top, right, bottom, left] = sides;
            let padded = surround(frame.clone(), Sides { top, right, bottom, left }, NINE).unwrap();
            prop_assert_eq!(padded.width, frame.width + left + right);
            prop_assert_eq!(padded.height, frame.height + top + bottom);
            for (x, y) in (0..frame.width).flat_map(|x| (0..frame.height).map(move |y| (x, y))) {
                prop_assert_eq!(pixel(&padded, left + x, top + y), pixel(&frame, x, y));
            }
        }
    }
}
