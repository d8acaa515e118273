//! A picture of few pixels, in sRGB with alpha, for whatever looks at a picture as a whole.

use crate::frame::{Frame, Layout};

/// At least one pixel, at most as many a side as asked for.
#[derive(Debug, Clone)]
pub(crate) struct Small {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 4]>,
}

/// Sums of a cell: colour weighted by alpha, and alpha.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    colour: [u64; 3],
    alpha: u64,
    pixels: u64,
}

impl Small {
    /// The mean of each cell of a grid with at most `side_max` cells a side; a picture that is no larger stays as it is. A
    /// frame without pixels becomes one transparent pixel.
    pub(crate) fn of(frame: &Frame, side_max: u32) -> Self {
        let (width, height) = grid(frame.width, frame.height, side_max.max(1));
        let mut cells = vec![Cell::default(); width * height];
        let channels = frame.layout.channels();
        let (wide, high) = (index(frame.width).max(1), index(frame.height).max(1));
        for (y, row) in frame.pixels.chunks_exact(frame.stride()).take(high).enumerate() {
            let start = y * height / high * width;
            let Some(line) = cells.get_mut(start..start + width) else { continue };
            for (x, pixel) in row.chunks_exact(channels).enumerate() {
                if let Some(cell) = line.get_mut(x * width / wide) {
                    cell.add(rgba(pixel, frame.layout));
                }
            }
        }
        Self { width, height, pixels: cells.into_iter().map(Cell::mean).collect() }
    }

    /// Pixels, at least 1.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Pixels, at least 1.
    pub(crate) fn height(&self) -> usize {
        self.height
    }

    /// Red, green, blue and alpha, not premultiplied, row by row.
    pub(crate) fn pixels(&self) -> &[[u8; 4]] {
        &self.pixels
    }

    /// For an encoder, without alpha where all is opaque.
    pub(crate) fn into_frame(self) -> Frame {
        let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        let (width, height) = (side(self.width), side(self.height));
        let is_opaque = self.pixels.iter().all(|&[.., alpha]| alpha == u8::MAX);
        let (layout, pixels) = if is_opaque {
            (Layout::Rgb, self.pixels.iter().flat_map(|&[red, green, blue, _]| [red, green, blue]).collect())
        } else {
            (Layout::Rgba, self.pixels.into_flattened())
        };
        Frame { width, height, layout, pixels }
    }
}

impl Cell {
    fn add(&mut self, [red, green, blue, alpha]: [u8; 4]) {
        for (sum, value) in self.colour.iter_mut().zip([red, green, blue]) {
            *sum += u64::from(value) * u64::from(alpha);
        }
        self.alpha += u64::from(alpha);
        self.pixels += 1;
    }

    fn mean(self) -> [u8; 4] {
        let rounded = |sum: u64, count: u64| {
            u8::try_from((sum + count / 2).checked_div(count).unwrap_or(0)).unwrap_or(u8::MAX)
        };
        let [red, green, blue] = self.colour.map(|sum| rounded(sum, self.alpha));
        [red, green, blue, rounded(self.alpha, self.pixels)]
    }
}

/// Width and height of the grid, in the shape of the picture.
fn grid(width: u32, height: u32, side_max: u32) -> (usize, usize) {
    let longest = u64::from(width.max(height).max(1));
    let cells = u64::from(side_max).min(longest);
    let side = |side: u32| {
        let rounded = (u64::from(side) * cells + longest / 2) / longest;
        usize::try_from(rounded).unwrap_or(usize::MAX).max(1)
    };
    (side(width), side(height))
}

fn index(side: u32) -> usize {
    usize::try_from(side).unwrap_or(usize::MAX)
}

fn rgba(pixel: &[u8], layout: Layout) -> [u8; 4] {
    match (layout, pixel) {
        (Layout::Grey, &[grey]) => [grey, grey, grey, u8::MAX],
        (Layout::GreyAlpha, &[grey, alpha]) => [grey, grey, grey, alpha],
        (Layout::Rgb, &[red, green, blue]) => [red, green, blue, u8::MAX],
        (Layout::Rgba, &[red, green, blue, alpha]) => [red, green, blue, alpha],
        (Layout::Cmyk, &[cyan, magenta, yellow, black]) => {
            let light = |ink: u8| {
                let product = u32::from(u8::MAX - ink) * u32::from(u8::MAX - black);
                u8::try_from((product + 127) / 255).unwrap_or(u8::MAX)
            };
            [light(cyan), light(magenta), light(yellow), u8::MAX]
        }
        _ => [0; 4],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(width: u32, height: u32, layout: Layout, pixels: &[u8]) -> Frame {
        Frame { width, height, layout, pixels: pixels.to_vec() }
    }

    #[test]
    fn cells_are_means() {
        let checker = frame(4, 2, Layout::Grey, &[0, 100, 10, 10, 100, 0, 10, 30]);
        let small = Small::of(&checker, 2);
        assert_eq!((small.width(), small.height()), (2, 1));
        assert_eq!(small.pixels(), [[50, 50, 50, 255], [15, 15, 15, 255]]);
    }

    #[test]
    fn transparent_pixels_lend_no_colour() {
        let fringe = frame(2, 1, Layout::Rgba, &[255, 0, 255, 0, 10, 20, 30, 200]);
        assert_eq!(Small::of(&fringe, 1).pixels(), [[10, 20, 30, 100]]);
    }

    #[test]
    fn a_small_picture_stays_as_it_is() {
        let pixels = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let back = Small::of(&frame(2, 2, Layout::Rgb, &pixels), 100).into_frame();
        assert_eq!((back.width, back.height, back.layout), (2, 2, Layout::Rgb));
        assert_eq!(back.pixels, pixels);
        assert_eq!(Small::of(&frame(1, 1, Layout::Cmyk, &[0, 255, 0, 0]), 9).pixels(), [[255, 0, 255, 255]]);
    }

    #[test]
    fn extreme_shapes_keep_a_pixel() {
        for (width, height, grid) in [(5_000, 1, (64, 1)), (1, 5_000, (1, 64)), (100, 99, (64, 63))] {
            let pixels = vec![9; usize::try_from(width * height).unwrap()];
            let small = Small::of(&frame(width, height, Layout::Grey, &pixels), 64);
            assert_eq!((small.width(), small.height()), grid);
            assert!(small.pixels().iter().all(|pixel| *pixel == [9, 9, 9, 255]));
        }
        assert_eq!(Small::of(&frame(0, 0, Layout::Grey, &[]), 64).pixels(), [[0; 4]]);
        assert_eq!(Small::of(&frame(2, 2, Layout::Rgb, &[1, 2]), 64).pixels(), [[0; 4]; 4]);
    }
}
