//! The canvas that the frames of an animation are laid on, one after the other.
//!
//! GIF and APNG share their rules: a frame covers a part of the canvas, and says what becomes of that part before the next
//! one is laid on. Parts beyond the canvas are cut off.

use crate::Error;
use crate::frame::{Frame, Layout, buffer_bytes};

/// What becomes of a frame's part of the canvas before the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dispose {
    Keep,
    /// It becomes transparent.
    Clear,
    /// It becomes what it was.
    Restore,
}

/// Where a frame lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Red, green, blue and alpha, not premultiplied; transparent at first.
pub(super) struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
    /// The whole canvas as it was; kept while a frame is shown that is to be undone.
    before: Vec<u8>,
    pending: Option<(Place, Dispose)>,
    is_opaque: bool,
}

impl Canvas {
    /// # Errors
    /// `TooManyPixels` when it does not fit the address space.
    pub(super) fn new(width: u32, height: u32) -> Result<Self, Error> {
        let pixels = vec![0; buffer_bytes(width, height, Layout::Rgba)?];
        Ok(Self { width, height, pixels, before: Vec::new(), pending: None, is_opaque: false })
    }

    /// Does to the canvas what the last frame asked for, and remembers what the next one asks for.
    pub(super) fn begin(&mut self, place: Place, dispose: Dispose) {
        match self.pending.take() {
            Some((last, Dispose::Clear)) => {
                self.rows(last, |row, _| row.fill(0));
                self.is_opaque = false;
            }
            Some((_, Dispose::Restore)) => self.pixels.copy_from_slice(&self.before),
            Some((_, Dispose::Keep)) | None => {}
        }
        if dispose == Dispose::Restore {
            self.before.clone_from(&self.pixels);
        }
        self.pending = Some((place, dispose));
    }

    /// Gives `draw` every row of the canvas that the frame covers, and the number of that row in the frame.
    pub(super) fn rows(&mut self, place: Place, mut draw: impl FnMut(&mut [u8], usize)) {
        let index = |side: u32| usize::try_from(side).unwrap_or(usize::MAX);
        let visible = place.width.min(self.width.saturating_sub(place.left));
        let left = index(place.left).saturating_mul(4);
        let right = left.saturating_add(index(visible) * 4);
        let stride = index(self.width).saturating_mul(4).max(4);
        let rows = self.pixels.chunks_exact_mut(stride).skip(index(place.top)).take(index(place.height));
        for (number, row) in rows.enumerate() {
            if let Some(row) = row.get_mut(left..right) {
                draw(row, number);
            }
        }
    }

    /// Says that a frame without transparent pixels was drawn. From one that covers everything on the canvas is opaque.
    pub(super) fn covered(&mut self, place: Place) {
        let covers =
            place.left == 0 && place.top == 0 && place.width >= self.width && place.height >= self.height;
        // what will be undone says nothing of the canvas below
        let stays = matches!(self.pending, Some((_, Dispose::Keep)));
        self.is_opaque |= covers && stays;
    }

    /// A copy of what is to be seen; without alpha when that would say nothing.
    pub(super) fn frame(&self) -> Frame {
        let (width, height) = (self.width, self.height);
        if !self.is_opaque {
            return Frame { width, height, layout: Layout::Rgba, pixels: self.pixels.clone() };
        }
        let mut pixels = vec![0; self.pixels.len() / 4 * 3];
        for (to, from) in pixels.as_chunks_mut::<3>().0.iter_mut().zip(self.pixels.as_chunks::<4>().0) {
            let [red, green, blue, _] = *from;
            *to = [red, green, blue];
        }
        Frame { width, height, layout: Layout::Rgb, pixels }
    }
}

/// Lays a row with alpha over a row with alpha (PNG third edition, section 13.16).
pub(super) fn over(under: &mut [u8], top: &[u8]) {
    for (under, top) in under.as_chunks_mut::<4>().0.iter_mut().zip(top.as_chunks::<4>().0) {
        match top[3] {
            255 => *under = *top,
            0 => {}
            _ => *under = mixed(*under, *top),
        }
    }
}

fn mixed(under: [u8; 4], top: [u8; 4]) -> [u8; 4] {
    let (above, below) = (u32::from(top[3]), u32::from(under[3]));
    // in units of 1/65025: what of the pixel below shows through, and both together
    let shows = below * (255 - above);
    let whole = above * 255 + shows;
    let channel = |top: u8, under: u8| {
        let sum = u32::from(top) * above * 255 + u32::from(under) * shows;
        u8::try_from((sum + whole / 2) / whole).unwrap_or(u8::MAX)
    };
    let alpha = u8::try_from((whole + 127) / 255).unwrap_or(u8::MAX);
    let [[red, green, blue, _], [r, g, b, _]] = [top, under];
    [channel(red, r), channel(green, g), channel(blue, b), alpha]
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: [u8; 4] = [255, 0, 0, 255];
    const BLUE: [u8; 4] = [0, 0, 255, 255];
    const NONE: [u8; 4] = [0; 4];

    fn painted(canvas: &mut Canvas, place: Place, dispose: Dispose, colour: [u8; 4]) -> Vec<[u8; 4]> {
        canvas.begin(place, dispose);
        canvas.rows(place, |row, _| row.as_chunks_mut::<4>().0.fill(colour));
        canvas.frame().pixels.as_chunks::<4>().0.to_vec()
    }

    fn at(left: u32, width: u32) -> Place {
        Place { left, top: 0, width, height: 1 }
    }

    #[test]
    fn a_frame_is_disposed_of_as_it_asked() {
        let mut canvas = Canvas::new(3, 1).unwrap();
        assert_eq!(painted(&mut canvas, at(0, 3), Dispose::Keep, RED), [RED, RED, RED]);
        assert_eq!(painted(&mut canvas, at(1, 1), Dispose::Clear, BLUE), [RED, BLUE, RED]);
        assert_eq!(painted(&mut canvas, at(2, 1), Dispose::Restore, BLUE), [RED, NONE, BLUE]);
        assert_eq!(painted(&mut canvas, at(0, 1), Dispose::Keep, BLUE), [BLUE, NONE, RED]);
    }

    #[test]
    fn what_lies_outside_is_cut_off() {
        let mut canvas = Canvas::new(2, 1).unwrap();
        assert_eq!(painted(&mut canvas, at(1, 9), Dispose::Clear, RED), [NONE, RED]);
        assert_eq!(painted(&mut canvas, at(2, 1), Dispose::Keep, RED), [NONE, NONE]);
        assert_eq!(painted(&mut canvas, at(u32::MAX, u32::MAX), Dispose::Keep, RED), [NONE, NONE]);
        let below = Place { top: 1, ..at(0, 1) };
        assert_eq!(painted(&mut canvas, below, Dispose::Keep, RED), [NONE, NONE]);
    }

    #[test]
    fn alpha_is_handed_out_only_while_it_says_something() {
        let mut canvas = Canvas::new(2, 1).unwrap();
        let mut layouts = Vec::new();
        for (place, dispose) in [
            (at(0, 1), Dispose::Keep),
            (at(0, 2), Dispose::Keep),
            (at(0, 1), Dispose::Clear),
            (at(0, 1), Dispose::Keep),
        ] {
            painted(&mut canvas, place, dispose, RED);
            canvas.covered(place);
            layouts.push(canvas.frame().layout);
        }
        assert_eq!(layouts, [Layout::Rgba, Layout::Rgb, Layout::Rgb, Layout::Rgba]);
    }

    #[test]
    fn transparency_mixes() {
        let laid = |mut under: [u8; 4], top: [u8; 4]| {
            over(&mut under, &top);
            under
        };
        assert_eq!(laid(RED, BLUE), BLUE);
        assert_eq!(laid(RED, [9, 9, 9, 0]), RED);
        assert_eq!(laid(NONE, [9, 8, 7, 100]), [9, 8, 7, 100]);
        assert_eq!(laid(RED, [0, 0, 255, 51]), [204, 0, 51, 255]);
        assert_eq!(laid([255, 0, 0, 51], [0, 0, 255, 51]), [113, 0, 142, 92]);
    }
}
