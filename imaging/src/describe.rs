//! What a picture is, for programs: the answer to `format=json`.
//!
//! Facts of the file come from whoever sniffed and opened it; this module adds what its metadata and its pixels tell. Pixels
//! are those of a small rendering, upright and in sRGB. The place where it was taken is left out unless asked for, since
//! most who publish a photo do not know that it is written there.

mod base64;
mod blurhash;
mod small;
mod thumbhash;

use moxcms::{ColorProfile, DataColorSpace, ProfileText};
use serde::{Serialize, Serializer};

use crate::Error;
use crate::exif::{self, Density, Exif, Gps};
use crate::frame::Frame;
use crate::palette::{self, Swatch};
use crate::transform::Rgb;

pub(crate) use small::Small;

/// Longest side that the hashes look at, in pixels; thumbhash allows 100.
const HASH_SIDE_MAX: u32 = 64;

/// Longest side of the picture within the data URI, in pixels.
const PLACEHOLDER_SIDE_MAX: u32 = 18;

/// Largest picture within the data URI, in bytes; it stands in pages.
const PLACEHOLDER_BYTES_MAX: usize = 1_500;

/// Longest name of a profile, in letters.
const PROFILE_NAME_MAX: usize = 100;

/// What is known about a file before its pixels are looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts<'a> {
    /// A word as in URLs.
    pub(crate) format: &'static str,
    pub(crate) media_type: &'static str,
    /// As stored, before orientation, in pixels.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Pictures of an animation, 1 for all others.
    pub(crate) frames: u32,
    /// Of one round of an animation.
    pub(crate) duration_ms: Option<u64>,
    /// Rounds of an animation; 0 is without end.
    pub(crate) loop_count: Option<u32>,
    pub(crate) has_alpha: bool,
    /// Length of the file.
    pub(crate) bytes: u64,
    /// An ICC profile, unread.
    pub(crate) profile: Option<&'a [u8]>,
    /// An EXIF block, unread.
    pub(crate) exif: Option<&'a [u8]>,
    /// From JFIF or pHYs; that of EXIF counts only without it.
    pub(crate) density: Option<Density>,
}

/// Whether the place may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Place {
    /// As everyone expects.
    #[default]
    Hidden,
    /// The site asked for it.
    Shown,
}

/// The answer. What is not known is left out of the JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Description {
    pub(crate) format: &'static str,
    pub(crate) media_type: &'static str,
    /// As seen, after orientation, in pixels.
    pub(crate) width: u32,
    /// As seen, after orientation, in pixels.
    pub(crate) height: u32,
    /// As stored, 1 to 8; 1 is upright.
    pub(crate) orientation: u8,
    pub(crate) frames: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) loop_count: Option<u32>,
    pub(crate) has_alpha: bool,
    pub(crate) bytes: u64,
    /// From the profile: `rgb`, `grey`, `cmyk` or `other`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) colour_space: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    /// Pixels per inch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) density: Option<PerInch>,
    pub(crate) exif: Camera,
    /// None for a picture without a visible pixel, like the next three.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hexadecimal")]
    pub(crate) dominant_colour: Option<Rgb>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hexadecimal")]
    pub(crate) average_colour: Option<Rgb>,
    pub(crate) palette: Vec<Colour>,
    pub(crate) blurhash: String,
    /// In base64, as its decoders take it.
    pub(crate) thumbhash: String,
    /// A data URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lqip: Option<String>,
}

/// Pixels per inch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct PerInch {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// A colour of the palette.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Colour {
    #[serde(serialize_with = "hexadecimal")]
    pub(crate) colour: Option<Rgb>,
    /// Of the visible pixels, 0 to 1.
    pub(crate) share: f64,
}

/// What the camera wrote.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct Camera {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) make: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lens: Option<String>,
    /// RFC 3339, in local time where no offset is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) taken_at: Option<String>,
    /// Seconds as people write them: `1/250`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exposure_s: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) f_number: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) focal_length_mm: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) iso: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) copyright: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artist: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gps: Option<Position>,
}

/// A place on the earth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Position {
    /// Degrees, north is positive.
    pub(crate) latitude: f64,
    /// Degrees, east is positive.
    pub(crate) longitude: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) altitude_m: Option<f64>,
}

impl Description {
    /// The body of the answer.
    ///
    /// # Errors
    /// `Unencodable`, which values of these kinds do not bring about.
    pub(crate) fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string(self).map_err(|error| {
            tracing::debug!(%error, "a description could not be written");
            Error::Unencodable { reason: "the description cannot be written" }
        })
    }
}

/// Describes a picture from its facts and a rendering of any size; 64 pixels a side are enough. `encode` makes the file for
/// the data URI from a picture of a few pixels and names its media type; without one the answer has no data URI.
pub(crate) fn describe(
    facts: &Facts<'_>,
    rendering: &Frame,
    place: Place,
    encode: impl FnOnce(Frame) -> Result<(&'static str, Vec<u8>), Error>,
) -> Description {
    let small = Small::of(rendering, HASH_SIDE_MAX);
    let exif = facts.exif.map(exif::read).unwrap_or_default();
    let orientation = exif.orientation.unwrap_or(1);
    // EXIF 3.0 section 4.6.5.1.6: from 5 on the picture lies on its side
    let (width, height) =
        if orientation >= 5 { (facts.height, facts.width) } else { (facts.width, facts.height) };
    let swatches = palette::palette(&small);
    let (colour_space, profile) = facts.profile.and_then(profile).unzip();
    let density = facts.density.or(exif.density);
    Description {
        format: facts.format,
        media_type: facts.media_type,
        width,
        height,
        orientation,
        frames: facts.frames,
        duration_ms: facts.duration_ms,
        loop_count: facts.loop_count,
        has_alpha: facts.has_alpha,
        bytes: facts.bytes,
        colour_space,
        profile: profile.flatten(),
        density: density.map(|Density { x, y }| PerInch { x: decimals(x, 2), y: decimals(y, 2) }),
        dominant_colour: swatches.first().map(|swatch| swatch.colour),
        average_colour: palette::average(&small),
        palette: swatches.iter().map(colour).collect(),
        blurhash: blurhash::encode(&small),
        thumbhash: base64::encode(&thumbhash::encode(&small)),
        lqip: placeholder(rendering, encode),
        exif: camera(exif, place),
    }
}

fn camera(exif: Exif, place: Place) -> Camera {
    let position = |Gps { latitude, longitude, altitude_m }: Gps| Position {
        // six decimals are a tenth of a metre
        latitude: decimals(latitude, 6),
        longitude: decimals(longitude, 6),
        altitude_m: altitude_m.map(|altitude| decimals(altitude, 1)),
    };
    Camera {
        make: exif.make,
        model: exif.model,
        lens: exif.lens,
        taken_at: exif.taken_at,
        exposure_s: exif.exposure_s.map(|ratio| ratio.to_string()),
        f_number: exif.f_number.map(|ratio| decimals(ratio.value(), 2)),
        focal_length_mm: exif.focal_length_mm.map(|ratio| decimals(ratio.value(), 2)),
        iso: exif.iso,
        copyright: exif.copyright,
        artist: exif.artist,
        description: exif.description,
        gps: exif.gps.filter(|_| place == Place::Shown).map(position),
    }
}

fn decimals(value: f64, count: i32) -> f64 {
    let scale = 10_f64.powi(count);
    (value * scale).round() / scale
}

fn colour(swatch: &Swatch) -> Colour {
    Colour { colour: Some(swatch.colour), share: decimals(f64::from(swatch.share), 3) }
}

fn hexadecimal<S: Serializer>(colour: &Option<Rgb>, out: S) -> Result<S::Ok, S::Error> {
    match colour {
        Some(Rgb { red, green, blue }) => out.serialize_str(&format!("#{red:02x}{green:02x}{blue:02x}")),
        None => out.serialize_none(),
    }
}

/// Colour space and name of a profile.
fn profile(bytes: &[u8]) -> Option<(&'static str, Option<String>)> {
    let profile = ColorProfile::new_from_slice(bytes).ok()?;
    let space = match profile.color_space {
        DataColorSpace::Rgb => "rgb",
        DataColorSpace::Gray => "grey",
        DataColorSpace::Cmyk => "cmyk",
        _ => "other",
    };
    let name = match profile.description {
        Some(ProfileText::PlainString(name)) => name,
        Some(ProfileText::Description(name)) => name.ascii_string,
        Some(ProfileText::Localizable(names)) => {
            let english = names.iter().position(|name| name.language == "en").unwrap_or(0);
            names.into_iter().nth(english).map(|name| name.value).unwrap_or_default()
        }
        None => String::new(),
    };
    let kept = name.chars().filter(|letter| !letter.is_control()).take(PROFILE_NAME_MAX);
    let name = kept.collect::<String>().trim().to_owned();
    Some((space, Some(name).filter(|name| !name.is_empty())))
}

/// A data URI; none when the encoder fails or makes too much of it.
fn placeholder(
    rendering: &Frame,
    encode: impl FnOnce(Frame) -> Result<(&'static str, Vec<u8>), Error>,
) -> Option<String> {
    let tiny = Small::of(rendering, PLACEHOLDER_SIDE_MAX).into_frame();
    let (media_type, bytes) = encode(tiny).ok()?;
    let is_short = bytes.len() <= PLACEHOLDER_BYTES_MAX;
    is_short.then(|| format!("data:{media_type};base64,{}", base64::encode(&bytes)))
}

#[cfg(test)]
mod tests;
