//! A page whose strips or tiles are deflated, as one whose are not.
//!
//! The TIFF decoder would leave that to flate2, and which inflater stands behind flate2 is for the whole binary to say: in
//! ours it is one in C. So strangers' bytes are inflated here, in Rust, each strip to no more than it can have; behind the
//! file is put what came of them, and its directory is made to point there.

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};
use tiff::TiffError;
use tiff::decoder::{ChunkType, Decoder};
use tiff::tags::{CompressionMethod, Tag};

use super::super::input::Input;
use crate::{Deadline, Error};

const DAMAGED: Error = Error::Undecodable { reason: super::super::DAMAGED };

/// Types of values (TIFF 6.0 section 2, and BigTIFF).
const SHORT: u16 = 3;
const LONG: u16 = 4;
const LONG8: u16 = 16;

/// The file with the page that `decoder` stands at stored plainly; none if that page is not deflated. No more than
/// `bytes_max` bytes are inflated.
///
/// # Errors
/// `Undecodable` when a strip lies outside of the file or can't be inflated; `Deadline`.
pub(super) fn plain(
    decoder: &mut Decoder<Input<'_>>,
    source: &[u8],
    bytes_max: usize,
    deadline: &Deadline,
) -> Result<Option<Vec<u8>>, Error> {
    let failed = |error: TiffError| super::damaged(&error, deadline);
    let compression = decoder.find_tag_unsigned::<u16>(Tag::Compression).map_err(failed)?;
    let deflated =
        [CompressionMethod::Deflate, CompressionMethod::OldDeflate].map(|method| Some(method.to_u16()));
    if !deflated.contains(&compression) {
        return Ok(None);
    }
    let (offsets, lengths) = match decoder.get_chunk_type() {
        ChunkType::Strip => (Tag::StripOffsets, Tag::StripByteCounts),
        ChunkType::Tile => (Tag::TileOffsets, Tag::TileByteCounts),
    };
    let starts = decoder.get_tag_u64_vec(offsets).map_err(failed)?;
    let ends = decoder.get_tag_u64_vec(lengths).map_err(failed)?;
    let most = chunk_bytes(decoder).map_err(failed)?;
    let directory = decoder.ifd_pointer().ok_or(DAMAGED)?.0;
    let mut edit = Edit::of(source, directory).ok_or(DAMAGED)?;
    let (mut places, mut sizes) = (Vec::new(), Vec::new());
    let mut left = bytes_max;
    for (start, length) in starts.into_iter().zip(ends) {
        deadline.check()?;
        let strip = usize::try_from(start).ok().zip(usize::try_from(length).ok());
        let strip = strip.and_then(|(start, length)| source.get(start..)?.get(..length)).ok_or(DAMAGED)?;
        let strip = inflated(strip, most.min(left))?;
        left -= strip.len();
        places.push(edit.append(&strip));
        sizes.push(strip.len() as u64);
    }
    edit.put(Tag::Compression, SHORT, &[CompressionMethod::None.to_u16().into()]).ok_or(DAMAGED)?;
    edit.put(offsets, edit.long(), &places).ok_or(DAMAGED)?;
    edit.put(lengths, edit.long(), &sizes).ok_or(DAMAGED)?;
    Ok(Some(edit.file))
}

/// Bytes of a whole strip or tile with all its samples.
fn chunk_bytes(decoder: &mut Decoder<Input<'_>>) -> Result<usize, TiffError> {
    let colour = decoder.colortype()?;
    let bits = usize::from(colour.bit_depth()) * usize::from(colour.num_samples());
    let (width, height) = decoder.chunk_dimensions();
    let row = (width as usize).saturating_mul(bits).div_ceil(8);
    Ok(row.saturating_mul(height as usize))
}

/// What is beyond `most` bytes is left out, as a decoder would not read it.
fn inflated(strip: &[u8], most: usize) -> Result<Vec<u8>, Error> {
    match decompress_to_vec_zlib_with_limit(strip, most) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.status == TINFLStatus::HasMoreOutput => Ok(error.output),
        Err(_) => Err(DAMAGED),
    }
}

/// A file that grows at its end while entries of one directory are changed.
struct Edit {
    file: Vec<u8>,
    is_big_endian: bool,
    is_big: bool,
    /// Where the entries begin, and how many there are.
    entries: usize,
    count: usize,
}

impl Edit {
    fn of(source: &[u8], directory: u64) -> Option<Self> {
        let is_big_endian = source.starts_with(b"MM");
        let at = usize::try_from(directory).ok()?;
        let mut edit = Self { file: source.to_vec(), is_big_endian, is_big: false, entries: 0, count: 0 };
        edit.is_big = edit.number(2, 2)? == 43;
        let width = if edit.is_big { 8 } else { 2 };
        edit.count = usize::try_from(edit.number(at, width)?).ok()?;
        edit.entries = at.checked_add(width)?;
        Some(edit)
    }

    /// Type of a number as wide as an offset.
    const fn long(&self) -> u16 {
        if self.is_big { LONG8 } else { LONG }
    }

    /// A number of `width` bytes.
    fn number(&self, at: usize, width: usize) -> Option<u64> {
        let bytes = self.file.get(at..)?.get(..width)?;
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.is_big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) })
    }

    fn bytes_of(&self, number: u64, width: usize) -> Vec<u8> {
        let little = number.to_le_bytes();
        let bytes = little.iter().copied().take(width);
        if self.is_big_endian { bytes.rev().collect() } else { bytes.collect() }
    }

    /// Puts bytes at the end and says where.
    fn append(&mut self, bytes: &[u8]) -> u64 {
        if !self.file.len().is_multiple_of(2) {
            self.file.push(0);
        }
        let at = self.file.len() as u64;
        self.file.extend_from_slice(bytes);
        at
    }

    /// Gives an entry other values. None if there is no such entry, or it lies outside of the file.
    fn put(&mut self, tag: Tag, kind: u16, values: &[u64]) -> Option<()> {
        let width = match kind {
            SHORT => 2,
            LONG => 4,
            _ => 8,
        };
        let (step, field) = if self.is_big { (20, 8) } else { (12, 4) };
        let entry = (0..self.count)
            .map(|index| self.entries + index * step)
            .find(|at| self.number(*at, 2) == Some(tag.to_u16().into()))?;
        let mut value: Vec<u8> = values.iter().flat_map(|value| self.bytes_of(*value, width)).collect();
        if value.len() > field {
            let at = self.append(&value);
            value = self.bytes_of(at, field);
        }
        value.resize(field, 0);
        let kind = self.bytes_of(kind.into(), 2);
        let count = self.bytes_of(values.len() as u64, field);
        let bytes: Vec<u8> = kind.into_iter().chain(count).chain(value).collect();
        self.file.get_mut(entry + 2..)?.get_mut(..bytes.len())?.copy_from_slice(&bytes);
        Some(())
    }
}
