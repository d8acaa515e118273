//! The header of a JPEG XL file (ISO/IEC 18181-1 annex D, and 18181-2 for the container), read bit by bit.
//!
//! The codestream begins at once, or lies in a box of its own, or in several. The header is read from the first piece.

use std::io::{self, IoSliceMut, Read};

use ::jxl::api::{Event, JxlBitstreamInput, JxlDecoder, JxlDecoderOptions};
use image::metadata::Orientation;

use super::isobmff::boxes;
use super::{CUT_SHORT, Header, Reader, SourceFormat};
use crate::Error;

/// The first bytes of a bare codestream.
pub(super) const CODESTREAM: &[u8] = b"\xff\x0a";
/// The first bytes of a container.
pub(super) const CONTAINER: &[u8] = b"\0\0\0\x0cJXL \r\n\x87\n";

/// Channels beside the colours that are looked at; level 5 of the format allows four.
const EXTRA_CHANNELS_MAX: u32 = 16;

/// Frames that are counted; more are beyond any sensible limit.
const FRAMES_MAX: u32 = 10_000;

/// Bytes that are read to count them; what lies between headers is passed over.
const HEADERS_BYTES_MAX: usize = 4 << 20;

/// Result, and three channels as 32 bits or twice as 16.
const DECODE_BYTES_PER_PIXEL: u32 = 16;
const CHANNEL_BYTES_PER_PIXEL: u32 = 4;

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Basic {
    pub(crate) header: Header,
    pub(crate) orientation: Orientation,
    pub(crate) is_animated: bool,
}

/// Reads the header.
///
/// # Errors
/// `Undecodable` when the file ends before it, or has no codestream.
pub(crate) fn basic(source: &[u8]) -> Result<Basic, Error> {
    let codestream = codestream(source).ok_or(CUT_SHORT)?;
    let mut bits = Bits { rest: codestream, at: 0 };
    bits.read(16).ok_or(CUT_SHORT)?;
    let mut basic = image(&mut bits).ok_or(CUT_SHORT)?;
    if basic.is_animated {
        basic.header.frames = frames(source);
    }
    Ok(basic)
}

/// The EXIF data of a container, from its TIFF header on; compressed boxes are left alone.
pub(crate) fn exif(source: &[u8]) -> Option<Vec<u8>> {
    if !source.starts_with(CONTAINER) {
        return None;
    }
    let (_, payload) = boxes(source).find(|(kind, _)| kind == b"Exif")?;
    let mut reader = Reader::new(payload);
    let skip = usize::try_from(reader.u32_be()?).ok()?;
    reader.take(skip)?;
    Some(reader.rest().to_vec())
}

/// How many pictures an animation has, by the headers of its frames; what is damaged ends it.
fn frames(source: &[u8]) -> u32 {
    let mut options = JxlDecoderOptions::default();
    options.adjust_orientation = false;
    options.scan_frames_only = true;
    let mut decoder = JxlDecoder::new(options);
    let mut input = Headers { rest: source, left: HEADERS_BYTES_MAX };
    loop {
        let event = decoder.process(&mut input, None, None);
        let count = u32::try_from(decoder.scanned_frames().len()).unwrap_or(u32::MAX);
        let goes_on =
            matches!(event, Ok(Event::BasicInfo | Event::FrameHeader | Event::FrameComplete { .. }));
        if !goes_on || count >= FRAMES_MAX {
            return count.clamp(1, FRAMES_MAX);
        }
    }
}

/// A source of which no more than headers are read.
struct Headers<'a> {
    rest: &'a [u8],
    left: usize,
}

impl JxlBitstreamInput for Headers<'_> {
    fn available_bytes(&mut self) -> io::Result<usize> {
        Ok(self.rest.len().min(self.left))
    }

    fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut allowed = self.rest.get(..self.left).unwrap_or(self.rest);
        let count = allowed.read_vectored(buffers)?;
        self.left -= count;
        self.skip(count)
    }

    fn skip(&mut self, bytes: usize) -> io::Result<usize> {
        let count = bytes.min(self.rest.len());
        self.rest = self.rest.get(count..).unwrap_or_default();
        Ok(count)
    }
}

fn codestream(source: &[u8]) -> Option<&[u8]> {
    if source.starts_with(CODESTREAM) {
        return Some(source);
    }
    // a box that is cut short is still read as far as it goes
    let mut reader = Reader::new(source);
    loop {
        let size = reader.u32_be()?;
        let kind: [u8; 4] = reader.array()?;
        let length = match size {
            0 => None,
            1 => Some(reader.u64_be()?.checked_sub(16)?),
            _ => Some(u64::from(size.checked_sub(8)?)),
        };
        match &kind {
            b"jxlc" => return Some(reader.rest()),
            b"jxlp" => {
                reader.take(4)?;
                return Some(reader.rest());
            }
            _ => reader.take(usize::try_from(length?).ok()?)?,
        };
    }
}

fn image(bits: &mut Bits<'_>) -> Option<Basic> {
    let (width, height) = size(bits)?;
    let mut basic = Basic {
        header: Header::still(SourceFormat::Jxl, width, height, DECODE_BYTES_PER_PIXEL),
        orientation: Orientation::NoTransforms,
        is_animated: false,
    };
    if bits.flag()? {
        // all default: eight bits, no more channels
        return Some(basic);
    }
    if bits.flag()? {
        let value = u8::try_from(bits.read(3)? + 1).ok()?;
        basic.orientation = Orientation::from_exif(value)?;
        if bits.flag()? {
            size(bits)?;
        }
        if bits.flag()? {
            preview(bits)?;
        }
        basic.is_animated = bits.flag()?;
        if basic.is_animated {
            animation(bits)?;
        }
    }
    if depth(bits)? > 8 {
        basic.header.depth = 16;
    }
    bits.flag()?;
    let channels = bits.choice([(0, 0), (0, 1), (4, 2), (12, 1)])?;
    for _ in 0..channels.min(EXTRA_CHANNELS_MAX) {
        basic.header.has_alpha |= is_alpha(bits)?;
    }
    basic.header.decode_bytes_per_pixel =
        channels.saturating_mul(CHANNEL_BYTES_PER_PIXEL).saturating_add(DECODE_BYTES_PER_PIXEL);
    Some(basic)
}

const SIDE: [(u32, u32); 4] = [(9, 1), (13, 1), (18, 1), (30, 1)];

fn size(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    let is_small = bits.flag()?;
    let side = |bits: &mut Bits<'_>| {
        if is_small { Some((bits.read(5)? + 1) * 8) } else { bits.choice(SIDE) }
    };
    let height = side(bits)?;
    let scaled = |up: u64, down: u64| u32::try_from(u64::from(height) * up / down).ok();
    let width = match bits.read(3)? {
        0 => side(bits),
        1 => Some(height),
        2 => scaled(12, 10),
        3 => scaled(4, 3),
        4 => scaled(3, 2),
        5 => scaled(16, 9),
        6 => scaled(5, 4),
        _ => scaled(2, 1),
    }?;
    Some((width, height))
}

fn preview(bits: &mut Bits<'_>) -> Option<()> {
    let is_small = bits.flag()?;
    let side = |bits: &mut Bits<'_>| {
        if is_small {
            bits.choice([(0, 16), (0, 32), (5, 1), (9, 33)])
        } else {
            bits.choice([(6, 1), (8, 65), (10, 321), (12, 1_345)])
        }
    };
    side(bits)?;
    if bits.read(3)? == 0 {
        side(bits)?;
    }
    Some(())
}

fn animation(bits: &mut Bits<'_>) -> Option<()> {
    bits.choice([(0, 100), (0, 1_000), (10, 1), (30, 1)])?;
    bits.choice([(0, 1), (0, 1_001), (8, 1), (10, 1)])?;
    bits.choice([(0, 0), (3, 0), (16, 0), (32, 0)])?;
    bits.flag()?;
    Some(())
}

/// Bits of a sample; a floating-point one has also those of its exponent.
fn depth(bits: &mut Bits<'_>) -> Option<u32> {
    if bits.flag()? {
        let depth = bits.choice([(0, 32), (0, 16), (0, 24), (6, 1)])?;
        bits.read(4)?;
        return Some(depth);
    }
    bits.choice([(0, 8), (0, 10), (0, 12), (6, 1)])
}

fn is_alpha(bits: &mut Bits<'_>) -> Option<bool> {
    if bits.flag()? {
        return Some(true);
    }
    let kind = bits.choice([(0, 0), (0, 1), (4, 2), (6, 18)])?;
    depth(bits)?;
    bits.choice([(0, 0), (0, 3), (0, 4), (3, 1)])?;
    let name = bits.choice([(0, 0), (4, 0), (5, 16), (10, 48)])?;
    for _ in 0..name {
        bits.read(8)?;
    }
    match kind {
        0 => {
            bits.flag()?;
        }
        2 => {
            for _ in 0..4 {
                bits.read(16)?;
            }
        }
        5 => {
            bits.choice([(0, 1), (2, 0), (4, 3), (8, 19)])?;
        }
        _ => {}
    }
    Some(kind == 0)
}

/// Bits from the lowest of each byte upwards.
struct Bits<'a> {
    rest: &'a [u8],
    at: u32,
}

impl Bits<'_> {
    fn flag(&mut self) -> Option<bool> {
        let bit = self.rest.first()? >> self.at & 1;
        self.at += 1;
        if self.at == 8 {
            self.at = 0;
            self.rest = self.rest.get(1..)?;
        }
        Some(bit == 1)
    }

    fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0_u64;
        for bit in 0..count {
            value |= u64::from(self.flag()?) << bit;
        }
        u32::try_from(value).ok()
    }

    /// One of four ways of writing a number: so many bits, and what is added to them.
    fn choice(&mut self, ways: [(u32, u32); 4]) -> Option<u32> {
        let way = usize::try_from(self.read(2)?).ok()?;
        let &(count, plus) = ways.get(way)?;
        self.read(count)?.checked_add(plus)
    }
}
