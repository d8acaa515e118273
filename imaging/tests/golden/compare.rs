//! How far two pictures are from each other.

use std::fmt;

use image::{Rgba, RgbaImage};

/// Differences of samples, 0 to 255, colours counted in proportion to alpha.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Difference {
    /// Their mean.
    pub(crate) mean: f64,
    /// What 99 of 100 do not pass.
    pub(crate) most: u8,
}

impl Difference {
    pub(crate) fn is_within(self, bounds: Self) -> bool {
        self.mean <= bounds.mean && self.most <= bounds.most
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "mean {:.3}, 99 % within {}", self.mean, self.most)
    }
}

/// Of two pictures of one size. Alpha counts where one of them has any.
pub(crate) fn difference(one: &RgbaImage, other: &RgbaImage) -> Difference {
    assert_eq!(one.dimensions(), other.dimensions());
    let is_opaque = one.pixels().chain(other.pixels()).all(|pixel| pixel.0[3] == 255);
    let samples = if is_opaque { 3 } else { 4 };
    let pairs = one.pixels().zip(other.pixels());
    let mut steps: Vec<u8> = pairs
        .flat_map(|(one, other)| {
            let (one, other) = (premultiplied(one), premultiplied(other));
            (0..samples).map(move |at| one[at].abs_diff(other[at]))
        })
        .collect();
    steps.sort_unstable();
    let sum: u64 = steps.iter().map(|step| u64::from(*step)).sum();
    #[expect(clippy::cast_precision_loss, reason = "small pictures")]
    let mean = sum as f64 / steps.len() as f64;
    Difference { mean, most: steps[(steps.len() * 99).div_ceil(100) - 1] }
}

fn premultiplied(pixel: &Rgba<u8>) -> [u8; 4] {
    let [red, green, blue, alpha] = pixel.0;
    let weighed = |sample: u8| u8::try_from((u32::from(sample) * u32::from(alpha) + 127) / 255).unwrap();
    [weighed(red), weighed(green), weighed(blue), alpha]
}

/// The picture moved right and down; at its edges the outermost pixels go on.
pub(crate) fn moved(picture: &RgbaImage, right: i32, down: i32) -> RgbaImage {
    let (width, height) = picture.dimensions();
    let from = |to: u32, by: i32, side: u32| to.saturating_add_signed(-by).min(side - 1);
    RgbaImage::from_fn(width, height, |x, y| *picture.get_pixel(from(x, right, width), from(y, down, height)))
}

/// The mean of 8 x 8 pixels in the middle of each patch of a chart of four by three.
pub(crate) fn middles(chart: &RgbaImage) -> RgbaImage {
    let (width, height) = chart.dimensions();
    RgbaImage::from_fn(4, 3, |column, row| {
        let (left, top) = (width * (2 * column + 1) / 8 - 4, height * (2 * row + 1) / 6 - 4);
        let mut sums = [0_u32; 4];
        for (x, y) in (0..8).flat_map(|y| (0..8).map(move |x| (x, y))) {
            let pixel = chart.get_pixel(left + x, top + y).0;
            sums.iter_mut().zip(pixel).for_each(|(sum, sample)| *sum += u32::from(sample));
        }
        Rgba(sums.map(|sum| u8::try_from((sum + 32) / 64).unwrap()))
    })
}
