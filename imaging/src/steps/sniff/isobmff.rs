//! The `meta` box of AVIF and HEIC files (ISO/IEC 14496-12 and 23008-12): which items there are, what is said of them and
//! where their bytes are.
//!
//! Nothing of a picture is decoded and no item is copied. Every list is bounded, boxes must lie within their parent, and an
//! item may be no longer than the file. Items made of other items' bytes (construction method 2) are refused: no camera
//! and no encoder writes them, and they can be nested to any size.

use std::borrow::Cow;

use super::Reader;

/// Items of a file. A phone's picture of 200 megapixels has about 800 tiles.
const ITEMS_MAX: usize = 2_048;
/// Properties of a file.
const PROPERTIES_MAX: usize = 4_096;
/// Properties of one item.
const ASSOCIATIONS_MAX: usize = 64;
/// References from item to item, counted by target.
const REFERENCES_MAX: usize = 8_192;
/// Pieces of one item.
const EXTENTS_MAX: usize = 256;
/// Boxes on one level.
const BOXES_MAX: u32 = 4_096;

/// A property that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Property<'a> {
    /// `ispe`: size of the item before it is turned.
    Size { width: u32, height: u32 },
    /// `irot`: quarter turns against the clock.
    Rotation(u8),
    /// `imir`: 0 exchanges top and bottom, 1 left and right.
    Mirror(u8),
    /// `clap`: what of the picture to show: width, height, horizontal and vertical offset, each a fraction.
    Aperture([(u32, u32); 4]),
    /// `colr` with a profile.
    Profile(&'a [u8]),
    /// `colr` of type `nclx`.
    Colour(Nclx),
    /// `auxC`: what an auxiliary picture holds.
    Auxiliary(&'a [u8]),
    /// `av1C`, without its box header.
    Av1(&'a [u8]),
    /// `hvcC`, without its box header.
    Hevc(&'a [u8]),
    /// Another one.
    Other,
}

/// Code points of a colour space (ITU-T H.273).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nclx {
    pub(crate) primaries: u16,
    pub(crate) transfer: u16,
    pub(crate) matrix: u16,
    pub(crate) is_full_range: bool,
}

/// An item and where its bytes are.
#[derive(Debug, Clone, Default)]
struct Item {
    id: u32,
    kind: [u8; 4],
    in_idat: bool,
    extents: Vec<(u64, u64)>,
    /// Indices into the properties, in the order they are to be applied.
    properties: Vec<u16>,
}

struct Reference {
    kind: [u8; 4],
    from: u32,
    to: u32,
}

/// A file's items.
pub(crate) struct Container<'a> {
    source: &'a [u8],
    idat: &'a [u8],
    primary: u32,
    items: Vec<Item>,
    properties: Vec<Property<'a>>,
    references: Vec<Reference>,
}

impl<'a> Container<'a> {
    /// Reads the `meta` box; none when there is none, or it is damaged or beyond a bound.
    pub(crate) fn open(source: &'a [u8]) -> Option<Self> {
        let meta = find(source, b"meta")?;
        let mut file = Self {
            source,
            idat: &[],
            primary: 0,
            items: Vec::new(),
            properties: Vec::new(),
            references: Vec::new(),
        };
        let body = full_box(meta)?.2;
        let mut places = None;
        let mut associations = None;
        for (kind, payload) in boxes(body.rest()) {
            match &kind {
                b"pitm" => file.primary = primary(payload)?,
                b"iinf" => file.read_items(payload)?,
                b"iloc" => places = Some(payload),
                b"idat" => file.idat = payload,
                b"iref" => file.read_references(payload)?,
                b"iprp" => {
                    file.properties = properties(find(payload, b"ipco")?)?;
                    associations = find(payload, b"ipma");
                }
                _ => {}
            }
        }
        file.items.sort_by_key(|item| item.id);
        file.read_places(places?)?;
        if let Some(associations) = associations {
            file.read_associations(associations)?;
        }
        Some(file)
    }

    /// The item to be shown.
    pub(crate) fn primary(&self) -> u32 {
        self.primary
    }

    /// The four letters of an item's type; zeros for one that does not exist.
    pub(crate) fn kind(&self, id: u32) -> [u8; 4] {
        self.item(id).map(|item| item.kind).unwrap_or_default()
    }

    /// What is said of an item, in the order in which it is to be applied.
    pub(crate) fn properties(&self, id: u32) -> impl Iterator<Item = Property<'a>> + '_ {
        let indices = self.item(id).map(|item| item.properties.as_slice()).unwrap_or_default();
        indices.iter().filter_map(|&index| self.properties.get(usize::from(index).checked_sub(1)?).copied())
    }

    /// The bytes of an item; none when they lie outside the file.
    pub(crate) fn data(&self, id: u32) -> Option<Cow<'a, [u8]>> {
        let item = self.item(id)?;
        let place = if item.in_idat { self.idat } else { self.source };
        let piece = |&(offset, length): &(u64, u64)| {
            let offset = usize::try_from(offset).ok()?;
            let rest = place.get(offset..)?;
            if length == 0 { Some(rest) } else { rest.get(..usize::try_from(length).ok()?) }
        };
        if let [only] = item.extents.as_slice() {
            return piece(only).map(Cow::Borrowed);
        }
        let mut whole = Vec::new();
        for extent in &item.extents {
            let piece = piece(extent)?;
            if whole.len() + piece.len() > self.source.len() {
                return None;
            }
            whole.extend_from_slice(piece);
        }
        Some(Cow::Owned(whole))
    }

    /// The items that `from` points to, in order.
    pub(crate) fn targets<'b>(&'b self, kind: &'b [u8; 4], from: u32) -> impl Iterator<Item = u32> + 'b {
        let of_kind = move |reference: &&Reference| reference.kind == *kind && reference.from == from;
        self.references.iter().filter(of_kind).map(|reference| reference.to)
    }

    /// The items that point to `to`.
    pub(crate) fn sources<'b>(&'b self, kind: &'b [u8; 4], to: u32) -> impl Iterator<Item = u32> + 'b {
        let of_kind = move |reference: &&Reference| reference.kind == *kind && reference.to == to;
        self.references.iter().filter(of_kind).map(|reference| reference.from)
    }

    /// Items of a type that belong to no other by type alone, such as `Exif`.
    pub(crate) fn of_kind(&self, kind: [u8; 4]) -> impl Iterator<Item = u32> + '_ {
        self.items.iter().filter(move |item| item.kind == kind).map(|item| item.id)
    }

    fn item(&self, id: u32) -> Option<&Item> {
        let at = self.items.binary_search_by_key(&id, |item| item.id).ok()?;
        self.items.get(at)
    }

    fn item_mut(&mut self, id: u32) -> Option<&mut Item> {
        let at = self.items.binary_search_by_key(&id, |item| item.id).ok()?;
        self.items.get_mut(at)
    }

    fn read_items(&mut self, payload: &[u8]) -> Option<()> {
        let (version, _, mut reader) = full_box(payload)?;
        // the count is not needed: the boxes are counted
        if version == 0 {
            reader.take(2)?
        } else {
            reader.take(4)?
        };
        for (kind, entry) in boxes(reader.rest()) {
            if &kind != b"infe" {
                continue;
            }
            let (version, _, mut reader) = full_box(entry)?;
            if version < 2 {
                continue;
            }
            let id = if version == 2 { reader.u16_be()?.into() } else { reader.u32_be()? };
            reader.take(2)?;
            if self.items.len() == ITEMS_MAX {
                return None;
            }
            let item = Item { id, kind: reader.array()?, ..Item::default() };
            self.items.push(item);
        }
        Some(())
    }

    fn read_references(&mut self, payload: &[u8]) -> Option<()> {
        let (version, _, reader) = full_box(payload)?;
        let id = |reader: &mut Reader<'_>| {
            if version == 0 { reader.u16_be().map(u32::from) } else { reader.u32_be() }
        };
        for (kind, entry) in boxes(reader.rest()) {
            let mut reader = Reader::new(entry);
            let from = id(&mut reader)?;
            for _ in 0..reader.u16_be()? {
                if self.references.len() == REFERENCES_MAX {
                    return None;
                }
                let to = id(&mut reader)?;
                self.references.push(Reference { kind, from, to });
            }
        }
        Some(())
    }

    fn read_places(&mut self, payload: &[u8]) -> Option<()> {
        let (version, _, mut reader) = full_box(payload)?;
        let (sizes, more) = (reader.u8()?, reader.u8()?);
        let (offset_size, length_size) = (sizes >> 4, sizes & 15);
        let (base_size, index_size) = (more >> 4, if version == 0 { 0 } else { more & 15 });
        let count = if version < 2 { reader.u16_be()?.into() } else { reader.u32_be()? };
        for _ in 0..count {
            let id = if version < 2 { reader.u16_be()?.into() } else { reader.u32_be()? };
            let method = if version == 0 { 0 } else { reader.u16_be()? & 15 };
            reader.take(2)?;
            let base = reader.sized_be(base_size)?;
            let extents = usize::from(reader.u16_be()?);
            if extents > EXTENTS_MAX || method > 1 {
                return None;
            }
            let mut found = Vec::with_capacity(extents);
            for _ in 0..extents {
                reader.sized_be(index_size)?;
                let offset = base.checked_add(reader.sized_be(offset_size)?)?;
                found.push((offset, reader.sized_be(length_size)?));
            }
            if let Some(item) = self.item_mut(id) {
                item.in_idat = method == 1;
                item.extents = found;
            }
        }
        Some(())
    }

    fn read_associations(&mut self, payload: &[u8]) -> Option<()> {
        let (version, flags, mut reader) = full_box(payload)?;
        for _ in 0..reader.u32_be()? {
            let id = if version == 0 { reader.u16_be()?.into() } else { reader.u32_be()? };
            let count = usize::from(reader.u8()?);
            if count > ASSOCIATIONS_MAX {
                return None;
            }
            let mut found = Vec::with_capacity(count);
            for _ in 0..count {
                // the first bit says that the property must be understood
                let index =
                    if flags & 1 == 1 { reader.u16_be()? & 0x7fff } else { u16::from(reader.u8()? & 0x7f) };
                found.push(index);
            }
            if let Some(item) = self.item_mut(id) {
                item.properties = found;
            }
        }
        Some(())
    }
}

fn primary(payload: &[u8]) -> Option<u32> {
    let (version, _, mut reader) = full_box(payload)?;
    if version == 0 { reader.u16_be().map(u32::from) } else { reader.u32_be() }
}

fn properties(payload: &[u8]) -> Option<Vec<Property<'_>>> {
    let mut found = Vec::new();
    for (kind, payload) in boxes(payload) {
        if found.len() == PROPERTIES_MAX {
            return None;
        }
        // one that cannot be read keeps its place in the list
        found.push(property(kind, payload).unwrap_or(Property::Other));
    }
    Some(found)
}

fn property(kind: [u8; 4], payload: &[u8]) -> Option<Property<'_>> {
    let mut reader = Reader::new(payload);
    Some(match &kind {
        b"ispe" => {
            reader.take(4)?;
            Property::Size { width: reader.u32_be()?, height: reader.u32_be()? }
        }
        b"irot" => Property::Rotation(reader.u8()? & 3),
        b"imir" => Property::Mirror(reader.u8()? & 1),
        b"clap" => {
            let mut fraction = || Some((reader.u32_be()?, reader.u32_be()?));
            Property::Aperture([fraction()?, fraction()?, fraction()?, fraction()?])
        }
        b"colr" => match &reader.array()? {
            b"nclx" => Property::Colour(Nclx {
                primaries: reader.u16_be()?,
                transfer: reader.u16_be()?,
                matrix: reader.u16_be()?,
                is_full_range: reader.u8()? & 0x80 != 0,
            }),
            b"prof" | b"rICC" => Property::Profile(reader.rest()),
            _ => Property::Other,
        },
        b"auxC" => {
            reader.take(4)?;
            Property::Auxiliary(reader.rest())
        }
        b"av1C" => Property::Av1(payload),
        b"hvcC" => Property::Hevc(payload),
        _ => Property::Other,
    })
}

/// Version, flags and content of a box that has both.
fn full_box(payload: &[u8]) -> Option<(u8, u32, Reader<'_>)> {
    let mut reader = Reader::new(payload);
    let word = reader.u32_be()?;
    let [version, _, _, _] = word.to_be_bytes();
    Some((version, word & 0x00ff_ffff, reader))
}

/// The content of the first box of this type.
pub(crate) fn find<'a>(payload: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(payload).find(|(kind, _)| kind == wanted).map(|(_, payload)| payload)
}

/// Type and content of the boxes that follow each other; ends before one that does not fit.
pub(crate) fn boxes(payload: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut reader = Reader::new(payload);
    let mut left = BOXES_MAX;
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        next_box(&mut reader)
    })
}

fn next_box<'a>(reader: &mut Reader<'a>) -> Option<([u8; 4], &'a [u8])> {
    let size = reader.u32_be()?;
    let kind = reader.array()?;
    let length = match size {
        // to the end of the file
        0 => reader.rest().len(),
        1 => usize::try_from(reader.u64_be()?.checked_sub(16)?).ok()?,
        _ => usize::try_from(size.checked_sub(8)?).ok()?,
    };
    Some((kind, reader.take(length)?))
}
