//! Colours that steps lay under, around or over a picture, and layouts that can hold both.

use crate::frame::{Frame, Layout};
use crate::transform::Rgb;

/// An sRGB colour with alpha, not premultiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Rgba {
    /// 0 to 255.
    pub(crate) red: u8,
    /// 0 to 255.
    pub(crate) green: u8,
    /// 0 to 255.
    pub(crate) blue: u8,
    /// 0 is transparent, 255 opaque.
    pub(crate) alpha: u8,
}

impl Rgba {
    /// Nothing.
    pub(crate) const TRANSPARENT: Self = Self { red: 0, green: 0, blue: 0, alpha: 0 };

    /// Whether a grey picture can hold it. What is transparent has no colour.
    fn is_grey(self) -> bool {
        self.alpha == 0 || (self.red == self.green && self.green == self.blue)
    }

    /// The channels in the order of `layout`, which can hold it.
    pub(crate) fn pixel<const N: usize>(self, layout: Layout) -> [u8; N] {
        let Self { red, green, blue, alpha } = self;
        let channels = match layout {
            Layout::Grey => [red, 0, 0, 0],
            Layout::GreyAlpha => [red, alpha, 0, 0],
            Layout::Rgb => [red, green, blue, 0],
            Layout::Rgba => [red, green, blue, alpha],
            // only before pictures are converted to sRGB: no ink
            Layout::Cmyk => [0; 4],
        };
        std::array::from_fn(|index| channels.get(index).copied().unwrap_or(0))
    }
}

impl From<Rgb> for Rgba {
    fn from(Rgb { red, green, blue }: Rgb) -> Self {
        Self { red, green, blue, alpha: 255 }
    }
}

/// The picture, which looks the same, in a layout that can hold `paint` too.
pub(crate) fn holding(frame: Frame, paint: Rgba) -> Frame {
    let frame = if paint.is_grey() { frame } else { frame.into_colour() };
    if paint.alpha == 255 { frame } else { with_alpha(frame) }
}

/// The picture with an alpha channel, opaque where it had none.
pub(crate) fn with_alpha(frame: Frame) -> Frame {
    match frame.layout {
        Layout::Grey => frame.mapped(Layout::GreyAlpha, |pixel, out| {
            out.extend_from_slice(pixel);
            out.push(255);
        }),
        Layout::Rgb => frame.mapped(Layout::Rgba, |pixel, out| {
            if let &[red, green, blue] = pixel {
                out.extend_from_slice(&[red, green, blue, 255]);
            }
        }),
        Layout::GreyAlpha | Layout::Rgba | Layout::Cmyk => frame,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_grows_only_as_far_as_it_must() {
        let grey = || Frame { width: 1, height: 1, layout: Layout::Grey, pixels: vec![7] };
        let paint = |red, alpha| Rgba { red, green: 5, blue: 5, alpha };
        for (paint, layout, pixels) in [
            (paint(5, 255), Layout::Grey, vec![7]),
            (paint(5, 9), Layout::GreyAlpha, vec![7, 255]),
            (paint(6, 255), Layout::Rgb, vec![7, 7, 7]),
            (paint(6, 0), Layout::GreyAlpha, vec![7, 255]),
            (paint(6, 1), Layout::Rgba, vec![7, 7, 7, 255]),
        ] {
            let held = holding(grey(), paint);
            assert_eq!((held.layout, held.pixels), (layout, pixels), "{paint:?}");
        }
        assert_eq!(paint(1, 2).pixel::<4>(Layout::Rgba), [1, 5, 5, 2]);
        assert_eq!(paint(1, 2).pixel::<2>(Layout::GreyAlpha), [1, 2]);
    }
}
