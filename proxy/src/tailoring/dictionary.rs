//! Dictionaries: files of an operator that rules and redirects look keys up in, replaced while the node runs.
//!
//! A table is built whole beside the one in use and swapped whole; a lookup sees one or the other. A file that is wrong
//! changes nothing: the table in use stays. Nothing is written back, and nothing but exact keys is found.

use std::{
    collections::HashMap,
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use overfall_config::{DictionaryFile, DictionaryFormat};
use parking_lot::Mutex;

mod csv;
mod json;
#[cfg(test)]
mod tests;

/// Bytes of a file.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// Entries of a table.
const ENTRIES_MAX: usize = 500_000;
/// Columns of values.
const COLUMNS_MAX: usize = 16;
/// Bytes of a key.
const KEY_BYTES_MAX: usize = 2 << 10;
/// Bytes of a value.
const VALUE_BYTES_MAX: usize = 8 << 10;

/// Why a dictionary was not read.
#[derive(Debug, thiserror::Error)]
pub enum DictionaryError {
    /// It could not be read.
    #[error("dictionary {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is larger than 32 MiB.
    #[error("dictionary {}: larger than 32 MiB", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A line is wrong.
    #[error("dictionary {}:{line}: {message}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
}

/// What is wrong in a text, and on which line, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    line: usize,
    message: String,
}

/// Entries under exact keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Table {
    columns: Vec<String>,
    entries: HashMap<Box<str>, Row>,
}

/// Values by column; an empty one is not there.
type Row = Box<[(u8, Box<str>)]>;

impl Table {
    /// Reads a text. `wanted` are columns that must be there.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &str, format: DictionaryFormat, wanted: &[String]) -> Result<Self, Fault> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let table = match format {
            DictionaryFormat::Csv => csv::parse(text)?,
            DictionaryFormat::Json => json::parse(text)?,
        };
        let is_open = format == DictionaryFormat::Json && table.entries.is_empty();
        match wanted.iter().find(|name| !table.columns.contains(name)).filter(|_| !is_open) {
            Some(name) => {
                Err(Fault { line: 1, message: format!("no column {name:?}, which a rule asks for") })
            }
            None => Ok(table),
        }
    }

    /// The value of a key in a column; without a column, the first one of a CSV file, the string of a JSON file.
    #[must_use]
    pub fn find(&self, key: &str, column: Option<&str>) -> Option<&str> {
        let row = self.entries.get(key)?;
        let wanted = match column {
            None => 0,
            Some(name) => self.columns.iter().position(|known| known == name)?,
        };
        row.iter().find(|(index, _)| usize::from(*index) == wanted).map(|(_, value)| &**value)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The column's index; a new one is added.
    fn column(&mut self, name: &str) -> Result<u8, String> {
        let index = self.columns.iter().position(|known| known == name).unwrap_or_else(|| {
            self.columns.push(name.to_owned());
            self.columns.len() - 1
        });
        let index = u8::try_from(index).ok().filter(|_| self.columns.len() <= COLUMNS_MAX);
        index.ok_or_else(|| format!("more than {COLUMNS_MAX} columns of values"))
    }

    fn insert(&mut self, key: &str, row: Vec<(u8, Box<str>)>) -> Result<(), String> {
        if key.is_empty() {
            return Err("the key is empty".to_owned());
        }
        if key.len() > KEY_BYTES_MAX {
            return Err(format!("the key is longer than {KEY_BYTES_MAX} bytes"));
        }
        if self.entries.len() >= ENTRIES_MAX {
            return Err(format!("more than {ENTRIES_MAX} entries"));
        }
        for (_, value) in &row {
            if value.len() > VALUE_BYTES_MAX {
                return Err(format!("a value is longer than {VALUE_BYTES_MAX} bytes"));
            }
            if value.chars().any(char::is_control) {
                return Err("a value holds a line break or another control character".to_owned());
            }
        }
        match self.entries.insert(key.into(), row.into_boxed_slice()) {
            Some(_) => Err(format!("the key {} stands twice", shown(key))),
            None => Ok(()),
        }
    }
}

/// Foreign text in a message, of bounded length and without control characters.
fn shown(text: &str) -> String {
    format!("{:?}", text.chars().take(80).collect::<String>())
}

/// Which version of a file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// A dictionary in use.
pub struct Dictionary {
    settings: DictionaryFile,
    table: ArcSwap<Table>,
    /// The version that was looked at last, good or bad; none: the file was not there.
    seen: Mutex<Option<Stamp>>,
}

/// What a look at the file came to.
#[derive(Debug)]
pub enum Refreshed {
    /// It is the version that was looked at before.
    Same,
    /// A new table is in use, with this many entries.
    Loaded(usize),
    /// The new version is wrong; the old table stays.
    Refused(DictionaryError),
}

impl Dictionary {
    /// Reads the file. Blocks.
    ///
    /// # Errors
    /// [`DictionaryError`] when it is missing or wrong.
    pub fn open(settings: &DictionaryFile) -> Result<Self, DictionaryError> {
        let stamp = stamp(&settings.file);
        let table = read(settings)?;
        let settings = settings.clone();
        Ok(Self { settings, table: ArcSwap::from_pointee(table), seen: Mutex::new(stamp) })
    }

    /// Name from the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// The table in use.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Looks whether the file is another one, and reads it. Each version is reported once. Blocks.
    pub fn refresh(&self) -> Refreshed {
        // the stamp is older than what is read after it, so that a file that changes meanwhile is read again
        let stamp = stamp(&self.settings.file);
        let mut seen = self.seen.lock();
        if *seen == stamp {
            return Refreshed::Same;
        }
        *seen = stamp;
        match read(&self.settings) {
            Ok(table) => {
                let count = table.len();
                self.table.store(Arc::new(table));
                Refreshed::Loaded(count)
            }
            Err(error) => Refreshed::Refused(error),
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    path.metadata().ok().map(|metadata| Stamp::of(&metadata))
}

fn read(settings: &DictionaryFile) -> Result<Table, DictionaryError> {
    let path = || settings.file.clone();
    let unreadable = |source| DictionaryError::Unreadable { path: path(), source };
    let mut bytes = Vec::new();
    let file = File::open(&settings.file).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(DictionaryError::TooLarge { path: path() });
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        DictionaryError::Line { path: path(), line, message: "not UTF-8".to_owned() }
    })?;
    Table::parse(text, settings.format, &settings.columns)
        .map_err(|Fault { line, message }| DictionaryError::Line { path: path(), line, message })
}
