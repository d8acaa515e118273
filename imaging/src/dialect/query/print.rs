//! Writing imgix's parameters.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::dialect::Rules;
use crate::dialect::cloudflare;
use crate::path::Source;
use crate::transform::{
    Border, Compass, Corners, Crop, CropPlace, Fit, Format, Gravity, Length, Look, Metadata, Milli, Quality,
    Sides, Transform, Trim, Unsharp,
};

/// The one way to write it; what has no words here is left out, which whoever asked will notice.
pub(in crate::dialect) fn print(
    transform: &Transform,
    source: &Source,
    rules: &Rules,
    expires_s: Option<u64>,
) -> Vec<String> {
    let Some(pairs) = pairs(transform, rules) else { return Vec::new() };
    let mut query: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(&value, IN_VALUE)))
        .collect();
    // our own signature brings its own expiry
    let is_ours = rules.imgix.token.is_none() && !rules.own.keys.is_empty();
    query.extend(expires_s.filter(|_| !is_ours).map(|seconds| format!("expires={seconds}")));
    let path = match source {
        Source::Path(path) => path.clone(),
        Source::Url { .. } => {
            format!("/{}", utf8_percent_encode(&cloudflare::written(source), NON_ALPHANUMERIC))
        }
    };
    let joint = match (query.is_empty(), path.contains('?')) {
        (true, _) => "",
        (false, true) => "&",
        (false, false) => "?",
    };
    vec![format!("{path}{joint}{}", query.join("&"))]
}

/// What values keep as it is.
const IN_VALUE: &percent_encoding::AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b',').remove(b':');

type Pairs = Vec<(&'static str, String)>;

fn pairs(transform: &Transform, rules: &Rules) -> Option<Pairs> {
    let all = transform;
    let mut pairs: Pairs = Vec::new();
    let is_mirrored = all.flip_horizontal || all.flip_vertical;
    let mut said = all.clone();
    crate::dialect::turn::box_before(&mut said);
    let quarters = crate::dialect::turn::quarters(all.rotate)?;
    said.gravity = crate::dialect::turn::before_flips(said.gravity, all.flip_horizontal, all.flip_vertical);
    said.gravity = crate::dialect::turn::before_turn(said.gravity, 4 - quarters);
    size(&said, &mut pairs)?;
    if all.rotate != Milli::ZERO {
        pairs.push(("rot", Milli(360_000 - all.rotate.0).to_string()));
    }
    if is_mirrored {
        let axes = match (all.flip_horizontal, all.flip_vertical) {
            (true, true) => "hv",
            (true, false) => "h",
            (false, _) => "v",
        };
        pairs.push(("flip", axes.into()));
    }
    frame(all, &mut pairs)?;
    look(&all.look, &mut pairs)?;
    encoding(all, rules, &mut pairs)?;
    Some(pairs)
}

fn size(all: &Transform, pairs: &mut Pairs) -> Option<()> {
    let fit = match all.fit {
        Fit::Contain => "clip",
        Fit::ScaleDown => "max",
        Fit::Cover => "crop",
        Fit::CoverDown => "min",
        Fit::Pad => "fill",
        Fit::Extend => "fillmax",
        Fit::Squeeze => "scale",
        Fit::Outside => "outside",
        Fit::Crop
        | Fit::ScaleUp
        | Fit::Turned
        | Fit::OutsideDown
        | Fit::SqueezeDown
        | Fit::CropExtend
        | Fit::ExtendShape => {
            return None;
        }
    };
    for (name, side) in [("w", all.width), ("h", all.height)] {
        pairs.extend(side.map(|side| (name, side.to_string())));
    }
    pairs.extend(all.aspect.map(|(wide, high)| ("ar", format!("{wide}:{high}"))));
    match all.zoom {
        None => {}
        Some((x, y)) if x == y && x < Milli::ONE => pairs.push(("w", x.to_string())),
        Some(_) => return None,
    }
    pairs.push(("fit", fit.into()));
    match all.gravity {
        Gravity::Compass(_, x, y) if (x, y) != (Length::default(), Length::default()) => return None,
        Gravity::Compass(Compass::Center, _, _) => {}
        Gravity::Compass(compass, _, _) => pairs.push(("crop", compass.as_str().replace('-', ","))),
        Gravity::Focus(x, y) => {
            pairs.push(("crop", "focalpoint".into()));
            pairs.push(("fp-x", x.to_string()));
            pairs.push(("fp-y", y.to_string()));
        }
        Gravity::Attention => pairs.push(("crop", "edges".into())),
        Gravity::Entropy => pairs.push(("crop", "entropy".into())),
    }
    Some(())
}

fn frame(all: &Transform, pairs: &mut Pairs) -> Option<()> {
    match all.crop {
        None => {}
        Some(Crop {
            width: Length::Pixels(width),
            height: Length::Pixels(height),
            aspect: None,
            place: CropPlace::At(Length::Pixels(x), Length::Pixels(y)),
        }) => pairs.push(("rect", format!("{x},{y},{width},{height}"))),
        Some(_) => return None,
    }
    let sides = |Sides { top, right, bottom, left }: Sides| format!("{top},{right},{bottom},{left}");
    match all.trim {
        None => {}
        Some(Trim::Sides(cut)) => pairs.push(("trim", sides(cut))),
        Some(Trim::Margins { tolerance, colour, .. }) => {
            pairs.push(("trim", "color".into()));
            pairs.push(("trim-tol", tolerance.to_string()));
            pairs.extend(colour.map(|colour| ("trim-color", colour.to_string())));
        }
    }
    if all.padding != Sides::default() {
        pairs.push(("pad", sides(all.padding)));
    }
    if let Some(Border { sides, colour }) = all.border {
        pairs.push(("border", format!("{},{colour}", sides.top)));
    }
    match all.corners {
        None => {}
        Some(Corners::Max) => pairs.push(("mask", "ellipse".into())),
        Some(Corners::Radius(radius)) => {
            pairs.push(("mask", "corners".into()));
            pairs.push(("corner-radius", radius.to_string()));
        }
    }
    pairs.extend(all.background.map(|colour| ("bg", colour.to_string())));
    Some(())
}

fn look(look: &Look, pairs: &mut Pairs) -> Option<()> {
    if look.blur != Milli::ZERO {
        pairs.push(("blur", Milli(look.blur.0.checked_mul(8)?).to_string()));
    }
    if look.sharpen != Milli::ZERO {
        pairs.push(("sharp", Milli(look.sharpen.0.checked_mul(10)?).to_string()));
    }
    if let Some(Unsharp { radius, amount, .. }) = look.unsharp {
        pairs.push(("usm", Milli(amount.0.checked_mul(100)?).to_string()));
        pairs.push(("usmrad", radius.to_string()));
    }
    if look.pixelate > 0 {
        pairs.push(("px", look.pixelate.to_string()));
    }
    for (name, factor) in [("bri", look.brightness), ("con", look.contrast), ("sat", look.saturation)] {
        if factor != Milli::ONE {
            let sign = if factor < Milli::ONE { "-" } else { "" };
            pairs.push((name, format!("{sign}{}", Milli(factor.0.abs_diff(1_000).checked_mul(100)?))));
        }
    }
    Some(())
}

fn encoding(all: &Transform, rules: &Rules, pairs: &mut Pairs) -> Option<()> {
    match (all.quality, all.format_quality.as_slice()) {
        (Quality::Site, []) => {}
        (Quality::Fixed(quality), []) => pairs.push(("q", quality.to_string())),
        (Quality::Fixed(quality), [(Format::Webp, webp)]) => pairs.push(("q", format!("{quality},{webp}"))),
        (Quality::Auto, []) => pairs.push(("q", "auto".into())),
        (_, _) => return None,
    }
    match all.format {
        Format::Auto if rules.negotiate => {}
        Format::Auto => pairs.push(("auto", "format".into())),
        Format::Source if rules.negotiate => pairs.push(("fm", "origin".into())),
        Format::Source => {}
        Format::Best => return None,
        format => pairs.push(("fm", format.as_str().into())),
    }
    for (name, is_set) in [("lossless", all.lossless), ("jpg-progressive", all.progressive)] {
        if is_set {
            pairs.push((name, "true".into()));
        }
    }
    if all.keep_profile {
        pairs.push(("cs", "origin".into()));
    }
    match all.metadata {
        Metadata::None => {}
        Metadata::Copyright => pairs.push(("metadata", "copyright".into())),
        Metadata::Keep => return None,
    }
    match (all.page, all.still) {
        (Some(page), _) => pairs.push(("frame", page.checked_add(1)?.to_string())),
        (None, true) => pairs.push(("frame", "1".into())),
        (None, false) => {}
    }
    Some(())
}
