//! What is asked of a rendering, in one canonical form.
//!
//! Every URL dialect ends in a [`Transform`]. Its printed form is part of the cache key, so two transforms that mean the
//! same print the same: defaults, and options that cannot have an effect, are left out. Densities and aliases are resolved
//! by the dialect's parser and do not exist here.

use std::fmt;
use std::str::FromStr;

use crate::path::{PathError, options};

/// Longest side that can be asked for, in pixels.
pub const SIDE_MAX: u32 = 16_384;

/// How the source fills the size asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fit {
    /// As large as fits into the box; enlarges.
    Contain,
    /// Fills the box and is cut at the centre; enlarges.
    Cover,
    /// As [`Fit::Contain`], but never enlarges.
    #[default]
    ScaleDown,
    /// As [`Fit::Contain`], the rest of the box is filled with the background.
    Pad,
}

impl Fit {
    /// The word in URLs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contain => "contain",
            Self::Cover => "cover",
            Self::ScaleDown => "scale-down",
            Self::Pad => "pad",
        }
    }
}

/// The format asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// Chosen by what the client accepts and what the source is.
    #[default]
    Auto,
    /// Baseline JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// Lossy WebP.
    Webp,
}

impl Format {
    /// The word in URLs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Webp => "webp",
        }
    }
}

/// An opaque sRGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rgb {
    /// Red, 0 to 255.
    pub red: u8,
    /// Green, 0 to 255.
    pub green: u8,
    /// Blue, 0 to 255.
    pub blue: u8,
}

impl Rgb {
    /// The default behind transparent and padded areas where the output has no alpha.
    pub const WHITE: Self = Self { red: 255, green: 255, blue: 255 };
}

/// One rendering of an image.
///
/// ```
/// use overfall_imaging::transform::Transform;
///
/// let transform: Transform = "height=600,q=75,width=800".parse()?;
/// assert_eq!(transform.to_string(), "w=800,h=600,fit=scale-down,q=75,f=auto");
/// # Ok::<(), overfall_imaging::path::PathError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Transform {
    /// Pixels, 1 to [`SIDE_MAX`]; none: from the height, or the source's own.
    pub width: Option<u32>,
    /// Pixels, 1 to [`SIDE_MAX`]; none: from the width, or the source's own.
    pub height: Option<u32>,
    /// How the source fills the box.
    pub fit: Fit,
    /// Of lossy formats, 1 to 100; none: the site's default.
    pub quality: Option<u8>,
    /// The output format.
    pub format: Format,
    /// Under transparent areas and around padded pictures; none: transparency is kept where the format can, else white.
    pub background: Option<Rgb>,
}

impl Transform {
    /// The same meaning with everything left out that has no effect.
    #[must_use]
    pub fn canonical(self) -> Self {
        let fit = match (self.width, self.height, self.fit) {
            (None, None, _) => Fit::ScaleDown,
            // with one side free nothing is left to cut or to fill
            (None, _, Fit::Cover | Fit::Pad) | (_, None, Fit::Cover | Fit::Pad) => Fit::Contain,
            (_, _, fit) => fit,
        };
        let quality = self.quality.filter(|_| self.format != Format::Png);
        let background =
            self.background.filter(|&colour| self.format != Format::Jpeg || colour != Rgb::WHITE);
        Self { fit, quality, background, ..self }
    }

    /// The same transform with the site's quality where the URL gave none, so that a changed default is a new key.
    #[must_use]
    pub fn with_default_quality(self, quality: u8) -> Self {
        Self { quality: Some(self.quality.unwrap_or(quality).clamp(1, 100)), ..self }.canonical()
    }
}

impl fmt::Display for Transform {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { width, height, fit, quality, format, background } = self.canonical();
        if let Some(width) = width {
            write!(out, "w={width},")?;
        }
        if let Some(height) = height {
            write!(out, "h={height},")?;
        }
        if width.is_some() || height.is_some() {
            write!(out, "fit={},", fit.as_str())?;
        }
        if let Some(quality) = quality {
            write!(out, "q={quality},")?;
        }
        write!(out, "f={}", format.as_str())?;
        if let Some(Rgb { red, green, blue }) = background {
            write!(out, ",background={red:02x}{green:02x}{blue:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for Transform {
    type Err = PathError;

    /// Reads what [`Transform`] prints, and every other spelling the URL options allow; the result is canonical.
    fn from_str(text: &str) -> Result<Self, PathError> {
        options::parse(text)
    }
}

#[cfg(test)]
mod tests;
