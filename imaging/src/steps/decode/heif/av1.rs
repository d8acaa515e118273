//! AV1 by rav1d.
//!
//! rav1d is dav1d in Rust with its assembly, called as dav1d is (see [`ffi`]). Nothing may panic between its functions and
//! ours, so the frames are decoded on threads of its own, which takes two frame contexts; the whole of it runs on a thread of
//! ours, so that a picture on which one of those threads dies costs that picture and nothing else. It cannot be interrupted:
//! nodes have it in a process that can be killed ([`crate::worker`]); elsewhere the caller waits for the end even past its
//! deadline. What one can take is bounded by its size, judged before, and by the number of its frames.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::coded::Coded;
use super::{DAMAGED, Size};
use crate::sniff::Reader;
use crate::sniff::heif::Chroma;
use crate::{Deadline, Error};

#[expect(unsafe_code, reason = "rav1d is called by dav1d's interface for C; see the module")]
mod ffi;
mod sequence;

/// Frames of one item. A still picture has one; with layers of lesser quality below it, up to four.
const FRAMES_MAX: usize = 4;

/// The largest picture that is allowed takes seconds; what takes this long will never end.
const STUCK_AFTER: Duration = Duration::from_secs(120);

/// Decodes the first picture of `units` and gives it to `read`.
///
/// # Errors
/// `Undecodable` for what rav1d objects to, and for more frames than one picture has; `Deadline`, before it begins or after
/// it has ended; `Panicked` when one of its threads is lost; whatever `read` says.
pub(super) fn decode<T: Send + 'static>(
    units: &[u8],
    size: Size,
    deadline: &Deadline,
    read: impl FnOnce(&Coded<'_>) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    deadline.check()?;
    if Units::of(units).is_none_or(|units| !(1..=FRAMES_MAX).contains(&units.frames)) {
        return Err(DAMAGED);
    }
    let units: Box<[u8]> = units.into();
    let pixels = size.width.saturating_mul(size.height);
    let (sender, receiver) = sync_channel(1);
    let work = move || {
        // nobody is left to tell when the caller has given up
        drop(sender.send(ffi::first(units, pixels, read)));
    };
    let thread = std::thread::Builder::new().name("avif".to_owned()).spawn(work);
    let thread = thread.map_err(|error| Error::undecodable("there was no thread for it", &error))?;
    match receiver.recv_timeout(STUCK_AFTER) {
        Ok(outcome) => {
            deadline.check()?;
            outcome
        }
        Err(RecvTimeoutError::Disconnected) => {
            tracing::debug!(has_panicked = thread.join().is_err(), "an av1 decoder broke down");
            Err(Error::Panicked)
        }
        Err(RecvTimeoutError::Timeout) => {
            tracing::error!("an av1 decoder does not end; its threads are lost");
            Err(Error::Panicked)
        }
    }
}

/// How much chroma a picture has, and whether its samples have more than eight bits.
///
/// # Errors
/// `Undecodable` when its units do not say, or more than once.
pub(super) fn kind(units: &[u8]) -> Result<(Chroma, bool), Error> {
    Units::of(units).and_then(|units| sequence::kind(units.sequence?)).ok_or(DAMAGED)
}

/// What there is of open bitstream units (AV1 section 5.3).
#[derive(Debug, Default, PartialEq, Eq)]
struct Units<'a> {
    /// Headers of frames.
    frames: usize,
    /// The header of the sequence.
    sequence: Option<&'a [u8]>,
}

impl<'a> Units<'a> {
    /// None when they do not fit, or when there is more than one header of a sequence.
    fn of(units: &'a [u8]) -> Option<Self> {
        const SEQUENCE_HEADER: u8 = 1;
        const FRAME_HEADER: u8 = 3;
        const FRAME: u8 = 6;
        let mut reader = Reader::new(units);
        let mut found = Self::default();
        while !reader.rest().is_empty() {
            let head = reader.u8()?;
            if head & 0x80 != 0 {
                return None;
            }
            if head & 4 != 0 {
                reader.u8()?;
            }
            let length = if head & 2 != 0 { leb128(&mut reader)? } else { reader.rest().len() };
            let body = reader.take(length)?;
            match head >> 3 & 15 {
                SEQUENCE_HEADER if found.sequence.is_some() => return None,
                SEQUENCE_HEADER => found.sequence = Some(body),
                FRAME | FRAME_HEADER => found.frames += 1,
                _ => {}
            }
        }
        Some(found)
    }
}

fn leb128(reader: &mut Reader<'_>) -> Option<usize> {
    let mut value = 0_u64;
    for place in 0..8 {
        let byte = reader.u8()?;
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return usize::try_from(value).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_by_their_headers() {
        let (delimiter, frame, header) = (&[0x12, 0][..], &[0x32, 1, 0][..], &[0x1a, 2, 0, 0][..]);
        for (units, count) in [
            (vec![], Some(0)),
            (vec![delimiter, frame], Some(1)),
            (vec![delimiter, header, frame, &[0x30, 1, 2, 3]], Some(3)),
            (vec![&[0x36, 0, 1, 0][..], frame], Some(2)),
            (vec![frame, &[0x32, 9, 0]], None),
            (vec![&[0xb2, 1, 0]], None),
            (vec![&[0x32, 0x80]], None),
            (vec![&[0x32, 0x81, 0, 0]], Some(1)),
            (vec![&[0x0a, 1, 0], frame], Some(1)),
            (vec![&[0x0a, 1, 0], &[0x0a, 1, 0], frame], None),
        ] {
            let units = units.concat();
            assert_eq!(Units::of(&units).map(|units| units.frames), count, "{units:?}");
        }
    }

    #[test]
    fn more_frames_than_a_picture_has_are_refused_undecoded() {
        let units = [0x32, 1, 0].repeat(FRAMES_MAX + 1);
        let size = Size { width: 8, height: 8 };
        assert_eq!(decode(&units, size, &Deadline::never(), |_| Ok(())), Err(DAMAGED));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let size = Size { width: 8, height: 8 };
        for units in [&[0x32, 1, 0][..], &[0x0a, 1, 0, 0x32, 4, 0, 0, 0, 0]] {
            let outcome = decode(units, size, &Deadline::never(), |_| Ok(()));
            assert_eq!(outcome, Err(DAMAGED), "{units:?}");
        }
    }
}
