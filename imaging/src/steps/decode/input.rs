//! The source as a decoder reads it: in pieces, and not for longer than the deadline allows.
//!
//! Codecs know nothing of deadlines, but all of them ask for bytes. Past its deadline the source fails, so the codec stops.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use crate::Deadline;

/// Bytes handed out between two looks at the clock.
const PIECE_BYTES: usize = 16 << 10;

/// A slice that ends with an error when the deadline has passed.
pub(super) struct Input<'a> {
    source: &'a [u8],
    at: usize,
    deadline: Deadline,
    /// Bytes that may be read before the next look at the clock.
    left: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(source: &'a [u8], deadline: &Deadline) -> Self {
        Self { source, at: 0, deadline: deadline.clone(), left: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.source.get(self.at..).unwrap_or_default()
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.fill_buf()?;
        let count = piece.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), piece.get(..count)) {
            to.copy_from_slice(from);
        }
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            self.deadline.check().map_err(|_| io::ErrorKind::TimedOut)?;
            self.left = PIECE_BYTES;
        }
        let rest = self.rest();
        Ok(rest.get(..self.left).unwrap_or(rest))
    }

    fn consume(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.source.len());
        self.left = self.left.saturating_sub(count);
    }
}

impl Seek for Input<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let from = |base: usize, offset: i64| {
            let offset = isize::try_from(offset).ok()?;
            base.checked_add_signed(offset)
        };
        let target = match position {
            SeekFrom::Start(offset) => usize::try_from(offset).ok(),
            SeekFrom::End(offset) => from(self.source.len(), offset),
            SeekFrom::Current(offset) => from(self.at, offset),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        // jumping about counts as reading, so that a decoder which only does that is stopped too
        self.left = self.left.saturating_sub(1);
        u64::try_from(self.at).map_err(|_| io::ErrorKind::InvalidInput.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_like_a_cursor() {
        let source: Vec<u8> = (0..100_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
        let mut input = Input::new(&source, &Deadline::never());
        let mut cursor = io::Cursor::new(&source);
        let (mut ours, mut theirs) = (vec![0; 30_000], vec![0; 30_000]);
        for position in [SeekFrom::Start(7), SeekFrom::Current(-3), SeekFrom::End(-40_000)] {
            assert_eq!(input.seek(position).unwrap(), cursor.seek(position).unwrap());
            input.read_exact(&mut ours).unwrap();
            cursor.read_exact(&mut theirs).unwrap();
            assert_eq!(ours, theirs);
        }
        assert!(input.seek(SeekFrom::Current(-1_000_000)).is_err());
        input.seek(SeekFrom::Start(1 << 40)).unwrap();
        assert_eq!(input.read(&mut ours).unwrap(), 0);
    }

    #[test]
    fn past_the_deadline_it_fails() {
        let source = vec![0; 100_000];
        let deadline = Deadline::never();
        let mut input = Input::new(&source, &deadline);
        let mut buffer = vec![0; 20_000];
        input.read_exact(&mut buffer).unwrap();
        deadline.cancel();
        let outcome = input.read_exact(&mut buffer).map_err(|error| error.kind());
        assert_eq!(outcome, Err(io::ErrorKind::TimedOut));
    }
}
