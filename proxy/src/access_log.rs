//! One JSON object per request, written by a thread of its own so that a slow disk or pipe never holds a request.
//!
//! The queue is bounded; what does not fit is dropped and counted.

use std::{
    io::{self, Write},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use serde::Serialize;

/// Lines that may wait for the writer.
const QUEUE_LINES: usize = 8192;

/// One request as it is logged.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    /// Milliseconds since the Unix epoch when the answer was complete.
    pub ts_ms: u64,
    /// Request id in hexadecimal.
    pub request_id: String,
    /// Node name.
    pub node: &'a str,
    /// Client address.
    pub client: Option<IpAddr>,
    /// Method.
    pub method: &'a str,
    /// Host as named.
    pub host: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: &'a str,
    /// Status sent.
    pub status: u16,
    /// Body bytes sent.
    pub bytes: u64,
    /// Time from the request head to the last byte, in µs.
    pub duration_us: u64,
    /// Site name.
    pub site: Option<&'a str>,
    /// `Cache-Status` as sent.
    pub cache: Option<&'a str>,
    /// Origins tried, as `name:status` or `name:reason`.
    pub attempts: Vec<String>,
    /// Why the body was not sent whole.
    pub error: Option<String>,
    /// User agent.
    pub agent: Option<&'a str>,
    /// Referrer.
    pub referrer: Option<&'a str>,
}

/// Handle to the writer; cheap to clone.
#[derive(Clone)]
pub struct AccessLog {
    queue: Option<SyncSender<Vec<u8>>>,
    dropped: Arc<AtomicU64>,
}

impl AccessLog {
    /// A log that keeps nothing.
    #[must_use]
    pub fn off() -> Self {
        Self { queue: None, dropped: Arc::default() }
    }

    /// Starts a writer thread over `sink`. The thread ends when the last handle is gone and the queue is empty.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn to(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, lines) = sync_channel(QUEUE_LINES);
        thread::Builder::new().name("access-log".to_owned()).spawn(move || write_lines(sink, &lines))?;
        Ok(Self { queue: Some(queue), dropped: Arc::default() })
    }

    /// Queues a line.
    pub fn write(&self, entry: &Entry<'_>) {
        let Some(queue) = &self.queue else { return };
        let Ok(mut line) = serde_json::to_vec(entry) else { return };
        line.push(b'\n');
        if queue.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines lost because the writer was behind.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Writes what is queued, flushing whenever the queue runs empty.
fn write_lines(mut sink: impl Write, lines: &Receiver<Vec<u8>>) {
    let mut out = io::BufWriter::with_capacity(64 * 1024, &mut sink);
    while let Ok(line) = lines.recv() {
        let mut failed = out.write_all(&line).is_err();
        while let Ok(line) = lines.try_recv() {
            failed |= out.write_all(&line).is_err();
        }
        failed |= out.flush().is_err();
        if failed {
            tracing::debug!("access log can't be written");
        }
    }
}
