//! What the markers of a file say (ITU-T T.81 annex B): frame, tables and scans.
//!
//! Nothing is refused here. Whatever is not as usual is left to the general decoder, which finds words for it.

use std::cell::OnceCell;
use std::rc::Rc;

use super::huffman::{Kind, Table};
use super::idct::Side;
use super::{Colour, Least, Scale, Wanted};
use crate::Error;
use crate::steps::sniff::jpeg::Segments;
use crate::steps::sniff::reader::Reader;

/// Blocks of a unit of an interleaved scan (T.81 section B.2.3).
const UNIT_BLOCKS_MAX: usize = 10;

/// One channel of the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Component {
    id: u8,
    /// Samples for those of the component that has most, across; 1 to 4.
    pub(super) across: usize,
    /// The same down.
    pub(super) down: usize,
    /// Which quantisation table.
    quantisers: usize,
}

/// The frame header.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// Pixels, not 0.
    pub(super) width: u32,
    /// Pixels, not 0.
    pub(super) height: u32,
    pub(super) progressive: bool,
    /// One, or three of which the second and the third are sampled alike and no finer than the first.
    pub(super) components: Vec<Component>,
}

impl Frame {
    fn parse(payload: &[u8], progressive: bool) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let (8, height, width, count @ (1 | 3)) =
            (reader.u8()?, reader.u16_be()?, reader.u16_be()?, reader.u8()?)
        else {
            return None;
        };
        let mut components = Vec::new();
        for _ in 0..count {
            let (id, sampling, quantisers) = (reader.u8()?, reader.u8()?, reader.u8()?);
            let (across, down) = (usize::from(sampling >> 4), usize::from(sampling & 15));
            let is_valid = (1..=4).contains(&across) && (1..=4).contains(&down) && quantisers < 4;
            if !is_valid || components.iter().any(|other: &Component| other.id == id) {
                return None;
            }
            components.push(Component { id, across, down, quantisers: quantisers.into() });
        }
        // one component is never interleaved: its sampling means nothing (T.81 section A.2.2)
        if let [only] = components.as_mut_slice() {
            (only.across, only.down) = (1, 1);
        }
        let frame = Self { width: width.into(), height: height.into(), progressive, components };
        (width > 0 && height > 0 && frame.is_usual()).then_some(frame)
    }

    fn is_usual(&self) -> bool {
        let blocks: usize = self.components.iter().map(|component| component.across * component.down).sum();
        let sampled = |component: &Component| (component.across, component.down);
        let is_usual = match self.components.as_slice() {
            [luma, blue, red] => {
                sampled(blue) == sampled(red) && luma.across >= blue.across && luma.down >= blue.down
            }
            _ => true,
        };
        is_usual && blocks <= UNIT_BLOCKS_MAX
    }

    /// The sampling of the first component, which is the finest.
    fn finest(&self) -> (usize, usize) {
        self.components.first().map_or((1, 1), |component| (component.across, component.down))
    }

    /// Units of an interleaved scan, across and down.
    pub(super) fn units(&self) -> (usize, usize) {
        let (across, down) = self.finest();
        ((self.width as usize).div_ceil(8 * across), (self.height as usize).div_ceil(8 * down))
    }

    /// Blocks of a component, across and down, without those that only fill up a unit.
    pub(super) fn blocks(&self, component: &Component) -> (usize, usize) {
        let (across, down) = self.samples(component, Side::Eight);
        (across.div_ceil(8), down.div_ceil(8))
    }

    /// Samples of a component whose blocks become `side` wide, across and down.
    pub(super) fn samples(&self, component: &Component, side: Side) -> (usize, usize) {
        let (finest_across, finest_down) = self.finest();
        let samples = |length: u32, sampling: usize, finest: usize| {
            // first those of the whole component, which is rounded up itself
            let whole = (length as usize * sampling).div_ceil(finest);
            (whole * side.samples()).div_ceil(8)
        };
        (
            samples(self.width, component.across, finest_across),
            samples(self.height, component.down, finest_down),
        )
    }

    /// The smallest sides of blocks that have what is wanted.
    pub(super) fn sides(&self, wanted: Wanted) -> Vec<Side> {
        let side = |component: &Component, least: Least| {
            let suffices = |side: &Side| {
                let (across, down) = self.samples(component, *side);
                across as f64 >= least.width && down as f64 >= least.height
            };
            Side::ALL.into_iter().find(suffices).unwrap_or(Side::Eight)
        };
        let least = std::iter::once(wanted.luma).chain(std::iter::repeat(wanted.chroma));
        self.components.iter().zip(least).map(|(component, least)| side(component, least)).collect()
    }

    /// Samples for each pixel of a component whose blocks become `side` wide. Of one that there is not, as many as
    /// pixels.
    pub(super) fn scale(&self, index: usize, side: Side) -> Scale {
        let Some(component) = self.components.get(index) else { return Scale::WHOLE };
        let (finest_across, finest_down) = self.finest();
        let scale = |sampling: usize, finest: usize| (sampling * side.samples()) as f64 / (finest * 8) as f64;
        Scale { across: scale(component.across, finest_across), down: scale(component.down, finest_down) }
    }
}

/// The tables in force. Those of codes are built when they are used: a file can hold millions that are not.
#[derive(Clone, Default)]
pub(super) struct Tables<'a> {
    quantisers: [Option<[u16; 64]>; 4],
    dc: [Codes<'a>; 4],
    ac: [Codes<'a>; 4],
    /// Units between restart markers; 0 for none.
    pub(super) restart: usize,
}

/// A table of codes as the file has it.
#[derive(Clone, Default)]
struct Codes<'a> {
    counts: [u8; 16],
    symbols: &'a [u8],
    built: OnceCell<Option<Rc<Table>>>,
}

impl Codes<'_> {
    fn table(&self, kind: Kind) -> Option<Rc<Table>> {
        let build = || Table::new(kind, &self.counts, self.symbols).map(Rc::new);
        if self.symbols.is_empty() { None } else { self.built.get_or_init(build).clone() }
    }
}

impl<'a> Tables<'a> {
    /// The quantisers of a component, in zigzag order.
    pub(super) fn quantisers(&self, component: &Component) -> Option<&[u16; 64]> {
        self.quantisers.get(component.quantisers)?.as_ref()
    }

    /// For DC coefficients.
    pub(super) fn dc(&self, place: usize) -> Option<Rc<Table>> {
        self.dc.get(place)?.table(Kind::Dc)
    }

    /// For AC coefficients.
    pub(super) fn ac(&self, place: usize) -> Option<Rc<Table>> {
        self.ac.get(place)?.table(Kind::Ac)
    }

    fn read_quantisers(&mut self, payload: &[u8]) -> Option<()> {
        let mut reader = Reader::new(payload);
        while !reader.rest().is_empty() {
            let (precision, place) = nibbles(reader.u8()?);
            let mut table = [0; 64];
            for quantiser in &mut table {
                *quantiser = if precision == 0 { reader.u8()?.into() } else { reader.u16_be()? };
            }
            *self.quantisers.get_mut(place)? = Some(table);
        }
        Some(())
    }

    fn read_codes(&mut self, payload: &'a [u8]) -> Option<()> {
        let mut reader = Reader::new(payload);
        while !reader.rest().is_empty() {
            let (class, place) = nibbles(reader.u8()?);
            let counts: [u8; 16] = reader.array()?;
            let total: usize = counts.iter().map(|count| usize::from(*count)).sum();
            let symbols = reader.take(total).filter(|symbols| symbols.len() <= 256)?;
            let tables = match class {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return None,
            };
            *tables.get_mut(place)? = Codes { counts, symbols, built: OnceCell::new() };
        }
        Some(())
    }
}

fn nibbles(byte: u8) -> (usize, usize) {
    (usize::from(byte >> 4), usize::from(byte & 15))
}

/// A component's part in a scan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Which component of the frame.
    pub(super) component: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

/// The header of a scan.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    /// At least one, each of another component.
    pub(super) parts: Vec<Part>,
    /// Coefficients in zigzag order, 0 to 63, `first` <= `last`.
    pub(super) first: usize,
    pub(super) last: usize,
    /// Bits that an earlier scan has left out and this one, or its followers, bring; 0 for the first scan.
    pub(super) high: u32,
    /// Bits that this scan leaves out; 0 to 13.
    pub(super) low: u32,
}

impl Scan {
    fn parse(payload: &[u8], frame: &Frame) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let count = reader.u8()?;
        let mut parts: Vec<Part> = Vec::new();
        for _ in 0..count {
            let (id, tables) = (reader.u8()?, reader.u8()?);
            let component = frame.components.iter().position(|component| component.id == id)?;
            if parts.iter().any(|part| part.component == component) {
                return None;
            }
            let (dc, ac) = nibbles(tables);
            parts.push(Part { component, dc, ac });
        }
        let (first, last) = (usize::from(reader.u8()?), usize::from(reader.u8()?));
        let (high, low) = nibbles(reader.u8()?);
        let scan =
            Self { parts, first, last, high: u32::try_from(high).ok()?, low: u32::try_from(low).ok()? };
        scan.is_usual(frame).then_some(scan)
    }

    fn is_usual(&self, frame: &Frame) -> bool {
        let is_refinement = self.high == 0 || self.high == self.low + 1;
        let bits =
            if frame.progressive { self.low <= 13 && is_refinement } else { self.high + self.low == 0 };
        let band = if !frame.progressive {
            (self.first, self.last) == (0, 63)
        } else if self.first == 0 {
            self.last == 0
        } else {
            self.first <= self.last && self.last <= 63 && self.parts.len() == 1
        };
        !self.parts.is_empty() && bits && band
    }

    /// Units of the scan, across and down; a single component is never interleaved.
    pub(super) fn units(&self, frame: &Frame) -> (usize, usize) {
        match self.parts.as_slice() {
            [only] => {
                frame.components.get(only.component).map_or((0, 0), |component| frame.blocks(component))
            }
            _ => frame.units(),
        }
    }

    /// Whether it holds data of that component of the frame.
    pub(super) fn takes(&self, component: usize) -> bool {
        self.parts.iter().any(|part| part.component == component)
    }

    /// Blocks of that component in a unit of this scan, across and down.
    pub(super) fn blocks(&self, component: &Component) -> (usize, usize) {
        if self.parts.len() == 1 { (1, 1) } else { (component.across, component.down) }
    }
}

/// What comes next in a file.
pub(super) enum Next {
    Scan(Scan),
    End,
    /// Something that is left to the general decoder.
    Unusual,
}

/// A walk through a file, with what it has said so far.
#[derive(Clone)]
pub(super) struct Reading<'a> {
    pub(super) segments: Segments<'a>,
    pub(super) frame: Option<Frame>,
    pub(super) tables: Tables<'a>,
    jfif: bool,
    /// The colour transform of an Adobe segment (T.872 section 6.5.3).
    adobe: Option<u8>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(source: &'a [u8]) -> Self {
        let segments = Segments::new(source);
        Self { segments, frame: None, tables: Tables::default(), jfif: false, adobe: None }
    }

    /// Goes on to behind the next scan's header.
    ///
    /// # Errors
    /// `Undecodable` for a file cut short.
    pub(super) fn next_scan(&mut self) -> Result<Next, Error> {
        while let Some(segment) = self.segments.next_segment()? {
            if segment.marker == 0xda {
                let scan = self.frame.as_ref().and_then(|frame| Scan::parse(segment.payload, frame));
                return Ok(scan.map_or(Next::Unusual, Next::Scan));
            }
            if self.take(segment.marker, segment.payload).is_none() {
                return Ok(Next::Unusual);
            }
        }
        Ok(Next::End)
    }

    fn take(&mut self, marker: u8, payload: &'a [u8]) -> Option<()> {
        match marker {
            0xc0..=0xc2 if self.frame.is_none() => {
                self.frame = Some(Frame::parse(payload, marker == 0xc2)?);
                Some(())
            }
            0xc4 => self.tables.read_codes(payload),
            // other frames, arithmetic coding, numbers of lines afterwards, hierarchies
            0xc0..=0xcf | 0xdc | 0xde | 0xdf => None,
            0xdb => self.tables.read_quantisers(payload),
            0xdd => {
                self.tables.restart = usize::from(Reader::new(payload).u16_be()?);
                Some(())
            }
            0xe0 => {
                self.jfif |= payload.starts_with(b"JFIF\0");
                Some(())
            }
            0xee if payload.starts_with(b"Adobe") => {
                self.adobe = payload.get(11).copied();
                Some(())
            }
            _ => Some(()),
        }
    }

    /// What the planes mean, by the same signs as everywhere: JFIF, Adobe, the names of the components.
    pub(super) fn colour(&self) -> Colour {
        let ids: Vec<u8> =
            self.frame.iter().flat_map(|frame| &frame.components).map(|each| each.id).collect();
        match (ids.as_slice(), self.jfif, self.adobe) {
            ([_], _, _) => Colour::Grey,
            (_, true, _) => Colour::Ycc,
            (_, _, Some(transform)) => {
                if transform == 0 {
                    Colour::Rgb
                } else {
                    Colour::Ycc
                }
            }
            (b"RGB", _, None) => Colour::Rgb,
            _ => Colour::Ycc,
        }
    }
}
