//! Numbers that compare, hash and print the same way everywhere: decimals with three places, and lengths.

use std::fmt;

/// A decimal number of at least 0, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Milli(pub u32);

impl Milli {
    /// 0.
    pub const ZERO: Self = Self(0);
    /// 1.
    pub const ONE: Self = Self(1_000);

    /// The number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }

    /// Reads digits with at most one point; digits after the third are dropped. None for signs, exponents, words and
    /// numbers over four million.
    ///
    /// ```
    /// use overfall_imaging::transform::Milli;
    ///
    /// assert_eq!(Milli::parse("1.5"), Some(Milli(1_500)));
    /// assert_eq!(Milli::parse(".25"), Some(Milli(250)));
    /// assert_eq!(Milli::parse("1e3"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
        if !is_number || text.is_empty() || text == "." {
            return None;
        }
        let whole: u32 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let places: String = fraction.chars().chain("000".chars()).take(3).collect();
        Some(Self(whole.checked_mul(1_000)?.checked_add(places.parse().ok()?)?))
    }
}

impl fmt::Display for Milli {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal(out, self.0 / 1_000, self.0 % 1_000)
    }
}

/// A distance along a side: pixels, or a share of the side. Negative ones point the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Length {
    /// Pixels.
    Pixels(i32),
    /// Thousandths of the side.
    Share(i32),
}

impl Default for Length {
    fn default() -> Self {
        Self::Pixels(0)
    }
}

impl Length {
    /// Pixels of a side that is `side` long.
    #[must_use]
    pub fn of(self, side: f64) -> f64 {
        match self {
            Self::Pixels(pixels) => f64::from(pixels),
            Self::Share(thousandths) => side * f64::from(thousandths) / 1_000.0,
        }
    }

    /// Nothing is nothing of whatever.
    pub(crate) fn canonical(self) -> Self {
        if self == Self::Share(0) { Self::Pixels(0) } else { self }
    }

    /// Reads pixels (`-12`) or per cent (`12.5%`); the sign is optional.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        if let Some(percent) = digits.strip_suffix('%') {
            let thousandths = i32::try_from(Milli::parse(percent)?.0 / 100).ok()?;
            return Some(Self::Share(sign * thousandths));
        }
        let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let pixels = is_whole.then(|| digits.parse::<i32>().ok()).flatten()?;
        Some(Self::Pixels(sign * pixels))
    }
}

impl fmt::Display for Length {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Pixels(pixels) => write!(out, "{pixels}"),
            Self::Share(thousandths) => {
                if thousandths < 0 {
                    out.write_str("-")?;
                }
                let tenths = thousandths.unsigned_abs();
                decimal(out, tenths / 10, tenths % 10 * 100)?;
                out.write_str("%")
            }
        }
    }
}

fn decimal(out: &mut fmt::Formatter<'_>, whole: u32, thousandths: u32) -> fmt::Result {
    write!(out, "{whole}")?;
    if thousandths > 0 {
        let places = format!("{thousandths:03}");
        write!(out, ".{}", places.trim_end_matches('0'))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_plain_decimals_are_numbers() {
        for (text, number) in
            [("0", 0), ("1", 1_000), ("1.5", 1_500), ("1.2345", 1_234), (".5", 500), ("2.", 2_000)]
        {
            assert_eq!(Milli::parse(text), Some(Milli(number)), "{text}");
        }
        for text in ["", ".", "-1", "+1", "1e3", "inf", "NaN", "1,5", "1.2.3", " 1", "5000000", "99999999999"]
        {
            assert_eq!(Milli::parse(text), None, "{text}");
        }
    }

    #[test]
    fn lengths_are_pixels_or_shares() {
        assert_eq!(Length::parse("-12"), Some(Length::Pixels(-12)));
        assert_eq!(Length::parse("12.5%"), Some(Length::Share(125)));
        assert!(["", "-", "%", "--1", "1.5", "1px", "+3"].iter().all(|text| Length::parse(text).is_none()));
        assert!((Length::Share(-250).of(80.0) + 20.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(number in 0..4_000_000_u32, length in -30_000..30_000_i32) {
            prop_assert_eq!(Milli::parse(&Milli(number).to_string()), Some(Milli(number)));
            for length in [Length::Pixels(length), Length::Share(length)] {
                prop_assert_eq!(Length::parse(&length.to_string()), Some(length));
            }
        }
    }
}
