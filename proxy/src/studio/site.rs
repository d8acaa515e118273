//! A site's image rules, from configuration to what reading a URL takes.

use std::{collections::BTreeMap, sync::Arc};

use overfall_config::{ImageDialect, ImageFailure, ImageFormat, ImageRules, OtherWidths, Secret as Written};
use overfall_imaging::{
    dialect::{
        Dialect, IiifRules, ImgixRules, ImgproxyRules, NextRules, OwnRules, Pair, QueryRules, Rules, Secret,
        Unknown, WidthPolicy,
    },
    limits::Limits,
    negotiate::Offers,
    transform::Transform,
};

/// The watermark of URLs that name none.
const DEFAULT_MARK: &str = "default";
/// Widths that a client's hints are rounded up to where the site has no list, in pixels.
const HINTED_WIDTHS: [u32; 9] = [320, 480, 640, 800, 1_080, 1_280, 1_600, 2_048, 2_560];

/// What a site's image URLs may ask for, at request time.
#[derive(Debug)]
pub struct ImageSite {
    /// URL styles that are read.
    pub enabled: Vec<Dialect>,
    /// What they allow.
    pub rules: Rules,
    /// Formats that may be chosen for a client.
    pub offers: Offers,
    /// What a source may cost.
    pub limits: Limits,
    /// Widths that a client's hints are rounded up to.
    pub hinted_widths: Vec<u32>,
    /// The rules as configured.
    pub config: ImageRules,
}

impl ImageSite {
    /// Prepares the rules.
    ///
    /// # Errors
    /// A preset whose options can't be read: its name, and what is wrong.
    pub fn new(config: &ImageRules) -> Result<Self, String> {
        for (name, options) in &config.presets {
            let is_imgproxys = options.contains(':') && !options.contains('=');
            if !is_imgproxys {
                let read: Result<Transform, _> = options.parse();
                read.map_err(|error| format!("preset {name:?}: {error}"))?;
            }
        }
        let widths = if config.widths.is_empty() { HINTED_WIDTHS.to_vec() } else { config.widths.clone() };
        Ok(Self {
            enabled: config.dialects.iter().copied().map(dialect).collect(),
            rules: rules(config),
            offers: Offers {
                avif: config.formats.contains(&ImageFormat::Avif),
                webp: config.formats.contains(&ImageFormat::Webp),
            },
            limits: Limits {
                source_bytes_max: config.source_bytes_max,
                source_pixels_max: config.source_pixels_max,
                frames_max: config.frames_max,
                animation_pixels_max: config.animation_pixels_max,
                side_max: config.side_max,
                ..Limits::default()
            },
            hinted_widths: widths,
            config: config.clone(),
        })
    }

    /// The path of a watermark's picture.
    #[must_use]
    pub fn mark(&self, name: &str) -> Option<&str> {
        self.config.watermarks.get(name).map(String::as_str)
    }

    /// The path of the picture that stands in for one that can't be rendered.
    #[must_use]
    pub fn fallback(&self) -> Option<&str> {
        match &self.config.on_failure {
            ImageFailure::Fallback(path) => Some(path),
            ImageFailure::Error | ImageFailure::Original => None,
        }
    }
}

const fn dialect(dialect: ImageDialect) -> Dialect {
    match dialect {
        ImageDialect::Cloudflare => Dialect::Cloudflare,
        ImageDialect::Imgproxy => Dialect::Imgproxy,
        ImageDialect::Next => Dialect::Next,
        ImageDialect::Ipx => Dialect::Ipx,
        ImageDialect::Query => Dialect::Query,
        ImageDialect::Iiif => Dialect::Iiif,
    }
}

fn rules(config: &ImageRules) -> Rules {
    let plain = |secret: &Written| Secret::new(secret.reveal().as_bytes());
    Rules {
        imgproxy: ImgproxyRules {
            prefix: config.imgproxy.prefix.clone(),
            pairs: config.imgproxy.keys.iter().filter_map(pair).collect(),
            signature_bytes: usize::from(config.imgproxy.signature_bytes),
            unsigned: config.imgproxy.is_unsigned_allowed,
            presets: config.presets.clone().into_iter().collect::<BTreeMap<_, _>>(),
            watermark: config.watermarks.contains_key(DEFAULT_MARK).then(|| Arc::from(DEFAULT_MARK)),
        },
        imgix: ImgixRules { token: config.imgix_token.as_ref().map(plain), unsigned: false },
        own: OwnRules {
            keys: config.sign.keys.iter().map(plain).collect(),
            unsigned: !config.sign.is_required,
        },
        next: next(config),
        iiif: IiifRules { prefix: config.iiif_prefix.clone(), ..IiifRules::default() },
        query: QueryRules::default(),
        base: None,
        negotiate: !config.formats.is_empty(),
        unknown: Unknown::Drop,
        widths: config.widths.clone(),
        width_policy: match config.other_widths {
            OtherWidths::RoundUp => WidthPolicy::RoundUp,
            OtherWidths::Refuse => WidthPolicy::Refuse,
        },
        ..Rules::default()
    }
}

/// Next's own lists, or the site's widths; any quality, since the site's pages may be configured so.
fn next(config: &ImageRules) -> NextRules {
    let defaults = NextRules::default();
    let widths = if config.widths.is_empty() { defaults.widths } else { config.widths.clone() };
    NextRules { widths, qualities: Vec::new() }
}

fn pair((key, salt): &(Written, Written)) -> Option<Pair> {
    Some(Pair { key: unhexed(key.reveal())?, salt: unhexed(salt.reveal())? })
}

/// Digits that the configuration has checked.
fn unhexed(digits: &str) -> Option<Secret> {
    let nibbles: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    let nibbles = nibbles?;
    let byte = |pair: &[u32]| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = nibbles.chunks(2).map(byte).collect();
    bytes.map(|bytes| Secret::new(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_their_bytes() {
        let pair = pair(&(Written::new("736563726574".to_owned()), Written::new("68656C6C6F".to_owned())));
        let pair = pair.unwrap();
        assert_eq!((pair.key.as_ref(), pair.salt.as_ref()), (b"secret".as_slice(), b"hello".as_slice()));
        assert!(unhexed("0").is_none() && unhexed("zz").is_none());
    }

    #[test]
    fn a_preset_that_cannot_be_read_is_named() {
        let presets = |options: &str| BTreeMap::from([("card".to_owned(), options.to_owned())]);
        let rules = |options| ImageRules { presets: presets(options), ..ImageRules::default() };
        assert!(ImageSite::new(&rules("w=100,fit=cover")).is_ok());
        assert!(ImageSite::new(&rules("rs:fill:100:100/q:80")).is_ok());
        let refused = ImageSite::new(&rules("w=0")).unwrap_err();
        assert!(refused.contains("\"card\"") && refused.contains("width"), "{refused}");
    }
}
