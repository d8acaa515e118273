//! Real and hostile `Accept` fields.

use super::*;

/// What programs send for a picture, with its class and what is left of that where only WebP is offered.
const CLIENTS: [(&str, &str, AcceptClass, AcceptClass); 12] = [
    (
        "Chrome, Edge and Opera since 85, Samsung Internet since 14",
        "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
        AcceptClass::Avif,
        AcceptClass::Webp,
    ),
    (
        "Chrome before 85, Edge before 121, Samsung Internet before 14",
        "image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
        AcceptClass::Webp,
        AcceptClass::Webp,
    ),
    (
        "Firefox since 128",
        "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
        AcceptClass::Avif,
        AcceptClass::Webp,
    ),
    ("Firefox 93 to 127", "image/avif,image/webp,*/*", AcceptClass::Avif, AcceptClass::Webp),
    ("Firefox 65 to 92", "image/webp,*/*", AcceptClass::Webp, AcceptClass::Webp),
    (
        "Firefox with JPEG XL switched on",
        "image/avif,image/jxl,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
        AcceptClass::Avif,
        AcceptClass::Webp,
    ),
    (
        "Safari since 17",
        "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,\
         image/svg+xml,image/*;q=0.8,*/*;q=0.5",
        AcceptClass::Avif,
        AcceptClass::Webp,
    ),
    (
        "Safari 16",
        "image/webp,image/avif,video/*;q=0.8,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5",
        AcceptClass::Avif,
        AcceptClass::Webp,
    ),
    (
        "Safari 14 and 15",
        "image/webp,image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5",
        AcceptClass::Webp,
        AcceptClass::Webp,
    ),
    (
        "Safari before 14",
        "image/png,image/svg+xml,image/*;q=0.8,video/*;q=0.8,*/*;q=0.5",
        AcceptClass::Plain,
        AcceptClass::Plain,
    ),
    (
        "Chrome opening a picture in a tab",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,\
         application/signed-exchange;v=b3;q=0.7",
        AcceptClass::Avif,
        AcceptClass::Webp,
    ),
    ("curl, wget, Python and crawlers", "*/*", AcceptClass::Plain, AcceptClass::Plain),
];

#[test]
fn real_clients_get_the_best_they_name() {
    for (client, accept, class, where_webp_is_offered) in CLIENTS {
        assert_eq!(accept_class(Some(accept)), class, "{client}");
        assert_eq!(offered_class(Some(accept), Offers::default()), where_webp_is_offered, "{client}");
        assert_eq!(class.within(Offers::default()), where_webp_is_offered, "{client}");
    }
}

#[test]
fn odd_spellings_are_read() {
    for (accept, class) in [
        ("IMAGE/WEBP", AcceptClass::Webp),
        (" image/webp ; Q=0.001 ", AcceptClass::Webp),
        ("image/avif", AcceptClass::Avif),
        ("\timage/AVIF;q=1.000,,", AcceptClass::Avif),
        ("image/jxl,image/webp", AcceptClass::Webp),
    ] {
        assert_eq!(accept_class(Some(accept)), class, "{accept}");
    }
}

#[test]
fn others_get_none_of_the_younger_formats() {
    for accept in [
        None,
        Some(""),
        Some("*/*"),
        Some("image/*"),
        Some("image/webp;q=0"),
        Some("image/webp;q=0.000, */*"),
        Some("image/webp;q=0.5, image/jpeg"),
        Some("image/webp;q=0.5, image/*;q=0.6"),
        Some("image/avif;q=0.5, image/webp;q=0.4, image/*;q=0.6"),
        Some("image/webp;q=nonsense"),
        Some("image/webp;q=-1"),
        Some("image/webp;q=2"),
        Some("image/webpx"),
        Some("image/avif-sequence"),
        Some("text/html;x=image/webp"),
    ] {
        assert_eq!(accept_class(accept), AcceptClass::Plain, "{accept:?}");
    }
}

#[test]
fn a_format_ranked_below_another_is_not_sent() {
    for (accept, class) in [
        ("image/avif;q=0.5, image/webp", AcceptClass::Webp),
        ("image/avif;q=0, image/webp;q=0.3", AcceptClass::Webp),
        ("image/avif;q=0.8, image/jxl, image/webp;q=0.9", AcceptClass::Webp),
        ("image/avif;q=0.9, image/webp;q=0.8, */*;q=0.9", AcceptClass::Avif),
    ] {
        assert_eq!(accept_class(Some(accept)), class, "{accept}");
    }
}

#[test]
fn what_is_not_offered_counts_for_nothing() {
    let no_avif = Offers { avif: false, ..Offers::ALL };
    let none = Offers { avif: false, webp: false };
    assert_eq!(offered_class(Some("image/avif, image/webp;q=0.9"), no_avif), AcceptClass::Webp);
    assert_eq!(offered_class(Some("image/avif, image/jxl, image/webp"), no_avif), AcceptClass::Webp);
    assert_eq!(offered_class(Some("image/avif"), no_avif), AcceptClass::Plain);
    for (_, accept, class, _) in CLIENTS {
        assert_eq!(offered_class(Some(accept), none), AcceptClass::Plain, "{accept}");
        assert_eq!(class.within(none), AcceptClass::Plain, "{accept}");
    }
}

#[test]
fn the_exact_range_beats_the_wildcard() {
    let accept = "image/webp;q=0.5, image/jpeg;q=0.1, */*;q=0.9";
    assert_eq!(accept_class(Some(accept)), AcceptClass::Webp);
}

fn header(format: SourceFormat, has_alpha: bool) -> Header {
    Header { has_alpha, ..Header::still(format, 10, 10, 4) }
}

#[test]
fn an_explicit_format_ignores_accept() {
    for class in [AcceptClass::Avif, AcceptClass::Webp, AcceptClass::Plain] {
        for wanted in [Output::Jpeg, Output::Png, Output::Webp, Output::Avif, Output::Gif, Output::Jxl] {
            for moves in [false, true] {
                let source = header(SourceFormat::Png, true);
                assert_eq!(output(class, wanted.format(), &source, moves), wanted);
            }
        }
        assert_eq!(key_class(Format::Webp, class), AcceptClass::Plain);
        assert_eq!(key_class(Format::Auto, class), class);
        assert_eq!(key_class(Format::Best, class), class);
    }
}

#[test]
fn who_names_nothing_younger_gets_what_the_source_needs() {
    for (source, has_alpha, expected) in [
        (SourceFormat::Jpeg, false, Output::Jpeg),
        (SourceFormat::Png, false, Output::Png),
        (SourceFormat::Gif, true, Output::Png),
        (SourceFormat::Webp, true, Output::Png),
        (SourceFormat::Webp, false, Output::Jpeg),
        (SourceFormat::Avif, false, Output::Jpeg),
        (SourceFormat::Avif, true, Output::Png),
        (SourceFormat::Tiff, false, Output::Jpeg),
        (SourceFormat::Svg, true, Output::Png),
    ] {
        let source = header(source, has_alpha);
        assert_eq!(output(AcceptClass::Plain, Format::Auto, &source, false), expected, "{source:?}");
        assert_eq!(output(AcceptClass::Webp, Format::Auto, &source, false), Output::Webp);
        assert_eq!(output(AcceptClass::Avif, Format::Auto, &source, false), Output::Avif);
    }
}

#[test]
fn what_moves_goes_on_moving() {
    let source = header(SourceFormat::Gif, true);
    assert_eq!(output(AcceptClass::Plain, Format::Auto, &source, true), Output::Gif);
    assert_eq!(output(AcceptClass::Webp, Format::Auto, &source, true), Output::Webp);
    assert_eq!(output(AcceptClass::Avif, Format::Best, &source, true), Output::Webp);
    assert_eq!(output(AcceptClass::Plain, Format::Source, &source, true), Output::Gif);
}

#[test]
fn the_format_of_the_source_is_kept_on_request() {
    for (source, expected) in [
        (SourceFormat::Webp, Output::Webp),
        (SourceFormat::Avif, Output::Avif),
        (SourceFormat::Gif, Output::Gif),
        (SourceFormat::Jxl, Output::Jpeg),
        (SourceFormat::Bmp, Output::Jpeg),
    ] {
        assert_eq!(output(AcceptClass::Avif, Format::Source, &header(source, false), false), expected);
    }
}
