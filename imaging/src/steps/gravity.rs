//! Where a smaller rectangle lies in a larger one: by compass, by a point, or by what the picture shows.

use super::scale::Area;
use super::smart;
use crate::frame::Frame;

/// A distance along a side. Negative ones point the other way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Length {
    /// Pixels.
    Pixels(f64),
    /// Share of the side, 1 is all of it.
    Share(f64),
}

impl Length {
    /// Nothing.
    pub(crate) const ZERO: Self = Self::Pixels(0.0);

    /// Pixels of a side that is `side` long; 0 for what is no number.
    pub(crate) fn of(self, side: f64) -> f64 {
        let length = match self {
            Self::Pixels(pixels) => pixels,
            Self::Share(share) => share * side,
        };
        if length.is_finite() { length } else { 0.0 }
    }
}

/// Nine places in a rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Compass {
    /// The middle.
    #[default]
    Center,
    /// The middle of the upper side.
    Top,
    /// The upper right corner.
    TopRight,
    /// The middle of the right side.
    Right,
    /// The lower right corner.
    BottomRight,
    /// The middle of the lower side.
    Bottom,
    /// The lower left corner.
    BottomLeft,
    /// The middle of the left side.
    Left,
    /// The upper left corner.
    TopLeft,
}

impl Compass {
    /// Shares of the free room that lie left of and above what is placed: 0, 0.5 or 1.
    pub(crate) fn shares(self) -> (f64, f64) {
        let x = match self {
            Self::TopLeft | Self::Left | Self::BottomLeft => 0.0,
            Self::Top | Self::Center | Self::Bottom => 0.5,
            Self::TopRight | Self::Right | Self::BottomRight => 1.0,
        };
        let y = match self {
            Self::TopLeft | Self::Top | Self::TopRight => 0.0,
            Self::Left | Self::Center | Self::Right => 0.5,
            Self::BottomLeft | Self::Bottom | Self::BottomRight => 1.0,
        };
        (x, y)
    }

    /// Whole pixels from the upper left corner of a rectangle to that of another, which may be larger. Offsets move it away
    /// from the edges named, at the middle right and down. An odd rest goes right and below.
    pub(crate) fn pixels(self, outer: (u32, u32), inner: (u32, u32), offset: (Length, Length)) -> (i64, i64) {
        let along = |share: f64, outer: u32, inner: u32, offset: Length| {
            let room = f64::from(outer) - f64::from(inner);
            whole((share * room).floor() + inwards(share, offset.of(f64::from(outer)).round()))
        };
        let (x, y) = self.shares();
        (along(x, outer.0, inner.0, offset.0), along(y, outer.1, inner.1, offset.1))
    }
}

/// What decides where a window lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Gravity {
    /// A place, moved away from the edges that it names; at the middle right and down.
    Compass(Compass, Length, Length),
    /// A point as shares of the sides, 0 to 1, that is to be in the middle.
    Focus(f64, f64),
    /// What catches the eye: edges, strong colours, skin.
    Attention,
    /// Where most is going on.
    Entropy,
}

impl Default for Gravity {
    fn default() -> Self {
        Self::at(Compass::Center)
    }
}

impl Gravity {
    /// A place without offsets.
    pub(crate) fn at(compass: Compass) -> Self {
        Self::Compass(compass, Length::ZERO, Length::ZERO)
    }

    /// Whether the picture has to be looked at.
    pub(crate) fn looks(self) -> bool {
        matches!(self, Self::Attention | Self::Entropy)
    }
}

/// Upper left corner of a window of the size `window` in a rectangle of the size `source`, both as (width, height) in
/// pixels. The window never sticks out; one that is larger begins at the corner. `frame` shows all of the rectangle, at
/// whatever scale; without it a gravity that looks is the middle.
pub(crate) fn place(
    gravity: Gravity,
    source: (f64, f64),
    window: (f64, f64),
    frame: Option<&Frame>,
) -> (f64, f64) {
    let room = ((source.0 - window.0).max(0.0), (source.1 - window.1).max(0.0));
    let (x, y) = match gravity {
        Gravity::Compass(compass, x, y) => {
            let shares = compass.shares();
            let x = shares.0 * room.0 + inwards(shares.0, x.of(source.0));
            (x, shares.1 * room.1 + inwards(shares.1, y.of(source.1)))
        }
        Gravity::Focus(x, y) => {
            let middle = |share: f64, side: f64, window: f64| {
                let share = if share.is_finite() { share } else { 0.5 };
                share * side - window / 2.0
            };
            (middle(x, source.0, window.0), middle(y, source.1, window.1))
        }
        Gravity::Attention | Gravity::Entropy => {
            let window = (window.0 / source.0, window.1 / source.1);
            let found = frame.and_then(|frame| smart::find(gravity, frame, Area::whole(frame), window));
            let (x, y) = found.unwrap_or((0.5, 0.5));
            (x * room.0, y * room.1)
        }
    };
    (x.clamp(0.0, room.0), y.clamp(0.0, room.1))
}

/// An offset as seen from the left or the top.
fn inwards(share: f64, offset: f64) -> f64 {
    if share > 0.5 { -offset } else { offset }
}

fn whole(pixels: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole, and what does not fit is far outside of any picture"
    )]
    let pixels = pixels as i64;
    pixels
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::steps::specimen::gravities;

    const ALL: [Compass; 9] = [
        Compass::TopLeft,
        Compass::Top,
        Compass::TopRight,
        Compass::Left,
        Compass::Center,
        Compass::Right,
        Compass::BottomLeft,
        Compass::Bottom,
        Compass::BottomRight,
    ];

    #[test]
    fn nine_places() {
        let found = ALL.map(|compass| place(Gravity::at(compass), (100.0, 50.0), (40.0, 20.0), None));
        let rows = [0.0, 15.0, 30.0].map(|y| [(0.0, y), (30.0, y), (60.0, y)]);
        assert_eq!(found, *rows.as_flattened());
        let found = ALL.map(|compass| compass.pixels((10, 5), (3, 2), (Length::ZERO, Length::ZERO)));
        let rows = [0, 1, 3].map(|y| [(0, y), (3, y), (7, y)]);
        assert_eq!(found, *rows.as_flattened());
    }

    #[test]
    fn offsets_point_inwards() {
        let (x, y) = (Length::Pixels(5.0), Length::Share(0.1));
        let found =
            ALL.map(|compass| place(Gravity::Compass(compass, x, y), (100.0, 50.0), (40.0, 20.0), None));
        let rows = [5.0, 20.0, 25.0].map(|y| [(5.0, y), (35.0, y), (55.0, y)]);
        assert_eq!(found, *rows.as_flattened());
        // a mark may lie outside, a window may not
        let outside = Length::Pixels(-20.0);
        assert_eq!(Compass::BottomRight.pixels((10, 10), (4, 4), (outside, Length::ZERO)), (26, 6));
        assert_eq!(Compass::Center.pixels((3, 3), (6, 6), (Length::ZERO, Length::ZERO)), (-2, -2));
        let gravity = Gravity::Compass(Compass::Top, outside, outside);
        assert_eq!(place(gravity, (10.0, 10.0), (4.0, 4.0), None), (0.0, 0.0));
    }

    #[test]
    fn a_focus_is_in_the_middle_as_far_as_there_is_room() {
        for (focus, corner) in [
            ((0.5, 0.5), (30.0, 15.0)),
            ((0.25, 0.4), (5.0, 10.0)),
            ((0.0, 1.0), (0.0, 30.0)),
            ((7.0, -7.0), (60.0, 0.0)),
            ((f64::NAN, f64::INFINITY), (30.0, 15.0)),
        ] {
            let found = place(Gravity::Focus(focus.0, focus.1), (100.0, 50.0), (40.0, 20.0), None);
            assert_eq!(found, corner, "{focus:?}");
        }
    }

    #[test]
    fn without_a_picture_to_look_at_the_middle_is_taken() {
        for gravity in [Gravity::Attention, Gravity::Entropy] {
            assert_eq!(place(gravity, (100.0, 50.0), (40.0, 20.0), None), (30.0, 15.0));
        }
    }

    proptest! {
        #[test]
        fn a_window_never_sticks_out(
            gravity in gravities(),
            source in (1.0..9_000.0_f64, 1.0..9_000.0_f64),
            share in (0.01..=1.0_f64, 0.01..=1.0_f64),
        ) {
            let window = (source.0 * share.0, source.1 * share.1);
            let (x, y) = place(gravity, source, window, None);
            prop_assert!(x >= 0.0 && x + window.0 <= source.0 + 1e-9, "{} of {:?}", x, source);
            prop_assert!(y >= 0.0 && y + window.1 <= source.1 + 1e-9, "{} of {:?}", y, source);
        }
    }
}
