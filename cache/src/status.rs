//! `Cache-Status` (RFC 9211): how each cache on the way handled a request.
//!
//! One member per tier that was asked, and one for the node when something is to be said of it as a whole. The value is a
//! valid Structured Field whatever the names and details are (RFC 9651 section 3): what is no token becomes a string,
//! what fits no string becomes `?`.

use std::fmt;

use http::HeaderValue;

#[cfg(test)]
mod tests;

/// Longest name, key or detail; the rest is cut off. Characters.
const TEXT_CHARS_MAX: usize = 256;
/// Tiers told of; more are left out.
const TIERS_MAX: usize = 16;
/// Largest integer of a Structured Field (RFC 9651 section 3.3.1).
const INTEGER_MAX: i64 = 999_999_999_999_999;

/// Why a request went on to the next cache or the origin (RFC 9211 section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forward {
    /// Configured not to handle this request.
    Bypass,
    /// The method is forwarded.
    Method,
    /// Nothing stored under the URL.
    UriMiss,
    /// Responses are stored under the URL, none for this variant.
    VaryMiss,
    /// Nothing usable stored, for another reason or a mixture.
    Miss,
    /// The request's own directives forbade what is stored.
    Request,
    /// A stored response was stale.
    Stale,
    /// A part of the response was stored.
    Partial,
}

impl Forward {
    /// The token of the RFC.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

/// What one tier made of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TierOutcome {
    /// It answered.
    Hit {
        /// Freshness left in seconds, negative when stale.
        ttl_s: i64,
    },
    /// It could not answer.
    Forward(Forward),
    /// It failed and counts as a miss.
    Failed(String),
}

/// Either a hit or a reason to go on, never both (RFC 9211 section 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handling {
    Hit,
    Forward(Forward),
}

/// Collects what is to be said of one request; [`fmt::Display`] writes the field value.
///
/// ```
/// use overfall_cache::status::{CacheStatus, Forward, TierOutcome};
///
/// let status = CacheStatus::new("eu-1")
///     .tier("memory", TierOutcome::Forward(Forward::UriMiss))
///     .tier("disk", TierOutcome::Hit { ttl_s: 59 });
/// assert_eq!(status.to_string(), "eu-1/disk; hit; ttl=59, eu-1/memory; fwd=uri-miss");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheStatus {
    node: String,
    tiers: Vec<(String, TierOutcome)>,
    handling: Option<Handling>,
    fwd_status: Option<u16>,
    is_stored: bool,
    is_collapsed: bool,
    ttl_s: Option<i64>,
    key: Option<String>,
    detail: Option<String>,
}

impl CacheStatus {
    /// Begins with nothing said. `node` names this cache.
    #[must_use]
    pub fn new(node: &str) -> Self {
        Self {
            node: shortened(node),
            tiers: Vec::new(),
            handling: None,
            fwd_status: None,
            is_stored: false,
            is_collapsed: false,
            ttl_s: None,
            key: None,
            detail: None,
        }
    }

    /// Adds a tier, in the order in which they were asked; the field lists them in reverse (RFC 9211 section 2: the
    /// cache nearest the origin first). Tiers beyond 16 are left out.
    #[must_use]
    pub fn tier(mut self, name: &str, outcome: TierOutcome) -> Self {
        if self.tiers.len() < TIERS_MAX {
            self.tiers.push((shortened(name), outcome));
        }
        self
    }

    /// The node answered from storage; `ttl_s` is negative when the response was stale. Undoes [`Self::forward`].
    #[must_use]
    pub const fn hit(mut self, ttl_s: i64) -> Self {
        self.handling = Some(Handling::Hit);
        self.ttl(ttl_s)
    }

    /// The node went forward. Undoes [`Self::hit`].
    #[must_use]
    pub const fn forward(mut self, why: Forward) -> Self {
        self.handling = Some(Handling::Forward(why));
        self
    }

    /// Status that came back; written with `fwd` only (RFC 9211 section 2.3).
    #[must_use]
    pub const fn fwd_status(mut self, status: u16) -> Self {
        self.fwd_status = Some(status);
        self
    }

    /// Whether what came back is stored; written with `fwd` only (RFC 9211 section 2.5).
    #[must_use]
    pub const fn stored(mut self, is_stored: bool) -> Self {
        self.is_stored = is_stored;
        self
    }

    /// Whether another request's fetch answered; written with `fwd` only (RFC 9211 section 2.6).
    #[must_use]
    pub const fn collapsed(mut self, is_collapsed: bool) -> Self {
        self.is_collapsed = is_collapsed;
        self
    }

    /// Freshness left in seconds (RFC 9211 section 2.4).
    #[must_use]
    pub const fn ttl(mut self, ttl_s: i64) -> Self {
        self.ttl_s = Some(ttl_s);
        self
    }

    /// The cache key in words (RFC 9211 section 2.7).
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(shortened(key));
        self
    }

    /// Anything else worth knowing, a token where possible (RFC 9211 section 2.8).
    #[must_use]
    pub fn detail(mut self, detail: &str) -> Self {
        self.detail = Some(shortened(detail));
        self
    }

    /// The field value.
    #[must_use]
    pub fn to_header(&self) -> HeaderValue {
        // the text is printable ASCII by construction, so that the fallback is never seen
        HeaderValue::try_from(self.to_string()).unwrap_or_else(|_| HeaderValue::from_static("overfall"))
    }

    fn says_nothing(&self) -> bool {
        let is_bare =
            self.handling.is_none() && self.ttl_s.is_none() && self.key.is_none() && self.detail.is_none();
        is_bare && !self.tiers.is_empty()
    }

    fn write_node(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_item(f, &self.node)?;
        match self.handling {
            Some(Handling::Hit) => f.write_str("; hit")?,
            Some(Handling::Forward(why)) => self.write_forward(f, why)?,
            None => {}
        }
        if let Some(ttl_s) = self.ttl_s {
            write_ttl(f, ttl_s)?;
        }
        if let Some(key) = &self.key {
            f.write_str("; key=")?;
            write_string(f, key)?;
        }
        if let Some(detail) = &self.detail {
            f.write_str("; detail=")?;
            write_item(f, detail)?;
        }
        Ok(())
    }

    fn write_forward(&self, f: &mut fmt::Formatter<'_>, why: Forward) -> fmt::Result {
        write!(f, "; fwd={}", why.token())?;
        if let Some(status) = self.fwd_status {
            write!(f, "; fwd-status={status}")?;
        }
        if self.is_stored {
            f.write_str("; stored")?;
        }
        if self.is_collapsed {
            f.write_str("; collapsed")?;
        }
        Ok(())
    }
}

impl fmt::Display for CacheStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, outcome)) in self.tiers.iter().rev().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write_item(f, &format!("{}/{name}", self.node))?;
            match outcome {
                TierOutcome::Hit { ttl_s } => {
                    f.write_str("; hit")?;
                    write_ttl(f, *ttl_s)?;
                }
                TierOutcome::Forward(why) => write!(f, "; fwd={}", why.token())?,
                TierOutcome::Failed(why) => {
                    f.write_str("; fwd=miss; detail=")?;
                    write_item(f, &shortened(why))?;
                }
            }
        }
        if self.says_nothing() {
            return Ok(());
        }
        if !self.tiers.is_empty() {
            f.write_str(", ")?;
        }
        self.write_node(f)
    }
}

fn write_ttl(f: &mut fmt::Formatter<'_>, ttl_s: i64) -> fmt::Result {
    write!(f, "; ttl={}", ttl_s.clamp(-INTEGER_MAX, INTEGER_MAX))
}

/// `text` as an item of a Structured Field: a token where it is one, else a string (RFC 9651 section 3.3); at most 256
/// characters, and what no string can hold becomes `?`.
#[must_use]
pub fn item(text: &str) -> String {
    struct Item<'a>(&'a str);
    impl fmt::Display for Item<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_item(f, self.0)
        }
    }
    Item(&shortened(text)).to_string()
}

/// A token where the text is one (RFC 9651 section 3.3.4), else a string.
fn write_item(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte);
    let is_begun = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'*');
    if is_begun && text.bytes().all(is_inner) { f.write_str(text) } else { write_string(f, text) }
}

/// RFC 9651 section 3.3.3.
fn write_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            ' '..='~' => write!(f, "{c}")?,
            _ => f.write_str("?")?,
        }
    }
    f.write_str("\"")
}

fn shortened(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}
