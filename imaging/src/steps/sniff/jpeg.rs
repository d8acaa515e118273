//! The markers of a JPEG file (ITU-T T.81 annex B), read without decoding.
//!
//! Decoders fill what is missing of a file cut short with grey, and follow thousands of scans if told to. Both are found
//! here: a file must have its end marker and no more than [`SCANS_MAX`] scans.

use super::{CUT_SHORT, Header, Reader, SourceFormat};
use crate::Error;

/// Scans of a progressive file; encoders write about ten.
const SCANS_MAX: u32 = 100;

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
        Header {
            format: SourceFormat::Jpeg,
            width: self.width.into(),
            height: self.height.into(),
            decode_bytes_per_pixel,
        }
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
struct Segment<'a> {
    marker: u8,
    payload: &'a [u8],
}

/// The segments up to the end marker. Each takes at least two bytes, so the file's length bounds the walk.
struct Segments<'a> {
    reader: Reader<'a>,
}

impl<'a> Segments<'a> {
    fn new(source: &'a [u8]) -> Self {
        Self { reader: Reader::new(source) }
    }

    /// None at the end marker, `Undecodable` at the end of the bytes.
    fn next_segment(&mut self) -> Result<Option<Segment<'a>>, Error> {
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
        let at = self.reader.rest().iter().position(|&byte| byte == 0xff)?;
        self.reader.take(at).map(|_| ())
    }

    /// Leaves the reader before the marker that ends the scan, or at the end of the bytes.
    fn skip_entropy_coded(&mut self) {
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
