//! Where in a picture: compass points, focus, rectangles, sides.

use std::fmt;

use super::{Length, Milli, Rgb};

/// Nine places in a rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Compass {
    /// The middle.
    #[default]
    Center,
    /// The middle of the upper side.
    Top,
    /// The upper right corner.
    TopRight,
    /// The middle of the right side.
    Right,
    /// The lower right corner.
    BottomRight,
    /// The middle of the lower side.
    Bottom,
    /// The lower left corner.
    BottomLeft,
    /// The middle of the left side.
    Left,
    /// The upper left corner.
    TopLeft,
}

impl Compass {
    /// Every place.
    pub const ALL: [Self; 9] = [
        Self::Center,
        Self::Top,
        Self::TopRight,
        Self::Right,
        Self::BottomRight,
        Self::Bottom,
        Self::BottomLeft,
        Self::Left,
        Self::TopLeft,
    ];

    /// The word in URLs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Center => "center",
            Self::Top => "top",
            Self::TopRight => "top-right",
            Self::Right => "right",
            Self::BottomRight => "bottom-right",
            Self::Bottom => "bottom",
            Self::BottomLeft => "bottom-left",
            Self::Left => "left",
            Self::TopLeft => "top-left",
        }
    }

    /// Shares of the free room that lie left of and above what is placed: 0, 0.5 or 1.
    #[must_use]
    pub fn shares(self) -> (f64, f64) {
        let x = match self {
            Self::TopLeft | Self::Left | Self::BottomLeft => 0.0,
            Self::Top | Self::Center | Self::Bottom => 0.5,
            Self::TopRight | Self::Right | Self::BottomRight => 1.0,
        };
        let y = match self {
            Self::TopLeft | Self::Top | Self::TopRight => 0.0,
            Self::Left | Self::Center | Self::Right => 0.5,
            Self::BottomLeft | Self::Bottom | Self::BottomRight => 1.0,
        };
        (x, y)
    }
}

/// What stays where something is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gravity {
    /// A place, moved inwards by offsets; at the centre right and down.
    Compass(Compass, Length, Length),
    /// A point of the source as shares of its sides, 0 to 1.
    Focus(Milli, Milli),
    /// What catches the eye: edges, saturation, skin.
    Attention,
    /// Where most is going on.
    Entropy,
}

impl Default for Gravity {
    fn default() -> Self {
        Self::at(Compass::Center)
    }
}

impl Gravity {
    /// A place without offsets.
    #[must_use]
    pub fn at(compass: Compass) -> Self {
        Self::Compass(compass, Length::Pixels(0), Length::Pixels(0))
    }

    /// The middle is the middle, and offsets of nothing are none, however they are said.
    pub(crate) fn canonical(self) -> Self {
        match self {
            Self::Compass(compass, x, y) => Self::Compass(compass, x.canonical(), y.canonical()),
            Self::Focus(Milli(500), Milli(500)) => Self::default(),
            other => other,
        }
    }
}

impl fmt::Display for Gravity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compass(compass, Length::Pixels(0), Length::Pixels(0)) => out.write_str(compass.as_str()),
            Self::Compass(compass, x, y) => write!(out, "{};{x};{y}", compass.as_str()),
            Self::Focus(x, y) => write!(out, "{x}x{y}"),
            Self::Attention => out.write_str("auto"),
            Self::Entropy => out.write_str("entropy"),
        }
    }
}

/// Where a mark lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Spot {
    /// Once.
    At(Compass),
    /// Side by side over the whole picture.
    Tiled,
}

impl Default for Spot {
    fn default() -> Self {
        Self::At(Compass::Center)
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::At(compass) => compass.as_str(),
            Self::Tiled => "tile",
        })
    }
}

/// A part of the source, as seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Crop {
    /// Its width; 0 is the source's.
    pub width: Length,
    /// Its height; 0 is the source's.
    pub height: Length,
    /// Width to height, both 1 to [`super::SIDE_MAX`]: one side of width by height becomes shorter so that it fits.
    pub aspect: Option<(u32, u32)>,
    /// Where it lies; what sticks out of the source is cut off.
    pub place: CropPlace,
}

impl Crop {
    pub(crate) fn canonical(self) -> Self {
        let place = match self.place {
            CropPlace::At(x, y) => CropPlace::At(x.canonical(), y.canonical()),
            CropPlace::By(gravity) => CropPlace::By(gravity.canonical()),
        };
        Self { width: self.width.canonical(), height: self.height.canonical(), place, ..self }
    }
}

/// Where a part of the source lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CropPlace {
    /// Its upper left corner, from the source's.
    At(Length, Length),
    /// By gravity.
    By(Gravity),
}

impl fmt::Display for Crop {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((wide, high)) = self.aspect {
            write!(out, "{wide}:{high};")?;
        }
        write!(out, "{};{};", self.width, self.height)?;
        match self.place {
            CropPlace::At(x, y) => write!(out, "{x};{y}"),
            CropPlace::By(gravity) => write!(out, "{gravity}"),
        }
    }
}

/// What is cut off before everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trim {
    /// Pixels on each side.
    Sides(Sides),
    /// Margins of one colour.
    Margins {
        /// How far a pixel may be from that colour, 0 to 255 in each channel.
        tolerance: u8,
        /// The colour; none: that of the upper left pixel.
        colour: Option<Rgb>,
        /// Whether left and right lose the same.
        equal_horizontal: bool,
        /// Whether top and bottom lose the same.
        equal_vertical: bool,
    },
}

impl fmt::Display for Trim {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sides(sides) => write!(out, "{sides}"),
            Self::Margins { tolerance, colour, equal_horizontal, equal_vertical } => {
                write!(out, "border;{tolerance}")?;
                if let Some(colour) = colour {
                    write!(out, ";{colour}")?;
                }
                out.write_str(if *equal_horizontal { ";h" } else { "" })?;
                out.write_str(if *equal_vertical { ";v" } else { "" })
            }
        }
    }
}

/// Pixels on each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Sides {
    /// Above.
    pub top: u32,
    /// On the right.
    pub right: u32,
    /// Below.
    pub bottom: u32,
    /// On the left.
    pub left: u32,
}

impl Sides {
    /// The same on all sides.
    #[must_use]
    pub fn all(pixels: u32) -> Self {
        Self { top: pixels, right: pixels, bottom: pixels, left: pixels }
    }
}

impl fmt::Display for Sides {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{};{};{};{}", self.top, self.right, self.bottom, self.left)
    }
}
