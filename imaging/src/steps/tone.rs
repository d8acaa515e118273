//! Brightness, contrast, gamma and saturation.
//!
//! The first three treat every sample alike, so they become one table that is looked up once. Values are those of sRGB as
//! stored, as in the filters of CSS and in other image services. Alpha stays.

use super::sample::{byte, luma};
use crate::frame::{Frame, Layout};

/// Middle of the range of a sample, which contrast leaves where it is.
const MID: f32 = 127.5;

/// Factors, in the order in which they are applied; 1 changes nothing. What is no number counts as 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tone {
    /// Times the value: 0 is black. At least 0.
    pub(crate) brightness: f32,
    /// Times the distance from mid grey: 0 is grey. At least 0.
    pub(crate) contrast: f32,
    /// One over the exponent: above 1 lightens, below darkens. Above 0.
    pub(crate) gamma: f32,
    /// Times the distance of each colour from luma: 0 is grey. At least 0.
    pub(crate) saturation: f32,
}

impl Default for Tone {
    fn default() -> Self {
        Self { brightness: 1.0, contrast: 1.0, gamma: 1.0, saturation: 1.0 }
    }
}

impl Tone {
    /// What becomes of each value; none when nothing changes.
    fn table(self) -> Option<[u8; 256]> {
        let [brightness, contrast] = [self.brightness, self.contrast].map(factor);
        let gamma = factor(self.gamma).clamp(0.01, 100.0);
        if [brightness, contrast, gamma] == [1.0; 3] {
            return None;
        }
        let mut table = [0; 256];
        for (to, value) in table.iter_mut().zip(0..=u8::MAX) {
            let bright = (f32::from(value) * brightness).min(255.0);
            let steep = ((bright - MID) * contrast + MID).clamp(0.0, 255.0);
            let light = if gamma == 1.0 { steep } else { (steep / 255.0).powf(1.0 / gamma) * 255.0 };
            *to = byte(light);
        }
        Some(table)
    }
}

/// The picture with its tone changed.
pub(crate) fn tone(mut frame: Frame, tone: Tone) -> Frame {
    let table = tone.table();
    let saturation = Some(factor(tone.saturation)).filter(|&factor| factor != 1.0);
    if table.is_none() && saturation.is_none() {
        return frame;
    }
    let stride = frame.stride();
    // row by row, so that the second pass finds it in the nearest cache
    for row in frame.pixels.chunks_exact_mut(stride) {
        if let Some(table) = &table {
            match frame.layout {
                Layout::Grey | Layout::Rgb => look_up::<1, 1>(row, table),
                Layout::GreyAlpha => look_up::<2, 1>(row, table),
                Layout::Rgba => look_up::<4, 3>(row, table),
                Layout::Cmyk => {}
            }
        }
        match (frame.layout, saturation) {
            (Layout::Rgb, Some(factor)) => saturate::<3>(row, factor),
            (Layout::Rgba, Some(factor)) => saturate::<4>(row, factor),
            _ => {}
        }
    }
    frame
}

/// The factor, if it is one.
fn factor(factor: f32) -> f32 {
    if factor.is_nan() { 1.0 } else { factor.clamp(0.0, 1_000.0) }
}

fn look_up<const N: usize, const COLOURS: usize>(row: &mut [u8], table: &[u8; 256]) {
    for pixel in row.as_chunks_mut::<N>().0 {
        for sample in pixel.iter_mut().take(COLOURS) {
            *sample = table.get(usize::from(*sample)).copied().unwrap_or(*sample);
        }
    }
}

fn saturate<const N: usize>(row: &mut [u8], factor: f32) {
    for pixel in row.as_chunks_mut::<N>().0 {
        if let [red, green, blue, ..] = pixel.as_mut_slice() {
            let grey = f32::from(luma([*red, *green, *blue]));
            for sample in [red, green, blue] {
                *sample = byte(grey + (f32::from(*sample) - grey) * factor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::steps::specimen::{frames, grey, of};

    const SAME: Tone = Tone { brightness: 1.0, contrast: 1.0, gamma: 1.0, saturation: 1.0 };

    #[test]
    fn the_table_of_factors() {
        for (name, changed, pixels) in [
            ("twice as bright", Tone { brightness: 2.0, ..SAME }, [0, 20, 200, 255, 255]),
            ("half as bright", Tone { brightness: 0.5, ..SAME }, [0, 5, 50, 100, 128]),
            ("black", Tone { brightness: 0.0, ..SAME }, [0; 5]),
            // 127.5 + 2 (x - 127.5)
            ("twice the contrast", Tone { contrast: 2.0, ..SAME }, [0, 0, 72, 255, 255]),
            ("half the contrast", Tone { contrast: 0.5, ..SAME }, [64, 69, 114, 164, 191]),
            ("no contrast", Tone { contrast: 0.0, ..SAME }, [128; 5]),
            // the root of x / 255
            ("gamma 2", Tone { gamma: 2.0, ..SAME }, [0, 50, 160, 226, 255]),
            ("gamma 0.5", Tone { gamma: 0.5, ..SAME }, [0, 0, 39, 157, 255]),
            // 2x, then 1.5 (x - 127.5) + 127.5, then the root
            ("all", Tone { brightness: 2.0, contrast: 1.5, gamma: 2.0, ..SAME }, [0, 0, 245, 255, 255]),
        ] {
            assert_eq!(tone(grey(5, &[0, 10, 100, 200, 255]), changed).pixels, pixels, "{name}");
        }
    }

    #[test]
    fn saturation_moves_colours_from_luma() {
        // luma 29.9 + 58.7 = 89 of (100, 100, 0), to a rounding
        let frame = || of(Layout::Rgba, 2, &[100, 100, 0, 9, 50, 50, 50, 8]);
        for (saturation, pixels) in [
            (0.0, [89, 89, 89, 9, 50, 50, 50, 8]),
            (0.5, [94, 94, 44, 9, 50, 50, 50, 8]),
            (2.0, [111, 111, 0, 9, 50, 50, 50, 8]),
        ] {
            assert_eq!(tone(frame(), Tone { saturation, ..SAME }).pixels, pixels, "{saturation}");
        }
    }

    #[test]
    fn alpha_is_no_colour() {
        let frame = of(Layout::GreyAlpha, 1, &[100, 100]);
        assert_eq!(tone(frame, Tone { brightness: 2.0, saturation: 5.0, ..SAME }).pixels, [200, 100]);
    }

    proptest! {
        #[test]
        fn factors_of_one_change_nothing(frame in frames(9)) {
            prop_assert_eq!(&tone(frame.clone(), SAME).pixels, &frame.pixels);
            let nan = Tone { brightness: f32::NAN, contrast: f32::NAN, gamma: f32::NAN, saturation: f32::NAN };
            prop_assert_eq!(tone(frame.clone(), nan).pixels, frame.pixels);
        }

        #[test]
        fn tables_never_fall(brightness in 0.0..9.0_f32, contrast in 0.0..9.0_f32, gamma in 0.0..9.0_f32) {
            let table = Tone { brightness, contrast, gamma, ..SAME }.table().unwrap();
            prop_assert!(table.is_sorted(), "{:?}", table);
        }
    }
}
