//! Alpha, tiles, and sizes that disagree.

use super::*;
use crate::sniff;
use crate::testing::{fixture, golden};

fn decoded(source: &[u8]) -> Result<Decoded<'static>, Error> {
    let header = sniff::header(source)?;
    decode(source, &header, &Limits::default(), &Deadline::never(), None)
}

#[test]
fn a_turned_picture_says_how() {
    let source = fixture("modern/photo-irot1.avif");
    let header = sniff::header(&source).unwrap();
    let decoded = decoded(&source).unwrap();
    assert_eq!(decoded.orientation, image::metadata::Orientation::Rotate270);
    let frame = decoded.first().unwrap();
    assert_eq!((frame.width, frame.height, frame.layout), (header.width, header.height, Layout::Rgb));
}

#[test]
fn alpha_is_told_by_the_header_and_given_by_the_frame() {
    for name in ["veil.avif", "veil.heic"] {
        let source = golden(name);
        let header = sniff::header(&source).unwrap();
        assert!(header.has_alpha, "{name}");
        let frame = decoded(&source).unwrap().first().unwrap();
        assert_eq!(frame.layout, Layout::Rgba, "{name}");
        let alphas: Vec<u8> = frame.pixels.iter().skip(3).step_by(4).copied().collect();
        assert!(alphas.contains(&0) && alphas.contains(&255), "{name}");
    }
}

#[test]
fn it_is_held_to_the_size_that_was_judged() {
    for name in ["scene.avif", "scene.heic"] {
        let source = golden(name);
        let header = sniff::header(&source).unwrap();
        let other = Header { width: header.width - 1, ..header };
        let outcome = decode(&source, &other, &Limits::default(), &Deadline::never(), None).map(|_| ());
        assert_eq!(outcome, Err(TWO_SIZES), "{name}");
        // a size that the codec does not keep: the property of the item, in both places
        let mut lying = source.clone();
        let at = lying.windows(4).position(|window| window == b"ispe").unwrap() + 8;
        lying[at..at + 4].copy_from_slice(&(header.width + 8).to_be_bytes());
        let outcome = decoded(&lying).map(|_| ());
        assert!(matches!(outcome, Err(Error::Undecodable { .. })), "{name}: {outcome:?}");
    }
}

#[test]
fn limits_hold_for_the_coded_size() {
    let source = golden("scene.avif");
    let header = sniff::header(&source).unwrap();
    let limits = Limits { source_pixels_max: header.pixels() - 1, ..Limits::default() };
    let outcome = decode(&source, &header, &limits, &Deadline::never(), None).map(|_| ());
    assert!(matches!(outcome, Err(Error::TooManyPixels { .. })), "{outcome:?}");
}

#[test]
fn memory_is_judged_by_what_is_coded_and_not_by_what_is_claimed() {
    let source = golden("small-444-limited.avif");
    let honest = sniff::header(&source).unwrap();
    let mut lying = source;
    let at = lying.windows(4).position(|window| window == b"av1C").unwrap() + 6;
    // eight bits and no chroma
    lying[at] = lying[at] & !0x60 | 0x1c;
    let header = sniff::header(&lying).unwrap();
    assert!(header.decode_bytes_per_pixel < honest.decode_bytes_per_pixel, "{header:?}");
    let bytes = header.pixels() * u64::from(header.decode_bytes_per_pixel);
    let limits = Limits { decode_bytes_max: bytes, ..Limits::default() };
    assert_eq!(limits.check_header(&header), Ok(()));
    let outcome = decode(&lying, &header, &limits, &Deadline::never(), None).map(|_| ());
    assert!(matches!(outcome, Err(Error::TooManyPixels { .. })), "{outcome:?}");
}

#[test]
fn past_the_deadline_it_stops() {
    let deadline = Deadline::never();
    deadline.cancel();
    for name in ["scene.avif", "scene.heic"] {
        let source = golden(name);
        let header = sniff::header(&source).unwrap();
        let outcome = decode(&source, &header, &Limits::default(), &deadline, None).map(|_| ());
        assert_eq!(outcome, Err(Error::Deadline), "{name}");
    }
}

#[test]
fn tiles_are_laid_side_by_side() {
    let mut canvas = blank(5, 3, Layout::Grey).unwrap();
    let tile = |value| Frame { width: 3, height: 2, layout: Layout::Grey, pixels: vec![value; 6] };
    lay(&mut canvas, &tile(1), 0, 0);
    lay(&mut canvas, &tile(2), 3, 0);
    lay(&mut canvas, &tile(3), 0, 2);
    lay(&mut canvas, &tile(4), 3, 2);
    lay(&mut canvas, &tile(5), 5, 3);
    assert_eq!(canvas.pixels, [1, 1, 1, 2, 2, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4]);
}

#[test]
fn colours_are_divided_by_the_alpha_they_were_multiplied_with() {
    let frame = Frame { width: 4, height: 1, layout: Layout::Grey, pixels: vec![50, 0, 128, 200] };
    let alpha = Frame { width: 4, height: 1, layout: Layout::Grey, pixels: vec![100, 0, 255, 100] };
    let straight = with_alpha(frame.clone(), alpha.clone(), true, &Deadline::never()).unwrap();
    assert_eq!(straight.pixels, [128, 100, 0, 0, 128, 255, 255, 100]);
    let kept = with_alpha(frame, alpha, false, &Deadline::never()).unwrap();
    assert_eq!(kept.pixels, [50, 100, 0, 0, 128, 255, 200, 100]);
}

#[test]
fn alpha_of_another_size_is_brought_to_that_of_the_picture() {
    let frame = blank(4, 4, Layout::Rgb).unwrap();
    let alpha = Frame { width: 2, height: 2, layout: Layout::Grey, pixels: vec![90; 4] };
    let whole = with_alpha(frame, alpha, false, &Deadline::never()).unwrap();
    assert!(whole.pixels.iter().skip(3).step_by(4).all(|&alpha| alpha == 90));
}
