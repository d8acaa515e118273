//! Where most is going on: strips are taken off the side with less in it, until the window is left.

use super::Grid;
use crate::steps::sample::{luma, times};

/// Shades that are told apart.
const SHADES: usize = 32;

/// In how many strips about the excess is taken off.
const STRIPS: usize = 8;

/// Upper left corner of the window, in cells.
pub(super) fn place(grid: &Grid, (wide, high): (usize, usize)) -> (usize, usize) {
    let lumas: Vec<u8> =
        grid.pixels.iter().map(|&[red, green, blue, alpha]| times(luma([red, green, blue]), alpha)).collect();
    let (mut left, mut right) = (0, grid.width);
    let (mut top, mut bottom) = (0, grid.height);
    let strip = [grid.width.saturating_sub(wide), grid.height.saturating_sub(high)]
        .map(|excess| excess.div_ceil(STRIPS));
    while right - left > wide || bottom - top > high {
        let part = |left: usize, right: usize, top: usize, bottom: usize| {
            let rows = lumas.chunks_exact(grid.width).skip(top).take(bottom - top);
            information(rows.flat_map(|row| row.get(left..right).unwrap_or_default()))
        };
        let [across, down] = [
            strip[0].min(right - left - wide.min(right - left)),
            strip[1].min(bottom - top - high.min(bottom - top)),
        ];
        if across > 0 {
            let (first, last) =
                (part(left, left + across, top, bottom), part(right - across, right, top, bottom));
            let (before, after) = taken((first, last), across, (left, grid.width - right));
            (left, right) = (left + before, right - after);
        }
        if down > 0 {
            let (first, last) =
                (part(left, right, top, top + down), part(left, right, bottom - down, bottom));
            let (before, after) = taken((first, last), down, (top, grid.height - bottom));
            (top, bottom) = (top + before, bottom - after);
        }
    }
    (left, top)
}

/// How much to take off in front and behind: all of it where less is going on; where it is the same, so that both have lost
/// the same.
fn taken((first, last): (f64, f64), length: usize, (before, after): (usize, usize)) -> (usize, usize) {
    match first.total_cmp(&last) {
        std::cmp::Ordering::Less => (length, 0),
        std::cmp::Ordering::Greater => (0, length),
        std::cmp::Ordering::Equal => {
            let front = ((after + length).saturating_sub(before) / 2).min(length);
            (front, length - front)
        }
    }
}

/// Bits that the shade of one cell tells.
fn information<'a>(shades: impl Iterator<Item = &'a u8>) -> f64 {
    let mut counts = [0_u32; SHADES];
    let mut total = 0_u32;
    for &shade in shades {
        if let Some(count) = counts.get_mut(usize::from(shade) * SHADES / 256) {
            *count += 1;
        }
        total += 1;
    }
    let share = |count: u32| f64::from(count) / f64::from(total.max(1));
    counts.iter().filter(|count| **count > 0).map(|&count| -share(count) * share(count).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn information_is_in_bits() {
        for (shades, bits) in
            [(vec![7; 9], 0.0), (vec![0, 255], 1.0), (vec![0, 80, 160, 255], 2.0), (vec![], 0.0)]
        {
            assert!((information(shades.iter()) - bits).abs() < 1e-9, "{shades:?}");
        }
    }
}
