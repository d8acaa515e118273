//! Pictures of every kind against the general decoder.
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::*;
use crate::encode::{self, Picture, Settings};
use crate::frame::{Frame, Layout};
use crate::steps::light::CURVE;
use crate::testing::fixture;

mod damage;

/// Every picture of a kind that is read here.
const KINDS: [&str; 15] = [
    "jpeg/sampled-1x1.jpg",
    "jpeg/sampled-2x1.jpg",
    "jpeg/sampled-1x2.jpg",
    "jpeg/sampled-2x2.jpg",
    "jpeg/sampled-4x1.jpg",
    "jpeg/sampled-4x2.jpg",
    "jpeg/restart.jpg",
    "jpeg/progressive.jpg",
    "jpeg/progressive-refined-restart.jpg",
    "jpeg/rgb.jpg",
    "jpeg/grey.jpg",
    "jpeg/finest-quality.jpg",
    "jpeg/coarsest-quality.jpg",
    "photo/photo-grey.jpg",
    "orient/landscape_1.jpg",
];

/// All planes at full size, those of chroma repeated.
struct Whole {
    width: usize,
    height: usize,
    planes: Vec<Vec<u8>>,
}

fn whole(source: &[u8], colour: Colour) -> Whole {
    let (space, channels) = match colour {
        Colour::Grey => (ColorSpace::Luma, 1),
        Colour::Ycc => (ColorSpace::YCbCr, 3),
        Colour::Rgb => (ColorSpace::RGB, 3),
    };
    let options = DecoderOptions::default().set_strict_mode(false).jpeg_set_out_colorspace(space);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(source), options);
    let pixels = decoder.decode().unwrap();
    let (width, height) = decoder.dimensions().unwrap();
    let plane = |channel: usize| pixels.iter().skip(channel).step_by(channels).copied().collect();
    Whole { width, height, planes: (0..channels).map(plane).collect() }
}

impl Whole {
    /// The mean of each area that a sample stands for, and the mean of how far it is from that.
    fn distance(&self, channel: usize, plane: &Plane, scale: Scale) -> f64 {
        let (across, down) = (1.0 / scale.across, 1.0 / scale.down);
        let mut sum = 0.0;
        for y in 0..plane.height as usize {
            for x in 0..plane.width as usize {
                let columns = bounds(x, across, self.width);
                let (mut total, mut count) = (0.0, 0.0);
                for row in bounds(y, down, self.height) {
                    for column in columns.clone() {
                        total += f64::from(self.planes[channel][row * self.width + column]);
                        count += 1.0;
                    }
                }
                sum += (total / count - f64::from(plane.samples[y * plane.width as usize + x])).abs();
            }
        }
        sum / plane.samples.len() as f64
    }
}

fn bounds(index: usize, step: f64, end: usize) -> std::ops::Range<usize> {
    let first = ((index as f64 * step).floor() as usize).min(end - 1);
    first..(((index + 1) as f64 * step).ceil() as usize).clamp(first + 1, end)
}

fn planes(reduced: &Reduced) -> Vec<(&Plane, Scale)> {
    let chroma = reduced.planes.chroma.iter().flatten().map(|plane| (plane, reduced.chroma_scale));
    std::iter::once((&reduced.planes.luma, reduced.luma_scale)).chain(chroma).collect()
}

/// So many eighths of the size.
fn wanted(eighths: f64, source: &[u8]) -> Wanted {
    let header = crate::sniff::header(source).unwrap();
    let least = Least {
        width: (f64::from(header.width) * eighths / 8.0).floor(),
        height: (f64::from(header.height) * eighths / 8.0).floor(),
    };
    Wanted::for_size(least, 1.0, Chroma::Half, Light::Coded)
}

#[test]
fn every_kind_at_every_scale_is_close_to_the_general_decoder() {
    for name in KINDS {
        let source = fixture(name);
        for eighths in [1.0, 2.0, 3.0, 4.0, 8.0] {
            let reduced = read(&source, wanted(eighths, &source), &Deadline::never()).unwrap().expect(name);
            let whole = whole(&source, reduced.colour);
            assert_eq!(reduced.luma_scale, Scale { across: eighths / 8.0, down: eighths / 8.0 }, "{name}");
            assert_eq!(
                reduced.planes.luma.width as usize,
                (whole.width * eighths as usize).div_ceil(8),
                "{name}"
            );
            for (channel, (plane, scale)) in planes(&reduced).into_iter().enumerate() {
                let distance = whole.distance(channel, plane, scale);
                // a mean of pixels is not quite the same as fewer frequencies
                let bound = if eighths == 8.0 { 1.0 } else { 5.0 };
                assert!(distance < bound, "{name} at {eighths}/8, channel {channel}: {distance}");
            }
        }
    }
}

/// A grey picture of 128 pixels each way.
fn coded(progressive: bool, mut pixel: impl FnMut(u32) -> u8) -> (Frame, Vec<u8>) {
    const SIDE: u32 = 128;
    let pixels = (0..SIDE * SIDE).map(|index| pixel(index % SIDE)).collect();
    let frame = Frame { width: SIDE, height: SIDE, layout: Layout::Grey, pixels };
    let deadline = Deadline::never();
    let settings = Settings { quality: 95, progressive, ..encode::testing::settings(&deadline) };
    let source = encode::jpeg::encode(Picture::Frame(&frame), &settings).unwrap();
    (frame, source)
}

/// Detail that no smaller size can hold, darker on the left.
fn detailed(progressive: bool) -> (Frame, Vec<u8>) {
    let mut state = 1_u32;
    coded(progressive, |x| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (if state >> 31 == 0 { 20 + x } else { 120 + x }) as u8
    })
}

fn luma(source: &[u8], eighths: f64, light: Light) -> Vec<u8> {
    let wanted = Wanted { light, ..wanted(eighths, source) };
    read(source, wanted, &Deadline::never()).unwrap().unwrap().planes.luma.samples
}

#[test]
fn what_is_left_out_keeps_its_light_if_that_is_wanted() {
    let light = |samples: &[u8]| {
        let sum: f64 = samples.iter().map(|sample| f64::from(CURVE.light(*sample))).sum();
        sum / samples.len() as f64
    };
    // of what is left out of a progressive file, the last bits are not read
    for (progressive, least) in [(false, 0.98), (true, 0.96)] {
        let (frame, source) = detailed(progressive);
        for eighths in [1.0, 2.0, 3.0, 4.0, 8.0] {
            let found = |kind| light(&luma(&source, eighths, kind)) / light(&frame.pixels);
            let (as_coded, linear) = (found(Light::Coded), found(Light::Linear));
            assert!((least..1.02).contains(&linear), "{progressive} at {eighths}/8: {linear}");
            assert_eq!(as_coded < 0.95, eighths < 8.0, "{progressive} at {eighths}/8: {as_coded}");
        }
    }
}

/// Coefficients of more than 255 stand in codes so short that several are skipped at once.
#[test]
fn the_strongest_detail_is_counted_whole() {
    let deadline = Deadline::never();
    let settings = Settings { quality: 100, ..encode::testing::settings(&deadline) };
    let (frame, _) = coded(false, |x| if x % 2 == 0 { 0 } else { 255 });
    let source = encode::jpeg::encode(Picture::Frame(&frame), &settings).unwrap();
    let samples = luma(&source, 1.0, Light::Linear);
    // half of the light is 188
    assert!(samples.iter().all(|sample| (183..=195).contains(sample)), "{:?}", &samples[..16]);
}

#[test]
fn black_beside_an_edge_stays_black() {
    // the edge lies in the middle of a block, at its ends, and between
    for edge in 61..68 {
        let (_, source) = coded(false, |x| if x < edge { 0 } else { 255 });
        for eighths in [1.0, 2.0, 3.0, 4.0] {
            let samples = luma(&source, eighths, Light::Linear);
            let across = 16 * eighths as usize;
            // of the samples that hold nothing but black, none is grey; their filter has rings
            let black = (edge as usize - 4) * eighths as usize / 8;
            for row in samples.chunks_exact(across) {
                let worst = row[..black].iter().max().unwrap();
                assert!(*worst < 48, "{edge} at {eighths}/8: {:?}", &row[..black + 2]);
            }
        }
    }
}

#[test]
fn the_way_of_coding_changes_nothing() {
    for (name, other) in [
        ("jpeg/separate-scans.jpg", "jpeg/sampled-2x2.jpg"),
        ("jpeg/restart.jpg", "jpeg/sampled-2x2.jpg"),
        ("jpeg/progressive.jpg", "jpeg/sampled-2x2.jpg"),
        ("jpeg/progressive-refined-restart.jpg", "jpeg/sampled-2x1.jpg"),
        ("jpeg/32x32-progressive.jpg", "jpeg/32x32-420.jpg"),
    ] {
        for eighths in [1.0, 2.0, 3.0, 4.0, 8.0] {
            let planes = |name: &str| {
                let source = fixture(name);
                read(&source, wanted(eighths, &source), &Deadline::never()).unwrap().expect(name).planes
            };
            assert!(planes(name) == planes(other), "{name} at {eighths}/8 is not {other}");
        }
    }
}

#[test]
fn no_less_than_what_is_wanted_is_had_and_not_much_more() {
    let source = fixture("orient/landscape_1.jpg");
    let header = crate::sniff::header(&source).unwrap();
    let widths = |wanted: Wanted| {
        let planes = read(&source, wanted, &Deadline::never()).unwrap().unwrap().planes;
        let [blue, red] = planes.chroma.unwrap();
        assert_eq!((blue.width, blue.height), (red.width, red.height));
        [planes.luma.width, blue.width].map(f64::from)
    };
    let whole = widths(Wanted::WHOLE);
    for chroma in [Chroma::Full, Chroma::Half] {
        for percent in (1..=130_u32).step_by(7) {
            let share = f64::from(percent) / 100.0;
            let least =
                Least { width: f64::from(header.width) * share, height: f64::from(header.height) * share };
            for factor in [1.0, 1.7] {
                let wanted = Wanted::for_size(least, factor, chroma, Light::Coded);
                let leasts = [wanted.luma.width, wanted.chroma.width];
                for ((width, least), whole) in widths(wanted).into_iter().zip(leasts).zip(whole) {
                    assert!(width >= least.min(whole), "{percent} % {factor} {chroma:?}: {width}");
                    let few = 2.0 * least + 2.0;
                    assert!(
                        width < few || width <= (whole / 8.0).ceil(),
                        "{percent} % {factor} {chroma:?}: {width}"
                    );
                }
            }
        }
    }
}
