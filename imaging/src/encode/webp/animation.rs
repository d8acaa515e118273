//! Animated WebP, built frame by frame: each is compressed once, as the rectangle in which it differs from the one before.
//!
//! Frames replace what is below them, so that alpha needs no care, and stay until they are replaced. A frame without any
//! difference lengthens the one before.

use crate::Error;
use crate::encode::area::{self, Area};
use crate::encode::{Effort, Picture, Settings};
use crate::frame::Frame;

use super::container::{self, Extras, Shown};
use super::{SIDE_MAX, compressed};

/// Longest that a frame can be shown, in milliseconds (RFC 9649 section 2.7.1.1).
const DURATION_MAX_MS: u32 = (1 << 24) - 1;

/// An animation that is being written.
#[derive(Debug)]
pub(crate) struct Animation<'s> {
    settings: Settings<'s>,
    /// How often it plays, 0 for ever.
    loops: u16,
    frames: Vec<Shown>,
    before: Option<Frame>,
}

impl<'s> Animation<'s> {
    /// Without frames yet; `loops` is how often it plays, 0 for ever.
    pub(crate) fn new(settings: &Settings<'s>, loops: u16) -> Self {
        Self { settings: settings.clone(), loops, frames: Vec::new(), before: None }
    }

    /// Adds a whole frame, of the size and layout of the first, shown for `duration_ms`.
    ///
    /// # Errors
    /// As a still picture; also `Unencodable` when size or layout change.
    pub(crate) fn push(&mut self, frame: Frame, duration_ms: u32) -> Result<(), Error> {
        self.settings.deadline.check()?;
        let whole = Area { x: 0, y: 0, width: frame.width, height: frame.height };
        let changed = match &self.before {
            None => Some(whole),
            Some(before) => area::changed(before, &frame)?.map(even),
        };
        let Some(area) = changed else {
            if let Some(last) = self.frames.last_mut() {
                last.duration_ms = (last.duration_ms.saturating_add(duration_ms)).min(DURATION_MAX_MS);
            }
            return Ok(());
        };
        let cut;
        let part = if area == whole {
            &frame
        } else {
            cut = area.of(&frame);
            &cut
        };
        // frames are many: they get less effort each, which costs 3 % of bytes and gains half of the time
        let method = match self.settings.effort {
            Effort::Fast => 1,
            Effort::Normal => 2,
            Effort::Best => 4,
        };
        let stream = compressed(Picture::Frame(part), method, &self.settings)?;
        let Area { x, y, width, height } = area;
        let duration_ms = duration_ms.min(DURATION_MAX_MS);
        self.frames.push(Shown { stream, x, y, width, height, duration_ms });
        self.before = Some(frame);
        Ok(())
    }

    /// The file.
    ///
    /// # Errors
    /// `Unencodable` without frames, `SideTooLong`.
    pub(crate) fn finish(self) -> Result<Vec<u8>, Error> {
        let Some(Frame { width, height, .. }) = self.before else {
            return Err(Error::Unencodable { reason: "it has no frames" });
        };
        let side = width.max(height);
        if side > SIDE_MAX {
            return Err(Error::SideTooLong { side: side.into(), max: SIDE_MAX });
        }
        let extras = Extras { icc: self.settings.icc, exif: self.settings.exif };
        Ok(container::animated(&self.frames, (width, height), self.loops, extras))
    }
}

/// The area with a corner that the file can name.
fn even(area: Area) -> Area {
    let (left, up) = (area.x % 2, area.y % 2);
    Area { x: area.x - left, y: area.y - up, width: area.width + left, height: area.height + up }
}
