//! What the header of an AV1 sequence says of the memory that its pictures take (AV1 sections 5.5.1 and 5.5.2).

use crate::sniff::heif::Chroma;

/// How much chroma a picture has, and whether its samples have more than eight bits; none when the header ends early or is
/// of an unknown profile.
pub(super) fn kind(header: &[u8]) -> Option<(Chroma, bool)> {
    let mut bits = Bits { bytes: header, at: 0 };
    let profile = bits.take(3)?;
    bits.take(1)?;
    let is_reduced = bits.flag()?;
    if is_reduced {
        bits.take(5)?;
    } else {
        operating_points(&mut bits)?;
    }
    let (width_bits, height_bits) = (bits.take(4)? + 1, bits.take(4)? + 1);
    bits.take(width_bits)?;
    bits.take(height_bits)?;
    if !is_reduced && bits.flag()? {
        bits.take(7)?;
    }
    // superblocks, filters of intra prediction
    bits.take(3)?;
    if !is_reduced {
        tools_between_frames(&mut bits)?;
    }
    // super resolution, the two filters behind
    bits.take(3)?;
    colour(&mut bits, profile)
}

/// Times and operating points.
fn operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut delay_bits = None;
    if bits.flag()? {
        bits.take(64)?;
        if bits.flag()? {
            bits.uvlc()?;
        }
        if bits.flag()? {
            delay_bits = Some(bits.take(5)? + 1);
            bits.take(32 + 5 + 5)?;
        }
    }
    let has_display_delay = bits.flag()?;
    for _ in 0..=bits.take(5)? {
        bits.take(12)?;
        if bits.take(5)? > 7 {
            bits.take(1)?;
        }
        if let Some(delay_bits) = delay_bits
            && bits.flag()?
        {
            bits.take(2 * delay_bits + 1)?;
        }
        if has_display_delay && bits.flag()? {
            bits.take(4)?;
        }
    }
    Some(())
}

/// What of its tools concerns several frames.
fn tools_between_frames(bits: &mut Bits<'_>) -> Option<()> {
    // compound prediction, warped motion, dual filter
    bits.take(4)?;
    let has_order = bits.flag()?;
    if has_order {
        bits.take(2)?;
    }
    // screen content, by frame where it is not said here
    let may_be_screen = bits.flag()? || bits.flag()?;
    if may_be_screen && !bits.flag()? {
        bits.take(1)?;
    }
    if has_order {
        bits.take(3)?;
    }
    Some(())
}

fn colour(bits: &mut Bits<'_>, profile: u64) -> Option<(Chroma, bool)> {
    const SRGB: (u64, u64, u64) = (1, 13, 0);
    let is_deep = bits.flag()?;
    let has_twelve = profile == 2 && is_deep && bits.flag()?;
    let is_grey = profile != 1 && bits.flag()?;
    let described = if bits.flag()? { Some((bits.take(8)?, bits.take(8)?, bits.take(8)?)) } else { None };
    let chroma = match profile {
        _ if is_grey => Chroma::Quarter,
        _ if described == Some(SRGB) => Chroma::Full,
        0 => Chroma::Quarter,
        1 => Chroma::Full,
        2 if has_twelve => {
            // range; halved across, and then perhaps down
            bits.take(1)?;
            match bits.flag()? {
                false => Chroma::Full,
                true if bits.flag()? => Chroma::Quarter,
                true => Chroma::Half,
            }
        }
        2 => Chroma::Half,
        _ => return None,
    };
    Some((chroma, is_deep))
}

/// Bits, the highest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// The next `count` bits as a number, of which the last 64 count.
    fn take(&mut self, count: u64) -> Option<u64> {
        (0..count).try_fold(0, |value: u64, _| Some(value << 1 | u64::from(self.flag()?)))
    }

    /// AV1 section 4.10.3; what it says is not looked at.
    fn uvlc(&mut self) -> Option<()> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        if zeros < 32 {
            self.take(zeros)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::c_void;
    use std::mem::MaybeUninit;
    use std::ptr::NonNull;

    use proptest::prelude::*;
    use rav1d::include::dav1d::headers::{
        DAV1D_PIXEL_LAYOUT_I422, DAV1D_PIXEL_LAYOUT_I444, Dav1dSequenceHeader,
    };
    use rav1d::src::lib::dav1d_parse_sequence_header;

    use super::*;

    /// What rav1d reads of it; none when it objects.
    #[expect(unsafe_code, reason = "rav1d is called by dav1d's interface for C")]
    fn of_peer(header: &[u8]) -> Option<(Chroma, bool)> {
        let mut unit = vec![0x0a, u8::try_from(header.len()).unwrap()];
        unit.extend_from_slice(header);
        let mut place = MaybeUninit::<Dav1dSequenceHeader>::uninit();
        let start = NonNull::from(&*unit).cast::<u8>();
        // SAFETY: the place may be written to, and there are as many bytes as their length says.
        let code = unsafe {
            dav1d_parse_sequence_header(
                Some(NonNull::from(&mut place).cast::<c_void>().cast()),
                Some(start),
                unit.len(),
            )
        };
        if code.0 != 0 {
            return None;
        }
        // SAFETY: rav1d has filled it in.
        let read = unsafe { place.assume_init() };
        let chroma = match read.layout {
            DAV1D_PIXEL_LAYOUT_I444 => Chroma::Full,
            DAV1D_PIXEL_LAYOUT_I422 => Chroma::Half,
            _ => Chroma::Quarter,
        };
        Some((chroma, read.hbd > 0))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

        #[test]
        fn it_reads_what_the_decoder_reads(
            head in prop::sample::select(vec![0x00_u8, 0x10, 0x18, 0x20, 0x30, 0x38, 0x40, 0x50, 0x58]),
            rest in prop::collection::vec(any::<u8>(), 8..60),
        ) {
            let mut header = rest;
            header[0] = head | header[0] & 7;
            // beyond what it objects to, both agree
            if let Some(read) = of_peer(&header) {
                prop_assert_eq!(kind(&header), Some(read));
            }
        }
    }

    #[test]
    fn a_header_cut_short_says_nothing() {
        assert_eq!(kind(&[]), None);
        assert_eq!(kind(&[0x18, 0, 0]), None);
    }
}
