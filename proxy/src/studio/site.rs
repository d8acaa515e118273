//! A site's image rules, from configuration to what reading a URL takes.

use std::{collections::BTreeMap, sync::Arc};

use overfall_config::{ImageDialect, ImageFailure, ImageFormat, ImageRules, OtherWidths, Secret as Written};
use overfall_imaging::{
    dialect::{
        self, Dialect, IiifRules, ImgixRules, ImgproxyRules, NextRules, OwnRules, Pair, QueryRules, Rules,
        Secret, Unknown, WidthPolicy,
    },
    limits::Limits,
    negotiate::Offers,
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
    /// Presets that can't be read, or that no dialect would: what is wrong, in words.
    pub fn new(config: &ImageRules) -> Result<Self, String> {
        let rules = rules(config);
        check_presets(config, &rules)?;
        let widths = if config.widths.is_empty() { HINTED_WIDTHS.to_vec() } else { config.widths.clone() };
        Ok(Self {
            enabled: config.dialects.iter().copied().map(style).collect(),
            rules,
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
            ImageFailure::Error | ImageFailure::Original | ImageFailure::LastGood => None,
        }
    }
}

/// Reads each preset as a path would bring it.
fn check_presets(config: &ImageRules, rules: &Rules) -> Result<(), String> {
    if config.presets.is_empty() {
        return Ok(());
    }
    if !config.dialects.contains(&ImageDialect::Imgproxy) {
        return Err("\"presets\" are for the dialect \"imgproxy\", which is not in \"dialects\"".to_owned());
    }
    let mut unsigned = rules.clone();
    (unsigned.imgproxy.pairs, unsigned.imgproxy.unsigned) = (Vec::new(), true);
    for (name, options) in &config.presets {
        let path = format!("{}unsafe/{options}/plain//a", rules.imgproxy.prefix);
        dialect::parse(Dialect::Imgproxy, &path, &unsigned)
            .map_err(|refusal| format!("preset {name:?}: {}", refusal.reason))?;
    }
    Ok(())
}

const fn style(dialect: ImageDialect) -> Dialect {
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
        let rules = |dialects: &[ImageDialect], options: &str| ImageRules {
            dialects: dialects.to_vec(),
            presets: BTreeMap::from([("card".to_owned(), options.to_owned())]),
            ..ImageRules::default()
        };
        let imgproxy = [ImageDialect::Cloudflare, ImageDialect::Imgproxy];
        assert!(ImageSite::new(&rules(&imgproxy, "rs:fill:100:100/q:80")).is_ok());
        for options in ["w=100,fit=cover", "w:-1", "wobble:3", "q:80//w:3"] {
            let refused = ImageSite::new(&rules(&imgproxy, options)).unwrap_err();
            assert!(refused.contains("\"card\""), "{options}: {refused}");
        }
        let unread = ImageSite::new(&rules(&[ImageDialect::Cloudflare], "q:80")).unwrap_err();
        assert!(unread.contains("imgproxy"), "{unread}");
    }
}
