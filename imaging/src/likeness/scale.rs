//! The comparison at one size.

use super::blur::{REACH, across, down};
use super::light::{Channel, Light};
use super::weights::{Kinds, Weights};

/// Keeps flat areas from counting as different by their noise.
const NOISE: f32 = 0.0009;

/// Numbers that are added up side by side.
const LANES: usize = 8;

/// One size of a picture, prepared.
#[derive(Debug)]
pub(super) struct Original {
    width: usize,
    /// None where nothing of the channel counts.
    channels: [Option<Prepared>; 3],
}

impl Original {
    /// Prepares the channels that count.
    pub(super) fn new(light: &Light, weights: [Weights; 3]) -> Self {
        let width = light.width().max(1);
        let mut channels = [const { None }; 3];
        for ((slot, channel), weights) in channels.iter_mut().zip(Channel::ALL).zip(weights) {
            *slot = weights.count().then(|| Prepared::new(light.channel(channel), width));
        }
        Self { width, channels }
    }

    /// The weighted difference from another picture of this size.
    pub(super) fn difference(&self, light: &Light, weights: [Weights; 3]) -> f64 {
        let mut sum = 0.0;
        for ((prepared, channel), weights) in self.channels.iter().zip(Channel::ALL).zip(weights) {
            if let Some(prepared) = prepared {
                sum += prepared.difference(&light.channel(channel), self.width, &weights);
            }
        }
        sum
    }
}

/// One channel with what is around each of its pixels.
#[derive(Debug)]
struct Prepared {
    plane: Vec<f32>,
    mean: Vec<f32>,
    /// Mean of the squares less square of the mean.
    variance: Vec<f32>,
}

impl Prepared {
    fn new(plane: Vec<f32>, width: usize) -> Self {
        let mean = whole(&means(&plane, width), width);
        let mut variance = whole(&products(&plane, &plane, width), width);
        for (variance, mean) in variance.iter_mut().zip(&mean) {
            *variance -= mean * mean;
        }
        Self { plane, mean, variance }
    }

    fn difference(&self, other: &[f32], width: usize, weights: &Weights) -> f64 {
        let blurred = means(other, width);
        let structure = weights.has_structure();
        let (squares, shared) = if structure {
            (products(other, other, width), products(&self.plane, other, width))
        } else {
            (Vec::new(), Vec::new())
        };
        let mut line = Line::new(width);
        let mut sums = [Sums::default(); 3];
        let [structures, added, lost] = &mut sums;
        let originals = self.plane.chunks_exact(width).zip(self.mean.chunks_exact(width));
        let rows = originals.zip(self.variance.chunks_exact(width)).zip(other.chunks_exact(width));
        for (y, (((plane, mean), variance), other)) in rows.enumerate() {
            down(&blurred, y, &mut line.mean);
            if structure {
                down(&squares, y, &mut line.square);
                down(&shared, y, &mut line.shared);
                line.compare_structure(mean, variance);
                structures.add(&line.structure);
            }
            if weights.has_edges() {
                line.compare_edges(plane, mean, other);
                added.add(&line.added);
                lost.add(&line.lost);
            }
        }
        let [structure, added, lost] = sums.map(|sums| sums.norms(other.len()));
        let weighted = |kinds: Kinds, index: usize| {
            let norm = |norms: [f64; 2]| norms.get(index).copied().unwrap_or(0.0);
            kinds.structure * norm(structure) + kinds.added * norm(added) + kinds.lost * norm(lost)
        };
        weighted(weights.mean, 0) + weighted(weights.worst, 1)
    }
}

/// A plane blurred along its rows.
fn means(plane: &[f32], width: usize) -> Vec<f32> {
    along_rows(plane.len(), width, |y, out| {
        let row = plane.get(y * width..(y + 1) * width).unwrap_or_default();
        for (out, value) in out.iter_mut().zip(row) {
            *out = *value;
        }
    })
}

/// The product of two planes blurred along its rows.
fn products(one: &[f32], other: &[f32], width: usize) -> Vec<f32> {
    along_rows(one.len(), width, |y, out| {
        let range = y * width..(y + 1) * width;
        let (one, other) = (one.get(range.clone()).unwrap_or_default(), other.get(range).unwrap_or_default());
        for (out, (one, other)) in out.iter_mut().zip(one.iter().zip(other)) {
            *out = one * other;
        }
    })
}

fn along_rows(length: usize, width: usize, fill: impl Fn(usize, &mut [f32])) -> Vec<f32> {
    let mut blurred = vec![0.0; length];
    let mut padded = vec![0.0; width + 2 * REACH];
    for (y, out) in blurred.chunks_exact_mut(width).enumerate() {
        if let Some(row) = padded.get_mut(REACH..REACH + width) {
            fill(y, row);
        }
        across(&padded, out);
    }
    blurred
}

/// A plane that is blurred along its rows, blurred along its columns too.
fn whole(along_rows: &[f32], width: usize) -> Vec<f32> {
    let mut whole = vec![0.0; along_rows.len()];
    for (y, row) in whole.chunks_exact_mut(width).enumerate() {
        down(along_rows, y, row);
    }
    whole
}

/// One row of everything that is compared.
struct Line {
    mean: Vec<f32>,
    square: Vec<f32>,
    shared: Vec<f32>,
    structure: Vec<f32>,
    added: Vec<f32>,
    lost: Vec<f32>,
}

impl Line {
    fn new(width: usize) -> Self {
        let row = || vec![0.0; width];
        Self { mean: row(), square: row(), shared: row(), structure: row(), added: row(), lost: row() }
    }

    /// One less SSIM, without its division by brightness, which XYB has in it already.
    fn compare_structure(&mut self, mean: &[f32], variance: &[f32]) {
        let originals = mean.iter().zip(variance);
        let others = self.mean.iter().zip(&self.square).zip(&self.shared);
        for ((out, (m1, v1)), ((m2, s2), s12)) in self.structure.iter_mut().zip(originals).zip(others) {
            let apart = m1 - m2;
            let alike = 1.0 - apart * apart;
            let covariance = 2.0 * (s12 - m1 * m2) + NOISE;
            let variance = v1 + (s2 - m2 * m2) + NOISE;
            *out = (1.0 - alike * covariance / variance).max(0.0);
        }
    }

    /// How much more, or less, a pixel stands out from what is around it.
    fn compare_edges(&mut self, plane: &[f32], mean: &[f32], other: &[f32]) {
        let outs = self.added.iter_mut().zip(&mut self.lost);
        let originals = plane.iter().zip(mean);
        let others = other.iter().zip(&self.mean);
        for (((added, lost), (p1, m1)), (p2, m2)) in outs.zip(originals).zip(others) {
            let change = (1.0 + (p2 - m2).abs()) / (1.0 + (p1 - m1).abs()) - 1.0;
            *added = change.max(0.0);
            *lost = (-change).max(0.0);
        }
    }
}

/// Sums over all pixels.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    of_values: f64,
    of_fourth_powers: f64,
}

impl Sums {
    fn add(&mut self, row: &[f32]) {
        let (groups, rest) = row.as_chunks::<LANES>();
        let (mut values, mut powers) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        for group in groups {
            for ((value, power), difference) in values.iter_mut().zip(&mut powers).zip(group) {
                let square = difference * difference;
                *value += difference;
                *power += square * square;
            }
        }
        let total = |lanes: [f32; LANES]| lanes.into_iter().map(f64::from).sum::<f64>();
        let rest = rest.iter().copied().map(f64::from);
        self.of_values += total(values) + rest.clone().sum::<f64>();
        self.of_fourth_powers += total(powers) + rest.map(|value| value.powi(4)).sum::<f64>();
    }

    /// The mean, and the fourth root of the mean fourth power.
    fn norms(self, pixels: usize) -> [f64; 2] {
        let pixels = pixels.max(1) as f64;
        [self.of_values / pixels, (self.of_fourth_powers / pixels).sqrt().sqrt()]
    }
}
