//! Sources made to take long: each ends soon, in a picture or an error.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use super::vectors::{drawn, svg};
use super::*;

/// Time of the processor that a drawing may take; of reading and judging it, that is.
const SOON: Duration = Duration::from_secs(2);

/// Time that the processor spent on this thread.
fn spent() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

/// Draws each and says what took too long.
fn end_soon(drawings: Vec<(&str, Vec<u8>)>) {
    for (name, source) in drawings {
        let begin = spent();
        let outcome = drawn(&source, None).map(|frame| frame.width);
        let took = spent() - begin;
        assert!(took < SOON, "{name}: {took:?} {outcome:?}");
        assert!(matches!(outcome, Ok(64) | Err(Error::Undecodable { .. })), "{name}: {outcome:?}");
    }
}

#[test]
fn drawings_that_grow_end_soon() {
    let many = |count: usize, text: &str| text.repeat(count);
    end_soon(vec![
        ("nested groups", svg(&(many(100_000, "<g>") + &many(100_000, "</g>")))),
        (
            "groups as deep as allowed",
            svg(&(many(120, "<g opacity='.9'>") + "<path d='M0 0L9 9'/>" + &many(120, "</g>"))),
        ),
        (
            "uses of many",
            svg(&format!(
                "<g id='a'>{}</g>{}",
                many(440, "<path d='M0 0L9 9L0 9'/>"),
                many(440, "<use href='#a'/>")
            )),
        ),
        (
            "uses of uses",
            svg(&format!(
                "{}{}",
                "<g id='a0'><rect width='9' height='9'/></g>",
                (1..17)
                    .map(|n| format!("<g id='a{n}'><use href='#a{0}'/><use href='#a{0}'/></g>", n - 1))
                    .collect::<String>()
            )),
        ),
        ("a path of 10 MB", svg(&format!("<path d='M0 0{}'/>", many(2_600_000, "l1 1")))),
        ("a path of 7 MB", svg(&format!("<path d='M0 0{}'/>", many(1_800_000, "l1 1")))),
        (
            "a dashed path of 7 MB",
            svg(&format!("<path stroke='red' stroke-dasharray='1 2' d='M0 0{}'/>", many(1_800_000, "l1 1"))),
        ),
        (
            "filters of huge regions",
            svg(&format!(
                "<filter id='f' x='-1000000' y='-1000000' width='2000000' height='2000000' filterUnits='userSpaceOnUse'>{}</filter><rect width='64' height='64' filter='url(#f)'/>",
                many(500, "<feGaussianBlur stdDeviation='1000'/><feOffset dx='9'/>"),
            )),
        ),
        (
            "filters on filters",
            svg(&format!(
                "<filter id='f' x='-9' y='-9' width='99' height='99'><feGaussianBlur stdDeviation='9'/></filter>{}<rect width='64' height='64'/>{}",
                many(100, "<g filter='url(#f)'>"),
                many(100, "</g>"),
            )),
        ),
    ]);
}

#[test]
fn drawings_that_are_read_again_and_again_end_soon() {
    let many = |count: usize, text: &str| text.repeat(count);
    let uses = |element: &str| svg(&format!("{element}{}", many(10_000, "<use href='#a'/>")));
    let heirs = |attribute: &str| {
        svg(&format!("<g {attribute}>{}</g>", many(50_000, "<rect width='9' height='9'/>")))
    };
    let long = many(500_000, "1 ");
    let tall = many(1_000, "a { fill: red; stroke: red }");
    end_soon(vec![
        ("a path", uses(&format!("<path id='a' d='M0 0{}'/>", many(250_000, "l1 1")))),
        (
            "a transform",
            uses(&format!(
                "<g id='a' transform='{}'><rect width='9' height='9'/></g>",
                many(100_000, "scale(1) ")
            )),
        ),
        (
            "a picture",
            uses(&format!(
                "<image id='a' width='9' height='9' href='data:image/png;base64,{}'/>",
                many(250_000, "AAAA")
            )),
        ),
        ("places of letters", uses(&format!("<text id='a' x='{long}'>a</text>"))),
        ("dashes", heirs(&format!("stroke='red' stroke-dasharray='{long}'"))),
        ("dashes by style", heirs(&format!("stroke='red' style='stroke-dasharray:{long}'"))),
        ("a paint", heirs(&format!("fill='{}'", many(1_000_000, " ")))),
        (
            "a rule",
            svg(&format!(
                "<style>rect {{ stroke: red; stroke-dasharray: {long} }}</style>{}",
                many(50_000, "<rect width='9' height='9'/>")
            )),
        ),
        (
            "a gradient",
            svg(&format!(
                "<linearGradient id='l'>{}</linearGradient><g fill='url(#l)'>{}</g>",
                (0..20_000).map(|n| format!("<stop offset='.{n:05}'/>")).collect::<String>(),
                many(50_000, "<rect width='9' height='9'/>")
            )),
        ),
        ("numbers", svg(&format!("<g style='stroke-dasharray:{}'/>", many(20_000, "1 ")))),
        ("numbers again", uses(&format!("<g id='a' style='stroke-dasharray:{}'/>", many(3_000, "1 ")))),
        ("a long sheet", svg(&format!("<style>{}</style>", many(7_000, "a{b:c}")))),
        ("a longer sheet", svg(&format!("<style>{}</style>", many(200_000, "a{b:c}")))),
        (
            "declarations",
            svg(&format!(
                "<style>rect {{ {} }}</style>{}",
                many(200_000, "fill:red;"),
                many(50_000, "<rect/>")
            )),
        ),
        (
            "rules for uses",
            svg(&format!(
                "<style>{tall}</style><g id='a'>{}</g>{}",
                many(100, "<a/>"),
                many(1_000, "<use href='#a'/>")
            )),
        ),
    ]);
}

#[test]
fn texts_end_soon() {
    let many = |count: usize, text: &str| text.repeat(count);
    let spans = |count: usize, text: &str| {
        svg(&format!("<text y='20'>{}</text>", many(count, &format!("<tspan>{text}</tspan>"))))
    };
    let own = |count: usize, attributes: &str| {
        svg(&format!("<text {attributes} x='{}'>{}</text>", many(count, "1 "), many(count, "a")))
    };
    let lines = "stroke='red' stroke-dasharray='.01' text-decoration='underline overline line-through'";
    end_soon(vec![
        ("a million letters", svg(&format!("<text>{}</text>", many(1_000_000, "a")))),
        ("the longest", svg(&format!("<text y='20' textLength='9'>{}</text>", many(15_000, "a")))),
        ("directions", svg(&format!("<text y='20'>{}</text>", many(7_500, "\u{202e}\u{202d}")))),
        ("marks", svg(&format!("<text y='20'>a{}</text>", many(15_000, "\u{301}")))),
        ("texts", svg(&many(20_000, "<text y='20'>a</text>"))),
        ("parts", spans(700, "a")),
        ("parts in two directions", spans(100, &many(24, "a\u{5d0}"))),
        (
            "parts in parts",
            svg(&format!("<text>{}a{}</text>", many(120, "<tspan rotate='1'>ab"), many(120, "</tspan>"))),
        ),
        ("empty parts", svg(&format!("<text>a{}</text>", many(190_000, "<tspan/>")))),
        ("a place for each letter", own(15_000, "y='9'")),
        ("lines of dashes", own(15_000, lines)),
        ("a long family", own(15_000, &format!("font-family='{}'", many(1_000_000, "a")))),
        (
            "many variations",
            own(15_000, &format!("font-variation-settings='{}'", many(90_000, "\"wght\" 9,"))),
        ),
        ("many decorations", spans(700, "a").iter().copied().chain(*b" ").collect()),
        ("other texts", svg(&format!("<text>{}</text>", many(190_000, "<tref href='#a'/>")))),
    ]);
}

#[test]
fn extremes_of_texts_end_soon() {
    let many = |count: usize, text: &str| text.repeat(count);
    end_soon(vec![
        (
            "huge",
            svg(
                "<text font-size='1e30' transform='scale(1e30)'>a</text><text font-size='9999999'>abc</text>",
            ),
        ),
        (
            "tiny",
            svg("<text font-size='1e-30'>a</text><text font-size='.000001' letter-spacing='1e38'>abc</text>"),
        ),
        (
            "no numbers",
            svg(
                "<text x='NaN' y='inf' dx='1e39' rotate='1e38' font-size='1e39' textLength='1e38'>abc</text>",
            ),
        ),
        (
            "painted with a pattern of texts",
            svg(&format!(
                "<pattern id='p' width='9' height='9'>{}</pattern><text fill='url(#p)' stroke='url(#p)'>{}</text>",
                many(9, "<text>abc</text>"),
                many(100, "a"),
            )),
        ),
        (
            "filtered at every letter",
            svg(&format!(
                "<filter id='f'><feGaussianBlur stdDeviation='9'/></filter><text>{}</text>",
                many(5_000, "<tspan filter='url(#f)' x='1'>a</tspan>"),
            )),
        ),
        (
            "along a path without end",
            svg(&format!(
                "<path id='p' d='M0 0C9 9 1 8 30 30'/><text transform='scale(1e30)'><textPath href='#p'>{}</textPath></text>",
                many(99, "a"),
            )),
        ),
    ]);
}

/// A GIF whose first frame is as large as its canvas and which then shows another again and again.
fn gif_of(canvas: (u16, u16), sub: (u16, u16), frames: usize, pixel: impl Fn(usize) -> u8) -> Vec<u8> {
    let palette: Vec<u8> = (0..=255).flat_map(|grey| [grey; 3]).collect();
    let mut one = Vec::new();
    let mut encoder = ::gif::Encoder::new(&mut one, canvas.0, canvas.1, &palette).unwrap();
    let pixels: Vec<u8> = (0..usize::from(sub.0) * usize::from(sub.1)).map(pixel).collect();
    encoder.write_frame(&::gif::Frame::from_indexed_pixels(sub.0, sub.1, pixels, None)).unwrap();
    drop(encoder);
    // a header of 13 bytes and 256 colours in front of the frame, a trailer behind it
    let (head, tail) = one.split_at(13 + 768);
    let frame = tail.strip_suffix(b";").unwrap();
    [head, &frame.repeat(frames), b";"].concat()
}

#[test]
fn animations_within_the_limits_end_by_their_deadline() {
    let noise = |place: usize| u8::try_from((place * 7_919 + place / 3 * 104_729) >> 3 & 255).unwrap();
    for (name, source) in [
        ("small parts of a canvas", gif_of((446, 446), (1, 1), 1_000, |_| 1)),
        ("whole frames of noise", gif_of((446, 446), (446, 446), 140, noise)),
        ("whole frames of one colour", gif_of((446, 446), (446, 446), 1_000, |_| 0)),
        ("frames far larger than the canvas", gif_of((1, 1), (65_535, 500), 200, |_| 0)),
    ] {
        let header = sniff::header(&source).expect(name);
        let limits = Limits::default();
        limits.check_bytes(&source).and_then(|()| limits.check_frames(&header)).expect(name);
        let options = Options { frames: Wanted::All, ..Options::default() };
        let (begin, deadline) = (spent(), Deadline::at(Instant::now() + Duration::from_secs(1)));
        let outcomes = decode(&source, &header, &limits, &deadline, &options).map_or_else(
            |error| vec![Err(error)],
            |decoded| decoded.frames.map(|of| of.map(|_| ())).collect(),
        );
        let took = spent() - begin;
        assert!(took < SOON, "{name}: {took:?}");
        let (last, before) = outcomes.split_last().expect(name);
        assert!(
            before.iter().all(Result::is_ok) && matches!(last, Ok(()) | Err(Error::Deadline)),
            "{name}: {last:?}"
        );
    }
}
