//! The markers of a JPEG file (ITU-T T.81 annex B), read without decoding.
//!
//! Decoders fill what is missing of a file cut short with grey, and follow thousands of scans if told to. Both are found
//! here: a file must have its end marker and no more than [`SCANS_MAX`] scans.

use super::{CUT_SHORT, Header, Reader, SourceFormat};
use crate::Error;

/// Scans of a progressive file; encoders write about ten.
pub(crate) const SCANS_MAX: u32 = 100;

/// Largest colour profile that is put together, in bytes; press profiles have 0.5 to 2 MiB.
const PROFILE_BYTES_MAX: usize = 4 << 20;

/// What the frame header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) width: u16,
    pub(crate) height: u16,
    pub(crate) components: u8,
    pub(crate) progressive: bool,
}

impl FrameHeader {
    pub(super) fn header(self) -> Header {
        let components = u32::from(self.components);
        // a progressive file keeps every coefficient, 16 bits each, until its last scan
        let decode_bytes_per_pixel = if self.progressive { components * 3 } else { components };
        Header::still(SourceFormat::Jpeg, self.width.into(), self.height.into(), decode_bytes_per_pixel)
    }
}

/// What the whole file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// An Adobe segment: four components are then stored inverted.
    pub(crate) adobe: bool,
}

/// The frame header; reads no further than to it.
///
/// # Errors
/// `Undecodable` when there is none, or of a kind that is not decoded: lossless, hierarchical, arithmetic, not 8 bits.
pub(crate) fn frame(source: &[u8]) -> Result<FrameHeader, Error> {
    let mut segments = Segments::new(source);
    while let Some(segment) = segments.next_segment()? {
        match segment.marker {
            0xc0..=0xc2 => return start_of_frame(segment).ok_or(CUT_SHORT)?,
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Err(Error::Undecodable {
                    reason: "jpeg of a kind other than baseline or progressive",
                });
            }
            0xda => break,
            _ => {}
        }
    }
    Err(Error::Undecodable { reason: "the jpeg has no frame header" })
}

/// Walks the whole file.
///
/// # Errors
/// `Undecodable` when the end marker is missing or there are too many scans.
pub(crate) fn layout(source: &[u8]) -> Result<Layout, Error> {
    let mut layout = Layout { adobe: false };
    let mut scans = 0;
    let mut segments = Segments::new(source);
    while let Some(segment) = segments.next_segment()? {
        match segment.marker {
            0xee if segment.payload.starts_with(b"Adobe") => layout.adobe = true,
            0xda => {
                scans += 1;
                if scans > SCANS_MAX {
                    return Err(Error::Undecodable { reason: "the jpeg has too many scans" });
                }
                segments.skip_entropy_coded();
            }
            _ => {}
        }
    }
    Ok(layout)
}

/// The ICC profile, put together from its parts (ICC.1:2010 section B.4). None when there is none, when a part is missing
/// or doubled, or when it has more than [`PROFILE_BYTES_MAX`] bytes.
pub(crate) fn icc_profile(source: &[u8]) -> Option<Vec<u8>> {
    let mut parts = Vec::new();
    let mut bytes = 0;
    for segment in before_scans(source).filter(|segment| segment.marker == 0xe2) {
        let Some(part) = segment.payload.strip_prefix(b"ICC_PROFILE\0") else { continue };
        let (&[number, count], data) = part.split_first_chunk()?;
        bytes += data.len();
        if bytes > PROFILE_BYTES_MAX {
            return None;
        }
        parts.push((number, count, data));
    }
    parts.sort_by_key(|(number, _, _)| *number);
    let total = parts.len();
    let is_whole = (1..)
        .zip(&parts)
        .all(|(place, (number, count, _))| usize::from(*number) == place && usize::from(*count) == total);
    let whole: Vec<u8> = parts.into_iter().flat_map(|(_, _, data)| data).copied().collect();
    (is_whole && !whole.is_empty()).then_some(whole)
}

/// The first EXIF block, from its byte order on. None when there is none before the picture.
pub(crate) fn exif(source: &[u8]) -> Option<&[u8]> {
    before_scans(source)
        .filter(|segment| segment.marker == 0xe1)
        .find_map(|segment| segment.payload.strip_prefix(b"Exif\0\0"))
}

/// The segments up to the first scan, or to where the file is damaged.
fn before_scans(source: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut segments = Segments::new(source);
    let next = move || segments.next_segment().ok().flatten().filter(|segment| segment.marker != 0xda);
    std::iter::from_fn(next).fuse()
}

fn start_of_frame(segment: Segment<'_>) -> Option<Result<FrameHeader, Error>> {
    let mut reader = Reader::new(segment.payload);
    let precision = reader.u8()?;
    let (height, width, components) = (reader.u16_be()?, reader.u16_be()?, reader.u8()?);
    if precision != 8 {
        return Some(Err(Error::Undecodable { reason: "jpeg with other than 8 bits a sample" }));
    }
    if !matches!(components, 1 | 3 | 4) {
        return Some(Err(Error::Undecodable { reason: "jpeg with other than 1, 3 or 4 components" }));
    }
    Some(Ok(FrameHeader { width, height, components, progressive: segment.marker == 0xc2 }))
}

/// A marker with what belongs to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment<'a> {
    pub(crate) marker: u8,
    pub(crate) payload: &'a [u8],
}

/// The segments up to the end marker. Each takes at least two bytes, so the file's length bounds the walk.
#[derive(Debug, Clone)]
pub(crate) struct Segments<'a> {
    reader: Reader<'a>,
}

impl<'a> Segments<'a> {
    pub(crate) fn new(source: &'a [u8]) -> Self {
        Self { reader: Reader::new(source) }
    }

    /// The bytes behind the last segment.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }

    /// Leaves out bytes, as many of them as there are.
    pub(crate) fn skip(&mut self, count: usize) {
        self.reader.take(count.min(self.rest().len()));
    }

    /// None at the end marker, `Undecodable` at the end of the bytes.
    pub(crate) fn next_segment(&mut self) -> Result<Option<Segment<'a>>, Error> {
        loop {
            let marker = self.marker().ok_or(CUT_SHORT)?;
            match marker {
                0xd9 => return Ok(None),
                // stuffing, markers without length, and the start marker
                0x00 | 0x01 | 0xd0..=0xd8 => {}
                _ => return self.payload(marker).ok_or(CUT_SHORT).map(Some),
            }
        }
    }

    /// The next marker; bytes between segments are skipped, as every decoder does.
    fn marker(&mut self) -> Option<u8> {
        self.skip_to_ff()?;
        loop {
            let byte = self.reader.u8()?;
            if byte != 0xff {
                return Some(byte);
            }
        }
    }

    fn payload(&mut self, marker: u8) -> Option<Segment<'a>> {
        let length = self.reader.u16_be()?;
        let payload = self.reader.take(usize::from(length).saturating_sub(2))?;
        Some(Segment { marker, payload })
    }

    fn skip_to_ff(&mut self) -> Option<()> {
        /// Bytes that are looked at together.
        const STRIDE: usize = 32;
        let (strides, _) = self.reader.rest().as_chunks::<STRIDE>();
        let is_clear =
            |stride: &&[u8; STRIDE]| !stride.iter().fold(false, |found, byte| found | (*byte == 0xff));
        let clear = strides.iter().take_while(is_clear).count();
        self.reader.take(clear * STRIDE);
        let at = self.reader.rest().iter().position(|&byte| byte == 0xff)?;
        self.reader.take(at).map(|_| ())
    }

    /// Leaves the reader before the marker that ends the scan, or at the end of the bytes.
    pub(crate) fn skip_entropy_coded(&mut self) {
        while self.skip_to_ff().is_some() {
            let mut ahead = self.reader;
            ahead.take(1);
            match ahead.u8() {
                // stuffing and restart markers belong to the data, a second 0xff is filling
                Some(0x00 | 0xd0..=0xd7) => self.reader = ahead,
                Some(0xff) => {
                    self.reader.take(1);
                }
                Some(_) | None => return,
            }
        }
        let left = self.reader.rest().len();
        self.reader.take(left);
    }
}
