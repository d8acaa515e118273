//! What codings a client takes: `Accept-Encoding` as weights. RFC 9110 section 12.5.3.

use http::{HeaderMap, header};

use super::Coding;
use crate::fields::{Quoting, split_list};

/// Weight of a coding that stands without one, in thousandths.
const WHOLE: u16 = 1000;

/// Weights in thousandths; zero: not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    br: u16,
    zstd: u16,
    gzip: u16,
    /// `None`: not named, which is acceptable when nothing better is there.
    identity: Option<u16>,
}

impl Accepted {
    /// No field: any coding is permitted, and the plain body is what every client understands.
    pub const PLAIN: Self = Self { br: 0, zstd: 0, gzip: 0, identity: None };

    /// Reads the request's field.
    #[must_use]
    pub fn of(request: &HeaderMap) -> Self {
        Self::parse(request.get_all(header::ACCEPT_ENCODING).iter().map(http::HeaderValue::as_bytes))
    }

    /// Reads the lines of the field. An element that can't be read is left out, so that it allows nothing.
    pub fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut named: [Option<u16>; 3] = [None; 3];
        let (mut identity, mut others) = (None, None);
        for line in lines {
            let Ok(line) = std::str::from_utf8(line) else { continue };
            for element in split_list(line, Quoting::Literal) {
                let (token, parameters) = element.split_once(';').unwrap_or((element, ""));
                let Some(weight) = weight(parameters) else { continue };
                let token = token.trim();
                if let Some(coding) = Coding::from_token(token) {
                    set(&mut named, coding, weight);
                } else if token.eq_ignore_ascii_case("identity") {
                    identity = Some(weight);
                } else if token == "*" {
                    others = Some(weight);
                }
            }
        }
        let of = |coding| lookup(&named, coding).or(others).unwrap_or(0);
        Self {
            br: of(Coding::Br),
            zstd: of(Coding::Zstd),
            gzip: of(Coding::Gzip),
            // `*;q=0` refuses the plain body too, unless it is named
            identity: identity.or_else(|| others.filter(|weight| *weight == 0)),
        }
    }

    /// The weight of a coding, in thousandths; zero: not acceptable.
    #[must_use]
    pub const fn weight(self, coding: Coding) -> u16 {
        match coding {
            Coding::Br => self.br,
            Coding::Zstd => self.zstd,
            Coding::Gzip => self.gzip,
        }
    }

    /// Whether a coding of this weight goes before the plain body.
    #[must_use]
    pub fn beats_identity(self, weight: u16) -> bool {
        weight > 0 && self.identity.is_none_or(|identity| weight >= identity)
    }
}

fn place(coding: Coding) -> usize {
    match coding {
        Coding::Br => 0,
        Coding::Zstd => 1,
        Coding::Gzip => 2,
    }
}

fn set(named: &mut [Option<u16>; 3], coding: Coding, weight: u16) {
    if let Some(slot) = named.get_mut(place(coding)) {
        *slot = Some(weight);
    }
}

fn lookup(named: &[Option<u16>; 3], coding: Coding) -> Option<u16> {
    named.get(place(coding)).copied().flatten()
}

/// The weight among an element's parameters (RFC 9110 section 12.4.2); `None` when it can't be read.
fn weight(parameters: &str) -> Option<u16> {
    for parameter in parameters.split(';').map(str::trim).filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            return thousandths(value.trim());
        }
    }
    Some(WHOLE)
}

/// `0`, `0.5`, `1.000`: at most three decimals.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded = decimals.bytes().chain(std::iter::repeat(b'0')).take(3);
    let fraction = padded.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(WHOLE),
        _ => None,
    }
}
