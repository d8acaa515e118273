//! From pixels to BT.601 luma and chroma of full range (JFIF, "Conversion to and from RGB"), a strip at a time.

use crate::frame::{Frame, Layout};
use crate::planes::{Plane, Planes};

mod vectors;

/// Which numbers stand for black, white and no colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// Luma 0 to 255, chroma 128 ± 127.5, as in JPEG.
    Full,
    /// Luma 16 to 235, chroma 128 ± 112, as in WebP.
    Limited,
}

/// What makes one channel from red, green and blue.
#[derive(Debug, Clone, Copy)]
struct Recipe {
    /// Of red, green and blue, with 15 fraction bits.
    weights: [i16; 3],
    /// Added at the end.
    offset: i32,
}

impl Range {
    /// For luma, blue difference, red difference.
    fn recipes(self) -> [Recipe; 3] {
        let recipe = |weights, offset| Recipe { weights, offset };
        match self {
            Self::Full => [
                recipe([9_798, 19_235, 3_735], 0),
                recipe([-5_529, -10_855, 16_384], 128),
                recipe([16_384, -13_720, -2_664], 128),
            ],
            Self::Limited => [
                recipe([8_415, 16_519, 3_208], 16),
                recipe([-4_857, -9_535, 14_392], 128),
                recipe([14_392, -12_051, -2_341], 128),
            ],
        }
    }

    /// Luma of full range in this one.
    pub(crate) fn luma(self, samples: &[u8]) -> Vec<u8> {
        match self {
            Self::Full => samples.to_vec(),
            Self::Limited => mapped(samples, (0, 255), (16, 219)),
        }
    }

    /// Chroma of full range in this one.
    pub(crate) fn chroma(self, samples: &[u8]) -> Vec<u8> {
        match self {
            Self::Full => samples.to_vec(),
            Self::Limited => mapped(samples, (128, 255), (128, 224)),
        }
    }

    /// Luma of this range in full range; what is darker than black or lighter than white is lost.
    pub(crate) fn luma_in_full(self, samples: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Full => samples,
            Self::Limited => mapped(&samples, (16, 219), (0, 255)),
        }
    }

    /// Chroma of this range in full range.
    pub(crate) fn chroma_in_full(self, samples: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Full => samples,
            Self::Limited => mapped(&samples, (128, 224), (128, 255)),
        }
    }
}

/// Distances from a middle, scaled to other steps around another.
fn mapped(samples: &[u8], (from, steps): (i32, i32), (to, other_steps): (i32, i32)) -> Vec<u8> {
    let mut table = [0; 256];
    for (value, entry) in (0..).zip(&mut table) {
        let scaled = ((value - from) * other_steps * 2 + steps).div_euclid(steps * 2) + to;
        *entry = u8::try_from(scaled.clamp(0, 255)).unwrap_or_default();
    }
    samples.iter().map(|sample| table.get(usize::from(*sample)).copied().unwrap_or(0)).collect()
}

/// Planes with chroma of half the size, rounded up, none for grey; alpha is left aside. Where transparency varies within four
/// pixels, their colour is the mean by how much of each is seen.
pub(crate) fn halved_planes(frame: &Frame, range: Range) -> [Vec<u8>; 3] {
    let mut strip = Strip { range, is_opaque: true, ..Strip::new(true) };
    let (width, height) = (size(frame.width), size(frame.height));
    strip.convert(frame, 0, height);
    let [luma, mut blue, mut red] = strip.planes;
    let half = width.div_ceil(2) * height.div_ceil(2);
    blue.resize(half, 128);
    red.resize(half, 128);
    if frame.layout == Layout::Rgba {
        weigh(frame, range, &mut blue, &mut red);
    }
    [luma, blue, red]
}

/// Planes of full range with chroma as large as luma; alpha is left aside.
pub(crate) fn full_planes(frame: &Frame) -> [Vec<u8>; 3] {
    let mut strip = Strip { is_opaque: true, ..Strip::new(false) };
    strip.convert(frame, 0, size(frame.height));
    strip.planes
}

/// Chroma again for squares whose pixels differ in alpha.
fn weigh(frame: &Frame, range: Range, blue: &mut [u8], red: &mut [u8]) {
    let [_, to_blue, to_red] = range.recipes();
    let half = size(frame.width).div_ceil(2).max(1);
    let rows: Vec<&[u8]> = frame.pixels.chunks_exact(frame.stride()).collect();
    let places = blue.chunks_exact_mut(half).zip(red.chunks_exact_mut(half));
    for (rows, (blue, red)) in rows.chunks(2).zip(places) {
        let (Some(upper), Some(lower)) = (rows.first(), rows.last()) else { continue };
        for ((upper, lower), (blue, red)) in
            upper.chunks(8).zip(lower.chunks(8)).zip(blue.iter_mut().zip(red))
        {
            let pixels = || upper.as_chunks::<4>().0.iter().chain(lower.as_chunks::<4>().0);
            let total: i32 = pixels().map(|[.., alpha]| i32::from(*alpha)).sum();
            let is_even = pixels().all(|[.., alpha]| upper.get(3) == Some(alpha));
            if total == 0 || is_even {
                continue;
            }
            let mean = |channel: usize| {
                let sum: i32 = pixels()
                    .map(|pixel| i32::from(pixel.get(channel).copied().unwrap_or(0)) * i32::from(pixel[3]))
                    .sum();
                (sum + total / 2) / total
            };
            let seen = [mean(0), mean(1), mean(2)];
            *blue = weighted(seen, to_blue, 1);
            *red = weighted(seen, to_red, 1);
        }
    }
}

/// Alpha of a picture that has any.
pub(crate) fn alpha(frame: &Frame) -> Option<Vec<u8>> {
    let channels = frame.layout.channels();
    let last = |pixel: &[u8]| pixel.last().copied().unwrap_or(u8::MAX);
    frame.layout.has_alpha().then(|| frame.pixels.chunks_exact(channels).map(last).collect())
}

/// A side in pixels as a length in memory.
pub(crate) fn size(side: u32) -> usize {
    usize::try_from(side).unwrap_or(usize::MAX)
}

/// How many times finer a side of luma is than that of chroma: 1, 2, or none when it is neither.
pub(crate) fn factor(luma: u32, chroma: u32) -> Option<usize> {
    if luma == chroma { Some(1) } else { (luma.div_ceil(2) == chroma).then_some(2) }
}

/// Chroma that is larger than half of luma, brought to half: means of the samples that fall together. None if it is small enough.
pub(crate) fn halved(planes: &Planes) -> Option<[Plane; 2]> {
    let (width, height) = (planes.luma.width.div_ceil(2), planes.luma.height.div_ceil(2));
    let [blue, red] = planes.chroma.as_ref()?;
    let is_large = blue.width > width || blue.height > height;
    is_large.then(|| [blue, red].map(|plane| reduced(plane, width, height)))
}

/// The plane at a size that is its own or half of it, for each way.
fn reduced(plane: &Plane, width: u32, height: u32) -> Plane {
    let rows: Vec<&[u8]> = plane.samples.chunks_exact(size(plane.width).max(1)).collect();
    let (across, down) = (if plane.width > width { 2 } else { 1 }, if plane.height > height { 2 } else { 1 });
    let mut samples = Vec::with_capacity(size(width) * size(height));
    for rows in rows.chunks(down) {
        let (Some(upper), Some(lower)) = (rows.first(), rows.last()) else { break };
        let squares = upper.chunks(across).zip(lower.chunks(across));
        samples.extend(
            squares.map(|(upper, lower)| mean([upper.first(), upper.last(), lower.first(), lower.last()])),
        );
    }
    Plane { width, height, samples }
}

fn mean(four: [Option<&u8>; 4]) -> u8 {
    let sum: u16 = four.into_iter().flatten().map(|sample| u16::from(*sample)).sum();
    u8::try_from((sum + 2) / 4).unwrap_or(u8::MAX)
}

/// Some rows of a picture, converted.
#[derive(Debug)]
pub(crate) struct Strip {
    range: Range,
    halved: bool,
    /// Colours of transparent pixels count as they are; else they are laid on white.
    is_opaque: bool,
    planes: [Vec<u8>; 3],
    /// The two rows that are being converted, as red, green and blue.
    rows: [Vec<u8>; 2],
}

impl Strip {
    /// An empty strip; `halved` makes chroma half as large both ways, rounded up.
    pub(crate) fn new(halved: bool) -> Self {
        Self {
            range: Range::Full,
            halved,
            is_opaque: false,
            planes: Default::default(),
            rows: Default::default(),
        }
    }

    /// Luma, blue or red difference by `index`, with the number of its rows of `width` samples.
    pub(crate) fn plane(&self, index: usize, width: usize) -> (&[u8], usize) {
        let samples = self.planes.get(index).map_or(&[][..], Vec::as_slice);
        (samples, samples.len() / width.max(1))
    }

    /// Converts `count` rows from `first` on, fewer at the end of the picture. `first` is even. Transparent pixels show white.
    pub(crate) fn convert(&mut self, frame: &Frame, first: usize, count: usize) {
        for plane in &mut self.planes {
            plane.clear();
        }
        let mut rows = frame.pixels.chunks_exact(frame.stride()).skip(first).take(count);
        if matches!(frame.layout, Layout::Grey | Layout::GreyAlpha) {
            let [luma, ..] = &mut self.planes;
            rows.for_each(|row| grey(row, frame.layout, self.is_opaque, luma));
            *luma = self.range.luma(luma);
            return;
        }
        while let Some(upper) = rows.next() {
            if self.halved {
                let lower = rows.next();
                self.two_rows(upper, lower, frame.layout);
            } else {
                self.row(upper, frame.layout);
            }
        }
    }

    fn row(&mut self, row: &[u8], layout: Layout) {
        let [scratch, _] = &mut self.rows;
        let row = coloured(row, layout, self.is_opaque, scratch);
        let [luma, blue, red] = &mut self.planes;
        vectors::luma(row, self.range, luma);
        vectors::chroma(row, self.range, blue, red);
    }

    fn two_rows(&mut self, upper: &[u8], lower: Option<&[u8]>, layout: Layout) {
        let [scratch, other] = &mut self.rows;
        let upper = coloured(upper, layout, self.is_opaque, scratch);
        let [luma, blue, red] = &mut self.planes;
        vectors::luma(upper, self.range, luma);
        let lower = match lower {
            Some(lower) => {
                let lower = coloured(lower, layout, self.is_opaque, other);
                vectors::luma(lower, self.range, luma);
                lower
            }
            None => upper,
        };
        vectors::chroma_halved(upper, lower, self.range, blue, red);
    }
}

fn grey(row: &[u8], layout: Layout, is_opaque: bool, luma: &mut Vec<u8>) {
    if layout == Layout::Grey {
        luma.extend_from_slice(row);
    } else {
        let shown = |[grey, alpha]: &[u8; 2]| if is_opaque { *grey } else { on_white(*grey, *alpha) };
        luma.extend(row.as_chunks::<2>().0.iter().map(shown));
    }
}

/// The row as red, green and blue.
fn coloured<'r>(row: &'r [u8], layout: Layout, is_opaque: bool, scratch: &'r mut Vec<u8>) -> &'r [u8] {
    if layout != Layout::Rgba {
        return row;
    }
    scratch.clear();
    for [red, green, blue, alpha] in row.as_chunks::<4>().0 {
        scratch.extend_from_slice(&if is_opaque {
            [*red, *green, *blue]
        } else {
            [on_white(*red, *alpha), on_white(*green, *alpha), on_white(*blue, *alpha)]
        });
    }
    scratch
}

fn on_white(value: u8, alpha: u8) -> u8 {
    let sum = u16::from(value) * u16::from(alpha) + 255 * (255 - u16::from(alpha)) + 127;
    u8::try_from(sum / 255).unwrap_or(u8::MAX)
}

/// One channel of a pixel, or of `count` pixels whose values are added up.
fn weighted([red, green, blue]: [i32; 3], recipe: Recipe, count: i32) -> u8 {
    let [r, g, b] = recipe.weights.map(i32::from);
    let bits = 15 + count.ilog2();
    let sum = r * red + g * green + b * blue + (1 << (bits - 1));
    u8::try_from(((sum >> bits) + recipe.offset).clamp(0, 255)).unwrap_or(0)
}

/// A channel of some pixels one by one.
fn channel_of(pixels: &[u8], recipe: Recipe, channel: &mut Vec<u8>) {
    channel.extend(pixels.as_chunks::<3>().0.iter().map(|pixel| weighted(pixel.map(i32::from), recipe, 1)));
}

/// Chroma of squares of four pixels one by one; the last column stands for one that is missing.
fn chroma_of_squares(
    rows: [&[u8]; 2],
    [to_blue, to_red]: [Recipe; 2],
    blue: &mut Vec<u8>,
    red: &mut Vec<u8>,
) {
    let [upper, lower] = rows;
    for (upper, lower) in upper.chunks(6).zip(lower.chunks(6)) {
        let mut sum = [0; 3];
        for row in [upper, lower] {
            let (pixels, _) = row.as_chunks::<3>();
            for pixel in pixels.iter().chain(pixels).take(2) {
                for (sum, value) in sum.iter_mut().zip(pixel) {
                    *sum += i32::from(*value);
                }
            }
        }
        blue.push(weighted(sum, to_blue, 4));
        red.push(weighted(sum, to_red, 4));
    }
}

#[cfg(test)]
mod tests;
