//! Renders one file over and over and says how fast; writes renderings; scores them by SSIMULACRA2.
//!
//! One thread and no pool: this is the runner of `benches/images/run.sh`, which sets another program beside it. Transforms
//! are written as in URLs. What the pipeline refuses is answered with exit code 3 and the reason on standard output, so
//! that a table of measurements can say what is missing.
//!
//! ```text
//! render time FILE TRANSFORM SECONDS      images/s, images per second of CPU time, bytes, peak KiB, width, height, frames
//! render write FILE TRANSFORM OUT         bytes
//! render match FILE TRANSFORM BYTES OUT   OUT.low and OUT.high: neighbouring qualities with that many bytes between them;
//!                                         prints quality and bytes of both. TRANSFORM has no quality
//! render score SOURCE PICTURE...          SSIMULACRA2 of each; all are binary PPM files
//! render reduce SOURCE WIDTH HEIGHT OUT   the reduction that scores are taken to, as PNG; SOURCE is a binary PPM
//! ```

#![expect(clippy::print_stdout, reason = "a command line program")]

mod likeness;

use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use overfall_imaging::Deadline;
use overfall_imaging::pipeline::{self, Rendered, Settings};
use overfall_imaging::transform::Transform;
use tokio::time::Instant;

/// The product's allocator, so that peaks compare.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Fewest renderings that a speed is taken from.
const RENDERINGS_MIN: u32 = 3;
/// Exit code for what the pipeline does not do.
const REFUSED: u8 = 3;

type Failure = Box<dyn std::error::Error>;

/// The pipeline's own words for why not.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["time", file, transform, seconds] => time(file, transform, seconds),
        ["write", file, transform, out] => write(file, transform, out),
        ["match", file, transform, bytes, out] => between(file, transform, bytes, out),
        ["score", source, pictures @ ..] if !pictures.is_empty() => likeness::scores(source, pictures),
        ["reduce", source, width, height, out] => likeness::reduce(source, width, height, out),
        _ => Err("arguments: see the head of the source file".into()),
    };
    match outcome {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(failure) if failure.is::<Refused>() => {
            println!("{failure}");
            ExitCode::from(REFUSED)
        }
        Err(failure) => {
            println!("failed: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// A source with what is asked of it.
struct Job {
    source: Vec<u8>,
    transform: Transform,
}

impl Job {
    fn read(file: &str, transform: &str) -> Result<Self, Failure> {
        let source = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        let transform = transform.parse().map_err(|error| Refused(format!("{error}")))?;
        Ok(Self { source, transform })
    }

    /// `quality` is used where the transform has none.
    fn rendered(&self, quality: u8) -> Result<Rendered, Failure> {
        let settings = Settings { quality, ..Settings::default() };
        pipeline::render(&self.source, &self.transform, &settings, &Deadline::never())
            .map_err(|error| Refused(error.to_string()).into())
    }
}

const QUALITY: u8 = 80;

fn time(file: &str, transform: &str, seconds: &str) -> Result<String, Failure> {
    let job = Job::read(file, transform)?;
    let least = Duration::try_from_secs_f64(seconds.parse()?)?;
    let first = job.rendered(QUALITY)?;
    let (start, cpu_start) = (Instant::now(), cpu_seconds()?);
    let mut count = 0_u32;
    while count < RENDERINGS_MIN || start.elapsed() < least {
        job.rendered(QUALITY)?;
        count += 1;
    }
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds()? - cpu_start);
    let count = f64::from(count);
    Ok(format!(
        "{:.3} {:.3} {} {} {} {} {}",
        count / wall,
        count / cpu,
        first.bytes.len(),
        peak_kib()?,
        first.width,
        first.height,
        frames(&first.bytes),
    ))
}

fn write(file: &str, transform: &str, out: &str) -> Result<String, Failure> {
    let rendered = Job::read(file, transform)?.rendered(QUALITY)?;
    fs::write(out, &rendered.bytes)?;
    Ok(rendered.bytes.len().to_string())
}

fn between(file: &str, transform: &str, bytes: &str, out: &str) -> Result<String, Failure> {
    let job = Job::read(file, transform)?;
    let bytes: usize = bytes.parse()?;
    let (mut low, mut high) = (1_u8, 100_u8);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if job.rendered(middle)?.bytes.len() <= bytes { low = middle } else { high = middle }
    }
    let mut found = Vec::new();
    for (quality, name) in [(low, "low"), (high, "high")] {
        let rendered = job.rendered(quality)?;
        fs::write(format!("{out}.{name}"), &rendered.bytes)?;
        found.push(format!("{quality} {}", rendered.bytes.len()));
    }
    Ok(found.join(" "))
}

/// CPU time of the whole process so far, all threads (proc_pid_stat(5): fields 14 and 15, in hundredths of a second).
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_name, fields) = stat.rsplit_once(") ").ok_or("an unusual /proc/self/stat")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / 100.0)
}

/// The most memory the process ever had.
fn peak_kib() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Frames of an animated WebP (one `ANMF` chunk each, RFC 9649 section 2.7.1); 1 for everything else.
fn frames(bytes: &[u8]) -> usize {
    let chunks = bytes.windows(4).filter(|window| *window == b"ANMF").count();
    if bytes.starts_with(b"RIFF") { chunks.max(1) } else { 1 }
}
