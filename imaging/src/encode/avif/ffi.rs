//! The one place that calls libaom's encoder.
//!
//! It is given planes that we own, checked to be as many as their size says, and hands back the units of one still picture.

use std::ffi::{c_int, c_uint, c_void};
use std::mem::MaybeUninit;

use libaom_sys::{
    AOM_CODEC_CX_FRAME_PKT, AOM_CODEC_OK, AOM_ENCODER_ABI_VERSION, AOM_IMG_FMT_I420, AOM_IMG_FMT_I444, AOM_Q,
    AOM_USAGE_ALL_INTRA, aom_codec_av1_cx, aom_codec_control, aom_codec_ctx_t, aom_codec_destroy,
    aom_codec_enc_cfg_t, aom_codec_enc_config_default, aom_codec_enc_init_ver, aom_codec_encode,
    aom_codec_get_cx_data, aom_codec_iter_t, aom_image_t, aom_img_wrap,
};

use crate::Error;
use crate::encode::ycc::size;

/// A number that libaom is told: which, and its value.
pub(super) type Control = (c_uint, c_int);

/// A picture to compress.
#[derive(Debug)]
pub(super) struct Job<'j> {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Luma, blue difference, red difference; or alpha alone. Rows without padding.
    pub(super) planes: [&'j [u8]; 3],
    /// No chroma is written.
    pub(super) is_grey: bool,
    /// Chroma has half the size both ways, rounded up. True of grey.
    pub(super) is_halved: bool,
    /// 0 (best) to 63.
    pub(super) quantizer: u32,
}

/// An encoder that ends with its owner.
struct Encoder(aom_codec_ctx_t);

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the context was initialised, and is not used after this.
        unsafe { aom_codec_destroy(&raw mut self.0) };
    }
}

/// The open bitstream units of the picture.
///
/// # Errors
/// `Unencodable` when libaom fails or planes are incomplete.
pub(super) fn compress(job: &Job<'_>, controls: &[Control]) -> Result<Vec<u8>, Error> {
    let factor = if job.is_halved { 2 } else { 1 };
    let (across, down) = (size(job.width.div_ceil(factor)), size(job.height.div_ceil(factor)));
    let [luma, blue, red] = job.planes;
    let is_complete = luma.len() == size(job.width) * size(job.height)
        && (job.is_grey || [blue, red].iter().all(|plane| plane.len() == across * down));
    if !is_complete || job.width == 0 || job.height == 0 {
        return Err(Error::Unencodable { reason: "its planes are incomplete" });
    }
    let mut encoder = opened(job)?;
    for (id, value) in controls {
        let id = c_int::try_from(*id).map_err(|_| failed("a control"))?;
        // SAFETY: the context is initialised; each control used here takes one int.
        if unsafe { aom_codec_control(&raw mut encoder.0, id, *value) } != AOM_CODEC_OK {
            return Err(failed("a control"));
        }
    }
    let grey = if job.is_grey { vec![128; across * down] } else { Vec::new() };
    let [blue, red] = if job.is_grey { [&grey[..], &grey] } else { [blue, red] };
    let mut image = wrapped(job, [luma, blue, red], across)?;
    image.monochrome = c_int::from(job.is_grey);
    // SAFETY: the context is initialised. The image's planes have as many samples as its size and strides claim, checked
    // above, and live until the call returns; libaom copies what it reads and writes nothing into them.
    let code = unsafe { aom_codec_encode(&raw mut encoder.0, &raw const image, 0, 1, 0) };
    if code != AOM_CODEC_OK {
        return Err(failed("a picture"));
    }
    let mut units = drained(&mut encoder);
    // SAFETY: the context is initialised; no image means that none will follow.
    let code = unsafe { aom_codec_encode(&raw mut encoder.0, std::ptr::null(), 0, 1, 0) };
    if code != AOM_CODEC_OK {
        return Err(failed("the end"));
    }
    units.extend(drained(&mut encoder));
    if units.is_empty() { Err(failed("no output")) } else { Ok(units) }
}

fn failed(what: &'static str) -> Error {
    tracing::debug!(what, "libaom failed");
    Error::Unencodable { reason: "the encoder failed" }
}

fn opened(job: &Job<'_>) -> Result<Encoder, Error> {
    let mut config = MaybeUninit::<aom_codec_enc_cfg_t>::zeroed();
    // SAFETY: takes nothing, gives a pointer to something static.
    let codec = unsafe { aom_codec_av1_cx() };
    // SAFETY: `config` is writable and as large as libaom's own type, whose version is checked below.
    let code = unsafe { aom_codec_enc_config_default(codec, config.as_mut_ptr(), AOM_USAGE_ALL_INTRA) };
    if code != AOM_CODEC_OK {
        return Err(failed("the configuration"));
    }
    // SAFETY: all of it is numbers and null pointers, which zeros were valid for; libaom has filled it in.
    let mut config = unsafe { config.assume_init() };
    config.g_w = job.width;
    config.g_h = job.height;
    config.g_limit = 1;
    config.g_threads = 1;
    config.g_lag_in_frames = 0;
    config.g_profile = c_uint::from(!job.is_halved);
    config.monochrome = c_uint::from(job.is_grey);
    config.rc_end_usage = AOM_Q;
    config.rc_min_quantizer = job.quantizer;
    config.rc_max_quantizer = job.quantizer;
    let version = c_int::try_from(AOM_ENCODER_ABI_VERSION).map_err(|_| failed("its version"))?;
    let mut context = MaybeUninit::<aom_codec_ctx_t>::zeroed();
    // SAFETY: `context` is writable; `config` is initialised and copied by libaom. The version says what the types are like.
    let code = unsafe { aom_codec_enc_init_ver(context.as_mut_ptr(), codec, &raw const config, 0, version) };
    if code != AOM_CODEC_OK {
        return Err(failed("the beginning"));
    }
    // SAFETY: libaom has initialised it.
    Ok(Encoder(unsafe { context.assume_init() }))
}

fn wrapped(job: &Job<'_>, planes: [&[u8]; 3], across: usize) -> Result<aom_image_t, Error> {
    let format = if job.is_halved { AOM_IMG_FMT_I420 } else { AOM_IMG_FMT_I444 };
    let mut image = MaybeUninit::<aom_image_t>::zeroed();
    let first = planes.map(|plane| plane.as_ptr().cast_mut());
    // SAFETY: `image` is writable. The memory given is not touched here, and the pointers into it are replaced below.
    let done = unsafe { aom_img_wrap(image.as_mut_ptr(), format, job.width, job.height, 1, first[0]) };
    if done.is_null() {
        return Err(failed("an image"));
    }
    // SAFETY: libaom has initialised it.
    let mut image = unsafe { image.assume_init() };
    let stride = |length: usize| c_int::try_from(length).map_err(|_| failed("an image"));
    image.planes = first;
    image.stride = [stride(size(job.width))?, stride(across)?, stride(across)?];
    image.range = 1;
    Ok(image)
}

fn drained(encoder: &mut Encoder) -> Vec<u8> {
    let mut units = Vec::new();
    let mut place: aom_codec_iter_t = std::ptr::null::<c_void>();
    loop {
        // SAFETY: the context is initialised; `place` is what libaom left there, or null at first.
        let packet = unsafe { aom_codec_get_cx_data(&raw mut encoder.0, &raw mut place) };
        // SAFETY: null, or a packet that is valid until the next call with this context.
        let Some(packet) = (unsafe { packet.as_ref() }) else { return units };
        if packet.kind != AOM_CODEC_CX_FRAME_PKT {
            continue;
        }
        // SAFETY: of this kind of packet, `frame` is the part that is set.
        let frame = unsafe { packet.data.frame };
        if !frame.buf.is_null() && frame.sz > 0 {
            // SAFETY: libaom says that there are `sz` bytes, which stay until the next call with this context.
            units.extend(unsafe { std::slice::from_raw_parts(frame.buf.cast::<u8>(), frame.sz) });
        }
    }
}
