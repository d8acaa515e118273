//! Typed values: text with its substitutions, numbers in their range, paths, places and credentials.
//!
//! `${NAME}` inside any text stands for an environment variable, `$${` for the two characters themselves. A missing
//! variable is a mistake, never an empty text. The value of a credential never enters a message.

use std::{path::PathBuf, time::Duration};

use toml::de::DeValue;

use crate::{
    bounds::{Bound, Unit},
    keys,
    model::Location,
    names,
    raw::{Span, Spot, Table, Value},
    report::{Mistake, quoted},
    secret::Secret,
    units::{self, Refusal},
};

impl<'a> Value<'a> {
    /// Text after substitution.
    pub(crate) fn text(self) -> Option<Spot<String>> {
        let DeValue::String(text) = self.node.get_ref() else {
            self.wrong_type("a string");
            return None;
        };
        self.substituted(text).map(|value| self.spot(value, self.span()))
    }

    /// Text that passes a check.
    pub(crate) fn parse<T>(self, check: impl Fn(&str) -> Result<T, Refusal>) -> Option<Spot<T>> {
        let text = self.text()?;
        match check(&text.value) {
            Ok(value) => Some(self.spot(value, text.span)),
            Err(refusal) => {
                self.refuse(refusal);
                None
            }
        }
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?.value;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let mistake = Mistake::new(self.span(), format!("{} is not a choice here", quoted(&text)))
                .label(format!("expected one of: {}", known.join(", ")))
                .maybe_help(self.reader.suggestion(&text, known.iter().copied()));
            self.reader.push(mistake);
        }
        found
    }

    /// `true` or `false`.
    pub(crate) fn flag(self) -> Option<bool> {
        if let DeValue::Boolean(flag) = self.node.get_ref() {
            return Some(*flag);
        }
        self.wrong_type("true or false");
        None
    }

    /// A path; a relative one begins at the configuration file's folder.
    pub(crate) fn path(self) -> Option<PathBuf> {
        let usable = |text: &str| match text {
            "" => Err(Refusal::new("the path is empty")),
            text if text.contains('\0') => Err(Refusal::new("the path holds a zero byte")),
            text => Ok(self.reader.outside.folder.join(text)),
        };
        self.parse(usable).map(|spot| spot.value)
    }

    /// `[latitude, longitude]` in degrees.
    pub(crate) fn location(self) -> Option<Location> {
        let DeValue::Array(degrees) = self.node.get_ref() else {
            self.wrong_type("[latitude, longitude]");
            return None;
        };
        let [latitude, longitude] = degrees.as_ref() else {
            self.refuse(Refusal::new("a location is [latitude, longitude], two numbers in degrees"));
            return None;
        };
        let degree = |node, name, max| Self { reader: self.reader, node }.degree(name, max);
        let (latitude, longitude) =
            (degree(latitude, "latitude", 90.0), degree(longitude, "longitude", 180.0));
        Some(Location { latitude: latitude?, longitude: longitude? })
    }

    fn degree(self, name: &str, max: f64) -> Option<f64> {
        let number = match self.node.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse::<f64>().ok(),
            DeValue::Float(number) => number.as_str().parse::<f64>().ok(),
            _ => {
                self.wrong_type(&format!("a {name} in degrees"));
                return None;
            }
        };
        // NaN is in no range
        let number = number.filter(|number| (-max..=max).contains(number));
        if number.is_none() {
            self.refuse(Refusal::new(format!("the {name} must be from -{max} to {max} degrees")));
        }
        number
    }

    /// A credential: text, `{ env = "NAME" }` or `{ file = "path" }`.
    pub(crate) fn secret(self) -> Option<Secret> {
        let text = match self.node.get_ref() {
            DeValue::String(_) => self.text()?.value,
            DeValue::Table(_) => self.table(&keys::SECRET).and_then(|table| self.secret_elsewhere(&table))?,
            _ => {
                self.wrong_type("a string, { env = \"NAME\" } or { file = \"path\" }");
                return None;
            }
        };
        match names::visible(&text) {
            Ok(value) => Some(Secret::new(value)),
            Err(refusal) => {
                self.refuse(refusal);
                None
            }
        }
    }

    fn secret_elsewhere(self, table: &Table<'a>) -> Option<String> {
        match (table.value("env"), table.value("file")) {
            (Some(env), None) => {
                let name = env.text()?;
                let found = self.variable(&name.value);
                if found.is_none() {
                    let message = format!("the environment has no variable {}", quoted(&name.value));
                    self.reader.refuse(name.span, Refusal::new(message));
                }
                found
            }
            (None, Some(file)) => {
                let path = file.path()?;
                match (self.reader.outside.file)(&path) {
                    Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
                    Err(error) => {
                        let shown = quoted(&path.to_string_lossy());
                        file.refuse(Refusal::new(format!("cannot read the credential in {shown}: {error}")));
                        None
                    }
                }
            }
            _ => {
                self.refuse(Refusal::new("a credential has exactly one of \"env\" and \"file\""));
                None
            }
        }
    }

    fn variable(self, name: &str) -> Option<String> {
        // the standard library would accept such names on some systems and not on others
        if name.is_empty() || name.contains(['=', '\0']) {
            return None;
        }
        (self.reader.outside.env)(name)
    }

    fn substituted(self, text: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut whole = true;
        let mut rest = text;
        while let Some((before, from)) = rest.find("${").and_then(|at| rest.split_at_checked(at)) {
            if let Some(literal) = before.strip_suffix('$') {
                out.push_str(literal);
                out.push_str("${");
                rest = from.strip_prefix("${").unwrap_or_default();
                continue;
            }
            out.push_str(before);
            let Some((name, after)) = from.strip_prefix("${").and_then(|inner| inner.split_once('}')) else {
                let refusal =
                    Refusal::new("\"${\" without \"}\"").help("write \"$${\" for the characters themselves");
                self.refuse(refusal);
                return None;
            };
            match self.variable(name) {
                Some(value) => out.push_str(&value),
                None => {
                    whole = false;
                    self.reader.refuse(self.placeholder(name), missing_variable(name));
                }
            }
            if out.len() > TEXT_BYTES_MAX {
                break;
            }
            rest = after;
        }
        out.push_str(rest);
        if out.len() > TEXT_BYTES_MAX {
            self.refuse(Refusal::new("the text is longer than 64 KiB"));
            return None;
        }
        whole.then_some(out)
    }

    /// Where a variable is named inside this text; the whole text if escapes hide it.
    fn placeholder(self, name: &str) -> Span {
        let span = self.span();
        if self.reader.is_full() {
            return span;
        }
        let written = format!("${{{name}}}");
        let at = self.reader.text.get(span.clone()).and_then(|source| source.find(&written));
        let Some(at) = at else { return span };
        let start = span.start.saturating_add(at);
        start..start.saturating_add(written.len())
    }

    pub(crate) fn number(self, bound: &'static Bound) -> Option<Spot<u64>> {
        let number = match (bound.unit, self.node.get_ref()) {
            (Unit::Count | Unit::Items, _) => self.integer(bound),
            (Unit::Bytes, DeValue::String(_)) => Some(self.parse(units::size_bytes)?.value),
            (Unit::Time, DeValue::String(_)) => Some(self.parse(units::duration_ms)?.value),
            (Unit::Bytes, _) => self.no_unit("a size such as \"64 MiB\"", " MiB"),
            (Unit::Time, _) => self.no_unit("a duration such as \"30s\"", "s"),
        }?;
        if !(bound.min..=bound.max).contains(&number) {
            let message = format!("\"{}\" must be {}", bound.key, bound.range());
            self.reader.push(Mistake::new(self.span(), message));
            return None;
        }
        Some(self.spot(number, self.span()))
    }

    fn integer(self, bound: &Bound) -> Option<u64> {
        let DeValue::Integer(number) = self.node.get_ref() else {
            self.wrong_type("a whole number");
            return None;
        };
        let parsed = u64::from_str_radix(number.as_str(), number.radix()).ok();
        if parsed.is_none() {
            self.refuse(Refusal::new(format!("\"{}\" must be {}", bound.key, bound.range())));
        }
        parsed
    }

    fn no_unit(self, expected: &str, unit: &str) -> Option<u64> {
        match self.node.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => {
                let mistake =
                    Mistake::new(self.span(), format!("expected {expected}, found a number without a unit"));
                self.reader.push(mistake.help(format!("did you mean \"{}{unit}\"?", number.as_str())));
            }
            _ => self.wrong_type(expected),
        }
        None
    }
}

impl Table<'_> {
    /// Text that passes a check.
    pub(crate) fn parse<T>(
        &self,
        key: &'static str,
        check: impl Fn(&str) -> Result<T, Refusal>,
    ) -> Option<Spot<T>> {
        self.value(key)?.parse(check)
    }

    /// A number with its place, if it is given.
    pub(crate) fn number(&self, bound: &'static Bound) -> Option<Spot<u64>> {
        self.value(bound.key)?.number(bound)
    }

    /// A number, its default, or the least one allowed.
    pub(crate) fn amount(&self, bound: &'static Bound) -> u64 {
        self.number(bound).map_or_else(|| bound.fallback(), |spot| spot.value)
    }

    /// A duration, its default, or the least one allowed.
    pub(crate) fn time(&self, bound: &'static Bound) -> Duration {
        Duration::from_millis(self.amount(bound))
    }

    /// The entries of a list that pass a check.
    pub(crate) fn parse_list<T>(
        &self,
        bound: &'static Bound,
        check: impl Fn(&str) -> Result<T, Refusal>,
    ) -> Vec<Spot<T>> {
        self.list(bound).into_iter().filter_map(|value| value.parse(&check)).collect()
    }
}

/// The values without their places.
pub(crate) fn plain<T>(spots: Vec<Spot<T>>) -> Vec<T> {
    spots.into_iter().map(|spot| spot.value).collect()
}

fn missing_variable(name: &str) -> Refusal {
    Refusal::new(format!("the environment has no variable {}", quoted(name)))
        .help("set it, or write \"$${\" if the text itself is meant")
}

/// Bytes of one text after substitution.
const TEXT_BYTES_MAX: usize = 64 << 10;
