//! AVIF, HEIC and JPEG XL that are damaged, cut short or move.

use super::*;
use crate::testing::golden;

const FILES: [&str; 9] = [
    "scene.avif",
    "small-10.avif",
    "veil.avif",
    "scene.heic",
    "veil.heic",
    "scene.jxl",
    "small-lossless.jxl",
    "small-16.jxl",
    "veil.jxl",
];

fn whole(source: &[u8], deadline: &Deadline) -> Result<usize, Error> {
    let header = sniff::header(source)?;
    Limits::default().check_header(&header)?;
    let options = Options { frames: Wanted::All, ..Options::default() };
    let decoded = decode(source, &header, &Limits::default(), deadline, &options)?;
    decoded.frames.map(|frame| frame.map(|_| 1)).sum()
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for name in FILES {
        let source = golden(name);
        assert_eq!(whole(&source, &Deadline::never()), Ok(1), "{name}");
        for percent in [0, 1, 5, 10, 30, 50, 70, 90, 97] {
            let part = &source[..source.len() * percent / 100];
            let outcome = whole(part, &Deadline::never());
            let is_refused = matches!(outcome, Err(Error::Undecodable { .. } | Error::UnknownFormat { .. }));
            assert!(is_refused, "{name} {percent} %: {outcome:?}");
        }
    }
}

#[test]
fn flipped_bits_end_in_a_picture_or_an_error() {
    let mut state = 5_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for name in FILES {
        let source = golden(name);
        for round in 0..40 {
            let mut damaged = source.clone();
            for _ in 0..=round % 4 {
                let at = next(damaged.len());
                damaged[at] ^= 1 << next(8);
            }
            let outcome = whole(&damaged, &Deadline::never());
            let is_lost = matches!(outcome, Err(Error::Panicked | Error::Deadline));
            assert!(!is_lost, "{name}, round {round}: {outcome:?}");
        }
    }
}

#[test]
fn frames_of_a_jpeg_xl_are_counted_and_come_one_by_one() {
    let source = fixture("modern/jxl-animation_distance_1_0.jxl");
    let header = sniff::header(&source).unwrap();
    assert_eq!((header.width, header.height, header.frames, header.has_alpha), (60, 105, 4, true));
    let options = Options { frames: Wanted::All, ..Options::default() };
    let decoded = decode(&source, &header, &Limits::default(), &Deadline::never(), &options).unwrap();
    let frames: Vec<FrameOf> = decoded.frames.map(Result::unwrap).collect();
    assert_eq!(frames.len(), 4);
    assert!(frames.iter().all(|frame| frame.delay_ms > 0 && frame.frame.layout == Layout::Rgba));
    assert!(frames.windows(2).all(|pair| pair[0].frame.pixels != pair[1].frame.pixels));
    assert_eq!(whole(&source[..source.len() * 3 / 4], &Deadline::never()).ok(), None);
}

#[test]
fn a_jpeg_xl_says_how_it_is_turned() {
    let source = fixture("modern/jxl-orientation6_rotate_90_cw.jxl");
    let header = sniff::header(&source).unwrap();
    let options = Options::default();
    let decoded = decode(&source, &header, &Limits::default(), &Deadline::never(), &options).unwrap();
    assert_eq!(decoded.orientation, Orientation::Rotate90);
    let frame = decoded.first().unwrap();
    assert_eq!((frame.width, frame.height), (header.width, header.height));
}

#[test]
fn a_jpeg_xl_past_its_deadline_stops() {
    let deadline = Deadline::never();
    deadline.cancel();
    assert_eq!(whole(&golden("scene.jxl"), &deadline), Err(Error::Deadline));
}

#[test]
fn a_jpeg_xl_is_held_to_the_size_that_was_judged() {
    let source = golden("scene.jxl");
    let header = sniff::header(&source).unwrap();
    let other = Header { width: header.width + 1, ..header };
    let outcome = first(&source, &other, &Limits::default()).map(|frame| frame.width);
    assert_eq!(outcome, Err(Error::Undecodable { reason: "it names two different sizes" }));
}
