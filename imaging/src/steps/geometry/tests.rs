//! Sizes for every fit.

use proptest::prelude::*;

use super::*;

fn sizes(source: (u32, u32), options: &str) -> ((u32, u32), (u32, u32)) {
    let transform = options.parse().expect(options);
    let plan = plan(Size { width: source.0, height: source.1 }, &transform);
    ((plan.scaled.width, plan.scaled.height), (plan.canvas.width, plan.canvas.height))
}

#[test]
fn the_table_of_fits() {
    for (source, options, scaled, canvas) in [
        ((400, 300), "f=png", (400, 300), (400, 300)),
        ((400, 300), "w=200", (200, 150), (200, 150)),
        ((400, 300), "h=150", (200, 150), (200, 150)),
        ((400, 300), "w=200,h=200", (200, 150), (200, 150)),
        ((400, 300), "w=800", (400, 300), (400, 300)),
        ((400, 300), "w=800,h=30", (40, 30), (40, 30)),
        ((400, 300), "w=800,fit=contain", (800, 600), (800, 600)),
        ((400, 300), "w=800,h=900,fit=contain", (800, 600), (800, 600)),
        ((400, 300), "w=100,h=100,fit=cover", (100, 100), (100, 100)),
        ((400, 300), "w=1000,h=1000,fit=cover", (1000, 1000), (1000, 1000)),
        ((400, 300), "w=200,fit=cover", (200, 150), (200, 150)),
        ((400, 300), "w=200,h=200,fit=pad", (200, 150), (200, 200)),
        ((400, 300), "w=800,h=800,fit=pad", (800, 600), (800, 800)),
        ((400, 300), "h=600,fit=pad", (800, 600), (800, 600)),
        ((1, 1000), "w=1000,h=10", (1, 10), (1, 10)),
        ((1000, 1), "w=10", (10, 1), (10, 1)),
        ((1, 1), "w=7,h=9,fit=cover", (7, 9), (7, 9)),
    ] {
        assert_eq!(sizes(source, options), (scaled, canvas), "{source:?} {options}");
    }
}

#[test]
fn cover_uses_the_middle() {
    let transform = "w=100,h=100,fit=cover".parse().expect("valid");
    let plan = plan(Size { width: 400, height: 300 }, &transform);
    assert_eq!((plan.used_width, plan.used_height), (300.0, 300.0));
}

#[test]
fn an_extreme_shape_does_not_overflow() {
    assert_eq!(sizes((1, 65_535), "w=16384,fit=contain").0, (16_384, 1_073_725_440));
}

proptest! {
    #[test]
    fn sides_are_never_zero_and_stay_in_the_box(
        width in 1..70_000_u32, height in 1..70_000_u32,
        w in 1..=16_384_u32, h in 1..=16_384_u32,
        fit in 0..4_usize,
    ) {
        let fit = [Fit::Contain, Fit::Cover, Fit::ScaleDown, Fit::Pad][fit];
        let transform = Transform { width: Some(w), height: Some(h), fit, ..Transform::default() };
        let plan = plan(Size { width, height }, &transform);
        prop_assert!(plan.scaled.width >= 1 && plan.scaled.height >= 1);
        prop_assert!(plan.canvas.width <= w && plan.canvas.height <= h);
        prop_assert!(plan.scaled.width <= plan.canvas.width && plan.scaled.height <= plan.canvas.height);
        prop_assert!(plan.used_width <= f64::from(width) && plan.used_height <= f64::from(height));
        prop_assert!(plan.used_width > 0.0 && plan.used_height > 0.0);
    }
}
