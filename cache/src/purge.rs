//! Purges as facts about time: the latest log number per scope (merge = max), consulted on every read.
//!
//! A purge never touches bytes. [`follow`] brings the numbered events of a bus into a [`Table`], and the table judges a
//! stored response by the log number that its node had applied when the fetch began. This module refuses to enumerate
//! what a purge covers: it costs the same for one response and for a whole site.

use crate::stored::Position;

mod follower;
mod scopes;
mod selector;
mod table;

pub use follower::follow;
pub use selector::{PREFIX_BYTES_MAX, SelectorError, TAG_BYTES_MAX, TARGET_BYTES_MAX};
pub use table::{SCOPES_MAX, Table, TableCounters};

/// What a purge names. Strings are canonical: lower-case hosts, normalised queries.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// Everything of a site.
    Site {
        /// Site name.
        site: String,
    },
    /// Everything of a host.
    Host {
        /// Host.
        host: String,
    },
    /// One URL with all its variants and everything made from it.
    Url {
        /// Host.
        host: String,
        /// Path and normalised query.
        target: String,
    },
    /// Every URL of a host whose target begins with this.
    Prefix {
        /// Host.
        host: String,
        /// Beginning of the target; begins with `/`.
        prefix: String,
    },
    /// Every response of a site with this surrogate key.
    Tag {
        /// Site name.
        site: String,
        /// Surrogate key.
        tag: String,
    },
}

/// Whether covered responses die or turn stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Never served again.
    Hard,
    /// Validated before use as fresh; may be served stale.
    Soft,
}

/// One numbered event.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PurgeEvent {
    /// What it covers; at least one.
    pub selectors: Vec<Selector>,
    /// Hard or soft.
    pub mode: Mode,
    /// Name of the token that asked, for the audit log.
    pub by: String,
    /// When it was accepted, ms since the Unix epoch.
    pub at_ms: u64,
}

/// The state of a stored response against the purges applied so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// No purge touches it.
    Clear,
    /// Softly purged: no longer fresh; stale use is allowed.
    Stale,
    /// Its history is unknown (another epoch, a gap in the log), so that it may have been purged: validate before use.
    Unknown,
    /// Purged: never serve it.
    Dead,
}

/// Compares positions of one node's view. Kept here so that the rule stands once.
#[must_use]
pub const fn same_log(a: Position, b: Position) -> bool {
    a.epoch == b.epoch
}
