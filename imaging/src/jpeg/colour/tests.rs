//! There and back, and against the formulas.
#![expect(clippy::cast_possible_truncation, reason = "small numbers")]

use super::*;

fn picture(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Frame {
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let pixels = places.flat_map(|(x, y)| pixel(x, y)).collect();
    Frame { width, height, layout: Layout::Rgb, pixels }
}

fn farthest(one: &[u8], other: &[u8]) -> u8 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(one, other)| one.abs_diff(*other)).max().unwrap_or_default()
}

#[test]
fn colours_have_the_planes_of_the_standard() {
    for (rgb, ycc) in [
        ([0, 0, 0], [0, 128, 128]),
        ([255, 255, 255], [255, 128, 128]),
        ([255, 0, 0], [76, 85, 255]),
        ([0, 255, 0], [150, 44, 21]),
        ([0, 0, 255], [29, 255, 107]),
        ([128, 128, 128], [128, 128, 128]),
    ] {
        for chroma in [Chroma::Full, Chroma::Half] {
            let planes = planes_of(&picture(3, 3, |_, _| rgb), chroma).unwrap();
            let [blue, red] = planes.chroma.as_ref().unwrap();
            let found = [planes.luma.samples[4], blue.samples[0], red.samples[0]];
            assert_eq!(found, ycc, "{rgb:?}");
            let back = frame_of(planes, Colour::Ycc).unwrap();
            assert!(farthest(&back.pixels, &rgb.repeat(9)) <= 2, "{rgb:?} {:?}", back.pixels);
        }
    }
}

#[test]
fn slow_changes_survive_fewer_samples_of_chroma() {
    let slope = |x: u32, y: u32| [60 + 2 * x, 200 - 3 * y, 40 + x + 2 * y].map(|value| value as u8);
    for (width, height) in [(1, 1), (2, 1), (1, 2), (3, 5), (17, 23), (40, 30), (41, 31)] {
        let frame = picture(width, height, slope);
        let planes = planes_of(&frame, Chroma::Half).unwrap();
        let [blue, _] = planes.chroma.as_ref().unwrap();
        assert_eq!((blue.width, blue.height), (width.div_ceil(2), height.div_ceil(2)));
        let back = frame_of(planes, Colour::Ycc).unwrap();
        assert_eq!((back.width, back.height), (width, height));
        // half a step at the borders, where there is nothing to be between
        let distance = farthest(&back.pixels, &frame.pixels);
        assert!(distance <= 6, "{width} x {height}: {distance}");
    }
}

#[test]
fn chroma_of_any_ratio_is_widened_between_its_centres() {
    for (across, down) in [(1_u32, 1_u32), (2, 1), (1, 2), (2, 2), (3, 1), (4, 1), (1, 4), (4, 2)] {
        let (width, height) = (48_u32, 36_u32);
        let (wide, high) = (width / across, height / down);
        let samples = (0..wide * high).map(|at| {
            let (x, y) = (at % wide * across, at / wide * down);
            // the mean of the area
            (4 * x + 2 * y + 2 * (across - 1) + (down - 1)).div_ceil(2) as u8
        });
        let slope = Plane { width: wide, height: high, samples: samples.collect() };
        let flat = Plane { width: wide, height: high, samples: vec![128; (wide * high) as usize] };
        let luma = Plane { width, height, samples: vec![128; (width * height) as usize] };
        let frame = frame_of(Planes { luma, chroma: Some([flat, slope]) }, Colour::Rgb).unwrap();
        for (at, pixel) in frame.pixels.chunks_exact(3).enumerate() {
            let (x, y) = (at as u32 % width, at as u32 / width);
            let is_inside = x >= across && x + across < width && y >= down && y + down < height;
            let expected = (4 * x + 2 * y) / 2;
            assert!(
                !is_inside || (expected..=expected + 2).contains(&pixel[2].into()),
                "{across} x {down} at {x}, {y}: {pixel:?} {expected}"
            );
        }
    }
}

#[test]
fn grey_stays_grey_and_alpha_and_inks_are_left_alone() {
    let frame = Frame { width: 2, height: 1, layout: Layout::Grey, pixels: vec![7, 250] };
    let planes = planes_of(&frame, Chroma::Half).unwrap();
    assert_eq!(planes.chroma, None);
    assert_eq!(frame_of(planes, Colour::Grey).unwrap().pixels, [7, 250]);
    for layout in [Layout::GreyAlpha, Layout::Rgba, Layout::Cmyk] {
        let frame = Frame { width: 1, height: 1, layout, pixels: vec![0; layout.channels()] };
        assert_eq!(planes_of(&frame, Chroma::Full), None);
    }
}
