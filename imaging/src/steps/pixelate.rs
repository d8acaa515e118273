//! Makes a picture of squares of one colour.

use crate::frame::{Frame, Layout};

/// The picture in squares of `size` pixels a side from its upper left corner, each the mean of what was there, colours
/// weighed by alpha; the last ones of a row and of a column may be cut. 0 and 1 change nothing.
pub(crate) fn pixelate(mut frame: Frame, size: u32) -> Frame {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size > 1 {
        let (stride, pixels) = (frame.stride(), &mut frame.pixels);
        match frame.layout {
            Layout::Grey => squares::<1>(pixels, stride, size, mean),
            Layout::GreyAlpha => squares::<2>(pixels, stride, size, weighed_mean),
            Layout::Rgb => squares::<3>(pixels, stride, size, mean),
            Layout::Rgba => squares::<4>(pixels, stride, size, weighed_mean),
            Layout::Cmyk => squares::<4>(pixels, stride, size, mean),
        }
    }
    frame
}

/// Sums over the pixels of a square.
#[derive(Debug, Clone, Copy)]
struct Sums<const N: usize> {
    count: u64,
    /// Of each channel.
    plain: [u64; N],
    /// Of each channel times the last one.
    weighed: [u64; N],
}

fn squares<const N: usize>(pixels: &mut [u8], stride: usize, size: usize, mean: fn(&Sums<N>) -> [u8; N]) {
    let empty = Sums { count: 0, plain: [0; N], weighed: [0; N] };
    let side_bytes = size.saturating_mul(N);
    let mut sums = vec![empty; stride.div_ceil(side_bytes)];
    for rows in pixels.chunks_mut(stride.saturating_mul(size)) {
        sums.fill(empty);
        for row in rows.chunks_exact(stride) {
            for (sums, square) in sums.iter_mut().zip(row.chunks(side_bytes)) {
                sums.add(square.as_chunks().0);
            }
        }
        for row in rows.chunks_exact_mut(stride) {
            for (sums, square) in sums.iter().zip(row.chunks_mut(side_bytes)) {
                square.as_chunks_mut().0.fill(mean(sums));
            }
        }
    }
}

impl<const N: usize> Sums<N> {
    /// A part of a row: at most 16 384 pixels, so that 32 bits are enough for it.
    fn add(&mut self, pixels: &[[u8; N]]) {
        let (mut plain, mut weighed) = ([0_u32; N], [0_u64; N]);
        for pixel in pixels {
            let weight = u32::from(pixel.last().copied().unwrap_or(0));
            for ((plain, weighed), &sample) in plain.iter_mut().zip(&mut weighed).zip(pixel) {
                *plain += u32::from(sample);
                *weighed += u64::from(u32::from(sample) * weight);
            }
        }
        self.count += u64::try_from(pixels.len()).unwrap_or(u64::MAX);
        self.plain.iter_mut().zip(plain).for_each(|(sum, part)| *sum += u64::from(part));
        self.weighed.iter_mut().zip(weighed).for_each(|(sum, part)| *sum += part);
    }
}

fn mean<const N: usize>(sums: &Sums<N>) -> [u8; N] {
    sums.plain.map(|sum| divided(sum, sums.count))
}

/// Colours by their alpha, alpha by the number of pixels.
fn weighed_mean<const N: usize>(sums: &Sums<N>) -> [u8; N] {
    let total = sums.plain.last().copied().unwrap_or(0);
    let mut pixel = sums.weighed.map(|sum| divided(sum, total));
    if let Some(alpha) = pixel.last_mut() {
        *alpha = divided(total, sums.count);
    }
    pixel
}

fn divided(sum: u64, count: u64) -> u8 {
    u8::try_from((sum + count / 2) / count.max(1)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::steps::specimen::{frames, grey, of};

    #[test]
    fn squares_have_the_mean_of_what_was_there() {
        let frame = grey(5, &[0, 10, 20, 30, 7, 20, 30, 40, 51, 8, 100, 101, 102, 102, 9]);
        let squares = pixelate(frame, 2);
        assert_eq!(squares.pixels, [15, 15, 35, 35, 8, 15, 15, 35, 35, 8, 101, 101, 102, 102, 9]);
    }

    #[test]
    fn colours_are_weighed_by_alpha() {
        let frame = of(Layout::Rgba, 2, &[200, 0, 0, 100, 0, 100, 9, 50, 9, 9, 9, 0, 77, 77, 77, 0]);
        assert_eq!(pixelate(frame, 9).pixels, [133, 33, 3, 38].repeat(4));
        let gone = of(Layout::GreyAlpha, 2, &[200, 0, 100, 0]);
        assert_eq!(pixelate(gone, 2).pixels, [0; 4]);
    }

    proptest! {
        #[test]
        fn doing_it_again_changes_nothing(frame in frames(12), size in 0..40_u32) {
            let once = pixelate(frame.clone(), size);
            if size < 2 {
                prop_assert_eq!(&once.pixels, &frame.pixels);
            }
            prop_assert_eq!(pixelate(once.clone(), size).pixels, once.pixels);
        }
    }
}
