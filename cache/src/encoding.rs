//! Content codings: which ones there are, which one a client gets, and how bodies get into them. RFC 9110 section 8.4.
//!
//! A body is coded once, behind the answers, and kept beside the plain one in the same stored response, so that one purge
//! and one validation cover all codings. What an origin has coded itself stays as it is, and is undone only for a client
//! that does not take it. Nothing here runs on a request's own time but undoing.

use bytes::Bytes;

mod accept;
mod codec;
mod represent;
mod workshop;

pub use accept::Accepted;
pub use codec::{CodecError, decode, encode};
pub use represent::{
    Choice, Representation, choose, etag_of, is_compressible, mark, plain_head, represent, undoing,
};
pub use workshop::{Counters, Done, QUEUE_BYTES_MAX, QUEUE_MAX, Workshop};

/// A content coding that this node can make and undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coding {
    /// RFC 7932.
    Br,
    /// RFC 8878.
    Zstd,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// Every coding.
    pub const ALL: [Self; 3] = [Self::Br, Self::Zstd, Self::Gzip];

    /// The token in `Content-Encoding` and `Accept-Encoding`.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Br => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// The coding of a token, compared without case; `x-gzip` is `gzip` (RFC 9110 section 8.4.1.3).
    #[must_use]
    pub fn from_token(token: &str) -> Option<Self> {
        let token = if token.eq_ignore_ascii_case("x-gzip") { "gzip" } else { token };
        Self::ALL.into_iter().find(|coding| token.eq_ignore_ascii_case(coding.token()))
    }
}

impl From<overfall_config::ContentCoding> for Coding {
    fn from(coding: overfall_config::ContentCoding) -> Self {
        match coding {
            overfall_config::ContentCoding::Br => Self::Br,
            overfall_config::ContentCoding::Zstd => Self::Zstd,
            overfall_config::ContentCoding::Gzip => Self::Gzip,
        }
    }
}

/// A body in a coding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    /// Which one.
    pub coding: Coding,
    /// The coded bytes.
    pub body: Bytes,
}

/// Which codings a site offers, and how much time each may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compress {
    /// Codings to make, as a set: the bit of a coding is its place in [`Coding::ALL`].
    offered: u8,
    /// Time against size.
    pub level: overfall_config::CompressLevel,
}

impl Compress {
    /// The rules of a site; `None` when it offers nothing.
    #[must_use]
    pub fn of(rules: &overfall_config::CompressRules) -> Option<Self> {
        let codings = rules.codings.iter().map(|coding| Coding::from(*coding));
        let offered = codings.fold(0, |set, coding| set | bit(coding));
        (offered != 0).then_some(Self { offered, level: rules.level })
    }

    /// The codings to make.
    pub fn codings(self) -> impl Iterator<Item = Coding> {
        Coding::ALL.into_iter().filter(move |coding| self.offered & bit(*coding) != 0)
    }
}

const fn bit(coding: Coding) -> u8 {
    match coding {
        Coding::Br => 1,
        Coding::Zstd => 2,
        Coding::Gzip => 4,
    }
}

#[cfg(test)]
mod tests;
