//! Progressive pictures (ITU-T T.81 annex G): coefficients come in many scans, samples at the end.
//!
//! Only the coefficients that are used are kept. Which of the others are not zero is still noted, one bit for each, when
//! the bits of a later scan depend on it. All scan headers are looked through first: a scan that brings nothing used, and
//! that no such scan depends on, is not decoded. Where the light of what is not used counts, the scans with its first bits are.

use std::ops::Range;
use std::rc::Rc;

use fearless_simd::Simd;

use super::bits::{Bits, Feed, Window};
use super::block::{difference, put};
use super::frame::{Component, Frame, Next, Part, Reading, Scan};
use super::huffman::{TO_END, Table};
use super::idct::{self, Block, Factors, NOWHERE, Side};
use super::lift::{self, Lifted, Weights};
use super::sequential::Output;
use super::walk::{Stretch, Walk};
use crate::planes::Plane;
use crate::simd::widest;
use crate::steps::sniff::jpeg::SCANS_MAX;
use crate::{Deadline, Error};

/// Blocks that share a unit.
type Grid = (usize, usize);

/// Reads the planes of all components, beginning with the data of `scan`. None for a kind that is left to the general
/// decoder.
///
/// # Errors
/// `Undecodable` for a file cut short or with too many scans, `Deadline`.
pub(super) fn planes(
    reading: &mut Reading<'_>,
    first: Scan,
    frame: &Frame,
    sides: &[Side],
    lifted: Lifted,
    deadline: &Deadline,
) -> Result<Option<Vec<Plane>>, Error> {
    let is_lifted =
        |index: usize| lifted.includes(index) && sides.get(index).is_some_and(|side| *side != Side::Eight);
    let Some(scans) = all_scans(reading, &first)? else { return Ok(None) };
    let needed = needed(&scans, sides, is_lifted);
    let needs_history = |index: usize| {
        scans.iter().zip(&needed).any(|(scan, needed)| *needed && scan.first > 0 && scan.takes(index))
    };
    let stores = frame.components.iter().zip(sides).enumerate();
    let mut stores: Vec<Store> = stores
        .map(|(index, (component, side))| {
            Store::new(frame, component, *side, needs_history(index), is_lifted(index))
        })
        .collect();
    let last = needed.iter().rposition(|needed| *needed).unwrap_or(0);
    for (index, (scan, needed)) in scans.iter().zip(&needed).enumerate().take(last + 1) {
        let taken = stores.iter_mut().enumerate().filter(|(index, _)| scan.takes(*index));
        taken.for_each(|(_, store)| store.latch(reading));
        if *needed {
            let Some(coded) = decode(reading, scan, frame, &mut stores, deadline)? else { return Ok(None) };
            reading.segments.skip(coded);
        } else {
            reading.segments.skip_entropy_coded();
        }
        if index < last && !matches!(reading.next_scan()?, Next::Scan(_)) {
            return Ok(None);
        }
    }
    let finished = stores.into_iter().zip(&frame.components).zip(sides);
    let finished = finished.map(|((store, component), side)| store.finish(frame, component, *side, deadline));
    finished.collect::<Result<Option<_>, _>>()
}

/// The headers of all scans. None for a kind that is left to the general decoder.
fn all_scans(reading: &Reading<'_>, first: &Scan) -> Result<Option<Vec<Scan>>, Error> {
    let mut ahead = reading.clone();
    let mut scans = vec![first.clone()];
    loop {
        ahead.segments.skip_entropy_coded();
        match ahead.next_scan()? {
            Next::Scan(scan) => scans.push(scan),
            Next::End => return Ok(Some(scans)),
            Next::Unusual => return Ok(None),
        }
        if scans.len() > SCANS_MAX as usize {
            return Err(Error::Undecodable { reason: "the jpeg has too many scans" });
        }
    }
}

/// Which scans matter for blocks of these sides. Of what they leave out and are lifted by, the first bits do.
fn needed(scans: &[Scan], sides: &[Side], is_lifted: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut used: Vec<u64> = sides.iter().map(|side| band(0, side.last())).collect();
    let lifts =
        |scan: &Scan| scan.high == 0 && (0..sides.len()).any(|index| scan.takes(index) && is_lifted(index));
    let mut needed: Vec<bool> =
        scans.iter().rev().map(|scan| matters(scan, &mut used) || lifts(scan)).collect();
    needed.reverse();
    needed
}

/// Whether a scan brings one of the used coefficients. A refinement reads its bits by what came before in all its
/// band, which thereby is used too.
fn matters(scan: &Scan, used: &mut [u64]) -> bool {
    let band = band(scan.first, scan.last);
    let matters = used.iter().enumerate().any(|(index, used)| scan.takes(index) && used & band != 0);
    if matters && scan.first > 0 && scan.high > 0 {
        used.iter_mut()
            .enumerate()
            .filter(|(index, _)| scan.takes(*index))
            .for_each(|(_, used)| *used |= band);
    }
    matters
}

/// One bit for each coefficient from `first` to `last`.
fn band(first: usize, last: usize) -> u64 {
    (u64::MAX << (first & 63)) & (u64::MAX >> (63 - last.min(63)))
}

/// The coefficients of one component.
struct Store {
    side: Side,
    /// Blocks in a row and rows of blocks, with those that only fill up units.
    grid: Grid,
    /// For each block its `side` × `side` coefficients, column by column.
    coefficients: Vec<i16>,
    /// For each block one bit for every coefficient that is not zero; empty when nothing depends on it.
    history: Vec<u64>,
    /// For each block the energy of what it leaves out; empty when it is not lifted.
    energies: Vec<f32>,
    /// Where the coefficients lie, in zigzag order.
    places: [u8; 64],
    /// By the quantisers in force at the first scan.
    factors: Option<Factors>,
    weights: Weights,
    component: Component,
}

impl Store {
    fn new(frame: &Frame, component: &Component, side: Side, has_history: bool, is_lifted: bool) -> Self {
        let (across, down) = frame.units();
        let grid = (across * component.across, down * component.down);
        let blocks = grid.0 * grid.1;
        let mut places = [NOWHERE; 64];
        places.iter_mut().zip(side.places()).for_each(|(to, place)| *to = place);
        Self {
            side,
            grid,
            coefficients: vec![0; blocks * side.coefficients()],
            history: vec![0; if has_history { blocks } else { 0 }],
            energies: vec![0.0; if is_lifted { blocks } else { 0 }],
            places,
            factors: None,
            weights: [0.0; 64],
            component: *component,
        }
    }

    /// Keeps the quantisers in force, if it has none yet.
    fn latch(&mut self, reading: &Reading<'_>) {
        if self.factors.is_none() {
            let quantisers = reading.tables.quantisers(&self.component);
            self.factors = quantisers.map(|table| self.side.factors(table));
            self.weights = quantisers.map(lift::weights).unwrap_or(self.weights);
        }
    }

    /// The coefficients of a block.
    #[inline(always)]
    fn block(&mut self, index: usize) -> &mut [i16] {
        let count = self.side.coefficients();
        self.coefficients.get_mut(index * count..(index + 1) * count).unwrap_or_default()
    }

    /// A block for a scan of details. None where nothing depends on such.
    #[inline(always)]
    fn details(&mut self, index: usize) -> Option<Details<'_>> {
        let count = self.side.coefficients();
        let coefficients = self.coefficients.get_mut(index * count..(index + 1) * count)?;
        let energy = self.energies.get_mut(index).map(|energy| (energy, &self.weights));
        Some(Details { coefficients, history: self.history.get_mut(index)?, energy, places: &self.places })
    }

    /// The picture. None when the component never had quantisers.
    fn finish(
        self,
        frame: &Frame,
        component: &Component,
        side: Side,
        deadline: &Deadline,
    ) -> Result<Option<Plane>, Error> {
        let Some(factors) = &self.factors else { return Ok(None) };
        let mut output = Output::new(frame, component, side);
        let stride = self.grid.0 * side.samples();
        let mut strip = vec![0; stride * side.samples()];
        let row = self.grid.0 * side.coefficients();
        let mut energies = self.energies.chunks_exact(self.grid.0.max(1));
        for blocks in self.coefficients.chunks_exact(row.max(1)) {
            deadline.check()?;
            let energies = energies.next().unwrap_or_default();
            widest!(simd => strip_of(simd, side, blocks, energies, &mut strip, factors));
            output.append(&strip, stride);
        }
        Ok(Some(output.into_plane()))
    }
}

/// The coefficients of a block but the mean.
struct Details<'s> {
    coefficients: &'s mut [i16],
    /// One bit for every coefficient that is not zero.
    history: &'s mut u64,
    /// Of what is left out, with what it is weighed by.
    energy: Option<(&'s mut f32, &'s Weights)>,
    places: &'s [u8; 64],
}

impl Details<'_> {
    /// A coefficient by its place in zigzag order, if it is used.
    #[inline(always)]
    fn coefficient(&mut self, place: usize) -> Option<&mut i16> {
        // no place lies beyond the used ones but NOWHERE
        self.coefficients.get_mut(usize::from(self.places.get(place).copied().unwrap_or(NOWHERE)))
    }

    /// Sets a coefficient that was zero.
    #[inline(always)]
    fn set(&mut self, place: usize, value: i16) {
        *self.history |= 1 << (place & 63);
        if let Some(coefficient) = self.coefficient(place) {
            *coefficient = value;
        } else if let Some((energy, weights)) = &mut self.energy {
            **energy += f32::from(value).powi(2) * weights.get(place).copied().unwrap_or_default();
        }
    }

    /// Reads one bit for each of the coefficients in `which`, and moves by `by` away from zero those for which it is set.
    #[inline(always)]
    fn correct(&mut self, bits: &mut Bits, window: &Window, mut which: u64, by: i16) {
        while which != 0 {
            bits.refill(window);
            let place = which.trailing_zeros() as usize;
            which &= which - 1;
            if bits.take(1) == 1
                && let Some(coefficient) = self.coefficient(place)
            {
                *coefficient =
                    coefficient.wrapping_add(if *coefficient < 0 { by.wrapping_neg() } else { by });
            }
        }
    }
}

/// Turns a row of blocks into a strip of samples.
#[inline(always)]
fn strip_of(
    simd: impl Simd,
    side: Side,
    blocks: &[i16],
    energies: &[f32],
    strip: &mut [u8],
    factors: &Factors,
) {
    match side {
        Side::One => samples::<1, 1>(
            blocks,
            energies,
            strip,
            #[inline(always)]
            |block| [[idct::one(block.first().copied().unwrap_or_default().into(), factors)]],
        ),
        Side::Two => samples::<2, 4>(
            blocks,
            energies,
            strip,
            #[inline(always)]
            |block| idct::two(block, factors),
        ),
        Side::Three => samples::<3, 12>(
            blocks,
            energies,
            strip,
            #[inline(always)]
            |block| idct::three(simd, block, factors),
        ),
        Side::Four => samples::<4, 16>(
            blocks,
            energies,
            strip,
            #[inline(always)]
            |block| idct::four(simd, block, factors),
        ),
        Side::Eight => samples::<8, 64>(
            blocks,
            energies,
            strip,
            #[inline(always)]
            |block| idct::eight(simd, block, factors),
        ),
    }
}

#[inline(always)]
fn samples<const SIDE: usize, const COUNT: usize>(
    coefficients: &[i16],
    energies: &[f32],
    strip: &mut [u8],
    kernel: impl Fn(&Block) -> [[u8; SIDE]; SIDE],
) {
    let (blocks, _) = coefficients.as_chunks::<COUNT>();
    let stride = blocks.len() * SIDE;
    let mut block: Block = [0; 128];
    for (index, from) in blocks.iter().enumerate() {
        if let Some(to) = block.first_chunk_mut::<COUNT>() {
            *to = *from;
        }
        let energy = energies.get(index).copied().unwrap_or_default();
        put(strip, (index * SIDE, stride), lift::lifted(kernel(&block), energy));
    }
}

/// Decodes a scan; the number of its bytes. None when a table is missing.
fn decode(
    reading: &Reading<'_>,
    scan: &Scan,
    frame: &Frame,
    stores: &mut [Store],
    deadline: &Deadline,
) -> Result<Option<usize>, Error> {
    let mut feed = Feed::new(reading.segments.rest());
    let (across, down) = scan.units(frame);
    let mut walk = Walk::new(reading.tables.restart, across * down);
    let Some(mut bands) = bands(reading, scan, frame, stores) else { return Ok(None) };
    for row in 0..down {
        deadline.check()?;
        widest!(_simd => self::row(&mut walk, &mut feed, &mut bands, (row, across)));
    }
    Ok(Some(feed.finish()))
}

/// What a scan brings to one component.
struct Band<'s> {
    store: &'s mut Store,
    /// Blocks of a unit, across and down.
    unit: Grid,
    first: usize,
    last: usize,
    /// The first bits of the coefficients, not later ones.
    is_first: bool,
    low: u32,
    /// None when no codes are read: refinements of the mean.
    table: Option<Rc<Table>>,
    /// The DC coefficient of the block before.
    mean: i32,
    /// Blocks that have ended.
    run: u32,
}

fn bands<'s>(
    reading: &Reading<'_>,
    scan: &Scan,
    frame: &Frame,
    stores: &'s mut [Store],
) -> Option<Vec<Band<'s>>> {
    let mut stores: Vec<Option<&mut Store>> = stores.iter_mut().map(Some).collect();
    let band = |part: &Part| {
        let store = stores.get_mut(part.component)?.take()?;
        let table = match (scan.first, scan.high) {
            (0, 0) => Some(reading.tables.dc(part.dc)?),
            (0, _) => None,
            _ => Some(reading.tables.ac(part.ac)?),
        };
        let unit = scan.blocks(frame.components.get(part.component)?);
        let (first, last, is_first, low) = (scan.first, scan.last, scan.high == 0, scan.low);
        Some(Band { store, unit, first, last, is_first, low, table, mean: 0, run: 0 })
    };
    scan.parts.iter().map(band).collect()
}

/// Decodes a row of units. What cannot be read stays as it is.
#[inline(always)]
fn row(walk: &mut Walk, feed: &mut Feed<'_>, bands: &mut [Band<'_>], (row, across): (usize, usize)) {
    let mut index = 0;
    while index < across {
        let Stretch { units, is_first } = walk.stretch(feed, index, across);
        if is_first {
            bands.iter_mut().for_each(|band| (band.mean, band.run) = (0, 0));
        }
        if !walk.is_lost {
            let mut bits = walk.bits;
            walk.is_lost = self::units(feed, &mut bits, bands, row, units.clone()).is_none();
            walk.bits = bits;
        }
        index = units.end;
    }
}

/// Decodes units one after the other. None for damage.
#[inline(always)]
fn units(
    feed: &mut Feed<'_>,
    bits: &mut Bits,
    bands: &mut [Band<'_>],
    row: usize,
    range: Range<usize>,
) -> Option<()> {
    for index in range {
        if feed.is_low(bits) && !feed.slide(bits) {
            return None;
        }
        for band in bands.iter_mut() {
            band.unit(bits, feed.window(), (index, row))?;
        }
    }
    Some(())
}

impl Band<'_> {
    /// The blocks of the unit that is so far across and down.
    #[inline(always)]
    fn unit(&mut self, bits: &mut Bits, window: &Window, (column, row): Grid) -> Option<()> {
        let (across, down) = self.unit;
        for y in 0..down {
            for x in 0..across {
                let block = (row * down + y) * self.store.grid.0 + column * across + x;
                self.block(bits, window, block)?;
            }
        }
        Some(())
    }

    #[inline(always)]
    fn block(&mut self, bits: &mut Bits, window: &Window, block: usize) -> Option<()> {
        match (self.first, self.is_first) {
            (0, true) => {
                let difference = difference(self.table.as_ref()?, bits, window)?;
                self.mean = self.mean.wrapping_add(difference);
                if let Some(mean) = self.store.block(block).first_mut() {
                    *mean = shifted(self.mean, self.low);
                }
                Some(())
            }
            (0, false) => {
                bits.refill(window);
                let bit = bits.take(1).cast_signed();
                if let Some(mean) = self.store.block(block).first_mut() {
                    *mean |= shifted(bit, self.low);
                }
                Some(())
            }
            (_, true) => self.details(bits, window, block),
            (_, false) => self.refined(bits, window, block),
        }
    }

    /// First bits of coefficients (T.81 section G.1.2.2).
    #[inline(always)]
    fn details(&mut self, bits: &mut Bits, window: &Window, block: usize) -> Option<()> {
        if self.run > 0 {
            self.run -= 1;
            return Some(());
        }
        let (table, mut block) = (self.table.as_ref()?, self.store.details(block)?);
        let mut place = self.first;
        while place <= self.last {
            let (step, value) = symbol(table, bits, window)?;
            if step >= TO_END {
                self.run = run(step, bits) - 1;
                break;
            }
            place += step;
            if value != 0 {
                block.set(place - 1, shifted(value.into(), self.low));
            }
        }
        Some(())
    }

    /// Later bits of coefficients (T.81 section G.1.2.3): those that are new, and one bit for each that was not zero.
    #[inline(always)]
    fn refined(&mut self, bits: &mut Bits, window: &Window, block: usize) -> Option<()> {
        let (table, mut block) = (self.table.as_ref()?, self.store.details(block)?);
        let (by, end) = (shifted(1, self.low), self.last + 1);
        let before_this = *block.history;
        let mut place = self.first;
        while self.run == 0 && place < end {
            let (step, value) = symbol(table, bits, window)?;
            if step >= TO_END {
                self.run = run(step, bits);
                break;
            }
            let next = nth_zero(before_this, place, step).min(end);
            block.correct(bits, window, before_this & before(next) & !before(place), by);
            if value != 0 && next < end {
                block.set(next, shifted(value.signum().into(), self.low));
            }
            place = next + 1;
        }
        if self.run > 0 {
            self.run -= 1;
            block.correct(bits, window, before_this & before(end) & !before(place), by);
        }
        Some(())
    }
}

/// The next step with its value.
#[inline(always)]
fn symbol(table: &Table, bits: &mut Bits, window: &Window) -> Option<(usize, i16)> {
    bits.refill(window);
    let entry = table.look(*bits);
    if entry.is_whole() {
        bits.consume(entry.bits());
        return Some((entry.step(), entry.value()));
    }
    table.read_apart(entry, bits)
}

/// How many blocks end with this one, at least 1; the bits that say so follow the step.
#[inline(always)]
fn run(step: usize, bits: &mut Bits) -> u32 {
    let size = u32::try_from(step - TO_END).unwrap_or_default();
    (1 << size) + bits.take(size)
}

/// A coefficient whose `low` last bits are still to come.
#[inline(always)]
fn shifted(value: i32, low: u32) -> i16 {
    #[expect(clippy::cast_possible_truncation, reason = "only damaged data has more than 16 bits")]
    let value = value.wrapping_shl(low) as i16;
    value
}

/// The place of the `count`th bit that is zero from place `from` on; 64 or more when there are fewer.
#[inline(always)]
fn nth_zero(history: u64, from: usize, count: usize) -> usize {
    let mut zeros = !history & !before(from);
    for _ in 1..count {
        zeros &= zeros.wrapping_sub(1);
    }
    zeros.trailing_zeros() as usize
}

/// Bits for all places before `place`.
#[inline(always)]
fn before(place: usize) -> u64 {
    if place < 64 { (1 << place) - 1 } else { u64::MAX }
}
