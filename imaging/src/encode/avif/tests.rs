use super::*;
use crate::Deadline;
use crate::encode::testing::{self, SIZES, picture, planes, position};

#[expect(unsafe_code, reason = "libaom is C; see the module")]
mod decoder;

const LAYOUTS: [Layout; 4] = [Layout::Grey, Layout::GreyAlpha, Layout::Rgb, Layout::Rgba];

/// What a box of the name holds, the first in the file.
fn body<'f>(file: &'f [u8], name: &[u8; 4]) -> &'f [u8] {
    let place = position(file, name).unwrap();
    let length = u32::from_be_bytes(*file[place - 4..].first_chunk().unwrap()) as usize;
    &file[place + 4..place - 4 + length]
}

/// The items' bytes by their identifiers.
fn items(file: &[u8]) -> Vec<(u16, &[u8])> {
    let (entries, _) = body(file, b"iloc")[8..].as_chunks::<14>();
    let word = |bytes: &[u8]| u32::from_be_bytes(*bytes.first_chunk().unwrap()) as usize;
    let item = |entry: &[u8; 14]| {
        let (start, length) = (word(&entry[6..]), word(&entry[10..]));
        (u16::from_be_bytes([entry[0], entry[1]]), &file[start..start + length])
    };
    entries.iter().map(item).collect()
}

/// Decodes and gives the mean absolute difference of all samples, those of alpha counted as one channel more.
fn difference(wanted: &[Vec<u8>], alpha: Option<&[u8]>, file: &[u8]) -> f64 {
    let items = items(file);
    let found = decoder::planes(items[0].1);
    let mut pairs: Vec<(&[u8], Vec<u8>)> = wanted.iter().map(Vec::as_slice).zip(found).collect();
    if let Some(alpha) = alpha {
        assert_eq!(items[1].0, 2);
        pairs.push((alpha, decoder::planes(items[1].1).swap_remove(0)));
    }
    let mut sum = 0.0;
    for (wanted, found) in &pairs {
        assert_eq!(wanted.len(), found.len());
        let distances: u32 =
            wanted.iter().zip(found).map(|(one, other)| u32::from(one.abs_diff(*other))).sum();
        sum += f64::from(distances) / wanted.len() as f64;
    }
    sum / pairs.len() as f64
}

#[test]
fn every_size_and_kind_comes_back() {
    let deadline = Deadline::never();
    for (width, height) in SIZES {
        for layout in LAYOUTS {
            for chroma in [Subsampling::Full, Subsampling::Quarter] {
                let frame = picture(width, height, layout);
                let settings = Settings { chroma, effort: Effort::Fast, ..testing::settings(&deadline) };
                let file = encode(Picture::Frame(&frame), &settings).unwrap();
                let planes = match (layout, chroma) {
                    (Layout::Grey | Layout::GreyAlpha, _) => {
                        vec![ycc::halved_planes(&frame, Range::Full).into_iter().next().unwrap()]
                    }
                    (_, Subsampling::Full) => ycc::full_planes(&frame).to_vec(),
                    (_, Subsampling::Quarter) => ycc::halved_planes(&frame, Range::Full).to_vec(),
                };
                let found = difference(&planes, ycc::alpha(&frame).as_deref(), &file);
                assert!(found < 4.0, "{width}x{height} {layout:?} {chroma:?}: {found}");
            }
        }
    }
}

#[test]
fn lossless_is_exact() {
    let deadline = Deadline::never();
    for layout in [Layout::Grey, Layout::Rgb, Layout::Rgba] {
        let frame = picture(33, 21, layout);
        let settings = Settings { lossless: true, effort: Effort::Fast, ..testing::settings(&deadline) };
        let file = encode(Picture::Frame(&frame), &settings).unwrap();
        let channels = layout.channels();
        let channel = |n: usize| frame.pixels.iter().skip(n).step_by(channels).copied().collect::<Vec<u8>>();
        let planes =
            if layout == Layout::Grey { vec![channel(0)] } else { vec![channel(1), channel(2), channel(0)] };
        assert!(difference(&planes, ycc::alpha(&frame).as_deref(), &file) < 1e-9, "{layout:?}");
    }
}

#[test]
fn planes_are_written_as_they_are() {
    let deadline = Deadline::never();
    let frame = testing::photo();
    for (halved, chroma) in [(true, Subsampling::Quarter), (false, Subsampling::Full)] {
        let settings = Settings { effort: Effort::Fast, chroma, ..testing::settings(&deadline) };
        let of_frame = encode(Picture::Frame(&frame), &settings).unwrap();
        let of_planes = encode(Picture::Planes(&planes(&frame, halved)), &settings).unwrap();
        assert!(of_frame == of_planes);
    }
    let grey = picture(17, 9, Layout::Grey);
    let settings = Settings { effort: Effort::Fast, ..testing::settings(&deadline) };
    let file = encode(Picture::Planes(&planes(&grey, true)), &settings).unwrap();
    assert!(difference(&[grey.pixels], None, &file) < 3.0);
}

#[test]
fn a_better_quality_has_more_bytes_and_is_nearer() {
    let deadline = Deadline::never();
    let frame = testing::photo();
    let planes = ycc::full_planes(&frame).to_vec();
    testing::each_is_nearer(&[5, 30, 50, 70, 90, 100], |quality| {
        let settings = Settings { quality, effort: Effort::Fast, ..testing::settings(&deadline) };
        let file = encode(Picture::Frame(&frame), &settings).unwrap();
        (file.len(), difference(&planes, None, &file))
    });
}

#[test]
fn the_file_says_what_is_in_it() {
    let deadline = Deadline::never();
    let frame = picture(40, 30, Layout::Rgba);
    let exif = b"II*\0\x08\0\0\0\0\0\0\0\0\0";
    let settings = Settings {
        icc: Some(b"a profile"),
        exif: Some(exif),
        effort: Effort::Fast,
        chroma: Subsampling::Quarter,
        ..testing::settings(&deadline)
    };
    let file = encode(Picture::Frame(&frame), &settings).unwrap();
    assert_eq!(file[4..12], *b"ftypavif");
    assert_eq!(body(&file, b"ispe"), [0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 30]);
    let record = body(&file, b"av1C");
    assert_eq!((record[0], record[1] >> 5, record[2]), (0x81, 0, 0x0C));
    assert_eq!(body(&file, b"colr"), b"profa profile");
    assert!(position(&file, b"nclx\0\x02\0\x02\0\x06\x80").is_some());
    let items = items(&file);
    assert_eq!(items.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(items[2].1, [&[0; 4], &exif[..]].concat());
    let plain = Settings { icc: None, exif: None, ..settings };
    let file = encode(Picture::Frame(&picture(40, 30, Layout::Rgb)), &plain).unwrap();
    assert_eq!(body(&file, b"colr"), b"nclx\0\x01\0\x0D\0\x06\x80");
    assert_eq!(position(&file, b"iref"), None);
    assert_eq!(file.len(), position(&file, b"mdat").unwrap() + 4 + body(&file, b"mdat").len());
}

#[test]
fn what_it_refuses() {
    let deadline = Deadline::never();
    let settings = testing::settings(&deadline);
    let cmyk = picture(8, 8, Layout::Cmyk);
    assert!(matches!(encode(Picture::Frame(&cmyk), &settings), Err(Error::Unencodable { .. })));
    let long = picture(16_385, 1, Layout::Grey);
    assert_eq!(
        encode(Picture::Frame(&long), &settings),
        Err(Error::SideTooLong { side: 16_385, max: 16_384 })
    );
    let mut odd = planes(&picture(16, 16, Layout::Rgb), true);
    odd.chroma.as_mut().unwrap()[0].samples.pop();
    assert!(matches!(encode(Picture::Planes(&odd), &settings), Err(Error::Unencodable { .. })));
    deadline.cancel();
    let settings = testing::settings(&deadline);
    assert_eq!(encode(Picture::Frame(&picture(8, 8, Layout::Rgb)), &settings), Err(Error::Deadline));
}

#[test]
fn what_cannot_be_ready_in_time_is_not_begun() {
    let deadline = Deadline::at(tokio::time::Instant::now() + std::time::Duration::from_secs(30));
    let tried = |side: u32, effort| {
        let frame = Frame {
            width: side,
            height: side,
            layout: Layout::Grey,
            pixels: vec![0; (side * side) as usize],
        };
        encode(Picture::Frame(&frame), &Settings { effort, ..testing::settings(&deadline) })
    };
    assert!(tried(64, Effort::Fast).is_ok());
    assert_eq!(tried(6_500, Effort::Best), Err(Error::Deadline));
}
