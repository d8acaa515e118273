//! Drawings, and what they may not do.

use super::*;

pub(super) fn drawn(source: &[u8], size: Option<(u32, u32)>) -> Result<Frame, Error> {
    let header = sniff::header(source)?;
    let options = Options { size, ..Options::default() };
    decode(source, &header, &Limits::default(), &Deadline::never(), &options)?.first()
}

pub(super) fn svg(inner: &str) -> Vec<u8> {
    let open = "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' width='64' height='64'>";
    format!("{open}{inner}</svg>").into_bytes()
}

pub(super) fn at(frame: &Frame, x: u32, y: u32) -> [u8; 4] {
    let start = ((y * frame.width + x) * 4) as usize;
    frame.pixels[start..start + 4].try_into().unwrap()
}

pub(super) const BLUE: [u8; 4] = [0, 0x88, 0xcc, 255];

#[test]
fn a_drawing_has_the_size_that_is_wanted() {
    let source = fixture("vector/plain.svg");
    let header = sniff::header(&source).unwrap();
    assert_eq!((header.width, header.height, header.has_alpha), (200, 100, true));
    for (size, expected) in [(None, (200, 100)), (Some((50, 25)), (50, 25)), (Some((800, 900)), (800, 900))] {
        let frame = drawn(&source, size).unwrap();
        assert_eq!((frame.width, frame.height), expected);
        let centre = at(&frame, frame.width / 2, frame.height / 2 - frame.height / 5);
        assert_eq!(centre[3], 255, "{centre:?}");
        assert!(at(&frame, 0, 0)[3] < 32, "a round corner");
    }
    let huge = drawn(&source, Some((16_384, 16_384))).map(|frame| frame.width);
    assert!(matches!(huge, Err(Error::TooManyPixels { .. })), "{huge:?}");
}

#[test]
fn a_drawing_without_a_size_is_as_large_as_a_browser_makes_it() {
    let circle =
        b"<svg xmlns='http://www.w3.org/2000/svg'><circle cx='50' cy='50' r='40' fill='#08c'/></svg>";
    let frame = drawn(circle, None).unwrap();
    assert_eq!((frame.width, frame.height), (300, 150));
    assert_eq!(at(&frame, 50, 50), BLUE);
    assert_eq!(at(&frame, 95, 50)[3], 0);
    let frame = drawn(circle, Some((600, 300))).unwrap();
    assert_eq!(at(&frame, 170, 100), BLUE);
}

#[test]
fn transparency_is_not_premultiplied() {
    let frame = drawn(&svg("<rect width='64' height='64' fill='#08c' opacity='.5'/>"), None).unwrap();
    let [red, green, blue, alpha] = at(&frame, 9, 9);
    assert_eq!((red, alpha), (0, 128));
    assert!(green.abs_diff(0x88) <= 1 && blue.abs_diff(0xcc) <= 1, "{green} {blue}");
}

#[test]
fn nothing_outside_is_loaded() {
    for name in ["external-image-file", "external-image-http"] {
        let frame = drawn(&fixture(&format!("bombs/svg-{name}.svg")), None).unwrap();
        assert!((0..64).all(|side| at(&frame, side, side) == BLUE), "{name}");
    }
    let missing = drawn(&fixture("bombs/svg-xxe-file.svg"), None).map(|_| ());
    assert!(matches!(missing, Err(Error::Undecodable { .. })), "{missing:?}");
    let script = drawn(&fixture("bombs/svg-script-and-handlers.svg"), None).unwrap();
    assert_eq!(at(&script, 40, 40), BLUE);
}

#[test]
fn pictures_inside_are_drawn_when_they_are_small() {
    let picture = |kind: &str, bytes: &[u8]| {
        let escaped: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
        svg(&format!("<image width='64' height='64' xlink:href='data:{kind},{escaped}'/>"))
    };
    let png = fixture("png/checker-1px.png");
    let frame = drawn(&picture("image/png", &png), None).unwrap();
    assert_eq!(at(&frame, 32, 32)[3], 255);
    // by its content, not by what it is called
    let frame = drawn(&picture("image/jpeg", &png), None).unwrap();
    assert_eq!(at(&frame, 32, 32)[3], 255);
    for (kind, bytes) in [
        ("image/png", crate::testing::png_claiming(20_000, 20_000)),
        ("image/gif", fixture("anim/mixed-disposal.gif")),
        ("image/svg+xml", svg("<rect width='64' height='64'/>")),
        ("image/png", b"nothing".to_vec()),
    ] {
        let frame = drawn(&picture(kind, &bytes), None).unwrap();
        assert!(frame.pixels.iter().all(|&sample| sample == 0), "{kind}");
    }
}

#[test]
fn costly_drawings_are_refused() {
    let filter = |primitives: &str| {
        svg(&format!("<filter id='f'>{primitives}</filter><rect width='64' height='64' filter='url(#f)'/>"))
    };
    let many = |count: usize, text: &str| text.repeat(count);
    for (name, source) in [
        (
            "layers in layers",
            svg(&(many(100, "<g opacity='.9'>") + "<rect width='9999' height='9999'/>" + &many(100, "</g>"))),
        ),
        ("octaves", filter("<feTurbulence baseFrequency='.1' numOctaves='9999999'/>")),
        ("a wide neighbourhood", filter("<feMorphology radius='1000'/>")),
        ("many blurs", filter(&many(20_000, "<feGaussianBlur stdDeviation='3'/>"))),
        (
            "a large tile",
            svg(
                "<pattern id='p' width='90000' height='90000' patternUnits='userSpaceOnUse'><rect width='9' height='9'/></pattern><rect width='64' height='64' fill='url(#p)'/>",
            ),
        ),
        (
            "tiny dashes",
            svg(&many(200, "<path d='M0 0L64 64L0 64' stroke='red' stroke-dasharray='.00001'/>")),
        ),
        ("long edges", svg(&format!("<path d='M0 0{}'/>", many(200_000, "L9 9999 1 0")))),
    ] {
        let outcome = drawn(&source, Some((1_000, 1_000))).map(|frame| frame.width);
        let reasons = ["the svg takes too long to draw", "the svg takes too much memory to draw"];
        let is_refused = matches!(outcome, Err(Error::Undecodable { reason }) if reasons.contains(&reason));
        assert!(is_refused, "{name}: {outcome:?}");
    }
}

#[test]
fn hostile_drawings_are_refused_by_name() {
    for (name, said) in [
        ("svg-use-exponential", "repeats its elements too often"),
        ("svg-billion-laughs", "an entity of the svg is more than a word"),
        ("svg-1e9-square", "at most 16384 are allowed"),
    ] {
        let error = drawn(&fixture(&format!("bombs/{name}.svg")), None).expect_err(name).to_string();
        assert!(error.contains(said), "{name}: {error}");
    }
}
