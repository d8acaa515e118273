#![expect(clippy::cast_possible_truncation, reason = "pixels are made of numbers, cut to size")]

use image::ImageDecoder as _;

use super::*;
use crate::Deadline;
use crate::encode::testing::{self, SIZES, difference, picture};

const LAYOUTS: [Layout; 4] = [Layout::Grey, Layout::GreyAlpha, Layout::Rgb, Layout::Rgba];

fn kind(file: &[u8]) -> (u8, u8) {
    (file[24], file[25])
}

#[test]
fn every_size_and_kind_comes_back_exactly() {
    let deadline = Deadline::never();
    for (width, height) in SIZES {
        for layout in LAYOUTS {
            for effort in [Effort::Fast, Effort::Normal, Effort::Best] {
                let frame = picture(width, height, layout);
                let settings = Settings { lossless: true, effort, ..testing::settings(&deadline) };
                let file = encode(Picture::Frame(&frame), &settings).unwrap();
                assert!(difference(&frame, &file) < 1e-9, "{width}x{height} {layout:?}");
            }
        }
    }
}

#[test]
fn lossy_is_smaller_and_near() {
    let deadline = Deadline::never();
    let opaque = testing::photo();
    let mut soft = picture(300, 200, Layout::Rgba);
    soft.pixels[..3_000].fill(0);
    for frame in [&opaque, &soft] {
        let length = |quality, lossless| {
            let settings = Settings { quality, lossless, ..testing::settings(&deadline) };
            let file = encode(Picture::Frame(frame), &settings).unwrap();
            (file.len(), difference(frame, &file))
        };
        let exact = length(100, true);
        assert_eq!(length(100, false), exact);
        let mut before = (0, f64::MAX);
        for quality in [1, 20, 50, 80] {
            let after = length(quality, false);
            assert!(after.0 > before.0 && after.1 < before.1, "{quality}: {before:?} {after:?}");
            before = after;
        }
        assert!(before.0 < exact.0 && before.1 < 7.0, "{before:?} {exact:?}");
    }
}

#[test]
fn few_colours_get_a_palette_of_few_bits() {
    let deadline = Deadline::never();
    let settings = Settings { lossless: true, ..testing::settings(&deadline) };
    for (colours, depth) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8), (256, 8)] {
        let pixels = (0..33 * 31_usize)
            .flat_map(|n| [(n % colours) as u8, 7, 250, 255 - (n % colours) as u8])
            .collect();
        let frame = Frame { width: 33, height: 31, layout: Layout::Rgba, pixels };
        let file = encode(Picture::Frame(&frame), &settings).unwrap();
        assert_eq!(kind(&file), (depth, 3), "{colours}");
        assert!(difference(&frame, &file) < 1e-9);
    }
}

#[test]
fn grey_in_colour_is_written_as_grey() {
    let deadline = Deadline::never();
    let settings = Settings { lossless: true, ..testing::settings(&deadline) };
    let pixels =
        (0..100 * 40_u32).flat_map(|n| [(n % 256) as u8, (n % 256) as u8, (n % 256) as u8, (n / 40) as u8]);
    let frame = Frame { width: 100, height: 40, layout: Layout::Rgba, pixels: pixels.collect() };
    let file = encode(Picture::Frame(&frame), &settings).unwrap();
    assert_eq!(kind(&file), (8, 4));
    assert!(difference(&frame, &file) < 1e-9);
}

#[test]
fn metadata_is_found_again() {
    let deadline = Deadline::never();
    let exif = b"II*\0\x08\0\0\0\0\0\0\0\0\0";
    for lossless in [false, true] {
        let settings =
            Settings { icc: Some(b"profile"), exif: Some(exif), lossless, ..testing::settings(&deadline) };
        let file = encode(Picture::Frame(&picture(40, 40, Layout::Rgb)), &settings).unwrap();
        let mut decoder = image::codecs::png::PngDecoder::new(std::io::Cursor::new(&file)).unwrap();
        assert_eq!(decoder.icc_profile().unwrap().as_deref(), Some(&b"profile"[..]));
        assert_eq!(decoder.exif_metadata().unwrap().as_deref(), Some(&exif[..]));
    }
}

#[test]
fn what_it_refuses() {
    let deadline = Deadline::never();
    let settings = testing::settings(&deadline);
    let cmyk = picture(8, 8, Layout::Cmyk);
    assert!(matches!(encode(Picture::Frame(&cmyk), &settings), Err(Error::Unencodable { .. })));
    let planes = testing::planes(&picture(8, 8, Layout::Rgb), true);
    assert!(matches!(encode(Picture::Planes(&planes), &settings), Err(Error::Unencodable { .. })));
    deadline.cancel();
    assert_eq!(encode(Picture::Frame(&picture(8, 8, Layout::Rgb)), &settings), Err(Error::Deadline));
}
