//! Image URLs: what follows `/cdn-cgi/image/`.
//!
//! `<options>/<source>`, where options are `key=value` joined by commas and the source is a path on the same site or an
//! absolute URL. What clients and proxies do to such URLs is understood (collapsed or doubled slashes, a source
//! percent-encoded as a whole); what cannot be honoured is refused with a sentence that says what would be right, never
//! ignored, because an ignored option is a wrong picture under a good key.

use std::fmt;

use crate::transform::Transform;

pub(crate) mod options;
pub(crate) mod source;

/// Longest options segment, in bytes.
const OPTIONS_BYTES_MAX: usize = 1_024;

/// A readable image URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// What to do, canonical.
    pub transform: Transform,
    /// With what.
    pub source: Source,
    /// What concerns the answer and not the picture.
    pub wants: Wants,
}

/// What a URL says about its answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// Whether the width comes from the client's hints, rounded to a width that the site allows.
    pub width_from_hints: bool,
    /// What becomes of a failure.
    pub on_error: OnError,
    /// Quality for clients that ask to save data, 1 to 100.
    pub saving_quality: Option<u8>,
    /// When the URL stops being good, in seconds since 1970.
    pub expires_s: Option<u64>,
    /// Name to save the picture under.
    pub filename: Option<String>,
    /// Whether the picture is to be saved rather than shown.
    pub attachment: bool,
    /// Whether the source is to be passed on as it is.
    pub raw: bool,
    /// Formats of sources, by their words, that are passed on as they are where no other format is asked for.
    pub passed_formats: Vec<&'static str>,
    /// Something that makes the URL another one and the picture the same; belongs to the key.
    pub cache_buster: Option<String>,
    /// Whether a result that is larger than the part of the source that it shows is refused, and not enlarged.
    pub never_larger: bool,
    /// Limits that the URL sets below those of the site.
    pub limits: AskedLimits,
}

/// Limits of one URL. They may lower what the site allows, never raise it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AskedLimits {
    /// Of the source, over one frame.
    pub source_pixels: Option<u64>,
    /// Of the encoded source.
    pub source_bytes: Option<u64>,
    /// Of an animation.
    pub frames: Option<u32>,
    /// Of one frame of an animation.
    pub frame_pixels: Option<u64>,
    /// Of the longer side of the result, in pixels.
    pub result_side: Option<u32>,
}

/// What becomes of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// What the site says.
    #[default]
    Site,
    /// The client is sent to the source.
    Redirect,
}

/// Where the picture comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A path on the same site, with its query; begins with one `/`.
    Path(String),
    /// An absolute URL. Whether its host may be used is for the caller to decide.
    Url {
        /// `http` or `https`.
        scheme: Scheme,
        /// Lower case, without trailing dot; IPv6 addresses in brackets.
        host: String,
        /// None when it is the scheme's own.
        port: Option<u16>,
        /// Begins with one `/`.
        path_and_query: String,
    },
}

impl Source {
    /// The path with its query, of either kind of source.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        match self {
            Self::Path(path) => path,
            Self::Url { path_and_query, .. } => path_and_query,
        }
    }

    /// Whether the source is itself an image URL; on one's own host that would be a loop (9403).
    #[must_use]
    pub fn is_image_url(&self) -> bool {
        source::is_image_path(self.path_and_query())
    }
}

/// The scheme of an absolute source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`, port 80.
    Http,
    /// `https`, port 443.
    Https,
}

impl Scheme {
    /// The word in URLs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port when none is written.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Why an image URL cannot be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathError {
    /// The number that goes into `Cf-Resized: err=`: 9401 options, 9403 loop, 9406 source.
    pub code: u16,
    /// What is wrong and what would be right; repeats at most a short, printable part of the URL.
    pub message: String,
}

impl PathError {
    /// The number for unusable options.
    pub const OPTIONS: u16 = 9401;
    /// The number for an image URL as source of an image URL.
    pub const LOOP: u16 = 9403;
    /// The number for an unusable source.
    pub const SOURCE: u16 = 9406;

    fn options(message: impl Into<String>) -> Self {
        Self { code: Self::OPTIONS, message: message.into() }
    }

    fn source(message: impl Into<String>) -> Self {
        Self { code: Self::SOURCE, message: message.into() }
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for PathError {}

/// Reads what follows `/cdn-cgi/image/`: the raw path, with `?query` when there is one.
///
/// # Errors
/// [`PathError`] with 9401, 9403 or 9406.
///
/// ```
/// use overfall_imaging::path::{Source, parse};
///
/// let parsed = parse("width=800,q=75,f=webp/a/pic.jpg?v=2")?;
/// assert_eq!(parsed.transform.to_string(), "w=800,fit=scale-down,q=75,f=webp");
/// assert_eq!(parsed.source, Source::Path("/a/pic.jpg?v=2".into()));
/// # Ok::<(), overfall_imaging::path::PathError>(())
/// ```
pub fn parse(rest: &str) -> Result<Parsed, PathError> {
    let Some((options, source)) = rest.split_once('/') else {
        let message = "the source is missing; write /cdn-cgi/image/<options>/<path or url>";
        return Err(PathError::source(message));
    };
    if options.len() > OPTIONS_BYTES_MAX {
        let message = format!("the options are {} bytes long, at most {OPTIONS_BYTES_MAX}", options.len());
        return Err(PathError::options(message));
    }
    let options = percent_encoding::percent_decode_str(options)
        .decode_utf8()
        .map_err(|_| PathError::options("the options are not utf-8"))?;
    let (transform, wants) = options::parse_all(&options)?;
    let source = source::parse(source)?;
    Ok(Parsed { transform, source, wants })
}

/// A part of the URL fit for a message: short, and printable.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 40;
    let shown = text.chars().take(SHOWN_CHARS_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let rest = if text.chars().nth(SHOWN_CHARS_MAX).is_some() { "…" } else { "" };
    format!("\"{}{rest}\"", shown.collect::<String>())
}

#[cfg(test)]
mod tests;
