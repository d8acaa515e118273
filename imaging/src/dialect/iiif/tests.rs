//! The Image API 3.0 by its own examples and sentences.

use super::*;
use crate::path::Source;

fn read_with(rest: &str, iiif: IiifRules) -> Result<Parsed, Refusal> {
    parse(&format!("/iiif/{rest}"), &Rules { iiif, ..Rules::default() })
}

fn read(rest: &str) -> Result<Parsed, Refusal> {
    read_with(rest, IiifRules::default())
}

#[test]
fn parameters_are_understood() {
    for (parameters, transform) in [
        ("full/max/0/default.jpg", "f=jpeg"),
        ("full/max/0/color.png", "f=png"),
        ("full/max/0/gray.webp", "grayscale=true,f=webp"),
        ("full/max/0/bitonal.gif", "threshold=128,f=gif"),
        ("square/max/0/default.jpg", "crop=1:1;0;0;center,f=jpeg"),
        ("square/^30,20/0/default.jpg", "crop=1:1;0;0;center,w=30,h=20,fit=squeeze,f=jpeg"),
        ("125,15,120,140/max/0/default.jpg", "crop=120;140;125;15,f=jpeg"),
        ("pct:41.6,7.5,40,70/max/0/default.jpg", "crop=40%;70%;41.6%;7.5%,f=jpeg"),
        ("pct:0,0,100,100/max/0/default.jpg", "f=jpeg"),
        ("0,0,10,10/max/0/default.jpg", "crop=10;10;0;0,f=jpeg"),
        ("full/150,/0/default.jpg", "w=150,fit=scale-down,f=jpeg"),
        ("full/^360,/0/default.jpg", "w=360,fit=contain,f=jpeg"),
        ("full/,150/0/default.jpg", "h=150,fit=scale-down,f=jpeg"),
        ("full/pct:50/0/default.jpg", "scale=0.5;0.5,f=jpeg"),
        ("full/^pct:120/0/default.jpg", "scale=1.2;1.2,f=jpeg"),
        ("full/pct:100/0/default.jpg", "f=jpeg"),
        ("full/225,100/0/default.jpg", "w=225,h=100,fit=squeeze-down,f=jpeg"),
        ("full/^360,360/0/default.jpg", "w=360,h=360,fit=squeeze,f=jpeg"),
        ("full/!225,100/0/default.jpg", "w=225,h=100,fit=scale-down,f=jpeg"),
        ("full/^!360,360/0/default.jpg", "w=360,h=360,fit=contain,f=jpeg"),
        ("full/%5E360,/0/default.jpg", "w=360,fit=contain,f=jpeg"),
        ("full/max/180/default.jpg", "rotate=180,f=jpeg"),
        ("full/max/22.5/default.png", "rotate=22.5,f=png"),
        ("full/max/360/default.jpg", "f=jpeg"),
        ("full/max/!0/default.jpg", "flip=h,f=jpeg"),
        ("full/max/!180/default.jpg", "flip=v,f=jpeg"),
        ("full/90,/90/default.jpg", "w=90,fit=scale-down,rotate=90,f=jpeg"),
        (
            "125,15,120,140/90,/!345/gray.jpg",
            "crop=120;140;125;15,w=90,fit=scale-down,rotate=165,flip=v,grayscale=true,f=jpeg",
        ),
    ] {
        let parsed =
            read(&format!("a.jpg/{parameters}")).unwrap_or_else(|error| panic!("{parameters}: {error:?}"));
        assert_eq!(parsed.transform.to_string(), transform, "{parameters}");
    }
}

#[test]
fn identifiers_are_paths_or_urls() {
    for (identifier, base, target) in [
        ("a.jpg", None, "/a.jpg"),
        ("a%2Fpic.jpg", None, "/a/pic.jpg"),
        ("a/pic.jpg", None, "/a/pic.jpg"),
        ("%2Fa.jpg", Some("/scans/"), "/scans/a.jpg"),
        ("a.jpg", Some("https://h.example/scans"), "/scans/a.jpg"),
        ("https%3A%2F%2Fh.example%2Fa.jpg", Some("/scans"), "/a.jpg"),
        ("a%20b.jpg", None, "/a%20b.jpg"),
    ] {
        let rules = Rules { base: base.map(str::to_owned), ..Rules::default() };
        let target_of = |rest: &str| {
            parse(&format!("/iiif/{identifier}/{rest}"), &rules).unwrap().source.path_and_query().to_owned()
        };
        assert_eq!(target_of("full/max/0/default.jpg"), target, "{identifier}");
        assert_eq!(target_of("info.json"), target, "{identifier}");
    }
    let remote = read("https%3A%2F%2Fh.example%2Fa.jpg/info.json").unwrap();
    assert!(matches!(remote.source, Source::Url { .. }));
    assert_eq!(remote.transform.format, Format::Json);
}

#[test]
fn bad_requests_are_400() {
    for (parameters, said) in [
        ("bogus/max/0/default.jpg", "region is \"bogus\""),
        ("1,2,3/max/0/default.jpg", "region is"),
        ("1,2,-3,4/max/0/default.jpg", "region is"),
        ("1.5,2,3,4/max/0/default.jpg", "region is"),
        ("0,0,0,10/max/0/default.jpg", "the region is empty"),
        ("pct:0,0,10,0/max/0/default.jpg", "the region is empty"),
        ("pct:100,0,10,10/max/0/default.jpg", "outside the picture"),
        ("full/full/0/default.jpg", "size is \"full\""),
        ("full/0,/0/default.jpg", "size is"),
        ("full/,/0/default.jpg", "size is"),
        ("full/!3,/0/default.jpg", "size is"),
        ("full/pct:0/0/default.jpg", "size is"),
        ("full/pct:101/0/default.jpg", "size is"),
        ("full/^^3,/0/default.jpg", "size is"),
        ("full/20000,/0/default.jpg", "size is"),
        ("full/max/361/default.jpg", "rotation is"),
        ("full/max/-90/default.jpg", "rotation is"),
        ("full/max/+9/default.jpg", "rotation is"),
        ("full/max/!/default.jpg", "rotation is"),
        ("full/max/0/native.jpg", "quality is \"native\""),
        ("full/max/0/default", "quality is"),
        ("full/max/0/default.tif", "format is \"tif\""),
        ("full/max/0/default.jp2", "format is"),
        ("full/max/0/default.jpg.png", "format is"),
    ] {
        let refusal = read(&format!("a.jpg/{parameters}")).expect_err(parameters);
        assert_eq!(refusal.status, 400, "{parameters}");
        assert!(refusal.body.contains(said), "{parameters}: {}", refusal.body);
    }
    assert_eq!(read("full/max/0/default.jpg").unwrap_err().status, 404);
    assert_eq!(read("a.jpg/b").unwrap_err().status, 404);
}

#[test]
fn limits_of_the_server_apply() {
    let limited =
        || IiifRules { max_width: 1_000, max_height: 800, max_area: Some(500_000), ..IiifRules::default() };
    let read = |size: &str| {
        let parsed = read_with(&format!("a.jpg/full/{size}/0/default.jpg"), limited());
        parsed.map(|parsed| parsed.transform.to_string()).map_err(|refusal| refusal.status)
    };
    assert_eq!(read("max").as_deref(), Ok("w=1000,h=800,fit=scale-down,f=jpeg"));
    assert_eq!(read("^max").as_deref(), Ok("w=1000,h=800,fit=contain,f=jpeg"));
    assert_eq!(read("!5000,5000").as_deref(), Ok("w=1000,h=800,fit=scale-down,f=jpeg"));
    for too_large in ["1001,", ",801", "1000,800", "^1000,501"] {
        assert_eq!(read(too_large), Err(400), "{too_large}");
    }
    let no_upscaling = || IiifRules { upscaling: false, ..IiifRules::default() };
    for size in ["^max", "^3,", "^pct:120"] {
        let refusal = read_with(&format!("a.jpg/full/{size}/0/default.jpg"), no_upscaling()).unwrap_err();
        assert_eq!(refusal.status, 501, "{size}");
    }
}

#[test]
fn sizes_are_judged_once_the_source_is_known() {
    let judged = |parameters: &str| {
        let parsed = read(&format!("a.jpg/{parameters}/0/default.jpg")).unwrap();
        check_size(&parsed, 300, 200).map_err(|refusal| refusal.status)
    };
    for good in [
        "full/300,",
        "full/,200",
        "full/300,200",
        "full/max",
        "full/!900,900",
        "full/^900,",
        "full/pct:100",
        "100,100,500,500/200,100",
        "square/200,200",
        "pct:50,50,100,100/150,",
    ] {
        assert_eq!(judged(good), Ok(()), "{good}");
    }
    for bad in [
        "full/301,",
        "full/,201",
        "full/300,201",
        "100,100,500,500/201,100",
        "square/201,201",
        "300,0,10,10/max",
        "0,200,10,10/^9,",
        "full/pct:0.1",
        "pct:50,50,100,100/151,",
    ] {
        assert_eq!(judged(bad), Err(400), "{bad}");
    }
}

#[test]
fn the_document_says_what_can_be_asked() {
    let rules = IiifRules { max_width: 4_096, max_height: 4_096, ..IiifRules::default() };
    let text = iiif_info("https://h.example/iiif/a%2F\"b", 6_000, 4_000, &rules);
    assert!(text.starts_with("{\"@context\":\"http://iiif.io/api/image/3/context.json\""));
    let info: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(info["id"], "https://h.example/iiif/a%2F\"b");
    assert_eq!((&info["type"], &info["profile"]), (&"ImageService3".into(), &"level2".into()));
    assert_eq!((&info["width"], &info["height"]), (&6_000.into(), &4_000.into()));
    assert_eq!(info["tiles"][0]["scaleFactors"], serde_json::json!([1, 2, 4, 8, 16]));
    let sizes = info["sizes"].as_array().unwrap();
    assert_eq!(sizes.first().unwrap(), &serde_json::json!({"width": 188, "height": 125}));
    assert_eq!(sizes.last().unwrap(), &serde_json::json!({"width": 3_000, "height": 2_000}));
    let features = info["extraFeatures"].as_array().unwrap();
    assert!(features.contains(&"sizeUpscaling".into()) && features.contains(&"mirroring".into()));
    // every size and tile that is promised is served
    for size in sizes {
        let parameters = format!("a.jpg/full/{},{}/0/default.jpg", size["width"], size["height"]);
        assert!(read_with(&parameters, rules.clone()).is_ok());
    }
    let small = iiif_info("x", 10, 7, &IiifRules { upscaling: false, ..IiifRules::default() });
    let small: serde_json::Value = serde_json::from_str(&small).unwrap();
    assert_eq!(small["sizes"], serde_json::json!([{"width": 10, "height": 7}]));
    assert_eq!(small["tiles"][0]["scaleFactors"], serde_json::json!([1]));
}
