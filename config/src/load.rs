//! From a file, or text, to a configuration: the only place here that touches the outside.
//!
//! A file that cannot be read and a file that is wrong are different errors, since they have different cures.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use toml::de::DeTable;

use crate::{
    document,
    model::Config,
    raw::{Outside, Reader},
    report::{Mistake, Report, quoted},
};

/// Why [`load`] gave no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file does not exist, may not be read, or is no file.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was read and is wrong.
    #[error(transparent)]
    Invalid(#[from] Report),
}

/// Reads and checks the file at `path`. Variables come from the process environment, relative paths begin at the
/// file's folder.
///
/// # Errors
/// [`LoadError::Unreadable`] if there is no text to check, [`LoadError::Invalid`] with every mistake otherwise.
///
/// # Examples
/// ```
/// let error = overfall_config::load("does-not-exist.toml").unwrap_err();
/// assert!(matches!(error, overfall_config::LoadError::Unreadable { .. }));
/// ```
pub fn load(path: impl AsRef<Path>) -> Result<Config, LoadError> {
    let path = path.as_ref();
    let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
    let bytes = read_bounded(path, FILE_BYTES_MAX).map_err(unreadable)?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(not_text(path, &error).into()),
    };
    Ok(parse(&text, path, &|name| std::env::var(name).ok())?)
}

/// Checks `text` as if it stood in `file_name`, whose folder relative paths begin at. Of the outside it sees `env`
/// and the files that credentials name.
///
/// # Errors
/// A [`Report`] with every mistake.
///
/// # Examples
/// ```
/// let text = r#"
/// [listen]
/// http = "127.0.0.1:8080"
/// [origins.app]
/// url = "http://127.0.0.1:3000"
/// [[site]]
/// name = "app"
/// hosts = ["localhost"]
/// origins = ["app"]
/// "#;
/// let config = overfall_config::parse(text, "edge.toml", &|_| None)?;
/// assert_eq!(config.node.region, "local");
///
/// let report = overfall_config::parse("[lisen]\nhttp = 8080\n", "edge.toml", &|_| None).unwrap_err();
/// assert_eq!(report.problems()[0].help(), Some("did you mean \"listen\"?"));
/// # Ok::<(), overfall_config::Report>(())
/// ```
pub fn parse(
    text: &str,
    file_name: impl AsRef<Path>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Report> {
    let file_name = file_name.as_ref();
    let folder = file_name.parent().unwrap_or_else(|| Path::new(""));
    let reader = Reader::new(text, Outside { env, file: &credential, folder });
    let config = checked(&reader);
    match (reader.finish(shown(file_name)), config) {
        (None, Some(config)) => Ok(config),
        (Some(report), _) => Err(report),
        // nothing is withheld without a mistake; if that breaks, the file is refused rather than half used
        (None, None) => Err(refusal(file_name, text, "the file could not be understood")),
    }
}

fn checked(reader: &Reader<'_>) -> Option<Config> {
    if reader.text.len() > FILE_BYTES_MAX {
        reader.push(Mistake::new(0..0, "the file is larger than 1 MiB"));
        return None;
    }
    let (document, errors) = DeTable::parse_recoverable(reader.text);
    let mut last_line = None;
    // recovery may stumble many times over one slip
    for error in errors.iter().take(ERRORS_MAX) {
        let duplicate = is_duplicate(error);
        let span = error.span().unwrap_or_default();
        let line = reader.text.get(..span.start).and_then(|before| before.rfind('\n'));
        if !duplicate && last_line.replace(line) == Some(line) {
            continue;
        }
        let message = match reader.text.get(span.clone()).filter(|_| duplicate) {
            Some(key) => format!("key {} is given twice", quoted(key.trim_matches(['"', '\'']))),
            None => error.message().to_owned(),
        };
        reader.push(Mistake::new(span, message));
    }
    // after a duplicate the rest of the file still means what it says; after a slip of syntax it may not
    let sound = errors.iter().all(is_duplicate);
    sound.then(|| document::read(reader, document.get_ref()))
}

fn is_duplicate(error: &toml::de::Error) -> bool {
    error.message().starts_with("duplicate key")
}

fn read_bounded(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // one byte more than allowed tells a file that is too long from one that just fits
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a file that holds a credential.
fn credential(path: &Path) -> io::Result<String> {
    let bytes = read_bounded(path, CREDENTIAL_BYTES_MAX)?;
    if bytes.len() > CREDENTIAL_BYTES_MAX {
        return Err(io::Error::other("larger than 64 KiB"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("not UTF-8"))
}

/// Bytes that are no text, with the text before them to show the place.
fn not_text(path: &Path, error: &std::string::FromUtf8Error) -> Report {
    let sound = error.utf8_error().valid_up_to();
    let before =
        error.as_bytes().get(..sound).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    let mistake = Mistake::new(sound..sound, "the file is not UTF-8 from here on");
    Report::new(shown(path), before, vec![mistake], 1)
}

fn refusal(file_name: &Path, text: &str, message: &str) -> Report {
    Report::new(shown(file_name), text, vec![Mistake::new(0..0, message)], 1)
}

fn shown(file_name: &Path) -> String {
    file_name.to_string_lossy().into_owned()
}

/// Largest configuration file in bytes.
pub const FILE_BYTES_MAX: usize = 1 << 20;
/// Slips of syntax that are looked at; each costs time in proportion to its line.
const ERRORS_MAX: usize = 1_000;
/// Largest file that holds a credential, in bytes.
const CREDENTIAL_BYTES_MAX: usize = 64 << 10;
