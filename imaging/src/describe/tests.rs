//! The hashes against their reference implementations, and the whole answer.

use super::*;
use crate::frame::Layout;

/// A picture by formula, so that the reference implementations could be given the same one.
fn picture(kind: &str, width: u32, height: u32, has_alpha: bool) -> Frame {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let colour = match kind {
                "ramp" => [
                    255 * x / (width - 1).max(1),
                    255 * y / (height - 1).max(1),
                    255 * (x + y) / (width + height).saturating_sub(2).max(1),
                ],
                "noise" => {
                    [x * x * 31 + y * 17 + x * y * 7, x * 13 + y * y * 29 + x * y * 3, x * 71 + y * 53]
                }
                _ => [200, 30, 90],
            };
            let alpha = match (has_alpha, x * 2 < width, y * 2 < height) {
                (false, _, _) | (true, true, _) => 255,
                (true, false, true) => 128,
                (true, false, false) => 0,
            };
            pixels.extend(colour.map(|value| u8::try_from(value % 256).unwrap()));
            pixels.push(alpha);
        }
    }
    Frame { width, height, layout: Layout::Rgba, pixels }
}

/// Made by the reference implementation of blurhash in C (`blurhash-python` 1.2.2, four by three) and by the npm package
/// `thumbhash` 0.1.1 (in hexadecimal). The npm package `blurhash` overlooks the largest detail when it is negative.
const HASHES: [(&str, u32, u32, bool, &str, &str); 6] = [
    ("ramp", 32, 24, false, "L$HewS2jwzX5l?WGjue;gKfkfQfj", "1ff80d0d9a80878771778888877888788f8008f877"),
    ("ramp", 24, 32, false, "L$HoE:2kwybal=WGjue:gLfkfQfj", "1f080e0d1a8187708887777887887888808f08f877"),
    ("noise", 40, 30, false, "L3H_us8Z[D|4.9D;IpvA+fIDv%vP", "2008020582b042382364724766535248e102077d97"),
    ("ramp", 64, 5, false, "L$HVeh2h$9Svz4Nro3ayeCf8fQf7", "1ff81139a0808787838787878e7018f878"),
    ("ramp", 32, 24, true, "", "19c8850c9449428410988657d80976629ff858a78678878707"),
    ("noise", 30, 40, true, "", "200882040249151042152254930a02f768fc58a77688878708"),
];

#[test]
fn hashes_are_those_of_the_reference_implementations() {
    for (kind, width, height, has_alpha, blur, thumb) in HASHES {
        let small = Small::of(&picture(kind, width, height, has_alpha), HASH_SIDE_MAX);
        let name = format!("{kind} of {width} by {height}");
        let found: String = thumbhash::encode(&small).iter().map(|byte| format!("{byte:02x}")).collect();
        let ((head, details), (expected_head, expected)) = (found.split_at(10), thumb.split_at(10));
        assert_eq!((head, found.len()), (expected_head, thumb.len()), "{name}");
        for (digit, expected) in details.chars().zip(expected.chars()) {
            let [digit, expected] = [digit, expected].map(|digit| digit.to_digit(16).unwrap());
            // a detail of nothing lies on the edge of two levels, and a cosine's last digit decides
            assert!(digit.abs_diff(expected) <= 1, "{name}: {found} for {thumb}");
        }
        // the reference implementation of blurhash shows what lies under transparent pixels
        if !has_alpha {
            assert_eq!(blurhash::encode(&small), blur, "{name}");
        }
    }
}

#[test]
fn a_flat_picture_has_no_details() {
    let small = Small::of(&picture("flat", 16, 16, false), HASH_SIDE_MAX);
    assert_eq!(blurhash::encode(&small), "LBM^#v|zfQ|z|zo2fQo2fQfQfQfQ");
    let hash = thumbhash::encode(&small);
    assert_eq!(hash[..5], [0xda, 0x48, 0x03, 0x07, 0x00]);
    assert!(hash[5..].iter().all(|&byte| byte == 0));
}

#[test]
fn one_pixel_and_nothing_have_hashes_too() {
    let dot = Small::of(&picture("ramp", 1, 1, false), HASH_SIDE_MAX);
    assert_eq!(blurhash::encode(&dot), "L00000fQfQfQfQfQfQfQfQfQfQfQ");
    assert_eq!(base64::encode(&thumbhash::encode(&dot)), "AAgCBwAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let clear = Frame { width: 16, height: 16, layout: Layout::Rgba, pixels: [200, 30, 90, 0].repeat(256) };
    let clear = thumbhash::encode(&Small::of(&clear, HASH_SIDE_MAX));
    assert_eq!(base64::encode(&clear), "AAiCBQAAAAAAAAAAAAAAAAAAAAAAAAAAAA==");
}

#[test]
fn blurhash_lays_transparent_pictures_on_white() {
    let clear = Frame { width: 4, height: 4, layout: Layout::Rgba, pixels: vec![0; 64] };
    let white = Frame { width: 4, height: 4, layout: Layout::Grey, pixels: vec![255; 16] };
    let hash = |frame| blurhash::encode(&Small::of(frame, HASH_SIDE_MAX));
    assert_eq!(hash(&clear), hash(&white));
}

fn facts() -> Facts<'static> {
    Facts {
        format: "jpeg",
        media_type: "image/jpeg",
        width: 4_000,
        height: 3_000,
        frames: 1,
        bytes: 1_234_567,
        ..Facts::default()
    }
}

fn tiny(frame: Frame) -> Result<(&'static str, Vec<u8>), Error> {
    assert!(frame.width <= PLACEHOLDER_SIDE_MAX && frame.height <= PLACEHOLDER_SIDE_MAX);
    Ok(("image/webp", vec![1, 2, 3]))
}

/// A block with orientation 6, a camera and a place.
fn exif() -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x03".to_vec();
    block.extend(b"\x01\x0f\0\x02\0\0\0\x04Abc\0");
    block.extend(b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0");
    block.extend(b"\x88\x25\0\x04\0\0\0\x01\0\0\0\x32");
    block.extend([0; 4]);
    assert_eq!(block.len(), 0x32);
    block.extend(b"\0\x04");
    block.extend(b"\0\x01\0\x02\0\0\0\x02N\0\0\0");
    block.extend(b"\0\x02\0\x05\0\0\0\x03\0\0\0\x68");
    block.extend(b"\0\x03\0\x02\0\0\0\x02W\0\0\0");
    block.extend(b"\0\x04\0\x05\0\0\0\x03\0\0\0\x68");
    block.extend([0; 4]);
    assert_eq!(block.len(), 0x68);
    for number in [51_u32, 1, 30, 1, 0, 1] {
        block.extend(number.to_be_bytes());
    }
    block
}

#[test]
fn the_answer_is_one_of_plain_json() {
    let picture = picture("flat", 40, 30, false);
    let json = describe(&facts(), &picture, Place::Hidden, tiny).to_json().unwrap();
    let mut hashless: serde_json::Value = serde_json::from_str(&json).unwrap();
    for hash in ["blurhash", "thumbhash"] {
        assert!(hashless.as_object_mut().unwrap().remove(hash).unwrap().is_string());
    }
    assert_eq!(
        hashless,
        serde_json::json!({
            "format": "jpeg",
            "media_type": "image/jpeg",
            "width": 4_000,
            "height": 3_000,
            "orientation": 1,
            "frames": 1,
            "has_alpha": false,
            "bytes": 1_234_567,
            "exif": {},
            "dominant_colour": "#c81e5a",
            "average_colour": "#c81e5a",
            "palette": [{ "colour": "#c81e5a", "share": 1.0 }],
            "lqip": "data:image/webp;base64,AQID",
        })
    );
}

#[test]
fn a_picture_on_its_side_is_described_as_seen() {
    let exif = exif();
    let facts = Facts { exif: Some(&exif), ..facts() };
    let answer = describe(&facts, &picture("ramp", 3, 4, false), Place::Hidden, tiny);
    assert_eq!((answer.width, answer.height, answer.orientation), (3_000, 4_000, 6));
    assert_eq!(answer.exif.make.as_deref(), Some("Abc"));
}

#[test]
fn the_place_is_told_only_when_asked_for() {
    let exif = exif();
    let facts = Facts { exif: Some(&exif), ..facts() };
    let picture = picture("flat", 4, 4, false);
    let hidden = describe(&facts, &picture, Place::Hidden, tiny);
    assert_eq!(hidden.exif.gps, None);
    assert!(!hidden.to_json().unwrap().contains("51.5"));
    let shown = describe(&facts, &picture, Place::Shown, tiny).exif.gps.unwrap();
    assert_eq!(shown, Position { latitude: 51.5, longitude: -51.5, altitude_m: None });
}

#[test]
fn profiles_are_named() {
    for (profile, name) in [
        (ColorProfile::new_srgb(), "sRGB"),
        (ColorProfile::new_display_p3(), "Display P3"),
        (ColorProfile::new_adobe_rgb(), "Adobe RGB"),
    ] {
        let bytes = profile.encode().unwrap();
        let facts = Facts { profile: Some(&bytes), ..facts() };
        let answer = describe(&facts, &picture("flat", 4, 4, false), Place::Hidden, tiny);
        assert_eq!(answer.colour_space, Some("rgb"));
        assert!(answer.profile.as_ref().is_some_and(|found| found.contains(name)), "{:?}", answer.profile);
    }
    let facts = Facts { profile: Some(b"nonsense"), ..facts() };
    let answer = describe(&facts, &picture("flat", 4, 4, false), Place::Hidden, tiny);
    assert_eq!((answer.colour_space, answer.profile), (None, None));
}

#[test]
fn a_placeholder_that_fails_or_grows_is_left_out() {
    let picture = picture("noise", 40, 30, false);
    let failing = describe(&facts(), &picture, Place::Hidden, |_| Err(Error::Panicked));
    assert_eq!(failing.lqip, None);
    let large = describe(&facts(), &picture, Place::Hidden, |_| Ok(("image/webp", vec![0; 5_000])));
    assert_eq!(large.lqip, None);
}

#[test]
fn an_invisible_picture_has_no_colours() {
    let clear = Frame { width: 2, height: 2, layout: Layout::Rgba, pixels: vec![0; 16] };
    let answer = describe(&Facts { has_alpha: true, ..facts() }, &clear, Place::Hidden, tiny);
    assert_eq!((answer.dominant_colour, answer.average_colour), (None, None));
    assert!(answer.palette.is_empty());
}
