//! Pictures of high dynamic range, and those that hold plain light, on ordinary screens.
//!
//! Perceptual quantizer and hybrid log-gamma (ITU-R BT.2100 tables 4 and 5) are turned to light, of which 203 cd/m² is the white of a page
//! (BT.2408). What is brighter, up to 1000 cd/m², is drawn together by the curve of BT.2390 section 5.4.1, on the largest
//! of the three so that hues stay; what is darker than half of it stays as it is. Plain
//! light (transfer 8 of ITU-T H.273) has its white at 1. The result is sRGB.

use std::sync::OnceLock;

/// Light of a page's white, cd/m².
const WHITE: f32 = 203.0;
/// Brightest light that is told apart, cd/m².
const PEAK: f32 = 1_000.0;
/// Entries of a table.
const STEPS: u16 = 4_096;

/// A way from numbers to light.
#[derive(Debug, Clone, Copy)]
pub(super) struct Light {
    curve: Curve,
    /// To the primaries of sRGB.
    matrix: [[f32; 3]; 3],
    tables: &'static Tables,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curve {
    Plain,
    Quantizer,
    LogGamma,
}

#[derive(Debug)]
struct Tables {
    /// Light of each number, in whites.
    quantizer: Vec<f32>,
    /// The same, of the scene, 0 to 1.
    log_gamma: Vec<f32>,
    /// What light is multiplied with, by the fourth root of its part of the peak.
    gain: Vec<f32>,
    /// sRGB's number, by the square root of light.
    coded: Vec<u8>,
}

impl Light {
    /// None for curves of ordinary pictures.
    pub(super) fn of(transfer: u16, primaries: u16) -> Option<Self> {
        static TABLES: OnceLock<Tables> = OnceLock::new();
        let curve = match transfer {
            8 => Curve::Plain,
            16 => Curve::Quantizer,
            18 => Curve::LogGamma,
            _ => return None,
        };
        let matrix = match primaries {
            9 => [
                [1.660_491, -0.587_641, -0.072_85],
                [-0.124_55, 1.132_9, -0.008_349],
                [-0.018_151, -0.100_579, 1.118_73],
            ],
            12 => [
                [1.224_94, -0.224_94, 0.0],
                [-0.042_057, 1.042_057, 0.0],
                [-0.019_638, -0.078_636, 1.098_274],
            ],
            _ => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        };
        Some(Self { curve, matrix, tables: TABLES.get_or_init(Tables::new) })
    }

    /// sRGB of three numbers from 0 to 1.
    pub(super) fn shown(&self, numbers: [f32; 3]) -> [u8; 3] {
        let light = match self.curve {
            Curve::Plain => numbers,
            Curve::Quantizer => numbers.map(|number| at(&self.tables.quantizer, number)),
            Curve::LogGamma => {
                let scene = numbers.map(|number| at(&self.tables.log_gamma, number));
                let [red, green, blue] = scene;
                // the system's gamma for a peak of 1000 cd/m²
                let factor =
                    (0.2627 * red + 0.678 * green + 0.0593 * blue).max(1e-6).powf(0.2) * PEAK / WHITE;
                scene.map(|part| part * factor)
            }
        };
        let [red, green, blue] = light;
        let most = red.max(green).max(blue);
        let gain = match self.curve {
            Curve::Plain => 1.0,
            _ => at(&self.tables.gain, (most * WHITE / PEAK).sqrt().sqrt()),
        };
        let sum = |row: [f32; 3]| row[0] * red + row[1] * green + row[2] * blue;
        self.matrix.map(|row| at(&self.tables.coded, (sum(row) * gain).max(0.0).sqrt()))
    }
}

/// The entry that is nearest to a place from 0 to 1.
fn at<T: Copy + Default>(table: &[T], place: f32) -> T {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    let index = (place * f32::from(STEPS - 1) + 0.5) as usize;
    table.get(index).or_else(|| table.last()).copied().unwrap_or_default()
}

fn table<T>(of: impl Fn(f32) -> T) -> Vec<T> {
    (0..STEPS).map(|step| of(f32::from(step) / f32::from(STEPS - 1))).collect()
}

impl Tables {
    fn new() -> Self {
        let gain = |place: f32| {
            let light = place.powi(4) * PEAK / WHITE;
            if light > 0.0 { drawn_together(light) / light } else { 1.0 }
        };
        Self {
            quantizer: table(|number| light_of(number) / WHITE),
            log_gamma: table(scene_of),
            gain: table(gain),
            coded: table(|root| srgb(root * root)),
        }
    }
}

/// cd/m² of a number of the perceptual quantizer.
fn light_of(number: f32) -> f32 {
    let power = number.powf(32.0 / 2_523.0);
    let part = (power - 0.835_937_5).max(0.0) / (18.851_563 - 18.687_5 * power);
    10_000.0 * part.powf(8_192.0 / 1_305.0)
}

/// The number of the perceptual quantizer for so many cd/m².
fn number_of(light: f32) -> f32 {
    let power = (light / 10_000.0).powf(1_305.0 / 8_192.0);
    ((0.835_937_5 + 18.851_563 * power) / (1.0 + 18.687_5 * power)).powf(2_523.0 / 32.0)
}

/// Light of the scene, 0 to 1, of a number of hybrid log-gamma.
fn scene_of(number: f32) -> f32 {
    if number <= 0.5 {
        return number * number / 3.0;
    }
    (((number - 0.559_910_7) / 0.178_832_77).exp() + 0.284_668_92) / 12.0
}

/// Light in whites, what is beyond one brought below it.
fn drawn_together(light: f32) -> f32 {
    let source = number_of(PEAK);
    let most = number_of(WHITE) / source;
    let knee = 1.5 * most - 0.5;
    let number = number_of((light * WHITE).min(PEAK)) / source;
    if number < knee {
        return light;
    }
    let part = (number - knee) / (1.0 - knee);
    let (square, cube) = (part * part, part * part * part);
    let spline = (2.0 * cube - 3.0 * square + 1.0) * knee
        + (cube - 2.0 * square + part) * (1.0 - knee)
        + (3.0 * square - 2.0 * cube) * most;
    light_of(spline * source) / WHITE
}

fn srgb(light: f32) -> u8 {
    let number = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    let byte = (number * 255.0 + 0.5) as u8;
    byte
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantizer_and_its_inverse_agree() {
        // BT.2100 table 4: 0.5081 for 100 cd/m², 0.7518 for 1000
        for (light, number) in [(100.0, 0.508_078), (203.0, 0.580_689), (1_000.0, 0.751_827), (10_000.0, 1.0)]
        {
            assert!((number_of(light) - number).abs() < 1e-4, "{light}: {}", number_of(light));
            assert!((light_of(number) / light - 1.0).abs() < 2e-3, "{number}: {}", light_of(number));
        }
    }

    #[test]
    fn darker_light_stays_and_the_brightest_is_white() {
        let light = Light::of(16, 1).unwrap();
        let grey = |cd: f32| light.shown([number_of(cd); 3])[0];
        let plain = |cd: f32| srgb(cd / WHITE);
        for cd in [0.0, 1.0, 10.0, 50.0, 90.0] {
            assert!(grey(cd).abs_diff(plain(cd)) <= 1, "{cd}: {}, not {}", grey(cd), plain(cd));
        }
        assert_eq!(grey(1_000.0), 255);
        assert_eq!(grey(10_000.0), 255);
        let rising = [90.0, 203.0, 400.0, 700.0, 1_000.0].map(grey);
        assert!(rising.is_sorted() && rising[1] < 240, "{rising:?}");
    }

    #[test]
    fn log_gamma_has_the_light_of_the_quantizer() {
        // BT.2408 table 1: a page's white is 0.75 of hybrid log-gamma
        let (one, other) = (Light::of(18, 9).unwrap(), Light::of(16, 9).unwrap());
        let (white, same) = (one.shown([0.75; 3])[0], other.shown([number_of(203.0); 3])[0]);
        assert!(white.abs_diff(same) <= 2, "{white}, {same}");
        assert_eq!(one.shown([1.0; 3]), [255; 3]);
        assert_eq!(one.shown([0.0; 3]), [0; 3]);
    }

    #[test]
    fn plain_light_is_srgb_after_its_curve() {
        let light = Light::of(8, 1).unwrap();
        for (amount, number) in
            [(0.0, 0), (0.003, 10), (0.215_86, 128), (0.5, 188), (1.0, 255), (7.0, 255), (-1.0, 0)]
        {
            let found = light.shown([amount; 3])[1];
            assert!(found.abs_diff(number) <= 1, "{amount}: {found}");
        }
    }

    #[test]
    fn greys_stay_grey_and_hues_are_those_of_the_primaries() {
        for primaries in [1, 9, 12] {
            let light = Light::of(16, primaries).unwrap();
            let [red, green, blue] = light.shown([0.4; 3]);
            assert!(
                red.abs_diff(green) <= 1 && green.abs_diff(blue) <= 1,
                "{primaries}: {red} {green} {blue}"
            );
        }
        let [red, green, blue] = Light::of(16, 9).unwrap().shown([0.5, 0.0, 0.0]);
        assert!(red > 100 && green == 0 && blue == 0, "{red} {green} {blue}");
        assert!(Light::of(13, 9).is_none());
    }
}
