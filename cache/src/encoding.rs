//! Content codings: which ones there are, which one a client gets, and how bodies get into them. RFC 9110 section 8.4.

use bytes::Bytes;

/// A content coding that this node can make and undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coding {
    /// RFC 8878.
    Zstd,
    /// RFC 7932.
    Br,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// Every coding, the one preferred at equal weights first.
    pub const ALL: [Self; 3] = [Self::Br, Self::Zstd, Self::Gzip];

    /// The token in `Content-Encoding` and `Accept-Encoding`.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Br => "br",
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

/// A body in a coding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    /// Which one.
    pub coding: Coding,
    /// The coded bytes.
    pub body: Bytes,
}
