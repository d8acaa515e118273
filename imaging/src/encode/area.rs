//! Where a frame of an animation differs from the one before.

use crate::Error;
use crate::frame::{Frame, stride};

use super::ycc::size;

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Area {
    /// The smallest rectangle around both.
    pub(crate) fn with(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x + self.width).max(other.x + other.width);
        let bottom = (self.y + self.height).max(other.y + other.height);
        Self { x, y, width: right - x, height: bottom - y }
    }

    /// That part of a frame.
    pub(crate) fn of(&self, frame: &Frame) -> Frame {
        let row = stride(self.width, frame.layout);
        let start = size(self.x) * frame.layout.channels();
        let rows = frame.pixels.chunks_exact(frame.stride()).skip(size(self.y)).take(size(self.height));
        let mut pixels = Vec::with_capacity(row * size(self.height));
        for whole in rows {
            pixels.extend_from_slice(whole.get(start..start + row).unwrap_or_default());
        }
        Frame { width: self.width, height: self.height, layout: frame.layout, pixels }
    }
}

/// The smallest rectangle with every pixel that changed, none if nothing did.
///
/// # Errors
/// `Unencodable` when the frames differ in size or layout.
pub(crate) fn changed(before: &Frame, after: &Frame) -> Result<Option<Area>, Error> {
    if (before.width, before.height, before.layout) != (after.width, after.height, after.layout) {
        return Err(Error::Unencodable { reason: "its frames differ in size or kind" });
    }
    let row = after.stride();
    let pairs = || before.pixels.chunks_exact(row).zip(after.pixels.chunks_exact(row)).enumerate();
    let differs = |(_, (before, after)): &(usize, (&[u8], &[u8]))| before != after;
    let Some((top, _)) = pairs().find(differs) else { return Ok(None) };
    let bottom = pairs().rev().find(differs).map_or(top, |(row, _)| row);
    let (mut left, mut right) = (row, 0);
    for (_, (before, after)) in pairs().skip(top).take(bottom - top + 1) {
        // only what lies outside of what is known already is looked at
        let start = before.iter().zip(after).take(left).position(|(before, after)| before != after);
        left = start.unwrap_or(left);
        let beyond = before.iter().zip(after).skip(right).rposition(|(before, after)| before != after);
        right = beyond.map_or(right, |place| right + place + 1);
    }
    let channels = after.layout.channels();
    let (left, right) = (left / channels, right.div_ceil(channels));
    let short = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    Ok(Some(Area {
        x: short(left),
        y: short(top),
        width: short(right.saturating_sub(left)),
        height: short(bottom - top + 1),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Layout;

    #[test]
    fn the_smallest_rectangle() {
        let black = Frame { width: 7, height: 5, layout: Layout::Rgb, pixels: vec![0; 7 * 5 * 3] };
        assert_eq!(changed(&black, &black), Ok(None));
        for (one, other) in [((0, 0), (0, 0)), ((6, 4), (6, 4)), ((2, 3), (5, 1)), ((6, 0), (0, 4))] {
            let mut after = black.clone();
            for (x, y) in [one, other] {
                after.pixels[(y * 7 + x) * 3 + x % 3] = 1;
            }
            let (left, right) = (one.0.min(other.0), one.0.max(other.0));
            let (top, bottom) = (one.1.min(other.1), one.1.max(other.1));
            let [x, y, width, height] =
                [left, top, right - left + 1, bottom - top + 1].map(|length| u32::try_from(length).unwrap());
            let area = Area { x, y, width, height };
            assert_eq!(changed(&black, &after), Ok(Some(area)));
            let part = area.of(&after);
            assert_eq!(
                part.pixels.iter().filter(|value| **value == 1).count(),
                if one == other { 1 } else { 2 }
            );
            assert_eq!(part.pixels.len(), (width * height * 3) as usize);
        }
        let other = Frame { width: 5, height: 7, ..black.clone() };
        assert!(changed(&black, &other).is_err());
    }
}
