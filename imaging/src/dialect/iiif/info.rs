//! What the Image API says once the source is known.

use std::fmt::Write as _;

use crate::dialect::refusal::json_text;
use crate::dialect::rules::IiifRules;
use crate::dialect::{Dialect, Fault, Refusal, refuse};
use crate::path::Parsed;
use crate::transform::{CropPlace, Length, Milli, Transform};

/// The media type of [`iiif_info`] (Image API 3.0 section 5.1).
pub const INFO_CONTENT_TYPE: &str = "application/ld+json;profile=\"http://iiif.io/api/image/3/context.json\"";

/// Side of the tiles that viewers are told to ask for, in pixels.
const TILE_SIDE: u32 = 512;

/// Shorter side of the smallest size that viewers are told of, in pixels.
const SMALLEST_SIDE: u32 = 64;

/// The document about a picture of `width` by `height` pixels as seen (Image API 3.0 section 5). `id_url` is the URL of the
/// prefix with the identifier, without a slash at its end.
#[must_use]
pub fn iiif_info(id_url: &str, width: u32, height: u32, rules: &IiifRules) -> String {
    let mut out = String::from("{\"@context\":\"http://iiif.io/api/image/3/context.json\"");
    push(&mut out, format_args!(",\"id\":{}", json_text(id_url)));
    out.push_str(
        ",\"type\":\"ImageService3\",\"protocol\":\"http://iiif.io/api/image\",\"profile\":\"level2\"",
    );
    push(&mut out, format_args!(",\"width\":{width},\"height\":{height}"));
    push(&mut out, format_args!(",\"maxWidth\":{},\"maxHeight\":{}", rules.max_width, rules.max_height));
    if let Some(area) = rules.max_area {
        push(&mut out, format_args!(",\"maxArea\":{area}"));
    }
    let fits = |(width, height): &(u32, u32)| {
        let area = u64::from(*width) * u64::from(*height);
        *width <= rules.max_width
            && *height <= rules.max_height
            && rules.max_area.is_none_or(|max| area <= max)
    };
    let sizes: Vec<_> = halves(width, height).into_iter().filter(fits).collect();
    let sizes: Vec<_> = sizes
        .iter()
        .rev()
        .map(|(width, height)| format!("{{\"width\":{width},\"height\":{height}}}"))
        .collect();
    push(&mut out, format_args!(",\"sizes\":[{}]", sizes.join(",")));
    if fits(&(TILE_SIDE, TILE_SIDE)) {
        let factors: Vec<_> = factors(width, height).iter().map(u32::to_string).collect();
        let factors = factors.join(",");
        push(
            &mut out,
            format_args!(
                ",\"tiles\":[{{\"width\":{TILE_SIDE},\"height\":{TILE_SIDE},\"scaleFactors\":[{factors}]}}]"
            ),
        );
    }
    out.push_str(",\"preferredFormats\":[\"webp\",\"jpg\"],\"extraFormats\":[\"webp\",\"gif\",\"avif\"]");
    out.push_str(",\"extraQualities\":[\"color\",\"gray\",\"bitonal\"]");
    out.push_str(",\"extraFeatures\":[\"mirroring\",\"rotationArbitrary\"");
    if rules.upscaling {
        out.push_str(",\"sizeUpscaling\"");
    }
    out.push_str("]}");
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // writing to a string does not fail
    let _written = out.write_fmt(text);
}

/// The size and its halves, down to a thumbnail.
fn halves(width: u32, height: u32) -> Vec<(u32, u32)> {
    let scaled = |factor: u32| (width.div_ceil(factor).max(1), height.div_ceil(factor).max(1));
    let factors = std::iter::successors(Some(1_u32), |factor| factor.checked_mul(2));
    factors
        .map(scaled)
        .enumerate()
        .take_while(|(at, (width, height))| *at == 0 || (*width).min(*height) >= SMALLEST_SIDE)
        .map(|(_, size)| size)
        .collect()
}

/// Powers of two until one tile is enough.
fn factors(width: u32, height: u32) -> Vec<u32> {
    let mut factors = vec![1];
    let mut factor = 1_u32;
    while width.max(height).div_ceil(factor) > TILE_SIDE {
        factor = factor.saturating_mul(2);
        factors.push(factor);
    }
    factors
}

/// Judges a parsed URL by its source's size as seen: a region outside, an empty result, and a result larger than the region
/// where the size does not say `^` (Image API 3.0 sections 4.1 and 4.2).
///
/// # Errors
/// 400.
pub fn check_size(parsed: &Parsed, width: u32, height: u32) -> Result<(), Refusal> {
    let bad = |reason: String| Err(refuse(Dialect::Iiif, Fault::Url, reason));
    let all = &parsed.transform;
    let (wide, high) = region_size(all, f64::from(width), f64::from(height));
    if wide < 1.0 || high < 1.0 {
        return bad("the region lies outside the picture".into());
    }
    if !parsed.wants.never_larger {
        return Ok(());
    }
    let is_larger = |side: Option<u32>, of: f64| side.is_some_and(|side| f64::from(side) > of.round());
    if is_larger(all.width, wide) || is_larger(all.height, high) {
        return bad(format!(
            "the size is larger than the region of {wide:.0} by {high:.0} pixels; write ^ before it"
        ));
    }
    let (x, y) = all.zoom.unwrap_or((Milli::ONE, Milli::ONE));
    if (wide * x.as_f64()).round() < 1.0 || (high * y.as_f64()).round() < 1.0 {
        return bad("the result would have less than one pixel".into());
    }
    Ok(())
}

/// The part of the source that is used, cut at the source's edges.
fn region_size(all: &Transform, width: f64, height: f64) -> (f64, f64) {
    let Some(crop) = all.crop else { return (width, height) };
    let side = |length: Length, of: f64| if length == Length::default() { of } else { length.of(of) };
    let (mut wide, mut high) = (side(crop.width, width), side(crop.height, height));
    if let CropPlace::At(x, y) = crop.place {
        wide = wide.min(width - x.of(width));
        high = high.min(height - y.of(height));
    }
    if let Some((aspect_wide, aspect_high)) = crop.aspect {
        let ratio = f64::from(aspect_wide) / f64::from(aspect_high);
        (wide, high) = (wide.min(high * ratio), high.min(wide / ratio));
    }
    (wide, high)
}
