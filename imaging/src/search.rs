//! Which quality an encoder is asked for, where a site names an aim instead of a number.
//!
//! [`alike`] looks for the smallest file whose measured likeness to the picture reaches a target, [`within`] for the best
//! that is no longer than a number of bytes, [`best`] for the smallest of several formats at one likeness. Every try costs
//! an encoding and often a decoding, so their number is bounded, each is placed by interpolation between those before, and
//! where the next one would not be ready before the deadline the search ends with what was found so far.

mod curve;

use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

use curve::{Bracket, Point};

use crate::frame::Frame;
use crate::negotiate::Output;
use crate::{Deadline, Error};

/// Encodings that a search for a likeness makes at most.
pub(crate) const ENCODINGS_MAX: u32 = 6;

/// Encodings that a search for a length makes at most; nothing is decoded there.
pub(crate) const FITTING_MAX: u32 = 7;

/// A likeness this far above the target is as good as the target: a step of quality gains more.
const CLOSE_ENOUGH: f64 = 0.6;

/// Points of likeness that a step of quality adds in the usual formats, before two points are known.
const LIKENESS_RISE: f64 = 0.7;

/// What a step of quality adds to the logarithm of the length, likewise.
const LOG_BYTES_RISE: f64 = 0.035;

/// A file of at least this part of the bytes allowed is long enough to stop looking.
const FULL_ENOUGH: f64 = 0.97;

/// The likeness that a site wants, in points of SSIMULACRA2: 90 is not told apart side by side, 70 not at a glance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Target(f64);

impl Target {
    /// Lowest that can be asked for; below it pictures are plainly damaged.
    pub(crate) const MIN: f64 = 30.0;

    /// Highest that can be asked for; above it lossy formats are longer than lossless ones.
    pub(crate) const MAX: f64 = 95.0;

    /// Held to [`Self::MIN`] and [`Self::MAX`].
    pub(crate) fn new(points: f64) -> Self {
        Self(if points.is_nan() { Self::default().0 } else { points.clamp(Self::MIN, Self::MAX) })
    }

    /// Points of SSIMULACRA2.
    pub(crate) fn points(self) -> f64 {
        self.0
    }
}

impl Default for Target {
    /// What careful people choose by eye for photos on pages.
    fn default() -> Self {
        Self(77.0)
    }
}

/// The qualities to be tried, each 1 to 100, and the one to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    lowest: u8,
    highest: u8,
    start: u8,
}

impl Span {
    /// Held to 1 to 100; a range that ends before it begins is its beginning alone.
    pub(crate) fn new(range: &RangeInclusive<u8>, start: u8) -> Self {
        let lowest = (*range.start()).clamp(1, 100);
        let highest = (*range.end()).clamp(lowest, 100);
        Self { lowest, highest, start: start.clamp(lowest, highest) }
    }

    /// The range worth searching in a format, begun where an ordinary photo reaches the default target.
    pub(crate) fn of(output: Output) -> Self {
        match output {
            Output::Jpeg => Self::new(&(30..=95), 83),
            Output::Webp => Self::new(&(30..=96), 85),
            Output::Avif => Self::new(&(30..=92), 66),
            Output::Jxl => Self::new(&(30..=96), 83),
            // lossless: one try tells all
            Output::Png | Output::Gif => Self::new(&(100..=100), 100),
        }
    }
}

/// The result of a search for a likeness.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alike {
    pub(crate) bytes: Vec<u8>,
    pub(crate) quality: u8,
    /// As measured, in points of SSIMULACRA2.
    pub(crate) likeness: f64,
    /// Whether the target was reached; else this is the likest that was found.
    pub(crate) reached: bool,
    /// How many files were made.
    pub(crate) encodings: u32,
    /// Whether there was no time for more of them.
    pub(crate) is_cut: bool,
}

/// The result of a search for a length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Within {
    pub(crate) bytes: Vec<u8>,
    pub(crate) quality: u8,
    /// Whether it is short enough; else this is the lowest quality, or all that there was time for.
    pub(crate) fits: bool,
    /// How many files were made.
    pub(crate) encodings: u32,
    /// Whether there was no time for more of them.
    pub(crate) is_cut: bool,
}

/// A format that [`best`] may choose.
pub(crate) struct Candidate<'a> {
    pub(crate) output: Output,
    pub(crate) span: Span,
    /// Makes a file of a quality.
    pub(crate) encode: &'a mut dyn FnMut(u8) -> Result<Vec<u8>, Error>,
    /// Reads it back.
    pub(crate) decode: &'a mut dyn FnMut(&[u8]) -> Result<Frame, Error>,
}

/// The smallest file whose likeness reaches the target. `measure` compares what `decode` made of a file with the picture.
///
/// # Errors
/// `Deadline` when it is over before the first file is measured; what `encode`, `decode` or `measure` says when they fail
/// before a file was found. Later failures only end the search.
pub(crate) fn alike(
    span: &Span,
    target: Target,
    deadline: &Deadline,
    encode: impl FnMut(u8) -> Result<Vec<u8>, Error>,
    decode: impl FnMut(&[u8]) -> Result<Frame, Error>,
    measure: impl FnMut(&Frame) -> Result<f64, Error>,
) -> Result<Alike, Error> {
    let mut pace = Pace::new(deadline);
    let found = alike_in_time(span, target, &mut pace, false, encode, decode, measure)?;
    found.ok_or(Error::Deadline)
}

/// The same at the pace of tries before. None where there is no time and, as `is_enough` says, something to answer with.
fn alike_in_time(
    span: &Span,
    target: Target,
    pace: &mut Pace<'_>,
    is_enough: bool,
    mut encode: impl FnMut(u8) -> Result<Vec<u8>, Error>,
    mut decode: impl FnMut(&[u8]) -> Result<Frame, Error>,
    mut measure: impl FnMut(&Frame) -> Result<f64, Error>,
) -> Result<Option<Alike>, Error> {
    let mut bracket = Bracket::new(span.lowest, span.highest, target.points(), LIKENESS_RISE);
    let mut next = Some(span.start);
    let mut found: Option<Alike> = None;
    for encodings in 1..=ENCODINGS_MAX {
        let Some(quality) = next else { break };
        let made = pace.one(is_enough || found.is_some(), || {
            let bytes = encode(quality)?;
            let likeness = measure(&decode(&bytes)?)?;
            Ok((bytes, likeness))
        });
        let Some((bytes, likeness)) = made? else { break };
        let reached = likeness >= target.points();
        let tried = Alike { bytes, quality, likeness, reached, encodings, is_cut: false };
        let found = match found.take() {
            Some(before) if !is_better(&tried, &before) => found.insert(Alike { encodings, ..before }),
            _ => found.insert(tried),
        };
        if reached && likeness < target.points() + CLOSE_ENOUGH {
            break;
        }
        bracket.narrow(Point { quality, value: likeness });
        let is_last = encodings + 1 == ENCODINGS_MAX;
        // the last try is no guess when all before fell short
        next = if is_last && !found.reached { bracket.highest() } else { bracket.lowest_reaching() };
    }
    Ok(found.map(|found| Alike { is_cut: pace.is_cut, ..found }))
}

/// Whether to keep the first: what reached the target before what did not, then the shorter, or else the likelier.
fn is_better(one: &Alike, other: &Alike) -> bool {
    match (one.reached, other.reached) {
        (true, true) => one.bytes.len() < other.bytes.len(),
        (false, false) => one.likeness > other.likeness,
        (reached, _) => reached,
    }
}

/// The file of the highest quality that has at most `bytes_max` bytes. It begins with the highest of all, which often fits,
/// and ends early with a file that is nearly as long as allowed.
///
/// Where longer files always come with higher qualities, a file that fits is found if there is one. Where they do not
/// quite, it is found if the lowest quality fits.
///
/// # Errors
/// `Deadline` when it is over before the first file is made; what `encode` says when it fails before one was. Later
/// failures only end the search.
pub(crate) fn within(
    span: &Span,
    bytes_max: usize,
    deadline: &Deadline,
    mut encode: impl FnMut(u8) -> Result<Vec<u8>, Error>,
) -> Result<Within, Error> {
    // a file that fits falls short of the first length that does not
    let too_long = log_bytes(bytes_max.saturating_add(1));
    let mut bracket = Bracket::new(span.lowest, span.highest, too_long, LOG_BYTES_RISE);
    let mut next = Some(span.highest);
    let mut found: Option<Within> = None;
    let mut pace = Pace::new(deadline);
    for encodings in 1..=FITTING_MAX {
        let Some(quality) = next else { break };
        let Some(bytes) = pace.one(found.is_some(), || encode(quality))? else { break };
        let length = bytes.len();
        let fits = length <= bytes_max;
        let tried = Within { bytes, quality, fits, encodings, is_cut: false };
        let found = match found.take() {
            Some(before) if !is_nearer(&tried, &before) => found.insert(Within { encodings, ..before }),
            _ => found.insert(tried),
        };
        if fits && float(length) >= float(bytes_max) * FULL_ENOUGH {
            break;
        }
        bracket.narrow(Point { quality, value: log_bytes(length) });
        let is_last = encodings + 1 == FITTING_MAX;
        // the last try is no guess when nothing fitted
        next = if is_last && !found.fits { bracket.lowest() } else { bracket.highest_short() };
    }
    found.map(|found| Within { is_cut: pace.is_cut, ..found }).ok_or(Error::Deadline)
}

/// Whether to keep the first: what fits before what does not, then the better, or of those that do not fit the shorter.
fn is_nearer(one: &Within, other: &Within) -> bool {
    match (one.fits, other.fits) {
        (true, true) => one.quality > other.quality,
        (false, false) => one.bytes.len() < other.bytes.len(),
        (fits, _) => fits,
    }
}

/// Lengths grow by a factor with quality, so that their logarithms lie nearly on a line.
fn log_bytes(bytes: usize) -> f64 {
    float(bytes).ln_1p()
}

fn float(bytes: usize) -> f64 {
    bytes as f64
}

/// How long tries take, and whether there is time for one more.
struct Pace<'d> {
    deadline: &'d Deadline,
    longest: Duration,
    is_cut: bool,
}

impl<'d> Pace<'d> {
    fn new(deadline: &'d Deadline) -> Self {
        Self { deadline, longest: Duration::ZERO, is_cut: false }
    }

    /// One try. Where there is something to answer with, one that fails or has no time is none.
    fn one<T>(
        &mut self,
        is_enough: bool,
        make: impl FnOnce() -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        // half as long again, for one that takes a little longer and for what is done with it
        let takes = self.longest + self.longest / 2;
        if is_enough && self.deadline.left().is_some_and(|left| left < takes) {
            self.is_cut = true;
            return Ok(None);
        }
        let began = Instant::now();
        let made = self.deadline.check().and_then(|()| make());
        self.longest = self.longest.max(began.elapsed());
        match made {
            Ok(made) => Ok(Some(made)),
            Err(error) if is_enough => {
                tracing::debug!(%error, "a search for a quality ended early");
                self.is_cut |= error == Error::Deadline;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// The smallest file of all formats that reaches the target; when none does, the likest. Formats whose encoder fails and
/// those that there is no time for are left out.
///
/// # Errors
/// The last failure when no format gave a file; `Deadline` without candidates.
pub(crate) fn best(
    candidates: &mut [Candidate<'_>],
    target: Target,
    deadline: &Deadline,
    mut measure: impl FnMut(&Frame) -> Result<f64, Error>,
) -> Result<(Output, Alike), Error> {
    let mut chosen: Option<(Output, Alike)> = None;
    let mut failure = Error::Deadline;
    let mut pace = Pace::new(deadline);
    for Candidate { output, span, encode, decode } in candidates {
        match alike_in_time(span, target, &mut pace, chosen.is_some(), encode, decode, &mut measure) {
            Ok(Some(found)) => {
                let is_kept = chosen.as_ref().is_some_and(|(_, before)| !is_better(&found, before));
                if !is_kept {
                    chosen = Some((*output, found));
                }
            }
            Ok(None) => {}
            Err(error) => failure = error,
        }
    }
    let chosen = chosen.map(|(output, found)| (output, Alike { is_cut: pace.is_cut, ..found }));
    chosen.ok_or(failure)
}

#[cfg(test)]
mod tests;
