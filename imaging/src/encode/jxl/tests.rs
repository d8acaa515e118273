use super::*;
use crate::Deadline;
use crate::encode::testing::{self, SIZES, picture, planes};
use crate::frame::Frame;
use crate::limits::Limits;
use crate::steps::{decode, sniff};

const LAYOUTS: [Layout; 4] = [Layout::Grey, Layout::GreyAlpha, Layout::Rgb, Layout::Rgba];

/// What a reader of other origin finds: pixels, profile and EXIF.
fn read(file: &[u8]) -> (Frame, Option<Vec<u8>>, Option<Vec<u8>>) {
    let header = sniff::header(file).unwrap();
    let deadline = Deadline::never();
    let options = decode::Options::default();
    let mut decoded = decode::decode(file, &header, &Limits::default(), &deadline, &options).unwrap();
    let (profile, exif) = (decoded.profile.take(), decoded.exif.take());
    (decoded.first().unwrap(), profile, exif)
}

/// Four channels of each pixel; colours that nobody sees are black.
fn shown(frame: &Frame) -> Vec<[u8; 4]> {
    let channels = frame.layout.channels();
    let wide = |pixel: &[u8]| match *pixel {
        [grey] => [grey, grey, grey, 255],
        [_, 0] | [_, _, _, 0] => [0; 4],
        [grey, alpha] => [grey, grey, grey, alpha],
        [red, green, blue] => [red, green, blue, 255],
        [red, green, blue, alpha] => [red, green, blue, alpha],
        _ => unreachable!(),
    };
    frame.pixels.chunks_exact(channels).map(wide).collect()
}

/// The mean absolute difference of the four channels.
fn difference(frame: &Frame, file: &[u8]) -> f64 {
    let found = read(file).0;
    assert_eq!((found.width, found.height), (frame.width, frame.height));
    let (wanted, found) = (shown(frame), shown(&found));
    let distances = wanted.as_flattened().iter().zip(found.as_flattened());
    let sum: u64 = distances.map(|(one, other)| u64::from(one.abs_diff(*other))).sum();
    sum as f64 / wanted.as_flattened().len() as f64
}

#[test]
fn every_size_and_kind_comes_back() {
    let deadline = Deadline::never();
    for (width, height) in SIZES {
        for layout in LAYOUTS {
            for effort in [Effort::Fast, Effort::Normal, Effort::Best] {
                let frame = picture(width, height, layout);
                let settings = Settings { effort, ..testing::settings(&deadline) };
                let found = difference(&frame, &encode(Picture::Frame(&frame), &settings).unwrap());
                assert!(found < 5.0, "{width}x{height} {layout:?} {effort:?}: {found}");
            }
        }
    }
}

#[test]
fn lossless_is_exact() {
    let deadline = Deadline::never();
    for layout in LAYOUTS {
        for effort in [Effort::Fast, Effort::Normal] {
            let frame = picture(33, 21, layout);
            let settings = Settings { lossless: true, effort, ..testing::settings(&deadline) };
            let file = encode(Picture::Frame(&frame), &settings).unwrap();
            assert!(difference(&frame, &file) < 1e-9, "{layout:?} {effort:?}");
        }
    }
}

#[test]
fn a_better_quality_has_more_bytes_and_is_nearer() {
    let deadline = Deadline::never();
    let frame = testing::photo();
    testing::each_is_nearer(&[5, 30, 50, 70, 90, 100], |quality| {
        let settings = Settings { quality, ..testing::settings(&deadline) };
        let file = encode(Picture::Frame(&frame), &settings).unwrap();
        (file.len(), difference(&frame, &file))
    });
}

#[test]
fn it_keeps_what_it_is_given() {
    let deadline = Deadline::never();
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let exif = b"II*\0\x08\0\0\0\0\0\0\0\0\0";
    let frame = picture(40, 30, Layout::Rgb);
    let settings =
        Settings { lossless: true, icc: Some(&profile), exif: Some(exif), ..testing::settings(&deadline) };
    let (pixels, found_profile, found_exif) = read(&encode(Picture::Frame(&frame), &settings).unwrap());
    assert!(shown(&pixels) == shown(&frame), "a profile says what pixels mean and changes none");
    assert_eq!(found_profile.as_deref(), Some(&profile[..]));
    assert_eq!(found_exif.as_deref(), Some(&exif[..]));
}

#[test]
fn what_it_refuses() {
    let deadline = Deadline::never();
    let settings = testing::settings(&deadline);
    let refused = |picture: Picture<'_>, settings: &Settings<'_>| encode(picture, settings).unwrap_err();
    let frame = picture(16, 16, Layout::Rgb);
    let cmyk = picture(8, 8, Layout::Cmyk);
    let in_planes = planes(&frame, true);
    let with_profile = Settings { icc: Some(b"a profile"), ..settings.clone() };
    for error in [
        refused(Picture::Frame(&cmyk), &settings),
        refused(Picture::Planes(&in_planes), &settings),
        refused(Picture::Frame(&frame), &with_profile),
    ] {
        assert!(matches!(error, Error::Unencodable { .. }), "{error}");
    }
    let side = 4_001;
    let pixels = vec![0; (side * side) as usize];
    let large = Frame { width: side, height: side, layout: Layout::Grey, pixels };
    for (lossless, max) in [(false, PIXELS_MAX), (true, LOSSLESS_PIXELS_MAX)] {
        let error = refused(Picture::Frame(&large), &Settings { lossless, ..settings.clone() });
        assert_eq!(error, Error::TooManyPixels { pixels: 16_008_001, max });
    }
    deadline.cancel();
    assert_eq!(refused(Picture::Frame(&frame), &testing::settings(&deadline)), Error::Deadline);
}

#[test]
fn what_cannot_be_ready_in_time_is_not_begun() {
    let deadline = Deadline::at(tokio::time::Instant::now() + std::time::Duration::from_secs(3));
    let tried = |side: u32, effort| {
        let pixels = vec![0; (side * side) as usize];
        let frame = Frame { width: side, height: side, layout: Layout::Grey, pixels };
        encode(Picture::Frame(&frame), &Settings { effort, ..testing::settings(&deadline) })
    };
    assert!(tried(64, Effort::Fast).is_ok());
    assert!(tried(3_900, Effort::Best) == Err(Error::Deadline));
}

/// Parts of a photo, of any size, kind and quality, cut and veiled at random.
#[test]
fn parts_of_a_photo_come_back() {
    const ROUNDS: u32 = 60;
    let deadline = Deadline::never();
    let photo = testing::photo();
    let mut state = 7_u32;
    let mut random = move |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    for _ in 0..ROUNDS {
        let (width, height) = (1 + random(photo.width.min(300)), 1 + random(photo.height.min(300)));
        let (left, top) = (random(photo.width - width + 1), random(photo.height - height + 1));
        let layout = LAYOUTS[random(4) as usize];
        let (veil, shift) = (random(4), random(64));
        let at = |x: u32, y: u32| {
            let start = size((top + y) * photo.width + left + x) * 3;
            let colour = &photo.pixels[start..start + 3];
            let alpha = match veil {
                0 => 255,
                1 => {
                    if (x + y) % 37 < 9 {
                        0
                    } else {
                        255
                    }
                }
                2 => u8::try_from((x * 3 + y + shift) % 256).unwrap(),
                _ => {
                    if x < width / 2 {
                        255
                    } else {
                        128
                    }
                }
            };
            match layout {
                Layout::Grey => vec![colour[1]],
                Layout::GreyAlpha => vec![colour[1], alpha],
                Layout::Rgb => colour.to_vec(),
                _ => [colour, &[alpha]].concat(),
            }
        };
        let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| at(x, y))).collect();
        let frame = Frame { width, height, layout, pixels };
        let effort = [Effort::Fast, Effort::Normal, Effort::Best][random(3) as usize];
        let quality = u8::try_from(60 + random(41)).unwrap();
        let lossless = random(5) == 0;
        let settings = Settings { effort, quality, lossless, ..testing::settings(&deadline) };
        let file = encode(Picture::Frame(&frame), &settings).unwrap();
        let found = difference(&frame, &file);
        let what = format!(
            "{width}x{height} of {left}, {top}, {layout:?}, veil {veil}, {effort:?}, {quality}, {lossless}"
        );
        assert!(found < if lossless { 1e-9 } else { 14.0 }, "{what}: {found}");
    }
}
