//! Texts of drawings.

use proptest::prelude::*;
use skrifa::instance::{LocationRef, Size as FontSize};
use skrifa::{FontRef, MetadataProvider};

use super::vectors::{BLUE, at, drawn, svg};
use super::*;
use crate::steps::text::FONT;

/// A drawing of 400 by 100.
fn wide(inner: &str) -> Vec<u8> {
    format!("<svg xmlns='http://www.w3.org/2000/svg' width='400' height='100'>{inner}</svg>").into_bytes()
}

fn frame(inner: &str) -> Frame {
    drawn(&wide(inner), None).unwrap()
}

fn refusal(inner: &str) -> String {
    drawn(&wide(inner), None).map(|frame| frame.width).expect_err("too much").to_string()
}

/// Left, top, right and bottom of what is drawn at least by half; right and bottom lie behind it.
fn ink(frame: &Frame) -> Option<[u32; 4]> {
    let mut around: Option<[u32; 4]> = None;
    for (x, y) in (0..frame.height).flat_map(|y| (0..frame.width).map(move |x| (x, y))) {
        if at(frame, x, y)[3] >= 128 {
            let [left, top, right, bottom] = around.unwrap_or([x, y, x, y]);
            around = Some([left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)]);
        }
    }
    around
}

/// The width that the font itself gives a word.
fn advance(word: &str, size: f32) -> f32 {
    let font = FontRef::new(FONT).unwrap();
    let widths = font.glyph_metrics(FontSize::new(size), LocationRef::default());
    let glyph = |letter: char| font.charmap().map(letter).unwrap();
    word.chars().map(|letter| widths.advance_width(glyph(letter)).unwrap()).sum()
}

fn close(one: u32, other: f32, by: f32) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let one = one as f32;
    (one - other).abs() <= by
}

#[test]
fn a_word_is_as_wide_and_as_high_as_the_font_makes_it() {
    for size in [12.0_f32, 30.0, 60.0] {
        let word = format!("<text x='10' y='80' font-size='{size}' fill='#08c'>HandglovesH</text>");
        let frame = frame(&word);
        let [left, top, right, bottom] = ink(&frame).unwrap();
        // an H stands a twelfth of its size away from where it begins, on either side
        let width = advance("HandglovesH", size);
        assert!(close(left, 10.0 + size / 12.0, 1.5), "{size}: {left}");
        assert!(close(right, 10.0 + width - size / 12.0, 1.5), "{size}: {right}, {width}");
        // capitals are 0.711 of the size high; d and l are a little higher, g goes below
        assert!(close(top, 80.0 - size * 0.74, 1.5), "{size}: {top}");
        assert!(close(bottom, 80.0 + size * 0.21, 1.5), "{size}: {bottom}");
        let colours = frame.pixels.as_chunks::<4>().0.iter().filter(|pixel| pixel[3] == 255);
        assert!(colours.clone().count() > 10 && colours.clone().all(|pixel| *pixel == BLUE), "{size}");
    }
}

#[test]
fn a_text_is_drawn_as_large_as_the_picture() {
    let text = wide("<text x='20' y='50' font-size='40'>Hill</text>");
    let [left, top, right, bottom] = ink(&drawn(&text, None).unwrap()).unwrap();
    let large = ink(&drawn(&text, Some((1_600, 400))).unwrap()).unwrap();
    for (small, large) in [left, top, right, bottom].into_iter().zip(large) {
        assert!((small * 4).abs_diff(large) <= 4, "{small} {large}");
    }
}

#[test]
fn an_anchor_holds_where_it_says() {
    let width = advance("HillH", 40.0);
    for (anchor, begins) in [("start", 200.0), ("middle", 200.0 - width / 2.0), ("end", 200.0 - width)] {
        let text = format!("<text x='200' y='50' font-size='40' text-anchor='{anchor}'>HillH</text>");
        let [left, _, right, _] = ink(&frame(&text)).unwrap();
        assert!(close(left, begins + 40.0 / 12.0, 1.5), "{anchor}: {left}");
        assert!(close(right, begins + width - 40.0 / 12.0, 1.5), "{anchor}: {right}");
    }
}

#[test]
fn parts_have_their_own_place_size_and_colour() {
    let plain = frame("<text x='10' y='60' font-size='40'>HHH</text>");
    let parts = frame(
        "<text x='10' y='60' font-size='40'>H<tspan fill='#08c'>H</tspan><tspan fill='red'>H</tspan></text>",
    );
    assert_eq!(ink(&plain), ink(&parts));
    let first = |colour| {
        let pixels = parts.pixels.as_chunks::<4>().0.iter().enumerate();
        pixels.filter(|(_, pixel)| **pixel == colour).map(|(place, _)| place % 400).min().unwrap()
    };
    assert!(first([0, 0, 0, 255]) < first(BLUE) && first(BLUE) < first([255, 0, 0, 255]));
    let moved =
        frame("<text x='10' y='60' font-size='20'>H<tspan x='300' y='90' font-size='2em'>H</tspan></text>");
    let [left, top, right, bottom] = ink(&moved).unwrap();
    assert!(left < 15 && right > 320 && top > 44 && bottom == 90, "{left} {top} {right} {bottom}");
}

#[test]
fn a_text_follows_its_transform() {
    let [left, top, right, bottom] = ink(&frame("<text x='100' y='50' font-size='30'>Hill</text>")).unwrap();
    let scaled =
        frame("<text transform='translate(50 20) scale(.5)' x='100' y='50' font-size='60'>Hill</text>");
    let moved = [left, top - 5, right, bottom - 5];
    let found = ink(&scaled).unwrap();
    assert!((100..=105).contains(&found[0]) && found[3].abs_diff(moved[3]) <= 1, "{found:?} {moved:?}");
    let turned = ink(&frame("<text transform='rotate(90 100 50)' x='60' y='50' font-size='30'>Hill</text>"));
    let [x, y, end, below] = turned.unwrap();
    assert!((end - x).abs_diff(bottom - top) <= 1 && (below - y).abs_diff(right - left) <= 1);
}

#[test]
fn every_family_weight_and_style_is_the_one_font() {
    let plain = frame("<text x='10' y='60' font-size='40'>Hamburg</text>");
    for attributes in [
        "font-family='Comic Sans MS'",
        "font-family='Nowhere, \"Not There\", monospace'",
        "font-family=''",
        "font-weight='900' font-style='italic' font-stretch='condensed'",
        "style='font-family: serif; font-variation-settings: \"wght\" 900'",
        "font-variant='small-caps'",
    ] {
        let other = frame(&format!("<text x='10' y='60' font-size='40' {attributes}>Hamburg</text>"));
        assert!(other.pixels == plain.pixels, "{attributes}");
    }
}

#[test]
fn letters_that_the_font_lacks_are_its_empty_box() {
    let of = |letter: &str| frame(&format!("<text x='10' y='60' font-size='40'>{letter}</text>"));
    let empty = of("漢");
    assert!(ink(&empty).is_some());
    for letter in ["字", "א", "🎉", "ᄀ"] {
        assert!(of(letter).pixels == empty.pixels, "{letter}");
    }
    // a letter with a mark is one that the font has
    assert!(of("e\u{301}").pixels == of("é").pixels);
    assert!(ink(&of("\u{200d}\u{fe0f}\u{202e}\u{2067}")).is_none());
    let [left, _, right, _] = ink(&of("Aא漢B")).unwrap();
    assert!(close(right - left, advance("AB", 40.0) + 2.0 * 40.0 * 0.44, 12.0), "{left} {right}");
}

#[test]
fn texts_are_drawn_wherever_a_shape_is() {
    let word = "<text id='w' x='10' y='60' font-size='40' fill='#08c'>Hill</text>";
    let [left, top, right, bottom] = ink(&frame(word)).unwrap();
    let used = ink(&frame(&format!("<defs>{word}</defs><use href='#w' x='200' y='10'/>"))).unwrap();
    assert_eq!(used, [left + 200, top + 10, right + 200, bottom + 10]);
    let clipped = frame(&format!(
        "<clipPath id='c'>{word}</clipPath><rect width='400' height='100' fill='red' clip-path='url(#c)'/>"
    ));
    assert_eq!(ink(&clipped), Some([left, top, right, bottom]));
    assert!(clipped.pixels.as_chunks::<4>().0.contains(&[255, 0, 0, 255]));
    let tiled = frame(&format!(
        "<pattern id='p' width='400' height='100' patternUnits='userSpaceOnUse'>{word}</pattern>
        <rect width='400' height='100' fill='url(#p)'/>"
    ));
    assert_eq!(ink(&tiled), Some([left, top, right, bottom]));
}

#[test]
fn lines_and_spaces_of_a_text_are_kept() {
    let of = |attributes: &str, text: &str| {
        ink(&frame(&format!("<text x='10' y='40' font-size='30' {attributes}>{text}</text>"))).unwrap()
    };
    let plain = of("", "HH");
    let under = of("text-decoration='underline'", "HH");
    assert!(under[3] > plain[3] + 1 && under[2] > plain[2], "{under:?} {plain:?}");
    assert!(of("letter-spacing='20'", "HH")[2].abs_diff(plain[2] + 20) <= 1);
    assert!(of("textLength='300'", "HH")[2].abs_diff(310 - 30 / 12) <= 2);
    assert_eq!(of("", "\n  H\n   H "), of("", "H H"));
    assert!(of("xml:space='preserve'", "H   H")[2] > of("", "H   H")[2] + 10);
}

#[test]
fn texts_along_a_path_and_of_other_elements_are_left_out() {
    let plain = frame("<text x='10' y='60' font-size='40'>Hill</text>");
    for cut in [
        "<textPath href='#p'>along <tspan>the</tspan> way</textPath>",
        "<tref href='#w'/>",
        "<textPath href='#p'>one<textPath href='#p'>in</textPath>another</textPath><tref href='#w'></tref>",
    ] {
        let inner = format!(
            "<path id='p' d='M0 50L300 50' fill='none'/><text id='w' x='10' y='60' font-size='40'>Hill{cut}</text>"
        );
        assert!(frame(&inner).pixels == plain.pixels, "{cut}");
    }
    let marked =
        [b"\xef\xbb\xbf", wide("<text x='10' y='60' font-size='40'>Hill<tref/></text>").as_slice()].concat();
    assert!(drawn(&marked, None).unwrap().pixels == plain.pixels, "behind a byte order mark");
    // the layout of such a text would not end
    let scaled = "<path id='p' d='M0 50C9 9 1 8 300 50'/><text transform='scale(1e30)'><textPath href='#p'>a</textPath></text>";
    assert!(drawn(&wide(scaled), None).is_ok());
    assert!(drawn(b"<textPath xmlns='http://www.w3.org/2000/svg'/>", None).is_err());
}

#[test]
fn too_much_text_is_refused_by_name() {
    let many = |count: usize| "abcd ".repeat(count / 5);
    let texts = |count: usize| format!("<text>{}</text>", many(500)).repeat(count / 500);
    assert!(drawn(&wide(&texts(20_000)), None).is_ok());
    let used =
        |times: usize| format!("<text id='t'>{}</text>{}", many(1_000), "<use href='#t'/>".repeat(times));
    assert!(drawn(&wide(&used(19)), None).is_ok());
    let pattern = format!(
        "<pattern id='p' width='9' height='9'><text>{}</text></pattern><g fill='url(#p)'>{}</g>",
        many(500),
        "<rect width='1' height='1'/>".repeat(40)
    );
    let spaces = format!("<text xml:space='preserve'>a{}</text>", " ".repeat(20_000));
    for inner in
        [texts(20_500), used(20), pattern, spaces.clone(), format!("<text>{}</text>", many(1_000_000))]
    {
        let said = refusal(&inner);
        assert!(said.contains("more than 20000 characters of text"), "{said}");
    }
    // in a text without that attribute they are one
    assert!(drawn(&wide(&spaces.replace("xml:space='preserve'", "")), None).is_ok());
    let parts = |count: usize| format!("<text>{}</text>", "<tspan>abcdefghij</tspan>".repeat(count));
    assert!(drawn(&wide(&parts(200)), None).is_ok());
    for inner in [parts(300), format!("<text>{}</text>", many(18_000))] {
        let said = refusal(&inner);
        assert!(said.contains("too long or has too many parts"), "{said}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Marks, directions, missing letters and parts in any order; nothing of it may break the layout.
    #[test]
    fn any_text_is_drawn(
        parts in prop::collection::vec(("[a-c \u{300}\u{301}\u{5d0}\u{627}\u{644}\u{202a}-\u{202e}\u{2066}-\u{2069}\u{200d}\u{fe0f}漢🎉()\\PC]{0,12}", 0..8_u8), 0..6),
        vertical: bool,
    ) {
        let attributes = [
            "", "x='1 2 3' rotate='10'", "dx='5 -5'", "font-variant='small-caps'", "font-kerning='none'",
            "textLength='50'", "text-decoration='underline' letter-spacing='-9'", "font-size='0'",
        ];
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
        let inner: String = parts.iter()
            .map(|(text, kind)| format!("<tspan {}>{}</tspan>", attributes[usize::from(*kind)], escaped(text)))
            .collect();
        let mode = if vertical { "writing-mode='tb'" } else { "" };
        let source = svg(&format!("<text x='9' y='30' {mode}>{inner}</text>"));
        prop_assert!(drawn(&source, None).is_ok(), "{}", String::from_utf8_lossy(&source));
    }
}
