//! All frames of an animation.

use super::*;
use crate::encode;

/// All frames of a fixture with their delays, and how often they are shown.
fn animation(source: &[u8]) -> Result<(Vec<FrameOf>, u32), Error> {
    let header = sniff::header(source)?;
    let options = Options { frames: Wanted::All, ..Options::default() };
    let decoded = decode(source, &header, &Limits::default(), &Deadline::never(), &options)?;
    let loop_count = decoded.loop_count;
    let frames = decoded.frames.collect::<Result<Vec<_>, _>>()?;
    assert!(frames.iter().all(|of| (of.frame.width, of.frame.height) == (header.width, header.height)));
    Ok((frames, loop_count))
}

/// The same animation composed by another decoder.
fn by_example<'a>(decoder: impl image::AnimationDecoder<'a>) -> Vec<image::Frame> {
    decoder.into_frames().collect_frames().unwrap()
}

#[test]
fn every_frame_is_composed_as_others_do() {
    use image::codecs::{gif::GifDecoder, png::PngDecoder};
    for name in [
        "anim/rotating-squares.gif",
        "anim/mixed-disposal.gif",
        "anim/issue_1455_undersized.gif",
        "anim/pan-8f.apng",
    ] {
        let source = fixture(name);
        let (frames, _) = animation(&source).expect(name);
        let cursor = std::io::Cursor::new(&source);
        let expected = if name.ends_with("gif") {
            by_example(GifDecoder::new(cursor).unwrap())
        } else {
            by_example(PngDecoder::new(cursor).unwrap().apng().unwrap())
        };
        assert_eq!(frames.len(), expected.len(), "{name}");
        assert_eq!(sniff::header(&source).map(|header| header.frames as usize), Ok(frames.len()), "{name}");
        for (number, (ours, theirs)) in frames.iter().zip(&expected).enumerate() {
            assert!(rgba(&ours.frame) == *theirs.buffer().as_raw(), "{name}: frame {number} differs");
            let (numerator, denominator) = theirs.delay().numer_denom_ms();
            assert_eq!(ours.delay_ms, numerator / denominator, "{name}: delay of frame {number}");
        }
    }
}

#[test]
fn an_animation_of_webp_is_composed_and_repeated_as_it_says() {
    let pictures: Vec<Vec<u8>> = (0..3_u8).map(|number| [number * 80, 9, 200, 255].repeat(12 * 7)).collect();
    let deadline = Deadline::never();
    let settings = encode::Settings { lossless: true, ..encode::testing::settings(&deadline) };
    let mut encoder = encode::webp::Animation::new(&settings, 5);
    for (picture, shown_ms) in pictures.iter().zip([40, 60, 20]) {
        let frame = Frame { width: 12, height: 7, layout: Layout::Rgba, pixels: picture.clone() };
        encoder.push(frame, shown_ms).unwrap();
    }
    let source = encoder.finish().unwrap();
    let (frames, loop_count) = animation(&source).unwrap();
    assert_eq!((frames.len(), loop_count), (3, 5));
    assert_eq!(sniff::header(&source).map(|header| header.frames), Ok(3));
    for (of, picture) in frames.iter().zip(&pictures) {
        let distance = rgba(&of.frame).iter().zip(picture).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(distance <= Some(2), "{distance:?}");
    }
    assert_eq!(frames.iter().map(|of| of.delay_ms).take(2).collect::<Vec<_>>(), [40, 60]);
}

#[test]
fn too_many_frames_are_refused_unless_the_first_is_enough() {
    let gif = fixture("bombs/gif-10000-frames.gif");
    let outcome = animation(&gif).map(|(frames, _)| frames.len());
    assert_eq!(outcome, Err(Error::TooManyFrames { frames: 10_000, max: 1_000 }));
    let webp = fixture("bombs/webp-anim-5000-frames.webp");
    let header = sniff::header(&webp).unwrap();
    assert_eq!(header.frames, 5_000);
    let limits = Limits { frames_max: 5_000, ..Limits::default() };
    let pixels = Err(Error::TooManyFramePixels { pixels: 83_886_080_000, max: 200_000_000 });
    assert_eq!(limits.check_frames(&header), pixels);
    assert!(first(&webp, &header, &Limits::default()).is_ok());
}

#[test]
fn an_animation_cut_short_ends_with_an_error() {
    let source = fixture("broken/truncated.gif");
    let header = sniff::header(&source).unwrap();
    let options = Options { frames: Wanted::All, ..Options::default() };
    let decoded = decode(&source, &header, &Limits::default(), &Deadline::never(), &options).unwrap();
    let outcomes: Vec<bool> = decoded.frames.map(|frame| frame.is_ok()).collect();
    let (last, before) = outcomes.split_last().unwrap();
    assert!(!last && before.len() > 3 && before.iter().all(|is_ok| *is_ok), "{outcomes:?}");
}

#[test]
fn a_deadline_ends_an_animation_between_frames() {
    let source = fixture("anim/rotating-squares.gif");
    let header = sniff::header(&source).unwrap();
    let options = Options { frames: Wanted::All, ..Options::default() };
    let deadline = Deadline::never();
    let mut decoded = decode(&source, &header, &Limits::default(), &deadline, &options).unwrap();
    assert!(matches!(decoded.frames.next(), Some(Ok(_))));
    deadline.cancel();
    let rest: Vec<_> = decoded.frames.map(|frame| frame.map(|of| of.delay_ms)).collect();
    assert_eq!(rest, [Err(Error::Deadline)]);
}

#[test]
fn animations_repeat_as_they_say() {
    let loops = |name: &str| animation(&fixture(name)).map(|(_, loop_count)| loop_count);
    assert_eq!(loops("anim/rotating-squares.gif"), Ok(0), "for ever");
    assert_eq!(loops("anim/mixed-disposal.gif"), Ok(0), "for ever");
    // without an extension a GIF is shown once
    let once = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
    assert_eq!(animation(once).map(|(_, loop_count)| loop_count), Ok(1));
}
