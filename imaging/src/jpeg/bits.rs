//! The bits of an entropy-coded segment (ITU-T T.81 section F.2.2.5), read 64 at a time.
//!
//! Stuffed zeros are taken out while bytes are copied into a window, so that the reader of bits needs to look for neither
//! markers nor the end: behind the data the window holds zeros. A decoder asks once per unit ([`Feed::is_low`]) whether
//! the window still holds enough, and there learns that the data is exhausted.

/// Bytes that a window holds; a power of two.
const WINDOW: usize = 1 << 15;

/// Bytes that the largest unit can take: ten blocks of 64 coefficients, each with 16 bits of code and 16 of value, and
/// what the reader has read ahead.
const UNIT: usize = 10 * 64 * 4 + 64;

/// Bytes that are looked through at once.
const STRIDE: usize = 32;

/// The window, with room for a word that begins at its last byte.
pub(super) type Window = [u8; WINDOW + 8];

/// Where the reader of bits is. Small enough to live in registers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bits {
    /// The next bits, the first of them on top.
    buffer: u64,
    /// How many of them count.
    count: u32,
    /// Where in the window the next byte lies.
    at: usize,
}

impl Bits {
    /// Makes sure that at least 56 bits can be read.
    #[inline(always)]
    pub(super) fn refill(&mut self, window: &Window) {
        let at = self.at & (WINDOW - 1);
        let word = window.get(at..at + 8).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or_default();
        self.buffer |= u64::from_be_bytes(word) >> (self.count & 63);
        self.at += ((63 - self.count) >> 3) as usize;
        self.count |= 56;
    }

    /// The next `COUNT` bits, 1 to 32.
    #[inline(always)]
    pub(super) fn peek<const COUNT: u32>(self) -> u32 {
        low_half(self.buffer >> (64 - COUNT))
    }

    /// Goes past `count` bits, no more than were filled in since the last refill.
    #[inline(always)]
    pub(super) fn consume(&mut self, count: u32) {
        self.buffer <<= count & 63;
        self.count = self.count.wrapping_sub(count);
    }

    /// The next `count` bits, at most 16, as a number.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        // in two steps, since a shift by 64 is none
        let value = (self.buffer >> 1) >> (63 - (count & 63));
        self.consume(count);
        low_half(value)
    }

    /// The next `size` bits, 1 to 16, as a signed coefficient (T.81 table F.1 and section F.2.2.1).
    #[inline(always)]
    pub(super) fn coefficient(&mut self, size: u32) -> i32 {
        let negative = (self.buffer >> 63) == 0;
        let value = self.take(size).cast_signed();
        if negative { value - (1 << size) + 1 } else { value }
    }
}

#[inline(always)]
fn low_half(value: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "numbers of at most 32 bits come here")]
    let low = value as u32;
    low
}

/// Fills the window from the bytes of the file.
pub(super) struct Feed<'a> {
    source: &'a [u8],
    at: usize,
    window: Box<Window>,
    filled: usize,
    /// The next byte of the source belongs to a marker, or there is none.
    ended: bool,
}

impl<'a> Feed<'a> {
    /// Begins with the first byte of `source`.
    pub(super) fn new(source: &'a [u8]) -> Self {
        let mut feed = Self { source, at: 0, window: Box::new([0; WINDOW + 8]), filled: 0, ended: false };
        feed.fill();
        feed
    }

    #[inline(always)]
    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    /// Whether [`Self::slide`] has to be called before the next unit.
    #[inline(always)]
    pub(super) fn is_low(&self, bits: &Bits) -> bool {
        bits.at > if self.ended { self.filled } else { WINDOW - UNIT }
    }

    /// Makes room for and reads at least one more unit, unless the data ends before. False when more bits have been read
    /// than there are.
    #[cold]
    #[inline(never)]
    pub(super) fn slide(&mut self, bits: &mut Bits) -> bool {
        if self.ended {
            return !self.is_exhausted(bits);
        }
        self.window.copy_within(bits.at.min(self.filled)..self.filled, 0);
        self.filled = self.filled.saturating_sub(bits.at);
        bits.at = 0;
        self.fill();
        true
    }

    /// Whether more bits have been read than there are.
    pub(super) fn is_exhausted(&self, bits: &Bits) -> bool {
        let read = (bits.at * 8).saturating_sub(bits.count as usize);
        self.ended && read > self.filled * 8
    }

    /// Leaves out what is left up to the next marker; how many bytes of the source lie before it.
    pub(super) fn finish(&mut self) -> usize {
        while !self.ended {
            self.filled = 0;
            self.fill();
        }
        self.at
    }

    /// Leaves out what is left before a restart marker and the marker itself, and begins anew behind it. The number of
    /// the marker, 0 to 7, or none when the next marker is another one.
    pub(super) fn restart(&mut self) -> Option<u8> {
        let at = self.finish();
        let marker =
            self.source.get(at..)?.iter().position(|byte| *byte != 0xff).map(|filling| at + filling)?;
        let number = self.source.get(marker).filter(|byte| (0xd0..=0xd7).contains(*byte))? - 0xd0;
        self.at = marker + 1;
        self.filled = 0;
        self.ended = false;
        self.fill();
        Some(number)
    }

    fn fill(&mut self) {
        while self.filled + STRIDE <= WINDOW && !self.ended {
            if !self.copy_stride() {
                self.copy_byte();
            }
        }
        if let Some(behind) = self.window.get_mut(self.filled..) {
            let length = behind.len().min(STRIDE);
            behind.iter_mut().take(length).for_each(|byte| *byte = 0);
        }
    }

    /// Copies bytes up to the next 0xff, at most [`STRIDE`]; false when there are none.
    #[inline]
    fn copy_stride(&mut self) -> bool {
        let Some(from) = self.source.get(self.at..).and_then(|rest| rest.first_chunk::<STRIDE>()) else {
            return false;
        };
        let Some(to) = self.window.get_mut(self.filled..).and_then(|rest| rest.first_chunk_mut::<STRIDE>())
        else {
            return false;
        };
        *to = *from;
        let marked = from.iter().fold(false, |marked, byte| marked | (*byte == 0xff));
        let copied =
            if marked { from.iter().position(|byte| *byte == 0xff).unwrap_or(STRIDE) } else { STRIDE };
        self.at += copied;
        self.filled += copied;
        copied > 0
    }

    /// Copies one byte, or finds the end.
    fn copy_byte(&mut self) {
        let next = |ahead: usize| self.source.get(self.at + ahead).copied();
        let (byte, taken) = match (next(0), next(1)) {
            (Some(0xff), Some(0)) => (0xff, 2),
            // filling before a marker
            (Some(0xff), Some(0xff)) => {
                self.at += 1;
                return;
            }
            (None, _) | (Some(0xff), _) => {
                self.ended = true;
                return;
            }
            (Some(byte), _) => (byte, 1),
        };
        if let Some(to) = self.window.get_mut(self.filled) {
            *to = byte;
        }
        self.at += taken;
        self.filled += 1;
    }
}
