//! The canonical form, and its way back.

use proptest::prelude::*;

use super::*;

fn any_transform() -> impl Strategy<Value = Transform> {
    let side = || proptest::option::of(1..=SIDE_MAX);
    let fit = prop_oneof![Just(Fit::Contain), Just(Fit::Cover), Just(Fit::ScaleDown), Just(Fit::Pad)];
    let format = prop_oneof![Just(Format::Auto), Just(Format::Jpeg), Just(Format::Png), Just(Format::Webp)];
    let colour = prop_oneof![
        Just(Some(Rgb::WHITE)),
        Just(None),
        any::<(u8, u8, u8)>().prop_map(|(red, green, blue)| Some(Rgb { red, green, blue })),
    ];
    let quality = proptest::option::of(1..=100_u8);
    (side(), side(), fit, quality, format, colour).prop_map(
        |(width, height, fit, quality, format, background)| Transform {
            width,
            height,
            fit,
            quality,
            format,
            background,
        },
    )
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(transform in any_transform()) {
        let printed = transform.to_string();
        let read: Transform = printed.parse().unwrap();
        prop_assert_eq!(read, transform.canonical());
        prop_assert_eq!(read.to_string(), printed);
    }

    #[test]
    fn canonical_is_stable(transform in any_transform()) {
        prop_assert_eq!(transform.canonical().canonical(), transform.canonical());
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
        if let Ok(transform) = text.parse::<Transform>() {
            prop_assert_eq!(transform, transform.canonical());
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
            "w=300,anim=false",
        ] as &[&str],
        &["w=300,fit=cover", "w=300,fit=contain", "fit=pad,w=300"],
        &["f=png", "f=png,q=50", "fit=cover,format=png"],
        &["f=jpeg", "f=jpg", "f=baseline-jpeg", "f=jpeg,background=fff", "f=jpeg,background=white"],
        &["background=f00", "background=#FF0000", "background=red"],
        &["q=50", "quality=low"],
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
        "w=300,h=300,fit=pad",
        "w=300,h=300,fit=contain",
        "w=300,fit=contain",
        "w=300,q=80",
        "w=300,f=webp",
        "w=300,background=fff",
        "w=300,background=000",
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
