//! Values that say where: gravity, rectangles, sides, marks. Their parts are joined by semicolons.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::values::{chosen, colour, hexadecimal, ratio, share, whole, whole_in, wrong};
use crate::path::PathError;
use crate::transform::{
    Border, Compass, Corners, Crop, CropPlace, Gravity, Length, Milli, SIDE_MAX, Sides, Spot, TEXT_CHARS_MAX,
    Text, Trim, Watermark,
};

/// Longest name of a watermark, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// `top`, `top;10;5%`, `0.5x0.2`, `auto`, `entropy`.
pub(super) fn gravity(value: &str) -> Result<Gravity, PathError> {
    const ACCEPTED: &str = "auto, entropy, center, top, top-right, right, bottom-right, bottom, bottom-left, left, top-left \
                            with offsets such as top;10;0, or shares of the sides such as 0.5x0.2";
    let bad = || wrong("gravity", value, ACCEPTED);
    match value {
        // faces are not recognised; skin catches the eye
        "auto" | "attention" | "face" => return Ok(Gravity::Attention),
        "entropy" => return Ok(Gravity::Entropy),
        _ => {}
    }
    if let Some((x, y)) = value.split_once('x')
        && let (Some(x), Some(y)) = (Milli::parse(x), Milli::parse(y))
    {
        return if x.0 <= 1_000 && y.0 <= 1_000 { Ok(Gravity::Focus(x, y)) } else { Err(bad()) };
    }
    let parts: Vec<_> = value.split(';').collect();
    let compass = |word: &str| Compass::ALL.into_iter().find(|one| one.as_str() == word).ok_or_else(bad);
    match parts.as_slice() {
        [word] => Ok(Gravity::at(compass(word)?)),
        [word, x, y] => {
            let length = |text: &str| Length::parse(text).filter(is_sane).ok_or_else(bad);
            Ok(Gravity::Compass(compass(word)?, length(x)?, length(y)?))
        }
        _ => Err(bad()),
    }
}

fn is_sane(length: &Length) -> bool {
    match length {
        Length::Pixels(pixels) => pixels.unsigned_abs() <= SIDE_MAX,
        Length::Share(thousandths) => thousandths.unsigned_abs() <= 1_000,
    }
}

/// `width;height;x;y`, or `width;height;gravity`.
pub(super) fn crop(value: &str) -> Result<Crop, PathError> {
    let bad = || {
        wrong(
            "crop",
            value,
            "width;height;x;y in pixels or per cent, or width;height;gravity; 0 is the whole side; \
             a ratio such as 4:3 may go before",
        )
    };
    let (aspect, value) = match value.split_once(';') {
        Some((first, rest)) if first.contains(':') => (Some(ratio(first).map_err(|_| bad())?), rest),
        _ => (None, value),
    };
    let positive =
        |length: &Length| is_sane(length) && matches!(length, Length::Pixels(0..) | Length::Share(0..));
    let length = |text: &str| Length::parse(text).filter(positive).ok_or_else(bad);
    let mut parts = value.splitn(3, ';');
    let (Some(width), Some(height), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(bad());
    };
    let corner = rest.split_once(';').and_then(|(x, y)| Some((Length::parse(x)?, Length::parse(y)?)));
    let place = match corner {
        Some((x, y)) if positive(&x) && positive(&y) => CropPlace::At(x, y),
        Some(_) => return Err(bad()),
        None => CropPlace::By(gravity(rest)?),
    };
    Ok(Crop { width: length(width)?, height: length(height)?, aspect, place })
}

/// `top;right;bottom;left`, or `border` with tolerance, colour and the words `h` and `v`.
pub(super) fn trim(value: &str) -> Result<Trim, PathError> {
    let bad = || {
        wrong(
            "trim",
            value,
            "top;right;bottom;left in pixels, or border, such as border;10 or border;10;ffffff;h;v",
        )
    };
    let mut parts = value.split(';');
    if parts.next() != Some("border") {
        return sides("trim", value).map(Trim::Sides).map_err(|_| bad());
    }
    let (mut tolerance, mut of_colour) = (DEFAULT_TOLERANCE, None);
    let (mut equal_horizontal, mut equal_vertical) = (false, false);
    for (at, part) in parts.enumerate() {
        match part {
            "h" => equal_horizontal = true,
            "v" => equal_vertical = true,
            _ if at == 0 => tolerance = whole(part).and_then(|n| u8::try_from(n).ok()).ok_or_else(bad)?,
            _ if at == 1 => of_colour = Some(hexadecimal(part).ok_or_else(bad)?),
            _ => return Err(bad()),
        }
    }
    Ok(Trim::Margins { tolerance, colour: of_colour, equal_horizontal, equal_vertical })
}

/// How far a margin's pixel may be from the margin's colour where the URL does not say.
pub(crate) const DEFAULT_TOLERANCE: u8 = 10;

/// One number for all sides, two for vertical and horizontal, or four from the top clockwise.
pub(super) fn sides(name: &str, value: &str) -> Result<Sides, PathError> {
    let bad = || {
        wrong(
            name,
            value,
            &format!("pixels from 0 to {SIDE_MAX}: one for all sides, or top;right;bottom;left"),
        )
    };
    let numbers: Option<Vec<u32>> =
        value.split(';').map(|text| whole(text).filter(|pixels| *pixels <= SIDE_MAX)).collect();
    match numbers.ok_or_else(bad)?.as_slice() {
        [all] => Ok(Sides::all(*all)),
        [vertical, horizontal] => {
            Ok(Sides { top: *vertical, right: *horizontal, bottom: *vertical, left: *horizontal })
        }
        [top, right, bottom, left] => Ok(Sides { top: *top, right: *right, bottom: *bottom, left: *left }),
        _ => Err(bad()),
    }
}

/// Sides and a colour.
pub(super) fn border(value: &str) -> Result<Border, PathError> {
    let (widths, shade) = value
        .rsplit_once(';')
        .ok_or_else(|| wrong("border", value, "pixels and a colour, such as 4;ff0000 or 1;2;1;2;black"))?;
    Ok(Border { sides: sides("border", widths)?, colour: colour("border", shade)? })
}

pub(super) fn corners(value: &str) -> Result<Corners, PathError> {
    if value == "max" {
        return Ok(Corners::Max);
    }
    whole_in("radius", value, 1, SIDE_MAX).map(Corners::Radius)
}

/// `name`, then as far as wanted `;opacity;place;x;y;scale`.
pub(super) fn watermark(value: &str) -> Result<Watermark, PathError> {
    let mut parts = value.split(';');
    let name = decoded("watermark", parts.next().unwrap_or_default())?;
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(wrong(
            "watermark",
            value,
            "the name of a watermark of this site, then opacity;place;x;y;scale",
        ));
    }
    let mut mark = Watermark {
        name,
        opacity: Milli::ONE,
        spot: Spot::default(),
        x: Length::default(),
        y: Length::default(),
        scale: Milli::ZERO,
    };
    for (at, part) in parts.enumerate() {
        match at {
            0 => mark.opacity = share("watermark opacity", part)?,
            1 => mark.spot = spot("watermark", part)?,
            2 => mark.x = offset("watermark", part)?,
            3 => mark.y = offset("watermark", part)?,
            4 => mark.scale = share("watermark scale", part)?,
            _ => return Err(wrong("watermark", value, "name;opacity;place;x;y;scale")),
        }
    }
    Ok(mark)
}

/// `text`, percent-encoded, then as far as wanted `;size;colour;opacity;place;x;y`.
pub(super) fn text(value: &str) -> Result<Text, PathError> {
    let mut parts = value.split(';');
    let line = decoded("text", parts.next().unwrap_or_default())?;
    let is_fit = (1..=TEXT_CHARS_MAX).contains(&line.chars().count()) && !line.chars().any(char::is_control);
    if !is_fit {
        return Err(wrong("text", value, &format!("1 to {TEXT_CHARS_MAX} printable characters")));
    }
    let mut mark = Text {
        text: line,
        size: 24,
        colour: crate::transform::Rgb::WHITE,
        opacity: Milli::ONE,
        spot: Spot::default(),
        x: Length::default(),
        y: Length::default(),
    };
    for (at, part) in parts.enumerate() {
        match at {
            0 => mark.size = whole_in("text size", part, 4, 1_000)?,
            1 => mark.colour = colour("text colour", part)?,
            2 => mark.opacity = share("text opacity", part)?,
            3 => mark.spot = spot("text", part)?,
            4 => mark.x = offset("text", part)?,
            5 => mark.y = offset("text", part)?,
            _ => return Err(wrong("text", value, "text;size;colour;opacity;place;x;y")),
        }
    }
    Ok(mark)
}

fn spot(name: &str, value: &str) -> Result<Spot, PathError> {
    if value == "tile" {
        return Ok(Spot::Tiled);
    }
    chosen(&format!("{name} place"), value, &Compass::ALL, |one| one.as_str()).map(Spot::At)
}

fn offset(name: &str, value: &str) -> Result<Length, PathError> {
    Length::parse(value)
        .filter(is_sane)
        .ok_or_else(|| wrong(&format!("{name} offset"), value, "pixels or per cent, such as 10 or 2.5%"))
}

/// Values are decoded once with the whole list; a text is encoded once more, so that it may hold commas and semicolons.
fn decoded(name: &str, value: &str) -> Result<Arc<str>, PathError> {
    let text =
        percent_decode_str(value).decode_utf8().map_err(|_| wrong(name, value, "percent-encoded utf-8"))?;
    Ok(Arc::from(text.as_ref()))
}
