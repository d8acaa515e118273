//! A child process: what it wrote, how it ended, what it cost.
//!
//! Killed when dropped. A panic in its log fails the test, and a test that fails shows the end of the log.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::wait_until;

/// Bytes kept of each stream; older lines go first.
const KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Lines of the log that a failing test shows.
const SHOWN_LINES: usize = 60;
/// What the runtime writes when a thread panics.
const PANIC_MARK: &str = "panicked at";

/// A running child.
pub struct Process {
    child: Child,
    stdout: Arc<Lines>,
    stderr: Arc<Lines>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Lines {
    kept: Mutex<Kept>,
    has_panic: AtomicBool,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Process {
    /// Starts a command with both outputs captured and no input.
    #[must_use]
    pub fn spawn(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (stdout, stderr) = (Arc::<Lines>::default(), Arc::<Lines>::default());
        let mut readers = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            readers.push(collect(pipe, Arc::clone(&stdout)));
        }
        if let Some(pipe) = child.stderr.take() {
            readers.push(collect(pipe, Arc::clone(&stderr)));
        }
        Self { child, stdout, stderr, readers }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let raw = i32::try_from(self.child.id()).expect("process ids fit");
        let pid = Pid::from_raw(raw).expect("a child has a process id");
        kill_process(pid, signal).expect("the child is there to be signalled");
    }

    /// Asks it to stop, as an operator would.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it at once (`kill -9`) and waits until it is gone.
    pub fn kill(&mut self) {
        // it may have ended by itself, which is just as well
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Waits until it ends by itself.
    pub async fn exit(&mut self, within: Duration) -> ExitStatus {
        let child = &mut self.child;
        wait_until("the process ends", within, async || child.try_wait().expect("a child can be waited for"))
            .await
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// Process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything kept of standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text(usize::MAX)
    }

    /// Everything kept of standard output.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.text(usize::MAX)
    }

    /// Waits for a line on standard error for which `pick` gives something.
    pub async fn stderr_line<T>(
        &mut self,
        what: &str,
        within: Duration,
        pick: impl Fn(&str) -> Option<T>,
    ) -> T {
        let lines = Arc::clone(&self.stderr);
        self.line(what, within, &lines, pick).await
    }

    /// Waits for a line on standard output for which `pick` gives something.
    pub async fn stdout_line<T>(
        &mut self,
        what: &str,
        within: Duration,
        pick: impl Fn(&str) -> Option<T>,
    ) -> T {
        let lines = Arc::clone(&self.stdout);
        self.line(what, within, &lines, pick).await
    }

    async fn line<T>(
        &mut self,
        what: &str,
        within: Duration,
        lines: &Lines,
        pick: impl Fn(&str) -> Option<T>,
    ) -> T {
        wait_until(what, within, async || {
            // asked before the lines are read, so that what an ended process wrote last is seen
            let ended = self.child.try_wait().expect("a child can be waited for");
            if ended.is_some() {
                self.readers.drain(..).for_each(|reader| drop(reader.join()));
            }
            let found = lines.find(&pick);
            if let (None, Some(status)) = (&found, ended) {
                panic!("the process ended ({status}) before {what}");
            }
            found
        })
        .await
    }

    /// Resident memory now, in bytes (Linux).
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.memory_field("VmRSS:")
    }

    /// Largest resident memory so far, in bytes (Linux).
    #[must_use]
    pub fn resident_bytes_peak(&self) -> u64 {
        self.memory_field("VmHWM:")
    }

    fn memory_field(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kib =
            line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|kib| kib.parse::<u64>().ok());
        kib.unwrap_or_else(|| panic!("{path} has no {name}")) * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.readers.drain(..).for_each(|reader| drop(reader.join()));
        if thread::panicking() {
            let text = self.stderr.text(SHOWN_LINES);
            std::io::Write::write_all(
                &mut std::io::stderr(),
                format!("--- end of the log\n{text}\n").as_bytes(),
            )
            .unwrap_or_default();
            return;
        }
        let has_panic = self.stderr.has_panic.load(Ordering::Acquire);
        assert!(!has_panic, "a panic reached the log:\n{}", self.stderr.text(SHOWN_LINES));
    }
}

impl Lines {
    fn push(&self, line: String) {
        if line.contains(PANIC_MARK) {
            self.has_panic.store(true, Ordering::Release);
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += line.len();
        kept.lines.push_back(line);
        while kept.bytes > KEPT_BYTES_MAX {
            let Some(oldest) = kept.lines.pop_front() else { break };
            kept.bytes -= oldest.len();
        }
    }

    fn find<T>(&self, pick: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).lines.iter().find_map(|line| pick(line))
    }

    fn text(&self, lines_max: usize) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = kept.lines.len().saturating_sub(lines_max);
        kept.lines.iter().skip(skipped).cloned().collect::<Vec<_>>().join("\n")
    }
}

/// Reads lines on a thread of its own, so that a full pipe never stops the child.
fn collect(pipe: impl Read + Send + 'static, lines: Arc<Lines>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    })
}
