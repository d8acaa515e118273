//! The one place that calls rav1d.
//!
//! It is given bytes that it frees itself, and what it hands out is looked at while it is held and not after. Its functions
//! abort the process when they panic; the header of [`super`] says how that is kept from happening.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use rav1d::Dav1dResult;
use rav1d::include::dav1d::data::Dav1dData;
use rav1d::include::dav1d::dav1d::{Dav1dContext, Dav1dLogger, Dav1dSettings};
use rav1d::include::dav1d::headers::{
    DAV1D_PIXEL_LAYOUT_I400, DAV1D_PIXEL_LAYOUT_I420, DAV1D_PIXEL_LAYOUT_I422, DAV1D_PIXEL_LAYOUT_I444,
};
use rav1d::include::dav1d::picture::Dav1dPicture;
use rav1d::src::lib::{
    dav1d_close, dav1d_data_unref, dav1d_data_wrap, dav1d_default_settings, dav1d_get_picture, dav1d_open,
    dav1d_picture_unref, dav1d_send_data,
};
use rav1d::src::send_sync_non_null::SendSyncNonNull;

use super::super::DAMAGED;
use super::super::coded::{Channel, Coded, Meaning, Samples};
use crate::Error;

/// A decoder that ends with its owner.
struct Decoder(Option<Dav1dContext>);

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the context is rav1d's own, and not used after this.
        unsafe { dav1d_close(Some(NonNull::from(&mut self.0))) };
    }
}

/// A picture that is let go with its owner.
struct Held(Dav1dPicture);

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: the picture is rav1d's own or empty, and not used after this.
        unsafe { dav1d_picture_unref(Some(NonNull::from(&mut self.0))) };
    }
}

/// Decodes the first picture, of at most so many pixels, and gives it to `read`.
///
/// # Errors
/// `Undecodable` when there is none; whatever `read` says.
pub(super) fn first<T>(
    units: Box<[u8]>,
    pixels_max: u32,
    read: impl FnOnce(&Coded<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let decoder = opened(pixels_max)?;
    send(&decoder, units)?;
    let mut held = Held(Dav1dPicture::default());
    // the first call may find the threads still at work, the second waits for them
    for _ in 0..2 {
        // SAFETY: the context is open; the picture is empty and may be written to.
        let code = unsafe { dav1d_get_picture(decoder.0, Some(NonNull::from(&mut held.0))) };
        if code.0 == 0 {
            return read(&coded(&held.0)?);
        }
    }
    Err(DAMAGED)
}

fn succeeded(code: Dav1dResult) -> Result<(), Error> {
    if code.0 == 0 { Ok(()) } else { Err(DAMAGED) }
}

fn opened(pixels_max: u32) -> Result<Decoder, Error> {
    let mut settings = MaybeUninit::<Dav1dSettings>::uninit();
    // SAFETY: the place may be written to.
    unsafe { dav1d_default_settings(NonNull::from(&mut settings).cast()) };
    // SAFETY: rav1d has filled it in.
    let mut settings = unsafe { settings.assume_init() };
    settings.n_threads = 2;
    settings.max_frame_delay = 2;
    settings.all_layers = 0;
    settings.frame_size_limit = pixels_max;
    // SAFETY: without a function there is nothing to call.
    settings.logger = unsafe { Dav1dLogger::new(None, None) };
    let mut decoder = Decoder(None);
    // SAFETY: both places are valid; the settings are only read.
    let code = unsafe { dav1d_open(Some(NonNull::from(&mut decoder.0)), Some(NonNull::from(&mut settings))) };
    succeeded(code).map(|()| decoder)
}

fn send(decoder: &Decoder, units: Box<[u8]>) -> Result<(), Error> {
    let (length, mut data) = (units.len(), Dav1dData::default());
    let owner = SendSyncNonNull::from_box(Box::new(units));
    // SAFETY: the box was just made of the owner, whom nobody else knows yet.
    let bytes = unsafe { owner.as_ptr().as_ref() };
    let start = NonNull::from(&**bytes).cast::<u8>();
    // SAFETY: there are that many bytes, and they stay until the callback frees them and their owner.
    let code = unsafe {
        dav1d_data_wrap(Some(NonNull::from(&mut data)), Some(start), length, Some(free), Some(owner.cast()))
    };
    succeeded(code)?;
    // SAFETY: the context is open; the data are rav1d's own.
    let code = unsafe { dav1d_send_data(decoder.0, Some(NonNull::from(&mut data))) };
    // SAFETY: the data are rav1d's own, or empty when it has taken them.
    unsafe { dav1d_data_unref(Some(NonNull::from(&mut data))) };
    succeeded(code)
}

unsafe extern "C" fn free(_: *const u8, owner: Option<SendSyncNonNull<c_void>>) {
    if let Some(owner) = owner {
        // SAFETY: it is the box that was given away with the data; rav1d calls this once, when nothing refers to them.
        drop(unsafe { Box::from_raw(owner.as_ptr().cast::<Box<[u8]>>().as_ptr()) });
    }
}

/// What a picture holds, for as long as it is held.
fn coded(picture: &Dav1dPicture) -> Result<Coded<'_>, Error> {
    let side = |side: i32| usize::try_from(side).ok().filter(|&side| side > 0).ok_or(DAMAGED);
    let (width, height) = (side(picture.p.w)?, side(picture.p.h)?);
    let (across, down) = match picture.p.layout {
        DAV1D_PIXEL_LAYOUT_I400 | DAV1D_PIXEL_LAYOUT_I444 => (width, height),
        DAV1D_PIXEL_LAYOUT_I420 => (width.div_ceil(2), height.div_ceil(2)),
        DAV1D_PIXEL_LAYOUT_I422 => (width.div_ceil(2), height),
        _ => return Err(DAMAGED),
    };
    let depth = u8::try_from(picture.p.bpc).map_err(|_| DAMAGED)?;
    let [luma, first, second] = picture.data;
    let [stride, chroma_stride] = picture.stride;
    let is_wide = depth > 8;
    let chroma = if picture.p.layout == DAV1D_PIXEL_LAYOUT_I400 {
        None
    } else {
        Some([
            channel(first, chroma_stride, (across, down), is_wide)?,
            channel(second, chroma_stride, (across, down), is_wide)?,
        ])
    };
    Ok(Coded {
        width: u32::try_from(width).map_err(|_| DAMAGED)?,
        height: u32::try_from(height).map_err(|_| DAMAGED)?,
        depth,
        luma: channel(luma, stride, (width, height), is_wide)?,
        chroma,
        meaning: meaning(picture)?,
    })
}

fn channel<'a>(
    start: Option<NonNull<c_void>>,
    stride: isize,
    (width, height): (usize, usize),
    is_wide: bool,
) -> Result<Channel<'a>, Error> {
    let start = start.ok_or(DAMAGED)?;
    let stride = usize::try_from(stride).map_err(|_| DAMAGED)? / if is_wide { 2 } else { 1 };
    if stride < width {
        return Err(DAMAGED);
    }
    let length = stride.checked_mul(height - 1).and_then(|rows| rows.checked_add(width)).ok_or(DAMAGED)?;
    let samples = if is_wide {
        // SAFETY: rav1d's planes are aligned to 64 bytes, have rows of `stride` and as many of them as the size says. They are
        // initialised, and stay as they are while the picture is held, which is longer than `'a` in the one place that calls.
        Samples::Wide(unsafe { std::slice::from_raw_parts(start.cast::<u16>().as_ptr(), length) })
    } else {
        // SAFETY: as above, with a byte for each sample.
        Samples::Narrow(unsafe { std::slice::from_raw_parts(start.cast::<u8>().as_ptr(), length) })
    };
    Ok(Channel { samples, stride, width, height })
}

fn meaning(picture: &Dav1dPicture) -> Result<Meaning, Error> {
    let header = picture.seq_hdr.ok_or(DAMAGED)?;
    // SAFETY: the header belongs to the picture and stays while that is held.
    let header = unsafe { header.as_ref() };
    let point = |point: u32| u16::try_from(point).map_err(|_| DAMAGED);
    Ok(Meaning {
        primaries: point(header.pri)?,
        transfer: point(header.trc)?,
        matrix: point(header.mtrx)?,
        is_full_range: header.color_range != 0,
    })
}
