//! Small pictures for the tests of steps.

use proptest::prelude::*;

use super::gravity::{Compass, Gravity, Length};
use crate::frame::{Frame, Layout};

/// Layouts that steps meet, those of CMYK left out.
pub(crate) const LAYOUTS: [Layout; 4] = [Layout::Grey, Layout::GreyAlpha, Layout::Rgb, Layout::Rgba];

/// A picture with rows of `width` pixels.
pub(crate) fn of(layout: Layout, width: u32, pixels: &[u8]) -> Frame {
    let row = usize::try_from(width).unwrap() * layout.channels();
    assert_eq!(pixels.len() % row, 0, "rows are whole");
    let height = u32::try_from(pixels.len() / row).unwrap();
    Frame { width, height, layout, pixels: pixels.to_vec() }
}

/// A grey picture with rows of `width` pixels.
pub(crate) fn grey(width: u32, pixels: &[u8]) -> Frame {
    of(Layout::Grey, width, pixels)
}

/// A grey picture whose pixels count up from 0, row by row.
pub(crate) fn counting(width: u32, height: u32) -> Frame {
    let pixels: Vec<u8> = (0..width * height).map(|index| u8::try_from(index % 256).unwrap()).collect();
    grey(width, &pixels)
}

/// Any picture up to so many pixels a side. Pixels are transparent or opaque as often as in between.
pub(crate) fn frames(side_max: u32) -> impl Strategy<Value = Frame> {
    (1..=side_max, 1..=side_max, prop::sample::select(&LAYOUTS[..])).prop_flat_map(
        |(width, height, layout)| {
            let count = usize::try_from(width * height).unwrap() * layout.channels();
            prop::collection::vec(prop_oneof![Just(0), Just(255), any::<u8>(), any::<u8>()], count)
                .prop_map(move |pixels| Frame { width, height, layout, pixels })
        },
    )
}

/// Mean of all samples.
pub(crate) fn mean(frame: &Frame) -> f64 {
    frame.pixels.iter().map(|&sample| f64::from(sample)).sum::<f64>() / frame.pixels.len() as f64
}

/// The channels of one pixel.
pub(crate) fn pixel(frame: &Frame, x: u32, y: u32) -> &[u8] {
    assert!(x < frame.width && y < frame.height, "{x}, {y} in {} x {}", frame.width, frame.height);
    let index = usize::try_from(y * frame.width + x).unwrap() * frame.layout.channels();
    &frame.pixels[index..index + frame.layout.channels()]
}

/// Any gravity, with offsets that may point out of the picture.
pub(crate) fn gravities() -> impl Strategy<Value = Gravity> {
    let length =
        || prop_oneof![(-900.0..900.0_f64).prop_map(Length::Pixels), (-1.0..1.0_f64).prop_map(Length::Share)];
    let compass = prop::sample::select(vec![
        Compass::Center,
        Compass::Top,
        Compass::TopRight,
        Compass::Right,
        Compass::BottomRight,
        Compass::Bottom,
        Compass::BottomLeft,
        Compass::Left,
        Compass::TopLeft,
    ]);
    prop_oneof![
        (compass, length(), length()).prop_map(|(compass, x, y)| Gravity::Compass(compass, x, y)),
        (0.0..=1.0_f64, 0.0..=1.0_f64).prop_map(|(x, y)| Gravity::Focus(x, y)),
        Just(Gravity::Attention),
        Just(Gravity::Entropy),
    ]
}
