//! Lays a mark over a picture, once or as tiles.

use super::geometry::Size;
use super::gravity::{Compass, Length};
use super::sample::{byte, mix, over};
use super::scale::{Area, scale};
use crate::frame::{Frame, Layout};
use crate::{Deadline, Error};

/// Where marks lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spot {
    /// Once.
    At(Compass),
    /// Side by side over the whole picture, beginning with half a gap.
    Tiled,
}

/// How a mark lies on a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Placement {
    /// Where.
    pub(crate) spot: Spot,
    /// Away from the edge that `spot` names, or the gap between tiles, which is at least 0. Shares are the picture's.
    pub(crate) x: Length,
    /// As `x`, downwards.
    pub(crate) y: Length,
    /// Share of the picture's sides that the mark fills without being cut, at most 1; 0 or less: the mark's own size.
    pub(crate) scale: f64,
    /// Times the mark's alpha, 0 to 1.
    pub(crate) opacity: f32,
}

/// The picture with the mark over it; what sticks out is cut off. Alpha comes out as that of both together.
///
/// # Errors
/// As [`scale`], when the mark is scaled.
pub(crate) fn overlay(frame: Frame, mark: &Frame, placement: &Placement) -> Result<Frame, Error> {
    // false for what is no number
    let is_seen = placement.opacity > 0.0 && mark.layout != Layout::Cmyk && frame.layout != Layout::Cmyk;
    if !is_seen {
        return Ok(frame);
    }
    let scaled;
    let mark = match size(&frame, mark, placement.scale) {
        size if (size.width, size.height) == (mark.width, mark.height) => mark,
        size => {
            scaled = scale(mark, Area::whole(mark), size, &Deadline::never())?;
            &scaled
        }
    };
    let is_grey = matches!(mark.layout, Layout::Grey | Layout::GreyAlpha);
    let mut frame = if is_grey { frame } else { frame.into_colour() };
    let ink = Ink::of(mark, placement.opacity);
    let (layout, tiles) = (frame.layout, Tiles::of(&frame, mark, placement));
    match layout {
        Layout::Grey => tiles.lay::<1>(&mut frame, &ink),
        Layout::GreyAlpha => tiles.lay::<2>(&mut frame, &ink),
        Layout::Rgb => tiles.lay::<3>(&mut frame, &ink),
        Layout::Rgba | Layout::Cmyk => tiles.lay::<4>(&mut frame, &ink),
    }
    Ok(frame)
}

/// Size of the mark on the picture.
fn size(frame: &Frame, mark: &Frame, scale: f64) -> Size {
    let own = (f64::from(mark.width), f64::from(mark.height));
    if !(scale > 0.0 && own.0 > 0.0 && own.1 > 0.0) {
        return Size { width: mark.width, height: mark.height };
    }
    let factor = (f64::from(frame.width) / own.0).min(f64::from(frame.height) / own.1) * scale.min(1.0);
    let side = |side: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most a side of the picture"
        )]
        let side = (side * factor).round().max(1.0) as u32;
        side
    };
    Size { width: side(own.0), height: side(own.1) }
}

/// Pixels of a mark, as colour with alpha.
struct Ink {
    /// Pixels of a row, at least 1.
    width: usize,
    pixels: Vec<[u8; 4]>,
}

impl Ink {
    fn of(mark: &Frame, opacity: f32) -> Self {
        let opacity = opacity.clamp(0.0, 1.0);
        let faint: [u8; 256] = std::array::from_fn(|alpha| byte(alpha as f32 * opacity));
        let faint = |alpha: u8| faint.get(usize::from(alpha)).copied().unwrap_or(alpha);
        let opaque = faint(255);
        let samples = &mark.pixels;
        let pixels = match mark.layout {
            Layout::Grey => samples.iter().map(|&grey| [grey, grey, grey, opaque]).collect(),
            Layout::GreyAlpha => {
                samples.as_chunks().0.iter().map(|&[grey, alpha]| [grey, grey, grey, faint(alpha)]).collect()
            }
            Layout::Rgb => samples.as_chunks().0.iter().map(|&[r, g, b]| [r, g, b, opaque]).collect(),
            Layout::Rgba => {
                samples.as_chunks().0.iter().map(|&[r, g, b, alpha]| [r, g, b, faint(alpha)]).collect()
            }
            // not laid over anything
            Layout::Cmyk => Vec::new(),
        };
        Self { width: (mark.stride() / mark.layout.channels()).max(1), pixels }
    }
}

/// Upper left corners of all marks: the first one, and how far the next is, if there is one.
struct Tiles {
    first: (i64, i64),
    period: Option<(i64, i64)>,
    height: i64,
}

impl Tiles {
    fn of(frame: &Frame, mark: &Frame, placement: &Placement) -> Self {
        let Placement { spot, x, y, .. } = *placement;
        let height = i64::from(mark.height);
        match spot {
            Spot::At(compass) => {
                let (outer, inner) = ((frame.width, frame.height), (mark.width, mark.height));
                Self { first: compass.pixels(outer, inner, (x, y)), period: None, height }
            }
            Spot::Tiled => {
                let gap = |gap: Length, side: u32| {
                    #[expect(clippy::cast_possible_truncation, reason = "rounded, and no picture is larger")]
                    let gap = gap.of(side.into()).round().clamp(0.0, f64::from(u32::MAX)) as i64;
                    gap
                };
                let gap = (gap(x, frame.width), gap(y, frame.height));
                let period = (i64::from(mark.width.max(1)) + gap.0, i64::from(mark.height.max(1)) + gap.1);
                Self { first: (gap.0 / 2, gap.1 / 2), period: Some(period), height }
            }
        }
    }

    fn lay<const N: usize>(&self, frame: &mut Frame, ink: &Ink) {
        let (stride, width) = (frame.stride(), i64::from(frame.width));
        for (row, y) in frame.pixels.chunks_exact_mut(stride).zip(0_i64..) {
            let down = y - self.first.1;
            let down = self.period.map_or(down, |(_, period)| down.rem_euclid(period));
            if !(0..self.height).contains(&down) {
                continue;
            }
            let start = usize::try_from(down).unwrap_or(0) * ink.width;
            let from = ink.pixels.get(start..start + ink.width).unwrap_or_default();
            let row = row.as_chunks_mut::<N>().0;
            let mut left = self.first.0;
            while left < width {
                lay_row(row, from, left);
                let Some((period, _)) = self.period else { break };
                left += period;
            }
        }
    }
}

/// Lays a row of a mark over a row of the picture, from `left` on, which may be outside.
fn lay_row<const N: usize>(row: &mut [[u8; N]], mark: &[[u8; 4]], left: i64) {
    let skipped = usize::try_from(left.saturating_neg().max(0)).unwrap_or(usize::MAX);
    let start = usize::try_from(left.max(0)).unwrap_or(usize::MAX);
    let to = row.get_mut(start..).unwrap_or_default();
    for (to, &ink) in to.iter_mut().zip(mark.get(skipped..).unwrap_or_default()) {
        let [red, green, blue, alpha] = ink;
        match to.as_mut_slice() {
            [grey] => *grey = mix(red, *grey, alpha),
            [grey, under] => {
                let [mixed, _, _, total] = over(ink, [*grey, *grey, *grey, *under]);
                (*grey, *under) = (mixed, total);
            }
            [to_red, to_green, to_blue] => {
                *to_red = mix(red, *to_red, alpha);
                *to_green = mix(green, *to_green, alpha);
                *to_blue = mix(blue, *to_blue, alpha);
            }
            [r, g, b, a] => [*r, *g, *b, *a] = over(ink, [*r, *g, *b, *a]),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::steps::specimen::{frames, grey, of};

    const PLAIN: Placement = Placement {
        spot: Spot::At(Compass::TopLeft),
        x: Length::ZERO,
        y: Length::ZERO,
        scale: 0.0,
        opacity: 1.0,
    };

    fn laid(mark: &Frame, placement: Placement) -> Vec<u8> {
        overlay(grey(4, &[0; 12]), mark, &placement).unwrap().pixels
    }

    #[test]
    fn the_table_of_spots() {
        let mark = grey(2, &[1, 2]);
        let at = |compass| Placement { spot: Spot::At(compass), ..PLAIN };
        for (placement, pixels) in [
            (PLAIN, [1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            (at(Compass::Center), [0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0]),
            (at(Compass::BottomRight), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]),
            (
                Placement { x: Length::Pixels(1.0), y: Length::Share(0.34), ..at(Compass::BottomRight) },
                [0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0],
            ),
            (Placement { x: Length::Pixels(-1.0), ..PLAIN }, [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            (
                Placement { x: Length::Pixels(-1.0), ..at(Compass::TopRight) },
                [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            ),
            (Placement { x: Length::Pixels(4.0), ..PLAIN }, [0; 12]),
            (Placement { y: Length::Pixels(-1.0), ..PLAIN }, [0; 12]),
            (Placement { spot: Spot::Tiled, ..PLAIN }, [1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2]),
            (
                Placement { spot: Spot::Tiled, x: Length::Pixels(1.0), y: Length::Pixels(1.0), ..PLAIN },
                [1, 2, 0, 1, 0, 0, 0, 0, 1, 2, 0, 1],
            ),
            (
                Placement { spot: Spot::Tiled, x: Length::Pixels(2.0), y: Length::Pixels(2.0), ..PLAIN },
                [0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0],
            ),
        ] {
            assert_eq!(laid(&mark, placement), pixels, "{placement:?}");
        }
    }

    #[test]
    fn opacity_and_alpha_multiply() {
        let mark = of(Layout::GreyAlpha, 1, &[200, 128]);
        // 200 × 128/255 × 0.5, alpha rounded to 64
        assert_eq!(laid(&mark, Placement { opacity: 0.5, ..PLAIN })[0], 50);
        for opacity in [0.0, -1.0, f32::NAN] {
            assert_eq!(laid(&mark, Placement { opacity, ..PLAIN }), [0; 12]);
        }
        assert_eq!(laid(&mark, Placement { opacity: 9.0, ..PLAIN })[0], 100);
    }

    #[test]
    fn alpha_is_that_of_both() {
        let clear = of(Layout::Rgba, 1, &[9, 9, 9, 0]);
        let half = of(Layout::Rgba, 1, &[200, 100, 0, 128]);
        let once = overlay(clear, &half, &PLAIN).unwrap();
        assert_eq!(once.pixels, [200, 100, 0, 128]);
        let twice = overlay(once, &half, &PLAIN).unwrap();
        assert_eq!(twice.pixels, [200, 100, 0, 192]);
    }

    #[test]
    fn a_coloured_mark_needs_a_coloured_picture() {
        let mark = of(Layout::Rgb, 1, &[1, 2, 3]);
        let laid = overlay(grey(2, &[7, 8]), &mark, &PLAIN).unwrap();
        assert_eq!((laid.layout, laid.pixels), (Layout::Rgb, vec![1, 2, 3, 8, 8, 8]));
        let laid = overlay(of(Layout::GreyAlpha, 1, &[7, 0]), &mark, &PLAIN).unwrap();
        assert_eq!((laid.layout, laid.pixels), (Layout::Rgba, vec![1, 2, 3, 255]));
    }

    #[test]
    fn a_scaled_mark_fills_its_share() {
        for (mark, scale, wanted) in [
            ((10, 10), 0.0, (10, 10)),
            ((10, 10), 0.5, (25, 25)),
            ((10, 2), 0.5, (50, 10)),
            ((400, 100), 1.0, (100, 25)),
            ((400, 100), 7.0, (100, 25)),
            ((400, 1), 0.1, (10, 1)),
            ((10, 10), f64::NAN, (10, 10)),
        ] {
            let frame = |(width, height)| Frame { width, height, layout: Layout::Grey, pixels: Vec::new() };
            let found = size(&frame((100, 50)), &frame(mark), scale);
            assert_eq!((found.width, found.height), wanted, "{mark:?} at {scale}");
        }
        let laid = laid(&grey(1, &[9]), Placement { scale: 1.0, ..PLAIN });
        assert_eq!(laid, [9, 9, 9, 0, 9, 9, 9, 0, 9, 9, 9, 0]);
    }

    proptest! {
        #[test]
        fn a_transparent_mark_changes_nothing(frame in frames(9), width in 1..9_u32, x in -9.0..9.0_f64, tiled in any::<bool>()) {
            let spot = if tiled { Spot::Tiled } else { Spot::At(Compass::Center) };
            let mark = of(Layout::GreyAlpha, width, &[77, 0].repeat(usize::try_from(width * 2).unwrap()));
            let placement = Placement { spot, x: Length::Pixels(x), ..PLAIN };
            prop_assert_eq!(overlay(frame.clone(), &mark, &placement).unwrap().pixels, frame.pixels);
        }

        #[test]
        fn an_opaque_tile_hides_everything(frame in frames(9), width in 1..9_u32) {
            let mark = grey(width, &vec![77; usize::try_from(width * 2).unwrap()]);
            let laid = overlay(frame, &mark, &Placement { spot: Spot::Tiled, ..PLAIN }).unwrap();
            let channels = laid.layout.channels();
            for pixel in laid.pixels.chunks_exact(channels) {
                for (index, &sample) in pixel.iter().enumerate() {
                    let is_alpha = laid.layout.has_alpha() && index == channels - 1;
                    prop_assert_eq!(sample, if is_alpha { 255 } else { 77 });
                }
            }
        }
    }
}
