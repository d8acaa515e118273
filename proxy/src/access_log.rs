//! One JSON object per request, written by a thread of its own so that a slow disk or pipe never holds a request.
//!
//! Requests append to one buffer; the writer takes it whole, at most every 100 ms, so that a busy node does not wake a
//! thread for each line. The buffer is bounded; what does not fit is dropped and counted.

use std::{
    io::{self, Write},
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::{Condvar, Mutex};

use crate::text::{push_decimal, push_hex, push_json, push_json_option};

/// Bytes that may wait for the writer.
const BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes that wake the writer before its time.
const BUFFER_BYTES_FULL: usize = 256 * 1024;
/// Longest time that a line waits while the writer keeps up.
const BATCH: Duration = Duration::from_millis(100);

/// One request as it is logged.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Milliseconds since the Unix epoch when the answer was complete.
    pub ts_ms: u64,
    /// Request id, written in hexadecimal.
    pub request_id: u128,
    /// Node name.
    pub node: &'a str,
    /// Client address.
    pub client: Option<&'a str>,
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
    /// Origins tried, written as `name:status` or `name:reason`.
    pub attempts: &'a [(String, &'static str)],
    /// Why the body was not sent whole.
    pub error: Option<&'a str>,
    /// User agent.
    pub agent: Option<&'a str>,
    /// Referrer.
    pub referrer: Option<&'a str>,
}

impl Entry<'_> {
    /// Appends the entry as one JSON object.
    pub fn push_to(&self, line: &mut Vec<u8>) {
        let number = |line: &mut Vec<u8>, name: &str, value: u64| {
            line.extend_from_slice(name.as_bytes());
            push_decimal(line, value);
        };
        let string = |line: &mut Vec<u8>, name: &str, value: &str| {
            line.extend_from_slice(name.as_bytes());
            push_json(line, value);
        };
        let option = |line: &mut Vec<u8>, name: &str, value: Option<&str>| {
            line.extend_from_slice(name.as_bytes());
            push_json_option(line, value);
        };
        number(line, "{\"ts_ms\":", self.ts_ms);
        line.extend_from_slice(b",\"request_id\":\"");
        push_hex(line, self.request_id);
        string(line, "\",\"node\":", self.node);
        option(line, ",\"client\":", self.client);
        string(line, ",\"method\":", self.method);
        string(line, ",\"host\":", self.host);
        string(line, ",\"target\":", self.target);
        string(line, ",\"protocol\":", self.protocol);
        number(line, ",\"status\":", u64::from(self.status));
        number(line, ",\"bytes\":", self.bytes);
        number(line, ",\"duration_us\":", self.duration_us);
        option(line, ",\"site\":", self.site);
        option(line, ",\"cache\":", self.cache);
        line.extend_from_slice(b",\"attempts\":[");
        for (at, (origin, outcome)) in self.attempts.iter().enumerate() {
            string(line, if at > 0 { "," } else { "" }, &format!("{origin}:{outcome}"));
        }
        option(line, "],\"error\":", self.error);
        option(line, ",\"agent\":", self.agent);
        option(line, ",\"referrer\":", self.referrer);
        line.push(b'}');
    }
}

/// Handle to the writer; cheap to clone.
#[derive(Clone)]
pub struct AccessLog(Option<Arc<Writer>>);

struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    is_closed: bool,
}

impl AccessLog {
    /// A log that keeps nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// Starts a writer thread over `sink`. It ends at [`Self::close`], or when the last handle is gone.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn to(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread =
            thread::Builder::new().name("access-log".to_owned()).spawn(move || of_thread.write_out(sink))?;
        Ok(Self(Some(Arc::new(Writer { shared, thread: Mutex::new(Some(thread)) }))))
    }

    /// Queues a line. `scratch` is cleared and written to, so that who logs often can keep it.
    pub fn write(&self, entry: &Entry<'_>, scratch: &mut Vec<u8>) {
        let Some(writer) = &self.0 else { return };
        scratch.clear();
        entry.push_to(scratch);
        writer.shared.append(scratch);
    }

    /// Writes out what waits and ends the writer; later lines are lost. Blocks for as long as the sink does.
    pub fn close(&self) {
        if let Some(writer) = &self.0 {
            writer.close();
        }
    }

    /// Lines lost because the writer was behind.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.as_ref().map_or(0, |writer| writer.shared.dropped.load(Ordering::Relaxed))
    }
}

impl Writer {
    fn close(&self) {
        self.shared.waiting.lock().is_closed = true;
        self.shared.changed.notify_one();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("access log writer panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn append(&self, line: &[u8]) {
        let mut waiting = self.waiting.lock();
        let before = waiting.lines.len();
        let after = before + line.len() + 1;
        if after > BUFFER_BYTES_MAX || waiting.is_closed {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.lines.extend_from_slice(line);
        waiting.lines.push(b'\n');
        drop(waiting);
        // the first line starts the writer's clock, the one that fills the buffer ends it
        if before == 0 || (before < BUFFER_BYTES_FULL && after >= BUFFER_BYTES_FULL) {
            self.changed.notify_one();
        }
    }

    fn write_out(&self, mut sink: impl Write) {
        let mut lines = Vec::new();
        loop {
            let is_closed = self.take(&mut lines);
            if sink.write_all(&lines).and_then(|()| sink.flush()).is_err() {
                tracing::debug!("access log can't be written");
            }
            lines.clear();
            if is_closed {
                return;
            }
        }
    }

    /// Waits for lines, gathers more for a while, and takes them in exchange for the empty `lines`.
    fn take(&self, lines: &mut Vec<u8>) -> bool {
        let mut waiting = self.waiting.lock();
        while waiting.lines.is_empty() && !waiting.is_closed {
            self.changed.wait(&mut waiting);
        }
        if waiting.lines.len() < BUFFER_BYTES_FULL && !waiting.is_closed {
            // a late or early wake-up only changes the size of the batch
            let _is_time_over = self.changed.wait_for(&mut waiting, BATCH).timed_out();
        }
        mem::swap(&mut waiting.lines, lines);
        waiting.is_closed
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, mpsc},
    };

    use parking_lot::Mutex;

    use super::{AccessLog, BUFFER_BYTES_MAX, Entry};

    fn entry(target: &str) -> Entry<'_> {
        Entry {
            ts_ms: 1,
            request_id: 0xabc,
            node: "n",
            client: None,
            method: "GET",
            host: "h",
            target,
            protocol: "HTTP/1.1",
            status: 200,
            bytes: 0,
            duration_us: 0,
            site: None,
            cache: None,
            attempts: &[],
            error: None,
            agent: None,
            referrer: None,
        }
    }

    #[test]
    fn a_line_is_a_json_object_with_every_field() {
        let attempts = [("o \"1\"".to_owned(), "timeout"), ("o2".to_owned(), "2xx")];
        let full = Entry {
            client: Some("::1"),
            status: 200,
            bytes: u64::MAX,
            duration_us: 7,
            site: Some("s"),
            cache: Some("n/memory; hit; ttl=3"),
            attempts: &attempts,
            error: Some("WriteError"),
            agent: Some("a \"quoted\" agent"),
            referrer: Some("https://h/\\"),
            ..entry("/a?b=c")
        };
        let json = |entry: Entry<'_>| {
            let mut line = Vec::new();
            entry.push_to(&mut line);
            serde_json::from_slice::<serde_json::Value>(&line).unwrap()
        };
        let expected = serde_json::json!({
            "ts_ms": 1, "request_id": format!("{:032x}", 0xabc), "node": "n", "client": "::1", "method": "GET",
            "host": "h", "target": "/a?b=c", "protocol": "HTTP/1.1", "status": 200, "bytes": u64::MAX,
            "duration_us": 7, "site": "s", "cache": "n/memory; hit; ttl=3",
            "attempts": ["o \"1\":timeout", "o2:2xx"], "error": "WriteError", "agent": "a \"quoted\" agent",
            "referrer": "https://h/\\",
        });
        assert_eq!(json(full), expected);
        assert_eq!(json(entry("/"))["client"], serde_json::Value::Null);
    }

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_in_order_before_close_returns() {
        let kept = Kept::default();
        let log = AccessLog::to(kept.clone()).unwrap();
        for number in 0..1000 {
            log.write(&entry(&format!("/{number}")), &mut Vec::new());
        }
        log.close();
        let text = String::from_utf8(kept.0.lock().clone()).unwrap();
        let targets: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["target"].clone())
            .collect();
        assert_eq!(targets, (0..1000).map(|number| format!("/{number}")).collect::<Vec<_>>());
        assert_eq!(log.dropped(), 0);
    }

    /// Blocks in its first write until the test lets it go.
    struct Stuck(mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().unwrap_or_default();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_sink_costs_lines_and_not_memory_or_time() {
        let (go, stuck) = mpsc::channel();
        let log = AccessLog::to(Stuck(stuck)).unwrap();
        let long = "x".repeat(10_000);
        for _ in 0..3 * BUFFER_BYTES_MAX / long.len() {
            log.write(&entry(&long), &mut Vec::new());
        }
        assert!(log.dropped() > 0);
        drop(go);
        log.close();
    }
}
