//! The steps of a rendering in their order.
//!
//! Sniff, limits, decode as much as is needed, crop and scale, orient, colour, look, frame, marks, encode. Orientation and
//! colour come after scaling because they then work on fewer pixels. A photo stays in luma and chroma from decoder to encoder
//! unless a step mixes its colours. The deadline is checked between steps and inside the long ones. Nothing here
//! blocks on anything but the processor: call it from [`crate::pool`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::encode::{self, Animation, Effort};
use crate::exif;
use crate::frame::Frame;
use crate::jpeg::Chroma;
use crate::limits::Limits;
use crate::negotiate::{self, AcceptClass, Output};
use crate::share::Sibling;
use crate::sniff::{self, Header};
use crate::steps::colour;
use crate::steps::decode::Wanted;
use crate::steps::geometry::Size;
use crate::transform::{Format, Metadata, Reduction, Transform};
use crate::worker::Workers;
use crate::{Deadline, Error};

mod canvas;
mod facts;
mod finish;
mod opened;
mod wish;
mod write;

use canvas::Canvas;
use finish::Finish;
use opened::{About, Reading};
use write::{Writing, Written};

/// What a site and a client add to a transform.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the client shows, of what the site offers.
    pub accept: AcceptClass,
    /// Of lossy formats where the transform has none, 1 to 100.
    pub quality: u8,
    /// Points of SSIMULACRA2 that `quality=auto` reaches, 1 to 100.
    pub likeness: u8,
    /// Whether light is averaged carefully where the transform does not say.
    pub is_careful: bool,
    /// Whether what became smaller is sharpened a little.
    pub sharpens: bool,
    /// What a source may cost.
    pub limits: Limits,
    /// The watermark's file, where the transform has one.
    pub mark: Option<Bytes>,
    /// How much time a smaller file is worth.
    pub effort: Patience,
    /// Renderings of this source that are wanted at the same time.
    pub sibling: Option<Arc<Sibling>>,
    /// Processes for the codecs that are not to run in this one; without them they do.
    pub workers: Option<Arc<Workers>>,
}

/// How long the one who asked can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patience {
    /// A client waits: where the format is ours to choose and the best one takes long, the next best is taken.
    #[default]
    Answering,
    /// Nobody waits: the smallest file is made.
    Improving,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            accept: AcceptClass::Plain,
            quality: 80,
            likeness: 75,
            is_careful: true,
            sharpens: false,
            limits: Limits::default(),
            mark: None,
            effort: Patience::default(),
            sibling: None,
            workers: None,
        }
    }
}

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
    /// Stands for the sizes that its source was decoded to for a larger rendering; 0 for a source decoded for this one. The
    /// same transform of the same source gives the same bytes only where this is the same.
    pub decoded_as: u32,
    /// Whether its deadline was so near that less was done for it: its bytes follow from the time then, too.
    pub is_hurried: bool,
    /// Whether more time would have made a smaller file.
    pub can_improve: bool,
    /// Where the time went.
    pub timings: Timings,
}

/// Where the time of a rendering went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Waiting for a thread; zero outside a pool.
    pub queue: Duration,
    /// Header, limits, decoding, cropping and scaling.
    pub decode: Duration,
    /// Everything between scaling and encoding.
    pub adjust: Duration,
    /// Encoding.
    pub encode: Duration,
}

impl Timings {
    /// Name and time of every step in order, for `Server-Timing`.
    #[must_use]
    pub fn steps(&self) -> [(&'static str, Duration); 4] {
        [("queue", self.queue), ("decode", self.decode), ("adjust", self.adjust), ("encode", self.encode)]
    }
}

/// Renders `source`.
///
/// # Errors
/// Every variant of [`Error`] but `Busy` and `Panicked`, which are the pool's.
///
/// # Panics
/// Not by itself, but a codec may on a damaged source; the pool catches that.
pub fn render(
    source: &[u8],
    transform: &Transform,
    settings: &Settings,
    deadline: &Deadline,
) -> Result<Rendered, Error> {
    let transform = transform.canonical();
    deadline.check()?;
    let header = admit(source, &transform, &settings.limits)?;
    match transform.format {
        Format::Json => return facts::json(source, &header, settings, deadline),
        Format::Svg => return facts::drawing(source, &header),
        _ => {}
    }
    Job { source, header, transform: &transform, settings, deadline }.render()
}

/// Reads the header and judges it, with nothing decoded: cheap enough for the thread that serves requests.
///
/// # Errors
/// `SourceTooLarge`, `UnknownFormat`, `Undecodable`, `SideTooLong`, `TooManyPixels`, `TooManyFrames`.
pub fn admit(source: &[u8], transform: &Transform, limits: &Limits) -> Result<Header, Error> {
    limits.check_bytes(source)?;
    let header = sniff::header_of(source, transform.page.unwrap_or(0))?;
    limits.check_header(&header)?;
    let stored = Size { width: header.width, height: header.height };
    let judged = |seen| opened::bounded(opened::planned(seen, transform), limits);
    // which way up it is shows only later: at least one way must pass, and render() judges the right one
    judged(stored).or_else(|_| judged(stored.turned()))?;
    if transform.format == Format::Jxl {
        let Size { width, height } = result_size(&header, transform);
        encode::jxl::check(u64::from(width) * u64::from(height), transform.lossless)?;
    }
    Ok(header)
}

/// The size of the result as far as the header tells, for weighing a job.
#[must_use]
pub(crate) fn result_size(header: &Header, transform: &Transform) -> Size {
    opened::planned(Size { width: header.width, height: header.height }, transform).canvas
}

struct Job<'a> {
    source: &'a [u8],
    header: Header,
    transform: &'a Transform,
    settings: &'a Settings,
    deadline: &'a Deadline,
}

impl Job<'_> {
    fn render(&self) -> Result<Rendered, Error> {
        let (output, can_improve) = self.output();
        let mut progress = Progress::begin(self, output)?;
        let reading = Reading {
            source: self.source,
            header: &self.header,
            transform: self.transform,
            limits: &self.settings.limits,
            deadline: self.deadline,
            is_careful: match self.transform.reduction {
                Reduction::Site => self.settings.is_careful,
                Reduction::Fast => false,
                Reduction::Careful => true,
            },
            sharpens: self.settings.sharpens,
            chroma: chroma_of(output.format()),
            frames: if progress.is_animated { Wanted::All } else { Wanted::First },
            sibling: self.settings.sibling.as_deref(),
            workers: self.settings.workers.as_deref(),
        };
        let about =
            reading.pictures(&mut |picture, shown_ms, about| progress.take(picture, shown_ms, about))?;
        self.deadline.check()?;
        let (written, size, timings) = progress.written()?;
        let seen = about.seen.unwrap_or(Size { width: self.header.width, height: self.header.height });
        Ok(Rendered {
            bytes: written.bytes.into(),
            content_type: written.output.content_type(),
            width: size.width,
            height: size.height,
            source_width: seen.width,
            source_height: seen.height,
            decoded_as: about.decoded_as,
            is_hurried: written.is_hurried,
            can_improve: can_improve || written.is_hurried,
            timings,
        })
    }

    /// The format, and whether a better one was passed over because somebody waits.
    fn output(&self) -> (Output, bool) {
        let Self { header, transform, settings, .. } = self;
        let moves = header.frames > 1 && !transform.still;
        let best = negotiate::output(settings.accept, transform.format, header, moves);
        if settings.effort == Patience::Improving || transform.format != Format::Auto {
            return (best, false);
        }
        let result = result_size(header, transform);
        let pixels = u64::from(result.width) * u64::from(result.height);
        let writing = self.writing(best, None);
        let coding = writing.coding(writing.quality());
        let takes_long = encode::estimate(write::file(best), pixels, &coding) > ANSWER_WITHIN;
        match best {
            // every client that names AVIF shows WebP
            Output::Avif if takes_long => (Output::Webp, true),
            other => (other, false),
        }
    }

    fn is_animated(&self, output: Output) -> bool {
        self.header.frames > 1 && !self.transform.still && matches!(output, Output::Webp | Output::Gif)
    }

    fn mark(&self) -> Result<Option<Frame>, Error> {
        let Some(file) = self.settings.mark.as_ref().filter(|_| self.transform.watermark.is_some()) else {
            return Ok(None);
        };
        let header = sniff::header(file)?;
        self.settings.limits.check_header(&header)?;
        opened::mark(file, &header, self.settings, self.deadline).map(Some)
    }

    fn writing<'w>(&'w self, output: Output, extra: Option<&'w Extra>) -> Writing<'w> {
        Writing {
            transform: self.transform,
            output,
            site_quality: self.settings.quality,
            likeness: self.settings.likeness,
            effort: match self.settings.effort {
                Patience::Answering => Effort::Normal,
                Patience::Improving => Effort::Best,
            },
            candidates: negotiate::candidates(self.settings.accept, &self.header),
            icc: extra.and_then(|extra| extra.icc.as_deref()),
            exif: extra.and_then(|extra| extra.exif.as_deref()),
            deadline: self.deadline,
            is_hurried: false,
        }
    }
}

/// What has been made of the pictures so far.
struct Progress<'j> {
    job: &'j Job<'j>,
    output: Output,
    is_animated: bool,
    mark: Option<Frame>,
    extra: Option<Extra>,
    growing: Option<Animation<'j>>,
    still: Option<Canvas>,
    size: Size,
    clock: Lap,
    timings: Timings,
}

impl<'j> Progress<'j> {
    fn begin(job: &'j Job<'j>, output: Output) -> Result<Self, Error> {
        Ok(Self {
            job,
            output,
            is_animated: job.is_animated(output),
            mark: job.mark()?,
            extra: None,
            growing: None,
            still: None,
            size: Size { width: 0, height: 0 },
            clock: Lap::start(),
            timings: Timings::default(),
        })
    }

    /// Takes a picture that has its size and is upright.
    fn take(&mut self, picture: Canvas, shown_ms: u32, about: &About) -> Result<(), Error> {
        self.timings.decode += self.clock.lap();
        self.job.deadline.check()?;
        // an animation is begun before its frames are known, and holds none
        let may_keep = !self.is_animated && holds_profile(self.output, self.job.transform.lossless);
        let extra = self.extra.get_or_insert_with(|| Extra::of(about, self.job.transform, may_keep));
        let finish = Finish {
            transform: self.job.transform,
            canvas: about.canvas.unwrap_or_else(|| picture.size()),
            output: self.output,
            profile: about.profile.as_deref().filter(|_| !extra.keeps_profile),
            mark: self.mark.as_ref(),
            deadline: self.job.deadline,
        };
        let picture = finish.take(picture, self.is_animated)?;
        self.timings.adjust += self.clock.lap();
        self.size = picture.size();
        if self.is_animated {
            self.grow(picture.into_frame()?, shown_ms, about.loop_count)?;
        } else {
            self.still = Some(picture);
        }
        self.timings.encode += self.clock.lap();
        Ok(())
    }

    fn grow(&mut self, frame: Frame, shown_ms: u32, loop_count: u32) -> Result<(), Error> {
        if self.growing.is_none() {
            let writing = self.job.writing(self.output, None);
            let coding = writing.coding(writing.quality());
            let loops = u16::try_from(loop_count).unwrap_or(u16::MAX);
            self.growing = Animation::new(write::file(self.output), &coding, loops);
        }
        let growing = self.growing.as_mut();
        growing.ok_or(Error::Unencodable { reason: "the format stands still" })?.push(frame, shown_ms)
    }

    fn written(mut self) -> Result<(Written, Size, Timings), Error> {
        let written = match (self.growing.take(), self.still.take()) {
            (Some(growing), _) => {
                Written { bytes: growing.finish()?, output: self.output, is_hurried: false }
            }
            (None, Some(picture)) => {
                let writing = self.job.writing(self.output, self.extra.as_ref());
                writing.in_time(&picture).still(&picture)?
            }
            (None, None) => return Err(Error::Undecodable { reason: "it has no frames" }),
        };
        self.timings.encode += self.clock.lap();
        Ok((written, self.size, self.timings))
    }
}

/// Metadata that goes into the answer.
#[derive(Debug, Default)]
struct Extra {
    icc: Option<Vec<u8>>,
    exif: Option<Vec<u8>>,
    /// Whether pixels stay in their source's colour space, be it sRGB or a wider one.
    keeps_profile: bool,
}

impl Extra {
    fn of(about: &About, transform: &Transform, may_keep: bool) -> Self {
        let is_srgb = about.profile.as_deref().is_none_or(colour::is_srgb);
        let may_keep = may_keep && transform.keep_profile;
        let keeps_profile = is_srgb || (may_keep && colour::is_rgb(about.profile.as_deref()));
        let icc = about.profile.clone().filter(|_| keeps_profile && !is_srgb);
        let exif = about.exif.as_deref().and_then(|block| match transform.metadata {
            Metadata::None => None,
            Metadata::Copyright => exif::kept::copyright_only(block),
            Metadata::Keep => exif::kept::without_gps(block),
        });
        Self { icc, exif, keeps_profile }
    }
}

/// Whether pixels can be in other colours than sRGB.
const fn holds_profile(output: Output, lossless: bool) -> bool {
    match output {
        Output::Jpeg | Output::Png | Output::Webp | Output::Avif => true,
        Output::Jxl => lossless,
        Output::Gif => false,
    }
}

/// How much chroma a rendering needs: all of it where the encoder takes pixels.
const fn chroma_of(format: Format) -> Chroma {
    if matches!(format, Format::Png | Format::Gif | Format::Jxl) { Chroma::Full } else { Chroma::Half }
}

/// Encoders that are slower than this for a picture are left for later where the format is ours to choose.
const ANSWER_WITHIN: Duration = Duration::from_millis(60);

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
