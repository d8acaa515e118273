//! What is asked of a rendering, in one canonical form.
//!
//! Every URL dialect ends in a [`Transform`]. Its printed form is part of the cache key, so two transforms that mean the
//! same print the same: defaults, and options that cannot have an effect, are left out. Densities, presets and aliases are
//! resolved by the dialect's parser and do not exist here.
//!
//! The order of work is the same whatever the order in the URL: page and frames, orientation, trim, crop, size, flip,
//! rotation, look, corners, padding and border, watermark and text, encoding. So sizes and gravity are said in the axes
//! before the rotation; a dialect that means those after it is translated by its parser.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::path::{PathError, options};

mod amount;
mod place;
mod print;
mod words;

pub use amount::{Length, Milli};
pub use place::{Compass, Crop, CropPlace, Gravity, Sides, Spot, Trim};
pub use words::{Fit, Format, Metadata, Quality, Reduction};

/// Longest side that can be asked for, in pixels.
pub const SIDE_MAX: u32 = 16_384;

/// Longest text that can be drawn, in characters.
pub const TEXT_CHARS_MAX: usize = 200;

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

impl fmt::Display for Rgb {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

/// How pixels change without moving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Look {
    /// Standard deviation of the blur in pixels of the result, 0 to 250; 0 is none.
    pub blur: Milli,
    /// Strength of sharpening, 0 to 10; 0 is none.
    pub sharpen: Milli,
    /// Unsharp mask.
    pub unsharp: Option<Unsharp>,
    /// Side of the squares in pixels, 0 or 1: none.
    pub pixelate: u32,
    /// Factor, 0 to 10; 1 is unchanged.
    pub brightness: Milli,
    /// Factor around mid grey, 0 to 10; 1 is unchanged.
    pub contrast: Milli,
    /// Factor, 0 to 10; 0 is grey, 1 is unchanged.
    pub saturation: Milli,
    /// Exponent's inverse, 0.1 to 10; 1 is unchanged, more is lighter.
    pub gamma: Milli,
    /// Whether colours become grey.
    pub grayscale: bool,
    /// Greys from this on become white and all others black, 0 to 255; none: greys stay.
    pub threshold: Option<u8>,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            blur: Milli::ZERO,
            sharpen: Milli::ZERO,
            unsharp: None,
            pixelate: 0,
            brightness: Milli::ONE,
            contrast: Milli::ONE,
            saturation: Milli::ONE,
            gamma: Milli::ONE,
            grayscale: false,
            threshold: None,
        }
    }
}

/// An unsharp mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unsharp {
    /// Standard deviation in pixels, 0.1 to 250.
    pub radius: Milli,
    /// Share of the difference that is added, 0 to 10.
    pub amount: Milli,
    /// Differences up to this stay, 0 to 255.
    pub threshold: u8,
}

/// A frame of colour around the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Border {
    /// Pixels on each side.
    pub sides: Sides,
    /// Its colour.
    pub colour: Rgb,
}

/// Rounded corners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Corners {
    /// Radius in pixels, at least 1.
    Radius(u32),
    /// As round as they get: an ellipse, of a square a circle.
    Max,
}

/// A picture of the site's that is laid over the result.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Watermark {
    /// Its name in the site's configuration.
    pub name: Arc<str>,
    /// 0 to 1.
    pub opacity: Milli,
    /// Where.
    pub spot: Spot,
    /// Away from the edges that `spot` names, or the distance between tiles.
    pub x: Length,
    /// Away from the edges that `spot` names, or the distance between tiles.
    pub y: Length,
    /// Of the result's size; 0: the mark's own size.
    pub scale: Milli,
}

/// A line of text over the result.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Text {
    /// 1 to [`TEXT_CHARS_MAX`] characters, none of them a control character.
    pub text: Arc<str>,
    /// Height of the font in pixels, 4 to 1 000.
    pub size: u32,
    /// Its colour.
    pub colour: Rgb,
    /// 0 to 1.
    pub opacity: Milli,
    /// Where.
    pub spot: Spot,
    /// Away from the edges that `spot` names.
    pub x: Length,
    /// Away from the edges that `spot` names.
    pub y: Length,
}

impl Watermark {
    fn canonical(self) -> Self {
        Self { x: self.x.canonical(), y: self.y.canonical(), ..self }
    }
}

impl Text {
    fn canonical(self) -> Self {
        Self { x: self.x.canonical(), y: self.y.canonical(), ..self }
    }
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Transform {
    /// Page or frame to take, from 0; with it nothing moves.
    pub page: Option<u32>,
    /// Whether an animation stands still.
    pub still: bool,
    /// Whether the orientation that the source names is ignored.
    pub ignore_orientation: bool,
    /// What is cut off before everything else.
    pub trim: Option<Trim>,
    /// The part of the source that is used.
    pub crop: Option<Crop>,
    /// Pixels, 1 to [`SIDE_MAX`]; none: from the height, or the source's own.
    pub width: Option<u32>,
    /// Pixels, 1 to [`SIDE_MAX`]; none: from the width, or the source's own.
    pub height: Option<u32>,
    /// Pixels that the picture has at least before it is cut to the box.
    pub min_width: Option<u32>,
    /// Pixels that the picture has at least before it is cut to the box.
    pub min_height: Option<u32>,
    /// Width to height of the result where a side is free, both 1 to [`SIDE_MAX`].
    pub aspect: Option<(u32, u32)>,
    /// Factors for the width and the height, 0.001 to 100, on top of the size asked for, or of the source's.
    pub zoom: Option<(Milli, Milli)>,
    /// How the source fills the box.
    pub fit: Fit,
    /// What stays where something is cut, and where the picture lies on a larger canvas.
    pub gravity: Gravity,
    /// Clockwise in degrees, 0 to 359.999; after the flip.
    pub rotate: Milli,
    /// Whether left and right change places.
    pub flip_horizontal: bool,
    /// Whether top and bottom change places.
    pub flip_vertical: bool,
    /// How pixels change without moving.
    pub look: Look,
    /// Rounded corners.
    pub corners: Option<Corners>,
    /// Pixels of background around the picture.
    pub padding: Sides,
    /// A frame around picture and padding.
    pub border: Option<Border>,
    /// A picture over it.
    pub watermark: Option<Watermark>,
    /// A line of text over it.
    pub text: Option<Text>,
    /// Under transparent areas and around padded pictures; none: transparency is kept where the format can, else white.
    pub background: Option<Rgb>,
    /// Of lossy formats.
    pub quality: Quality,
    /// Qualities, 1 to 100, of single formats where the format is open; they go before `quality`.
    pub format_quality: Vec<(Format, u8)>,
    /// Largest file, in bytes, at least 1; quality is lowered until it fits.
    pub max_bytes: Option<u32>,
    /// The output format.
    pub format: Format,
    /// Whether formats that can do both lose nothing.
    pub lossless: bool,
    /// Whether a JPEG comes in several scans, coarse first.
    pub progressive: bool,
    /// Whether colours beyond sRGB are kept, with their profile.
    pub keep_profile: bool,
    /// What is told of the source besides its pixels.
    pub metadata: Metadata,
    /// How carefully light is averaged.
    pub reduction: Reduction,
}

impl Transform {
    /// The same meaning with everything left out that has no effect.
    #[must_use]
    pub fn canonical(&self) -> Self {
        let mut all = self.clone();
        if (all.width, all.height, all.aspect) == (None, None, None) {
            all.fit = Fit::default();
        } else if (all.width.is_none() || all.height.is_none()) && all.aspect.is_none() {
            all.fit = all.fit.with_a_free_side();
        }
        if all.width.is_some() && all.height.is_some() {
            all.aspect = None;
        }
        all.still |= all.page.is_some();
        all.zoom = all.zoom.filter(|zoom| *zoom != (Milli::ONE, Milli::ONE));
        all.gravity = if all.fit.is_placed() { all.gravity.canonical() } else { Gravity::default() };
        all.crop = all.crop.map(Crop::canonical);
        all.turn_once();
        all.lossless &= all.format != Format::Jpeg;
        all.say_quality_once();
        all.progressive &= matches!(all.format, Format::Jpeg) || all.format.is_open();
        if all.format == Format::Jpeg {
            all.background = all.background.filter(|colour| *colour != Rgb::WHITE);
        }
        all.look = all.look.canonical();
        all.border = all.border.filter(|border| border.sides != Sides::default());
        all.watermark = all.watermark.filter(|mark| mark.opacity != Milli::ZERO).map(Watermark::canonical);
        all.text = all.text.filter(|text| text.opacity != Milli::ZERO).map(Text::canonical);
        all
    }

    /// Of the ways to say a turned mirror image, the one with no more than one flip and, with a flip, less than half a turn.
    fn turn_once(&mut self) {
        const HALF_TURN: u32 = 180_000;
        if self.flip_horizontal && self.flip_vertical {
            (self.flip_horizontal, self.flip_vertical) = (false, false);
            self.rotate = Milli((self.rotate.0 + HALF_TURN) % (2 * HALF_TURN));
        }
        if (self.flip_horizontal || self.flip_vertical) && self.rotate.0 >= HALF_TURN {
            (self.flip_horizontal, self.flip_vertical) = (self.flip_vertical, self.flip_horizontal);
            self.rotate = Milli(self.rotate.0 - HALF_TURN);
        }
    }

    fn say_quality_once(&mut self) {
        if self.format.is_open() {
            self.format_quality.retain(|(format, _)| format.is_lossy() && !format.is_open());
            self.format_quality.sort_by_key(|(format, _)| *format);
            self.format_quality.dedup_by_key(|(format, _)| *format);
            let common = self.quality;
            self.format_quality.retain(|(_, quality)| common != Quality::Fixed(*quality));
        } else {
            self.quality = self.quality_of(self.format);
            self.format_quality.clear();
        }
        if !self.format.is_lossy() {
            // a PNG of fewer colours is made only for who asks for it
            let is_palette =
                self.format == Format::Png && self.quality.fixed().is_some_and(|quality| quality < 100);
            self.quality = if is_palette { self.quality } else { Quality::Site };
            self.max_bytes = None;
        }
        if self.lossless {
            self.quality = Quality::Site;
            self.format_quality.clear();
        }
    }

    /// The quality asked for once the format is known.
    #[must_use]
    pub fn quality_of(&self, format: Format) -> Quality {
        let own = self.format_quality.iter().find(|(of, _)| *of == format);
        own.map_or(self.quality, |(_, quality)| Quality::Fixed(*quality))
    }

    /// The same transform with the site's quality where the URL gave none, so that a changed default is a new key.
    #[must_use]
    pub fn with_default_quality(&self, quality: u8) -> Self {
        let mut all = self.clone();
        if all.quality == Quality::Site && all.format.is_lossy() {
            all.quality = Quality::Fixed(quality.clamp(1, 100));
        }
        all.canonical()
    }
}

impl Look {
    fn canonical(mut self) -> Self {
        self.grayscale &= self.threshold.is_none();
        if self.grayscale || self.threshold.is_some() {
            self.saturation = Milli::ONE;
        }
        if self.pixelate == 1 {
            self.pixelate = 0;
        }
        self.unsharp = self.unsharp.filter(|mask| mask.amount != Milli::ZERO);
        self
    }
}

impl fmt::Display for Transform {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        print::print(&self.canonical(), out)
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
#[cfg(test)]
pub(crate) use tests::any_transform;
