//! Takes the colours out.
//!
//! Grey is luma after BT.601 of the values as stored, not luminance of linear light: it is the Y that JPEG, WebP and AVIF
//! hold, so a picture that never left its planes turns grey by dropping two of them and looks the same as this.

use super::sample::luma;
use crate::frame::{Frame, Layout};

/// The picture in grey; alpha stays.
pub(crate) fn grayscale(frame: Frame) -> Frame {
    match frame.layout {
        Layout::Rgb => {
            let pixels = frame.pixels.as_chunks().0.iter().map(|&colour| luma(colour)).collect();
            Frame { layout: Layout::Grey, pixels, ..frame }
        }
        Layout::Rgba => {
            let mut pixels = vec![0; frame.pixels.len() / 2];
            for (to, &[red, green, blue, alpha]) in
                pixels.as_chunks_mut().0.iter_mut().zip(frame.pixels.as_chunks().0)
            {
                *to = [luma([red, green, blue]), alpha];
            }
            Frame { layout: Layout::GreyAlpha, pixels, ..frame }
        }
        Layout::Grey | Layout::GreyAlpha | Layout::Cmyk => frame,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::specimen::of;

    #[test]
    fn grey_is_luma() {
        let colours = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 200, 100, 50];
        let grey = grayscale(of(Layout::Rgb, 5, &colours));
        // 0.299, 0.587, 0.114
        assert_eq!((grey.layout, grey.pixels), (Layout::Grey, vec![76, 150, 29, 255, 124]));
        let grey = grayscale(of(Layout::Rgba, 1, &[200, 100, 50, 7]));
        assert_eq!((grey.layout, grey.pixels), (Layout::GreyAlpha, vec![124, 7]));
        let same = grayscale(of(Layout::GreyAlpha, 1, &[1, 2]));
        assert_eq!((same.layout, same.pixels), (Layout::GreyAlpha, vec![1, 2]));
    }
}
