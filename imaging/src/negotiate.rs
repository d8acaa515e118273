//! Which format a rendering gets (RFC 9110 sections 12.4.2 and 12.5.1).
//!
//! The `Accept` field has countless spellings, so it is first folded into an [`AcceptClass`], a closed set that may stand in
//! a cache key. A format younger than JPEG and PNG is sent only to clients that name it: `image/*` and `*/*` were in use
//! long before.

use std::fmt;

use crate::sniff::{Header, SourceFormat};
use crate::transform::Format;

/// The best format that a client names and does not rank below another one, from a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AcceptClass {
    /// AVIF.
    Avif,
    /// WebP, and not AVIF.
    Webp,
    /// Everything else.
    Plain,
}

impl AcceptClass {
    /// The word for keys and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Avif => "avif",
            Self::Webp => "webp",
            Self::Plain => "plain",
        }
    }

    /// The next best class where the site does not offer this one. Every browser that shows AVIF shows WebP; for the rare
    /// client of which that is not so, [`offered_class`] looks at what it really names.
    #[must_use]
    pub fn within(self, offers: Offers) -> Self {
        match self {
            Self::Avif if offers.avif => Self::Avif,
            Self::Avif | Self::Webp if offers.webp => Self::Webp,
            _ => Self::Plain,
        }
    }
}

impl fmt::Display for AcceptClass {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl From<Option<&str>> for AcceptClass {
    fn from(accept: Option<&str>) -> Self {
        accept_class(accept)
    }
}

/// The formats a site sends of its own accord, beside JPEG and PNG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Offers {
    /// Whether AVIF is.
    pub avif: bool,
    /// Whether WebP is.
    pub webp: bool,
}

impl Offers {
    /// Every format.
    pub const ALL: Self = Self { avif: true, webp: true };
}

impl Default for Offers {
    /// WebP only: AVIF takes long to encode.
    fn default() -> Self {
        Self { avif: false, webp: true }
    }
}

/// The format of a rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Output {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP, still or animated.
    Webp,
    /// AVIF.
    Avif,
    /// GIF, still or animated.
    Gif,
    /// JPEG XL.
    Jxl,
}

impl Output {
    /// The media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Avif => "image/avif",
            Self::Gif => "image/gif",
            Self::Jxl => "image/jxl",
        }
    }

    /// Whether the format can be transparent.
    #[must_use]
    pub fn has_alpha(self) -> bool {
        !matches!(self, Self::Jpeg)
    }

    /// Whether a quality has an effect.
    #[must_use]
    pub fn is_lossy(self) -> bool {
        matches!(self, Self::Jpeg | Self::Webp | Self::Avif | Self::Jxl)
    }

    /// As a URL would ask for it.
    #[must_use]
    pub fn format(self) -> Format {
        match self {
            Self::Jpeg => Format::Jpeg,
            Self::Png => Format::Png,
            Self::Webp => Format::Webp,
            Self::Avif => Format::Avif,
            Self::Gif => Format::Gif,
            Self::Jxl => Format::Jxl,
        }
    }
}

/// Folds an `Accept` field, several lines joined by commas, into its class. None and nonsense are [`AcceptClass::Plain`].
#[must_use]
pub fn accept_class(accept: Option<&str>) -> AcceptClass {
    offered_class(accept, Offers::ALL)
}

/// As [`accept_class`], but looks only at what the site offers, so that clients it treats alike share a cache key.
#[must_use]
pub fn offered_class(accept: Option<&str>, offers: Offers) -> AcceptClass {
    let (mut avif, mut webp) = (0, 0);
    // most specific range wins for JPEG: exact, then image/*, then */*
    let mut jpeg = [None; 3];
    for range in accept.unwrap_or_default().split(',') {
        let mut parts = range.split(';');
        let media_type = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let quality = weight(parts);
        match (media_type.as_str(), &mut jpeg) {
            ("image/avif", _) if offers.avif => avif = quality,
            ("image/webp", _) if offers.webp => webp = quality,
            ("image/jpeg", [exact, _, _]) => *exact = Some(quality),
            ("image/*", [_, image, _]) => *image = Some(quality),
            ("*/*", [_, _, any]) => *any = Some(quality),
            _ => {}
        }
    }
    let jpeg = jpeg.into_iter().flatten().next().unwrap_or(0);
    let best = avif.max(webp).max(jpeg).max(1);
    match (avif, webp) {
        (avif, _) if avif == best => AcceptClass::Avif,
        (_, webp) if webp == best => AcceptClass::Webp,
        _ => AcceptClass::Plain,
    }
}

/// The q-value in thousandths; 1000 when absent, 0 when unreadable.
fn weight<'a>(parameters: impl Iterator<Item = &'a str>) -> u32 {
    for parameter in parameters {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case("q") {
            return thousandths(value.trim());
        }
    }
    1_000
}

fn thousandths(value: &str) -> u32 {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit()) && fraction.len() <= 3;
    match whole {
        "1" => 1_000,
        "0" if digits => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

/// The class that matters to a key: formats other than auto do not look at `Accept`.
#[must_use]
pub fn key_class(format: Format, class: AcceptClass) -> AcceptClass {
    if matches!(format, Format::Auto | Format::Best) { class } else { AcceptClass::Plain }
}

/// The format of a rendering for a client of the class `accept`, of what the site offers; a URL may ask for any by name. Of an
/// animation that is to move (`moves`), formats that stand still are not chosen.
#[must_use]
pub fn output(accept: AcceptClass, format: Format, source: &Header, moves: bool) -> Output {
    match (format, accept) {
        (Format::Jpeg, _) => Output::Jpeg,
        (Format::Png, _) => Output::Png,
        (Format::Webp, _) => Output::Webp,
        (Format::Avif, _) => Output::Avif,
        (Format::Gif, _) => Output::Gif,
        (Format::Jxl, _) => Output::Jxl,
        (Format::Auto | Format::Best, AcceptClass::Avif | AcceptClass::Webp) if moves => Output::Webp,
        (_, _) if moves => Output::Gif,
        (Format::Auto, AcceptClass::Avif) => Output::Avif,
        (Format::Auto | Format::Best, AcceptClass::Webp | AcceptClass::Avif) => Output::Webp,
        // the last two are no renderings
        (Format::Auto | Format::Best | Format::Source | Format::Svg | Format::Json, _) => {
            of_source(format, source)
        }
    }
}

/// The format of the source where it can be written, else what every client shows.
fn of_source(format: Format, source: &Header) -> Output {
    match source.format {
        SourceFormat::Jpeg => Output::Jpeg,
        SourceFormat::Webp if format == Format::Source => Output::Webp,
        SourceFormat::Avif if format == Format::Source => Output::Avif,
        SourceFormat::Gif if format == Format::Source => Output::Gif,
        SourceFormat::Png | SourceFormat::Gif | SourceFormat::Ico | SourceFormat::Svg => Output::Png,
        _ if source.has_alpha => Output::Png,
        _ => Output::Jpeg,
    }
}

/// The formats among which the smallest is looked for.
#[must_use]
pub fn candidates(accept: AcceptClass, source: &Header) -> &'static [Output] {
    // the slowest last, so that near a deadline the others are there
    match (accept, source.has_alpha) {
        (AcceptClass::Avif, true) => &[Output::Webp, Output::Avif],
        (AcceptClass::Avif, false) => &[Output::Jpeg, Output::Webp, Output::Avif],
        (AcceptClass::Webp, true) => &[Output::Webp],
        (AcceptClass::Webp, false) => &[Output::Jpeg, Output::Webp],
        (AcceptClass::Plain, true) => &[Output::Png],
        (AcceptClass::Plain, false) => &[Output::Jpeg],
    }
}

#[cfg(test)]
mod tests;
