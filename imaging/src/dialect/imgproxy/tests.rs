//! imgproxy's options, sources and refusals.

use super::*;
use crate::dialect::ImgproxyRules;
use crate::dialect::tests::signing;
use crate::path::AskedLimits;

fn read_with(rest: &str, rules: &Rules) -> Result<Parsed, Refusal> {
    parse(&format!("/imgproxy/unsafe/{rest}"), rules)
}

fn read(rest: &str) -> Result<Parsed, Refusal> {
    read_with(rest, &signing())
}

fn transform_of(options: &str) -> String {
    let read = read(&format!("{options}/plain/a.jpg"));
    read.unwrap_or_else(|refusal| panic!("{options}: {refusal:?}")).transform.to_string()
}

#[test]
fn sizes_are_understood() {
    for (options, transform) in [
        ("rs:fill:300:400:0/g:sm", "w=300,h=400,fit=crop,g=auto,f=source"),
        ("rs:fit:320:0", "w=320,fit=scale-down,f=source"),
        ("f:png/g:sm/h:400/rt:fill/w:300", "w=300,h=400,fit=crop,g=auto,f=png"),
        ("w:800/h:600/f:webp/q:75/rt:fill", "w=800,h=600,fit=crop,q=75,f=webp"),
        ("w:300", "w=300,fit=scale-down,f=source"),
        ("w:300/el:1", "w=300,fit=contain,f=source"),
        ("width:300/height:0/enlarge:true", "w=300,fit=contain,f=source"),
        ("w:300/el:yes", "w=300,fit=scale-down,f=source"),
        ("s:300:200:1:1", "w=300,h=200,fit=pad,f=source"),
        ("s:300:200:0:1:no:0:10", "w=300,h=200,fit=extend,g=top;0;10,f=source"),
        ("s:300:200/ex:1", "w=300,h=200,fit=extend,f=source"),
        ("s:300:200/exar:1:so", "w=300,h=200,fit=extend-shape,g=bottom,f=source"),
        ("resize:fill-down:300:200", "w=300,h=200,fit=cover-down,f=source"),
        ("rs:fill:300:200:1", "w=300,h=200,fit=cover,f=source"),
        ("rs:fill:300:200:0:1", "w=300,h=200,fit=crop-extend,f=source"),
        ("rs:force:300:200", "w=300,h=200,fit=squeeze-down,f=source"),
        ("rs:force:300:200:1", "w=300,h=200,fit=squeeze,f=source"),
        ("rs:auto:300:200", "w=300,h=200,fit=turned,f=source"),
        ("rs::300:200", "w=300,h=200,fit=scale-down,f=source"),
        ("w:300/w:200", "w=200,fit=scale-down,f=source"),
        ("mw:100/min-height:50/w:30", "w=30,min-width=100,min-height=50,fit=scale-down,f=source"),
        ("z:1.5", "scale=1.5;1.5,f=source"),
        ("zoom:1.5:2/w:3", "w=3,scale=1.5;2,fit=scale-down,f=source"),
        ("w:300/dpr:2/pd:1:2/g:no:5:6", "w=600,fit=scale-down,padding=2;4;2;4,f=source"),
        ("rs:fill:30:20/dpr:2/g:no:5:0.25", "w=60,h=40,fit=crop,g=top;10;25%,f=source"),
        ("w:300/dpr:50", "w=1500,fit=scale-down,f=source"),
    ] {
        assert_eq!(transform_of(options), transform, "{options}");
    }
}

#[test]
fn places_are_understood() {
    for (options, transform) in [
        ("rs:fill:3:2/g:noea:1:2", "w=3,h=2,fit=crop,g=top-right;1;2,f=source"),
        ("rs:fill:3:2/g:fp:0.1:0.9", "w=3,h=2,fit=crop,g=0.1x0.9,f=source"),
        ("rs:fill:3:2/g:soea:-0.5:-7", "w=3,h=2,fit=crop,g=bottom-right;-50%;-7,f=source"),
        ("c:100:200", "crop=100;200;center,f=source"),
        ("c:100:200/g:we", "crop=100;200;left,f=source"),
        ("c:0.5:0:nowe:10:0.1", "crop=50%;0;top-left;10;10%,f=source"),
        ("c:0:0:no", "f=source"),
        ("c:99999:10", "crop=0;10;center,f=source"),
        ("t:10", "trim=border;10,f=source"),
        ("t:10:ff00ff:1:1", "trim=border;10;ff00ff;h;v,f=source"),
        ("t::ff00ff", "f=source"),
        ("pd:1", "padding=1;1;1;1,f=source"),
        ("pd:1:2:3:4", "padding=1;2;3;4,f=source"),
        ("pd::2", "padding=0;2;0;2,f=source"),
        ("ar:0", "auto-orient=false,f=source"),
        ("rot:90", "rotate=90,f=source"),
        ("rot:-90", "rotate=270,f=source"),
        ("rot:720", "f=source"),
        ("fl:1", "flip=h,f=source"),
        ("fl:0:1", "flip=v,f=source"),
        ("fl:1:1", "rotate=180,f=source"),
        // sizes are those of the result, and flips come last
        ("rs:fill:30:20/rot:90", "w=20,h=30,fit=crop,rotate=90,f=source"),
        ("rs:fill:30:20/rot:90/g:no", "w=20,h=30,fit=crop,g=left,rotate=90,f=source"),
        ("rs:fill:30:20/rot:180/g:noea", "w=30,h=20,fit=crop,g=bottom-left,rotate=180,f=source"),
        ("rs:fill:30:20/fl:1/g:ea", "w=30,h=20,fit=crop,g=left,flip=h,f=source"),
        ("rot:90/fl:1", "rotate=90,flip=v,f=source"),
        ("c:10:20:no/rot:270", "crop=20;10;right,rotate=270,f=source"),
    ] {
        assert_eq!(transform_of(options), transform, "{options}");
    }
}

#[test]
fn look_and_file_are_understood() {
    let mut rules = signing();
    rules.imgproxy.watermark = Some("logo".into());
    let transform_of =
        |options: &str| read_with(&format!("{options}/plain/a.jpg"), &rules).unwrap().transform.to_string();
    for (options, transform) in [
        ("bg:ff0000", "f=source,background=ff0000"),
        ("bg:255:0:0", "f=source,background=ff0000"),
        ("bg:f00/bg:", "f=source"),
        ("bl:2.5/sh:0.7/pix:8", "blur=2.5,sharpen=0.7,pixelate=8,f=source"),
        ("wm:0.5", "watermark=logo;0.5;center;0;0;0,f=source"),
        ("wm:0.5:soea:10:-0.1:0.2", "watermark=logo;0.5;bottom-right;10;-10%;0.2,f=source"),
        ("wm:1:re:5:5", "watermark=logo;1;tile;5;5;0,f=source"),
        ("wm:0", "f=source"),
        ("sm:0", "f=source,metadata=keep"),
        ("kcr:1", "f=source,metadata=copyright"),
        ("sm:1/scp:0", "f=source,keep-profile=true"),
        ("q:50/f:jpg", "q=50,f=jpeg"),
        ("q:0", "f=source"),
        ("fq:jpg:80:webp:70:png:3", "fq=jpeg;80;webp;70,f=source"),
        ("fq:jpg:80:webp:70/f:webp", "q=70,f=webp"),
        ("q:9/fq:webp:70/f:webp", "q=9,f=webp"),
        ("mb:1000/ext:avif", "max-bytes=1000,f=avif"),
        ("f:best", "f=best"),
        ("eth:0/cb:anything", "f=source"),
    ] {
        assert_eq!(transform_of(options), transform, "{options}");
    }
    rules.imgproxy.watermark = None;
    assert_eq!(read_with("wm:0.5/plain/a.jpg", &rules).unwrap().transform.to_string(), "f=source");
    rules.negotiate = true;
    assert_eq!(
        read_with("w:3/plain/a.jpg", &rules).unwrap().transform.to_string(),
        "w=3,fit=scale-down,f=auto"
    );
}

#[test]
fn what_concerns_the_answer() {
    let wants = |options: &str| read(&format!("{options}/plain/a.jpg")).unwrap().wants;
    assert_eq!(wants("exp:1800000000").expires_s, Some(1_800_000_000));
    assert_eq!(wants("exp:0").expires_s, None);
    assert_eq!(wants("fn:my%20pic.jpg").filename.as_deref(), Some("my pic.jpg"));
    assert_eq!(wants("fn:bXkgcGlj:1").filename.as_deref(), Some("my pic"));
    assert!(wants("att:1").attachment && !wants("att:0").attachment);
    assert_eq!(wants("cb:v2").cache_buster.as_deref(), Some("v2"));
    assert_eq!(wants("skp:gif:svg:jpg:jpeg").passed_formats, ["gif", "svg", "jpeg"]);
    assert!(wants("raw:1/w:300").raw);
    assert_eq!(read("raw:1/w:300/plain/a.jpg@png").unwrap().transform, Transform::default().canonical());
    let limits = AskedLimits {
        source_pixels: Some(16_800_000),
        source_bytes: Some(1_000),
        frames: Some(3),
        frame_pixels: Some(500_000),
        result_side: Some(900),
    };
    assert_eq!(wants("msr:16.8/msfs:1000/maf:3/mafr:0.5/mrd:900").limits, limits);
    assert_eq!(wants("msr:0/msfs:0").limits, AskedLimits::default());
}

#[test]
fn sources_are_plain_or_base64() {
    let with_base = |base: &str| Rules { base: Some(base.into()), ..signing() };
    for (rest, rules, target, is_remote, format) in [
        ("plain/http://example.com/images/curiosity.jpg", signing(), "/images/curiosity.jpg", true, "source"),
        ("plain/http:/example.com/a.jpg@png", signing(), "/a.jpg", true, "png"),
        ("plain/http%3A%2F%2Fexample.com%2Fa.jpg%3Fv%3D1@webp", signing(), "/a.jpg?v=1", true, "webp"),
        ("plain/local:///demo/kitten.jpg@webp", signing(), "/demo/kitten.jpg", false, "webp"),
        ("plain/local:/demo/kitten.jpg", signing(), "/demo/kitten.jpg", false, "source"),
        ("plain//a/pic.jpg", signing(), "/a/pic.jpg", false, "source"),
        ("plain/a/pic.jpg?ignored=1", signing(), "/a/pic.jpg", false, "source"),
        ("plain/a%2540.jpg", signing(), "/a%40.jpg", false, "source"),
        ("plain/a@", signing(), "/a", false, "source"),
        (
            "aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png",
            signing(),
            "/images/curiosity.jpg",
            true,
            "png",
        ),
        ("L2EvcGljLmpwZw==", signing(), "/a/pic.jpg", false, "source"),
        ("L2EvcGljLmpwZw", with_base("/media"), "/media/a/pic.jpg", false, "source"),
        ("L2EvcGljLmpwZw", with_base("https://h.example/m/"), "/m/a/pic.jpg", true, "source"),
        ("plain/http://example.com/a.jpg", with_base("/media"), "/a.jpg", true, "source"),
    ] {
        let parsed = read_with(rest, &rules).unwrap_or_else(|refusal| panic!("{rest}: {refusal:?}"));
        assert_eq!(parsed.source.path_and_query(), target, "{rest}");
        assert_eq!(matches!(parsed.source, Source::Url { .. }), is_remote, "{rest}");
        assert_eq!(parsed.transform.format.as_str(), format, "{rest}");
    }
}

#[test]
fn the_signature_is_of_the_path_as_it_was() {
    let rules = Rules { imgproxy: ImgproxyRules { unsigned: false, ..signing().imgproxy }, ..signing() };
    for target in [
        "/imgproxy/8n4AmE-F_38ylg-N7-nFX-RGIy459jTbHpM-Nz0OXwk/h:400/rt:fill/w:300/plain/http://example.com/images/curiosity.jpg",
        "/imgproxy/8n4AmE-F_38ylg-N7-nFX-RGIy459jTbHpM-Nz0OXwk/h:400/rt:fill/w:300/plain/http:/example.com/images/curiosity.jpg?x=1",
        "/imgproxy/o3oBuUJvgef0jrC-nDjKMxMaY25sTsnppxVhssmuy4E/rs:fit:320:0/plain/local:///demo/kitten.jpg@webp",
        "/imgproxy/zzcK8WjOacHvtevaYiQfddow6sdcN1t9y6djf6faPjY/w:800/h:600/f:webp/q:75/rt:fill/L2EvcGljLmpwZw",
    ] {
        assert!(parse(target, &rules).is_ok(), "{target}");
    }
    assert_eq!(parse("/imgproxy/unsafe/w:800/L2EvcGljLmpwZw", &rules).unwrap_err().status, 403);
}

#[test]
fn presets_are_lists_of_options() {
    let mut rules = signing();
    for (name, options) in [
        ("default", "q:33/f:webp"),
        ("thumb", "rs:fill:100:100/pr:sharp"),
        ("sharp", "sh:0.7"),
        ("loop", "pr:loop/w:5"),
        ("broken", "w:5/nonsense"),
    ] {
        rules.imgproxy.presets.insert(name.into(), options.into());
    }
    let read = |rest: &str| {
        read_with(&format!("{rest}/plain/a.jpg"), &rules)
            .map(|parsed| parsed.transform.to_string())
            .map_err(|refusal| refusal.reason)
    };
    for (options, transform) in [
        ("w:5", "w=5,fit=scale-down,q=33,f=webp"),
        ("pr:thumb", "w=100,h=100,fit=crop,sharpen=0.7,q=33,f=webp"),
        ("preset:thumb:sharp/w:50/q:9", "w=50,h=100,fit=crop,sharpen=0.7,q=9,f=webp"),
        ("pr:loop", "w=5,fit=scale-down,q=33,f=webp"),
    ] {
        assert_eq!(read(options).as_deref(), Ok(transform), "{options}");
    }
    assert_eq!(read("pr:nobody"), Err("there is no preset \"nobody\"".into()));
    assert_eq!(read("pr:broken"), Err("preset \"broken\" is not a list of options".into()));
}

#[test]
fn refusals_have_imgproxys_statuses() {
    for (rest, status, body, reason) in [
        ("", 404, "Invalid URL", "write <signature>/<options>/<source>"),
        ("w:300", 404, "Invalid URL", "the source is missing"),
        ("w:300/", 404, "Invalid URL", "the source is missing"),
        ("wdith:300/plain/a.jpg", 404, "Invalid URL", "unknown option \"wdith\""),
        ("w:abc/plain/a.jpg", 404, "Invalid URL", "w is \"abc\"; accepted: a whole number"),
        ("w:-1/plain/a.jpg", 404, "Invalid URL", "w is \"-1\""),
        ("w:1:2/plain/a.jpg", 404, "Invalid URL", "w has 2 arguments, one is needed"),
        ("w:99999/plain/a.jpg", 404, "Invalid URL", "w is \"99999\"; accepted: 0 to 16384"),
        ("rs:fil:1:1/plain/a.jpg", 404, "Invalid URL", "resizing_type is \"fil\""),
        ("rs:fit:1:1:1:1:1:1:1:1:1/plain/a.jpg", 404, "Invalid URL", "at most 8"),
        ("q:101/plain/a.jpg", 404, "Invalid URL", "q is \"101\""),
        ("rot:45/plain/a.jpg", 404, "Invalid URL", "a multiple of 90"),
        ("g:obj:face/plain/a.jpg", 404, "Invalid URL", "of the paid edition"),
        ("g:fp:0.1/plain/a.jpg", 404, "Invalid URL", "g is \"fp:0.1\""),
        ("bg:12/plain/a.jpg", 404, "Invalid URL", "hexadecimal digits"),
        ("dpr:0/plain/a.jpg", 404, "Invalid URL", "dpr is \"0\""),
        ("fn:a%2Fb/plain/a.jpg", 404, "Invalid URL", "without slashes"),
        ("exp:soon/plain/a.jpg", 404, "Invalid URL", "seconds since 1970"),
        ("eth:1/plain/a.jpg", 404, "Invalid URL", "eth is not available"),
        ("brightness:10/plain/a.jpg", 404, "Invalid URL", "option brightness is of imgproxy's paid edition"),
        ("aq:size:1/plain/a.jpg", 404, "Invalid URL", "option aq is of imgproxy's paid edition"),
        ("vts:3/plain/a.jpg", 404, "Invalid URL", "option vts is of imgproxy's paid edition"),
        ("wm:1:ch/plain/a.jpg", 404, "Invalid URL", "of the paid edition"),
        ("w:1/enc/abcdef", 404, "Invalid URL", "of the paid edition"),
        ("rs:force:300:0/plain/a.jpg", 404, "Invalid URL", "force with only one side"),
        ("rs:fit:300:0:0:1/plain/a.jpg", 404, "Invalid URL", "extend with only one side"),
        ("rs:auto:3:2:1/plain/a.jpg", 404, "Invalid URL", "auto with enlarge"),
        ("w:1/plain/a@b@c", 404, "Invalid URL", "more than one format"),
        ("w:1/plain/a.jpg@bogus", 404, "Invalid URL", "format is \"bogus\""),
        ("w:1/plain/a.jpg@ico", 422, "Invalid URL", "ico is not written"),
        ("f:tiff/plain/a.jpg", 422, "Invalid URL", "tiff is not written"),
        ("w:1/L2Ev!", 404, "Invalid URL", "neither an option nor a source"),
        ("w:1/plain/s3://bucket/a.jpg", 404, "Invalid source URL", "scheme \"s3\""),
        ("w:1/plain/a/../b.jpg", 404, "Invalid source URL", "segment"),
        ("w:1/plain/http://u:p@h/a.jpg", 404, "Invalid URL", "format is"),
    ] {
        let refusal = read(rest).expect_err(rest);
        assert_eq!((refusal.status, refusal.body.as_str()), (status, body), "{rest}: {}", refusal.reason);
        assert!(refusal.reason.contains(reason), "{rest}: {}", refusal.reason);
    }
    let many = format!("{}plain/a.jpg", "w:1/".repeat(300));
    assert!(read(&many).unwrap_err().reason.contains("at most 256"));
}

#[test]
fn information_may_be_asked_for() {
    let parsed = parse("/imgproxy/info/unsafe/size:1/exp:9/plain/a.jpg", &signing()).unwrap();
    assert_eq!(parsed.transform.to_string(), "f=json");
    assert_eq!(parsed.source, Source::Path("/a.jpg".into()));
    assert_eq!(parsed.wants.expires_s, Some(9));
    assert_eq!(parse("/imgproxy/info/bad/plain/a.jpg", &signing()).unwrap_err().status, 403);
}
