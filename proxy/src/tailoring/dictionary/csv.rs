//! Comma-separated text, read strictly (RFC 4180): a slip in a quote would otherwise swallow the lines behind it.

use super::{Fault, Table};

/// A first line of column names, then one entry per record; blank lines count for nothing.
pub(super) fn parse(text: &str) -> Result<Table, Fault> {
    let mut records = Records { rest: text, line: 1 };
    let mut table = Table::default();
    let Some((line, names)) = records.next()? else {
        return Err(Fault {
            line: 1,
            message: "the first line, with the names of the columns, is missing".to_owned(),
        });
    };
    let at = |line| move |message| Fault { line, message };
    let width = names.len();
    if width < 2 {
        return Err(at(line)("a column for the key and one for the value are needed".to_owned()));
    }
    for (index, name) in names.iter().enumerate().skip(1) {
        let added = table.column(name.trim()).map_err(at(line))?;
        if usize::from(added) != index - 1 {
            return Err(at(line)(format!("the column {} stands twice", super::shown(name))));
        }
    }
    while let Some((line, fields)) = records.next()? {
        if fields.len() != width {
            return Err(at(line)(format!("{} fields, but {width} columns", fields.len())));
        }
        let mut fields = fields.into_iter();
        let key = fields.next().unwrap_or_default();
        let row = (0..).zip(fields).filter(|(_, value)| !value.is_empty());
        table
            .insert(&key, row.map(|(index, value)| (index, value.into_boxed_str())).collect())
            .map_err(at(line))?;
    }
    Ok(table)
}

struct Records<'a> {
    rest: &'a str,
    line: usize,
}

impl Records<'_> {
    /// The next record with the line that it begins on.
    fn next(&mut self) -> Result<Option<(usize, Vec<String>)>, Fault> {
        loop {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let line = self.line;
            let mut fields = Vec::new();
            while self.field(&mut fields)? {}
            if fields.iter().any(|field| !field.is_empty()) || fields.len() > 1 {
                return Ok(Some((line, fields)));
            }
        }
    }

    /// Takes a field and what ends it; false at the end of the record.
    fn field(&mut self, fields: &mut Vec<String>) -> Result<bool, Fault> {
        let field = if self.rest.starts_with('"') { self.quoted()? } else { self.bare()? };
        fields.push(field);
        if let Some(rest) = self.rest.strip_prefix(',') {
            self.rest = rest;
            return Ok(true);
        }
        let ended = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n'));
        if let Some(rest) = ended {
            self.rest = rest;
            self.line += 1;
        } else if !self.rest.is_empty() {
            return Err(self.fault("text behind the closing quote of a field"));
        }
        Ok(false)
    }

    fn bare(&mut self) -> Result<String, Fault> {
        let end = self.rest.find([',', '\n', '"']).unwrap_or(self.rest.len());
        let (field, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        if rest.starts_with('"') {
            return Err(self.fault("a quote inside a field that does not begin with one"));
        }
        let is_line_end = rest.is_empty() || rest.starts_with('\n');
        let field = if is_line_end { field.strip_suffix('\r').unwrap_or(field) } else { field };
        self.rest = self.rest.get(end..).unwrap_or_default();
        Ok(field.to_owned())
    }

    /// A field in quotes; a doubled quote stands for one.
    fn quoted(&mut self) -> Result<String, Fault> {
        let opened = self.fault("a quote that is never closed");
        let mut field = String::new();
        let mut rest = self.rest.strip_prefix('"').unwrap_or_default();
        loop {
            let (part, after) = rest.split_once('"').ok_or_else(|| opened.clone())?;
            field.push_str(part);
            rest = after;
            match rest.strip_prefix('"') {
                Some(after) => {
                    field.push('"');
                    rest = after;
                }
                None => break,
            }
        }
        self.line += field.matches('\n').count();
        self.rest = rest;
        Ok(field)
    }

    fn fault(&self, message: &str) -> Fault {
        Fault { line: self.line, message: message.to_owned() }
    }
}
