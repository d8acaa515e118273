//! Which colours stand for a picture: cells of like colours, cut into as many boxes as there may be colours.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::nearest::Nearest;
use super::{Colour, premultiplied};

/// How much a difference in red, green, blue and alpha is seen.
const WEIGHTS: [f32; 4] = [0.75, 1.0, 0.6, 1.1];

/// Pixels of like colours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pixels: f32,
    /// Premultiplied.
    mean: [f32; 4],
}

/// The cell of a premultiplied colour: its channels without their lowest `dropped` bits.
#[inline(always)]
pub(super) fn cell(colour: [i32; 4], dropped: u32) -> u32 {
    colour.into_iter().fold(0, |cell, channel| cell << 8 | (channel >> dropped).cast_unsigned())
}

/// Spreads the numbers of cells; they are nobody's choice that could hurt, since their count is bounded by the picture's size.
#[derive(Debug, Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32((*byte).into());
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(26);
    }
}

/// The cells that have pixels; what is not seen at all does not count.
pub(super) fn cells(pixels: &[Colour], dropped: u32) -> Vec<Cell> {
    let mut places: HashMap<u32, usize, BuildHasherDefault<Mix>> = HashMap::default();
    let mut sums: Vec<(u32, [u64; 4])> = Vec::new();
    let mut last = None;
    for pixel in pixels {
        let colour = premultiplied(*pixel);
        let [.., alpha] = colour;
        if alpha == 0 {
            continue;
        }
        let cell = cell(colour, dropped);
        let place = match last {
            Some((before, place)) if before == cell => place,
            _ => *places.entry(cell).or_insert(sums.len()),
        };
        last = Some((cell, place));
        if place == sums.len() {
            sums.push((0, [0; 4]));
        }
        if let Some((count, sum)) = sums.get_mut(place) {
            *count += 1;
            for (sum, channel) in sum.iter_mut().zip(colour) {
                *sum += u64::from(channel.cast_unsigned());
            }
        }
    }
    sums.into_iter().map(|(count, sum)| mean(count, sum)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "sums of few bits count; the rest is rounding")]
fn mean(count: u32, sum: [u64; 4]) -> Cell {
    Cell { pixels: count as f32, mean: sum.map(|sum| sum as f32 / count as f32) }
}

/// A range of cells, with what is needed to choose the next cut.
struct Box4 {
    from: usize,
    to: usize,
    mean: [f32; 4],
    /// Weighted squares of the distances to the mean, for each channel.
    spread: [f32; 4],
}

impl Box4 {
    fn new(cells: &[Cell], from: usize, to: usize) -> Self {
        let inside = cells.get(from..to).unwrap_or_default();
        let mean = middle(inside.iter());
        let mut spread = [0.0; 4];
        for cell in inside {
            for (((spread, mean), value), weight) in spread.iter_mut().zip(mean).zip(cell.mean).zip(WEIGHTS) {
                let distance = (value - mean) * weight;
                *spread += distance * distance * cell.pixels;
            }
        }
        Self { from, to, mean, spread }
    }

    /// What a cut could gain.
    fn error(&self) -> f32 {
        if self.to - self.from < 2 { 0.0 } else { self.spread.iter().sum() }
    }

    fn widest(&self) -> usize {
        let widest = (0..).zip(self.spread).max_by(|(_, one), (_, other)| one.total_cmp(other));
        widest.map_or(0, |(channel, _)| channel)
    }
}

fn middle<'c>(cells: impl Iterator<Item = &'c Cell>) -> [f32; 4] {
    let mut total = 0.0;
    let mut sum = [0.0; 4];
    for cell in cells {
        total += cell.pixels;
        for (sum, value) in sum.iter_mut().zip(cell.mean) {
            *sum += value * cell.pixels;
        }
    }
    sum.map(|sum| if total > 0.0 { sum / total } else { 0.0 })
}

/// At most `max` colours for the cells.
pub(super) fn cut(cells: &[Cell], max: usize, rounds: usize) -> Vec<Colour> {
    let mut cells = cells.to_vec();
    let mut boxes = vec![Box4::new(&cells, 0, cells.len())];
    while boxes.len() < max {
        let worst = (0..).zip(&boxes).max_by(|(_, one), (_, other)| one.error().total_cmp(&other.error()));
        let Some((place, worst)) = worst.filter(|(_, worst)| worst.error() > 0.0) else { break };
        let (from, to, channel) = (worst.from, worst.to, worst.widest());
        let border = worst.mean.get(channel).copied().unwrap_or(0.0);
        let value = |cell: &Cell| cell.mean.get(channel).copied().unwrap_or(0.0);
        let Some(inside) = cells.get_mut(from..to) else { break };
        let split = from + partition(inside, |cell| value(cell) < border);
        if split == from || split == to {
            // all of one value but for rounding: not to be cut again
            if let Some(worst) = boxes.get_mut(place) {
                worst.spread = [0.0; 4];
            }
            continue;
        }
        if let Some(worst) = boxes.get_mut(place) {
            *worst = Box4::new(&cells, from, split);
        }
        boxes.push(Box4::new(&cells, split, to));
    }
    let mut means: Vec<[f32; 4]> = boxes.iter().map(|inside| inside.mean).collect();
    for _ in 0..rounds {
        means = moved(&cells, means);
    }
    means.into_iter().map(straight).collect()
}

/// Brings those for which `is_first` holds to the front; how many they are.
fn partition(cells: &mut [Cell], is_first: impl Fn(&Cell) -> bool) -> usize {
    let mut count = 0;
    for place in 0..cells.len() {
        if cells.get(place).is_some_and(&is_first) {
            cells.swap(place, count);
            count += 1;
        }
    }
    count
}

/// Each colour in the middle of the cells that are nearest to it.
fn moved(cells: &[Cell], means: Vec<[f32; 4]>) -> Vec<[f32; 4]> {
    let colours: Vec<Colour> = means.iter().copied().map(straight).collect();
    let nearest = Nearest::new(&colours);
    let mut sums = vec![(0.0, [0.0; 4]); means.len()];
    for cell in cells {
        let place = nearest.place(cell.mean.map(rounded));
        if let Some((total, sum)) = sums.get_mut(usize::from(place)) {
            *total += cell.pixels;
            for (sum, value) in sum.iter_mut().zip(cell.mean) {
                *sum += value * cell.pixels;
            }
        }
    }
    let middle = |((total, sum), before): ((f32, [f32; 4]), [f32; 4])| {
        if total > 0.0 { sum.map(|sum| sum / total) } else { before }
    };
    sums.into_iter().zip(means).map(middle).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "means of bytes")]
fn rounded(value: f32) -> i32 {
    (value + 0.5) as i32
}

/// Not premultiplied any more.
fn straight([red, green, blue, alpha]: [f32; 4]) -> Colour {
    let byte = |value: f32| u8::try_from(rounded(value)).unwrap_or(u8::MAX);
    let by_alpha = |channel: f32| byte(if alpha > 0.0 { channel * 255.0 / alpha } else { 0.0 });
    [by_alpha(red), by_alpha(green), by_alpha(blue), byte(alpha)]
}
