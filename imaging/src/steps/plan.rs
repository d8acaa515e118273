//! Sizes and places: what of the source is used, how large it becomes, and on what canvas it lies.
//!
//! Works on numbers alone, all of them as seen after orientation, so that it can be asked before anything is decoded. Where a
//! picture has to be looked at to know which part is used, the plan says what to look for and [`Plan::decided`] answers.
//! Sides are not bounded here: an extreme shape can make one of any length out of a modest wish.

use image::metadata::Orientation;

use super::geometry::Size;
use super::gravity::{Gravity, Length, place};
use super::orient::turns;
use super::scale::Area;
use super::smart;
use crate::frame::Frame;

/// How the source fills the box that width and height make. With one side free all but [`Fit::ScaleUp`] only scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Fit {
    /// As large as fits into the box; enlarges.
    Contain,
    /// As [`Fit::Contain`], but never enlarges.
    #[default]
    ScaleDown,
    /// As [`Fit::Contain`], but only enlarges.
    ScaleUp,
    /// Fills the box and is cut; enlarges.
    Cover,
    /// As [`Fit::Cover`], but never enlarges: where the source is smaller than the box, so is the result.
    Crop,
    /// As [`Fit::Crop`], but the result always has the shape of the box.
    FillDown,
    /// [`Fit::Cover`] where source and box are both upright or both not, else [`Fit::Contain`].
    Auto,
    /// As [`Fit::Contain`], on a canvas of the size of the box.
    Pad,
    /// The size of the box, whatever becomes of the shape; enlarges.
    Squeeze,
    /// The smallest that covers the box; nothing is cut; enlarges.
    Outside,
}

/// Whether the picture may become larger than its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Enlarge {
    /// As the fit says.
    #[default]
    ByFit,
    /// Whatever the fit says.
    #[cfg_attr(not(test), expect(dead_code, reason = "one of three that belong together"))]
    Always,
    /// Whatever the fit says. Where the shape is to change, both sides give way, so that it still does.
    Never,
}

/// A rectangle of the source that is used instead of all of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Crop {
    /// Of the source; 0 or less is all of it.
    pub(crate) width: Length,
    /// Of the source; 0 or less is all of it.
    pub(crate) height: Length,
    /// Where it lies.
    pub(crate) place: CropPlace,
}

/// Where a rectangle of the source lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum CropPlace {
    /// Its upper left corner; what sticks out of the source is cut off.
    At(Length, Length),
    /// Within the source, as far as it is not larger.
    By(Gravity),
}

/// What is asked for. Zoom multiplies width and height, or what stands in for them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Wish {
    /// Pixels, not 0; none: from the height, or the source's own.
    pub(crate) width: Option<u32>,
    /// Pixels, not 0; none: from the width, or the source's own.
    pub(crate) height: Option<u32>,
    /// The picture is scaled so that it is at least so wide, whether it may be enlarged or not, then cut to the box.
    pub(crate) min_width: Option<u32>,
    /// As `min_width`.
    pub(crate) min_height: Option<u32>,
    /// How the source fills the box.
    pub(crate) fit: Fit,
    /// Whether it may become larger.
    pub(crate) enlarge: Enlarge,
    /// Factors across and down, above 0.
    pub(crate) zoom: (f64, f64),
    /// Width to height, neither 0. Gives the side that is free; with both free, fits that cut take as much of the source as
    /// has this shape, and [`Fit::Pad`] surrounds it.
    pub(crate) aspect: Option<(u32, u32)>,
    /// The part of the source that counts.
    pub(crate) crop: Option<Crop>,
    /// What stays where something is cut; offsets in pixels are those of the result.
    pub(crate) gravity: Gravity,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            width: None,
            height: None,
            min_width: None,
            min_height: None,
            fit: Fit::default(),
            enlarge: Enlarge::default(),
            zoom: (1.0, 1.0),
            aspect: None,
            crop: None,
            gravity: Gravity::default(),
        }
    }
}

/// What to do with a source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Plan {
    /// The source's size.
    pub(crate) source: Size,
    /// The part of it that is used. While there is a `search` it lies where it does if nothing is found.
    pub(crate) used: Area,
    /// What has to be looked for first.
    pub(crate) search: Option<Search>,
    /// The size that the used part becomes.
    pub(crate) scaled: Size,
    /// The size of the result; differs from `scaled` for [`Fit::Pad`] only.
    pub(crate) canvas: Size,
}

/// A window that is placed by what the picture shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Search {
    /// What to look for: [`Gravity::Attention`] or [`Gravity::Entropy`].
    pub(crate) gravity: Gravity,
    /// Where to look, in pixels of the source.
    pub(crate) within: Area,
    /// Width and height of the window in pixels of the source.
    pub(crate) window: (f64, f64),
    /// From the window's corner to that of the part that is used.
    pub(crate) inset: (f64, f64),
}

impl Plan {
    /// The plan with the used part where `frame`, the whole source as seen at any scale, shows most.
    pub(crate) fn decided(self, frame: Option<&Frame>) -> Self {
        let Some(Search { gravity, within, window, inset }) = self.search else { return self };
        let source = (f64::from(self.source.width), f64::from(self.source.height));
        let found = frame.and_then(|frame| {
            let scale = (f64::from(frame.width) / source.0, f64::from(frame.height) / source.1);
            let area = Area {
                x: within.x * scale.0,
                y: within.y * scale.1,
                width: within.width * scale.0,
                height: within.height * scale.1,
            };
            smart::find(gravity, frame, area, (window.0 / within.width, window.1 / within.height))
        });
        let (x, y) = found.unwrap_or((0.5, 0.5));
        let x = within.x + x * (within.width - window.0).max(0.0) + inset.0;
        let y = within.y + y * (within.height - window.1).max(0.0) + inset.1;
        Self { used: Area { x, y, ..self.used }.settled(self.source, self.scaled), search: None, ..self }
    }

    /// The same plan for the picture as it is stored, to be turned by `orientation` when it has been scaled. To be asked
    /// after [`Plan::decided`].
    pub(crate) fn turned_back(self, orientation: Orientation) -> Self {
        let Area { x, y, width, height } = self.used;
        // what rounding leaves over may be less than nothing
        let right = (f64::from(self.source.width) - x - width).max(0.0);
        let below = (f64::from(self.source.height) - y - height).max(0.0);
        let (x, y) = match orientation {
            Orientation::NoTransforms => (x, y),
            Orientation::FlipHorizontal => (right, y),
            Orientation::Rotate180 => (right, below),
            Orientation::FlipVertical => (x, below),
            Orientation::Rotate90FlipH => (y, x),
            Orientation::Rotate90 => (y, right),
            Orientation::Rotate270FlipH => (below, right),
            Orientation::Rotate270 => (below, x),
        };
        if !turns(orientation) {
            return Self { used: Area { x, y, width, height }, ..self };
        }
        Self {
            source: self.source.turned(),
            used: Area { x, y, width: height, height: width },
            search: self.search,
            scaled: self.scaled.turned(),
            canvas: self.canvas.turned(),
        }
    }
}

impl Crop {
    /// Whether any of it lies in the source.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests compare with it"))]
    pub(crate) fn touches(&self, source: Size) -> bool {
        let CropPlace::At(x, y) = self.place else { return true };
        let along = |start: Length, length: Length, side: u32| {
            let side = f64::from(side);
            let start = start.of(side).round();
            start < side && start + extent(length, side) > 0.0
        };
        along(x, self.width, source.width) && along(y, self.height, source.height)
    }

    /// Its size and its upper left corner, in whole pixels within the source.
    fn part(&self, source: (f64, f64)) -> ((f64, f64), Corner) {
        let size = (extent(self.width, source.0), extent(self.height, source.1));
        match self.place {
            CropPlace::At(x, y) => {
                let along = |start: Length, length: f64, side: f64| {
                    let start = start.of(side).round();
                    let from = start.clamp(0.0, side - 1.0);
                    (from, ((start + length).min(side) - from).max(1.0))
                };
                let (x, width) = along(x, size.0, source.0);
                let (y, height) = along(y, size.1, source.1);
                ((width, height), Corner::At(x, y))
            }
            CropPlace::By(gravity) => {
                let size = (size.0.min(source.0), size.1.min(source.1));
                (size, corner(gravity, source, size, |x, y| (x.round(), y.round())))
            }
        }
    }
}

/// Where a part begins.
#[derive(Debug, Clone, Copy)]
enum Corner {
    At(f64, f64),
    /// To be found, if there is a picture to look at; else in the middle.
    Sought(Gravity),
}

/// The corner of a window; nothing has to be found where there is no room.
fn corner(
    gravity: Gravity,
    source: (f64, f64),
    window: (f64, f64),
    settle: impl Fn(f64, f64) -> (f64, f64),
) -> Corner {
    let has_room = source.0 - window.0 > 1e-6 || source.1 - window.1 > 1e-6;
    if gravity.looks() && has_room {
        return Corner::Sought(gravity);
    }
    let (x, y) = place(gravity, source, window, None);
    let (x, y) = settle(x, y);
    Corner::At(x, y)
}

/// Pixels of a part of a side; all of it when there are none.
fn extent(length: Length, side: f64) -> f64 {
    let length = length.of(side);
    if length > 0.0 { length.round().max(1.0) } else { side }
}

impl Area {
    /// Within the source, and on whole pixels where it keeps its size, so that pixels can be copied.
    fn settled(self, source: Size, scaled: Size) -> Self {
        let along = |start: f64, length: f64, side: u32, scaled: u32| {
            let keeps = (length - f64::from(scaled)).abs() < 1e-9;
            let start = if keeps { start.round() } else { start };
            start.clamp(0.0, (f64::from(side) - length).max(0.0))
        };
        Self {
            x: along(self.x, self.width, source.width, scaled.width),
            y: along(self.y, self.height, source.height, scaled.height),
            ..self
        }
    }
}

/// Plans the rendering of `source`, whose sides are not 0. Sides round to the nearest pixel and are at least 1.
pub(crate) fn plan(source: Size, wish: &Wish) -> Plan {
    let whole = (f64::from(source.width), f64::from(source.height));
    let (part, part_corner) = match &wish.crop {
        Some(crop) => crop.part(whole),
        None => (whole, Corner::At(0.0, 0.0)),
    };
    let Sizes { scale, scaled, used, canvas } = sizes(part, wish);
    let gravity = in_source(wish.gravity, scale);
    let used_corner = corner(gravity, part, used, |x, y| (x, y));

    let centred =
        |outer: (f64, f64), inner: (f64, f64)| ((outer.0 - inner.0) / 2.0, (outer.1 - inner.1) / 2.0);
    let (part_x, part_y) = match part_corner {
        Corner::At(x, y) => (x, y),
        Corner::Sought(_) => centred(whole, part),
    };
    let (x, y) = match used_corner {
        Corner::At(x, y) => (x, y),
        Corner::Sought(_) => centred(part, used),
    };
    let all = Area { x: 0.0, y: 0.0, width: whole.0, height: whole.1 };
    let search = match (part_corner, used_corner) {
        (Corner::At(..), Corner::At(..)) => None,
        (Corner::At(x, y), Corner::Sought(gravity)) => {
            let within = Area { x, y, width: part.0, height: part.1 };
            Some(Search { gravity, within, window: used, inset: (0.0, 0.0) })
        }
        (Corner::Sought(gravity), Corner::At(x, y)) => {
            Some(Search { gravity, within: all, window: part, inset: (x, y) })
        }
        // what is used in the end is sought at once
        (Corner::Sought(_), Corner::Sought(gravity)) => {
            Some(Search { gravity, within: all, window: used, inset: (0.0, 0.0) })
        }
    };
    let used = Area { x: part_x + x, y: part_y + y, width: used.0, height: used.1 };
    Plan { source, used: used.settled(source, scaled), search, scaled, canvas }
}

/// Pixels of the result as pixels of the source.
fn in_source(gravity: Gravity, scale: (f64, f64)) -> Gravity {
    let length = |length: Length, scale: f64| match length {
        Length::Pixels(pixels) => Length::Pixels(pixels / scale),
        share @ Length::Share(_) => share,
    };
    match gravity {
        Gravity::Compass(compass, x, y) => Gravity::Compass(compass, length(x, scale.0), length(y, scale.1)),
        other => other,
    }
}

struct Sizes {
    /// From source to result, across and down.
    scale: (f64, f64),
    scaled: Size,
    /// What of the part becomes that, in pixels of the source.
    used: (f64, f64),
    canvas: Size,
}

fn sizes(part: (f64, f64), wish: &Wish) -> Sizes {
    let target = target(part, wish);
    let zoom = |factor: f64| if factor.is_finite() && factor > 0.0 { factor } else { 1.0 };
    let zoom = (zoom(wish.zoom.0), zoom(wish.zoom.1));
    let (scale, cuts) = fitted(part, target, wish.fit);
    let (mut across, mut down) = (scale.0 * zoom.0, scale.1 * zoom.1);

    let may_enlarge = match wish.enlarge {
        Enlarge::Always => true,
        Enlarge::Never => false,
        Enlarge::ByFit => !matches!(wish.fit, Fit::ScaleDown | Fit::Crop | Fit::FillDown),
    };
    let most = across.max(down);
    if !may_enlarge && most > 1.0 {
        (across, down) = (across / most, down / most);
    }
    let short = |min: Option<u32>, side: f64| min.map_or(0.0, |min| f64::from(min) / side);
    let raise = short(wish.min_width, part.0 * across).max(short(wish.min_height, part.1 * down));
    let is_raised = raise > 1.0;
    if is_raised {
        (across, down) = (across * raise, down * raise);
    }

    let full = Size { width: side(part.0 * across), height: side(part.1 * down) };
    let mut room = (target.0.map(|width| side(width * zoom.0)), target.1.map(|height| side(height * zoom.1)));
    if let (Fit::FillDown, (Some(width), Some(height))) = (wish.fit, room) {
        room = shaped(full, (width, height));
    }
    let cuts = cuts || (is_raised && !matches!(wish.fit, Fit::ScaleUp | Fit::Outside));
    let cut = |full: u32, room: Option<u32>| room.filter(|_| cuts).map_or(full, |room| full.min(room));
    let scaled = Size { width: cut(full.width, room.0), height: cut(full.height, room.1) };
    let used = |scaled: u32, full: u32, scale: f64, part: f64| {
        if scaled == full { part } else { (f64::from(scaled) / scale).min(part) }
    };
    let used =
        (used(scaled.width, full.width, across, part.0), used(scaled.height, full.height, down, part.1));
    let canvas = match (wish.fit, room) {
        (Fit::Pad, (Some(width), Some(height))) => {
            Size { width: width.max(scaled.width), height: height.max(scaled.height) }
        }
        _ => scaled,
    };
    Sizes { scale: (across, down), scaled, used, canvas }
}

/// The box, before zoom.
fn target(part: (f64, f64), wish: &Wish) -> (Option<f64>, Option<f64>) {
    let ratio = wish.aspect.filter(|&(width, height)| width > 0 && height > 0);
    let ratio = ratio.map(|(width, height)| f64::from(width) / f64::from(height));
    let given = |side: Option<u32>| side.filter(|&side| side > 0).map(f64::from);
    match (given(wish.width), given(wish.height), ratio) {
        (Some(width), None, Some(ratio)) => (Some(width), Some((width / ratio).round().max(1.0))),
        (None, Some(height), Some(ratio)) => (Some((height * ratio).round().max(1.0)), Some(height)),
        (None, None, Some(ratio)) => {
            let outer = (part.0.max(part.1 * ratio).round(), part.1.max(part.0 / ratio).round());
            let inner =
                (part.0.min(part.1 * ratio).round().max(1.0), part.1.min(part.0 / ratio).round().max(1.0));
            match wish.fit {
                Fit::Pad => (Some(outer.0), Some(outer.1)),
                Fit::Cover | Fit::Crop | Fit::FillDown | Fit::Auto | Fit::Squeeze => {
                    (Some(inner.0), Some(inner.1))
                }
                // nothing may be cut, and no size is asked for
                Fit::Contain | Fit::ScaleDown | Fit::ScaleUp | Fit::Outside => (None, None),
            }
        }
        (width, height, _) => (width, height),
    }
}

/// Scale across and down, and whether what exceeds the box is cut.
fn fitted(part: (f64, f64), target: (Option<f64>, Option<f64>), fit: Fit) -> ((f64, f64), bool) {
    let (across, down) = match target {
        (Some(width), Some(height)) => (width / part.0, height / part.1),
        (Some(width), None) => (width / part.0, width / part.0),
        (None, Some(height)) => (height / part.1, height / part.1),
        (None, None) => (1.0, 1.0),
    };
    let (inside, outside) = (across.min(down), across.max(down));
    match fit {
        Fit::Contain | Fit::ScaleDown | Fit::Pad => ((inside, inside), false),
        Fit::ScaleUp => ((inside.max(1.0), inside.max(1.0)), false),
        Fit::Cover | Fit::Crop | Fit::FillDown => ((outside, outside), true),
        Fit::Outside => ((outside, outside), false),
        Fit::Squeeze => ((across, down), false),
        Fit::Auto => {
            let is_upright = |(width, height): (f64, f64)| width < height;
            let alike = match target {
                (Some(width), Some(height)) => is_upright(part) == is_upright((width, height)),
                _ => false,
            };
            if alike { ((outside, outside), true) } else { ((inside, inside), false) }
        }
    }
}

/// The largest box of the same shape that the picture fills.
fn shaped(full: Size, (width, height): (u32, u32)) -> (Option<u32>, Option<u32>) {
    let excess = (f64::from(width) / f64::from(full.width)).max(f64::from(height) / f64::from(full.height));
    if excess <= 1.0 {
        return (Some(width), Some(height));
    }
    (Some(side(f64::from(width) / excess)), Some(side(f64::from(height) / excess)))
}

fn side(length: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=u32::MAX")]
    let side = length.round().clamp(1.0, f64::from(u32::MAX)) as u32;
    side
}

#[cfg(test)]
mod tests;
