//! Pictures with one thing in them, and where it is found.

use proptest::prelude::*;

use super::*;
use crate::steps::specimen::{frames, grey, of};
use crate::steps::turn::{flip_horizontal, flip_vertical, quarters};

const BOTH: [Gravity; 2] = [Gravity::Attention, Gravity::Entropy];

/// A ground of one colour with a square of many shades on it.
fn scene(width: u32, height: u32, ground: [u8; 3], (left, top, side): (u32, u32, u32)) -> Frame {
    let mut pixels = Vec::new();
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let inside = (left..left + side).contains(&x) && (top..top + side).contains(&y);
        let shade = u8::try_from((x * 53 + y * 97 + x * y * 31) % 256).unwrap();
        pixels.extend(if inside { [shade, shade / 2, shade.wrapping_mul(3)] } else { ground });
    }
    of(Layout::Rgb, width, &pixels)
}

fn found(gravity: Gravity, frame: &Frame, window: (f64, f64)) -> (f64, f64) {
    find(gravity, frame, Area::whole(frame), window).unwrap()
}

#[test]
fn the_thing_is_in_the_window() {
    for (left, top) in [(0, 0), (10, 20), (70, 5), (70, 70), (35, 35)] {
        let frame = scene(90, 90, [90, 120, 200], (left, top, 20));
        for gravity in BOTH {
            let (x, y) = found(gravity, &frame, (0.5, 0.5));
            let (x, y) = (x * 45.0, y * 45.0);
            let holds = |start: f64, thing: u32| {
                start <= f64::from(thing) + 3.0 && start + 45.0 >= f64::from(thing + 20) - 3.0
            };
            assert!(holds(x, left) && holds(y, top), "{gravity:?}: {x}, {y} for {left}, {top}");
        }
    }
}

#[test]
fn one_way_is_cut_as_well_as_both() {
    let frame = scene(120, 40, [20, 20, 20], (90, 10, 20));
    for gravity in BOTH {
        let (x, y) = found(gravity, &frame, (1.0 / 3.0, 1.0));
        assert!(x > 0.85 && (y - 0.5).abs() < 1e-9, "{gravity:?}: {x}, {y}");
    }
}

#[test]
fn attention_prefers_skin_to_a_wall() {
    // two squares with the same edges: one of the colour of skin, one as bright in grey
    let mut frame = of(Layout::Rgb, 90, &[128; 90 * 30 * 3]);
    for (y, x) in (8..22).flat_map(|y| (0..14).map(move |x| (y, x))) {
        let (skin, wall) = ((y * 90 + 8 + x) * 3, (y * 90 + 68 + x) * 3);
        frame.pixels[skin..skin + 3].copy_from_slice(&[224, 172, 140]);
        frame.pixels[wall..wall + 3].copy_from_slice(&[184; 3]);
    }
    let (x, _) = found(Gravity::Attention, &frame, (0.4, 1.0));
    assert!(x < 0.2, "{x}");
    let (x, _) = found(Gravity::Attention, &flip_horizontal(frame), (0.4, 1.0));
    assert!(x > 0.8, "{x}");
}

#[test]
fn what_is_transparent_is_not_looked_at() {
    let mut frame = with_alpha(scene(90, 30, [128; 3], (60, 5, 20)));
    for pixel in frame.pixels.as_chunks_mut::<4>().0 {
        pixel[3] = if pixel[..3] == [128; 3] { 255 } else { 0 };
    }
    // a second thing, seen, on the left
    for (y, x) in (5..25).flat_map(|y| (5..25).map(move |x| (y, x))) {
        frame.pixels[(y * 90 + x) * 4] = u8::try_from((x * 53 + y * 97) % 256).unwrap();
    }
    let (x, _) = found(Gravity::Attention, &frame, (0.4, 1.0));
    assert!(x < 0.3, "{x}");
}

#[test]
fn nothing_to_see_keeps_the_middle() {
    for frame in
        [grey(90, &[7; 90 * 30]), grey(2_000, &[200; 2_000 * 10]), of(Layout::Rgba, 9, &[0; 9 * 9 * 4])]
    {
        for gravity in BOTH {
            for window in [(0.5, 0.5), (0.25, 1.0), (1.0, 0.75)] {
                let (x, y) = found(gravity, &frame, window);
                assert!((x - 0.5).abs() <= 0.2 && (y - 0.5).abs() <= 0.2, "{gravity:?}: {x}, {y}");
            }
        }
    }
}

#[test]
fn an_area_is_looked_at_alone() {
    let frame = scene(120, 40, [20, 20, 20], (90, 10, 20));
    let area = Area { x: 80.0, y: 0.0, width: 40.0, height: 40.0 };
    let (x, _) = find(Gravity::Entropy, &frame, area, (0.5, 1.0)).unwrap();
    assert!((x - 0.5).abs() < 0.15, "{x}");
    let empty = Area { x: 0.0, width: 60.0, ..area };
    assert_eq!(find(Gravity::Entropy, &frame, empty, (0.5, 1.0)), Some((0.5, 0.5)));
}

#[test]
fn other_gravities_do_not_look() {
    let frame = grey(9, &[7; 81]);
    for gravity in [Gravity::default(), Gravity::Focus(0.1, 0.1)] {
        assert_eq!(find(gravity, &frame, Area::whole(&frame), (0.5, 0.5)), None);
    }
}

#[test]
fn the_reduced_picture_is_small_enough() {
    for (width, height, wanted) in
        [(960, 480, (96, 48)), (50, 20, (50, 20)), (1, 500, (1, 96)), (96, 97, (95, 96))]
    {
        let frame = grey(width, &vec![3; usize::try_from(width * height).unwrap()]);
        let small = reduced(&frame).unwrap();
        assert_eq!((small.width, small.height), wanted);
    }
}

proptest! {
    #[test]
    fn places_are_shares(frame in frames(40), wide in 0.0..=1.0_f64, high in 0.0..=1.0_f64) {
        for gravity in BOTH {
            let (x, y) = found(gravity, &frame, (wide, high));
            prop_assert!((0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y));
            prop_assert_eq!(found(gravity, &frame, (wide, high)), (x, y));
        }
    }

    #[test]
    fn attention_goes_with_the_picture(left in 0..70_u32, top in 0..40_u32) {
        let frame = scene(90, 60, [90, 120, 200], (left, top, 20));
        let (x, y) = found(Gravity::Attention, &frame, (0.4, 0.5));
        let mirrored = found(Gravity::Attention, &flip_horizontal(frame.clone()), (0.4, 0.5));
        let upside_down = found(Gravity::Attention, &flip_vertical(frame.clone()), (0.4, 0.5));
        let turned = found(Gravity::Attention, &quarters(frame, 1), (0.5, 0.4));
        for (one, other) in [(mirrored, (1.0 - x, y)), (upside_down, (x, 1.0 - y)), (turned, (1.0 - y, x))] {
            prop_assert!((one.0 - other.0).abs() < 0.05 && (one.1 - other.1).abs() < 0.05, "{:?} {:?}", one, other);
        }
    }
}
