//! Mixes neighbours: the arithmetic under blurring and sharpening.
//!
//! Works on 16-bit samples in which colours are multiplied by alpha without loss, so that what is transparent has no say.
//! Small standard deviations use the true kernel; larger ones three passes of a sliding mean, whose cost does not grow with
//! the radius. At the edges the outermost samples go on. Knows nothing of colours.

use std::collections::VecDeque;

use super::sample::{byte, div_255, wide, wide_luma};
use crate::frame::{Frame, Layout};

/// From here on sliding means are as good as the kernel, and cheaper.
const SLIDE_FROM_SIGMA: f32 = 2.5;

/// Standard deviations up to this change no sample.
const SIGMA_MIN: f32 = 0.25;

/// Largest standard deviation, in pixels; more looks the same on any picture that passes the limits.
pub(crate) const SIGMA_MAX: f32 = 1_000.0;

/// Samples that are smoothed side by side, downwards.
const STRIP: usize = 64;

/// A picture as samples that may be mixed: colours × alpha, and alpha × 255, both 0 to 65 025.
#[derive(Debug, Clone)]
pub(crate) struct Wide {
    /// Samples of a row; never 0.
    stride: usize,
    channels: usize,
    samples: Vec<u16>,
}

impl Wide {
    /// All channels of a picture.
    pub(crate) fn of(frame: &Frame) -> Self {
        let samples = match frame.layout {
            Layout::Grey | Layout::Rgb | Layout::Cmyk => {
                frame.pixels.iter().map(|&sample| u16::from(sample) * 255).collect()
            }
            Layout::GreyAlpha => premultiplied::<2>(&frame.pixels),
            Layout::Rgba => premultiplied::<4>(&frame.pixels),
        };
        Self { stride: frame.stride(), channels: frame.layout.channels(), samples }
    }

    /// Its luma; with alpha, where it has one, as a second channel.
    pub(crate) fn luma_of(frame: &Frame) -> Self {
        let pixels = &frame.pixels;
        let width = (frame.stride() / frame.layout.channels()).max(1);
        let (channels, samples) = match frame.layout {
            Layout::Grey => (1, pixels.iter().map(|&sample| u16::from(sample) * 255).collect()),
            // ink has no luma
            Layout::Cmyk => (1, vec![0; pixels.len() / 4]),
            Layout::GreyAlpha => (2, premultiplied::<2>(pixels)),
            Layout::Rgb => (1, pixels.as_chunks().0.iter().map(|&colour| wide_luma(colour)).collect()),
            Layout::Rgba => {
                let mut samples = Vec::with_capacity(pixels.len() / 2);
                for &[red, green, blue, alpha] in pixels.as_chunks().0 {
                    let luma = u32::from(wide_luma([red, green, blue])) * u32::from(alpha);
                    let luma = u16::try_from((luma + 127) / 255).unwrap_or(u16::MAX);
                    samples.extend_from_slice(&[luma, u16::from(alpha) * 255]);
                }
                (2, samples)
            }
        };
        Self { stride: width * channels, channels, samples }
    }

    /// Samples row by row, channels side by side.
    pub(crate) fn samples(&self) -> &[u16] {
        &self.samples
    }

    /// Writes the samples back to the picture they were taken from, all channels of it.
    pub(crate) fn write(&self, frame: &mut Frame) {
        match frame.layout {
            Layout::Grey | Layout::Rgb | Layout::Cmyk => {
                for (to, &from) in frame.pixels.iter_mut().zip(&self.samples) {
                    *to = div_255(from);
                }
            }
            Layout::GreyAlpha => {
                for (to, &[grey, alpha]) in pairs(&mut frame.pixels, &self.samples) {
                    let factor = 255.0 / f32::from(alpha.max(1));
                    *to = [byte(f32::from(grey) * factor), div_255(alpha)];
                }
            }
            Layout::Rgba => {
                for (to, &[red, green, blue, alpha]) in pairs(&mut frame.pixels, &self.samples) {
                    let factor = 255.0 / f32::from(alpha.max(1));
                    let [red, green, blue] =
                        [red, green, blue].map(|sample| byte(f32::from(sample) * factor));
                    *to = [red, green, blue, div_255(alpha)];
                }
            }
        }
    }

    /// Smooths with a Gaussian of this standard deviation in pixels, at most [`SIGMA_MAX`].
    pub(crate) fn smooth(&mut self, sigma: f32) {
        if sigma.is_nan() || sigma <= SIGMA_MIN || self.samples.is_empty() {
            return;
        }
        if sigma < SLIDE_FROM_SIGMA {
            self.convolve(&kernel(sigma));
            return;
        }
        let window = Window::third_of(sigma.min(SIGMA_MAX));
        match self.channels {
            1 => self.slide_along_rows::<1>(window),
            2 => self.slide_along_rows::<2>(window),
            3 => self.slide_along_rows::<3>(window),
            _ => self.slide_along_rows::<4>(window),
        }
        self.slide_down_columns(window);
    }

    /// Convolves both ways with a kernel of odd length whose weights sum to 65 536.
    fn convolve(&mut self, kernel: &[u16]) {
        let radius = kernel.len() / 2;
        let mut sums = vec![0_u32; self.stride];
        let mut padded = Vec::new();
        for row in self.samples.chunks_exact_mut(self.stride) {
            pad_row(row, self.channels, radius, &mut padded);
            sums.fill(1 << 15);
            for (&weight, from) in kernel.iter().zip((0..).step_by(self.channels)) {
                add_weighed(&mut sums, padded.get(from..).unwrap_or_default(), weight);
            }
            narrow(&sums, row);
        }

        let height = self.samples.len() / self.stride;
        let Some(first) = self.samples.get(..self.stride) else { return };
        // rows above the current one as they were
        let mut above: VecDeque<Vec<u16>> = vec![first.to_vec(); radius].into();
        for y in 0..height {
            sums.fill(1 << 15);
            for (row, &weight) in above.iter().zip(kernel) {
                add_weighed(&mut sums, row, weight);
            }
            for (below, &weight) in kernel.iter().skip(radius).enumerate() {
                let start = (y + below).min(height - 1) * self.stride;
                add_weighed(&mut sums, self.samples.get(start..).unwrap_or_default(), weight);
            }
            let Some(row) = self.samples.chunks_exact_mut(self.stride).nth(y) else { return };
            if let Some(mut spare) = above.pop_front() {
                spare.copy_from_slice(row);
                above.push_back(spare);
            }
            narrow(&sums, row);
        }
    }

    fn slide_along_rows<const N: usize>(&mut self, window: Window) {
        let mut padded = Vec::new();
        for row in self.samples.chunks_exact_mut(self.stride) {
            let row = row.as_chunks_mut::<N>().0;
            (0..3).for_each(|_| window.slide(row, &mut padded));
        }
    }

    fn slide_down_columns(&mut self, window: Window) {
        let mut padded = Vec::new();
        let mut strip = vec![[0; STRIP]; self.samples.len() / self.stride];
        for left in (0..self.stride).step_by(STRIP) {
            let used = left..self.stride.min(left + STRIP);
            for (to, row) in strip.iter_mut().zip(self.samples.chunks_exact(self.stride)) {
                to.iter_mut()
                    .zip(row.get(used.clone()).unwrap_or_default())
                    .for_each(|(to, from)| *to = *from);
            }
            (0..3).for_each(|_| window.slide(&mut strip, &mut padded));
            for (from, row) in strip.iter().zip(self.samples.chunks_exact_mut(self.stride)) {
                let row = row.get_mut(used.clone()).unwrap_or_default();
                row.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// Pixels and their samples, side by side.
fn pairs<'a, const N: usize>(
    pixels: &'a mut [u8],
    samples: &'a [u16],
) -> impl Iterator<Item = (&'a mut [u8; N], &'a [u16; N])> {
    pixels.as_chunks_mut().0.iter_mut().zip(samples.as_chunks().0)
}

/// Pixels with alpha in the last of `N` channels.
fn premultiplied<const N: usize>(pixels: &[u8]) -> Vec<u16> {
    let mut samples = vec![0_u16; pixels.len()];
    for (to, from) in samples.as_chunks_mut::<N>().0.iter_mut().zip(pixels.as_chunks::<N>().0) {
        let alpha = u16::from(from.last().copied().unwrap_or(255));
        for (to, &sample) in to.iter_mut().zip(from) {
            *to = u16::from(sample) * alpha;
        }
        if let Some(last) = to.last_mut() {
            *last = alpha * 255;
        }
    }
    samples
}

/// Weights of a Gaussian out to three standard deviations, in parts of 65 536.
fn kernel(sigma: f32) -> Vec<u16> {
    let radius = wide((sigma * 3.0).ceil().clamp(1.0, 100.0));
    let side: Vec<f32> =
        (1..=radius).map(|distance| (-0.5 * (f32::from(distance) / sigma).powi(2)).exp()).collect();
    let total = 1.0 + 2.0 * side.iter().sum::<f32>();
    let side: Vec<u16> = side.iter().map(|weight| wide(weight / total * 65_536.0)).collect();
    let rest: u32 = side.iter().map(|&weight| 2 * u32::from(weight)).sum();
    let centre = u16::try_from(65_536_u32.saturating_sub(rest)).unwrap_or(u16::MAX);
    side.iter().rev().copied().chain([centre]).chain(side.iter().copied()).collect()
}

/// A run of samples that are averaged: all of those up to `radius` away, and the next two in part.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Window {
    radius: usize,
    /// Weight of the two outermost, 0 to 1.
    edge: f32,
}

impl Window {
    /// Applied three times it has the variance of a Gaussian.
    fn third_of(sigma: f32) -> Self {
        let variance = sigma * sigma / 3.0;
        // the largest window without edges that varies no more: of 2r + 1 samples the variance is (r² + r) / 3
        let radius = (((1.0 + 12.0 * variance).sqrt() - 1.0) / 2.0).floor();
        let length = 2.0 * radius + 1.0;
        let missing = variance - radius * (radius + 1.0) / 3.0;
        let edge = length * missing / (2.0 * ((radius + 1.0).powi(2) - variance));
        Self { radius: usize::from(wide(radius.clamp(0.0, 60_000.0))), edge: edge.clamp(0.0, 1.0) }
    }

    /// Replaces every element of a line by the mean of those around it.
    fn slide<const N: usize>(self, line: &mut [[u16; N]], padded: &mut Vec<[u16; N]>) {
        let (Some(&first), Some(&last)) = (line.first(), line.last()) else { return };
        padded.clear();
        padded.extend(std::iter::repeat_n(first, self.radius + 1));
        padded.extend_from_slice(line);
        padded.extend(std::iter::repeat_n(last, self.radius + 1));
        let length = 2 * self.radius + 1;
        let [inner, after] = [1, length + 1].map(|skip| padded.get(skip..).unwrap_or_default());
        let mut sums = [0_i32; N];
        for samples in inner.iter().take(length) {
            sums.iter_mut().zip(samples).for_each(|(sum, &sample)| *sum += i32::from(sample));
        }
        let factor = 1.0 / (length as f32 + 2.0 * self.edge);
        let edge = self.edge * factor;
        for (((to, before), leaving), after) in line.iter_mut().zip(padded.iter()).zip(inner).zip(after) {
            let edges = before.iter().zip(leaving).zip(after);
            for ((to, sum), ((&before, &leaving), &after)) in to.iter_mut().zip(&mut sums).zip(edges) {
                let outermost = i32::from(before) + i32::from(after);
                *to = wide(*sum as f32 * factor + outermost as f32 * edge);
                *sum += i32::from(after) - i32::from(leaving);
            }
        }
    }
}

/// The row with its outermost pixels repeated on both sides.
fn pad_row(row: &[u16], channels: usize, radius: usize, padded: &mut Vec<u16>) {
    let first = row.get(..channels).unwrap_or_default();
    let last = row.get(row.len().saturating_sub(channels)..).unwrap_or_default();
    padded.clear();
    (0..radius).for_each(|_| padded.extend_from_slice(first));
    padded.extend_from_slice(row);
    (0..radius).for_each(|_| padded.extend_from_slice(last));
}

fn add_weighed(sums: &mut [u32], samples: &[u16], weight: u16) {
    for (sum, &sample) in sums.iter_mut().zip(samples) {
        *sum += u32::from(sample) * u32::from(weight);
    }
}

fn narrow(sums: &[u32], to: &mut [u16]) {
    for (to, &sum) in to.iter_mut().zip(sums) {
        *to = u16::try_from(sum >> 16).unwrap_or(u16::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_symmetric_and_whole() {
        for sigma in [0.26, 0.3, 0.5, 0.8, 1.0, 1.7, 2.4] {
            let kernel = kernel(sigma);
            assert!(kernel.len() % 2 == 1 && kernel.iter().rev().eq(&kernel), "{sigma}: {kernel:?}");
            let sum: u32 = kernel.iter().map(|&weight| u32::from(weight)).sum();
            assert_eq!(sum, 65_536, "{sigma}");
        }
    }

    #[test]
    fn windows_have_the_variance_asked_for() {
        for sigma in [0.3_f32, 1.0, 2.5, 3.0, 4.2, 10.0, 33.0, 100.0, 1_000.0] {
            let Window { radius, edge } = Window::third_of(sigma);
            let outermost = (radius as f64 + 1.0).powi(2) * f64::from(edge);
            let squares: f64 =
                (1..=radius).map(|distance| (distance as f64).powi(2)).sum::<f64>() + outermost;
            let variance = 2.0 * squares / (2.0 * radius as f64 + 1.0 + 2.0 * f64::from(edge));
            let found = (3.0 * variance).sqrt();
            assert!((found / f64::from(sigma) - 1.0).abs() < 0.001, "{sigma}: {found}");
        }
    }

    #[test]
    fn a_window_is_a_mean() {
        let mean = |edge| {
            let mut line = [[0], [0], [90], [0], [0], [30]];
            Window { radius: 1, edge }.slide(&mut line, &mut Vec::new());
            line.map(|[sample]| sample)
        };
        assert_eq!(mean(0.0), [0, 30, 30, 30, 10, 20]);
        // fourths, of which the outermost get half; halves go to the even
        assert_eq!(mean(0.5), [11, 22, 22, 26, 22, 19]);
    }
}
