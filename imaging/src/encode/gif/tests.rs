#![expect(clippy::cast_possible_truncation, reason = "pixels are made of numbers, cut to size")]

use image::AnimationDecoder as _;
use image::codecs::gif::GifDecoder;

use super::*;
use crate::Deadline;
use crate::encode::testing::{self, SIZES, difference, picture};
use crate::frame::Layout;

const LAYOUTS: [Layout; 4] = [Layout::Grey, Layout::GreyAlpha, Layout::Rgb, Layout::Rgba];

fn file(frames: &[(Frame, u32)], loops: u16) -> Vec<u8> {
    let deadline = Deadline::never();
    let mut animation = Animation::new(&testing::settings(&deadline), loops);
    for (frame, duration_ms) in frames {
        animation.push(frame, *duration_ms).unwrap();
    }
    animation.finish().unwrap()
}

/// The frames as players show them.
fn played(file: &[u8]) -> Vec<(image::RgbaImage, u32)> {
    let decoder = GifDecoder::new(std::io::Cursor::new(file)).unwrap();
    let frames = decoder.into_frames().collect_frames().unwrap();
    frames.into_iter().map(|frame| (frame.buffer().clone(), frame.delay().numer_denom_ms().0)).collect()
}

/// What a GIF can hold of a frame: alpha all or nothing.
fn held(frame: &Frame) -> Frame {
    let pixels = shown(frame).unwrap().concat();
    Frame { layout: Layout::Rgba, pixels, ..*frame }
}

#[test]
fn every_size_and_kind_comes_back() {
    let deadline = Deadline::never();
    for (width, height) in SIZES {
        for layout in LAYOUTS {
            let frame = picture(width, height, layout);
            let file = encode(Picture::Frame(&frame), &testing::settings(&deadline)).unwrap();
            let found = difference(&held(&frame), &file);
            assert!(found < 4.0, "{width}x{height} {layout:?}: {found}");
        }
    }
    let photo = testing::photo();
    let file = encode(Picture::Frame(&photo), &testing::settings(&deadline)).unwrap();
    assert!(difference(&photo, &file) < 7.0);
}

/// Squares of few colours that move over a ground, or over nothing.
fn moving(ground: [u8; 4], count: u32) -> Vec<(Frame, u32)> {
    let frame = |n: u32| {
        let inside = |x: u32, y: u32| (n * 3..n * 3 + 6).contains(&x) && (n..n + 5).contains(&y);
        let pixel = |x, y| if inside(x, y) { [255, (n * 40) as u8, 0, 255] } else { ground };
        let pixels = (0..20 * 40).flat_map(|at| pixel(at % 40, at / 40)).collect();
        Frame { width: 40, height: 20, layout: Layout::Rgba, pixels }
    };
    (0..count).map(|n| (frame(n), 40 + 10 * n)).collect()
}

#[test]
fn animations_of_few_colours_come_back_exactly() {
    for ground in [[0, 0, 90, 255], [0, 0, 0, 0]] {
        let frames = moving(ground, 6);
        let file = file(&frames, 0);
        let found = played(&file);
        assert_eq!(found.len(), 6);
        for ((frame, duration_ms), (pixels, found_ms)) in frames.iter().zip(&found) {
            assert_eq!(duration_ms, found_ms);
            assert!(difference(frame, &testing::png(pixels)) < 1e-9, "{ground:?}");
        }
        // one palette for all
        let options = || {
            let mut options = gif::DecodeOptions::new();
            options.set_color_output(gif::ColorOutput::Indexed);
            options
        };
        let mut decoder = options().read_info(&file[..]).unwrap();
        while let Some(frame) = decoder.next_frame_info().unwrap() {
            assert_eq!(frame.palette, None);
        }
        assert!(decoder.global_palette().is_some());
    }
}

#[test]
fn holes_of_every_shape() {
    // each frame is seen or not by bits of a number, so that every transition of a pixel occurs
    let frames: Vec<(Frame, u32)> = (0..12_u32)
        .map(|n| {
            let pixel = |at: u32| {
                let seen = (at.wrapping_mul(2_654_435_761) >> n) & 1 == 1;
                if seen { [(at % 5 * 50) as u8, (n * 20) as u8, 9, 255] } else { CLEAR }
            };
            let pixels = (0..13 * 11).flat_map(pixel).collect();
            (Frame { width: 13, height: 11, layout: Layout::Rgba, pixels }, 50)
        })
        .collect();
    let found = played(&file(&frames, 1));
    assert_eq!(found.len(), 12);
    for ((frame, _), (pixels, _)) in frames.iter().zip(&found) {
        assert!(difference(frame, &testing::png(pixels)) < 1e-9);
    }
}

#[test]
fn frames_of_many_colours_have_palettes_of_their_own() {
    let photo = testing::photo();
    let mut other = photo.clone();
    for row in other.pixels.chunks_exact_mut(450 * 3).skip(50).take(100) {
        row[300..900].reverse();
    }
    let found = played(&file(&[(photo.clone(), 100), (other.clone(), 100)], 1));
    for (frame, (pixels, _)) in [photo, other].iter().zip(&found) {
        let distance = difference(frame, &testing::png(pixels));
        assert!(distance < 7.0, "{distance}");
    }
}

#[test]
fn rounded_durations_do_not_add_up() {
    let mut frames = moving([0, 0, 90, 255], 10);
    for (_, duration_ms) in &mut frames {
        *duration_ms = 33;
    }
    let total: u32 = played(&file(&frames, 0)).iter().map(|(_, duration_ms)| duration_ms).sum();
    assert_eq!(total, 330);
}

#[test]
fn frames_without_a_difference_lengthen_the_one_before() {
    let mut frames = moving([0, 0, 90, 255], 2);
    frames.insert(1, (frames[0].0.clone(), 1_000));
    let found = played(&file(&frames, 0));
    assert_eq!(found.iter().map(|(_, duration_ms)| *duration_ms).collect::<Vec<_>>(), [1_040, 50]);
}

#[test]
fn how_often_it_plays() {
    for (loops, wanted) in
        [(0, Repeat::Infinite), (1, Repeat::Finite(0)), (2, Repeat::Finite(1)), (5, Repeat::Finite(4))]
    {
        let file = file(&moving([0, 0, 90, 255], 2), loops);
        let decoder = gif::DecodeOptions::new().read_info(&file[..]).unwrap();
        assert_eq!(decoder.repeat(), wanted, "{loops}");
    }
}

#[test]
fn what_it_refuses() {
    let deadline = Deadline::never();
    let settings = testing::settings(&deadline);
    assert!(Animation::new(&settings, 0).finish().is_err());
    let mut animation = Animation::new(&settings, 0);
    animation.push(&picture(4, 4, Layout::Rgb), 1).unwrap();
    assert!(matches!(animation.push(&picture(4, 5, Layout::Rgb), 1), Err(Error::Unencodable { .. })));
    let long = picture(65_536, 1, Layout::Grey);
    assert_eq!(
        encode(Picture::Frame(&long), &settings),
        Err(Error::SideTooLong { side: 65_536, max: 65_535 })
    );
    let cmyk = picture(8, 8, Layout::Cmyk);
    assert!(matches!(encode(Picture::Frame(&cmyk), &settings), Err(Error::Unencodable { .. })));
    deadline.cancel();
    assert_eq!(encode(Picture::Frame(&picture(4, 4, Layout::Rgb)), &settings), Err(Error::Deadline));
}
