//! What selects a stored response.
//!
//! A key has a base (scheme class, host, path, normalised query) and a variant. Purges by URL, prefix and host look
//! at the base alone, so that one purge covers every variant.

use std::fmt;

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

impl Key {
    /// The slot of this key. Fields are separated by a byte that none of them can hold.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        let mut hasher = XxHash3_128::with_seed(0x6f76_6572_6661_6c6c);
        for part in [&self.site, &self.host, &self.target, &self.variant] {
            hasher.write(part.as_bytes());
            hasher.write(&[0]);
        }
        KeyHash(hasher.finish_128())
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
