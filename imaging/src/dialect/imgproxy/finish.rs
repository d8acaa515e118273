//! From imgproxy's options to a transform.
//!
//! imgproxy sizes in the axes of the result and flips after it rotates; it never enlarges unless told to.

use super::options::{Reading, Resizing};
use crate::dialect::{Rules, turn};
use crate::path::Wants;
use crate::path::options::values;
use crate::transform::{
    Crop, CropPlace, Fit, Format, Gravity, Length, Look, Metadata, Quality, Transform, Watermark,
};

/// The transform and what concerns the answer.
///
/// # Errors
/// A sentence for combinations that have no equal here.
pub(super) fn finish(reading: Reading<'_>, rules: &Rules) -> Result<(Transform, Wants), String> {
    let wants = reading.wants();
    if wants.raw {
        return Ok((Transform::default().canonical(), wants));
    }
    let (fit, gravity) = fit(&reading)?;
    let mut all = Transform {
        ignore_orientation: reading.ignores_orientation,
        trim: reading.trim,
        crop: crop(&reading),
        width: reading.width,
        height: reading.height,
        min_width: reading.min_width,
        min_height: reading.min_height,
        zoom: Some(reading.zoom),
        fit,
        gravity,
        rotate: reading.rotate,
        padding: reading.padding,
        look: Look {
            blur: reading.look.blur,
            sharpen: reading.look.sharpen,
            pixelate: reading.look.pixelate,
            ..Look::default()
        },
        watermark: watermark(&reading, rules),
        background: reading.background,
        ..Transform::default()
    };
    encode(&reading, rules, &mut all);
    values::multiply(&mut all, reading.dpr.min(rules.dpr_max))?;
    turn_back(&mut all, reading.flips);
    Ok((all.canonical(), wants))
}

fn encode(reading: &Reading<'_>, rules: &Rules, all: &mut Transform) {
    let answer = &reading.answer;
    let open = if rules.negotiate { Format::Auto } else { Format::Source };
    all.format = answer.format.unwrap_or(open);
    all.quality = answer.quality.map_or(Quality::Site, Quality::Fixed);
    if answer.quality.is_none() {
        all.format_quality.clone_from(&answer.format_quality);
    }
    all.max_bytes = answer.max_bytes;
    all.keep_profile = answer.keeps_profile;
    all.metadata = match (answer.keeps_metadata, answer.keeps_copyright) {
        (true, _) => Metadata::Keep,
        (false, true) => Metadata::Copyright,
        (false, false) => Metadata::None,
    };
}

/// A picture that lies on a canvas lies there by the extension's gravity, any other is cut by the common one.
fn fit(reading: &Reading<'_>) -> Result<(Fit, Gravity), String> {
    let extension = reading.extends.or(reading.extends_shape);
    let is_whole = reading.extends.is_some();
    let sides = (reading.width.is_some(), reading.height.is_some());
    if is_whole && !reading.enlarges && matches!(sides, (true, false) | (false, true)) {
        return Err("extend with only one side is not available".into());
    }
    if reading.resizing == Resizing::Force && matches!(sides, (true, false) | (false, true)) {
        return Err("resizing type force with only one side is not available".into());
    }
    let by_common = |fit: Fit| Ok((fit, reading.gravity));
    match (reading.resizing, reading.enlarges, extension) {
        (Resizing::Fit, true, None) => by_common(Fit::Contain),
        (Resizing::Fit, false, None) => by_common(Fit::ScaleDown),
        (Resizing::Fit, true, Some(place)) => Ok((Fit::Pad, place)),
        (Resizing::Fit, false, Some(place)) => {
            Ok((if is_whole { Fit::Extend } else { Fit::ExtendShape }, place))
        }
        (Resizing::Fill | Resizing::FillDown, true, _) => by_common(Fit::Cover),
        (Resizing::Fill, false, None) => by_common(Fit::Crop),
        (Resizing::Fill, false, Some(place)) if is_whole && place == Gravity::default() => {
            by_common(Fit::CropExtend)
        }
        // the result already has the shape of the box
        (Resizing::FillDown, false, _) if !is_whole => by_common(Fit::CoverDown),
        (Resizing::Force, true, _) => by_common(Fit::Squeeze),
        (Resizing::Force, false, _) if !is_whole => by_common(Fit::SqueezeDown),
        (Resizing::Auto, false, None) => by_common(Fit::Turned),
        (Resizing::Auto, true, _) => Err("resizing type auto with enlarge is not available".into()),
        (_, _, _) => Err("extend is not available with this resizing type".into()),
    }
}

fn crop(reading: &Reading<'_>) -> Option<Crop> {
    let (width, height) = reading.crop;
    let nothing = Length::default();
    let place = reading.crop_gravity.unwrap_or(reading.gravity);
    let crop = Crop { width, height, aspect: None, place: CropPlace::By(place) };
    (width != nothing || height != nothing).then_some(crop)
}

fn watermark(reading: &Reading<'_>, rules: &Rules) -> Option<Watermark> {
    let (mark, name) = reading.look.mark.zip(rules.imgproxy.watermark.clone())?;
    Some(Watermark { name, opacity: mark.opacity, spot: mark.spot, x: mark.x, y: mark.y, scale: mark.scale })
}

/// From the axes of the result to those before turns and flips, and from flips after the turn to flips before it.
fn turn_back(all: &mut Transform, (horizontal, vertical): (bool, bool)) {
    let quarters = turn::quarters(all.rotate).unwrap_or(0);
    let before = |gravity| turn::before_turn(turn::before_flips(gravity, horizontal, vertical), quarters);
    all.gravity = before(all.gravity);
    let is_on_its_side = quarters % 2 == 1;
    if let Some(crop) = &mut all.crop {
        if let CropPlace::By(gravity) = crop.place {
            crop.place = CropPlace::By(before(gravity));
        }
        if is_on_its_side {
            std::mem::swap(&mut crop.width, &mut crop.height);
        }
    }
    turn::box_before(all);
    (all.flip_horizontal, all.flip_vertical) =
        if is_on_its_side { (vertical, horizontal) } else { (horizontal, vertical) };
}

/// The inverse, for writing: flips after the turn, everything in the axes of the result.
pub(super) fn turned_forth(all: &Transform) -> (Transform, (bool, bool)) {
    let mut forth = all.clone();
    let quarters = turn::quarters(all.rotate).unwrap_or(0);
    let is_on_its_side = quarters % 2 == 1;
    let flips = if is_on_its_side {
        (all.flip_vertical, all.flip_horizontal)
    } else {
        (all.flip_horizontal, all.flip_vertical)
    };
    // undoing the way back: flips are their own inverse, and so are four quarters
    let after = |gravity| turn::before_flips(turn::before_turn(gravity, 4 - quarters), flips.0, flips.1);
    forth.gravity = after(forth.gravity);
    if let Some(crop) = &mut forth.crop {
        if let CropPlace::By(gravity) = crop.place {
            crop.place = CropPlace::By(after(gravity));
        }
        if is_on_its_side {
            std::mem::swap(&mut crop.width, &mut crop.height);
        }
    }
    turn::box_before(&mut forth);
    (forth, flips)
}
