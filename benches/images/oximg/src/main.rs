//! oximg beside the runner of ours: the same words, one thread, the same allocator.
//!
//! ```text
//! oximg-runner time FILE TRANSFORM SECONDS   images/s, images per second of CPU time, bytes, peak KiB, width, height, frames
//! oximg-runner write FILE TRANSFORM OUT      bytes
//! ```
//!
//! TRANSFORM is `w=WIDTH,q=QUALITY,preset=default|fast`: a JPEG in linear light, by jpegli or by mozjpeg's fastest profile.

use std::time::{Duration, Instant};
use std::{env, fs};

use oximg::pipeline::{self, Encoder, ImageFormat, Params};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;

/// Fewest renderings that a speed is taken from.
const RENDERINGS_MIN: u32 = 3;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let line = match words[..] {
        ["time", file, transform, seconds] => time(&fs::read(file)?, &params(transform)?, seconds.parse()?)?,
        ["write", file, transform, out] => {
            let (bytes, _) = pipeline::process(&fs::read(file)?, &params(transform)?)?;
            fs::write(out, &bytes)?;
            bytes.len().to_string()
        }
        _ => return Err("see the head of this file".into()),
    };
    println!("{line}");
    Ok(())
}

fn params(transform: &str) -> Result<Params, Failure> {
    let mut params = Params { output: Some(ImageFormat::Jpeg), max_height: u32::MAX, ..Params::default() };
    for option in transform.split(',') {
        match option.split_once('=').ok_or("options are pairs")? {
            ("w", width) => params.max_width = width.parse()?,
            ("q", quality) => params.quality = quality.parse()?,
            ("preset", preset) => params.encoder = Encoder::from_preset(preset),
            (other, _) => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(params)
}

fn time(source: &[u8], params: &Params, seconds: f64) -> Result<String, Failure> {
    let (bytes, _) = pipeline::process(source, params)?;
    let (_, width, height) = pipeline::probe(&bytes)?;
    let (cpu, start, mut count) = (cpu_time()?, Instant::now(), 0);
    while count < RENDERINGS_MIN || start.elapsed() < Duration::from_secs_f64(seconds) {
        pipeline::process(source, params)?;
        count += 1;
    }
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_time()? - cpu);
    let count = f64::from(count);
    Ok(format!("{:.3} {:.3} {} {} {width} {height} 1", count / wall, count / cpu, bytes.len(), peak_kib()?))
}

/// Seconds that this process has computed (proc(5)), of its main thread and all others.
fn cpu_time() -> Result<f64, Failure> {
    /// `sysconf(_SC_CLK_TCK)` on every Linux.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat")?;
    let mut fields = stat.rsplit(')').next().ok_or("no fields")?.split_whitespace().skip(11);
    let mut ticks = || -> Result<f64, Failure> { Ok(fields.next().ok_or("too few fields")?.parse()?) };
    Ok((ticks()? + ticks()?) / TICKS)
}

fn peak_kib() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
