//! From source bytes to pixels, 8 bits a channel, as stored: not turned, not converted.
//!
//! The decoders are written in Rust; ADR 10 says which and why. Each is held to the size its header was judged by, to the
//! memory bound and to the deadline. Sixteen-bit channels are rounded to eight. Of an animation the first frame is taken
//! or, one at a time, all: composed onto the whole canvas, so that only one frame and what later ones build on are in
//! memory.

use image::metadata::Orientation;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::sniff::{Header, SourceFormat, jpeg};
use crate::frame::{Frame, Layout, buffer_bytes};
use crate::limits::Limits;
use crate::worker::Workers;
use crate::{Deadline, Error};

mod bitmap;
mod compose;
mod gif;
mod hdr;
pub(crate) mod heif;
mod input;
mod jxl;
mod png;
pub(crate) mod svg;
mod tiff;
mod webp;

/// Largest colour profile that is honoured, in bytes; press profiles have 0.5 to 2 MiB.
pub(crate) const PROFILE_BYTES_MAX: usize = 4 << 20;

/// What to take of a source.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options<'w> {
    /// Of an animation.
    pub(crate) frames: Wanted,
    /// Of a source with several pages, from 0.
    pub(crate) page: u32,
    /// Width and height in pixels that a vector picture is drawn at; without it at its own size. Others ignore it.
    pub(crate) size: Option<(u32, u32)>,
    /// Where codecs run that are not to run here.
    pub(crate) workers: Option<&'w Workers>,
}

/// Frames of an animation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Wanted {
    #[default]
    First,
    All,
}

/// A decoded source.
pub(crate) struct Decoded<'a> {
    /// One at least.
    pub(crate) frames: Frames<'a>,
    /// How often an animation is shown; 0 for ever.
    pub(crate) loop_count: u32,
    /// How to turn it before showing.
    pub(crate) orientation: Orientation,
    /// An ICC profile, unread.
    pub(crate) profile: Option<Vec<u8>>,
    /// The colour space of the pixels where it is not sRGB and no profile says so.
    pub(crate) cicp: Option<Cicp>,
    /// EXIF data from its TIFF header on, unread.
    pub(crate) exif: Option<Vec<u8>>,
    /// Bits of a channel in the source, 8 or 16; the frames have 8.
    #[expect(dead_code, reason = "what a client would be told of it")]
    pub(crate) depth: u8,
}

/// A source that stands still, and what is known of it besides.
#[derive(Debug)]
pub(crate) struct Still {
    pub(crate) frame: Frame,
    pub(crate) loop_count: u32,
    pub(crate) orientation: Orientation,
    pub(crate) profile: Option<Vec<u8>>,
    pub(crate) cicp: Option<Cicp>,
    pub(crate) exif: Option<Vec<u8>>,
}

impl Decoded<'_> {
    /// The first frame with everything else.
    ///
    /// # Errors
    /// As [`decode`].
    pub(crate) fn still(self) -> Result<Still, Error> {
        let Self { loop_count, orientation, cicp, .. } = self;
        let (profile, exif) = (self.profile.clone(), self.exif.clone());
        Ok(Still { frame: self.first()?, loop_count, orientation, profile, cicp, exif })
    }

    /// The first frame, or the only one.
    ///
    /// # Errors
    /// As [`decode`].
    pub(crate) fn first(mut self) -> Result<Frame, Error> {
        let first = self.frames.next().unwrap_or(Err(Error::Undecodable { reason: "it has no frames" }))?;
        Ok(first.frame)
    }

    /// Nothing but what the header says.
    fn empty(header: &Header) -> Self {
        Self {
            frames: Frames(Box::new(|| None)),
            loop_count: 1,
            orientation: Orientation::NoTransforms,
            profile: None,
            cicp: None,
            exif: None,
            depth: header.depth,
        }
    }
}

/// A colour space by its code points (ITU-T H.273 sections 8.1 and 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cicp {
    pub(crate) primaries: u16,
    pub(crate) transfer: u16,
}

impl Cicp {
    /// None for sRGB, for what is commonly shown as sRGB (BT.709 and BT.601 curves) and for the unspecified.
    fn unless_srgb(primaries: u16, transfer: u16) -> Option<Self> {
        let is_srgb = matches!(primaries, 0..=2) && matches!(transfer, 0..=2 | 6 | 13..=15);
        (!is_srgb).then_some(Self { primaries, transfer })
    }
}

/// A picture of an animation, as large as the canvas.
#[derive(Debug, Clone)]
pub(crate) struct FrameOf {
    pub(crate) frame: Frame,
    /// How long it is shown, milliseconds; 0 leaves it to the viewer, as for a still picture.
    pub(crate) delay_ms: u32,
}

/// The frames in their order, decoded when they are asked for. Ends at the first error.
pub(crate) struct Frames<'a>(Box<dyn FnMut() -> Option<Result<FrameOf, Error>> + 'a>);

impl<'a> Frames<'a> {
    fn one(frame: Frame) -> Self {
        let mut only = Some(Ok(FrameOf { frame, delay_ms: 0 }));
        Self(Box::new(move || only.take()))
    }

    /// The frames that `next` gives, the first of them at once: a source without any is refused here.
    fn lazy(
        deadline: &Deadline,
        mut next: impl FnMut() -> Option<Result<FrameOf, Error>> + 'a,
    ) -> Result<Self, Error> {
        let first = next().unwrap_or(Err(Error::Undecodable { reason: "it has no frames" }))?;
        let deadline = deadline.clone();
        let mut first = Some(Ok(first));
        let mut is_over = false;
        Ok(Self(Box::new(move || {
            let frame = match (first.take(), deadline.check()) {
                (Some(first), _) => Some(first),
                (None, _) if is_over => None,
                (None, Err(late)) => Some(Err(late)),
                (None, Ok(())) => next(),
            };
            is_over |= !matches!(frame, Some(Ok(_)));
            frame
        })))
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<FrameOf, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.0)()
    }
}

/// Decodes a source whose header passed [`Limits::check_header`].
///
/// # Errors
/// `Undecodable` for whatever the decoder objects to, truncation included; `Deadline` when it has passed on the way; when
/// all frames are wanted, also those of [`Limits::check_frames`].
pub(crate) fn decode<'a>(
    source: &'a [u8],
    header: &Header,
    limits: &Limits,
    deadline: &Deadline,
    options: &Options<'_>,
) -> Result<Decoded<'a>, Error> {
    deadline.check()?;
    let wanted = options.frames;
    if wanted == Wanted::All {
        limits.check_frames(header)?;
    }
    match header.format {
        SourceFormat::Jpeg => decode_jpeg(source, header),
        SourceFormat::Png => png::decode(source, header, deadline, wanted),
        SourceFormat::Gif => gif::decode(source, header, limits, deadline, wanted),
        SourceFormat::Webp => webp::decode(source, header, limits, deadline, wanted),
        SourceFormat::Tiff => tiff::decode(source, header, limits, deadline, options.page),
        SourceFormat::Bmp => bitmap::bmp(source, header, limits, deadline),
        SourceFormat::Ico => bitmap::ico(source, header, limits, deadline),
        SourceFormat::Svg => svg::decode(source, header, limits, deadline, options.size),
        SourceFormat::Avif | SourceFormat::Heic => {
            heif::decode(source, header, limits, deadline, options.workers)
        }
        SourceFormat::Jxl => jxl::decode(source, header, limits, deadline, wanted),
    }
}

const DAMAGED: &str = "its data is damaged or cut short";

/// What a decoder objected to, unless it was stopped.
fn damaged(error: &dyn std::fmt::Display, deadline: &Deadline) -> Error {
    match deadline.check() {
        Err(late) => late,
        Ok(()) => Error::undecodable(DAMAGED, error),
    }
}

fn bounded(profile: Option<Vec<u8>>) -> Option<Vec<u8>> {
    profile.filter(|profile| profile.len() <= PROFILE_BYTES_MAX)
}

/// Sixteen bits to eight, rounded.
fn narrowed(wide: &[u8], read: impl Fn([u8; 2]) -> u16) -> impl Iterator<Item = u8> {
    wide.as_chunks::<2>().0.iter().map(move |&pair| {
        let value = u32::from(read(pair));
        u8::try_from((value * 255 + 32_767) / 65_535).unwrap_or(u8::MAX)
    })
}

fn decode_jpeg(source: &[u8], header: &Header) -> Result<Decoded<'static>, Error> {
    let layout = jpeg::layout(source)?;
    let damaged = |error: zune_jpeg::errors::DecodeErrors| Error::undecodable(DAMAGED, &error);
    let side = |side: u32| usize::try_from(side).unwrap_or(usize::MAX);
    let (width, height) = (side(header.width), side(header.height));
    let options =
        DecoderOptions::default().set_strict_mode(false).set_max_width(width).set_max_height(height);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(source), options);
    decoder.decode_headers().map_err(damaged)?;
    if decoder.dimensions() != Some((width, height)) {
        return Err(Error::Undecodable { reason: "it names two different sizes" });
    }
    let stored = decoder.input_colorspace().unwrap_or(ColorSpace::Unknown);
    let (colour, channels) = match stored {
        ColorSpace::Luma => (ColorSpace::Luma, Layout::Grey),
        // converted below, and by its profile after it has become small
        ColorSpace::CMYK | ColorSpace::YCCK => (stored, Layout::Cmyk),
        _ => (ColorSpace::RGB, Layout::Rgb),
    };
    decoder.set_options(options.jpeg_set_out_colorspace(colour));
    let mut pixels = vec![0; buffer_bytes(header.width, header.height, channels)?];
    decoder.decode_into(&mut pixels).map_err(damaged)?;
    match stored {
        ColorSpace::YCCK => ycck_to_ink(&mut pixels),
        ColorSpace::CMYK if layout.adobe => pixels.iter_mut().for_each(|ink| *ink = 255 - *ink),
        _ => {}
    }
    let exif = decoder.exif().cloned();
    let frame = Frame { width: header.width, height: header.height, layout: channels, pixels };
    Ok(Decoded {
        frames: Frames::one(frame),
        orientation: exif
            .as_deref()
            .and_then(Orientation::from_exif_chunk)
            .unwrap_or(Orientation::NoTransforms),
        profile: bounded(decoder.icc_profile()),
        exif,
        ..Decoded::empty(header)
    })
}

/// Adobe's YCCK to amounts of ink. Luma and chroma (BT.601, full range) hold the ink itself; black is stored inverted.
fn ycck_to_ink(pixels: &mut [u8]) {
    for pixel in pixels.chunks_exact_mut(4) {
        let [first, second, third, black] = pixel else { continue };
        let (y, cb, cr) = (f32::from(*first), f32::from(*second) - 128.0, f32::from(*third) - 128.0);
        *first = to_byte(y + 1.402 * cr);
        *second = to_byte(y - 0.344_136 * cb - 0.714_136 * cr);
        *third = to_byte(y + 1.772 * cb);
        *black = 255 - *black;
    }
}

fn to_byte(value: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=255")]
    let byte = value.round().clamp(0.0, 255.0) as u8;
    byte
}

#[cfg(test)]
mod tests;
