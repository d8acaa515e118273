//! Values with places to fill in: `{country}`, `{path}`, `{dictionary:NAME:KEY}`.
//!
//! A template is parsed once, when the configuration is read, so that a mistake in it is a mistake in the file. Nothing
//! is escaped or encoded here; whoever fills it in checks what comes out. `{{` and `}}` stand for the braces.

use crate::{names, report::quoted, units::Refusal};

/// A value with places to fill in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Parts in order.
    pub parts: Vec<Part>,
    /// Value when a lookup finds nothing; none: the rule then does nothing.
    pub default: Option<String>,
}

/// One part of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// As it is.
    Text(String),
    /// Something about the request.
    Place(Place),
    /// A dictionary's entry.
    Lookup {
        /// Name of the dictionary.
        dictionary: String,
        /// Column of the entry; none: the first.
        column: Option<String>,
        /// Key, without further lookups.
        key: Vec<Self>,
    },
}

/// What a template may know of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Class of the client's country.
    Country,
    /// Class of the client's device.
    Device,
    /// Class of the client's language.
    Language,
    /// Path as the key of the cache holds it.
    Path,
    /// Host, lower case, without port.
    Host,
    /// The client's address. Not in the key.
    Client,
    /// The request's id. Not in the key.
    RequestId,
}

const PLACES: [(&str, Place); 7] = [
    ("country", Place::Country),
    ("device", Place::Device),
    ("language", Place::Language),
    ("path", Place::Path),
    ("host", Place::Host),
    ("client", Place::Client),
    ("request_id", Place::RequestId),
];

impl Place {
    /// Whether two requests for one stored response always agree in this.
    #[must_use]
    pub const fn is_keyed(self) -> bool {
        !matches!(self, Self::Client | Self::RequestId)
    }

    /// The word between the braces.
    #[must_use]
    pub fn name(self) -> &'static str {
        PLACES.iter().find(|(_, place)| *place == self).map_or("", |(name, _)| name)
    }
}

impl Template {
    /// Reads a template; `default` is added by the caller.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(Refusal::new("the value is longer than 4096 bytes"));
        }
        let mut rest = text;
        let parts = parts(&mut rest, Depth::Value)?;
        Ok(Self { parts, default: None })
    }

    /// Every place that the value depends on, those of keys included.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.parts
            .iter()
            .flat_map(|part| match part {
                Part::Lookup { key, .. } => key.as_slice(),
                own => std::slice::from_ref(own),
            })
            .filter_map(|part| match part {
                Part::Place(place) => Some(*place),
                Part::Text(_) | Part::Lookup { .. } => None,
            })
    }

    /// Dictionaries that are looked into, with the column if one is named.
    pub fn lookups(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Lookup { dictionary, column, .. } => Some((dictionary.as_str(), column.as_deref())),
            Part::Text(_) | Part::Place(_) => None,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Value,
    Key,
}

/// Parts up to the end of the text, or of the key that is being read.
fn parts(rest: &mut &str, depth: Depth) -> Result<Vec<Part>, Refusal> {
    let mut found = Vec::new();
    let mut text = String::new();
    while let Some(first) = rest.chars().next() {
        let doubled = rest.starts_with("{{") || (rest.starts_with("}}") && depth == Depth::Value);
        match first {
            '{' | '}' if doubled => {
                text.push(first);
                *rest = rest.get(2..).unwrap_or_default();
            }
            '}' if depth == Depth::Key => break,
            '}' => {
                return Err(Refusal::new("\"}\" without \"{\"").help("write \"}}\" for the character itself"));
            }
            '{' => {
                *rest = rest.get(1..).unwrap_or_default();
                if !text.is_empty() {
                    found.push(Part::Text(std::mem::take(&mut text)));
                }
                found.push(place_or_lookup(rest, depth)?);
            }
            other => {
                text.push(other);
                *rest = rest.get(other.len_utf8()..).unwrap_or_default();
            }
        }
        if found.len() > PARTS_MAX {
            return Err(Refusal::new("a value has at most 64 parts"));
        }
    }
    if !text.is_empty() {
        found.push(Part::Text(text));
    }
    Ok(found)
}

/// What follows an opening brace, with the closing one.
fn place_or_lookup(rest: &mut &str, depth: Depth) -> Result<Part, Refusal> {
    let part = if let Some(after) = rest.strip_prefix("dictionary:") {
        if depth == Depth::Key {
            return Err(Refusal::new("a key that is looked up cannot itself look something up"));
        }
        *rest = after;
        lookup(rest)?
    } else {
        let end = rest.find(['{', '}']).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let place = PLACES.iter().find(|(known, _)| *known == name).map(|(_, place)| *place);
        let place = place.ok_or_else(|| unknown(name))?;
        *rest = after;
        Part::Place(place)
    };
    *rest = rest.strip_prefix('}').ok_or_else(unclosed)?;
    Ok(part)
}

fn lookup(rest: &mut &str) -> Result<Part, Refusal> {
    let (name, after) = rest.split_once(':').ok_or_else(|| {
        Refusal::new("a lookup has no key").help("write for example {dictionary:prices:{country}}")
    })?;
    let (dictionary, column) =
        name.split_once('.').map_or((name, None), |(name, column)| (name, Some(column)));
    let dictionary = names::identifier(dictionary)?;
    let column = column.map(names::identifier).transpose()?;
    *rest = after;
    let key = parts(rest, Depth::Key)?;
    if key.is_empty() {
        return Err(Refusal::new("the key of a lookup is empty"));
    }
    Ok(Part::Lookup { dictionary, column, key })
}

fn unclosed() -> Refusal {
    Refusal::new("\"{\" without \"}\"").help("write \"{{\" for the character itself")
}

fn unknown(name: &str) -> Refusal {
    let known: Vec<&str> = PLACES.iter().map(|(name, _)| *name).collect();
    let refusal = Refusal::new(format!("nothing is known as {}", quoted(name)));
    match names::nearest(name, known.iter().copied()) {
        Some(near) => refusal.help(format!("did you mean {{{near}}}?")),
        None => refusal.help(format!("known are {} and dictionary:NAME:KEY", known.join(", "))),
    }
}

/// Bytes of a template as it is written.
const TEMPLATE_BYTES_MAX: usize = 4096;
/// Parts of a template.
const PARTS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "([{}:.a-zé]|path|country|dictionary:|\\{\\{|\\}\\}){0,24}") {
            if let Ok(template) = Template::parse(&text) {
                prop_assert!(template.parts.len() <= PARTS_MAX + 1);
                let filled_in = template.lookups().count() + template.places().count();
                let opened = text.matches("{").count();
                prop_assert!(filled_in <= opened, "{} of {}", filled_in, opened);
            }
        }
    }

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    fn parse(value: &str) -> Result<Vec<Part>, Refusal> {
        Template::parse(value).map(|template| template.parts)
    }

    #[test]
    fn reads_text_places_and_lookups() {
        assert_eq!(parse(""), Ok(vec![]));
        assert_eq!(parse("a{{b}}c"), Ok(vec![text("a{b}c")]));
        assert_eq!(parse("x-{country}-é"), Ok(vec![text("x-"), Part::Place(Place::Country), text("-é")]));
        let lookup = |column: Option<&str>, key| Part::Lookup {
            dictionary: "prices".to_owned(),
            column: column.map(str::to_owned),
            key,
        };
        assert_eq!(
            parse("{dictionary:prices:{country}:{path}}"),
            Ok(vec![lookup(None, vec![Part::Place(Place::Country), text(":"), Part::Place(Place::Path)])])
        );
        assert_eq!(
            parse("{dictionary:prices.currency:de} €"),
            Ok(vec![lookup(Some("currency"), vec![text("de")]), text(" €")])
        );
    }

    #[test]
    fn names_what_the_value_depends_on() {
        let template = Template::parse("{host}{dictionary:a.b:{client}}{dictionary:c:x}").unwrap();
        assert_eq!(template.places().collect::<Vec<_>>(), [Place::Host, Place::Client]);
        assert_eq!(template.lookups().collect::<Vec<_>>(), [("a", Some("b")), ("c", None)]);
        assert!(!Place::Client.is_keyed() && Place::Host.is_keyed());
    }

    #[test]
    fn refuses_what_it_cannot_fill_in() {
        let long = "x".repeat(4097);
        let many = "{path}".repeat(70);
        for value in [
            "{",
            "}",
            "{path",
            "{}",
            "{paht}",
            "{Path}",
            "{dictionary}",
            "{dictionary:a}",
            "{dictionary:a:}",
            "{dictionary:a:b",
            "{dictionary:A:b}",
            "{dictionary:a.B:b}",
            "{dictionary:a:{dictionary:b:c}}",
            "{dictionary::b}",
            &long,
            &many,
        ] {
            assert!(parse(value).is_err(), "{value}");
        }
        assert_eq!(parse("{paht}").unwrap_err().help.unwrap(), "did you mean {path}?");
    }
}
