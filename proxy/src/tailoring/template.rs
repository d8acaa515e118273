//! Templates filled in: from what is known of a request and the dictionaries to a value that may be sent.
//!
//! Pure. A value that could end its line or its field is no value: the rule then does nothing.

use std::{borrow::Cow, collections::HashMap, net::IpAddr, sync::Arc};

use http::HeaderValue;
use overfall_config::{Part, Place, Template};

use super::{Classes, dictionary::Dictionary};

/// Bytes of a result.
const RESULT_BYTES_MAX: usize = 8 << 10;

/// What templates may know of a request.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Host, lower case, without port.
    pub host: &'a str,
    /// Path as the cache's key holds it.
    pub path: &'a str,
    /// Classes of the request.
    pub classes: &'a Classes,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The request's id.
    pub request_id: u128,
}

/// Dictionaries by name.
pub type Dictionaries = HashMap<String, Arc<Dictionary>>;

/// Fills a template in; `None` when something in it is not known and the template has no default, or when the result is
/// longer than 8 KiB.
#[must_use]
pub fn fill(template: &Template, facts: &Facts<'_>, dictionaries: &Dictionaries) -> Option<String> {
    let filled = join(&template.parts, facts, dictionaries).or_else(|| template.default.clone());
    filled.filter(|value| value.len() <= RESULT_BYTES_MAX)
}

/// A field value of what was filled in (RFC 9110 section 5.5).
#[must_use]
pub fn field_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.trim_matches([' ', '\t']).as_bytes()).ok()
}

fn join(parts: &[Part], facts: &Facts<'_>, dictionaries: &Dictionaries) -> Option<String> {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Place(place) => out.push_str(&known(*place, facts)?),
            Part::Lookup { dictionary, column, key } => {
                let key = join(key, facts, dictionaries)?;
                let table = dictionaries.get(dictionary)?.table();
                out.push_str(table.find(&key, column.as_deref())?);
            }
        }
    }
    Some(out)
}

fn known<'a>(place: Place, facts: &Facts<'a>) -> Option<Cow<'a, str>> {
    let classes = facts.classes;
    Some(match place {
        Place::Country => classes.country.as_deref()?.into(),
        Place::Device => classes.device?.as_str().into(),
        Place::Language => classes.language.as_deref()?.into(),
        Place::Path => facts.path.into(),
        Place::Host => facts.host.into(),
        Place::Client => facts.client?.to_string().into(),
        Place::RequestId => format!("{:032x}", facts.request_id).into(),
    })
}

#[cfg(test)]
mod tests {
    use overfall_config::{DictionaryFile, DictionaryFormat};

    use super::*;
    use crate::tailoring::device::Device;

    fn lookup(column: Option<&str>, key: Vec<Part>) -> Part {
        Part::Lookup { dictionary: "d".to_owned(), column: column.map(str::to_owned), key }
    }

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    fn dictionaries(content: &str) -> Dictionaries {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("d.csv");
        std::fs::write(&file, content).unwrap();
        let settings =
            DictionaryFile { name: "d".into(), file, format: DictionaryFormat::Csv, columns: vec![] };
        HashMap::from([("d".to_owned(), Arc::new(Dictionary::open(&settings).unwrap()))])
    }

    #[test]
    fn places_and_lookups_are_filled_in() {
        let known = dictionaries("k,v,w\ndach/a,1,one\n");
        let classes = Classes { device: Some(Device::Tablet), language: None, country: Some("dach".into()) };
        let facts = Facts {
            host: "a.example",
            path: "/a",
            classes: &classes,
            client: Some("192.0.2.1".parse().unwrap()),
            request_id: 255,
        };
        let fill = |parts: Vec<Part>, default: Option<&str>| {
            fill(&Template { parts, default: default.map(str::to_owned) }, &facts, &known)
        };
        let key = || vec![Part::Place(Place::Country), Part::Place(Place::Path)];
        for (parts, default, expected) in [
            (vec![], None, Some("")),
            (vec![text("x-"), Part::Place(Place::Device)], None, Some("x-tablet")),
            (vec![Part::Place(Place::Host), Part::Place(Place::Path)], None, Some("a.example/a")),
            (vec![Part::Place(Place::Client)], None, Some("192.0.2.1")),
            (vec![Part::Place(Place::RequestId)], None, Some("000000000000000000000000000000ff")),
            (vec![Part::Place(Place::Language)], None, None),
            (vec![Part::Place(Place::Language)], Some("en"), Some("en")),
            (vec![lookup(None, key()), text("€")], None, Some("1€")),
            (vec![lookup(Some("w"), key())], Some("none"), Some("one")),
            (vec![text("a"), lookup(None, vec![text("dach")])], None, None),
            (vec![lookup(None, vec![text("dach")])], Some("none"), Some("none")),
            (vec![lookup(None, vec![Part::Place(Place::Language)])], Some("none"), Some("none")),
            (vec![lookup(Some("nothing"), key())], None, None),
        ] {
            assert_eq!(fill(parts.clone(), default).as_deref(), expected, "{parts:?}");
        }
        assert_eq!(fill(vec![text(&"x".repeat(9000))], None), None);
    }

    #[test]
    fn no_value_ends_its_line() {
        for value in ["a\r\nX: b", "a\nb", "a\rb", "a\0b", "a\u{7f}b"] {
            assert_eq!(field_value(value), None, "{value:?}");
        }
        assert_eq!(field_value(" Zürich\t").unwrap().as_bytes(), "Zürich".as_bytes());
    }
}
