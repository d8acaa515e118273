//! The blocks of a GIF (GIF89a specification, sections 17 to 27), walked without decoding.
//!
//! Every block takes at least a byte and none is looked at twice, so the length of the file bounds the walk.

use super::{Header, Reader, SourceFormat};

/// A canvas and a frame beside it, four bytes each.
const DECODE_BYTES_PER_PIXEL: u32 = 8;

/// Reads the canvas size and counts the frames; none when the screen descriptor is cut short.
pub(super) fn header(source: &[u8]) -> Option<Header> {
    let mut reader = Reader::new(source);
    reader.take(6)?;
    let (width, height) = (reader.u16_le()?, reader.u16_le()?);
    let mut still = Header::still(SourceFormat::Gif, width.into(), height.into(), DECODE_BYTES_PER_PIXEL);
    let mut walk = Walk { frames: 0, has_alpha: false, canvas: (width, height) };
    // the end of the bytes ends the walk as the trailer does: what is there may be shown
    let _ended = walk.blocks(&mut reader);
    still.frames = walk.frames.max(1);
    still.has_alpha = walk.has_alpha;
    Some(still)
}

struct Walk {
    frames: u32,
    has_alpha: bool,
    canvas: (u16, u16),
}

impl Walk {
    fn blocks(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let packed = reader.u8()?;
        reader.take(2)?;
        skip_table(reader, packed)?;
        loop {
            match reader.u8()? {
                0x21 => {
                    let label = reader.u8()?;
                    if label == 0xf9 {
                        let mut control = *reader;
                        control.take(1)?;
                        self.has_alpha |= control.u8()? & 1 == 1;
                    }
                }
                0x2c => self.image(reader)?,
                // the trailer, or what a decoder would stumble over
                _ => return Some(()),
            }
            skip_sub_blocks(reader)?;
        }
    }

    /// Leaves the reader before the sub-blocks of the image.
    fn image(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let _corner = (reader.u16_le()?, reader.u16_le()?);
        let size = (reader.u16_le()?, reader.u16_le()?);
        let packed = reader.u8()?;
        if self.frames == 0 && (size.0 < self.canvas.0 || size.1 < self.canvas.1) {
            self.has_alpha = true;
        }
        skip_table(reader, packed)?;
        reader.take(1)?;
        self.frames = self.frames.saturating_add(1);
        Some(())
    }
}

fn skip_table(reader: &mut Reader<'_>, packed: u8) -> Option<()> {
    if packed & 0x80 != 0 {
        reader.take(3 << ((packed & 7) + 1))?;
    }
    Some(())
}

fn skip_sub_blocks(reader: &mut Reader<'_>) -> Option<()> {
    loop {
        match reader.u8()? {
            0 => return Some(()),
            length => reader.take(length.into())?,
        };
    }
}
