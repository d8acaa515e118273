//! Pictures and comparisons for the tests of the encoders.

use super::ycc::{Strip, size};
use super::{Effort, Settings, Subsampling};
use crate::Deadline;
use crate::frame::{Frame, Layout};
use crate::planes::{Plane, Planes};

/// Sizes that are awkward for blocks, units and halves.
pub(crate) const SIZES: [(u32, u32); 10] =
    [(1, 1), (2, 1), (1, 2), (3, 3), (7, 9), (8, 8), (9, 7), (16, 16), (17, 9), (15, 33)];

/// Settings that most tests want: quality 90, full colour.
pub(crate) fn settings(deadline: &Deadline) -> Settings<'_> {
    Settings {
        quality: 90,
        lossless: false,
        effort: Effort::Normal,
        progressive: false,
        chroma: Subsampling::Full,
        icc: None,
        exif: None,
        deadline,
    }
}

const PHASES: [f64; 4] = [0.0, 1.3, 2.6, 3.9];

/// Soft waves of colour, and of alpha where there is any.
pub(crate) fn picture(width: u32, height: u32, layout: Layout) -> Frame {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
    let wave = |x: u32, y: u32, phase: f64| {
        let (x, y) = (f64::from(x), f64::from(y));
        (127.5 + 80.0 * (x / 23.0 + phase).sin() + 47.0 * (y / 31.0 + x / 97.0 - phase).cos()) as u8
    };
    let channels = layout.channels();
    let pixels = (0..height)
        .flat_map(|y| {
            (0..width)
                .flat_map(move |x| PHASES.into_iter().take(channels).map(move |phase| wave(x, y, phase)))
        })
        .collect();
    Frame { width, height, layout, pixels }
}

/// A photo of 450 × 300 from the fixtures.
pub(crate) fn photo() -> Frame {
    let image = image::load_from_memory(&crate::testing::fixture("orient/landscape_1.jpg")).unwrap();
    let image = image.resize(450, 450, image::imageops::FilterType::Triangle).into_rgb8();
    Frame { width: image.width(), height: image.height(), layout: Layout::Rgb, pixels: image.into_raw() }
}

/// The planes of a frame.
pub(crate) fn planes(frame: &Frame, halved: bool) -> Planes {
    let mut strip = Strip::new(halved);
    strip.convert(frame, 0, size(frame.height));
    let plane = |index, width: u32, height: u32| {
        let samples = strip.plane(index, size(width)).0.to_vec();
        assert_eq!(samples.len(), size(width) * size(height));
        Plane { width, height, samples }
    };
    let factor = if halved { 2 } else { 1 };
    let (width, height) = (frame.width.div_ceil(factor), frame.height.div_ceil(factor));
    let is_grey = matches!(frame.layout, Layout::Grey | Layout::GreyAlpha);
    let chroma = (!is_grey).then(|| [plane(1, width, height), plane(2, width, height)]);
    Planes { luma: plane(0, frame.width, frame.height), chroma }
}

/// Decodes and gives the mean absolute difference of the four channels, colours weighted by alpha.
pub(crate) fn difference(frame: &Frame, file: &[u8]) -> f64 {
    let decoded = image::load_from_memory(file).unwrap().into_rgba8();
    assert_eq!(decoded.dimensions(), (frame.width, frame.height));
    let wide = frame.clone().into_colour();
    let pixels = wide.pixels.chunks_exact(wide.layout.channels());
    let sum: f64 = pixels
        .zip(decoded.pixels())
        .map(|(pixel, found)| {
            let alpha = pixel.get(3).copied().unwrap_or(255);
            let colours: f64 = (0..3).map(|n| f64::from(pixel[n].abs_diff(found.0[n]))).sum();
            colours * f64::from(alpha) / 255.0 + f64::from(alpha.abs_diff(found.0[3]))
        })
        .sum();
    sum / f64::from(frame.width) / f64::from(frame.height) / 4.0
}

/// Fails unless a file of each of these qualities, of which `written` gives length and distance, is longer and nearer than the
/// one before; the last distance.
pub(crate) fn each_is_nearer(qualities: &[u8], written: impl Fn(u8) -> (usize, f64)) -> f64 {
    let mut before = (0, f64::MAX);
    for quality in qualities {
        let after = written(*quality);
        assert!(after.0 > before.0 && after.1 < before.1, "{quality}: {before:?} {after:?}");
        before = after;
    }
    before.1
}

/// Where a sequence of bytes stands in a file.
pub(crate) fn position(file: &[u8], wanted: &[u8]) -> Option<usize> {
    file.windows(wanted.len()).position(|window| window == wanted)
}

/// Pixels as a PNG, for comparisons.
pub(crate) fn png(pixels: &image::RgbaImage) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    pixels.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}
