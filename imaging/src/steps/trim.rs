//! Finds the margins of one colour around a picture.
//!
//! Only looks: what is to be cut comes back as a rectangle, so that the caller can cut while reading or scaling.

use super::crop::{Rect, Sides};
use super::geometry::Size;
use super::paint::Rgba;
use super::sample::times;
use crate::frame::{Frame, Layout};

/// Pixels that are compared at once.
const RUN: usize = 64;

/// What counts as margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Trim {
    /// The margin's colour; none: that of the upper left pixel.
    pub(crate) colour: Option<Rgba>,
    /// How far a pixel may be from it in any channel, colours counted in proportion to alpha.
    pub(crate) tolerance: u8,
    /// Whether left and right lose the same, the smaller of both.
    pub(crate) equal_horizontal: bool,
    /// Whether top and bottom lose the same, the smaller of both.
    pub(crate) equal_vertical: bool,
    /// Pixels of each margin that stay.
    pub(crate) keep: u32,
}

/// What is inside of the margins; none when the whole picture is margin.
pub(crate) fn find(frame: &Frame, trim: &Trim) -> Option<Rect> {
    let found = match frame.layout {
        // what has no alpha is compared as it is
        Layout::Grey => margins::<1>(frame, trim, |&pixel| pixel),
        Layout::Rgb => margins::<3>(frame, trim, |&pixel| pixel),
        Layout::Cmyk => margins::<4>(frame, trim, |&pixel| pixel),
        Layout::GreyAlpha => margins::<2>(frame, trim, |&[grey, alpha]| [times(grey, alpha), alpha]),
        Layout::Rgba => margins::<4>(frame, trim, |&pixel| premultiplied(pixel)),
    };
    let mut sides = found?;
    if trim.equal_horizontal {
        sides.left = sides.left.min(sides.right);
        sides.right = sides.left;
    }
    if trim.equal_vertical {
        sides.top = sides.top.min(sides.bottom);
        sides.bottom = sides.top;
    }
    for side in [&mut sides.top, &mut sides.right, &mut sides.bottom, &mut sides.left] {
        *side = side.saturating_sub(trim.keep);
    }
    sides.inside(Size { width: frame.width, height: frame.height })
}

fn margins<const N: usize>(frame: &Frame, trim: &Trim, seen: impl Fn(&[u8; N]) -> [u8; N]) -> Option<Sides> {
    let rows = || frame.pixels.chunks_exact(frame.stride()).map(|row| row.as_chunks::<N>().0);
    let margin = match trim.colour {
        Some(colour) => channels(frame.layout, colour),
        None => seen(rows().next()?.first()?).map(|sample| (sample, sample)),
    };
    // lowest and highest value of each channel in the margin
    let margin = margin
        .map(|(least, most)| (most.saturating_sub(trim.tolerance), least.saturating_add(trim.tolerance)));
    let differs = |pixel: &[u8; N]| {
        let samples = seen(pixel).into_iter().zip(&margin);
        samples.fold(false, |differs, (sample, &(low, high))| differs | (sample < low) | (sample > high))
    };
    // runs are looked at as a whole, which takes fewer instructions than to stop at the first that differs
    let is_picture = |row: &[[u8; N]]| {
        row.chunks(RUN).any(|run| run.iter().fold(false, |any, pixel| any | differs(pixel)))
    };
    let top = rows().position(is_picture)?;
    let bottom = rows().rev().position(is_picture)?;
    let (mut left, mut right) = (usize::MAX, usize::MAX);
    for row in rows().skip(top).take(rows().len().saturating_sub(top + bottom)) {
        // only what is margin so far can become less
        if let Some(first) = row.iter().take(left).position(differs) {
            left = first;
        }
        if let Some(last) = row.iter().rev().take(right).position(differs) {
            right = last;
        }
    }
    let side = |pixels: usize| u32::try_from(pixels).ok();
    Some(Sides { top: side(top)?, right: side(right)?, bottom: side(bottom)?, left: side(left)? })
}

/// Smallest and largest value that each channel of a picture would have to be near to. They differ where a colour is looked
/// for in a picture without.
fn channels<const N: usize>(layout: Layout, colour: Rgba) -> [(u8, u8); N] {
    let alpha = if layout.has_alpha() { colour.alpha } else { 255 };
    let [red, green, blue, alpha] = premultiplied([colour.red, colour.green, colour.blue, alpha]);
    let grey = (red.min(green).min(blue), red.max(green).max(blue));
    let one = |sample| (sample, sample);
    let channels = match layout {
        Layout::Grey => [grey; 4],
        Layout::GreyAlpha => [grey, one(alpha), grey, grey],
        Layout::Rgb | Layout::Rgba => [one(red), one(green), one(blue), one(alpha)],
        // no ink
        Layout::Cmyk => [one(0); 4],
    };
    std::array::from_fn(|index| channels.get(index).copied().unwrap_or(grey))
}

fn premultiplied([red, green, blue, alpha]: [u8; 4]) -> [u8; 4] {
    [times(red, alpha), times(green, alpha), times(blue, alpha), alpha]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::steps::specimen::{frames, grey, of, pixel};

    /// A dot of 200 at (2, 1) of 5 × 4 pixels of 10, and one of 15 at (4, 3).
    fn dots() -> Frame {
        grey(5, &[10, 10, 10, 10, 10, 10, 10, 200, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 15])
    }

    #[test]
    fn the_table_of_margins() {
        let rect = |x, y, width, height| Some(Rect { x, y, width, height });
        let plain = Trim { tolerance: 5, ..Trim::default() };
        let white = Rgba { red: 255, green: 255, blue: 255, alpha: 255 };
        let ten = Rgba { red: 10, green: 10, blue: 10, alpha: 255 };
        for (name, trim, found) in [
            ("the dot", plain, rect(2, 1, 1, 1)),
            ("both dots", Trim { tolerance: 4, ..plain }, rect(2, 1, 3, 3)),
            ("all margin", Trim { tolerance: 190, ..plain }, None),
            ("given colour", Trim { colour: Some(ten), ..plain }, rect(2, 1, 1, 1)),
            ("near to grey", Trim { colour: Some(Rgba { blue: 14, ..ten }), ..plain }, rect(2, 1, 1, 1)),
            ("no grey", Trim { colour: Some(Rgba { blue: 16, ..ten }), ..plain }, rect(0, 0, 5, 4)),
            ("no margin", Trim { colour: Some(white), ..plain }, rect(0, 0, 5, 4)),
            ("equal columns", Trim { tolerance: 4, equal_horizontal: true, ..plain }, rect(0, 1, 5, 3)),
            ("equal rows", Trim { equal_vertical: true, ..plain }, rect(2, 1, 1, 2)),
            ("one kept", Trim { keep: 1, ..plain }, rect(1, 0, 3, 3)),
            ("more kept than there is", Trim { keep: 9, ..plain }, rect(0, 0, 5, 4)),
        ] {
            assert_eq!(find(&dots(), &trim), found, "{name}");
        }
    }

    #[test]
    fn what_is_transparent_is_alike() {
        let frame = of(Layout::Rgba, 3, &[1, 2, 3, 0, 200, 0, 0, 0, 200, 0, 0, 9]);
        let found = find(&frame, &Trim::default());
        assert_eq!(found, Some(Rect { x: 2, y: 0, width: 1, height: 1 }));
        assert_eq!(find(&frame, &Trim { tolerance: 9, ..Trim::default() }), None);
    }

    proptest! {
        #[test]
        fn outside_there_is_only_margin(frame in frames(9), tolerance in 0..255_u8) {
            let trim = Trim { tolerance, ..Trim::default() };
            let Some(rect) = find(&frame, &trim) else { return Ok(()) };
            prop_assert!(rect.width > 0 && rect.x + rect.width <= frame.width, "{:?}", rect);
            prop_assert!(rect.height > 0 && rect.y + rect.height <= frame.height, "{:?}", rect);
            if !frame.layout.has_alpha() {
                let first = pixel(&frame, 0, 0);
                for (x, y) in (0..frame.width).flat_map(|x| (0..frame.height).map(move |y| (x, y))) {
                    let inside = (rect.x..rect.x + rect.width).contains(&x) && (rect.y..rect.y + rect.height).contains(&y);
                    let alike = pixel(&frame, x, y).iter().zip(first).all(|(a, b)| a.abs_diff(*b) <= tolerance);
                    prop_assert!(inside || alike, "{}, {} outside of {:?}", x, y, rect);
                }
            }
        }
    }
}
