//! Takes alpha away where the output cannot have it, a background is asked for, or every pixel is opaque anyway.

use crate::frame::{Frame, Layout};
use crate::transform::Rgb;

/// Drops an alpha channel that says nothing.
pub(crate) fn drop_opaque(frame: Frame) -> Frame {
    let channels = frame.layout.channels();
    let is_opaque = frame.pixels.chunks_exact(channels).all(|pixel| pixel.last() == Some(&255));
    match frame.layout {
        Layout::GreyAlpha if is_opaque => frame.mapped(Layout::Grey, |pixel, out| out.extend(pixel.first())),
        Layout::Rgba if is_opaque => {
            frame.mapped(Layout::Rgb, |pixel, out| out.extend(pixel.get(..3).unwrap_or_default()))
        }
        _ => frame,
    }
}

/// Lays the picture on `background`; a picture without alpha stays as it is.
pub(crate) fn flatten(frame: Frame, background: Rgb) -> Frame {
    let Rgb { red, green, blue } = background;
    match frame.layout {
        Layout::GreyAlpha | Layout::Rgba => frame.into_colour().mapped(Layout::Rgb, |pixel, out| {
            if let &[r, g, b, alpha] = pixel {
                out.extend([over(r, red, alpha), over(g, green, alpha), over(b, blue, alpha)]);
            }
        }),
        Layout::Grey | Layout::Rgb | Layout::Cmyk => frame,
    }
}

/// One channel of a pixel over an opaque one, rounded.
fn over(top: u8, under: u8, alpha: u8) -> u8 {
    let sum = u32::from(top) * u32::from(alpha) + u32::from(under) * u32::from(255 - alpha);
    u8::try_from((sum + 127) / 255).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(layout: Layout, pixels: &[u8]) -> Frame {
        let width = u32::try_from(pixels.len() / layout.channels()).unwrap_or_default();
        Frame { width, height: 1, layout, pixels: pixels.to_vec() }
    }

    #[test]
    fn alpha_mixes_with_the_background() {
        let mixed = flatten(frame(Layout::Rgba, &[255, 0, 9, 0, 255, 0, 9, 255, 255, 0, 9, 51]), Rgb::WHITE);
        assert_eq!(mixed.pixels, [255, 255, 255, 255, 0, 9, 255, 204, 206]);
        let grey = flatten(frame(Layout::GreyAlpha, &[0, 128]), Rgb { red: 255, green: 0, blue: 0 });
        assert_eq!((grey.layout, grey.pixels), (Layout::Rgb, vec![127, 0, 0]));
    }

    #[test]
    fn only_a_fully_opaque_alpha_is_dropped() {
        assert_eq!(
            drop_opaque(frame(Layout::Rgba, &[1, 2, 3, 255, 4, 5, 6, 255])).pixels,
            [1, 2, 3, 4, 5, 6]
        );
        assert_eq!(drop_opaque(frame(Layout::GreyAlpha, &[1, 255, 2, 255])).pixels, [1, 2]);
        assert_eq!(drop_opaque(frame(Layout::Rgba, &[1, 2, 3, 255, 4, 5, 6, 254])).layout, Layout::Rgba);
        assert_eq!(drop_opaque(frame(Layout::Rgb, &[1, 2, 255])).layout, Layout::Rgb);
    }
}
