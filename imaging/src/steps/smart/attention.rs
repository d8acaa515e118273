//! What catches the eye: edges, colours stronger than the rest, skin.
//!
//! Every window is judged by what it shows, the middle counting more than the edge. All sums are of integers, so that the
//! choice is the same on every machine.

use super::Grid;
use crate::steps::sample::luma;

/// How much an edge, a strong colour and skin count.
const WEIGHTS: [u32; 3] = [8, 3, 6];

/// Upper left corner of the best window, in cells.
pub(super) fn place(grid: &Grid, (wide, high): (usize, usize)) -> (usize, usize) {
    let scores = scores(grid);
    let across = bell(wide);
    let columns = grid.width + 1 - wide.min(grid.width);
    let mut sums = Vec::with_capacity(columns * grid.height);
    for row in scores.chunks_exact(grid.width) {
        sums.extend(row.windows(wide).map(|window| weighed(window.iter().copied(), &across)));
    }
    let down = bell(high);
    let rows = grid.height + 1 - high.min(grid.height);
    let mut best = (0, u64::MAX, (0, 0));
    for y in 0..rows {
        for x in 0..columns {
            let column = sums.get(y * columns + x..).unwrap_or_default().iter().step_by(columns);
            let score = weighed(column.copied(), &down);
            // of equals the one nearest to the middle, doubled to stay whole
            let off = (2 * x).abs_diff(columns - 1).pow(2) + (2 * y).abs_diff(rows - 1).pow(2);
            let off = u64::try_from(off).unwrap_or(u64::MAX);
            if (score, u64::MAX - off) > (best.0, u64::MAX - best.1) {
                best = (score, off, (x, y));
            }
        }
    }
    best.2
}

fn weighed(scores: impl Iterator<Item = u64>, weights: &[u64]) -> u64 {
    scores.zip(weights).map(|(score, weight)| score * weight).sum()
}

/// Weights along a side of the window: 256 in the middle, 32 at its ends.
fn bell(length: usize) -> Vec<u64> {
    let length = u64::try_from(length).unwrap_or(u64::MAX).max(1);
    let weight = |at: u64| 256 - 224 * (2 * at + 1).abs_diff(length).pow(2) / length.pow(2);
    (0..length).map(weight).collect()
}

/// How much each cell catches the eye.
fn scores(grid: &Grid) -> Vec<u64> {
    let lumas: Vec<u8> = grid.pixels.iter().map(|&[red, green, blue, _]| luma([red, green, blue])).collect();
    let colours: Vec<u32> = grid.pixels.iter().map(strength).collect();
    let count = u32::try_from(colours.len()).unwrap_or(u32::MAX).max(1);
    let usual = colours.iter().sum::<u32>() / count;
    let at = |x: usize, y: usize| {
        let index = y.min(grid.height - 1) * grid.width + x.min(grid.width - 1);
        lumas.get(index).copied().unwrap_or(0)
    };
    let [of_edge, of_colour, of_skin] = WEIGHTS;
    let mut scores = Vec::with_capacity(grid.pixels.len());
    let cells = grid.pixels.iter().zip(&colours).enumerate();
    for (index, (pixel, &colour)) in cells {
        let (x, y) = (index % grid.width, index / grid.width);
        let across = at(x + 1, y).abs_diff(at(x.saturating_sub(1), y));
        let down = at(x, y + 1).abs_diff(at(x, y.saturating_sub(1)));
        // a field of colour is no more than ground: what exceeds the mean counts
        let score = of_edge * (u32::from(across) + u32::from(down))
            + of_colour * colour.saturating_sub(usual)
            + of_skin * skin(pixel);
        let [.., alpha] = *pixel;
        scores.push(u64::from(score * u32::from(alpha) / 255));
    }
    scores
}

/// How strong a colour is, 0 to 255; very dark and very bright ones count less, since they are noise.
fn strength(&[red, green, blue, _]: &[u8; 4]) -> u32 {
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    let light = u32::from(luma([red, green, blue]));
    let certain = light.min(255 - light).min(32);
    u32::from(most - least) * certain / 32
}

/// How near a colour is to that of skin, whatever its lightness: 0 to 255.
fn skin(&[red, green, blue, _]: &[u8; 4]) -> u32 {
    let [red, green, blue] = [red, green, blue].map(u32::from);
    let sum = red + green + blue;
    if !(120..=720).contains(&sum) {
        return 0;
    }
    // shares of red and green in thousandths; skin is around 440 and 320
    let miss = (red * 1_000 / sum).abs_diff(440) + (green * 1_000 / sum).abs_diff(320);
    255_u32.saturating_sub(miss * 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_symmetric_with_the_most_in_the_middle() {
        assert_eq!(bell(1), [256]);
        assert_eq!(bell(2), [200, 200]);
        assert_eq!(bell(3), [157, 256, 157]);
        let bell = bell(96);
        assert!(bell.iter().rev().eq(&bell) && bell[..48].is_sorted() && bell[0] > 30);
    }

    #[test]
    fn skin_of_any_shade_is_told_from_grass_and_sky() {
        for skin_tone in [[224, 172, 140, 255], [141, 95, 66, 255], [90, 62, 44, 255]] {
            assert!(skin(&skin_tone) > 100, "{skin_tone:?}: {}", skin(&skin_tone));
        }
        for other in [[120, 160, 70, 255], [110, 160, 220, 255], [128, 128, 128, 255], [10, 8, 6, 255]] {
            assert!(skin(&other) < 20, "{other:?}: {}", skin(&other));
        }
    }
}
