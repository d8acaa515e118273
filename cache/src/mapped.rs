//! Large bodies in memory mappings of their own.
//!
//! An allocator rounds large blocks up, keeps what is freed for a while and leaves gaps between blocks that live long
//! and blocks that don't. For a cache those gaps are a good part of its memory. A mapping takes whole pages, and what is
//! freed is free at once. Small bodies stay with the allocator, and so does everything once there are many mappings:
//! systems bound their number.

use std::{
    io::{self, Read},
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use memmap2::{MmapMut, MmapOptions};

/// Bodies from this length on get a mapping, in bytes.
pub const MAPPED_BYTES_MIN: usize = 64 * 1024;
/// Mappings at once; Linux allows a process 65 530 by default.
pub const MAPPINGS_MAX: usize = 32 * 1024;
/// Unit of a mapping, in bytes.
const PAGE: usize = 4096;
/// What an allocator's size classes waste at most, as a part of a block.
const CLASS_WASTE: usize = 8;

static MAPPINGS: AtomicUsize = AtomicUsize::new(0);

/// A mapping that is counted.
struct Mapping(MmapMut);

impl Mapping {
    fn new(length: usize) -> Option<Self> {
        if length < MAPPED_BYTES_MIN || MAPPINGS.fetch_add(1, Ordering::Relaxed) >= MAPPINGS_MAX {
            if length >= MAPPED_BYTES_MIN {
                MAPPINGS.fetch_sub(1, Ordering::Relaxed);
            }
            return None;
        }
        let mapped = MmapOptions::new().len(length).populate().map_anon();
        if mapped.is_err() {
            MAPPINGS.fetch_sub(1, Ordering::Relaxed);
        }
        mapped.ok().map(Self)
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        MAPPINGS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes of memory that a body of this length takes.
#[must_use]
pub const fn footprint(length: usize) -> usize {
    if length >= MAPPED_BYTES_MIN { length.next_multiple_of(PAGE) } else { length + length / CLASS_WASTE }
}

/// Puts chunks together into one buffer.
#[must_use]
pub fn concat(chunks: &[Bytes]) -> Bytes {
    let length = chunks.iter().map(Bytes::len).sum();
    let Some(mut mapping) = Mapping::new(length) else { return chunks.concat().into() };
    let mut rest: &mut [u8] = &mut mapping.0;
    for chunk in chunks {
        let Some((here, after)) = rest.split_at_mut_checked(chunk.len()) else { break };
        here.copy_from_slice(chunk);
        rest = after;
    }
    Bytes::from_owner(mapping)
}

/// Reads exactly this many bytes.
///
/// # Errors
/// When the reader fails or ends before that.
pub fn read(mut reader: impl Read, length: usize) -> io::Result<Bytes> {
    if let Some(mut mapping) = Mapping::new(length) {
        reader.read_exact(&mut mapping.0)?;
        return Ok(Bytes::from_owner(mapping));
    }
    let mut bytes = Vec::with_capacity(length);
    reader.by_ref().take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() == length { Ok(bytes.into()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_bodies_are_put_together_alike() {
        for length in [0, 1, MAPPED_BYTES_MIN - 1, MAPPED_BYTES_MIN, MAPPED_BYTES_MIN + 1, 1 << 20] {
            let whole: Vec<u8> = (0..=250).cycle().take(length).collect();
            let chunks: Vec<Bytes> = whole.chunks(10_000).map(Bytes::copy_from_slice).collect();
            assert_eq!(concat(&chunks), whole, "{length}");
            assert_eq!(read(whole.as_slice(), length).unwrap(), whole, "{length}");
            assert!(read(whole.as_slice(), length + 1).is_err(), "{length}");
            assert!(footprint(length) >= length);
        }
    }

    #[test]
    fn reading_stops_at_the_length() {
        let mut reader: &[u8] = &[7; 100_000];
        assert_eq!(read(&mut reader, 70_000).unwrap().len(), 70_000);
        assert_eq!(reader.len(), 30_000);
    }
}
