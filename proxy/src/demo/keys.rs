//! Single keys on a terminal, without Enter.

use std::{
    io::{self, IsTerminal as _, Read as _},
    thread,
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

/// Keys that may wait to be handled.
const QUEUE: usize = 16;

/// Keys as they are pressed. Dropping it gives the terminal back as it was.
pub(super) struct Keys {
    keys: mpsc::Receiver<u8>,
    before: Option<Termios>,
}

impl Keys {
    /// Begins to read when standard input is a terminal; else no key ever comes.
    pub(super) fn listen() -> Self {
        let (sender, keys) = mpsc::channel(QUEUE);
        let before = io::stdin().is_terminal().then(single_keys).flatten();
        if before.is_some() {
            let reader = thread::Builder::new().name("keys".to_owned());
            // without the thread the demo runs on, only without keys
            drop(reader.spawn(move || {
                for key in io::stdin().lock().bytes().map_while(Result::ok) {
                    if sender.blocking_send(key).is_err() {
                        return;
                    }
                }
            }));
        }
        Self { keys, before }
    }

    /// Whether keys can come at all.
    pub(super) const fn is_live(&self) -> bool {
        self.before.is_some()
    }

    /// The next key; never returns when no key can come. Cancel safe.
    pub(super) async fn next(&mut self) -> u8 {
        match self.keys.recv().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(before) = &self.before
            && let Err(error) = tcsetattr(io::stdin(), OptionalActions::Now, before)
        {
            tracing::debug!(%error, "terminal is gone");
        }
    }
}

/// Turns line editing and echo off; signals (Ctrl-C) stay.
fn single_keys() -> Option<Termios> {
    let before = tcgetattr(io::stdin()).ok()?;
    let mut raw = before.clone();
    raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    tcsetattr(io::stdin(), OptionalActions::Now, &raw).ok()?;
    Some(before)
}
