//! The steps of a rendering in their order.
//!
//! Sniff, limits, decode, resize, orient, colour, pad and flatten, encode. Orientation and colour come after resizing because
//! they then work on fewer pixels; cropping is at the centre, so turning later gives the same picture. The deadline is
//! checked between steps. Nothing here blocks on anything but the processor: call it from [`crate::pool`].

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::limits::Limits;
use crate::negotiate::{self, AcceptClass, Output};
use crate::sniff::{self, Header};
use crate::steps::decode::{self, Decoded};
use crate::steps::geometry::{self, Plan, Size};
use crate::steps::{colour, encode, flatten, orient, pad, resize};
use crate::transform::{Rgb, Transform};
use crate::{Deadline, Error};

/// A finished rendering.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The encoded picture.
    pub bytes: Bytes,
    /// Its media type.
    pub content_type: &'static str,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Of the source as seen, after orientation, in pixels.
    pub source_width: u32,
    /// Of the source as seen, after orientation, in pixels.
    pub source_height: u32,
    /// Where the time went.
    pub timings: Timings,
}

/// Where the time of a rendering went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Waiting for a thread; zero outside a pool.
    pub queue: Duration,
    /// Header, limits and decoding.
    pub decode: Duration,
    /// Cropping and scaling.
    pub resize: Duration,
    /// Orientation, colour, padding and flattening.
    pub adjust: Duration,
    /// Encoding.
    pub encode: Duration,
}

impl Timings {
    /// Name and time of every step in order, for `Server-Timing`.
    #[must_use]
    pub fn steps(&self) -> [(&'static str, Duration); 5] {
        [
            ("queue", self.queue),
            ("decode", self.decode),
            ("resize", self.resize),
            ("adjust", self.adjust),
            ("encode", self.encode),
        ]
    }
}

/// Renders `source`. `quality` is the site's default, 1 to 100, for a transform that has none.
///
/// # Errors
/// Every variant of [`Error`] but `Busy` and `Panicked`, which are the pool's.
///
/// # Panics
/// Not by itself, but a codec may on a damaged source; the pool catches that.
pub fn render(
    source: &[u8],
    transform: &Transform,
    accept: AcceptClass,
    quality: u8,
    limits: &Limits,
    deadline: &Deadline,
) -> Result<Rendered, Error> {
    let mut clock = Lap::start();
    let mut timings = Timings::default();
    let transform = transform.canonical();
    deadline.check()?;
    let header = admit(source, &transform, limits)?;
    let Decoded { frame, orientation, profile } = decode::decode(source, &header, limits)?;
    timings.decode = clock.lap();

    deadline.check()?;
    let turned = orient::turns(orientation);
    let stored = Size { width: header.width, height: header.height };
    let seen = if turned { stored.turned() } else { stored };
    let plan = bounded_plan(seen, &transform, limits)?;
    let source_has_alpha = frame.layout.has_alpha();
    let frame = resize::resize(frame, &if turned { plan.turned() } else { plan })?;
    timings.resize = clock.lap();

    deadline.check()?;
    let frame = orient::orient(frame, orientation)?;
    let frame = flatten::drop_opaque(colour::to_srgb(frame, profile.as_deref()));
    let frame = pad::pad(frame, plan.canvas, transform.background.unwrap_or(Rgb::WHITE))?;
    // decided by the kind of the source, not by its pixels, so that a page gets one format for one kind of picture
    let output = negotiate::output(accept, transform.format, header.format, source_has_alpha);
    let frame = match background(&transform, output) {
        Some(background) => flatten::flatten(frame, background),
        None => frame,
    };
    timings.adjust = clock.lap();

    deadline.check()?;
    let (width, height) = (frame.width, frame.height);
    let bytes = encode::encode(frame, output, transform.quality.unwrap_or(quality))?;
    timings.encode = clock.lap();
    Ok(Rendered {
        bytes: bytes.into(),
        content_type: output.content_type(),
        width,
        height,
        source_width: seen.width,
        source_height: seen.height,
        timings,
    })
}

/// Reads the header and judges it, with nothing decoded: cheap enough for the thread that serves requests.
///
/// # Errors
/// `SourceTooLarge`, `UnknownFormat`, `Undecodable`, `SideTooLong`, `TooManyPixels`.
pub fn admit(source: &[u8], transform: &Transform, limits: &Limits) -> Result<Header, Error> {
    limits.check_bytes(source)?;
    let header = sniff::header(source)?;
    limits.check_header(&header)?;
    let stored = Size { width: header.width, height: header.height };
    // which way up it is shows only later: at least one way must pass, and render() judges the right one
    bounded_plan(stored, transform, limits).or_else(|_| bounded_plan(stored.turned(), transform, limits))?;
    Ok(header)
}

fn bounded_plan(seen: Size, transform: &Transform, limits: &Limits) -> Result<Plan, Error> {
    let plan = geometry::plan(seen, transform);
    limits.check_result(
        plan.canvas.width,
        plan.canvas.height,
        u64::from(seen.width) * u64::from(seen.height),
    )?;
    Ok(plan)
}

fn background(transform: &Transform, output: Output) -> Option<Rgb> {
    match (transform.background, output.has_alpha()) {
        (Some(background), _) => Some(background),
        (None, false) => Some(Rgb::WHITE),
        (None, true) => None,
    }
}

/// Measures one step after the other.
struct Lap {
    since: Instant,
}

impl Lap {
    fn start() -> Self {
        Self { since: Instant::now() }
    }

    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        let elapsed = now.saturating_duration_since(self.since);
        self.since = now;
        elapsed
    }
}

#[cfg(test)]
mod tests;
