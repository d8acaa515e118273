//! Parameters one by one.

use super::crop::{self, Said};
use super::values::{self, Side, colour, decimal, flag, pixels, quality, wrong};
use super::{Family, dense, sizes};
use crate::dialect::{Rules, turn};
use crate::path::Wants;
use crate::path::options::{DEFAULT_TOLERANCE, values as common};
use crate::transform::{
    Border, Corners, Crop, Fit, Format, Gravity, Metadata, Milli, Quality, Rgb, SIDE_MAX, Sides, Transform,
    Trim, Unsharp,
};

/// Longest file name, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Parameters on their way to a transform.
pub(super) struct Reading {
    family: Family,
    transform: Transform,
    wants: Wants,
    width: Option<Side>,
    height: Option<Side>,
    fit: Option<Fit>,
    enlarges: Option<bool>,
    crop: Option<Crop>,
    place: Option<Gravity>,
    by_focus: bool,
    focus: (Milli, Milli),
    density: Option<Milli>,
    format: Option<Format>,
    /// Words of `auto`.
    automatic: Automatic,
    trims: bool,
    trim: (u8, Option<Rgb>),
    mask_is_corners: bool,
    radius: Option<u32>,
    sharpen: Milli,
    unsharp: Option<Unsharp>,
    /// imgix's amount and radius.
    mask: (Option<Milli>, Milli),
    optimizes: bool,
}

/// What `auto` asks for.
#[derive(Default)]
struct Automatic {
    /// The format may follow the client (imgix).
    follows: bool,
    /// The format follows the client, whatever `format` says (Fastly).
    overrides: bool,
}

impl Reading {
    pub(super) fn new(family: Family) -> Self {
        Self {
            family,
            transform: Transform::default(),
            wants: Wants::default(),
            width: None,
            height: None,
            fit: None,
            enlarges: None,
            crop: None,
            place: None,
            by_focus: false,
            focus: (Milli(500), Milli(500)),
            density: None,
            format: None,
            automatic: Automatic::default(),
            trims: false,
            trim: (DEFAULT_TOLERANCE, None),
            mask_is_corners: false,
            radius: None,
            sharpen: Milli::ZERO,
            unsharp: None,
            mask: (None, Milli(2_500)),
            optimizes: false,
        }
    }

    /// Takes a parameter; false for one that is not honoured.
    pub(super) fn take(&mut self, name: &str, value: &str) -> Result<bool, String> {
        Ok(self.size(name, value)?
            || self.place(name, value)?
            || self.frame(name, value)?
            || self.look(name, value)?
            || self.encoding(name, value)?
            || self.answer(name, value)?)
    }

    fn size(&mut self, name: &str, value: &str) -> Result<bool, String> {
        match name {
            "width" | "w" if value == "auto" => self.wants.width_from_hints = true,
            "width" | "w" => self.width = Some(values::side(name, value)?),
            "height" | "h" => self.height = Some(values::side(name, value)?),
            "imwidth" => {
                self.width = Some(values::side(name, value)?);
                self.fit = Some(Fit::ScaleDown);
            }
            "fit" => self.fit = Some(sizes::fit(self.family, value)?),
            // Supabase's, with the words of CSS
            "resize" => self.fit = Some(sizes::fit(Family::Netlify, value)?),
            "enable" | "disable" if value == "upscale" => self.enlarges = Some(name == "enable"),
            "enable" | "disable" => return Err(wrong(name, value, "upscale")),
            "ar" => self.transform.aspect = Some(values::ratio(name, value)?),
            "dpr" => {
                let density = Milli::parse(value).filter(|density| *density > Milli::ZERO);
                self.density = Some(density.ok_or_else(|| wrong(name, value, "a number above 0"))?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn place(&mut self, name: &str, value: &str) -> Result<bool, String> {
        match name {
            "crop" => match crop::read(value)? {
                Said::Part(part) => self.crop = Some(part),
                Said::Place(place) => self.place = Some(place),
                Said::FocalPoint => self.by_focus = true,
            },
            "rect" => self.crop = Some(crop::rect(value)?),
            "fp-x" => self.focus.0 = decimal(name, value, 1)?,
            "fp-y" => self.focus.1 = decimal(name, value, 1)?,
            "position" => self.place = Some(values::position(name, value)?),
            "rot" => {
                // against the clock
                let bad = || wrong(name, value, "0, 90, 180, 270");
                let angle = common::degrees(value).map_err(|_| bad())?;
                turn::quarters(angle).ok_or_else(bad)?;
                self.transform.rotate = Milli((360_000 - angle.0) % 360_000);
            }
            "rotate" => self.transform.rotate = common::degrees(value)?,
            "flip" => (self.transform.flip_horizontal, self.transform.flip_vertical) = flips(name, value)?,
            "orient" | "or" => self.orient(name, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// EXIF's numbers instead of the source's own, degrees for some of them, and Fastly's letters on top of it.
    fn orient(&mut self, name: &str, value: &str) -> Result<(), String> {
        let (angle, horizontal, vertical) = match value {
            "0" | "1" => (0, false, false),
            "2" | "h" => (0, true, false),
            "3" | "180" => (180_000, false, false),
            "hv" | "vh" => (0, true, true),
            "4" | "v" => (0, false, true),
            "5" => (270_000, true, false),
            "6" | "90" | "r" => (90_000, false, false),
            "7" => (90_000, true, false),
            "8" | "270" | "l" => (270_000, false, false),
            _ => return Err(wrong(name, value, "0 to 8, 90, 180, 270, r, l, h, v, hv")),
        };
        let all = &mut self.transform;
        all.ignore_orientation = value.bytes().all(|byte| byte.is_ascii_digit());
        all.rotate = Milli(angle);
        (all.flip_horizontal, all.flip_vertical) = (horizontal, vertical);
        Ok(())
    }

    fn frame(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let all = &mut self.transform;
        match name {
            "bg" | "bg-color" | "background" | "fill-color" => all.background = Some(colour(name, value)?),
            "fill" if value == "solid" => {}
            "fill" => return Err(wrong(name, value, "solid")),
            "pad" => all.padding = values::sides(name, value)?,
            "pad-top" => all.padding.top = pixels(name, value, SIDE_MAX)?,
            "pad-right" => all.padding.right = pixels(name, value, SIDE_MAX)?,
            "pad-bottom" => all.padding.bottom = pixels(name, value, SIDE_MAX)?,
            "pad-left" => all.padding.left = pixels(name, value, SIDE_MAX)?,
            "trim" if matches!(value, "auto" | "color") => self.trims = true,
            "trim" if value.starts_with(|letter: char| letter.is_ascii_digit()) => {
                all.trim = Some(Trim::Sides(values::sides(name, value)?));
            }
            "trim" => return Err(wrong(name, value, "auto, color, or top,right,bottom,left in pixels")),
            "trim-tol" => {
                let tolerance = decimal(name, value, 4_000)?.0 / 1_000;
                self.trim.0 = u8::try_from(tolerance).unwrap_or(u8::MAX);
            }
            "trim-color" | "trimcolor" => self.trim.1 = Some(colour(name, value)?),
            "border" => {
                let bad = || wrong(name, value, "pixels and a colour, such as 4,ff0000");
                let (width, shade) = value.split_once(',').ok_or_else(bad)?;
                let sides = Sides::all(pixels(name, width, SIDE_MAX)?);
                all.border = Some(Border { sides, colour: colour(name, shade)? });
            }
            "mask" if value == "ellipse" => all.corners = Some(Corners::Max),
            "mask" if value == "corners" => self.mask_is_corners = true,
            "mask" => return Err(wrong(name, value, "ellipse, corners")),
            "corner-radius" => {
                self.radius = Some(pixels(name, value, SIDE_MAX)?).filter(|radius| *radius > 0);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn look(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let look = &mut self.transform.look;
        match (self.family, name) {
            (Family::Fastly, "blur") => {
                look.blur = decimal(name, value.trim_end_matches('p'), 1_000)?.min(Milli(250_000));
            }
            // up to 2000 there
            (_, "blur") => look.blur = Milli(decimal(name, value, 2_000)?.0 / 8),
            (_, "sharp") => self.sharpen = Milli(decimal(name, value, 100)?.0 / 10),
            (_, "sharpen") => self.take_sharpen(name, value)?,
            (_, "usm") => self.mask.0 = Some(Milli(decimal(name, value, 100)?.0 / 100)),
            (_, "usmrad") => self.mask.1 = decimal(name, value, 250)?.max(Milli(100)),
            (_, "px") => look.pixelate = pixels(name, value, 1_024)?,
            (_, "brightness" | "bri") => look.brightness = values::percent_factor(name, value)?,
            (_, "contrast" | "con") => look.contrast = values::percent_factor(name, value)?,
            (_, "saturation" | "sat") => look.saturation = values::percent_factor(name, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Fastly's `a5,r2,t0`, or a strength from 0 to 10.
    fn take_sharpen(&mut self, name: &str, value: &str) -> Result<(), String> {
        let bad = || wrong(name, value, "a,r,t such as a5,r2,t0, or 0 to 10");
        if let Ok(strength) = decimal(name, value, 10) {
            self.sharpen = strength;
            return Ok(());
        }
        let part = |letter: char, most: u32| {
            let found = value.split(',').find_map(|part| part.strip_prefix(letter));
            decimal(name, found.ok_or_else(bad)?, most).map_err(|_| bad())
        };
        let (amount, radius, threshold) = (part('a', 10)?, part('r', 1_000)?, part('t', 255)?);
        self.unsharp = Some(Unsharp {
            radius: radius.clamp(Milli(100), Milli(250_000)),
            amount,
            threshold: u8::try_from(threshold.0 / 1_000).map_err(|_| bad())?,
        });
        Ok(())
    }

    fn encoding(&mut self, name: &str, value: &str) -> Result<bool, String> {
        match name {
            "format" | "fm" => self.format(name, value)?,
            "auto" => self.auto(name, value)?,
            "quality" | "q" => self.quality(name, value)?,
            "lossless" => self.transform.lossless = flag(name, value)?,
            "jpg-progressive" | "jpeg-progressive" => self.transform.progressive = flag(name, value)?,
            "cs" => match value {
                "srgb" | "tinysrgb" | "strip" => {}
                "origin" => self.transform.keep_profile = true,
                _ => return Err(wrong(name, value, "srgb, tinysrgb, strip, origin")),
            },
            "chromasub" if value == "420" => {}
            "chromasub" => return Err(wrong(name, value, "420")),
            "metadata" => match value {
                "copyright" | "copyright,c2pa" => self.transform.metadata = Metadata::Copyright,
                _ => return Err(wrong(name, value, "copyright")),
            },
            "optimize" => match value {
                "low" | "medium" | "high" => self.optimizes = true,
                _ => return Err(wrong(name, value, "low, medium, high")),
            },
            "resize-filter" if matches!(value, "lanczos" | "lanczos3") => {}
            "frame" => match pixels(name, value, 65_536)? {
                0 => return Err(wrong(name, value, "1 to 65536")),
                1 => self.transform.still = true,
                number => self.transform.page = Some(number - 1),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn format(&mut self, name: &str, value: &str) -> Result<(), String> {
        let all = &mut self.transform;
        let format = match value {
            "auto" => Format::Auto,
            "jpg" | "jpeg" | "bjpg" => Format::Jpeg,
            "pjpg" => {
                all.progressive = true;
                Format::Jpeg
            }
            "png" | "png8" | "png32" => Format::Png,
            "webp" | "webply" => Format::Webp,
            "webpll" => {
                all.lossless = true;
                Format::Webp
            }
            "avif" => Format::Avif,
            "gif" => Format::Gif,
            "jxl" | "jpegxl" => Format::Jxl,
            "svg" => Format::Svg,
            "json" => Format::Json,
            // Supabase's word for leaving it alone
            "origin" => Format::Source,
            _ => {
                return Err(wrong(
                    name,
                    value,
                    "auto, jpg, pjpg, png, webp, webpll, avif, gif, jxl, svg, json",
                ));
            }
        };
        self.format = Some(format);
        Ok(())
    }

    fn auto(&mut self, name: &str, value: &str) -> Result<(), String> {
        for word in value.split(',') {
            match word {
                "webp" | "avif" => self.automatic.overrides = true,
                "format" | "true" => self.automatic.follows = true,
                "compress" | "" => {}
                _ => return Err(wrong(name, word, "webp, avif, format, compress")),
            }
        }
        Ok(())
    }

    /// One number, or a second one for WebP.
    fn quality(&mut self, name: &str, value: &str) -> Result<(), String> {
        if value == "auto" {
            self.transform.quality = Quality::Auto;
            return Ok(());
        }
        let (common, webp) = value.split_once(',').map_or((value, None), |(one, two)| (one, Some(two)));
        self.transform.quality = Quality::Fixed(quality(name, common)?);
        if let Some(webp) = webp {
            self.transform.format_quality = vec![(Format::Webp, quality(name, webp)?)];
        }
        Ok(())
    }

    fn answer(&mut self, name: &str, value: &str) -> Result<bool, String> {
        match name {
            "dl" => {
                let is_fit = value.len() <= NAME_BYTES_MAX
                    && !value.chars().any(|letter| letter.is_control() || matches!(letter, '/' | '\\'));
                if !is_fit {
                    return Err(wrong(name, value, "a file name"));
                }
                self.wants.attachment = true;
                self.wants.filename = Some(value.to_owned()).filter(|name| !name.is_empty());
            }
            "expires" => {
                let seconds = value.parse().map_err(|_| wrong(name, value, "seconds since 1970"))?;
                self.wants.expires_s = Some(seconds);
            }
            // which hints a page wants to send is between it and its browser
            "ch" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn finish(self, rules: &Rules) -> Result<(Transform, Wants), String> {
        let mut all = self.transform;
        all.crop = self.crop;
        all.fit = self.fit.unwrap_or_else(|| sizes::default_fit(self.family));
        if let Some(enlarges) = self.enlarges {
            all.fit = sizes::with_enlarging(all.fit, enlarges);
        }
        all.gravity = match self.place {
            _ if self.by_focus => Gravity::Focus(self.focus.0, self.focus.1),
            place => place.unwrap_or_default(),
        };
        // of no effect there where nothing is cut or filled
        let is_shaped = !matches!(all.fit, Fit::Contain | Fit::ScaleDown | Fit::Squeeze | Fit::SqueezeDown);
        all.aspect = all.aspect.filter(|_| is_shaped);
        sizes::put(&mut all, self.width, self.height)?;
        if let Some(density) = self.density {
            dense(&mut all, density.min(rules.dpr_max))?;
        }
        if self.trims {
            let (tolerance, colour) = self.trim;
            all.trim =
                Some(Trim::Margins { tolerance, colour, equal_horizontal: false, equal_vertical: false });
        }
        if self.mask_is_corners {
            all.corners = self.radius.map(Corners::Radius);
        }
        all.look.sharpen = self.sharpen;
        let (amount, radius) = self.mask;
        all.look.unsharp = amount.map(|amount| Unsharp { radius, amount, threshold: 0 }).or(self.unsharp);
        if self.optimizes && all.quality == Quality::Site {
            all.quality = Quality::Auto;
        }
        all.format = format(self.format, &self.automatic, self.family, rules);
        let quarters = turn::quarters(all.rotate).unwrap_or(0);
        all.gravity = turn::before_turn(all.gravity, quarters);
        all.gravity = turn::before_flips(all.gravity, all.flip_horizontal, all.flip_vertical);
        turn::box_before(&mut all);
        Ok((all.canonical(), self.wants))
    }
}

fn format(given: Option<Format>, automatic: &Automatic, family: Family, rules: &Rules) -> Format {
    let follows = automatic.follows || rules.negotiate || family == Family::Netlify;
    match given {
        _ if automatic.overrides => Format::Auto,
        Some(format) => format,
        None if follows => Format::Auto,
        None => Format::Source,
    }
}

fn flips(name: &str, value: &str) -> Result<(bool, bool), String> {
    match value {
        "h" => Ok((true, false)),
        "v" => Ok((false, true)),
        "hv" | "vh" => Ok((true, true)),
        _ => Err(wrong(name, value, "h, v, hv")),
    }
}
