//! Sizes, places and light.
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]

use super::*;

fn plane(width: u32, height: u32, sample: impl Fn(u32, u32) -> u8) -> Plane {
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    Plane { width, height, samples: places.map(|(x, y)| sample(x, y)).collect() }
}

fn picture(width: u32, height: u32, sample: impl Fn(u32, u32) -> u8) -> Reduced {
    let half = |x: u32, y: u32| sample(2 * x, 2 * y);
    let chroma = plane(width.div_ceil(2), height.div_ceil(2), half);
    Reduced {
        range: Range::Full,
        planes: Planes { luma: plane(width, height, &sample), chroma: Some([chroma.clone(), chroma]) },
        colour: Colour::Ycc,
        full: Size { width, height },
        luma_scale: Scale::WHOLE,
        chroma_scale: Scale { across: 0.5, down: 0.5 },
    }
}

fn whole(reduced: &Reduced) -> Part {
    let Size { width, height } = reduced.full;
    Part { left: 0.0, top: 0.0, width: width.into(), height: height.into() }
}

fn size(width: u32, height: u32) -> Size {
    Size { width, height }
}

#[test]
fn planes_have_the_sizes_asked_for() {
    for (target, light) in
        [(size(20, 10), Light::Coded), (size(21, 11), Light::Linear), (size(1, 1), Light::Linear)]
    {
        for chroma in [Chroma::Full, Chroma::Half] {
            let source = picture(65, 33, |x, _| x as u8);
            let part = whole(&source);
            let planes = resize(source, part, target, chroma, light, &Deadline::never()).unwrap();
            let [blue, red] = planes.chroma.unwrap();
            for plane in [&planes.luma, &blue, &red] {
                assert_eq!(plane.samples.len(), (plane.width * plane.height) as usize);
            }
            assert_eq!((planes.luma.width, planes.luma.height), (target.width, target.height));
            assert_eq!((blue.width, blue.height), (chroma.of(target).width, chroma.of(target).height));
        }
    }
}

#[test]
fn nothing_is_done_where_nothing_changes() {
    let source = picture(17, 9, |x, y| (x * 13 + y * 7) as u8);
    let (part, planes) = (whole(&source), source.planes.clone());
    assert_eq!(
        resize(source, part, size(17, 9), Chroma::Half, Light::Linear, &Deadline::never()),
        Ok(planes)
    );
}

#[test]
fn luma_and_chroma_lie_over_each_other() {
    // one slope in all planes: a sample tells its place
    for (left, width, target) in [(0.0, 200.0, 100), (0.0, 200.0, 101), (40.0, 120.0, 33), (13.0, 101.5, 51)]
    {
        let slope = |x: u32| (20 + x) as f64;
        let luma = plane(200, 8, |x, _| slope(x) as u8);
        // the mean of two pixels, rounded up
        let chroma = plane(100, 4, |x, _| slope(2 * x + 1) as u8);
        let source = Reduced {
            planes: Planes { luma, chroma: Some([chroma.clone(), chroma]) },
            ..picture(200, 8, |_, _| 0)
        };
        let part = Part { left, top: 0.0, width, height: 8.0 };
        let planes =
            resize(source, part, size(target, 4), Chroma::Half, Light::Coded, &Deadline::never()).unwrap();
        let [blue, _] = planes.chroma.unwrap();
        let step = width / f64::from(target);
        for (x, sample) in (0..target).zip(&planes.luma.samples).skip(4).take(target as usize - 8) {
            let expected = 20.0 + left + (f64::from(x) + 0.5) * step - 0.5;
            assert!((f64::from(*sample) - expected).abs() <= 1.0, "luma at {x}: {sample}, {expected}");
        }
        for (x, sample) in (0..target.div_ceil(2)).zip(&blue.samples).skip(4).take(target as usize / 2 - 8) {
            let expected = 20.0 + left + (f64::from(x) + 0.5) * 2.0 * step;
            assert!((f64::from(*sample) - expected).abs() <= 1.2, "chroma at {x}: {sample}, {expected}");
        }
    }
}

#[test]
fn half_black_and_half_white_is_brighter_in_linear_light() {
    for (light, expected) in [(Light::Coded, 128), (Light::Linear, 188)] {
        let source = picture(64, 64, |x, y| if (x + y) % 2 == 0 { 255 } else { 0 });
        let part = whole(&source);
        let planes = resize(source, part, size(16, 16), Chroma::Half, light, &Deadline::never()).unwrap();
        let middle = planes.luma.samples[8 * 16 + 8];
        assert!(middle.abs_diff(expected) <= 1, "{light:?}: {middle}");
    }
}

#[test]
fn every_value_survives_the_way_to_light_and_back() {
    for coded in 0..=255_u8 {
        let light = CURVE.light(coded);
        assert_eq!(CURVE.coded(light), coded);
    }
    assert!((0..=u16::MAX).map(|light| CURVE.coded(light)).is_sorted());
}

#[test]
fn grey_has_no_chroma_and_colours_have_it_in_full() {
    let grey = Reduced { colour: Colour::Grey, ..picture(8, 8, |_, _| 9) };
    let grey = Reduced { planes: Planes { chroma: None, ..grey.planes }, ..grey };
    let part = whole(&grey);
    assert_eq!(
        resize(grey, part, size(3, 3), Chroma::Half, Light::Linear, &Deadline::never()).unwrap().chroma,
        None
    );
    let mut rgb = Reduced { colour: Colour::Rgb, chroma_scale: Scale::WHOLE, ..picture(8, 8, |_, _| 9) };
    rgb.planes.chroma = Some([rgb.planes.luma.clone(), rgb.planes.luma.clone()]);
    let planes = resize(rgb, part, size(3, 3), Chroma::Half, Light::Linear, &Deadline::never()).unwrap();
    let [green, blue] = planes.chroma.unwrap();
    assert_eq!((green.width, blue.height, &green.samples), (3, 3, &planes.luma.samples));
}

#[test]
fn the_middle_is_cut_out_of_a_plan() {
    let plan = Plan { used_width: 40.0, used_height: 90.0, scaled: size(4, 9), canvas: size(4, 9) };
    let part = Part::centred(size(100, 80), &plan);
    assert_eq!(part, Part { left: 30.0, top: 0.0, width: 40.0, height: 80.0 });
}

#[test]
fn columns_on_the_middle_of_a_sample_are_read_from_inside() {
    // 10.25 + 0.25 is the middle of sample 10
    for light in [Light::Coded, Light::Linear] {
        for (left, width) in [(10.25, 20.5), (20.25, 20.5), (0.25, 20.5), (10.0, 21.0)] {
            let plane = Plane { width: 41, height: 10, samples: vec![7; 410] };
            let part = Part { left, top: 0.0, width, height: 10.0 };
            let large =
                resized(plane, part, Size { width: 41, height: 20 }, light, &Deadline::never()).unwrap();
            assert_eq!(large.samples, vec![7; 820], "{left} {width}");
        }
    }
}
