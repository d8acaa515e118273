//! PNG and APNG (PNG third edition).
//!
//! Rows of sixteen bits are narrowed as they come, so the picture never exists twice.

use std::num::NonZeroU16;

use image::metadata::Orientation;
use png::{BitDepth, BlendOp, ColorType, DecodingError, DisposeOp, InterlaceInfo, Reader, Transformations};

use super::compose::{Canvas, Dispose, Place, over};
use super::input::Input;
use super::{Cicp, Decoded, FrameOf, Frames, Wanted, bounded, damaged, narrowed};
use crate::frame::{Frame, Layout, buffer_bytes, stride};
use crate::sniff::Header;
use crate::{Deadline, Error};

/// Memory for everything but the pixels: a profile, a row.
const EXTRA_BYTES_MAX: usize = 16 << 20;

/// # Errors
/// `Undecodable` for whatever the decoder objects to, truncation included; `Deadline`.
pub(super) fn decode<'a>(
    source: &'a [u8],
    header: &Header,
    deadline: &Deadline,
    wanted: Wanted,
) -> Result<Decoded<'a>, Error> {
    let limits = png::Limits { bytes: EXTRA_BYTES_MAX };
    let mut decoder = png::Decoder::new_with_limits(Input::new(source, deadline), limits);
    decoder.set_transformations(Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    let mut reader = decoder.read_info().map_err(|error| failed(error, deadline))?;
    let info = reader.info();
    if (info.width, info.height) != (header.width, header.height) {
        return Err(Error::Undecodable { reason: "it names two different sizes" });
    }
    let exif = info.exif_metadata.as_ref().map(|exif| exif.to_vec());
    let mut decoded = Decoded {
        profile: bounded(info.icc_profile.as_ref().map(|profile| profile.to_vec())),
        cicp: info.coding_independent_code_points.as_ref().and_then(|points| {
            Cicp::unless_srgb(points.color_primaries.into(), points.transfer_function.into())
        }),
        orientation: exif
            .as_deref()
            .and_then(Orientation::from_exif_chunk)
            .unwrap_or(Orientation::NoTransforms),
        exif,
        ..Decoded::empty(header)
    };
    let animation = info.animation_control.filter(|animation| animation.num_frames > 1);
    match (animation, wanted) {
        (Some(animation), Wanted::All) => {
            decoded.loop_count = animation.num_plays;
            decoded.frames = animated(reader, header, animation.num_frames, deadline)?;
        }
        _ => {
            let frame = read(&mut reader, header.width, header.height, deadline)?;
            decoded.frames = Frames::one(frame);
        }
    }
    Ok(decoded)
}

fn failed(error: DecodingError, deadline: &Deadline) -> Error {
    damaged(&error, deadline)
}

/// Reads the next picture, which of an animation may be smaller than the canvas.
fn read(
    reader: &mut Reader<Input<'_>>,
    width: u32,
    height: u32,
    deadline: &Deadline,
) -> Result<Frame, Error> {
    let (colour, depth) = reader.output_color_type();
    let layout = match colour {
        ColorType::Grayscale => Layout::Grey,
        ColorType::GrayscaleAlpha => Layout::GreyAlpha,
        ColorType::Rgb => Layout::Rgb,
        ColorType::Rgba => Layout::Rgba,
        // expanded
        ColorType::Indexed => return Err(Error::Undecodable { reason: "its palette is missing" }),
    };
    let mut pixels = vec![0; buffer_bytes(width, height, layout)?];
    if depth == BitDepth::Sixteen {
        read_wide(reader, &mut pixels, stride(width, layout), layout, deadline)?;
    } else {
        reader.next_frame(&mut pixels).map_err(|error| failed(error, deadline))?;
    }
    Ok(Frame { width, height, layout, pixels })
}

fn read_wide(
    reader: &mut Reader<Input<'_>>,
    pixels: &mut [u8],
    stride: usize,
    layout: Layout,
    deadline: &Deadline,
) -> Result<(), Error> {
    let bits = u8::try_from(layout.channels() * 8).unwrap_or(u8::MAX);
    let mut narrow = Vec::new();
    let mut number = 0;
    while let Some(row) = reader.next_interlaced_row().map_err(|error| failed(error, deadline))? {
        narrow.clear();
        narrow.extend(narrowed(row.data(), u16::from_be_bytes));
        match row.interlace() {
            InterlaceInfo::Adam7(pass) => png::expand_interlaced_row(pixels, stride, &narrow, pass, bits),
            InterlaceInfo::Null(_) => {
                if let Some(to) = pixels.chunks_exact_mut(stride).nth(number)
                    && to.len() == narrow.len()
                {
                    to.copy_from_slice(&narrow);
                }
                number += 1;
            }
        }
    }
    Ok(())
}

/// The composed frames, one at a time.
fn animated<'a>(
    mut reader: Reader<Input<'a>>,
    header: &Header,
    count: u32,
    deadline: &Deadline,
) -> Result<Frames<'a>, Error> {
    let mut canvas = Canvas::new(header.width, header.height)?;
    if reader.info().frame_control.is_none() {
        // a picture for those who do not know animations, and no part of it
        read(&mut reader, header.width, header.height, deadline)?;
        reader.next_frame_info().map_err(|error| failed(error, deadline))?;
    }
    let (until, mut number) = (deadline.clone(), 0);
    Frames::lazy(deadline, move || {
        if number == count {
            return None;
        }
        if number > 0
            && let Err(error) = reader.next_frame_info()
        {
            return Some(Err(failed(error, &until)));
        }
        let frame = draw(&mut reader, &mut canvas, number == 0, &until);
        number += 1;
        Some(frame)
    })
}

fn draw(
    reader: &mut Reader<Input<'_>>,
    canvas: &mut Canvas,
    is_first: bool,
    deadline: &Deadline,
) -> Result<FrameOf, Error> {
    let Some(control) = reader.info().frame_control else {
        return Err(Error::Undecodable { reason: "a frame lacks its description" });
    };
    let place =
        Place { left: control.x_offset, top: control.y_offset, width: control.width, height: control.height };
    let dispose = match control.dispose_op {
        DisposeOp::None => Dispose::Keep,
        // before the first frame there is nothing
        DisposeOp::Previous if is_first => Dispose::Clear,
        DisposeOp::Background => Dispose::Clear,
        DisposeOp::Previous => Dispose::Restore,
    };
    let frame = read(reader, control.width, control.height, deadline)?;
    let is_opaque = !frame.layout.has_alpha();
    canvas.begin(place, dispose);
    let rows: Vec<u8> = rgba(frame);
    let stride = stride(control.width, Layout::Rgba);
    canvas.rows(place, |row, number| {
        let from = rows.chunks_exact(stride).nth(number).unwrap_or_default();
        match control.blend_op {
            BlendOp::Over if !is_opaque => over(row, from),
            _ => {
                if let Some(from) = from.get(..row.len()) {
                    row.copy_from_slice(from);
                }
            }
        }
    });
    if is_opaque {
        canvas.covered(place);
    }
    let seconds_by = NonZeroU16::new(control.delay_den).map_or(100, NonZeroU16::get);
    let delay_ms = u32::from(control.delay_num) * 1_000 / u32::from(seconds_by);
    Ok(FrameOf { frame: canvas.frame(), delay_ms })
}

fn rgba(frame: Frame) -> Vec<u8> {
    let frame = frame.into_colour();
    if frame.layout == Layout::Rgba {
        return frame.pixels;
    }
    frame
        .mapped(Layout::Rgba, |pixel, out| {
            out.extend_from_slice(pixel);
            out.push(255);
        })
        .pixels
}
