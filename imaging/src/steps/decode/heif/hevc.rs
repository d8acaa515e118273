//! HEVC by heifer-hevc-dec: pictures without reference to others, which is all that photos are made of.
//!
//! It is safe Rust. A picture past its deadline is finished before that is noticed; how large one may be is judged before.

use heifer_hevc_dec::decoder::{DecodeOptions, decode_picture};

use super::coded::{Channel, Coded, Meaning, Samples};
use super::{DAMAGED, Size};
use crate::sniff::Reader;
use crate::{Deadline, Error};

/// Parameter sets of one item, in bytes.
const PARAMETERS_MAX: usize = 1 << 20;

pub(super) const TWO_DEPTHS: Error =
    Error::Undecodable { reason: "its colours have another depth than its luma" };

/// Decodes an item, with the parameter sets of its configuration, and gives it to `read`.
///
/// # Errors
/// `Undecodable` for whatever the decoder objects to; `Deadline`; whatever `read` says.
pub(super) fn decode<T>(
    configuration: &[u8],
    data: &[u8],
    size: Size,
    deadline: &Deadline,
    read: impl FnOnce(&Coded<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    deadline.check()?;
    let stream = stream(configuration, data).ok_or(DAMAGED)?;
    // coded sizes are multiples of the smallest block, and may be cut
    let around = |side: u32| u64::from(side) + 64;
    let max_pixels = around(size.width) * around(size.height);
    let options = DecodeOptions { skip_loop_filters: false, verify_hash: false, max_pixels };
    let frame = decode_picture(&stream, options).map_err(|error| super::super::damaged(&error, deadline))?;
    deadline.check()?;
    let [luma, first, second] = &frame.planes;
    let side = |side: u32| usize::try_from(side).unwrap_or(usize::MAX);
    let channel = |samples, width, height| Channel {
        samples: Samples::Wide(samples),
        stride: side(width),
        width: side(width),
        height: side(height),
    };
    let ([width, across, _], [height, down, _]) = (frame.widths, frame.heights);
    let [depth, chroma_depth] = frame.bit_depth;
    let chroma = (frame.chroma_format != 0)
        .then(|| [channel(first.as_slice(), across, down), channel(second.as_slice(), across, down)]);
    if chroma.is_some() && depth != chroma_depth {
        return Err(TWO_DEPTHS);
    }
    read(&Coded {
        width,
        height,
        depth,
        luma: channel(luma.as_slice(), width, height),
        chroma,
        // the decoder keeps no more of it
        meaning: Meaning {
            primaries: 2,
            transfer: 2,
            matrix: frame.matrix_coeffs.into(),
            is_full_range: frame.full_range,
        },
    })
}

/// The units with start codes before them (ITU-T H.265 annex B), parameter sets first.
fn stream(configuration: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let mut stream = Vec::with_capacity(data.len() + 1_024);
    let mut push = |unit: &[u8]| {
        stream.extend_from_slice(&[0, 0, 0, 1]);
        stream.extend_from_slice(unit);
    };
    // ISO/IEC 14496-15 section 8.3.3.1: length of a unit's length, then arrays of parameter sets
    let mut reader = Reader::new(configuration.get(..PARAMETERS_MAX).unwrap_or(configuration));
    reader.take(21)?;
    let length_size = reader.u8()? & 3;
    for _ in 0..reader.u8()? {
        reader.u8()?;
        for _ in 0..reader.u16_be()? {
            let length = reader.u16_be()?;
            push(reader.take(length.into())?);
        }
    }
    let mut reader = Reader::new(data);
    while !reader.rest().is_empty() {
        let length = match length_size {
            0 => reader.u8()?.into(),
            1 => reader.u16_be()?.into(),
            3 => reader.u32_be()?,
            _ => return None,
        };
        push(reader.take(usize::try_from(length).ok()?)?);
    }
    Some(stream)
}
