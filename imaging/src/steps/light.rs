//! Makes a picture smaller in linear light.
//!
//! Light adds up, the numbers that stand for it do not: averaged as stored, fine bright detail comes out too dark. Blocks of
//! whole pixels are averaged as amounts of light first, weighed by alpha, as long as twice the wanted size is left; the
//! rest is done by Lanczos on 16 bits of light. So a large picture never exists in 16 bits.

use std::sync::LazyLock;

use fast_image_resize::{FilterType, PixelType};

use super::geometry::Size;
use super::resample::Resampling;
use super::scale::Area;
use crate::encode::Range;
use crate::frame::{Frame, Layout, buffer_bytes};
use crate::{Deadline, Error};

/// How many times the wanted size is left for the filter.
const LEFT_FOR_FILTER: f64 = 2.0;

/// The sRGB curve both ways (IEC 61966-2-1).
pub(crate) struct Curve {
    /// Light, 0 to 65 535, of a coded value.
    light: [u16; 256],
    /// The same of luma in the limited range.
    limited: [u16; 256],
    coded: Box<[u8; 1 << 16]>,
}

/// Computed once.
pub(crate) static CURVE: LazyLock<Curve> = LazyLock::new(|| {
    let mut curve = Curve { light: [0; 256], limited: [0; 256], coded: Box::new([255; 1 << 16]) };
    for (coded, light) in (0..=255_u8).zip(&mut curve.light) {
        *light = whole(linear(f64::from(coded)) * 65_535.0);
    }
    for (coded, light) in (0..=255_u8).zip(&mut curve.limited) {
        let coded = (f64::from(coded) - 16.0) / 219.0 * 255.0;
        *light = whole(linear(coded.clamp(0.0, 255.0)) * 65_535.0);
    }
    // from one border between two values to the next
    let mut first = 0;
    for coded in 0..255_u8 {
        let next = usize::from(whole(linear(f64::from(coded) + 0.5) * 65_535.0));
        curve.coded.get_mut(first..next).unwrap_or_default().fill(coded);
        first = next;
    }
    curve
});

impl Curve {
    /// Light, 0 to 65 535, of a coded value.
    #[inline]
    pub(crate) fn light(&self, coded: u8) -> u16 {
        self.light.get(usize::from(coded)).copied().unwrap_or_default()
    }

    /// Light, 0 to 65 535, of all coded values of luma.
    pub(crate) fn lights(&self, range: Range) -> &[u16; 256] {
        match range {
            Range::Full => &self.light,
            Range::Limited => &self.limited,
        }
    }

    /// The nearest coded value of full range.
    #[inline]
    pub(crate) fn coded(&self, light: u16) -> u8 {
        self.coded.get(usize::from(light)).copied().unwrap_or_default()
    }
}

/// The light, 0 to 1, of a coded value, 0 to 255.
fn linear(coded: f64) -> f64 {
    let coded = coded / 255.0;
    if coded <= 0.040_45 { coded / 12.92 } else { ((coded + 0.055) / 1.055).powf(2.4) }
}

fn whole(value: f64) -> u16 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=65535")]
    let whole = value.round().clamp(0.0, 65_535.0) as u16;
    whole
}

/// The `area` of a picture, as far as it lies in it, at the size `to`, which is smaller and has no side of 0. CMYK is averaged
/// as stored.
///
/// # Errors
/// As [`super::scale::scale`].
pub(crate) fn scale(frame: &Frame, area: Area, to: Size, deadline: &Deadline) -> Result<Frame, Error> {
    let lights = CURVE.lights(Range::Full);
    match frame.layout {
        Layout::Grey => grey(frame, area, to, Range::Full, deadline),
        Layout::GreyAlpha => scaled::<2>(frame, area, to, PixelType::U16x2, lights, deadline),
        Layout::Rgb => scaled::<3>(frame, area, to, PixelType::U16x3, lights, deadline),
        Layout::Rgba => scaled::<4>(frame, area, to, PixelType::U16x4, lights, deadline),
        Layout::Cmyk => super::scale::scale(frame, area, to, deadline),
    }
}

/// The same for one channel of a range of its own; the result has the full one.
///
/// # Errors
/// As [`scale`].
pub(crate) fn grey(
    frame: &Frame,
    area: Area,
    to: Size,
    range: Range,
    deadline: &Deadline,
) -> Result<Frame, Error> {
    scaled::<1>(frame, area, to, PixelType::U16, CURVE.lights(range), deadline)
}

fn scaled<const N: usize>(
    frame: &Frame,
    area: Area,
    to: Size,
    kind: PixelType,
    lights: &[u16; 256],
    deadline: &Deadline,
) -> Result<Frame, Error> {
    let area = area.within(frame);
    let blocks = Blocks::new(frame, area, to);
    let lit = blocks.light::<N>(frame, lights, deadline)?;
    let small = Resampling {
        samples: &lit,
        size: Size { width: blocks.columns, height: blocks.rows },
        kind,
        has_alpha: frame.layout.has_alpha(),
        filter: FilterType::Lanczos3,
        area: blocks.area(area),
        to,
    };
    let small = small.run(deadline)?;
    let mut pixels = Vec::with_capacity(buffer_bytes(to.width, to.height, frame.layout)?);
    let (curve, has_alpha) = (&*CURVE, frame.layout.has_alpha());
    for pixel in small.as_chunks::<2>().0.chunks_exact(N) {
        for (channel, &pair) in pixel.iter().enumerate() {
            let light = u16::from_ne_bytes(pair);
            let is_alpha = has_alpha && channel + 1 == N;
            // 257 is 65 535 over 255
            let narrow = || u8::try_from((u32::from(light) + 128) / 257).unwrap_or(u8::MAX);
            pixels.push(if is_alpha { narrow() } else { curve.coded(light) });
        }
    }
    Ok(Frame { width: to.width, height: to.height, layout: frame.layout, pixels })
}

/// Blocks of whole pixels that cover an area.
struct Blocks {
    /// Pixels before the first block.
    left: u32,
    top: u32,
    /// Pixels of a block.
    across: u32,
    down: u32,
    /// Blocks.
    columns: u32,
    rows: u32,
}

impl Blocks {
    fn new(frame: &Frame, area: Area, to: Size) -> Self {
        let along = |start: f64, length: f64, side: u32, to: u32| {
            let most = f64::from(side);
            let whole = |place: f64| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "held to 0..=side"
                )]
                let place = place.clamp(0.0, most) as u32;
                place
            };
            let (first, end) = (whole(start.floor()), whole((start + length).ceil()));
            let first = first.min(side.saturating_sub(1));
            let pixels = whole((length / (f64::from(to) * LEFT_FOR_FILTER)).floor()).max(1);
            (first, pixels, end.saturating_sub(first).max(1).div_ceil(pixels))
        };
        let (left, across, columns) = along(area.x, area.width, frame.width, to.width);
        let (top, down, rows) = along(area.y, area.height, frame.height, to.height);
        Self { left, top, across, down, columns, rows }
    }

    /// An area of the picture in blocks.
    fn area(&self, area: Area) -> Area {
        let (across, down) = (f64::from(self.across), f64::from(self.down));
        let (x, y) = ((area.x - f64::from(self.left)) / across, (area.y - f64::from(self.top)) / down);
        let (columns, rows) = (f64::from(self.columns), f64::from(self.rows));
        let (width, height) = ((area.width / across).min(columns), (area.height / down).min(rows));
        Area { x, y, width, height }
    }

    /// The mean light of every block, 16 bits a channel in native order.
    fn light<const N: usize>(
        &self,
        frame: &Frame,
        lights: &[u16; 256],
        deadline: &Deadline,
    ) -> Result<Vec<u8>, Error> {
        let mut lit = vec![0; self.columns as usize * self.rows as usize * N * 2];
        let (stride, has_alpha) = (frame.stride(), frame.layout.has_alpha());
        let (across, columns) = (self.across as usize, self.columns as usize);
        if (self.across, self.down) == (1, 1) && !has_alpha {
            let rows = frame.pixels.chunks_exact(stride).skip(self.top as usize);
            for (out, row) in lit.chunks_exact_mut((columns * N * 2).max(1)).zip(rows) {
                let used = row.get(self.left as usize * N..).unwrap_or_default();
                for (out, value) in out.as_chunks_mut::<2>().0.iter_mut().zip(used) {
                    *out = lights.get(usize::from(*value)).copied().unwrap_or_default().to_ne_bytes();
                }
            }
            return Ok(lit);
        }
        let mut sums = vec![[0_u64; N]; columns];
        let mut rows = frame.pixels.chunks_exact(stride).skip(self.top as usize);
        for out in lit.chunks_exact_mut((columns * N * 2).max(1)) {
            deadline.check()?;
            sums.fill([0; N]);
            let mut count = 0_u64;
            for row in rows.by_ref().take(self.down as usize) {
                count += 1;
                let (pixels, _) = row.as_chunks::<N>();
                let used = pixels.get(self.left as usize..).unwrap_or_default();
                match across {
                    1 => add_blocks::<N, 1>(&mut sums, used, has_alpha, lights),
                    2 => add_blocks::<N, 2>(&mut sums, used, has_alpha, lights),
                    3 => add_blocks::<N, 3>(&mut sums, used, has_alpha, lights),
                    4 => add_blocks::<N, 4>(&mut sums, used, has_alpha, lights),
                    _ => add_rest(&mut sums, used, across, has_alpha, lights),
                }
            }
            let width = (frame.width - self.left.min(frame.width)) as usize;
            let (out, _) = out.as_chunks_mut::<2>();
            for (index, (sum, out)) in sums.iter().zip(out.chunks_exact_mut(N)).enumerate() {
                let pixels = count * (width - (index * across).min(width)).min(across) as u64;
                mean(sum, pixels.max(1), has_alpha, out);
            }
        }
        Ok(lit)
    }
}

/// Adds blocks of `A` pixels. As many as 256 fit into 32 bits.
fn add_blocks<const N: usize, const A: usize>(
    sums: &mut [[u64; N]],
    pixels: &[[u8; N]],
    has_alpha: bool,
    lights: &[u16; 256],
) {
    let (blocks, rest) = pixels.as_chunks::<A>();
    for (sum, block) in sums.iter_mut().zip(blocks) {
        let mut small = [0_u32; N];
        for pixel in block {
            let weight = if has_alpha { u32::from(pixel.last().copied().unwrap_or(255)) } else { 1 };
            for (channel, (small, &value)) in small.iter_mut().zip(pixel).enumerate() {
                let is_alpha = has_alpha && channel + 1 == N;
                *small += if is_alpha { weight } else { u32::from(light_of(value, lights)) * weight };
            }
        }
        for (sum, small) in sum.iter_mut().zip(small) {
            *sum += u64::from(small);
        }
    }
    add_rest(sums.get_mut(blocks.len()..).unwrap_or_default(), rest, A, has_alpha, lights);
}

fn add_rest<const N: usize>(
    sums: &mut [[u64; N]],
    pixels: &[[u8; N]],
    across: usize,
    has_alpha: bool,
    lights: &[u16; 256],
) {
    for (sum, block) in sums.iter_mut().zip(pixels.chunks(across)) {
        for pixel in block {
            add(sum, pixel, has_alpha, lights);
        }
    }
}

/// Adds a pixel's light, weighed by its alpha, which is the last channel.
#[inline]
fn add<const N: usize>(sum: &mut [u64; N], pixel: &[u8; N], has_alpha: bool, lights: &[u16; 256]) {
    let weight = if has_alpha { pixel.last().copied().unwrap_or(255) } else { 1 };
    for (channel, (sum, &value)) in sum.iter_mut().zip(pixel).enumerate() {
        *sum += if has_alpha && channel + 1 == N {
            u64::from(value)
        } else {
            u64::from(light_of(value, lights)) * u64::from(weight)
        };
    }
}

#[inline]
fn light_of(value: u8, lights: &[u16; 256]) -> u16 {
    lights.get(usize::from(value)).copied().unwrap_or_default()
}

fn mean<const N: usize>(sum: &[u64; N], pixels: u64, has_alpha: bool, out: &mut [[u8; 2]]) {
    let weight = if has_alpha { sum.last().copied().unwrap_or(0) } else { pixels };
    // one division for all channels; sums have far fewer than 53 bits
    let part = if weight == 0 { 0.0 } else { 1.0 / weight as f64 };
    for (channel, (sum, out)) in sum.iter().zip(out).enumerate() {
        let is_alpha = has_alpha && channel + 1 == N;
        let value = if is_alpha { *sum as f64 * 257.0 / pixels as f64 } else { *sum as f64 * part };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of 16 bits")]
        let value = (value + 0.5) as u16;
        *out = value.to_ne_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(layout: Layout, width: u32, pixels: Vec<u8>) -> Frame {
        let height = u32::try_from(pixels.len() / layout.channels()).unwrap() / width;
        Frame { width, height, layout, pixels }
    }

    fn half(frame: &Frame, times: u32) -> Frame {
        let to = Size { width: frame.width / times, height: frame.height / times };
        scale(frame, Area::whole(frame), to, &Deadline::never()).unwrap()
    }

    #[test]
    fn black_and_white_make_the_grey_of_half_the_light() {
        let checker: Vec<u8> = (0..64 * 64).map(|at| if (at + at / 64) % 2 == 0 { 0 } else { 255 }).collect();
        for times in [2, 4, 8, 16] {
            let small = half(&frame(Layout::Grey, 64, checker.clone()), times);
            let side = small.width as usize;
            for (at, value) in small.pixels.iter().enumerate() {
                // at the border the filter has one side only
                let is_inside = [at % side, at / side].iter().all(|place| (2..side - 2).contains(place));
                let bound = if is_inside { 1 } else { 3 };
                assert!(value.abs_diff(188) <= bound, "{times}, {at}: {value}");
            }
        }
    }

    #[test]
    fn a_flat_colour_stays_what_it_is() {
        for layout in [Layout::Grey, Layout::GreyAlpha, Layout::Rgb, Layout::Rgba] {
            let pixel = [200, 3, 77, 130].get(..layout.channels()).unwrap().to_vec();
            let flat = frame(layout, 50, pixel.repeat(50 * 40));
            let small =
                scale(&flat, Area::whole(&flat), Size { width: 7, height: 5 }, &Deadline::never()).unwrap();
            for found in small.pixels.chunks_exact(layout.channels()) {
                let is_same = found.iter().zip(&pixel).all(|(one, other)| one.abs_diff(*other) <= 1);
                assert!(is_same, "{layout:?}: {found:?}");
            }
        }
    }

    #[test]
    fn what_is_transparent_gives_no_colour() {
        let pair = [[255, 0, 0, 255], [0, 255, 0, 0]].concat();
        let small = half(&frame(Layout::Rgba, 32, pair.repeat(16 * 32)), 8);
        for pixel in small.pixels.chunks_exact(4) {
            assert!(pixel[0] >= 254 && pixel[1] == 0 && pixel[3].abs_diff(128) <= 1, "{pixel:?}");
        }
    }

    #[test]
    fn a_part_shows_what_lies_in_it() {
        let left_dark: Vec<u8> = (0..64 * 64).map(|at| if at % 64 < 32 { 10 } else { 240 }).collect();
        let source = frame(Layout::Grey, 64, left_dark);
        let right = Area { x: 40.0, y: 8.0, width: 24.0, height: 48.0 };
        let small = scale(&source, right, Size { width: 3, height: 6 }, &Deadline::never()).unwrap();
        assert!(small.pixels.iter().all(|value| value.abs_diff(240) <= 1), "{:?}", small.pixels);
    }
}
