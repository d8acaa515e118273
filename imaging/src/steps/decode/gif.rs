//! GIF (GIF89a).
//!
//! Frames come as indices into a palette and are painted onto the canvas directly. Delays are handed out as they are
//! written, 0 included.

use std::num::NonZeroU64;

use gif::{ColorOutput, DecodeOptions, Decoder, DisposalMethod, MemoryLimit, Repeat};

use super::compose::{Canvas, Dispose, Place};
use super::input::Input;
use super::{Decoded, FrameOf, Frames, Wanted, bounded, damaged};
use crate::limits::Limits;
use crate::sniff::Header;
use crate::{Deadline, Error};

/// # Errors
/// `Undecodable` for whatever the decoder objects to, truncation included; `Deadline`.
pub(super) fn decode<'a>(
    source: &'a [u8],
    header: &Header,
    limits: &Limits,
    deadline: &Deadline,
    wanted: Wanted,
) -> Result<Decoded<'a>, Error> {
    let memory = NonZeroU64::new(limits.decode_bytes_max).unwrap_or(NonZeroU64::MIN);
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Bytes(memory));
    let decoder =
        options.read_info(Input::new(source, deadline)).map_err(|error| damaged(&error, deadline))?;
    if (u32::from(decoder.width()), u32::from(decoder.height())) != (header.width, header.height) {
        return Err(Error::Undecodable { reason: "it names two different sizes" });
    }
    let mut painter = Painter {
        decoder,
        canvas: Canvas::new(header.width, header.height)?,
        indices: Vec::new(),
        bytes_max: limits.decode_bytes_max,
        deadline: deadline.clone(),
    };
    let first = painter.next().unwrap_or(Err(Error::Undecodable { reason: "it has no frames" }))?;
    // known only behind the first frame: extensions may stand in front of it
    let loop_count = match painter.decoder.repeat() {
        Repeat::Infinite => 0,
        Repeat::Finite(again) => u32::from(again) + 1,
    };
    let profile = bounded(painter.decoder.icc_profile().map(<[u8]>::to_vec));
    let mut first = Some(Ok(first));
    let frames = Frames::lazy(deadline, move || match wanted {
        Wanted::First => first.take(),
        Wanted::All => first.take().or_else(|| painter.next()),
    })?;
    Ok(Decoded { frames, loop_count, profile, ..Decoded::empty(header) })
}

struct Painter<'a> {
    decoder: Decoder<Input<'a>>,
    canvas: Canvas,
    /// One frame, kept to be filled again.
    indices: Vec<u8>,
    bytes_max: u64,
    deadline: Deadline,
}

impl Painter<'_> {
    fn next(&mut self) -> Option<Result<FrameOf, Error>> {
        match self.decoder.next_frame_info() {
            Ok(Some(_)) => Some(self.paint()),
            Ok(None) => None,
            Err(error) => Some(Err(damaged(&error, &self.deadline))),
        }
    }

    fn paint(&mut self) -> Result<FrameOf, Error> {
        let damaged = |error: gif::DecodingError| damaged(&error, &self.deadline);
        let Some(info) = self.decoder.current_frame_info() else {
            return Err(Error::Undecodable { reason: super::DAMAGED });
        };
        let place = Place {
            left: info.left.into(),
            top: info.top.into(),
            width: info.width.into(),
            height: info.height.into(),
        };
        let dispose = match info.dispose {
            DisposalMethod::Background => Dispose::Clear,
            DisposalMethod::Previous => Dispose::Restore,
            DisposalMethod::Any | DisposalMethod::Keep => Dispose::Keep,
        };
        let (transparent, delay_ms) = (info.transparent, u32::from(info.delay) * 10);
        let length = usize::from(info.width) * usize::from(info.height);
        if u64::try_from(length).unwrap_or(u64::MAX) > self.bytes_max {
            return Err(Error::Undecodable { reason: "a frame is much larger than the picture" });
        }
        self.indices.clear();
        self.indices.resize(length, 0);
        self.decoder.read_into_buffer(&mut self.indices).map_err(damaged)?;
        let colours = colours(self.decoder.palette().map_err(damaged)?, transparent);
        self.canvas.begin(place, dispose);
        let width = usize::try_from(place.width).unwrap_or(usize::MAX).max(1);
        let indices = &self.indices;
        self.canvas.rows(place, |row, number| {
            let from = indices.chunks_exact(width).nth(number).unwrap_or_default();
            lay(row, from, &colours, transparent);
        });
        if transparent.is_none() {
            self.canvas.covered(place);
        }
        Ok(FrameOf { frame: self.canvas.frame(), delay_ms })
    }
}

/// A colour for every index; those the palette lacks are black.
fn colours(palette: &[u8], transparent: Option<u8>) -> [[u8; 4]; 256] {
    let mut colours = [[0, 0, 0, 255]; 256];
    for (colour, entry) in colours.iter_mut().zip(palette.as_chunks::<3>().0) {
        let [red, green, blue] = *entry;
        *colour = [red, green, blue, 255];
    }
    if let Some(colour) = transparent.and_then(|index| colours.get_mut(usize::from(index))) {
        *colour = [0; 4];
    }
    colours
}

fn lay(row: &mut [u8], indices: &[u8], colours: &[[u8; 4]; 256], transparent: Option<u8>) {
    for (pixel, &index) in row.as_chunks_mut::<4>().0.iter_mut().zip(indices) {
        if transparent != Some(index) {
            *pixel = colours.get(usize::from(index)).copied().unwrap_or_default();
        }
    }
}
