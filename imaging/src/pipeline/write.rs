//! From the finished picture to the bytes of the answer: at a quality, at a likeness, or within a length.

use std::time::Duration;

use super::canvas::Canvas;
use crate::encode::{self, Effort, Format as File, Picture, Settings as Coding, Subsampling};
use crate::frame::Frame;
use crate::likeness::Reference;
use crate::limits::Limits;
use crate::negotiate::Output;
use crate::search::{self, Candidate, Span, Target};
use crate::steps::decode;
use crate::steps::geometry::Size;
use crate::steps::sniff;
use crate::transform::{Format, Quality, Transform};
use crate::{Deadline, Error};

/// From this quality on colour has the resolution of luma.
const FULL_CHROMA_FROM: u8 = 90;

/// The quality of an AVIF where likeness decides and somebody waits: what photos reached 75 points at.
const AVIF_LOOKS_ALIKE: u8 = 66;

/// What a rendering may take of what its estimate says, on a machine with other work.
const SLOWER_THAN_ESTIMATED: u32 = 3;

/// The quality of an AVIF that looks like a JPEG or WebP of `quality`, for URLs that leave the format open: scales of encoders
/// differ. 63 beside 80 is what imgproxy takes; near the top both end at 100.
fn as_avif(quality: u8) -> u8 {
    const NEAR_TOP: u32 = 85;
    let quality = u32::from(quality);
    let scaled = |quality: u32| (quality * 63 + 40) / 80;
    let mapped = match quality.checked_sub(NEAR_TOP) {
        None => scaled(quality),
        Some(above) => scaled(NEAR_TOP) + above * (100 - scaled(NEAR_TOP)) / (100 - NEAR_TOP),
    };
    u8::try_from(mapped.clamp(1, 100)).unwrap_or(100)
}

/// How a picture is written.
#[derive(Clone, Copy)]
pub(super) struct Writing<'a> {
    pub(super) transform: &'a Transform,
    pub(super) output: Output,
    /// 1 to 100, where neither the transform nor a search decides.
    pub(super) site_quality: u8,
    /// Points of SSIMULACRA2 that a search reaches.
    pub(super) likeness: u8,
    pub(super) effort: Effort,
    /// The formats that a search for the smallest may choose.
    pub(super) candidates: &'a [Output],
    pub(super) icc: Option<&'a [u8]>,
    pub(super) exif: Option<&'a [u8]>,
    pub(super) deadline: &'a Deadline,
    /// Whether there was no time for what would be done else.
    pub(super) is_hurried: bool,
}

/// A file and what it is.
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) output: Output,
    /// Whether there was no time for what would be done else.
    pub(super) is_hurried: bool,
}

impl<'a> Writing<'a> {
    /// 1 to 100, where no search decides.
    pub(super) fn quality(&self) -> u8 {
        let all = self.transform;
        let asked = all.quality_of(self.output.format()).fixed();
        if self.output == Output::Png {
            // fewer colours only for who asks for them
            return asked.filter(|_| all.format == Format::Png).unwrap_or(100);
        }
        let quality = asked.unwrap_or(self.site_quality).clamp(1, 100);
        let is_own = all.format_quality.iter().any(|(format, _)| *format == Format::Avif);
        if self.output == Output::Avif && all.format == Format::Auto && !is_own {
            return as_avif(quality);
        }
        quality
    }

    /// Writes one picture.
    pub(super) fn still(&self, picture: &Canvas) -> Result<Written, Error> {
        let written = self.once(picture)?;
        let is_open = self.transform.format == Format::Auto && self.effort == Effort::Best;
        if written.output != Output::Avif || !is_open {
            return Ok(written);
        }
        // it takes the place of a WebP, or of nothing
        match (Self { output: Output::Webp, ..*self }).once(picture) {
            Ok(webp) if webp.bytes.len() < written.bytes.len() => Ok(webp),
            _ => Ok(written),
        }
    }

    fn once(&self, picture: &Canvas) -> Result<Written, Error> {
        let all = self.transform;
        let is_lossy = !all.lossless && self.output.is_lossy();
        if all.format == Format::Best {
            return self.best(picture);
        }
        let (bytes, is_cut) = match (all.quality, all.max_bytes) {
            (_, Some(bytes)) if is_lossy => self.within(picture, bytes)?,
            (Quality::Auto, None) if is_lossy && self.is_measurable() => self.alike(picture)?,
            (Quality::Auto, None) if is_lossy => {
                (self.encoded(picture, self.output, AVIF_LOOKS_ALIKE)?, false)
            }
            _ => (self.encoded(picture, self.output, self.quality())?, false),
        };
        Ok(Written { bytes, output: self.output, is_hurried: self.is_hurried || is_cut })
    }

    /// With less effort, and in a cheaper format where that is ours to choose, when there is not the time for more: a picture
    /// that is larger than it could be is better than none.
    pub(super) fn in_time(self, picture: &Canvas) -> Self {
        let Some(left) = self.deadline.left() else { return self };
        let Size { width, height } = picture.size();
        self.within_time(left, u64::from(width) * u64::from(height), picture.has_alpha())
    }

    fn within_time(mut self, left: Duration, pixels: u64, has_alpha: bool) -> Self {
        let is_open = self.transform.format == Format::Auto;
        loop {
            let takes = encode::estimate(file(self.output), pixels, &self.coding(self.quality()));
            if takes * SLOWER_THAN_ESTIMATED <= left {
                return self;
            }
            match (self.output, self.effort) {
                (_, Effort::Best) => self.effort = Effort::Normal,
                (Output::Avif, _) if is_open => self.output = Output::Webp,
                (_, Effort::Normal) => self.effort = Effort::Fast,
                (Output::Webp, _) if is_open && !has_alpha => self.output = Output::Jpeg,
                (_, Effort::Fast) => return self,
            }
            self.is_hurried = true;
        }
    }

    /// Whether files of this format are written quickly enough to be tried until one is alike. An AVIF is when nobody waits.
    const fn is_measurable(&self) -> bool {
        !matches!((self.output, self.effort), (Output::Avif, Effort::Fast | Effort::Normal))
    }

    /// A file that is not longer, and whether there was no time to look for the best.
    fn within(&self, picture: &Canvas, bytes: u32) -> Result<(Vec<u8>, bool), Error> {
        let span = Span::new(&(1..=self.quality()), self.quality());
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let found = search::within(&span, bytes, self.deadline, |quality| {
            self.encoded(picture, self.output, quality)
        })?;
        Ok((found.bytes, found.is_cut))
    }

    /// A file that is alike, and whether there was no time to look for the shortest.
    fn alike(&self, picture: &Canvas) -> Result<(Vec<u8>, bool), Error> {
        let reference = Reference::new(&picture.clone().into_frame()?)?;
        let target = Target::new(f64::from(self.likeness));
        let found = search::alike(
            &Span::of(self.output),
            target,
            self.deadline,
            |quality| self.encoded(picture, self.output, quality),
            |bytes| self.decoded(bytes),
            |frame| reference.likeness(frame),
        )?;
        Ok((found.bytes, found.is_cut))
    }

    fn best(&self, picture: &Canvas) -> Result<Written, Error> {
        let reference = Reference::new(&picture.clone().into_frame()?)?;
        let target = Target::new(f64::from(self.likeness));
        let mut tried: Vec<_> = self
            .candidates
            .iter()
            .map(|&output| {
                let encode = move |quality| self.encoded(picture, output, quality);
                (output, encode, |bytes: &[u8]| self.decoded(bytes))
            })
            .collect();
        let mut candidates: Vec<_> = tried
            .iter_mut()
            .map(|(output, encode, decode)| Candidate {
                output: *output,
                span: Span::of(*output),
                encode,
                decode,
            })
            .collect();
        let (output, found) =
            search::best(&mut candidates, target, self.deadline, |frame| reference.likeness(frame))?;
        Ok(Written { bytes: found.bytes, output, is_hurried: found.is_cut })
    }

    fn encoded(&self, picture: &Canvas, output: Output, quality: u8) -> Result<Vec<u8>, Error> {
        encode::encode(picture.picture(), file(output), &self.coding(quality))
    }

    pub(super) fn coding(&self, quality: u8) -> Coding<'a> {
        Coding {
            quality,
            lossless: self.transform.lossless,
            effort: self.effort,
            progressive: self.transform.progressive,
            chroma: if quality >= FULL_CHROMA_FROM { Subsampling::Full } else { Subsampling::Quarter },
            icc: self.icc,
            exif: self.exif,
            deadline: self.deadline,
        }
    }

    /// What a client would see of a file that was written here.
    fn decoded(&self, bytes: &[u8]) -> Result<Frame, Error> {
        let header = sniff::header(bytes)?;
        let options = decode::Options::default();
        decode::decode(bytes, &header, &Limits::default(), self.deadline, &options)?.first()
    }
}

pub(super) const fn file(output: Output) -> File {
    match output {
        Output::Jpeg => File::Jpeg,
        Output::Png => File::Png,
        Output::Webp => File::Webp,
        Output::Avif => File::Avif,
        Output::Gif => File::Gif,
        Output::Jxl => File::Jxl,
    }
}

/// A file for a data URI: the smallest that every browser shows.
pub(super) fn tiny(frame: &Frame, deadline: &Deadline) -> Result<(&'static str, Vec<u8>), Error> {
    const QUALITY: u8 = 40;
    let coding = Coding {
        quality: QUALITY,
        lossless: false,
        effort: Effort::Normal,
        progressive: false,
        chroma: Subsampling::Quarter,
        icc: None,
        exif: None,
        deadline,
    };
    let bytes = encode::encode(Picture::Frame(frame), File::Webp, &coding)?;
    Ok((Output::Webp.content_type(), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(format: Format, output: Output, left_ms: u64, has_alpha: bool) -> (Output, Effort, bool) {
        const PIXELS: u64 = 1_000_000;
        let transform = Transform { format, ..Transform::default() };
        let deadline = Deadline::never();
        let writing = Writing {
            transform: &transform,
            output,
            site_quality: 80,
            likeness: 75,
            effort: Effort::Normal,
            candidates: &[],
            icc: None,
            exif: None,
            deadline: &deadline,
            is_hurried: false,
        };
        let Writing { output, effort, is_hurried, .. } =
            writing.within_time(Duration::from_millis(left_ms), PIXELS, has_alpha);
        (output, effort, is_hurried)
    }

    #[test]
    fn the_quality_of_an_avif_follows_the_common_one_up_to_the_top() {
        assert_eq!([1, 40, 80, 85, 90, 100].map(as_avif), [1, 32, 63, 67, 78, 100]);
        assert!((1..100).all(|quality| as_avif(quality) <= as_avif(quality + 1)));
    }

    #[test]
    fn near_the_deadline_a_cheaper_format_is_taken_where_it_is_ours_to_choose() {
        let auto = |left_ms, has_alpha| chosen(Format::Auto, Output::Avif, left_ms, has_alpha);
        assert_eq!(auto(1_000, false), (Output::Avif, Effort::Normal, false));
        assert_eq!(auto(500, false), (Output::Webp, Effort::Normal, true));
        assert_eq!(auto(100, false), (Output::Webp, Effort::Fast, true));
        assert_eq!(auto(50, false), (Output::Jpeg, Effort::Fast, true));
        assert_eq!(auto(50, true), (Output::Webp, Effort::Fast, true), "a JPEG has no alpha");
        assert_eq!(auto(0, false), (Output::Jpeg, Effort::Fast, true), "something is tried in any case");
        let named = |left_ms| chosen(Format::Avif, Output::Avif, left_ms, false);
        assert_eq!(named(1_000), (Output::Avif, Effort::Normal, false));
        assert_eq!(named(0), (Output::Avif, Effort::Fast, true), "a format asked for by name is kept");
    }
}
