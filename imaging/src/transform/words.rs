//! Choices from closed lists, and their words in URLs.

/// How the source fills the size asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fit {
    /// As large as fits into the box; enlarges.
    Contain,
    /// As [`Fit::Contain`], but never enlarges.
    #[default]
    ScaleDown,
    /// As [`Fit::Contain`], but never makes smaller.
    ScaleUp,
    /// Fills the box and is cut; enlarges.
    Cover,
    /// As [`Fit::Cover`], but never enlarges: where the source is smaller than the box, so is the result.
    Crop,
    /// As [`Fit::Crop`], but a smaller result has the shape of the box.
    CoverDown,
    /// [`Fit::Crop`] where source and box are both upright or both lying, else [`Fit::ScaleDown`].
    Turned,
    /// As [`Fit::Contain`], the rest of the box is filled with the background.
    Pad,
    /// As [`Fit::ScaleDown`], the rest of the box is filled with the background.
    Extend,
    /// The size of the box, whatever becomes of the shape.
    Squeeze,
    /// The smallest that covers the box; nothing is cut; enlarges.
    Outside,
    /// As [`Fit::Outside`], but never enlarges.
    OutsideDown,
    /// As [`Fit::Squeeze`], but enlarges neither side: a smaller result has the shape of the box.
    SqueezeDown,
    /// As [`Fit::Crop`], the rest of the box is filled with the background, the picture in its middle.
    CropExtend,
    /// As [`Fit::ScaleDown`], then background is added up to the shape of the box, not to its size.
    ExtendShape,
}

impl Fit {
    /// Every way.
    pub const ALL: [Self; 15] = [
        Self::Contain,
        Self::ScaleDown,
        Self::ScaleUp,
        Self::Cover,
        Self::Crop,
        Self::CoverDown,
        Self::Turned,
        Self::Pad,
        Self::Extend,
        Self::Squeeze,
        Self::Outside,
        Self::OutsideDown,
        Self::SqueezeDown,
        Self::CropExtend,
        Self::ExtendShape,
    ];

    /// The word in URLs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contain => "contain",
            Self::ScaleDown => "scale-down",
            Self::ScaleUp => "scale-up",
            Self::Cover => "cover",
            Self::Crop => "crop",
            Self::CoverDown => "cover-down",
            Self::Turned => "turned",
            Self::Pad => "pad",
            Self::Extend => "extend",
            Self::Squeeze => "squeeze",
            Self::Outside => "outside",
            Self::OutsideDown => "outside-down",
            Self::SqueezeDown => "squeeze-down",
            Self::CropExtend => "crop-extend",
            Self::ExtendShape => "extend-shape",
        }
    }

    /// What it comes to when one side is free, so that nothing is left to cut or to fill.
    pub(super) fn with_a_free_side(self) -> Self {
        match self {
            Self::Contain | Self::Cover | Self::Pad | Self::Outside | Self::Squeeze => Self::Contain,
            Self::ScaleDown
            | Self::Crop
            | Self::CoverDown
            | Self::Turned
            | Self::Extend
            | Self::OutsideDown
            | Self::SqueezeDown
            | Self::CropExtend
            | Self::ExtendShape => Self::ScaleDown,
            Self::ScaleUp => self,
        }
    }

    /// Whether something may be cut, or lies on a larger canvas.
    pub(super) fn is_placed(self) -> bool {
        let is_cut = matches!(self, Self::Cover | Self::Crop | Self::CoverDown | Self::Turned);
        is_cut || matches!(self, Self::Pad | Self::Extend | Self::CropExtend | Self::ExtendShape)
    }
}

/// The format asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Format {
    /// Chosen by what the client accepts and what the source is.
    #[default]
    Auto,
    /// The smallest of those that the client accepts.
    Best,
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    Webp,
    /// AVIF.
    Avif,
    /// GIF.
    Gif,
    /// JPEG XL.
    Jxl,
    /// SVG as it is, without scripts and references; only of SVG sources.
    Svg,
    /// Not a picture: what is known of the source, as JSON.
    Json,
    /// That of the source, whatever the client accepts; where it cannot be written, JPEG or PNG.
    Source,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 11] = [
        Self::Auto,
        Self::Best,
        Self::Jpeg,
        Self::Png,
        Self::Webp,
        Self::Avif,
        Self::Gif,
        Self::Jxl,
        Self::Svg,
        Self::Json,
        Self::Source,
    ];

    /// The word in URLs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Best => "best",
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Avif => "avif",
            Self::Gif => "gif",
            Self::Jxl => "jxl",
            Self::Svg => "svg",
            Self::Json => "json",
            Self::Source => "source",
        }
    }

    /// Whether a quality has an effect.
    #[must_use]
    pub fn is_lossy(self) -> bool {
        self.is_open() || matches!(self, Self::Jpeg | Self::Webp | Self::Avif | Self::Jxl)
    }

    /// Whether the format is found only when client and source are known.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Auto | Self::Best | Self::Source)
    }
}

/// How much a lossy format may lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Quality {
    /// The site's default.
    #[default]
    Site,
    /// 1 to 100.
    Fixed(u8),
    /// The smallest file that looks like the original; the likeness is the site's.
    Auto,
}

impl Quality {
    /// The number, where there is one.
    #[must_use]
    pub fn fixed(self) -> Option<u8> {
        match self {
            Self::Fixed(quality) => Some(quality),
            Self::Site | Self::Auto => None,
        }
    }
}

/// What is told of the source besides its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Metadata {
    /// Nothing.
    #[default]
    None,
    /// Who made it and who may use it.
    Copyright,
    /// Everything but where it was taken.
    Keep,
}

impl Metadata {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::None, Self::Copyright, Self::Keep];

    /// The word in URLs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Copyright => "copyright",
            Self::Keep => "keep",
        }
    }
}

/// How carefully light is averaged when a picture becomes smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reduction {
    /// The site's default.
    #[default]
    Site,
    /// As stored, the way most software does.
    Fast,
    /// In linear light, so that fine detail keeps its brightness.
    Careful,
}

impl Reduction {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Site, Self::Fast, Self::Careful];

    /// The word in URLs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Fast => "fast",
            Self::Careful => "careful",
        }
    }
}
