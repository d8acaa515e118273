//! What a source may cost, checked from its header before any pixel is decoded.
//!
//! A few hundred bytes can claim a picture of gigabytes. So the claim itself is judged: the length of the source, its sides,
//! its pixels, and the memory that decoding this kind of source takes. Decoders get the same bounds and are held to the
//! size that was judged, so a file that claims one size here and another there is refused as damaged.

use crate::Error;
use crate::sniff::Header;

/// Bounds for one rendering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the encoded source.
    pub source_bytes_max: u64,
    /// Pixels of the source.
    pub source_pixels_max: u64,
    /// Pixels of a rendering that is larger than its source: encoders take tens of bytes for each.
    pub result_pixels_max: u64,
    /// Longest side of the source, and of the rendering, in pixels.
    pub side_max: u32,
    /// Bytes of memory that decoding one source may take.
    pub decode_bytes_max: u64,
    /// Frames of an animation that is to stay one.
    pub frames_max: u32,
    /// Pixels of all frames of such an animation together, each counted as large as the canvas.
    pub animation_pixels_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            source_bytes_max: 30 << 20,
            source_pixels_max: 50_000_000,
            result_pixels_max: 16_777_216,
            side_max: 16_384,
            decode_bytes_max: 512 << 20,
            frames_max: 1_000,
            animation_pixels_max: 200_000_000,
        }
    }
}

/// Memory that an animation takes at its peak, per pixel of its canvas: the canvas, the canvas as it was, the frame that is
/// drawn and the copy that is handed out, four bytes each.
const ANIMATION_BYTES_PER_PIXEL: u64 = 16;

impl Limits {
    /// Judges the length of the source.
    ///
    /// # Errors
    /// [`Error::SourceTooLarge`].
    pub fn check_bytes(&self, source: &[u8]) -> Result<(), Error> {
        let bytes = u64::try_from(source.len()).unwrap_or(u64::MAX);
        if bytes > self.source_bytes_max {
            return Err(Error::SourceTooLarge { bytes, max: self.source_bytes_max });
        }
        Ok(())
    }

    /// Judges what the header claims.
    ///
    /// # Errors
    /// [`Error::Undecodable`] for an empty picture, [`Error::SideTooLong`], [`Error::TooManyPixels`].
    pub fn check_header(&self, header: &Header) -> Result<(), Error> {
        self.check_size(header.width, header.height)?;
        self.check_memory(header, header.decode_bytes_per_pixel.into())
    }

    /// Judges the frames of an animation of which more than the first is wanted, after [`Limits::check_header`].
    ///
    /// # Errors
    /// [`Error::TooManyFrames`], [`Error::TooManyFramePixels`], [`Error::TooManyPixels`].
    pub fn check_frames(&self, header: &Header) -> Result<(), Error> {
        if header.frames > self.frames_max {
            return Err(Error::TooManyFrames { frames: header.frames, max: self.frames_max });
        }
        let pixels = header.pixels().saturating_mul(header.frames.into());
        if pixels > self.animation_pixels_max {
            return Err(Error::TooManyFramePixels { pixels, max: self.animation_pixels_max });
        }
        if header.frames > 1 {
            self.check_memory(header, ANIMATION_BYTES_PER_PIXEL)?;
        }
        Ok(())
    }

    fn check_memory(&self, header: &Header, bytes_per_pixel: u64) -> Result<(), Error> {
        let (pixels, max) = (header.pixels(), self.decode_bytes_max / bytes_per_pixel.max(1));
        if pixels > max { Err(Error::TooManyPixels { pixels, max }) } else { Ok(()) }
    }

    /// Judges the size of a source.
    ///
    /// # Errors
    /// As [`Limits::check_header`].
    pub fn check_size(&self, width: u32, height: u32) -> Result<(), Error> {
        self.check(width, height, self.source_pixels_max)
    }

    /// Judges the size of a rendering of a source that has passed: no larger than the source, or than the bound for
    /// enlarged ones.
    ///
    /// # Errors
    /// As [`Limits::check_header`].
    pub fn check_result(&self, width: u32, height: u32, source_pixels: u64) -> Result<(), Error> {
        self.check(width, height, self.result_pixels_max.max(source_pixels))
    }

    fn check(&self, width: u32, height: u32, pixels_max: u64) -> Result<(), Error> {
        let side = width.max(height);
        if width == 0 || height == 0 {
            return Err(Error::Undecodable { reason: "the picture has no pixels" });
        }
        if side > self.side_max {
            return Err(Error::SideTooLong { side: side.into(), max: self.side_max });
        }
        let pixels = u64::from(width) * u64::from(height);
        if pixels > pixels_max {
            return Err(Error::TooManyPixels { pixels, max: pixels_max });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sniff::SourceFormat;

    const LIMITS: Limits = Limits {
        source_bytes_max: 10,
        source_pixels_max: 1_000,
        result_pixels_max: 1_000,
        side_max: 100,
        decode_bytes_max: 3_000,
        frames_max: 5,
        animation_pixels_max: 400,
    };

    fn header(width: u32, height: u32, decode_bytes_per_pixel: u32) -> Header {
        Header::still(SourceFormat::Png, width, height, decode_bytes_per_pixel)
    }

    #[test]
    fn frames_are_counted_and_added_up() {
        let animation = |width, frames| Header { frames, ..header(width, 10, 1) };
        assert_eq!(LIMITS.check_frames(&animation(8, 5)), Ok(()));
        assert_eq!(LIMITS.check_frames(&animation(1, 6)), Err(Error::TooManyFrames { frames: 6, max: 5 }));
        let together = Err(Error::TooManyFramePixels { pixels: 450, max: 400 });
        assert_eq!(LIMITS.check_frames(&animation(9, 5)), together);
        let memory = Err(Error::TooManyPixels { pixels: 190, max: 187 });
        assert_eq!(LIMITS.check_frames(&animation(19, 2)), memory);
        assert_eq!(
            LIMITS.check_frames(&header(19, 10, 1)),
            Ok(()),
            "a still picture is judged by its header"
        );
    }

    #[test]
    fn each_limit_is_named_when_it_is_passed() {
        assert_eq!(LIMITS.check_bytes(&[0; 10]), Ok(()));
        assert_eq!(LIMITS.check_bytes(&[0; 11]), Err(Error::SourceTooLarge { bytes: 11, max: 10 }));
        assert_eq!(LIMITS.check_header(&header(100, 10, 3)), Ok(()));
        assert_eq!(LIMITS.check_header(&header(1, 101, 3)), Err(Error::SideTooLong { side: 101, max: 100 }));
        let pixels = Err(Error::TooManyPixels { pixels: 1_001, max: 1_000 });
        assert_eq!(LIMITS.check_header(&header(77, 13, 1)), pixels);
        let memory = Err(Error::TooManyPixels { pixels: 1_000, max: 750 });
        assert_eq!(LIMITS.check_header(&header(100, 10, 4)), memory);
    }

    #[test]
    fn an_empty_picture_is_refused() {
        for (width, height) in [(0, 1), (1, 0), (0, 0)] {
            let outcome = LIMITS.check_header(&header(width, height, 3));
            assert!(matches!(outcome, Err(Error::Undecodable { .. })), "{width}x{height}: {outcome:?}");
        }
    }
}
