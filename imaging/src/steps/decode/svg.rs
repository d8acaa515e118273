//! SVG, drawn at the size that is wanted.
//!
//! Nothing outside the document is loaded: no files, no addresses, no fonts of the system. Pictures inside it as data are
//! drawn when they are PNG, JPEG or WebP and small. Texts are drawn in the built-in font ([`texts`]).
//!
//! A drawing of a few hundred bytes can ask for hours of work. Drawing cannot be interrupted, so the work is judged twice
//! before it begins: [`references`] counts what the document grows to when elements that are used elsewhere are put in
//! their places, letters included, and [`cost`] adds up what the expanded drawing takes in time and memory at this size.

use std::sync::Arc;

use resvg::{tiny_skia, usvg};

use super::{Decoded, Frames};
use crate::frame::{Frame, Layout};
use crate::limits::Limits;
use crate::sniff::{self, Header, SourceFormat, svg};
use crate::{Deadline, Error, xml};

mod cost;
pub(crate) mod references;
mod texts;

/// Pixels of one picture inside a drawing.
const PICTURE_PIXELS_MAX: u64 = 16_000_000;

/// Draws it at `size` pixels, or at its own size.
///
/// # Errors
/// `Undecodable` when it is no drawing or would take too much, `SideTooLong` and `TooManyPixels` for the size, `Deadline`.
pub(super) fn decode(
    source: &[u8],
    header: &Header,
    limits: &Limits,
    deadline: &Deadline,
    size: Option<(u32, u32)>,
) -> Result<Decoded<'static>, Error> {
    let (width, height) = size.unwrap_or((header.width, header.height));
    limits.check_header(&Header { width, height, ..*header })?;
    let document = xml::parse(source)?;
    let rest = texts::cut(source, &document);
    let document = rest.as_deref().map_or(Ok(document), xml::parse)?;
    deadline.check()?;
    references::judge(&document)?.drawable()?;
    let tree = usvg::Tree::from_xmltree(&document, &options())
        .map_err(|error| Error::undecodable("the svg cannot be drawn", &error))?;
    deadline.check()?;
    let (across, down) = svg::size(source).ok_or(sniff::CUT_SHORT)?;
    let (scale_x, scale_y) = (ratio(width, across), ratio(height, down));
    cost::judge(&tree, (scale_x, scale_y), (width, height), limits)?;
    let mut canvas = tiny_skia::Pixmap::new(width, height)
        .ok_or(Error::Undecodable { reason: "the svg cannot be drawn at this size" })?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale_x, scale_y), &mut canvas.as_mut());
    deadline.check()?;
    let frame = Frame { width, height, layout: Layout::Rgba, pixels: canvas.take_demultiplied() };
    Ok(Decoded { frames: Frames::one(frame), ..Decoded::empty(header) })
}

fn options() -> usvg::Options<'static> {
    usvg::Options {
        // as a browser has it for a document that names no size
        default_size: usvg::Size::from_wh(300.0, 150.0)
            .unwrap_or_else(|| usvg::Options::default().default_size),
        fontdb: texts::fonts(),
        font_resolver: texts::resolver(),
        image_href_resolver: usvg::ImageHrefResolver {
            resolve_data: Box::new(|_, data, _| picture(data)),
            resolve_string: Box::new(|_, _| None),
        },
        ..usvg::Options::default()
    }
}

/// A picture inside the document, by its content and no larger than allowed. Drawings inside drawings are left out.
fn picture(data: Arc<Vec<u8>>) -> Option<usvg::ImageKind> {
    let header = sniff::header(&data).ok()?;
    if header.pixels() > PICTURE_PIXELS_MAX {
        return None;
    }
    match header.format {
        SourceFormat::Png => Some(usvg::ImageKind::PNG(data)),
        SourceFormat::Jpeg => Some(usvg::ImageKind::JPEG(data)),
        SourceFormat::Webp => Some(usvg::ImageKind::WEBP(data)),
        _ => None,
    }
}

fn ratio(pixels: u32, length: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "a scale; its last digits do not matter")]
    let ratio = (f64::from(pixels) / length) as f32;
    ratio
}
