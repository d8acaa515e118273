//! Which class of countries a client's address belongs to, by the operator's data base.
//!
//! The file is read whole into memory and checked from end to end before it is used; it is never mapped, since a file
//! that shrinks under a mapping kills the process. An address that the data base does not know is in no class of its own.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _},
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use maxminddb::{MaxMindDbError, Reader, path};
use overfall_config::CountryClass;

/// Class of every country that is in no other.
pub const OTHER: &str = "other";
/// Bytes of a data base.
const DATABASE_BYTES_MAX: u64 = 256 << 20;

/// Why a data base is of no use.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// It could not be read.
    #[error("country data base {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is larger than 256 MiB.
    #[error("country data base {}: larger than 256 MiB", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is no data base, or a broken one.
    #[error("country data base {}: {source}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: MaxMindDbError,
    },
}

/// A data base of countries.
pub struct Database {
    reader: Reader<Vec<u8>>,
}

impl Database {
    /// Reads and checks a file. Blocks.
    ///
    /// # Errors
    /// [`GeoError`] when it is missing, larger than 256 MiB, or not sound from end to end.
    pub fn open(path: &Path) -> Result<Self, GeoError> {
        let unreadable = |source| GeoError::Unreadable { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(DATABASE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > DATABASE_BYTES_MAX {
            return Err(GeoError::TooLarge { path: path.to_owned() });
        }
        Self::from_bytes(bytes).map_err(|source| GeoError::Broken { path: path.to_owned(), source })
    }

    fn from_bytes(bytes: Vec<u8>) -> Result<Self, MaxMindDbError> {
        let reader = Reader::from_source(bytes)?;
        reader.verify()?;
        Ok(Self { reader })
    }

    /// ISO 3166-1 code of an address's country; `None` when the data base does not say.
    #[must_use]
    pub fn country(&self, address: IpAddr) -> Option<&str> {
        let found = self.reader.lookup(address.to_canonical()).ok()?;
        found.decode_path(&path!["country", "iso_code"]).ok().flatten()
    }
}

/// A site's classes of countries.
pub struct Countries {
    database: Arc<Database>,
    classes: ClassesByCode,
}

impl Countries {
    /// Classes over a data base.
    #[must_use]
    pub fn new(database: Arc<Database>, classes: &[CountryClass]) -> Self {
        Self { database, classes: ClassesByCode::new(classes) }
    }

    /// The class of a client; an unknown address is in the class of all others.
    #[must_use]
    pub fn classify(&self, client: Option<IpAddr>) -> Arc<str> {
        self.classes.find(client.and_then(|client| self.database.country(client)))
    }
}

/// From code to class.
struct ClassesByCode {
    by_code: HashMap<String, Arc<str>>,
    other: Arc<str>,
}

impl ClassesByCode {
    fn new(classes: &[CountryClass]) -> Self {
        let by_code = classes.iter().flat_map(|class| {
            let name: Arc<str> = class.name.as_str().into();
            class.codes.iter().map(move |code| (code.clone(), Arc::clone(&name)))
        });
        Self { by_code: by_code.collect(), other: OTHER.into() }
    }

    fn find(&self, code: Option<&str>) -> Arc<str> {
        Arc::clone(code.and_then(|code| self.by_code.get(code)).unwrap_or(&self.other))
    }
}

#[cfg(test)]
mod tests {
    use overfall_test_support::mmdb;

    use super::*;

    #[test]
    fn codes_fall_into_their_class_or_the_rest() {
        let class = |name: &str, codes: &[&str]| CountryClass {
            name: name.to_owned(),
            codes: codes.iter().map(|&code| code.to_owned()).collect(),
        };
        let classes = ClassesByCode::new(&[class("dach", &["DE", "AT", "CH"]), class("US", &["US"])]);
        for (code, name) in [
            (Some("DE"), "dach"),
            (Some("CH"), "dach"),
            (Some("US"), "US"),
            (Some("FR"), OTHER),
            (Some("de"), OTHER),
            (Some("other"), OTHER),
            (Some(""), OTHER),
            (None, OTHER),
        ] {
            assert_eq!(&*classes.find(code), name, "{code:?}");
        }
    }

    #[test]
    fn addresses_have_the_country_of_their_network() {
        let networks = [([192, 0, 2, 0].into(), 24, "DE"), ([198, 51, 100, 7].into(), 32, "FR")];
        let database = Database::from_bytes(mmdb::countries(&networks)).unwrap();
        for (address, country) in [
            ("192.0.2.1", Some("DE")),
            ("192.0.2.255", Some("DE")),
            ("::ffff:192.0.2.1", Some("DE")),
            ("192.0.3.0", None),
            ("198.51.100.7", Some("FR")),
            ("198.51.100.6", None),
            ("2001:db8::1", None),
        ] {
            assert_eq!(database.country(address.parse().unwrap()), country, "{address}");
        }
    }

    #[test]
    fn a_damaged_data_base_is_refused_or_answers_without_harm() {
        let sound = mmdb::countries(&[([192, 0, 2, 0].into(), 24, "DE"), ([10, 0, 0, 0].into(), 8, "FR")]);
        let ask = |bytes: Vec<u8>| {
            let Ok(database) = Database::from_bytes(bytes) else { return };
            for address in ["192.0.2.1", "10.1.2.3", "0.0.0.0", "255.255.255.255"] {
                let found = database.country(address.parse().unwrap());
                assert!(found.is_none_or(|code| code.len() < 64), "{found:?}");
            }
        };
        for at in 0..sound.len() {
            ask(sound.get(..at).unwrap().to_vec());
            for bit in 0..8 {
                let mut damaged = sound.clone();
                damaged[at] ^= 1 << bit;
                ask(damaged);
            }
        }
    }

    #[test]
    fn what_is_no_data_base_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("geo.mmdb");
        assert!(matches!(Database::open(&path), Err(GeoError::Unreadable { .. })));
        for bytes in
            [&b""[..], b"not a data base", b"\xab\xcd\xefMaxMind.com", b"\xab\xcd\xefMaxMind.com\xe1"]
        {
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(Database::open(&path), Err(GeoError::Broken { .. })), "{bytes:?}");
        }
        assert!(matches!(Database::open(dir.path()), Err(GeoError::Unreadable { .. })));
    }
}
