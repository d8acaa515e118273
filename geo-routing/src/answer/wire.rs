//! What must be known about a message before, or although, it cannot be parsed as a whole.
//!
//! Reads the fixed header (RFC 1035 section 4.1.1) and the exact length of a client-subnet option, which a
//! lenient parser hides. It decides nothing about names or records.

/// Response code 1: the message makes no sense.
pub(super) const FORMAT_ERROR: u8 = 1;
/// Response code 2: our fault.
pub(super) const SERVER_FAILURE: u8 = 2;
/// Response code 4: an operation that this server does not offer.
pub(super) const NOT_IMPLEMENTED: u8 = 4;

const HEADER_BYTES: usize = 12;
const OPT: u16 = 41;
const SUBNET: u16 = 8;

/// The parts of a header that an error must repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    id: u16,
    pub(super) response: bool,
    pub(super) op_code: u8,
    recursion_desired: bool,
}

impl Header {
    /// `None` for anything shorter than a header.
    pub(super) fn read(packet: &[u8]) -> Option<Self> {
        let [id_high, id_low, flags, ..] = *packet.first_chunk::<HEADER_BYTES>()?;
        Some(Self {
            id: u16::from_be_bytes([id_high, id_low]),
            response: flags & 0x80 != 0,
            op_code: (flags >> 3) & 0x0f,
            recursion_desired: flags & 0x01 != 0,
        })
    }

    /// A response of a header alone, without sections.
    pub(super) fn error(self, code: u8) -> Vec<u8> {
        let [id_high, id_low] = self.id.to_be_bytes();
        let flags = 0x80 | (self.op_code << 3) | u8::from(self.recursion_desired);
        vec![id_high, id_low, flags, code & 0x0f, 0, 0, 0, 0, 0, 0, 0, 0]
    }
}

/// Whether every EDNS option is complete and every client subnet has exactly the octets that its source length
/// needs (RFC 7871 section 6). True without EDNS. Expects one question, which the parser has checked.
pub(super) fn options_are_strict(packet: &[u8]) -> bool {
    let mut cursor = Cursor(packet);
    cursor.strict().unwrap_or(false)
}

/// What is left to read.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn strict(&mut self) -> Option<bool> {
        self.take(4)?;
        let mut counts = [0_u32; 4];
        for count in &mut counts {
            *count = u32::from(self.number()?);
        }
        let [questions, answers, authorities, additionals] = counts;
        for _ in 0..questions {
            self.name()?;
            self.take(4)?;
        }
        for _ in 0..answers + authorities + additionals {
            self.name()?;
            let kind = self.number()?;
            self.take(6)?;
            let length = self.number()?;
            let data = self.take(usize::from(length))?;
            if kind == OPT && !Cursor(data).options()? {
                return Some(false);
            }
        }
        Some(true)
    }

    fn options(&mut self) -> Option<bool> {
        while !self.0.is_empty() {
            let code = self.number()?;
            let length = self.number()?;
            let data = self.take(usize::from(length))?;
            if code == SUBNET {
                let [_, _, source, _, address @ ..] = data else { return Some(false) };
                if address.len() != usize::from(source.div_ceil(8)) {
                    return Some(false);
                }
            }
        }
        Some(true)
    }

    /// Steps over a name; a pointer ends it (RFC 1035 section 4.1.4). Each step consumes input, so it ends.
    fn name(&mut self) -> Option<()> {
        loop {
            match self.take(1)? {
                [0] => return Some(()),
                [length] if *length >= 0xc0 => return self.take(1).map(drop),
                [length] => drop(self.take(usize::from(*length))?),
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<u16> {
        let [high, low] = self.take(2)? else { return None };
        Some(u16::from_be_bytes([*high, *low]))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}
