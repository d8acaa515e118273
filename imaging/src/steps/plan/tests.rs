//! Sizes for every fit, places for every gravity, and orientations.

use proptest::prelude::*;

use super::*;
use crate::Deadline;
use crate::frame::Layout;
use crate::steps::gravity::Compass;
use crate::steps::orient::orient;
use crate::steps::scale::scale;
use crate::steps::specimen::{counting, frames, gravities, of};

const SOURCE: (u32, u32) = (400, 300);

fn size((width, height): (u32, u32)) -> Size {
    Size { width, height }
}

fn of_box(fit: Fit, width: u32, height: u32) -> Wish {
    let side = |side| (side > 0).then_some(side);
    Wish { width: side(width), height: side(height), fit, ..Wish::default() }
}

fn sizes_of(source: (u32, u32), wish: &Wish) -> ((u32, u32), (u32, u32)) {
    let plan = plan(size(source), wish);
    ((plan.scaled.width, plan.scaled.height), (plan.canvas.width, plan.canvas.height))
}

fn used(source: (u32, u32), wish: &Wish) -> [f64; 4] {
    let Area { x, y, width, height } = plan(size(source), wish).used;
    [x, y, width, height]
}

#[test]
fn the_table_of_fits() {
    use Fit::{Auto, Contain, Cover, Crop, FillDown, Outside, Pad, ScaleDown, ScaleUp, Squeeze};
    for (fit, width, height, wanted) in [
        // smaller than the source
        (Contain, 200, 200, (200, 150)),
        (ScaleDown, 200, 200, (200, 150)),
        (ScaleUp, 200, 200, (400, 300)),
        (Cover, 100, 100, (100, 100)),
        (Crop, 100, 100, (100, 100)),
        (FillDown, 100, 100, (100, 100)),
        (Squeeze, 100, 200, (100, 200)),
        (Outside, 200, 200, (267, 200)),
        // larger than the source
        (Contain, 800, 900, (800, 600)),
        (ScaleDown, 800, 900, (400, 300)),
        (ScaleUp, 800, 900, (800, 600)),
        (Cover, 1000, 1000, (1000, 1000)),
        (Crop, 1000, 1000, (400, 300)),
        (FillDown, 1000, 1000, (300, 300)),
        (FillDown, 1600, 900, (400, 225)),
        (Squeeze, 800, 900, (800, 900)),
        (Outside, 800, 900, (1200, 900)),
        // larger one way only
        (Contain, 800, 30, (40, 30)),
        (Cover, 800, 30, (800, 30)),
        (Crop, 800, 30, (400, 30)),
        (FillDown, 800, 30, (400, 15)),
        (Crop, 200, 600, (200, 300)),
        (FillDown, 200, 600, (100, 300)),
        (Outside, 800, 30, (800, 600)),
        // of the same orientation it is filled, else it is inside
        (Auto, 200, 100, (200, 100)),
        (Auto, 100, 100, (100, 100)),
        (Auto, 100, 200, (100, 75)),
        (Auto, 1000, 900, (1000, 900)),
        // one side
        (Contain, 200, 0, (200, 150)),
        (ScaleDown, 0, 150, (200, 150)),
        (ScaleDown, 800, 0, (400, 300)),
        (ScaleUp, 200, 0, (400, 300)),
        (ScaleUp, 800, 0, (800, 600)),
        (Cover, 800, 0, (800, 600)),
        (Crop, 800, 0, (400, 300)),
        (FillDown, 0, 30, (40, 30)),
        (Auto, 0, 600, (800, 600)),
        (Squeeze, 800, 0, (800, 600)),
        (Outside, 0, 30, (40, 30)),
        (Pad, 800, 0, (800, 600)),
        // none
        (Cover, 0, 0, (400, 300)),
        (Pad, 0, 0, (400, 300)),
    ] {
        assert_eq!(
            sizes_of(SOURCE, &of_box(fit, width, height)),
            (wanted, wanted),
            "{fit:?} {width} × {height}"
        );
    }
}

#[test]
fn a_padded_picture_lies_on_the_box() {
    for (width, height, enlarge, scaled) in [
        (200, 200, Enlarge::ByFit, (200, 150)),
        (800, 800, Enlarge::ByFit, (800, 600)),
        (800, 800, Enlarge::Never, (400, 300)),
        (300, 30, Enlarge::ByFit, (40, 30)),
    ] {
        let wish = Wish { enlarge, ..of_box(Fit::Pad, width, height) };
        assert_eq!(sizes_of(SOURCE, &wish), (scaled, (width, height)), "{width} × {height} {enlarge:?}");
    }
}

#[test]
fn the_switch_overrides_the_fit() {
    for (fit, width, height, enlarge, wanted) in [
        (Fit::Contain, 800, 800, Enlarge::Never, (400, 300)),
        (Fit::ScaleDown, 800, 800, Enlarge::Always, (800, 600)),
        (Fit::Cover, 1000, 1000, Enlarge::Never, (400, 300)),
        (Fit::Crop, 1000, 1000, Enlarge::Always, (1000, 1000)),
        (Fit::FillDown, 1000, 1000, Enlarge::Always, (1000, 1000)),
        (Fit::Outside, 800, 900, Enlarge::Never, (400, 300)),
        (Fit::Auto, 1000, 1000, Enlarge::Never, (400, 300)),
        // the shape asked for is kept: 2 across and 3 down become 2/3 and 1
        (Fit::Squeeze, 800, 900, Enlarge::Never, (267, 300)),
        (Fit::Squeeze, 800, 30, Enlarge::Never, (400, 15)),
        (Fit::ScaleUp, 800, 800, Enlarge::Never, (400, 300)),
    ] {
        let wish = Wish { enlarge, ..of_box(fit, width, height) };
        assert_eq!(sizes_of(SOURCE, &wish).0, wanted, "{fit:?} {width} × {height} {enlarge:?}");
    }
}

#[test]
fn least_sides_are_reached_and_the_rest_cut() {
    let least = |wish: Wish, width: u32, height: u32| {
        let side = |side| (side > 0).then_some(side);
        Wish { min_width: side(width), min_height: side(height), ..wish }
    };
    let fit = |width, height| of_box(Fit::ScaleDown, width, height);
    for (wish, scaled, part) in [
        // 100 × 75 is raised to 267 × 200, of which 100 × 200 fit the box... one side of it is free
        (least(fit(100, 0), 0, 200), (100, 200), [125.0, 0.0, 150.0, 300.0]),
        (least(fit(100, 100), 0, 100), (100, 100), [50.0, 0.0, 300.0, 300.0]),
        (least(fit(100, 100), 200, 0), (100, 100), [100.0, 50.0, 200.0, 200.0]),
        // nothing to raise
        (least(fit(100, 100), 50, 75), (100, 75), [0.0, 0.0, 400.0, 300.0]),
        // enlarges all the same
        (least(fit(0, 0), 800, 0), (800, 600), [0.0, 0.0, 400.0, 300.0]),
        (least(fit(0, 0), 800, 900), (1200, 900), [0.0, 0.0, 400.0, 300.0]),
        // fits that cut nothing still do not
        (least(of_box(Fit::Outside, 100, 75), 200, 0), (200, 150), [0.0, 0.0, 400.0, 300.0]),
    ] {
        assert_eq!(sizes_of(SOURCE, &wish).0, scaled, "{wish:?}");
        let found = used(SOURCE, &wish);
        assert!(
            found.iter().zip(part).all(|(found, wanted)| (found - wanted).abs() < 1e-6),
            "{found:?} {wish:?}"
        );
    }
}

#[test]
fn zoom_multiplies_the_box() {
    let zoomed = |wish: Wish, zoom| Wish { zoom, ..wish };
    for (wish, wanted) in [
        (zoomed(of_box(Fit::Contain, 100, 100), (2.0, 2.0)), (200, 150)),
        (zoomed(of_box(Fit::Contain, 0, 0), (0.5, 0.5)), (200, 150)),
        (zoomed(of_box(Fit::Contain, 0, 0), (2.0, 1.0)), (800, 300)),
        (zoomed(of_box(Fit::ScaleDown, 0, 0), (2.0, 1.0)), (400, 150)),
        (zoomed(of_box(Fit::Cover, 100, 100), (1.5, 1.5)), (150, 150)),
        (zoomed(of_box(Fit::Cover, 100, 100), (0.0, f64::NAN)), (100, 100)),
    ] {
        assert_eq!(sizes_of(SOURCE, &wish).0, wanted, "{wish:?}");
    }
}

#[test]
fn an_aspect_gives_the_free_side() {
    let shaped = |wish: Wish, aspect| Wish { aspect: Some(aspect), ..wish };
    for (wish, scaled, canvas) in [
        (shaped(of_box(Fit::Cover, 100, 0), (1, 1)), (100, 100), (100, 100)),
        (shaped(of_box(Fit::Cover, 0, 90), (16, 9)), (160, 90), (160, 90)),
        (shaped(of_box(Fit::Contain, 100, 0), (2, 1)), (67, 50), (67, 50)),
        (shaped(of_box(Fit::Pad, 100, 0), (1, 1)), (100, 75), (100, 100)),
        // both given: nothing is free
        (shaped(of_box(Fit::Cover, 100, 50), (1, 1)), (100, 50), (100, 50)),
        // none given: as much of the source as has the shape
        (shaped(of_box(Fit::Cover, 0, 0), (1, 1)), (300, 300), (300, 300)),
        (shaped(of_box(Fit::Crop, 0, 0), (2, 1)), (400, 200), (400, 200)),
        (shaped(of_box(Fit::Pad, 0, 0), (1, 1)), (400, 300), (400, 400)),
        (shaped(of_box(Fit::Squeeze, 0, 0), (1, 1)), (300, 300), (300, 300)),
        (shaped(of_box(Fit::ScaleDown, 0, 0), (1, 1)), (400, 300), (400, 300)),
        (shaped(of_box(Fit::Cover, 100, 0), (0, 1)), (100, 75), (100, 75)),
    ] {
        assert_eq!(sizes_of(SOURCE, &wish), (scaled, canvas), "{wish:?}");
    }
}

#[test]
fn gravity_says_what_stays() {
    let cover = |gravity| Wish { gravity, ..of_box(Fit::Cover, 100, 100) };
    let offset = |compass, x, y| Gravity::Compass(compass, Length::Pixels(x), Length::Pixels(y));
    for (gravity, x) in [
        (Gravity::default(), 50.0),
        (Gravity::at(Compass::TopLeft), 0.0),
        (Gravity::at(Compass::Right), 100.0),
        // ten pixels of the result are thirty of the source
        (offset(Compass::Right, 10.0, 10.0), 70.0),
        (offset(Compass::Left, 10.0, 0.0), 30.0),
        (offset(Compass::Left, -10.0, 0.0), 0.0),
        (Gravity::Compass(Compass::Left, Length::Share(0.1), Length::ZERO), 40.0),
        (Gravity::Focus(0.5, 0.0), 50.0),
        (Gravity::Focus(0.4, 0.0), 10.0),
        (Gravity::Focus(0.9, 0.0), 100.0),
    ] {
        assert_eq!(used(SOURCE, &cover(gravity)), [x, 0.0, 300.0, 300.0], "{gravity:?}");
    }
}

#[test]
fn a_rectangle_of_the_source_comes_first() {
    let crop = |width, height, place| Wish { crop: Some(Crop { width, height, place }), ..Wish::default() };
    let at = |x, y| CropPlace::At(Length::Pixels(x), Length::Pixels(y));
    let (px, share) = (Length::Pixels, Length::Share);
    for (wish, part) in [
        (crop(px(100.0), px(50.0), at(10.0, 20.0)), [10.0, 20.0, 100.0, 50.0]),
        (crop(share(0.25), share(0.5), at(0.0, 0.0)), [0.0, 0.0, 100.0, 150.0]),
        (crop(px(100.0), px(50.0), CropPlace::At(share(0.5), share(0.5))), [200.0, 150.0, 100.0, 50.0]),
        (crop(px(0.0), px(50.0), at(10.0, 20.0)), [10.0, 20.0, 390.0, 50.0]),
        // what sticks out is cut off
        (crop(px(100.0), px(50.0), at(350.0, -20.0)), [350.0, 0.0, 50.0, 30.0]),
        (crop(px(100.0), px(50.0), at(900.0, 900.0)), [399.0, 299.0, 1.0, 1.0]),
        (crop(px(0.2), px(5_000.0), at(1.4, 0.0)), [1.0, 0.0, 1.0, 300.0]),
        // by gravity it stays inside
        (crop(px(100.0), px(50.0), CropPlace::By(Gravity::default())), [150.0, 125.0, 100.0, 50.0]),
        (crop(px(101.0), px(900.0), CropPlace::By(Gravity::at(Compass::Right))), [299.0, 0.0, 101.0, 300.0]),
        (crop(px(101.0), px(51.0), CropPlace::By(Gravity::default())), [150.0, 125.0, 101.0, 51.0]),
    ] {
        assert_eq!(used(SOURCE, &wish), part, "{wish:?}");
    }
}

#[test]
fn a_rectangle_is_then_fitted() {
    let place = CropPlace::At(Length::Pixels(100.0), Length::Pixels(100.0));
    let crop = Some(Crop { width: Length::Pixels(200.0), height: Length::Pixels(100.0), place });
    let wish = Wish { crop, gravity: Gravity::at(Compass::Right), ..of_box(Fit::Cover, 50, 50) };
    assert_eq!(used(SOURCE, &wish), [200.0, 100.0, 100.0, 100.0]);
    assert_eq!(sizes_of(SOURCE, &wish).0, (50, 50));
    // it is the source as far as enlarging goes
    let wish = Wish { crop, ..of_box(Fit::ScaleDown, 400, 400) };
    assert_eq!(sizes_of(SOURCE, &wish).0, (200, 100));
}

#[test]
fn what_lies_outside_can_be_told() {
    let at = |x, y| Crop {
        width: Length::Pixels(10.0),
        height: Length::Pixels(10.0),
        place: CropPlace::At(Length::Pixels(x), Length::Pixels(y)),
    };
    for (crop, touches) in [
        (at(0.0, 0.0), true),
        (at(399.0, 299.0), true),
        (at(400.0, 0.0), false),
        (at(0.0, 300.0), false),
        (at(-9.0, -9.0), true),
        (at(-10.0, 0.0), false),
        (Crop { place: CropPlace::By(Gravity::Attention), ..at(0.0, 0.0) }, true),
    ] {
        assert_eq!(crop.touches(size(SOURCE)), touches, "{crop:?}");
    }
}

#[test]
fn pixels_that_keep_their_size_are_not_split() {
    let wish = of_box(Fit::Crop, 101, 101);
    assert_eq!(used((101, 200), &wish), [0.0, 50.0, 101.0, 101.0]);
    let wish = Wish { aspect: Some((1, 1)), ..of_box(Fit::Crop, 0, 0) };
    assert_eq!(used((400, 301), &wish), [50.0, 0.0, 301.0, 301.0]);
}

#[test]
fn an_extreme_shape_does_not_overflow() {
    assert_eq!(sizes_of((1, 65_535), &of_box(Fit::Contain, 16_384, 0)).0, (16_384, 1_073_725_440));
    let wish = Wish { zoom: (1e300, 1e300), ..of_box(Fit::Contain, 16_384, 0) };
    assert_eq!(sizes_of((1, 65_535), &wish).0, (u32::MAX, u32::MAX));
    assert_eq!(sizes_of((1, 1_000), &of_box(Fit::Contain, 1_000, 10)).0, (1, 10));
}

/// 40 × 20 pixels of grey with shades at a place.
fn with_a_thing_at(left: usize) -> Frame {
    let mut frame = of(Layout::Grey, 40, &[90; 800]);
    for (y, x) in (0..20).flat_map(|y| (left..left + 6).map(move |x| (y, x))) {
        frame.pixels[y * 40 + x] = u8::try_from((x * 53 + y * 97) % 256).unwrap();
    }
    frame
}

#[test]
fn a_search_says_where_to_look() {
    let wish = Wish { gravity: Gravity::Entropy, ..of_box(Fit::Cover, 10, 10) };
    let planned = plan(size((400, 200)), &wish);
    let search = planned.search.unwrap();
    assert_eq!((search.window, search.inset), ((200.0, 200.0), (0.0, 0.0)));
    assert_eq!(search.within, Area { x: 0.0, y: 0.0, width: 400.0, height: 200.0 });
    // in the middle until somebody looks
    assert_eq!(planned.used, Area { x: 100.0, y: 0.0, width: 200.0, height: 200.0 });
    assert_eq!(planned.decided(None).used, planned.used);
    let decided = planned.decided(Some(&with_a_thing_at(34)));
    assert_eq!((decided.search, decided.used.x), (None, 200.0));
    assert!(planned.decided(Some(&with_a_thing_at(0))).used.x < 30.0);
    // no room, no search
    assert_eq!(plan(size((400, 200)), &Wish { height: Some(5), ..wish }).search, None);
}

#[test]
fn a_search_within_a_rectangle_stays_there() {
    let at = |x| CropPlace::At(Length::Pixels(x), Length::ZERO);
    let crop = |place| Some(Crop { width: Length::Pixels(200.0), height: Length::Pixels(100.0), place });
    let wish = Wish { gravity: Gravity::Entropy, crop: crop(at(20.0)), ..of_box(Fit::Cover, 10, 10) };
    let decided = plan(size((400, 200)), &wish).decided(Some(&with_a_thing_at(34)));
    assert!(decided.used.x >= 20.0 && decided.used.x + decided.used.width <= 220.0, "{decided:?}");
    // the rectangle is sought, the part of it is not
    let crop = crop(CropPlace::By(Gravity::Entropy));
    let wish = Wish { gravity: Gravity::at(Compass::Right), crop, ..wish };
    let planned = plan(size((400, 200)), &wish);
    assert_eq!(planned.search.unwrap().inset, (100.0, 0.0));
    assert_eq!(planned.used, Area { x: 200.0, y: 50.0, width: 100.0, height: 100.0 });
    assert_eq!(planned.decided(Some(&with_a_thing_at(34))).used.x, 300.0);
    // both are: one search for what is used in the end
    let wish = Wish { gravity: Gravity::Entropy, ..wish };
    let search = plan(size((400, 200)), &wish).search.unwrap();
    assert_eq!((search.window, search.within.width), ((100.0, 100.0), 400.0));
}

const ORIENTATIONS: [Orientation; 8] = [
    Orientation::NoTransforms,
    Orientation::FlipHorizontal,
    Orientation::Rotate180,
    Orientation::FlipVertical,
    Orientation::Rotate90FlipH,
    Orientation::Rotate90,
    Orientation::Rotate270FlipH,
    Orientation::Rotate270,
];

/// The picture planned, scaled and turned in this order, and turned first.
fn both_orders(stored: &Frame, orientation: Orientation, wish: &Wish) -> (Frame, Frame) {
    let seen = orient(stored.clone(), orientation).unwrap();
    let plan = plan(size((seen.width, seen.height)), wish).decided(Some(&seen));
    let back = plan.turned_back(orientation);
    let late =
        orient(scale(stored, back.used, back.scaled, &Deadline::never()).unwrap(), orientation).unwrap();
    (late, scale(&seen, plan.used, plan.scaled, &Deadline::never()).unwrap())
}

#[test]
fn a_part_off_the_centre_is_the_same_before_and_after_turning() {
    let stored = counting(13, 8);
    for orientation in ORIENTATIONS {
        for (place, x, y) in
            [(Compass::TopLeft, 1.0, 2.0), (Compass::Right, 1.0, 1.0), (Compass::Bottom, 2.0, 0.0)]
        {
            let place = CropPlace::By(Gravity::Compass(place, Length::Pixels(x), Length::Pixels(y)));
            let crop = Some(Crop { width: Length::Pixels(4.0), height: Length::Pixels(3.0), place });
            let (late, early) = both_orders(&stored, orientation, &Wish { crop, ..Wish::default() });
            assert_eq!((late.width, late.height), (4, 3));
            assert_eq!(late.pixels, early.pixels, "{orientation:?} {place:?}");
        }
    }
}

proptest! {
    #[test]
    fn scaling_and_turning_can_change_places(
        stored in frames(40), width in 1..30_u32, height in 1..30_u32,
        orientation in prop::sample::select(&ORIENTATIONS[..]), gravity in gravities(),
    ) {
        let wish = Wish { gravity, ..of_box(Fit::Cover, width, height) };
        // little contrast: what goes beyond black and white on the way is cut, which depends on the way
        let pixels = stored.pixels.iter().map(|&sample| 80 + sample / 3).collect();
        let stored = Frame { pixels, ..stored };
        let (late, early) = both_orders(&stored, orientation, &wish);
        prop_assert_eq!((late.width, late.height), (width, height));
        prop_assert_eq!(late.layout, early.layout);
        // the resizer goes across first, and rounds in between; under faint alpha a rounding shows in the colours
        if !stored.layout.has_alpha() {
            for (one, other) in late.pixels.iter().zip(&early.pixels) {
                prop_assert!(one.abs_diff(*other) <= 3, "{} {}", one, other);
            }
        }
    }

    #[test]
    fn turning_back_keeps_the_part_inside(
        source in (1..70_000_u32, 1..70_000_u32), wish in wishes(),
        orientation in prop::sample::select(&ORIENTATIONS[..]),
    ) {
        let seen = plan(size(source), &wish);
        let stored = seen.turned_back(orientation);
        is_inside(&stored)?;
        prop_assert_eq!(stored.used.width * stored.used.height, seen.used.width * seen.used.height);
        if turns(orientation) {
            prop_assert_eq!(stored.scaled, seen.scaled.turned());
        }
    }

    #[test]
    fn plans_are_sound(source in (1..70_000_u32, 1..70_000_u32), wish in wishes()) {
        let plan = plan(size(source), &wish);
        is_inside(&plan)?;
        prop_assert!(plan.scaled.width >= 1 && plan.scaled.height >= 1);
        prop_assert!(plan.canvas.width >= plan.scaled.width && plan.canvas.height >= plan.scaled.height);
        if let Some(Search { within, window, inset, .. }) = plan.search {
            prop_assert!(window.0 <= within.width + 1e-6 && window.1 <= within.height + 1e-6);
            prop_assert!(inset.0 + plan.used.width <= window.0 + 1e-6 && inset.1 + plan.used.height <= window.1 + 1e-6);
        }
    }

    #[test]
    fn results_stay_in_the_box(source in (1..70_000_u32, 1..70_000_u32), wish in wishes()) {
        let wish = Wish { zoom: (1.0, 1.0), ..wish };
        let (Some(width), Some(height)) = (wish.width, wish.height) else { return Ok(()) };
        let plan = plan(size(source), &wish);
        if !matches!(wish.fit, Fit::ScaleUp | Fit::Outside) {
            prop_assert!(plan.canvas.width <= width && plan.canvas.height <= height, "{:?}", plan);
        }
        let may_enlarge = wish.enlarge == Enlarge::Always || wish.min_width.is_some() || wish.min_height.is_some();
        if wish.fit == Fit::Cover && wish.enlarge != Enlarge::Never || wish.fit == Fit::Crop && may_enlarge && wish.enlarge == Enlarge::Always {
            prop_assert_eq!(plan.scaled, size((width, height)));
        }
    }
}

fn is_inside(plan: &Plan) -> Result<(), TestCaseError> {
    let Area { x, y, width, height } = plan.used;
    prop_assert!(x >= 0.0 && y >= 0.0 && width > 0.0 && height > 0.0, "{:?}", plan);
    prop_assert!(x + width <= f64::from(plan.source.width) + 1e-6, "{:?}", plan);
    prop_assert!(y + height <= f64::from(plan.source.height) + 1e-6, "{:?}", plan);
    Ok(())
}

fn wishes() -> impl Strategy<Value = Wish> {
    let side = || prop::option::of(1..=16_384_u32);
    let fit = prop::sample::select(vec![
        Fit::Contain,
        Fit::ScaleDown,
        Fit::ScaleUp,
        Fit::Cover,
        Fit::Crop,
        Fit::FillDown,
        Fit::Auto,
        Fit::Pad,
        Fit::Squeeze,
        Fit::Outside,
    ]);
    let enlarge = prop::sample::select(vec![Enlarge::ByFit, Enlarge::Always, Enlarge::Never]);
    let zoom = (0.01..10.0_f64, 0.01..10.0_f64);
    let aspect = prop::option::of((1..100_u32, 1..100_u32));
    let length = || {
        prop_oneof![(-9_000.0..9_000.0_f64).prop_map(Length::Pixels), (-1.0..2.0_f64).prop_map(Length::Share)]
    };
    let place = prop_oneof![
        (length(), length()).prop_map(|(x, y)| CropPlace::At(x, y)),
        gravities().prop_map(CropPlace::By)
    ];
    let crop = (length(), length(), place).prop_map(|(width, height, place)| Crop { width, height, place });
    let sides = (side(), side(), side(), side());
    (sides, fit, enlarge, zoom, aspect, prop::option::of(crop), gravities()).prop_map(
        |((width, height, min_width, min_height), fit, enlarge, zoom, aspect, crop, gravity)| Wish {
            width,
            height,
            min_width,
            min_height,
            fit,
            enlarge,
            zoom,
            aspect,
            crop,
            gravity,
        },
    )
}
