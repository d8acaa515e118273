//! Which format a rendering gets (RFC 9110 sections 12.4.2 and 12.5.1).
//!
//! The `Accept` field has countless spellings, so it is first folded into an [`AcceptClass`], a closed set that may stand in
//! a cache key. WebP is sent only to clients that name it: `image/*` and `*/*` were in use long before it.

use std::fmt;

use crate::sniff::SourceFormat;
use crate::transform::Format;

/// What a client can show, as far as it changes the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AcceptClass {
    /// Names WebP, and does not rank JPEG above it.
    Webp,
    /// Everything else.
    Plain,
}

impl AcceptClass {
    /// The word for keys and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webp => "webp",
            Self::Plain => "plain",
        }
    }
}

impl fmt::Display for AcceptClass {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl From<Option<&str>> for AcceptClass {
    fn from(accept: Option<&str>) -> Self {
        accept_class(accept)
    }
}

/// The format of a rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Output {
    /// Baseline JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// Lossy WebP.
    Webp,
}

impl Output {
    /// The media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
        }
    }

    /// Whether the format can be transparent.
    #[must_use]
    pub fn has_alpha(self) -> bool {
        matches!(self, Self::Png | Self::Webp)
    }
}

/// Folds an `Accept` field, several lines joined by commas, into its class. None and nonsense are [`AcceptClass::Plain`].
#[must_use]
pub fn accept_class(accept: Option<&str>) -> AcceptClass {
    let mut webp = None;
    // most specific range wins for JPEG: exact, then image/*, then */*
    let mut jpeg = [None; 3];
    for range in accept.unwrap_or_default().split(',') {
        let mut parts = range.split(';');
        let media_type = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let quality = Some(weight(parts));
        match (media_type.as_str(), &mut jpeg) {
            ("image/webp", _) => webp = quality,
            ("image/jpeg", [exact, _, _]) => *exact = quality,
            ("image/*", [_, image, _]) => *image = quality,
            ("*/*", [_, _, any]) => *any = quality,
            _ => {}
        }
    }
    let jpeg = jpeg.into_iter().flatten().next().unwrap_or(0);
    match webp {
        Some(webp) if webp > 0 && webp >= jpeg => AcceptClass::Webp,
        _ => AcceptClass::Plain,
    }
}

/// The q-value in thousandths; 1000 when absent, 0 when unreadable.
fn weight<'a>(parameters: impl Iterator<Item = &'a str>) -> u32 {
    for parameter in parameters {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case("q") {
            return thousandths(value.trim());
        }
    }
    1_000
}

fn thousandths(value: &str) -> u32 {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit()) && fraction.len() <= 3;
    match whole {
        "1" => 1_000,
        "0" if digits => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

/// The class that matters to a key: formats other than auto do not look at `Accept`.
#[must_use]
pub fn key_class(format: Format, class: AcceptClass) -> AcceptClass {
    if format == Format::Auto { class } else { AcceptClass::Plain }
}

/// The format of a rendering. `accept` is an [`AcceptClass`] or the field's value.
#[must_use]
pub fn output(
    accept: impl Into<AcceptClass>,
    format: Format,
    source: SourceFormat,
    has_alpha: bool,
) -> Output {
    match (format, accept.into(), source) {
        (Format::Jpeg, _, _) => Output::Jpeg,
        (Format::Png, _, _) => Output::Png,
        (Format::Webp, _, _) | (Format::Auto, AcceptClass::Webp, _) => Output::Webp,
        (Format::Auto, AcceptClass::Plain, SourceFormat::Png | SourceFormat::Gif) => Output::Png,
        (Format::Auto, AcceptClass::Plain, SourceFormat::Webp) if has_alpha => Output::Png,
        (Format::Auto, AcceptClass::Plain, SourceFormat::Jpeg | SourceFormat::Webp) => Output::Jpeg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_browsers_get_webp() {
        for accept in [
            "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
            "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
            "image/webp,image/avif,image/jxl,image/heic,video/*;q=0.8,image/png,image/*;q=0.8,*/*;q=0.5",
            "IMAGE/WEBP",
            " image/webp ; Q=0.001 ",
        ] {
            assert_eq!(accept_class(Some(accept)), AcceptClass::Webp, "{accept}");
        }
    }

    #[test]
    fn others_do_not() {
        for accept in [
            None,
            Some(""),
            Some("*/*"),
            Some("image/*"),
            Some("image/webp;q=0"),
            Some("image/webp;q=0.000, */*"),
            Some("image/webp;q=0.5, image/jpeg"),
            Some("image/webp;q=0.5, image/*;q=0.6"),
            Some("image/webp;q=nonsense"),
            Some("image/webp;q=-1"),
            Some("image/webp;q=2"),
            Some("image/webpx"),
            Some("text/html;x=image/webp"),
        ] {
            assert_eq!(accept_class(accept), AcceptClass::Plain, "{accept:?}");
        }
    }

    #[test]
    fn the_exact_range_beats_the_wildcard() {
        let accept = "image/webp;q=0.5, image/jpeg;q=0.1, */*;q=0.9";
        assert_eq!(accept_class(Some(accept)), AcceptClass::Webp);
    }

    #[test]
    fn an_explicit_format_ignores_accept() {
        for class in [AcceptClass::Webp, AcceptClass::Plain] {
            assert_eq!(output(class, Format::Jpeg, SourceFormat::Png, true), Output::Jpeg);
            assert_eq!(output(class, Format::Png, SourceFormat::Jpeg, false), Output::Png);
            assert_eq!(output(class, Format::Webp, SourceFormat::Jpeg, false), Output::Webp);
            assert_eq!(key_class(Format::Webp, class), AcceptClass::Plain);
            assert_eq!(key_class(Format::Auto, class), class);
        }
    }

    #[test]
    fn auto_without_webp_keeps_what_the_source_needs() {
        let plain = |source, alpha| output(None, Format::Auto, source, alpha);
        assert_eq!(plain(SourceFormat::Jpeg, false), Output::Jpeg);
        assert_eq!(plain(SourceFormat::Png, false), Output::Png);
        assert_eq!(plain(SourceFormat::Gif, true), Output::Png);
        assert_eq!(plain(SourceFormat::Webp, true), Output::Png);
        assert_eq!(plain(SourceFormat::Webp, false), Output::Jpeg);
        assert_eq!(output(Some("image/webp"), Format::Auto, SourceFormat::Png, true), Output::Webp);
    }
}
