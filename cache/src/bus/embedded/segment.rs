//! The bytes of one segment file of the purge log: a head, then records.
//!
//! Numbers are little-endian. Head: `OFPURGE`, version, epoch, first seq, check (16). Record: payload length (8), seq,
//! check of these two (8), payload, check of everything before it (16). Checks are seeded with the epoch. The record's
//! own head has a check so that a flipped length can't pass for a record cut short: only a record whose head is right
//! and whose end is missing was torn while being written, and nobody was told that it was durable.

use twox_hash::XxHash3_128;

const MAGIC: &[u8; 7] = b"OFPURGE";
const VERSION: u8 = 1;
const HEAD_FIELDS: usize = 24;
/// Bytes of a segment's head.
pub(super) const HEAD_BYTES: usize = HEAD_FIELDS + 16;
const RECORD_FIELDS: usize = 16;
/// Bytes of a record beside its payload.
pub(super) const RECORD_BYTES: usize = RECORD_FIELDS + 8 + 16;

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Log that it belongs to.
    pub(super) epoch: u64,
    /// Number of its first record, written or not.
    pub(super) first_seq: u64,
}

/// Why a head can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadError {
    /// Not what was written.
    Damaged,
    /// Right, but of a format that this program does not know.
    Version(u8),
}

impl Head {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&self.first_seq.to_le_bytes());
        let check = XxHash3_128::oneshot(&bytes);
        bytes.extend_from_slice(&check.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, HeadError> {
        let parts = bytes.split_at_checked(HEAD_FIELDS).and_then(|(fields, rest)| {
            let (check, _) = rest.split_first_chunk::<16>()?;
            let (magic, numbers) = fields.split_first_chunk::<8>()?;
            let (epoch, numbers) = numbers.split_first_chunk::<8>()?;
            let first_seq = numbers.first_chunk::<8>()?;
            let is_whole = XxHash3_128::oneshot(fields) == u128::from_le_bytes(*check);
            let [name @ .., version] = magic;
            let head = Self { epoch: u64::from_le_bytes(*epoch), first_seq: u64::from_le_bytes(*first_seq) };
            (is_whole && name == MAGIC).then_some((head, *version))
        });
        match parts {
            Some((head, VERSION)) => Ok(head),
            Some((_, version)) => Err(HeadError::Version(version)),
            None => Err(HeadError::Damaged),
        }
    }
}

/// Appends one record to `bytes`.
pub(super) fn encode_record(epoch: u64, seq: u64, payload: &[u8], bytes: &mut Vec<u8>) {
    let mut record = Vec::with_capacity(RECORD_BYTES + payload.len());
    record.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    record.extend_from_slice(&seq.to_le_bytes());
    let check = short_check(epoch, &record);
    record.extend_from_slice(&check.to_le_bytes());
    record.extend_from_slice(payload);
    let check = XxHash3_128::oneshot_with_seed(epoch, &record);
    record.extend_from_slice(&check.to_le_bytes());
    bytes.extend_from_slice(&record);
}

fn short_check(epoch: u64, fields: &[u8]) -> u64 {
    let hash = XxHash3_128::oneshot_with_seed(epoch, fields);
    u64::try_from(hash >> 64).unwrap_or_default()
}

/// How the readable part of a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With the last byte of a record.
    Clean,
    /// In a record whose writing was cut short, or in zeros that a file system left.
    Torn,
    /// In bytes that were never written so.
    Damaged,
}

/// Reads a segment's records in order; after the last one, `ending` tells how it ended.
#[derive(Debug)]
pub(super) struct Records<'a> {
    epoch: u64,
    next_seq: u64,
    rest: &'a [u8],
    good_bytes: usize,
    ending: Ending,
}

impl<'a> Records<'a> {
    /// `bytes` begin with the segment's head, which was decoded to `head`.
    pub(super) fn new(head: Head, bytes: &'a [u8]) -> Self {
        let rest = bytes.get(HEAD_BYTES..).unwrap_or_default();
        Self {
            epoch: head.epoch,
            next_seq: head.first_seq,
            rest,
            good_bytes: HEAD_BYTES,
            ending: Ending::Clean,
        }
    }

    /// Number that the next record must have.
    pub(super) const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Bytes read so far, the head included.
    pub(super) const fn good_bytes(&self) -> usize {
        self.good_bytes
    }

    pub(super) const fn ending(&self) -> Ending {
        self.ending
    }

    fn read(&self) -> Result<(&'a [u8], &'a [u8]), Ending> {
        let torn_or = |damaged: bool| if damaged { Ending::Damaged } else { Ending::Torn };
        let Some((fields, after)) = self.rest.split_at_checked(RECORD_FIELDS) else {
            return Err(Ending::Torn);
        };
        let Some((check, after)) = after.split_first_chunk::<8>() else { return Err(Ending::Torn) };
        if short_check(self.epoch, fields) != u64::from_le_bytes(*check) {
            return Err(torn_or(self.rest.iter().any(|byte| *byte != 0)));
        }
        let (Some(length), Some(seq)) = (fields.first_chunk::<8>(), fields.last_chunk::<8>()) else {
            return Err(Ending::Damaged);
        };
        if u64::from_le_bytes(*seq) != self.next_seq {
            return Err(Ending::Damaged);
        }
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((payload, after)) = after.split_at_checked(length) else { return Err(Ending::Torn) };
        let Some((check, after)) = after.split_first_chunk::<16>() else { return Err(Ending::Torn) };
        let whole = self.rest.get(..RECORD_FIELDS + 8 + length).unwrap_or_default();
        if XxHash3_128::oneshot_with_seed(self.epoch, whole) != u128::from_le_bytes(*check) {
            return Err(Ending::Damaged);
        }
        Ok((payload, after))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || self.ending != Ending::Clean {
            return None;
        }
        match self.read() {
            Ok((payload, rest)) => {
                let seq = self.next_seq;
                self.good_bytes += self.rest.len() - rest.len();
                self.rest = rest;
                self.next_seq = seq.saturating_add(1);
                Some((seq, payload))
            }
            Err(ending) => {
                self.ending = ending;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head = Head { epoch: 42, first_seq: 9 };

    fn segment() -> Vec<u8> {
        let mut bytes = HEAD.encode();
        for (seq, payload) in [(9, &b"nine"[..]), (10, b""), (11, b"eleven eleven")] {
            encode_record(HEAD.epoch, seq, payload, &mut bytes);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> (Vec<u64>, Ending) {
        let mut records = Records::new(HEAD, bytes);
        let seqs = records.by_ref().map(|(seq, _)| seq).collect();
        (seqs, records.ending())
    }

    #[test]
    fn gives_back_what_was_written() {
        let bytes = segment();
        assert_eq!(Head::decode(&bytes), Ok(HEAD));
        let payloads: Vec<_> = Records::new(HEAD, &bytes).map(|(_, payload)| payload).collect();
        assert_eq!(payloads, [&b"nine"[..], b"", b"eleven eleven"]);
        assert_eq!(read(&bytes), (vec![9, 10, 11], Ending::Clean));
    }

    #[test]
    fn a_record_cut_anywhere_is_torn() {
        let bytes = segment();
        let last = bytes.len() - (RECORD_BYTES + b"eleven eleven".len());
        for end in last + 1..bytes.len() {
            assert_eq!(read(&bytes[..end]), (vec![9, 10], Ending::Torn), "cut at {end}");
        }
        assert_eq!(read(&bytes[..last]), (vec![9, 10], Ending::Clean));
    }

    #[test]
    fn zeros_after_the_last_record_are_torn() {
        let mut bytes = segment();
        bytes.extend_from_slice(&[0; 512]);
        assert_eq!(read(&bytes), (vec![9, 10, 11], Ending::Torn));
    }

    #[test]
    fn no_flipped_bit_passes_for_a_torn_record() {
        let bytes = segment();
        for place in HEAD_BYTES..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[place] ^= 1 << bit;
                assert_eq!(read(&flipped).1, Ending::Damaged, "bit {bit} of byte {place}");
            }
        }
    }

    #[test]
    fn refuses_heads_that_were_never_written() {
        let good = HEAD.encode();
        for place in 0..good.len() {
            let mut flipped = good.clone();
            flipped[place] ^= 1;
            assert_eq!(Head::decode(&flipped), Err(HeadError::Damaged), "byte {place}");
            assert_eq!(Head::decode(&good[..place]), Err(HeadError::Damaged), "cut at {place}");
        }
    }

    #[test]
    fn tells_another_version_from_damage() {
        let mut fields = HEAD.encode()[..HEAD_FIELDS].to_vec();
        fields[7] = 2;
        let check = XxHash3_128::oneshot(&fields);
        fields.extend_from_slice(&check.to_le_bytes());
        assert_eq!(Head::decode(&fields), Err(HeadError::Version(2)));
    }

    #[test]
    fn refuses_records_of_another_epoch_or_out_of_order() {
        let mut bytes = HEAD.encode();
        encode_record(43, 9, b"x", &mut bytes);
        assert_eq!(read(&bytes), (vec![], Ending::Damaged));
        let mut bytes = HEAD.encode();
        encode_record(42, 10, b"x", &mut bytes);
        assert_eq!(read(&bytes), (vec![], Ending::Damaged));
    }
}
