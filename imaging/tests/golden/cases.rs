//! What is rendered, with what it is compared and how near it must be.

use std::fmt;

use crate::compare::Difference;

/// A rendering and its reference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) source: &'static str,
    pub(crate) options: &'static str,
    pub(crate) reference: &'static str,
    pub(crate) bounds: Difference,
}

impl fmt::Display for Case {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} ({})", self.source, self.options, self.reference)
    }
}

const fn case(
    source: &'static str,
    options: &'static str,
    reference: &'static str,
    bounds: Difference,
) -> Case {
    Case { source, options, reference, bounds }
}

/// Pixels move, and stay what they are.
const SAME: Difference = Difference { mean: 0.0, most: 0 };
/// One formula, rounded once on either side.
const ROUNDED: Difference = Difference { mean: 0.35, most: 1 };
/// A reduction or enlargement of pixels that both sides see alike; light may be added as light or as stored.
const RESAMPLED: Difference = Difference { mean: 0.5, most: 2 };
/// The same of a lossy source, that may be decoded at a lower resolution.
const FROM_LOSSY: Difference = Difference { mean: 1.2, most: 4 };
/// Blurs and masks, for which approximations are in use.
const FILTERED: Difference = Difference { mean: 0.5, most: 2 };
/// Encoded as JPEG of quality 95, colours at half the resolution.
const TO_JPEG: Difference = Difference { mean: 2.6, most: 14 };
/// Encoded as WebP or AVIF of quality 95.
const TO_WEBP: Difference = Difference { mean: 3.2, most: 18 };

/// Encoded as JPEG XL of quality 95.
const TO_JXL: Difference = Difference { mean: 2.6, most: 14 };

/// Ways to fill a box, for each format of source and result.
pub(crate) const FITS: [Case; 38] = [
    case("scene.png", "w=60,h=60,fit=contain,f=png", "contain-scene-png", RESAMPLED),
    case("scene.png", "w=60,h=60,fit=contain,f=jpeg,q=95", "contain-scene-png", TO_JPEG),
    case("scene.png", "w=60,h=60,fit=contain,f=webp,q=95", "contain-scene-png", TO_WEBP),
    case("scene.jpg", "w=60,h=60,fit=contain,f=png", "contain-scene-jpg", FROM_LOSSY),
    case("scene.jpg", "w=60,h=60,fit=contain,f=jpeg,q=95", "contain-scene-jpg", TO_JPEG),
    case("scene.jpg", "w=60,h=60,fit=contain,f=webp,q=95", "contain-scene-jpg", TO_WEBP),
    case("scene-444-progressive.jpg", "w=60,f=png", "contain-scene-444-progressive-jpg", FROM_LOSSY),
    case(
        "scene-444-progressive.jpg",
        "w=60,f=jpeg,q=95",
        "contain-scene-444-progressive-jpg",
        Difference { mean: 2.4, most: 14 },
    ),
    case("scene.webp", "w=60,h=60,fit=contain,f=png", "contain-scene-webp", FROM_LOSSY),
    case("scene.webp", "w=60,h=60,fit=contain,f=webp,q=95", "contain-scene-webp", TO_WEBP),
    case("scene.png", "w=60,h=60,fit=contain,f=avif,q=95", "contain-scene-png", TO_WEBP),
    case("scene.png", "w=60,h=60,fit=contain,f=jxl,q=95", "contain-scene-png", TO_JXL),
    case("scene.png", "w=60,h=60,fit=contain,f=jxl,lossless=true", "contain-scene-png", RESAMPLED),
    case("scene.jpg", "w=60,h=60,fit=contain,f=avif,q=95", "contain-scene-jpg", TO_WEBP),
    case("scene.jpg", "w=60,h=60,fit=contain,f=jxl,q=95", "contain-scene-jpg", TO_JXL),
    case("scene.webp", "w=60,h=60,fit=contain,f=avif,q=95", "contain-scene-webp", TO_WEBP),
    case("scene.png", "h=40,f=png", "contain-scene-png", RESAMPLED),
    case("scene.png", "w=30,dpr=2,f=png", "contain-scene-png", RESAMPLED),
    case("scene.png", "w=60,h=90,fit=scale-down,f=png", "contain-scene-png", RESAMPLED),
    case("scene.jpg", "w=60,h=90,fit=scale-down,f=png", "contain-scene-jpg", FROM_LOSSY),
    case("tiny.png", "w=200,h=90,fit=scale-down,f=png", "tiny", SAME),
    case("scene.png", "w=50,h=50,fit=cover,f=png", "cover-scene-png", RESAMPLED),
    case("scene.png", "w=50,h=50,fit=crop,f=png", "cover-scene-png", RESAMPLED),
    case("scene.jpg", "w=50,h=50,fit=cover,f=png", "cover-scene-jpg", FROM_LOSSY),
    case("scene.jpg", "w=50,h=50,fit=cover,f=jpeg,q=95", "cover-scene-jpg", TO_JPEG),
    case("scene.webp", "w=50,h=50,fit=cover,f=png", "cover-scene-webp", FROM_LOSSY),
    case("scene.png", "w=60,h=60,fit=pad,background=204060,f=png", "pad-scene-png", RESAMPLED),
    case("scene.jpg", "w=60,h=60,fit=pad,background=204060,f=png", "pad-scene-jpg", FROM_LOSSY),
    case("scene.webp", "w=60,h=60,fit=pad,background=204060,f=webp,q=95", "pad-scene-webp", TO_WEBP),
    case("scene.png", "w=50,h=50,fit=squeeze,f=png", "squeeze-scene-png", RESAMPLED),
    case("scene.jpg", "w=50,h=50,fit=squeeze,f=png", "squeeze-scene-jpg", FROM_LOSSY),
    case("scene.webp", "w=50,h=50,fit=squeeze,f=png", "squeeze-scene-webp", FROM_LOSSY),
    case("scene.png", "w=50,h=50,fit=cover,g=left,f=png", "cover-left", RESAMPLED),
    case("scene.png", "w=50,h=50,fit=cover,g=right,f=png", "cover-right", RESAMPLED),
    case("scene.png", "w=60,h=20,fit=cover,g=bottom,f=png", "cover-bottom", RESAMPLED),
    case("scene.png", "crop=80;60;20;30,f=png", "crop-rectangle", SAME),
    case("tiny.png", "w=90,h=90,fit=contain,f=png", "enlarged", RESAMPLED),
    case("tiny.png", "w=90,h=90,fit=scale-up,f=png", "enlarged", RESAMPLED),
];

/// Of a JPEG that may be decoded at half its size; as stored it would be 37 too dark.
const GLARE: Difference = Difference { mean: 4.0, most: 45 };

/// Reductions that come out darker unless light is linear, and one that must be possible either way.
pub(crate) const LIGHT: [Case; 5] = [
    case("glare.png", "w=48,reduce=careful,f=png", "careful-glare-png", Difference { mean: 1.8, most: 12 }),
    case("glare.jpg", "w=48,reduce=careful,f=png", "careful-glare-jpg", GLARE),
    case("glare.jpg", "w=48,reduce=careful,f=jpeg,q=100", "careful-glare-jpg", GLARE),
    case("png/checker-1px.png", "w=60,reduce=careful,f=png", "checker", ROUNDED),
    case("scene.jpg", "w=60,h=60,fit=contain,reduce=fast,f=png", "contain-scene-jpg", FROM_LOSSY),
];

/// Each was encoded on its own.
const TURNED: Difference = Difference { mean: 1.6, most: 6 };

/// One picture, stored in eight ways (EXIF 2.32 section 4.6.4).
pub(crate) fn orientations() -> Vec<Case> {
    const STORED: [&str; 8] = [
        "turned-1.jpg",
        "turned-2.jpg",
        "turned-3.jpg",
        "turned-4.jpg",
        "turned-5.jpg",
        "turned-6.jpg",
        "turned-7.jpg",
        "turned-8.jpg",
    ];
    let cases = |source| {
        [
            case(source, "f=png", "turned", TURNED),
            case(source, "w=32,f=png", "turned-contain", TURNED),
            case(source, "w=30,h=40,fit=cover,f=png", "turned-cover", TURNED),
            case(source, "w=30,h=40,fit=cover,f=jpeg,q=95", "turned-cover", TO_JPEG),
        ]
    };
    STORED.into_iter().flat_map(cases).collect()
}

/// Decoded by another program, which may round in other places and place chroma elsewhere.
const OTHER_DECODER: Difference = Difference { mean: 0.9, most: 4 };

/// The same, with chroma that is doubled there and interpolated here.
const DOUBLED: Difference = Difference { mean: 1.3, most: 9 };

/// AVIF, HEIC and JPEG XL: depths, chroma, alpha, tiles, orientation.
pub(crate) const MODERN: [Case; 22] = [
    case("scene.avif", "f=png", "scene-avif", OTHER_DECODER),
    case("small-444-limited.avif", "f=png", "small-444-limited-avif", ROUNDED),
    case("small-422.avif", "f=png", "small-422-avif", OTHER_DECODER),
    case("small-grey.avif", "f=png", "small-grey-avif", ROUNDED),
    case("small-10.avif", "f=png", "small-10-avif", OTHER_DECODER),
    case("small-12.avif", "f=png", "small-12-avif", ROUNDED),
    case("small-lossless.avif", "f=png", "small-lossless-avif", SAME),
    case("veil.avif", "f=png", "veil-avif", ROUNDED),
    case("turned.avif", "f=png", "turned-avif", ROUNDED),
    case("modern/photo-irot1.avif", "w=100,f=png", "irot1", FROM_LOSSY),
    case("scene.heic", "f=png", "scene-heic", DOUBLED),
    case("small-10.heic", "f=png", "small-10-heic", DOUBLED),
    case("veil.heic", "f=png", "veil-heic", OTHER_DECODER),
    case("tiles.avif", "f=png", "tiles-avif", ROUNDED),
    case("tiles.heic", "f=png", "tiles-heic", ROUNDED),
    case("tiles-turned.heic", "f=png", "tiles-turned-heic", ROUNDED),
    case("scene.jxl", "f=png", "scene-jxl", ROUNDED),
    case("small-lossless.jxl", "f=png", "small-lossless-jxl", SAME),
    case("small-16.jxl", "f=png", "small-16-jxl", ROUNDED),
    case("small-grey.jxl", "f=png", "small-grey-jxl", ROUNDED),
    case("veil.jxl", "f=png", "veil-jxl", SAME),
    case("veil.jxl", "w=40,f=png", "veil", RESAMPLED),
];

/// Kinds of pixels: alpha, palettes, sixteen bits, ink.
pub(crate) const LAYOUTS: [Case; 20] = [
    case("veil.png", "f=png", "veil-full", SAME),
    case("veil.png", "w=40,f=png", "veil", RESAMPLED),
    case("veil.png", "w=40,f=webp,q=95", "veil", TO_WEBP),
    case("veil.png", "w=40,f=avif,q=95", "veil", TO_WEBP),
    case("veil.png", "w=40,f=jxl,q=95", "veil", TO_JXL),
    case("veil.png", "f=jxl,lossless=true", "veil-full", SAME),
    case("veil.webp", "f=png", "veil-full", SAME),
    case("veil.webp", "w=40,f=png", "veil", RESAMPLED),
    case("veil-palette.png", "w=40,f=png", "veil-palette", RESAMPLED),
    case(
        "png/fringe-test-magenta-under-alpha.png",
        "w=20,f=png",
        "fringe",
        Difference { mean: 0.5, most: 6 },
    ),
    case("veil.png", "background=ff8800,f=png", "background", ROUNDED),
    case("veil.png", "background=ff8800,f=jpeg,q=95", "background", TO_JPEG),
    case("veil.png", "background=white,f=png", "background-white", ROUNDED),
    case("veil.webp", "background=white,f=webp,q=95", "background-white", TO_WEBP),
    case("deep-grey.png", "f=png", "deep-grey", ROUNDED),
    case("deep-grey.png", "w=36,f=png", "deep-grey-reduced", RESAMPLED),
    case("ink.jpg", "f=png", "ink", FROM_LOSSY),
    case("ink.jpg", "w=36,f=png", "ink-reduced", FROM_LOSSY),
    case("ink.jpg", "w=36,f=jpeg,q=95", "ink-reduced", TO_JPEG),
    case("ink.jpg", "w=36,f=webp,q=95", "ink-reduced", TO_WEBP),
];

/// What changes pixels without moving them, and what surrounds them.
pub(crate) const LOOKS: [Case; 30] = [
    case("small.png", "blur=2,f=png", "blur-2", FILTERED),
    case("small.png", "blur=8,f=png", "blur-8", Difference { mean: 0.4, most: 3 }),
    case("veil.png", "blur=2,f=png", "blur-veil", FILTERED),
    case("small.png", "unsharp=1;1.5;0,f=png", "unsharp", FILTERED),
    case("small.png", "sharpen=1,f=png", "sharpen", Difference { mean: 3.0, most: 10 }),
    case("small.png", "brightness=1.3,f=png", "brightness", ROUNDED),
    case("small.png", "contrast=1.4,f=png", "contrast", ROUNDED),
    case("small.png", "saturation=0.5,f=png", "saturation-less", FILTERED),
    case("small.png", "saturation=1.8,f=png", "saturation-more", FILTERED),
    case("small.png", "saturation=0,f=png", "grey", FILTERED),
    case("small.png", "grayscale=true,f=png", "grey", FILTERED),
    case("small.png", "gamma=1.6,f=png", "gamma", ROUNDED),
    case("small.png", "pixelate=10,f=png", "pixelate", ROUNDED),
    case("small.png", "rotate=90,f=png", "rotate-90", SAME),
    case("small.png", "rotate=180,f=png", "rotate-180", SAME),
    case("small.png", "rotate=270,f=png", "rotate-270", SAME),
    case("small.png", "flip=h,f=png", "flip-h", SAME),
    case("small.png", "flip=v,f=png", "flip-v", SAME),
    case("small.png", "flip=hv,f=png", "flip-hv", SAME),
    case("small.png", "flip=h,rotate=90,f=png", "flip-then-rotate", SAME),
    case("small.png", "rotate=90,flip=h,f=png", "flip-then-rotate", SAME),
    case("small.png", "trim=5;7;9;3,f=png", "trim-sides", SAME),
    case("margins.png", "trim=border,f=png", "trim-margins", SAME),
    case("small.png", "padding=4;6;8;10,background=336699,f=png", "padding", SAME),
    case("small.png", "border=4;ff0000,f=png", "border", SAME),
    case("small.png", "radius=20,f=png", "radius", Difference { mean: 0.2, most: 6 }),
    case("small.png", "watermark=mark;0.5;bottom-right;4;2;0,f=png", "watermark", ROUNDED),
    case("small.png", "blur=2,f=jpeg,q=95", "blur-2", Difference { mean: 1.4, most: 6 }),
    case("small.png", "brightness=1.3,f=webp,q=95", "brightness", TO_WEBP),
    case("small.png", "rotate=90,f=jpeg,q=95", "rotate-90", TO_JPEG),
];

/// Every case.
pub(crate) fn all() -> Vec<Case> {
    let tables =
        [FITS.to_vec(), LIGHT.to_vec(), orientations(), LAYOUTS.to_vec(), MODERN.to_vec(), LOOKS.to_vec()];
    tables.concat()
}
