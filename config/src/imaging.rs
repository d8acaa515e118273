//! `[[site]] images`: what a site's image URLs may ask for.

use std::collections::BTreeMap;

use toml::de::DeValue;

use crate::{
    bounds::{self, Bound},
    keys, names,
    raw::{Spot, Table, Value},
    report::quoted,
    secret::Secret,
    units::Refusal,
    values::plain,
};

mod model;

pub use model::{ImageDialect, ImageFailure, ImageFormat, ImageRules, ImgproxyRules, OtherWidths, SignRules};

/// The rules with the place that switches images on; nothing if they are off.
pub(crate) fn images(site: &Table<'_>) -> Option<Spot<ImageRules>> {
    let value = site.value("images")?;
    let rules = match value.node.get_ref() {
        DeValue::Boolean(false) => return None,
        DeValue::Boolean(true) => ImageRules::default(),
        DeValue::Table(_) => rules(&value.table(&keys::IMAGES)?),
        _ => {
            value.wrong_type("true, false or a table");
            return None;
        }
    };
    Some(Spot { value: rules, span: value.span() })
}

fn rules(table: &Table<'_>) -> ImageRules {
    let defaults = ImageRules::default();
    let small = |bound| u8::try_from(table.amount(bound)).unwrap_or(u8::MAX);
    let whole = |bound| u32::try_from(table.amount(bound)).unwrap_or(u32::MAX);
    let imgproxy = table.table_if("imgproxy", &keys::IMGPROXY);
    let prefix = |key| table.parse(key, path_prefix).map(|spot| spot.value);
    let dialects = words(table, &bounds::IMAGE_DIALECTS, DIALECTS).unwrap_or(defaults.dialects);
    if dialects.contains(&ImageDialect::Imgproxy) && imgproxy.is_none() {
        let refusal = Refusal::new("the dialect \"imgproxy\" needs its table");
        table
            .reader
            .refuse(table.span(), refusal.help("add imgproxy = { keys = [..] } with the keys that sign"));
    }
    ImageRules {
        dialects,
        quality: small(&bounds::IMAGE_QUALITY),
        likeness: small(&bounds::IMAGE_LIKENESS),
        formats: words(table, &bounds::IMAGE_FORMATS, FORMATS).unwrap_or(defaults.formats),
        is_careful: table.value("reduce").and_then(reduction).unwrap_or(defaults.is_careful),
        sharpens: table.value("sharpen").and_then(Value::flag).unwrap_or(defaults.sharpens),
        widths: widths(table),
        other_widths: table.value("other_widths").and_then(other_widths).unwrap_or_default(),
        presets: texts(table, &bounds::IMAGE_PRESETS, options),
        watermarks: texts(table, &bounds::IMAGE_WATERMARKS, site_path),
        sign: table.table_if("sign", &keys::IMAGE_SIGN).map(|table| sign(&table)).unwrap_or_default(),
        imgproxy: imgproxy.map(|table| self::imgproxy(&table)).unwrap_or_default(),
        imgix_token: table.value("imgix_token").and_then(Value::secret),
        iiif_prefix: prefix("iiif_prefix").unwrap_or(defaults.iiif_prefix),
        sources: plain(table.parse_list(&bounds::IMAGE_SOURCES, names::host)),
        source_bytes_max: table.amount(&bounds::IMAGE_SOURCE_MAX),
        source_pixels_max: table.amount(&bounds::IMAGE_PIXELS_MAX),
        frames_max: whole(&bounds::IMAGE_FRAMES_MAX),
        animation_pixels_max: table.amount(&bounds::IMAGE_ANIMATION_PIXELS_MAX),
        side_max: whole(&bounds::IMAGE_SIDE_MAX),
        deadline: table.time(&bounds::IMAGE_DEADLINE),
        on_failure: table.parse("on_failure", failure).map(|spot| spot.value).unwrap_or_default(),
    }
}

/// A list of words without repetition; none where there is no list.
fn words<T: Copy + PartialEq>(
    table: &Table<'_>,
    bound: &'static Bound,
    known: &[(&str, T)],
) -> Option<Vec<T>> {
    table.value(bound.key)?;
    let mut found = Vec::new();
    for value in table.list(bound) {
        match value.word(known) {
            Some(word) if found.contains(&word) => value.refuse(Refusal::new("this word is there already")),
            Some(word) => found.push(word),
            None => {}
        }
    }
    Some(found)
}

fn reduction(value: Value<'_>) -> Option<bool> {
    value.word(&[("careful", true), ("fast", false)])
}

fn other_widths(value: Value<'_>) -> Option<OtherWidths> {
    value.word(&[("round-up", OtherWidths::RoundUp), ("refuse", OtherWidths::Refuse)])
}

fn widths(table: &Table<'_>) -> Vec<u32> {
    let values = table.list(&bounds::IMAGE_WIDTHS).into_iter();
    let numbers = values.filter_map(|value| value.number(&bounds::IMAGE_WIDTH));
    let mut widths: Vec<_> = numbers.map(|spot| u32::try_from(spot.value).unwrap_or(u32::MAX)).collect();
    widths.sort_unstable();
    widths.dedup();
    widths
}

/// A table of texts by name.
fn texts(
    table: &Table<'_>,
    bound: &'static Bound,
    check: impl Fn(&str) -> Result<String, Refusal>,
) -> BTreeMap<String, String> {
    let entries = table.entries(bound).into_iter();
    let pairs = entries.filter_map(|(name, value)| Some((name.value, value.parse(&check)?.value)));
    pairs.collect()
}

fn sign(table: &Table<'_>) -> SignRules {
    let keys = table.list(&bounds::SIGN_KEYS).into_iter();
    let keys: Vec<_> = keys.filter_map(|value| long_enough(value, SIGN_KEY_BYTES_MIN)).collect();
    let is_required = table.value("required").and_then(Value::flag).unwrap_or(true);
    SignRules { keys, is_required }
}

fn long_enough(value: Value<'_>, least: usize) -> Option<Secret> {
    let secret = value.secret()?;
    if secret.reveal().len() < least {
        value.refuse(Refusal::new(format!("the key is shorter than {least} characters")));
        return None;
    }
    Some(secret)
}

fn imgproxy(table: &Table<'_>) -> ImgproxyRules {
    let defaults = ImgproxyRules::default();
    let pairs = table.list(&bounds::IMGPROXY_KEYS).into_iter();
    let rules = ImgproxyRules {
        prefix: table.parse("prefix", path_prefix).map_or(defaults.prefix, |spot| spot.value),
        keys: pairs.filter_map(|value| key_and_salt(&value.table(&keys::IMGPROXY_KEY)?)).collect(),
        signature_bytes: u8::try_from(table.amount(&bounds::IMGPROXY_SIGNATURE)).unwrap_or(u8::MAX),
        is_unsigned_allowed: table.value("unsigned").and_then(Value::flag).unwrap_or_default(),
    };
    if rules.keys.is_empty() && !rules.is_unsigned_allowed {
        let refusal = Refusal::new("without \"keys\" no imgproxy URL could be signed");
        table.reader.refuse(
            table.span(),
            refusal.help("add keys = [{ key = \"…\", salt = \"…\" }], or unsigned = true"),
        );
    }
    rules
}

fn key_and_salt(table: &Table<'_>) -> Option<(Secret, Secret)> {
    let part = |name| {
        let value = table.required(name)?;
        let secret = value.secret()?;
        let text = secret.reveal();
        let is_hexadecimal = text.len() % 2 == 0 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hexadecimal {
            value.refuse(Refusal::new(format!("\"{name}\" must be pairs of hexadecimal digits")));
            return None;
        }
        Some(secret)
    };
    Some((part("key")?, part("salt")?))
}

/// Where URLs of a style begin.
fn path_prefix(text: &str) -> Result<String, Refusal> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte));
    let is_prefix = text.starts_with('/') && text.ends_with('/') && !text.contains("//");
    if is_plain && is_prefix && text.len() <= PREFIX_BYTES_MAX {
        return Ok(text.to_owned());
    }
    Err(Refusal::new(format!("{} is not a prefix of paths", quoted(text)))
        .help("begin and end it with a slash, such as \"/iiif/\""))
}

/// A path of the site.
fn site_path(text: &str) -> Result<String, Refusal> {
    let is_path = text.starts_with('/') && !text.starts_with("//") && text.len() <= PATH_BYTES_MAX;
    if is_path && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(Refusal::new(format!("{} is not a path of this site", quoted(text)))
        .help("begin it with one slash, such as \"/brand/logo.png\""))
}

/// Whether they are good options is for the reader of image URLs to say.
fn options(text: &str) -> Result<String, Refusal> {
    if text.is_empty() || text.len() > OPTIONS_BYTES_MAX || text.contains(char::is_control) {
        return Err(Refusal::new(format!("options have 1 to {OPTIONS_BYTES_MAX} printable characters")));
    }
    Ok(text.to_owned())
}

fn failure(text: &str) -> Result<ImageFailure, Refusal> {
    match text {
        "error" => Ok(ImageFailure::Error),
        "original" => Ok(ImageFailure::Original),
        "last-good" => Ok(ImageFailure::LastGood),
        path => site_path(path).map(ImageFailure::Fallback).map_err(|_| {
            Refusal::new(format!("{} is not a choice here", quoted(text)))
                .help("write \"error\", \"original\", \"last-good\", or the path of a picture of this site")
        }),
    }
}

const DIALECTS: &[(&str, ImageDialect)] = &[
    ("cloudflare", ImageDialect::Cloudflare),
    ("imgproxy", ImageDialect::Imgproxy),
    ("next", ImageDialect::Next),
    ("ipx", ImageDialect::Ipx),
    ("query", ImageDialect::Query),
    ("iiif", ImageDialect::Iiif),
];
const FORMATS: &[(&str, ImageFormat)] = &[("webp", ImageFormat::Webp), ("avif", ImageFormat::Avif)];
/// Characters of a key for own signatures.
const SIGN_KEY_BYTES_MIN: usize = 16;
/// Bytes of a prefix.
const PREFIX_BYTES_MAX: usize = 128;
/// Bytes of a path.
const PATH_BYTES_MAX: usize = 1_024;
/// Bytes of the options of one preset.
const OPTIONS_BYTES_MAX: usize = 1_024;
