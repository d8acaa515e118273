//! A decoded picture in memory, 8 bits a channel, rows without padding.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Order and meaning of the channels of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Layout {
    Grey,
    GreyAlpha,
    Rgb,
    Rgba,
    /// Amount of ink, 0 is none.
    Cmyk,
}

impl Layout {
    /// Bytes of a pixel.
    pub(crate) fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::GreyAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }

    /// Whether there is no colour.
    pub(crate) fn is_grey(self) -> bool {
        matches!(self, Self::Grey | Self::GreyAlpha)
    }

    /// Whether the last channel is alpha, not premultiplied.
    pub(crate) fn has_alpha(self) -> bool {
        matches!(self, Self::GreyAlpha | Self::Rgba)
    }
}

/// Pixels with their size. `pixels.len()` is width × height × channels.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) layout: Layout,
    pub(crate) pixels: Vec<u8>,
}

impl Frame {
    /// Bytes of one row; never 0, so that rows can be iterated in any case.
    pub(crate) fn stride(&self) -> usize {
        stride(self.width, self.layout)
    }

    /// The same picture with every pixel rewritten by `map`, which appends the new channels to the vector it is given.
    pub(crate) fn mapped(self, layout: Layout, map: impl Fn(&[u8], &mut Vec<u8>)) -> Self {
        let channels = self.layout.channels();
        let mut pixels = Vec::with_capacity(self.pixels.len() / channels * layout.channels());
        for pixel in self.pixels.chunks_exact(channels) {
            map(pixel, &mut pixels);
        }
        debug_assert_eq!(pixels.len() / layout.channels(), self.pixels.len() / channels);
        Self { layout, pixels, ..self }
    }

    /// Grey widened to red, green and blue; alpha stays.
    pub(crate) fn into_colour(self) -> Self {
        match self.layout {
            Layout::Grey => self.mapped(Layout::Rgb, |pixel, out| {
                if let &[grey] = pixel {
                    out.extend([grey; 3]);
                }
            }),
            Layout::GreyAlpha => self.mapped(Layout::Rgba, |pixel, out| {
                if let &[grey, alpha] = pixel {
                    out.extend([grey, grey, grey, alpha]);
                }
            }),
            Layout::Rgb | Layout::Rgba | Layout::Cmyk => self,
        }
    }
}

/// Bytes of one row; never 0.
pub(crate) fn stride(width: u32, layout: Layout) -> usize {
    usize::try_from(width).unwrap_or(usize::MAX).saturating_mul(layout.channels()).max(1)
}

/// Length of a whole picture in memory.
///
/// # Errors
/// `TooManyPixels` when it does not fit the address space.
pub(crate) fn buffer_bytes(width: u32, height: u32, layout: Layout) -> Result<usize, Error> {
    usize::try_from(height)
        .ok()
        .and_then(|height| stride(width, layout).checked_mul(height))
        .ok_or_else(|| Error::TooManyPixels { pixels: u64::from(width) * u64::from(height), max: 0 })
}
