//! Blocks built by hand, in both byte orders, whole and damaged.

use proptest::prelude::*;

use super::kept::{copyright_only, without_gps};
use super::tiff::Order;
use super::*;

/// A value before it is laid out.
#[derive(Debug, Clone)]
enum Value {
    Text(&'static [u8]),
    Short(u16),
    Long(u32),
    Ratios(&'static [(u32, u32)]),
    Raw(u16, Vec<u8>),
    Below(Vec<(u16, Self)>),
}

/// A block with one directory, and more below it. Values lie behind their directory.
fn block(order: Order, entries: &[(u16, Value)]) -> Vec<u8> {
    let mut block = order.mark().to_vec();
    block.extend(order.short(42));
    block.extend(order.long(8));
    lay(&mut block, order, entries);
    block
}

fn lay(block: &mut Vec<u8>, order: Order, entries: &[(u16, Value)]) {
    let start = block.len();
    block.extend(order.short(u16::try_from(entries.len()).unwrap()));
    block.resize(start + 2 + entries.len() * 12 + 4, 0);
    for (index, (tag, value)) in entries.iter().enumerate() {
        let (kind, count, bytes) = match value {
            Value::Text(text) => (2, text.len(), text.to_vec()),
            Value::Short(value) => (3, 1, order.short(*value).to_vec()),
            Value::Long(value) => (4, 1, order.long(*value).to_vec()),
            Value::Ratios(ratios) => {
                let numbers = ratios.iter().flat_map(|&(over, under)| [order.long(over), order.long(under)]);
                (5, ratios.len(), numbers.flatten().collect())
            }
            Value::Raw(kind, bytes) => (*kind, bytes.len(), bytes.clone()),
            Value::Below(entries) => {
                let offset = order.long(u32::try_from(block.len()).unwrap());
                lay(block, order, entries);
                (4, 1, offset.to_vec())
            }
        };
        let inside = if bytes.len() <= 4 {
            bytes.into_iter().chain([0; 4]).take(4).collect()
        } else {
            let offset = order.long(u32::try_from(block.len()).unwrap());
            block.extend(bytes);
            offset.to_vec()
        };
        let entry: Vec<u8> = [order.short(*tag), order.short(kind)]
            .concat()
            .into_iter()
            .chain(order.long(u32::try_from(count).unwrap()))
            .chain(inside)
            .collect();
        block[start + 2 + index * 12..][..12].copy_from_slice(&entry);
    }
}

/// A picture as a camera writes it, with everything that is read and much that must go.
fn photo() -> Vec<(u16, Value)> {
    vec![
        (tag::DESCRIPTION, Value::Text(b"The harbour\0")),
        (tag::MAKE, Value::Text(b"Nikon\0")),
        (tag::MODEL, Value::Text(b"Z 8  \0")),
        (tag::ORIENTATION, Value::Short(6)),
        (tag::X_RESOLUTION, Value::Ratios(&[(300, 1)])),
        (tag::Y_RESOLUTION, Value::Ratios(&[(300, 1)])),
        (tag::RESOLUTION_UNIT, Value::Short(2)),
        (tag::ARTIST, Value::Text(b"Ada\0")),
        (tag::COPYRIGHT, Value::Text(b"\xc2\xa9 Ada\0The Paper\0")),
        (
            tag::EXIF_DIRECTORY,
            Value::Below(vec![
                (tag::EXPOSURE, Value::Ratios(&[(10, 2_500)])),
                (tag::F_NUMBER, Value::Ratios(&[(28, 10)])),
                (tag::ISO, Value::Short(400)),
                (tag::TAKEN_AT, Value::Text(b"2024:05:01 12:34:56\0")),
                (tag::OFFSET_TAKEN_AT, Value::Text(b"+02:00\0")),
                (tag::FOCAL_LENGTH, Value::Ratios(&[(50, 1)])),
                (0x927c, Value::Raw(7, b"notes of the maker, with a SECRET".to_vec())),
                (0x9286, Value::Raw(7, b"ASCII\0\0\0a comment with a SECRET".to_vec())),
                (0xa430, Value::Text(b"SECRET owner\0")),
                (0xa431, Value::Text(b"SECRET serial\0")),
                (tag::LENS_MODEL, Value::Text(b"50mm f/1.8\0")),
            ]),
        ),
        (
            tag::GPS_DIRECTORY,
            Value::Below(vec![
                (tag::LATITUDE_REF, Value::Text(b"S\0")),
                (tag::LATITUDE, Value::Ratios(&[(33, 1), (51, 1), (3_600, 100)])),
                (tag::LONGITUDE_REF, Value::Text(b"E\0")),
                (tag::LONGITUDE, Value::Ratios(&[(151, 1), (12, 1), (0, 1)])),
                (tag::ALTITUDE_REF, Value::Raw(1, vec![0])),
                (tag::ALTITUDE, Value::Ratios(&[(25, 2)])),
                (27, Value::Raw(7, b"SECRET method".to_vec())),
            ]),
        ),
    ]
}

const ORDERS: [Order; 2] = [Order::Little, Order::Big];

fn contains(block: &[u8], word: &[u8]) -> bool {
    block.windows(word.len()).any(|window| window == word)
}

#[test]
fn both_byte_orders_say_the_same() {
    for order in ORDERS {
        let exif = read(&block(order, &photo()));
        assert_eq!(exif.orientation, Some(6));
        assert_eq!(exif.make.as_deref(), Some("Nikon"));
        assert_eq!(exif.model.as_deref(), Some("Z 8"));
        assert_eq!(exif.lens.as_deref(), Some("50mm f/1.8"));
        assert_eq!(exif.taken_at.as_deref(), Some("2024-05-01T12:34:56+02:00"));
        assert_eq!(exif.exposure_s.map(|ratio| ratio.to_string()).as_deref(), Some("1/250"));
        assert_eq!(exif.f_number.map(Ratio::value), Some(2.8));
        assert_eq!(exif.focal_length_mm.map(|ratio| ratio.to_string()).as_deref(), Some("50"));
        assert_eq!(exif.iso, Some(400));
        assert_eq!(exif.copyright.as_deref(), Some("© Ada, The Paper"));
        assert_eq!(exif.artist.as_deref(), Some("Ada"));
        assert_eq!(exif.description.as_deref(), Some("The harbour"));
        assert_eq!(exif.density, Some(Density { x: 300.0, y: 300.0 }));
        let gps = exif.gps.unwrap();
        assert!((gps.latitude + 33.86).abs() < 1e-9, "{gps:?}");
        assert!((gps.longitude - 151.2).abs() < 1e-9, "{gps:?}");
        assert_eq!(gps.altitude_m, Some(12.5));
    }
}

#[test]
fn the_mark_of_jpeg_may_stand_before_it() {
    let bare = block(Order::Big, &photo());
    let marked = [b"Exif\0\0".as_slice(), &bare].concat();
    assert_eq!(read(&marked), read(&bare));
}

#[test]
fn a_camera_file_is_read() {
    for value in 1..=8 {
        let jpeg = crate::testing::fixture(&format!("orient/landscape_{value}.jpg"));
        let at = jpeg.windows(6).position(|window| window == b"Exif\0\0").unwrap();
        let length = usize::from(u16::from_be_bytes([jpeg[at - 2], jpeg[at - 1]]));
        assert_eq!(read(&jpeg[at..at + length - 2]).orientation, Some(value));
    }
}

#[test]
fn values_out_of_range_are_left_out() {
    for (entry, name) in [
        ((tag::ORIENTATION, Value::Short(0)), "no such orientation"),
        ((tag::ORIENTATION, Value::Short(9)), "no such orientation"),
        ((tag::ORIENTATION, Value::Long(262)), "an orientation of many bits"),
        ((tag::ORIENTATION, Value::Text(b"6\0")), "an orientation in words"),
        ((tag::MAKE, Value::Text(b"  \0")), "blanks"),
        ((tag::MAKE, Value::Text(b"\0\0\0\0\0\0")), "zeros"),
        ((tag::MAKE, Value::Text(b"\x01\x1b\0")), "control characters"),
        ((tag::MAKE, Value::Short(3)), "a number for a text"),
        ((tag::EXIF_DIRECTORY, Value::Long(u32::MAX)), "a directory far outside"),
        ((tag::EXIF_DIRECTORY, Value::Long(8)), "a directory within itself"),
        ((tag::DATE_TIME, Value::Text(b"2024:13:01 00:00:00\0")), "a thirteenth month"),
        ((tag::DATE_TIME, Value::Text(b"0000:00:00 00:00:00\0")), "a clock that was never set"),
        ((tag::DATE_TIME, Value::Text(b"2024-05-01 00:00:00\0")), "a date of another form"),
        ((tag::DATE_TIME, Value::Text(b"2024:05:01\0")), "a date cut short"),
        (
            (tag::EXIF_DIRECTORY, Value::Below(vec![(tag::EXPOSURE, Value::Ratios(&[(1, 0)]))])),
            "nothing for a denominator",
        ),
        (
            (
                tag::GPS_DIRECTORY,
                Value::Below(vec![
                    (tag::LATITUDE_REF, Value::Text(b"N\0")),
                    (tag::LATITUDE, Value::Ratios(&[(91, 1), (0, 1), (0, 1)])),
                    (tag::LONGITUDE_REF, Value::Text(b"E\0")),
                    (tag::LONGITUDE, Value::Ratios(&[(1, 1), (0, 1), (0, 1)])),
                ]),
            ),
            "north of the pole",
        ),
    ] {
        assert_eq!(read(&block(Order::Little, &[entry])), Exif::default(), "{name}");
    }
}

#[test]
fn what_is_no_block_says_nothing() {
    for bytes in [b"".as_slice(), b"II", b"II*\0", b"II*\0\x08\0\0\0", b"MM\0\x2b\0\0\0\x08\0\0", b"Exif\0\0"]
    {
        assert_eq!(read(bytes), Exif::default());
        assert_eq!(copyright_only(bytes), None);
        assert_eq!(without_gps(bytes), None);
    }
}

#[test]
fn old_letters_are_latin_1() {
    let exif = read(&block(Order::Little, &[(tag::ARTIST, Value::Text(b"Jos\xe9 Mar\xeda\0"))]));
    assert_eq!(exif.artist.as_deref(), Some("José María"));
}

#[test]
fn long_texts_are_cut_between_letters() {
    let long = "é".repeat(3_000).into_bytes();
    let exif =
        read(&block(Order::Little, &[(tag::ARTIST, Value::Raw(2, [b"a".as_slice(), &long].concat()))]));
    assert_eq!(exif.artist.unwrap(), format!("a{}", "é".repeat(1_023)));
}

#[test]
fn densities_in_centimetres_are_converted() {
    let density = |unit| {
        let ratio = Value::Ratios(&[(100, 1)]);
        let entries =
            [(tag::X_RESOLUTION, ratio.clone()), (tag::Y_RESOLUTION, ratio), (tag::RESOLUTION_UNIT, unit)];
        read(&block(Order::Big, &entries)).density
    };
    assert_eq!(density(Value::Short(3)), Some(Density { x: 254.0, y: 254.0 }));
    assert_eq!(density(Value::Short(1)), None);
}

#[test]
fn copyright_only_keeps_two_tags() {
    for order in ORDERS {
        let written = copyright_only(&block(order, &photo())).unwrap();
        let exif = read(&written);
        assert_eq!(exif.copyright.as_deref(), Some("© Ada, The Paper"));
        assert_eq!(exif.artist.as_deref(), Some("Ada"));
        assert_eq!(
            exif,
            Exif { copyright: exif.copyright.clone(), artist: exif.artist.clone(), ..Exif::default() }
        );
        assert!(written.len() < 80, "{} bytes", written.len());
        assert!(!contains(&written, b"SECRET"));
    }
    assert_eq!(copyright_only(&block(Order::Big, &[(tag::MAKE, Value::Text(b"Nikon\0"))])), None);
}

#[test]
fn without_gps_keeps_the_picture_and_not_the_place() {
    for order in ORDERS {
        let source = block(order, &photo());
        let written = without_gps(&source).unwrap();
        let (before, after) = (read(&source), read(&written));
        assert_eq!(after, Exif { gps: None, orientation: None, density: None, ..before });
        assert!(!contains(&written, b"SECRET"));
    }
}

#[test]
fn a_kept_block_is_sorted_and_stays_as_it_is() {
    for order in ORDERS {
        let mut entries = photo();
        entries.reverse();
        let once = without_gps(&block(order, &entries)).unwrap();
        let tags: Vec<u16> =
            Tiff::open(&once).unwrap().first().entries.iter().map(|entry| entry.tag).collect();
        assert!(tags.is_sorted(), "{tags:x?}");
        assert_eq!(without_gps(&once).as_ref(), Some(&once));
    }
}

#[test]
fn huge_values_are_not_kept() {
    let entries = [
        (tag::ARTIST, Value::Text(b"Ada\0")),
        (tag::DESCRIPTION, Value::Raw(2, vec![b'x'; 5_000])),
        (tag::EXIF_DIRECTORY, Value::Below(vec![(tag::LENS_MODEL, Value::Raw(2, vec![b'x'; 5_000]))])),
    ];
    let written = without_gps(&block(Order::Little, &entries)).unwrap();
    assert_eq!(read(&written), Exif { artist: Some("Ada".to_owned()), ..Exif::default() });
}

#[test]
fn a_claim_of_many_entries_is_bounded() {
    let mut bytes = b"II*\0\x08\0\0\0\xff\xff".to_vec();
    bytes.extend(std::iter::repeat_n(0x01, 12 * 65_535));
    assert!(Tiff::open(&bytes).unwrap().first().entries.len() <= 256);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for order in ORDERS {
            let mut block = order.mark().to_vec();
            block.extend(order.short(42));
            block.extend(&bytes);
            let _exif = read(&block);
            let _rights = copyright_only(&block);
            if let Some(kept) = without_gps(&block) {
                prop_assert_eq!(read(&kept).gps, None);
            }
        }
    }

    #[test]
    fn any_damage_is_survived(at in 0_usize..600, value: u8, cut in 0_usize..800, little: bool) {
        let order = if little { Order::Little } else { Order::Big };
        let mut block = block(order, &photo());
        if let Some(byte) = block.get_mut(at) {
            *byte = value;
        }
        block.truncate(cut);
        let _exif = read(&block);
        if let Some(kept) = without_gps(&block) {
            prop_assert_eq!(read(&kept).gps, None);
            prop_assert!(kept.len() <= 60_000);
        }
    }
}
