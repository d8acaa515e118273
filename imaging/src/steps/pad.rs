//! Lays a picture on the centre of a larger canvas.

use super::geometry::Size;
use crate::Error;
use crate::frame::{Frame, Layout, buffer_bytes, stride};
use crate::transform::Rgb;

/// The picture on a canvas of colour; one that has the size already stays as it is. The margin is opaque.
///
/// # Errors
/// `TooManyPixels` when the canvas does not fit the address space.
pub(crate) fn pad(frame: Frame, canvas: Size, background: Rgb) -> Result<Frame, Error> {
    if (frame.width, frame.height) == (canvas.width, canvas.height) {
        return Ok(frame);
    }
    let frame = frame.into_colour();
    let Rgb { red, green, blue } = background;
    let fill: &[u8] = match frame.layout {
        Layout::Rgba => &[red, green, blue, 255],
        _ => &[red, green, blue],
    };
    let bytes = buffer_bytes(canvas.width, canvas.height, frame.layout)?;
    let mut pixels: Vec<u8> = fill.iter().copied().cycle().take(bytes).collect();
    let margin = |outer: u32, inner: u32| usize::try_from(outer.saturating_sub(inner) / 2).unwrap_or(0);
    let left = margin(canvas.width, frame.width).saturating_mul(frame.layout.channels());
    let top = margin(canvas.height, frame.height);
    let rows = pixels.chunks_exact_mut(stride(canvas.width, frame.layout)).skip(top);
    for (to, from) in rows.zip(frame.pixels.chunks_exact(frame.stride())) {
        if let Some(to) = to.get_mut(left..left.saturating_add(from.len())) {
            to.copy_from_slice(from);
        }
    }
    Ok(Frame { width: canvas.width, height: canvas.height, layout: frame.layout, pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_lies_in_the_middle() {
        let frame = Frame { width: 1, height: 2, layout: Layout::Grey, pixels: vec![7, 8] };
        let padded = pad(frame, Size { width: 3, height: 4 }, Rgb { red: 1, green: 2, blue: 3 });
        let padded = padded.unwrap();
        let b = [1, 2, 3];
        let rows = [[b, b, b], [b, [7; 3], b], [b, [8; 3], b], [b, b, b]];
        assert_eq!(padded.pixels, rows.as_flattened().as_flattened());
    }

    #[test]
    fn an_odd_rest_goes_right_and_below() {
        let frame = Frame { width: 1, height: 1, layout: Layout::Rgba, pixels: vec![0; 4] };
        let padded = pad(frame, Size { width: 2, height: 2 }, Rgb::WHITE).unwrap();
        assert_eq!(padded.pixels.iter().position(|&byte| byte == 0), Some(0));
        assert_eq!(padded.pixels.iter().filter(|&&byte| byte == 0).count(), 4);
    }
}
