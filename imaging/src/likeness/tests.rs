//! Laws of the measure, and points that the reference implementation gave.

use super::*;

/// A picture by formula: soft shapes with edges and some texture.
fn picture(width: u32, height: u32) -> Frame {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let texture = (x * 7 + y * 13 + x * y) % 23;
            let shape = if (x / 40 + y / 30) % 2 == 0 { 60 } else { 150 };
            pixels.extend(
                [shape + texture, 40 + 150 * x / width, 200 - 120 * y / height]
                    .map(|value| u8::try_from(value).unwrap()),
            );
        }
    }
    Frame { width, height, layout: Layout::Rgb, pixels }
}

/// The same, harmed in a way that can be done again elsewhere: rounded to steps, and every third pixel brighter.
fn harmed(frame: &Frame, step: u8) -> Frame {
    let harm = |(index, value): (usize, &u8)| {
        let rounded = value / step * step;
        if index % 9 < 3 { rounded.saturating_add(step / 4) } else { rounded }
    };
    Frame { pixels: frame.pixels.iter().enumerate().map(harm).collect(), ..frame.clone() }
}

#[test]
fn the_same_picture_has_100_points() {
    for (width, height) in [(300, 260), (64, 64), (8, 8), (1, 1), (3, 200)] {
        let picture = picture(width, height);
        assert!((likeness(&picture, &picture).unwrap() - 100.0).abs() < 1e-3, "{width} by {height}");
    }
}

/// Width, height, step of the harm, and points that the crate `fast-ssim2` 0.9.1 gives, which follows the reference
/// implementation to the last digit.
const POINTS: [(u32, u32, u8, f64); 12] = [
    (320, 280, 4, 89.95),
    (320, 280, 8, 69.29),
    (320, 280, 16, 21.05),
    (320, 280, 32, -35.18),
    (200, 150, 4, 92.15),
    (200, 150, 8, 75.56),
    (200, 150, 16, 34.46),
    (200, 150, 64, -59.08),
    (60, 40, 4, 81.12),
    (60, 40, 8, 57.76),
    (60, 40, 16, 6.00),
    (60, 40, 64, -63.39),
];

#[test]
fn points_are_those_of_the_reference_implementation() {
    for (width, height, step, points) in POINTS {
        let picture = picture(width, height);
        let found = likeness(&picture, &harmed(&picture, step)).unwrap();
        assert!((found - points).abs() < 0.2, "{width} by {height}, {step}: {found} for {points}");
    }
}

#[test]
fn transparent_pictures_have_them_too() {
    let picture = picture(320, 280);
    let fading = |opaque: &Frame| {
        let alphas = (0..280).flat_map(|_| (0..320_u32).map(|x| u8::try_from(x * 255 / 320).unwrap()));
        let pixels = opaque.pixels.chunks(3).zip(alphas).flat_map(|(rgb, alpha)| [rgb, &[alpha]].concat());
        Frame { layout: Layout::Rgba, pixels: pixels.collect(), ..opaque.clone() }
    };
    for (step, points) in [(8, 77.61), (32, -13.24)] {
        let found = likeness(&fading(&picture), &fading(&harmed(&picture, step))).unwrap();
        assert!((found - points).abs() < 0.2, "{step}: {found} for {points}");
    }
}

#[test]
fn more_harm_has_fewer_points() {
    let picture = picture(320, 280);
    let reference = Reference::new(&picture).unwrap();
    let points = [4, 8, 16, 32, 64].map(|step| reference.likeness(&harmed(&picture, step)).unwrap());
    assert!(points.is_sorted_by(|one, other| one > other), "{points:?}");
}

#[test]
fn layouts_do_not_matter() {
    let picture = picture(64, 64);
    let rgba = picture.clone().mapped(Layout::Rgba, |pixel, out| {
        out.extend(pixel);
        out.push(255);
    });
    assert!((likeness(&picture, &rgba).unwrap() - 100.0).abs() < 1e-3);
    let grey = picture.mapped(Layout::Grey, |pixel, out| out.extend(pixel.first()));
    assert!((likeness(&grey, &grey.clone().into_colour()).unwrap() - 100.0).abs() < 1e-3);
}

#[test]
fn lost_transparency_is_seen_on_one_page_at_least() {
    let clear = picture(64, 64).mapped(Layout::Rgba, |_, out| out.extend([255, 255, 255, 0]));
    let dark = clear.clone().mapped(Layout::Rgb, |_, out| out.extend([26; 3]));
    let light = clear.clone().mapped(Layout::Rgb, |_, out| out.extend([230; 3]));
    for opaque in [dark, light] {
        assert!(likeness(&clear, &opaque).unwrap() < 50.0);
        assert!(likeness(&opaque, &clear).unwrap() < 50.0);
    }
    let hidden = clear.clone().mapped(Layout::Rgba, |_, out| out.extend([0, 99, 0, 0]));
    assert!((likeness(&clear, &hidden).unwrap() - 100.0).abs() < 1e-3);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let picture = picture(16, 16);
    let ink = Frame { width: 1, height: 1, layout: Layout::Cmyk, pixels: vec![0; 4] };
    let nothing = Frame { width: 0, height: 0, layout: Layout::Grey, pixels: Vec::new() };
    assert!(Reference::new(&ink).is_err());
    assert!(Reference::new(&nothing).is_err());
    let other = Frame { width: 8, height: 32, ..picture.clone() };
    assert!(likeness(&picture, &other).is_err());
}
