//! Why a rendering failed, one variant per cause.
//!
//! Every message may be shown to a stranger: it speaks of the image and its limits, never of libraries, paths or hosts.
//! What a decoder said in detail goes to the log at debug level instead.

#[cfg(feature = "heic")]
const ACCEPTED: &str = "jpeg, png, gif, webp, avif, heic, jxl, tiff, bmp, ico and svg";
#[cfg(not(feature = "heic"))]
const ACCEPTED: &str = "jpeg, png, gif, webp, avif, jxl, tiff, bmp, ico and svg";

/// The cause of a failed rendering.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are not of an accepted format; names and content types are not consulted.
    #[error("the source is {found}, which is not accepted; accepted formats are {ACCEPTED}")]
    UnknownFormat {
        /// What the bytes look like, from a closed set of words.
        found: &'static str,
    },
    /// The image, as its header claims, or its rendering has more pixels than allowed.
    #[error("the image has {pixels} pixels, at most {max} are allowed")]
    TooManyPixels {
        /// Width times height.
        pixels: u64,
        /// The limit that applied; for formats that need much memory to decode it is below the configured one.
        max: u64,
    },
    /// An animation has more frames than allowed.
    #[error("the image has {frames} frames, at most {max} are allowed")]
    TooManyFrames {
        /// As its container says.
        frames: u32,
        /// The limit that applied.
        max: u32,
    },
    /// The frames of an animation have more pixels together than allowed.
    #[error("the frames of the image have {pixels} pixels together, at most {max} are allowed")]
    TooManyFramePixels {
        /// Of the canvas, times the frames.
        pixels: u64,
        /// The limit that applied.
        max: u64,
    },
    /// A side of the source or of the rendering is longer than allowed.
    #[error("a side of the image is {side} pixels long, at most {max} are allowed")]
    SideTooLong {
        /// Length in pixels.
        side: u64,
        /// The limit that applied.
        max: u32,
    },
    /// The encoded source has too many bytes.
    #[error("the source has {bytes} bytes, at most {max} are allowed")]
    SourceTooLarge {
        /// Length of the source.
        bytes: u64,
        /// The limit that applied.
        max: u64,
    },
    /// The source is of an accepted format, but damaged, cut short or of a kind that cannot be decoded.
    #[error("the source cannot be decoded: {reason}")]
    Undecodable {
        /// A sentence fragment fit for the public.
        reason: &'static str,
    },
    /// The source is to be answered as a drawing, and is none.
    #[error("the source is {found}, and only svg can be answered as svg; ask for another format")]
    NoDrawing {
        /// The source's format.
        found: &'static str,
    },
    /// The rendering could not be written; the source is not to blame.
    #[error("the result cannot be encoded: {reason}")]
    Unencodable {
        /// A sentence fragment fit for the public.
        reason: &'static str,
    },
    /// The time for this rendering is over, or nobody waits for it any more.
    #[error("the image was not ready in time")]
    Deadline,
    /// The queue is full, or the pool is stopping.
    #[error("too many images are being rendered, try again in {retry_after_s} s")]
    Busy {
        /// When to try again, seconds, 1 to 30.
        retry_after_s: u32,
    },
    /// A codec broke down on this source. Only this rendering is lost.
    #[error("the image could not be processed")]
    Panicked,
}

impl Error {
    /// An [`Error::Undecodable`], with what the decoder said in the log.
    pub(crate) fn undecodable(reason: &'static str, detail: &dyn std::fmt::Display) -> Self {
        tracing::debug!(reason, %detail, "source refused by its decoder");
        Self::Undecodable { reason }
    }
}
