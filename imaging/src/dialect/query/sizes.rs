//! Sizes and fits, which each family words its own way.

use super::Family;
use super::values::Side;
use crate::transform::{Crop, CropPlace, Fit, Gravity, Length, Milli, Transform};

/// How a picture fills its box.
///
/// # Errors
/// A sentence for words that nobody has, and for `facearea`.
pub(super) fn fit(family: Family, word: &str) -> Result<Fit, String> {
    let fit = match (family, word) {
        (Family::Fastly, "bounds") => Fit::ScaleDown,
        (Family::Fastly, "cover") => Fit::OutsideDown,
        (Family::Fastly, "crop") => Fit::Crop,
        (Family::Netlify, "contain") => Fit::ScaleDown,
        (Family::Netlify, "fill") => Fit::Squeeze,
        (_, "clip" | "bounds") => Fit::Contain,
        (_, "crop" | "cover") => Fit::Cover,
        // the edge is not drawn out, the room is filled with the background
        (_, "fill" | "clamp" | "pad") => Fit::Pad,
        (_, "fillmax") => Fit::Extend,
        (_, "max" | "contain" | "inside" | "scale-down") => Fit::ScaleDown,
        (_, "min") => Fit::CoverDown,
        (_, "scale" | "squeeze") => Fit::Squeeze,
        (_, "outside") => Fit::Outside,
        (_, "facearea") => return Err("fit=facearea is not available: faces are not recognised".into()),
        _ => {
            let expected =
                "clip, clamp, crop, fill, fillmax, max, min, scale, bounds, cover, contain, inside, outside";
            return Err(super::values::wrong("fit", word, expected));
        }
    };
    Ok(fit)
}

/// Where no fit is given. Both sides without one are Fastly's way to ask for a distorted picture.
pub(super) fn default_fit(family: Family) -> Fit {
    match family {
        Family::Fastly => Fit::SqueezeDown,
        Family::Imgix => Fit::Contain,
        Family::Netlify => Fit::ScaleDown,
    }
}

/// The same fit where pictures may become larger, and where they may not.
pub(super) fn with_enlarging(fit: Fit, enlarges: bool) -> Fit {
    match (fit, enlarges) {
        (Fit::ScaleDown, true) => Fit::Contain,
        (Fit::OutsideDown, true) => Fit::Outside,
        (Fit::Crop | Fit::CoverDown, true) => Fit::Cover,
        (Fit::SqueezeDown, true) => Fit::Squeeze,
        (Fit::Extend, true) => Fit::Pad,
        (Fit::Contain, false) => Fit::ScaleDown,
        (Fit::Outside, false) => Fit::OutsideDown,
        (Fit::Cover, false) => Fit::Crop,
        (Fit::Squeeze, false) => Fit::SqueezeDown,
        (Fit::Pad, false) => Fit::Extend,
        (other, _) => other,
    }
}

/// Puts sizes into a transform that has its fit. Shares of the source become factors, with a cut where the fit cuts.
///
/// # Errors
/// A sentence for pixels beside a share, and shares that a fit has no use for.
pub(super) fn put(all: &mut Transform, width: Option<Side>, height: Option<Side>) -> Result<(), String> {
    match (width, height) {
        (None, None) => {}
        (Some(Side::Pixels(width)), None) => all.width = Some(width),
        (None, Some(Side::Pixels(height))) => all.height = Some(height),
        (Some(Side::Pixels(width)), Some(Side::Pixels(height))) => {
            (all.width, all.height) = (Some(width), Some(height));
        }
        (Some(Side::Factor(only)), None) | (None, Some(Side::Factor(only))) => all.zoom = Some((only, only)),
        (Some(Side::Factor(x)), Some(Side::Factor(y))) => shares(all, x, y)?,
        (Some(_), Some(_)) => {
            return Err("a side in pixels beside one as a share of the source is not available".into());
        }
    }
    Ok(())
}

fn shares(all: &mut Transform, x: Milli, y: Milli) -> Result<(), String> {
    let (least, most) = (x.min(y), x.max(y));
    match all.fit {
        Fit::Squeeze | Fit::SqueezeDown => all.zoom = Some((x, y)),
        Fit::Contain | Fit::ScaleDown => all.zoom = Some((least, least)),
        Fit::Outside | Fit::OutsideDown => all.zoom = Some((most, most)),
        Fit::Cover | Fit::Crop | Fit::CoverDown if all.crop.is_none() => {
            let part = |side: Milli| {
                let thousandths = u64::from(side.0) * 1_000 / u64::from(most.0.max(1));
                Length::Share(i32::try_from(thousandths).unwrap_or(1_000).clamp(1, 1_000))
            };
            if x != y {
                let place = CropPlace::By(all.gravity);
                all.crop = Some(Crop { width: part(x), height: part(y), aspect: None, place });
                all.gravity = Gravity::default();
            }
            all.zoom = Some((most, most));
        }
        _ if x == y => all.zoom = Some((x, y)),
        _ => return Err("shares of the source are not available with this fit".into()),
    }
    Ok(())
}
