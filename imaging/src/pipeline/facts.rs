//! The answers that are no renderings: what is known of a source, and a drawing as it is.

use super::opened::glimpse;
use super::{Rendered, Settings, Timings, write};
use crate::describe::{Facts, Place, describe};
use crate::sanitise::sanitise_svg;
use crate::sniff::{Header, SourceFormat};
use crate::{Deadline, Error};

/// Pixels a side that a description looks at.
const LOOK_SIDE: u32 = 64;

/// The description of a source as JSON.
pub(super) fn json(
    source: &[u8],
    header: &Header,
    settings: &Settings,
    deadline: &Deadline,
) -> Result<Rendered, Error> {
    let (look, about) = glimpse(source, header, settings, deadline, LOOK_SIDE)?;
    let moves = header.frames > 1;
    let facts = Facts {
        format: header.format.as_str(),
        media_type: header.format.media_type(),
        width: header.width,
        height: header.height,
        frames: header.frames,
        duration_ms: None,
        loop_count: moves.then_some(about.loop_count),
        has_alpha: header.has_alpha,
        bytes: source.len() as u64,
        profile: about.profile.as_deref(),
        exif: about.exif.as_deref(),
        density: None,
    };
    let described = describe(&facts, &look, Place::Hidden, |frame| write::tiny(&frame, deadline));
    let json = described.to_json()?;
    Ok(plain(json.into_bytes(), "application/json", header))
}

/// A drawing as it is, without all that does more than draw. Sizes and looks of the transform are for pixels.
pub(super) fn drawing(source: &[u8], header: &Header) -> Result<Rendered, Error> {
    if header.format != SourceFormat::Svg {
        return Err(Error::NoDrawing { found: header.format.as_str() });
    }
    let written = sanitise_svg(source)?;
    Ok(plain(written, SourceFormat::Svg.media_type(), header))
}

fn plain(bytes: Vec<u8>, content_type: &'static str, header: &Header) -> Rendered {
    Rendered {
        bytes: bytes.into(),
        content_type,
        width: header.width,
        height: header.height,
        source_width: header.width,
        source_height: header.height,
        decoded_as: 0,
        is_hurried: false,
        can_improve: false,
        timings: Timings::default(),
    }
}
