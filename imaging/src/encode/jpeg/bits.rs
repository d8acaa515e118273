//! Writes the bits of a scan: most significant first, a zero byte after each byte of ones (T.81 sections B.1.1.5, F.1.2.3).

/// The bytes of a file so far, and bits that are not yet eight.
#[derive(Debug)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// The last `used` bits are waiting; what stands above them is already written.
    waiting: u64,
    /// 0 to 63.
    used: u32,
}

impl BitWriter {
    /// Continues `bytes`.
    pub(super) fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, waiting: 0, used: 0 }
    }

    /// Appends the last `length` bits of `bits`, 0 to 32; the others must be 0.
    #[inline(always)]
    pub(super) fn put(&mut self, bits: u32, length: u32) {
        let bits = u64::from(bits);
        let room = 64 - self.used;
        if length < room {
            self.waiting = (self.waiting << length) | bits;
            self.used += length;
        } else {
            let over = length - room;
            // room is 64 only when nothing waits, and then 32 bits at most fit above
            let word = (self.waiting << (room & 63)) | (bits >> over);
            self.word(word);
            self.waiting = bits;
            self.used = over;
        }
    }

    #[inline(always)]
    fn word(&mut self, word: u64) {
        const HIGH: u64 = 0x8080_8080_8080_8080;
        const ONES: u64 = 0x0101_0101_0101_0101;
        let has_full_byte = word & HIGH & !word.wrapping_add(ONES) != 0;
        if has_full_byte {
            self.stuffed(word);
        } else {
            self.bytes.extend_from_slice(&word.to_be_bytes());
        }
    }

    #[cold]
    fn stuffed(&mut self, word: u64) {
        for byte in word.to_be_bytes() {
            self.byte(byte);
        }
    }

    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
        if byte == 0xFF {
            self.bytes.push(0);
        }
    }

    /// Fills the last byte with ones and gives the file back.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let missing = self.used.wrapping_neg() & 7;
        let word = ((self.waiting << missing) | ((1 << missing) - 1)).to_be_bytes();
        let bytes = usize::try_from((self.used + missing) / 8).unwrap_or(0);
        for byte in word.into_iter().skip(word.len() - bytes) {
            self.byte(byte);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_follow_each_other() {
        let mut writer = BitWriter::after(vec![1, 2]);
        writer.put(0b101, 3);
        writer.put(0, 0);
        writer.put(0b0_0001_1110, 9);
        assert_eq!(writer.finish(), [1, 2, 0b1010_0001, 0b1110_1111]);
    }

    #[expect(clippy::cast_possible_truncation, reason = "bits to write, whichever they are")]
    #[test]
    fn every_length_at_every_place() {
        for length in 1..=32 {
            let mut writer = BitWriter::after(Vec::new());
            let mut wanted = String::new();
            for n in 0..100_u64 {
                let value = (n.wrapping_mul(0x9E37_79B9) >> 7) as u32 & (u32::MAX >> (32 - length));
                writer.put(value, length);
                wanted += &format!("{value:0width$b}", width = length as usize);
            }
            while !wanted.len().is_multiple_of(8) {
                wanted.push('1');
            }
            let mut found = String::new();
            let mut bytes = writer.finish().into_iter();
            while let Some(byte) = bytes.next() {
                found += &format!("{byte:08b}");
                assert!(byte != 0xFF || bytes.next() == Some(0));
            }
            assert_eq!(found, wanted, "{length}");
        }
    }

    #[test]
    fn full_bytes_are_followed_by_zero() {
        let mut writer = BitWriter::after(Vec::new());
        for _ in 0..9 {
            writer.put(0xFF, 8);
        }
        writer.put(0x7F, 7);
        assert_eq!(writer.finish(), [0xFF, 0].repeat(10));
    }
}
