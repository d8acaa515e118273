//! The picture in the order a JPEG takes it: strips of blocks, from top to bottom, padded at the right and below.
//!
//! Planes are cut as they are. Pixels become YCbCr strip by strip, so that no whole picture is held twice.

use crate::Error;
use crate::encode::ycc;
use crate::frame::{Frame, Layout};
use crate::planes::Plane;

use super::dct::Samples;

/// Side of a block.
const BLOCK: usize = 8;

/// One component of the file.
#[derive(Debug, Clone)]
pub(super) struct Component {
    /// Samples across and down that stand for one of the coarsest component: 1 or 2.
    pub(super) across: usize,
    /// See `across`.
    pub(super) down: usize,
    /// Samples.
    pub(super) width: usize,
    /// Samples.
    pub(super) height: usize,
    /// 0 for luma, 1 for chroma: which tables it uses.
    pub(super) chroma: u16,
}

/// Where samples come from.
#[derive(Debug)]
enum Source<'p> {
    Planes(Vec<&'p Plane>),
    Frame(&'p Frame, ycc::Strip),
}

/// Size, components and source of a picture.
#[derive(Debug)]
pub(super) struct Strips<'p> {
    /// Pixels.
    pub(super) width: usize,
    /// Pixels.
    pub(super) height: usize,
    pub(super) components: Vec<Component>,
    source: Source<'p>,
}

/// The blocks of one strip: for each component its rows of blocks, each padded to whole units.
pub(super) type Strip = Vec<Vec<Vec<Samples>>>;

impl<'p> Strips<'p> {
    /// From planes. Chroma must be as large as luma, or half of it (rounded up) across, down or both.
    ///
    /// # Errors
    /// `Unencodable` for other sizes of chroma.
    pub(super) fn of_planes(luma: &'p Plane, chroma: Option<&'p [Plane; 2]>) -> Result<Self, Error> {
        let all = || std::iter::once(luma).chain(chroma.into_iter().flatten());
        let (across, down) = chroma
            .map_or(Some((1, 1)), |[blue, red]| {
                let across = ycc::factor(luma.width, blue.width)?;
                let down = ycc::factor(luma.height, blue.height)?;
                (blue.width == red.width && blue.height == red.height).then_some((across, down))
            })
            .ok_or(Error::Unencodable { reason: "its chroma has an odd size" })?;
        let mut components = Vec::new();
        for (n, plane) in (0..).zip(all()) {
            let (width, height) = (ycc::size(plane.width), ycc::size(plane.height));
            if plane.samples.len() < width * height {
                return Err(Error::Unencodable { reason: "its planes are incomplete" });
            }
            let (across, down) = if n == 0 { (across, down) } else { (1, 1) };
            components.push(Component { across, down, width, height, chroma: u16::from(n > 0) });
        }
        Ok(Self {
            width: ycc::size(luma.width),
            height: ycc::size(luma.height),
            components,
            source: Source::Planes(all().collect()),
        })
    }

    /// From pixels; transparent ones show white. `halved` makes chroma half as large both ways.
    ///
    /// # Errors
    /// `Unencodable` for CMYK.
    pub(super) fn of_frame(frame: &'p Frame, halved: bool) -> Result<Self, Error> {
        let is_grey = matches!(frame.layout, Layout::Grey | Layout::GreyAlpha);
        if frame.layout == Layout::Cmyk {
            return Err(Error::Unencodable { reason: "it is still in CMYK" });
        }
        let (width, height) = (ycc::size(frame.width), ycc::size(frame.height));
        let factor = if halved && !is_grey { 2 } else { 1 };
        let luma = Component { across: factor, down: factor, width, height, chroma: 0 };
        let mut components = vec![luma];
        if !is_grey {
            let (width, height) = (width.div_ceil(factor), height.div_ceil(factor));
            let chroma = Component { across: 1, down: 1, width, height, chroma: 1 };
            components.extend([chroma.clone(), chroma]);
        }
        Ok(Self { width, height, components, source: Source::Frame(frame, ycc::Strip::new(factor == 2)) })
    }

    /// Units (T.81 section A.2.4) in a row.
    pub(super) fn units_across(&self) -> usize {
        self.width.div_ceil(BLOCK * self.components.first().map_or(1, |luma| luma.across))
    }

    /// Rows of units, which is the number of strips.
    pub(super) fn units_down(&self) -> usize {
        self.height.div_ceil(BLOCK * self.components.first().map_or(1, |luma| luma.down))
    }

    /// A strip to load into.
    pub(super) fn room(&self) -> Strip {
        let rows = |component: &Component| {
            vec![vec![[0; 64]; self.units_across() * component.across]; component.down]
        };
        self.components.iter().map(rows).collect()
    }

    /// Loads the n-th strip.
    pub(super) fn load(&mut self, n: usize, strip: &mut Strip) {
        let luma_rows = BLOCK * self.components.first().map_or(1, |luma| luma.down);
        if let Source::Frame(frame, converted) = &mut self.source {
            converted.convert(frame, n * luma_rows, luma_rows);
        }
        for (index, (component, rows)) in self.components.iter().zip(strip.iter_mut()).enumerate() {
            for (below, blocks) in rows.iter_mut().enumerate() {
                match &self.source {
                    Source::Planes(planes) => {
                        let samples = planes.get(index).map_or(&[][..], |plane| &plane.samples);
                        let first = (n * component.down + below) * BLOCK;
                        cut(samples, component.width, component.height, first, blocks);
                    }
                    Source::Frame(_, converted) => {
                        let (samples, height) = converted.plane(index, component.width);
                        cut(samples, component.width, height, below * BLOCK, blocks);
                    }
                }
            }
        }
    }
}

/// Cuts eight rows from `first` on into blocks, repeating the last column and the last row.
fn cut(samples: &[u8], width: usize, height: usize, first: usize, blocks: &mut [Samples]) {
    let whole = width / BLOCK;
    for below in 0..BLOCK {
        let row = (first + below).min(height.saturating_sub(1));
        let row = samples.get(row * width..(row + 1) * width).unwrap_or_default();
        let (eights, rest) = row.as_chunks::<BLOCK>();
        let mut last = [row.last().copied().unwrap_or(0); BLOCK];
        if let Some(start) = last.get_mut(..rest.len()) {
            start.copy_from_slice(rest);
        }
        let beyond = [row.last().copied().unwrap_or(0); BLOCK];
        let partial = (!rest.is_empty()).then_some(&last);
        let all = eights.iter().take(whole).chain(partial).chain(std::iter::repeat(&beyond));
        for (block, eight) in blocks.iter_mut().zip(all) {
            if let Some(place) = block.as_chunks_mut::<BLOCK>().0.get_mut(below) {
                *place = *eight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_repeated() {
        let samples: Vec<u8> = (0..9 * 3).collect();
        let mut blocks = vec![[0; 64]; 3];
        cut(&samples, 9, 3, 0, &mut blocks);
        assert_eq!(blocks[0][..10], [0, 1, 2, 3, 4, 5, 6, 7, 9, 10]);
        assert_eq!(blocks[1][..9], [8, 8, 8, 8, 8, 8, 8, 8, 17]);
        assert_eq!(blocks[2], blocks[1]);
        assert_eq!(blocks[0][3 * 8..4 * 8], blocks[0][2 * 8..3 * 8]);
        assert_eq!(blocks[0][7 * 8], 18);
    }
}
