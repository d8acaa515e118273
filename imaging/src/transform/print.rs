//! The printed form of a canonical transform: what differs from the defaults, in one order.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    Border, Corners, Fit, Gravity, Look, Metadata, Milli, Quality, Reduction, Sides, Text, Transform,
    Watermark,
};

/// What a text keeps as it is between commas and semicolons.
const IN_TEXT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Prints; `all` is canonical.
pub(super) fn print(all: &Transform, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    source(all, out)?;
    size(all, out)?;
    look(&all.look, out)?;
    frame(all, out)?;
    marks(all, out)?;
    encoding(all, out)
}

fn source(all: &Transform, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(page) = all.page {
        write!(out, "page={page},")?;
    } else if all.still {
        out.write_str("anim=false,")?;
    }
    if all.ignore_orientation {
        out.write_str("auto-orient=false,")?;
    }
    if let Some(trim) = all.trim {
        write!(out, "trim={trim},")?;
    }
    if let Some(crop) = all.crop {
        write!(out, "crop={crop},")?;
    }
    Ok(())
}

fn size(all: &Transform, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (name, side) in
        [("w", all.width), ("h", all.height), ("min-width", all.min_width), ("min-height", all.min_height)]
    {
        if let Some(side) = side {
            write!(out, "{name}={side},")?;
        }
    }
    if let Some((wide, high)) = all.aspect {
        write!(out, "aspect={wide}:{high},")?;
    }
    if let Some((x, y)) = all.zoom {
        write!(out, "scale={x};{y},")?;
    }
    let has_box = all.width.is_some() || all.height.is_some() || all.aspect.is_some();
    if has_box || all.fit != Fit::default() {
        write!(out, "fit={},", all.fit.as_str())?;
    }
    if all.gravity != Gravity::default() {
        write!(out, "g={},", all.gravity)?;
    }
    if all.rotate != Milli::ZERO {
        write!(out, "rotate={},", all.rotate)?;
    }
    match (all.flip_horizontal, all.flip_vertical) {
        (false, false) => Ok(()),
        (true, false) => out.write_str("flip=h,"),
        (false, true) => out.write_str("flip=v,"),
        (true, true) => out.write_str("flip=hv,"),
    }
}

fn look(look: &Look, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let plain = Look::default();
    for (name, value, unchanged) in [
        ("blur", look.blur, plain.blur),
        ("sharpen", look.sharpen, plain.sharpen),
        ("brightness", look.brightness, plain.brightness),
        ("contrast", look.contrast, plain.contrast),
        ("saturation", look.saturation, plain.saturation),
        ("gamma", look.gamma, plain.gamma),
    ] {
        if value != unchanged {
            write!(out, "{name}={value},")?;
        }
    }
    if let Some(mask) = look.unsharp {
        write!(out, "unsharp={};{};{},", mask.radius, mask.amount, mask.threshold)?;
    }
    if look.pixelate > 0 {
        write!(out, "pixelate={},", look.pixelate)?;
    }
    if let Some(threshold) = look.threshold {
        write!(out, "threshold={threshold},")?;
    }
    out.write_str(if look.grayscale { "grayscale=true," } else { "" })
}

fn frame(all: &Transform, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match all.corners {
        None => {}
        Some(Corners::Radius(radius)) => write!(out, "radius={radius},")?,
        Some(Corners::Max) => out.write_str("radius=max,")?,
    }
    if all.padding != Sides::default() {
        write!(out, "padding={},", all.padding)?;
    }
    if let Some(Border { sides, colour }) = all.border {
        write!(out, "border={sides};{colour},")?;
    }
    Ok(())
}

fn marks(all: &Transform, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(Watermark { name, opacity, spot, x, y, scale }) = &all.watermark {
        let name = utf8_percent_encode(name, IN_TEXT);
        write!(out, "watermark={name};{opacity};{spot};{x};{y};{scale},")?;
    }
    if let Some(Text { text, size, colour, opacity, spot, x, y }) = &all.text {
        let text = utf8_percent_encode(text, IN_TEXT);
        write!(out, "text={text};{size};{colour};{opacity};{spot};{x};{y},")?;
    }
    Ok(())
}

fn encoding(all: &Transform, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match all.quality {
        Quality::Site => {}
        Quality::Fixed(quality) => write!(out, "q={quality},")?,
        Quality::Auto => out.write_str("q=auto,")?,
    }
    for (at, (format, quality)) in all.format_quality.iter().enumerate() {
        write!(out, "{}{};{quality}", if at == 0 { "fq=" } else { ";" }, format.as_str())?;
    }
    if !all.format_quality.is_empty() {
        out.write_str(",")?;
    }
    if let Some(bytes) = all.max_bytes {
        write!(out, "max-bytes={bytes},")?;
    }
    write!(out, "f={}", all.format.as_str())?;
    for (name, is_set) in
        [("lossless", all.lossless), ("progressive", all.progressive), ("keep-profile", all.keep_profile)]
    {
        if is_set {
            write!(out, ",{name}=true")?;
        }
    }
    if all.metadata != Metadata::default() {
        write!(out, ",metadata={}", all.metadata.as_str())?;
    }
    if all.reduction != Reduction::default() {
        write!(out, ",reduce={}", all.reduction.as_str())?;
    }
    if let Some(background) = all.background {
        write!(out, ",background={background}")?;
    }
    Ok(())
}
