//! From source bytes to the used part of the picture at its size, upright.
//!
//! A JPEG is read no larger than it is needed and stays in planes, as does a lossy WebP; everything else comes as frames, one at a time. What is used
//! is planned as seen, after orientation, and turned back to how the source is stored, so that the small result is
//! turned and not the source.

use std::sync::Arc;

use image::metadata::Orientation;

use super::canvas::Canvas;
use super::{Settings, wish};
use crate::encode::Range;
use crate::frame::Frame;
use crate::jpeg::{self, Chroma, Least, Light, Part, Reduced, Scale, Wanted};
use crate::limits::Limits;
use crate::planes::{Plane, Planes};
use crate::share::{Ask, Content, Sibling};
use crate::steps::crop::Rect;
use crate::steps::decode::{self, Cicp, Decoded, FrameOf, Options, Still};
use crate::steps::geometry::Size;
use crate::steps::plan::{self, Plan};
use crate::steps::scale::Area;
use crate::steps::sniff::{Header, SourceFormat, jpeg as marks, webp as chunks};
use crate::steps::trim::{self, Trim as Margins};
use crate::steps::{colour, light, orient, scale, sharpen, smart};
use crate::transform::{Fit, Transform, Trim};
use crate::worker::Workers;
use crate::{Deadline, Error, vp8};

/// Samples of luma for each that the result has, where light is averaged.
const CAREFUL_FACTOR: f64 = 1.7;

/// The same where numbers are.
const FAST_FACTOR: f64 = 1.3;

/// What is known of a source besides its pixels.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    /// An ICC profile.
    pub(super) profile: Option<Vec<u8>>,
    /// EXIF from its TIFF header on.
    pub(super) exif: Option<Vec<u8>>,
    /// How often an animation is shown; 0 for ever.
    pub(super) loop_count: u32,
    /// As seen.
    pub(super) seen: Option<Size>,
    /// As planned.
    pub(super) canvas: Option<Size>,
    /// Stands for the sizes that it was decoded to, where that was for a larger rendering.
    pub(super) decoded_as: u32,
}

/// How a source is read.
pub(super) struct Reading<'a> {
    pub(super) source: &'a [u8],
    pub(super) header: &'a Header,
    pub(super) transform: &'a Transform,
    pub(super) limits: &'a Limits,
    pub(super) deadline: &'a Deadline,
    pub(super) is_careful: bool,
    /// Whether what became smaller is sharpened a little.
    pub(super) sharpens: bool,
    /// How much chroma the result is to have.
    pub(super) chroma: Chroma,
    pub(super) frames: decode::Wanted,
    /// Those that want the same source.
    pub(super) sibling: Option<&'a Sibling>,
    /// Where codecs run that are not to run here.
    pub(super) workers: Option<&'a Workers>,
}

impl Reading<'_> {
    /// Gives every picture, at its size and upright, to `next`, with how long it is shown in milliseconds.
    pub(super) fn pictures(
        &self,
        next: &mut dyn FnMut(Canvas, u32, &About) -> Result<(), Error>,
    ) -> Result<About, Error> {
        let in_planes = match self.header.format {
            _ if self.looks_for_margins() => None,
            SourceFormat::Jpeg => self.jpeg()?,
            SourceFormat::Webp => self.webp()?,
            _ => None,
        };
        if let Some((picture, about)) = in_planes {
            next(picture, 0, &about)?;
            return Ok(about);
        }
        match self.sibling.filter(|_| self.header.frames <= 1 && self.header.format != SourceFormat::Svg) {
            Some(sibling) => self.still(sibling, next),
            None => self.frames(next),
        }
    }

    /// A picture that stands still and may have been decoded for another rendering.
    fn still(
        &self,
        sibling: &Sibling,
        next: &mut dyn FnMut(Canvas, u32, &About) -> Result<(), Error>,
    ) -> Result<About, Error> {
        let decode = |_| {
            let options = Options {
                page: self.transform.page.unwrap_or(0),
                workers: self.workers,
                ..Options::default()
            };
            let decoded = decode::decode(self.source, self.header, self.limits, self.deadline, &options)?;
            Ok(Some(Content::Still(Arc::new(decoded.still()?))))
        };
        let needed_by = |ask: &Ask| (ask.transform.page == self.transform.page).then_some(Wanted::WHOLE);
        let found = sibling.decoded(self.source, Wanted::WHOLE, needed_by, decode, self.deadline)?;
        let Some((Content::Still(still), _)) = found else { return self.frames(next) };
        let Still { frame, loop_count, orientation, profile, cicp, exif } = &*still;
        let mut about = About {
            profile: profile.clone().or_else(|| profile_of(*cicp)),
            exif: exif.clone(),
            loop_count: *loop_count,
            ..About::default()
        };
        let place = self.placed(frame, self.orientation(Some(*orientation)), &mut about)?;
        next(self.taken(&place, frame)?, 0, &about)?;
        Ok(about)
    }

    fn jpeg(&self) -> Result<Option<(Canvas, About)>, Error> {
        let exif = marks::exif(self.source);
        let (orientation, plan) = self.upright(exif)?;
        let wanted = self.wanted(&plan, orientation, self.is_careful, self.chroma);
        let read = |wanted| jpeg::read(self.source, wanted, self.deadline);
        let Some((reduced, decoded_as)) = self.planes(wanted, |ask| self.needed_by(ask), read)? else {
            return Ok(None);
        };
        let profile = marks::icc_profile(self.source);
        let (picture, about) = self.of_planes(reduced, plan, orientation, exif, profile)?;
        Ok(Some((picture, About { decoded_as, ..about })))
    }

    /// A lossy picture without alpha; none for others.
    fn webp(&self) -> Result<Option<(Canvas, About)>, Error> {
        let Some(lossy) = chunks::lossy(self.source, self.header) else { return Ok(None) };
        let (orientation, plan) = self.upright(lossy.exif)?;
        let read = |_| {
            Ok(Some(Reduced {
                planes: vp8::read(lossy.frame, self.deadline)?,
                colour: jpeg::Colour::Ycc,
                range: Range::Limited,
                full: Size { width: self.header.width, height: self.header.height },
                luma_scale: Scale::WHOLE,
                chroma_scale: Scale { across: 0.5, down: 0.5 },
            }))
        };
        let found = self.planes(Wanted::WHOLE, |_| Some(Wanted::WHOLE), read)?;
        let Some((reduced, _)) = found else { return Ok(None) };
        let profile = lossy.profile.filter(|profile| profile.len() <= decode::PROFILE_BYTES_MAX);
        self.of_planes(reduced, plan, orientation, lossy.exif, profile.map(<[u8]>::to_vec)).map(Some)
    }

    /// How the source is turned, and what is used of it then.
    fn upright(&self, exif: Option<&[u8]>) -> Result<(Orientation, Plan), Error> {
        let orientation = self.orientation(exif.and_then(Orientation::from_exif_chunk));
        let stored = Size { width: self.header.width, height: self.header.height };
        let seen = if orient::turns(orientation) { stored.turned() } else { stored };
        Ok((orientation, self.plan(seen)?))
    }

    fn of_planes(
        &self,
        reduced: Reduced,
        plan: Plan,
        orientation: Orientation,
        exif: Option<&[u8]>,
        profile: Option<Vec<u8>>,
    ) -> Result<(Canvas, About), Error> {
        self.deadline.check()?;
        let plan = if plan.search.is_some() {
            let planes = reduced.planes.clone();
            let look = smart::reduced(&jpeg::frame_in(planes, reduced.colour, reduced.range)?);
            let look = look.map(|look| orient::orient(look, orientation)).transpose()?;
            plan.decided(look.as_ref())
        } else {
            plan
        };
        let stored_plan = plan.turned_back(orientation);
        let Area { x: left, y: top, width, height } = stored_plan.used;
        let part = Part { left, top, width, height };
        let (colour, light) = (reduced.colour, if self.is_careful { Light::Linear } else { Light::Coded });
        let mut planes = jpeg::resize(reduced, part, stored_plan.scaled, self.chroma, light, self.deadline)?;
        if self.sharpens && colour != jpeg::Colour::Rgb {
            planes.luma = sharpen::after_reduction_of_luma(planes.luma, reduction(&plan));
        }
        let picture = Canvas::Planes(planes, colour).oriented(orientation)?;
        let about = About {
            profile,
            exif: exif.map(<[u8]>::to_vec),
            loop_count: 0,
            seen: Some(plan.source),
            canvas: Some(plan.canvas),
            decoded_as: 0,
        };
        Ok((picture, about))
    }

    /// The source with at least the samples that are wanted, and what stands for its sizes if they are for another's sake.
    fn planes(
        &self,
        wanted: Wanted,
        needed_by: impl Fn(&Ask) -> Option<Wanted>,
        read: impl FnOnce(Wanted) -> Result<Option<Reduced>, Error>,
    ) -> Result<Option<(Reduced, u32)>, Error> {
        let Some(sibling) = self.sibling else {
            return Ok(read(wanted)?.map(|reduced| (reduced, 0)));
        };
        let read = |wanted| Ok(read(wanted)?.map(|reduced| Content::Planes(Arc::new(reduced))));
        let found = sibling.decoded(self.source, wanted, needed_by, read, self.deadline)?;
        Ok(found.and_then(|(content, is_more)| match content {
            Content::Planes(reduced) => {
                let decoded_as = if is_more { sizes(&reduced.planes) } else { 0 };
                Some((Arc::unwrap_or_clone(reduced), decoded_as))
            }
            Content::Still(_) => None,
        }))
    }

    /// What another rendering of this source needs of it.
    fn needed_by(&self, ask: &Ask) -> Option<Wanted> {
        let exif = marks::exif(self.source).filter(|_| !ask.transform.ignore_orientation);
        let orientation = exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
        let stored = Size { width: self.header.width, height: self.header.height };
        let seen = if orient::turns(orientation) { stored.turned() } else { stored };
        let plan = bounded(planned(seen, &ask.transform), self.limits).ok()?;
        let chroma = super::chroma_of(ask.transform.format);
        Some(self.wanted(&plan, orientation, ask.is_careful, chroma))
    }

    /// The fewest samples of the stored picture that give the planned part at its size.
    fn wanted(&self, plan: &Plan, orientation: Orientation, is_careful: bool, chroma: Chroma) -> Wanted {
        let (factor, light) =
            if is_careful { (CAREFUL_FACTOR, Light::Linear) } else { (FAST_FACTOR, Light::Coded) };
        let across = f64::from(plan.scaled.width) / plan.used.width;
        let down = f64::from(plan.scaled.height) / plan.used.height;
        let (across, down) = if orient::turns(orientation) { (down, across) } else { (across, down) };
        let size = Least {
            width: f64::from(self.header.width) * across,
            height: f64::from(self.header.height) * down,
        };
        Wanted::for_size(size, factor, chroma, light)
    }

    fn frames(&self, next: &mut dyn FnMut(Canvas, u32, &About) -> Result<(), Error>) -> Result<About, Error> {
        let options = Options {
            frames: self.frames,
            page: self.transform.page.unwrap_or(0),
            size: self.drawn(),
            workers: self.workers,
        };
        let decoded = decode::decode(self.source, self.header, self.limits, self.deadline, &options)?;
        let Decoded { frames, loop_count, orientation, profile, cicp, exif, .. } = decoded;
        let orientation = self.orientation(Some(orientation));
        let profile = profile.or_else(|| profile_of(cicp));
        let mut about = About { profile, exif, loop_count, ..About::default() };
        let mut placed: Option<Placed> = None;
        for frame in frames {
            self.deadline.check()?;
            let FrameOf { frame, delay_ms } = match frame {
                Ok(frame) => frame,
                // what has come of an animation is shown, as browsers do
                Err(Error::Undecodable { reason }) if placed.is_some() => {
                    tracing::debug!(reason, "an animation ends early");
                    break;
                }
                Err(error) => return Err(error),
            };
            let place = match &placed {
                Some(place) => place,
                None => placed.insert(self.placed(&frame, orientation, &mut about)?),
            };
            next(self.taken(place, &frame)?, delay_ms, &about)?;
        }
        Ok(about)
    }

    fn taken(&self, place: &Placed, frame: &Frame) -> Result<Canvas, Error> {
        let frame = place.take(frame, self.is_careful, self.deadline)?;
        Ok(Canvas::Frame(match self.sharpens {
            true => sharpen::after_reduction(frame, reduction(&place.plan)),
            false => frame,
        }))
    }

    /// Size that a vector picture is drawn at, so that it need not be scaled after it.
    fn drawn(&self) -> Option<(u32, u32)> {
        if self.header.format != SourceFormat::Svg || self.looks_for_margins() {
            return None;
        }
        let source = Size { width: self.header.width, height: self.header.height };
        let plan = self.plan(source).ok()?;
        let drawn = |side: u32, scaled: u32, used: f64| {
            let length = (f64::from(side) * f64::from(scaled) / used).round();
            let most = f64::from(self.limits.side_max);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "held to 1..=side_max"
            )]
            let length = length.clamp(1.0, most) as u32;
            length
        };
        Some((
            drawn(source.width, plan.scaled.width, plan.used.width),
            drawn(source.height, plan.scaled.height, plan.used.height),
        ))
    }

    /// Where the used part of every frame lies, as the first one shows.
    fn placed(&self, first: &Frame, orientation: Orientation, about: &mut About) -> Result<Placed, Error> {
        let stored = Size { width: self.header.width, height: self.header.height };
        let seen = if orient::turns(orientation) { stored.turned() } else { stored };
        let inner = match self.transform.trim {
            Some(Trim::Margins { tolerance, colour, equal_horizontal, equal_vertical }) => {
                let margins = Margins {
                    colour: colour.map(|colour| wish::paint(Some(colour))),
                    tolerance,
                    equal_horizontal,
                    equal_vertical,
                    keep: 0,
                };
                let upright = orient::orient(first.clone(), orientation)?;
                trim::find(&upright, &margins)
            }
            _ => None,
        };
        let plan = match inner {
            Some(inner) => self.bounded(self.within(seen, inner))?,
            None => self.plan(seen)?,
        };
        let plan = if plan.search.is_some() {
            let look = smart::reduced(first).map(|look| orient::orient(look, orientation)).transpose()?;
            plan.decided(look.as_ref())
        } else {
            plan
        };
        (about.seen, about.canvas) = (Some(seen), Some(plan.canvas));
        Ok(Placed { plan: plan.turned_back(orientation), orientation })
    }

    fn orientation(&self, named: Option<Orientation>) -> Orientation {
        named.filter(|_| !self.transform.ignore_orientation).unwrap_or(Orientation::NoTransforms)
    }

    /// Whether margins have to be looked for in the whole picture.
    fn looks_for_margins(&self) -> bool {
        matches!(self.transform.trim, Some(Trim::Margins { .. }))
    }

    fn plan(&self, seen: Size) -> Result<Plan, Error> {
        self.bounded(planned(seen, self.transform))
    }

    fn within(&self, seen: Size, inner: Rect) -> Plan {
        plan_within(seen, inner, self.transform)
    }

    fn bounded(&self, plan: Plan) -> Result<Plan, Error> {
        bounded(plan, self.limits)
    }
}

/// Plans a picture of the size `seen`.
pub(super) fn planned(seen: Size, transform: &Transform) -> Plan {
    let inner = match transform.trim {
        Some(Trim::Sides(sides)) => wish::sides(sides).inside(seen),
        _ => None,
    };
    match inner {
        Some(inner) => plan_within(seen, inner, transform),
        None => on_canvas(plan::plan(seen, &wish::wish(transform, seen)), transform),
    }
}

/// The plan with the canvas of fits that fill up what is left of the box, or of its shape.
fn on_canvas(plan: Plan, transform: &Transform) -> Plan {
    let (width, height) =
        (transform.width.unwrap_or(plan.canvas.width), transform.height.unwrap_or(plan.canvas.height));
    let canvas = match transform.fit {
        Fit::CropExtend => {
            Size { width: width.max(plan.scaled.width), height: height.max(plan.scaled.height) }
        }
        Fit::ExtendShape => {
            let Size { width: wide, height: high } = plan.scaled;
            let along = |side: u32, own: u32, other: u32| {
                let side = u64::from(side) * u64::from(own) / u64::from(other.max(1));
                u32::try_from(side).unwrap_or(u32::MAX)
            };
            Size { width: wide.max(along(high, width, height)), height: high.max(along(wide, height, width)) }
        }
        _ => return plan,
    };
    Plan { canvas, ..plan }
}

/// The plan for a part of a picture, in the coordinates of the whole.
fn plan_within(seen: Size, inner: Rect, transform: &Transform) -> Plan {
    let part = Size { width: inner.width, height: inner.height };
    let plan = on_canvas(plan::plan(part, &wish::wish(transform, part)), transform);
    let moved = |area: Area| Area { x: area.x + f64::from(inner.x), y: area.y + f64::from(inner.y), ..area };
    let search = plan.search.map(|search| plan::Search { within: moved(search.within), ..search });
    Plan { source: seen, used: moved(plan.used), search, ..plan }
}

/// The plan, if its result may be made.
///
/// # Errors
/// `SideTooLong`, `TooManyPixels`.
pub(super) fn bounded(plan: Plan, limits: &Limits) -> Result<Plan, Error> {
    let source = u64::from(plan.source.width) * u64::from(plan.source.height);
    limits.check_result(plan.canvas.width, plan.canvas.height, source)?;
    limits.check_result(plan.scaled.width, plan.scaled.height, source)?;
    Ok(plan)
}

/// The profile of a colour space that is named by code points.
fn profile_of(cicp: Option<Cicp>) -> Option<Vec<u8>> {
    cicp.and_then(|cicp| colour::of_code_points(cicp.primaries, cicp.transfer))
}

/// How many times smaller a side becomes.
fn reduction(plan: &Plan) -> f32 {
    let across = plan.used.width / f64::from(plan.scaled.width);
    let down = plan.used.height / f64::from(plan.scaled.height);
    #[expect(clippy::cast_possible_truncation, reason = "a factor for a strength: seven digits are plenty")]
    let factor = across.min(down) as f32;
    factor
}

/// What is taken of each frame, as stored.
struct Placed {
    plan: Plan,
    orientation: Orientation,
}

impl Placed {
    fn take(&self, frame: &Frame, is_careful: bool, deadline: &Deadline) -> Result<Frame, Error> {
        let Plan { source, used, scaled, .. } = self.plan;
        // a vector picture may have been drawn at another size than it names
        let (x, y) = (
            f64::from(frame.width) / f64::from(source.width),
            f64::from(frame.height) / f64::from(source.height),
        );
        let area = Area { x: used.x * x, y: used.y * y, width: used.width * x, height: used.height * y };
        let (wide, high) = (f64::from(scaled.width), f64::from(scaled.height));
        let reduces = wide <= area.width && high <= area.height && (wide, high) != (area.width, area.height);
        let frame = if is_careful && reduces {
            light::scale(frame, area, scaled, deadline)?
        } else {
            scale::scale(frame, area, scaled, deadline)?
        };
        orient::orient(frame, self.orientation)
    }
}

/// A small version of the whole picture, upright, for looking at only.
///
/// # Errors
/// As [`Reading::pictures`].
pub(super) fn glimpse(
    source: &[u8],
    header: &Header,
    settings: &Settings,
    deadline: &Deadline,
    side: u32,
) -> Result<(Frame, About), Error> {
    let transform = Transform { width: Some(side), height: Some(side), still: true, ..Transform::default() };
    let reading = Reading {
        source,
        header,
        transform: &transform,
        limits: &settings.limits,
        deadline,
        is_careful: false,
        sharpens: false,
        chroma: Chroma::Full,
        frames: decode::Wanted::First,
        sibling: None,
        workers: settings.workers.as_deref(),
    };
    let mut found = None;
    let about = reading.pictures(&mut |picture, _, _| {
        found = Some(picture.into_frame()?);
        Ok(())
    })?;
    let frame = found.ok_or(Error::Undecodable { reason: "it has no frames" })?;
    Ok((colour::to_srgb(frame, about.profile.as_deref()), about))
}

/// Frames of a watermark: its first, with its own size.
///
/// # Errors
/// As [`decode::decode`].
pub(super) fn mark(
    source: &[u8],
    header: &Header,
    settings: &Settings,
    deadline: &Deadline,
) -> Result<Frame, Error> {
    let options = Options { workers: settings.workers.as_deref(), ..Options::default() };
    let decoded = decode::decode(source, header, &settings.limits, deadline, &options)?;
    let (orientation, profile) = (decoded.orientation, decoded.profile.clone());
    let frame = orient::orient(decoded.first()?, orientation)?;
    Ok(colour::to_srgb(frame, profile.as_deref()))
}

/// One number for the longer sides of luma and chroma, at most 65 535 each in a JPEG; not 0.
fn sizes(planes: &Planes) -> u32 {
    let side = |plane: &Plane| plane.width.max(plane.height);
    let chroma = planes.chroma.as_ref().map_or(0, |[blue, _]| side(blue));
    side(&planes.luma).max(1) | chroma << 16
}
