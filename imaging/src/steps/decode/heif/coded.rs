//! Decoded luma and chroma to red, green and blue of eight bits (ITU-T H.273 section 8.3).
//!
//! Chroma of half the size is taken to lie between its samples of luma both ways, and is interpolated: its position is
//! stated by few files and honoured by fewer viewers. Constant luminance and ICtCp are refused.

use serde::{Deserialize, Serialize};

use super::DAMAGED;
use crate::Error;
use crate::frame::{Frame, Layout, buffer_bytes};
use crate::steps::decode::hdr;

pub(super) const MIXED_OTHERWISE: Error =
    Error::Undecodable { reason: "its colours are mixed in another way" };

/// Code points of colours, as a file or its codec names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meaning {
    pub(super) primaries: u16,
    pub(super) transfer: u16,
    pub(super) matrix: u16,
    pub(super) is_full_range: bool,
}

/// What the samples of an item are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Colours {
    /// To be seen; a profile, if there is one, says more of them than code points do.
    Shown { has_profile: bool },
    /// Luma alone, as amounts.
    Alpha,
}

/// Samples of one kind, in rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Samples<'a> {
    Narrow(&'a [u8]),
    Wide(&'a [u16]),
}

/// One plane of a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channel<'a> {
    pub(super) samples: Samples<'a>,
    /// Samples from one row to the next.
    pub(super) stride: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// A picture as its codec hands it out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coded<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Bits of a sample, 8 to 16.
    pub(super) depth: u8,
    pub(super) luma: Channel<'a>,
    /// Blue and red difference, of any size up to that of luma; or blue and red.
    pub(super) chroma: Option<[Channel<'a>; 2]>,
    /// As the codec's own header says.
    pub(super) meaning: Meaning,
}

impl Channel<'_> {
    /// One row as numbers; the last one for any further row.
    fn read(&self, row: usize, out: &mut Vec<f32>) {
        let start = row.min(self.height.saturating_sub(1)).saturating_mul(self.stride);
        let end = start.saturating_add(self.width);
        out.clear();
        match self.samples {
            Samples::Narrow(all) => {
                out.extend(all.get(start..end).unwrap_or_default().iter().map(|&sample| f32::from(sample)));
            }
            Samples::Wide(all) => {
                out.extend(all.get(start..end).unwrap_or_default().iter().map(|&sample| f32::from(sample)));
            }
        }
        out.resize(self.width, 0.0);
    }
}

/// How a row of colours is made.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// From luma and two differences: what of red is added to red, of both to green, of blue to blue.
    Mixed { red: f32, green: (f32, f32), blue: f32 },
    /// Green, blue and red as they are.
    Apart,
    /// Luma, and differences of green and of orange.
    Lifted,
}

impl Way {
    fn of(meaning: Meaning) -> Result<Self, Error> {
        let (red, blue) = match (meaning.matrix, meaning.primaries) {
            (0, _) => return Ok(Self::Apart),
            (8, _) => return Ok(Self::Lifted),
            (1, _) | (12, 1) => (0.2126, 0.0722),
            (4, _) => (0.3, 0.11),
            (7, _) => (0.212, 0.087),
            (9, _) | (12, 9) => (0.2627, 0.0593),
            (12, 12) => (0.228_975, 0.079_287),
            // 2 is unspecified, and commonly taken for these
            (2 | 5 | 6, _) => (0.299, 0.114),
            _ => return Err(MIXED_OTHERWISE),
        };
        let green = 1.0 - red - blue;
        Ok(Self::Mixed {
            red: 2.0 * (1.0 - red),
            green: (-2.0 * blue * (1.0 - blue) / green, -2.0 * red * (1.0 - red) / green),
            blue: 2.0 * (1.0 - blue),
        })
    }

    /// Red, green and blue from 0 to 1, of luma from 0 to 1 and differences around 0.
    #[inline]
    fn colours(self, luma: f32, first: f32, second: f32) -> [f32; 3] {
        match self {
            Self::Mixed { red, green, blue } => {
                [luma + red * second, luma + green.0 * first + green.1 * second, luma + blue * first]
            }
            Self::Apart => [second, luma, first],
            Self::Lifted => {
                let rest = luma - first;
                [rest + second, luma + first, rest - second]
            }
        }
    }
}

/// Numbers to amounts: what is taken off and what is multiplied with.
#[derive(Debug, Clone, Copy)]
struct Range {
    from: f32,
    factor: f32,
}

impl Range {
    fn luma(depth: u8, is_full: bool) -> Self {
        let unit = f32::from(1_u16 << (depth - 8));
        if is_full {
            Self { from: 0.0, factor: 1.0 / most(depth) }
        } else {
            Self { from: 16.0 * unit, factor: 1.0 / (219.0 * unit) }
        }
    }

    fn chroma(depth: u8, is_full: bool) -> Self {
        let unit = f32::from(1_u16 << (depth - 8));
        let factor = if is_full { 1.0 / most(depth) } else { 1.0 / (224.0 * unit) };
        Self { from: 128.0 * unit, factor }
    }

    #[inline]
    fn of(self, number: f32) -> f32 {
        (number - self.from) * self.factor
    }
}

fn most(depth: u8) -> f32 {
    f32::from(u16::MAX >> (16 - depth))
}

impl Coded<'_> {
    /// The picture at eight bits, and what its colours mean if that is still open.
    ///
    /// # Errors
    /// `Undecodable` for samples or colours of other kinds.
    pub(super) fn frame(
        &self,
        said: Option<Meaning>,
        colours: Colours,
    ) -> Result<(Frame, Option<Meaning>), Error> {
        let is_sane = (8..=16).contains(&self.depth)
            && self.luma.width > 0
            && self.luma.height > 0
            && self.chroma.is_none_or(|both| both.iter().all(|one| one.width > 0 && one.height > 0));
        if !is_sane {
            return Err(DAMAGED);
        }
        let meaning = match colours {
            Colours::Alpha => self.meaning,
            Colours::Shown { .. } => said.unwrap_or(self.meaning),
        };
        let (Some(chroma), Colours::Shown { has_profile }) = (self.chroma, colours) else {
            let shown = matches!(colours, Colours::Shown { .. }).then_some(meaning);
            return Ok((self.grey(meaning)?, shown));
        };
        let light = if has_profile { None } else { hdr::Light::of(meaning.transfer, meaning.primaries) };
        let frame = match light {
            Some(light) => self.colour(chroma, meaning, |colours| light.shown(colours))?,
            None => self.colour(chroma, meaning, |colours| colours.map(byte))?,
        };
        Ok((frame, light.is_none().then_some(meaning)))
    }

    fn grey(&self, meaning: Meaning) -> Result<Frame, Error> {
        let range = Range::luma(self.depth, meaning.is_full_range);
        let mut pixels = Vec::with_capacity(buffer_bytes(self.width, self.height, Layout::Grey)?);
        let mut row = Vec::new();
        for y in 0..self.luma.height {
            self.luma.read(y, &mut row);
            pixels.extend(row.iter().map(|&number| byte(range.of(number))));
        }
        Ok(Frame { width: self.width, height: self.height, layout: Layout::Grey, pixels })
    }

    fn colour(
        &self,
        chroma: [Channel<'_>; 2],
        meaning: Meaning,
        shown: impl Fn([f32; 3]) -> [u8; 3],
    ) -> Result<Frame, Error> {
        let way = Way::of(meaning)?;
        let luma = Range::luma(self.depth, meaning.is_full_range);
        // green, blue and red are all of luma's range
        let difference = match way {
            Way::Apart => luma,
            _ => Range::chroma(self.depth, meaning.is_full_range),
        };
        let mut pixels = Vec::with_capacity(buffer_bytes(self.width, self.height, Layout::Rgb)?);
        let mut row = Vec::new();
        let mut differences = chroma.map(|channel| Enlarged::new(channel, self.luma.width, self.luma.height));
        for y in 0..self.luma.height {
            self.luma.read(y, &mut row);
            let [first, second] = &mut differences;
            let (first, second) = (first.row(y), second.row(y));
            for ((&number, &first), &second) in row.iter().zip(first).zip(second) {
                let mixed = way.colours(luma.of(number), difference.of(first), difference.of(second));
                pixels.extend(shown(mixed));
            }
        }
        Ok(Frame { width: self.width, height: self.height, layout: Layout::Rgb, pixels })
    }
}

fn byte(amount: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
    let byte = (amount * 255.0 + 0.5) as u8;
    byte
}

/// A plane at the size of another one, row by row.
struct Enlarged<'a> {
    channel: Channel<'a>,
    is_halved: (bool, bool),
    width: usize,
    near: Vec<f32>,
    far: Vec<f32>,
    wide: Vec<f32>,
}

impl<'a> Enlarged<'a> {
    fn new(channel: Channel<'a>, width: usize, height: usize) -> Self {
        let is_halved = (channel.width < width, channel.height < height);
        Self { channel, is_halved, width, near: Vec::new(), far: Vec::new(), wide: Vec::new() }
    }

    fn row(&mut self, y: usize) -> &[f32] {
        if self.is_halved.1 {
            // three parts of the nearer row, one of the other
            let (near, other) =
                (y / 2, if y.is_multiple_of(2) { (y / 2).saturating_sub(1) } else { y / 2 + 1 });
            self.channel.read(near, &mut self.near);
            self.channel.read(other, &mut self.far);
            for (near, far) in self.near.iter_mut().zip(&self.far) {
                *near = 0.75 * *near + 0.25 * *far;
            }
        } else {
            self.channel.read(y, &mut self.near);
        }
        if !self.is_halved.0 {
            return &self.near;
        }
        self.wide.clear();
        let (mut before, mut here) = (self.near.first().copied().unwrap_or(0.0), None);
        for &next in self.near.iter().chain(self.near.last()) {
            if let Some(here) = here.replace(next) {
                self.wide.extend([0.75 * here + 0.25 * before, 0.75 * here + 0.25 * next]);
                before = here;
            }
        }
        self.wide.truncate(self.width);
        &self.wide
    }
}

#[cfg(test)]
mod tests;
