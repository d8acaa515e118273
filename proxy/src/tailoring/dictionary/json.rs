//! One JSON object: strings, or objects of strings, by key. A key that stands twice is a mistake, not the last one's win.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, MapAccess, Visitor},
};

use super::{Fault, Table};

/// Name of the column of plain strings; no template can write it.
const PLAIN: &str = "";

pub(super) fn parse(text: &str) -> Result<Table, Fault> {
    match serde_json::from_str::<Whole>(text) {
        Ok(Whole(table)) => Ok(table),
        Err(error) => {
            let message = error.to_string();
            // the place stands in the line already
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            Err(Fault { line: error.line().max(1), message })
        }
    }
}

struct Whole(Table);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(WholeVisitor).map(Self)
    }
}

struct WholeVisitor;

impl<'de> Visitor<'de> for WholeVisitor {
    type Value = Table;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table, A::Error> {
        let mut table = Table::default();
        // plain strings are in the first column, whatever comes first
        table.column(PLAIN).map_err(A::Error::custom)?;
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Entry { key, table: &mut table })?;
        }
        Ok(table)
    }
}

/// One entry, put into the table where it is read, so that a fault has the line of the entry.
struct Entry<'t> {
    key: String,
    table: &'t mut Table,
}

impl<'de> DeserializeSeed<'de> for Entry<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Entry<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string or an object of strings")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        let row = Some((0, value.into())).filter(|_| !value.is_empty());
        self.table.insert(&self.key, row.into_iter().collect()).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut row: Vec<(u8, Box<str>)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            if name.is_empty() {
                return Err(A::Error::custom("the name of a column is empty"));
            }
            let column = self.table.column(&name).map_err(A::Error::custom)?;
            if row.iter().any(|(known, _)| *known == column) {
                return Err(A::Error::custom(format!("the column {} stands twice", super::shown(&name))));
            }
            row.push((column, value.into_boxed_str()));
        }
        row.retain(|(_, value)| !value.is_empty());
        self.table.insert(&self.key, row).map_err(A::Error::custom)
    }
}
