//! What a transform asks of the steps, in their own terms.

use crate::steps::corners::Corners as RoundTo;
use crate::steps::crop::Sides as Pixels;
use crate::steps::geometry::Size;
use crate::steps::gravity::{Compass as Point, Gravity as Pull, Length as Distance};
use crate::steps::paint::Rgba;
use crate::steps::plan::{Crop as Cut, CropPlace as CutPlace, Enlarge, Fit as Way, Wish};
use crate::steps::sharpen::Unsharp as Mask;
use crate::steps::text::Text as Line;
use crate::steps::tone::Tone;
use crate::steps::watermark::{Placement, Spot as Lies};
use crate::transform::{
    Compass, Corners, Crop, CropPlace, Fit, Gravity, Length, Look, Milli, Rgb, Sides, Spot, Text, Transform,
    Unsharp, Watermark,
};

/// Sizes and places, of a source that is seen at this size.
pub(super) fn wish(all: &Transform, seen: Size) -> Wish {
    let (fit, enlarge) = fit(all.fit);
    Wish {
        width: all.width,
        height: all.height,
        min_width: all.min_width,
        min_height: all.min_height,
        fit,
        enlarge,
        zoom: all.zoom.map_or((1.0, 1.0), |(x, y)| (x.as_f64(), y.as_f64())),
        aspect: all.aspect,
        crop: all.crop.map(|part| crop(part, seen)),
        gravity: gravity(all.gravity),
    }
}

const fn fit(fit: Fit) -> (Way, Enlarge) {
    match fit {
        Fit::Contain => (Way::Contain, Enlarge::ByFit),
        Fit::ScaleDown => (Way::ScaleDown, Enlarge::ByFit),
        Fit::ScaleUp => (Way::ScaleUp, Enlarge::ByFit),
        Fit::Cover => (Way::Cover, Enlarge::ByFit),
        Fit::Crop => (Way::Crop, Enlarge::ByFit),
        Fit::CoverDown => (Way::FillDown, Enlarge::ByFit),
        Fit::Turned => (Way::Auto, Enlarge::Never),
        Fit::Pad => (Way::Pad, Enlarge::ByFit),
        Fit::Extend => (Way::Pad, Enlarge::Never),
        Fit::Squeeze => (Way::Squeeze, Enlarge::ByFit),
        Fit::Outside => (Way::Outside, Enlarge::ByFit),
        Fit::OutsideDown => (Way::Outside, Enlarge::Never),
        Fit::SqueezeDown => (Way::Squeeze, Enlarge::Never),
        Fit::CropExtend => (Way::Crop, Enlarge::ByFit),
        Fit::ExtendShape => (Way::ScaleDown, Enlarge::ByFit),
    }
}

fn crop(crop: Crop, seen: Size) -> Cut {
    let place = match crop.place {
        CropPlace::At(x, y) => CutPlace::At(length(x), length(y)),
        CropPlace::By(pull) => CutPlace::By(gravity(pull)),
    };
    let (width, height) = (length(crop.width), length(crop.height));
    let Some((wide, high)) = crop.aspect else { return Cut { width, height, place } };
    // the largest of that shape within the part that is named
    let whole = |length: Distance, side: u32| {
        let length = length.of(f64::from(side)).min(f64::from(side));
        if length > 0.0 { length } else { f64::from(side) }
    };
    let (width, height) = (whole(width, seen.width), whole(height, seen.height));
    let shape = f64::from(wide) / f64::from(high);
    let (width, height) = (width.min(height * shape), height.min(width / shape));
    Cut { width: Distance::Pixels(width), height: Distance::Pixels(height), place }
}

fn length(length: Length) -> Distance {
    match length {
        Length::Pixels(pixels) => Distance::Pixels(f64::from(pixels)),
        Length::Share(thousandths) => Distance::Share(f64::from(thousandths) / 1_000.0),
    }
}

pub(super) fn gravity(gravity: Gravity) -> Pull {
    match gravity {
        Gravity::Compass(compass, x, y) => Pull::Compass(point(compass), length(x), length(y)),
        Gravity::Focus(x, y) => Pull::Focus(x.as_f64(), y.as_f64()),
        Gravity::Attention => Pull::Attention,
        Gravity::Entropy => Pull::Entropy,
    }
}

/// Where a picture lies on a larger canvas: its place and the offsets from it.
pub(super) fn anchor(gravity: Gravity) -> (Point, (Distance, Distance)) {
    match gravity {
        Gravity::Compass(compass, x, y) => (point(compass), (length(x), length(y))),
        Gravity::Focus(..) | Gravity::Attention | Gravity::Entropy => {
            (Point::Center, (Distance::ZERO, Distance::ZERO))
        }
    }
}

const fn point(compass: Compass) -> Point {
    match compass {
        Compass::Center => Point::Center,
        Compass::Top => Point::Top,
        Compass::TopRight => Point::TopRight,
        Compass::Right => Point::Right,
        Compass::BottomRight => Point::BottomRight,
        Compass::Bottom => Point::Bottom,
        Compass::BottomLeft => Point::BottomLeft,
        Compass::Left => Point::Left,
        Compass::TopLeft => Point::TopLeft,
    }
}

pub(super) const fn sides(sides: Sides) -> Pixels {
    let Sides { top, right, bottom, left } = sides;
    Pixels { top, right, bottom, left }
}

pub(super) fn corners(corners: Corners) -> RoundTo {
    match corners {
        Corners::Radius(radius) => RoundTo::Radius(f64::from(radius)),
        Corners::Max => RoundTo::Max,
    }
}

/// An opaque colour, or nothing.
pub(super) fn paint(colour: Option<Rgb>) -> Rgba {
    colour.map_or(Rgba::TRANSPARENT, |Rgb { red, green, blue }| Rgba { red, green, blue, alpha: 255 })
}

pub(super) fn tone(look: &Look) -> Tone {
    Tone {
        brightness: single(look.brightness),
        contrast: single(look.contrast),
        gamma: single(look.gamma),
        saturation: single(look.saturation),
    }
}

pub(super) fn mask(mask: Unsharp) -> Mask {
    Mask { sigma: single(mask.radius), amount: single(mask.amount), threshold: mask.threshold }
}

pub(super) fn placement(mark: &Watermark) -> Placement {
    placed(mark.spot, (mark.x, mark.y), mark.scale.as_f64(), single(mark.opacity))
}

pub(super) fn line(text: &Text) -> Line<'_> {
    Line {
        text: &text.text,
        size: f32::from(u16::try_from(text.size).unwrap_or(u16::MAX)),
        colour: paint(Some(text.colour)),
        placement: placed(text.spot, (text.x, text.y), 0.0, single(text.opacity)),
    }
}

fn placed(spot: Spot, (x, y): (Length, Length), scale: f64, opacity: f32) -> Placement {
    let spot = match spot {
        Spot::At(compass) => Lies::At(point(compass)),
        Spot::Tiled => Lies::Tiled,
    };
    Placement { spot, x: length(x), y: length(y), scale, opacity }
}

/// Thousandths below four million are exact enough in single precision.
pub(super) fn single(number: Milli) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "a factor or a radius: seven digits are plenty")]
    let number = number.as_f64() as f32;
    number
}
