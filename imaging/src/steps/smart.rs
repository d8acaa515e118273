//! Finds the part of a picture that should be kept when the rest is cut off.
//!
//! Looks at a version reduced to at most [`SIDE_MAX`] pixels a side, so that it costs little and fine grain does not count.
//! What it finds depends on the pixels alone; a picture with nothing in it keeps its middle.

use super::geometry::Size;
use super::gravity::Gravity;
use super::paint::with_alpha;
use super::scale::{Area, average};
use crate::frame::{Frame, Layout};

mod attention;
mod entropy;

/// Longest side of what is looked at, in pixels.
pub(crate) const SIDE_MAX: u32 = 96;

/// Where a window should lie in an `area` of the picture, as shares, 0 to 1, of the room that it has: 0 is left and top. The
/// window's sides are given as shares of the area's. None when there is nothing to look at, or `gravity` does not look.
pub(crate) fn find(gravity: Gravity, frame: &Frame, area: Area, window: (f64, f64)) -> Option<(f64, f64)> {
    let place = match gravity {
        Gravity::Attention => attention::place,
        Gravity::Entropy => entropy::place,
        Gravity::Compass(..) | Gravity::Focus(..) => return None,
    };
    let grid = Grid::of(frame, area)?;
    let cells = |share: f64, side: usize| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 96")]
        let cells = (share.clamp(0.0, 1.0) * side as f64).round() as usize;
        cells.clamp(1, side)
    };
    let (wide, high) = (cells(window.0, grid.width), cells(window.1, grid.height));
    let (x, y) = place(&grid, (wide, high));
    let share = |at: usize, side: usize, window: usize| {
        if side > window { at as f64 / (side - window) as f64 } else { 0.5 }
    };
    Some((share(x, grid.width, wide), share(y, grid.height, high)))
}

/// The picture reduced to what [`find`] looks at, for callers that have to turn it first.
pub(crate) fn reduced(frame: &Frame) -> Option<Frame> {
    shrunk(frame, Area::whole(frame))
}

fn shrunk(frame: &Frame, area: Area) -> Option<Frame> {
    let longest = area.width.max(area.height);
    let factor = (f64::from(SIDE_MAX) / longest).min(1.0);
    let side = |side: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 96")]
        let side = (side * factor).round().clamp(1.0, f64::from(SIDE_MAX)) as u32;
        side
    };
    average(frame, area, Size { width: side(area.width), height: side(area.height) }).ok()
}

/// What is looked at: pixels as red, green, blue and alpha.
struct Grid {
    /// At least 1.
    width: usize,
    /// At least 1.
    height: usize,
    pixels: Vec<[u8; 4]>,
}

impl Grid {
    fn of(frame: &Frame, area: Area) -> Option<Self> {
        if frame.layout == Layout::Cmyk {
            return None;
        }
        let small = with_alpha(shrunk(frame, area)?.into_colour());
        let [width, height] = [small.width, small.height].map(|side| usize::try_from(side).unwrap_or(0));
        let pixels = small.pixels.as_chunks().0.to_vec();
        (width > 0 && pixels.len() == width * height).then_some(Self { width, height, pixels })
    }
}

#[cfg(test)]
mod tests;
