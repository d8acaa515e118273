//! The file around compressed pictures: HEIF boxes (ISO/IEC 23008-12, AV1 Image File Format 1.1).

/// Identifiers of the items.
const COLOUR: u16 = 1;
const ALPHA: u16 = 2;
const EXIF: u16 = 3;

/// What kind of alpha this is (AVIF 1.1 section 4.1).
const ALPHA_TYPE: &[u8] = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0";

/// A compressed picture.
#[derive(Debug)]
pub(super) struct Coded {
    /// Open bitstream units without delimiters.
    units: Vec<u8>,
    /// The record of what a decoder must be able to do (AV1-ISOBMFF section 2.3).
    record: [u8; 4],
    is_grey: bool,
}

/// What the colours mean (ISO/IEC 23091-2).
#[derive(Debug, Clone, Copy)]
pub(super) struct Meaning {
    pub(super) primaries: u8,
    pub(super) transfer: u8,
    pub(super) matrix: u8,
}

/// All that goes into a file.
#[derive(Debug)]
pub(super) struct Contents<'c> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) colour: &'c Coded,
    pub(super) alpha: Option<&'c Coded>,
    pub(super) meaning: Meaning,
    pub(super) icc: Option<&'c [u8]>,
    /// Beginning with its TIFF header.
    pub(super) exif: Option<&'c [u8]>,
}

/// Takes delimiters out and reads what the record repeats. `is_halved` is of chroma. None if that is not a still picture.
pub(super) fn coded(units: &[u8], is_grey: bool, is_halved: bool) -> Option<Coded> {
    let mut kept = Vec::with_capacity(units.len());
    let mut record = None;
    let mut rest = units;
    while let Some((head, after)) = rest.split_first() {
        // AV1 specification sections 5.3.2 and 4.10.5: every unit here says its length
        let (length, after) = length(after).filter(|_| head & 0x06 == 0x02)?;
        let (body, next) = after.split_at_checked(length)?;
        let unit = rest.get(..rest.len() - next.len())?;
        match head >> 3 & 15 {
            2 => {}
            1 => {
                let [first, second, ..] = body else { return None };
                // section 5.5.1: profile, still picture, reduced header, level
                let level = first << 2 & 0x1C | second >> 6;
                let is_still = first & 0x18 == 0x18;
                let depth = if is_grey { 0x10 } else { 0 } | if is_halved { 0x0C } else { 0 };
                record = is_still.then_some([0x81, first & 0xE0 | level, depth, 0]);
                kept.extend(unit);
            }
            _ => kept.extend(unit),
        }
        rest = next;
    }
    record.map(|record| Coded { units: kept, record, is_grey })
}

/// A length of seven bits a byte, lowest first.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    for (n, byte) in bytes.iter().enumerate().take(4) {
        length |= usize::from(byte & 0x7F) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((length, bytes.get(n + 1..)?));
        }
    }
    None
}

/// The file.
pub(super) fn file(contents: &Contents<'_>) -> Vec<u8> {
    let exif = contents.exif.map(|exif| [&[0; 4], exif].concat());
    let mut items = vec![(COLOUR, &contents.colour.units[..])];
    items.extend(contents.alpha.map(|alpha| (ALPHA, &alpha.units[..])));
    items.extend(exif.as_deref().map(|exif| (EXIF, exif)));
    let mut bytes = Vec::new();
    let profile = if contents.colour.record[1] >> 5 == 0 { b"MA1B" } else { b"MA1A" };
    boxed(&mut bytes, b"ftyp", |to| {
        to.extend(b"avif\0\0\0\0avifmif1miaf");
        to.extend(profile);
    });
    // offsets are known once the length of what stands before the data is
    let length = head(contents, &items, 0).len();
    let start = bytes.len() + length + 8;
    bytes.extend(head(contents, &items, start));
    boxed(&mut bytes, b"mdat", |to| to.extend(items.iter().flat_map(|(_, data)| *data)));
    bytes
}

type Item<'i> = (u16, &'i [u8]);

/// The `meta` box, with the data from `start` on.
fn head(contents: &Contents<'_>, items: &[Item<'_>], start: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    full(&mut bytes, b"meta", 0, |to| {
        full(to, b"hdlr", 0, |to| to.extend(b"\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0"));
        full(to, b"pitm", 0, |to| to.extend(COLOUR.to_be_bytes()));
        locations(to, items, start);
        full(to, b"iinf", 0, |to| {
            to.extend(word(items.len()).get(2..).unwrap_or_default());
            for (id, _) in items {
                // hidden, as it is of no use without the picture
                let flags = u32::from(*id == EXIF);
                full(to, b"infe", 2 << 24 | flags, |to| {
                    to.extend(id.to_be_bytes());
                    to.extend(if *id == EXIF { b"\0\0Exif\0" } else { b"\0\0av01\0" });
                });
            }
        });
        if items.len() > 1 {
            full(to, b"iref", 0, |to| {
                for (id, _) in items.iter().skip(1) {
                    let name = if *id == ALPHA { b"auxl" } else { b"cdsc" };
                    boxed(to, name, |to| to.extend([*id, 1, COLOUR].map(u16::to_be_bytes).as_flattened()));
                }
            });
        }
        boxed(to, b"iprp", |to| properties(to, contents));
    });
    bytes
}

/// Where the items lie in the file: offsets and lengths of four bytes.
fn locations(to: &mut Vec<u8>, items: &[Item<'_>], start: usize) {
    full(to, b"iloc", 0, |to| {
        to.extend([0x44, 0]);
        to.extend(word(items.len()).get(2..).unwrap_or_default());
        let mut offset = start;
        for (id, data) in items {
            to.extend(id.to_be_bytes());
            to.extend([0, 0, 0, 1]);
            to.extend(word(offset));
            to.extend(word(data.len()));
            offset += data.len();
        }
    });
}

fn properties(to: &mut Vec<u8>, contents: &Contents<'_>) {
    // places in the list count from 1; the highest bit marks what a reader must understand
    let mut of_colour = Vec::new();
    let mut of_alpha = Vec::new();
    let mut count = 0;
    boxed(to, b"ipco", |to| {
        let mut add =
            |to: &mut Vec<u8>, list: &mut Vec<u8>, name: &[u8; 4], body: &[u8], is_essential: bool| {
                boxed(to, name, |to| to.extend(body));
                count += 1;
                list.push(count | if is_essential { 0x80 } else { 0 });
            };
        let size = [[0; 4], contents.width.to_be_bytes(), contents.height.to_be_bytes()];
        add(to, &mut of_colour, b"ispe", size.as_flattened(), false);
        of_alpha.push(1);
        add(to, &mut of_colour, b"pixi", channels(contents.colour), false);
        add(to, &mut of_colour, b"av1C", &contents.colour.record, true);
        if let Some(icc) = contents.icc {
            add(to, &mut of_colour, b"colr", &[b"prof", icc].concat(), false);
        }
        let Meaning { primaries, transfer, matrix } = contents.meaning;
        let meaning = [b'n', b'c', b'l', b'x', 0, primaries, 0, transfer, 0, matrix, 0x80];
        add(to, &mut of_colour, b"colr", &meaning, false);
        if let Some(alpha) = contents.alpha {
            add(to, &mut of_alpha, b"pixi", channels(alpha), false);
            add(to, &mut of_alpha, b"av1C", &alpha.record, true);
            add(to, &mut of_alpha, b"auxC", &[&[0; 4], ALPHA_TYPE].concat(), false);
        }
    });
    full(to, b"ipma", 0, |to| {
        let lists = [(COLOUR, Some(of_colour)), (ALPHA, contents.alpha.map(|_| of_alpha))];
        let lists: Vec<(u16, Vec<u8>)> =
            lists.into_iter().filter_map(|(id, list)| list.map(|list| (id, list))).collect();
        to.extend(word(lists.len()));
        for (id, list) in lists {
            to.extend(id.to_be_bytes());
            to.push(u8::try_from(list.len()).unwrap_or(0));
            to.extend(list);
        }
    });
}

/// Number of channels and the bits of each.
fn channels(coded: &Coded) -> &'static [u8] {
    if coded.is_grey { &[0, 0, 0, 0, 1, 8] } else { &[0, 0, 0, 0, 3, 8, 8, 8] }
}

/// A box with version and flags.
fn full(to: &mut Vec<u8>, name: &[u8; 4], version_and_flags: u32, body: impl FnOnce(&mut Vec<u8>)) {
    boxed(to, name, |to| {
        to.extend(version_and_flags.to_be_bytes());
        body(to);
    });
}

fn boxed(to: &mut Vec<u8>, name: &[u8; 4], body: impl FnOnce(&mut Vec<u8>)) {
    let start = to.len();
    to.extend([0; 4]);
    to.extend(name);
    body(to);
    let length = word(to.len() - start);
    if let Some(place) = to.get_mut(start..start + 4) {
        place.copy_from_slice(&length);
    }
}

fn word(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes()
}
