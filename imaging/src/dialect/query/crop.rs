//! The parameter `crop`, which is a rectangle at Fastly's and a list of places at imgix's, and `rect`.

use super::values::{ratio, wrong};
use crate::transform::{Compass, Crop, CropPlace, Gravity, Length, Milli, SIDE_MAX};

/// What a `crop` says.
pub(super) enum Said {
    /// Which part of the source is used.
    Part(Crop),
    /// What stays where the fit cuts.
    Place(Gravity),
    /// What stays is the point that other parameters name.
    FocalPoint,
}

/// Reads either kind.
pub(super) fn read(value: &str) -> Result<Said, String> {
    if value.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.') {
        return rectangle(value).map(Said::Part);
    }
    let words: Vec<&str> = value.split(',').filter(|word| !word.is_empty()).collect();
    let known =
        ["top", "bottom", "left", "right", "center", "faces", "entropy", "edges", "focalpoint", "smart"];
    if words.is_empty() || words.iter().any(|word| !known.contains(word)) {
        let expected = "width,height with a place, or top, bottom, left, right, center, faces, entropy, edges, focalpoint";
        return Err(wrong("crop", value, expected));
    }
    let has = |word: &str| words.contains(&word);
    Ok(if has("focalpoint") {
        Said::FocalPoint
    } else if has("faces") || has("entropy") {
        // faces are not recognised; they are where most is going on
        Said::Place(Gravity::Entropy)
    } else if has("edges") || has("smart") {
        Said::Place(Gravity::Attention)
    } else {
        let beside = |one: bool, other: bool| i32::from(other) - i32::from(one);
        Said::Place(Gravity::at(compass(
            beside(has("left"), has("right")),
            beside(has("top"), has("bottom")),
        )))
    })
}

/// The place by its sides: -1 is left or top, 1 right or bottom.
fn compass(x: i32, y: i32) -> Compass {
    match (x, y) {
        (-1, -1) => Compass::TopLeft,
        (-1, 1) => Compass::BottomLeft,
        (-1, _) => Compass::Left,
        (1, -1) => Compass::TopRight,
        (1, 1) => Compass::BottomRight,
        (1, _) => Compass::Right,
        (_, -1) => Compass::Top,
        (_, 1) => Compass::Bottom,
        (_, _) => Compass::Center,
    }
}

/// Where along one side.
#[derive(Clone, Copy)]
enum Along {
    /// So far from its beginning.
    At(Length),
    /// At its beginning (-1), in its middle or at its end (1).
    By(i32),
}

/// `width,height` or `wide:high`, then `x…`, `y…`, `offset-x…`, `offset-y…`, `smart` and `safe` in any order. Two bare
/// numbers are x and y.
fn rectangle(value: &str) -> Result<Crop, String> {
    const EXPECTED: &str =
        "width,height or wide:high, then x10,y20, or offset-x and offset-y of 0, 50 or 100, or smart";
    let bad = || wrong("crop", value, EXPECTED);
    let mut parts = value.split(',');
    let first = parts.next().unwrap_or_default();
    let (width, height, aspect) = if first.contains(':') {
        (Length::default(), Length::default(), Some(ratio("crop", first)?))
    } else {
        let height = parts.next().ok_or_else(bad)?;
        (length(first).ok_or_else(bad)?, length(height).ok_or_else(bad)?, None)
    };
    let (mut x, mut y) = (Along::By(0), Along::By(0));
    let mut is_smart = false;
    for (at, part) in parts.enumerate() {
        if let Some(share) = part.strip_prefix("offset-x") {
            x = Along::By(third(share).ok_or_else(bad)?);
        } else if let Some(share) = part.strip_prefix("offset-y") {
            y = Along::By(third(share).ok_or_else(bad)?);
        } else if let Some(distance) = part.strip_prefix('x') {
            x = Along::At(length(distance).ok_or_else(bad)?);
        } else if let Some(distance) = part.strip_prefix('y') {
            y = Along::At(length(distance).ok_or_else(bad)?);
        } else if part == "smart" {
            is_smart = true;
        } else if part != "safe" {
            // what sticks out is cut off, which is what safe asks for
            let distance = Along::At(length(part).ok_or_else(bad)?);
            match at {
                0 => x = distance,
                1 => y = distance,
                _ => return Err(bad()),
            }
        }
    }
    let place = if is_smart { CropPlace::By(Gravity::Attention) } else { placed(x, y) };
    Ok(Crop { width, height, aspect, place }.canonical())
}

fn placed(x: Along, y: Along) -> CropPlace {
    let parts = |along: Along| match along {
        Along::At(distance) => (-1, distance),
        Along::By(side) => (side, Length::default()),
    };
    if let (Along::At(x), Along::At(y)) = (x, y) {
        return CropPlace::At(x, y);
    }
    let ((side_x, x), (side_y, y)) = (parts(x), parts(y));
    CropPlace::By(Gravity::Compass(compass(side_x, side_y), x, y))
}

/// 0, 50 or 100 per cent of the room that is left: its beginning, middle or end.
fn third(share: &str) -> Option<i32> {
    match Milli::parse(share.trim_end_matches(['%', 'p']))?.0 {
        0 => Some(-1),
        50_000 => Some(0),
        100_000 => Some(1),
        _ => None,
    }
}

/// Pixels, a fraction below 1, or per cent.
fn length(text: &str) -> Option<Length> {
    if let Some(percent) = text.strip_suffix(['p', '%']) {
        let thousandths = Milli::parse(percent)?.0 / 100;
        return i32::try_from(thousandths).ok().filter(|share| *share <= 1_000).map(Length::Share);
    }
    let number = Milli::parse(text)?;
    if number < Milli::ONE {
        return i32::try_from(number.0).ok().map(Length::Share);
    }
    let pixels = i32::try_from(number.0 / 1_000).ok()?;
    (pixels.unsigned_abs() <= SIDE_MAX).then_some(Length::Pixels(pixels))
}

/// imgix's `rect=x,y,width,height`; x and y may be words.
pub(super) fn rect(value: &str) -> Result<Crop, String> {
    let bad = || {
        wrong(
            "rect",
            value,
            "x,y,width,height in pixels; left, center, right and top, middle, bottom for x and y",
        )
    };
    let parts: Vec<&str> = value.split(',').collect();
    let [x, y, width, height] = parts.as_slice() else { return Err(bad()) };
    let along = |text: &str| {
        Some(match text {
            "left" | "top" => Along::By(-1),
            "center" | "middle" => Along::By(0),
            "right" | "bottom" => Along::By(1),
            distance => Along::At(length(distance)?),
        })
    };
    let place = placed(along(x).ok_or_else(bad)?, along(y).ok_or_else(bad)?);
    let side = |text: &str| length(text).filter(|side| side.canonical() != Length::default()).ok_or_else(bad);
    Ok(Crop { width: side(width)?, height: side(height)?, aspect: None, place }.canonical())
}
