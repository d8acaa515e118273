//! Fingerprints of certificates' public keys, as browsers take them on their command line.

use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Tag of a constructed sequence in DER.
const SEQUENCE: u8 = 0x30;
/// Tag of a certificate's version (RFC 5280 section 4.1).
const VERSION: u8 = 0xa0;
/// Fields of a certificate between its version and its key.
const FIELDS_BEFORE_KEY: usize = 5;

/// The SHA-256 of a certificate's SubjectPublicKeyInfo (RFC 7469 section 2.4) in base64.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> String {
    let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("a suite of TLS 1.3");
    let digest = suite.common.hash_provider.hash(public_key(certificate));
    to_base64(digest.as_ref())
}

/// The DER of the key, tag and length included.
fn public_key(certificate: &[u8]) -> &[u8] {
    let (tag, _, body, _) = element(certificate);
    assert_eq!(tag, SEQUENCE, "a certificate is a sequence");
    let (_, _, mut rest, _) = element(body);
    if rest.first() == Some(&VERSION) {
        rest = element(rest).3;
    }
    for _ in 0..FIELDS_BEFORE_KEY {
        rest = element(rest).3;
    }
    element(rest).1
}

/// The first element: its tag, its whole, its body, and what follows it.
fn element(der: &[u8]) -> (u8, &[u8], &[u8], &[u8]) {
    let (tag, first) = (der.first().copied().unwrap_or(0), der.get(1).copied().unwrap_or(0));
    let (head, length) = if first < 0x80 {
        (2, usize::from(first))
    } else {
        let count = usize::from(first & 0x7f);
        let bytes = der.get(2..2 + count).expect("a length");
        (2 + count, bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    };
    let (whole, rest) = der.split_at_checked(head + length).expect("a whole element");
    let (_, body) = whole.split_at_checked(head).expect("a body");
    (tag, whole, body, rest)
}

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().chain([0, 0].iter()).take(3).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        for place in 0..4 {
            let index = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or(0);
            let letter = BASE64.get(index).copied().unwrap_or(b'A');
            text.push(if place > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

/// Decodes base64; what is not of its alphabet is left out.
#[must_use]
pub fn from_base64(text: &str) -> Vec<u8> {
    let values = text.bytes().filter_map(|letter| BASE64.iter().position(|own| *own == letter));
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_usize, 0);
    for value in values {
        (bits, count) = ((bits << 6 | value) & 0xfff, count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap_or(0));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_goes_there_and_back() {
        for (bytes, text) in
            [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"foobar", "Zm9vYmFy")]
        {
            assert_eq!(to_base64(bytes), text);
            assert_eq!(from_base64(text), bytes);
        }
    }
}
