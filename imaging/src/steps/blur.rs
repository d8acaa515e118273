//! Blurs with a Gaussian.
//!
//! Alpha is blurred too, and colours in proportion to it. Beyond its edges the picture goes on as its outermost pixels.

use super::smooth::Wide;
use crate::frame::Frame;

/// The picture blurred with this standard deviation in pixels; up to a quarter of a pixel, or with what is no number, it
/// stays as it is.
pub(crate) fn blur(mut frame: Frame, sigma: f32) -> Frame {
    let mut wide = Wide::of(&frame);
    wide.smooth(sigma);
    wide.write(&mut frame);
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Layout;
    use crate::steps::specimen::{frames, grey, mean, of};

    /// One white pixel in the middle of black.
    fn spark(side: u32) -> Frame {
        let middle = usize::try_from(side * side / 2).unwrap();
        let mut frame = grey(side, &vec![0; usize::try_from(side * side).unwrap()]);
        frame.pixels[middle] = 255;
        frame
    }

    #[test]
    fn a_small_blur_has_the_weights_of_the_gaussian() {
        // 1, e^-0.5, e^-2, e^-4.5 for sigma 1: 0.3991, 0.2420, 0.0540, 0.0044 of the whole
        let blurred = blur(spark(9), 1.0);
        assert_eq!(blurred.pixels[36..45], [0, 0, 5, 25, 41, 25, 5, 0, 0]);
        assert_eq!(blurred.pixels[4 * 9 + 4], 41);
        assert_eq!(blurred.pixels[3 * 9 + 3], 15);
    }

    #[test]
    fn a_large_blur_has_the_shape_of_the_gaussian() {
        let step = Frame { pixels: [[0_u8; 40], [255; 40]].concat(), ..grey(80, &[0; 80]) };
        let blurred = blur(step, 4.0);
        // of a step the blur is the integral of the bell: 0.5, and 0.8413 one deviation on
        for (left, share) in [(39, 0.5), (43, 0.8413), (47, 0.9772), (35, 0.1587)] {
            let (left, right) = (blurred.pixels[left], blurred.pixels[left + 1]);
            let found = f64::midpoint(left.into(), right.into()) / 255.0;
            assert!((found - share).abs() < 0.015, "{found}, not {share}");
        }
    }

    #[test]
    fn edges_go_on() {
        let blurred = blur(grey(5, &[200, 0, 0, 0, 0]), 0.8);
        // kernel 0.4987 0.2283 0.0219 0.0004 a side: left of the edge there is more of the same
        assert_eq!(blurred.pixels, [150, 50, 4, 0, 0]);
    }

    #[test]
    fn what_is_transparent_has_no_colour_to_give() {
        for sigma in [0.8, 3.0] {
            let frame = of(Layout::Rgba, 3, &[255, 0, 0, 255, 0, 255, 0, 0, 255, 0, 0, 255]);
            let blurred = blur(frame, sigma);
            for pixel in blurred.pixels.chunks_exact(4) {
                assert_eq!(pixel[..3], [255, 0, 0], "sigma {sigma}: {blurred:?}");
                assert!(pixel[3] > 0 && pixel[3] < 255, "sigma {sigma}: {blurred:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_blur_of_nothing_is_the_same(frame in frames(12)) {
            let visible = |frame: &Frame| {
                // under a transparent pixel the colour is lost, and may be
                let channels = frame.layout.channels();
                frame.pixels.chunks_exact(channels).map(|pixel| {
                    let gone = frame.layout.has_alpha() && pixel.last() == Some(&0);
                    if gone { vec![0; channels] } else { pixel.to_vec() }
                }).collect::<Vec<_>>()
            };
            for sigma in [0.0, 0.25, -1.0, f32::NAN] {
                prop_assert_eq!(visible(&blur(frame.clone(), sigma)), visible(&frame));
            }
        }

        #[test]
        fn one_colour_stays_one_colour(
            pixel in any::<[u8; 4]>(), width in 1..20_u32, height in 1..20_u32, sigma in 0.0..300.0_f32,
        ) {
            let pixel = if pixel[3] == 0 { [0; 4] } else { pixel };
            let count = usize::try_from(width * height).unwrap();
            let frame = of(Layout::Rgba, width, &pixel.repeat(count));
            prop_assert_eq!(blur(frame.clone(), sigma).pixels, frame.pixels);
        }

        #[test]
        fn the_mean_stays_where_no_edge_is_near(noise in any::<[u8; 64]>(), sigma in 0.3..6.0_f32) {
            let mut frame = grey(64, &[100; 64 * 64]);
            for (y, row) in noise.chunks_exact(8).enumerate() {
                let start = (28 + y) * 64 + 28;
                frame.pixels[start..start + 8].copy_from_slice(row);
            }
            let (before, after) = (mean(&frame), mean(&blur(frame, sigma)));
            prop_assert!((before - after).abs() < 1.0, "{} became {}", before, after);
        }

        #[test]
        fn sizes_and_layouts_stay(frame in frames(12), sigma in 0.0..1_500.0_f32) {
            let blurred = blur(frame.clone(), sigma);
            prop_assert_eq!((blurred.width, blurred.height, blurred.layout), (frame.width, frame.height, frame.layout));
            prop_assert_eq!(blurred.pixels.len(), frame.pixels.len());
        }
    }
}
