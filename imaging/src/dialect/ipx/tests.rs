//! Modifiers of IPX.

use super::*;

fn read(rest: &str) -> Result<Parsed, Refusal> {
    parse(&format!("{PREFIX}{rest}"), &Rules::default())
}

fn transform_of(modifiers: &str) -> String {
    read(&format!("{modifiers}/a.jpg"))
        .unwrap_or_else(|error| panic!("{modifiers}: {error:?}"))
        .transform
        .to_string()
}

#[test]
fn modifiers_are_understood() {
    for (modifiers, transform) in [
        ("_", "f=source"),
        ("s_800x600,q_75,f_webp", "anim=false,w=800,h=600,fit=cover-down,q=75,f=webp"),
        ("f_webp&q_75&fit_cover&s_800x600", "anim=false,w=800,h=600,fit=cover-down,q=75,f=webp"),
        ("w_300", "w=300,fit=scale-down,f=source"),
        ("w:300", "w=300,fit=scale-down,f=source"),
        ("width=300", "w=300,fit=scale-down,f=source"),
        ("w_300,enlarge", "w=300,fit=contain,f=source"),
        ("h_300,f_jpg", "anim=false,h=300,fit=scale-down,f=jpeg"),
        ("s_300", "w=300,h=300,fit=cover-down,f=source"),
        ("s_3x2,fit_contain", "w=3,h=2,fit=extend,f=source"),
        ("s_3x2,fit_contain,enlarge", "w=3,h=2,fit=pad,f=source"),
        ("s_3x2,fit_fill", "w=3,h=2,fit=squeeze-down,f=source"),
        ("s_3x2,fit_inside", "w=3,h=2,fit=scale-down,f=source"),
        ("s_3x2,fit_outside", "w=3,h=2,fit=outside-down,f=source"),
        ("s_3x2,pos_top", "w=3,h=2,fit=cover-down,g=top,f=source"),
        ("s_3x2,pos_right_top", "w=3,h=2,fit=cover-down,g=top-right,f=source"),
        ("s_3x2,position_left-bottom", "w=3,h=2,fit=cover-down,g=bottom-left,f=source"),
        ("s_3x2,pos_17", "w=3,h=2,fit=cover-down,g=auto,f=source"),
        ("s_3x2,pos_top,rotate_90", "w=2,h=3,fit=cover-down,g=left,rotate=90,f=source"),
        ("s_3x2,pos_left,flop", "w=3,h=2,fit=cover-down,g=right,flip=h,f=source"),
        ("rotate_-45.5", "rotate=314.5,f=source"),
        ("rotate", "f=source"),
        ("flip", "flip=v,f=source"),
        ("flip,flop", "rotate=180,f=source"),
        ("extract_1_2_30_40", "crop=30;40;1;2,f=source"),
        ("crop_1_2_30_40", "crop=30;40;1;2,f=source"),
        ("extend_1_2_3_4", "padding=1;2;3;4,f=source"),
        ("extend_5,b_fff", "padding=5;0;0;0,f=source,background=ffffff"),
        ("b_%23ff0000", "f=source,background=ff0000"),
        ("flatten", "f=source,background=000000"),
        ("trim_12.7", "trim=border;12,f=source"),
        ("blur_5", "blur=5,f=source"),
        ("blur", "blur=1,f=source"),
        ("blur_900", "blur=250,f=source"),
        ("sharpen", "sharpen=1,f=source"),
        ("grayscale", "grayscale=true,f=source"),
        ("threshold", "threshold=128,f=source"),
        ("threshold_7", "threshold=7,f=source"),
        ("modulate_1.5_0.5", "brightness=1.5,saturation=0.5,f=source"),
        ("f_auto", "anim=false,f=auto"),
        ("f_auto,a", "f=auto"),
        ("animated_true,f_webp", "f=webp"),
        ("f_gif", "f=gif"),
        ("f_bogus", "f=source"),
        ("unheard_of,w_3", "w=3,fit=scale-down,f=source"),
    ] {
        assert_eq!(transform_of(modifiers), transform, "{modifiers}");
    }
}

#[test]
fn sources_are_paths_or_urls() {
    for (id, target) in [
        ("a/pic.jpg", "/a/pic.jpg"),
        ("/a/pic.jpg", "/a/pic.jpg"),
        ("a%20b.jpg", "/a%20b.jpg"),
        ("a.jpg%3Fv=2", "/a.jpg?v=2"),
        ("a.jpg?v=2", "/a.jpg?v=2"),
        ("https://cdn.example.com/a/pic.jpg", "/a/pic.jpg"),
        ("https:/cdn.example.com/a/pic.jpg", "/a/pic.jpg"),
        ("https%3A%2F%2Fcdn.example.com%2Fa%2Fpic.jpg", "/a/pic.jpg"),
    ] {
        let source = read(&format!("w_3/{id}")).unwrap().source;
        assert_eq!(source.path_and_query(), target, "{id}");
        assert_eq!(matches!(source, Source::Url { .. }), id.starts_with("https"), "{id}");
    }
}

#[test]
fn refusals_are_json_with_ipxs_words() {
    for (rest, word, said) in [
        ("", "IPX_MISSING_MODIFIERS", "Modifiers are missing: "),
        ("/a.jpg", "IPX_MISSING_MODIFIERS", "Modifiers are missing: a.jpg"),
        ("w_3", "IPX_MISSING_ID", "Resource id is missing: /_ipx/w_3"),
        ("w_3/", "IPX_MISSING_ID", "Resource id is missing"),
        ("w_3/../a.jpg", "IPX_INVALID_ID", "segment"),
        (
            "w_0/a.jpg",
            "IPX_INVALID_MODIFIER_ARG",
            "Invalid `width` modifier argument: `0` (expected an integer",
        ),
        ("w_a/a.jpg", "IPX_INVALID_MODIFIER_ARG", "`a`"),
        ("q_101/a.jpg", "IPX_INVALID_MODIFIER_ARG", "expected an integer between 1 and 100"),
        ("s_3x0/a.jpg", "IPX_INVALID_MODIFIER_ARG", "`resize`"),
        ("fit_bogus/a.jpg", "IPX_INVALID_MODIFIER_ARG", "one of: contain, cover, fill, inside, outside"),
        ("f_tiff/a.jpg", "IPX_INVALID_MODIFIER_ARG", "`format`"),
        ("b_nocolour/a.jpg", "IPX_INVALID_MODIFIER_ARG", "`background`"),
        ("extract_1_2_3/a.jpg", "IPX_INVALID_MODIFIER_ARG", "left_top_width_height"),
        ("extend_1_2_3_4_mirror/a.jpg", "IPX_INVALID_MODIFIER_ARG", "`extend`"),
        ("modulate_1_1_90/a.jpg", "IPX_INVALID_MODIFIER_ARG", "`modulate`"),
        ("kernel_nearest/a.jpg", "IPX_INVALID_MODIFIER_ARG", "lanczos3"),
        ("median_3/a.jpg", "IPX_INVALID_MODIFIER", "`median` is not available"),
        ("tint_f00/a.jpg", "IPX_INVALID_MODIFIER", "`tint` is not available"),
        ("w_%FF/a.jpg", "IPX_INVALID_MODIFIER", "utf-8"),
    ] {
        let refusal = read(rest).expect_err(rest);
        assert_eq!((refusal.status, refusal.content_type), (400, "application/json"), "{rest}");
        let body: serde_json::Value = serde_json::from_str(&refusal.body).unwrap();
        let message = body["error"]["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("[400] [{word}] ")) && message.contains(said),
            "{rest}: {message}"
        );
    }
}

#[test]
fn unknown_modifiers_may_be_refused() {
    let rules = Rules { unknown: Unknown::Refuse, ..Rules::default() };
    let refusal = parse("/_ipx/wdith_3/a.jpg", &rules).unwrap_err();
    assert_eq!(refusal.reason, "Unknown modifier: wdith");
}
