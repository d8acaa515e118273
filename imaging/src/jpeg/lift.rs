//! The light of the detail that a smaller block leaves out.
//!
//! Light adds up, the numbers that stand for it do not: a block that is made of its lowest coefficients alone has the mean of
//! the numbers, and is darker than the mean of the light. How much is known without the samples: the transform keeps sums of
//! squares, so the squares of the coefficients that are left out give the variance of what they would have added, and around a
//! value the sRGB curve is nearly a parabola. Where it is `((v + a) / b)^2.4`, numbers of mean `v` and variance `s` have the
//! light of `sqrt((v + a)² + 1.4 s) - a`: right to the second order, and 5 too bright for an even mix of black and white.

/// Of each coefficient in zigzag order: what the square of its coded value adds to the square of a sample.
pub(super) type Weights = [f32; 64];

/// Where the curve would reach zero if it had no straight part, in coded values (IEC 61966-2-1).
const OFFSET: f32 = 0.055 * 255.0;

/// One less than the exponent of the curve.
const BEND: f32 = 1.4;

/// Less than this changes nothing that is seen.
const LEAST: f32 = 4.0;

/// Which components are given the light of what they leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifted {
    Nothing,
    /// Luma.
    First,
    /// Red, green and blue.
    All,
}

impl Lifted {
    pub(super) fn includes(self, component: usize) -> bool {
        match self {
            Self::Nothing => false,
            Self::First => component == 0,
            Self::All => true,
        }
    }
}

/// For a quantisation table in zigzag order. A block has 64 samples, which share the variance.
pub(super) fn weights(quantisers: &[u16; 64]) -> Weights {
    quantisers.map(|quantiser| f32::from(quantiser).powi(2) * BEND / 64.0)
}

/// A block with the light of what it leaves out, whose squares are `energy` as weighed.
#[inline(always)]
pub(super) fn lifted<const SIDE: usize>(rows: [[u8; SIDE]; SIDE], energy: f32) -> [[u8; SIDE]; SIDE] {
    if energy < LEAST {
        return rows;
    }
    rows.map(|row| row.map(|sample| lift(sample, energy)))
}

#[inline(always)]
fn lift(sample: u8, energy: f32) -> u8 {
    // values from 0 to 255 do not vary more around this mean: black beside an edge stays black
    let sample = f32::from(sample);
    let energy = energy.min(BEND * sample * (255.0 - sample));
    let value = sample + OFFSET;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "held to 0..=255 by the conversion"
    )]
    let lifted = ((value * value + energy).sqrt() - OFFSET + 0.5) as u8;
    lifted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::light::CURVE;

    /// The coded value of the mean light of values.
    fn mean_light(values: &[u8]) -> u8 {
        let sum: u64 = values.iter().map(|value| u64::from(CURVE.light(*value))).sum();
        CURVE.coded(u16::try_from(sum / values.len() as u64).unwrap())
    }

    #[test]
    fn mean_and_variance_give_the_light_of_a_mix() {
        for (dark, bright, tolerance) in [(90, 110, 0), (60, 140, 1), (10, 60, 2), (150, 250, 1), (0, 255, 5)]
        {
            let (mean, half) = (u8::midpoint(dark, bright), (f32::from(bright) - f32::from(dark)) / 2.0);
            let [[found]] = lifted([[mean]], BEND * half * half);
            let expected = mean_light(&[dark, bright]);
            assert!(found.abs_diff(expected) <= tolerance, "{dark} and {bright}: {found}, not {expected}");
        }
    }

    #[test]
    fn what_is_black_or_white_stays() {
        assert_eq!(lifted([[0, 255], [255, 0]], 1e9), [[0, 255], [255, 0]]);
        let [[found]] = lifted([[2]], 1e9);
        assert!(found < 25, "{found}");
    }

    #[test]
    fn what_leaves_nothing_out_stays() {
        let rows = [[0, 1], [127, 255]];
        assert_eq!(lifted(rows, 0.0), rows);
    }
}
