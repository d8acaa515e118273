//! Fresh blocks for renderings that keep metadata, built from lists of allowed tags.
//!
//! Values are copied as they are, in the byte order of the source; only offsets are new. The orientation is left out, since
//! renderings are upright, and so are sizes and colour spaces, which are no longer true.

use super::tag;
use super::tiff::{Directory, Entry, Order, Tiff};

/// Largest single value that is kept, in bytes.
const VALUE_BYTES_MAX: usize = 4_096;

/// Largest block that is written, in bytes; a JPEG segment holds 65 533 with its mark.
const BLOCK_BYTES_MAX: usize = 60_000;

const HEAD_BYTES: usize = 8;

/// Tags of the first directory that say whose a picture is.
const RIGHTS: [u16; 2] = [tag::ARTIST, tag::COPYRIGHT];

/// Tags of the first directory that may be kept.
const PICTURE: [u16; 7] =
    [tag::DESCRIPTION, tag::MAKE, tag::MODEL, tag::SOFTWARE, tag::DATE_TIME, tag::ARTIST, tag::COPYRIGHT];

/// Tags of the EXIF directory that may be kept: how and when it was taken, with what. Serial numbers, names of owners,
/// unique identifiers, comments and makers' notes are not among them.
const CAMERA: [u16; 35] = [
    tag::EXPOSURE,
    tag::F_NUMBER,
    0x8822, // exposure program
    tag::ISO,
    0x8830, // kind of sensitivity
    0x9000, // version of EXIF
    tag::TAKEN_AT,
    0x9004, // digitised at
    0x9010, // offsets of the three times
    tag::OFFSET_TAKEN_AT,
    0x9012,
    0x9201, // shutter speed
    0x9202, // aperture
    0x9203, // brightness
    0x9204, // exposure bias
    0x9205, // largest aperture
    0x9206, // distance of the subject
    0x9207, // metering mode
    0x9208, // light source
    0x9209, // flash
    tag::FOCAL_LENGTH,
    0x9290, // fractions of the three times
    0x9291,
    0x9292,
    0xa217, // sensing method
    0xa402, // exposure mode
    0xa403, // white balance
    0xa404, // digital zoom
    0xa405, // focal length on 35 mm film
    0xa406, // scene
    0xa408, // contrast
    0xa409, // saturation
    0xa40a, // sharpness
    0xa432, // lens specification
    tag::LENS_MODEL,
];

/// A block with nothing but copyright and artist; none when the source names neither.
pub(crate) fn copyright_only(block: &[u8]) -> Option<Vec<u8>> {
    let tiff = Tiff::open(block)?;
    written(tiff.order(), &kept(&tiff.first(), &RIGHTS), &[])
}

/// A block with what may be known about picture and camera, and nothing about the place; none when nothing is left.
pub(crate) fn without_gps(block: &[u8]) -> Option<Vec<u8>> {
    let tiff = Tiff::open(block)?;
    let first = tiff.first();
    let camera = tiff.below(&first, tag::EXIF_DIRECTORY);
    written(tiff.order(), &kept(&first, &PICTURE), &kept(&camera, &CAMERA))
}

/// The allowed entries with a value, the first of each tag, in the order of tags that TIFF demands.
fn kept<'a>(directory: &Directory<'a>, allowed: &[u16]) -> Vec<Entry<'a>> {
    let found = allowed.iter().filter_map(|&tag| directory.find(tag));
    let mut kept: Vec<Entry<'a>> =
        found.filter(|entry| entry.count > 0 && entry.value.len() <= VALUE_BYTES_MAX).collect();
    kept.sort_by_key(|entry| entry.tag);
    kept
}

fn written(order: Order, picture: &[Entry<'_>], camera: &[Entry<'_>]) -> Option<Vec<u8>> {
    if picture.is_empty() && camera.is_empty() {
        return None;
    }
    let mut block = Vec::new();
    block.extend(order.mark());
    block.extend(order.short(42));
    block.extend(order.long(u32::try_from(HEAD_BYTES).ok()?));
    if camera.is_empty() {
        directory(&mut block, order, picture)?;
    } else {
        // where the second directory begins is known once the first is laid out: it has one entry more than `picture`
        let start = HEAD_BYTES + length(picture) + 12;
        let pointer = order.long(u32::try_from(start).ok()?);
        let below = Entry { tag: tag::EXIF_DIRECTORY, kind: 4, count: 1, value: &pointer };
        let mut first = picture.to_vec();
        first.push(below);
        first.sort_by_key(|entry| entry.tag);
        directory(&mut block, order, &first)?;
        debug_assert_eq!(block.len(), start);
        directory(&mut block, order, camera)?;
    }
    (block.len() <= BLOCK_BYTES_MAX).then_some(block)
}

/// Bytes of a directory with its values.
fn length(entries: &[Entry<'_>]) -> usize {
    let values = entries.iter().map(|entry| entry.value.len()).filter(|&bytes| bytes > 4);
    2 + entries.len() * 12 + 4 + values.map(|bytes| bytes.next_multiple_of(2)).sum::<usize>()
}

/// Appends a directory, its values behind it.
fn directory(block: &mut Vec<u8>, order: Order, entries: &[Entry<'_>]) -> Option<()> {
    let mut values = Vec::new();
    let values_start = block.len() + 2 + entries.len() * 12 + 4;
    block.extend(order.short(u16::try_from(entries.len()).ok()?));
    for entry in entries {
        block.extend(order.short(entry.tag));
        block.extend(order.short(entry.kind));
        block.extend(order.long(entry.count));
        if entry.value.len() <= 4 {
            block.extend(entry.value.iter().chain(&[0; 4]).take(4));
        } else {
            block.extend(order.long(u32::try_from(values_start + values.len()).ok()?));
            values.extend(entry.value);
            // values begin at even offsets
            values.extend(std::iter::repeat_n(0, values.len() % 2));
        }
    }
    // no further directory
    block.extend(order.long(0));
    block.append(&mut values);
    Some(())
}
