//! The canonical form, and its way back.

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn milli(range: std::ops::RangeInclusive<u32>) -> impl Strategy<Value = Milli> {
    range.prop_map(Milli)
}

fn rgb() -> impl Strategy<Value = Rgb> {
    prop_oneof![
        Just(Rgb::WHITE),
        any::<(u8, u8, u8)>().prop_map(|(red, green, blue)| Rgb { red, green, blue })
    ]
}

fn length(least: i32) -> impl Strategy<Value = Length> {
    prop_oneof![
        (least..=16_384).prop_map(Length::Pixels),
        (least.max(-1_000)..=1_000).prop_map(Length::Share)
    ]
}

fn sides() -> impl Strategy<Value = Sides> {
    let pixels = || prop_oneof![Just(0), 0..=16_384_u32];
    (pixels(), pixels(), pixels(), pixels()).prop_map(|(top, right, bottom, left)| Sides {
        top,
        right,
        bottom,
        left,
    })
}

fn compass() -> impl Strategy<Value = Compass> {
    select(Compass::ALL.to_vec())
}

fn gravity() -> impl Strategy<Value = Gravity> {
    prop_oneof![
        compass().prop_map(Gravity::at),
        (compass(), length(-16_384), length(-16_384)).prop_map(|(c, x, y)| Gravity::Compass(c, x, y)),
        (milli(0..=1_000), milli(0..=1_000)).prop_map(|(x, y)| Gravity::Focus(x, y)),
        Just(Gravity::Attention),
        Just(Gravity::Entropy),
    ]
}

fn trim() -> impl Strategy<Value = Trim> {
    prop_oneof![
        sides().prop_map(Trim::Sides),
        (any::<u8>(), of(rgb()), any::<bool>(), any::<bool>()).prop_map(
            |(tolerance, colour, equal_horizontal, equal_vertical)| Trim::Margins {
                tolerance,
                colour,
                equal_horizontal,
                equal_vertical
            }
        ),
    ]
}

fn crop() -> impl Strategy<Value = Crop> {
    let place = prop_oneof![
        (length(0), length(0)).prop_map(|(x, y)| CropPlace::At(x, y)),
        gravity().prop_map(CropPlace::By)
    ];
    let aspect = of(select(vec![(1, 1), (3, 2), (16_384, 1)]));
    (length(0), length(0), aspect, place).prop_map(|(width, height, aspect, place)| Crop {
        width,
        height,
        aspect,
        place,
    })
}

fn spot() -> impl Strategy<Value = Spot> {
    prop_oneof![compass().prop_map(Spot::At), Just(Spot::Tiled)]
}

fn look() -> impl Strategy<Value = Look> {
    let factor = || prop_oneof![Just(Milli::ONE), milli(0..=10_000)];
    let unsharp = (milli(100..=250_000), milli(0..=10_000), any::<u8>())
        .prop_map(|(radius, amount, threshold)| Unsharp { radius, amount, threshold });
    (
        (milli(0..=250_000), milli(0..=10_000), of(unsharp), 0..=1_024_u32),
        (factor(), factor(), factor(), milli(100..=10_000)),
        (any::<bool>(), of(any::<u8>())),
    )
        .prop_map(
            |(
                (blur, sharpen, unsharp, pixelate),
                (brightness, contrast, saturation, gamma),
                (grayscale, threshold),
            )| Look {
                blur,
                sharpen,
                unsharp,
                pixelate,
                brightness,
                contrast,
                saturation,
                gamma,
                grayscale,
                threshold,
            },
        )
}

fn marks() -> impl Strategy<Value = (Option<Watermark>, Option<Text>)> {
    let watermark =
        ("[a-z ,;%ü]{1,12}", milli(0..=1_000), spot(), length(-16_384), length(-16_384), milli(0..=1_000))
            .prop_map(|(name, opacity, spot, x, y, scale)| Watermark {
                name: name.into(),
                opacity,
                spot,
                x,
                y,
                scale,
            });
    let text = (
        "[a-zA-Z ,;=%/ü☃]{1,20}",
        4..=1_000_u32,
        rgb(),
        milli(0..=1_000),
        (spot(), length(-16_384), length(-16_384)),
    )
        .prop_map(|(text, size, colour, opacity, (spot, x, y))| Text {
            text: text.into(),
            size,
            colour,
            opacity,
            spot,
            x,
            y,
        });
    (of(watermark), of(text))
}

/// A transform that has only a size and what the source part is.
fn sized() -> impl Strategy<Value = Transform> {
    let side = || of(1..=SIDE_MAX);
    let aspect = select(vec![(1, 1), (4, 3), (16, 9), (1, 16_384)]);
    let zoom = (milli(1..=100_000), milli(1..=100_000));
    (
        (of(0..=65_535_u32), any::<bool>(), any::<bool>(), of(trim()), of(crop())),
        (side(), side(), side(), side(), of(aspect), of(zoom)),
        (select(Fit::ALL.to_vec()), gravity()),
    )
        .prop_map(
            |(
                (page, still, ignore_orientation, trim, crop),
                (width, height, min_width, min_height, aspect, zoom),
                (fit, gravity),
            )| Transform {
                page,
                still,
                ignore_orientation,
                trim,
                crop,
                width,
                height,
                min_width,
                min_height,
                aspect,
                zoom,
                fit,
                gravity,
                ..Transform::default()
            },
        )
}

fn format_quality() -> impl Strategy<Value = Vec<(Format, u8)>> {
    let one = (select(vec![Format::Jpeg, Format::Webp, Format::Avif]), 1..=100_u8);
    proptest::collection::vec(one, 0..3)
}

pub(crate) fn any_transform() -> impl Strategy<Value = Transform> {
    let quality =
        prop_oneof![Just(Quality::Site), Just(Quality::Auto), (1..=100_u8).prop_map(Quality::Fixed)];
    let corners = prop_oneof![Just(Corners::Max), (1..=SIDE_MAX).prop_map(Corners::Radius)];
    let border = (sides(), rgb()).prop_map(|(sides, colour)| Border { sides, colour });
    (
        sized(),
        (milli(0..=359_999), any::<bool>(), any::<bool>(), look()),
        (of(corners), sides(), of(border), marks(), of(rgb())),
        (quality, format_quality(), of(1..=u32::MAX), select(Format::ALL.to_vec()), any::<[bool; 3]>()),
        (select(Metadata::ALL.to_vec()), select(Reduction::ALL.to_vec())),
    )
        .prop_map(
            |(sized, (rotate, flip_horizontal, flip_vertical, look), frame, coded, (metadata, reduction))| {
                let (corners, padding, border, (watermark, text), background) = frame;
                let (quality, format_quality, max_bytes, format, [lossless, progressive, keep_profile]) =
                    coded;
                Transform {
                    rotate,
                    flip_horizontal,
                    flip_vertical,
                    look,
                    corners,
                    padding,
                    border,
                    watermark,
                    text,
                    background,
                    quality,
                    format_quality,
                    max_bytes,
                    format,
                    lossless,
                    progressive,
                    keep_profile,
                    metadata,
                    reduction,
                    ..sized
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(transform in any_transform()) {
        let printed = transform.to_string();
        let read: Transform = printed.parse().map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
        prop_assert_eq!(&read, &transform.canonical());
        prop_assert_eq!(read.to_string(), printed);
    }

    #[test]
    fn canonical_is_stable(transform in any_transform()) {
        prop_assert_eq!(transform.canonical().canonical(), transform.canonical());
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        if let Ok(transform) = text.parse::<Transform>() {
            prop_assert_eq!(&transform, &transform.canonical());
        }
    }

    #[test]
    fn option_shaped_text_is_read_or_refused(text in "(w|h|g|crop|trim|border|text|watermark|unsharp|scale|aspect)=[a-z0-9;:x.%-]{0,20}") {
        if let Ok(transform) = text.parse::<Transform>() {
            prop_assert_eq!(transform.to_string().parse::<Transform>().unwrap(), transform);
        }
    }
}

#[test]
fn equal_meaning_prints_the_same() {
    for spellings in [
        &[
            "w=300",
            "width=300",
            "w=300,fit=scale-down",
            "f=auto,w=300",
            "w=150,dpr=2",
            "w=300,g=center",
            "w=300,g=top",
            "w=300,anim=true",
            "w=300,fit=crop,g=top",
            "w=300,blur=0,brightness=1.0,rotate=360",
        ] as &[&str],
        &["w=300,fit=cover", "w=300,fit=contain", "fit=pad,w=300"],
        &["w=3,h=2,fit=cover", "w=3,h=2,fit=cover,g=0.5x0.5", "w=3,h=2,fit=cover,g=center;0;0%"],
        &["w=3,h=2", "w=3,h=2,g=top", "w=3,h=2,aspect=1:1", "w=3,h=2,scale=1;1.0"],
        &["aspect=4:3", "aspect=8:6"],
        &["f=png", "f=png,q=100", "f=png,q=auto", "fit=cover,format=png", "f=png,progressive=true"],
        &[
            "f=jpeg",
            "f=jpg",
            "f=baseline-jpeg",
            "f=jpeg,background=fff",
            "f=jpeg,background=white",
            "f=jpeg,lossless=1",
        ],
        &["f=webp,lossless=true", "f=webp,lossless=1,q=30"],
        &["background=f00", "background=#FF0000", "background=red"],
        &["q=50", "quality=low"],
        &["rotate=-90", "rotate=270", "rotate=630"],
        &["flip=hv", "rotate=180"],
        &["flip=v,rotate=180", "flip=h"],
        &["flip=v,rotate=270", "flip=h,rotate=90"],
        &["f=webp,q=70", "f=webp,q=80,fq=webp;70", "f=webp,fq=avif;3;webp;70"],
        &["f=auto,q=70", "f=auto,q=70,fq=webp;70"],
        &["f=auto,fq=webp;70;avif;50", "fq=avif;50;webp;70", "format-quality=webp;9;avif;50;webp;70"],
        &["f=jpeg,q=50", "f=jpeg,q=50,lossless=true"],
        &["threshold=128", "threshold=128,grayscale=1,saturation=0.5"],
        &["w=1,grayscale=1", "w=1,grayscale=true,saturation=3"],
        &["page=1", "page=1,anim=false"],
        &["w=1", "w=1,watermark=logo;0", "w=1,text=hello;20;red;0", "w=1,border=0;red", "w=1,unsharp=1;0;3"],
        &["w=1,padding=4", "w=1,padding=4;4", "w=1,padding=4;4;4;4"],
    ] {
        for spelling in spellings {
            let printed = |text: &str| text.parse::<Transform>().unwrap().to_string();
            assert_eq!(printed(spelling), printed(spellings[0]), "{spelling}");
        }
    }
}

#[test]
fn different_meaning_prints_differently() {
    let options = [
        "w=300",
        "h=300",
        "w=300,h=300",
        "w=300,h=300,fit=cover",
        "w=300,h=300,fit=cover,g=top",
        "w=300,h=300,fit=cover,g=top;1;0",
        "w=300,h=300,fit=cover,g=0.5x0.4",
        "w=300,h=300,fit=cover,g=auto",
        "w=300,h=300,fit=cover,g=entropy",
        "w=300,h=300,fit=pad",
        "w=300,h=300,fit=squeeze",
        "w=300,h=300,fit=contain",
        "w=300,fit=contain",
        "w=300,q=80",
        "w=300,q=auto",
        "w=300,f=webp",
        "w=300,f=avif",
        "w=300,background=fff",
        "w=300,background=000",
        "w=300,blur=1",
        "w=300,rotate=90",
        "w=300,trim=border",
        "w=300,trim=1",
        "w=300,crop=10;10;0;0",
        "w=300,crop=10;10;center",
        "w=300,crop=4:3;10;10;center",
        "w=300,crop=4:3;0;0;center",
        "w=300,threshold=0",
        "w=300,f=source",
        "w=300,fq=webp;3",
        "w=300,flip=h",
        "w=300,flip=v",
        "w=300,flip=h,rotate=90",
        "w=300,watermark=a",
        "w=300,watermark=b",
        "w=300,metadata=copyright",
        "w=300,anim=false",
        "w=300,reduce=careful",
    ];
    let printed: std::collections::HashSet<String> =
        options.iter().map(|text| text.parse::<Transform>().unwrap().to_string()).collect();
    assert_eq!(printed.len(), options.len());
}

#[test]
fn the_default_quality_becomes_part_of_the_key() {
    let transform: Transform = "w=1".parse().unwrap();
    assert_eq!(transform.with_default_quality(70).to_string(), "w=1,fit=scale-down,q=70,f=auto");
    let given: Transform = "w=1,q=20".parse().unwrap();
    assert_eq!(given.with_default_quality(70), given);
}
