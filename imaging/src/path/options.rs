//! The options of an image URL.
//!
//! One table says which names exist and which of them this version honours. A name that other image services know but that
//! is not honoured yet is an error of its own, so that a site that moves here learns what is missing from the answer.

use super::{PathError, quoted};
use crate::transform::{Fit, Format, Rgb, SIDE_MAX, Transform};

/// Names that are honoured, as listed in refusals.
const ACCEPTED: &str =
    "width (w), height (h), fit, quality (q), format (f), dpr, background, gravity (g), metadata, anim";

/// Names with a meaning elsewhere that this version does not give them.
const ABSENT: [&str; 14] = [
    "blur",
    "border",
    "brightness",
    "compression",
    "contrast",
    "flip",
    "gamma",
    "onerror",
    "rotate",
    "saturation",
    "segment",
    "sharpen",
    "trim",
    "zoom",
];

/// Bounds of `dpr`.
const DPR: std::ops::RangeInclusive<f64> = 0.1..=10.0;

/// Names of an option that is honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Width,
    Height,
    Fit,
    Quality,
    Format,
    Dpr,
    Background,
    Gravity,
    Metadata,
    Anim,
}

/// Reads `key=value` pairs joined by commas, already percent-decoded. The result is canonical.
///
/// # Errors
/// [`PathError`] 9401 for an empty list or item, an unknown, unavailable or repeated name, or a bad value.
pub(crate) fn parse(text: &str) -> Result<Transform, PathError> {
    if text.is_empty() {
        return Err(PathError::options(format!("no options given; accepted: {ACCEPTED}")));
    }
    let mut seen: Vec<Name> = Vec::new();
    let mut dpr = 1.0;
    let mut transform = Transform::default();
    for item in text.split(',') {
        let (key, value) = split(item)?;
        let name = name(key)?;
        if seen.contains(&name) {
            return Err(PathError::options(format!("option {} is given twice; give it once", quoted(key))));
        }
        seen.push(name);
        match name {
            Name::Width => transform.width = Some(side("width", value)?),
            Name::Height => transform.height = Some(side("height", value)?),
            Name::Fit => transform.fit = fit(value)?,
            Name::Quality => transform.quality = Some(quality(value)?),
            Name::Format => transform.format = format(value)?,
            Name::Dpr => dpr = density(value)?,
            Name::Background => transform.background = Some(colour(value)?),
            Name::Gravity => only("gravity", value, &["center", "0.5x0.5"])?,
            Name::Metadata => only("metadata", value, &["none"])?,
            Name::Anim => only("anim", value, &["false"])?,
        }
    }
    transform.width = transform.width.map(|side| scaled("width", side, dpr)).transpose()?;
    transform.height = transform.height.map(|side| scaled("height", side, dpr)).transpose()?;
    Ok(transform.canonical())
}

fn split(item: &str) -> Result<(&str, &str), PathError> {
    if item.is_empty() {
        return Err(PathError::options("an option is empty; write key=value pairs joined by single commas"));
    }
    match item.split_once('=') {
        Some((key, "")) => Err(PathError::options(format!("option {} has no value", quoted(key)))),
        Some(pair) => Ok(pair),
        None => {
            let message =
                format!("option {} is not of the form key=value; accepted: {ACCEPTED}", quoted(item));
            Err(PathError::options(message))
        }
    }
}

fn name(key: &str) -> Result<Name, PathError> {
    Ok(match key {
        "width" | "w" => Name::Width,
        "height" | "h" => Name::Height,
        "fit" => Name::Fit,
        "quality" | "q" => Name::Quality,
        "format" | "f" => Name::Format,
        "dpr" => Name::Dpr,
        "background" => Name::Background,
        "gravity" | "g" => Name::Gravity,
        "metadata" => Name::Metadata,
        "anim" => Name::Anim,
        _ if ABSENT.contains(&key) => {
            let message = format!("option {key} is not available in this version; accepted: {ACCEPTED}");
            return Err(PathError::options(message));
        }
        _ => {
            let message = format!("unknown option {}; accepted: {ACCEPTED}", quoted(key));
            return Err(PathError::options(message));
        }
    })
}

fn side(name: &str, value: &str) -> Result<u32, PathError> {
    if value == "auto" {
        return Err(PathError::options(format!("{name}=auto is not available in this version; give pixels")));
    }
    whole(value).filter(|side| (1..=SIDE_MAX).contains(side)).ok_or_else(|| {
        let message = format!("{name} is {}; it must be a whole number from 1 to {SIDE_MAX}", quoted(value));
        PathError::options(message)
    })
}

/// Digits only: no sign, no spaces, no exponent.
fn whole(value: &str) -> Option<u32> {
    if value.bytes().all(|byte| byte.is_ascii_digit()) { value.parse().ok() } else { None }
}

fn scaled(name: &str, side: u32, dpr: f64) -> Result<u32, PathError> {
    let scaled = (f64::from(side) * dpr).round().max(1.0);
    if scaled > f64::from(SIDE_MAX) {
        let message = format!("{name} times dpr is {scaled} pixels, at most {SIDE_MAX}");
        return Err(PathError::options(message));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and SIDE_MAX, just checked"
    )]
    Ok(scaled as u32)
}

fn fit(value: &str) -> Result<Fit, PathError> {
    Ok(match value {
        "contain" => Fit::Contain,
        "cover" => Fit::Cover,
        "scale-down" => Fit::ScaleDown,
        "pad" => Fit::Pad,
        "scale-up" | "crop" | "squeeze" | "aspect-crop" => return Err(absent("fit", value, FITS)),
        _ => return Err(wrong("fit", value, FITS)),
    })
}

const FITS: &str = "scale-down, contain, cover, pad";

fn quality(value: &str) -> Result<u8, PathError> {
    match value {
        "low" => return Ok(50),
        "medium-low" => return Ok(65),
        "medium-high" => return Ok(80),
        "high" => return Ok(90),
        _ => {}
    }
    whole(value)
        .and_then(|quality| u8::try_from(quality).ok())
        .filter(|quality| (1..=100).contains(quality))
        .ok_or_else(|| wrong("quality", value, "1 to 100, low, medium-low, medium-high, high"))
}

fn format(value: &str) -> Result<Format, PathError> {
    Ok(match value {
        "auto" => Format::Auto,
        // the encoder writes baseline and nothing else
        "jpeg" | "jpg" | "baseline-jpeg" => Format::Jpeg,
        "png" => Format::Png,
        "webp" => Format::Webp,
        "avif" | "json" | "svg" | "jxl" | "gif" => return Err(absent("format", value, FORMATS)),
        _ => return Err(wrong("format", value, FORMATS)),
    })
}

const FORMATS: &str = "auto, jpeg, png, webp";

fn density(value: &str) -> Result<f64, PathError> {
    let plain = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain
        .then(|| value.parse::<f64>().ok())
        .flatten()
        .filter(|density| DPR.contains(density))
        .ok_or_else(|| wrong("dpr", value, "0.1 to 10"))
}

fn only(name: &str, value: &str, honoured: &[&str]) -> Result<(), PathError> {
    if honoured.contains(&value) { Ok(()) } else { Err(absent(name, value, &honoured.join(", "))) }
}

/// Hexadecimal, three or six digits, with or without `#`, or a basic CSS colour name.
fn colour(value: &str) -> Result<Rgb, PathError> {
    let lower = value.to_ascii_lowercase();
    let digits = match lower.as_str() {
        "black" => "000000",
        "silver" => "c0c0c0",
        "gray" | "grey" => "808080",
        "white" => "ffffff",
        "maroon" => "800000",
        "red" => "ff0000",
        "purple" => "800080",
        "fuchsia" | "magenta" => "ff00ff",
        "green" => "008000",
        "lime" => "00ff00",
        "olive" => "808000",
        "yellow" => "ffff00",
        "navy" => "000080",
        "blue" => "0000ff",
        "teal" => "008080",
        "aqua" | "cyan" => "00ffff",
        other => other.strip_prefix('#').unwrap_or(other),
    };
    hexadecimal(digits).ok_or_else(|| {
        wrong(
            "background",
            value,
            "a basic css colour name, or rgb or rrggbb in hexadecimal digits, # as %23",
        )
    })
}

fn hexadecimal(digits: &str) -> Option<Rgb> {
    let mut nibbles = [0_u8; 6];
    let short = match digits.len() {
        3 => true,
        6 => false,
        _ => return None,
    };
    let mut values =
        digits.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()));
    for pair in nibbles.chunks_exact_mut(2) {
        if let [high, low] = pair {
            *high = values.next()??;
            *low = if short { *high } else { values.next()?? };
        }
    }
    let [red, red_low, green, green_low, blue, blue_low] = nibbles;
    Some(Rgb { red: red << 4 | red_low, green: green << 4 | green_low, blue: blue << 4 | blue_low })
}

fn wrong(name: &str, value: &str, accepted: &str) -> PathError {
    PathError::options(format!("{name} is {}; accepted: {accepted}", quoted(value)))
}

fn absent(name: &str, value: &str, accepted: &str) -> PathError {
    let value = quoted(value);
    PathError::options(format!("{name}={value} is not available in this version; accepted: {accepted}"))
}
