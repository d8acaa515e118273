//! `[[site]] images`: what a site's image URLs may ask for.

use std::time::Duration;

use toml::de::DeValue;

use crate::{
    bounds, keys,
    model::ImageRules,
    names,
    raw::{Spot, Table},
    values::plain,
};

/// The rules with the place that switches images on; nothing if they are off.
pub(crate) fn images(site: &Table<'_>) -> Option<Spot<ImageRules>> {
    let value = site.value("images")?;
    let rules = match value.node.get_ref() {
        DeValue::Boolean(false) => return None,
        DeValue::Boolean(true) => defaults(),
        DeValue::Table(_) => rules(&value.table(&keys::IMAGES)?),
        _ => {
            value.wrong_type("true, false or a table");
            return None;
        }
    };
    Some(Spot { value: rules, span: value.span() })
}

fn rules(table: &Table<'_>) -> ImageRules {
    ImageRules {
        quality: u8::try_from(table.amount(&bounds::IMAGE_QUALITY)).unwrap_or(u8::MAX),
        sources: plain(table.parse_list(&bounds::IMAGE_SOURCES, names::host)),
        source_bytes_max: table.amount(&bounds::IMAGE_SOURCE_MAX),
        source_pixels_max: table.amount(&bounds::IMAGE_PIXELS_MAX),
        side_max: u32::try_from(table.amount(&bounds::IMAGE_SIDE_MAX)).unwrap_or(u32::MAX),
        deadline: table.time(&bounds::IMAGE_DEADLINE),
    }
}

fn defaults() -> ImageRules {
    ImageRules {
        quality: u8::try_from(bounds::IMAGE_QUALITY.fallback()).unwrap_or(u8::MAX),
        sources: Vec::new(),
        source_bytes_max: bounds::IMAGE_SOURCE_MAX.fallback(),
        source_pixels_max: bounds::IMAGE_PIXELS_MAX.fallback(),
        side_max: u32::try_from(bounds::IMAGE_SIDE_MAX.fallback()).unwrap_or(u32::MAX),
        deadline: Duration::from_millis(bounds::IMAGE_DEADLINE.fallback()),
    }
}
