//! Signals from the operator, as values that tasks can watch.
//!
//! It does not stop anything itself: each task that holds a receiver does.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// What the operator asked for so far.
#[derive(Debug, Clone)]
pub struct Signals {
    /// Turns true at the first SIGTERM or SIGINT: stop accepting, finish what runs.
    pub stop: watch::Receiver<bool>,
    /// Turns true at the second: give up on what still runs.
    pub abort: watch::Receiver<bool>,
    /// Counts SIGHUPs: read the configuration again.
    pub reload: watch::Receiver<u64>,
}

/// Begins to listen; signals lose their default effect. The task ends when every receiver is dropped and a signal
/// arrives. Needs a tokio runtime.
///
/// # Errors
/// When the operating system refuses a handler.
pub fn signals() -> io::Result<Signals> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (stop, stop_seen) = watch::channel(false);
    let (abort, abort_seen) = watch::channel(false);
    let (reload, reload_seen) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => end(&stop, &abort),
                _ = interrupt.recv() => end(&stop, &abort),
                _ = hangup.recv() => reload.send_modify(|count: &mut u64| *count = count.wrapping_add(1)),
            }
            if stop.is_closed() && abort.is_closed() && reload.is_closed() {
                return;
            }
        }
    });
    Ok(Signals { stop: stop_seen, abort: abort_seen, reload: reload_seen })
}

fn end(stop: &watch::Sender<bool>, abort: &watch::Sender<bool>) {
    if stop.send_replace(true) {
        abort.send_replace(true);
    }
}

/// Waits until `flag` is true, or can never become it because its sender is gone.
pub async fn raised(flag: &mut watch::Receiver<bool>) {
    drop(flag.wait_for(|raised| *raised).await);
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    // one test, because signals belong to the whole process
    #[tokio::test]
    async fn first_signal_stops_second_aborts_hangup_reloads() {
        let mut seen = signals().unwrap();
        kill_process(getpid(), Signal::HUP).unwrap();
        seen.reload.wait_for(|count| *count == 1).await.unwrap();
        assert!(!*seen.stop.borrow());
        kill_process(getpid(), Signal::TERM).unwrap();
        raised(&mut seen.stop).await;
        assert!(!*seen.abort.borrow());
        kill_process(getpid(), Signal::INT).unwrap();
        raised(&mut seen.abort).await;
    }

    #[tokio::test]
    async fn raised_ends_when_the_sender_is_gone() {
        let (sender, mut flag) = watch::channel(false);
        drop(sender);
        raised(&mut flag).await;
    }
}
