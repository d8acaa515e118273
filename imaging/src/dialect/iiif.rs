//! `<prefix><identifier>/<region>/<size>/<rotation>/<quality>.<format>`: the IIIF Image API 3.0, level 2 and most of what is
//! optional.
//!
//! An identifier is the percent-encoded path of a picture, or its absolute URL; slashes that a proxy has decoded are put up
//! with. Sizes and gravity come before the rotation here, as in a [`Transform`]. A size without `^` must not enlarge, which
//! only shows when the source is known: [`crate::path::Wants::never_larger`] asks for [`check_size`].

use super::rules::IiifRules;
use super::{Asks, Dialect, Fault, Refusal, Rules, imgproxy, pairs, refusal, refuse};
use crate::path::{Parsed, Wants, quoted};
use crate::transform::{Crop, CropPlace, Fit, Format, Gravity, Length, Milli, SIDE_MAX, Transform};

mod info;

pub use info::{INFO_CONTENT_TYPE, check_size, iiif_info};

/// The document about a picture.
const INFO: &str = "info.json";

/// Greys from this on are white in two colours.
const BITONAL: u8 = 128;

/// Whether a path is of the Image API, and what it asks.
pub(super) fn asks(path: &str, rules: &Rules) -> Option<Asks> {
    let rest = path.strip_prefix(rules.iiif.prefix.as_str())?;
    let identifier = rest.strip_suffix('/').unwrap_or(rest);
    if identifier.is_empty() {
        return None;
    }
    if !identifier.contains('/') {
        return Some(Asks::Redirect(format!("{}{identifier}/{INFO}", rules.iiif.prefix)));
    }
    let is_info = rest.rsplit_once('/').is_some_and(|(_, last)| last == INFO);
    Some(if is_info { Asks::Info } else { Asks::Image })
}

pub(super) fn parse(target: &str, rules: &Rules) -> Result<Parsed, Refusal> {
    let bad = |reason: String| refuse(Dialect::Iiif, Fault::Url, reason);
    let (path, _) = pairs::split(target);
    let rest = path.strip_prefix(rules.iiif.prefix.as_str()).unwrap_or(path);
    let (identifier, transform, wants) = match rest.strip_suffix(INFO).and_then(|rest| rest.strip_suffix('/'))
    {
        Some(identifier) => {
            let transform = Transform { format: Format::Json, ..Transform::default() };
            (identifier, transform.canonical(), Wants::default())
        }
        None => {
            let mut parts = rest.rsplitn(5, '/');
            let mut next = || parts.next().unwrap_or_default();
            let (file, rotation, size, region) = (next(), next(), next(), next());
            let identifier = next();
            if identifier.is_empty() {
                let reason = "write <identifier>/<region>/<size>/<rotation>/<quality>.<format>";
                return Err(refusal::text(404, reason.into(), reason.into()));
            }
            let (transform, wants) = transform([region, size, rotation, file], &rules.iiif)?;
            (identifier, transform, wants)
        }
    };
    let identifier =
        decoded(identifier).ok_or_else(|| bad("the identifier is not percent-encoded utf-8".into()))?;
    let source = imgproxy::resolved(&identifier, rules.base.as_deref())
        .map_err(|error| refuse(Dialect::Iiif, Fault::Source, error.message))?;
    Ok(Parsed { transform, source, wants })
}

fn decoded(text: &str) -> Option<String> {
    percent_encoding::percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

fn transform(parts: [&str; 4], rules: &IiifRules) -> Result<(Transform, Wants), Refusal> {
    let bad = |reason: String| refuse(Dialect::Iiif, Fault::Url, reason);
    let decoded = parts.map(decoded);
    let [Some(region), Some(size), Some(rotation), Some(file)] = decoded else {
        return Err(bad("a parameter is not percent-encoded utf-8".into()));
    };
    let mut all = Transform { crop: self::region(&region).map_err(bad)?, ..Transform::default() };
    let size = self::size(&size, rules)?;
    put(&mut all, &size);
    let (is_mirrored, angle) = self::rotation(&rotation).map_err(bad)?;
    (all.flip_horizontal, all.rotate) = (is_mirrored, angle);
    let (quality, format) =
        file.split_once('.').ok_or_else(|| bad(wrong("quality", &file, "default.jpg")))?;
    match quality {
        "default" | "color" => {}
        "gray" => all.look.grayscale = true,
        "bitonal" => all.look.threshold = Some(BITONAL),
        _ => return Err(bad(wrong("quality", quality, "default, color, gray, bitonal"))),
    }
    all.format = self::format(format).map_err(bad)?;
    let wants = Wants { never_larger: size.never_larger, ..Wants::default() };
    Ok((all.canonical(), wants))
}

fn wrong(name: &str, value: &str, expected: &str) -> String {
    format!("{name} is {}; accepted: {expected}", quoted(value))
}

fn whole(text: &str) -> Option<u32> {
    crate::path::options::values::whole(text).filter(|_| !text.is_empty())
}

fn region(text: &str) -> Result<Option<Crop>, String> {
    let bad = || wrong("region", text, "full, square, x,y,w,h, pct:x,y,w,h");
    match text {
        "full" => return Ok(None),
        "square" => {
            let place = CropPlace::By(Gravity::default());
            let (width, height) = (Length::default(), Length::default());
            return Ok(Some(Crop { width, height, aspect: Some((1, 1)), place }));
        }
        _ => {}
    }
    let (is_share, numbers) = text.strip_prefix("pct:").map_or((false, text), |numbers| (true, numbers));
    let length = |text: &str| {
        if is_share {
            let thousandths = (Milli::parse(text)?.0 + 50) / 100;
            return i32::try_from(thousandths.min(1_000)).ok().map(Length::Share);
        }
        // beyond any picture is cut off
        i32::try_from(whole(text)?.min(SIDE_MAX)).ok().map(Length::Pixels)
    };
    let parts: Option<Vec<Length>> = numbers.split(',').map(length).collect();
    let Some([x, y, width, height]) = parts.as_deref() else { return Err(bad()) };
    let is_none = |side: &Length| side.canonical() == Length::default();
    if is_none(width) || is_none(height) {
        return Err("the region is empty: its width and height have to be more than 0".into());
    }
    if [x, y].iter().any(|corner| matches!(corner, Length::Share(1_000..))) {
        return Err("the region lies outside the picture".into());
    }
    let is_whole = |side: &Length| *side == Length::Share(1_000);
    if is_none(x) && is_none(y) && is_whole(width) && is_whole(height) {
        return Ok(None);
    }
    Ok(Some(Crop { width: *width, height: *height, aspect: None, place: CropPlace::At(*x, *y) }))
}

/// A size parameter.
struct Size {
    kind: Kind,
    enlarges: bool,
    never_larger: bool,
}

enum Kind {
    /// As it is, within limits where there are any.
    Max(Option<(u32, u32)>),
    Factor(Milli),
    Width(u32),
    Height(u32),
    /// Both sides, whatever becomes of the shape.
    Exact(u32, u32),
    Within(u32, u32),
}

fn size(text: &str, rules: &IiifRules) -> Result<Size, Refusal> {
    const EXPECTED: &str = "max, w, or ,h or w,h or !w,h in pixels, pct:n, each with ^ before it to enlarge";
    let bad = || refuse(Dialect::Iiif, Fault::Url, wrong("size", text, EXPECTED));
    let (enlarges, said) = text.strip_prefix('^').map_or((false, text), |said| (true, said));
    if enlarges && !rules.upscaling {
        let reason = "sizes with ^ are not available";
        return Err(refusal::text(501, reason.into(), reason.into()));
    }
    let kind = kind(said, enlarges, rules).ok_or_else(bad)?;
    let is_too_large = |width: u32, height: u32| {
        let area = u64::from(width) * u64::from(height);
        width > rules.max_width || height > rules.max_height || rules.max_area.is_some_and(|max| area > max)
    };
    let too_large = match kind {
        Kind::Width(width) => is_too_large(width, 1),
        Kind::Height(height) => is_too_large(1, height),
        Kind::Exact(width, height) => is_too_large(width, height),
        Kind::Max(_) | Kind::Factor(_) | Kind::Within(_, _) => false,
    };
    if too_large {
        let reason =
            format!("size is {}; at most {} by {} pixels", quoted(text), rules.max_width, rules.max_height);
        return Err(refuse(Dialect::Iiif, Fault::Url, reason));
    }
    // as large as possible, but not larger, is never an error
    let never_larger = !enlarges && !matches!(kind, Kind::Max(_) | Kind::Within(_, _));
    Ok(Size { kind, enlarges, never_larger })
}

fn kind(said: &str, enlarges: bool, rules: &IiifRules) -> Option<Kind> {
    if said == "max" {
        let is_limited = rules.max_width < SIDE_MAX || rules.max_height < SIDE_MAX;
        return Some(Kind::Max((enlarges || is_limited).then_some((rules.max_width, rules.max_height))));
    }
    if let Some(percent) = said.strip_prefix("pct:") {
        let factor = Milli(Milli::parse(percent)?.0 / 100);
        let most = if enlarges { 100_000 } else { 1_000 };
        return (factor > Milli::ZERO && factor.0 <= most).then_some(Kind::Factor(factor));
    }
    let (is_within, sides) = said.strip_prefix('!').map_or((false, said), |sides| (true, sides));
    let (width, height) = sides.split_once(',')?;
    let side = |text: &str| whole(text).filter(|side| (1..=SIDE_MAX).contains(side));
    match (width.is_empty(), height.is_empty(), is_within) {
        (false, true, false) => side(width).map(Kind::Width),
        (true, false, false) => side(height).map(Kind::Height),
        (false, false, false) => Some(Kind::Exact(side(width)?, side(height)?)),
        (false, false, true) => {
            Some(Kind::Within(side(width)?.min(rules.max_width), side(height)?.min(rules.max_height)))
        }
        _ => None,
    }
}

fn put(all: &mut Transform, size: &Size) {
    let (inside, exact) =
        if size.enlarges { (Fit::Contain, Fit::Squeeze) } else { (Fit::ScaleDown, Fit::SqueezeDown) };
    all.fit = inside;
    match size.kind {
        Kind::Max(None) => {}
        Kind::Factor(factor) => all.zoom = Some((factor, factor)),
        Kind::Width(width) => all.width = Some(width),
        Kind::Height(height) => all.height = Some(height),
        Kind::Exact(width, height) => {
            all.fit = exact;
            (all.width, all.height) = (Some(width), Some(height));
        }
        Kind::Within(width, height) | Kind::Max(Some((width, height))) => {
            (all.width, all.height) = (Some(width), Some(height));
        }
    }
}

/// Whether it is mirrored first, and the angle, 0 to 360.
fn rotation(text: &str) -> Result<(bool, Milli), String> {
    let (is_mirrored, angle) = text.strip_prefix('!').map_or((false, text), |angle| (true, angle));
    let angle = Milli::parse(angle).filter(|angle| angle.0 <= 360_000);
    let angle = angle.ok_or_else(|| wrong("rotation", text, "0 to 360, with ! before it to mirror"))?;
    Ok((is_mirrored, Milli(angle.0 % 360_000)))
}

fn format(text: &str) -> Result<Format, String> {
    Ok(match text {
        "jpg" => Format::Jpeg,
        "png" => Format::Png,
        "webp" => Format::Webp,
        "gif" => Format::Gif,
        "avif" => Format::Avif,
        _ => return Err(wrong("format", text, "jpg, png, webp, gif, avif")),
    })
}

#[cfg(test)]
mod tests;
