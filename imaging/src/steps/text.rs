//! Draws a line of text over a picture.
//!
//! One font is built in, with the letters of Latin-1 and Latin Extended-A; others appear as its empty box. No kerning, no
//! ligatures, no scripts that need shaping or run from right to left. The text becomes a mark, which is laid as any other.

use ab_glyph_rasterizer::{Point, Rasterizer, point};
use skrifa::instance::{LocationRef, Size as FontSize};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{FontRef, GlyphId, MetadataProvider};

use super::geometry::Size;
use super::paint::Rgba;
use super::sample::{byte, times};
use super::watermark::{Placement, overlay};
use crate::Error;
use crate::frame::{Frame, Layout, buffer_bytes};

/// Longest text, in characters; what follows is left out.
pub(crate) const CHARS_MAX: usize = 200;

/// Smallest and largest size of the font, in pixels.
const SIZE_MIN: f32 = 1.0;
const SIZE_MAX: f32 = 4_096.0;

/// Roboto Regular, see the README beside it.
pub(crate) const FONT: &[u8] = include_bytes!("../../assets/fonts/roboto-latin.ttf");

/// A line of text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Text<'t> {
    /// The characters; control characters count as spaces.
    pub(crate) text: &'t str,
    /// Height of the font in pixels. Text that would not fit the picture is made smaller.
    pub(crate) size: f32,
    /// Its colour.
    pub(crate) colour: Rgba,
    /// Where it lies.
    pub(crate) placement: Placement,
}

/// The picture with the text over it.
///
/// # Errors
/// As [`overlay`].
pub(crate) fn draw(frame: Frame, text: &Text<'_>) -> Result<Frame, Error> {
    let room = Size { width: frame.width, height: frame.height };
    match line(text.text, text.size, text.colour, room)? {
        Some(mark) => overlay(frame, &mark, &text.placement),
        None => Ok(frame),
    }
}

/// The text as a mark that is no larger than `room`, as far as the smallest size allows; none when there is nothing to see.
///
/// # Errors
/// `TooManyPixels` when the mark does not fit the address space.
fn line(text: &str, size: f32, colour: Rgba, room: Size) -> Result<Option<Frame>, Error> {
    let Some(outline) = Outline::of(text, fitting(text, size, room)) else { return Ok(None) };
    let [width, height] = [outline.right - outline.left, outline.bottom - outline.top].map(pixels);
    // a size that cannot shrink any more is cut
    let (width, height) = (width.min(room.width), height.min(room.height));
    let bytes = buffer_bytes(width, height, Layout::Rgba)?;
    let index = |side: u32| usize::try_from(side).unwrap_or(usize::MAX);
    let mut rasterizer = Rasterizer::new(index(width), index(height));
    let origin = point(outline.left.floor(), outline.top.floor());
    for stroke in &outline.strokes {
        match *stroke {
            Stroke::Line(from, to) => rasterizer.draw_line(from - origin, to - origin),
            Stroke::Curve(from, by, to) => rasterizer.draw_quad(from - origin, by - origin, to - origin),
        }
    }
    let Rgba { red, green, blue, alpha } = colour;
    let mut pixels = Vec::with_capacity(bytes);
    rasterizer.for_each_pixel(|_, coverage| {
        pixels.extend_from_slice(&[red, green, blue, times(byte(coverage * 255.0), alpha)]);
    });
    Ok(Some(Frame { width, height, layout: Layout::Rgba, pixels }))
}

/// The size of the font at which the text fits.
fn fitting(text: &str, size: f32, room: Size) -> f32 {
    let wanted = if size.is_nan() { SIZE_MIN } else { size.clamp(SIZE_MIN, SIZE_MAX) };
    let Some(outline) = Outline::of(text, wanted) else { return wanted };
    let share = |room: u32, start: f32, end: f32| {
        // edges are moved out to whole pixels
        let room = (room as f32 - 2.0).max(1.0);
        (room / (end - start).max(1.0)).min(1.0)
    };
    let across = share(room.width, outline.left, outline.right);
    let down = share(room.height, outline.top, outline.bottom);
    (wanted * across.min(down)).max(SIZE_MIN)
}

/// A piece of the edge of a letter, in pixels, downwards.
enum Stroke {
    Line(Point, Point),
    Curve(Point, Point, Point),
}

/// The edges of all letters and the box around them, which is at least as high as the line.
struct Outline {
    strokes: Vec<Stroke>,
    left: f32,
    top: f32,
    right: f32,
    bottom: f32,
    /// Where the pen is.
    at: Point,
    /// Where the contour began.
    start: Point,
    /// Where the letter begins.
    letter: f32,
}

impl Outline {
    /// None when no letter leaves a mark.
    fn of(text: &str, size: f32) -> Option<Self> {
        let font = FontRef::new(FONT).ok()?;
        let (size, location) = (FontSize::new(size), LocationRef::default());
        let line = font.metrics(size, location);
        let mut outline = Self {
            strokes: Vec::new(),
            left: 0.0,
            top: -line.ascent,
            right: 0.0,
            bottom: -line.descent,
            at: point(0.0, 0.0),
            start: point(0.0, 0.0),
            letter: 0.0,
        };
        let (letters, widths) = (font.charmap(), font.glyph_metrics(size, location));
        let shapes = font.outline_glyphs();
        for letter in text.chars().take(CHARS_MAX) {
            let letter = if letter.is_control() { ' ' } else { letter };
            let glyph = letters.map(letter).unwrap_or(GlyphId::NOTDEF);
            if let Some(shape) = shapes.get(glyph) {
                // the built-in font has no glyph that fails
                let drawn = shape.draw(DrawSettings::unhinted(size, location), &mut outline);
                debug_assert!(drawn.is_ok(), "{letter}: {drawn:?}");
            }
            outline.letter += widths.advance_width(glyph).unwrap_or(0.0);
        }
        outline.right = outline.right.max(outline.letter);
        (!outline.strokes.is_empty()).then_some(outline)
    }

    fn reach(&mut self, x: f32, y: f32) -> Point {
        let reached = point(self.letter + x, -y);
        self.left = self.left.min(reached.x);
        self.right = self.right.max(reached.x);
        self.top = self.top.min(reached.y);
        self.bottom = self.bottom.max(reached.y);
        reached
    }
}

impl OutlinePen for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.start = self.reach(x, y);
        self.at = self.start;
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let to = self.reach(x, y);
        self.strokes.push(Stroke::Line(self.at, to));
        self.at = to;
    }

    fn quad_to(&mut self, by_x: f32, by_y: f32, x: f32, y: f32) {
        let (by, to) = (self.reach(by_x, by_y), self.reach(x, y));
        self.strokes.push(Stroke::Curve(self.at, by, to));
        self.at = to;
    }

    /// The font has curves of second degree only.
    fn curve_to(&mut self, _: f32, _: f32, _: f32, _: f32, x: f32, y: f32) {
        self.line_to(x, y);
    }

    fn close(&mut self) {
        self.strokes.push(Stroke::Line(self.at, self.start));
        self.at = self.start;
    }
}

/// Whole pixels that hold a length wherever it begins.
fn pixels(length: f32) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=16_777_216")]
    let pixels = (length.ceil() + 1.0).clamp(1.0, 16_777_216.0) as u32;
    pixels
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::steps::gravity::{Compass, Length};
    use crate::steps::specimen::{frames, grey};
    use crate::steps::watermark::Spot;

    const BLACK: Rgba = Rgba { red: 0, green: 0, blue: 0, alpha: 255 };
    const ROOM: Size = Size { width: 10_000, height: 1_000 };
    const PLACEMENT: Placement = Placement {
        spot: Spot::At(Compass::Center),
        x: Length::ZERO,
        y: Length::ZERO,
        scale: 0.0,
        opacity: 1.0,
    };

    fn mark(text: &str, size: f32) -> Option<Frame> {
        line(text, size, BLACK, ROOM).unwrap()
    }

    /// Pixels that the text covers, to fractions.
    fn ink(text: &str, size: f32) -> f64 {
        mark(text, size).map_or(0.0, |mark| {
            mark.pixels.iter().skip(3).step_by(4).map(|&alpha| f64::from(alpha) / 255.0).sum()
        })
    }

    #[test]
    fn a_letter_has_its_shape() {
        // an I of Roboto is a bar of 0.095 × 0.711 of the size
        let area = ink("I", 100.0);
        assert!((area - 675.0).abs() < 25.0, "{area}");
        let mark = mark("I", 100.0).unwrap();
        let columns: Vec<u8> = (0..mark.width)
            .map(|x| mark.pixels[usize::try_from((50 * mark.width + x) * 4 + 3).unwrap()])
            .collect();
        assert_eq!(columns.iter().filter(|&&alpha| alpha == 255).count(), 9, "{columns:?}");
        // one line is as high as the font says, 1.17 of the size, letters with marks on top included
        assert!((117..=119).contains(&mark.height), "{}", mark.height);
    }

    #[test]
    fn every_letter_counts() {
        let both = ink("Grüße", 40.0);
        let each: f64 = "Grüße".chars().map(|letter| ink(&letter.to_string(), 40.0)).sum();
        assert!((both / each - 1.0).abs() < 0.01, "{both} {each}");
        // letters that the font lacks are its empty box
        assert!(ink("漢", 40.0) > 0.0);
        assert!((ink("漢", 40.0) - ink("字", 40.0)).abs() < 1e-9);
        for letter in ('\u{a1}'..='\u{17f}').filter(|letter| *letter != '\u{ad}') {
            assert!(ink(&letter.to_string(), 40.0) > 0.0, "{letter}");
        }
    }

    #[test]
    fn nothing_to_see_is_no_mark() {
        for text in ["", " ", "\n\t", "\u{a0}"] {
            assert!(mark(text, 30.0).is_none(), "{text:?}");
            let frame = grey(2, &[1, 2]);
            let text = Text { text, size: 30.0, colour: BLACK, placement: PLACEMENT };
            assert_eq!(draw(frame, &text).unwrap().pixels, [1, 2]);
        }
    }

    #[test]
    fn a_long_text_is_cut_and_a_wide_one_made_smaller() {
        let long = |count| mark(&"i".repeat(count), 10.0).unwrap().width;
        assert!(long(100) < long(200));
        assert_eq!(long(200), long(1_000));
        let room = Size { width: 100, height: 80 };
        let small = line("a rather long text", 60.0, BLACK, room).unwrap().unwrap();
        assert!(
            small.width <= 100 && small.width > 90 && small.height < 30,
            "{} × {}",
            small.width,
            small.height
        );
        let small = line("i", 60.0, BLACK, Size { height: 20, ..room }).unwrap().unwrap();
        assert!(small.height <= 20 && small.height > 17, "{}", small.height);
    }

    #[test]
    fn it_is_drawn_in_its_colour_where_it_belongs() {
        let frame = grey(80, &[255; 80 * 40]);
        let red = Rgba { red: 255, green: 0, blue: 0, alpha: 255 };
        let placement = Placement { spot: Spot::At(Compass::BottomRight), ..PLACEMENT };
        let drawn = draw(frame, &Text { text: "Hi", size: 20.0, colour: red, placement }).unwrap();
        assert_eq!(drawn.layout, Layout::Rgb);
        let touched = |pixel: &[u8]| pixel[1] < 255;
        let first = drawn.pixels.chunks_exact(3).position(touched).unwrap();
        assert!(first / 80 >= 15 && drawn.pixels.chunks_exact(3).any(|pixel| pixel == [255, 0, 0]));
        assert!(drawn.pixels.chunks_exact(3).all(|pixel| pixel[0] == 255 && pixel[1] == pixel[2]));
    }

    proptest! {
        #[test]
        fn any_text_is_drawn_within_the_picture(frame in frames(40), text in "\\PC{0,30}", size in -9.0..3_000.0_f32) {
            let (width, height) = (frame.width, frame.height);
            let text = Text { text: &text, size, colour: BLACK, placement: PLACEMENT };
            let drawn = draw(frame, &text).unwrap();
            prop_assert_eq!((drawn.width, drawn.height), (width, height));
        }
    }
}
