//! A picture as linear light, and as lightness and opposed colours.

use crate::frame::{Frame, Layout};
use crate::palette::to_linear;

/// What is behind a transparent picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backdrop {
    /// A tenth of white, in sRGB.
    Dark,
    /// Nine tenths.
    Light,
}

impl Backdrop {
    /// Both; an opaque picture is looked at on the first.
    pub(super) const ALL: [Self; 2] = [Self::Dark, Self::Light];

    fn level(self) -> f32 {
        match self {
            Self::Dark => 25.5,
            Self::Light => 229.5,
        }
    }
}

/// Red, green and blue, each a plane of 0 to 1.
#[derive(Debug, Clone)]
pub(super) struct Light {
    width: usize,
    height: usize,
    planes: [Vec<f32>; 3],
}

/// X (red against green), Y (lightness) and B (blue against lightness), moved so that all are positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    X,
    Y,
    B,
}

impl Channel {
    /// In the order of the weights.
    pub(super) const ALL: [Self; 3] = [Self::X, Self::Y, Self::B];
}

/// What the long, middle and short cones take of red, green and blue.
const CONES: [[f32; 3]; 3] =
    [[0.30, 0.622, 0.078], [0.23, 0.692, 0.078], [0.243_422_69, 0.204_767_45, 0.551_809_9]];

/// What they see in the dark, and its cube root.
const DARK: f32 = 0.003_793_073_4;
const DARK_ROOT: f32 = 0.155_954_2;

impl Light {
    /// The light of a picture that has pixels and is not CMYK. Sides shorter than `side_min` are drawn out with the pixels
    /// at their end.
    pub(super) fn of(frame: &Frame, backdrop: Backdrop, side_min: usize) -> Self {
        let side = |side: u32| usize::try_from(side).unwrap_or(usize::MAX);
        let (width, height) = (side(frame.width), side(frame.height));
        let levels = levels();
        let bright = |value: u8| levels.get(usize::from(value)).copied().unwrap_or(0.0);
        let over = |value: u8, alpha: u8| {
            let alpha = f32::from(alpha) / 255.0;
            let mixed = f32::from(value) * alpha + backdrop.level() * (1.0 - alpha);
            between(&levels, mixed)
        };
        let pixels = frame.pixels.len() / frame.layout.channels();
        let mut planes = [const { Vec::new() }; 3].map(|_: Vec<f32>| Vec::with_capacity(pixels));
        let [reds, greens, blues] = &mut planes;
        let mut push = |red: f32, green: f32, blue: f32| {
            reds.push(red);
            greens.push(green);
            blues.push(blue);
        };
        match frame.layout {
            Layout::Rgb => {
                for &[red, green, blue] in frame.pixels.as_chunks::<3>().0 {
                    push(bright(red), bright(green), bright(blue));
                }
            }
            Layout::Rgba => {
                for &[red, green, blue, alpha] in frame.pixels.as_chunks::<4>().0 {
                    push(over(red, alpha), over(green, alpha), over(blue, alpha));
                }
            }
            Layout::GreyAlpha => {
                for &[grey, alpha] in frame.pixels.as_chunks::<2>().0 {
                    let grey = over(grey, alpha);
                    push(grey, grey, grey);
                }
            }
            Layout::Grey | Layout::Cmyk => {
                for &grey in &frame.pixels {
                    push(bright(grey), bright(grey), bright(grey));
                }
            }
        }
        Self { width, height, planes }.drawn_out(side_min)
    }

    fn drawn_out(self, side_min: usize) -> Self {
        let (width, height) = (self.width.max(side_min), self.height.max(side_min));
        if (width, height) == (self.width, self.height) {
            return self;
        }
        let drawn_out = |plane: &Vec<f32>| {
            let at = |x: usize, y: usize| {
                let (x, y) = (x.min(self.width.saturating_sub(1)), y.min(self.height.saturating_sub(1)));
                plane.get(y * self.width + x).copied().unwrap_or(0.0)
            };
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| at(x, y)).collect()
        };
        Self { width, height, planes: self.planes.each_ref().map(drawn_out) }
    }

    /// Pixels.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Pixels.
    pub(super) fn height(&self) -> usize {
        self.height
    }

    /// At half the size, rounded up: the means of squares, the last row and column standing twice where they are alone.
    pub(super) fn halved(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let halved = |plane: &Vec<f32>| {
            let mut half = Vec::with_capacity(width * height);
            for rows in plane.chunks(self.width.max(1) * 2) {
                let (above, below) = rows.split_at(self.width.min(rows.len()));
                let below = if below.is_empty() { above } else { below };
                let (above, below) = (above.as_chunks::<2>(), below.as_chunks::<2>());
                let squares = above.0.iter().zip(below.0);
                half.extend(squares.map(|(&[a, b], &[c, d])| 0.25 * (a + b + c + d)));
                half.extend(above.1.iter().zip(below.1).map(|(a, c)| 0.5 * (a + c)));
            }
            half
        };
        Self { width, height, planes: self.planes.each_ref().map(halved) }
    }

    /// One channel as the eye sees it.
    pub(super) fn channel(&self, channel: Channel) -> Vec<f32> {
        let [long, middle, short] = CONES;
        match channel {
            Channel::X => self.seen(|pixel| 14.0 * 0.5 * (root(pixel, long) - root(pixel, middle)) + 0.42),
            Channel::Y => {
                self.seen(|pixel| 0.5 * (root(pixel, long) + root(pixel, middle)) - DARK_ROOT + 0.01)
            }
            Channel::B => {
                self.seen(|pixel| root(pixel, short) - 0.5 * (root(pixel, long) + root(pixel, middle)) + 0.55)
            }
        }
    }

    fn seen(&self, channel: impl Fn([f32; 3]) -> f32) -> Vec<f32> {
        let [reds, greens, blues] = &self.planes;
        let pixels = reds.iter().zip(greens).zip(blues);
        pixels.map(|((&red, &green), &blue)| channel([red, green, blue])).collect()
    }
}

/// What cones answer to light: a cube root.
#[inline(always)]
fn root([red, green, blue]: [f32; 3], [of_red, of_green, of_blue]: [f32; 3]) -> f32 {
    cube_root(of_red * red + of_green * green + of_blue * blue + DARK)
}

/// The cube root of a positive number to six digits. A third of the exponent is a first guess at its inverse, three of
/// Newton's steps do the rest; unlike the library's it divides nothing and can be computed for several pixels at once.
#[inline(always)]
fn cube_root(value: f32) -> f32 {
    let guess = f32::from_bits(0x54a2_fa8c - value.to_bits() / 3);
    let third = value * (1.0 / 3.0);
    let step = |inverse: f32| inverse * (4.0 / 3.0 - third * (inverse * inverse * inverse));
    let inverse = step(step(step(guess)));
    value * inverse * inverse
}

/// Linear light for each value of sRGB.
fn levels() -> [f32; 256] {
    let mut levels = [0.0; 256];
    for (level, value) in levels.iter_mut().zip(0..=255) {
        #[expect(clippy::cast_possible_truncation, reason = "a shorter fraction is meant")]
        let light = to_linear(value) as f32;
        *level = light;
    }
    levels
}

/// Linear light of a value of sRGB with a fraction, 0 to 255.
fn between(levels: &[f32; 256], value: f32) -> f32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255")]
    let whole = value.clamp(0.0, 255.0) as u8;
    let level = |value: u8| levels.get(usize::from(value)).copied().unwrap_or(0.0);
    let fraction = value - f32::from(whole);
    level(whole) * (1.0 - fraction) + level(whole.saturating_add(1)) * fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cube_roots_have_six_digits() {
        for step in 1..=2_000_u16 {
            let value = f32::from(step) * 0.000_6;
            let (quick, exact) = (cube_root(value), value.cbrt());
            assert!((quick / exact - 1.0).abs() < 5e-7, "{value}: {quick} for {exact}");
        }
        assert!((cube_root(DARK) - DARK_ROOT).abs() < 1e-6);
    }

    #[test]
    fn halves_are_means_and_round_up() {
        let frame = Frame {
            width: 3,
            height: 3,
            layout: Layout::Grey,
            pixels: vec![255, 0, 255, 0, 0, 255, 255, 255, 0],
        };
        let half = Light::of(&frame, Backdrop::Dark, 1).halved();
        assert_eq!((half.width, half.height), (2, 2));
        assert_eq!(half.planes[1], [0.25, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn short_sides_are_drawn_out() {
        let frame = Frame { width: 2, height: 1, layout: Layout::Grey, pixels: vec![255, 0] };
        let long = Light::of(&frame, Backdrop::Dark, 3);
        assert_eq!((long.width, long.height), (3, 3));
        assert_eq!(long.planes[0], [1.0, 0.0, 0.0].repeat(3));
    }

    #[test]
    fn transparent_pixels_show_the_backdrop() {
        let frame = Frame { width: 1, height: 1, layout: Layout::GreyAlpha, pixels: vec![255, 0] };
        let dark = Light::of(&frame, Backdrop::Dark, 1).planes[0][0];
        let light = Light::of(&frame, Backdrop::Light, 1).planes[0][0];
        assert!((dark - 0.010_02).abs() < 1e-4, "{dark}");
        assert!((light - 0.787_4).abs() < 1e-3, "{light}");
    }
}
