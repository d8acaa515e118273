//! Searches on curves by formula: rising, nearly rising, flat, and failing.

use std::cell::RefCell;

use proptest::prelude::*;

use super::*;
use crate::frame::Layout;
use crate::likeness::Reference;

/// An encoder of a made-up format. Its files are as long as `bytes` says and begin with their quality.
struct Codec {
    bytes: Vec<usize>,
    likeness: Vec<f64>,
    tried: RefCell<Vec<u8>>,
}

impl Codec {
    /// Like a photo in an ordinary format.
    fn photo() -> Self {
        let curve = |quality: i32| 100.0 - 95.0 * (1.0 - f64::from(quality) / 105.0).powf(0.9);
        Self {
            bytes: (0..=100).map(|quality| length(3_000.0 * (f64::from(quality) * 0.035).exp())).collect(),
            likeness: (0..=100).map(curve).collect(),
            tried: RefCell::default(),
        }
    }

    fn encode(&self, quality: u8) -> Result<Vec<u8>, Error> {
        self.tried.borrow_mut().push(quality);
        let mut file = vec![0; self.bytes[usize::from(quality)].max(1)];
        file[0] = quality;
        Ok(file)
    }

    fn measure(&self, frame: &Frame) -> Result<f64, Error> {
        Ok(self.likeness[usize::from(frame.pixels[0])])
    }

    fn alike(&self, span: &Span, target: f64) -> Alike {
        let target = Target(target);
        alike(span, target, &Deadline::never(), |q| self.encode(q), decode, |frame| self.measure(frame))
            .unwrap()
    }

    fn within(&self, span: &Span, bytes_max: usize) -> Within {
        within(span, bytes_max, &Deadline::never(), |quality| self.encode(quality)).unwrap()
    }
}

fn length(bytes: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
    let bytes = bytes as usize;
    bytes
}

fn decode(file: &[u8]) -> Result<Frame, Error> {
    Ok(Frame { width: 1, height: 1, layout: Layout::Grey, pixels: vec![file[0]] })
}

#[test]
fn an_ordinary_curve_takes_few_tries() {
    let codec = Codec::photo();
    for (target, start) in [(77.0, 80), (77.0, 40), (60.0, 80), (85.0, 80), (90.0, 50)] {
        let found = codec.alike(&Span::new(&(20..=98), start), target);
        assert!(found.reached && found.likeness < target + 1.5, "{target} from {start}: {found:?}");
        assert!(found.encodings <= 4, "{target} from {start}: {:?}", codec.tried.borrow());
    }
}

#[test]
fn a_real_format_reaches_a_real_target() {
    let pixels = (0..160_u32 * 160).flat_map(|index| {
        let (x, y) = (index % 160, index / 160);
        let texture = (x * 7 + y * 13 + x * y) % 29;
        [60 + 90 * (x / 40 % 2) + texture, 40 + x + texture, 200 - y]
            .map(|value| u8::try_from(value).unwrap())
    });
    let picture = Frame { width: 160, height: 160, layout: Layout::Rgb, pixels: pixels.collect() };
    let reference = Reference::new(&picture).unwrap();
    let encode = |quality| {
        let mut file = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, quality);
        image::ImageEncoder::write_image(encoder, &picture.pixels, 160, 160, image::ExtendedColorType::Rgb8)
            .unwrap();
        Ok(file)
    };
    let decode = |file: &[u8]| {
        let pixels = image::load_from_memory(file).unwrap().into_rgb8().into_raw();
        Ok(Frame { pixels, ..picture.clone() })
    };
    let measure = |frame: &Frame| reference.likeness(frame);
    for target in [60.0, 77.0, 85.0] {
        let target = Target::new(target);
        let span = Span::of(Output::Jpeg);
        let found = alike(&span, target, &Deadline::never(), encode, decode, measure).unwrap();
        assert!(found.reached && found.encodings <= 4, "{target:?}: {} of {}", found.likeness, found.quality);
        assert!(
            found.likeness < target.points() + 2.0,
            "{target:?}: {} of {}",
            found.likeness,
            found.quality
        );
    }
}

#[test]
fn a_target_out_of_reach_gives_the_likest() {
    let codec = Codec::photo();
    let found = codec.alike(&Span::new(&(20..=70), 50), 94.0);
    assert_eq!((found.quality, found.reached), (70, false));
    assert!(found.encodings <= 3);
}

#[test]
fn a_target_below_the_range_gives_its_lowest() {
    let found = Codec::photo().alike(&Span::new(&(60..=90), 75), 31.0);
    assert_eq!((found.quality, found.reached), (60, true));
}

#[test]
fn one_quality_is_one_try() {
    let codec = Codec::photo();
    let found = codec.alike(&Span::of(Output::Png), 77.0);
    assert_eq!((found.quality, found.encodings, found.reached), (100, 1, true));
    assert_eq!(codec.within(&Span::of(Output::Png), 10).encodings, 1);
}

#[test]
fn the_best_quality_that_fits_is_tried_first() {
    let codec = Codec::photo();
    let span = Span::new(&(30..=80), 75);
    let found = codec.within(&span, 1_000_000);
    assert_eq!((found.quality, found.fits, found.encodings), (80, true, 1));
    let found = codec.within(&span, 20_000);
    assert!(found.fits && found.bytes.len() > 19_000, "{} bytes", found.bytes.len());
    assert!(found.encodings <= 3);
}

#[test]
fn what_can_not_fit_says_so_with_the_lowest_quality() {
    let codec = Codec::photo();
    let found = codec.within(&Span::new(&(30..=80), 75), 100);
    assert_eq!((found.quality, found.fits), (30, false));
    assert!(found.encodings <= FITTING_MAX);
    assert!(!codec.within(&Span::new(&(30..=80), 75), 0).fits);
}

#[test]
fn a_length_of_exactly_the_bytes_allowed_fits() {
    let codec = Codec::photo();
    let exact = codec.bytes[62];
    assert_eq!(codec.within(&Span::new(&(1..=100), 75), exact).quality, 62);
}

#[test]
fn a_deadline_ends_a_search_with_what_there_is() {
    let codec = Codec::photo();
    let deadline = Deadline::never();
    let encode = |quality| {
        deadline.cancel();
        codec.encode(quality)
    };
    let span = Span::new(&(20..=98), 50);
    let measure = |frame: &Frame| codec.measure(frame);
    let found = alike(&span, Target::default(), &deadline, encode, decode, measure).unwrap();
    assert_eq!((found.quality, found.encodings, found.reached), (50, 1, false));

    let late = Deadline::never();
    late.cancel();
    let tried = codec.tried.borrow().len();
    assert_eq!(alike(&span, Target::default(), &late, encode, decode, measure), Err(Error::Deadline));
    assert_eq!(within(&span, 9, &late, encode), Err(Error::Deadline));
    assert_eq!(codec.tried.borrow().len(), tried, "nothing is encoded after the deadline");
}

#[test]
fn a_failure_counts_only_when_it_is_the_first() {
    let codec = Codec::photo();
    let span = Span::new(&(20..=98), 50);
    let failing = |quality| if quality == 50 { codec.encode(quality) } else { Err(Error::Panicked) };
    let measure = |frame: &Frame| codec.measure(frame);
    let never = Deadline::never();
    let found = alike(&span, Target::default(), &never, failing, decode, measure).unwrap();
    assert_eq!((found.quality, found.reached), (50, false));
    let broken = |_: u8| Err(Error::Panicked);
    assert_eq!(alike(&span, Target::default(), &never, broken, decode, measure), Err(Error::Panicked));
    let unreadable = |_: &[u8]| Err(Error::Deadline);
    assert_eq!(
        alike(&span, Target::default(), &never, |q| codec.encode(q), unreadable, measure),
        Err(Error::Deadline)
    );
}

#[test]
fn targets_and_spans_are_held_to_their_ranges() {
    for (asked, target) in [(0.0, Target::MIN), (1_000.0, Target::MAX), (80.0, 80.0), (f64::NAN, 77.0)] {
        assert_eq!(Target::new(asked), Target(target));
    }
    assert_eq!(Span::new(&(0..=255), 0), Span { lowest: 1, highest: 100, start: 1 });
    #[expect(clippy::reversed_empty_ranges, reason = "the wrong way round is what is tested")]
    let reversed = Span::new(&(80..=20), 50);
    assert_eq!(reversed, Span { lowest: 80, highest: 80, start: 80 });
}

/// Searches among formats; each of `codecs` is called by the name beside it.
fn chosen(codecs: &[(Output, &Codec)], target: f64, deadline: &Deadline) -> Result<(Output, Alike), Error> {
    let likeness = RefCell::new(Vec::new());
    let mut encoders: Vec<_> = codecs
        .iter()
        .map(|(_, codec)| {
            let likeness = &likeness;
            move |quality| {
                likeness.borrow_mut().clone_from(&codec.likeness);
                codec.encode(quality)
            }
        })
        .collect();
    let mut decoders: Vec<_> = codecs.iter().map(|_| decode).collect();
    let mut candidates: Vec<Candidate<'_>> = codecs
        .iter()
        .zip(encoders.iter_mut().zip(&mut decoders))
        .map(|((output, _), (encode, decode))| Candidate {
            output: *output,
            span: Span::new(&(10..=95), 60),
            encode,
            decode,
        })
        .collect();
    let measure = |frame: &Frame| Ok(likeness.borrow()[usize::from(frame.pixels[0])]);
    best(&mut candidates, Target(target), deadline, measure)
}

#[test]
fn the_smallest_of_the_formats_is_taken() {
    let jpeg = Codec::photo();
    let mut webp = Codec::photo();
    webp.bytes.iter_mut().for_each(|bytes| *bytes = *bytes * 7 / 10);
    let never = Deadline::never();
    let (output, found) = chosen(&[(Output::Jpeg, &jpeg), (Output::Webp, &webp)], 77.0, &never).unwrap();
    assert_eq!(output, Output::Webp);
    assert!(found.reached);
    let (output, _) = chosen(&[(Output::Webp, &jpeg), (Output::Jpeg, &webp)], 77.0, &never).unwrap();
    assert_eq!(output, Output::Jpeg);
}

#[test]
fn a_small_format_that_misses_the_target_is_not_taken() {
    let jpeg = Codec::photo();
    let mut poor = Codec::photo();
    poor.bytes.iter_mut().for_each(|bytes| *bytes /= 10);
    poor.likeness.iter_mut().for_each(|likeness| *likeness = likeness.min(60.0));
    let never = Deadline::never();
    let (output, found) = chosen(&[(Output::Webp, &poor), (Output::Jpeg, &jpeg)], 77.0, &never).unwrap();
    assert_eq!((output, found.reached), (Output::Jpeg, true));
    assert_eq!(chosen(&[], 77.0, &never).unwrap_err(), Error::Deadline);
}

#[test]
fn formats_without_time_are_left_out() {
    let (jpeg, webp) = (Codec::photo(), Codec::photo());
    let late = Deadline::never();
    late.cancel();
    assert_eq!(chosen(&[(Output::Jpeg, &jpeg), (Output::Webp, &webp)], 77.0, &late), Err(Error::Deadline));
    assert!(jpeg.tried.borrow().is_empty());
}

prop_compose! {
    /// Lengths that rise everywhere, by any steps.
    fn rising()(first in 1_usize..5_000, steps in prop::collection::vec(0_usize..3_000, 100)) -> Vec<usize> {
        let sums = steps.iter().scan(first, |sum, step| { *sum += step; Some(*sum) });
        [first].into_iter().chain(sums).collect()
    }
}

prop_compose! {
    /// Lengths and likenesses that rise on the whole, with dents.
    fn nearly_rising()(
        bytes in rising(),
        dents in prop::collection::vec(0.9..1.1_f64, 101),
        bend in 0.3..3.0_f64,
        bumps in prop::collection::vec(-1.5..1.5_f64, 101),
    ) -> Codec {
        let likeness = |(quality, bump): (usize, &f64)| 100.0 * (quality as f64 / 100.0).powf(bend) + bump;
        Codec {
            bytes: bytes.iter().zip(dents).map(|(&bytes, dent)| length(bytes as f64 * dent).max(1)).collect(),
            likeness: bumps.iter().enumerate().map(likeness).collect(),
            tried: RefCell::default(),
        }
    }
}

impl std::fmt::Debug for Codec {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?} {:?}", self.bytes, self.likeness)
    }
}

proptest! {
    #[test]
    fn a_rising_curve_never_gives_a_file_that_is_too_long(
        bytes in rising(), low in 1_u8..100, width in 0_u8..100, bytes_max in 0_usize..200_000,
    ) {
        let span = Span::new(&(low..=low.saturating_add(width)), 50);
        let codec = Codec { bytes, likeness: vec![0.0; 101], tried: RefCell::default() };
        let found = codec.within(&span, bytes_max);
        let is_possible = codec.bytes[usize::from(span.lowest)] <= bytes_max;
        prop_assert_eq!(found.fits, is_possible);
        prop_assert_eq!(found.fits, found.bytes.len() <= bytes_max);
        prop_assert!(found.encodings <= FITTING_MAX);
        if !is_possible {
            prop_assert_eq!(found.quality, span.lowest);
        }
    }

    #[test]
    fn a_dented_curve_gives_a_file_that_fits_where_the_lowest_does(
        codec in nearly_rising(), low in 1_u8..100, width in 0_u8..100, bytes_max in 0_usize..200_000,
    ) {
        let span = Span::new(&(low..=low.saturating_add(width)), 50);
        let found = codec.within(&span, bytes_max);
        prop_assert_eq!(found.fits, found.bytes.len() <= bytes_max);
        if codec.bytes[usize::from(span.lowest)] <= bytes_max {
            prop_assert!(found.fits);
        }
        let tried = codec.tried.borrow();
        prop_assert!(tried.len() <= FITTING_MAX as usize && found.encodings as usize == tried.len());
        prop_assert!(tried.iter().all(|quality| (span.lowest..=span.highest).contains(quality)));
    }

    #[test]
    fn a_search_for_likeness_is_bounded_and_honest(
        codec in nearly_rising(), low in 1_u8..100, width in 0_u8..100, start in 1_u8..=100, target in 0.0..100.0,
    ) {
        let span = Span::new(&(low..=low.saturating_add(width)), start);
        let found = codec.alike(&span, target);
        prop_assert_eq!(found.likeness, codec.likeness[usize::from(found.quality)]);
        prop_assert_eq!(found.reached, found.likeness >= target);
        let mut tried = codec.tried.borrow().clone();
        prop_assert!(tried.len() <= ENCODINGS_MAX as usize && found.encodings as usize == tried.len());
        // the highest quality is never left untried when the target was missed
        prop_assert!(found.reached || tried.contains(&span.highest));
        prop_assert!(tried.iter().all(|quality| (span.lowest..=span.highest).contains(quality)));
        tried.sort_unstable();
        tried.dedup();
        prop_assert_eq!(tried.len(), found.encodings as usize, "no quality is tried twice");
    }
}

#[test]
fn a_search_ends_while_there_is_time_to_answer() {
    let take_long = || {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(150) {
            std::hint::spin_loop();
        }
    };
    let codec = Codec::photo();
    let soon = || Deadline::at(Instant::now() + Duration::from_millis(350));
    let encode = |quality| {
        take_long();
        codec.encode(quality)
    };
    let span = Span::new(&(1..=100), 5);
    let found =
        alike(&span, Target::default(), &soon(), encode, decode, |frame| codec.measure(frame)).unwrap();
    assert_eq!((found.encodings, found.is_cut), (1, true));
    let found = within(&span, 10, &soon(), encode).unwrap();
    assert_eq!((found.encodings, found.is_cut), (1, true));
    let unhurried = codec.alike(&span, 77.0);
    assert!(unhurried.encodings > 1 && !unhurried.is_cut);
}
