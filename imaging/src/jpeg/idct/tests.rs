//! Kernels against the sum that defines them.
#![expect(clippy::cast_possible_truncation, reason = "small numbers")]

use fearless_simd::Fallback;

use super::*;

/// The transform of `side` points of the lowest coefficients, by its definition.
fn defined(coefficients: &[[f64; 8]; 8], side: usize) -> Vec<f64> {
    let length = side as f64;
    let factor =
        |frequency: usize| if frequency == 0 { (1.0 / length).sqrt() } else { (2.0 / length).sqrt() };
    let wave = |at: usize, frequency: usize| {
        factor(frequency)
            * ((2 * at + 1) as f64 * frequency as f64 * std::f64::consts::PI / (2.0 * length)).cos()
    };
    let sample = |y: usize, x: usize| {
        let terms = (0..side * side).map(|at| (at / side, at % side));
        let sum: f64 = terms.map(|(v, u)| coefficients[v][u] * wave(y, v) * wave(x, u)).sum();
        (sum * length / 8.0 + 128.0).clamp(0.0, 255.0)
    };
    (0..side * side).map(|at| sample(at / side, at % side)).collect()
}

#[test]
fn zigzag_is_the_order_of_the_standard() {
    let order: Vec<u8> = zigzag().map(|(row, column)| row * 8 + column).collect();
    assert_eq!(order.len(), 64);
    assert_eq!(&order[..16], [0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5]);
    assert_eq!(&order[58..], [61, 54, 47, 55, 62, 63]);
}

#[test]
fn every_side_is_the_transform_of_the_lowest_coefficients() {
    let mut seed = 1_u32;
    for _ in 0..50 {
        let quantisers = [7; 64];
        let mut zigzagged = [0_i16; 64];
        for (at, value) in zigzagged.iter_mut().enumerate() {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let spread = 1 + 120 / (1 + at as i32);
            *value = ((seed >> 8) as i32 % (2 * spread) - spread) as i16;
        }
        let mut coefficients = [[0.0; 8]; 8];
        for ((row, column), value) in zigzag().zip(zigzagged) {
            coefficients[usize::from(row)][usize::from(column)] = f64::from(value) * 7.0;
        }
        for side in Side::ALL {
            let mut block: Block = [0; 128];
            for (place, value) in side.places().into_iter().zip(zigzagged) {
                block[usize::from(place)] = value;
            }
            let factors = side.factors(&quantisers);
            let samples: Vec<u8> = match side {
                Side::One => vec![one(block[0].into(), &factors)],
                Side::Two => two(&block, &factors).concat(),
                Side::Three => three(Fallback::new(), &block, &factors).concat(),
                Side::Four => four(Fallback::new(), &block, &factors).concat(),
                Side::Eight => eight(Fallback::new(), &block, &factors).concat(),
            };
            let expected = defined(&coefficients, side.samples());
            for (sample, expected) in samples.iter().zip(&expected) {
                assert!((f64::from(*sample) - expected).abs() < 0.51, "{side:?}: {samples:?} {expected:?}");
            }
        }
    }
}
