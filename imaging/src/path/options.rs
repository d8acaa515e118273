//! The options of an image URL in our own spelling, which is Cloudflare's with more names.
//!
//! Everything that a [`Transform`] can hold has a name here, and what a transform prints is read back. Names that other image
//! services know but that are not honoured are errors of their own, so that a site that moves here learns what is missing
//! from the answer.

use super::{OnError, PathError, Wants, quoted};
use crate::transform::{Fit, Format, Metadata, Milli, Quality, Reduction, Transform};

mod place;
pub(crate) mod values;

pub(crate) use place::DEFAULT_TOLERANCE;
use values::{absent, amount, chosen, colour, density, flag, quality, side, whole_in, wrong};

/// Names that are honoured, as listed in refusals.
const ACCEPTED: &str = "width (w), height (h), fit, gravity (g), quality (q), format (f), dpr, background, blur, sharpen, \
                        rotate, flip, trim, crop, brightness, contrast, saturation, gamma, border, metadata, anim, onerror \
                        and more, see the documentation";

/// Names with a meaning elsewhere that they do not have here.
const ABSENT: [&str; 3] = ["segment", "face-zoom", "draw"];

/// Reads `key=value` pairs joined by commas, already percent-decoded. The result is canonical.
///
/// # Errors
/// [`PathError`] 9401 for an empty list or item, an unknown, unavailable or repeated name, or a bad value.
pub(crate) fn parse(text: &str) -> Result<Transform, PathError> {
    let (transform, wants) = parse_all(text)?;
    if wants.width_from_hints {
        return Err(absent("width", "auto", "pixels"));
    }
    Ok(transform)
}

/// As [`parse`], with what concerns the answer and not the picture.
pub(crate) fn parse_all(text: &str) -> Result<(Transform, Wants), PathError> {
    if text.is_empty() {
        return Err(PathError::options(format!("no options given; accepted: {ACCEPTED}")));
    }
    let mut reading = Reading::default();
    let mut seen: Vec<&str> = Vec::new();
    for item in text.split(',') {
        let (key, value) = split(item)?;
        let name = long_name(key);
        if seen.contains(&name) {
            return Err(PathError::options(format!("option {} is given twice; give it once", quoted(key))));
        }
        seen.push(name);
        reading.take(name, value)?;
    }
    reading.finish()
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

fn long_name(key: &str) -> &str {
    match key {
        "w" => "width",
        "h" => "height",
        "q" => "quality",
        "f" => "format",
        "g" => "gravity",
        "scq" => "slow-connection-quality",
        "fq" => "format-quality",
        other => other,
    }
}

/// Options on their way to a transform.
#[derive(Default)]
struct Reading {
    transform: Transform,
    wants: Wants,
    density: Option<Milli>,
}

impl Reading {
    fn take(&mut self, name: &str, value: &str) -> Result<(), PathError> {
        let is_known = self.size(name, value)?
            || self.place(name, value)?
            || self.look(name, value)?
            || self.encoding(name, value)?
            || self.answer(name, value)?;
        if is_known {
            return Ok(());
        }
        let message = if ABSENT.contains(&name) {
            format!("option {name} is not available in this version; accepted: {ACCEPTED}")
        } else {
            format!("unknown option {}; accepted: {ACCEPTED}", quoted(name))
        };
        Err(PathError::options(message))
    }

    fn size(&mut self, name: &str, value: &str) -> Result<bool, PathError> {
        let all = &mut self.transform;
        match name {
            "width" if value == "auto" => self.wants.width_from_hints = true,
            "width" => all.width = Some(side("width", value)?),
            "height" => all.height = Some(side("height", value)?),
            "min-width" => all.min_width = Some(side(name, value)?),
            "min-height" => all.min_height = Some(side(name, value)?),
            "aspect" => all.aspect = Some(values::ratio(value)?),
            "scale" => all.zoom = Some(values::zoom(value)?),
            "fit" => all.fit = fit(value)?,
            "dpr" => self.density = Some(density(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn place(&mut self, name: &str, value: &str) -> Result<bool, PathError> {
        let all = &mut self.transform;
        match name {
            "gravity" => all.gravity = place::gravity(value)?,
            "crop" => all.crop = Some(place::crop(value)?),
            "trim" => all.trim = Some(place::trim(value)?),
            "padding" => all.padding = place::sides(name, value)?,
            "border" => all.border = Some(place::border(value)?),
            "rotate" => all.rotate = values::degrees(value)?,
            "flip" => (all.flip_horizontal, all.flip_vertical) = flips(value)?,
            "radius" => all.corners = Some(place::corners(value)?),
            "watermark" => all.watermark = Some(place::watermark(value)?),
            "text" => all.text = Some(place::text(value)?),
            "background" => all.background = Some(colour("background", value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn look(&mut self, name: &str, value: &str) -> Result<bool, PathError> {
        let look = &mut self.transform.look;
        match name {
            "blur" => look.blur = amount(name, value, 0, 250)?,
            "sharpen" => look.sharpen = amount(name, value, 0, 10)?,
            "unsharp" => look.unsharp = Some(values::unsharp(value)?),
            "pixelate" => look.pixelate = whole_in(name, value, 0, 1_024)?,
            "brightness" => look.brightness = amount(name, value, 0, 10)?,
            "contrast" => look.contrast = amount(name, value, 0, 10)?,
            "saturation" => look.saturation = amount(name, value, 0, 10)?,
            "gamma" => look.gamma = values::gamma(value)?,
            "grayscale" => look.grayscale = flag(name, value)?,
            "threshold" => look.threshold = Some(values::byte(name, value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn encoding(&mut self, name: &str, value: &str) -> Result<bool, PathError> {
        let all = &mut self.transform;
        match name {
            "quality" => all.quality = quality(value)?,
            "format-quality" => all.format_quality = values::format_qualities(value)?,
            "format" => (all.format, all.progressive) = format(value, all.progressive)?,
            "max-bytes" => all.max_bytes = Some(whole_in(name, value, 1, u32::MAX)?),
            "lossless" => all.lossless = flag(name, value)?,
            "progressive" => all.progressive = flag(name, value)?,
            "keep-profile" => all.keep_profile = flag(name, value)?,
            "metadata" => all.metadata = chosen(name, value, &Metadata::ALL, |one| one.as_str())?,
            "reduce" => all.reduction = chosen(name, value, &Reduction::ALL, |one| one.as_str())?,
            "anim" => all.still = !flag(name, value)?,
            "page" => all.page = Some(whole_in(name, value, 0, 65_535)?),
            "auto-orient" => all.ignore_orientation = !flag(name, value)?,
            // a hint for a service that has slower encoders than this one
            "compression" if value == "fast" => {}
            "compression" => return Err(wrong(name, value, "fast")),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn answer(&mut self, name: &str, value: &str) -> Result<bool, PathError> {
        match name {
            "onerror" if value == "redirect" => self.wants.on_error = OnError::Redirect,
            "onerror" => return Err(wrong(name, value, "redirect")),
            "slow-connection-quality" => self.wants.saving_quality = quality(value)?.fixed(),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(mut self) -> Result<(Transform, Wants), PathError> {
        if let Some(density) = self.density {
            values::multiply(&mut self.transform, density)?;
        }
        Ok((self.transform.canonical(), self.wants))
    }
}

fn fit(value: &str) -> Result<Fit, PathError> {
    match value {
        "aspect-crop" => Ok(Fit::CoverDown),
        _ => chosen("fit", value, &Fit::ALL, |fit| fit.as_str()),
    }
}

fn flips(value: &str) -> Result<(bool, bool), PathError> {
    match value {
        "h" => Ok((true, false)),
        "v" => Ok((false, true)),
        "hv" | "vh" => Ok((true, true)),
        _ => Err(wrong("flip", value, "h, v, hv")),
    }
}

fn format(value: &str, progressive: bool) -> Result<(Format, bool), PathError> {
    match value {
        "jpg" => Ok((Format::Jpeg, progressive)),
        "baseline-jpeg" => Ok((Format::Jpeg, false)),
        _ => chosen("format", value, &Format::ALL, |format| format.as_str())
            .map(|format| (format, progressive)),
    }
}

impl Quality {
    /// One of Cloudflare's words.
    pub(super) fn word(value: &str) -> Option<Self> {
        Some(match value {
            "auto" => Self::Auto,
            "low" => Self::Fixed(50),
            "medium-low" => Self::Fixed(65),
            "medium-high" => Self::Fixed(80),
            "high" => Self::Fixed(90),
            _ => return None,
        })
    }
}
