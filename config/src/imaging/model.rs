//! What a site's image URLs may ask for, checked.

use std::{collections::BTreeMap, time::Duration};

use crate::{bounds, secret::Secret};

/// `[site.images]`
#[derive(Debug, Clone)]
pub struct ImageRules {
    /// URL styles that are read. Default Cloudflare's.
    pub dialects: Vec<ImageDialect>,
    /// Lossy quality when the URL gives none, 1 to 100. Default 80.
    pub quality: u8,
    /// Likeness to the original that `quality=auto` reaches, 1 to 100 (SSIMULACRA2). Default 75.
    pub likeness: u8,
    /// Formats that `format=auto` may choose for clients that name them, besides those that every client shows.
    pub formats: Vec<ImageFormat>,
    /// Whether light is averaged carefully where the URL does not say. Default: yes.
    pub is_careful: bool,
    /// Whether what became smaller is sharpened a little. Default: no.
    pub sharpens: bool,
    /// Widths that may be asked for, ascending; empty: every one.
    pub widths: Vec<u32>,
    /// What becomes of another width.
    pub other_widths: OtherWidths,
    /// Options by name, as in imgproxy's paths; for its dialect only.
    pub presets: BTreeMap<String, String>,
    /// Pictures of the site that may be laid over others, by name: paths on the site.
    pub watermarks: BTreeMap<String, String>,
    /// Own signatures.
    pub sign: SignRules,
    /// imgproxy's dialect.
    pub imgproxy: ImgproxyRules,
    /// imgix's signatures; none: not asked for.
    pub imgix_token: Option<Secret>,
    /// Where IIIF's URLs begin. Default `/iiif/`.
    pub iiif_prefix: String,
    /// Hosts, besides the site's own, that absolute sources may name.
    pub sources: Vec<String>,
    /// Bytes of an encoded source. Default 30 MiB.
    pub source_bytes_max: u64,
    /// Pixels of a source. Default 50 000 000.
    pub source_pixels_max: u64,
    /// Frames of an animation. Default 1 000.
    pub frames_max: u32,
    /// Pixels of an animation, all frames together. Default 200 000 000.
    pub animation_pixels_max: u64,
    /// Longest side of a source and of a result. Default 16 384.
    pub side_max: u32,
    /// Time for one rendering, queue included. Default 10 s.
    pub deadline: Duration,
    /// What is answered when a picture can't be rendered.
    pub on_failure: ImageFailure,
}

/// A style of image URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageDialect {
    /// `/cdn-cgi/image/width=300/…`
    Cloudflare,
    /// Signed paths.
    Imgproxy,
    /// `/_next/image?url=…`
    Next,
    /// `/_ipx/w_300/…`
    Ipx,
    /// Query parameters of Fastly and imgix behind any path.
    Query,
    /// IIIF Image API 3.
    Iiif,
}

/// A format that not every client shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// WebP.
    Webp,
    /// AVIF.
    Avif,
}

/// What becomes of a width that is not on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OtherWidths {
    /// The next larger one is made, or the largest.
    #[default]
    RoundUp,
    /// Refused.
    Refuse,
}

/// `[site.images.sign]`
#[derive(Debug, Clone, Default)]
pub struct SignRules {
    /// Keys; a URL signed with any of them is good. Empty: signatures are not looked at.
    pub keys: Vec<Secret>,
    /// Whether URLs without a signature are refused.
    pub is_required: bool,
}

/// `[site.images.imgproxy]`
#[derive(Debug, Clone)]
pub struct ImgproxyRules {
    /// Where its URLs begin. Default `/imgproxy/`.
    pub prefix: String,
    /// Pairs of key and salt, in hexadecimal digits.
    pub keys: Vec<(Secret, Secret)>,
    /// Bytes of a signature, 4 to 32. Default 32.
    pub signature_bytes: u8,
    /// Whether URLs need no signature.
    pub is_unsigned_allowed: bool,
}

impl Default for ImgproxyRules {
    fn default() -> Self {
        Self {
            prefix: "/imgproxy/".to_owned(),
            keys: Vec::new(),
            signature_bytes: 32,
            is_unsigned_allowed: false,
        }
    }
}

/// What is answered when a picture can't be rendered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ImageFailure {
    /// An error that says why.
    #[default]
    Error,
    /// The source as it is, if it is a picture.
    Original,
    /// The rendering that was made of an earlier source, if it may still be shown; else the error.
    LastGood,
    /// A picture of the site, rendered in its place: its path.
    Fallback(String),
}

impl Default for ImageRules {
    /// What `images = true` means.
    fn default() -> Self {
        Self {
            dialects: vec![ImageDialect::Cloudflare],
            quality: u8::try_from(bounds::IMAGE_QUALITY.fallback()).unwrap_or(u8::MAX),
            likeness: u8::try_from(bounds::IMAGE_LIKENESS.fallback()).unwrap_or(u8::MAX),
            formats: vec![ImageFormat::Webp, ImageFormat::Avif],
            is_careful: true,
            sharpens: false,
            widths: Vec::new(),
            other_widths: OtherWidths::default(),
            presets: BTreeMap::new(),
            watermarks: BTreeMap::new(),
            sign: SignRules::default(),
            imgproxy: ImgproxyRules::default(),
            imgix_token: None,
            iiif_prefix: "/iiif/".to_owned(),
            sources: Vec::new(),
            source_bytes_max: bounds::IMAGE_SOURCE_MAX.fallback(),
            source_pixels_max: bounds::IMAGE_PIXELS_MAX.fallback(),
            frames_max: u32::try_from(bounds::IMAGE_FRAMES_MAX.fallback()).unwrap_or(u32::MAX),
            animation_pixels_max: bounds::IMAGE_ANIMATION_PIXELS_MAX.fallback(),
            side_max: u32::try_from(bounds::IMAGE_SIDE_MAX.fallback()).unwrap_or(u32::MAX),
            deadline: Duration::from_millis(bounds::IMAGE_DEADLINE.fallback()),
            on_failure: ImageFailure::default(),
        }
    }
}
