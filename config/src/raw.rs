//! The document as it was written: tables and values that know where they stand, and the list of mistakes.
//!
//! Reading never stops at a mistake. A value that is refused is noted and counts as absent, so that one run finds
//! everything; whoever reads on uses a default in its place, and the result is thrown away at the end. A table is
//! checked for unknown keys when it is opened, so no key is skipped in silence.

use std::{
    cell::{Cell, RefCell},
    io,
    ops::Range,
    path::Path,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{
    bounds::Bound,
    keys::Keys,
    names,
    report::{Mistake, Report, quoted},
    units::Refusal,
};

/// Bytes of the file.
pub(crate) type Span = Range<usize>;

/// What a configuration may look at besides its own text.
#[derive(Clone, Copy)]
pub(crate) struct Outside<'a> {
    /// Environment variables.
    pub(crate) env: &'a dyn Fn(&str) -> Option<String>,
    /// Files that hold credentials.
    pub(crate) file: &'a dyn Fn(&Path) -> io::Result<String>,
    /// Folder that relative paths begin at: the configuration file's own.
    pub(crate) folder: &'a Path,
}

/// A value that passed its check, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// The text under reading and the mistakes found in it so far.
pub(crate) struct Reader<'a> {
    pub(crate) text: &'a str,
    pub(crate) outside: Outside<'a>,
    mistakes: RefCell<Vec<Mistake>>,
    total: Cell<usize>,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(text: &'a str, outside: Outside<'a>) -> Self {
        Self { text, outside, mistakes: RefCell::new(Vec::new()), total: Cell::new(0) }
    }

    /// Notes a mistake; beyond [`MISTAKES_MAX`] it is counted only.
    pub(crate) fn push(&self, mistake: Mistake) {
        self.total.set(self.total.get().saturating_add(1));
        if self.total.get() <= MISTAKES_MAX {
            self.mistakes.borrow_mut().push(mistake);
        }
    }

    /// Notes that the text at `span` was refused.
    pub(crate) fn refuse(&self, span: Span, refusal: Refusal) {
        self.push(Mistake::new(span, refusal.message).maybe_help(refusal.help));
    }

    /// Whether further mistakes are counted only. Then nothing is searched for on their behalf: with thousands of
    /// them, searches through the file would add up.
    pub(crate) fn is_full(&self) -> bool {
        self.total.get() >= MISTAKES_MAX
    }

    pub(crate) fn has_mistakes(&self) -> bool {
        self.total.get() > 0
    }

    /// Number of the line that holds the byte at `offset`, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1)
    }

    /// "did you mean", if the mistake will be shown.
    pub(crate) fn suggestion<'c>(&self, text: &str, known: impl Iterator<Item = &'c str>) -> Option<String> {
        if self.is_full() {
            return None;
        }
        names::nearest(text, known).map(|near| format!("did you mean {}?", quoted(near)))
    }

    /// The mistakes as a report; none: the configuration holds.
    pub(crate) fn finish(self, file: String) -> Option<Report> {
        let total = self.total.get();
        (total > 0).then(|| Report::new(file, self.text, self.mistakes.into_inner(), total))
    }
}

/// A table whose keys have been checked. An absent table is an empty one.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    pub(crate) reader: &'a Reader<'a>,
    keys: &'static Keys,
    entries: Option<&'a DeTable<'a>>,
    /// Where it is opened; the start of the file if it is absent.
    at: (usize, usize),
}

impl<'a> Table<'a> {
    /// The whole file.
    pub(crate) fn root(reader: &'a Reader<'a>, entries: &'a DeTable<'a>, keys: &'static Keys) -> Self {
        let table = Self { reader, keys, entries: Some(entries), at: (0, 0) };
        table.check_keys();
        table
    }

    const fn absent(reader: &'a Reader<'a>, keys: &'static Keys) -> Self {
        Self { reader, keys, entries: None, at: (0, 0) }
    }

    pub(crate) const fn span(&self) -> Span {
        self.at.0..self.at.1
    }

    pub(crate) fn value(&self, key: &'static str) -> Option<Value<'a>> {
        debug_assert!(self.keys.accepted.contains(&key), "{key} is missing from the key table");
        let node = self.entries?.get(key)?;
        Some(Value { reader: self.reader, node })
    }

    /// The value of a key without which the table means nothing.
    pub(crate) fn required(&self, key: &'static str) -> Option<Value<'a>> {
        let value = self.value(key);
        if value.is_none() {
            let message = format!("missing key \"{key}\" in {}", self.keys.title);
            self.reader.push(Mistake::new(self.span(), message));
        }
        value
    }

    /// A table inside this one; empty if it is absent or not a table.
    pub(crate) fn table(&self, key: &'static str, keys: &'static Keys) -> Self {
        self.table_if(key, keys).unwrap_or_else(|| Self::absent(self.reader, keys))
    }

    /// A table inside this one, if it is there.
    pub(crate) fn table_if(&self, key: &'static str, keys: &'static Keys) -> Option<Self> {
        self.value(key)?.table(keys)
    }

    /// The tables that `bound.key` holds by name, in the order of their names.
    pub(crate) fn named(&self, bound: &'static Bound, keys: &'static Keys) -> Vec<(Spot<String>, Self)> {
        let entries = self.entries(bound).into_iter();
        entries.filter_map(|(name, value)| Some((name, value.table(keys)?))).collect()
    }

    /// The values that `bound.key` holds by name, in the order of their names.
    pub(crate) fn entries(&self, bound: &'static Bound) -> Vec<(Spot<String>, Value<'a>)> {
        let Some(value) = self.value(bound.key) else { return Vec::new() };
        let DeValue::Table(entries) = value.node.get_ref() else {
            value.wrong_type("a table");
            return Vec::new();
        };
        value.check_count(bound, entries.len());
        let named = entries.iter().take(usize::try_from(bound.max).unwrap_or(usize::MAX));
        let read = named.map(|(key, node)| {
            let name = names::identifier(key.get_ref());
            if let Err(refusal) = &name {
                self.reader.refuse(key.span(), refusal.clone());
            }
            let value = name.unwrap_or_else(|_| key.get_ref().to_string());
            (Spot { value, span: key.span() }, Value { reader: self.reader, node })
        });
        read.collect()
    }

    /// The entries of a list within its bound; empty if it is absent.
    pub(crate) fn list(&self, bound: &'static Bound) -> Vec<Value<'a>> {
        debug_assert!(std::ptr::eq(self.keys, bound.keys), "{} is bound elsewhere", bound.key);
        let Some(value) = self.value(bound.key) else { return Vec::new() };
        value.list(bound).unwrap_or_else(|| {
            value.wrong_type("a list");
            Vec::new()
        })
    }

    fn check_keys(&self) {
        for (key, _) in self.entries.into_iter().flatten() {
            let name: &str = key.get_ref();
            if self.keys.accepted.contains(&name) {
                continue;
            }
            let listed = |list: &[(&str, &'static str)]| {
                list.iter().find(|(key, _)| *key == name).map(|(_, way_out)| *way_out)
            };
            let (shown, title) = (quoted(name), self.keys.title);
            self.reader.push(match (listed(self.keys.refused), listed(self.keys.elsewhere)) {
                (Some(way_out), _) => {
                    let message = format!("{shown} in {title} is not available in this version");
                    Mistake::new(key.span(), message).help(way_out)
                }
                (_, Some(way_out)) => {
                    Mistake::new(key.span(), format!("{shown} does not belong in {title}")).help(way_out)
                }
                _ => Mistake::new(key.span(), format!("unknown key {shown} in {title}"))
                    .label(format!("expected one of: {}", self.keys.accepted.join(", ")))
                    .maybe_help(self.reader.suggestion(name, self.keys.accepted.iter().copied())),
            });
        }
    }
}

/// One value as it was written.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) reader: &'a Reader<'a>,
    pub(crate) node: &'a Spanned<DeValue<'a>>,
}

impl<'a> Value<'a> {
    pub(crate) fn span(self) -> Span {
        self.node.span()
    }

    pub(crate) const fn spot<T>(self, value: T, span: Span) -> Spot<T> {
        Spot { value, span }
    }

    /// Notes that this value was refused.
    pub(crate) fn refuse(self, refusal: Refusal) {
        self.reader.refuse(self.span(), refusal);
    }

    pub(crate) fn wrong_type(self, expected: &str) {
        let found = match self.node.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.reader.push(Mistake::new(self.span(), format!("expected {expected}, found {found}")));
    }

    pub(crate) fn table(self, keys: &'static Keys) -> Option<Table<'a>> {
        let DeValue::Table(entries) = self.node.get_ref() else {
            self.wrong_type("a table");
            return None;
        };
        let span = self.span();
        let table = Table { reader: self.reader, keys, entries: Some(entries), at: (span.start, span.end) };
        table.check_keys();
        Some(table)
    }

    /// The entries within the bound; nothing if this is no list.
    pub(crate) fn list(self, bound: &'static Bound) -> Option<Vec<Self>> {
        let DeValue::Array(entries) = self.node.get_ref() else { return None };
        self.check_count(bound, entries.len());
        let taken = entries.iter().take(usize::try_from(bound.max).unwrap_or(usize::MAX));
        Some(taken.map(|node| Self { reader: self.reader, node }).collect())
    }

    pub(crate) fn check_count(self, bound: &'static Bound, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if !(bound.min..=bound.max).contains(&count) {
            let message = format!("\"{}\" has {count} entries, allowed are {}", bound.key, bound.range());
            self.reader.push(Mistake::new(self.span(), message));
        }
    }
}

/// Problems that a report shows.
pub(crate) const MISTAKES_MAX: usize = 200;
