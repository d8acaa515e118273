//! What kind of device asks: three classes, from client hints or a few words of `User-Agent`.
//!
//! Pure. A robot belongs to the device that it claims to be, so that what it indexes is what people see; whatever cannot
//! be told is a desktop. It knows no models and no versions: a list of those would be wrong within a year.

use http::{HeaderMap, header};

/// A class of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Device {
    /// A telephone or a watch.
    Mobile,
    /// A tablet or a reader.
    Tablet,
    /// Everything else.
    Desktop,
}

/// Request fields that decide, for `Vary`.
pub const FIELDS: [&str; 4] = [FORM_FACTORS, MOBILE, PLATFORM, "User-Agent"];

const FORM_FACTORS: &str = "Sec-CH-UA-Form-Factors";
const MOBILE: &str = "Sec-CH-UA-Mobile";
const PLATFORM: &str = "Sec-CH-UA-Platform";
/// Bytes of a field that are looked at.
const LOOKED_AT_BYTES: usize = 1024;

impl Device {
    /// Name in keys, fields and templates.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Desktop => "desktop",
        }
    }
}

/// The class of the device that sent these fields.
#[must_use]
pub fn classify(headers: &HeaderMap) -> Device {
    by_form_factors(headers).or_else(|| by_hints(headers)).unwrap_or_else(|| {
        let agent = headers.get(header::USER_AGENT).map(|value| looked_at(value.as_bytes()));
        by_agent(agent.unwrap_or_default())
    })
}

/// A list of strings such as `"Mobile", "EInk"` (User-Agent Client Hints, Sec-CH-UA-Form-Factors).
fn by_form_factors(headers: &HeaderMap) -> Option<Device> {
    let sent = looked_at(headers.get(FORM_FACTORS)?.as_bytes());
    let has = |word: &str| contains(sent, word);
    if has("\"Tablet\"") {
        return Some(Device::Tablet);
    }
    if has("\"Mobile\"") || has("\"Watch\"") {
        return Some(Device::Mobile);
    }
    // a list without any string is no list of form factors
    has("\"").then_some(Device::Desktop)
}

/// Browsers on tablets with Android say that they are not mobile.
fn by_hints(headers: &HeaderMap) -> Option<Device> {
    match headers.get(MOBILE)?.as_bytes() {
        b"?1" => Some(Device::Mobile),
        b"?0" => {
            let platform = headers.get(PLATFORM).map(|value| looked_at(value.as_bytes()));
            let is_android = platform.is_some_and(|platform| contains(platform, "\"Android\""));
            Some(if is_android { Device::Tablet } else { Device::Desktop })
        }
        _ => None,
    }
}

fn by_agent(agent: &[u8]) -> Device {
    let has = |word: &str| contains(agent, word);
    // "Tablet PC" is a feature of old desktops
    if has("iPad")
        || has("Kindle")
        || (has("Tablet") && !has("Tablet PC"))
        || (has("Android") && !has("Mobi"))
    {
        Device::Tablet
    } else if ["Mobi", "iPhone", "iPod", "Windows Phone", "Opera Mini", "BlackBerry"].into_iter().any(has) {
        Device::Mobile
    } else {
        Device::Desktop
    }
}

fn looked_at(value: &[u8]) -> &[u8] {
    value.get(..LOOKED_AT_BYTES).unwrap_or(value)
}

fn contains(text: &[u8], word: &str) -> bool {
    text.windows(word.len()).any(|window| window == word.as_bytes())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn headers(fields: &[(&str, &str)]) -> HeaderMap {
        let parse = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        };
        fields.iter().map(parse).collect()
    }

    #[test]
    fn words_of_the_agent_tell_the_class() {
        for (agent, class) in [
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile/15E148 Safari/604.1",
                "mobile",
            ),
            ("Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/120.0 Mobile Safari/537.36", "mobile"),
            ("Mozilla/5.0 (Android 14; Mobile; rv:120.0) Gecko/120.0 Firefox/120.0", "mobile"),
            ("Opera/9.80 (J2ME/MIDP; Opera Mini/9) Presto", "mobile"),
            ("Mozilla/5.0 (Linux; Android 6) Chrome/120.0 Mobile (compatible; Googlebot/2.1)", "mobile"),
            (
                "Mozilla/5.0 (iPad; CPU OS 12_0 like Mac OS X) Version/12.0 Mobile/15A5341f Safari/604.1",
                "tablet",
            ),
            ("Mozilla/5.0 (Linux; Android 13; SM-X906C) Chrome/120.0 Safari/537.36", "tablet"),
            ("Mozilla/5.0 (Android 13; Tablet; rv:120.0) Gecko/120.0 Firefox/120.0", "tablet"),
            ("Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Tablet PC 2.0)", "desktop"),
            ("Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0 Safari/537.36", "desktop"),
            ("Mozilla/5.0 (compatible; Googlebot/2.1)", "desktop"),
            ("curl/8.0", "desktop"),
            ("", "desktop"),
        ] {
            assert_eq!(classify(&headers(&[("user-agent", agent)])).as_str(), class, "{agent}");
        }
        assert_eq!(classify(&HeaderMap::new()), Device::Desktop);
    }

    #[test]
    fn hints_win_over_the_agent() {
        let phone = ("user-agent", "Mozilla/5.0 (Linux; Android 10; K) Chrome/120.0 Mobile Safari/537.36");
        for (hints, class) in [
            (vec![("sec-ch-ua-mobile", "?1")], "mobile"),
            (vec![("sec-ch-ua-mobile", "?0"), ("sec-ch-ua-platform", "\"Android\"")], "tablet"),
            (vec![("sec-ch-ua-mobile", "?0"), ("sec-ch-ua-platform", "\"Windows\"")], "desktop"),
            (vec![("sec-ch-ua-mobile", "?0")], "desktop"),
            (vec![("sec-ch-ua-mobile", "yes")], "mobile"),
            (vec![("sec-ch-ua-form-factors", "\"Tablet\""), ("sec-ch-ua-mobile", "?1")], "tablet"),
            (vec![("sec-ch-ua-form-factors", "\"Mobile\", \"EInk\""), ("sec-ch-ua-mobile", "?0")], "mobile"),
            (vec![("sec-ch-ua-form-factors", "\"Watch\"")], "mobile"),
            (vec![("sec-ch-ua-form-factors", "\"XR\"")], "desktop"),
            (vec![("sec-ch-ua-form-factors", "")], "mobile"),
        ] {
            let fields: Vec<_> = hints.iter().copied().chain([phone]).collect();
            assert_eq!(classify(&headers(&fields)).as_str(), class, "{hints:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_sent_falls_into_a_class(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 4)) {
            let mut headers = HeaderMap::new();
            for (name, value) in FIELDS.iter().zip(values) {
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    headers.insert(name.parse::<HeaderName>().unwrap(), value);
                }
            }
            prop_assert!(["mobile", "tablet", "desktop"].contains(&classify(&headers).as_str()));
        }
    }
}
