//! GIF (version 89a), still and animated, built frame by frame.
//!
//! Frames are cut to what changed, and what did not change within is transparent. Colours that are few are shared by all
//! frames; a frame with others gets a palette of its own, dithered. Transparency is all or nothing. Metadata has no place in
//! a GIF that anyone reads. It refuses CMYK and planes, and sides beyond 65 535 pixels.

use std::borrow::Cow;

use gif::{DisposalMethod, Encoder, Repeat};

use crate::Error;
use crate::encode::area::Area;
use crate::encode::palette::{self, CLEAR, Colour, Indexed, Known};
use crate::encode::{Effort, Picture, Settings, ycc::size};
use crate::frame::Frame;

/// Longest side (section 18).
const SIDE_MAX: u32 = 65_535;
/// Colours with less alpha than this are not shown.
const ALPHA_MIN: u8 = 128;

/// Writes a still GIF.
///
/// # Errors
/// `SideTooLong`; `Unencodable` for CMYK or planes; `Deadline`.
pub(crate) fn encode(picture: Picture<'_>, settings: &Settings<'_>) -> Result<Vec<u8>, Error> {
    let Picture::Frame(frame) = picture else {
        return Err(Error::Unencodable { reason: "gif has no planes" });
    };
    let mut animation = Animation::new(settings, 1);
    animation.push(frame, 0)?;
    animation.finish()
}

/// An animation that is being written.
#[derive(Debug)]
pub(crate) struct Animation<'s> {
    settings: Settings<'s>,
    /// How often it plays, 0 for ever.
    loops: u16,
    canvas: (u32, u32),
    /// Colours that frames share.
    known: Known,
    frames: Vec<gif::Frame<'static>>,
    /// The last frame: how it is taken away depends on what comes after it.
    last: Option<Last>,
    /// Of the frames before the last.
    duration_ms: u64,
}

#[derive(Debug)]
struct Last {
    /// What is there before it is drawn.
    below: Vec<Colour>,
    shown: Vec<Colour>,
    duration_ms: u64,
}

impl<'s> Animation<'s> {
    /// Without frames yet; `loops` is how often it plays, 0 for ever.
    pub(crate) fn new(settings: &Settings<'s>, loops: u16) -> Self {
        Self {
            settings: settings.clone(),
            loops,
            canvas: (0, 0),
            known: Known::new(),
            frames: Vec::new(),
            last: None,
            duration_ms: 0,
        }
    }

    /// Adds a whole frame, of the size of the first, shown for `duration_ms`, which is rounded to hundredths of a second.
    ///
    /// # Errors
    /// `SideTooLong`; `Unencodable` for CMYK, without pixels, and when the size changes; `Deadline`.
    pub(crate) fn push(&mut self, frame: &Frame, duration_ms: u32) -> Result<(), Error> {
        self.settings.deadline.check()?;
        let side = frame.width.max(frame.height);
        if side > SIDE_MAX {
            return Err(Error::SideTooLong { side: side.into(), max: SIDE_MAX });
        }
        let shown = shown(frame)?;
        let duration_ms = u64::from(duration_ms);
        let Some(mut last) = self.last.take() else {
            self.canvas = (frame.width, frame.height);
            let below = vec![CLEAR; shown.len()];
            self.last = Some(Last { below, shown, duration_ms });
            return Ok(());
        };
        if self.canvas != (frame.width, frame.height) {
            return Err(Error::Unencodable { reason: "its frames differ in size or kind" });
        }
        if last.shown == shown {
            last.duration_ms += duration_ms;
            self.last = Some(last);
            return Ok(());
        }
        let is_cleared = |(before, after): (&Colour, &Colour)| *before != CLEAR && *after == CLEAR;
        let cleared = self.area(last.shown.iter().zip(&shown).map(is_cleared));
        let drawn = self.draw(&last, cleared);
        let mut below = last.shown;
        if cleared.is_some() {
            self.clear(&mut below, drawn);
        }
        self.last = Some(Last { below, shown, duration_ms });
        Ok(())
    }

    /// The file.
    ///
    /// # Errors
    /// `Unencodable` without frames.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Error> {
        let Some(last) = self.last.take() else {
            return Err(Error::Unencodable { reason: "it has no frames" });
        };
        self.draw(&last, None);
        self.written().map_err(|error| {
            tracing::debug!(%error, "encoding failed");
            Error::Unencodable { reason: "the encoder failed" }
        })
    }

    fn written(&self) -> Result<Vec<u8>, gif::EncodingError> {
        let (width, height) = self.canvas;
        let length: usize = self.frames.iter().map(|frame| frame.buffer.len() + 1_024).sum();
        let shared = table(self.known.colours());
        let mut encoder = Encoder::new(Vec::with_capacity(length), short(width), short(height), &shared)?;
        // players repeat as often as the file says, after the first time
        match self.loops {
            0 => encoder.set_repeat(Repeat::Infinite)?,
            1 => {}
            loops => encoder.set_repeat(Repeat::Finite(loops - 1))?,
        }
        for frame in &self.frames {
            encoder.write_lzw_pre_encoded_frame(frame)?;
        }
        encoder.into_inner()
    }

    /// Draws a frame where it differs from what is below, and at least over `cleared`, which is then left empty. Gives back
    /// where it was drawn.
    fn draw(&mut self, last: &Last, cleared: Option<Area>) -> Area {
        let changed = self.area(last.below.iter().zip(&last.shown).map(|(below, shown)| below != shown));
        let point = Area { x: 0, y: 0, width: 1, height: 1 };
        let area = match (changed, cleared) {
            (Some(one), Some(other)) => one.with(other),
            (one, other) => one.or(other).unwrap_or(point),
        };
        let seen = |(below, shown): (&Colour, &Colour)| if below == shown { CLEAR } else { *shown };
        let all = last.below.iter().zip(&last.shown).map(seen);
        let across = size(self.canvas.0).max(1);
        let (left, top) = (size(area.x), size(area.y));
        let columns = left..left + size(area.width);
        let rows = top..top + size(area.height);
        let is_inside = |n: usize| columns.contains(&(n % across)) && rows.contains(&(n / across));
        let pixels: Vec<Colour> =
            all.enumerate().filter(|(n, _)| is_inside(*n)).map(|(_, pixel)| pixel).collect();
        let (places, own) = self.indexed(&pixels, size(area.width));
        let colours = own.as_deref().unwrap_or_else(|| self.known.colours());
        let transparent =
            (0..=u8::MAX).zip(colours).find(|(_, colour)| **colour == CLEAR).map(|(place, _)| place);
        let mut frame = gif::Frame {
            delay: self.delay(last.duration_ms),
            dispose: if cleared.is_some() { DisposalMethod::Background } else { DisposalMethod::Keep },
            transparent,
            left: short(area.x),
            top: short(area.y),
            width: short(area.width),
            height: short(area.height),
            palette: own.as_deref().map(table),
            buffer: Cow::Owned(places),
            ..gif::Frame::default()
        };
        frame.make_lzw_pre_encoded();
        self.frames.push(frame);
        area
    }

    /// Places in the shared palette, or in one that comes with them.
    fn indexed(&mut self, pixels: &[Colour], width: usize) -> (Vec<u8>, Option<Vec<Colour>>) {
        if let Some(places) = self.known.places(pixels, palette::COLOURS_MAX) {
            return (places, None);
        }
        let rounds = match self.settings.effort {
            Effort::Fast => 0,
            Effort::Normal => 1,
            Effort::Best => 4,
        };
        let max = palette::colours_of(self.settings.quality);
        let Indexed { places, colours } = palette::reduced(pixels, width, max, rounds);
        (places, Some(colours))
    }

    /// Hundredths of a second until the frame's end, so that what is rounded does not add up.
    fn delay(&mut self, duration_ms: u64) -> u16 {
        let hundredths = |ms: u64| (ms + 5) / 10;
        let start = hundredths(self.duration_ms);
        self.duration_ms += duration_ms;
        u16::try_from(hundredths(self.duration_ms) - start).unwrap_or(u16::MAX)
    }

    /// The smallest rectangle around the pixels that are marked.
    fn area(&self, marks: impl Iterator<Item = bool>) -> Option<Area> {
        let across = size(self.canvas.0).max(1);
        let mut found: Option<[usize; 4]> = None;
        for (n, _) in marks.enumerate().filter(|(_, is_marked)| *is_marked) {
            let (x, y) = (n % across, n / across);
            found = Some(match found {
                None => [x, y, x, y],
                Some([left, top, right, _]) => [left.min(x), top, right.max(x), y],
            });
        }
        let length = |count: usize| u32::try_from(count).unwrap_or(0);
        found.map(|[left, top, right, bottom]| Area {
            x: length(left),
            y: length(top),
            width: length(right - left + 1),
            height: length(bottom - top + 1),
        })
    }

    fn clear(&self, pixels: &mut [Colour], area: Area) {
        let rows = pixels.chunks_exact_mut(size(self.canvas.0).max(1));
        for row in rows.skip(size(area.y)).take(size(area.height)) {
            if let Some(part) = row.get_mut(size(area.x)..size(area.x) + size(area.width)) {
                part.fill(CLEAR);
            }
        }
    }
}

/// The pixels with alpha all or nothing.
fn shown(frame: &Frame) -> Result<Vec<Colour>, Error> {
    if frame.width == 0 || frame.height == 0 {
        return Err(Error::Unencodable { reason: "it has no pixels" });
    }
    let mut pixels = palette::colours(frame).ok_or(Error::Unencodable { reason: "it is still in CMYK" })?;
    if frame.layout.has_alpha() {
        palette::clear(&mut pixels, ALPHA_MIN);
        for [.., alpha] in &mut pixels {
            if *alpha > 0 {
                *alpha = u8::MAX;
            }
        }
    }
    Ok(pixels)
}

fn table(colours: &[Colour]) -> Vec<u8> {
    colours.iter().flat_map(|[rgb @ .., _]| *rgb).collect()
}

fn short(side: u32) -> u16 {
    u16::try_from(side).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
