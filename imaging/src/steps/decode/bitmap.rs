//! BMP, and ICO with the largest of its pictures.

use image::codecs::bmp::BmpDecoder;
use image::codecs::ico::IcoDecoder;
use image::{ColorType, ImageDecoder, ImageError};

use super::input::Input;
use super::{Decoded, Frames, Wanted, damaged, png};
use crate::frame::{Frame, Layout, buffer_bytes};
use crate::limits::Limits;
use crate::sniff::{Header, SourceFormat, ico};
use crate::{Deadline, Error};

/// # Errors
/// `Undecodable` for whatever the decoder objects to, truncation included; `Deadline`.
pub(super) fn bmp(
    source: &[u8],
    header: &Header,
    limits: &Limits,
    deadline: &Deadline,
) -> Result<Decoded<'static>, Error> {
    let decoder = BmpDecoder::new(Input::new(source, deadline)).map_err(|error| damaged(&error, deadline))?;
    read(decoder, header, limits, deadline)
}

/// Decodes the largest picture.
///
/// # Errors
/// As [`bmp`].
pub(super) fn ico(
    source: &[u8],
    header: &Header,
    limits: &Limits,
    deadline: &Deadline,
) -> Result<Decoded<'static>, Error> {
    let entry = ico::largest(source)?;
    if entry.is_png {
        let inner = Header { format: SourceFormat::Png, ..*header };
        let decoded = png::decode(entry.picture, &inner, deadline, Wanted::First)?;
        return Ok(Decoded { frames: Frames::one(decoded.first()?), ..Decoded::empty(header) });
    }
    let alone = file_of_one(&entry).ok_or(Error::Undecodable { reason: super::DAMAGED })?;
    let decoder = IcoDecoder::new(Input::new(&alone, deadline)).map_err(|error| damaged(&error, deadline))?;
    read(decoder, header, limits, deadline)
}

/// A file with this picture only, so that no other one is chosen.
fn file_of_one(entry: &ico::Entry<'_>) -> Option<Vec<u8>> {
    let mut file = vec![0, 0, 1, 0, 1, 0];
    // everything but the offset, and instead of it that of the picture here
    file.extend_from_slice(entry.directory.get(..12)?);
    file.extend_from_slice(&22_u32.to_le_bytes());
    file.extend_from_slice(entry.picture);
    Some(file)
}

fn read(
    mut decoder: impl ImageDecoder,
    header: &Header,
    limits: &Limits,
    deadline: &Deadline,
) -> Result<Decoded<'static>, Error> {
    let failed = |error: ImageError| damaged(&error, deadline);
    let mut bounds = image::Limits::no_limits();
    bounds.max_image_width = Some(header.width);
    bounds.max_image_height = Some(header.height);
    bounds.max_alloc = Some(limits.decode_bytes_max);
    decoder.set_limits(bounds).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    if (width, height) != (header.width, header.height) {
        return Err(Error::Undecodable { reason: "it names two different sizes" });
    }
    let layout = match decoder.color_type() {
        ColorType::L8 => Layout::Grey,
        ColorType::Rgb8 => Layout::Rgb,
        ColorType::Rgba8 => Layout::Rgba,
        _ => return Err(Error::Undecodable { reason: "its pixels are of an unusual kind" }),
    };
    let mut pixels = vec![0; buffer_bytes(width, height, layout)?];
    decoder.read_image(&mut pixels).map_err(failed)?;
    let frame = Frame { width, height, layout, pixels };
    Ok(Decoded { frames: Frames::one(frame), ..Decoded::empty(header) })
}
