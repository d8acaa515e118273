//! What must hold for any image URL and any file that claims to be a picture, as one function per reader.
//!
//! Each takes bytes and panics when a promise is broken. The fuzzer calls them from `fuzz_targets/`; `tests/edge/corpora.rs`
//! includes this file, replays the corpora and mutates them on stable. Nothing here may depend on anything but its input.

use overfall_imaging::{
    Deadline, Error,
    client_hints::Hints,
    dialect::{self, Dialect, ImgproxyRules, OwnRules, Pair, Rules, Secret, Unknown, WidthPolicy},
    limits::Limits,
    negotiate::{self, AcceptClass, Offers},
    path::{self, Source},
    pipeline::{self, Settings},
    sniff::{self, SourceFormat},
    transform::Transform,
};

/// A target: its name, which is that of its corpus, and what it calls.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 12] = [
    ("image_url", fuzz_url),
    ("image_transform", fuzz_transform),
    ("image_fields", fuzz_fields),
    ("image_header", fuzz_header),
    ("image_jpeg", |data| fuzz_render(&[SourceFormat::Jpeg], data)),
    ("image_png", |data| fuzz_render(&[SourceFormat::Png], data)),
    ("image_gif", |data| fuzz_render(&[SourceFormat::Gif], data)),
    ("image_webp", |data| fuzz_render(&[SourceFormat::Webp], data)),
    ("image_tiff", |data| fuzz_render(&[SourceFormat::Tiff], data)),
    ("image_bitmap", |data| fuzz_render(&[SourceFormat::Bmp, SourceFormat::Ico], data)),
    ("image_svg", |data| fuzz_render(&[SourceFormat::Svg], data)),
    ("image_isobmff", |data| {
        fuzz_render(&[SourceFormat::Avif, SourceFormat::Heic, SourceFormat::Jxl], data);
    }),
];

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes())
}

/// Sites: one that takes everything, and one that signs, keeps to a list of widths and refuses what it does not know.
fn sites() -> [Rules; 2] {
    let open = Rules {
        imgproxy: ImgproxyRules {
            unsigned: true,
            watermark: Some("default".into()),
            ..ImgproxyRules::default()
        },
        negotiate: true,
        unknown: Unknown::Keep,
        ..Rules::default()
    };
    let pair = Pair { key: secret("secret"), salt: secret("hello") };
    let strict = Rules {
        imgproxy: ImgproxyRules { pairs: vec![pair], ..ImgproxyRules::default() },
        own: OwnRules { keys: vec![secret("0123456789abcdef")], unsigned: true },
        unknown: Unknown::Refuse,
        widths: vec![100, 200, 400],
        width_policy: WidthPolicy::Refuse,
        base: Some("/base/".to_owned()),
        ..Rules::default()
    };
    [open, strict]
}

/// URLs in every style: no target is too strange, and what was understood can be said again.
pub fn fuzz_url(data: &[u8]) {
    let target = String::from_utf8_lossy(data);
    if let Ok(parsed) = path::parse(&target) {
        says_itself(&parsed.transform);
    }
    for rules in &sites() {
        let claim = dialect::of_target(&target, &Dialect::ALL, rules);
        for dialect in Dialect::ALL {
            let Ok(parsed) = dialect::parse(dialect, &target, rules) else { continue };
            says_itself(&parsed.transform);
            says_again(dialect, &parsed.transform, &parsed.source, rules);
        }
        if let Some(claim) = claim {
            drop(dialect::parse(claim.dialect, &target, rules));
        }
    }
    let is_signed = dialect::verify(&target, &[b"0123456789abcdef"]).is_ok();
    assert!(!is_signed || target.contains("sig="), "{target:?}");
}

/// The canonical form of a transform is read as that transform.
fn says_itself(transform: &Transform) {
    let canonical = transform.canonical();
    assert_eq!(canonical.canonical(), canonical, "canonical once is canonical for ever");
    let text = canonical.to_string();
    let again: Transform = text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(again.canonical(), canonical, "{text:?}");
    assert_eq!(again.to_string(), text);
}

/// What a style has words for, it reads as what was meant, and claims as its own.
fn says_again(dialect: Dialect, transform: &Transform, source: &Source, rules: &Rules) {
    let Some(target) = dialect::print(dialect, transform, source, rules, None) else { return };
    let again = dialect::parse(dialect, &target, rules).unwrap_or_else(|why| panic!("{target:?}: {why:?}"));
    assert_eq!((again.transform, &again.source), (transform.canonical(), source), "{target:?}");
    let claim = dialect::of_target(&target, &[dialect], rules);
    assert_eq!(claim.map(|claim| claim.dialect), Some(dialect), "{target:?}");
}

/// Options by themselves.
pub fn fuzz_transform(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(transform) = text.parse::<Transform>() {
        says_itself(&transform);
    }
}

/// What a client accepts and hints at: one field a line.
pub fn fuzz_fields(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<_> = text.split('\n').collect();
    let offers = Offers { avif: true, webp: false };
    let class = negotiate::offered_class(lines.first().copied(), offers);
    assert_ne!(class, AcceptClass::Webp, "what the site does not offer is not chosen");
    let names = [
        "sec-ch-width",
        "sec-ch-dpr",
        "sec-ch-viewport-width",
        "width",
        "dpr",
        "viewport-width",
        "save-data",
    ];
    let hints = Hints::read(|name| {
        let place = names.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        lines.get(place + 1).copied()
    });
    let widths = [320, 640, 1_280];
    let hinted = hints.class(&widths);
    assert!(hinted.width.is_none_or(|width| widths.contains(&width)), "{hinted:?}");
    assert!((1..=100).contains(&hinted.quality(80)), "{hinted:?}");
}

/// Small enough that an input takes no time, large enough to reach everything.
fn limits() -> Limits {
    Limits {
        source_bytes_max: 1 << 20,
        source_pixels_max: 40_000,
        result_pixels_max: 40_000,
        side_max: 1_000,
        decode_bytes_max: 16 << 20,
        frames_max: 8,
        animation_pixels_max: 100_000,
    }
}

/// Headers: whatever is claimed was judged before it is believed.
pub fn fuzz_header(data: &[u8]) {
    let page = u32::from(data.first().copied().unwrap_or(0) % 3);
    let header = sniff::header(data);
    let transform = Transform { page: Some(page), ..Transform::default() };
    let Ok(admitted) = pipeline::admit(data, &transform, &limits()) else { return };
    assert!(admitted.pixels() <= limits().source_pixels_max && admitted.pixels() > 0, "{admitted:?}");
    assert!(admitted.width.max(admitted.height) <= limits().side_max, "{admitted:?}");
    assert!(page > 0 || header == Ok(admitted), "{header:?} {admitted:?}");
}

/// What is asked of a picture, in turn: each way through the pipeline, and each encoder.
const OPTIONS: [&str; 18] = [
    "w=20,f=png,q=100",
    "w=16,h=16,fit=cover,f=jpeg",
    "f=webp,q=30",
    "f=json",
    "w=24,h=10,fit=cover,gravity=auto,f=jpeg,reduce=fast",
    "w=10,f=gif",
    "trim=border,f=png",
    "crop=50%;50%;10%;10%,rotate=90,f=jpeg,progressive=true",
    "w=30,fit=contain,keep-profile=true,metadata=keep,f=png",
    "w=16,auto-orient=false,metadata=copyright,f=jpeg",
    "w=12,rotate=33,background=ff0000,blur=2,f=webp,lossless=true",
    "w=20,anim=false,quality=auto,f=jpeg",
    "page=1,w=20,f=png",
    "w=9,h=40,fit=pad,gravity=entropy,sharpen=1,radius=3,f=png",
    "w=5,f=avif",
    "w=20,f=auto,max-bytes=500",
    "w=20,f=jxl,q=60",
    "f=jxl,lossless=true,keep-profile=true",
];

/// A picture of one of these formats, whole or not: refused, or rendered at a size that was allowed.
///
/// The first byte chooses what is asked of it.
fn fuzz_render(formats: &[SourceFormat], data: &[u8]) {
    let Some((&choice, source)) = data.split_first() else { return };
    let Ok(header) = sniff::header(source) else { return };
    if !formats.contains(&header.format) {
        return;
    }
    let options = OPTIONS[usize::from(choice) % OPTIONS.len()];
    let transform: Transform = options.parse().expect("options that are written here");
    let settings = Settings {
        accept: if choice & 0x40 == 0 { AcceptClass::Plain } else { AcceptClass::Webp },
        is_careful: choice & 0x20 == 0,
        sharpens: choice & 0x80 != 0,
        limits: limits(),
        ..Settings::default()
    };
    match pipeline::render(source, &transform, &settings, &Deadline::never()) {
        Ok(rendered) => {
            assert!(rendered.width > 0 && rendered.height > 0 && !rendered.bytes.is_empty(), "{options}");
            assert!(rendered.width.max(rendered.height) <= limits().side_max, "{options}");
            if rendered.content_type != "application/json" {
                let made =
                    sniff::header(&rendered.bytes).unwrap_or_else(|error| panic!("{options}: {error}"));
                assert_eq!((made.width, made.height), (rendered.width, rendered.height), "{options}");
                assert_eq!(made.format.media_type(), rendered.content_type, "{options}");
            }
        }
        Err(Error::Deadline | Error::Busy { .. } | Error::Panicked) => {
            panic!("{options}: there is no deadline")
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
