//! Values that several dialects write alike, and the sentences that refuse them.

use crate::path::{PathError, quoted};
use crate::transform::{
    Corners, Format, Gravity, Length, Milli, Quality, Rgb, SIDE_MAX, Sides, Transform, Unsharp,
};

/// Bounds of a density.
const DENSITY: std::ops::RangeInclusive<u32> = 100..=10_000;

pub(crate) fn wrong(name: &str, value: &str, accepted: &str) -> PathError {
    PathError::options(format!("{name} is {}; accepted: {accepted}", quoted(value)))
}

pub(crate) fn absent(name: &str, value: &str, accepted: &str) -> PathError {
    let value = quoted(value);
    PathError::options(format!("{name}={value} is not available in this version; accepted: {accepted}"))
}

/// Pixels of a side, 1 to [`SIDE_MAX`].
pub(crate) fn side(name: &str, value: &str) -> Result<u32, PathError> {
    whole(value).filter(|side| (1..=SIDE_MAX).contains(side)).ok_or_else(|| {
        let message = format!("{name} is {}; it must be a whole number from 1 to {SIDE_MAX}", quoted(value));
        PathError::options(message)
    })
}

/// Digits only: no sign, no spaces, no exponent.
pub(crate) fn whole(value: &str) -> Option<u32> {
    if value.bytes().all(|byte| byte.is_ascii_digit()) { value.parse().ok() } else { None }
}

pub(crate) fn whole_in(name: &str, value: &str, least: u32, most: u32) -> Result<u32, PathError> {
    whole(value)
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| wrong(name, value, &format!("a whole number from {least} to {most}")))
}

/// A decimal between two whole numbers.
pub(crate) fn amount(name: &str, value: &str, least: u32, most: u32) -> Result<Milli, PathError> {
    Milli::parse(value)
        .filter(|number| (least * 1_000..=most * 1_000).contains(&number.0))
        .ok_or_else(|| wrong(name, value, &format!("{least} to {most}")))
}

/// 0 to 255.
pub(crate) fn byte(name: &str, value: &str) -> Result<u8, PathError> {
    let number = whole_in(name, value, 0, u32::from(u8::MAX))?;
    Ok(u8::try_from(number).unwrap_or(u8::MAX))
}

/// A share from 0 to 1.
pub(crate) fn share(name: &str, value: &str) -> Result<Milli, PathError> {
    amount(name, value, 0, 1)
}

pub(crate) fn density(value: &str) -> Result<Milli, PathError> {
    Milli::parse(value)
        .filter(|density| DENSITY.contains(&density.0))
        .ok_or_else(|| wrong("dpr", value, "0.1 to 10"))
}

/// Clockwise; what is left of whole turns.
pub(crate) fn degrees(value: &str) -> Result<Milli, PathError> {
    let (is_back, digits) = value.strip_prefix('-').map_or((false, value), |digits| (true, digits));
    let turn = 360_000;
    Milli::parse(digits)
        .map(|angle| angle.0 % turn)
        .map(|angle| Milli(if is_back { (turn - angle) % turn } else { angle }))
        .ok_or_else(|| wrong("rotate", value, "degrees clockwise, such as 90 or -12.5"))
}

pub(crate) fn gamma(value: &str) -> Result<Milli, PathError> {
    Milli::parse(value)
        .filter(|gamma| (100..=10_000).contains(&gamma.0))
        .ok_or_else(|| wrong("gamma", value, "0.1 to 10"))
}

/// `true` or `false`, in the words that URLs know for them.
pub(crate) fn flag(name: &str, value: &str) -> Result<bool, PathError> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(wrong(name, value, "true, false")),
    }
}

/// One of a closed list.
pub(crate) fn chosen<T: Copy>(
    name: &str,
    value: &str,
    all: &[T],
    word: impl Fn(T) -> &'static str,
) -> Result<T, PathError> {
    all.iter().copied().find(|one| word(*one) == value).ok_or_else(|| {
        let words: Vec<_> = all.iter().map(|one| word(*one)).collect();
        wrong(name, value, &words.join(", "))
    })
}

pub(crate) fn quality(value: &str) -> Result<Quality, PathError> {
    if let Some(quality) = Quality::word(value) {
        return Ok(quality);
    }
    whole(value)
        .and_then(|quality| u8::try_from(quality).ok())
        .filter(|quality| (1..=100).contains(quality))
        .map(Quality::Fixed)
        .ok_or_else(|| wrong("quality", value, "1 to 100, low, medium-low, medium-high, high, auto"))
}

/// `webp;70;avif;50`.
pub(crate) fn format_qualities(value: &str) -> Result<Vec<(Format, u8)>, PathError> {
    let bad = || wrong("format-quality", value, "formats with their qualities, such as webp;70;avif;50");
    let parts: Vec<_> = value.split(';').collect();
    let mut found = Vec::new();
    for pair in parts.chunks(2) {
        let [format, quality] = pair else { return Err(bad()) };
        let lossy = [Format::Jpeg, Format::Webp, Format::Avif, Format::Jxl];
        let format = lossy.into_iter().find(|one| one.as_str() == *format).ok_or_else(bad)?;
        let quality = whole(quality).and_then(|quality| u8::try_from(quality).ok());
        found.retain(|(one, _)| *one != format);
        found.push((format, quality.filter(|quality| (1..=100).contains(quality)).ok_or_else(bad)?));
    }
    Ok(found)
}

/// `4:3`.
pub(crate) fn ratio(value: &str) -> Result<(u32, u32), PathError> {
    let bad = || wrong("aspect", value, "width:height, such as 4:3");
    let (wide, high) = value.split_once(':').ok_or_else(bad)?;
    let part = |text: &str| whole(text).filter(|side| (1..=SIDE_MAX).contains(side)).ok_or_else(bad);
    Ok(reduced(part(wide)?, part(high)?))
}

/// The same ratio in the smallest whole numbers; neither is 0.
pub(crate) fn reduced(wide: u32, high: u32) -> (u32, u32) {
    let divisor = greatest_divisor(wide, high);
    (wide / divisor, high / divisor)
}

fn greatest_divisor(mut one: u32, mut other: u32) -> u32 {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one.max(1)
}

/// One factor for both sides, or one for each.
pub(crate) fn zoom(value: &str) -> Result<(Milli, Milli), PathError> {
    let bad = || wrong("scale", value, "a factor from 0.001 to 100, or one for each side, such as 1.5;2");
    let factor = |text: &str| Milli::parse(text).filter(|one| (1..=100_000).contains(&one.0)).ok_or_else(bad);
    match value.split_once(';') {
        Some((x, y)) => Ok((factor(x)?, factor(y)?)),
        None => factor(value).map(|both| (both, both)),
    }
}

/// `radius;amount;threshold`.
pub(crate) fn unsharp(value: &str) -> Result<Unsharp, PathError> {
    let bad = || wrong("unsharp", value, "radius;amount;threshold, such as 1;0.5;3");
    let parts: Vec<_> = value.split(';').collect();
    let [radius, amount, threshold] = parts.as_slice() else { return Err(bad()) };
    let radius = Milli::parse(radius).filter(|radius| (100..=250_000).contains(&radius.0)).ok_or_else(bad)?;
    let amount = Milli::parse(amount).filter(|amount| amount.0 <= 10_000).ok_or_else(bad)?;
    let threshold = whole(threshold).and_then(|threshold| u8::try_from(threshold).ok()).ok_or_else(bad)?;
    Ok(Unsharp { radius, amount, threshold })
}

/// Multiplies everything that is in pixels of the result by a density.
pub(crate) fn multiply(all: &mut Transform, density: Milli) -> Result<(), PathError> {
    for (name, side) in [
        ("width", &mut all.width),
        ("height", &mut all.height),
        ("min-width", &mut all.min_width),
        ("min-height", &mut all.min_height),
    ] {
        if let Some(side) = side {
            *side = scaled(name, *side, density)?;
        }
    }
    multiply_sides("padding", &mut all.padding, density)?;
    if let Some(border) = &mut all.border {
        multiply_sides("border", &mut border.sides, density)?;
    }
    if let Some(Corners::Radius(radius)) = &mut all.corners {
        *radius = scaled("radius", *radius, density)?;
    }
    if let Gravity::Compass(_, x, y) = &mut all.gravity {
        (*x, *y) = (scaled_length(*x, density), scaled_length(*y, density));
    }
    if let Some(mark) = &mut all.watermark {
        (mark.x, mark.y) = (scaled_length(mark.x, density), scaled_length(mark.y, density));
    }
    if let Some(text) = &mut all.text {
        (text.x, text.y) = (scaled_length(text.x, density), scaled_length(text.y, density));
        text.size = scaled("text size", text.size, density)?.clamp(4, 1_000);
    }
    Ok(())
}

fn multiply_sides(name: &str, sides: &mut Sides, density: Milli) -> Result<(), PathError> {
    let sides = [&mut sides.top, &mut sides.right, &mut sides.bottom, &mut sides.left];
    for side in sides.into_iter().filter(|side| **side > 0) {
        *side = scaled(name, *side, density)?;
    }
    Ok(())
}

/// Shares stay, pixels grow, but not beyond what can be asked for.
fn scaled_length(length: Length, density: Milli) -> Length {
    let Length::Pixels(pixels) = length else { return length };
    let scaled = (u64::from(pixels.unsigned_abs()) * u64::from(density.0) + 500) / 1_000;
    let bounded = i32::try_from(scaled.min(u64::from(SIDE_MAX))).unwrap_or(i32::MAX);
    Length::Pixels(bounded * pixels.signum())
}

fn scaled(name: &str, side: u32, density: Milli) -> Result<u32, PathError> {
    let scaled = (u64::from(side) * u64::from(density.0) + 500) / 1_000;
    let scaled = u32::try_from(scaled).unwrap_or(u32::MAX).max(1);
    if scaled > SIDE_MAX {
        let message = format!("{name} times dpr is {scaled} pixels, at most {SIDE_MAX}");
        return Err(PathError::options(message));
    }
    Ok(scaled)
}

/// Hexadecimal, three or six digits, with or without `#`, or a basic CSS colour name.
pub(crate) fn colour(name: &str, value: &str) -> Result<Rgb, PathError> {
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
        wrong(name, value, "a basic css colour name, or rgb or rrggbb in hexadecimal digits, # as %23")
    })
}

/// Three or six digits.
pub(crate) fn hexadecimal(digits: &str) -> Option<Rgb> {
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
