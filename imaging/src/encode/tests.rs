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
fn a_grey_picture_with_a_profile_is_in_three_colours() {
    let deadline = Deadline::never();
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let plain = testing::settings(&deadline);
    let settings = Settings { icc: Some(&profile), ..plain.clone() };
    // too few pixels for a palette; the kind of pixels in a PNG's header (its section 11.2.1)
    let kind = |layout, settings: &Settings<'_>| {
        let frame = testing::picture(7, 9, layout);
        encode(Picture::Frame(&frame), Format::Png, settings).unwrap()[25]
    };
    assert_eq!([Layout::Grey, Layout::GreyAlpha].map(|layout| kind(layout, &plain)), [0, 4]);
    assert!(
        [Layout::Grey, Layout::GreyAlpha].iter().all(|layout| [2, 6].contains(&kind(*layout, &settings)))
    );
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
