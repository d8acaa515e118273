//! A tiny data base of countries in MaxMind's DB format (version 2), for tests that need to stand somewhere.
//!
//! IPv4 networks only, 24-bit records, one record `{ country: { iso_code } }` per network.

use std::net::Ipv4Addr;

const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// Zero bytes between the tree and the data; they count in the way to the data.
const SEPARATOR_BYTES: usize = 16;
/// Types of the format that are written here.
const STRING: u8 = 2;
const UINT16: u8 = 5;
const UINT32: u8 = 6;
const MAP: u8 = 7;
const UINT64: u8 = 9;
const ARRAY: u8 = 11;

#[derive(Default)]
enum Tree {
    #[default]
    Empty,
    Data(usize),
    Node(Box<[Self; 2]>),
}

/// A data base that knows these networks. They must not overlap.
#[must_use]
pub fn countries(networks: &[(Ipv4Addr, u8, &str)]) -> Vec<u8> {
    let mut tree = Tree::Node(Box::default());
    let mut data = Vec::new();
    for (address, length, code) in networks {
        tree.insert(address.to_bits(), *length, data.len());
        map(&mut data, 1);
        text(&mut data, "country");
        map(&mut data, 1);
        text(&mut data, "iso_code");
        text(&mut data, code);
    }
    let count = tree.nodes();
    let mut file = Vec::new();
    tree.write(&mut file, 0, count);
    file.extend_from_slice(&[0; SEPARATOR_BYTES]);
    file.extend_from_slice(&data);
    file.extend_from_slice(MARKER);
    metadata(&mut file, count);
    file
}

impl Tree {
    /// Places data under the first `length` bits of `address`, its highest bit first.
    fn insert(&mut self, address: u32, length: u8, offset: usize) {
        if length == 0 {
            *self = Self::Data(offset);
            return;
        }
        if !matches!(self, Self::Node(_)) {
            *self = Self::Node(Box::default());
        }
        if let Self::Node(children) = self {
            let [zero, one] = children.as_mut();
            let child = if address >> 31 == 1 { one } else { zero };
            child.insert(address << 1, length - 1, offset);
        }
    }

    fn nodes(&self) -> usize {
        match self {
            Self::Node(children) => 1 + children.iter().map(Self::nodes).sum::<usize>(),
            Self::Empty | Self::Data(_) => 0,
        }
    }

    /// Writes this node, which has the number `own`, and those below it.
    fn write(&self, out: &mut Vec<u8>, own: usize, count: usize) {
        let Self::Node(children) = self else { return };
        let mut next = own + 1;
        for child in children.iter() {
            let record = match child {
                Self::Empty => count,
                Self::Data(offset) => count + SEPARATOR_BYTES + offset,
                Self::Node(_) => next,
            };
            next += child.nodes();
            let record = u32::try_from(record).expect("a small data base");
            out.extend(record.to_be_bytes().into_iter().skip(1));
        }
        let mut next = own + 1;
        for child in children.iter() {
            child.write(out, next, count);
            next += child.nodes();
        }
    }
}

fn metadata(out: &mut Vec<u8>, nodes: usize) {
    map(out, 9);
    text(out, "node_count");
    number(out, UINT32, u64::try_from(nodes).expect("a small data base"));
    text(out, "record_size");
    number(out, UINT16, 24);
    text(out, "ip_version");
    number(out, UINT16, 4);
    text(out, "database_type");
    text(out, "Test-Country");
    text(out, "languages");
    control(out, ARRAY, 1);
    text(out, "en");
    text(out, "binary_format_major_version");
    number(out, UINT16, 2);
    text(out, "binary_format_minor_version");
    number(out, UINT16, 0);
    text(out, "build_epoch");
    number(out, UINT64, 1_700_000_000);
    text(out, "description");
    map(out, 1);
    text(out, "en");
    text(out, "countries of a test");
}

fn map(out: &mut Vec<u8>, size: usize) {
    control(out, MAP, size);
}

fn text(out: &mut Vec<u8>, text: &str) {
    control(out, STRING, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// An unsigned number without leading zero bytes.
fn number(out: &mut Vec<u8>, kind: u8, value: u64) {
    let significant: Vec<u8> = value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    control(out, kind, significant.len());
    out.extend(significant);
}

/// Type and size. Types above 7 have a byte of their own; sizes stay below 29, where no more bytes are needed.
fn control(out: &mut Vec<u8>, kind: u8, size: usize) {
    let size = u8::try_from(size).expect("a short value");
    assert!(size < 29, "longer values are not written here");
    if kind <= 7 {
        out.push(kind << 5 | size);
    } else {
        out.push(size);
        out.push(kind - 7);
    }
}
