//! Damaged, cut and hostile files end, and in an answer.

use proptest::prelude::*;

use super::*;

/// Small files, one of each way of coding.
const SMALL: [&str; 5] = [
    "jpeg/32x32-420.jpg",
    "jpeg/32x32-progressive.jpg",
    "jpeg/32x32-444.jpg",
    "jpeg/separate-scans.jpg",
    "jpeg/coarsest-quality.jpg",
];

fn outcome(source: &[u8], eighths: f64) -> Result<Option<Reduced>, Error> {
    let least = Least { width: eighths * 4.0, height: eighths * 4.0 };
    read(source, Wanted::for_size(least, 1.0, Chroma::Half, Light::Coded), &Deadline::never())
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for name in SMALL {
        let whole = fixture(name);
        assert!(whole.ends_with(b"\xff\xd9"), "{name}");
        for length in 0..whole.len() - 1 {
            for eighths in [1.0, 8.0] {
                let outcome = outcome(&whole[..length], eighths).map(|reduced| reduced.is_some());
                // one cut in the middle of its headers may look like a file of another kind
                assert!(
                    matches!(outcome, Err(Error::Undecodable { .. }) | Ok(false)),
                    "{name} {length}: {outcome:?}"
                );
            }
        }
    }
}

#[test]
fn a_file_cut_in_its_data_and_closed_again_is_grey_from_there_on() {
    for name in ["jpeg/sampled-2x2.jpg", "jpeg/sampled-1x1.jpg", "jpeg/separate-scans.jpg"] {
        let whole = fixture(name);
        for eighths in [1.0, 2.0, 3.0, 4.0, 8.0] {
            let cut = [&whole[..whole.len() * 3 / 4], b"\xff\xd9"].concat();
            let damaged = read(&cut, wanted(eighths, &whole), &Deadline::never()).unwrap().expect(name);
            let sound = read(&whole, wanted(eighths, &whole), &Deadline::never()).unwrap().expect(name);
            let (damaged, sound) = (damaged.planes.luma.samples, sound.planes.luma.samples);
            assert_eq!(damaged.len(), sound.len());
            let equal = damaged.iter().zip(&sound).take_while(|(one, other)| one == other).count();
            assert!(equal > sound.len() / 8, "{name} at {eighths}/8: {equal} of {}", sound.len());
        }
    }
}

#[test]
fn a_destroyed_interval_costs_itself_only() {
    let whole = fixture("jpeg/restart.jpg");
    let markers: Vec<usize> = (0..whole.len() - 1)
        .filter(|at| whole[*at] == 0xff && (0xd0..=0xd7).contains(&whole[at + 1]))
        .collect();
    assert!(markers.len() > 10);
    let sound = outcome(&whole, 64.0).unwrap().unwrap().planes.luma;
    // data of the third interval, and the marker before it with the data behind that
    for range in [markers[2] + 2..markers[3], markers[2]..markers[3]] {
        let mut damaged = whole.clone();
        damaged[range].fill(0x5b);
        let damaged = outcome(&damaged, 64.0).unwrap().unwrap().planes.luma;
        let differing =
            sound.samples.iter().zip(&damaged.samples).filter(|(one, other)| one != other).count();
        assert!((1..=2 * 3 * 256).contains(&differing), "{differing} samples");
    }
}

#[test]
fn damaged_pictures_of_the_collection_end_in_an_answer() {
    for name in ["broken/bitflips.jpg", "broken/truncated-half.jpg", "broken/truncated-header.jpg"] {
        let source = fixture(name);
        for eighths in [1.0, 8.0, 200.0] {
            match outcome(&source, eighths) {
                Ok(Some(reduced)) => assert!(!reduced.planes.luma.samples.is_empty(), "{name}"),
                Ok(None) => {}
                Err(error) => assert!(matches!(error, Error::Undecodable { .. }), "{name}: {error}"),
            }
        }
    }
    for name in ["broken/truncated-half.jpg", "broken/truncated-header.jpg"] {
        assert!(outcome(&fixture(name), 8.0).is_err(), "{name}");
    }
}

#[test]
fn thousands_of_scans_are_refused() {
    let outcome = outcome(&fixture("bombs/jpeg-progressive-2000-scans.jpg"), 1.0);
    assert_eq!(outcome, Err(Error::Undecodable { reason: "the jpeg has too many scans" }));
}

#[test]
fn kinds_that_are_unusual_are_left_to_others() {
    assert_eq!(outcome(&fixture("jpeg/arithmetic.jpg"), 1.0), Ok(None));
    assert_eq!(outcome(&fixture("colour/photo-cmyk-noprofile.jpg"), 1.0), Ok(None));
    let source = fixture("jpeg/32x32-420.jpg");
    let frame = source.windows(2).position(|pair| pair == b"\xff\xc0").unwrap();
    // lossless, hierarchical, differential, arithmetic; 12 bits; two components; a height that comes later; 5 x sampling
    for (at, byte) in [(1, 0xc3), (1, 0xc5), (1, 0xc9), (4, 12), (9, 2), (11, 0x51), (11, 0x20)] {
        let mut unusual = source.clone();
        unusual[frame + at] = byte;
        assert_eq!(outcome(&unusual, 1.0), Ok(None), "{at} {byte}");
    }
    let mut unusual = source;
    unusual[frame + 5..frame + 7].fill(0);
    assert_eq!(outcome(&unusual, 1.0), Ok(None));
}

#[test]
fn a_deadline_ends_it() {
    let deadline = Deadline::never();
    deadline.cancel();
    for name in SMALL {
        let outcome = read(&fixture(name), Wanted::WHOLE, &deadline);
        assert_eq!(outcome, Err(Error::Deadline), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_end_in_an_answer(
        file in 0..SMALL.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..6),
        eighths in prop::sample::select(vec![1.0, 2.0, 3.0, 4.0, 8.0]),
    ) {
        let mut source = fixture(SMALL[file]);
        // the size stays as it was judged
        let frame = source.windows(2).position(|pair| pair[0] == 0xff && matches!(pair[1], 0xc0..=0xc2)).unwrap();
        for (place, bit) in flips {
            let place = place.index(source.len());
            if !(frame..frame + 9).contains(&place) {
                source[place] ^= 1 << bit;
            }
        }
        if let Ok(Some(reduced)) = outcome(&source, eighths) {
            for (plane, _) in planes(&reduced) {
                prop_assert_eq!(plane.samples.len(), (plane.width * plane.height) as usize);
            }
        }
    }

    #[test]
    fn noise_between_the_markers_ends_in_an_answer(
        file in 0..SMALL.len(),
        noise in prop::collection::vec(any::<u8>(), 0..600),
        eighths in prop::sample::select(vec![1.0, 2.0, 3.0, 4.0, 8.0]),
    ) {
        let source = fixture(SMALL[file]);
        let data = source.windows(2).position(|pair| pair == b"\xff\xda").unwrap() + 14;
        let source = [&source[..data.min(source.len())], &noise, b"\xff\xd9"].concat();
        let outcome = outcome(&source, eighths);
        prop_assert!(!matches!(outcome, Err(Error::Deadline | Error::Unencodable { .. })), "{:?}", outcome.err());
    }

    #[test]
    fn any_size_is_read_as_by_the_general_decoder(width in 1_u16..=32, height in 1_u16..=32, file in 0..2_usize) {
        // fewer units than the file has data for, in another order
        let mut source = fixture(["jpeg/32x32-420.jpg", "jpeg/32x32-444.jpg"][file]);
        let frame = source.windows(2).position(|pair| pair == b"\xff\xc0").unwrap();
        source[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
        source[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
        let whole = whole(&source, Colour::Ycc);
        let reduced = read(&source, Wanted::WHOLE, &Deadline::never()).unwrap().unwrap();
        prop_assert_eq!((reduced.full.width, reduced.full.height), (width.into(), height.into()));
        let distance = whole.distance(0, &reduced.planes.luma, reduced.luma_scale);
        prop_assert!(distance < 0.6, "{}", distance);
        for eighths in [1.0, 2.0, 3.0, 4.0] {
            let reduced = read(&source, wanted(eighths, &source), &Deadline::never()).unwrap().unwrap();
            let (plane, scale) = (&reduced.planes.luma, reduced.luma_scale);
            prop_assert_eq!(f64::from(plane.width), (f64::from(width) * scale.across).ceil());
            prop_assert_eq!(f64::from(plane.height), (f64::from(height) * scale.down).ceil());
        }
    }
}

#[test]
fn nothing_that_is_repeated_costs_its_square() {
    let source = fixture("jpeg/32x32-420.jpg");
    let frame = source.windows(2).position(|pair| pair == b"\xff\xc0").unwrap();
    // as many tables as fit, none of them used
    let table = [b"\xff\xc4\x00\x14\x13\x01".as_slice(), &[0; 16]].concat();
    let tables = [&source[..frame], &table.repeat(400_000), &source[frame..]].concat();
    assert_eq!(outcome(&tables, 1.0), outcome(&source, 1.0));
    // a marker after each unit, and filling in place of them
    let data = source.windows(2).position(|pair| pair == b"\xff\xda").unwrap();
    let mut filled = [&source[..data], b"\xff\xdd\x00\x04\x00\x01", &source[data..data + 14]].concat();
    filled[frame + 5..frame + 9].copy_from_slice(&[0x10, 0, 0x10, 0]);
    filled.extend(std::iter::repeat_n(0xff, 4 << 20));
    filled.push(0xd9);
    let reduced = outcome(&filled, 1.0).unwrap().unwrap();
    assert_eq!(reduced.planes.luma.samples.len(), 512 * 512);
}
