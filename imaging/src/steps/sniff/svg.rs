//! The root element of an SVG document, found by a scan of its beginning.
//!
//! Only what stands before the root and its own attributes are read; nothing is resolved, expanded or loaded. A vector
//! picture has no pixels of its own: the size is the one a browser would show it at, in CSS pixels of 1/96 inch.

use super::{Header, SourceFormat};
use crate::Error;

/// Bytes looked at for the end of the root element's tag.
const SCAN_BYTES_MAX: usize = 256 << 10;
/// Attributes of the root element.
const ATTRIBUTES_MAX: usize = 256;

/// Of a picture that says nothing of its size (CSS 2.2 section 10.3.2).
const DEFAULT_SIZE: (f64, f64) = (300.0, 150.0);

/// Canvas, and what layers are kept beside it.
const DECODE_BYTES_PER_PIXEL: u32 = 24;

const NO_SIZE: Error = Error::Undecodable { reason: "the svg has a size of zero" };

/// Whether the first element of a document is named `svg`, in whatever namespace.
pub(super) fn is_svg(source: &[u8]) -> bool {
    root(source).is_some()
}

/// Reads the size.
///
/// # Errors
/// `Undecodable` when it is zero, or the tag of the root element does not end.
pub(super) fn header(source: &[u8]) -> Result<Header, Error> {
    let (width, height) = size(source).ok_or(super::CUT_SHORT)?;
    if width <= 0.0 || height <= 0.0 || width.is_nan() || height.is_nan() {
        return Err(NO_SIZE);
    }
    let header = Header::still(SourceFormat::Svg, pixels(width), pixels(height), DECODE_BYTES_PER_PIXEL);
    Ok(Header { has_alpha: true, ..header })
}

/// The size before it is rounded; none when the tag of the root element does not end.
pub(crate) fn size(source: &[u8]) -> Option<(f64, f64)> {
    let attributes = attributes(root(source)?)?;
    let value = |wanted: &str| attributes.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
    let length = |name| value(name).and_then(length);
    let (width, height) = (length("width"), length("height"));
    let Some((across, down)) = value("viewBox").and_then(view_box) else {
        let of = |length: Option<Length>, whole| length.unwrap_or(Length::Part(1.0)).of(whole);
        return Some((of(width, DEFAULT_SIZE.0), of(height, DEFAULT_SIZE.1)));
    };
    Some(match (width, height) {
        (Some(width), Some(height)) => (width.of(across), height.of(down)),
        (Some(width), None) => (width.of(across), width.of(across) * down / across),
        (None, Some(height)) => (height.of(down) * across / down, height.of(down)),
        (None, None) => (across, down),
    })
}

fn pixels(length: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of u32"
    )]
    let pixels = length.round().clamp(1.0, f64::from(u32::MAX)) as u32;
    pixels
}

/// What follows the name of the root element; none when that is not `svg`.
fn root(source: &[u8]) -> Option<&str> {
    let scanned = source.get(..source.len().min(SCAN_BYTES_MAX))?;
    // a character may be cut in two at the end
    let text = match std::str::from_utf8(scanned) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(scanned.get(..error.valid_up_to())?).ok()?,
    };
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    loop {
        rest = rest.trim_ascii_start();
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->")?.1;
        } else if let Some(instruction) = rest.strip_prefix("<?") {
            rest = instruction.split_once("?>")?.1;
        } else if let Some(doctype) = rest.strip_prefix("<!DOCTYPE") {
            rest = behind_doctype(doctype)?;
        } else {
            break;
        }
    }
    let tag = rest.strip_prefix('<')?;
    let end = tag.find(|letter: char| letter.is_ascii_whitespace() || matches!(letter, '>' | '/'))?;
    let (name, attributes) = tag.split_at_checked(end)?;
    let local = name.split_once(':').map_or(name, |(_, local)| local);
    (local == "svg").then_some(attributes)
}

/// Skips a document type, whose declarations stand in brackets and may hold anything in quotes.
fn behind_doctype(text: &str) -> Option<&str> {
    let mut quote = None;
    let mut is_inside = false;
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[') => is_inside = true,
            (None, ']') => is_inside = false,
            (None, '>') if !is_inside => return text.get(at + 1..),
            (None, _) => {}
        }
    }
    None
}

/// Names and values up to the end of the tag; none when it does not end.
fn attributes(mut rest: &str) -> Option<Vec<(&str, &str)>> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        if rest.starts_with(['>', '/']) {
            return Some(found);
        }
        let (name, behind) = rest.split_once('=')?;
        let behind = behind.trim_ascii_start();
        let quote = behind.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, behind) = behind.get(1..)?.split_once(quote)?;
        if found.len() == ATTRIBUTES_MAX {
            return None;
        }
        found.push((name.trim_ascii_end(), value));
        rest = behind;
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Length {
    Pixels(f64),
    Part(f64),
}

impl Length {
    fn of(self, whole: f64) -> f64 {
        match self {
            Self::Pixels(pixels) => pixels,
            Self::Part(part) => part * whole,
        }
    }
}

/// A CSS length; none for one that cannot be read, which then counts as absent.
fn length(text: &str) -> Option<Length> {
    let text = text.trim();
    // the letter of an exponent is no unit, that of `em` is
    let is_number = |(at, letter): (usize, char)| {
        let next = text.get(at + 1..).and_then(|rest| rest.chars().next());
        letter.is_ascii_digit()
            || matches!(letter, '+' | '-' | '.')
            || matches!(letter, 'e' | 'E') && next.is_some_and(|next| next.is_ascii_digit() || next == '-')
    };
    let end = text.char_indices().find(|&at| !is_number(at)).map_or(text.len(), |(at, _)| at);
    let (number, unit) = text.split_at_checked(end)?;
    let number: f64 = number.parse().ok()?;
    Some(Length::Pixels(
        number
            * match unit {
                "" | "px" => 1.0,
                "pt" => 96.0 / 72.0,
                "pc" => 16.0,
                "in" => 96.0,
                "cm" => 96.0 / 2.54,
                "mm" => 96.0 / 25.4,
                "em" => 12.0,
                "ex" => 6.0,
                "%" => return Some(Length::Part(number / 100.0)),
                _ => return None,
            },
    ))
}

/// Width and height of a view box.
fn view_box(text: &str) -> Option<(f64, f64)> {
    let mut numbers = text
        .split(|letter: char| letter.is_ascii_whitespace() || letter == ',')
        .filter(|number| !number.is_empty())
        .map(|number| number.parse::<f64>().ok());
    let mut number = || numbers.next().flatten();
    let (_, _, width, height) = (number()?, number()?, number()?, number()?);
    (width > 0.0 && height > 0.0 && width.is_finite() && height.is_finite()).then_some((width, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(attributes: &str) -> Option<(u32, u32)> {
        let source = format!("<?xml version='1.0'?><!-- <svg> --><svg {attributes}></svg>");
        header(source.as_bytes()).ok().map(|header| (header.width, header.height))
    }

    #[test]
    fn the_size_is_that_a_browser_shows() {
        for (attributes, size) in [
            ("width='10' height=\"20\"", (10, 20)),
            ("width='10px' height='1in' viewBox='0 0 1 1'", (10, 96)),
            ("width='2.54cm' height='25.4mm'", (96, 96)),
            ("width='3pt' height='1pc'", (4, 16)),
            ("width='1e2' height='1.5E1'", (100, 15)),
            ("viewBox='0 0 200 100'", (200, 100)),
            ("viewBox='-5,-5, 200,100' width='50'", (50, 25)),
            ("viewBox='0 0 200 100' height='50'", (100, 50)),
            ("viewBox='0 0 200 100' width='50%' height='100%'", (100, 100)),
            ("", (300, 150)),
            ("width='100%'", (300, 150)),
            ("width='40'", (40, 150)),
            ("width='wide' height='7'", (300, 7)),
            ("viewBox='0 0 0 100'", (300, 150)),
            ("width='0.2' height='0.2'", (1, 1)),
            ("width='1e9' height='1e9'", (1_000_000_000, 1_000_000_000)),
            ("width='1e99' height='9'", (u32::MAX, 9)),
        ] {
            assert_eq!(sized(attributes), Some(size), "{attributes}");
        }
        for attributes in ["width='0' height='9'", "width='-4' height='9'", "width='9", "width=9"] {
            assert_eq!(sized(attributes), None, "{attributes}");
        }
    }

    #[test]
    fn only_a_root_named_svg_counts() {
        for text in [
            "<svg>",
            "\u{feff} \n<svg/>",
            "<?xml version=\"1.0\"?>\n<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"x>y\">\n<svg>",
            "<!DOCTYPE svg [<!ENTITY a \"]>\"> ]><s:svg>",
            "<!-- a --><!-- b --><svg\n>",
        ] {
            assert!(is_svg(text.as_bytes()), "{text}");
        }
        for text in
            ["", "<html><svg>", "<svgx>", "svg", "<!-- <svg>", "<?xml <svg>", "<!DOCTYPE svg [<svg>", "<svg"]
        {
            assert!(!is_svg(text.as_bytes()), "{text}");
        }
    }
}
