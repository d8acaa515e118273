//! From the finished picture to the bytes of the answer: at a quality, at a likeness, or within a length.

use super::canvas::Canvas;
use crate::encode::{self, Effort, Format as File, Picture, Settings as Coding, Subsampling};
use crate::frame::Frame;
use crate::likeness::Reference;
use crate::limits::Limits;
use crate::negotiate::Output;
use crate::search::{self, Candidate, Span, Target};
use crate::steps::decode;
use crate::steps::sniff;
use crate::transform::{Format, Quality, Transform};
use crate::{Deadline, Error};

/// From this quality on colour has the resolution of luma.
const FULL_CHROMA_FROM: u8 = 90;

/// The quality of an AVIF where likeness decides and can't be measured: what photos reached 75 points at.
const AVIF_LOOKS_ALIKE: u8 = 66;

/// How a picture is written.
pub(super) struct Writing<'a> {
    pub(super) transform: &'a Transform,
    pub(super) output: Output,
    /// 1 to 100, where no search decides.
    pub(super) quality: u8,
    /// Points of SSIMULACRA2 that a search reaches.
    pub(super) likeness: u8,
    pub(super) effort: Effort,
    /// The formats that a search for the smallest may choose.
    pub(super) candidates: &'a [Output],
    pub(super) icc: Option<&'a [u8]>,
    pub(super) exif: Option<&'a [u8]>,
    pub(super) deadline: &'a Deadline,
}

/// A file and what it is.
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) output: Output,
}

impl<'a> Writing<'a> {
    /// Writes one picture.
    pub(super) fn still(&self, picture: &Canvas) -> Result<Written, Error> {
        let all = self.transform;
        let is_lossy = !all.lossless && self.output.is_lossy();
        if all.format == Format::Best {
            return self.best(picture);
        }
        let bytes = match (all.quality, all.max_bytes) {
            (_, Some(bytes)) if is_lossy => self.within(picture, bytes)?,
            (Quality::Auto, None) if is_lossy && self.is_measurable() => self.alike(picture)?,
            (Quality::Auto, None) if is_lossy => self.encoded(picture, self.output, AVIF_LOOKS_ALIKE)?,
            _ => self.encoded(picture, self.output, self.quality)?,
        };
        Ok(Written { bytes, output: self.output })
    }

    /// Whether files of this format are written quickly enough to be tried until one is alike.
    const fn is_measurable(&self) -> bool {
        !matches!(self.output, Output::Avif)
    }

    fn within(&self, picture: &Canvas, bytes: u32) -> Result<Vec<u8>, Error> {
        let span = Span::new(&(1..=self.quality), self.quality);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let found = search::within(&span, bytes, self.deadline, |quality| {
            self.encoded(picture, self.output, quality)
        })?;
        Ok(found.bytes)
    }

    fn alike(&self, picture: &Canvas) -> Result<Vec<u8>, Error> {
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
        Ok(found.bytes)
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
        Ok(Written { bytes: found.bytes, output })
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
