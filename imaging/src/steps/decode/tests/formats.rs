//! Formats with many kinds of pixels, each against the picture it was made from.

#![expect(clippy::cast_possible_truncation, reason = "sizes of files that are made here")]

use std::io::Cursor;

use ::tiff::encoder::{TiffEncoder, colortype};
use ::tiff::tags::Tag;
use image::{ExtendedColorType, ImageEncoder};

use super::*;

const SIZE: (u32, u32) = (7, 5);

/// Samples without regularity, `channels` to a pixel of [`SIZE`].
fn samples(channels: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..35 * channels).map(|_| next()).collect()
}

fn doubled(samples: &[u8]) -> Vec<u16> {
    samples.iter().map(|&sample| u16::from(sample) * 257).collect()
}

fn decoded(source: &[u8], page: u32) -> Result<Frame, Error> {
    let header = sniff::header_of(source, page)?;
    Limits::default().check_header(&header)?;
    let options = Options { page, ..Options::default() };
    decode(source, &header, &Limits::default(), &Deadline::never(), &options)?.first()
}

fn tiff_of<C: colortype::ColorType>(pictures: &[&[C::Inner]]) -> Vec<u8>
where
    [C::Inner]: ::tiff::encoder::TiffValue,
{
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).unwrap();
    for picture in pictures {
        encoder.write_image::<C>(SIZE.0, SIZE.1, picture).unwrap();
    }
    file.into_inner()
}

#[test]
fn tiff_pages_of_every_kind_give_their_samples() {
    let (grey, rgb, rgba) = (samples(1), samples(3), samples(4));
    let (wide_grey, wide_rgb, wide_rgba) = (doubled(&grey), doubled(&rgb), doubled(&rgba));
    for (source, layout, expected, has_alpha, depth) in [
        (tiff_of::<colortype::Gray8>(&[&grey]), Layout::Grey, &grey, false, 8),
        (tiff_of::<colortype::Gray16>(&[&wide_grey]), Layout::Grey, &grey, false, 16),
        (tiff_of::<colortype::RGB8>(&[&rgb]), Layout::Rgb, &rgb, false, 8),
        (tiff_of::<colortype::RGB16>(&[&wide_rgb]), Layout::Rgb, &rgb, false, 16),
        (tiff_of::<colortype::RGBA8>(&[&rgba]), Layout::Rgba, &rgba, true, 8),
        (tiff_of::<colortype::RGBA16>(&[&wide_rgba]), Layout::Rgba, &rgba, true, 16),
        (tiff_of::<colortype::CMYK8>(&[&rgba]), Layout::Cmyk, &rgba, false, 8),
        (tiff_of::<colortype::CMYK16>(&[&doubled(&rgba)]), Layout::Cmyk, &rgba, false, 16),
    ] {
        let header = sniff::header(&source).unwrap();
        assert_eq!((header.width, header.height), SIZE);
        assert_eq!((header.has_alpha, header.depth), (has_alpha, depth), "{layout:?}");
        let frame = decoded(&source, 0).unwrap();
        assert_eq!((frame.layout, &frame.pixels), (layout, expected));
    }
}

#[test]
fn a_page_of_a_tiff_is_chosen() {
    let (one, other) = (samples(1), vec![9; 35]);
    let source = tiff_of::<colortype::Gray8>(&[&one, &other]);
    assert_eq!(sniff::header(&source).map(|header| header.pages), Ok(2));
    assert_eq!(decoded(&source, 0).map(|frame| frame.pixels), Ok(one));
    assert_eq!(decoded(&source, 1).map(|frame| frame.pixels), Ok(other));
    let missing = Err(Error::Undecodable { reason: "it has no such page" });
    assert_eq!(decoded(&source, 2).map(|frame| frame.width), missing);
    assert_eq!(decoded(&fixture("photo/photo-grey.jpg"), 1).map(|frame| frame.width), missing);
}

#[test]
fn a_tiff_is_turned_as_its_tag_says() {
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).unwrap();
    let mut image = encoder.new_image::<colortype::Gray8>(SIZE.0, SIZE.1).unwrap();
    image.encoder().write_tag(Tag::Orientation, 6_u16).unwrap();
    image.write_data(&samples(1)).unwrap();
    let source = file.into_inner();
    let header = sniff::header(&source).unwrap();
    let decoded =
        decode(&source, &header, &Limits::default(), &Deadline::never(), &Options::default()).unwrap();
    assert_eq!(decoded.orientation, Orientation::Rotate90);
}

/// A TIFF of one strip with these entries beside the size, the strip following.
fn tiff_by_hand(entries: &[(u16, u16, u32)], strip: &[u8]) -> Vec<u8> {
    let mut all = vec![(256, 4, SIZE.0), (257, 4, SIZE.1), (278, 4, SIZE.1)];
    all.extend_from_slice(entries);
    let start = 8 + 2 + 12 * (all.len() as u32 + 2) + 4;
    all.extend([(273, 4, start), (279, 4, strip.len() as u32)]);
    all.sort_unstable();
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    file.extend((all.len() as u16).to_le_bytes());
    for (tag, kind, value) in all {
        file.extend(tag.to_le_bytes());
        file.extend(kind.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file.extend(strip);
    file
}

#[test]
fn single_bits_are_read_and_white_may_be_zero() {
    let strip = [0b1010_1010, 0b1111_1110, 0, 0b1000_0000, 0b0000_0010];
    for (photometric, on, off) in [(1, 255, 0), (0, 0, 255)] {
        let source = tiff_by_hand(&[(258, 3, 1), (259, 3, 1), (262, 3, photometric), (277, 3, 1)], &strip);
        let frame = decoded(&source, 0).unwrap();
        let rows: Vec<&[u8]> = frame.pixels.chunks(7).collect();
        assert_eq!(rows[0], [on, off, on, off, on, off, on]);
        assert_eq!(rows[1], [on; 7]);
        assert_eq!(rows[4], [off, off, off, off, off, off, on]);
    }
}

#[test]
fn deflated_strips_are_inflated_here() {
    let pixels: Vec<u8> = (0..105_u8).collect();
    // horizontal differences (TIFF 6.0 section 14)
    let mut differences = pixels.clone();
    for row in differences.chunks_exact_mut(21) {
        for at in (3..21).rev() {
            row[at] = row[at].wrapping_sub(row[at - 3]);
        }
    }
    for (predictor, samples) in [(1, &pixels), (2, &differences)] {
        for compression in [8, 32_946] {
            let strip = miniz_oxide::deflate::compress_to_vec_zlib(samples, 6);
            let entries = [(258, 3, 8), (259, 3, compression), (262, 3, 2), (277, 3, 3), (317, 3, predictor)];
            let frame = decoded(&tiff_by_hand(&entries, &strip), 0).unwrap();
            assert_eq!((frame.layout, &frame.pixels), (Layout::Rgb, &pixels), "{compression}, {predictor}");
            let cut = tiff_by_hand(&entries, &strip[..strip.len() / 2]);
            assert!(decoded(&cut, 0).is_err());
        }
    }
}

#[test]
fn a_strip_is_inflated_no_further_than_its_page_is_large() {
    let bomb = miniz_oxide::deflate::compress_to_vec_zlib(&vec![7; 64 << 20], 6);
    let source = tiff_by_hand(&[(258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1)], &bomb);
    let frame = decoded(&source, 0).unwrap();
    assert_eq!(frame.pixels, [7; 35]);
}

#[test]
fn a_jpeg_inside_a_tiff_may_not_be_larger_than_its_page() {
    let bomb = fixture("bombs/jpeg-65500x65500-no-data.jpg");
    let source = tiff_by_hand(&[(258, 3, 8), (259, 3, 7), (262, 3, 6), (277, 3, 3)], &bomb);
    let two_sizes = Err(Error::Undecodable { reason: "it names two different sizes" });
    assert_eq!(decoded(&source, 0).map(|frame| frame.width), two_sizes);
    let mut jpeg = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 100);
    encoder.write_image(&[90; 35], SIZE.0, SIZE.1, ExtendedColorType::L8).unwrap();
    let source = tiff_by_hand(&[(258, 3, 8), (259, 3, 7), (262, 3, 1), (277, 3, 1)], &jpeg);
    let frame = decoded(&source, 0).unwrap();
    assert!(frame.pixels.iter().all(|&grey| grey.abs_diff(90) <= 1), "{:?}", frame.pixels);
}

#[test]
fn a_tiff_that_bites_its_tail_ends() {
    let mut source = tiff_by_hand(&[(258, 3, 8), (259, 3, 1), (262, 3, 1), (277, 3, 1)], &samples(1));
    // the offset of the next page is that of the first
    let next = 8 + 2 + 12 * 9;
    source[next] = 8;
    let pages = sniff::header(&source).map(|header| header.pages);
    assert_eq!(pages, Ok(1_000));
    assert!(matches!(decoded(&source, 0), Err(Error::Undecodable { .. })));
}

#[test]
fn bitmaps_give_their_samples() {
    for (kind, layout, channels) in
        [(ExtendedColorType::Rgb8, Layout::Rgb, 3), (ExtendedColorType::Rgba8, Layout::Rgba, 4)]
    {
        let samples = samples(channels);
        let mut source = Vec::new();
        image::codecs::bmp::BmpEncoder::new(&mut source).encode(&samples, SIZE.0, SIZE.1, kind).unwrap();
        assert_eq!(sniff::header(&source).map(|header| header.has_alpha), Ok(channels == 4));
        let frame = decoded(&source, 0).unwrap();
        assert_eq!((frame.layout, frame.pixels), (layout, samples));
        for end in 0..source.len() - 1 {
            assert!(decoded(&source[..end], 0).is_err(), "{end} bytes of {}", source.len());
        }
    }
}

/// A directory of these pictures, each with the size that the directory claims.
fn ico_of(pictures: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut file = vec![0, 0, 1, 0, pictures.len() as u8, 0];
    let mut offset = 6 + 16 * pictures.len() as u32;
    for (side, picture) in pictures {
        file.extend([*side, *side, 0, 0, 1, 0, 32, 0]);
        file.extend((picture.len() as u32).to_le_bytes());
        file.extend(offset.to_le_bytes());
        offset += picture.len() as u32;
    }
    file.extend(pictures.iter().flat_map(|(_, picture)| picture));
    file
}

/// A square bitmap of blue pixels, half transparent, as in an ICO.
fn dib(side: u32) -> Vec<u8> {
    let mut bitmap = 40_u32.to_le_bytes().to_vec();
    bitmap.extend(side.to_le_bytes());
    bitmap.extend((side * 2).to_le_bytes());
    bitmap.extend([1, 0, 32, 0]);
    bitmap.extend([0; 24]);
    bitmap.extend([255, 0, 0, 128].repeat((side * side) as usize));
    bitmap.extend(vec![0; (side.div_ceil(32) * 4 * side) as usize]);
    bitmap
}

fn png(side: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let pixels = [0, 200, 0, 255].repeat((side * side) as usize);
    image::codecs::png::PngEncoder::new(&mut file)
        .write_image(&pixels, side, side, ExtendedColorType::Rgba8)
        .unwrap();
    file
}

#[test]
fn the_largest_picture_of_an_icon_is_taken() {
    let size = |source: &[u8]| sniff::header(source).map(|header| (header.width, header.height));
    let source = ico_of(&[(16, png(16)), (0, png(300)), (32, dib(32))]);
    assert_eq!(size(&source), Ok((300, 300)), "the directory cannot say more than 256");
    assert_eq!(decoded(&source, 0).unwrap().pixels[..4], [0, 200, 0, 255]);
    let source = ico_of(&[(16, png(16)), (32, dib(32)), (255, b"nothing".to_vec())]);
    assert_eq!(size(&source), Ok((32, 32)), "a damaged picture is passed over");
    let frame = decoded(&source, 0).unwrap();
    assert_eq!((frame.width, &frame.pixels[..4]), (32, [0, 0, 255, 128].as_slice()));
    for damaged in [&source[..5], &source[..20], &ico_of(&[]), &ico_of(&[(1, vec![])])] {
        assert!(matches!(size(damaged), Err(Error::Undecodable { .. })), "{damaged:?}");
    }
}
