//! The bits of a partition (RFC 6386 section 7): each is as likely to be zero as its probability says.
//!
//! The decoder's range is kept as one less, 127 to 254, so that eight bits hold it; behind it lie up to 56 bits that were read
//! ahead. Beyond the end of a partition there are zeros, and whoever reads them learns it from [`Bits::is_exhausted`].

/// Where the reader of a partition is. Small enough to live in registers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    /// The bits that decide next, `count` others behind them.
    value: u64,
    /// One less than the range.
    range: u32,
    /// Negative when more bits have to be read.
    count: i32,
    is_exhausted: bool,
}

impl<'a> Bits<'a> {
    /// Begins with the first byte of `partition`.
    pub(super) fn new(partition: &'a [u8]) -> Self {
        Self { rest: partition, value: 0, range: 254, count: -8, is_exhausted: false }
    }

    /// Whether more bits were needed than there are.
    pub(super) fn is_exhausted(&self) -> bool {
        self.is_exhausted
    }

    /// One bit, which is zero in `probability` of 256 cases.
    #[inline(always)]
    pub(super) fn bit(&mut self, probability: u8) -> bool {
        self.refill();
        let split = (self.range * u32::from(probability)) >> 8;
        let is_set = self.window() > split;
        let range = if is_set {
            self.value -= u64::from(split + 1) << (self.count & 63);
            self.range - split
        } else {
            split + 1
        };
        let shift = range.leading_zeros() & 7;
        self.range = (range << shift) - 1;
        self.count -= shift.cast_signed();
        is_set
    }

    /// The number with a sign, which is the next bit. Not to be the first that is read of a partition.
    #[inline(always)]
    pub(super) fn signed(&mut self, number: i32) -> i32 {
        self.refill();
        let split = self.range >> 1;
        // all ones for a set bit; the range is halved in any case, so that nothing has to branch
        let mask = (split.cast_signed() - self.window().cast_signed()) >> 31;
        self.value -= u64::from((split + 1) & mask.cast_unsigned()) << (self.count & 63);
        self.range = self.range.wrapping_add_signed(mask) | 1;
        self.count -= 1;
        (number ^ mask) - mask
    }

    /// A bit that may as well be zero as one.
    pub(super) fn flag(&mut self) -> bool {
        self.bit(128)
    }

    /// The next `count` bits as a number.
    pub(super) fn literal(&mut self, count: u32) -> u8 {
        (0..count).fold(0, |number, _| number << 1 | u8::from(self.flag()))
    }

    /// A number of `count` bits behind a flag and before its sign; zero without the flag.
    pub(super) fn optional(&mut self, count: u32) -> i32 {
        if !self.flag() {
            return 0;
        }
        let number = i32::from(self.literal(count));
        if self.flag() { -number } else { number }
    }

    /// The bits that are compared with the split; below 256.
    #[inline(always)]
    fn window(&self) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "all but the lowest bits are zero")]
        let window = (self.value >> (self.count & 63)) as u32;
        window
    }

    #[inline(always)]
    fn refill(&mut self) {
        if self.count >= 0 {
            return;
        }
        match self.rest.first_chunk::<8>() {
            Some(word) => {
                self.value = self.value << 56 | u64::from_be_bytes(*word) >> 8;
                self.rest = self.rest.get(7..).unwrap_or_default();
                self.count += 56;
            }
            None => *self = self.refilled(),
        }
    }

    /// With one byte more: the end is near.
    #[cold]
    #[inline(never)]
    fn refilled(self) -> Self {
        let (next, rest) =
            self.rest.split_first().map_or((None, self.rest), |(next, rest)| (Some(*next), rest));
        Self {
            rest,
            value: self.value << 8 | u64::from(next.unwrap_or(0)),
            count: self.count + 8,
            is_exhausted: self.is_exhausted || next.is_none(),
            ..self
        }
    }
}
