//! What a storage tier is to the engine. A broken tier is a miss with a reason, never an error for the reader.

use async_trait::async_trait;

use crate::{
    key::{Key, KeyHash},
    stored::StoredRef,
};

mod breaker;
mod counters;
pub mod folder;
pub mod hybrid;
mod queue;
pub mod s3;
#[cfg(test)]
mod testing;

pub use counters::TierCounters;

/// Why a tier gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TierError {
    /// The bytes there are not a record of ours, or its hash is wrong.
    #[error("record is corrupt: {0}")]
    Corrupt(String),
    /// No answer in time.
    #[error("no answer within {ms} ms")]
    Timeout {
        /// The deadline, in ms.
        ms: u64,
    },
    /// Storage failed.
    #[error("{0}")]
    Io(String),
    /// Not asked, because it failed or hung lately.
    #[error("skipped after failures")]
    Skipped,
}

impl TierError {
    /// The reason in one word, for `Cache-Status`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Corrupt(_) => "corrupt",
            Self::Timeout { .. } => "timeout",
            Self::Io(_) => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// An ordered step of the waterfall that keeps whole stored responses.
#[async_trait]
pub trait Tier: Send + Sync {
    /// `memory`, `disk`, `s3` or `folder`, for `Cache-Status` and metrics.
    fn name(&self) -> &'static str;

    /// Looks a response up. `None` when absent or when the slot holds another key.
    ///
    /// # Errors
    /// The reason why the tier can't say; the engine goes on to the next step.
    async fn get(&self, key: &Key, hash: KeyHash) -> Result<Option<StoredRef>, TierError>;

    /// Offers a response for keeping; returns before it is durable. A full queue drops it and counts that.
    fn put(&self, hash: KeyHash, stored: StoredRef);

    /// Waits until what was offered so far is durable or dropped.
    async fn flush(&self);

    /// Counts since start, of a tier that counts.
    fn counters(&self) -> Option<&TierCounters> {
        None
    }
}
