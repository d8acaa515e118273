//! Values of parameters. A sentence says what is wrong with one.

use crate::path::options::values;
use crate::path::quoted;
use crate::transform::{Gravity, Milli, Rgb, SIDE_MAX, Sides};

pub(super) fn wrong(name: &str, value: &str, expected: &str) -> String {
    format!("{name} is {}; accepted: {expected}", quoted(value))
}

/// A side of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Pixels, 1 to [`SIDE_MAX`].
    Pixels(u32),
    /// A factor on top of the source's, more than 0.
    Factor(Milli),
}

/// Pixels; a share of the source's as a fraction (`0.5`, and `1.0` for all of it) or per cent (`50p`, `50%`).
pub(super) fn side(name: &str, value: &str) -> Result<Side, String> {
    let expected = format!("pixels from 1 to {SIDE_MAX}, a fraction such as 0.5, or per cent such as 50p");
    let bad = || wrong(name, value, &expected);
    let factor =
        |factor: Milli| (factor > Milli::ZERO && factor.0 <= 100_000).then_some(Side::Factor(factor));
    if let Some(percent) = value.strip_suffix(['p', '%']) {
        return Milli::parse(percent).and_then(|number| factor(Milli(number.0 / 100))).ok_or_else(bad);
    }
    let number = Milli::parse(value).ok_or_else(bad)?;
    if number < Milli::ONE || (number == Milli::ONE && value.contains('.')) {
        return factor(number).ok_or_else(bad);
    }
    // clients compute sizes, and not always whole ones
    let pixels = number.0.saturating_add(500) / 1_000;
    (pixels <= SIDE_MAX).then_some(Side::Pixels(pixels)).ok_or_else(bad)
}

/// Whole pixels, which some clients compute with places.
pub(super) fn pixels(name: &str, value: &str, most: u32) -> Result<u32, String> {
    let number = Milli::parse(value).map(|number| number.0.saturating_add(500) / 1_000);
    number.filter(|number| *number <= most).ok_or_else(|| wrong(name, value, &format!("0 to {most} pixels")))
}

/// 0 to 100; 0 is taken for 1.
pub(super) fn quality(name: &str, value: &str) -> Result<u8, String> {
    let number = Milli::parse(value).and_then(|number| u8::try_from(number.0 / 1_000).ok());
    let number = number.filter(|number| *number <= 100).ok_or_else(|| wrong(name, value, "1 to 100"))?;
    Ok(number.max(1))
}

pub(super) fn decimal(name: &str, value: &str, most: u32) -> Result<Milli, String> {
    Milli::parse(value)
        .filter(|number| number.0 <= most * 1_000)
        .ok_or_else(|| wrong(name, value, &format!("0 to {most}")))
}

/// -100 to 100 as a factor from 0 to 2.
pub(super) fn percent_factor(name: &str, value: &str) -> Result<Milli, String> {
    let (is_less, digits) = value.strip_prefix('-').map_or((false, value), |digits| (true, digits));
    let number = decimal(name, digits, 100).map_err(|_| wrong(name, value, "-100 to 100"))?.0 / 100;
    Ok(Milli(if is_less { 1_000_u32.saturating_sub(number) } else { 1_000 + number }))
}

pub(super) fn flag(name: &str, value: &str) -> Result<bool, String> {
    match value {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(wrong(name, value, "true, false")),
    }
}

/// Hexadecimal digits, with opacity in front (imgix), `r,g,b` with opacity behind (Fastly), or a name. Opacity is not kept.
pub(super) fn colour(name: &str, value: &str) -> Result<Rgb, String> {
    let expected = "a basic css colour name, rgb or rrggbb in hexadecimal digits, or r,g,b";
    let bad = || wrong(name, value, expected);
    if value.contains(',') {
        let parts: Vec<_> = value.split(',').collect();
        let [red, green, blue, ..] = parts.as_slice() else { return Err(bad()) };
        let channel = |text: &str| text.trim().parse::<u8>().map_err(|_| bad());
        return Ok(Rgb { red: channel(red)?, green: channel(green)?, blue: channel(blue)? });
    }
    let digits = value.trim_start_matches('#');
    let opaque = match digits.len() {
        4 => digits.get(1..),
        8 => digits.get(2..),
        _ => None,
    };
    opaque.and_then(values::hexadecimal).map_or_else(|| values::colour(name, value).map_err(|_| bad()), Ok)
}

/// As in CSS: one number for all sides up to one for each, from the top clockwise.
pub(super) fn sides(name: &str, value: &str) -> Result<Sides, String> {
    let numbers: Vec<u32> =
        value.split(',').map(|text| pixels(name, text, SIDE_MAX)).collect::<Result<_, _>>()?;
    match numbers.as_slice() {
        [all] => Ok(Sides::all(*all)),
        [vertical, horizontal] => {
            Ok(Sides { top: *vertical, right: *horizontal, bottom: *vertical, left: *horizontal })
        }
        [top, horizontal, bottom] => {
            Ok(Sides { top: *top, right: *horizontal, bottom: *bottom, left: *horizontal })
        }
        [top, right, bottom, left] => Ok(Sides { top: *top, right: *right, bottom: *bottom, left: *left }),
        _ => Err(wrong(name, value, "top,right,bottom,left in pixels")),
    }
}

/// `4:3`, `1.91:1` or `1.5`, in the smallest whole numbers.
pub(super) fn ratio(name: &str, value: &str) -> Result<(u32, u32), String> {
    let bad = || wrong(name, value, "width:height, such as 4:3 or 1.91:1");
    let (wide, high) = value.split_once(':').unwrap_or((value, "1"));
    let part = |text: &str| Milli::parse(text).filter(|part| *part > Milli::ZERO).ok_or_else(bad);
    let (wide, high) = values::reduced(part(wide)?.0, part(high)?.0);
    if wide > SIDE_MAX || high > SIDE_MAX { Err(bad()) } else { Ok((wide, high)) }
}

/// Netlify's `position`.
pub(super) fn position(name: &str, value: &str) -> Result<Gravity, String> {
    use crate::transform::Compass;

    let bad = || wrong(name, value, "center, top, right, bottom, left");
    let compass = Compass::ALL.into_iter().find(|compass| compass.as_str() == value).ok_or_else(bad)?;
    Ok(Gravity::at(compass))
}
