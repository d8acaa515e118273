#![expect(clippy::cast_possible_truncation, reason = "pixels are made of numbers, cut to size")]

use super::*;
use crate::encode::testing;

/// Mean of the absolute differences of the channels, as they are seen.
fn distance(pixels: &[Colour], indexed: &Indexed) -> f64 {
    let sum: i32 = pixels
        .iter()
        .zip(&indexed.places)
        .map(|(pixel, place)| {
            let found = premultiplied(indexed.colours[usize::from(*place)]);
            premultiplied(*pixel).into_iter().zip(found).map(|(one, other)| (one - other).abs()).sum::<i32>()
        })
        .sum();
    f64::from(sum) / pixels.len() as f64 / 4.0
}

#[test]
fn few_colours_stay_as_they_are() {
    let pixels: Vec<Colour> =
        (0..1_000_u32).map(|n| [(n % 16 * 16) as u8, (n / 16 % 16 * 16) as u8, 9, 255]).collect();
    let indexed = exact(&pixels, 256).unwrap();
    assert_eq!(indexed.colours.len(), 256);
    assert!(distance(&pixels, &indexed) < 1e-9);
    assert_eq!(exact(&pixels, 255), None);
    assert_eq!(reduced(&pixels, 10, 256, 0), indexed);
}

#[test]
fn known_colours_are_kept_only_if_all_fit() {
    let mut known = Known::new();
    let one: Vec<Colour> = (0..200).map(|n| [n, 0, 0, 255]).collect();
    let other: Vec<Colour> = (0..100).map(|n| [n, n, 0, 255]).collect();
    assert!(known.places(&one, 256).is_some());
    assert_eq!(known.places(&other, 256), None);
    assert_eq!(known.colours(), one);
    assert_eq!(known.places(&one, 256).unwrap(), (0..200).collect::<Vec<u8>>());
    assert!(known.places(&other[..56], 256).is_some());
}

#[test]
fn more_colours_are_nearer() {
    let frame = testing::photo();
    let pixels = colours(&frame).unwrap();
    let mut before = f64::MAX;
    for max in [2, 8, 32, 128, 256] {
        let indexed = reduced(&pixels, 450, max, 1);
        assert!(indexed.colours.len() <= max);
        assert!(indexed.places.iter().all(|place| usize::from(*place) < indexed.colours.len()));
        let after = distance(&pixels, &indexed);
        assert!(after < before, "{max}: {before} {after}");
        before = after;
    }
    assert!(before < 5.0, "{before}");
}

#[test]
fn errors_cancel_out_over_an_area() {
    let frame = testing::photo();
    let pixels = colours(&frame).unwrap();
    let indexed = reduced(&pixels, 450, 16, 1);
    // means of squares of 15 pixels
    let mut worst = 0.0_f64;
    for (x, y) in (0..30).flat_map(|x| (0..20).map(move |y| (x * 15, y * 15))) {
        let at = |n: usize| (y + n / 15) * 450 + x + n % 15;
        let colour = |n: usize| indexed.colours[usize::from(indexed.places[at(n)])];
        for channel in [0, 1, 2] {
            let error = |n| f64::from(pixels[at(n)][channel]) - f64::from(colour(n)[channel]);
            worst = worst.max(((0..225).map(error).sum::<f64>() / 225.0).abs());
        }
    }
    assert!(worst < 45.0, "{worst}");
}

#[test]
fn transparency_stays() {
    let frame = testing::picture(64, 64, Layout::Rgba);
    let mut pixels = colours(&frame).unwrap();
    clear(&mut pixels, 1);
    pixels[..640].fill(CLEAR);
    let indexed = reduced(&pixels, 64, 64, 1);
    let clear = indexed.colours.iter().position(|colour| *colour == CLEAR).unwrap();
    assert!(indexed.places[..640].iter().all(|place| usize::from(*place) == clear));
    assert!(distance(&pixels, &indexed) < 12.0);
    assert!(indexed.colours.iter().any(|[.., alpha]| (50..200).contains(alpha)));
}

#[test]
fn black_is_found_in_a_small_palette() {
    let pixels: Vec<Colour> =
        (0..4_096_u32).map(|n| [200 + (n % 50) as u8, 200 + (n / 64 % 50) as u8, 255, 255]).collect();
    let indexed = reduced(&pixels, 64, 3, 1);
    assert!(distance(&pixels, &indexed) < 20.0);
}
