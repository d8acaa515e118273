//! One worker, seen from here: its pipes, which nobody waits at for longer than a deadline allows.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use serde::Serialize;

use super::Reply;
use crate::{Deadline, Error};

/// Longest message, without the bytes behind it.
pub(super) const MESSAGE_BYTES_MAX: usize = 4_096;

/// How long after its time a deadline may be noticed at a pipe.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The worker is well.
    Item(Error),
    /// It is still at work.
    Late,
    /// It is dead, or talks nonsense.
    Gone,
}

/// A worker that ends with its owner.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
}

impl Drop for Process {
    fn drop(&mut self) {
        // it may have ended before
        let _ended = self.child.kill();
        if let Err(error) = self.child.wait() {
            tracing::warn!(%error, "an image worker is lost");
        }
    }
}

impl Process {
    pub(super) fn start(program: &Path, arguments: &[OsString]) -> io::Result<Self> {
        let mut command = Command::new(program);
        // secrets of this process are in its environment
        command
            .args(arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn()?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("it has no pipes"));
        };
        let process = Self { child, to, from };
        ioctl_fionbio(&process.to, true)?;
        ioctl_fionbio(&process.from, true)?;
        Ok(process)
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a message, its length first.
    pub(super) fn say(&mut self, message: &impl Serialize, deadline: &Deadline) -> Result<(), Failure> {
        let message = serde_json::to_vec(message).map_err(|_| Failure::Gone)?;
        let length = u32::try_from(message.len()).map_err(|_| Failure::Gone)?;
        self.send(&length.to_le_bytes(), deadline)?;
        self.send(&message, deadline)
    }

    /// Waits for a message.
    pub(super) fn hear(&mut self, deadline: &Deadline) -> Result<Reply, Failure> {
        let length = self.receive(size_of::<u32>(), deadline)?;
        let length = length.try_into().map_or(0, u32::from_le_bytes);
        let length = usize::try_from(length).ok().filter(|length| *length <= MESSAGE_BYTES_MAX);
        let message = self.receive(length.ok_or(Failure::Gone)?, deadline)?;
        serde_json::from_slice(&message).map_err(|_| Failure::Gone)
    }

    pub(super) fn send(&mut self, mut bytes: &[u8], deadline: &Deadline) -> Result<(), Failure> {
        while !bytes.is_empty() {
            match self.to.write(bytes) {
                Ok(0) => return Err(Failure::Gone),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) => wait(&error, self.to.as_fd(), PollFlags::OUT, deadline)?,
            }
        }
        Ok(())
    }

    pub(super) fn receive(&mut self, count: usize, deadline: &Deadline) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; count];
        let mut rest = &mut *bytes;
        while !rest.is_empty() {
            match self.from.read(rest) {
                Ok(0) => return Err(Failure::Gone),
                Ok(count) => rest = rest.get_mut(count..).unwrap_or_default(),
                Err(error) => wait(&error, self.from.as_fd(), PollFlags::IN, deadline)?,
            }
        }
        Ok(bytes)
    }
}

/// Waits until there is something to do, if that is what the error says.
fn wait(
    error: &io::Error,
    pipe: BorrowedFd<'_>,
    what: PollFlags,
    deadline: &Deadline,
) -> Result<(), Failure> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::WouldBlock => {
            deadline.check().map_err(|_| Failure::Late)?;
            let mut pipes = [PollFd::from_borrowed_fd(pipe, what)];
            match poll(&mut pipes, Some(&LOOK_EVERY)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
                Err(_) => Err(Failure::Gone),
            }
        }
        _ => Err(Failure::Gone),
    }
}
