//! Drawings of strangers, made fit to be shown by a browser as they are.
//!
//! Nothing is taken out of a document: a new one is written, of elements, attributes and style that are on a list. So
//! what nobody thought of stays behind, as do scripts, handlers, foreign content, comments, processing instructions, document
//! types and all that a browser would fetch. What is dropped is dropped silently; a drawing that would grow without bound
//! when it is drawn is refused.

use roxmltree::{Attribute, Document, Node};

use crate::steps::decode::svg::references;
use crate::{Error, xml};

mod names;
mod style;

const SVG: &str = "http://www.w3.org/2000/svg";
const XLINK: &str = "http://www.w3.org/1999/xlink";
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Length of the result; entities and quotes make it longer than the source.
const BYTES_MAX: usize = 16 << 20;

const TOO_LONG: Error = Error::Undecodable { reason: "the svg is too long" };

/// Writes the drawing anew.
///
/// # Errors
/// `Undecodable` when it is no drawing, or beyond a bound.
pub(crate) fn sanitise_svg(source: &[u8]) -> Result<Vec<u8>, Error> {
    let document = xml::parse(source)?;
    references::judge(&document)?;
    let root = document.root_element();
    if !root.has_tag_name((SVG, "svg")) {
        return Err(Error::Undecodable { reason: "the svg is not in the namespace of drawings" });
    }
    let mut writer = Writer {
        out: String::with_capacity(source.len().min(BYTES_MAX)),
        names_xlink: uses_xlink(&document),
    };
    writer.element(root, true)?;
    Ok(writer.out.into_bytes())
}

fn uses_xlink(document: &Document<'_>) -> bool {
    document.descendants().any(|node| node.attributes().any(|attribute| attribute.namespace() == Some(XLINK)))
}

struct Writer {
    out: String,
    names_xlink: bool,
}

impl Writer {
    /// Writes an element with what it holds. The parser has bounded how deep that may go.
    fn element(&mut self, node: Node<'_, '_>, is_root: bool) -> Result<(), Error> {
        let name = node.tag_name().name();
        if node.tag_name().namespace() != Some(SVG) || !names::is_element(name) || animates_a_reference(node)
        {
            return Ok(());
        }
        self.out.push('<');
        self.out.push_str(name);
        if is_root {
            self.attribute("xmlns", SVG);
            if self.names_xlink {
                self.attribute("xmlns:xlink", XLINK);
            }
        }
        for attribute in node.attributes() {
            if let Some((prefix, value)) = kept(name, &attribute) {
                self.attribute(&format!("{prefix}{}", attribute.name()), &value);
            }
        }
        if self.out.len() > BYTES_MAX {
            return Err(TOO_LONG);
        }
        self.out.push('>');
        if name == "style" {
            let text: String = node.children().filter_map(|child| child.text()).collect();
            self.text(&style::sheet(&text));
        } else {
            self.content(node, names::holds_text(name))?;
        }
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
        Ok(())
    }

    fn content(&mut self, node: Node<'_, '_>, holds_text: bool) -> Result<(), Error> {
        for child in node.children() {
            if child.is_element() {
                self.element(child, false)?;
            } else if child.is_text() && holds_text {
                self.text(child.text().unwrap_or_default());
            }
        }
        Ok(())
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        self.escaped(value, true);
        self.out.push('"');
    }

    fn text(&mut self, text: &str) {
        self.escaped(text, false);
    }

    fn escaped(&mut self, text: &str, is_quoted: bool) {
        for letter in text.chars() {
            match letter {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' if is_quoted => self.out.push_str("&quot;"),
                // a parser would make spaces of them
                '\n' | '\t' if is_quoted => {
                    self.out.push_str(if letter == '\n' { "&#10;" } else { "&#9;" });
                }
                '\r' => self.out.push_str("&#13;"),
                _ => self.out.push(letter),
            }
        }
    }
}

/// Whether an animation changes what is referred to, or something that is not known.
fn animates_a_reference(node: Node<'_, '_>) -> bool {
    if !names::is_animation(node.tag_name().name()) {
        return false;
    }
    // a motion has no name of an attribute
    node.attribute("attributeName").is_some_and(|name| !names::is_attribute(name) || name == "style")
}

/// The prefix and the value of an attribute that stays.
fn kept(element: &str, attribute: &Attribute<'_, '_>) -> Option<(&'static str, String)> {
    let (name, value) = (attribute.name(), attribute.value());
    match (attribute.namespace(), name) {
        (None, "href") => reference(element, value).map(|value| ("", value)),
        (Some(XLINK), "href") => reference(element, value).map(|value| ("xlink:", value)),
        (Some(XML), "space" | "lang") => Some(("xml:", value.to_owned())),
        (None, "style") => {
            Some(style::declarations(value)).filter(|style| !style.is_empty()).map(|style| ("", style))
        }
        (None, _) if names::is_plain(name) => Some(("", value.to_owned())),
        (None, _) if names::is_attribute(name) && style::is_safe(value) => Some(("", value.to_owned())),
        _ => None,
    }
}

/// A reference to a part of the document, or to a picture that is written out in it.
fn reference(element: &str, value: &str) -> Option<String> {
    let value = value.trim_ascii();
    if value.starts_with('#') {
        return Some(value.to_owned());
    }
    matches!(element, "image" | "feImage").then(|| picture(value)).flatten()
}

/// A picture as data: of pixels, in base 64.
fn picture(value: &str) -> Option<String> {
    const KINDS: [&str; 5] = ["png", "jpeg", "jpg", "gif", "webp"];
    let (head, data) = value.split_once(',')?;
    let head = head.to_ascii_lowercase();
    let kind = head.strip_prefix("data:image/")?.strip_suffix(";base64")?;
    let data: String = data.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
    let is_base64 = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'+' | b'/' | b'=');
    (KINDS.contains(&kind) && data.bytes().all(is_base64)).then(|| format!("data:image/{kind};base64,{data}"))
}

#[cfg(test)]
mod tests;
