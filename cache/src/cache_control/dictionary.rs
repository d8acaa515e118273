//! Dictionary Structured Fields (RFC 9651 section 4.2.2), as far as targeted cache fields need them.
//!
//! The syntax is checked to the last byte, because a field that does not parse counts as absent (RFC 9213 section 2.1)
//! and a field half understood would be worse than none. Of the values only integers and booleans are kept.

/// Members of one dictionary; a field with more is refused.
const MEMBERS_MAX: usize = 64;

/// Value of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// A boolean; a key alone is true.
    Flag(bool),
    /// An integer of at most 15 digits.
    Integer(i64),
    /// A valid value of another type.
    Other,
}

/// Members in order, the last of equal keys winning. `None` when the text is not a dictionary.
pub(super) fn parse(text: &str) -> Option<Vec<(String, Value)>> {
    let mut cursor = Cursor { rest: text.as_bytes() };
    let mut members: Vec<(String, Value)> = Vec::new();
    cursor.skip(|byte| byte == b' ');
    while !cursor.rest.is_empty() {
        let key = cursor.key()?;
        let value = cursor.member()?;
        members.retain(|(present, _)| *present != key);
        if members.len() >= MEMBERS_MAX {
            return None;
        }
        members.push((key, value));
        cursor.skip(is_blank);
        if cursor.rest.is_empty() {
            break;
        }
        if !cursor.eat(b',') {
            return None;
        }
        cursor.skip(is_blank);
        if cursor.rest.is_empty() {
            return None;
        }
    }
    Some(members)
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What is left to read. Every method moves forward or fails.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn eat(&mut self, wanted: u8) -> bool {
        let found = self.rest.first() == Some(&wanted);
        if found {
            self.take();
        }
        found
    }

    fn skip(&mut self, matches: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !matches(*byte)).unwrap_or(self.rest.len());
        let (skipped, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest;
        skipped
    }

    /// RFC 9651 section 4.2.3.3: lower case only.
    fn key(&mut self) -> Option<String> {
        if !self.rest.first().is_some_and(|byte| byte.is_ascii_lowercase() || *byte == b'*') {
            return None;
        }
        let is_inner = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.' | b'*')
        };
        String::from_utf8(self.skip(is_inner).to_vec()).ok()
    }

    fn member(&mut self) -> Option<Value> {
        let value = if !self.eat(b'=') {
            Value::Flag(true)
        } else if self.eat(b'(') {
            self.inner_list()?
        } else {
            self.bare()?
        };
        self.parameters()?;
        Some(value)
    }

    fn inner_list(&mut self) -> Option<Value> {
        loop {
            self.skip(|byte| byte == b' ');
            if self.eat(b')') {
                return Some(Value::Other);
            }
            self.bare()?;
            self.parameters()?;
            if !matches!(self.rest.first(), Some(b' ' | b')')) {
                return None;
            }
        }
    }

    fn parameters(&mut self) -> Option<()> {
        while self.eat(b';') {
            self.skip(|byte| byte == b' ');
            self.key()?;
            if self.eat(b'=') {
                self.bare()?;
            }
        }
        Some(())
    }

    fn bare(&mut self) -> Option<Value> {
        match *self.rest.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string(),
            b'*' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.skip(|byte| is_token(byte) || matches!(byte, b':' | b'/'));
                Some(Value::Other)
            }
            b':' => self.binary(),
            b'?' => self.boolean(),
            b'@' => {
                self.take();
                matches!(self.number()?, Value::Integer(_)).then_some(Value::Other)
            }
            b'%' => self.display_string(),
            _ => None,
        }
    }

    /// RFC 9651 section 4.2.4: 15 digits, or 12 and up to three decimals.
    fn number(&mut self) -> Option<Value> {
        let sign = if self.eat(b'-') { -1 } else { 1 };
        let digits = self.skip(|byte| byte.is_ascii_digit());
        if digits.is_empty() || digits.len() > 15 {
            return None;
        }
        if self.eat(b'.') {
            let decimals = self.skip(|byte| byte.is_ascii_digit());
            return (digits.len() <= 12 && (1..=3).contains(&decimals.len())).then_some(Value::Other);
        }
        let size = digits.iter().fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        Some(Value::Integer(sign * size))
    }

    fn string(&mut self) -> Option<Value> {
        self.take();
        loop {
            match self.take()? {
                b'"' => return Some(Value::Other),
                b'\\' if matches!(self.take()?, b'"' | b'\\') => {}
                b'\\' => return None,
                b' '..=b'~' => {}
                _ => return None,
            }
        }
    }

    fn display_string(&mut self) -> Option<Value> {
        self.take();
        if !self.eat(b'"') {
            return None;
        }
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        loop {
            match self.take()? {
                b'"' => return Some(Value::Other),
                b'%' if is_hex(self.take()?) && is_hex(self.take()?) => {}
                b'%' => return None,
                b' '..=b'~' => {}
                _ => return None,
            }
        }
    }

    fn binary(&mut self) -> Option<Value> {
        self.take();
        self.skip(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
        self.eat(b':').then_some(Value::Other)
    }

    fn boolean(&mut self) -> Option<Value> {
        self.take();
        match self.take()? {
            b'0' => Some(Value::Flag(false)),
            b'1' => Some(Value::Flag(true)),
            _ => None,
        }
    }
}

/// RFC 9110 section 5.6.2.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::{MEMBERS_MAX, Value, parse};

    #[test]
    fn reads_integers_and_flags_and_skips_the_rest() {
        let text = "max-age=60;x=\"a,b\", no-store , private=?0, a=(1 \"b\" c);q=1.5, d=:aGk=:, e=@12, f=%\"g%c3%bc\", n=-5";
        let found = parse(text).unwrap();
        let wanted = [
            ("max-age", Value::Integer(60)),
            ("no-store", Value::Flag(true)),
            ("private", Value::Flag(false)),
            ("a", Value::Other),
            ("d", Value::Other),
            ("e", Value::Other),
            ("f", Value::Other),
            ("n", Value::Integer(-5)),
        ];
        assert_eq!(found, wanted.map(|(key, value)| (key.to_owned(), value)).to_vec());
    }

    #[test]
    fn last_of_equal_keys_wins() {
        assert_eq!(
            parse("a=1, b, a=2").unwrap(),
            [("b".to_owned(), Value::Flag(true)), ("a".to_owned(), Value::Integer(2))]
        );
    }

    #[test]
    fn nothing_is_an_empty_dictionary() {
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(parse("  ").unwrap(), []);
    }

    #[test]
    fn refuses_what_is_not_a_dictionary() {
        let bad = [
            "max-age =1",
            "max-age= 1",
            "Max-Age=1",
            "a=1,",
            ",a",
            "a,,b",
            "a b",
            "&",
            "a=",
            "a=1.",
            "a=1.2345",
            "a=1234567890123456",
            "a=\"x",
            "a=\"\\n\"",
            "a=\"ü\"",
            "a=(1",
            "a=(1,2)",
            "a=(\"x\"\"y\")",
            "a=?2",
            "a=:x",
            "a=@1.5",
            "a=%x",
            "a=%\"%C3\"",
            "a;=1",
            "a;B",
            "=1",
            "a=-",
            "a='1'",
            "1",
            "a=1\u{7f}",
        ];
        for text in bad {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn refuses_too_many_members() {
        let keys = |n: usize| (0..n).map(|i| format!("k{i}")).collect::<Vec<_>>().join(",");
        assert!(parse(&keys(MEMBERS_MAX)).is_some());
        assert_eq!(parse(&keys(MEMBERS_MAX + 1)), None);
    }
}
