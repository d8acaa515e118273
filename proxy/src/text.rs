//! Numbers and strings as text, appended to a buffer without anything in between. For what is written once per request.

use std::io::Write as _;

/// Digits of the longest number.
const DIGITS_MAX: usize = 20;

/// Appends a number in decimal.
pub(crate) fn push_decimal(text: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; DIGITS_MAX];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        used += 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text.extend_from_slice(digits.get(DIGITS_MAX - used..).unwrap_or_default());
}

/// Appends 32 hexadecimal digits.
pub(crate) fn push_hex(text: &mut Vec<u8>, number: u128) {
    let mut digits = [0; 32];
    let nibbles = number.to_be_bytes().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    for (digit, nibble) in digits.iter_mut().zip(nibbles) {
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    }
    text.extend_from_slice(&digits);
}

/// Appends microseconds as milliseconds with three decimals.
pub(crate) fn push_ms(text: &mut Vec<u8>, us: u64) {
    push_decimal(text, us / 1000);
    let rest = us % 1000;
    text.push(b'.');
    for digit in [rest / 100, rest / 10 % 10, rest % 10] {
        text.push(b'0' + u8::try_from(digit).unwrap_or_default());
    }
}

/// Appends a JSON string.
pub(crate) fn push_json(text: &mut Vec<u8>, value: &str) {
    let is_plain = |byte: u8| byte.is_ascii() && byte >= b' ' && byte != b'"' && byte != b'\\';
    if value.bytes().all(is_plain) {
        text.push(b'"');
        text.extend_from_slice(value.as_bytes());
        text.push(b'"');
    } else if serde_json::to_writer(text.by_ref(), value).is_err() {
        // a vector takes every byte, and a string is always JSON
        text.extend_from_slice(b"null");
    }
}

/// Appends a JSON string, or `null`.
pub(crate) fn push_json_option(text: &mut Vec<u8>, value: Option<&str>) {
    match value {
        Some(value) => push_json(text, value),
        None => text.extend_from_slice(b"null"),
    }
}

#[cfg(test)]
mod tests {
    use super::{push_decimal, push_hex, push_json, push_ms};

    fn pushed(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut text = Vec::new();
        push(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn numbers_read_as_the_standard_library_writes_them() {
        for number in [0, 1, 9, 10, 99, 100, 12_345, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(pushed(|text| push_decimal(text, number)), number.to_string());
            let wide = u128::from(number) << 40 | 0xabc;
            assert_eq!(pushed(|text| push_hex(text, wide)), format!("{wide:032x}"));
            let ms = format!("{}.{:03}", number / 1000, number % 1000);
            assert_eq!(pushed(|text| push_ms(text, number)), ms);
        }
    }

    #[test]
    fn strings_read_back_as_they_were() {
        for value in ["", "plain", "a\"b", "a\\b", "tab\there", "\u{1}", "ü", "\u{2028}"] {
            let text = pushed(|text| push_json(text, value));
            assert_eq!(serde_json::from_str::<String>(&text).unwrap(), value, "{text}");
        }
    }
}
