//! Thumbhash: a blurred picture with its shape and its alpha in about 25 bytes.
//!
//! The picture is split into lightness, two differences of colours, and alpha; of each the low frequencies of a cosine
//! transform are kept, 4 bits a frequency, more of lightness than of the others.

use std::f64::consts::PI;

use super::Small;

/// The frequencies of one channel.
struct Channel {
    /// The mean.
    mean: f64,
    /// Between 0 and 1, 0.5 is none.
    details: Vec<f64>,
    /// What the details were divided by.
    scale: f64,
}

/// The hash; its pictures have at most 100 pixels a side.
pub(super) fn encode(small: &Small) -> Vec<u8> {
    let (width, height) = (small.width(), small.height());
    let opacity = small.pixels().iter().map(|&[.., alpha]| f64::from(alpha) / 255.0).collect::<Vec<_>>();
    let has_alpha = small.pixels().iter().any(|&[.., alpha]| alpha < u8::MAX);
    let [light, yellow, red] = split(small, opacity.iter().sum());
    let longest = width.max(height);
    let cosines = if has_alpha { 5 } else { 7 };
    let side = |side: usize| ((cosines * side * 2 + longest) / (longest * 2)).max(1);
    let (across, down) = (side(width), side(height));

    let light = channel(small, &light, across.max(3), down.max(3));
    let yellow = channel(small, &yellow, 3, 3);
    let red = channel(small, &red, 3, 3);
    let is_wide = width > height;
    let first = level(light.mean, 63.0)
        | level(0.5 + yellow.mean / 2.0, 63.0) << 6
        | level(0.5 + red.mean / 2.0, 63.0) << 12
        | level(light.scale, 31.0) << 18
        | u32::from(has_alpha) << 23;
    let shape = u32::try_from(if is_wide { down } else { across }).unwrap_or(7);
    let second =
        shape | level(yellow.scale, 63.0) << 3 | level(red.scale, 63.0) << 9 | u32::from(is_wide) << 15;
    let mut hash: Vec<u8> = first.to_le_bytes().into_iter().take(3).collect();
    hash.extend(second.to_le_bytes().into_iter().take(2));
    let mut channels = vec![light, yellow, red];
    if has_alpha {
        let alpha = channel(small, &opacity, 5, 5);
        hash.extend(byte(level(alpha.mean, 15.0), level(alpha.scale, 15.0)));
        channels.push(alpha);
    }
    let details: Vec<u32> =
        channels.iter().flat_map(|channel| &channel.details).map(|&detail| level(detail, 15.0)).collect();
    for pair in details.chunks(2) {
        let at = |index: usize| pair.get(index).copied().unwrap_or(0);
        hash.extend(byte(at(0), at(1)));
    }
    hash
}

/// Lightness, yellow against blue, red against green; transparent parts show the mean colour, which costs the least.
fn split(small: &Small, opacity: f64) -> [Vec<f64>; 3] {
    let mut mean = [0.0; 3];
    for &[red, green, blue, alpha] in small.pixels() {
        for (sum, value) in mean.iter_mut().zip([red, green, blue]) {
            *sum += f64::from(alpha) / 255.0 / 255.0 * f64::from(value);
        }
    }
    if opacity > 0.0 {
        mean = mean.map(|sum| sum / opacity);
    }
    let [mut light, mut yellow, mut reddish] = [const { Vec::new() }; 3];
    for &[red, green, blue, alpha] in small.pixels() {
        let alpha = f64::from(alpha) / 255.0;
        let [mean_red, mean_green, mean_blue] = mean.map(|mean| mean * (1.0 - alpha));
        let over = |mean: f64, value: u8| mean + alpha / 255.0 * f64::from(value);
        let (red, green, blue) = (over(mean_red, red), over(mean_green, green), over(mean_blue, blue));
        light.push((red + green + blue) / 3.0);
        yellow.push((red + green) / 2.0 - blue);
        reddish.push(red - green);
    }
    [light, yellow, reddish]
}

/// The frequencies below the diagonal of a grid of `across` and `down` cosines.
fn channel(small: &Small, values: &[f64], across: usize, down: usize) -> Channel {
    let mut frequencies = Vec::new();
    for y in 0..down {
        let vertical = wave(y, small.height());
        for x in (0..across).take_while(|x| x * down < across * (down - y)) {
            frequencies.push(amount(values, &wave(x, small.width()), &vertical));
        }
    }
    let (mean, details) =
        frequencies.split_first().map_or((0.0, [].as_slice()), |(mean, rest)| (*mean, rest));
    let scale = details.iter().fold(0.0, |scale: f64, detail| scale.max(detail.abs()));
    // what is left of a flat channel is rounding
    let scale = if scale < FLAT { 0.0 } else { scale };
    let details = details.iter().map(|detail| if scale > 0.0 { 0.5 + 0.5 / scale * detail } else { 0.0 });
    Channel { mean, details: details.collect(), scale }
}

/// The largest frequency of a channel without any.
const FLAT: f64 = 1e-9;

fn amount(values: &[f64], across: &[f64], down: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (row, vertical) in values.chunks_exact(across.len()).zip(down) {
        for (value, horizontal) in row.iter().zip(across) {
            sum += value * horizontal * vertical;
        }
    }
    sum / values.len() as f64
}

/// `frequency` half periods of a cosine, in the middle of each of `length` pixels.
fn wave(frequency: usize, length: usize) -> Vec<f64> {
    let angle = |at: usize| PI / length as f64 * frequency as f64 * (at as f64 + 0.5);
    (0..length).map(|at| angle(at).cos()).collect()
}

/// A value from 0 to 1 in steps of 1 / `max`.
fn level(value: f64, max: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=max")]
    let level = (value * max + 0.5).floor().clamp(0.0, max) as u32;
    level
}

fn byte(low: u32, high: u32) -> Option<u8> {
    u8::try_from(low | high << 4).ok()
}
