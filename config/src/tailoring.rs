//! `[geo]`, `[dictionaries.NAME]` and the parts of `[[site]]` that treat requests differently.
//!
//! Classes are closed lists, so that the number of variants is known before the first request. A rule for what the
//! origin is sent may depend on nothing that the key of the cache does not hold: one client could otherwise choose what
//! another gets.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeValue;

use crate::{
    bounds, keys, names,
    raw::{Spot, Table, Value},
    report::{Mistake, quoted},
    units::Refusal,
};

mod model;
mod template;

pub use model::*;
pub use template::{Part, Place, Template};

/// The data base of countries, if the file names one.
pub(crate) fn geo(root: &Table<'_>) -> Option<Geo> {
    let table = root.table_if("geo", &keys::GEO)?;
    let database = table.required("database").and_then(Value::path);
    Some(Geo { database: database.unwrap_or_default() })
}

/// Dictionaries by name; their columns are added when the sites are known.
pub(crate) fn dictionaries(root: &Table<'_>) -> BTreeMap<String, DictionaryFile> {
    let tables = root.named(&bounds::DICTIONARIES, &keys::DICTIONARY);
    let read = tables.into_iter().map(|(name, table)| {
        let file = table.required("file");
        let format = file.and_then(|value| value.parse(format)).map(|format| format.value);
        let dictionary = DictionaryFile {
            name: name.value.clone(),
            file: file.filter(|_| format.is_some()).and_then(Value::path).unwrap_or_default(),
            format: format.unwrap_or(DictionaryFormat::Csv),
            columns: Vec::new(),
        };
        (name.value, dictionary)
    });
    read.collect()
}

fn format(file: &str) -> Result<DictionaryFormat, Refusal> {
    match file.rsplit_once('.') {
        Some((_, "csv")) => Ok(DictionaryFormat::Csv),
        Some((_, "json")) => Ok(DictionaryFormat::Json),
        _ => Err(Refusal::new(format!("{} does not say how it is written", quoted(file)))
            .help("the name of a dictionary's file ends with .csv or .json")),
    }
}

/// Places that the checks across tables point at.
#[derive(Debug, Default)]
pub(crate) struct TailoringMarks {
    country: Option<crate::raw::Span>,
    vary: Option<crate::raw::Span>,
    templates: Vec<Spot<Template>>,
}

/// What a site says of its classes, rules and redirects.
pub(crate) fn site(table: &Table<'_>) -> (SiteTailoring, TailoringMarks) {
    let mut marks = TailoringMarks::default();
    let classes = table.table_if("vary", &keys::VARY).map(|vary| classes(&vary, &mut marks));
    let classes = classes.unwrap_or_default();
    let request_headers = rules(table, &bounds::REQUEST_HEADERS, &keys::REQUEST_HEADER, &mut marks);
    let response_headers = rules(table, &bounds::RESPONSE_HEADERS, &keys::RESPONSE_HEADER, &mut marks);
    let redirects =
        table.list(&bounds::REDIRECTS).into_iter().filter_map(|value| redirect(value, &mut marks));
    let redirects = redirects.collect();
    let tailoring = SiteTailoring { classes, request_headers, response_headers, redirects };
    for template in &marks.templates {
        has_classes(table, template, &tailoring.classes);
    }
    (tailoring, marks)
}

/// Notes what contradicts other tables, and tells each dictionary which columns are asked of it.
pub(crate) fn validate(
    reader: &crate::raw::Reader<'_>,
    has_geo: bool,
    dictionaries: &mut BTreeMap<String, DictionaryFile>,
    sites: &[(&SiteTailoring, &TailoringMarks)],
) {
    let mut columns: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (tailoring, marks) in sites {
        if let Some(span) = marks.country.clone().filter(|_| !has_geo) {
            let mistake = Mistake::new(span, "countries cannot be told apart without a data base");
            reader.push(
                mistake.help("add [geo] with \"database\", the path of a file such as GeoLite2-Country.mmdb"),
            );
        }
        if let Some(span) = marks.vary.clone().filter(|_| tailoring.classes.variants() > VARIANTS_MAX) {
            let variants = tailoring.classes.variants();
            let message = format!("{variants} variants of each response, allowed are {VARIANTS_MAX}");
            reader.push(Mistake::new(span, message).help("group countries, or list fewer languages"));
        }
        for template in &marks.templates {
            for (name, column) in template.value.lookups() {
                if dictionaries.contains_key(name) {
                    let wanted = columns.entry(name.to_owned()).or_default();
                    wanted.extend(column.map(str::to_owned));
                    continue;
                }
                let message = format!("dictionary {} is not defined", quoted(name));
                let near = reader.suggestion(name, dictionaries.keys().map(String::as_str));
                let help = near.unwrap_or_else(|| format!("add [dictionaries.{name}] with \"file\""));
                reader.push(Mistake::new(template.span.clone(), message).help(help));
            }
        }
    }
    for (name, wanted) in columns {
        if let Some(dictionary) = dictionaries.get_mut(&name) {
            dictionary.columns = wanted.into_iter().collect();
        }
    }
}

fn classes(table: &Table<'_>, marks: &mut TailoringMarks) -> Classes {
    marks.vary = Some(table.span());
    let languages = table.parse_list(&bounds::LANGUAGES, language);
    once(table, "language", &languages);
    let device = table.value("device").and_then(boolean).unwrap_or(false);
    let countries = table.value("country").map(|value| {
        marks.country = Some(value.span());
        countries(table, value)
    });
    let languages = languages.into_iter().map(|spot| spot.value).collect();
    Classes { device, languages, countries: countries.unwrap_or_default() }
}

fn boolean(value: Value<'_>) -> Option<bool> {
    if let DeValue::Boolean(answer) = value.node.get_ref() {
        return Some(*answer);
    }
    value.wrong_type("true or false");
    None
}

/// A list of codes, or a table of groups.
fn countries(table: &Table<'_>, value: Value<'_>) -> Vec<CountryClass> {
    let mut codes: Vec<Spot<String>> = Vec::new();
    let classes = if let DeValue::Table(groups) = value.node.get_ref() {
        value.check_count(&bounds::COUNTRIES, groups.len());
        let read = groups.iter().filter_map(|(name, node)| {
            let class = names::identifier(name.get_ref()).and_then(|name| match name.as_str() {
                OTHER => Err(Refusal::new("\"other\" is the class of every country that is in no group")),
                _ => Ok(name),
            });
            let list = Value { reader: value.reader, node };
            let members = list.list(&bounds::COUNTRIES).or_else(|| {
                list.wrong_type("a list of country codes");
                None
            });
            let members: Vec<_> = members?.into_iter().filter_map(|code| code.parse(country)).collect();
            codes.extend(members.iter().cloned());
            match class {
                Ok(name) => {
                    Some(CountryClass { name, codes: members.into_iter().map(|spot| spot.value).collect() })
                }
                Err(refusal) => {
                    value.reader.refuse(name.span(), refusal);
                    None
                }
            }
        });
        read.collect()
    } else if let Some(list) = value.list(&bounds::COUNTRIES) {
        codes = list.into_iter().filter_map(|code| code.parse(country)).collect();
        codes
            .iter()
            .map(|code| CountryClass { name: code.value.clone(), codes: vec![code.value.clone()] })
            .collect()
    } else {
        value.wrong_type("a list of country codes, or a table of such lists");
        Vec::new()
    };
    once(table, "country", &codes);
    classes
}

/// A language tag of the shape that every tag has (RFC 5646 section 2.1).
fn language(text: &str) -> Result<String, Refusal> {
    let mut subtags = text.split('-');
    let first = subtags.next().unwrap_or_default();
    let is_primary = (2..=8).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic());
    let is_subtag =
        |tag: &str| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_primary && subtags.all(is_subtag) && text.len() <= LANGUAGE_BYTES_MAX {
        return Ok(text.to_owned());
    }
    Err(Refusal::new(format!("{} is not a language tag", quoted(text)))
        .help("write for example \"en\" or \"pt-BR\""))
}

/// An ISO 3166-1 alpha-2 code.
fn country(text: &str) -> Result<String, Refusal> {
    if text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()) {
        return Ok(text.to_owned());
    }
    Err(Refusal::new(format!("{} is not a country code", quoted(text)))
        .help("write two upper-case letters (ISO 3166-1), such as \"DE\""))
}

/// Notes every value that stood before, whatever its case.
fn once(table: &Table<'_>, kind: &str, spots: &[Spot<String>]) {
    let mut seen = BTreeSet::new();
    for spot in spots {
        if !seen.insert(spot.value.to_ascii_lowercase()) {
            let message = format!("{kind} {} is given twice", quoted(&spot.value));
            table.reader.push(Mistake::new(spot.span.clone(), message));
        }
    }
}

fn rules(
    site: &Table<'_>,
    bound: &'static bounds::Bound,
    keys: &'static keys::Keys,
    marks: &mut TailoringMarks,
) -> Vec<FieldRule> {
    let is_request = std::ptr::eq(bound, &raw const bounds::REQUEST_HEADERS);
    let tables = site.list(bound).into_iter().filter_map(|value| value.table(keys));
    tables.filter_map(|table| rule(&table, is_request, marks)).collect()
}

fn rule(table: &Table<'_>, is_request: bool, marks: &mut TailoringMarks) -> Option<FieldRule> {
    let refused: &[&str] = if is_request { &OWN_REQUEST_FIELDS } else { &OWN_RESPONSE_FIELDS };
    let name = table.required("name").and_then(|value| value.parse(|text| field_name(text, refused)));
    let remove = table.value("remove").and_then(boolean);
    let given = [table.value("set").is_some(), table.value("append").is_some(), remove == Some(true)];
    if given.iter().filter(|is_given| **is_given).count() != 1 {
        let mistake =
            Mistake::new(table.span(), "a rule has exactly one of \"set\", \"append\" and \"remove\"");
        table.reader.push(mistake.help("write for example set = \"{country}\", or remove = true"));
        return None;
    }
    if given == [false, false, true] && table.value("default").is_some() {
        table.reader.push(Mistake::new(table.span(), "a rule that removes a field has no \"default\""));
    }
    let mut read = |key| template(table, key, marks);
    let action = match given {
        [true, ..] => FieldAction::Set(read("set")?),
        [_, true, _] => FieldAction::Append(read("append")?),
        _ => FieldAction::Remove,
    };
    if is_request && let FieldAction::Set(template) | FieldAction::Append(template) = &action {
        only_keyed(table, template);
    }
    Some(FieldRule { name: name?.value, action })
}

/// The template under a key of a rule, with the rule's default.
fn template(table: &Table<'_>, key: &'static str, marks: &mut TailoringMarks) -> Option<Template> {
    let mut template = table.parse(key, Template::parse)?;
    template.value.default = table.parse("default", field_value).map(|spot| spot.value);
    for part in &template.value.parts {
        if let Part::Text(text) = part
            && let Err(refusal) = field_value(text)
        {
            table.reader.refuse(template.span.clone(), refusal);
        }
    }
    marks.templates.push(template.clone());
    Some(template.value)
}

fn only_keyed(table: &Table<'_>, template: &Template) {
    if let Some(place) = template.places().find(|place| !place.is_keyed()) {
        let message = format!("{{{}}} differs between requests that share a stored response", place.name());
        let mistake = Mistake::new(table.span(), message);
        table.reader.push(mistake.help(
            "what the origin is sent may depend on {host}, {path} and the classes of [site.vary] only",
        ));
    }
}

/// Notes a class that the site does not tell apart.
fn has_classes(table: &Table<'_>, template: &Spot<Template>, classes: &Classes) {
    let is_known = |place| match place {
        Place::Country => !classes.countries.is_empty(),
        Place::Device => classes.device,
        Place::Language => !classes.languages.is_empty(),
        Place::Path | Place::Host | Place::Client | Place::RequestId => true,
    };
    let mut missing = template.value.places().filter(|place| !is_known(*place));
    if let Some(place) = missing.next() {
        let name = place.name();
        let mistake = Mistake::new(template.span.clone(), format!("this site does not tell apart by {name}"));
        table.reader.push(mistake.help(format!("set \"{name}\" in [site.vary]")));
    }
}

fn redirect(value: Value<'_>, marks: &mut TailoringMarks) -> Option<Redirect> {
    let table = value.table(&keys::REDIRECT)?;
    let dictionary = table.required("dictionary").and_then(|value| value.parse(names::identifier));
    let key = match table.value("key") {
        Some(value) => value.parse(Template::parse)?.value.parts,
        None => vec![Part::Place(Place::Path)],
    };
    if key.iter().any(|part| matches!(part, Part::Lookup { .. })) {
        let refusal = Refusal::new("a key that is looked up cannot itself look something up");
        table.reader.refuse(table.span(), refusal);
    }
    let status = table.value("status").map_or(Some(302), redirect_status);
    let dictionary = dictionary?;
    let lookup = Part::Lookup { dictionary: dictionary.value, column: None, key };
    let location = Template { parts: vec![lookup], default: None };
    marks.templates.push(Spot { value: location.clone(), span: dictionary.span });
    Some(Redirect { location, status: status? })
}

fn redirect_status(value: Value<'_>) -> Option<u16> {
    let number = match value.node.get_ref() {
        DeValue::Integer(number) => u16::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    };
    // RFC 9110 sections 15.4.2, 15.4.3, 15.4.8 and 15.4.9
    let status = number.filter(|status| [301, 302, 307, 308].contains(status));
    if status.is_none() {
        value.refuse(Refusal::new("a redirect has the status 301, 302, 307 or 308"));
    }
    status
}

/// A field name that a rule may touch, lower case.
fn field_name(text: &str, refused: &[&str]) -> Result<String, Refusal> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if text.is_empty() || text.len() > FIELD_NAME_BYTES_MAX || !text.bytes().all(is_token) {
        return Err(Refusal::new(format!("{} is not a field name", quoted(text)))
            .help("write for example \"X-Country\""));
    }
    let name = text.to_ascii_lowercase();
    if refused.contains(&name.as_str()) || CONNECTION_FIELDS.contains(&name.as_str()) {
        return Err(Refusal::new(format!("{} is not for rules: the edge itself decides it", quoted(text))));
    }
    Ok(name)
}

/// Text that may stand in a field (RFC 9110 section 5.5).
fn field_value(text: &str) -> Result<String, Refusal> {
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(Refusal::new("a field's value has no line breaks and no other control characters"));
    }
    Ok(text.to_owned())
}

/// Class of every country that is in no other.
const OTHER: &str = "other";
/// Variants of one response.
const VARIANTS_MAX: usize = 1_000;
/// Bytes of a language tag (RFC 5646 section 4.4.1).
const LANGUAGE_BYTES_MAX: usize = 35;
/// Bytes of a field name.
const FIELD_NAME_BYTES_MAX: usize = 128;
/// Fields that frame a message or belong to one connection (RFC 9110 section 7.6.1).
const CONNECTION_FIELDS: [&str; 12] = [
    "connection",
    "content-length",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];
/// Fields of a request by which the cache selects, validates and finds loops.
const OWN_REQUEST_FIELDS: [&str; 12] = [
    "cache-control",
    "cdn-loop",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "pragma",
    "range",
    "x-forwarded-for",
];
/// Fields of a response that say what the body is and where it came from.
const OWN_RESPONSE_FIELDS: [&str; 10] = [
    "age",
    "cache-status",
    "content-encoding",
    "content-range",
    "date",
    "etag",
    "location",
    "server-timing",
    "vary",
    "x-request-id",
];

#[cfg(test)]
mod tests;
