//! What selects a stored response.
//!
//! A key has a base (scheme class, host, path, normalised query) and a variant. Purges by URL, prefix and host look
//! at the base alone, so that one purge covers every variant.

use std::{fmt, io::Write as _};

use twox_hash::XxHash3_128;

/// Selects one stored response. The whole key is stored beside the response and compared on every read; the hash only
/// finds the slot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Site name; keeps sites apart in shared tiers.
    pub site: String,
    /// Canonical host, lower case, no port.
    pub host: String,
    /// Raw path and normalised query, begins with `/`.
    pub target: String,
    /// Chosen rendering or coding; empty for the plain response.
    pub variant: String,
}

/// 128-bit hash of a [`Key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyHash(pub u128);

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A [`Key`] whose parts lie elsewhere, so that looking one up copies nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRef<'a> {
    /// See [`Key::site`].
    pub site: &'a str,
    /// See [`Key::host`].
    pub host: &'a str,
    /// See [`Key::target`].
    pub target: &'a str,
    /// See [`Key::variant`].
    pub variant: &'a str,
}

/// Keys up to this length, in bytes, are put together on the stack and hashed in one go.
const KEY_BYTES_SMALL: usize = 512;
const SEED: u64 = 0x6f76_6572_6661_6c6c;

impl<'a> KeyRef<'a> {
    /// The slot of this key. Parts end with a byte that none of them can hold.
    #[must_use]
    pub fn hash(self) -> KeyHash {
        let mut small = [0; KEY_BYTES_SMALL];
        let mut rest = small.as_mut_slice();
        let fits = self.parts().into_iter().try_for_each(|part| {
            rest.write_all(part.as_bytes())?;
            rest.write_all(&[0])
        });
        let length = KEY_BYTES_SMALL - rest.len();
        if let (Ok(()), Some(whole)) = (fits, small.get(..length)) {
            return KeyHash(XxHash3_128::oneshot_with_seed(SEED, whole));
        }
        let mut hasher = XxHash3_128::with_seed(SEED);
        for part in self.parts() {
            hasher.write(part.as_bytes());
            hasher.write(&[0]);
        }
        KeyHash(hasher.finish_128())
    }

    const fn parts(self) -> [&'a str; 4] {
        [self.site, self.host, self.target, self.variant]
    }
}

impl Key {
    /// The slot of this key.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        self.borrowed().hash()
    }

    /// The same without owning its parts.
    #[must_use]
    pub fn borrowed(&self) -> KeyRef<'_> {
        KeyRef { site: &self.site, host: &self.host, target: &self.target, variant: &self.variant }
    }

    /// The same base with another variant.
    #[must_use]
    pub fn with_variant(&self, variant: String) -> Self {
        Self { variant, ..self.clone() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}{}", self.site, self.host, self.target)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "#{}", self.variant) }
    }
}

#[cfg(test)]
mod tests {
    use twox_hash::XxHash3_128;

    use super::{Key, KeyHash, SEED};

    #[test]
    fn short_and_long_keys_hash_alike() {
        for length in [1, 200, 480, 505, 506, 507, 508, 5000] {
            let target = format!("/{}", "a".repeat(length));
            let key =
                Key { site: "s".into(), host: "h".into(), target: target.clone(), variant: String::new() };
            let whole = format!("s\0h\0{target}\0\0");
            let expected = XxHash3_128::oneshot_with_seed(SEED, whole.as_bytes());
            assert_eq!(key.hash(), KeyHash(expected), "{length}");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let key = |site: &str, host: &str| Key {
            site: site.into(),
            host: host.into(),
            target: "/".into(),
            variant: String::new(),
        };
        assert_ne!(key("ab", "c").hash(), key("a", "bc").hash());
    }
}
