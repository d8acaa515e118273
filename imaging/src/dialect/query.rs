//! Parameters in the query of the picture's own path: what Fastly, imgix, Akamai, CloudFront, Gumlet, Supabase and Netlify
//! have in common, and `/.netlify/images?url=…`.
//!
//! Where two of them mean different things by one word, the family decides: Netlify's by its path, Fastly's where sizes are
//! called `width` and `height`, else imgix's. Parameters that one of them has and this pipeline has not are refused by
//! name. Those that nobody knows are left out of source and key, unless the rules say otherwise.

use super::{Dialect, Fault, Refusal, Rules, Unknown, pairs, refuse};
use crate::path::{Parsed, Source, quoted, source};
use crate::transform::{Milli, Transform};
use pairs::Pair;

mod crop;
mod names;
mod print;
mod reading;
mod sizes;
mod values;

pub(super) use print::print;
use reading::Reading;

/// Netlify's path, whose source is a parameter.
const NETLIFY: &str = "/.netlify/images";

/// Extensions of pictures.
const EXTENSIONS: [&str; 15] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "apng", "gif", "webp", "avif", "jxl", "tif", "tiff", "bmp", "heic",
    "svg",
];

/// Whose words a query is in, where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Fastly,
    Imgix,
    Netlify,
}

/// Whether a target is a picture with parameters.
pub(super) fn claims(path: &str, query: &str, rules: &Rules) -> bool {
    if path == NETLIFY {
        return true;
    }
    let names = || query.split('&').map(|raw| raw.split_once('=').map_or(raw, |(name, _)| name));
    if has_extension(path) || is_proxied(path) {
        return names().any(|name| names::is_common(name) || name == "q");
    }
    // a search has a q as well
    rules.query.all_paths && names().any(names::is_common)
}

fn has_extension(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// imgix's web proxy: an absolute URL, encoded as a whole, as the path.
fn is_proxied(path: &str) -> bool {
    let start = path.trim_start_matches('/').get(..9).unwrap_or_default().to_ascii_lowercase();
    start.starts_with("http%3a") || start.starts_with("https%3a")
}

pub(super) fn parse(target: &str, rules: &Rules) -> Result<Parsed, Refusal> {
    let bad = |reason: String| refuse(Dialect::Query, Fault::Url, reason);
    let (path, query) = pairs::split(target);
    let pairs = pairs::read(query.unwrap_or_default()).map_err(bad)?;
    let family = family(path, &pairs);
    let mut reading = Reading::new(family);
    let mut kept: Vec<&str> = Vec::new();
    for pair in pairs.iter().filter(|pair| family != Family::Netlify || pair.name != "url") {
        let is_known = reading.take(&pair.name, &pair.value).map_err(bad)?;
        if is_known || names::is_silent(&pair.name) {
            continue;
        }
        if let Some(reason) = names::absent(&pair.name) {
            return Err(bad(reason));
        }
        match rules.unknown {
            Unknown::Drop => {}
            Unknown::Keep => kept.push(pair.raw),
            Unknown::Refuse => return Err(bad(format!("unknown parameter {}", quoted(&pair.name)))),
        }
    }
    let (transform, wants) = reading.finish(rules).map_err(bad)?;
    let source = read_source(path, family, &pairs, &kept)
        .map_err(|reason| refuse(Dialect::Query, Fault::Source, reason))?;
    Ok(Parsed { transform, source, wants })
}

fn family(path: &str, pairs: &[Pair<'_>]) -> Family {
    let has = |names: &[&str]| pairs.iter().any(|pair| names.contains(&pair.name.as_ref()));
    if path == NETLIFY {
        Family::Netlify
    } else if has(&["width", "height", "bg-color", "enable", "disable", "canvas", "precrop"])
        || (has(&["quality", "format"]) && !has(&["w", "h", "q", "fm"]))
    {
        Family::Fastly
    } else {
        Family::Imgix
    }
}

fn read_source(path: &str, family: Family, pairs: &[Pair<'_>], kept: &[&str]) -> Result<Source, String> {
    if family == Family::Netlify {
        let url = pairs.iter().find(|pair| pair.name == "url").map(|pair| pair.value.as_ref());
        let url = url.filter(|url| !url.is_empty()).ok_or("the parameter url is missing")?;
        return Ok(source::plain(url)?);
    }
    if is_proxied(path) {
        return Ok(source::parse(path)?);
    }
    let joint = if kept.is_empty() { "" } else { "?" };
    Ok(source::path(&format!("{path}{joint}{}", kept.join("&")))?)
}

/// Multiplies what is asked for in pixels or shares of the source.
fn dense(all: &mut Transform, density: Milli) -> Result<(), String> {
    crate::path::options::values::multiply(all, density)?;
    if let Some((x, y)) = all.zoom {
        let factor = |one: Milli| {
            let product = u64::from(one.0) * u64::from(density.0) / 1_000;
            Milli(u32::try_from(product).unwrap_or(u32::MAX).clamp(1, 100_000))
        };
        all.zoom = Some((factor(x), factor(y)));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
