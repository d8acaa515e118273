//! How purge events are numbered and reach every node.

use std::time::Duration;

use async_trait::async_trait;

use crate::{purge::PurgeEvent, stored::Position};

pub mod embedded;
pub mod journal;

/// Why the bus did not take or give an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// The log can't be written; nothing was accepted.
    #[error("purge log can't be written: {0}")]
    Write(String),
    /// The log can't be read.
    #[error("purge log can't be read: {0}")]
    Read(String),
    /// The bus was closed.
    #[error("purge bus is closed")]
    Closed,
}

/// What one node has applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Node name.
    pub node: String,
    /// Whether it reported the asked seq in time.
    pub applied: bool,
    /// The last seq that it reported.
    pub seq: u64,
    /// Milliseconds from the question to its report; present when `applied`.
    pub after_ms: Option<u64>,
}

/// One batch for a follower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Events in order, contiguous with what was delivered before.
    Events(Vec<(Position, PurgeEvent)>),
    /// History before this position is gone: everything stored earlier must be validated before use.
    Gap(Position),
}

/// An ordered, durable log of purge events.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Appends an event; durable when this returns.
    ///
    /// # Errors
    /// [`BusError::Write`] when it could not be made durable: the event then has no number and no effect.
    async fn publish(&self, event: PurgeEvent) -> Result<Position, BusError>;

    /// Waits for what follows `after` and returns it; `None` starts at the beginning of the retained log. Cancel safe.
    ///
    /// # Errors
    /// [`BusError::Read`] or [`BusError::Closed`].
    async fn next(&self, after: Option<Position>) -> Result<Delivery, BusError>;

    /// The log's present end.
    fn tail(&self) -> Position;

    /// Says that `node` has applied everything up to `position`. The first call registers the node.
    fn report(&self, node: &str, position: Position);

    /// Waits until every registered node reported `position`, at most `patience`.
    async fn receipts(&self, position: Position, patience: Duration) -> Vec<Receipt>;
}
