//! Sizes and places that a URL gives in the axes of the result, in the axes before its quarter turns.
//!
//! Most services mean by a width that of the result; a [`Transform`] is sized before it is turned.

use crate::transform::{Compass, Gravity, Length, Milli, Transform};

/// Quarter turns clockwise, 0 to 3; none for other angles.
pub(super) fn quarters(rotate: Milli) -> Option<u32> {
    const QUARTER: u32 = 90_000;
    rotate.0.is_multiple_of(QUARTER).then_some(rotate.0 / QUARTER % 4)
}

/// Exchanges the sides of the box where the picture ends on its side. Its own inverse.
pub(super) fn box_before(all: &mut Transform) {
    if quarters(all.rotate).is_none_or(|quarters| quarters % 2 == 0) {
        return;
    }
    std::mem::swap(&mut all.width, &mut all.height);
    std::mem::swap(&mut all.min_width, &mut all.min_height);
    all.aspect = all.aspect.map(|(wide, high)| (high, wide));
    all.zoom = all.zoom.map(|(x, y)| (y, x));
}

/// A place in the result, found before the picture was turned by quarters.
pub(super) fn before_turn(gravity: Gravity, quarters: u32) -> Gravity {
    (0..quarters % 4).fold(gravity, |gravity, _| before_quarter(gravity))
}

/// What lies left after a quarter turn clockwise lay below.
fn before_quarter(gravity: Gravity) -> Gravity {
    match gravity {
        Gravity::Compass(compass, x, y) => {
            let before = match compass {
                Compass::Center => Compass::Center,
                Compass::Top => Compass::Left,
                Compass::TopRight => Compass::TopLeft,
                Compass::Right => Compass::Top,
                Compass::BottomRight => Compass::TopRight,
                Compass::Bottom => Compass::Right,
                Compass::BottomLeft => Compass::BottomRight,
                Compass::Left => Compass::Bottom,
                Compass::TopLeft => Compass::BottomLeft,
            };
            // offsets point inwards from an edge; without one to the right, which was upwards
            let x = if has_side(compass) { x } else { negative(x) };
            Gravity::Compass(before, y, x)
        }
        Gravity::Focus(x, y) => Gravity::Focus(y, Milli(1_000_u32.saturating_sub(x.0))),
        Gravity::Attention | Gravity::Entropy => gravity,
    }
}

/// A place in the result, found before the picture was flipped.
pub(super) fn before_flips(gravity: Gravity, horizontal: bool, vertical: bool) -> Gravity {
    let gravity = if horizontal { before_flip(gravity) } else { gravity };
    if !vertical {
        return gravity;
    }
    // upside down is a half turn of the mirror image
    before_flip(before_turn(gravity, 2))
}

fn before_flip(gravity: Gravity) -> Gravity {
    match gravity {
        Gravity::Compass(compass, x, y) => {
            let before = match compass {
                Compass::TopRight => Compass::TopLeft,
                Compass::Right => Compass::Left,
                Compass::BottomRight => Compass::BottomLeft,
                Compass::TopLeft => Compass::TopRight,
                Compass::Left => Compass::Right,
                Compass::BottomLeft => Compass::BottomRight,
                Compass::Center | Compass::Top | Compass::Bottom => compass,
            };
            Gravity::Compass(before, if has_side(compass) { x } else { negative(x) }, y)
        }
        Gravity::Focus(x, y) => Gravity::Focus(Milli(1_000_u32.saturating_sub(x.0)), y),
        Gravity::Attention | Gravity::Entropy => gravity,
    }
}

fn has_side(compass: Compass) -> bool {
    !matches!(compass, Compass::Center | Compass::Top | Compass::Bottom)
}

fn negative(length: Length) -> Length {
    match length {
        Length::Pixels(pixels) => Length::Pixels(-pixels),
        Length::Share(thousandths) => Length::Share(-thousandths),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn place() -> impl Strategy<Value = Gravity> {
        let length = || prop_oneof![(-50..50).prop_map(Length::Pixels), (-50..50).prop_map(Length::Share)];
        prop_oneof![
            (select(Compass::ALL.to_vec()), length(), length())
                .prop_map(|(c, x, y)| Gravity::Compass(c, x, y)),
            (0..=1_000_u32, 0..=1_000_u32).prop_map(|(x, y)| Gravity::Focus(Milli(x), Milli(y))),
            Just(Gravity::Entropy),
        ]
    }

    /// Where the middle of what stays lies, as shares of the free room and of a picture 1000 by 1000.
    fn point(gravity: Gravity) -> (f64, f64) {
        match gravity {
            Gravity::Compass(compass, x, y) => {
                let (left, top) = compass.shares();
                let inwards = |share: f64, length: Length| {
                    if share > 0.75 { -length.of(1_000.0) } else { length.of(1_000.0) }
                };
                (left * 1_000.0 + inwards(left, x), top * 1_000.0 + inwards(top, y))
            }
            Gravity::Focus(x, y) => (f64::from(x.0), f64::from(y.0)),
            Gravity::Attention | Gravity::Entropy => (0.0, 0.0),
        }
    }

    proptest! {
        #[test]
        fn a_place_is_found_where_it_came_from(gravity in place().prop_filter("a point", |g| *g != Gravity::Entropy)) {
            let (x, y) = point(gravity);
            let (before_x, before_y) = point(before_quarter(gravity));
            // clockwise: a point (bx, by) comes to (1000 - by, bx)
            prop_assert!((1_000.0 - before_y - x).abs() < 1e-6 && (before_x - y).abs() < 1e-6);
            let (mirrored_x, mirrored_y) = point(before_flip(gravity));
            prop_assert!((1_000.0 - mirrored_x - x).abs() < 1e-6 && (mirrored_y - y).abs() < 1e-6);
            let (upset_x, upset_y) = point(before_flips(gravity, false, true));
            prop_assert!((upset_x - x).abs() < 1e-6 && (1_000.0 - upset_y - y).abs() < 1e-6);
        }

        #[test]
        fn four_quarters_and_two_flips_are_none(gravity in place()) {
            prop_assert_eq!(before_turn(before_turn(gravity, 3), 1), gravity);
            prop_assert_eq!(before_flips(before_flips(gravity, true, true), true, true), gravity);
        }
    }
}
