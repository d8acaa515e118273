//! When to stop working on a rendering.
//!
//! A codec cannot be interrupted, so the pipeline asks between its steps. Two things end a rendering early: its time is
//! over, or the one who asked went away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::Error;

/// A point in time and a flag, shared by the one who waits and the one who works.
#[derive(Debug, Clone, Default)]
pub struct Deadline {
    at: Option<Instant>,
    cancelled: Arc<AtomicBool>,
}

impl Deadline {
    /// Ends at `at`.
    #[must_use]
    pub fn at(at: Instant) -> Self {
        Self { at: Some(at), cancelled: Arc::default() }
    }

    /// Ends only when cancelled.
    #[must_use]
    pub fn never() -> Self {
        Self::default()
    }

    /// Ends it for all clones.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// The time that is left; none where only cancelling ends it.
    #[must_use]
    pub(crate) fn left(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Fails with [`Error::Deadline`] when it is over.
    ///
    /// # Errors
    /// [`Error::Deadline`] from the point in time on, or once cancelled.
    pub fn check(&self) -> Result<(), Error> {
        let late = self.at.is_some_and(|at| Instant::now() >= at);
        if late || self.cancelled.load(Ordering::Relaxed) { Err(Error::Deadline) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_at_its_time_and_when_cancelled() {
        assert_eq!(Deadline::at(Instant::now()).check(), Err(Error::Deadline));
        let deadline = Deadline::never();
        assert_eq!(deadline.check(), Ok(()));
        let other = deadline.clone();
        deadline.cancel();
        assert_eq!(other.check(), Err(Error::Deadline));
    }
}
