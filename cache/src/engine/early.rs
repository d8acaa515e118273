//! Interim responses (RFC 9110 section 15.2) on their way to the client whose request leads a fetch.
//!
//! They belong to one exchange: they are neither stored nor shared, and a client that joined somebody else's fetch gets
//! none.

use std::future::Future;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::stored::ResponseHead;

/// Interim responses that may wait for the client.
const WAITING_MAX: usize = 8;

/// Takes interim responses.
#[async_trait]
pub trait Early: Send {
    /// Called for each, in order, before the final response.
    async fn interim(&mut self, head: ResponseHead);
}

/// Drops them.
pub struct Nobody;

#[async_trait]
impl Early for Nobody {
    async fn interim(&mut self, _head: ResponseHead) {}
}

/// Where an origin puts interim responses; one that nobody takes in time is dropped.
#[derive(Debug, Clone)]
pub struct Interim(mpsc::Sender<ResponseHead>);

impl Interim {
    pub(super) fn channel() -> (Self, mpsc::Receiver<ResponseHead>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Self(sender), receiver)
    }

    /// Hands one over.
    pub fn send(&self, head: ResponseHead) {
        // full or closed: an interim response is only a hint
        drop(self.0.try_send(head));
    }
}

/// Waits for `work`, and passes on what comes before it.
pub(super) async fn passing_on<T>(
    work: impl Future<Output = T>,
    mut interim: mpsc::Receiver<ResponseHead>,
    early: &mut dyn Early,
) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            Some(head) = interim.recv() => early.interim(head).await,
            done = &mut work => return done,
        }
    }
}
