//! Damaged, cut and hostile frames end, and in an answer.

use std::sync::LazyLock;

use super::*;

/// Small files, one of each way of coding.
static SMALL: LazyLock<[Vec<u8>; 4]> = LazyLock::new(|| {
    let planes = cropped(&PHOTO, (200, 150), (61, 45));
    let tunes: [fn(&mut WebPConfig); 4] = [
        |config| config.quality = 20.0,
        |config| (config.quality, config.partitions) = (90.0, 3),
        |config| (config.quality, config.filter_type, config.filter_strength) = (60.0, 0, 80),
        |config| (config.quality, config.method, config.segments) = (100.0, 6, 4),
    ];
    tunes.map(|tune| peer::encoded(&planes, tune))
});

#[test]
fn a_frame_cut_anywhere_is_refused() {
    for file in &*SMALL {
        let frame = frame(file);
        // padding at the end of a partition may be missing
        for length in 0..frame.len() - 3 {
            let outcome = read(&frame[..length], &Deadline::never());
            assert_eq!(outcome, Err(DAMAGED), "{length} of {}", frame.len());
        }
    }
}

#[test]
fn a_file_of_the_collection_that_is_cut_is_refused() {
    let file = fixture("broken/truncated.webp");
    let at = file.windows(4).position(|kind| kind == b"VP8 ").unwrap();
    assert_eq!(read(&file[at + 8..], &Deadline::never()), Err(DAMAGED));
}

#[test]
fn what_is_no_picture_of_its_own_is_refused() {
    let file = &SMALL[0];
    let sound = frame(file);
    assert!(read(sound, &Deadline::never()).is_ok());
    // changes to another frame, an unknown version, not to be shown, a longer first partition, another start code, no columns,
    // no rows
    for (at, byte) in
        [(0, sound[0] | 1), (0, sound[0] | 8), (0, sound[0] & !16), (2, 0xff), (3, 0), (6, 0), (8, 0)]
    {
        let mut other = sound.to_vec();
        other[at] = byte;
        if (6..).contains(&at) {
            other[at + 1] = 0;
        }
        assert_eq!(read(&other, &Deadline::never()), Err(DAMAGED), "byte {at}");
    }
}

#[test]
fn a_deadline_ends_it() {
    let deadline = Deadline::never();
    deadline.cancel();
    for file in &*SMALL {
        assert_eq!(read(frame(file), &deadline), Err(Error::Deadline));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_end_in_an_answer(
        file in 0_usize..4,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..6),
        early in any::<bool>(),
    ) {
        let file = &SMALL[file];
        let mut frame = frame(file).to_vec();
        for (place, bit) in flips {
            // the size stays as it was judged; what a header says matters most
            let end = if early { frame.len().min(60) } else { frame.len() };
            let place = place.index(end);
            if !(6..10).contains(&place) {
                frame[place] ^= 1 << bit;
            }
        }
        match read(&frame, &Deadline::never()) {
            Ok(planes) => {
                let [blue, red] = planes.chroma.unwrap();
                prop_assert_eq!(planes.luma.samples.len(), 61 * 45);
                prop_assert_eq!((blue.samples.len(), red.samples.len()), (31 * 23, 31 * 23));
            }
            Err(error) => prop_assert_eq!(error, DAMAGED),
        }
    }

    #[test]
    fn noise_behind_the_header_ends_in_an_answer(
        size in (1_u16..200, 1_u16..200),
        noise in prop::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let first = (noise.len() / 2) as u32;
        let tag = (first << 5 | 1 << 4).to_le_bytes();
        let (width, height) = (size.0.to_le_bytes(), size.1.to_le_bytes());
        let frame = [&tag[..3], &[0x9d, 0x01, 0x2a], &width, &height, &noise].concat();
        let outcome = read(&frame, &Deadline::never());
        prop_assert!(outcome.is_ok() || outcome == Err(DAMAGED));
    }
}
