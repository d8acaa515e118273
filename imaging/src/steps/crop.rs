//! Cuts rectangles of whole pixels out of a picture.

use super::geometry::Size;
use crate::frame::Frame;

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rect {
    /// Pixels from the left edge.
    pub(crate) x: u32,
    /// Pixels from the upper edge.
    pub(crate) y: u32,
    /// Pixels.
    pub(crate) width: u32,
    /// Pixels.
    pub(crate) height: u32,
}

/// Pixels on each side, to take away or to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Sides {
    /// Above.
    pub(crate) top: u32,
    /// On the right.
    pub(crate) right: u32,
    /// Below.
    pub(crate) bottom: u32,
    /// On the left.
    pub(crate) left: u32,
}

impl Sides {
    /// The same on all sides.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests compare with it"))]
    pub(crate) fn all(pixels: u32) -> Self {
        Self { top: pixels, right: pixels, bottom: pixels, left: pixels }
    }

    /// What is left of a picture when this much is taken away; none when nothing is.
    pub(crate) fn inside(self, size: Size) -> Option<Rect> {
        let width = size.width.checked_sub(self.left)?.checked_sub(self.right)?;
        let height = size.height.checked_sub(self.top)?.checked_sub(self.bottom)?;
        (width > 0 && height > 0).then_some(Rect { x: self.left, y: self.top, width, height })
    }
}

/// The part of the picture under `rect`; what lies outside of the picture is left out. When nothing is left the picture
/// stays whole, since there is no empty one.
pub(crate) fn crop(frame: Frame, rect: Rect) -> Frame {
    let x = rect.x.min(frame.width);
    let y = rect.y.min(frame.height);
    let width = rect.width.min(frame.width - x);
    let height = rect.height.min(frame.height - y);
    if width == 0 || height == 0 || (width, height) == (frame.width, frame.height) {
        return frame;
    }
    let index = |pixels: u32| usize::try_from(pixels).unwrap_or(usize::MAX);
    let channels = frame.layout.channels();
    let start = index(x) * channels;
    let used = start..start + index(width) * channels;
    let mut pixels = Vec::with_capacity(used.len() * index(height));
    for row in frame.pixels.chunks_exact(frame.stride()).skip(index(y)).take(index(height)) {
        pixels.extend_from_slice(row.get(used.clone()).unwrap_or_default());
    }
    Frame { width, height, layout: frame.layout, pixels }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::steps::specimen::{counting, frames, of, pixel};

    #[test]
    fn a_rectangle_is_cut_out() {
        let cut = crop(counting(5, 4), Rect { x: 1, y: 2, width: 3, height: 2 });
        assert_eq!((cut.width, cut.height, cut.pixels), (3, 2, vec![11, 12, 13, 16, 17, 18]));
        let frame = of(crate::frame::Layout::Rgb, 2, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(crop(frame, Rect { x: 1, y: 0, width: 1, height: 2 }).pixels, [4, 5, 6, 10, 11, 12]);
    }

    #[test]
    fn what_sticks_out_is_left_out() {
        let rect = Rect { x: 3, y: 3, width: u32::MAX, height: u32::MAX };
        assert_eq!(crop(counting(5, 4), rect).pixels, [18, 19]);
        for rect in [Rect { x: 5, ..rect }, Rect { y: 4, ..rect }, Rect { width: 0, ..rect }] {
            assert_eq!(crop(counting(5, 4), rect).pixels.len(), 20, "{rect:?}");
        }
    }

    #[test]
    fn sides_leave_a_rectangle_or_nothing() {
        let size = Size { width: 5, height: 4 };
        let sides = Sides { top: 1, right: 2, bottom: 0, left: 2 };
        assert_eq!(sides.inside(size), Some(Rect { x: 2, y: 1, width: 1, height: 3 }));
        assert_eq!(Sides::all(2).inside(size), None);
        assert_eq!(Sides { right: 9, ..sides }.inside(size), None);
        assert_eq!(Sides { left: u32::MAX, right: u32::MAX, ..sides }.inside(size), None);
    }

    proptest! {
        #[test]
        fn every_pixel_comes_from_its_place(
            frame in frames(9), x in 0..9_u32, y in 0..9_u32, width in 1..9_u32, height in 1..9_u32,
        ) {
            prop_assume!(x < frame.width && y < frame.height);
            let cut = crop(frame.clone(), Rect { x, y, width, height });
            prop_assert_eq!((cut.width, cut.height), (width.min(frame.width - x), height.min(frame.height - y)));
            for (column, row) in (0..cut.width).flat_map(|column| (0..cut.height).map(move |row| (column, row))) {
                prop_assert_eq!(pixel(&cut, column, row), pixel(&frame, x + column, y + row));
            }
        }
    }
}
