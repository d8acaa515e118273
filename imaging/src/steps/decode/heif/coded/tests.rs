//! Numbers of known colours, chroma of every size, and what is refused.

use super::*;

const FULL: Meaning = Meaning { primaries: 1, transfer: 13, matrix: 6, is_full_range: true };
const SHOWN: Colours = Colours::Shown { has_profile: false };

fn narrow(samples: &[u8], width: usize) -> Channel<'_> {
    Channel { samples: Samples::Narrow(samples), stride: width, width, height: samples.len() / width }
}

fn wide(samples: &[u16], width: usize) -> Channel<'_> {
    Channel { samples: Samples::Wide(samples), stride: width, width, height: samples.len() / width }
}

/// One pixel of three numbers.
fn pixel(numbers: [u16; 3], depth: u8, meaning: Meaning) -> Result<Vec<u8>, Error> {
    let planes = numbers.map(|number| [number]);
    let [luma, first, second] = planes.each_ref().map(|plane| wide(plane, 1));
    let coded = Coded { width: 1, height: 1, depth, luma, chroma: Some([first, second]), meaning };
    coded.frame(None, SHOWN).map(|(frame, _)| frame.pixels)
}

#[test]
fn known_colours_have_known_numbers() {
    let limited = |matrix| Meaning { matrix, is_full_range: false, ..FULL };
    let full = |matrix| Meaning { matrix, ..FULL };
    for (numbers, depth, meaning, expected) in [
        ([255, 128, 128], 8, full(6), [255, 255, 255]),
        ([0, 128, 128], 8, full(6), [0, 0, 0]),
        ([76, 85, 255], 8, full(6), [254, 0, 0]),
        ([235, 128, 128], 8, limited(1), [255, 255, 255]),
        ([16, 128, 128], 8, limited(1), [0, 0, 0]),
        ([0, 128, 128], 8, limited(1), [0, 0, 0]),
        // BT.709 red and blue of limited range
        ([63, 102, 240], 8, limited(1), [255, 0, 0]),
        ([32, 240, 118], 8, limited(1), [0, 0, 255]),
        // BT.601 green
        ([145, 54, 34], 8, limited(6), [0, 255, 0]),
        // the same, unspecified
        ([145, 54, 34], 8, limited(2), [0, 255, 0]),
        // BT.2020 red at ten bits
        ([294, 387, 960], 10, limited(9), [255, 0, 0]),
        ([1_023, 512, 512], 10, full(6), [255, 255, 255]),
        ([4_095, 2_048, 2_048], 12, full(6), [255, 255, 255]),
        ([2_048, 2_048, 2_048], 12, full(6), [128, 128, 128]),
        ([10, 20, 30], 8, full(0), [30, 10, 20]),
        ([940, 64, 502], 10, limited(0), [128, 255, 0]),
        ([128, 128, 128], 8, full(8), [128, 128, 128]),
        ([128, 255, 128], 8, full(8), [1, 255, 1]),
    ] {
        let found = pixel(numbers, depth, meaning).unwrap();
        let is_near = found.iter().zip(expected).all(|(one, other)| one.abs_diff(other) <= 1);
        assert!(is_near, "{numbers:?} of {depth} bits, {meaning:?}: {found:?}, not {expected:?}");
    }
}

#[test]
fn mixtures_that_are_not_known_are_refused() {
    for matrix in [3, 10, 11, 13, 14, 15, 255] {
        let outcome = pixel([9, 9, 9], 8, Meaning { matrix, ..FULL });
        assert!(matches!(outcome, Err(Error::Undecodable { .. })), "{matrix}: {outcome:?}");
    }
    assert_eq!(pixel([9, 9, 9], 7, FULL), Err(DAMAGED));
    assert_eq!(pixel([9, 9, 9], 17, FULL), Err(DAMAGED));
}

#[test]
fn chroma_lies_between_its_samples_of_luma() {
    // blue difference that rises from left to right, in halves
    let (luma, rising, flat) = ([128_u8; 4 * 2], [100_u8, 140], [128_u8; 2]);
    let coded = Coded {
        width: 4,
        height: 2,
        depth: 8,
        luma: narrow(&luma, 4),
        chroma: Some([narrow(&rising, 2), narrow(&flat, 2)]),
        meaning: FULL,
    };
    let (frame, meaning) = coded.frame(None, SHOWN).unwrap();
    let blues: Vec<u8> = frame.pixels.iter().skip(2).step_by(3).copied().collect();
    // 1.772 of 100, 110, 130 and 140, without 128
    assert_eq!(blues, [78, 96, 132, 149, 78, 96, 132, 149]);
    assert_eq!(meaning, Some(FULL));
}

#[test]
fn odd_sizes_and_planes_that_are_too_short_give_whole_pictures() {
    for (width, height) in [(1_usize, 1_usize), (3, 5), (2, 1), (7, 2)] {
        for (across, down) in [(2, 2), (2, 1), (1, 1)] {
            let (low, flat) = (width.div_ceil(across), height.div_ceil(down));
            let (luma, chroma) = (vec![200_u8; width * height], vec![128_u8; low * flat]);
            let plane = narrow(&chroma, low);
            let coded = Coded {
                width: u32::try_from(width).unwrap(),
                height: u32::try_from(height).unwrap(),
                depth: 8,
                luma: narrow(&luma, width),
                chroma: Some([plane, plane]),
                meaning: FULL,
            };
            let (frame, _) = coded.frame(None, SHOWN).unwrap();
            assert_eq!(frame.pixels, vec![200; width * height * 3], "{width} x {height}, {across} {down}");
        }
    }
}

#[test]
fn what_the_file_says_goes_before_what_the_codec_says() {
    let planes = [[63_u8], [102], [240]];
    let [luma, first, second] = planes.each_ref().map(|plane| narrow(plane, 1));
    let coded = Coded { width: 1, height: 1, depth: 8, luma, chroma: Some([first, second]), meaning: FULL };
    let said = Meaning { primaries: 12, transfer: 13, matrix: 1, is_full_range: false };
    let (frame, meaning) = coded.frame(Some(said), SHOWN).unwrap();
    let is_red = frame.pixels.iter().zip([255_u8, 0, 0]).all(|(one, other)| one.abs_diff(other) <= 1);
    assert!(is_red && meaning == Some(said), "{:?} {meaning:?}", frame.pixels);
    // of alpha only the codec knows
    let (frame, meaning) = coded.frame(Some(said), Colours::Alpha).unwrap();
    assert_eq!((frame.layout, &frame.pixels[..], meaning), (Layout::Grey, &[63][..], None));
}

#[test]
fn high_dynamic_range_becomes_srgb_unless_there_is_a_profile() {
    let planes = [[594_u16], [512], [512]];
    let [luma, first, second] = planes.each_ref().map(|plane| wide(plane, 1));
    let meaning = Meaning { primaries: 9, transfer: 16, matrix: 9, is_full_range: true };
    let coded = Coded { width: 1, height: 1, depth: 10, luma, chroma: Some([first, second]), meaning };
    // the white of a page
    let (frame, left) = coded.frame(None, SHOWN).unwrap();
    assert!(frame.pixels[0] > 190 && frame.pixels[0] < 240, "{:?}", frame.pixels);
    assert_eq!(left, None);
    let (frame, left) = coded.frame(None, Colours::Shown { has_profile: true }).unwrap();
    assert_eq!((frame.pixels[0], left), (148, Some(meaning)));
}
