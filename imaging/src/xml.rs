//! SVG text of strangers, made safe to parse.
//!
//! An XML parser may do work that grows faster than its input: entities made of entities, thousands of attributes that are
//! compared with each other, elements nested so deep that a stack overflows. So the text is scanned first, in one pass that
//! keeps nothing but counters, and refused when it goes beyond what drawings need. Entities are accepted as short words
//! only, which is how drawing programs use them; external ones are never loaded.

use roxmltree::{Document, ParsingOptions};

use crate::Error;

/// Length of a document.
const BYTES_MAX: usize = 8 << 20;
/// Elements, and anything else that becomes a node.
const NODES_MAX: u32 = 200_000;
/// Elements within elements.
const DEPTH_MAX: usize = 128;
/// Of one element.
const ATTRIBUTES_MAX: u32 = 256;
/// Declared by an element and those around it.
const NAMESPACES_MAX: u32 = 64;
/// Bytes an entity stands for.
const ENTITY_BYTES_MAX: usize = 256;
/// Places where an entity is used.
const ENTITY_USES_MAX: usize = 10_000;

const BROKEN: Error = Error::Undecodable { reason: "the svg is no well-formed XML" };

const fn refused(reason: &'static str) -> Error {
    Error::Undecodable { reason }
}

/// Parses a document that passes the scan.
///
/// # Errors
/// `Undecodable` when it is not UTF-8, not well-formed or beyond a bound.
pub(crate) fn parse(source: &[u8]) -> Result<Document<'_>, Error> {
    let text = std::str::from_utf8(source).map_err(|_| refused("the svg is not in UTF-8"))?;
    scan(text)?;
    let options = ParsingOptions { allow_dtd: true, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    Document::parse_with_options(text, options)
        .map_err(|error| Error::undecodable("the svg is no well-formed XML", &error))
}

/// The one pass. It need not find every mistake, the parser does; it must not let a costly text through.
fn scan(text: &str) -> Result<(), Error> {
    if text.len() > BYTES_MAX {
        return Err(refused("the svg is too long"));
    }
    let mut rest = text;
    let mut elements = 0_u32;
    // namespaces declared by the open elements, each with those around it
    let mut open: Vec<u32> = Vec::new();
    while let Some((_, tag)) = rest.split_once('<') {
        rest = if let Some(comment) = tag.strip_prefix("!--") {
            behind(comment, "-->")?
        } else if let Some(data) = tag.strip_prefix("![CDATA[") {
            behind(data, "]]>")?
        } else if let Some(instruction) = tag.strip_prefix('?') {
            behind(instruction, "?>")?
        } else if let Some(doctype) = tag.strip_prefix("!DOCTYPE") {
            let rest = behind_doctype(doctype)?;
            let is_used = doctype.len() - rest.len() > 0 && doctype.contains("<!ENTITY");
            if is_used && uses(rest) > ENTITY_USES_MAX {
                return Err(refused("the svg uses entities too often"));
            }
            rest
        } else if tag.starts_with('/') {
            open.pop();
            behind(tag, ">")?
        } else {
            elements += 1;
            if elements > NODES_MAX {
                return Err(refused("the svg has too many elements"));
            }
            let element = element(tag)?;
            let namespaces = open.last().copied().unwrap_or(0) + element.namespaces;
            if namespaces > NAMESPACES_MAX {
                return Err(refused("the svg declares too many namespaces"));
            }
            if !element.is_empty {
                open.push(namespaces);
            }
            if open.len() > DEPTH_MAX {
                return Err(refused("the svg is nested too deep"));
            }
            element.rest
        };
    }
    Ok(())
}

fn behind<'a>(text: &'a str, end: &str) -> Result<&'a str, Error> {
    text.split_once(end).map(|(_, rest)| rest).ok_or(BROKEN)
}

struct Element<'a> {
    namespaces: u32,
    is_empty: bool,
    rest: &'a str,
}

/// Reads a tag from behind its bracket to its end.
fn element(tag: &str) -> Result<Element<'_>, Error> {
    let (mut attributes, mut namespaces) = (0_u32, 0_u32);
    let mut quote = None;
    let mut last = '<';
    for (at, letter) in tag.char_indices() {
        match (quote, letter) {
            (Some(open), _) => {
                if open == letter {
                    quote = None;
                }
            }
            (None, '"' | '\'') => quote = Some(letter),
            (None, '=') => attributes += 1,
            (None, '<') => return Err(BROKEN),
            (None, '>') => {
                let rest = tag.get(at + 1..).unwrap_or_default();
                return Ok(Element { namespaces, is_empty: last == '/', rest });
            }
            (None, 'x') if last.is_ascii_whitespace() => {
                let is_namespace = tag.get(at..).is_some_and(|name| name.starts_with("xmlns"));
                namespaces += u32::from(is_namespace);
            }
            (None, _) => {}
        }
        if attributes > ATTRIBUTES_MAX {
            return Err(refused("an element of the svg has too many attributes"));
        }
        last = letter;
    }
    Err(BROKEN)
}

/// Reads a document type and judges its entities.
fn behind_doctype(text: &str) -> Result<&str, Error> {
    let mut rest = text;
    let mut is_inside = false;
    loop {
        let at = rest.find(['[', ']', '>', '"', '\'', '<']).ok_or(BROKEN)?;
        let tail = rest.get(at..).unwrap_or_default();
        rest = tail.get(1..).unwrap_or_default();
        match tail.chars().next() {
            Some('[') => is_inside = true,
            Some(']') => is_inside = false,
            Some('>') if !is_inside => return Ok(rest),
            Some(quote @ ('"' | '\'')) => {
                let (value, behind) = rest.split_once(quote).ok_or(BROKEN)?;
                // words of a public identifier pass as well
                if value.len() > ENTITY_BYTES_MAX {
                    return Err(refused("an entity of the svg is too long"));
                }
                if is_inside && value.contains(['&', '%', '<']) {
                    return Err(refused("an entity of the svg is more than a word"));
                }
                rest = behind;
            }
            Some('<') if rest.starts_with("!--") => rest = behind(rest, "-->")?,
            Some('<') => {
                let words = rest.split_ascii_whitespace().take(2);
                if words.eq(["!ENTITY", "%"]) {
                    return Err(refused("the svg declares a parameter entity"));
                }
            }
            _ => {}
        }
    }
}

/// How often an entity is used that is not one of XML's own.
fn uses(text: &str) -> usize {
    const OWN: [&str; 6] = ["#", "lt;", "gt;", "amp;", "quot;", "apos;"];
    text.split('&').skip(1).filter(|reference| !OWN.iter().any(|own| reference.starts_with(own))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str) -> Result<usize, Error> {
        parse(text.as_bytes()).map(|document| document.descendants().count())
    }

    #[test]
    fn drawings_pass() {
        for text in [
            "<svg/>",
            "<?xml version='1.0'?><!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'http://www.w3.org/x.dtd'><svg></svg>",
            "<!DOCTYPE svg [ <!ENTITY ns 'http://www.w3.org/2000/svg'> <!-- ' --> ]><svg xmlns='&ns;'><g/></svg>",
            "<svg><!-- <g <g --><style><![CDATA[ a > b { } <g ]]></style><g a='>' b=\"/>\"/></svg>",
        ] {
            assert!(outcome(text).is_ok(), "{text}: {:?}", outcome(text));
        }
    }

    #[test]
    fn costly_texts_are_refused_before_they_are_parsed() {
        let entity = |value: &str| format!("<!DOCTYPE svg [<!ENTITY a \"{value}\">]><svg>&a;</svg>");
        let many = |count: usize, text: &str| format!("<svg>{}</svg>", text.repeat(count));
        for (text, said) in [
            (entity("&b;&b;"), "more than a word"),
            (entity("<g/>"), "more than a word"),
            (entity(&"x".repeat(257)), "too long"),
            (format!("<!DOCTYPE svg [<!ENTITY a 'x'>]>{}", many(10_001, "&a;")), "too often"),
            ("<!DOCTYPE svg [<!ENTITY % a 'x'>]><svg/>".to_owned(), "parameter entity"),
            (format!("<svg {}/>", (0..257).map(|n| format!("a{n}='' ")).collect::<String>()), "attributes"),
            (
                format!("<svg {}/>", (0..65).map(|n| format!(" xmlns:a{n}=''")).collect::<String>()),
                "namespaces",
            ),
            (many(65, "<g xmlns:a=''>"), "namespaces"),
            (many(128, "<g>"), "nested too deep"),
            (many(200_000, "<g/>"), "too many elements"),
            (many(1, &" ".repeat(8 << 20)), "too long"),
            ("<svg><g".to_owned(), "well-formed"),
            ("<svg><!-- ".to_owned(), "well-formed"),
            ("<!DOCTYPE svg [".to_owned(), "well-formed"),
        ] {
            let error = outcome(&text).expect_err(said).to_string();
            assert!(error.contains(said), "{error}, expected {said}");
        }
        let not_text = parse(b"<svg>\xff</svg>").map(|_| ());
        assert_eq!(not_text, Err(Error::Undecodable { reason: "the svg is not in UTF-8" }));
    }

    #[test]
    fn external_entities_are_not_loaded() {
        let text = "<!DOCTYPE svg [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><svg>&x;</svg>";
        assert!(outcome(text).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text in "[<>/!\\[\\]'\"&%;=?a-xA-E \\-]{0,80}") {
            let _read = outcome(&text);
            let _read = outcome(&format!("<!DOCTYPE svg [{text}]><svg>{text}</svg>"));
        }
    }
}
