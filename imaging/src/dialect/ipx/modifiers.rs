//! Modifiers one by one.

use crate::dialect::Refusal;
use crate::dialect::refusal::ipx as refused;
use crate::path::options::{DEFAULT_TOLERANCE, values};
use crate::path::quoted;
use crate::transform::{
    Compass, Crop, CropPlace, Format, Gravity, Length, Milli, Quality, Rgb, SIDE_MAX, Sides, Transform, Trim,
};

/// What is under a flattened picture where nothing is said.
pub(super) const BLACK: Rgb = Rgb { red: 0, green: 0, blue: 0 };

/// Modifiers of IPX that this pipeline has no step for.
const ABSENT: [&str; 9] =
    ["median", "negate", "normalize", "normalise", "tint", "unflatten", "gamma", "clahe", "linear"];

/// How a picture fills its box, in sharp's words.
#[derive(Clone, Copy)]
pub(super) enum SharpFit {
    Cover,
    Contain,
    Fill,
    Inside,
    Outside,
}

/// Modifiers on their way to a transform.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) transform: Transform,
    pub(super) fit: Option<SharpFit>,
    pub(super) format: Option<Format>,
    pub(super) enlarges: bool,
    pub(super) animated: bool,
    pub(super) flattens: bool,
}

/// What is wrong with a modifier.
pub(super) enum Problem {
    /// Its value.
    Value { name: String, value: String, expected: String },
    /// It is of no use here.
    Absent { name: String },
}

impl Problem {
    pub(super) fn refusal(&self) -> Refusal {
        match self {
            Self::Value { name, value, expected } => {
                let value = quoted(value);
                let value = value.trim_matches('"');
                let message = format!("Invalid `{name}` modifier argument: `{value}` (expected {expected})");
                refused(400, "IPX_INVALID_MODIFIER_ARG", message)
            }
            Self::Absent { name } => {
                let message = format!("Modifier `{name}` is not available");
                refused(400, "IPX_INVALID_MODIFIER", message)
            }
        }
    }
}

fn wrong(name: &str, value: &str, expected: impl Into<String>) -> Problem {
    Problem::Value { name: name.to_owned(), value: value.to_owned(), expected: expected.into() }
}

impl Reading {
    /// Takes a modifier; false for one that nobody knows.
    pub(super) fn take(&mut self, name: &str, values: &[String]) -> Result<bool, Problem> {
        let joined = values.join("_");
        let value = joined.as_str();
        let first = values.first().map_or("", String::as_str);
        let is_known = self.size(name, value)? || self.place(name, values)? || self.look(name, first)?;
        if is_known {
            return Ok(true);
        }
        match name {
            "q" | "quality" => self.transform.quality = quality(first)?,
            "f" | "format" => self.format = format(value)?,
            "a" | "animated" => self.animated = value != "false",
            "kernel" if matches!(value, "" | "lanczos3") => {}
            "kernel" => return Err(wrong(name, value, "lanczos3")),
            _ if ABSENT.contains(&name) => return Err(Problem::Absent { name: name.to_owned() }),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn size(&mut self, name: &str, value: &str) -> Result<bool, Problem> {
        let all = &mut self.transform;
        match name {
            "w" | "width" => all.width = Some(side("width", value)?),
            "h" | "height" => all.height = Some(side("height", value)?),
            "s" | "resize" => {
                let (width, height) = value.split_once('x').unwrap_or((value, value));
                all.width = Some(side("resize", width)?);
                all.height = Some(side("resize", height)?);
            }
            "fit" => {
                self.fit = Some(match value {
                    "cover" => SharpFit::Cover,
                    "contain" => SharpFit::Contain,
                    "fill" => SharpFit::Fill,
                    "inside" => SharpFit::Inside,
                    "outside" => SharpFit::Outside,
                    _ => return Err(wrong("fit", value, "one of: contain, cover, fill, inside, outside")),
                });
            }
            "enlarge" => self.enlarges = value != "false",
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn place(&mut self, name: &str, values: &[String]) -> Result<bool, Problem> {
        let all = &mut self.transform;
        let joined = values.join("_");
        match name {
            "pos" | "position" => all.gravity = position(&joined)?,
            "extract" | "crop" => all.crop = Some(extract(values)?),
            "extend" => all.padding = extend(values)?,
            "trim" => all.trim = Some(trim(&joined)?),
            "rotate" if joined.is_empty() => {}
            "rotate" => {
                all.rotate = values::degrees(&joined)
                    .map_err(|_| wrong("rotate", &joined, "a number between -3600 and 3600"))?;
            }
            "modulate" => (all.look.brightness, all.look.saturation) = modulate(values)?,
            "flip" => all.flip_vertical = joined != "false",
            "flop" => all.flip_horizontal = joined != "false",
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn look(&mut self, name: &str, value: &str) -> Result<bool, Problem> {
        let all = &mut self.transform;
        let number = |least: u32, most: u32, mild: u32| match value {
            "" => Ok(Milli(mild)),
            _ => Milli::parse(value)
                .map(|number| number.min(Milli(most * 1_000)))
                .filter(|number| *number >= Milli(least))
                .ok_or_else(|| wrong(name, value, "a number")),
        };
        match name {
            "b" | "background" => {
                let expected = "a hex (`f00`, `ff0000`) or named (`red`) colour";
                let colour = values::colour(name, value).map_err(|_| wrong("background", value, expected))?;
                all.background = Some(colour);
            }
            "flatten" => self.flattens = true,
            "blur" => all.look.blur = number(300, 250, 1_000)?,
            "sharpen" => all.look.sharpen = number(1, 10, 1_000)?,
            "grayscale" | "greyscale" => all.look.grayscale = value != "false",
            "threshold" => {
                let threshold = if value.is_empty() { Ok(128) } else { values::byte(name, value) };
                let expected = "an integer between 0 and 255";
                all.look.threshold = Some(threshold.map_err(|_| wrong(name, value, expected))?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn side(name: &str, value: &str) -> Result<u32, Problem> {
    values::side(name, value).map_err(|_| wrong(name, value, format!("an integer between 1 and {SIDE_MAX}")))
}

fn quality(value: &str) -> Result<Quality, Problem> {
    let number = values::whole(value).and_then(|number| u8::try_from(number).ok());
    number
        .filter(|number| (1..=100).contains(number))
        .map(Quality::Fixed)
        .ok_or_else(|| wrong("quality", value, "an integer between 1 and 100"))
}

/// None for what IPX does not write either: the source's format.
fn format(value: &str) -> Result<Option<Format>, Problem> {
    Ok(Some(match value {
        "auto" => Format::Auto,
        "jpg" | "jpeg" => Format::Jpeg,
        "png" => Format::Png,
        "webp" => Format::Webp,
        "avif" => Format::Avif,
        "gif" => Format::Gif,
        "tiff" | "heif" | "heic" => {
            return Err(wrong("format", value, "one of: auto, jpeg, png, webp, avif, gif"));
        }
        _ => return Ok(None),
    }))
}

fn position(value: &str) -> Result<Gravity, Problem> {
    let at = |compass| Ok(Gravity::at(compass));
    match value.replace(['-', '_'], " ").as_str() {
        "center" | "centre" | "0" => at(Compass::Center),
        "top" | "north" | "1" => at(Compass::Top),
        "right" | "east" | "2" => at(Compass::Right),
        "bottom" | "south" | "3" => at(Compass::Bottom),
        "left" | "west" | "4" => at(Compass::Left),
        "right top" | "top right" | "northeast" | "5" => at(Compass::TopRight),
        "right bottom" | "bottom right" | "southeast" | "6" => at(Compass::BottomRight),
        "left bottom" | "bottom left" | "southwest" | "7" => at(Compass::BottomLeft),
        "left top" | "top left" | "northwest" | "8" => at(Compass::TopLeft),
        "entropy" | "16" => Ok(Gravity::Entropy),
        "attention" | "17" => Ok(Gravity::Attention),
        _ => Err(wrong("position", value, "a side, a corner, center, entropy or attention")),
    }
}

fn numbers(values: &[String]) -> Option<Vec<u32>> {
    values.iter().map(|value| values::whole(value).filter(|number| *number <= SIDE_MAX)).collect()
}

/// `left_top_width_height`.
fn extract(values: &[String]) -> Result<Crop, Problem> {
    let bad = || wrong("extract", &values.join("_"), "left_top_width_height in pixels");
    let parts: Option<Vec<Length>> = numbers(values).map(|numbers| {
        numbers.into_iter().filter_map(|one| i32::try_from(one).ok()).map(Length::Pixels).collect()
    });
    match parts.as_deref() {
        Some([left, top, width, height]) if *width != Length::default() && *height != Length::default() => {
            Ok(Crop { width: *width, height: *height, aspect: None, place: CropPlace::At(*left, *top) })
        }
        _ => Err(bad()),
    }
}

/// `top_right_bottom_left`; what is left out is 0.
fn extend(values: &[String]) -> Result<Sides, Problem> {
    let bad = || wrong("extend", &values.join("_"), "top_right_bottom_left in pixels, up to 10000");
    let (sides, with) = values.split_at_checked(4).unwrap_or((values, &[]));
    if !with.iter().all(|with| with.is_empty() || with == "background") {
        return Err(bad());
    }
    let filled: Vec<String> =
        sides.iter().map(|side| if side.is_empty() { "0".to_owned() } else { side.clone() }).collect();
    let numbers = numbers(&filled).ok_or_else(bad)?;
    let mut numbers = numbers.into_iter();
    let mut next = || numbers.next().unwrap_or(0);
    Ok(Sides { top: next(), right: next(), bottom: next(), left: next() })
}

fn trim(value: &str) -> Result<Trim, Problem> {
    let tolerance = match value {
        "" | "true" => Some(DEFAULT_TOLERANCE),
        _ => Milli::parse(value).map(|number| u8::try_from(number.0 / 1_000).unwrap_or(u8::MAX)),
    };
    let tolerance = tolerance.ok_or_else(|| wrong("trim", value, "a number greater than or equal to 0"))?;
    Ok(Trim::Margins { tolerance, colour: None, equal_horizontal: false, equal_vertical: false })
}

/// `brightness_saturation`; hue and lightness have no step here.
fn modulate(values: &[String]) -> Result<(Milli, Milli), Problem> {
    let bad = || wrong("modulate", &values.join("_"), "brightness_saturation, factors from 0 to 10");
    let factor = |at: usize| match values.get(at).map_or("", String::as_str) {
        "" => Ok(Milli::ONE),
        value => Milli::parse(value).filter(|factor| factor.0 <= 10_000).ok_or_else(bad),
    };
    let is_rest_idle = values.iter().skip(2).all(|value| matches!(value.as_str(), "" | "0"));
    if is_rest_idle { Ok((factor(0)?, factor(1)?)) } else { Err(bad()) }
}
