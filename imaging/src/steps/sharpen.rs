//! Sharpens by an unsharp mask on luma.
//!
//! What a blur of the luma takes away is added to all colours alike, so that the chroma of a pixel stays and edges get no
//! fringes of colour. Alpha stays. Where neighbours are transparent they have no say in the blur.

use super::sample::{delta, luma, moved, wide};
use super::smooth::Wide;
use crate::frame::{Frame, Layout};
use crate::planes::Plane;

/// Share of the difference that is added after an infinite reduction: about that of the mild mode of other software.
const AMOUNT_MAX: f32 = 0.4;

/// An unsharp mask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unsharp {
    /// Standard deviation of the blur in pixels, up to [`super::smooth::SIGMA_MAX`].
    pub(crate) sigma: f32,
    /// Share of the difference that is added, 0 to 10.
    pub(crate) amount: f32,
    /// Differences up to this stay as they are, 0 to 255.
    pub(crate) threshold: u8,
}

/// The picture with differences to its blurred self made larger.
pub(crate) fn unsharp(mut frame: Frame, mask: Unsharp) -> Frame {
    let Unsharp { sigma, amount, threshold } = mask;
    let amount = if amount.is_nan() { 0.0 } else { amount.clamp(0.0, 10.0) };
    if amount == 0.0 || frame.layout == Layout::Cmyk {
        return frame;
    }
    let sharp = Wide::luma_of(&frame);
    let mut soft = sharp.clone();
    soft.smooth(sigma);
    let threshold = f32::from(threshold);
    let step = |difference: f32| delta(if difference.abs() <= threshold { 0.0 } else { difference * amount });

    let (stride, layout) = (frame.stride(), frame.layout);
    let width = stride / layout.channels();
    let samples = if layout.has_alpha() { 2 * width } else { width };
    let mut deltas = vec![0_i16; width];
    let samples = sharp.samples().chunks_exact(samples).zip(soft.samples().chunks_exact(samples));
    for (row, (sharp, soft)) in frame.pixels.chunks_exact_mut(stride).zip(samples) {
        if layout.has_alpha() {
            let pairs = sharp.as_chunks().0.iter().zip(soft.as_chunks().0);
            for (to, (&[sharp, alpha], &[soft, weight])) in deltas.iter_mut().zip(pairs) {
                let [factor, weight] = [alpha, weight].map(|alpha| 255.0 / f32::from(alpha.max(1)));
                let difference = f32::from(sharp) * factor - f32::from(soft) * weight;
                // what is not seen stays
                *to = if alpha == 0 { 0 } else { step(difference) };
            }
        } else {
            // samples are 255 times as large as those of the picture
            for (to, (&sharp, &soft)) in deltas.iter_mut().zip(sharp.iter().zip(soft)) {
                *to = step((f32::from(sharp) - f32::from(soft)) * (1.0 / 255.0));
            }
        }
        match layout {
            Layout::Grey => shift::<1, 1>(row, &deltas),
            Layout::GreyAlpha => shift::<2, 1>(row, &deltas),
            Layout::Rgb => shift::<3, 3>(row, &deltas),
            Layout::Rgba | Layout::Cmyk => shift::<4, 3>(row, &deltas),
        }
    }
    frame
}

/// The picture sharpened: an [`unsharp`] mask without threshold. `sigma` in pixels, `amount` 0 to 10.
pub(crate) fn sharpen(frame: Frame, sigma: f32, amount: f32) -> Frame {
    unsharp(frame, Unsharp { sigma, amount, threshold: 0 })
}

/// The mild sharpening of a picture that became `factor` times smaller a side; one that did not stays as it is. The mask is
/// the binomial of 3 × 3 pixels, as far as reducing smears an edge.
pub(crate) fn after_reduction(mut frame: Frame, factor: f32) -> Frame {
    let Some(gain) = gain(factor) else { return frame };
    let (width, pixels) = (frame.stride() / frame.layout.channels(), &mut frame.pixels);
    match frame.layout {
        Layout::Grey => sharpen_rows::<1>(pixels, width, gain, |&[grey]| grey),
        Layout::Rgb => sharpen_rows::<3>(pixels, width, gain, |&colour| luma(colour)),
        // a deviation of the binomial's
        Layout::GreyAlpha | Layout::Rgba => return sharpen(frame, 0.707, strength(factor)),
        Layout::Cmyk => {}
    }
    frame
}

/// [`after_reduction`] of a luma plane.
pub(crate) fn after_reduction_of_luma(mut plane: Plane, factor: f32) -> Plane {
    let width = usize::try_from(plane.width).unwrap_or(usize::MAX);
    if let Some(gain) = gain(factor) {
        sharpen_rows::<1>(&mut plane.samples, width, gain, |&[sample]| sample);
    }
    plane
}

/// Share of the difference that is added after a reduction by `factor` a side.
fn strength(factor: f32) -> f32 {
    if factor > 1.0 { AMOUNT_MAX * (1.0 - 1.0 / factor) } else { 0.0 }
}

/// The strength in the unit of [`detail`]; none when it is nothing.
fn gain(factor: f32) -> Option<i16> {
    let gain = i16::try_from(wide(strength(factor) * 16_384.0)).unwrap_or(0);
    (gain > 0).then_some(gain)
}

/// Sharpens in place, row by row; `luma` of a pixel is what is compared.
fn sharpen_rows<const N: usize>(pixels: &mut [u8], width: usize, gain: i16, luma: impl Fn(&[u8; N]) -> u8) {
    let stride = (width * N).max(1);
    let height = pixels.len() / stride;
    let read = |y: usize, pixels: &[u8], to: &mut [u8]| {
        let row = pixels.get(y.min(height.saturating_sub(1)) * stride..).unwrap_or_default();
        to.iter_mut().zip(row.as_chunks().0).for_each(|(to, pixel)| *to = luma(pixel));
    };
    let [mut above, mut row, mut below] = std::array::from_fn(|_| vec![0; width]);
    read(0, pixels, &mut above);
    read(0, pixels, &mut row);
    let mut columns = vec![0; width + 2];
    let mut deltas = vec![0; width];
    for y in 0..height {
        read(y + 1, pixels, &mut below);
        detail([&above, &row, &below], gain, &mut columns, &mut deltas);
        if let Some(to) = pixels.chunks_exact_mut(stride).nth(y) {
            shift::<N, N>(to, &deltas);
        }
        std::mem::swap(&mut above, &mut row);
        std::mem::swap(&mut row, &mut below);
    }
}

/// What to add to the middle one of three rows: its difference to the binomial mean of 3 × 3 samples, times `gain` in
/// 16 384ths. `columns` is scratch, two longer than a row.
fn detail([above, row, below]: [&[u8]; 3], gain: i16, columns: &mut [i16], deltas: &mut [i16]) {
    for (sum, ((&above, &own), &below)) in columns.iter_mut().skip(1).zip(above.iter().zip(row).zip(below)) {
        *sum = i16::from(above) + 2 * i16::from(own) + i16::from(below);
    }
    if let [first, second, ..] = columns {
        *first = *second;
    }
    if let [.., second, last] = columns {
        *last = *second;
    }
    let [middle, right] = [1, 2].map(|skip| columns.get(skip..).unwrap_or_default());
    let sums = columns.iter().zip(middle).zip(right);
    for ((to, &own), ((&left, &middle), &right)) in deltas.iter_mut().zip(row).zip(sums) {
        // 16 times the difference is below 4 096, so eight times that fits
        let difference = 8 * (16 * i16::from(own) - left - 2 * middle - right);
        let change = (i32::from(difference) * i32::from(gain)) >> 16;
        // in 32nds of a sample
        *to = (i16::try_from(change).unwrap_or(0) + 16) >> 5;
    }
}

/// Adds to the first `COLOURS` channels of each pixel.
fn shift<const N: usize, const COLOURS: usize>(row: &mut [u8], deltas: &[i16]) {
    for (pixel, &delta) in row.as_chunks_mut::<N>().0.iter_mut().zip(deltas) {
        pixel.iter_mut().take(COLOURS).for_each(|sample| *sample = moved(*sample, delta));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::steps::specimen::{frames, grey, of};

    const MASK: Unsharp = Unsharp { sigma: 0.8, amount: 1.0, threshold: 0 };

    #[test]
    fn an_edge_gets_steeper() {
        // the blur of this step is 100 100 100 102 125 | 175 198 200 200 200
        let step = grey(10, &[100, 100, 100, 100, 100, 200, 200, 200, 200, 200]);
        let sharp = unsharp(step.clone(), MASK);
        assert_eq!(sharp.pixels, [100, 100, 100, 98, 75, 225, 202, 200, 200, 200]);
        let twice = sharpen(step.clone(), 0.8, 2.0);
        assert_eq!(twice.pixels[4..6], [50, 250]);
        // differences up to the threshold stay
        let edge = unsharp(step, Unsharp { threshold: 10, ..MASK });
        assert_eq!(edge.pixels, [100, 100, 100, 100, 75, 225, 200, 200, 200, 200]);
    }

    #[test]
    fn colours_move_together() {
        // luma 76 and 255: red gets darker by what white's luma gains, and white is full
        let frame =
            of(Layout::Rgb, 4, &[[200, 60, 40], [200, 60, 40], [220, 90, 60], [220, 90, 60]].concat());
        let sharp = unsharp(frame, MASK);
        let changes: Vec<i16> = [[200, 60, 40], [200, 60, 40], [220, 90, 60], [220, 90, 60]]
            .concat()
            .iter()
            .zip(&sharp.pixels)
            .map(|(&before, &after)| i16::from(after) - before)
            .collect();
        for pixel in changes.chunks_exact(3) {
            assert_eq!([pixel[0]; 3], pixel, "{changes:?}");
        }
        assert!(changes[3] < 0 && changes[6] > 0, "{changes:?}");
    }

    #[test]
    fn a_neighbour_that_is_not_there_is_no_edge() {
        let frame = of(Layout::GreyAlpha, 4, &[100, 255, 100, 255, 255, 0, 255, 0]);
        for sharp in [unsharp(frame.clone(), MASK), after_reduction(frame.clone(), 4.0)] {
            assert_eq!(sharp.pixels, frame.pixels);
        }
    }

    #[test]
    fn after_a_reduction_edges_get_a_little_steeper() {
        // strength 0.2 at half the size, times a quarter of the step
        let step = [100, 100, 100, 200, 200, 200];
        let sharp = after_reduction(grey(6, &step.repeat(2)), 2.0);
        assert_eq!(sharp.pixels, [100, 100, 95, 205, 200, 200].repeat(2));
        let plane = Plane { width: 6, height: 2, samples: step.repeat(2) };
        assert_eq!(after_reduction_of_luma(plane, 2.0).samples, sharp.pixels);
        // of a lone pixel the mean is a quarter
        let mut spark = grey(3, &[0; 9]);
        spark.pixels[4] = 100;
        assert_eq!(after_reduction(spark, 1_000_000.0).pixels, [0, 0, 0, 0, 130, 0, 0, 0, 0]);
    }

    #[test]
    fn the_strength_grows_with_the_reduction() {
        let strengths = [0.5, 1.0, 1.5, 2.0, 4.0, 100.0].map(strength);
        assert_eq!(strengths[..2], [0.0, 0.0]);
        assert!(strengths[1..].windows(2).all(|pair| pair[0] < pair[1]), "{strengths:?}");
        assert!(strengths[5] < AMOUNT_MAX);
        assert_eq!([gain(f32::NAN), gain(1.0), gain(f32::INFINITY)], [None, None, Some(6_554)]);
    }

    proptest! {
        #[test]
        fn colour_and_grey_are_sharpened_alike(pixels in prop::collection::vec(any::<u8>(), 30), factor in 1.0..9.0_f32) {
            let colour = of(Layout::Rgb, 5, &pixels.iter().flat_map(|&grey| [grey; 3]).collect::<Vec<_>>());
            let sharp = after_reduction(colour, factor);
            let wanted = after_reduction(grey(5, &pixels), factor).into_colour();
            prop_assert_eq!(sharp.pixels, wanted.pixels);
        }

        #[test]
        fn nothing_asked_is_nothing_done(frame in frames(9), sigma in 0.0..9.0_f32) {
            for same in [
                sharpen(frame.clone(), sigma, 0.0),
                sharpen(frame.clone(), sigma, f32::NAN),
                sharpen(frame.clone(), 0.0, 3.0),
                unsharp(frame.clone(), Unsharp { sigma, amount: 3.0, threshold: 255 }),
                after_reduction(frame.clone(), 1.0),
            ] {
                prop_assert_eq!(&same.pixels, &frame.pixels);
            }
        }

        #[test]
        fn alpha_stays(frame in frames(9), sigma in 0.0..9.0_f32, amount in 0.0..9.0_f32) {
            let channels = frame.layout.channels();
            let sharp = sharpen(frame.clone(), sigma, amount);
            if frame.layout.has_alpha() {
                let alpha = |frame: &Frame| frame.pixels.iter().skip(channels - 1).step_by(channels).copied().collect::<Vec<_>>();
                prop_assert_eq!(alpha(&sharp), alpha(&frame));
            }
            prop_assert_eq!((sharp.width, sharp.height, sharp.layout), (frame.width, frame.height, frame.layout));
        }
    }
}
