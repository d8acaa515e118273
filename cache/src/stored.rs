//! A stored response: immutable once built.
//!
//! A purge never edits it; see `purge`. A 304 makes a new one from an old one (RFC 9111 section 4.3.4).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::{clock::Millis, encoding::Coded, key::Key, mapped};

/// A place in one ordered purge log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Position {
    /// Names the log itself; another epoch means another history.
    pub epoch: u64,
    /// Number of the last event applied.
    pub seq: u64,
}

/// Status and fields as stored: no hop-by-hop and no targeted fields.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    /// Status code.
    pub status: StatusCode,
    /// Fields.
    pub headers: HeaderMap,
}

/// When a response was made and for how long it may be used, all by the storing node's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Moment at which the response head was received.
    pub received: Millis,
    /// Corrected initial age in ms (RFC 9111 section 4.2.3).
    pub initial_age_ms: u64,
    /// Freshness lifetime in ms.
    pub fresh_ms: u64,
    /// Stale-while-revalidate window after that, in ms.
    pub stale_while_revalidate_ms: u64,
    /// Stale-if-error window after freshness, in ms.
    pub stale_if_error_ms: u64,
    /// `no-cache`: validate before every use.
    pub always_validate: bool,
    /// `must-revalidate` or `proxy-revalidate`: never serve stale.
    pub never_stale: bool,
}

impl Lifetime {
    /// Of something that is never used by itself.
    pub const NONE: Self = Self {
        received: Millis(0),
        initial_age_ms: 0,
        fresh_ms: 0,
        stale_while_revalidate_ms: 0,
        stale_if_error_ms: 0,
        always_validate: true,
        never_stale: true,
    };
}

/// What purges can name, besides the key itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes {
    /// Surrogate keys, as the origin sent them; at most [`crate::surrogate::TAGS_MAX`].
    pub tags: Vec<String>,
    /// `host` and `target` of responses that this one was made from (an image's source).
    pub sources: Vec<(String, String)>,
}

/// What a record stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A response with its whole body.
    Response,
    /// No response, only "look under the variant made of `vary`".
    VaryMarker,
    /// The head of a response whose body lies in slices of its own.
    Sliced {
        /// Bytes of the whole body.
        length: u64,
    },
    /// One slice of a body.
    Slice,
    /// A 206 with its part of a body, never joined to others; see [`crate::part`].
    Part,
}

/// A complete response with all that decides its use.
#[derive(Debug)]
pub struct Stored {
    /// Compared on every read.
    pub key: Key,
    /// Status and fields.
    pub head: ResponseHead,
    /// Whole body.
    pub body: Bytes,
    /// Freshness.
    pub lifetime: Lifetime,
    /// Log position that the node had applied when the fetch began.
    pub position: Position,
    /// What purges can name.
    pub scopes: Scopes,
    /// Names of request fields that select the variant (`Vary`), lower case and sorted. When this is a marker, the
    /// response itself lives under the variant built from them.
    pub vary: Vec<String>,
    /// The same body in other content codings, at most one of each.
    pub codings: Vec<Coded>,
    /// What the record stands for.
    pub kind: Kind,
}

impl Stored {
    /// Bytes that this response costs a memory budget.
    #[must_use]
    pub fn weight(&self) -> usize {
        let fields: usize = self.head.headers.iter().map(|(n, v)| n.as_str().len() + v.len() + 160).sum();
        let scopes: usize = self.scopes.tags.iter().map(|t| t.len() + 24).sum::<usize>()
            + self.scopes.sources.iter().map(|(h, t)| h.len() + t.len() + 48).sum::<usize>();
        let key = self.key.site.len() + self.key.host.len() + self.key.target.len() + self.key.variant.len();
        let codings =
            self.codings.iter().map(|coded| mapped::footprint(coded.body.len()) + 64).sum::<usize>();
        let bodies = mapped::footprint(self.body.len()) + codings;
        bodies + fields + scopes + key + 1024
    }
}

/// Shared handle.
pub type StoredRef = Arc<Stored>;
