//! The one place that calls libwebp's encoder.
//!
//! It is given pixels that we own, checked to be as many as their size says, and hands back a whole file. What it writes
//! into the pixels (under full transparency it replaces colours) is lost with them.

use std::ffi::c_int;

use libwebp_sys::{WebPConfig, WebPEncCSP, WebPEncode, WebPEncodingError, WebPPicture};

use crate::encode::ycc;
use crate::{Deadline, Error};

/// Planes of limited range with chroma of half the size, rounded up; or words of alpha, red, green and blue.
#[derive(Debug)]
pub(super) enum Pixels {
    /// Compressed with loss.
    Planes {
        /// `width` × `height` samples.
        luma: Vec<u8>,
        /// Blue difference, red difference.
        chroma: [Vec<u8>; 2],
        /// As large as luma.
        alpha: Option<Vec<u8>>,
    },
    /// Compressed without.
    Exact(Vec<u32>),
}

/// A picture to compress.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) pixels: Pixels,
}

/// How to compress.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tuning {
    /// 1 to 100; of lossless pictures, the effort.
    pub(super) quality: u8,
    /// 0 (fast) to 6 (small).
    pub(super) method: u8,
}

/// What the callbacks see.
struct Sink<'d> {
    file: Vec<u8>,
    deadline: &'d Deadline,
}

/// A whole file with the picture in it.
///
/// # Errors
/// `Unencodable` when libwebp fails; `Deadline`.
pub(super) fn compress(mut job: Job, tuning: &Tuning, deadline: &Deadline) -> Result<Vec<u8>, Error> {
    let failed = Error::Unencodable { reason: "the encoder failed" };
    let mut config = WebPConfig::new().map_err(|()| failed.clone())?;
    config.quality = tuning.quality.into();
    config.method = tuning.method.into();
    config.lossless = c_int::from(matches!(job.pixels, Pixels::Exact(_)));
    let mut sink = Sink { file: Vec::new(), deadline };
    match run(&mut job, &config, &mut sink)? {
        WebPEncodingError::VP8_ENC_OK => Ok(sink.file),
        WebPEncodingError::VP8_ENC_ERROR_USER_ABORT => Err(Error::Deadline),
        // the modes of a large picture do not fit their 512 KiB: allow fewer of them
        WebPEncodingError::VP8_ENC_ERROR_PARTITION0_OVERFLOW => {
            config.partition_limit = 100;
            sink.file.clear();
            match run(&mut job, &config, &mut sink)? {
                WebPEncodingError::VP8_ENC_OK => Ok(sink.file),
                WebPEncodingError::VP8_ENC_ERROR_USER_ABORT => Err(Error::Deadline),
                _ => Err(failed),
            }
        }
        code => {
            tracing::debug!(?code, "libwebp failed");
            Err(failed)
        }
    }
}

fn run(job: &mut Job, config: &WebPConfig, sink: &mut Sink<'_>) -> Result<WebPEncodingError, Error> {
    let failed = Error::Unencodable { reason: "the encoder failed" };
    let side = |side: u32| c_int::try_from(side).map_err(|_| failed.clone());
    let mut picture = WebPPicture::new().map_err(|()| failed.clone())?;
    picture.width = side(job.width)?;
    picture.height = side(job.height)?;
    let count = ycc::size(job.width) * ycc::size(job.height);
    let (half, half_height) = (job.width.div_ceil(2), job.height.div_ceil(2));
    let chroma_count = ycc::size(half) * ycc::size(half_height);
    let is_complete = match &mut job.pixels {
        Pixels::Planes { luma, chroma: [blue, red], alpha } => {
            picture.y = luma.as_mut_ptr();
            picture.u = blue.as_mut_ptr();
            picture.v = red.as_mut_ptr();
            picture.y_stride = picture.width;
            picture.uv_stride = side(half)?;
            if let Some(alpha) = alpha {
                picture.colorspace = WebPEncCSP::WEBP_YUV420A;
                picture.a = alpha.as_mut_ptr();
                picture.a_stride = picture.width;
            }
            let is_alpha_complete = alpha.as_ref().is_none_or(|alpha| alpha.len() == count);
            luma.len() == count
                && is_alpha_complete
                && [blue, red].iter().all(|one| one.len() == chroma_count)
        }
        Pixels::Exact(words) => {
            picture.use_argb = 1;
            picture.argb = words.as_mut_ptr();
            picture.argb_stride = picture.width;
            words.len() == count
        }
    };
    if !is_complete {
        return Err(Error::Unencodable { reason: "its planes are incomplete" });
    }
    picture.writer = Some(written);
    picture.custom_ptr = std::ptr::from_mut(sink).cast();
    picture.progress_hook = Some(goes_on);
    picture.user_data = std::ptr::from_mut(sink).cast();
    // SAFETY: config and picture were initialised by libwebp. The picture's pointers are to buffers of `job`, checked above
    // to have as many elements as width, height and strides claim, borrowed mutably until this returns. The callbacks get
    // `sink`, which outlives the call and which nothing else uses meanwhile. The picture owns no memory that would have to be
    // freed: libwebp allocates planes in it only where it has none of the kind that the configuration asks for.
    let is_done = unsafe { WebPEncode(config, &raw mut picture) } != 0;
    Ok(if is_done { WebPEncodingError::VP8_ENC_OK } else { picture.error_code })
}

unsafe extern "C" fn written(data: *const u8, size: usize, picture: *const WebPPicture) -> c_int {
    if size == 0 {
        return 1;
    }
    // SAFETY: libwebp calls this with the picture that `run` gave it, whose `custom_ptr` is a live `Sink` that nothing else
    // borrows now, and with `size` readable bytes at `data`.
    let (sink, bytes) =
        unsafe { (&mut *(*picture).custom_ptr.cast::<Sink<'_>>(), std::slice::from_raw_parts(data, size)) };
    sink.file.extend_from_slice(bytes);
    1
}

unsafe extern "C" fn goes_on(_percent: c_int, picture: *const WebPPicture) -> c_int {
    // SAFETY: libwebp calls this with the picture that `run` gave it, whose `user_data` is a live `Sink` that nothing else
    // borrows now.
    let sink = unsafe { &*(*picture).user_data.cast::<Sink<'_>>().cast_const() };
    c_int::from(sink.deadline.check().is_ok())
}
