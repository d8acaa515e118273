//! The still picture of an AVIF or HEIC file.
//!
//! The container says which items make up the picture; each is decoded on its own, to eight bits and to red, green and blue,
//! and laid in its place. Colours of high dynamic range are brought to sRGB here, because eight bits would be too few to do it later;
//! all others keep their primaries and curve, and the profile or code points that say so.

use super::{Cicp, Decoded, Frames, bounded};
use crate::frame::{Frame, Layout, buffer_bytes};
use crate::limits::Limits;
use crate::sniff::heif::{self as container, Area, Parts, Still};
use crate::sniff::isobmff::{Nclx, Property};
use crate::sniff::{Header, SourceFormat};
use crate::steps::crop::{self, Rect};
use crate::steps::geometry::Size;
use crate::steps::scale;
use crate::worker::Workers;
use crate::{Deadline, Error};

mod av1;
pub(crate) mod coded;
#[cfg(feature = "heic")]
mod hevc;
pub(crate) mod item;

use coded::{Colours, Meaning};
use item::{Codec, Item, Picture};

/// Its header and its pixels do not agree.
const TWO_SIZES: Error = Error::Undecodable { reason: "it names two different sizes" };
const DAMAGED: Error = Error::Undecodable { reason: super::DAMAGED };

/// # Errors
/// `Undecodable` for whatever container or codec object to; `UnknownFormat` for HEIC in a build without it; what `limits`
/// say to the coded size, which may be larger than the one shown; `Deadline`; `Panicked` where the codec broke down.
pub(super) fn decode(
    source: &[u8],
    header: &Header,
    limits: &Limits,
    deadline: &Deadline,
    workers: Option<&Workers>,
) -> Result<Decoded<'static>, Error> {
    let still = Still::open(source)?;
    if (still.shown.width, still.shown.height) != (header.width, header.height) {
        return Err(TWO_SIZES);
    }
    limits.check_header(&Header { width: still.width, height: still.height, ..*header })?;
    let reading = Reading { still: &still, header, limits, deadline, workers };
    let profile = still.profile.map(<[u8]>::to_vec);
    let (mut frame, meaning) =
        reading.picture(&still.parts, Colours::Shown { has_profile: profile.is_some() })?;
    if let Some(parts) = &still.alpha {
        let (alpha, _) = reading.picture(parts, Colours::Alpha)?;
        frame = with_alpha(frame, alpha, still.is_premultiplied, deadline)?;
    }
    let Area { left, top, width, height } = still.shown;
    let frame = crop::crop(frame, Rect { x: left, y: top, width, height });
    Ok(Decoded {
        frames: Frames::one(frame),
        orientation: still.orientation,
        profile: bounded(profile),
        cicp: meaning.and_then(|meaning| Cicp::unless_srgb(meaning.primaries, meaning.transfer)),
        exif: still.exif(),
        ..Decoded::empty(header)
    })
}

struct Reading<'a> {
    still: &'a Still<'a>,
    header: &'a Header,
    limits: &'a Limits,
    deadline: &'a Deadline,
    workers: Option<&'a Workers>,
}

impl Reading<'_> {
    fn picture(&self, parts: &Parts, colours: Colours) -> Result<Picture, Error> {
        match parts {
            Parts::Whole(item) => {
                let size = self.size(*item)?;
                let (frame, meaning) = self.item(*item, size, colours)?;
                if matches!(colours, Colours::Shown { .. }) && size != self.whole() {
                    return Err(TWO_SIZES);
                }
                Ok((frame, meaning))
            }
            Parts::Grid { columns, tiles } => self.grid(*columns, tiles, colours),
        }
    }

    fn whole(&self) -> Size {
        Size { width: self.still.width, height: self.still.height }
    }

    /// Tiles of one size, row by row; the last of each may reach beyond the picture.
    fn grid(&self, columns: u32, tiles: &[u32], colours: Colours) -> Result<Picture, Error> {
        let Size { width, height } = self.whole();
        let count = u32::try_from(tiles.len()).map_err(|_| DAMAGED)?;
        let (first, rows) = (*tiles.first().ok_or(DAMAGED)?, count / columns.max(1));
        let size = self.size(first)?;
        let covered = |tiles: u32, side: u32, whole: u32| {
            let length = tiles.checked_mul(side)?;
            (length >= whole && length - side < whole).then_some(length)
        };
        let across = covered(columns, size.width, width).ok_or(DAMAGED)?;
        let down = covered(rows, size.height, height).ok_or(DAMAGED)?;
        self.limits.check_header(&Header { width: across, height: down, ..*self.header })?;
        let mut canvas: Option<Picture> = None;
        for (number, &item) in (0..).zip(tiles) {
            self.deadline.check()?;
            if self.size(item)? != size {
                return Err(DAMAGED);
            }
            let (tile, meaning) = self.item(item, size, colours)?;
            let (whole, known) = match &mut canvas {
                Some(canvas) => canvas,
                None => canvas.insert((blank(width, height, tile.layout)?, meaning)),
            };
            if tile.layout != whole.layout || meaning != *known {
                return Err(DAMAGED);
            }
            lay(whole, &tile, number % columns * size.width, number / columns * size.height);
        }
        canvas.ok_or(DAMAGED)
    }

    /// The size of a coded item, by its properties.
    fn size(&self, item: u32) -> Result<Size, Error> {
        let size = self.still.container.properties(item).find_map(|property| match property {
            Property::Size { width, height } => Some(Size { width, height }),
            _ => None,
        });
        size.filter(|size| size.width > 0 && size.height > 0).ok_or(DAMAGED)
    }

    fn item(&self, item: u32, size: Size, colours: Colours) -> Result<Picture, Error> {
        self.limits.check_header(&Header { width: size.width, height: size.height, ..*self.header })?;
        let data = self.still.container.data(item).ok_or(crate::sniff::CUT_SHORT)?;
        let codec = match self.header.format {
            SourceFormat::Avif => Codec::Av1,
            _ => Codec::Hevc,
        };
        let mut configuration = &[][..];
        match codec {
            Codec::Av1 => {
                // the container may have claimed another kind of picture
                let (chroma, is_deep) = av1::kind(&data)?;
                let decode_bytes_per_pixel = container::av1_bytes_per_pixel(chroma, is_deep);
                let Size { width, height } = size;
                self.limits.check_header(&Header {
                    width,
                    height,
                    decode_bytes_per_pixel,
                    ..*self.header
                })?;
            }
            Codec::Hevc => {
                let mut properties = self.still.container.properties(item);
                let found = properties.find_map(|property| match property {
                    Property::Hevc(configuration) => Some(configuration),
                    _ => None,
                });
                configuration = found.ok_or(DAMAGED)?;
            }
        }
        let said = self.still.colour.map(meaning);
        let item = Item { codec, configuration, data: &data, size, said, colours };
        match self.workers {
            Some(workers) => workers.decode(&item, self.deadline),
            None => item.decode(self.deadline),
        }
    }
}

fn meaning(colour: Nclx) -> Meaning {
    let Nclx { primaries, transfer, matrix, is_full_range } = colour;
    Meaning { primaries, transfer, matrix, is_full_range }
}

fn blank(width: u32, height: u32, layout: Layout) -> Result<Frame, Error> {
    Ok(Frame { width, height, layout, pixels: vec![0; buffer_bytes(width, height, layout)?] })
}

/// Copies what of `tile` lies on `canvas`.
fn lay(canvas: &mut Frame, tile: &Frame, x: u32, y: u32) {
    let bytes =
        |pixels: u32| usize::try_from(pixels).unwrap_or(usize::MAX).saturating_mul(tile.layout.channels());
    let length = bytes(tile.width.min(canvas.width.saturating_sub(x)));
    let (from, stride) = (bytes(x), canvas.stride());
    let rows = canvas.pixels.chunks_exact_mut(stride).skip(usize::try_from(y).unwrap_or(usize::MAX));
    for (to, row) in rows.zip(tile.pixels.chunks_exact(tile.stride())) {
        let to = to.get_mut(from..).and_then(|to| to.get_mut(..length));
        if let (Some(to), Some(row)) = (to, row.get(..length)) {
            to.copy_from_slice(row);
        }
    }
}

fn with_alpha(
    frame: Frame,
    alpha: Frame,
    is_premultiplied: bool,
    deadline: &Deadline,
) -> Result<Frame, Error> {
    let size = Size { width: frame.width, height: frame.height };
    let alpha = if (alpha.width, alpha.height) == (size.width, size.height) {
        alpha
    } else {
        let all = scale::Area::whole(&alpha);
        scale::scale(&alpha, all, size, deadline)?
    };
    let (layout, channels) =
        if frame.layout == Layout::Grey { (Layout::GreyAlpha, 1) } else { (Layout::Rgba, 3) };
    let mut pixels = Vec::with_capacity(buffer_bytes(size.width, size.height, layout)?);
    for (colour, &alpha) in frame.pixels.chunks_exact(channels).zip(&alpha.pixels) {
        let straight = |&value: &u8| if is_premultiplied { divided(value, alpha) } else { value };
        pixels.extend(colour.iter().map(straight));
        pixels.push(alpha);
    }
    Ok(Frame { layout, pixels, ..frame })
}

/// A channel without the alpha that it was multiplied with.
fn divided(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    (value * 255 + alpha / 2).checked_div(alpha).map_or(0, |value| u8::try_from(value).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests;
