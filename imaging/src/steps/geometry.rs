//! Sizes: what of the source is used, how large it becomes, and on what canvas it lies.

use crate::transform::{Fit, Transform};

/// A size in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

impl Size {
    /// With its sides exchanged.
    #[must_use]
    pub fn turned(self) -> Self {
        Self { width: self.height, height: self.width }
    }
}

/// What to do with a source of a given size. All sizes are as seen, after orientation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Width of the part of the source that is used, cut at the centre, in source pixels.
    pub used_width: f64,
    /// Its height.
    pub used_height: f64,
    /// The size that part becomes.
    pub scaled: Size,
    /// The size of the result; larger than `scaled` only for [`Fit::Pad`].
    pub canvas: Size,
}

impl Plan {
    /// For a picture stored on its side: the same plan before it is turned.
    #[must_use]
    pub fn turned(self) -> Self {
        Self {
            used_width: self.used_height,
            used_height: self.used_width,
            scaled: self.scaled.turned(),
            canvas: self.canvas.turned(),
        }
    }
}

/// Plans the rendering of `source`, whose sides are not 0. Sides round to the nearest pixel and are at least 1; they are
/// not bounded here, since an extreme shape can make a side of any length out of a modest request.
#[must_use]
pub fn plan(source: Size, transform: &Transform) -> Plan {
    let transform = transform.canonical();
    let wide = f64::from(source.width);
    let high = f64::from(source.height);
    let horizontal = transform.width.map(|width| f64::from(width) / wide);
    let vertical = transform.height.map(|height| f64::from(height) / high);
    let whole = |scaled: Size, canvas: Size| Plan { used_width: wide, used_height: high, scaled, canvas };
    let inside = match (horizontal, vertical) {
        (Some(horizontal), Some(vertical)) => horizontal.min(vertical),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => return whole(source, source),
    };
    match (transform.fit, transform.width, transform.height) {
        (Fit::Cover, Some(width), Some(height)) => {
            let outside = horizontal.unwrap_or(1.0).max(vertical.unwrap_or(1.0));
            let size = Size { width, height };
            Plan {
                used_width: (f64::from(width) / outside).min(wide),
                used_height: (f64::from(height) / outside).min(high),
                scaled: size,
                canvas: size,
            }
        }
        (Fit::Pad, Some(width), Some(height)) => whole(scaled(source, inside), Size { width, height }),
        (Fit::ScaleDown, _, _) if inside >= 1.0 => whole(source, source),
        _ => {
            let size = scaled(source, inside);
            whole(size, size)
        }
    }
}

fn scaled(source: Size, factor: f64) -> Size {
    let side = |side: u32| {
        let length = (f64::from(side) * factor).round().clamp(1.0, f64::from(u32::MAX));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to 1..=u32::MAX"
        )]
        let length = length as u32;
        length
    };
    Size { width: side(source.width), height: side(source.height) }
}

#[cfg(test)]
mod tests;
