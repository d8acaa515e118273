//! Sixteen bits, inks and inconsistent headers; one file each for formats, animations, drawings and what is hostile.

use super::*;
use crate::sniff;
use crate::testing::fixture;

mod animations;
mod formats;
mod hostile;
mod letters;
mod modern;
mod vectors;

fn first(source: &[u8], header: &Header, limits: &Limits) -> Result<Frame, Error> {
    decode(source, header, limits, &Deadline::never(), &Options::default())?.first()
}

#[test]
fn sixteen_bits_round_to_eight() {
    for (wide, narrow) in [(0, 0), (128, 0), (129, 1), (257, 1), (32_768, 128), (65_407, 255), (65_535, 255)]
    {
        assert_eq!(
            narrowed(&u16::to_be_bytes(wide), u16::from_be_bytes).collect::<Vec<_>>(),
            [narrow],
            "{wide}"
        );
    }
}

#[test]
fn ycck_is_read_as_ink() {
    // neutral chroma: as much of all three inks as luma says; black inverted
    let mut pixels = vec![200, 128, 128, 255, 0, 128, 128, 0];
    ycck_to_ink(&mut pixels);
    assert_eq!(pixels, [200, 200, 200, 0, 0, 0, 0, 255]);
}

#[test]
fn a_decoder_is_held_to_the_size_that_was_judged() {
    for name in [
        "photo/photo-grey.jpg",
        "png/palette-alpha.png",
        "anim/rotating-squares.gif",
        "modern/alpha-lossy.webp",
    ] {
        let source = fixture(name);
        let mut header = sniff::header(&source).expect(name);
        header.width -= 1;
        let outcome = first(&source, &header, &Limits::default()).map(|frame| frame.width);
        assert!(matches!(outcome, Err(Error::Undecodable { .. })), "{name}: {outcome:?}");
    }
}

#[test]
fn a_small_memory_bound_stops_a_gif_frame_beside_its_canvas() {
    let source = fixture("anim/issue_1455_undersized.gif");
    let header = sniff::header(&source).expect("a gif");
    let limits = Limits { decode_bytes_max: 1, ..Limits::default() };
    let outcome = first(&source, &header, &limits).map(|frame| frame.width);
    assert!(matches!(outcome, Err(Error::Undecodable { .. })), "{outcome:?}");
}

fn rgba(frame: &Frame) -> Vec<u8> {
    let frame = frame.clone().into_colour();
    match frame.layout {
        Layout::Rgba => frame.pixels,
        _ => frame.pixels.as_chunks::<3>().0.iter().flat_map(|&[r, g, b]| [r, g, b, 255]).collect(),
    }
}
