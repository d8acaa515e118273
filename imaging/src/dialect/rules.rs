//! What a site allows in its image URLs, as plain values. The caller makes them from its configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::transform::Milli;

/// What a site allows in its image URLs.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Paths and signatures as imgproxy has them.
    pub imgproxy: ImgproxyRules,
    /// Signatures as imgix has them.
    pub imgix: ImgixRules,
    /// Signatures of our own.
    pub own: OwnRules,
    /// What `/_next/image` accepts.
    pub next: NextRules,
    /// What the IIIF Image API accepts.
    pub iiif: IiifRules,
    /// Parameters in queries.
    pub query: QueryRules,
    /// What relative sources of imgproxy and identifiers of IIIF are relative to: a path of the site, or an absolute URL.
    /// None: the root of the site.
    pub base: Option<String>,
    /// Whether the client's `Accept` decides where a URL of imgproxy, IPX or a query names no format; else the source does.
    pub negotiate: bool,
    /// What becomes of options and parameters that nobody knows, where the dialect ignores them.
    pub unknown: Unknown,
    /// Widths that may be asked for, in pixels; empty: any. Not for Next, which has its own, nor IIIF.
    pub widths: Vec<u32>,
    /// What becomes of other widths.
    pub width_policy: WidthPolicy,
    /// Largest density; larger ones are taken for it. Not for Cloudflare's paths, where 10 is the limit.
    pub dpr_max: Milli,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            imgproxy: ImgproxyRules::default(),
            imgix: ImgixRules::default(),
            own: OwnRules::default(),
            next: NextRules::default(),
            iiif: IiifRules::default(),
            query: QueryRules::default(),
            base: None,
            negotiate: false,
            unknown: Unknown::Drop,
            widths: Vec::new(),
            width_policy: WidthPolicy::RoundUp,
            dpr_max: Milli(5_000),
        }
    }
}

/// Paths and signatures as imgproxy has them.
#[derive(Debug, Clone)]
pub struct ImgproxyRules {
    /// What paths begin with, from one `/` to another; `/` takes what looks like imgproxy's.
    pub prefix: String,
    /// Keys with their salts; any of them may have signed, the first one signs.
    pub pairs: Vec<Pair>,
    /// Bytes that are left of a signature, 1 to 32.
    pub signature_bytes: usize,
    /// Whether paths with `unsafe`, `insecure` or `_` in place of the signature are served; without pairs, with anything.
    pub unsigned: bool,
    /// Names with options as in paths (`w:100/h:100`); `default` goes before every path's own options.
    pub presets: BTreeMap<String, String>,
    /// The watermark that `wm` draws; none: `wm` draws nothing, as in an imgproxy that has none.
    pub watermark: Option<Arc<str>>,
}

impl Default for ImgproxyRules {
    fn default() -> Self {
        Self {
            prefix: "/imgproxy/".into(),
            pairs: Vec::new(),
            signature_bytes: 32,
            unsigned: false,
            presets: BTreeMap::new(),
            watermark: None,
        }
    }
}

/// A key with its salt.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The key's bytes (configured in hexadecimal digits).
    pub key: Secret,
    /// The salt's bytes.
    pub salt: Secret,
}

/// Signatures as imgix has them.
#[derive(Debug, Clone, Default)]
pub struct ImgixRules {
    /// With it, URLs with parameters need `s=`, or `sig=` where the site has keys of its own.
    pub token: Option<Secret>,
    /// Whether they may have neither.
    pub unsigned: bool,
}

/// Signatures of our own: `sig=`, with `exp=` before it.
#[derive(Debug, Clone, Default)]
pub struct OwnRules {
    /// Any of them may have signed, the first one signs. With keys, every dialect but imgproxy's needs a signature.
    pub keys: Vec<Secret>,
    /// Whether URLs may have none.
    pub unsigned: bool,
}

/// What `/_next/image` accepts.
#[derive(Debug, Clone)]
pub struct NextRules {
    /// `deviceSizes` and `imageSizes`, in pixels.
    pub widths: Vec<u32>,
    /// 1 to 100; empty: any.
    pub qualities: Vec<u8>,
}

impl Default for NextRules {
    fn default() -> Self {
        Self {
            widths: vec![32, 48, 64, 96, 128, 256, 384, 640, 750, 828, 1080, 1200, 1920, 2048, 3840],
            qualities: vec![75],
        }
    }
}

/// What the IIIF Image API accepts.
#[derive(Debug, Clone)]
pub struct IiifRules {
    /// What paths begin with, from one `/` to another.
    pub prefix: String,
    /// Whether sizes with `^` may enlarge; else they are 501.
    pub upscaling: bool,
    /// Largest width of a result, in pixels.
    pub max_width: u32,
    /// Largest height of a result, in pixels.
    pub max_height: u32,
    /// Largest width times height of a result.
    pub max_area: Option<u64>,
}

impl Default for IiifRules {
    fn default() -> Self {
        Self {
            prefix: "/iiif/".into(),
            upscaling: true,
            max_width: crate::transform::SIDE_MAX,
            max_height: crate::transform::SIDE_MAX,
            max_area: None,
        }
    }
}

/// Parameters in queries.
#[derive(Debug, Clone, Copy, Default)]
pub struct QueryRules {
    /// Whether paths without a picture's extension may have them.
    pub all_paths: bool,
}

/// What becomes of options and parameters that nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unknown {
    /// They are left out, and not part of any key.
    #[default]
    Drop,
    /// The URL is refused.
    Refuse,
    /// They stay in the source's query; where the dialect's source has none, they are left out.
    Keep,
}

/// What becomes of a width that is not on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WidthPolicy {
    /// The next larger one is taken, or the largest.
    #[default]
    RoundUp,
    /// The URL is refused.
    Refuse,
}

/// Bytes that are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// Keeps a copy.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl AsRef<[u8]> for Secret {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(redacted)")
    }
}
