//! Bodies into a coding and out of it. CPU work: never called on a runtime's own thread.

use std::io::{self, Read as _, Write as _};

use bytes::Bytes;
use overfall_config::CompressLevel;

use super::Coding;

/// Why a body can't be decoded.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The bytes are not of that coding, or end too early.
    #[error("body is not valid {coding}: {cause}")]
    Malformed {
        /// The coding's token.
        coding: &'static str,
        /// What the decoder says.
        cause: io::Error,
    },
    /// More bytes would come out than are allowed.
    #[error("decoded body is larger than {max} bytes")]
    TooLarge {
        /// The bound.
        max: u64,
    },
}

/// Window that browsers must be able to hold (RFC 8878 section 3.1.1.1.2 recommends 8 MiB), as a power of two.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Window of the brotli encoder, as a power of two (RFC 7932 section 9.1): 4 MiB.
const BR_WINDOW_LOG: u32 = 22;
const BUFFER_BYTES: usize = 32 << 10;

/// Codes a whole body.
///
/// # Errors
/// What the encoder said; with all of the input in memory that is lack of memory.
pub fn encode(body: &[u8], coding: Coding, level: CompressLevel) -> io::Result<Vec<u8>> {
    match coding {
        Coding::Gzip => {
            let level = flate2::Compression::new(by_level(level, [4, 6, 9]));
            let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(body.len() / 3), level);
            encoder.write_all(body)?;
            encoder.finish()
        }
        Coding::Br => {
            let quality = by_level(level, [4, 6, 11]);
            let mut out = Vec::with_capacity(body.len() / 3);
            brotli::CompressorReader::new(body, BUFFER_BYTES, quality, BR_WINDOW_LOG)
                .read_to_end(&mut out)?;
            Ok(out)
        }
        Coding::Zstd => {
            let level = by_level(level, [3, 9, 19]);
            let mut encoder = zstd::Encoder::new(Vec::with_capacity(body.len() / 3), level)?;
            encoder.window_log(ZSTD_WINDOW_LOG_MAX.min(window_log(body.len())))?;
            encoder.set_pledged_src_size(Some(body.len() as u64))?;
            encoder.include_contentsize(true)?;
            encoder.write_all(body)?;
            encoder.finish()
        }
    }
}

/// Undoes a coding.
///
/// # Errors
/// [`CodecError::TooLarge`] above `max` bytes, [`CodecError::Malformed`] when the body is not of that coding.
pub fn decode(body: &[u8], coding: Coding, max: u64) -> Result<Bytes, CodecError> {
    let malformed = |cause| CodecError::Malformed { coding: coding.token(), cause };
    let mut out = Vec::new();
    // one byte more than allowed tells "just fits" from "too large"
    let limit = max.saturating_add(1);
    match coding {
        Coding::Gzip => flate2::read::MultiGzDecoder::new(body).take(limit).read_to_end(&mut out),
        Coding::Br => brotli::Decompressor::new(body, BUFFER_BYTES).take(limit).read_to_end(&mut out),
        Coding::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(body).map_err(malformed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(malformed)?;
            decoder.take(limit).read_to_end(&mut out)
        }
    }
    .map_err(malformed)?;
    if out.len() as u64 > max {
        return Err(CodecError::TooLarge { max });
    }
    Ok(out.into())
}

fn by_level<T: Copy>(level: CompressLevel, [fast, balanced, best]: [T; 3]) -> T {
    match level {
        CompressLevel::Fast => fast,
        CompressLevel::Balanced => balanced,
        CompressLevel::Best => best,
    }
}

/// The least power of two that holds `bytes`, at least the format's minimum of 1 KiB.
fn window_log(bytes: usize) -> u32 {
    bytes.max(1024).next_power_of_two().trailing_zeros()
}
