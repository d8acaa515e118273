use super::*;
use crate::Deadline;
use crate::encode::testing::{self, SIZES, difference, picture, planes, position};
use crate::frame::{Frame, Layout};

fn variants<'s>(base: &Settings<'s>) -> Vec<Settings<'s>> {
    let mut variants = Vec::new();
    for progressive in [false, true] {
        for effort in [Effort::Fast, Effort::Normal] {
            for chroma in [Subsampling::Full, Subsampling::Quarter] {
                variants.push(Settings { progressive, effort, chroma, ..base.clone() });
            }
        }
    }
    variants
}

#[test]
fn every_size_and_kind_comes_back() {
    let deadline = Deadline::never();
    for (width, height) in SIZES {
        for layout in [Layout::Grey, Layout::Rgb] {
            let frame = picture(width, height, layout);
            for settings in variants(&testing::settings(&deadline)) {
                let file = encode(Picture::Frame(&frame), &settings).unwrap();
                let found = difference(&frame, &file);
                assert!(found < 4.0, "{width}x{height} {layout:?} {settings:?}: {found}");
            }
        }
    }
}

#[test]
fn planes_are_written_as_they_are() {
    let deadline = Deadline::never();
    let frame = testing::photo();
    for settings in variants(&testing::settings(&deadline)) {
        let of_frame = encode(Picture::Frame(&frame), &settings).unwrap();
        let planes = planes(&frame, settings.chroma == Subsampling::Quarter);
        assert!(of_frame == encode(Picture::Planes(&planes), &settings).unwrap(), "{settings:?}");
    }
    for (width, height) in SIZES {
        let frame = picture(width, height, Layout::Rgb);
        let file = encode(Picture::Planes(&planes(&frame, true)), &testing::settings(&deadline)).unwrap();
        assert!(difference(&frame, &file) < 4.0);
    }
}

#[test]
fn chroma_may_be_halved_one_way_or_both() {
    let deadline = Deadline::never();
    let settings = testing::settings(&deadline);
    let frame = picture(37, 21, Layout::Rgb);
    let full = planes(&frame, false);
    let reduced = Settings { chroma: Subsampling::Quarter, ..settings.clone() };
    let file = encode(Picture::Planes(&full), &reduced).unwrap();
    assert_eq!(
        file,
        encode(Picture::Planes(&full), &Settings { effort: Effort::Best, ..reduced.clone() }).unwrap()
    );
    assert!(difference(&frame, &file) < 4.0);
    let mut wide = full;
    for plane in wide.chroma.iter_mut().flatten() {
        plane.samples = plane.samples.chunks(37).flat_map(|row| row.chunks(2).map(|two| two[0])).collect();
        plane.width = 19;
    }
    for settings in [&settings, &reduced] {
        let file = encode(Picture::Planes(&wide), settings).unwrap();
        assert!(difference(&frame, &file) < 5.0);
    }
    for plane in wide.chroma.iter_mut().flatten() {
        plane.width = 18;
    }
    assert!(matches!(encode(Picture::Planes(&wide), &settings), Err(Error::Unencodable { .. })));
}

#[test]
fn a_better_quality_has_more_bytes_and_is_nearer() {
    let deadline = Deadline::never();
    let frame = testing::photo();
    let last = testing::each_is_nearer(&[1, 10, 30, 50, 70, 80, 90, 95, 100], |quality| {
        let settings = Settings { quality, ..testing::settings(&deadline) };
        let file = encode(Picture::Frame(&frame), &settings).unwrap();
        (file.len(), difference(&frame, &file))
    });
    assert!(last < 0.8, "{last}");
}

#[test]
fn fitted_tables_and_progressive_scans_make_it_smaller() {
    let deadline = Deadline::never();
    let frame = testing::photo();
    let length = |effort, progressive| {
        let settings = Settings { effort, progressive, quality: 75, ..testing::settings(&deadline) };
        encode(Picture::Frame(&frame), &settings).unwrap().len()
    };
    assert!(length(Effort::Normal, false) < length(Effort::Fast, false));
    assert!(length(Effort::Normal, true) < length(Effort::Normal, false));
}

#[test]
fn metadata_is_found_again() {
    let deadline = Deadline::never();
    let profile: Vec<u8> = (0..150_000_u32).map(|n| (n % 251) as u8).collect();
    let exif = b"II*\0\x08\0\0\0\0\0\0\0\0\0";
    let settings = Settings { icc: Some(&profile), exif: Some(exif), ..testing::settings(&deadline) };
    let file = encode(Picture::Frame(&picture(20, 20, Layout::Rgb)), &settings).unwrap();
    let mut decoder = image::codecs::jpeg::JpegDecoder::new(std::io::Cursor::new(&file)).unwrap();
    use image::ImageDecoder as _;
    assert!(decoder.icc_profile().unwrap().as_deref() == Some(&profile));
    assert!(position(&file, b"Exif\0\0II*\0").is_some());
    assert!(position(&file, b"Adobe").is_none());
}

#[test]
fn what_it_refuses() {
    let deadline = Deadline::never();
    let settings = testing::settings(&deadline);
    let cmyk = picture(8, 8, Layout::Cmyk);
    assert!(matches!(encode(Picture::Frame(&cmyk), &settings), Err(Error::Unencodable { .. })));
    let long = picture(65_536, 1, Layout::Grey);
    let too_long = Error::SideTooLong { side: 65_536, max: 65_535 };
    assert_eq!(encode(Picture::Frame(&long), &settings), Err(too_long));
    let huge = vec![0; 70_000];
    let settings = Settings { exif: Some(&huge), ..settings };
    assert!(matches!(
        encode(Picture::Frame(&picture(8, 8, Layout::Rgb)), &settings),
        Err(Error::Unencodable { .. })
    ));
}

#[test]
fn a_passed_deadline_ends_it() {
    let deadline = Deadline::never();
    deadline.cancel();
    let frame = picture(64, 64, Layout::Rgb);
    for settings in variants(&testing::settings(&deadline)) {
        assert_eq!(encode(Picture::Frame(&frame), &settings), Err(Error::Deadline));
    }
}

#[test]
fn noise_of_the_worst_kind() {
    let deadline = Deadline::never();
    let mut state = 7_u32;
    let pixels = (0..3 * 96 * 96)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if state >> 31 == 0 { 0 } else { 255 }
        })
        .collect();
    let frame = Frame { width: 96, height: 96, layout: Layout::Rgb, pixels };
    for settings in variants(&Settings { quality: 100, ..testing::settings(&deadline) }) {
        let file = encode(Picture::Frame(&frame), &settings).unwrap();
        if settings.chroma == Subsampling::Full {
            assert!(difference(&frame, &file) < 1.5);
        }
    }
}
