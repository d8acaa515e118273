//! Turns a picture by any angle, on a canvas grown to hold it.
//!
//! Between four pixels a sample is their bilinear mean, weighed by alpha. Around the picture there is background, so that
//! its edges come out smooth. Multiples of a quarter are exact.

use super::geometry::Size;
use super::paint::{Rgba, holding};
use super::sample::byte;
use super::turn;
use crate::Error;
use crate::frame::{Frame, Layout, buffer_bytes};

/// Bits behind the point of a position.
const FRACTION_BITS: u32 = 32;

/// Half of a 256th, so that positions round to the nearest.
const HALF: i64 = 1 << (FRACTION_BITS - 9);

/// Size of a picture turned by so many degrees. Sides are at least 1.
pub(crate) fn size(source: Size, degrees: f64) -> Size {
    let (sin, cos) = sin_cos(degrees);
    let (width, height) = (f64::from(source.width), f64::from(source.height));
    // what rounding leaves over is not worth a row
    let side = |length: f64| side(length - 1e-6);
    Size {
        width: side(width * cos.abs() + height * sin.abs()),
        height: side(width * sin.abs() + height * cos.abs()),
    }
}

/// The picture turned clockwise by so many degrees; by none when that is no number. `background` fills the corners.
///
/// # Errors
/// `TooManyPixels` when the result does not fit the address space.
pub(crate) fn rotate(frame: Frame, degrees: f64, background: Rgba) -> Result<Frame, Error> {
    let degrees = if degrees.is_finite() { degrees.rem_euclid(360.0) } else { 0.0 };
    for (turns, quarter) in [(0, 0.0), (1, 90.0), (2, 180.0), (3, 270.0), (4, 360.0)] {
        if degrees == quarter {
            return Ok(turn::quarters(frame, turns));
        }
    }
    let frame = holding(frame, background);
    let size = size(Size { width: frame.width, height: frame.height }, degrees);
    let mut pixels = vec![0; buffer_bytes(size.width, size.height, frame.layout)?];
    match frame.layout {
        Layout::Grey => turned::<1>(&frame, &mut pixels, size, degrees, background, mean),
        Layout::GreyAlpha => turned::<2>(&frame, &mut pixels, size, degrees, background, weighed_mean),
        Layout::Rgb => turned::<3>(&frame, &mut pixels, size, degrees, background, mean),
        Layout::Rgba => turned::<4>(&frame, &mut pixels, size, degrees, background, weighed_mean),
        Layout::Cmyk => turned::<4>(&frame, &mut pixels, size, degrees, background, mean),
    }
    Ok(Frame { width: size.width, height: size.height, layout: frame.layout, pixels })
}

/// Four pixels with their weights, which sum to 65 536.
type Corners<const N: usize> = [([u8; N], u32); 4];

fn turned<const N: usize>(
    frame: &Frame,
    pixels: &mut [u8],
    size: Size,
    degrees: f64,
    background: Rgba,
    mean: impl Fn(&Corners<N>) -> [u8; N],
) {
    let (sin, cos) = sin_cos(degrees);
    let (wide, high) = (f64::from(frame.width), f64::from(frame.height));
    let stride = usize::try_from(frame.width).unwrap_or(usize::MAX);
    let source = frame.pixels.as_chunks::<N>().0;
    let fill = background.pixel(frame.layout);
    let at = |x: i64, y: i64| {
        let inside = (0..i64::from(frame.width)).contains(&x) && (0..i64::from(frame.height)).contains(&y);
        let index = usize::try_from(y).unwrap_or(0) * stride + usize::try_from(x).unwrap_or(0);
        if inside { source.get(index).copied().unwrap_or(fill) } else { fill }
    };
    let (step_x, step_y) = (fixed(cos), fixed(-sin));
    let rows = pixels.chunks_exact_mut((N * usize::try_from(size.width).unwrap_or(usize::MAX)).max(1));
    for (row, line) in rows.zip(0_u32..) {
        let left = 0.5 - f64::from(size.width) / 2.0;
        let down = f64::from(line) + 0.5 - f64::from(size.height) / 2.0;
        // where the first sample lies, in pixels of the source, counted from the centre of the first
        let start_x = left * cos + down * sin + wide / 2.0 - 0.5;
        let start_y = down * cos - left * sin + high / 2.0 - 0.5;
        let (mut x, mut y) = (fixed(start_x) + HALF, fixed(start_y) + HALF);
        for to in row.as_chunks_mut::<N>().0 {
            let (column, line) = (x >> FRACTION_BITS, y >> FRACTION_BITS);
            let inside = (-1..i64::from(frame.width)).contains(&column)
                && (-1..i64::from(frame.height)).contains(&line);
            *to = if inside {
                let (right, lower) = (share(x), share(y));
                let (left, upper) = (256 - right, 256 - lower);
                mean(&[
                    (at(column, line), left * upper),
                    (at(column + 1, line), right * upper),
                    (at(column, line + 1), left * lower),
                    (at(column + 1, line + 1), right * lower),
                ])
            } else {
                fill
            };
            x += step_x;
            y += step_y;
        }
    }
}

fn mean<const N: usize>(corners: &Corners<N>) -> [u8; N] {
    let mut sums = [1_u32 << 15; N];
    for (pixel, weight) in corners {
        sums.iter_mut().zip(pixel).for_each(|(sum, &sample)| *sum += u32::from(sample) * weight);
    }
    sums.map(|sum| u8::try_from(sum >> 16).unwrap_or(u8::MAX))
}

/// Colours by alpha, which is the last channel.
fn weighed_mean<const N: usize>(corners: &Corners<N>) -> [u8; N] {
    let (mut sums, mut total) = ([0_u32; N], 0_u32);
    for (pixel, weight) in corners {
        let weight = weight * u32::from(pixel.last().copied().unwrap_or(0));
        sums.iter_mut().zip(pixel).for_each(|(sum, &sample)| *sum += u32::from(sample) * weight);
        total += weight;
    }
    let factor = 1.0 / total.max(1) as f32;
    let mut pixel = sums.map(|sum| byte(sum as f32 * factor));
    if let Some(alpha) = pixel.last_mut() {
        *alpha = u8::try_from((total + (1 << 15)) >> 16).unwrap_or(u8::MAX);
    }
    pixel
}

/// Distance from the pixel before, in 256ths.
fn share(position: i64) -> u32 {
    u32::try_from((position >> (FRACTION_BITS - 8)) & 0xff).unwrap_or(0)
}

fn sin_cos(degrees: f64) -> (f64, f64) {
    degrees.to_radians().sin_cos()
}

fn fixed(value: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "positions have far fewer than 31 bits before the point"
    )]
    let fixed = (value * 4_294_967_296.0).round() as i64;
    fixed
}

fn side(length: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=u32::MAX")]
    let side = length.ceil().clamp(1.0, f64::from(u32::MAX)) as u32;
    side
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::steps::specimen::{counting, frames, grey, of, pixel};

    const BLACK: Rgba = Rgba { red: 0, green: 0, blue: 0, alpha: 255 };

    #[test]
    fn the_table_of_sizes() {
        for (source, degrees, wanted) in [
            ((100, 50), 0.0, (100, 50)),
            ((100, 50), 90.0, (50, 100)),
            ((100, 50), 180.0, (100, 50)),
            ((100, 50), 270.0, (50, 100)),
            // 150 times the root of a half
            ((100, 50), 45.0, (107, 107)),
            ((100, 50), 135.0, (107, 107)),
            // 100 cos 30 + 50 sin 30 = 111.6, 100 sin 30 + 50 cos 30 = 93.3
            ((100, 50), 30.0, (112, 94)),
            ((100, 50), 330.0, (112, 94)),
            ((1, 1), 1.0, (2, 2)),
        ] {
            let found = size(Size { width: source.0, height: source.1 }, degrees);
            assert_eq!((found.width, found.height), wanted, "{source:?} by {degrees}");
        }
    }

    #[test]
    fn quarters_are_exact() {
        for (degrees, pixels) in [
            (0.0, [0, 1, 2, 3, 4, 5]),
            (90.0, [3, 0, 4, 1, 5, 2]),
            (-90.0, [2, 5, 1, 4, 0, 3]),
            (540.0, [5, 4, 3, 2, 1, 0]),
            (-1e-300, [0, 1, 2, 3, 4, 5]),
            (f64::NAN, [0, 1, 2, 3, 4, 5]),
        ] {
            assert_eq!(rotate(counting(3, 2), degrees, BLACK).unwrap().pixels, pixels, "{degrees}");
        }
    }

    #[test]
    fn an_eighth_stands_on_its_corner() {
        // a square of 3 becomes one of 4.24 across, on 5 × 5 pixels; the middle stays
        let turned = rotate(grey(3, &[200; 9]), 45.0, BLACK).unwrap();
        assert_eq!((turned.width, turned.height), (5, 5));
        assert_eq!(pixel(&turned, 2, 2), [200]);
        for (x, y) in [(0, 0), (4, 0), (0, 4), (4, 4)] {
            assert_eq!(pixel(&turned, x, y), [0], "{x}, {y}");
        }
        // the corner at the top lies 2.12 above the middle; its pixel is 2 up: 1.414 both ways, 0.586 of it left
        let share = (1.0 - (2.0_f64.sqrt() - 1.0)).powi(2);
        let top = f64::from(pixel(&turned, 2, 0)[0]);
        assert!((top - 200.0 * share).abs() < 2.0, "{top}, not {}", 200.0 * share);
        let sides = [(2, 4), (0, 2), (4, 2)].map(|(x, y)| pixel(&turned, x, y)[0]);
        assert!(sides.iter().all(|&side| (f64::from(side) - top).abs() < 2.0), "{sides:?}, {top}");
    }

    #[test]
    fn clockwise_is_clockwise() {
        // white on the right goes down
        let turned = rotate(grey(9, &[0, 0, 0, 0, 0, 0, 0, 0, 255]), 80.0, BLACK).unwrap();
        let brightest = turned.pixels.iter().enumerate().max_by_key(|(_, sample)| **sample).unwrap().0;
        let row = brightest / usize::try_from(turned.width).unwrap();
        assert!(row > 7, "row {row} of {turned:?}");
    }

    #[test]
    fn transparent_corners_have_no_colour_to_give() {
        let red = of(Layout::Rgb, 8, &[255, 0, 0].repeat(64));
        let turned = rotate(red, 30.0, Rgba::TRANSPARENT).unwrap();
        assert_eq!(turned.layout, Layout::Rgba);
        for pixel in turned.pixels.chunks_exact(4) {
            assert!(pixel[3] == 0 || pixel[..3] == [255, 0, 0], "{turned:?}");
        }
        assert!(turned.pixels.chunks_exact(4).any(|pixel| pixel[3] == 0));
    }

    proptest! {
        #[test]
        fn four_quarters_are_the_same(frame in frames(12)) {
            let mut turned = frame.clone();
            for _ in 0..4 {
                turned = rotate(turned, 90.0, BLACK).unwrap();
            }
            prop_assert_eq!(turned.pixels, frame.pixels);
        }

        #[test]
        fn one_colour_stays_on_itself(sample in any::<u8>(), width in 1..9_u32, height in 1..9_u32, degrees in -400.0..400.0_f64) {
            let frame = grey(width, &vec![sample; usize::try_from(width * height).unwrap()]);
            let background = Rgba { red: sample, green: sample, blue: sample, alpha: 255 };
            let turned = rotate(frame, degrees, background).unwrap();
            prop_assert!(turned.pixels.iter().all(|&found| found == sample), "{:?}", turned);
        }

        #[test]
        fn sizes_are_as_announced(frame in frames(12), degrees in -400.0..400.0_f64) {
            let wanted = size(Size { width: frame.width, height: frame.height }, degrees);
            let turned = rotate(frame, degrees, Rgba::TRANSPARENT).unwrap();
            prop_assert_eq!((turned.width, turned.height), (wanted.width, wanted.height));
            let pixels = usize::try_from(turned.width * turned.height).unwrap();
            prop_assert_eq!(turned.pixels.len(), pixels * turned.layout.channels());
        }
    }
}
