//! What a client says about its screen and its data plan, folded into few classes for the cache key.
//!
//! `Sec-CH-DPR`, `Sec-CH-Width` and `Sec-CH-Viewport-Width` (and their older names without the prefix) come from the HTTP
//! client hints for responsive images; `Save-Data` and `Sec-CH-Prefers-Reduced-Data` from those for network and preference.
//! Each is a number or a word in a client's own hand: what is not exactly well formed and within its range counts as not
//! sent, and what is left is rounded to a closed set, so that strangers can't fill a cache with renderings nobody shares.

use std::fmt;

/// For an `Accept-CH` field: the hints that a page has to ask browsers for.
pub const ACCEPT_CH: &str = "Sec-CH-DPR, Sec-CH-Width, Sec-CH-Viewport-Width, Sec-CH-Prefers-Reduced-Data, DPR, Width, Viewport-Width";

/// Longest spelling of a number that is read, in bytes.
const NUMBER_BYTES_MAX: usize = 24;

/// Largest width that is believed, in pixels.
const WIDTH_MAX: u32 = 32_768;

/// Pixels of a screen per CSS pixel that are believed, in thousandths.
const DPR_THOUSANDTHS: std::ops::RangeInclusive<u32> = 100..=10_000;

/// What a class gives away before the next larger one is taken, in thousandths: a page zoomed to 110 % needs no more pixels.
const DPR_SLACK_THOUSANDTHS: u32 = 100;

/// What a client said, as far as it was well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hints {
    /// Pixels of the screen per CSS pixel, in thousandths, 100 to 10 000.
    pub dpr_thousandths: Option<u32>,
    /// Width at which the picture will be shown, in pixels of the screen, 1 to 32 768.
    pub width: Option<u32>,
    /// Width of the window, in CSS pixels, 1 to 32 768.
    pub viewport_width: Option<u32>,
    /// Whether the client asks for fewer bytes.
    pub saves_data: bool,
}

impl Hints {
    /// Reads the fields of a request; `field` is asked by lower-case name and answers with the value.
    ///
    /// ```
    /// use overfall_imaging::client_hints::{DprClass, Hints};
    ///
    /// let hints = Hints::read(|name| (name == "sec-ch-dpr").then_some("1.75"));
    /// assert_eq!(hints.class(&[]).dpr, Some(DprClass::Two));
    /// ```
    #[must_use]
    pub fn read<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Self {
        // the prefixed name is the standard one: where it is sent the older is not looked at
        let named = |name: &str, older: &str| field(name).or_else(|| field(older));
        let width = |value: &str| whole(value).filter(|width| (1..=WIDTH_MAX).contains(width));
        Self {
            dpr_thousandths: named("sec-ch-dpr", "dpr")
                .and_then(thousandths)
                .filter(|dpr| DPR_THOUSANDTHS.contains(dpr)),
            width: named("sec-ch-width", "width").and_then(width),
            viewport_width: named("sec-ch-viewport-width", "viewport-width").and_then(width),
            saves_data: field("save-data").is_some_and(|value| is_word(value, "on"))
                || field("sec-ch-prefers-reduced-data").is_some_and(|value| is_word(value, "reduce")),
        }
    }

    /// Folds the hints. `widths` are those the site allows, in pixels; with none the client's width is not used.
    #[must_use]
    pub fn class(&self, widths: &[u32]) -> HintClass {
        let from_window = || {
            let dpr = u64::from(self.dpr_thousandths.unwrap_or(1_000));
            self.viewport_width.map(|width| (u64::from(width) * dpr).div_ceil(1_000))
        };
        let wanted = self.width.map(u64::from).or_else(from_window);
        HintClass {
            dpr: self.dpr_thousandths.map(DprClass::of),
            width: wanted.and_then(|wanted| rounded_up(wanted, widths)),
            saves_data: self.saves_data,
        }
    }
}

/// The smallest allowed width that is enough, or the largest there is.
fn rounded_up(wanted: u64, widths: &[u32]) -> Option<u32> {
    let enough = widths.iter().copied().filter(|&width| u64::from(width) >= wanted).min();
    enough.or_else(|| widths.iter().copied().max())
}

/// Pixels of a screen per CSS pixel, rounded to what is worth a rendering of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DprClass {
    /// 1.
    One,
    /// 1.5.
    OneAndHalf,
    /// 2.
    Two,
    /// 3; more than that the eye does not see.
    Three,
}

impl DprClass {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::One, Self::OneAndHalf, Self::Two, Self::Three];

    /// The class of a density, rounded up unless only a tenth is missing.
    fn of(dpr_thousandths: u32) -> Self {
        let is_enough = |class: &Self| class.thousandths() + DPR_SLACK_THOUSANDTHS >= dpr_thousandths;
        Self::ALL.into_iter().find(is_enough).unwrap_or(Self::Three)
    }

    /// The density, in thousandths.
    #[must_use]
    pub fn thousandths(self) -> u32 {
        match self {
            Self::One => 1_000,
            Self::OneAndHalf => 1_500,
            Self::Two => 2_000,
            Self::Three => 3_000,
        }
    }

    /// The number for keys and for `Content-DPR`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::OneAndHalf => "1.5",
            Self::Two => "2",
            Self::Three => "3",
        }
    }
}

/// Hints after folding. Its printed form is fit for a cache key and empty when nothing was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct HintClass {
    /// None when the client did not say.
    pub dpr: Option<DprClass>,
    /// One of the site's widths, in pixels; none when the client did not say or the site has no list.
    pub width: Option<u32>,
    /// Whether the client asks for fewer bytes.
    pub saves_data: bool,
}

impl HintClass {
    /// The quality for this client: `quality`, 1 to 100, or under Save-Data seven tenths of it. It does not fall below 30,
    /// where pictures become ugly before they become much smaller, unless it was lower already.
    #[must_use]
    pub fn quality(self, quality: u8) -> u8 {
        if !self.saves_data {
            return quality;
        }
        let reduced = u8::try_from(u32::from(quality) * 7 / 10).unwrap_or(u8::MAX);
        reduced.max(quality.min(QUALITY_SAVING_MIN))
    }
}

/// Lowest quality that Save-Data brings about.
const QUALITY_SAVING_MIN: u8 = 30;

impl fmt::Display for HintClass {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        if let Some(dpr) = self.dpr {
            write!(out, "dpr={}", dpr.as_str())?;
            gap = ",";
        }
        if let Some(width) = self.width {
            write!(out, "{gap}width={width}")?;
            gap = ",";
        }
        if self.saves_data {
            write!(out, "{gap}save")?;
        }
        Ok(())
    }
}

/// Digits only.
fn whole(value: &str) -> Option<u32> {
    let value = value.trim_matches([' ', '\t']);
    let is_number = value.len() <= NUMBER_BYTES_MAX && value.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { value.parse().ok() } else { None }
}

/// Digits with at most one point among them, rounded up to thousandths.
fn thousandths(value: &str) -> Option<u32> {
    let value = value.trim_matches([' ', '\t']);
    let (before, after) = value.split_once('.').unwrap_or((value, "0"));
    if value.len() > NUMBER_BYTES_MAX || before.is_empty() || after.is_empty() {
        return None;
    }
    if !after.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: String = after.chars().chain("000".chars()).take(3).collect();
    let rest_counts = after.bytes().skip(3).any(|byte| byte != b'0');
    let fraction = digits.parse::<u32>().ok()? + u32::from(rest_counts);
    whole(before)?.checked_mul(1_000)?.checked_add(fraction)
}

/// A token, a quoted string or a boolean of structured fields (RFC 9651), in the client's case.
fn is_word(value: &str, word: &str) -> bool {
    let value = value.trim_matches([' ', '\t']);
    let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    bare.eq_ignore_ascii_case(word) || value == "?1"
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hints(fields: &[(&str, &'static str)]) -> Hints {
        Hints::read(|name| fields.iter().find(|(sent, _)| *sent == name).map(|(_, value)| *value))
    }

    #[test]
    fn densities_fold_into_four_classes() {
        for (sent, class) in [
            ("0.1", DprClass::One),
            ("1", DprClass::One),
            ("1.0", DprClass::One),
            ("1.100", DprClass::One),
            ("1.100000023841858", DprClass::OneAndHalf),
            ("1.25", DprClass::OneAndHalf),
            ("1.5", DprClass::OneAndHalf),
            ("1.75", DprClass::Two),
            (" 2 ", DprClass::Two),
            ("2.625", DprClass::Three),
            ("3.5", DprClass::Three),
            ("10", DprClass::Three),
        ] {
            assert_eq!(hints(&[("sec-ch-dpr", sent)]).class(&[]).dpr, Some(class), "{sent}");
            assert_eq!(hints(&[("dpr", sent)]).class(&[]).dpr, Some(class), "{sent}");
        }
    }

    #[test]
    fn malformed_densities_are_not_sent() {
        for sent in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+2",
            "2x",
            "2,0",
            "1, 2",
            "2;q=1",
            "0",
            "0.01",
            "10.001",
            "99",
            "1e1",
            "1.5.0",
            "inf",
            "NaN",
            "\u{0662}",
            "4294967296",
            "2.00000000000000000000000000",
        ] {
            assert_eq!(hints(&[("sec-ch-dpr", sent)]), Hints::default(), "{sent}");
        }
    }

    #[test]
    fn widths_are_rounded_up_to_the_list() {
        let widths = [320, 1_280, 640];
        for (sent, width) in [
            ("1", Some(320)),
            ("320", Some(320)),
            ("321", Some(640)),
            ("641", Some(1_280)),
            ("9000", Some(1_280)),
            ("32768", Some(1_280)),
            ("32769", None),
            ("0", None),
            ("640.5", None),
            ("-640", None),
            ("640px", None),
        ] {
            assert_eq!(hints(&[("sec-ch-width", sent)]).class(&widths).width, width, "{sent}");
        }
        assert_eq!(hints(&[("sec-ch-width", "640")]).class(&[]).width, None);
    }

    #[test]
    fn the_window_stands_in_for_the_width() {
        let widths = [320, 640, 960, 1_280];
        let window = hints(&[("sec-ch-viewport-width", "400"), ("sec-ch-dpr", "2")]);
        assert_eq!(window.class(&widths).width, Some(960));
        let both = hints(&[("viewport-width", "400"), ("width", "300"), ("dpr", "2")]);
        assert_eq!(both.class(&widths).width, Some(320));
        assert_eq!(hints(&[("viewport-width", "400")]).class(&widths).width, Some(640));
    }

    #[test]
    fn the_standard_name_beats_the_older_one() {
        assert_eq!(hints(&[("sec-ch-width", "300"), ("width", "900")]).width, Some(300));
        assert_eq!(hints(&[("sec-ch-width", "nonsense"), ("width", "900")]).width, None);
    }

    #[test]
    fn saving_data_is_a_word() {
        for (name, sent, saves) in [
            ("save-data", "on", true),
            ("save-data", "On", true),
            ("save-data", " on ", true),
            ("save-data", "?1", true),
            ("save-data", "off", false),
            ("save-data", "1", false),
            ("save-data", "on, on", false),
            ("save-data", "", false),
            ("sec-ch-prefers-reduced-data", "\"reduce\"", true),
            ("sec-ch-prefers-reduced-data", "reduce", true),
            ("sec-ch-prefers-reduced-data", "\"no-preference\"", false),
            ("sec-ch-prefers-reduced-data", "\"reduce", false),
        ] {
            assert_eq!(hints(&[(name, sent)]).saves_data, saves, "{name}: {sent}");
        }
    }

    #[test]
    fn saving_data_lowers_the_quality() {
        let saving = HintClass { saves_data: true, ..HintClass::default() };
        for (quality, saved) in [(100, 70), (80, 56), (50, 35), (40, 30), (30, 30), (20, 20), (1, 1)] {
            assert_eq!(saving.quality(quality), saved);
            assert_eq!(HintClass::default().quality(quality), quality);
        }
    }

    #[test]
    fn the_key_holds_what_was_said() {
        assert_eq!(HintClass::default().to_string(), "");
        let all = hints(&[("sec-ch-dpr", "1.5"), ("sec-ch-width", "600"), ("save-data", "on")]);
        assert_eq!(all.class(&[640]).to_string(), "dpr=1.5,width=640,save");
        assert_eq!(hints(&[("save-data", "on")]).class(&[]).to_string(), "save");
    }

    proptest! {
        #[test]
        fn any_text_folds_into_the_closed_set(dpr in ".{0,30}", width in "[0-9.]{0,8}", save in ".{0,5}") {
            let class = Hints::read(|name| match name {
                "sec-ch-dpr" => Some(dpr.as_str()),
                "sec-ch-width" => Some(width.as_str()),
                "save-data" => Some(save.as_str()),
                _ => None,
            })
            .class(&[100, 200]);
            prop_assert!(class.width.is_none_or(|width| width == 100 || width == 200));
            prop_assert!(class.to_string().len() <= "dpr=1.5,width=200,save".len());
        }
    }
}
