//! WebP (RFC 9649), lossy and lossless, still and moving. What is still, lossy and opaque is read by [`crate::vp8`].

use image::metadata::Orientation;
use image_webp::{LoopCount, WebPDecoder};

use super::input::Input;
use super::{Decoded, FrameOf, Frames, Wanted, bounded, damaged};
use crate::encode::Range;
use crate::frame::{Frame, Layout, buffer_bytes};
use crate::limits::Limits;
use crate::sniff::Header;
use crate::steps::sniff::webp::{self, Lossy};
use crate::{Deadline, Error, jpeg, vp8};

/// # Errors
/// `Undecodable` for whatever the decoder objects to, truncation included; `Deadline`.
pub(super) fn decode<'a>(
    source: &'a [u8],
    header: &Header,
    limits: &Limits,
    deadline: &Deadline,
    wanted: Wanted,
) -> Result<Decoded<'a>, Error> {
    if let Some(lossy) = webp::lossy(source, header) {
        return still(&lossy, header, deadline);
    }
    let failed = |error: image_webp::DecodingError| damaged(&error, deadline);
    let mut decoder = WebPDecoder::new(Input::new(source, deadline)).map_err(failed)?;
    decoder.set_memory_limit(usize::try_from(limits.decode_bytes_max).unwrap_or(usize::MAX));
    if decoder.dimensions() != (header.width, header.height) {
        return Err(Error::Undecodable { reason: "it names two different sizes" });
    }
    // metadata that cannot be read is no reason to refuse the picture
    let exif = decoder.exif_metadata().ok().flatten();
    let mut decoded = Decoded {
        profile: bounded(decoder.icc_profile().ok().flatten()),
        orientation: exif
            .as_deref()
            .and_then(Orientation::from_exif_chunk)
            .unwrap_or(Orientation::NoTransforms),
        exif,
        ..Decoded::empty(header)
    };
    let layout = if decoder.has_alpha() { Layout::Rgba } else { Layout::Rgb };
    let mut blank = Frame { width: header.width, height: header.height, layout, pixels: Vec::new() };
    let bytes = buffer_bytes(header.width, header.height, layout)?;
    if decoder.is_animated() && wanted == Wanted::All {
        decoded.loop_count = match decoder.loop_count() {
            LoopCount::Forever => 0,
            LoopCount::Times(times) => times.get().into(),
        };
        decoded.frames = animated(decoder, blank, bytes, deadline)?;
    } else {
        blank.pixels = vec![0; bytes];
        decoder.read_image(&mut blank.pixels).map_err(failed)?;
        decoded.frames = Frames::one(blank);
    }
    Ok(decoded)
}

/// A lossy picture without alpha.
fn still<'a>(lossy: &Lossy<'a>, header: &Header, deadline: &Deadline) -> Result<Decoded<'a>, Error> {
    let planes = vp8::read(lossy.frame, deadline)?;
    let frame = jpeg::frame_in(planes, jpeg::Colour::Ycc, Range::Limited)?;
    Ok(Decoded {
        frames: Frames::one(frame),
        profile: bounded(lossy.profile.map(<[u8]>::to_vec)),
        orientation: lossy.exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms),
        exif: lossy.exif.map(<[u8]>::to_vec),
        ..Decoded::empty(header)
    })
}

fn animated<'a>(
    mut decoder: WebPDecoder<Input<'a>>,
    blank: Frame,
    bytes: usize,
    deadline: &Deadline,
) -> Result<Frames<'a>, Error> {
    let (until, mut left) = (deadline.clone(), decoder.num_frames());
    Frames::lazy(deadline, move || {
        left = left.checked_sub(1)?;
        let mut frame = Frame { pixels: vec![0; bytes], ..blank };
        Some(match decoder.read_frame(&mut frame.pixels) {
            Ok(delay_ms) => Ok(FrameOf { frame, delay_ms }),
            Err(error) => Err(damaged(&error, &until)),
        })
    })
}
