//! Sequential pictures: every block is finished at once, a strip of blocks at a time.

use std::ops::Range;

use fearless_simd::Simd;

use super::bits::{Bits, Feed};
use super::block::Decoder;
use super::frame::{Component, Frame, Next, Reading, Scan};
use super::idct::Side;
use super::lift::Lifted;
use super::walk::{Stretch, Walk};
use crate::planes::Plane;
use crate::simd::widest;
use crate::{Deadline, Error};

/// What damaged parts are filled with.
pub(super) const GREY: u8 = 128;

/// Reads the planes of all components, beginning with the data of `scan`. None for a kind that is left to the general
/// decoder.
///
/// # Errors
/// `Undecodable` for a file cut short, `Deadline`.
pub(super) fn planes(
    reading: &mut Reading<'_>,
    mut scan: Scan,
    frame: &Frame,
    sides: &[Side],
    lifted: Lifted,
    deadline: &Deadline,
) -> Result<Option<Vec<Plane>>, Error> {
    let mut outputs: Vec<Output> = frame
        .components
        .iter()
        .zip(sides)
        .map(|(component, side)| Output::new(frame, component, *side))
        .collect();
    loop {
        let Some(mut channels) = channels(reading, &scan, frame, &mut outputs, lifted) else {
            return Ok(None);
        };
        let mut feed = Feed::new(reading.segments.rest());
        let (across, down) = scan.units(frame);
        let mut walk = Walk::new(reading.tables.restart, across * down);
        for _ in 0..down {
            deadline.check()?;
            widest!(simd => row(simd, &mut walk, &mut feed, &mut channels, across));
            channels.iter_mut().for_each(Channel::flush);
        }
        reading.segments.skip(feed.finish());
        scan = match reading.next_scan()? {
            Next::Scan(next) => next,
            Next::End => break,
            Next::Unusual => return Ok(None),
        };
    }
    Ok(Some(outputs.into_iter().map(Output::into_plane).collect()))
}

/// Where the samples of one component go.
pub(super) struct Output {
    side: Side,
    width: usize,
    height: usize,
    samples: Vec<u8>,
}

impl Output {
    pub(super) fn new(frame: &Frame, component: &Component, side: Side) -> Self {
        let (width, height) = frame.samples(component, side);
        Self { side, width, height, samples: Vec::with_capacity(width * height) }
    }

    /// Takes over the rows of a strip, whose rows may be longer than those of the picture, and more.
    pub(super) fn append(&mut self, strip: &[u8], stride: usize) {
        let done = self.samples.len() / self.width;
        for row in strip.chunks_exact(stride).take(self.height - done) {
            self.samples.extend(row.get(..self.width).unwrap_or_default());
        }
    }

    /// With what is missing grey.
    pub(super) fn into_plane(mut self) -> Plane {
        self.samples.resize(self.width * self.height, GREY);
        let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        Plane { width: side(self.width), height: side(self.height), samples: self.samples }
    }
}

/// A component in a scan.
struct Channel<'o> {
    decoder: Decoder,
    output: &'o mut Output,
    /// Samples of a unit, across.
    unit: usize,
    /// Where the blocks of a unit lie in the strip, from where the unit begins.
    blocks: Vec<usize>,
    strip: Vec<u8>,
    stride: usize,
}

fn channels<'o>(
    reading: &Reading<'_>,
    scan: &Scan,
    frame: &Frame,
    outputs: &'o mut [Output],
    lifted: Lifted,
) -> Option<Vec<Channel<'o>>> {
    let mut outputs: Vec<Option<&mut Output>> = outputs.iter_mut().map(Some).collect();
    let channel = |part: &super::frame::Part| {
        let component = frame.components.get(part.component)?;
        let output = outputs.get_mut(part.component)?.take()?;
        // a second scan of a component
        if !output.samples.is_empty() {
            return None;
        }
        let quantisers = reading.tables.quantisers(component)?;
        let (dc, ac) = (reading.tables.dc(part.dc)?, reading.tables.ac(part.ac)?);
        let decoder = Decoder::new(output.side, quantisers, dc, ac, lifted.includes(part.component));
        let (across, down) = scan.blocks(component);
        let (side, units) = (output.side.samples(), scan.units(frame).0);
        let stride = units * across * side;
        let place = |row: usize| (0..across).map(move |column| row * side * stride + column * side);
        let blocks = (0..down).flat_map(place).collect();
        let strip = vec![GREY; stride * down * side];
        Some(Channel { decoder, output, unit: across * side, blocks, strip, stride })
    };
    scan.parts.iter().map(channel).collect()
}

impl Channel<'_> {
    /// The blocks of a unit.
    #[inline(always)]
    fn unit(&mut self, simd: impl Simd, bits: &mut Bits, feed: &Feed<'_>, index: usize) -> Option<()> {
        for place in &self.blocks {
            let at = index * self.unit + place;
            self.decoder.block(simd, bits, feed.window(), &mut self.strip, (at, self.stride))?;
        }
        Some(())
    }

    /// Makes units grey.
    #[cold]
    #[inline(never)]
    fn blank(&mut self, units: Range<usize>) {
        let (first, last) = (units.start * self.unit, units.end * self.unit);
        for row in self.strip.chunks_exact_mut(self.stride) {
            row.get_mut(first..last).unwrap_or_default().fill(GREY);
        }
    }

    /// Gives a strip away.
    fn flush(&mut self) {
        self.output.append(&self.strip, self.stride);
    }
}

/// Decodes a row of units. What cannot be read becomes grey.
#[inline(always)]
fn row(simd: impl Simd, walk: &mut Walk, feed: &mut Feed<'_>, channels: &mut [Channel<'_>], across: usize) {
    let mut index = 0;
    while index < across {
        let Stretch { units: range, is_first } = walk.stretch(feed, index, across);
        if is_first {
            channels.iter_mut().for_each(|channel| channel.decoder.restart());
        }
        if !walk.is_lost {
            // a copy stays in registers
            let mut bits = walk.bits;
            index = units(simd, feed, &mut bits, channels, range.clone());
            walk.bits = bits;
            walk.is_lost = index < range.end;
        }
        if walk.is_lost {
            channels.iter_mut().for_each(|channel| channel.blank(index..range.end));
            index = range.end;
        }
    }
}

/// Decodes units one after the other; the first that could not be.
#[inline(always)]
fn units(
    simd: impl Simd,
    feed: &mut Feed<'_>,
    bits: &mut Bits,
    channels: &mut [Channel<'_>],
    range: Range<usize>,
) -> usize {
    let end = range.end;
    for index in range {
        if feed.is_low(bits) && !feed.slide(bits) {
            return index;
        }
        for channel in channels.iter_mut() {
            if channel.unit(simd, bits, feed, index).is_none() {
                return index;
            }
        }
    }
    end
}
