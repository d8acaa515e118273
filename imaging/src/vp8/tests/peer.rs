//! libwebp, which makes the files of these tests and says what is in them.

use std::ffi::c_int;
use std::ptr;

use libwebp_sys::{
    WebPConfig, WebPDecodeYUV, WebPEncode, WebPFree, WebPMemoryWrite, WebPMemoryWriter,
    WebPMemoryWriterClear, WebPMemoryWriterInit, WebPPicture,
};

use crate::planes::{Plane, Planes};

/// A file with those planes in it, which are taken to have limited range.
pub(super) fn encoded(planes: &Planes, tune: impl Fn(&mut WebPConfig)) -> Vec<u8> {
    let [blue, red] = planes.chroma.clone().expect("a picture with colours");
    let (mut luma, mut blue, mut red) = (planes.luma.clone(), blue, red);
    assert_eq!(blue.width, luma.width.div_ceil(2));
    assert_eq!(luma.samples.len(), (luma.width * luma.height) as usize);
    assert_eq!(blue.samples.len(), (blue.width * luma.height.div_ceil(2)) as usize);
    let mut config = WebPConfig::new().unwrap();
    tune(&mut config);
    let mut picture = WebPPicture::new().unwrap();
    (picture.width, picture.height) = (luma.width as c_int, luma.height as c_int);
    (picture.y_stride, picture.uv_stride) = (luma.width as c_int, blue.width as c_int);
    picture.y = luma.samples.as_mut_ptr();
    picture.u = blue.samples.as_mut_ptr();
    picture.v = red.samples.as_mut_ptr();
    let mut writer = WebPMemoryWriter { mem: ptr::null_mut(), size: 0, max_size: 0, pad: [0] };
    // SAFETY: the writer is ours, and this initialises it.
    unsafe { WebPMemoryWriterInit(&raw mut writer) };
    picture.writer = Some(WebPMemoryWrite);
    picture.custom_ptr = (&raw mut writer).cast();
    // SAFETY: both were initialised by libwebp; the planes have as many samples as sizes and strides claim, checked above, and
    // live until this returns, as the writer does.
    let is_done = unsafe { WebPEncode(&raw const config, &raw mut picture) } != 0;
    assert!(is_done, "{:?}", picture.error_code);
    // SAFETY: the writer owns `size` bytes at `mem`.
    let file = unsafe { std::slice::from_raw_parts(writer.mem, writer.size) }.to_vec();
    // SAFETY: it is not used after this.
    unsafe { WebPMemoryWriterClear(&raw mut writer) };
    file
}

/// What libwebp has made of a file: its luma with what lies in the same allocation.
struct Raw {
    luma: *mut u8,
    chroma: [*mut u8; 2],
    size: [c_int; 2],
    strides: [c_int; 2],
}

impl Raw {
    fn of(file: &[u8]) -> Option<Self> {
        let ([mut width, mut height], [mut stride, mut half_stride]) = ([0; 2], [0; 2]);
        let [mut blue, mut red] = [ptr::null_mut(); 2];
        // SAFETY: the file is as long as it says, and all places for results are ours.
        let luma = unsafe {
            WebPDecodeYUV(
                file.as_ptr(),
                file.len(),
                &raw mut width,
                &raw mut height,
                &raw mut blue,
                &raw mut red,
                &raw mut stride,
                &raw mut half_stride,
            )
        };
        let raw = Self { luma, chroma: [blue, red], size: [width, height], strides: [stride, half_stride] };
        (!luma.is_null()).then_some(raw)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: this frees all three planes; freeing null does nothing.
        unsafe { WebPFree(self.luma.cast()) };
    }
}

/// The planes of a file, with limited range.
pub(super) fn decoded(file: &[u8]) -> Option<Planes> {
    let raw = Raw::of(file)?;
    let ([width, height], [stride, half_stride]) = (raw.size, raw.strides);
    let plane = |first: *const u8, width: c_int, height: c_int, stride: c_int| {
        let (wide, stride) = (width as usize, stride as usize);
        // SAFETY: libwebp has made that many rows, so far apart.
        let row = |row: usize| unsafe { std::slice::from_raw_parts(first.add(row * stride), wide) };
        let samples = (0..height as usize).flat_map(|index| row(index).iter().copied()).collect();
        Plane { width: width as u32, height: height as u32, samples }
    };
    let (half, half_height) = ((width + 1) / 2, (height + 1) / 2);
    let chroma = raw.chroma.map(|first| plane(first, half, half_height, half_stride));
    Some(Planes { luma: plane(raw.luma, width, height, stride), chroma: Some(chroma) })
}

/// Whether a file can be read; does not copy what is in it.
pub(super) fn is_decoded(file: &[u8]) -> bool {
    Raw::of(file).is_some()
}
