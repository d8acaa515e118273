//! fast_image_resize, a band of rows at a time, so that a large picture ends at its deadline.
//!
//! A band is given the rows that its filter reaches, so that it comes out as it would with the whole picture: only what lies
//! over two bands is worked on twice.

use std::ops::Range;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::geometry::Size;
use super::scale::Area;
use crate::{Deadline, Error};

/// Bytes of a band, in the source or the result: some milliseconds' work.
const BAND_BYTES: f64 = (4 << 20) as f64;

/// How far the widest filter reaches, in pixels of the source or of the result, whichever are larger.
const REACH: f64 = 3.0;

/// What is to be resampled.
pub(crate) struct Resampling<'a> {
    /// Rows without padding; channels of 16 bits in native order.
    pub(crate) samples: &'a [u8],
    pub(crate) size: Size,
    pub(crate) kind: PixelType,
    /// The last channel is alpha, by which the others are weighed.
    pub(crate) has_alpha: bool,
    pub(crate) filter: FilterType,
    /// Within the picture.
    pub(crate) area: Area,
    /// No side is 0.
    pub(crate) to: Size,
}

impl Resampling<'_> {
    /// The samples of the result, as those of the source are.
    ///
    /// # Errors
    /// `Unencodable` when the resizer objects, which sizes that passed the limits do not bring about; `TooManyPixels` when the
    /// result does not fit the address space; `Deadline`.
    pub(crate) fn run(&self, deadline: &Deadline) -> Result<Vec<u8>, Error> {
        let (from_stride, to_stride) = (self.stride(self.size), self.stride(self.to));
        let bytes = to_stride.checked_mul(self.to.height as usize).ok_or_else(|| {
            let pixels = u64::from(self.to.width) * u64::from(self.to.height);
            Error::TooManyPixels { pixels, max: u64::from(u32::MAX) }
        })?;
        let mut result = vec![0; bytes];
        let mut resizer = Resizer::new();
        for (to, rows) in
            self.bands().zip(result.chunks_mut(to_stride.saturating_mul(self.band_rows()).max(1)))
        {
            deadline.check()?;
            let (from, area) = self.under(&to);
            let samples = self.samples.get(from.start * from_stride..from.end * from_stride);
            let height = |rows: &Range<usize>| u32::try_from(rows.len()).unwrap_or(u32::MAX);
            let source = samples.ok_or_else(|| failed(&"rows are missing"))?;
            let source = ImageRef::new(self.size.width, height(&from), source, self.kind);
            let source = source.map_err(|error| failed(&error))?;
            let band = Image::from_slice_u8(self.to.width, height(&to), rows, self.kind);
            let mut band = band.map_err(|error| failed(&error))?;
            let options = ResizeOptions::new()
                .resize_alg(ResizeAlg::Convolution(self.filter))
                .use_alpha(self.has_alpha)
                .crop(area.x, area.y, area.width, area.height);
            resizer.resize(&source, &mut band, &options).map_err(|error| failed(&error))?;
        }
        Ok(result)
    }

    fn stride(&self, size: Size) -> usize {
        (size.width as usize).saturating_mul(self.kind.size())
    }

    /// Rows of the result in a band, at least 1.
    fn band_rows(&self) -> usize {
        let source_rows = self.area.height / f64::from(self.to.height);
        let row_bytes = (source_rows * self.stride(self.size) as f64).max(self.stride(self.to) as f64);
        whole(BAND_BYTES / row_bytes).clamp(1, self.to.height as usize)
    }

    fn bands(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (rows, all) = (self.band_rows(), self.to.height as usize);
        (0..all).step_by(rows).map(move |first| first..(first + rows).min(all))
    }

    /// The rows of the source that these of the result are made of, and the area in them.
    fn under(&self, to: &Range<usize>) -> (Range<usize>, Area) {
        let all = self.size.height as usize;
        if to.len() == self.to.height as usize {
            return (0..all, self.area);
        }
        let step = self.area.height / f64::from(self.to.height);
        let (top, bottom) = (self.area.y + to.start as f64 * step, self.area.y + to.end as f64 * step);
        let reach = REACH * step.max(1.0) + 1.0;
        let first = whole(top - reach).min(all);
        let end = whole(bottom + reach + 1.0).clamp(first, all);
        let y = top - first as f64;
        let height = (to.len() as f64 * step).min((end - first) as f64 - y);
        (first..end, Area { y, height, ..self.area })
    }
}

fn whole(rows: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    let rows = rows as usize;
    rows
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    tracing::debug!(%error, "resizing failed");
    Error::Unencodable { reason: "it cannot be scaled to this size" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels that no two rows share.
    fn samples(size: Size, kind: PixelType) -> Vec<u8> {
        let mut state = 1_u32;
        let count = size.width as usize * size.height as usize * kind.size();
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(&mut next).take(count).collect()
    }

    #[test]
    fn bands_make_what_the_whole_picture_would() {
        let size = Size { width: 1_500, height: 4_001 };
        for (kind, has_alpha) in [(PixelType::U8, false), (PixelType::U8x4, true), (PixelType::U16x3, false)]
        {
            let samples = samples(size, kind);
            for (filter, to, area) in [
                (
                    FilterType::Lanczos3,
                    Size { width: 700, height: 1_333 },
                    Area { x: 0.5, y: 3.25, width: 1_400.0, height: 3_900.5 },
                ),
                (
                    FilterType::CatmullRom,
                    Size { width: 1_501, height: 4_777 },
                    Area { x: 1.5, y: 0.0, width: 1_490.0, height: 4_001.0 },
                ),
                (
                    FilterType::Lanczos3,
                    Size { width: 1_100, height: 3_000 },
                    Area { x: 0.0, y: 1.0, width: 1_500.0, height: 3_000.0 },
                ),
                (
                    FilterType::Lanczos3,
                    Size { width: 3, height: 2 },
                    Area { x: 0.0, y: 0.0, width: 1_500.0, height: 4_001.0 },
                ),
            ] {
                let resampling = Resampling { samples: &samples, size, kind, has_alpha, filter, area, to };
                let banded = resampling.run(&Deadline::never()).unwrap();
                let source = ImageRef::new(size.width, size.height, &samples, kind).unwrap();
                let mut whole = Image::new(to.width, to.height, kind);
                let options = ResizeOptions::new()
                    .resize_alg(ResizeAlg::Convolution(filter))
                    .use_alpha(has_alpha)
                    .crop(area.x, area.y, area.width, area.height);
                Resizer::new().resize(&source, &mut whole, &options).unwrap();
                assert!(resampling.bands().count() > 1, "{to:?}");
                // a weight may be rounded to the other side
                let is_near = |(one, other): (&u8, &u8)| one.abs_diff(*other) <= 1;
                let wide = |bytes: &[u8]| -> Vec<u16> {
                    bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_ne_bytes(*pair)).collect()
                };
                let is_same = if kind.size() == 6 {
                    let pairs = wide(&banded).into_iter().zip(wide(whole.buffer()));
                    pairs.into_iter().all(|(one, other)| one.abs_diff(other) <= 8)
                } else {
                    banded.iter().zip(whole.buffer()).all(is_near)
                };
                assert!(is_same && banded.len() == whole.buffer().len(), "{kind:?} {to:?}");
            }
        }
    }

    #[test]
    fn past_its_deadline_it_ends_between_two_bands() {
        let size = Size { width: 100, height: 100 };
        let samples = samples(size, PixelType::U8);
        let area = Area { x: 0.0, y: 0.0, width: 100.0, height: 100.0 };
        let (kind, filter, to) = (PixelType::U8, FilterType::Lanczos3, Size { width: 9, height: 9 });
        let resampling = Resampling { samples: &samples, size, kind, has_alpha: false, filter, area, to };
        let deadline = Deadline::never();
        assert!(resampling.run(&deadline).is_ok());
        deadline.cancel();
        assert_eq!(resampling.run(&deadline), Err(Error::Deadline));
    }
}
