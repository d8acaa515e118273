//! Durations and sizes as people write them: `"150ms"`, `"30s"`, `"64 MiB"`.
//!
//! A value is one whole number and one unit. Fractions, signs, compound values and bare numbers are refused, so
//! that a value reads the same to everyone. Ranges are checked elsewhere.

/// Why a text was refused, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Refusal {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Milliseconds of a duration.
pub(crate) fn duration_ms(text: &str) -> Result<u64, Refusal> {
    parse(text, "duration", "30s", &DURATIONS)
}

/// Bytes of a size; `KB` is 1000, `KiB` is 1024.
pub(crate) fn size_bytes(text: &str) -> Result<u64, Refusal> {
    parse(text, "size", "64 MiB", &SIZES)
}

/// Parts of a million of a share such as `"5%"` or `"0.25%"`; more than nothing, at most everything.
pub(crate) fn share_ppm(text: &str) -> Result<u32, Refusal> {
    let refused = |why: &str| {
        Refusal::new(format!("{} is not a share: {why}", crate::report::quoted(text)))
            .help("write for example \"5%\" or \"0.25%\"")
    };
    let Some(number) = text.strip_suffix('%') else { return Err(refused("it does not end with \"%\"")) };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return Err(refused("what stands before \"%\" is not a number"));
    }
    if fraction.len() > 4 {
        return Err(refused("it has more than four decimal places"));
    }
    let parts = format!("{whole}{fraction:0<4}").parse::<u32>().ok();
    match parts {
        Some(1..=1_000_000) => Ok(parts.unwrap_or_default()),
        _ => Err(refused("it must be more than 0% and at most 100%")),
    }
}

/// The shortest exact form of a duration.
pub(crate) fn show_duration(milliseconds: u64) -> String {
    if milliseconds == 0 { "0s".into() } else { show(milliseconds, &DURATIONS, "") }
}

/// The shortest exact form of a size, in binary units.
pub(crate) fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES, " ")
}

fn parse(text: &str, kind: &str, example: &str, units: &[(&str, u64)]) -> Result<u64, Refusal> {
    let refused =
        |why: String| Refusal::new(format!("{} is not a {kind}: {why}", crate::report::quoted(text)));
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits).unwrap_or((text, ""));
    if number.is_empty() {
        return Err(
            refused("it begins with no digit".into()).help(format!("write for example \"{example}\""))
        );
    }
    let unit = rest.trim_start_matches(' ');
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(wrong_unit(&refused, number, unit, units));
    };
    let value = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor));
    value.ok_or_else(|| refused("the number is too large".into()))
}

fn wrong_unit(
    refused: &dyn Fn(String) -> Refusal,
    number: &str,
    unit: &str,
    units: &[(&str, u64)],
) -> Refusal {
    let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
    let known = names.join(", ");
    if unit.is_empty() {
        return refused("it has no unit".into()).help(format!("units are {known}"));
    }
    if unit.starts_with(['.', ',']) {
        return refused("it is not a whole number".into()).help(format!("use a smaller unit: {known}"));
    }
    let unknown = refused(format!("unknown unit {}", crate::report::quoted(unit)));
    match names.iter().find(|name| name.eq_ignore_ascii_case(unit)) {
        Some(near) => unknown.help(format!("did you mean \"{number} {near}\"?")),
        None => unknown.help(format!("units are {known}")),
    }
}

fn show(value: u64, units: &[(&str, u64)], gap: &str) -> String {
    // among equal values the earlier unit wins, so binary sizes stand before decimal ones
    let exact = units.iter().filter(|(_, factor)| value >= *factor && value.is_multiple_of(*factor));
    let best = exact.min_by_key(|(_, factor)| value / factor);
    let (name, factor) = best.or_else(|| units.first()).copied().unwrap_or(("", 1));
    format!("{}{gap}{name}", value / factor)
}

/// Units of time in milliseconds.
const DURATIONS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
/// Units of size in bytes.
const SIZES: [(&str, u64); 9] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        for (text, expected) in [
            ("150ms", 150),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2 h", 7_200_000),
            ("1d", 86_400_000),
            ("0s", 0),
        ] {
            assert_eq!(duration_ms(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn reads_sizes() {
        for (text, expected) in
            [("64 MiB", 64 << 20), ("10GB", 10_000_000_000), ("512 KiB", 512 << 10), ("7 B", 7)]
        {
            assert_eq!(size_bytes(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn reads_shares() {
        for (text, expected) in
            [("5%", 50_000), ("100%", 1_000_000), ("0.25%", 2_500), ("0.0001%", 1), ("12.5000%", 125_000)]
        {
            assert_eq!(share_ppm(text), Ok(expected), "{text}");
        }
        for text in
            ["", "5", "%", "0%", "0.0%", "101%", "100.0001%", ".5%", "5.%", "-1%", "0.00001%", "5 %", "1e1%"]
        {
            assert!(share_ppm(text).is_err(), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_one_number_and_one_unit() {
        let long = "9".repeat(400);
        for text in [
            "",
            "s",
            "-1s",
            "+1s",
            "30",
            "1.5s",
            "1,5s",
            "1h30m",
            "30 seconds",
            "1\u{a0}s",
            " 1s",
            "1s ",
            "٣s",
            &long,
        ] {
            assert!(duration_ms(text).is_err(), "{text}");
        }
        for text in ["64", "64 mib", "1e3 B", "0x10 B", "64 MiB/s", "∞ GB"] {
            assert!(size_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        assert!(duration_ms("18446744073709551615d").unwrap_err().message.contains("too large"));
        assert!(size_bytes("18446744073709551616 B").unwrap_err().message.contains("too large"));
        assert_eq!(size_bytes("18446744073709551615 B"), Ok(u64::MAX));
    }

    #[test]
    fn says_how_to_spell_a_unit() {
        assert_eq!(size_bytes("64 mib").unwrap_err().help.unwrap(), "did you mean \"64 MiB\"?");
        assert_eq!(duration_ms("30").unwrap_err().help.unwrap(), "units are ms, s, m, h, d");
    }

    #[test]
    fn shows_the_shortest_exact_form() {
        assert_eq!(
            [0, 150, 1_500, 60_000, 86_400_000].map(show_duration),
            ["0s", "150ms", "1500ms", "1m", "1d"]
        );
        assert_eq!([1 << 20, 1_000_000, 1_025].map(show_size), ["1 MiB", "1 MB", "1025 B"]);
    }
}
