//! The still picture of an AVIF or HEIC file: which item it is, how large, how turned, in which colours.
//!
//! Both formats are one container around two codecs. A file that is only a sequence of frames is refused; the still picture
//! that sequences usually carry is taken instead.

use image::metadata::Orientation;

use super::isobmff::{Container, Nclx, Property, boxes};
use super::{CUT_SHORT, Header, Reader, SourceFormat};
use crate::Error;

/// Tiles of one picture.
const TILES_MAX: usize = 1_024;

/// What an auxiliary picture says of itself when it holds alpha, in its two spellings.
const ALPHA: [&[u8]; 2] = [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"];

const DAMAGED: Error = Error::Undecodable { reason: "its container is damaged" };

/// A part of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// How the coded items make up a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parts {
    /// One coded item.
    Whole(u32),
    /// Coded items side by side, row by row.
    Grid { columns: u32, tiles: Vec<u32> },
}

/// The picture to be shown.
pub(crate) struct Still<'a> {
    pub(crate) container: Container<'a>,
    pub(crate) parts: Parts,
    /// Before it is cut to [`Still::shown`].
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) shown: Area,
    pub(crate) orientation: Orientation,
    pub(crate) profile: Option<&'a [u8]>,
    pub(crate) colour: Option<Nclx>,
    /// The item of alpha and how it is made up.
    pub(crate) alpha: Option<Parts>,
    /// Colours are already multiplied by alpha.
    pub(crate) is_premultiplied: bool,
    bits: u8,
    chroma: Chroma,
}

/// How many samples of chroma there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chroma {
    /// None, or one of each for four of luma.
    Quarter,
    Half,
    Full,
}

/// The format by the brands of the file; none for a file of another kind.
pub(super) fn format(source: &[u8]) -> Option<SourceFormat> {
    let (kind, brands) = boxes(source).next()?;
    if &kind != b"ftyp" {
        return None;
    }
    let mut reader = Reader::new(brands);
    let major = reader.array::<4>()?;
    reader.take(4);
    let others = std::iter::from_fn(move || reader.array::<4>()).take(64);
    // a major brand that names no codec leaves it to the others
    std::iter::once(major).chain(others).find_map(|brand| match &brand {
        b"avif" | b"avis" => Some(SourceFormat::Avif),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => Some(SourceFormat::Heic),
        _ => None,
    })
}

/// Reads the header of an AVIF or HEIC file.
///
/// # Errors
/// `Undecodable` when the container is damaged or holds no still picture.
pub(super) fn header(source: &[u8], format: SourceFormat) -> Result<Header, Error> {
    let still = Still::open(source)?;
    let is_deep = still.bits > 8;
    let decode_bytes_per_pixel = match format {
        SourceFormat::Avif => av1_bytes_per_pixel(still.chroma, is_deep),
        // planes, a copy of them for filters, result, what the decoder keeps beside
        _ => 16,
    };
    Ok(Header {
        has_alpha: still.alpha.is_some(),
        depth: if is_deep { 16 } else { 8 },
        ..Header::still(format, still.shown.width, still.shown.height, decode_bytes_per_pixel)
    })
}

/// Memory that decoding AV1 takes per pixel: samples, coefficients of twice their size, and the result. The decoder keeps some
/// more beside.
pub(crate) fn av1_bytes_per_pixel(chroma: Chroma, is_deep: bool) -> u32 {
    let doubled = match chroma {
        Chroma::Quarter => 3,
        Chroma::Half => 4,
        Chroma::Full => 6,
    };
    let sample = if is_deep { 6 } else { 3 };
    doubled * sample / 2 + 8
}

impl<'a> Still<'a> {
    /// Finds the picture.
    ///
    /// # Errors
    /// As [`header`].
    pub(crate) fn open(source: &'a [u8]) -> Result<Self, Error> {
        let container = Container::open(source).ok_or_else(|| without_meta(source))?;
        let primary = container.primary();
        let parts = parts(&container, primary)?;
        let mut still = Self {
            width: 0,
            height: 0,
            shown: Area { left: 0, top: 0, width: 0, height: 0 },
            orientation: Orientation::NoTransforms,
            profile: None,
            colour: None,
            alpha: None,
            is_premultiplied: false,
            bits: bits(&container, &parts),
            chroma: chroma(&container, &parts),
            parts,
            container,
        };
        still.describe(primary)?;
        still.find_alpha(primary);
        Ok(still)
    }

    fn describe(&mut self, primary: u32) -> Result<(), Error> {
        let mut turn = Turn::default();
        let mut aperture = None;
        for property in self.container.properties(primary) {
            match property {
                Property::Size { width, height } => (self.width, self.height) = (width, height),
                Property::Rotation(quarters) => turn.rotate(4 - quarters),
                Property::Mirror(axis) => turn.mirror(axis),
                Property::Aperture(fractions) => aperture = Some(fractions),
                Property::Profile(profile) => self.profile = Some(profile),
                Property::Colour(colour) => self.colour = Some(colour),
                _ => {}
            }
        }
        if self.width == 0 || self.height == 0 {
            return Err(DAMAGED);
        }
        let whole = Area { left: 0, top: 0, width: self.width, height: self.height };
        self.shown = aperture.and_then(|fractions| cut(whole, fractions)).unwrap_or(whole);
        self.orientation = turn.orientation();
        Ok(())
    }

    fn find_alpha(&mut self, primary: u32) {
        let is_alpha = |&item: &u32| {
            self.container.properties(item).any(|property| match property {
                Property::Auxiliary(urn) => ALPHA.iter().any(|known| urn.starts_with(known)),
                _ => false,
            })
        };
        let item = self.container.sources(b"auxl", primary).find(is_alpha);
        // alpha that cannot be read is no alpha
        self.alpha = item.and_then(|item| parts(&self.container, item).ok());
        self.is_premultiplied =
            item.is_some_and(|item| self.container.targets(b"prem", primary).any(|target| target == item));
    }

    /// The EXIF data, from its TIFF header on.
    pub(crate) fn exif(&self) -> Option<Vec<u8>> {
        let describes = |&item: &u32| {
            self.container.targets(b"cdsc", item).any(|target| target == self.container.primary())
        };
        let item = self.container.of_kind(*b"Exif").find(describes)?;
        let data = self.container.data(item)?;
        let mut reader = Reader::new(&data);
        let skip = usize::try_from(reader.u32_be()?).ok()?;
        reader.take(skip)?;
        Some(reader.rest().to_vec())
    }
}

fn without_meta(source: &[u8]) -> Error {
    let is_sequence = boxes(source).any(|(kind, _)| &kind == b"moov");
    let reason =
        if is_sequence { "it is a sequence without a still picture" } else { "its container is damaged" };
    // a file that ends inside its first box says nothing of itself
    if boxes(source).count() < 2 { CUT_SHORT } else { Error::Undecodable { reason } }
}

fn parts(container: &Container<'_>, item: u32) -> Result<Parts, Error> {
    match &container.kind(item) {
        b"av01" | b"hvc1" => Ok(Parts::Whole(item)),
        b"grid" => grid(container, item).ok_or(DAMAGED),
        // the picture is another one, turned or cut; the properties of both would have to be merged
        _ => Err(Error::Undecodable { reason: "its picture is coded in another way" }),
    }
}

fn grid(container: &Container<'_>, item: u32) -> Option<Parts> {
    let data = container.data(item)?;
    let mut reader = Reader::new(&data);
    reader.take(2)?;
    let (rows, columns) = (u32::from(reader.u8()?) + 1, u32::from(reader.u8()?) + 1);
    let tiles: Vec<u32> = container.targets(b"dimg", item).take(TILES_MAX + 1).collect();
    let expected = usize::try_from(rows * columns).ok()?;
    let are_coded = tiles.iter().all(|&tile| matches!(&container.kind(tile), b"av01" | b"hvc1"));
    (tiles.len() == expected && expected <= TILES_MAX && are_coded).then_some(Parts::Grid { columns, tiles })
}

impl Parts {
    /// The first coded item.
    pub(crate) fn first(&self) -> Option<u32> {
        match self {
            Self::Whole(item) => Some(*item),
            Self::Grid { tiles, .. } => tiles.first().copied(),
        }
    }
}

/// Bits of a channel, from the configuration of the codec; 8 when it is not there.
fn bits(container: &Container<'_>, parts: &Parts) -> u8 {
    let Some(item) = parts.first() else { return 8 };
    let configured = container.properties(item).find_map(|property| match property {
        // AV1 in ISOBMFF section 2.3.3: high bit depth, twelve bit
        Property::Av1(configuration) => configuration.get(2).map(|byte| match byte >> 5 & 3 {
            0 | 1 => 8,
            2 => 10,
            _ => 12,
        }),
        // ISO/IEC 14496-15 section 8.3.3.1: bit depth of luma minus 8
        Property::Hevc(configuration) => configuration.get(17).map(|byte| 8 + (byte & 7)),
        _ => None,
    });
    configured.unwrap_or(8)
}

/// Samples of chroma, from the configuration of AV1.
fn chroma(container: &Container<'_>, parts: &Parts) -> Chroma {
    let configured = parts.first().and_then(|item| {
        container.properties(item).find_map(|property| match property {
            Property::Av1(configuration) => configuration.get(2).copied(),
            _ => None,
        })
    });
    // AV1 in ISOBMFF section 2.3.3: monochrome, subsampling across, and down
    match configured.map(|byte| byte >> 2 & 7) {
        Some(0) => Chroma::Full,
        Some(2) => Chroma::Half,
        _ => Chroma::Quarter,
    }
}

/// The part of the picture that an aperture leaves; none for one that does not lie on whole pixels within it.
fn cut(whole: Area, fractions: [(u32, u32); 4]) -> Option<Area> {
    let [width, height, across, down] = fractions;
    let side = |(numerator, denominator): (u32, u32)| {
        (denominator != 0 && numerator % denominator == 0 && numerator != 0).then(|| numerator / denominator)
    };
    let (width, height) = (side(width)?, side(height)?);
    // the offset is that of the centres, its numerator signed
    let start = |whole: u32, part: u32, (numerator, denominator): (u32, u32)| {
        let (numerator, denominator) = (i64::from(numerator.cast_signed()), i64::from(denominator));
        let doubled = (i64::from(whole) - i64::from(part)) * denominator + 2 * numerator;
        let unit = 2 * denominator;
        if unit == 0 || doubled % unit != 0 {
            return None;
        }
        u32::try_from(doubled / unit)
            .ok()
            .filter(|start| start.checked_add(part).is_some_and(|end| end <= whole))
    };
    let (left, top) = (start(whole.width, width, across)?, start(whole.height, height, down)?);
    Some(Area { left, top, width, height })
}

/// Quarter turns with the clock, and then perhaps an exchange of left and right.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Turn {
    quarters: u8,
    is_flipped: bool,
}

impl Turn {
    /// Turns further by quarters with the clock.
    fn rotate(&mut self, quarters: u8) {
        let quarters = quarters % 4;
        // a turn after an exchange is the opposite turn before it
        let before = if self.is_flipped { 4 - quarters } else { quarters };
        self.quarters = (self.quarters + before) % 4;
    }

    /// Exchanges top and bottom (0), or left and right (1).
    fn mirror(&mut self, axis: u8) {
        self.is_flipped = !self.is_flipped;
        if axis == 0 {
            self.rotate(2);
        }
    }

    fn orientation(self) -> Orientation {
        match (self.quarters, self.is_flipped) {
            (1, false) => Orientation::Rotate90,
            (2, false) => Orientation::Rotate180,
            (3, false) => Orientation::Rotate270,
            (0, true) => Orientation::FlipHorizontal,
            (1, true) => Orientation::Rotate90FlipH,
            (2, true) => Orientation::FlipVertical,
            (3, true) => Orientation::Rotate270FlipH,
            _ => Orientation::NoTransforms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned(steps: &[(char, u8)]) -> Orientation {
        let mut turn = Turn::default();
        for &(step, value) in steps {
            if step == 'r' { turn.rotate(value) } else { turn.mirror(value) }
        }
        turn.orientation()
    }

    /// A picture of two by three different pixels, turned step by step by another library.
    fn by_example(steps: &[(char, u8)]) -> image::GrayImage {
        let mut picture = image::GrayImage::from_raw(2, 3, vec![1, 2, 3, 4, 5, 6]).expect("six pixels");
        for &(step, value) in steps {
            picture = match (step, value % 4) {
                ('r', 0) => picture,
                ('r', 1) => image::imageops::rotate90(&picture),
                ('r', 2) => image::imageops::rotate180(&picture),
                ('r', _) => image::imageops::rotate270(&picture),
                (_, 0) => image::imageops::flip_vertical(&picture),
                _ => image::imageops::flip_horizontal(&picture),
            };
        }
        picture
    }

    #[test]
    fn turns_in_any_order_come_to_one() {
        let mut sequences = vec![vec![]];
        for _ in 0..3 {
            let longer: Vec<Vec<(char, u8)>> = sequences
                .iter()
                .flat_map(|steps: &Vec<(char, u8)>| {
                    [('r', 0), ('r', 1), ('r', 2), ('r', 3), ('m', 0), ('m', 1)].map(|step| {
                        let mut steps = steps.clone();
                        steps.push(step);
                        steps
                    })
                })
                .collect();
            sequences.extend(longer);
        }
        for steps in sequences {
            let mut once = image::DynamicImage::ImageLuma8(by_example(&[]));
            once.apply_orientation(turned(&steps));
            assert_eq!(once.into_luma8(), by_example(&steps), "{steps:?}");
        }
    }

    #[test]
    fn an_aperture_must_lie_on_whole_pixels_inside() {
        let whole = Area { left: 0, top: 0, width: 10, height: 8 };
        let cut =
            |fractions| cut(whole, fractions).map(|area| (area.left, area.top, area.width, area.height));
        assert_eq!(cut([(4, 1), (8, 1), (0, 1), (0, 1)]), Some((3, 0, 4, 8)));
        assert_eq!(cut([(4, 1), (4, 1), (3, 1), ((-2_i32).cast_unsigned(), 1)]), Some((6, 0, 4, 4)));
        assert_eq!(cut([(5, 1), (4, 1), (1, 2), (0, 1)]), Some((3, 2, 5, 4)), "an odd width, off by a half");
        for outside in [
            [(4, 1), (4, 1), (4, 1), (0, 1)],
            [(11, 1), (4, 1), (0, 1), (0, 1)],
            [(5, 1), (4, 1), (0, 1), (0, 1)],
            [(0, 1), (4, 1), (0, 1), (0, 1)],
            [(4, 0), (4, 1), (0, 1), (0, 1)],
            [(4, 1), (4, 1), (0, 0), (0, 1)],
        ] {
            assert_eq!(cut(outside), None, "{outside:?}");
        }
    }
}
