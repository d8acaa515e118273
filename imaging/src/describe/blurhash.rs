//! Blurhash: a blurred picture in some thirty letters, a few cosines of linear light written to the base 83.

use std::f64::consts::PI;

use super::Small;
use crate::palette::{to_byte, to_linear};

/// Cosines across and down.
const COMPONENTS: (usize, usize) = (4, 3);

const LETTERS: &[u8; 83] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";

/// The hash. What is transparent counts as white.
pub(super) fn encode(small: &Small) -> String {
    let (across, down) = COMPONENTS;
    let light = linear(small);
    let mut factors = (0..down).flat_map(|y| (0..across).map(move |x| (x, y)));
    let mean = factors.next().map_or([0.0; 3], |(x, y)| factor(small, &light, x, y));
    let details: Vec<[f64; 3]> = factors.map(|(x, y)| factor(small, &light, x, y)).collect();
    let largest = details.as_flattened().iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let scale = bounded((largest * 166.0 - 0.5).floor(), 82);

    let mut hash = String::new();
    let size = (across - 1) + (down - 1) * 9;
    digits(&mut hash, u32::try_from(size).unwrap_or(0), 1);
    digits(&mut hash, scale, 1);
    let [red, green, blue] = mean.map(|value| u32::from(to_byte(value)));
    digits(&mut hash, red << 16 | green << 8 | blue, 4);
    let scale = f64::from(scale + 1) / 166.0;
    for detail in details {
        let [red, green, blue] = detail.map(|value| {
            let root = (value / scale).abs().sqrt().copysign(value);
            bounded((root * 9.0 + 9.5).floor(), 18)
        });
        digits(&mut hash, (red * 19 + green) * 19 + blue, 2);
    }
    hash
}

/// Linear light over white.
fn linear(small: &Small) -> Vec<[f64; 3]> {
    let over_white = |&[red, green, blue, alpha]: &[u8; 4]| {
        let alpha = f64::from(alpha) / 255.0;
        [red, green, blue].map(|value| to_linear(value) * alpha + (1.0 - alpha))
    };
    small.pixels().iter().map(over_white).collect()
}

/// How much of one cosine is in the picture.
fn factor(small: &Small, light: &[[f64; 3]], x: usize, y: usize) -> [f64; 3] {
    let (across, down) = (wave(x, small.width()), wave(y, small.height()));
    let mut sums = [0.0; 3];
    for (row, vertical) in light.chunks_exact(small.width()).zip(&down) {
        for (pixel, horizontal) in row.iter().zip(&across) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += value * horizontal * vertical;
            }
        }
    }
    let weight = if (x, y) == (0, 0) { 1.0 } else { 2.0 };
    sums.map(|sum| sum * weight / light.len() as f64)
}

/// `component` half periods of a cosine, at the left of each of `length` pixels.
fn wave(component: usize, length: usize) -> Vec<f64> {
    let angle = |at: usize| PI * (component * at) as f64 / length as f64;
    (0..length).map(|at| angle(at).cos()).collect()
}

fn bounded(value: f64, max: u32) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=max")]
    let value = value.clamp(0.0, f64::from(max)) as u32;
    value
}

fn digits(hash: &mut String, value: u32, count: u32) {
    for place in (0..count).rev() {
        let digit = usize::try_from(value / 83_u32.pow(place) % 83).unwrap_or(0);
        hash.push(LETTERS.get(digit).copied().map_or('0', char::from));
    }
}
