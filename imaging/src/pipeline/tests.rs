//! Renderings of real, hostile and broken files.

use image::codecs::jpeg::JpegEncoder;

use super::*;
use crate::testing::{decoded, difference, fixture, pixels, png_claiming, rendered};

mod profiles;
mod searches;
mod webp;

#[test]
fn all_orientations_look_the_same() {
    let upright = pixels("orient/landscape_1.jpg", "w=90");
    assert_eq!(upright.dimensions(), (90, 68));
    for value in 2..=8 {
        let turned = pixels(&format!("orient/landscape_{value}.jpg"), "w=90");
        let difference = difference(&upright, &turned);
        assert!(difference < 4.0, "orientation {value}: differs by {difference}");
    }
}

#[test]
fn all_orientations_are_cropped_and_padded_alike() {
    for options in ["w=60,h=80,fit=cover", "w=60,h=80,fit=pad,background=ff0000"] {
        let upright = pixels("orient/landscape_1.jpg", options);
        assert_eq!(upright.dimensions(), (60, 80));
        for value in 2..=8 {
            let turned = pixels(&format!("orient/landscape_{value}.jpg"), options);
            let difference = difference(&upright, &turned);
            assert!(difference < 6.0, "orientation {value}, {options}: differs by {difference}");
        }
    }
}

#[test]
fn the_source_size_is_the_one_seen() {
    let upright = rendered(&fixture("orient/landscape_1.jpg"), "w=90").unwrap();
    let turned = rendered(&fixture("orient/landscape_6.jpg"), "w=90").unwrap();
    assert_eq!((turned.source_width, turned.source_height), (upright.source_width, upright.source_height));
}

#[test]
fn the_result_has_the_size_asked_for() {
    let source = fixture("orient/landscape_1.jpg");
    let full = rendered(&source, "f=jpeg").unwrap();
    assert_eq!((full.width, full.height), (full.source_width, full.source_height));
    for (options, size) in [
        ("w=90,h=90", (90, 68)),
        ("w=90,h=90,fit=contain", (90, 68)),
        ("w=90,h=90,fit=cover", (90, 90)),
        ("w=90,h=90,fit=pad", (90, 90)),
        ("h=68", (91, 68)),
        ("w=45,dpr=2", (90, 68)),
        ("w=5000", (full.source_width, full.source_height)),
    ] {
        let result = rendered(&source, options).unwrap();
        assert_eq!((result.width, result.height), size, "{options}");
        decoded(&result);
    }
}

#[test]
fn the_format_is_the_one_announced() {
    let source = fixture("photo/photo-grey.jpg");
    for (options, content_type, start) in [
        ("f=jpeg,w=40", "image/jpeg", b"\xff\xd8\xff".as_slice()),
        ("f=png,w=40", "image/png", b"\x89PNG"),
        ("f=webp,w=40", "image/webp", b"RIFF"),
        ("w=40", "image/jpeg", b"\xff\xd8\xff"),
    ] {
        let result = rendered(&source, options).unwrap();
        assert_eq!(result.content_type, content_type, "{options}");
        assert!(result.bytes.starts_with(start), "{options}");
    }
}

#[test]
fn quality_changes_the_size_in_bytes() {
    let source = fixture("orient/landscape_1.jpg");
    for format in ["jpeg", "webp"] {
        let bytes =
            |quality| rendered(&source, &format!("w=300,f={format},q={quality}")).unwrap().bytes.len();
        assert!(bytes(20) * 2 < bytes(95), "{format}");
    }
}

#[test]
fn hidden_colour_does_not_bleed_out() {
    for options in ["w=20", "w=7", "w=200,fit=contain"] {
        let image = pixels("png/fringe-test-magenta-under-alpha.png", options);
        let bled = image.pixels().find(|pixel| {
            let [red, green, blue, alpha] = pixel.0;
            // magenta: red and blue well above green
            alpha > 8 && red > green.saturating_add(24) && blue > green.saturating_add(24)
        });
        assert_eq!(bled, None, "{options}");
    }
}

#[test]
fn transparency_survives_where_it_can() {
    for name in ["modern/alpha-lossless.webp", "modern/alpha-lossy.webp", "png/palette-alpha.png"] {
        for (format, transparent) in [("webp", true), ("png", true), ("jpeg", false)] {
            let image = decoded(&rendered(&fixture(name), &format!("w=50,f={format}")).unwrap());
            let found = image.pixels().any(|pixel| pixel.0[3] < 250);
            assert_eq!(found, transparent, "{name} as {format}");
        }
    }
}

#[test]
fn the_background_shows_through() {
    let image = pixels("png/fringe-test-magenta-under-alpha.png", "background=00ff00,w=20");
    assert!(image.pixels().all(|pixel| pixel.0[3] == 255));
    assert!(image.pixels().any(|pixel| pixel.0 == [0, 255, 0, 255]));
}

#[test]
fn sixteen_bits_grey_and_palettes_give_the_right_pixels() {
    for name in [
        "png/grey-16bit-ramp.png",
        "png/palette-alpha.png",
        "png/pngsuite-basn0g01.png",
        "png/pngsuite-basn6a16.png",
        "png/pngsuite-cs3n3p08.png",
        "png/pngsuite-tbbn3p08.png",
    ] {
        let expected = image::load_from_memory(&fixture(name)).unwrap().into_rgba8();
        let result = decoded(&rendered(&fixture(name), "f=png").unwrap());
        assert!(difference(&expected, &result) <= 0.5, "{name}: {}", difference(&expected, &result));
        assert!(expected.pixels().zip(result.pixels()).all(|(a, b)| a.0[3].abs_diff(b.0[3]) <= 1), "{name}");
    }
}

#[test]
fn press_colours_have_the_brightness_of_the_photo() {
    let cmyk = pixels("colour/photo-cmyk-noprofile.jpg", "w=60");
    let grey = pixels("photo/photo-grey.jpg", "w=60");
    let mut sum = 0.0;
    for (colour, grey) in cmyk.pixels().zip(grey.pixels()) {
        let [r, g, b, _] = colour.0.map(f64::from);
        sum += (0.299 * r + 0.587 * g + 0.114 * b - f64::from(grey.0[0])).abs();
    }
    let mean = sum / f64::from(cmyk.width() * cmyk.height());
    assert!(mean < 6.0, "brightness differs by {mean}");
}

/// The middle of one patch of a 4 by 3 chart, as a rendering shows it.
fn patch(chart: &image::RgbaImage, column: u32, row: u32) -> [u8; 3] {
    let (width, height) = chart.dimensions();
    let [red, green, blue, _] = chart.get_pixel(width * (2 * column + 1) / 8, height * (2 * row + 1) / 6).0;
    [red, green, blue]
}

#[test]
fn profiles_are_honoured() {
    // all charts hold the same numbers; the expected ones follow from the matrices and curves of the colour spaces
    for (profile, expected) in [
        ("untagged", [[128, 128, 128], [200, 120, 90], [60, 90, 160], [90, 150, 70]]),
        ("p3", [[128, 128, 128], [213, 115, 83], [50, 91, 165], [67, 152, 57]]),
        ("a98", [[129, 129, 129], [224, 121, 88], [36, 90, 164], [36, 151, 61]]),
        ("gbr-swapped", [[128, 128, 128], [120, 90, 200], [90, 160, 60], [150, 70, 90]]),
    ] {
        for kind in ["png", "jpg"] {
            let name = format!("colour/patches-{profile}.{kind}");
            if name == "colour/patches-untagged.jpg" {
                continue;
            }
            let chart = pixels(&name, "w=5000");
            for (patch, expected) in
                [patch(&chart, 3, 1), patch(&chart, 1, 2), patch(&chart, 2, 2), patch(&chart, 3, 2)]
                    .iter()
                    .zip(expected)
            {
                // near black a step in light is many steps in numbers, and the JPEG is off by one already
                let close = patch.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 5);
                assert!(close, "{name}: {patch:?}, expected {expected:?}");
            }
        }
    }
}

#[test]
fn animations_give_their_first_frame() {
    for name in [
        "anim/rotating-squares.gif",
        "anim/mixed-disposal.gif",
        "anim/issue_1455_undersized.gif",
        "anim/pan-8f.apng",
        "bombs/gif-10000-frames.gif",
        "bombs/webp-anim-5000-frames.webp",
    ] {
        let result = rendered(&fixture(name), "w=32,anim=false,f=png").unwrap();
        decoded(&result);
    }
}

#[test]
fn the_content_decides_the_format() {
    let result = rendered(&fixture("broken/png-named.jpg"), "w=10").unwrap();
    assert_eq!(result.content_type, "image/png");
}

#[test]
fn what_is_no_picture_is_named_and_refused() {
    for (name, word) in [("broken/empty.jpg", "empty"), ("broken/html-named.jpg", "a text document")] {
        let error = rendered(&fixture(name), "w=10").unwrap_err();
        assert_eq!(error, Error::UnknownFormat { found: word }, "{name}");
        assert!(error.to_string().contains("jpeg, png, gif, webp"), "{error}");
    }
}

#[test]
fn modern_files_are_pictures_of_the_right_size_and_way_up() {
    for (name, size) in [
        ("modern/photo-irot1.avif", (533, 800)),
        ("modern/alpha-lossy.webp", (500, 375)),
        ("modern/alpha-lossless.webp", (200, 150)),
        ("modern/jxl-animation_distance_1_0.jxl", (60, 105)),
        ("modern/jxl-orientation6_rotate_90_cw.jxl", (256, 100)),
    ] {
        let result = rendered(&fixture(name), "f=png,anim=false").unwrap();
        assert_eq!((result.width, result.height), size, "{name}");
        assert_eq!((result.source_width, result.source_height), size, "{name}");
        decoded(&result);
    }
}

#[test]
fn an_animated_jpeg_xl_goes_on_moving() {
    let result = rendered(&fixture("modern/jxl-animation_distance_1_0.jxl"), "w=40,f=webp").unwrap();
    let frames = image::codecs::webp::WebPDecoder::new(std::io::Cursor::new(&result.bytes[..])).unwrap();
    let frames = image::AnimationDecoder::into_frames(frames).collect_frames().unwrap();
    assert_eq!(frames.len(), 4);
}

#[test]
fn an_svg_is_passed_on_cleaned_and_nothing_else_is() {
    let passed = rendered(&fixture("vector/plain.svg"), "f=svg").unwrap();
    assert_eq!((passed.content_type, passed.width, passed.height), ("image/svg+xml", 200, 100));
    assert!(passed.bytes.starts_with(b"<svg xmlns="));
    let hostile = rendered(&fixture("bombs/svg-script-and-handlers.svg"), "f=svg").unwrap();
    let text = String::from_utf8(hostile.bytes.to_vec()).unwrap();
    assert!(!text.contains("script") && !text.contains("onload"), "{text}");
    let outcome = rendered(&fixture("photo/photo-grey.jpg"), "f=svg").map(|rendered| rendered.bytes.len());
    assert!(matches!(outcome, Err(Error::NoDrawing { found: "jpeg" })), "{outcome:?}");
}

#[test]
fn files_cut_short_or_damaged_are_refused() {
    for name in [
        "broken/bad-crc.png",
        "broken/truncated-half.jpg",
        "broken/truncated-header.jpg",
        "broken/truncated.png",
        "broken/truncated.webp",
    ] {
        let outcome = rendered(&fixture(name), "w=10").map(|rendered| rendered.bytes.len());
        assert!(matches!(outcome, Err(Error::Undecodable { .. })), "{name}: {outcome:?}");
    }
}

#[test]
fn a_picture_cut_anywhere_is_refused() {
    for name in ["photo/photo-grey.jpg", "modern/alpha-lossy.webp", "png/palette-alpha.png"] {
        let whole = fixture(name);
        for percent in [1, 10, 30, 50, 70, 90, 97] {
            let part = &whole[..whole.len() * percent / 100];
            let outcome = rendered(part, "w=10").map(|rendered| rendered.bytes.len());
            assert!(matches!(outcome, Err(Error::Undecodable { .. })), "{name} {percent} %: {outcome:?}");
        }
    }
}

#[test]
fn flipped_bits_and_polyglots_end_in_an_answer() {
    for name in ["broken/bitflips.jpg", "broken/polyglot-gif-js.gif"] {
        match rendered(&fixture(name), "w=10") {
            Ok(result) => assert!(result.width <= 10, "{name}"),
            Err(error) => assert!(matches!(error, Error::Undecodable { .. }), "{name}: {error}"),
        }
    }
}

#[test]
fn bombs_are_refused_by_their_header() {
    for name in [
        "bombs/gif-65535-canvas-2000-frames.gif",
        "bombs/jpeg-65500x65500-no-data.jpg",
        "bombs/png-1bit-50000x50000.png",
        "bombs/png-claims-2e9-square.png",
    ] {
        let outcome = admit(&fixture(name), &Transform::default(), &Limits::default());
        assert!(matches!(outcome, Err(Error::SideTooLong { .. })), "{name}: {outcome:?}");
    }
    let canvas = admit(&fixture("bombs/webp-16384-canvas.webp"), &Transform::default(), &Limits::default());
    assert!(matches!(canvas, Err(Error::TooManyPixels { .. } | Error::Undecodable { .. })), "{canvas:?}");
}

#[test]
fn thousands_of_scans_are_refused() {
    let limits = Limits { source_pixels_max: u64::MAX, decode_bytes_max: u64::MAX, ..Limits::default() };
    let (source, transform) = (fixture("bombs/jpeg-progressive-2000-scans.jpg"), Transform::default());
    let outcome =
        render(&source, &transform, &Settings { limits, ..Settings::default() }, &Deadline::never());
    let outcome = outcome.map(|rendered| rendered.bytes.len());
    assert_eq!(outcome, Err(Error::Undecodable { reason: "the jpeg has too many scans" }));
}

#[test]
fn a_jpeg_xl_that_would_take_too_much_memory_is_refused_before_its_source_is_decoded() {
    let source = fixture("bombs/png-49-megapixels.png");
    let outcome = |options: &str| admit(&source, &options.parse().unwrap(), &Limits::default()).map(|_| ());
    for (options, most) in [("f=jxl", 16_000_000), ("f=jxl,lossless=true", 5_000_000)] {
        assert!(
            matches!(outcome(options), Err(Error::TooManyPixels { max, .. }) if max == most),
            "{options}"
        );
    }
    assert_eq!([outcome("f=png"), outcome("w=100,f=jxl")], [Ok(()), Ok(())]);
}

/// The most memory this process ever used, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

#[test]
fn bombs_do_not_fill_memory() {
    let is_allowed = |path: &std::path::Path| path.ends_with("png-49-megapixels.png");
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/images/bombs");
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    // what lies within the limits last, for its peak is never forgotten
    paths.sort_by_key(|path| is_allowed(path));
    let count = paths.len();
    for path in paths {
        match rendered(&std::fs::read(&path).unwrap(), "w=100") {
            Ok(result) => assert!(result.width <= 100, "{path:?}"),
            Err(error) => assert_ne!(error, Error::Panicked, "{path:?}"),
        }
        let peak = peak_mib();
        let most = if is_allowed(&path) { 300 } else { 150 };
        assert!(peak < most, "{path:?} took {peak} MiB");
    }
    assert!(count >= 15, "only {count} bombs");
}

#[test]
fn a_first_frame_is_enough_of_an_animation_and_no_less() {
    let whole = fixture("broken/truncated.gif");
    assert!(rendered(&whole, "w=10").is_ok(), "cut short behind its first frame");
    let outcome = rendered(&whole[..whole.len() / 50], "w=10").map(|rendered| rendered.bytes.len());
    assert!(matches!(outcome, Err(Error::Undecodable { .. })), "{outcome:?}");
}

#[test]
fn a_claim_of_30_000_by_30_000_is_refused_before_decoding() {
    let limits = Limits { side_max: 40_000, ..Limits::default() };
    let outcome = admit(&png_claiming(30_000, 30_000), &Transform::default(), &limits);
    assert_eq!(outcome, Err(Error::TooManyPixels { pixels: 900_000_000, max: 50_000_000 }));
    let outcome = admit(&png_claiming(30_000, 30_000), &Transform::default(), &Limits::default());
    assert_eq!(outcome, Err(Error::SideTooLong { side: 30_000, max: 16_384 }));
}

#[test]
fn results_are_bounded_too() {
    let small = fixture("png/pngsuite-basn0g01.png");
    let outcome = rendered(&small, "w=16384,h=16384,fit=cover").map(|rendered| rendered.width);
    assert_eq!(outcome, Err(Error::TooManyPixels { pixels: 268_435_456, max: 16_777_216 }));
    let mut strip = Vec::new();
    JpegEncoder::new(&mut strip).encode(&[0; 300], 1, 300, image::ExtendedColorType::L8).unwrap();
    let outcome = rendered(&strip, "w=100,fit=contain").map(|rendered| rendered.width);
    assert_eq!(outcome, Err(Error::SideTooLong { side: 30_000, max: 16_384 }));
}

#[test]
fn too_many_bytes_are_refused_unread() {
    let limits = Limits { source_bytes_max: 3, ..Limits::default() };
    let outcome = admit(b"junk", &Transform::default(), &limits);
    assert_eq!(outcome, Err(Error::SourceTooLarge { bytes: 4, max: 3 }));
}

#[test]
fn an_expired_deadline_ends_it() {
    let deadline = Deadline::at(Instant::now());
    let source = fixture("png/checker-1px.png");
    let outcome = render(&source, &Transform::default(), &Settings::default(), &deadline);
    assert_eq!(outcome.map(|rendered| rendered.width), Err(Error::Deadline));
}

#[test]
fn results_carry_no_metadata() {
    let result = rendered(&fixture("orient/landscape_6.jpg"), "w=90,f=jpeg").unwrap();
    assert!(!result.bytes.windows(4).any(|window| window == b"Exif"));
    let tagged = rendered(&fixture("colour/patches-p3.jpg"), "f=jpeg").unwrap();
    assert!(!tagged.bytes.windows(11).any(|window| window == b"ICC_PROFILE"));
}
