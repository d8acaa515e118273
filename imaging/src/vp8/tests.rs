//! Files of every kind that libwebp makes, read as it reads them, to the last bit.
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]

use std::sync::LazyLock;

use libwebp_sys::WebPConfig;
use proptest::prelude::*;
use tokio::time::Instant;

use super::*;
use crate::jpeg;
use crate::sniff;
use crate::steps::geometry::Size;
use crate::steps::sniff::webp;
use crate::testing::fixture;

mod damage;
#[expect(unsafe_code, clippy::cast_possible_wrap, reason = "libwebp is C")]
mod peer;

/// A photo of 600 × 450 pixels, in planes.
static PHOTO: LazyLock<Planes> = LazyLock::new(|| {
    let source = fixture("orient/landscape_1.jpg");
    let photo = jpeg::read(&source, jpeg::Wanted::WHOLE, &Deadline::never()).unwrap().unwrap();
    let size = Size { width: 600, height: 450 };
    let whole =
        jpeg::Part { left: 0.0, top: 0.0, width: photo.full.width.into(), height: photo.full.height.into() };
    jpeg::resize(photo, whole, size, jpeg::Chroma::Half, jpeg::Light::Coded, &Deadline::never()).unwrap()
});

/// A picture repeated across and down.
fn tiled(planes: &Planes, times: u32) -> Planes {
    let tiled = |plane: &Plane| {
        let rows = plane.samples.chunks_exact(plane.width as usize);
        let tile: Vec<u8> = rows.flat_map(|row| row.repeat(times as usize)).collect();
        let (width, height) = (plane.width * times, plane.height * times);
        Plane { width, height, samples: tile.repeat(times as usize) }
    };
    let chroma = planes.chroma.as_ref().unwrap();
    Planes { luma: tiled(&planes.luma), chroma: Some([0, 1].map(|index: usize| tiled(&chroma[index]))) }
}

fn part(plane: &Plane, (left, top): (usize, usize), (width, height): (usize, usize)) -> Plane {
    let rows = plane.samples.chunks_exact(plane.width as usize).skip(top).take(height);
    let samples = rows.flat_map(|row| &row[left..left + width]).copied().collect();
    Plane { width: width as u32, height: height as u32, samples }
}

/// A part of a picture that begins at even places.
fn cropped(planes: &Planes, (left, top): (usize, usize), (width, height): (usize, usize)) -> Planes {
    let half = (width.div_ceil(2), height.div_ceil(2));
    let chroma = planes.chroma.as_ref().unwrap();
    let chroma = [0, 1].map(|index: usize| part(&chroma[index], (left / 2, top / 2), half));
    Planes { luma: part(&planes.luma, (left, top), (width, height)), chroma: Some(chroma) }
}

/// The frame in a file.
fn frame(file: &[u8]) -> &[u8] {
    webp::lossy(file, &sniff::header(file).unwrap()).unwrap().frame
}

fn assert_alike(file: &[u8], about: &str) {
    let ours = read(frame(file), &Deadline::never()).expect(about);
    let theirs = peer::decoded(file).expect(about);
    assert_eq!((ours.luma.width, ours.luma.height), (theirs.luma.width, theirs.luma.height), "{about}");
    let planes = |planes: Planes| [vec![planes.luma], planes.chroma.unwrap().to_vec()].concat();
    for (index, (ours, theirs)) in planes(ours).into_iter().zip(planes(theirs)).enumerate() {
        let differs = ours.samples.iter().zip(&theirs.samples).position(|(one, other)| one != other);
        let wide = theirs.width as usize;
        let place = differs.map(|at| (at % wide, at / wide));
        assert_eq!(place, None, "plane {index}, {about}");
        assert_eq!(ours, theirs, "plane {index}, {about}");
    }
}

#[test]
fn a_photo_is_read_as_libwebp_reads_it() {
    for quality in [0.0, 30.0, 75.0, 100.0] {
        let file = peer::encoded(&PHOTO, |config| config.quality = quality);
        assert_alike(&file, &format!("quality {quality}"));
    }
}

#[test]
fn every_small_size_is_read_as_libwebp_reads_it() {
    for (width, height) in (1..=35).flat_map(|width| [1, 2, 15, 16, 17, 33].map(|height| (width, height))) {
        let planes = cropped(&PHOTO, (300, 200), (width, height));
        assert_alike(&peer::encoded(&planes, |_| {}), &format!("{width} x {height}"));
    }
}

#[test]
fn a_picture_with_alpha_has_the_same_colours() {
    let file = fixture("modern/alpha-lossy.webp");
    let mut chunks = webp::chunks(&file).unwrap();
    let frame = std::iter::from_fn(|| webp::chunk(&mut chunks)).find(|(kind, _)| kind == b"VP8 ").unwrap().1;
    assert_eq!(read(frame, &Deadline::never()).ok(), peer::decoded(&file));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_settings_are_read_as_libwebp_reads_them(
        size in (1_usize..100, 1_usize..100),
        place in (0_usize..250, 0_usize..175),
        quality in 0_u8..=100,
        method in 0..=6,
        segments in 1..=4,
        partitions in 0..=3,
        filter in (0..=1, 0..=100, 0..=7),
        shaping in 0..=100,
        noise in prop::option::of(any::<u64>()),
    ) {
        let mut planes = cropped(&PHOTO, (place.0 * 2, place.1 * 2), size);
        if let Some(mut state) = noise {
            for sample in &mut planes.luma.samples {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *sample = sample.wrapping_add((state >> 58) as u8);
            }
        }
        let tune = |config: &mut WebPConfig| {
            config.quality = quality.into();
            (config.method, config.segments, config.partitions) = (method, segments, partitions);
            (config.filter_type, config.filter_strength, config.filter_sharpness) = filter;
            config.sns_strength = shaping;
        };
        assert_alike(&peer::encoded(&planes, tune), "these settings");
    }
}

/// Says how long both take: `ROUNDS=40` and `--nocapture` in a release build on a quiet machine make it mean something.
#[test]
#[expect(clippy::print_stdout, reason = "it is run to be read")]
fn speed_can_be_told() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1);
    let photo = tiled(&PHOTO, 3);
    for quality in [50.0, 75.0, 90.0] {
        let file = peer::encoded(&photo, |config| config.quality = quality);
        let frame = frame(&file);
        let (mut ours, mut theirs) = (f64::MAX, f64::MAX);
        let least = |least: &mut f64, work: &dyn Fn() -> bool| {
            let begin = Instant::now();
            assert!(work());
            *least = least.min(begin.elapsed().as_secs_f64() * 1e3);
        };
        for _ in 0..rounds {
            least(&mut ours, &|| read(frame, &Deadline::never()).is_ok());
            least(&mut theirs, &|| peer::is_decoded(&file));
        }
        let (width, height, bytes) = (photo.luma.width, photo.luma.height, file.len());
        let times = ours / theirs;
        println!(
            "{width} x {height}, quality {quality}, {bytes} bytes: {ours:.2} ms, libwebp {theirs:.2} ms, x {times:.2}"
        );
    }
}
