//! Arguments of options. A sentence says what is wrong with one.

use crate::path::options::values;
use crate::path::quoted;
use crate::transform::{Compass, Format, Gravity, Length, Milli, Rgb, SIDE_MAX};

pub(super) fn wrong(name: &str, value: &str, expected: &str) -> String {
    format!("{name} is {}; accepted: {expected}", quoted(value))
}

/// The words that imgproxy takes for yes; all others are no.
pub(super) fn flag(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// A whole number of at least 0.
pub(super) fn whole(name: &str, value: &str) -> Result<u32, String> {
    values::whole(value)
        .filter(|_| !value.is_empty())
        .ok_or_else(|| wrong(name, value, "a whole number of at least 0"))
}

/// Pixels of a side; 0 is none.
pub(super) fn side(name: &str, value: &str) -> Result<Option<u32>, String> {
    let side = whole(name, value)?;
    if side > SIDE_MAX {
        return Err(wrong(name, value, &format!("0 to {SIDE_MAX}")));
    }
    Ok((side > 0).then_some(side))
}

pub(super) fn quality(name: &str, value: &str) -> Result<u8, String> {
    u8::try_from(whole(name, value)?)
        .ok()
        .filter(|quality| (1..=100).contains(quality))
        .ok_or_else(|| wrong(name, value, "1 to 100"))
}

/// A decimal up to a bound.
pub(super) fn decimal(name: &str, value: &str, most: u32) -> Result<Milli, String> {
    Milli::parse(value)
        .filter(|number| number.0 <= most * 1_000)
        .ok_or_else(|| wrong(name, value, &format!("0 to {most}")))
}

/// A decimal above 0.
pub(super) fn factor(name: &str, value: &str) -> Result<Milli, String> {
    let expected = "a number from 0.001 to 100";
    decimal(name, value, 100)
        .ok()
        .filter(|factor| *factor > Milli::ZERO)
        .ok_or_else(|| wrong(name, value, expected))
}

/// Pixels from 1, a share below.
pub(super) fn length(name: &str, value: &str) -> Result<Length, String> {
    let (sign, digits) = value.strip_prefix('-').map_or((1, value), |digits| (-1, digits));
    let bad = || wrong(name, value, &format!("a number up to {SIDE_MAX}; below 1 it is a share"));
    let number = Milli::parse(digits).ok_or_else(bad)?;
    if number < Milli::ONE {
        return Ok(Length::Share(sign * i32::try_from(number.0).map_err(|_| bad())?).canonical());
    }
    let pixels = number.0.saturating_add(500) / 1_000;
    if pixels > SIDE_MAX {
        return Err(bad());
    }
    Ok(Length::Pixels(sign * i32::try_from(pixels).map_err(|_| bad())?))
}

/// A side of the part that is used; none is the source's.
pub(super) fn crop_side(name: &str, value: &str) -> Result<Length, String> {
    let number = Milli::parse(value).ok_or_else(|| wrong(name, value, "a number of at least 0"))?;
    if number.0 / 1_000 > SIDE_MAX {
        // larger than any source
        return Ok(Length::default());
    }
    length(name, value)
}

pub(super) fn compass(word: &str) -> Option<Compass> {
    Some(match word {
        "ce" => Compass::Center,
        "no" => Compass::Top,
        "so" => Compass::Bottom,
        "ea" => Compass::Right,
        "we" => Compass::Left,
        "noea" => Compass::TopRight,
        "nowe" => Compass::TopLeft,
        "soea" => Compass::BottomRight,
        "sowe" => Compass::BottomLeft,
        _ => return None,
    })
}

pub(super) fn compass_word(compass: Compass) -> &'static str {
    match compass {
        Compass::Center => "ce",
        Compass::Top => "no",
        Compass::Bottom => "so",
        Compass::Right => "ea",
        Compass::Left => "we",
        Compass::TopRight => "noea",
        Compass::TopLeft => "nowe",
        Compass::BottomRight => "soea",
        Compass::BottomLeft => "sowe",
    }
}

/// `type:x:y`, `fp:x:y` or `sm`.
pub(super) fn gravity(name: &str, arguments: &[&str]) -> Result<Gravity, String> {
    let bad = || {
        wrong(
            name,
            &arguments.join(":"),
            "ce, no, so, ea, we, noea, nowe, soea, sowe with offsets, fp:x:y, sm",
        )
    };
    match arguments {
        ["sm"] => Ok(Gravity::Attention),
        ["fp", x, y] => Ok(Gravity::Focus(
            decimal(name, x, 1).map_err(|_| bad())?,
            decimal(name, y, 1).map_err(|_| bad())?,
        )),
        ["obj" | "objw", ..] => Err(format!("{name}:obj and {name}:objw are of the paid edition")),
        [word, offsets @ ..] if offsets.len() <= 2 => {
            let compass = compass(word).ok_or_else(bad)?;
            let offset =
                |at: usize| offsets.get(at).map_or_else(|| Ok(Length::default()), |text| length(name, text));
            Ok(Gravity::Compass(compass, offset(0)?, offset(1)?).canonical())
        }
        _ => Err(bad()),
    }
}

/// Three or six hexadecimal digits.
pub(super) fn hexadecimal(name: &str, value: &str) -> Result<Rgb, String> {
    values::hexadecimal(value).ok_or_else(|| wrong(name, value, "three or six hexadecimal digits"))
}

/// What imgproxy knows of a format's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It can be written here.
    Written(Format),
    /// It is a format, but not written here; with its common word.
    Only(&'static str),
}

pub(super) fn format(name: &str) -> Option<Known> {
    Some(match name {
        "jpg" | "jpeg" => Known::Written(Format::Jpeg),
        "png" => Known::Written(Format::Png),
        "webp" => Known::Written(Format::Webp),
        "avif" => Known::Written(Format::Avif),
        "gif" => Known::Written(Format::Gif),
        "jxl" => Known::Written(Format::Jxl),
        "svg" => Known::Written(Format::Svg),
        "best" => Known::Written(Format::Best),
        "ico" => Known::Only("ico"),
        "heic" => Known::Only("heic"),
        "bmp" => Known::Only("bmp"),
        "tif" | "tiff" => Known::Only("tiff"),
        _ => return None,
    })
}
