//! Rounds the corners of a picture.

use super::paint::{Rgba, with_alpha};
use super::sample::{byte, mix, times};
use crate::frame::{Frame, Layout};

/// Lines through a row of pixels whose coverage is averaged.
const LINES: u8 = 16;

/// How round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Corners {
    /// Quarters of a circle of this radius in pixels, at most half the shorter side.
    Radius(f64),
    /// Quarters of the ellipse that touches all sides; of a square a circle.
    Max,
}

/// The picture with rounded corners, their edge smooth. Outside of it the picture is transparent; with a background it is
/// that, whose alpha does not count, and the layout stays.
pub(crate) fn round(frame: Frame, corners: Corners, background: Option<Rgba>) -> Frame {
    let half = (f64::from(frame.width) / 2.0, f64::from(frame.height) / 2.0);
    let (across, down) = match corners {
        Corners::Max => half,
        Corners::Radius(radius) if radius > 0.0 => {
            let radius = radius.min(half.0).min(half.1);
            (radius, radius)
        }
        Corners::Radius(_) => return frame,
    };
    let mut frame = match background {
        Some(Rgba { red, green, blue, .. }) if red != green || green != blue => frame.into_colour(),
        Some(_) => frame,
        None => with_alpha(frame),
    };
    let (layout, stride) = (frame.layout, frame.stride());
    let mut coverage = vec![255; pixels(across)];
    // as many rows at the bottom as at the top; of an odd height the middle one may be among both
    let rows = pixels(down).min(frame.pixels.len() / stride);
    for line in 0..rows {
        cover(&mut coverage, line, across, down);
        let upper = line * stride;
        let lower = frame.pixels.len() - (line + 1) * stride;
        for start in [upper, lower] {
            let row = frame.pixels.get_mut(start..start + stride).unwrap_or_default();
            match layout {
                Layout::Grey => cut::<1>(row, &coverage, layout, background),
                Layout::GreyAlpha => cut::<2>(row, &coverage, layout, background),
                Layout::Rgb => cut::<3>(row, &coverage, layout, background),
                Layout::Rgba | Layout::Cmyk => cut::<4>(row, &coverage, layout, background),
            }
        }
    }
    frame
}

/// How much of each pixel of a row lies in the quarter of an ellipse, from the edge inwards.
fn cover(coverage: &mut [u8], line: usize, across: f64, down: f64) {
    let insets: [f64; LINES as usize] = std::array::from_fn(|part| {
        let y = line as f64 + (part as f64 + 0.5) / f64::from(LINES);
        let height = ((down - y) / down).max(0.0);
        across * (1.0 - (1.0 - height * height).sqrt())
    });
    for (x, to) in coverage.iter_mut().enumerate() {
        let right = x as f64 + 1.0;
        let inside: f64 = insets.iter().map(|inset| (right - inset).clamp(0.0, 1.0)).sum();
        #[expect(clippy::cast_possible_truncation, reason = "0 to 255")]
        let share = (inside / f64::from(LINES) * 255.0) as f32;
        *to = byte(share);
    }
}

/// Cuts both ends of a row.
fn cut<const N: usize>(row: &mut [u8], coverage: &[u8], layout: Layout, background: Option<Rgba>) {
    let pixels = row.as_chunks_mut::<N>().0;
    let fade = |pixel: &mut [u8; N], coverage: u8| match background {
        None => {
            if let Some(alpha) = pixel.last_mut() {
                *alpha = times(*alpha, coverage);
            }
        }
        Some(colour) => {
            let under = Rgba { alpha: 255, ..colour }.pixel::<N>(layout);
            *pixel = faded(*pixel, under, coverage, layout.has_alpha());
        }
    };
    pixels.iter_mut().zip(coverage).for_each(|(pixel, &coverage)| fade(pixel, coverage));
    pixels.iter_mut().rev().zip(coverage).for_each(|(pixel, &coverage)| fade(pixel, coverage));
}

/// A share of a pixel, beside the rest of an opaque one.
fn faded<const N: usize>(pixel: [u8; N], under: [u8; N], coverage: u8, has_alpha: bool) -> [u8; N] {
    if coverage == 255 {
        return pixel;
    }
    let alpha = pixel.last().copied().filter(|_| has_alpha).unwrap_or(255);
    let share = times(alpha, coverage);
    // what is seen: the pixel by its share of the alpha that results
    let total = u16::from(share) + u16::from(255 - coverage);
    let weight = byte(f32::from(share) * 255.0 / f32::from(total.max(1)));
    let mut mixed = std::array::from_fn(|index| {
        let [top, under] = [&pixel, &under].map(|pixel| pixel.get(index).copied().unwrap_or(0));
        mix(top, under, weight)
    });
    if let (true, Some(last)) = (has_alpha, mixed.last_mut()) {
        *last = u8::try_from(total).unwrap_or(u8::MAX);
    }
    mixed
}

fn pixels(length: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "half a side at most, above 0"
    )]
    let pixels = length.ceil() as usize;
    pixels
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use proptest::prelude::*;

    use super::*;
    use crate::steps::specimen::{frames, grey, of, pixel};
    use crate::steps::turn::{flip_horizontal, flip_vertical, quarters};

    const NINE: Rgba = Rgba { red: 9, green: 9, blue: 9, alpha: 0 };

    fn alphas(frame: &Frame) -> Vec<u8> {
        let channels = frame.layout.channels();
        frame.pixels.iter().skip(channels - 1).step_by(channels).copied().collect()
    }

    #[test]
    fn a_quarter_of_a_circle_is_covered() {
        // of the corner pixel of radius 1 a quarter of a circle: 0.785
        let round = round(grey(3, &[7; 9]), Corners::Radius(1.0), None);
        assert_eq!(round.layout, Layout::GreyAlpha);
        let corner = alphas(&round)[0];
        assert!(corner.abs_diff(200) <= 1, "{corner}");
        let (all, c) = (255, corner);
        assert_eq!(alphas(&round), [c, all, c, all, all, all, c, all, c]);
    }

    #[test]
    fn as_round_as_can_be_is_an_ellipse() {
        for (width, height) in [(40, 40), (60, 30), (31, 17)] {
            let frame = grey(width, &vec![7; usize::try_from(width * height).unwrap()]);
            let covered: f64 =
                alphas(&round(frame, Corners::Max, None)).iter().map(|&alpha| f64::from(alpha)).sum();
            let wanted = PI / 4.0 * f64::from(width * height);
            assert!((covered / 255.0 / wanted - 1.0).abs() < 0.002, "{} of {wanted}", covered / 255.0);
        }
        // a radius goes no further than a circle can
        let frame = || grey(20, &[7; 200]);
        let pill = round(frame(), Corners::Radius(500.0), None);
        assert_eq!(alphas(&pill), alphas(&round(frame(), Corners::Radius(5.0), None)));
        assert_eq!(pixel(&pill, 10, 0), [7, 255]);
    }

    #[test]
    fn a_background_is_laid_under_the_corners_only() {
        let plain = round(grey(3, &[209; 9]), Corners::Radius(1.0), Some(NINE));
        assert_eq!(plain.layout, Layout::Grey);
        let corner = plain.pixels[0];
        assert!(corner.abs_diff(9 + 157) <= 1, "{corner}");
        assert_eq!(plain.pixels[1], 209);
        // a transparent picture gets an opaque background where it was cut, and stays transparent beside it
        let clear = round(of(Layout::GreyAlpha, 4, &[200, 0].repeat(16)), Corners::Max, Some(NINE));
        assert_eq!(pixel(&clear, 1, 1), [200, 0]);
        let [grey, alpha] = *pixel(&clear, 0, 0) else { panic!("{clear:?}") };
        assert!(grey == 9 && alpha > 90, "{clear:?}");
        let colour = Rgba { red: 1, ..NINE };
        assert_eq!(round(grey_dot(), Corners::Max, Some(colour)).layout, Layout::Rgb);
    }

    fn grey_dot() -> Frame {
        grey(1, &[5])
    }

    proptest! {
        #[test]
        fn all_corners_are_alike(side in 1..30_u32, radius in 0.0..40.0_f64) {
            let frame = grey(side, &vec![5; usize::try_from(side * side).unwrap()]);
            let round = round(frame, Corners::Radius(radius), None);
            for same in [flip_horizontal(round.clone()), flip_vertical(round.clone())] {
                prop_assert_eq!(&same.pixels, &round.pixels);
            }
            // lines run across only, so turned by a quarter it differs by what they miss
            for (one, other) in alphas(&quarters(round.clone(), 1)).iter().zip(alphas(&round)) {
                prop_assert!(one.abs_diff(other) <= 4, "{} {}", one, other);
            }
        }

        #[test]
        fn no_radius_changes_nothing(frame in frames(9)) {
            for radius in [0.0, -1.0, f64::NAN] {
                prop_assert_eq!(&round(frame.clone(), Corners::Radius(radius), None).pixels, &frame.pixels);
            }
        }
    }
}
