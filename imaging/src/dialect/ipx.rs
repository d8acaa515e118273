//! `/_ipx/<modifiers>/<source>`: what `@nuxt/image` and IPX's own client send.
//!
//! Modifiers are `name_value` joined by `,` or `&`, several values by `_`; `_` alone means none. IPX leaves a picture alone
//! where it would have to enlarge it, unless `enlarge` is there. Modifiers that IPX has and this pipeline has not are
//! refused by name, those that nobody knows are ignored, as IPX does.

use super::refusal::ipx as refused;
use super::{Refusal, Rules, Unknown, pairs, turn};
use crate::path::{Parsed, Source, Wants, quoted, source};
use crate::transform::{Fit, Format, Transform};

mod modifiers;

use modifiers::Reading;

/// What paths begin with.
pub(super) const PREFIX: &str = "/_ipx/";

/// Most modifiers that are read.
const MODIFIERS_MAX: usize = 64;

pub(super) fn parse(target: &str, rules: &Rules) -> Result<Parsed, Refusal> {
    let rest = target.strip_prefix(PREFIX).unwrap_or(target);
    let (modifiers, id) = rest.split_once('/').unwrap_or((rest, ""));
    if modifiers.is_empty() {
        return Err(refused(400, "IPX_MISSING_MODIFIERS", format!("Modifiers are missing: {}", shown(id))));
    }
    if id.is_empty() || id == "/" {
        return Err(refused(400, "IPX_MISSING_ID", format!("Resource id is missing: {}", shown(target))));
    }
    let transform = transform(modifiers, rules)?;
    let source = read_source(id).map_err(|reason| refused(400, "IPX_INVALID_ID", reason))?;
    Ok(Parsed { transform, source, wants: Wants::default() })
}

/// A part of the URL for a message, without its quotation marks.
fn shown(text: &str) -> String {
    quoted(text).trim_matches('"').to_owned()
}

/// The path is encoded, its slashes are not; a `?` of the source is, since one that is not ends the path.
fn read_source(id: &str) -> Result<Source, String> {
    let (path, query) = pairs::split(id);
    let path = path.replace("%3F", "?").replace("%3f", "?");
    let joint = if path.contains('?') { "&" } else { "?" };
    let id = query.map_or_else(|| path.clone(), |query| format!("{path}{joint}{query}"));
    let scheme = id.trim_start_matches('/').get(..8).unwrap_or_default().to_ascii_lowercase();
    let is_encoded = scheme.starts_with("http%3a") || scheme.starts_with("https%3a");
    Ok(if is_encoded { source::parse(&id)? } else { source::plain(&id)? })
}

fn transform(modifiers: &str, rules: &Rules) -> Result<Transform, Refusal> {
    let mut reading = Reading::default();
    if modifiers != "_" {
        let items = modifiers.split([',', '&']).filter(|item| !item.is_empty());
        for (at, item) in items.enumerate() {
            if at == MODIFIERS_MAX {
                let reason = format!("more than {MODIFIERS_MAX} modifiers");
                return Err(refused(400, "IPX_INVALID_MODIFIER", reason));
            }
            let mut parts = item.split([':', '=', '_']);
            let name = decoded(parts.next().unwrap_or_default())?;
            let values = parts.map(decoded).collect::<Result<Vec<_>, _>>()?;
            let is_known = reading.take(&name, &values).map_err(|problem| problem.refusal())?;
            if !is_known && rules.unknown == Unknown::Refuse {
                let reason = format!("Unknown modifier: {}", shown(&name));
                return Err(refused(400, "IPX_INVALID_MODIFIER", reason));
            }
        }
    }
    Ok(finish(reading, rules))
}

fn decoded(text: &str) -> Result<String, Refusal> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| {
        refused(400, "IPX_INVALID_MODIFIER", format!("{} is not percent-encoded utf-8", shown(text)))
    })
}

fn finish(reading: Reading, rules: &Rules) -> Transform {
    let mut all = reading.transform;
    all.fit = fit(reading.fit, reading.enlarges, all.width.is_some() && all.height.is_some());
    if reading.flattens && all.background.is_none() {
        all.background = Some(modifiers::BLACK);
    }
    all.format = reading.format.unwrap_or(if rules.negotiate { Format::Auto } else { Format::Source });
    // without a word about animations only GIFs are more than their first frame
    all.still = !reading.animated && !matches!(all.format, Format::Gif | Format::Source);
    if let Some(quarters) = turn::quarters(all.rotate) {
        all.gravity = turn::before_turn(all.gravity, quarters);
        all.gravity = turn::before_flips(all.gravity, all.flip_horizontal, all.flip_vertical);
        turn::box_before(&mut all);
    }
    all.canonical()
}

fn fit(fit: Option<modifiers::SharpFit>, enlarges: bool, has_box: bool) -> Fit {
    use modifiers::SharpFit;

    let fit = if has_box { fit.unwrap_or(SharpFit::Cover) } else { SharpFit::Inside };
    match (fit, enlarges) {
        (SharpFit::Cover, true) => Fit::Cover,
        (SharpFit::Cover, false) => Fit::CoverDown,
        (SharpFit::Contain, true) => Fit::Pad,
        (SharpFit::Contain, false) => Fit::Extend,
        (SharpFit::Fill, true) => Fit::Squeeze,
        (SharpFit::Fill, false) => Fit::SqueezeDown,
        (SharpFit::Inside, true) => Fit::Contain,
        (SharpFit::Inside, false) => Fit::ScaleDown,
        (SharpFit::Outside, true) => Fit::Outside,
        (SharpFit::Outside, false) => Fit::OutsideDown,
    }
}

#[cfg(test)]
mod tests;
