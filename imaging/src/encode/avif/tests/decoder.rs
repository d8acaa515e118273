//! libaom's decoder, to see what the encoder wrote.

use std::mem::MaybeUninit;

use libaom_sys::{
    AOM_CODEC_OK, AOM_DECODER_ABI_VERSION, aom_codec_av1_dx, aom_codec_ctx_t, aom_codec_dec_init_ver,
    aom_codec_decode, aom_codec_destroy, aom_codec_get_frame,
};

/// The planes of one picture: one if it is grey, else three.
pub(super) fn planes(units: &[u8]) -> Vec<Vec<u8>> {
    let mut context = MaybeUninit::<aom_codec_ctx_t>::zeroed();
    // SAFETY: `context` is writable, no configuration is allowed, and the version says what the types are like.
    let code = unsafe {
        let version = AOM_DECODER_ABI_VERSION as i32;
        aom_codec_dec_init_ver(context.as_mut_ptr(), aom_codec_av1_dx(), std::ptr::null(), 0, version)
    };
    assert_eq!(code, AOM_CODEC_OK);
    // SAFETY: libaom has initialised it.
    let mut context = unsafe { context.assume_init() };
    // SAFETY: the context is initialised and the bytes are as many as it says.
    let code =
        unsafe { aom_codec_decode(&raw mut context, units.as_ptr(), units.len(), std::ptr::null_mut()) };
    assert_eq!(code, AOM_CODEC_OK);
    let mut place = std::ptr::null();
    // SAFETY: the context is initialised, `place` null at first.
    let image = unsafe { aom_codec_get_frame(&raw mut context, &raw mut place).as_ref() }.unwrap();
    let count = if image.monochrome == 1 { 1 } else { 3 };
    let planes = (0..count)
        .map(|n| {
            let (across, down) = if n == 0 { (0, 0) } else { (image.x_chroma_shift, image.y_chroma_shift) };
            let (width, height) = ((image.d_w + across) >> across, (image.d_h + down) >> down);
            let rows = (0..height as usize).flat_map(|row| {
                let start = row * usize::try_from(image.stride[n]).unwrap();
                // SAFETY: the plane has that many rows, each with at least that many bytes, until the context ends.
                unsafe { std::slice::from_raw_parts(image.planes[n].add(start), width as usize) }
                    .iter()
                    .copied()
            });
            rows.collect()
        })
        .collect();
    // SAFETY: the context is initialised and not used after this.
    unsafe { aom_codec_destroy(&raw mut context) };
    planes
}
