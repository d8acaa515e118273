//! Formats by content and sizes by header.

use super::*;
use crate::testing::{fixture, png_claiming};

fn jpeg_of(segments: &[(u8, &[u8])], tail: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8];
    for (marker, payload) in segments {
        let length = u16::try_from(payload.len() + 2).expect("short");
        bytes.extend([0xff, *marker]);
        bytes.extend(length.to_be_bytes());
        bytes.extend(*payload);
    }
    bytes.extend(tail);
    bytes
}

const FRAME: &[u8] = &[8, 0, 20, 0, 30, 1, 1, 0x11, 0];
const SCAN: &[u8] = &[1, 1, 0, 0, 63, 0];

#[test]
fn sizes_and_formats_are_read_from_the_content() {
    for (name, format, size) in [
        ("broken/png-named.jpg", SourceFormat::Png, None),
        ("photo/photo-grey.jpg", SourceFormat::Jpeg, None),
        ("bombs/gif-65535-canvas-2000-frames.gif", SourceFormat::Gif, Some((65_535, 65_535))),
        ("bombs/jpeg-65500x65500-no-data.jpg", SourceFormat::Jpeg, Some((65_500, 65_500))),
        ("bombs/png-1bit-50000x50000.png", SourceFormat::Png, Some((50_000, 50_000))),
    ] {
        let header = header(&fixture(name)).expect(name);
        assert_eq!(header.format, format, "{name}");
        assert!(size.is_none_or(|size| size == (header.width, header.height)), "{name}: {header:?}");
    }
}

#[test]
fn every_prefix_of_a_header_is_refused_calmly() {
    for source in [
        png_claiming(3, 4),
        fixture("modern/alpha-lossy.webp"),
        fixture("photo/photo-grey.jpg"),
        b"GIF89a\x01\0\x01\0".to_vec(),
    ] {
        for end in 0..source.len().min(10) {
            assert!(header(&source[..end]).is_err(), "{:?}", &source[..end]);
        }
    }
}

#[test]
fn kinds_of_jpeg_that_are_not_decoded_are_named() {
    for (marker, payload, said) in [
        (0xc9, FRAME, "other than baseline or progressive"),
        (0xc3, FRAME, "other than baseline or progressive"),
        (0xc1, &[12, 0, 20, 0, 30, 1], "8 bits"),
        (0xc0, &[8, 0, 20, 0, 30, 2], "1, 3 or 4 components"),
        (0xc0, &[8, 0, 20], "cut short"),
        (0xda, SCAN, "no frame header"),
    ] {
        let error = header(&jpeg_of(&[(marker, payload)], &[])).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn progressive_jpeg_is_judged_by_its_coefficients() {
    let memory = |marker| header(&jpeg_of(&[(marker, FRAME)], &[])).expect("a frame").decode_bytes_per_pixel;
    assert!(memory(0xc2) > memory(0xc0));
}

#[test]
fn a_jpeg_needs_its_end_marker() {
    let layout = |tail: &[u8]| jpeg::layout(&jpeg_of(&[(0xc0, FRAME), (0xda, SCAN)], tail));
    assert_eq!(layout(b"\x12\xff\x00\x34\xff\xd0\x56\xff\xff\xd9"), Ok(jpeg::Layout { adobe: false }));
    assert_eq!(layout(b"\x12\xff\xd9trailing bytes"), Ok(jpeg::Layout { adobe: false }));
    for tail in [b"".as_slice(), b"\x12\x34", b"\x12\xff", b"\x12\xff\x00\xff\xd7", b"\xff\xfe\x00"] {
        assert_eq!(layout(tail), Err(CUT_SHORT), "{tail:?}");
    }
}

#[test]
fn an_end_marker_inside_a_segment_does_not_count() {
    let thumbnail = b"Exif\0\0\xff\xd8\xff\xd9";
    let source = jpeg_of(&[(0xe1, thumbnail), (0xee, b"Adobe"), (0xc0, FRAME), (0xda, SCAN)], b"\x12");
    assert_eq!(jpeg::layout(&source), Err(CUT_SHORT));
    let whole = [source, b"\xff\xd9".to_vec()].concat();
    assert_eq!(jpeg::layout(&whole), Ok(jpeg::Layout { adobe: true }));
}

#[test]
fn scans_are_bounded() {
    let scans = |count: usize| {
        let mut segments: Vec<(u8, &[u8])> = vec![(0xc2, FRAME)];
        segments.extend(std::iter::repeat_n((0xda, SCAN), count));
        jpeg::layout(&jpeg_of(&segments, b"\xff\xd9"))
    };
    assert!(scans(100).is_ok());
    assert_eq!(scans(101), Err(Error::Undecodable { reason: "the jpeg has too many scans" }));
}

fn profile_of(parts: &[(u8, u8, &[u8])]) -> Option<Vec<u8>> {
    let payloads: Vec<Vec<u8>> = parts
        .iter()
        .map(|(number, count, data)| [b"ICC_PROFILE\0".as_slice(), &[*number, *count], data].concat())
        .collect();
    let mut segments: Vec<(u8, &[u8])> = payloads.iter().map(|payload| (0xe2, payload.as_slice())).collect();
    segments.extend([
        (0xe2, b"MPF\0".as_slice()),
        (0xc0, FRAME),
        (0xda, SCAN),
        (0xe2, b"ICC_PROFILE\0\x01\x01late"),
    ]);
    jpeg::icc_profile(&jpeg_of(&segments, b"\xff\xd9"))
}

#[test]
fn a_profile_is_put_together_from_its_parts() {
    assert_eq!(profile_of(&[(1, 1, b"whole")]), Some(b"whole".to_vec()));
    assert_eq!(profile_of(&[(2, 3, b"B"), (1, 3, b"A"), (3, 3, b"C")]), Some(b"ABC".to_vec()));
}

#[test]
fn a_profile_with_parts_missing_doubled_or_too_long_is_none() {
    let long = vec![0; 65_000];
    let many: Vec<(u8, u8, &[u8])> = (1..=66).map(|number| (number, 66, long.as_slice())).collect();
    for parts in [
        &[] as &[(u8, u8, &[u8])],
        &[(1, 2, b"A")],
        &[(2, 2, b"B")],
        &[(1, 2, b"A"), (1, 2, b"A")],
        &[(1, 2, b"A"), (2, 3, b"B")],
        &[(0, 1, b"A")],
        &[(1, 1, b"")],
        &many,
    ] {
        assert_eq!(profile_of(parts), None, "{} parts", parts.len());
    }
    assert_eq!(profile_of(&many[..10]), None);
    let fewer: Vec<(u8, u8, &[u8])> =
        many[..64].iter().map(|(number, _, data)| (*number, 64, *data)).collect();
    assert_eq!(profile_of(&fewer).map(|profile| profile.len()), Some(64 * 65_000));
}

#[test]
fn exif_is_the_first_before_the_picture() {
    let exif = |segments: &[(u8, &[u8])]| jpeg::exif(&jpeg_of(segments, b"\xff\xd9")).map(<[u8]>::to_vec);
    let (first, second) = (b"Exif\0\0MM one".as_slice(), b"Exif\0\0MM two".as_slice());
    assert_eq!(
        exif(&[(0xe1, b"http://ns.adobe.com/xap/"), (0xe1, first), (0xe1, second)]),
        Some(b"MM one".to_vec())
    );
    assert_eq!(exif(&[(0xe2, first), (0xc0, FRAME), (0xda, SCAN), (0xe1, first)]), None);
    assert_eq!(jpeg::exif(b"\xff\xd8\xff\xe1\x00\xffExif\0\0"), None);
}

fn webp_of(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (kind, payload) in chunks {
        body.extend(*kind);
        body.extend(u32::try_from(payload.len()).expect("short").to_le_bytes());
        body.extend(*payload);
        body.extend(std::iter::repeat_n(0, payload.len() % 2));
    }
    let size = u32::try_from(body.len()).expect("short").to_le_bytes();
    [b"RIFF".as_slice(), &size, &body].concat()
}

/// 100 x 50
const CANVAS: &[u8] = &[0, 0, 0, 0, 99, 0, 0, 49, 0, 0];
/// 16 x 16
const LOSSY: &[u8] = &[0, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0];
/// 16383 x 16383
const LOSSY_HUGE: &[u8] = &[0, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f];

#[test]
fn webp_sizes_come_from_canvas_or_bitstream() {
    let size = |source: &[u8]| header(source).map(|header| (header.width, header.height));
    assert_eq!(size(&webp_of(&[(b"VP8 ", LOSSY)])), Ok((16, 16)));
    assert_eq!(size(&webp_of(&[(b"VP8L", &[0x2f, 15, 0xc0, 3, 0])])), Ok((16, 16)));
    assert_eq!(size(&webp_of(&[(b"VP8X", CANVAS), (b"ALPH", b"x"), (b"VP8 ", LOSSY)])), Ok((100, 50)));
}

#[test]
fn a_webp_bitstream_larger_than_its_canvas_is_refused() {
    let damaged = Err(Error::Undecodable { reason: "the webp header is damaged" });
    assert_eq!(header(&webp_of(&[(b"VP8X", CANVAS), (b"VP8 ", LOSSY_HUGE)])), damaged);
    let inner = webp_of(&[(b"VP8 ", LOSSY_HUGE)]);
    let frame = [&[0; 16], inner.get(12..).expect("a chunk")].concat();
    assert_eq!(header(&webp_of(&[(b"VP8X", CANVAS), (b"ANMF", &frame)])), damaged);
}

#[test]
fn webp_without_a_picture_is_refused() {
    for chunks in [
        &[(b"VP8X", CANVAS)] as &[(&[u8; 4], &[u8])],
        &[(b"VP8X", &[0, 0]), (b"VP8 ", LOSSY)],
        &[(b"JUNK", LOSSY)],
        &[(b"VP8 ", b"short")],
        &[],
    ] {
        assert!(matches!(header(&webp_of(chunks)), Err(Error::Undecodable { .. })), "{chunks:?}");
    }
}
