//! Pictures of at most 256 colours, for PNG and GIF: exactly, if there are no more, else by the colours that fit best.
//!
//! Colours are counted in small cells, the cells cut where they vary most ([`boxes`]), and pixels mapped with their errors
//! spread to their neighbours ([`dither`]). Everything is weighed as it is seen: colours count by their alpha.

mod boxes;
mod dither;
mod nearest;

use crate::frame::{Frame, Layout};

/// Red, green, blue and alpha, not premultiplied.
pub(crate) type Colour = [u8; 4];

/// Nothing to see.
pub(crate) const CLEAR: Colour = [0; 4];

/// Most colours of a palette.
pub(crate) const COLOURS_MAX: usize = 256;

/// Bits of a channel that do not tell colours apart when they are counted, in pictures of many colours and of fewer.
const COARSE: u32 = 3;
const FINE: u32 = 1;
/// Fewer cells than this for each colour of the palette are too coarse.
const CELLS_PER_COLOUR: usize = 8;

/// A picture as places in a palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Indexed {
    /// One for each pixel, each below the number of colours.
    pub(crate) places: Vec<u8>,
    /// 1 to 256 colours, no two alike.
    pub(crate) colours: Vec<Colour>,
}

/// The pixels of a frame with four channels. None for CMYK.
pub(crate) fn colours(frame: &Frame) -> Option<Vec<Colour>> {
    let pixels = &frame.pixels;
    Some(match frame.layout {
        Layout::Grey => pixels.iter().map(|grey| [*grey, *grey, *grey, 255]).collect(),
        Layout::Rgb => pixels.as_chunks::<3>().0.iter().map(|[r, g, b]| [*r, *g, *b, 255]).collect(),
        Layout::GreyAlpha => {
            pixels.as_chunks::<2>().0.iter().map(|[grey, alpha]| [*grey, *grey, *grey, *alpha]).collect()
        }
        Layout::Rgba => pixels.as_chunks::<4>().0.to_vec(),
        Layout::Cmyk => return None,
    })
}

/// Makes pixels of less alpha than `alpha_min` [`CLEAR`].
pub(crate) fn clear(pixels: &mut [Colour], alpha_min: u8) {
    for pixel in pixels {
        let [.., alpha] = *pixel;
        if alpha < alpha_min {
            *pixel = CLEAR;
        }
    }
}

/// Colours in the order they were found, looked up by value.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    colours: Vec<Colour>,
    /// Place of a colour plus one, by its hash and then onwards; 0 is free.
    slots: Vec<u16>,
}

impl Known {
    /// Four times as many as there can be colours, so that few collide.
    const SLOTS: usize = 4 * COLOURS_MAX;

    pub(crate) fn new() -> Self {
        Self { colours: Vec::new(), slots: vec![0; Self::SLOTS] }
    }

    pub(crate) fn colours(&self) -> &[Colour] {
        &self.colours
    }

    /// The place of a colour, which is added if there are fewer than `max`, up to 256; none if it does not fit.
    #[inline]
    pub(crate) fn place(&mut self, colour: Colour, max: usize) -> Option<u8> {
        let hash = u32::from_le_bytes(colour).wrapping_mul(0x9E37_79B1) >> 22;
        for step in 0..Self::SLOTS {
            let slot = self.slots.get_mut((usize::try_from(hash).unwrap_or(0) + step) % Self::SLOTS)?;
            match usize::from(*slot).checked_sub(1) {
                Some(place) if self.colours.get(place) == Some(&colour) => return u8::try_from(place).ok(),
                Some(_) => {}
                None if self.colours.len() < max.min(COLOURS_MAX) => {
                    let place = u8::try_from(self.colours.len()).ok()?;
                    *slot = u16::from(place) + 1;
                    self.colours.push(colour);
                    return Some(place);
                }
                None => return None,
            }
        }
        None
    }

    /// The places of all pixels, if their colours fit; else nothing is added.
    pub(crate) fn places(&mut self, pixels: &[Colour], max: usize) -> Option<Vec<u8>> {
        let before = self.colours.len();
        let mut places = Vec::with_capacity(pixels.len());
        let mut last = None;
        for pixel in pixels {
            let place = match last {
                Some((colour, place)) if colour == *pixel => Some(place),
                _ => self.place(*pixel, max),
            };
            let Some(place) = place else {
                self.forget_after(before);
                return None;
            };
            last = Some((*pixel, place));
            places.push(place);
        }
        Some(places)
    }

    fn forget_after(&mut self, count: usize) {
        let kept: Vec<Colour> = self.colours.iter().take(count).copied().collect();
        *self = Self::new();
        for colour in kept {
            let _ = self.place(colour, COLOURS_MAX);
        }
    }
}

/// The picture exactly, if it has no more than `max` colours.
pub(crate) fn exact(pixels: &[Colour], max: usize) -> Option<Indexed> {
    let mut known = Known::new();
    let places = known.places(pixels, max)?;
    (!places.is_empty()).then_some(Indexed { places, colours: known.colours })
}

/// The picture with at most `max` colours, 2 to 256, of pixels that are [`CLEAR`] where alpha is 0; rows have `width` pixels. `rounds` of moving colours to the middle of
/// what they stand for: 0 is fast, 4 enough.
pub(crate) fn reduced(pixels: &[Colour], width: usize, max: usize, rounds: usize) -> Indexed {
    let max = max.clamp(2, COLOURS_MAX);
    if let Some(indexed) = exact(pixels, max) {
        return indexed;
    }
    let (cells, dropped) = match boxes::cells(pixels, COARSE) {
        few if few.len() < max * CELLS_PER_COLOUR => (boxes::cells(pixels, FINE), FINE),
        cells => (cells, COARSE),
    };
    let has_clear = pixels.contains(&CLEAR);
    let mut colours = boxes::cut(&cells, if has_clear { max - 1 } else { max }, rounds);
    if has_clear {
        colours.push(CLEAR);
    }
    colours.sort_unstable();
    colours.dedup();
    let places = dither::places(pixels, width, &colours, dropped);
    Indexed { places, colours }
}

/// How many colours a quality is worth: all from 80 on, few at 1.
pub(crate) fn colours_of(quality: u8) -> usize {
    let quality = usize::from(quality.clamp(1, 80));
    (COLOURS_MAX * quality * quality / 6_400).max(4)
}

/// Channels weighed by alpha, and alpha.
#[inline(always)]
fn premultiplied([red, green, blue, alpha]: Colour) -> [i32; 4] {
    let alpha = i32::from(alpha);
    if alpha == 255 {
        return [i32::from(red), i32::from(green), i32::from(blue), 255];
    }
    let by_alpha = |channel: u8| (i32::from(channel) * alpha + 127) / 255;
    [by_alpha(red), by_alpha(green), by_alpha(blue), alpha]
}

#[cfg(test)]
mod tests;
