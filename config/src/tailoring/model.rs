//! What a site's tailoring comes to after it was checked.

use std::path::PathBuf;

use super::template::Template;

/// `[geo]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geo {
    /// File in MaxMind's DB format whose records hold `country.iso_code`.
    pub database: PathBuf,
}

/// `[dictionaries.NAME]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DictionaryFile {
    /// The table's key.
    pub name: String,
    /// File.
    pub file: PathBuf,
    /// How the file is written.
    pub format: DictionaryFormat,
    /// Columns that rules name, sorted; a file without one of them is refused.
    pub columns: Vec<String>,
}

/// How a dictionary is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DictionaryFormat {
    /// Comma-separated (RFC 4180) with a first line of column names; the first column is the key.
    Csv,
    /// One object whose values are strings, or objects of strings.
    Json,
}

/// `[site.vary]`: the classes of requests that have responses of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Classes {
    /// Mobile, tablet and desktop are told apart.
    pub device: bool,
    /// Language tags that the site has, the default first; empty: languages are not told apart.
    pub languages: Vec<String>,
    /// Countries that the site tells apart; empty: none.
    pub countries: Vec<CountryClass>,
}

/// Countries that share their responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountryClass {
    /// Name in keys and templates: a group's name, or the code of a single country. Never `other`.
    pub name: String,
    /// ISO 3166-1 alpha-2 codes, upper case.
    pub codes: Vec<String>,
}

/// What one rule does to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldRule {
    /// Field name, lower case.
    pub name: String,
    /// What happens to it.
    pub action: FieldAction,
}

/// See [`FieldRule`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldAction {
    /// One value in place of all others.
    Set(Template),
    /// One more value.
    Append(Template),
    /// No value.
    Remove,
}

/// `[[site.redirect]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Gives the target, by key.
    pub location: Template,
    /// 301, 302, 307 or 308. Default 302.
    pub status: u16,
}

/// Everything that a site does differently by request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SiteTailoring {
    /// `[site.vary]`
    pub classes: Classes,
    /// `[[site.request_headers]]`
    pub request_headers: Vec<FieldRule>,
    /// `[[site.response_headers]]`
    pub response_headers: Vec<FieldRule>,
    /// `[[site.redirect]]`
    pub redirects: Vec<Redirect>,
}

impl Classes {
    /// Whether no class is told apart.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        !self.device && self.languages.is_empty() && self.countries.is_empty()
    }

    /// How many variants of one response there can be.
    #[must_use]
    pub fn variants(&self) -> usize {
        let countries = if self.countries.is_empty() { 1 } else { self.countries.len().saturating_add(1) };
        let devices = if self.device { 3 } else { 1 };
        self.languages.len().max(1).saturating_mul(countries).saturating_mul(devices)
    }
}

impl SiteTailoring {
    /// Every template of the site.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let rules = self.request_headers.iter().chain(&self.response_headers);
        let values = rules.filter_map(|rule| match &rule.action {
            FieldAction::Set(template) | FieldAction::Append(template) => Some(template),
            FieldAction::Remove => None,
        });
        values.chain(self.redirects.iter().map(|redirect| &redirect.location))
    }

    /// Whether every request is treated alike.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
