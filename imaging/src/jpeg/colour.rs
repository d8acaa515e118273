//! Between planes and pixels: BT.601 over the full range, as JFIF has it, or the limited one of WebP.
//!
//! Chroma of fewer samples is widened linearly between their centres, and narrowed to the mean of four pixels.

use super::{Chroma, Colour};
use crate::Error;
use crate::encode::Range;
use crate::frame::{Frame, Layout, buffer_bytes};
use crate::planes::{Plane, Planes};
use crate::simd::widest;
use crate::steps::geometry::Size;

/// The picture in red, green and blue, or grey. Planes that already are red, green and blue only become one.
///
/// # Errors
/// `TooManyPixels` when it does not fit the address space.
pub(crate) fn frame_of(planes: Planes, colour: Colour) -> Result<Frame, Error> {
    frame_in(planes, colour, Range::Full)
}

/// The same for planes of any range.
///
/// # Errors
/// As [`frame_of`].
pub(crate) fn frame_in(planes: Planes, colour: Colour, range: Range) -> Result<Frame, Error> {
    let recipe = recipe(range);
    let Planes { luma, chroma } = planes;
    let (width, height) = (luma.width, luma.height);
    let Some([blue, red]) = chroma else {
        let pixels = range.luma_in_full(luma.samples);
        return Ok(Frame { width, height, layout: Layout::Grey, pixels });
    };
    let mut pixels = vec![0; buffer_bytes(width, height, Layout::Rgb)?];
    let across = width.max(1) as usize;
    let (mut blues, mut reds) = (Widened::new(&blue, &luma), Widened::new(&red, &luma));
    let rows = luma.samples.chunks_exact(across).zip(pixels.chunks_exact_mut(across * 3));
    for (index, (luma, pixels)) in rows.enumerate() {
        widest!(_simd => {
            let (blue, red) = (blues.row(index), reds.row(index));
            match colour {
                Colour::Rgb => interleave(pixels, luma, blue, red),
                Colour::Grey | Colour::Ycc => mix(pixels, luma, blue, red, recipe),
            }
        });
    }
    Ok(Frame { width, height, layout: Layout::Rgb, pixels })
}

#[inline(always)]
fn interleave(pixels: &mut [u8], red: &[u8], green: &[u8], blue: &[u8]) {
    for (((pixel, red), green), blue) in
        pixels.as_chunks_mut::<3>().0.iter_mut().zip(red).zip(green).zip(blue)
    {
        *pixel = [*red, *green, *blue];
    }
}

/// What makes red, green and blue of luma and chroma, with 16 fraction bits.
#[derive(Debug, Clone, Copy)]
struct Recipe {
    black: i32,
    luma: i32,
    blue_to_blue: i32,
    blue_to_green: i32,
    red_to_green: i32,
    red_to_red: i32,
}

fn recipe(range: Range) -> Recipe {
    match range {
        Range::Full => Recipe {
            black: 0,
            luma: 65_536,
            blue_to_blue: 116_130,
            blue_to_green: 22_554,
            red_to_green: 46_802,
            red_to_red: 91_881,
        },
        Range::Limited => Recipe {
            black: 16,
            luma: 76_309,
            blue_to_blue: 132_201,
            blue_to_green: 25_675,
            red_to_green: 53_279,
            red_to_red: 104_597,
        },
    }
}

#[inline(always)]
fn mix(pixels: &mut [u8], luma: &[u8], blue: &[u8], red: &[u8], recipe: Recipe) {
    for (((pixel, luma), blue), red) in pixels.as_chunks_mut::<3>().0.iter_mut().zip(luma).zip(blue).zip(red)
    {
        let luma = (i32::from(*luma) - recipe.black) * recipe.luma + (1 << 15);
        let (blue, red) = (i32::from(*blue) - 128, i32::from(*red) - 128);
        *pixel = [
            byte((luma + recipe.red_to_red * red) >> 16),
            byte((luma - recipe.blue_to_green * blue - recipe.red_to_green * red) >> 16),
            byte((luma + recipe.blue_to_blue * blue) >> 16),
        ];
    }
}

#[inline(always)]
fn byte(value: i32) -> u8 {
    #[expect(clippy::cast_sign_loss, reason = "clamped to 0..=255")]
    let byte = value.clamp(0, 255) as u8;
    byte
}

/// Rows of a plane as wide and as many as those of luma.
struct Widened<'p> {
    plane: &'p Plane,
    /// How many samples of luma one stands for, across and down.
    ratio: (f64, f64),
    /// The blend of two rows, in sixteenths, with its ends repeated.
    blend: Vec<u16>,
    row: Vec<u8>,
}

impl<'p> Widened<'p> {
    fn new(plane: &'p Plane, luma: &Plane) -> Self {
        let ratio = (ratio(plane.width, luma.width), ratio(plane.height, luma.height));
        let (blend, row) = (vec![0; plane.width as usize + 2], vec![0; luma.width as usize]);
        Self { plane, ratio, blend, row }
    }

    /// The row beside that row of luma.
    #[inline(always)]
    fn row(&mut self, index: usize) -> &[u8] {
        let (first, weight) = place(index, self.ratio.1);
        let (above, below) = (self.source(first), self.source(first + 1));
        if self.ratio.0 == 1.0 && weight == 0 {
            return self.source(first);
        }
        let blend = self.blend.get_mut(1..=above.len()).unwrap_or_default();
        for ((to, above), below) in blend.iter_mut().zip(above).zip(below) {
            *to = u16::from(*above) * (16 - weight) + u16::from(*below) * weight;
        }
        repeat_ends(&mut self.blend);
        if self.ratio.0 == 2.0 {
            double(&self.blend, &mut self.row);
        } else if self.ratio.0 == 1.0 {
            let blend = self.blend.iter().skip(1);
            self.row.iter_mut().zip(blend).for_each(|(to, blend)| *to = narrow((blend + 8) >> 4));
        } else {
            widen(&self.blend, &mut self.row, self.ratio.0);
        }
        &self.row
    }

    /// A row of the plane, counted from one before the first; those beyond its ends are like the last inside.
    #[inline(always)]
    fn source(&self, index: usize) -> &'p [u8] {
        let (width, height) = (self.plane.width as usize, self.plane.height as usize);
        let row = index.saturating_sub(1).min(height.saturating_sub(1));
        self.plane.samples.get(row * width..(row + 1) * width).unwrap_or_default()
    }
}

/// How many samples of luma one of chroma stands for: the smallest whole number that gives so many, if there is one.
fn ratio(chroma: u32, luma: u32) -> f64 {
    let whole = (1..=4).find(|ratio| luma.div_ceil(*ratio) == chroma);
    whole.map_or_else(|| f64::from(luma) / f64::from(chroma.max(1)), f64::from)
}

/// Between which two samples, counted from one before the first, that of luma lies, and the sixteenths of the second.
#[inline(always)]
fn place(index: usize, ratio: f64) -> (usize, u16) {
    let sixteenths = ((index as f64 + 0.5) / ratio + 0.5) * 16.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, small")]
    let sixteenths = sixteenths.round() as usize;
    let weight = u16::try_from(sixteenths % 16).unwrap_or_default();
    (sixteenths / 16, weight)
}

#[inline(always)]
fn repeat_ends(blend: &mut [u16]) {
    let count = blend.len();
    blend.copy_within(1..count.min(2), 0);
    blend.copy_within(count.saturating_sub(2)..count.saturating_sub(1), count.saturating_sub(1));
}

/// Twice as many samples, each between two at three quarters and one.
#[inline(always)]
fn double(blend: &[u16], row: &mut [u8]) {
    let neighbours = blend.iter().zip(blend.iter().skip(1)).zip(blend.iter().skip(2));
    let (pairs, rest) = row.as_chunks_mut::<2>();
    let ends = pairs.len();
    for ([left, right], ((before, at), after)) in pairs.iter_mut().zip(neighbours.clone()) {
        *left = narrow((at * 3 + before + 32) >> 6);
        *right = narrow((at * 3 + after + 31) >> 6);
    }
    if let ([last], Some(((before, at), _))) = (rest, neighbours.clone().nth(ends)) {
        *last = narrow((at * 3 + before + 32) >> 6);
    }
}

/// Any number of samples, each between the two that are next to it.
fn widen(blend: &[u16], row: &mut [u8], ratio: f64) {
    for (index, to) in row.iter_mut().enumerate() {
        let (first, weight) = place(index, ratio);
        let at = |index: usize| blend.get(index).or_else(|| blend.last()).copied().unwrap_or_default();
        *to = narrow((at(first) * (16 - weight) + at(first + 1) * weight + 128) >> 8);
    }
}

#[inline(always)]
fn narrow(value: u16) -> u8 {
    #[expect(clippy::cast_possible_truncation, reason = "means of bytes are bytes")]
    let byte = value as u8;
    byte
}

/// The planes of a picture in red, green and blue, or grey. None for one with alpha, or of inks.
#[cfg_attr(not(test), expect(dead_code, reason = "tests compare with it"))]
pub(crate) fn planes_of(frame: &Frame, chroma: Chroma) -> Option<Planes> {
    let (width, height) = (frame.width, frame.height);
    match frame.layout {
        Layout::Grey => {
            let luma = Plane { width, height, samples: frame.pixels.clone() };
            Some(Planes { luma, chroma: None })
        }
        Layout::Rgb => Some(unmixed(frame, chroma)),
        Layout::GreyAlpha | Layout::Rgba | Layout::Cmyk => None,
    }
}

fn unmixed(frame: &Frame, chroma: Chroma) -> Planes {
    let size = Size { width: frame.width, height: frame.height };
    let less = chroma.of(size);
    let plane = |size: Size| Plane {
        width: size.width,
        height: size.height,
        samples: vec![0; size.width as usize * size.height as usize],
    };
    let (mut luma, mut blue, mut red) = (plane(size), plane(less), plane(less));
    let (across, less_across) = (size.width.max(1) as usize, less.width.max(1) as usize);
    for (row, pixels) in luma.samples.chunks_exact_mut(across).zip(frame.pixels.chunks_exact(frame.stride()))
    {
        widest!(_simd => lumas(pixels, row));
    }
    let chromas = blue.samples.chunks_exact_mut(less_across).zip(red.samples.chunks_exact_mut(less_across));
    let rows_of_one = if chroma == Chroma::Half { 2 } else { 1 };
    let mut mean = vec![[0; 3]; less_across];
    for (rows, (blue, red)) in frame.pixels.chunks(frame.stride() * rows_of_one).zip(chromas) {
        let (above, below) = rows.split_at_checked(frame.stride()).unwrap_or((rows, &[]));
        // the last row of an odd number stands for two
        let below = if below.is_empty() { above } else { below };
        widest!(_simd => {
            match chroma {
                Chroma::Full => quadruple(above, &mut mean),
                Chroma::Half => sum(above, below, &mut mean),
            }
            chromas_of(&mean, blue, red);
        });
    }
    Planes { luma, chroma: Some([blue, red]) }
}

#[inline(always)]
fn lumas(pixels: &[u8], row: &mut [u8]) {
    for (luma, pixel) in row.iter_mut().zip(pixels.as_chunks::<3>().0) {
        let [red, green, blue] = pixel.map(i32::from);
        *luma = byte((19_595 * red + 38_470 * green + 7_471 * blue + (1 << 15)) >> 16);
    }
}

/// Each pixel as if it were four.
#[inline(always)]
fn quadruple(row: &[u8], sums: &mut [[u16; 3]]) {
    for (sum, pixel) in sums.iter_mut().zip(row.as_chunks::<3>().0) {
        *sum = pixel.map(|channel| u16::from(channel) * 4);
    }
}

/// The sums of four pixels each; the last of an odd number counts twice.
#[inline(always)]
fn sum(above: &[u8], below: &[u8], sums: &mut [[u16; 3]]) {
    let pairs = above.as_chunks::<6>().0.iter().zip(below.as_chunks::<6>().0);
    for (sum, (above, below)) in sums.iter_mut().zip(pairs) {
        let [r0, g0, b0, r1, g1, b1] = above.map(u16::from);
        let [r2, g2, b2, r3, g3, b3] = below.map(u16::from);
        *sum = [r0 + r1 + r2 + r3, g0 + g1 + g2 + g3, b0 + b1 + b2 + b3];
    }
    if let (Some(sum), [r0, g0, b0], [r1, g1, b1]) =
        (sums.last_mut(), above.as_chunks::<6>().1, below.as_chunks::<6>().1)
    {
        *sum = [(r0, r1), (g0, g1), (b0, b1)].map(|(one, other)| 2 * (u16::from(*one) + u16::from(*other)));
    }
}

/// Chroma of sums of four pixels.
#[inline(always)]
fn chromas_of(sums: &[[u16; 3]], blues: &mut [u8], reds: &mut [u8]) {
    const MIDDLE: i32 = (128 << 18) + (1 << 17);
    for ((sum, to_blue), to_red) in sums.iter().zip(blues).zip(reds) {
        let [red, green, blue] = sum.map(i32::from);
        *to_blue = byte((32_768 * blue - 11_058 * red - 21_710 * green + MIDDLE) >> 18);
        *to_red = byte((32_768 * red - 27_439 * green - 5_329 * blue + MIDDLE) >> 18);
    }
}

#[cfg(test)]
mod tests;
