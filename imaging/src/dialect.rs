//! Image URLs in the spellings of other image services, all read into the one [`Transform`].
//!
//! A site that moves here keeps its URLs: [`of_target`] says whose they are, [`parse`] reads them, [`print()`] writes them.
//! Everything is a pure function of the request target and the site's [`Rules`]; what hosts may be sources, what time it
//! is and what the client accepts is for the caller to decide. What cannot be honoured is refused in the service's own
//! words and with its own status, because clients and alerts depend on those; why is in [`Refusal::reason`].

use crate::path::{Parsed, Source};
use crate::transform::Transform;

mod claims;
mod cloudflare;
mod iiif;
mod imgproxy;
mod ipx;
mod next;
mod pairs;
mod query;
mod refusal;
mod rules;
mod signature;
mod turn;
mod widths;

pub use iiif::{INFO_CONTENT_TYPE, check_size, iiif_info};
pub use refusal::{Fault, Refusal, refuse};
pub use rules::{
    IiifRules, ImgixRules, ImgproxyRules, NextRules, OwnRules, Pair, QueryRules, Rules, Secret, Unknown,
    WidthPolicy,
};
pub use signature::{SignatureError, Verified, sign, verify};
pub use widths::{WidthRefused, fit_width};

/// Longest request target that is read, in bytes.
const TARGET_BYTES_MAX: usize = 16_384;

/// A spelling of image URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `/cdn-cgi/image/<options>/<source>`.
    Cloudflare,
    /// `<prefix><signature>/<options>/<source>`.
    Imgproxy,
    /// `/_next/image?url=…&w=…&q=…`.
    Next,
    /// `/_ipx/<modifiers>/<source>`.
    Ipx,
    /// Parameters in the query of the picture's own path, as Fastly, imgix and Akamai have them, and `/.netlify/images`.
    Query,
    /// `<prefix><identifier>/<region>/<size>/<rotation>/<quality>.<format>`, the IIIF Image API 3.
    Iiif,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 6] =
        [Self::Cloudflare, Self::Imgproxy, Self::Next, Self::Ipx, Self::Query, Self::Iiif];

    /// The word for configuration, keys and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cloudflare => "cloudflare",
            Self::Imgproxy => "imgproxy",
            Self::Next => "next",
            Self::Ipx => "ipx",
            Self::Query => "query",
            Self::Iiif => "iiif",
        }
    }
}

/// Whose a request target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose.
    pub dialect: Dialect,
    /// For what it asks.
    pub asks: Asks,
}

/// For what an image URL asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asks {
    /// A picture.
    Image,
    /// What is known of a picture, in the dialect's own form; [`parse`] gives [`crate::transform::Format::Json`].
    Info,
    /// Nothing by itself: the client is sent (303) to this target.
    Redirect(String),
}

/// Which of the `enabled` dialects claims a request target: a path with its query, as it came.
///
/// ```
/// use overfall_imaging::dialect::{Dialect, Rules, of_target};
///
/// let rules = Rules::default();
/// let claim = of_target("/_next/image?url=%2Fa.png&w=640&q=75", &Dialect::ALL, &rules);
/// assert_eq!(claim.map(|claim| claim.dialect), Some(Dialect::Next));
/// assert_eq!(of_target("/a.png", &Dialect::ALL, &rules), None);
/// ```
#[must_use]
pub fn of_target(target: &str, enabled: &[Dialect], rules: &Rules) -> Option<Claim> {
    // from the most to the least particular
    let order =
        [Dialect::Cloudflare, Dialect::Next, Dialect::Ipx, Dialect::Iiif, Dialect::Imgproxy, Dialect::Query];
    order.into_iter().filter(|dialect| enabled.contains(dialect)).find_map(|dialect| {
        let asks = claims::asks(dialect, target, rules)?;
        Some(Claim { dialect, asks })
    })
}

/// Reads a request target in one dialect.
///
/// Signatures are checked here; whether [`crate::path::Wants::expires_s`] has passed is for the caller, who knows the time
/// and answers [`Fault::Expired`].
///
/// # Errors
/// A [`Refusal`] as the dialect words it.
pub fn parse(dialect: Dialect, target: &str, rules: &Rules) -> Result<Parsed, Refusal> {
    if target.len() > TARGET_BYTES_MAX {
        let reason = format!("the url is {} bytes long, at most {TARGET_BYTES_MAX}", target.len());
        return Err(refuse(dialect, Fault::Url, reason));
    }
    let (target, expires_s) = signature::checked(dialect, target, rules)?;
    let mut parsed = match dialect {
        Dialect::Cloudflare => cloudflare::parse(target),
        Dialect::Imgproxy => imgproxy::parse(target, rules),
        Dialect::Next => next::parse(target, rules),
        Dialect::Ipx => ipx::parse(target, rules),
        Dialect::Query => query::parse(target, rules),
        Dialect::Iiif => iiif::parse(target, rules),
    }?;
    parsed.wants.expires_s = parsed.wants.expires_s.or(expires_s);
    // Next has a list of its own; a viewer's tiles have any size
    if !matches!(dialect, Dialect::Next | Dialect::Iiif) && !rules.widths.is_empty() {
        parsed.transform = fit_width(&parsed.transform, &rules.widths, rules.width_policy)
            .map_err(|refused| refuse(dialect, Fault::Url, refused.to_string()))?;
    }
    Ok(parsed)
}

/// Writes a request target that [`parse`] reads as exactly this transform and source, signed with the first key of the
/// rules where they have keys. None where the dialect has no words for it, and for [`Dialect::Next`], [`Dialect::Ipx`] and
/// [`Dialect::Iiif`], whose URLs their own tools make, and where the result would not be claimed, as parameters behind a path that
/// is no picture's.
#[must_use]
pub fn print(
    dialect: Dialect,
    transform: &Transform,
    source: &Source,
    rules: &Rules,
    expires_s: Option<u64>,
) -> Option<String> {
    let transform = transform.canonical();
    let candidates = match dialect {
        Dialect::Cloudflare => cloudflare::print(&transform, source),
        Dialect::Imgproxy => imgproxy::print(&transform, source, rules, expires_s),
        Dialect::Query => query::print(&transform, source, rules, expires_s),
        Dialect::Next | Dialect::Ipx | Dialect::Iiif => Vec::new(),
    };
    candidates.into_iter().map(|target| signature::signed(dialect, target, rules, expires_s)).find(|target| {
        // nothing is written that would be read as something else, or not be taken for an image URL
        claims::asks(dialect, target, rules).is_some()
            && parse(dialect, target, rules).is_ok_and(|parsed| {
                parsed.transform == transform
                    && parsed.source == *source
                    && parsed.wants.expires_s == expires_s
                    && !parsed.wants.raw
            })
    })
}

#[cfg(test)]
mod tests;
