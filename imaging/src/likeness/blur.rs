//! The blur that says what is around a pixel: nearly a Gaussian of 1.5 pixels, with nothing beyond the borders.
//!
//! The reference implementation runs a recursive filter of truncated cosines (Charalampidis 2016) forth over rows and
//! columns. For this width that filter has nine taps, so that adding them up gives the same in fewer steps.

/// The middle tap and those beside it; they add up to 1.
const TAPS: [f32; 5] = [0.264_621_1, 0.212_928_6, 0.109_335_37, 0.036_011_115, 0.009_414_368];

/// Pixels that count on either side.
pub(super) const REACH: usize = 4;

/// Blurs along a row, which has [`REACH`] zeros on either side.
pub(super) fn across(padded: &[f32], out: &mut [f32]) {
    let [t0, t1, t2, t3, t4] = TAPS;
    for (out, &[a, b, c, d, middle, e, f, g, h]) in out.iter_mut().zip(padded.array_windows()) {
        *out = t0 * middle + t1 * (d + e) + t2 * (c + f) + t3 * (b + g) + t4 * (a + h);
    }
}

/// Blurs row `y` of a plane along its columns.
pub(super) fn down(plane: &[f32], y: usize, out: &mut [f32]) {
    let width = out.len();
    let row = |y: Option<usize>| y.and_then(|y| plane.get(y * width..(y + 1) * width));
    let [t0, rest @ ..] = TAPS;
    for (out, value) in out.iter_mut().zip(row(Some(y)).unwrap_or_default()) {
        *out = t0 * value;
    }
    for (distance, tap) in (1..).zip(rest) {
        match (row(y.checked_sub(distance)), row(y.checked_add(distance))) {
            (Some(above), Some(below)) => {
                for (out, (above, below)) in out.iter_mut().zip(above.iter().zip(below)) {
                    *out += tap * (above + below);
                }
            }
            (Some(only), None) | (None, Some(only)) => {
                for (out, value) in out.iter_mut().zip(only) {
                    *out += tap * value;
                }
            }
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The filter's response, by the equations of the paper.
    fn response(sigma: f64) -> Vec<f64> {
        let reach = (3.2795 * sigma + 0.2546).round();
        let angles = [1.0, 3.0, 5.0].map(|odd| odd * std::f64::consts::PI / (2.0 * reach));
        let mut p = angles.map(|angle: f64| 1.0 / (0.5 * angle).tan());
        let mut r = [0, 1, 2].map(|i| p[i] * p[i] / angles[i].sin());
        p[1] = -p[1];
        r[1] = -r[1];
        let rho = angles.map(|angle| (-0.5 * sigma * sigma * angle * angle).exp() / reach);
        let minor = |i: usize, j: usize| p[i] * r[j] - r[i] * p[j];
        let zeta = [minor(1, 2) / minor(0, 1), minor(2, 0) / minor(0, 1), 1.0];
        let rows = [p, r, zeta];
        let right = [1.0, reach * reach - sigma * sigma, (0..3).map(|i| zeta[i] * rho[i]).sum()];
        // Cramer's rule
        let determinant = |rows: &[[f64; 3]; 3]| -> f64 {
            (0..3)
                .map(|i| {
                    rows[0][i]
                        * (rows[1][(i + 1) % 3] * rows[2][(i + 2) % 3]
                            - rows[1][(i + 2) % 3] * rows[2][(i + 1) % 3])
                })
                .sum()
        };
        let beta = [0, 1, 2].map(|column| {
            let mut replaced = rows;
            for (row, value) in replaced.iter_mut().zip(right) {
                row[column] = value;
            }
            determinant(&replaced) / determinant(&rows)
        });
        let at = |n: f64| (0..3).map(|i| beta[i] * (angles[i] * n).cos()).sum();
        (0..=5).map(|n| at(f64::from(n))).collect()
    }

    #[test]
    fn the_taps_are_those_of_the_recursive_filter() {
        let response = response(1.5);
        for (tap, exact) in TAPS.iter().zip(&response) {
            assert!((f64::from(*tap) - exact).abs() < 1e-7, "{tap} for {exact}");
        }
        assert!(response[5].abs() < 1e-12, "nothing is left of the sixth");
        assert!((TAPS[0] + 2.0 * TAPS[1..].iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_dot_spreads_alike_both_ways() {
        let mut plane = vec![0.0; 11 * 11];
        plane[5 * 11 + 5] = 1.0;
        let mut column = Vec::new();
        for y in 0..11 {
            let mut out = [0.0; 11];
            down(&plane, y, &mut out);
            column.push(out[5]);
        }
        let mut padded = vec![0.0; 11 + 2 * REACH];
        padded[REACH + 5] = 1.0;
        let mut row = vec![0.0; 11];
        across(&padded, &mut row);
        assert_eq!(row, column);
        assert_eq!(row[1..6], [TAPS[4], TAPS[3], TAPS[2], TAPS[1], TAPS[0]]);
        assert_eq!(row[0], 0.0);
    }

    #[test]
    fn beyond_the_border_is_nothing() {
        let plane = vec![1.0; 3];
        let mut out = [0.0; 3];
        down(&plane, 0, &mut out);
        assert_eq!(out, [TAPS[0]; 3]);
    }
}
