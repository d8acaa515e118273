use super::*;
use crate::frame::Layout;

const FORMATS: [Format; 6] =
    [Format::Jpeg, Format::Png, Format::Webp, Format::Avif, Format::Gif, Format::Jxl];

#[test]
fn every_format_begins_as_its_readers_expect() {
    let deadline = Deadline::never();
    let frame = testing::picture(20, 10, Layout::Rgba);
    let starts: [&[u8]; 6] =
        [b"\xFF\xD8\xFF", b"\x89PNG", b"RIFF", b"\0\0\0\x20ftypavif", b"GIF89a", b"\xFF\x0A"];
    for (format, start) in FORMATS.into_iter().zip(starts) {
        let file = encode(Picture::Frame(&frame), format, &testing::settings(&deadline)).unwrap();
        assert!(file.starts_with(start), "{format:?}: {:?}", &file[..16]);
    }
}

#[test]
fn only_some_formats_are_animated() {
    let deadline = Deadline::never();
    let settings = testing::settings(&deadline);
    for format in FORMATS {
        let Some(mut animation) = Animation::new(format, &settings, 0) else {
            assert!(!matches!(format, Format::Webp | Format::Gif));
            continue;
        };
        animation.push(testing::picture(20, 10, Layout::Rgb), 50).unwrap();
        animation.push(testing::picture(20, 10, Layout::Rgb).clone(), 50).unwrap();
        assert!(animation.finish().unwrap().len() > 100);
    }
}

#[test]
fn estimates_grow_with_pixels_and_effort() {
    let deadline = Deadline::never();
    let settings = testing::settings(&deadline);
    for format in FORMATS {
        let of = |pixels, effort| estimate(format, pixels, &Settings { effort, ..settings.clone() });
        assert_eq!(of(0, Effort::Best), Duration::ZERO);
        assert!(of(1_000_000, Effort::Fast) <= of(1_000_000, Effort::Normal));
        assert!(of(1_000_000, Effort::Normal) <= of(1_000_000, Effort::Best));
        assert!(of(1_000_000, Effort::Normal) < of(12_000_000, Effort::Normal));
    }
    let of = |format| estimate(format, 1_000_000, &settings);
    assert!(of(Format::Jpeg) < of(Format::Webp) && of(Format::Webp) < of(Format::Avif));
}
