//! Stored responses as bytes, for tiers that outlive the process.
//!
//! One record holds one response with its whole key. Layout, version 2, all numbers little-endian:
//!
//! | part | bytes |
//! |---|---|
//! | magic `ovrf`, version, flags, status | 4 + 1 + 1 + 2 |
//! | length of the whole record, of the fields part, of the body | 8 + 4 + 8 |
//! | received, initial age, fresh, stale-while-revalidate, stale-if-error, epoch, seq, extent | 8 × 8 |
//! | fields part: key, response fields, surrogate keys, sources, vary, codings with their lengths | as said above |
//! | body, then the body in each coding | as said above |
//! | `XxHash3_128` of everything before it | 16 |
//!
//! The hash is checked before anything else is believed, so a flipped, cut, padded or mixed-up record is an error
//! here and a miss for the reader. A sound record of another key is `None`. It refuses to write what it would refuse to
//! read. The hash finds accidents, not forgers: who can write to a tier can write records.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use twox_hash::XxHash3_128;

use crate::{
    clock::Millis,
    encoding::{Coded, Coding},
    key::Key,
    mapped,
    stored::{Kind, Lifetime, Position, ResponseHead, Scopes, Stored, StoredRef},
};

/// Longest record, in bytes.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Longest fields part (key, response fields, purge scopes), in bytes.
pub const FIELDS_BYTES_MAX: usize = 1024 * 1024;
/// Most items in any one list of a record.
pub const LIST_ITEMS_MAX: usize = 4096;

/// Why bytes are not a record, or a response can't become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Shorter or longer than it says.
    #[error("record has {found} bytes, not {expected}")]
    Length {
        /// Bytes announced; the smallest possible when not even that could be read.
        expected: u64,
        /// Bytes present.
        found: u64,
    },
    /// Does not begin as a record does.
    #[error("not a record")]
    Magic,
    /// Written by another version of this program.
    #[error("record version {0} is unknown")]
    Version(u8),
    /// Bytes changed since it was written.
    #[error("record hash is wrong")]
    Hash,
    /// A part is malformed though the hash is right.
    #[error("record has a malformed {0}")]
    Malformed(&'static str),
    /// A bound is exceeded.
    #[error("{0} is over its bound")]
    TooLarge(&'static str),
}

/// Writes a response as one record.
///
/// ```
/// use overfall_cache::record;
/// # use overfall_cache::{clock::Millis, key::Key, stored::{Kind, Lifetime, Position, ResponseHead, Scopes, Stored}};
/// # let key = Key { site: "a".into(), host: "a.example".into(), target: "/".into(), variant: String::new() };
/// # let stored = Stored {
/// #     key: key.clone(),
/// #     head: ResponseHead { status: http::StatusCode::OK, headers: http::HeaderMap::new() },
/// #     body: bytes::Bytes::from_static(b"hello"),
/// #     lifetime: Lifetime {
/// #         received: Millis(1), initial_age_ms: 0, fresh_ms: 60_000, stale_while_revalidate_ms: 0,
/// #         stale_if_error_ms: 0, always_validate: false, never_stale: false,
/// #     },
/// #     position: Position::default(), scopes: Scopes::default(), vary: vec![], codings: vec![], kind: Kind::Response,
/// # };
/// let bytes = record::encode(&stored)?.into();
/// let again = record::decode(&bytes, &key)?.expect("the same key");
/// assert_eq!(again.body, "hello");
/// # Ok::<(), record::RecordError>(())
/// ```
///
/// # Errors
/// [`RecordError::TooLarge`] over [`RECORD_BYTES_MAX`], [`FIELDS_BYTES_MAX`] or [`LIST_ITEMS_MAX`].
pub fn encode(stored: &Stored) -> Result<Vec<u8>, RecordError> {
    let front = front(stored)?;
    let mut record = Vec::with_capacity(front.len() + bodies_bytes(stored) + HASH_BYTES);
    record.extend_from_slice(&front);
    bodies(stored).for_each(|body| record.extend_from_slice(body));
    let hash = XxHash3_128::oneshot(&record);
    record.extend_from_slice(&hash.to_le_bytes());
    Ok(record)
}

/// A record that is not in one piece yet, so that its body is copied once only.
#[derive(Debug)]
pub(crate) struct Prepared {
    front: Vec<u8>,
    stored: StoredRef,
    hash: [u8; HASH_BYTES],
}

impl Prepared {
    /// Checks the bounds and hashes everything.
    pub(crate) fn new(stored: StoredRef) -> Result<Self, RecordError> {
        let front = front(&stored)?;
        let mut hasher = XxHash3_128::new();
        hasher.write(&front);
        bodies(&stored).for_each(|body| hasher.write(body));
        Ok(Self { front, hash: hasher.finish_128().to_le_bytes(), stored })
    }

    /// Bytes of the record.
    pub(crate) fn length(&self) -> usize {
        self.front.len() + bodies_bytes(&self.stored) + HASH_BYTES
    }

    /// The response that it will hold.
    pub(crate) const fn stored(&self) -> &StoredRef {
        &self.stored
    }

    /// Writes the same bytes as [`encode`].
    pub(crate) fn write(&self, writer: &mut impl io::Write) -> io::Result<()> {
        writer.write_all(&self.front)?;
        bodies(&self.stored).try_for_each(|body| writer.write_all(body))?;
        writer.write_all(&self.hash)
    }
}

/// Reads the bytes of one record into a buffer of its size, without looking at more than its length.
///
/// # Errors
/// When the reader fails, ends too early, or begins with no length that a record may have.
pub(crate) fn read(reader: &mut impl Read) -> io::Result<Bytes> {
    let mut front = [0; LENGTH_AT + 8];
    reader.read_exact(&mut front)?;
    let length = front.last_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let length = usize::try_from(length).ok().filter(|n| (HEADER_BYTES..=RECORD_BYTES_MAX).contains(n));
    let length = length.ok_or_else(|| io::Error::other("not a record"))?;
    mapped::read(Read::chain(front.as_slice(), reader), length)
}

/// Reads a record back. The body shares memory with `record`. `None` when it is a sound record of another key.
///
/// # Errors
/// Any [`RecordError`] when the bytes are not exactly one record as [`encode`] wrote it.
pub fn decode(record: &Bytes, expected: &Key) -> Result<Option<Stored>, RecordError> {
    let parts = split(record)?;
    let mut reader = Reader(parts.fields);
    let key = reader.key()?;
    if key != *expected {
        return Ok(None);
    }
    let headers = reader.headers()?;
    let tags = reader.list("surrogate key", Reader::text)?;
    let sources = reader.list("source", |reader, part| Ok((reader.text(part)?, reader.text(part)?)))?;
    let vary = reader.list("vary", Reader::text)?;
    let lengths = reader.list("coding", Reader::coding)?;
    if !reader.0.is_empty() {
        return Err(RecordError::Malformed("end"));
    }
    let (body, codings) = take_bodies(record.slice_ref(parts.body), &lengths)?;
    let status = StatusCode::from_u16(parts.status).map_err(|_| RecordError::Malformed("status"))?;
    Ok(Some(Stored {
        key,
        head: ResponseHead { status, headers },
        body,
        lifetime: parts.lifetime,
        position: parts.position,
        scopes: Scopes { tags, sources },
        vary,
        codings,
        kind: parts.kind,
    }))
}

struct Parts<'a> {
    kind: Kind,
    status: u16,
    lifetime: Lifetime,
    position: Position,
    fields: &'a [u8],
    body: &'a [u8],
}

/// Checks frame and hash, then takes the record apart.
fn split(record: &[u8]) -> Result<Parts<'_>, RecordError> {
    let found = record.len() as u64;
    let smallest = (HEADER_BYTES + HASH_BYTES) as u64;
    let (Some((header, _)), Some((hashed, hash))) =
        (record.split_at_checked(HEADER_BYTES), record.split_last_chunk::<HASH_BYTES>())
    else {
        return Err(RecordError::Length { expected: smallest, found });
    };
    if found < smallest {
        return Err(RecordError::Length { expected: smallest, found });
    }
    let mut header = header;
    if header.get_u32() != MAGIC {
        return Err(RecordError::Magic);
    }
    let version = header.get_u8();
    if version != VERSION {
        return Err(RecordError::Version(version));
    }
    let (flags, status) = (header.get_u8(), header.get_u16_le());
    let (length, fields_length, body_length) =
        (header.get_u64_le(), header.get_u32_le(), header.get_u64_le());
    let parts_length = smallest.saturating_add(u64::from(fields_length)).saturating_add(body_length);
    if length != found || parts_length != found {
        return Err(RecordError::Length { expected: length, found });
    }
    if XxHash3_128::oneshot(hashed) != u128::from_le_bytes(*hash) {
        return Err(RecordError::Hash);
    }
    if flags & !FLAGS != 0 {
        return Err(RecordError::Malformed("flags"));
    }
    let (lifetime, position, extent) = times(header, flags);
    let kind = kind(flags, extent)?;
    let (_, rest) = hashed.split_at_checked(HEADER_BYTES).ok_or(RecordError::Malformed("frame"))?;
    let fields_length = usize::try_from(fields_length).map_err(|_| RecordError::TooLarge("fields"))?;
    let (fields, body) = rest.split_at_checked(fields_length).ok_or(RecordError::Malformed("frame"))?;
    Ok(Parts { kind, status, lifetime, position, fields, body })
}

/// The eight numbers at the end of the fixed part, which is known to hold them.
fn times(mut header: &[u8], flags: u8) -> (Lifetime, Position, u64) {
    let lifetime = Lifetime {
        received: Millis(header.get_u64_le()),
        initial_age_ms: header.get_u64_le(),
        fresh_ms: header.get_u64_le(),
        stale_while_revalidate_ms: header.get_u64_le(),
        stale_if_error_ms: header.get_u64_le(),
        always_validate: flags & FLAG_ALWAYS_VALIDATE != 0,
        never_stale: flags & FLAG_NEVER_STALE != 0,
    };
    let position = Position { epoch: header.get_u64_le(), seq: header.get_u64_le() };
    (lifetime, position, header.get_u64_le())
}

fn kind(flags: u8, extent: u64) -> Result<Kind, RecordError> {
    match (flags & FLAGS_KIND, extent) {
        (0, 0) => Ok(Kind::Response),
        (FLAG_VARY_MARKER, 0) => Ok(Kind::VaryMarker),
        (FLAG_SLICE, 0) => Ok(Kind::Slice),
        (FLAG_PART, 0) => Ok(Kind::Part),
        (FLAG_SLICED, length) => Ok(Kind::Sliced { length }),
        _ => Err(RecordError::Malformed("kind")),
    }
}

/// The plain body and the same in other codings, as they stand one behind the other.
fn bodies(stored: &Stored) -> impl Iterator<Item = &Bytes> {
    std::iter::once(&stored.body).chain(stored.codings.iter().map(|coded| &coded.body))
}

fn bodies_bytes(stored: &Stored) -> usize {
    bodies(stored).map(Bytes::len).sum()
}

fn take_bodies(mut all: Bytes, lengths: &[(Coding, u64)]) -> Result<(Bytes, Vec<Coded>), RecordError> {
    let mut codings = Vec::with_capacity(lengths.len());
    for (coding, length) in lengths.iter().rev() {
        let length = usize::try_from(*length).map_err(|_| RecordError::TooLarge("body"))?;
        let at = all.len().checked_sub(length).ok_or(RecordError::Malformed("coding"))?;
        codings.push(Coded { coding: *coding, body: all.split_off(at) });
    }
    codings.reverse();
    Ok((all, codings))
}

/// All that stands before the body.
fn front(stored: &Stored) -> Result<Vec<u8>, RecordError> {
    let fields = fields(stored)?;
    let length = HEADER_BYTES + fields.len() + bodies_bytes(stored) + HASH_BYTES;
    if length > RECORD_BYTES_MAX {
        return Err(RecordError::TooLarge("record"));
    }
    let mut front = Vec::with_capacity(HEADER_BYTES + fields.len());
    header(stored, length, fields.len(), &mut front);
    front.extend_from_slice(&fields);
    Ok(front)
}

fn header(stored: &Stored, length: usize, fields_length: usize, out: &mut Vec<u8>) {
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    let (kind, extent) = match stored.kind {
        Kind::Response => (0, 0),
        Kind::VaryMarker => (FLAG_VARY_MARKER, 0),
        Kind::Slice => (FLAG_SLICE, 0),
        Kind::Part => (FLAG_PART, 0),
        Kind::Sliced { length } => (FLAG_SLICED, length),
    };
    let flags = kind
        | flag(stored.lifetime.always_validate, FLAG_ALWAYS_VALIDATE)
        | flag(stored.lifetime.never_stale, FLAG_NEVER_STALE);
    out.extend_from_slice(&MAGIC.to_be_bytes());
    out.extend_from_slice(&[VERSION, flags]);
    out.extend_from_slice(&stored.head.status.as_u16().to_le_bytes());
    out.extend_from_slice(&(length as u64).to_le_bytes());
    // bounded by `fields`, far below the limit of the type
    out.extend_from_slice(&u32::try_from(fields_length).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&(bodies_bytes(stored) as u64).to_le_bytes());
    let Lifetime { received, initial_age_ms, fresh_ms, stale_while_revalidate_ms, stale_if_error_ms, .. } =
        stored.lifetime;
    let Position { epoch, seq } = stored.position;
    for number in [
        received.0,
        initial_age_ms,
        fresh_ms,
        stale_while_revalidate_ms,
        stale_if_error_ms,
        epoch,
        seq,
        extent,
    ] {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn fields(stored: &Stored) -> Result<Vec<u8>, RecordError> {
    let mut out = Writer(Vec::with_capacity(1024));
    let Key { site, host, target, variant } = &stored.key;
    for part in [site, host, target, variant] {
        out.text(part)?;
    }
    out.count(stored.head.headers.len())?;
    for (name, value) in &stored.head.headers {
        out.text(name.as_str())?;
        out.bytes(value.as_bytes())?;
    }
    out.count(stored.scopes.tags.len())?;
    for tag in &stored.scopes.tags {
        out.text(tag)?;
    }
    out.count(stored.scopes.sources.len())?;
    for (host, target) in &stored.scopes.sources {
        out.text(host)?;
        out.text(target)?;
    }
    out.count(stored.vary.len())?;
    for name in &stored.vary {
        out.text(name)?;
    }
    out.count(stored.codings.len())?;
    for coded in &stored.codings {
        out.text(coded.coding.token())?;
        out.bytes(&(coded.body.len() as u64).to_le_bytes())?;
    }
    Ok(out.0)
}

struct Writer(Vec<u8>);

impl Writer {
    fn count(&mut self, items: usize) -> Result<(), RecordError> {
        let count = u16::try_from(items).ok().filter(|_| items <= LIST_ITEMS_MAX);
        self.0.extend_from_slice(&count.ok_or(RecordError::TooLarge("list"))?.to_le_bytes());
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), RecordError> {
        self.bytes(text.as_bytes())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        let total = self.0.len().saturating_add(bytes.len()).saturating_add(4);
        let length = u32::try_from(bytes.len()).ok().filter(|_| total <= FIELDS_BYTES_MAX);
        self.0.extend_from_slice(&length.ok_or(RecordError::TooLarge("fields"))?.to_le_bytes());
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn key(&mut self) -> Result<Key, RecordError> {
        Ok(Key {
            site: self.text("key")?,
            host: self.text("key")?,
            target: self.text("key")?,
            variant: self.text("key")?,
        })
    }

    fn headers(&mut self) -> Result<HeaderMap, RecordError> {
        let malformed = |_| RecordError::Malformed("field");
        let pairs = self.list("field", |reader, part| {
            let name =
                HeaderName::from_bytes(reader.bytes(part)?).map_err(|_| RecordError::Malformed(part))?;
            let value =
                HeaderValue::from_bytes(reader.bytes(part)?).map_err(|_| RecordError::Malformed(part))?;
            Ok((name, value))
        })?;
        let mut headers = HeaderMap::try_with_capacity(pairs.len()).map_err(malformed)?;
        for (name, value) in pairs {
            headers.try_append(name, value).map_err(malformed)?;
        }
        Ok(headers)
    }

    fn coding(&mut self, part: &'static str) -> Result<(Coding, u64), RecordError> {
        let malformed = RecordError::Malformed(part);
        let coding = Coding::from_token(&self.text(part)?).ok_or(malformed)?;
        let length = self.bytes(part)?.try_into().map_err(|_| malformed)?;
        Ok((coding, u64::from_le_bytes(length)))
    }

    fn list<T>(
        &mut self,
        part: &'static str,
        item: impl Fn(&mut Self, &'static str) -> Result<T, RecordError>,
    ) -> Result<Vec<T>, RecordError> {
        let (count, rest) = self.0.split_first_chunk::<2>().ok_or(RecordError::Malformed(part))?;
        self.0 = rest;
        let count = usize::from(u16::from_le_bytes(*count));
        if count > LIST_ITEMS_MAX {
            return Err(RecordError::TooLarge("list"));
        }
        (0..count).map(|_| item(self, part)).collect()
    }

    fn text(&mut self, part: &'static str) -> Result<String, RecordError> {
        let bytes = self.bytes(part)?.to_vec();
        String::from_utf8(bytes).map_err(|_| RecordError::Malformed(part))
    }

    fn bytes(&mut self, part: &'static str) -> Result<&'a [u8], RecordError> {
        let (length, rest) = self.0.split_first_chunk::<4>().ok_or(RecordError::Malformed(part))?;
        let length =
            usize::try_from(u32::from_le_bytes(*length)).map_err(|_| RecordError::Malformed(part))?;
        let (bytes, rest) = rest.split_at_checked(length).ok_or(RecordError::Malformed(part))?;
        self.0 = rest;
        Ok(bytes)
    }
}

const MAGIC: u32 = u32::from_be_bytes(*b"ovrf");
const VERSION: u8 = 2;
const FLAG_VARY_MARKER: u8 = 1;
const FLAG_ALWAYS_VALIDATE: u8 = 2;
const FLAG_NEVER_STALE: u8 = 4;
const FLAG_SLICED: u8 = 8;
const FLAG_SLICE: u8 = 16;
const FLAG_PART: u8 = 32;
const FLAGS_KIND: u8 = FLAG_VARY_MARKER | FLAG_SLICED | FLAG_SLICE | FLAG_PART;
const FLAGS: u8 = FLAGS_KIND | FLAG_ALWAYS_VALIDATE | FLAG_NEVER_STALE;
const HEADER_BYTES: usize = 4 + 1 + 1 + 2 + 8 + 4 + 8 + 8 * 8;
const HASH_BYTES: usize = 16;
/// Where a record says how long it is.
const LENGTH_AT: usize = 4 + 1 + 1 + 2;

#[cfg(test)]
mod tests;
