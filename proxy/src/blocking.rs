//! Work that blocks.

/// Does it away from the threads that serve; `None` when it panicked. A start, a reload and a look at the dictionaries each
/// wait for theirs, so that no more than one of each runs.
#[expect(
    clippy::disallowed_methods,
    reason = "reading a large file also takes long to parse, and so does a process that begins; the callers bound how many run"
)]
pub(crate) async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
