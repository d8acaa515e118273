//! PNG (W3C Recommendation, third edition): grey where there is no colour, a palette where colours are few, or made few.
//!
//! Lossless unless the settings ask for less than quality 100 and not for `lossless`: then the picture gets a palette with
//! dithering. It refuses CMYK and planes, which would be a loss in disguise.

use std::borrow::Cow;
use std::io::Write as _;

use png::{BitDepth, ColorType, DeflateCompression, Encoder, Filter, Info};

use crate::encode::palette::{self, Colour, Indexed};
use crate::encode::{Effort, Picture, Settings, ycc::size};
use crate::frame::{Frame, Layout};
use crate::{Deadline, Error};

/// A palette is not worth its own bytes in pictures with fewer pixels than this.
const INDEXED_PIXELS_MIN: usize = 64;

/// Which part of the rows is tried with each way of filtering, and how many at most.
const BANDS: usize = 16;
const BAND_ROWS_MAX: usize = 32;

/// Made for filtered photos: a fifth larger than others, in a tenth of the time.
const QUICK: DeflateCompression = DeflateCompression::FdeflateUltraFast;

/// Bytes that are compressed between two looks at the deadline, some milliseconds' worth.
const PIECE_BYTES: usize = 128 << 10;

/// Writes a PNG.
///
/// # Errors
/// `Unencodable` for CMYK, planes, or when the codec fails; `Deadline`.
pub(crate) fn encode(picture: Picture<'_>, settings: &Settings<'_>) -> Result<Vec<u8>, Error> {
    let Picture::Frame(frame) = picture else {
        return Err(Error::Unencodable { reason: "png has no planes" });
    };
    if frame.layout == Layout::Cmyk {
        return Err(Error::Unencodable { reason: "it is still in CMYK" });
    }
    settings.deadline.check()?;
    let is_lossy = !settings.lossless && settings.quality < 100;
    if let Some(indexed) = indexed(frame, is_lossy, settings) {
        settings.deadline.check()?;
        return with_palette(frame, indexed, settings);
    }
    let grey;
    let frame = match without_colour(frame).filter(|_| settings.icc.is_none()) {
        Some(found) => {
            grey = found;
            &grey
        }
        None => frame,
    };
    let kind = match frame.layout {
        Layout::Grey => ColorType::Grayscale,
        Layout::GreyAlpha => ColorType::GrayscaleAlpha,
        Layout::Rgba => ColorType::Rgba,
        Layout::Rgb | Layout::Cmyk => ColorType::Rgb,
    };
    let filter = filter(frame, kind, settings)?;
    let info = info(frame, kind, BitDepth::Eight, settings);
    written(info, &frame.pixels, compression(settings, QUICK), filter, settings.deadline)
}

/// Filters help photos and hurt drawings; which this is, a band of rows from the middle tells.
fn filter(frame: &Frame, kind: ColorType, settings: &Settings<'_>) -> Result<Filter, Error> {
    if settings.effort == Effort::Fast {
        return Ok(Filter::Adaptive);
    }
    let rows = (size(frame.height) / BANDS).clamp(1, BAND_ROWS_MAX);
    let start = (size(frame.height) - rows) / 2 * frame.stride();
    let pixels = frame.pixels.get(start..start + rows * frame.stride()).unwrap_or_default();
    let mut lengths = [0; 2];
    for (length, filter) in lengths.iter_mut().zip([Filter::Adaptive, Filter::NoFilter]) {
        let mut info = Info::with_size(frame.width, u32::try_from(rows).unwrap_or(1));
        info.color_type = kind;
        *length = written(info, pixels, compression(settings, QUICK), filter, settings.deadline)?.len();
    }
    let [filtered, plain] = lengths;
    Ok(if plain < filtered { Filter::NoFilter } else { Filter::Adaptive })
}

/// The picture with a palette, if it should have one.
fn indexed(frame: &Frame, is_lossy: bool, settings: &Settings<'_>) -> Option<Indexed> {
    let count = size(frame.width) * size(frame.height);
    let is_small = count < INDEXED_PIXELS_MIN;
    // a grey of 256 steps is smaller without
    if is_small || (!is_lossy && frame.layout == Layout::Grey) {
        return None;
    }
    let mut pixels = palette::colours(frame)?;
    if !is_lossy {
        return palette::exact(&pixels, palette::COLOURS_MAX);
    }
    palette::clear(&mut pixels, 1);
    let rounds = match settings.effort {
        Effort::Fast => 0,
        Effort::Normal => 1,
        Effort::Best => 4,
    };
    Some(palette::reduced(&pixels, size(frame.width), palette::colours_of(settings.quality), rounds))
}

/// The picture with its colours dropped, if they are all grey.
fn without_colour(frame: &Frame) -> Option<Frame> {
    let channels = frame.layout.channels();
    let is_grey = |pixel: &[u8]| matches!(pixel, [r, g, b, ..] if r == g && g == b);
    let layout = match frame.layout {
        Layout::Rgb => Layout::Grey,
        Layout::Rgba => Layout::GreyAlpha,
        Layout::Grey | Layout::GreyAlpha | Layout::Cmyk => return None,
    };
    if !frame.pixels.chunks_exact(channels).all(is_grey) {
        return None;
    }
    let mut pixels = Vec::with_capacity(frame.pixels.len() / channels * layout.channels());
    for pixel in frame.pixels.chunks_exact(channels) {
        pixels.extend_from_slice(pixel.get(2..).unwrap_or_default());
    }
    Some(Frame { layout, pixels, ..*frame })
}

fn with_palette(frame: &Frame, indexed: Indexed, settings: &Settings<'_>) -> Result<Vec<u8>, Error> {
    let Indexed { places, colours } = transparent_first(indexed);
    let depth = match colours.len() {
        0..=2 => BitDepth::One,
        3..=4 => BitDepth::Two,
        5..=16 => BitDepth::Four,
        _ => BitDepth::Eight,
    };
    let packed = packed(&places, size(frame.width), depth);
    let mut info = info(frame, ColorType::Indexed, depth, settings);
    info.palette = Some(Cow::Owned(colours.iter().flat_map(|[rgb @ .., _]| *rgb).collect()));
    let alphas: Vec<u8> = colours.iter().map(|[.., alpha]| *alpha).take_while(|alpha| *alpha < 255).collect();
    info.trns = (!alphas.is_empty()).then_some(Cow::Owned(alphas));
    let compression = compression(settings, DeflateCompression::Level(2));
    written(info, &packed, compression, Filter::NoFilter, settings.deadline)
}

/// The palette with its opaque colours last, so that the list of alphas is short.
fn transparent_first(indexed: Indexed) -> Indexed {
    let mut order: Vec<(u8, Colour)> = (0..=u8::MAX).zip(indexed.colours.iter().copied()).collect();
    order.sort_by_key(|(_, [.., alpha])| *alpha == 255);
    let mut moved = [0; palette::COLOURS_MAX];
    for (to, (from, _)) in (0..=u8::MAX).zip(&order) {
        if let Some(entry) = moved.get_mut(usize::from(*from)) {
            *entry = to;
        }
    }
    let places =
        indexed.places.iter().map(|place| moved.get(usize::from(*place)).copied().unwrap_or(0)).collect();
    Indexed { places, colours: order.into_iter().map(|(_, colour)| colour).collect() }
}

/// Places with as many bits as they need, the first in the highest; rows begin with a byte of their own.
fn packed(places: &[u8], width: usize, depth: BitDepth) -> Vec<u8> {
    let bits = match depth {
        BitDepth::One => 1,
        BitDepth::Two => 2,
        BitDepth::Four => 4,
        BitDepth::Eight | BitDepth::Sixteen => return places.to_vec(),
    };
    let mut packed = Vec::with_capacity(places.len() * bits / 8 + places.len() / width.max(1));
    for row in places.chunks(width.max(1)) {
        packed.extend(row.chunks(8 / bits).map(|group| {
            let missing = 8 / bits - group.len();
            group.iter().fold(0_u8, |byte, place| byte << bits | place) << (missing * bits)
        }));
    }
    packed
}

fn info<'i>(frame: &Frame, kind: ColorType, depth: BitDepth, settings: &Settings<'i>) -> Info<'i> {
    let mut info = Info::with_size(frame.width, frame.height);
    info.color_type = kind;
    info.bit_depth = depth;
    info.icc_profile = settings.icc.map(Cow::Borrowed);
    info.exif_metadata = settings.exif.map(Cow::Borrowed);
    info
}

fn compression(settings: &Settings<'_>, quick: DeflateCompression) -> DeflateCompression {
    match settings.effort {
        Effort::Fast => quick,
        Effort::Normal => DeflateCompression::Level(6),
        Effort::Best => DeflateCompression::Level(9),
    }
}

fn written(
    info: Info<'_>,
    data: &[u8],
    compression: DeflateCompression,
    filter: Filter,
    deadline: &Deadline,
) -> Result<Vec<u8>, Error> {
    let failed = |error: png::EncodingError| {
        tracing::debug!(%error, "encoding failed");
        Error::Unencodable { reason: "the encoder failed" }
    };
    let mut bytes = Vec::with_capacity(data.len() / 2 + 1_024);
    let mut encoder = Encoder::with_info(&mut bytes, info).map_err(failed)?;
    encoder.set_deflate_compression(compression);
    encoder.set_filter(filter);
    let mut writer = encoder.write_header().map_err(failed)?;
    if matches!(compression, DeflateCompression::FdeflateUltraFast) {
        writer.write_image_data(data).map_err(failed)?;
    } else {
        let mut stream = writer.stream_writer_with_size(PIECE_BYTES).map_err(failed)?;
        for piece in data.chunks(PIECE_BYTES) {
            deadline.check()?;
            stream.write_all(piece).map_err(|error| failed(error.into()))?;
        }
        stream.finish().map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
