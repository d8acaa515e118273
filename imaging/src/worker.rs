//! Codecs in processes of their own: those that can't be interrupted, and whose assembly no compiler vouches for.
//!
//! A worker is this program once more, started by its [`Workers`], with an empty environment and behind a filter that leaves it
//! memory, threads and its two pipes (the module `cage`). It is given one coded item after the other and hands out pixels. One that
//! dies, or that is at work when the deadline comes and is killed, costs its picture and nothing else. Nothing that a worker
//! says is taken for granted.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::frame::{Frame, Layout, buffer_bytes};
use crate::steps::decode::heif::coded::{Colours, Meaning};
use crate::steps::decode::heif::item::{Codec, Item, Picture, reason};
use crate::{Deadline, Error};

mod cage;
mod process;
mod serve;

use process::{Failure, Process};
pub use serve::serve;

/// The one that is tried is ready by then, or the system is not fit for them.
const STARTED_WITHIN: Duration = Duration::from_secs(10);

/// What a worker is asked: behind it come the parameter sets and the data.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Order {
    codec: Codec,
    width: u32,
    height: u32,
    said: Option<Meaning>,
    colours: Colours,
    configuration_bytes: usize,
    data_bytes: usize,
}

/// What a worker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Reply {
    /// It is behind its filter and can be asked.
    Ready,
    /// There is no filter, and why: it is gone.
    Open(String),
    /// The pixels are behind this.
    Picture { layout: Layout, meaning: Option<Meaning> },
    /// The item is at fault.
    Refused(String),
    /// The codec is.
    Broken,
}

/// Processes that decode, as many as are at work at a time.
#[derive(Debug)]
pub struct Workers {
    program: PathBuf,
    arguments: Vec<OsString>,
    idle: Mutex<Vec<Process>>,
}

impl Workers {
    /// Workers that are `program` with `arguments`, which must end up in [`serve`]. One is started to see that the system can,
    /// and ended.
    ///
    /// # Errors
    /// When it can't be started, or can't be shut off from the system.
    pub fn new(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> io::Result<Self> {
        let arguments = arguments.into_iter().map(Into::into).collect();
        let workers = Self { program: program.into(), arguments, idle: Mutex::default() };
        drop(workers.started(&Deadline::at(Instant::now() + STARTED_WITHIN))?);
        Ok(workers)
    }

    /// Ends those that have nothing to do. The next item starts one anew, which takes some 25 ms.
    pub fn rest(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }

    /// Decodes an item elsewhere; the processor is free again as soon as the deadline has come.
    ///
    /// # Errors
    /// As [`Item::decode`]; `Panicked` also when a worker dies or can't be started.
    pub(crate) fn decode(&self, item: &Item<'_>, deadline: &Deadline) -> Result<Picture, Error> {
        deadline.check()?;
        let rested = self.idle.lock().pop();
        if let Some(mut process) = rested {
            match decoded(&mut process, item, deadline) {
                // it may have died of something else while nobody looked
                Err(Failure::Gone) => {}
                outcome => return self.outcome(process, outcome),
            }
        }
        let mut process = self.started(deadline).map_err(|error| {
            if error.kind() == io::ErrorKind::TimedOut {
                return Error::Deadline;
            }
            tracing::error!(%error, "an image worker does not start");
            Error::Panicked
        })?;
        let outcome = decoded(&mut process, item, deadline);
        self.outcome(process, outcome)
    }

    /// What came of it; the process is kept if it is as before.
    fn outcome(&self, process: Process, outcome: Result<Picture, Failure>) -> Result<Picture, Error> {
        match outcome {
            Ok(picture) => {
                self.idle.lock().push(process);
                Ok(picture)
            }
            Err(Failure::Item(error)) => {
                self.idle.lock().push(process);
                Err(error)
            }
            Err(Failure::Late) => Err(Error::Deadline),
            Err(Failure::Gone) => {
                tracing::warn!(pid = process.id(), "an image worker died of a picture");
                Err(Error::Panicked)
            }
        }
    }

    fn started(&self, deadline: &Deadline) -> io::Result<Process> {
        let mut process = Process::start(&self.program, &self.arguments)?;
        match process.hear(deadline) {
            Ok(Reply::Ready) => Ok(process),
            Ok(Reply::Open(why)) => Err(io::Error::other(why)),
            Err(Failure::Late) => Err(io::Error::new(io::ErrorKind::TimedOut, "it is not ready in time")),
            Ok(_) | Err(_) => Err(io::Error::other("it ended at once, or said what no image worker says")),
        }
    }
}

/// One exchange with a worker.
fn decoded(process: &mut Process, item: &Item<'_>, deadline: &Deadline) -> Result<Picture, Failure> {
    let order = Order {
        codec: item.codec,
        width: item.size.width,
        height: item.size.height,
        said: item.said,
        colours: item.colours,
        configuration_bytes: item.configuration.len(),
        data_bytes: item.data.len(),
    };
    process.say(&order, deadline)?;
    process.send(item.configuration, deadline)?;
    process.send(item.data, deadline)?;
    match process.hear(deadline)? {
        Reply::Picture { layout, meaning } => {
            let (width, height) = (order.width, order.height);
            let bytes = buffer_bytes(width, height, layout).map_err(Failure::Item)?;
            let pixels = process.receive(bytes, deadline)?;
            Ok((Frame { width, height, layout, pixels }, meaning))
        }
        Reply::Refused(text) => Err(Failure::Item(reason(&text))),
        Reply::Broken => Err(Failure::Item(Error::Panicked)),
        Reply::Ready | Reply::Open(_) => Err(Failure::Gone),
    }
}

#[cfg(test)]
mod tests;
