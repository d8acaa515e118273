//! Pictures of every kind against the general decoder.
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::*;
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
    Wanted::for_size(least, 1.0, Chroma::Half)
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
                let wanted = Wanted::for_size(least, factor, chroma);
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
