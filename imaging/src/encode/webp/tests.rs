#![expect(clippy::cast_possible_truncation, reason = "pixels are made of numbers, cut to size")]

use image::AnimationDecoder as _;
use image::ImageDecoder as _;
use image::codecs::webp::WebPDecoder;

use super::*;
use crate::Deadline;
use crate::encode::Subsampling;
use crate::encode::testing::{self, SIZES, difference, picture, planes};

const LAYOUTS: [Layout; 4] = [Layout::Grey, Layout::GreyAlpha, Layout::Rgb, Layout::Rgba];

#[test]
fn every_size_and_kind_comes_back() {
    let deadline = Deadline::never();
    for (width, height) in SIZES {
        for layout in LAYOUTS {
            let frame = picture(width, height, layout);
            let settings = testing::settings(&deadline);
            let file = encode(Picture::Frame(&frame), &settings).unwrap();
            let found = difference(&frame, &file);
            assert!(found < 4.5, "{width}x{height} {layout:?}: {found}");
            let settings = Settings { lossless: true, effort: Effort::Fast, ..settings };
            let file = encode(Picture::Frame(&frame), &settings).unwrap();
            assert!(difference(&frame, &file) < 0.001, "{width}x{height} {layout:?}");
        }
    }
}

#[test]
fn planes_are_near_the_pixels() {
    let deadline = Deadline::never();
    let settings = testing::settings(&deadline);
    let frame = testing::photo();
    let wanted = difference(&frame, &encode(Picture::Frame(&frame), &settings).unwrap());
    for halved in [false, true] {
        let planes = planes(&frame, halved);
        let found = difference(&frame, &encode(Picture::Planes(&planes), &settings).unwrap());
        assert!(found < wanted + 0.3, "{found}, {wanted}");
    }
    let grey = picture(33, 17, Layout::Grey);
    let file = encode(Picture::Planes(&planes(&grey, true)), &settings).unwrap();
    assert!(difference(&grey, &file) < 3.0);
}

#[test]
fn black_white_and_colours_keep_their_range() {
    let deadline = Deadline::never();
    let settings = testing::settings(&deadline);
    for colour in [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 0, 255], [0, 255, 0], [128, 128, 128]] {
        let frame = Frame { width: 16, height: 16, layout: Layout::Rgb, pixels: colour.repeat(256) };
        for picture in [Picture::Frame(&frame), Picture::Planes(&planes(&frame, true))] {
            let found = difference(&frame, &encode(picture, &settings).unwrap());
            assert!(found < 2.0, "{colour:?}: {found}");
        }
    }
}

#[test]
fn hidden_colours_do_not_bleed() {
    // magenta under full transparency next to green
    let pixels = (0..64).flat_map(|n| if n % 2 == 0 { [255, 0, 255, 0] } else { [0, 160, 0, 255] }).collect();
    let frame = Frame { width: 8, height: 8, layout: Layout::Rgba, pixels };
    let deadline = Deadline::never();
    let file = encode(Picture::Frame(&frame), &testing::settings(&deadline)).unwrap();
    let found = difference(&frame, &file);
    assert!(found < 4.0, "{found}");
}

#[test]
fn a_better_quality_has_more_bytes_and_is_nearer() {
    let deadline = Deadline::never();
    let frame = testing::photo();
    testing::each_is_nearer(&[5, 30, 60, 80, 90, 100], |quality| {
        let settings = Settings { quality, ..testing::settings(&deadline) };
        let file = encode(Picture::Frame(&frame), &settings).unwrap();
        (file.len(), difference(&frame, &file))
    });
}

#[test]
fn metadata_is_found_again() {
    let deadline = Deadline::never();
    let exif = b"II*\0\x08\0\0\0\0\0\0\0\0\0";
    for layout in LAYOUTS {
        for lossless in [false, true] {
            let settings =
                Settings { icc: Some(b"odd"), exif: Some(exif), lossless, ..testing::settings(&deadline) };
            let frame = picture(9, 5, layout);
            let file = encode(Picture::Frame(&frame), &settings).unwrap();
            let mut decoder = WebPDecoder::new(std::io::Cursor::new(&file)).unwrap();
            assert_eq!(decoder.icc_profile().unwrap().as_deref(), Some(&b"odd"[..]));
            assert_eq!(decoder.exif_metadata().unwrap().as_deref(), Some(&exif[..]));
            assert!(difference(&frame, &file) < 5.0);
        }
    }
}

fn animation(frames: &[(Frame, u32)], loops: u16, settings: &Settings<'_>) -> Result<Vec<u8>, Error> {
    let mut animation = Animation::new(settings, loops);
    for (frame, duration_ms) in frames {
        animation.push(frame.clone(), *duration_ms)?;
    }
    animation.finish()
}

/// A square that moves over a soft ground.
fn moving(count: usize, layout: Layout) -> Vec<(Frame, u32)> {
    (0..count)
        .map(|n| {
            let mut frame = picture(41, 23, layout);
            let channels = layout.channels();
            for y in n..n + 5 {
                let start = (y * 41 + n * 3) * channels;
                frame.pixels[start..start + 5 * channels].fill(if n % 2 == 0 { 255 } else { 60 });
            }
            (frame, 40 + 10 * n as u32)
        })
        .collect()
}

#[test]
fn animations_come_back() {
    let deadline = Deadline::never();
    for layout in LAYOUTS {
        for lossless in [false, true] {
            let settings = Settings { lossless, ..testing::settings(&deadline) };
            let frames = moving(6, layout);
            let file = animation(&frames, 3, &settings).unwrap();
            let decoder = WebPDecoder::new(std::io::Cursor::new(&file)).unwrap();
            assert!(decoder.has_animation());
            let found = decoder.into_frames().collect_frames().unwrap();
            assert_eq!(found.len(), frames.len());
            for ((frame, duration_ms), found) in frames.iter().zip(&found) {
                assert_eq!(found.delay().numer_denom_ms(), (*duration_ms, 1));
                let png = testing::png(found.buffer());
                let distance = difference(frame, &png);
                assert!(distance < if lossless { 0.001 } else { 5.0 }, "{layout:?} {lossless}: {distance}");
            }
            assert_eq!(file[testing::position(&file, b"ANIM").unwrap() + 12..][..2], [3, 0]);
        }
    }
}

#[test]
fn frames_without_a_difference_lengthen_the_one_before() {
    let deadline = Deadline::never();
    let mut frames = moving(2, Layout::Rgb);
    frames.insert(1, (frames[0].0.clone(), 1_000));
    let file = animation(&frames, 0, &testing::settings(&deadline)).unwrap();
    let decoder = WebPDecoder::new(std::io::Cursor::new(&file)).unwrap();
    let found = decoder.into_frames().collect_frames().unwrap();
    assert_eq!(found.iter().map(|frame| frame.delay().numer_denom_ms().0).collect::<Vec<_>>(), [1_040, 50]);
}

#[test]
fn what_it_refuses() {
    let deadline = Deadline::never();
    let settings = testing::settings(&deadline);
    assert!(animation(&[], 0, &settings).is_err());
    let mixed = [(picture(4, 4, Layout::Rgb), 1), (picture(4, 5, Layout::Rgb), 1)];
    assert!(matches!(animation(&mixed, 0, &settings), Err(Error::Unencodable { .. })));
    let long = picture(16_384, 1, Layout::Grey);
    let too_long = Error::SideTooLong { side: 16_384, max: 16_383 };
    assert_eq!(encode(Picture::Frame(&long), &settings), Err(too_long));
    let cmyk = picture(8, 8, Layout::Cmyk);
    for lossless in [false, true] {
        let settings = Settings { lossless, ..settings.clone() };
        assert!(matches!(encode(Picture::Frame(&cmyk), &settings), Err(Error::Unencodable { .. })));
    }
    let mut short = planes(&picture(9, 9, Layout::Rgb), true);
    short.luma.samples.pop();
    let settings = Settings { chroma: Subsampling::Quarter, ..settings };
    assert!(matches!(encode(Picture::Planes(&short), &settings), Err(Error::Unencodable { .. })));
}

#[test]
fn a_deadline_ends_it_within() {
    let deadline = Deadline::at(tokio::time::Instant::now() + std::time::Duration::from_millis(30));
    let settings = Settings { effort: Effort::Best, ..testing::settings(&deadline) };
    let frame = picture(3_000, 3_000, Layout::Rgb);
    let before = tokio::time::Instant::now();
    assert_eq!(encode(Picture::Frame(&frame), &settings), Err(Error::Deadline));
    assert!(before.elapsed() < std::time::Duration::from_secs(4));
}
