//! Writing imgproxy's paths.

use data_encoding::BASE64URL_NOPAD;

use super::finish;
use super::values::compass_word;
use crate::dialect::{Rules, cloudflare, signature};
use crate::path::Source;
use crate::transform::{
    Crop, CropPlace, Fit, Format, Gravity, Length, Metadata, Milli, Quality, Sides, Spot, Transform, Trim,
    Watermark,
};

/// The one way to write it; what has no words here is left out, which whoever asked will notice.
pub(in crate::dialect) fn print(
    transform: &Transform,
    source: &Source,
    rules: &Rules,
    expires_s: Option<u64>,
) -> Vec<String> {
    let Some(mut options) = options(transform, rules) else { return Vec::new() };
    options.extend(expires_s.map(|seconds| format!("exp:{seconds}")));
    options.push(BASE64URL_NOPAD.encode(cloudflare::written(source).as_bytes()));
    let path = format!("/{}", options.join("/"));
    let signature = match rules.imgproxy.pairs.first() {
        Some(pair) => signature::imgproxy(pair, &path, rules.imgproxy.signature_bytes),
        None => "unsafe".to_owned(),
    };
    vec![format!("{}{signature}{path}", rules.imgproxy.prefix)]
}

fn options(transform: &Transform, rules: &Rules) -> Option<Vec<String>> {
    let (all, (horizontal, vertical)) = finish::turned_forth(transform);
    let mut options = size(&all)?;
    options.extend(all.crop.and_then(crop));
    options.extend(all.trim.and_then(trim));
    if all.rotate != Milli::ZERO {
        options.push(format!("rot:{}", all.rotate));
    }
    if horizontal || vertical {
        options.push(format!("fl:{}:{}", u8::from(horizontal), u8::from(vertical)));
    }
    if all.padding != Sides::default() {
        let Sides { top, right, bottom, left } = all.padding;
        options.push(format!("pd:{top}:{right}:{bottom}:{left}"));
    }
    options.extend(all.background.map(|colour| format!("bg:{colour}")));
    for (name, value) in [("bl", all.look.blur), ("sh", all.look.sharpen)] {
        if value != Milli::ZERO {
            options.push(format!("{name}:{value}"));
        }
    }
    if all.look.pixelate > 0 {
        options.push(format!("pix:{}", all.look.pixelate));
    }
    options.extend(all.watermark.as_ref().map(watermark));
    if all.ignore_orientation {
        options.push("ar:0".into());
    }
    options.extend(encoding(&all, rules)?);
    Some(options)
}

fn size(all: &Transform) -> Option<Vec<String>> {
    let (kind, enlarges, extension) = match all.fit {
        Fit::Contain => ("fit", true, None),
        Fit::ScaleDown => ("fit", false, None),
        Fit::Pad => ("fit", true, Some("ex")),
        Fit::Extend => ("fit", false, Some("ex")),
        Fit::ExtendShape => ("fit", false, Some("exar")),
        Fit::Cover => ("fill", true, None),
        Fit::Crop => ("fill", false, None),
        Fit::CropExtend => ("fill", false, Some("ex")),
        Fit::CoverDown => ("fill-down", false, None),
        Fit::Squeeze => ("force", true, None),
        Fit::SqueezeDown => ("force", false, None),
        Fit::Turned => ("auto", false, None),
        Fit::ScaleUp | Fit::Outside | Fit::OutsideDown => return None,
    };
    let side = |side: Option<u32>| side.unwrap_or(0);
    let mut options = Vec::new();
    if all.width.is_some() || all.height.is_some() {
        let (width, height) = (side(all.width), side(all.height));
        options.push(format!("rs:{kind}:{width}:{height}:{}", u8::from(enlarges)));
    }
    let place = gravity(all.gravity)?;
    match (extension, all.fit) {
        (Some(name), Fit::CropExtend) => {
            options.push(format!("{name}:1"));
            options.push(format!("g:{place}"));
        }
        (Some(name), _) => options.push(format!("{name}:1:{place}")),
        (None, _) if all.gravity != Gravity::default() => options.push(format!("g:{place}")),
        (None, _) => {}
    }
    for (name, side) in [("mw", all.min_width), ("mh", all.min_height)] {
        options.extend(side.map(|side| format!("{name}:{side}")));
    }
    options.extend(all.zoom.map(|(x, y)| format!("z:{x}:{y}")));
    Some(options)
}

fn gravity(gravity: Gravity) -> Option<String> {
    Some(match gravity {
        Gravity::Compass(compass, x, y) => {
            format!("{}:{}:{}", compass_word(compass), length(x), length(y))
        }
        Gravity::Focus(x, y) => format!("fp:{x}:{y}"),
        Gravity::Attention => "sm".into(),
        Gravity::Entropy => return None,
    })
}

/// Pixels from 1, a share below; a share of 1 and more has no words.
fn length(length: Length) -> String {
    match length {
        Length::Pixels(pixels) => pixels.to_string(),
        Length::Share(thousandths) => {
            let sign = if thousandths < 0 { "-" } else { "" };
            format!("{sign}{}", Milli(thousandths.unsigned_abs()))
        }
    }
}

fn crop(crop: Crop) -> Option<String> {
    let CropPlace::By(place) = crop.place else { return None };
    Some(format!("c:{}:{}:{}", length(crop.width), length(crop.height), gravity(place)?))
}

fn trim(trim: Trim) -> Option<String> {
    let Trim::Margins { tolerance, colour, equal_horizontal, equal_vertical } = trim else { return None };
    let colour = colour.map(|colour| colour.to_string()).unwrap_or_default();
    Some(format!("t:{tolerance}:{colour}:{}:{}", u8::from(equal_horizontal), u8::from(equal_vertical)))
}

fn watermark(mark: &Watermark) -> String {
    let place = match mark.spot {
        Spot::At(compass) => compass_word(compass),
        Spot::Tiled => "re",
    };
    format!("wm:{}:{place}:{}:{}:{}", mark.opacity, length(mark.x), length(mark.y), mark.scale)
}

fn encoding(all: &Transform, rules: &Rules) -> Option<Vec<String>> {
    let mut options = Vec::new();
    match all.quality {
        Quality::Site => {}
        Quality::Fixed(quality) => options.push(format!("q:{quality}")),
        Quality::Auto => return None,
    }
    if !all.format_quality.is_empty() {
        let pairs: Vec<_> = all
            .format_quality
            .iter()
            .map(|(format, quality)| format!("{}:{quality}", format.as_str()))
            .collect();
        options.push(format!("fq:{}", pairs.join(":")));
    }
    options.extend(all.max_bytes.map(|bytes| format!("mb:{bytes}")));
    match all.metadata {
        Metadata::None => {}
        Metadata::Copyright => options.push("kcr:1".into()),
        Metadata::Keep => options.push("sm:0".into()),
    }
    if all.keep_profile {
        options.push("scp:0".into());
    }
    let open = if rules.negotiate { Format::Auto } else { Format::Source };
    if all.format != open {
        options.push(format!("f:{}", all.format.as_str()));
    }
    Some(options)
}
