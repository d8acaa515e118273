//! What holds over all dialects: the same meaning is the same transform, what is written is read back, nothing panics.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::path::Scheme;
use crate::transform::{Fit, Format, Milli};

/// Keys of the examples in the services' own documents.
pub(super) fn signing() -> Rules {
    let pair = Pair { key: Secret::new(b"secret"), salt: Secret::new(b"hello") };
    Rules {
        imgproxy: ImgproxyRules { pairs: vec![pair], unsigned: true, ..ImgproxyRules::default() },
        imgix: ImgixRules { token: Some(Secret::new(b"FOO123bar")), unsigned: true },
        ..Rules::default()
    }
}

fn read(target: &str) -> (String, Source) {
    let rules = signing();
    let claim = of_target(target, &Dialect::ALL, &rules).unwrap_or_else(|| panic!("nobody claims {target}"));
    let parsed =
        parse(claim.dialect, target, &rules).unwrap_or_else(|refusal| panic!("{target}: {refusal:?}"));
    assert_eq!(parsed.transform, parsed.transform.canonical(), "{target}");
    (parsed.transform.to_string(), parsed.source)
}

fn local() -> Source {
    Source::Path("/a/pic.jpg".into())
}

fn assert_same(transform: &str, source: &Source, targets: &[&str]) {
    for target in targets {
        assert_eq!(read(target), (transform.to_owned(), source.clone()), "{target}");
    }
}

#[test]
fn boxes_that_mean_the_same_share_one_key() {
    assert_same(
        "w=800,h=600,fit=cover,q=75,f=webp",
        &local(),
        &[
            "/cdn-cgi/image/w=800,h=600,f=webp,q=75,fit=cover/a/pic.jpg",
            "/.netlify/images?w=800&h=600&fm=webp&q=75&fit=cover&url=%2Fa%2Fpic.jpg",
            "/a/pic.jpg?w=800&h=600&fm=webp&q=75&fit=crop",
            "/imgproxy/unsafe/rs:fill:800:600:1/q:75/f:webp/L2EvcGljLmpwZw",
            "/_ipx/enlarge,s_800x600,q_75,f_webp,a/a/pic.jpg",
        ],
    );
    assert_same(
        "w=800,h=600,fit=scale-down,q=75,f=webp",
        &local(),
        &[
            "/a/pic.jpg?width=800&height=600&format=webp&quality=75&fit=bounds",
            "/cdn-cgi/image/w=800,h=600,f=webp,q=75/a/pic.jpg",
            "/imgproxy/unsafe/w:800/h:600/f:webp/q:75/L2EvcGljLmpwZw",
            "/_ipx/fit_inside,a,s_800x600,q_75,f_webp/a/pic.jpg",
        ],
    );
    assert_same(
        "w=800,h=600,fit=cover-down,q=75,f=webp",
        &local(),
        &[
            "/a/pic.jpg?fm=webp&w=800&h=600&q=75&fit=min",
            "/_ipx/f_webp&q_75&fit_cover&s_800x600&a/a/pic.jpg",
            "/imgproxy/unsafe/rs:fill-down:800:600/q:75/L2EvcGljLmpwZw.webp",
        ],
    );
    let remote = Source::Url {
        scheme: Scheme::Https,
        host: "cdn.example.com".into(),
        port: None,
        path_and_query: "/a/pic.jpg".into(),
    };
    let with_url =
        "/cdn-cgi/image/width=800,height=600,quality=75,f=webp,fit=cover/https://cdn.example.com/a/pic.jpg";
    assert_same("w=800,h=600,fit=cover,q=75,f=webp", &remote, &[with_url]);
}

#[test]
fn widths_that_mean_the_same_share_one_key() {
    assert_same(
        "w=640,fit=scale-down,q=75,f=auto",
        &local(),
        &[
            "/_next/image?url=%2Fa%2Fpic.jpg&w=640&q=75",
            "/_next/image?w=640&q=75&url=%2Fa%2Fpic.jpg&dpl=dpl_1",
            "/cdn-cgi/image/width=640,quality=75,format=auto//a/pic.jpg",
            "/a/pic.jpg?auto=webp&width=640&quality=75",
            "/a/pic.jpg?auto=format&fit=max&w=640&q=75",
            "/a/pic.jpg?format=auto&width=640&quality=75",
            "/_ipx/w_640,q_75,f_auto,a/a/pic.jpg",
        ],
    );
    assert_same(
        "w=640,fit=scale-down,f=source",
        &local(),
        &["/a/pic.jpg?imwidth=640", "/_ipx/w_640/a/pic.jpg", "/imgproxy/_/w:640/plain/a/pic.jpg"],
    );
    assert_same(
        "w=200,fit=contain,q=80,f=auto",
        &local(),
        &[
            "/cdn-cgi/image/width=200,quality=80,f=auto,fit=cover/a/pic.jpg",
            "/a/pic.jpg?w=200&q=80&auto=format,compress",
        ],
    );
    assert_same(
        "crop=10;20;30;40,w=15,fit=contain,rotate=90,grayscale=true,f=png",
        &local(),
        &["/iiif/a%2Fpic.jpg/30,40,10,20/^15,/90/gray.png"],
    );
}

#[test]
fn a_target_is_claimed_by_one_dialect() {
    let rules = Rules::default();
    let claimed = |target: &str| {
        of_target(target, &Dialect::ALL, &rules).map(|claim| (claim.dialect.as_str(), claim.asks))
    };
    for (target, dialect, asks) in [
        ("/cdn-cgi/image/w=1/a.jpg", "cloudflare", Asks::Image),
        ("/cdn-cgi/image/", "cloudflare", Asks::Image),
        ("/_next/image", "next", Asks::Image),
        ("/_next/image?url=/a.png", "next", Asks::Image),
        ("/_ipx/_/a.png", "ipx", Asks::Image),
        ("/.netlify/images?url=/a.png", "query", Asks::Image),
        ("/imgproxy/x/y", "imgproxy", Asks::Image),
        ("/imgproxy/info/x/y", "imgproxy", Asks::Info),
        ("/iiif/a.jpg/full/max/0/default.jpg", "iiif", Asks::Image),
        ("/iiif/a.jpg/info.json", "iiif", Asks::Info),
        ("/iiif/a%2Fb.jpg", "iiif", Asks::Redirect("/iiif/a%2Fb.jpg/info.json".into())),
        ("/iiif/a.jpg/", "iiif", Asks::Redirect("/iiif/a.jpg/info.json".into())),
        ("/a.JPG?w=300", "query", Asks::Image),
        ("/a.jpg?v=2&q=30", "query", Asks::Image),
        ("/https%3A%2F%2Fh.example%2Fa?w=30", "query", Asks::Image),
    ] {
        assert_eq!(claimed(target), Some((dialect, asks)), "{target}");
    }
    for target in [
        "/",
        "/a.jpg",
        "/a.jpg?v=2",
        "/search?q=cats&w=3",
        "/_next/static/a.js",
        "/_next/images?w=1",
        "/cdn-cgi/trace",
        "/iiif/",
        "/imgproxy",
        "/a/b.css?w=300",
    ] {
        assert_eq!(claimed(target), None, "{target}");
    }
}

#[test]
fn only_enabled_dialects_claim() {
    let rules = Rules::default();
    for dialect in Dialect::ALL {
        let others: Vec<_> = Dialect::ALL.into_iter().filter(|other| *other != dialect).collect();
        let target = match dialect {
            Dialect::Cloudflare => "/cdn-cgi/image/w=1/a",
            Dialect::Imgproxy => "/imgproxy/_/w:1/plain/a",
            Dialect::Next => "/_next/image",
            Dialect::Ipx => "/_ipx/_/a",
            Dialect::Query => "/a.jpg?w=1",
            Dialect::Iiif => "/iiif/a/full/max/0/default.jpg",
        };
        assert_eq!(of_target(target, &[dialect], &rules).map(|claim| claim.dialect), Some(dialect));
        assert_eq!(of_target(target, &others, &rules), None, "{target}");
    }
}

#[test]
fn all_paths_may_have_parameters_where_the_site_says_so() {
    let rules = Rules { query: QueryRules { all_paths: true }, ..Rules::default() };
    let is_claimed = |target| of_target(target, &[Dialect::Query], &rules).is_some();
    assert!(is_claimed("/pictures/17?w=300"));
    assert!(!is_claimed("/search?q=cats"));
}

#[test]
fn imgproxy_may_have_the_root() {
    let mut rules = signing();
    rules.imgproxy.prefix = "/".into();
    let dialect = |target: &str| of_target(target, &Dialect::ALL, &rules).map(|claim| claim.dialect);
    for target in [
        "/oKfUtW34Dvo2BGQehJFR4Nr0_rIjOtdtzJ3QFsUcXH8/rs:fill:300:400:0/g:sm/aHR0cDovL2V4YW1wbGUuY29t.png",
        "/unsafe/w:800/plain/http://h.example/a.jpg?w=3",
        "/unsafe/plain/http://h.example/a.jpg",
        "/unsafe/L2EvcGljLmpwZw",
        "/rs:fill:1:1/plain/http://h.example/a.jpg",
        "/unsafe/brightness:3/plain/http://h.example/a.jpg",
    ] {
        assert_eq!(dialect(target), Some(Dialect::Imgproxy), "{target}");
    }
    for (target, other) in [
        ("/", None),
        ("/a/b/c", None),
        ("/assets/plain/a.txt", None),
        ("/a:b/c", None),
        ("/a/pic.jpg?w=3", Some(Dialect::Query)),
        ("/_next/image?url=/a", Some(Dialect::Next)),
    ] {
        assert_eq!(dialect(target), other, "{target}");
    }
}

#[test]
fn widths_of_a_list_are_rounded_up_or_refused() {
    let mut rules = Rules { widths: vec![320, 640], ..signing() };
    let width = |dialect, target: &str, rules: &Rules| {
        parse(dialect, target, rules).map(|parsed| parsed.transform.width).map_err(|refusal| refusal.status)
    };
    let targets = [
        (Dialect::Cloudflare, "/cdn-cgi/image/w=300/a.jpg", 400),
        (Dialect::Imgproxy, "/imgproxy/unsafe/w:300/plain/a.jpg", 404),
        (Dialect::Ipx, "/_ipx/w_300/a.jpg", 400),
        (Dialect::Query, "/a.jpg?w=300", 400),
    ];
    for (dialect, target, status) in targets {
        rules.width_policy = WidthPolicy::RoundUp;
        assert_eq!(width(dialect, target, &rules), Ok(Some(320)), "{target}");
        rules.width_policy = WidthPolicy::Refuse;
        assert_eq!(width(dialect, target, &rules), Err(status), "{target}");
    }
    assert_eq!(width(Dialect::Iiif, "/iiif/a.jpg/full/300,/0/default.jpg", &rules), Ok(Some(300)));
    assert_eq!(width(Dialect::Next, "/_next/image?url=/a.jpg&w=384&q=75", &rules), Ok(Some(384)));
}

#[test]
fn long_targets_are_refused() {
    let long = format!("/cdn-cgi/image/w=1/{}", "a".repeat(20_000));
    for dialect in Dialect::ALL {
        let refusal = parse(dialect, &long, &Rules::default()).unwrap_err();
        assert!(refusal.reason.contains("20019 bytes long"), "{dialect:?}: {refusal:?}");
    }
}

#[test]
fn each_dialect_words_its_refusals() {
    for (dialect, fault, status, body) in [
        (Dialect::Cloudflare, Fault::Url, 400, "ERROR 9401: why"),
        (Dialect::Cloudflare, Fault::SourceHost, 403, "ERROR 9406: why"),
        (Dialect::Cloudflare, Fault::Expired, 403, "ERROR 9401: why"),
        (Dialect::Imgproxy, Fault::Url, 404, "Invalid URL"),
        (Dialect::Imgproxy, Fault::SourceHost, 404, "Invalid source URL"),
        (Dialect::Imgproxy, Fault::Signature, 403, "Forbidden"),
        (Dialect::Imgproxy, Fault::Expired, 404, "Invalid URL"),
        (Dialect::Next, Fault::SourceHost, 400, "\"url\" parameter is not allowed"),
        (
            Dialect::Ipx,
            Fault::SourceHost,
            403,
            "{\"error\":{\"message\":\"[403] [IPX_FORBIDDEN_HOST] why\"}}",
        ),
        (Dialect::Query, Fault::Expired, 404, "why"),
        (Dialect::Query, Fault::Signature, 403, "why"),
        (Dialect::Iiif, Fault::Url, 400, "why"),
    ] {
        let refusal = refuse(dialect, fault, "why");
        assert_eq!((refusal.status, refusal.body.as_str()), (status, body), "{dialect:?} {fault:?}");
        assert_eq!(refusal.reason, "why");
        assert_eq!(refusal.code.is_some(), dialect == Dialect::Cloudflare);
    }
}

/// What a client's URL is to be answered with.
#[derive(Debug)]
struct Line {
    client: String,
    dialect: String,
    url: String,
    width: u32,
    height: u32,
    kind: String,
}

/// What the clients of `tests/dialects/generate.mjs` make.
fn lines() -> Vec<Line> {
    let text = include_str!("vectors.jsonl");
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        let number = |name: &str| u32::try_from(line[name].as_u64().unwrap()).unwrap();
        Line {
            client: text("client"),
            dialect: text("dialect"),
            url: text("url"),
            width: number("width"),
            height: number("height"),
            kind: text("type"),
        }
    };
    text.lines().map(line).collect()
}

/// The size of a result, by the words of the transform alone; the source is larger than any box.
fn result_size(all: &Transform, wide: f64, high: f64) -> (f64, f64) {
    let scaled = |factor: f64| (wide * factor, high * factor);
    let (width, height) = match (all.width.map(f64::from), all.height.map(f64::from)) {
        (None, None) => scaled(1.0),
        (Some(width), None) => scaled(width / wide),
        (None, Some(height)) => scaled(height / high),
        (Some(width), Some(height)) => {
            let (x, y) = (width / wide, height / high);
            match all.fit {
                Fit::Contain | Fit::ScaleDown | Fit::ScaleUp => scaled(x.min(y)),
                Fit::Outside | Fit::OutsideDown => scaled(x.max(y)),
                Fit::Turned if width < height => scaled(x.min(y)),
                _ => (width, height),
            }
        }
    };
    if turn::quarters(all.rotate).unwrap() % 2 == 1 { (height, width) } else { (width, height) }
}

fn kind(format: Format) -> &'static str {
    match format {
        Format::Auto | Format::Source | Format::Jpeg => "image/jpeg",
        Format::Png => "image/png",
        Format::Webp => "image/webp",
        Format::Avif => "image/avif",
        _ => "other",
    }
}

#[test]
fn what_the_services_own_clients_make_is_understood() {
    let rules = signing();
    let lines = lines();
    assert!(lines.len() > 200);
    for line in lines {
        let claim = of_target(&line.url, &Dialect::ALL, &rules).unwrap_or_else(|| panic!("{line:?}"));
        assert_eq!(claim.dialect.as_str(), line.dialect, "{line:?}");
        let parsed =
            parse(claim.dialect, &line.url, &rules).unwrap_or_else(|why| panic!("{line:?}: {why:?}"));
        assert_eq!(parsed.source, Source::Path("/a/pic.jpg".into()), "{line:?}");
        let (width, height) = result_size(&parsed.transform, 4_000.0, 3_000.0);
        let is_near = |found: f64, said: u32| (found - f64::from(said)).abs() <= 1.0;
        assert!(
            is_near(width, line.width) && is_near(height, line.height),
            "{line:?}: {width}x{height} of {}",
            parsed.transform
        );
        assert_eq!(kind(parsed.transform.format), line.kind, "{line:?}");
    }
}

#[test]
fn signed_urls_of_clients_are_of_no_use_when_changed() {
    let rules = Rules { imgix: ImgixRules { unsigned: false, ..signing().imgix }, ..signing() };
    for line in lines() {
        let (dialect, at) = match line.client.as_str() {
            "imgproxy-node" | "nuxt/imgproxy" => (Dialect::Imgproxy, "/imgproxy/".len() + 5),
            "imgix/js-core" => (Dialect::Query, line.url.len() - 3),
            _ => continue,
        };
        assert!(parse(dialect, &line.url, &rules).is_ok(), "{line:?}");
        let mut changed = line.url.clone().into_bytes();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(parse(dialect, &changed, &rules).unwrap_err().status, 403, "{changed}");
    }
}

fn source() -> impl Strategy<Value = Source> {
    let path = "/[a-z]{1,6}(/[a-zA-Z0-9._~%,=+@-]{1,8}){0,2}".prop_filter("no dots, whole escapes", |path| {
        !path.contains("..") && !path.contains("/.") && !path.contains('%')
    });
    let url = ("[a-z]{1,5}\\.example", proptest::option::of(1..=65_535_u16), path.clone()).prop_map(
        |(host, port, path_and_query)| Source::Url {
            scheme: Scheme::Https,
            host,
            port: port.filter(|port| *port != 443),
            path_and_query,
        },
    );
    let escaped = select(vec!["/a%2Fb.jpg", "/a%20b.jpg", "/%25.jpg", "/a?b=c%26d", "/a:b/c"]);
    prop_oneof![path.prop_map(Source::Path), url, escaped.prop_map(|path| Source::Path(path.into()))]
}

/// Transforms that imgproxy and imgix have words for.
fn common() -> impl Strategy<Value = Transform> {
    let side = || proptest::option::of(1..=16_384_u32);
    let fit = select(vec![Fit::Contain, Fit::ScaleDown, Fit::Cover, Fit::CoverDown, Fit::Pad, Fit::Extend]);
    let format =
        select(vec![Format::Source, Format::Jpeg, Format::Png, Format::Webp, Format::Avif, Format::Gif]);
    (side(), side(), fit, format, 1..=100_u8, select(vec![0_u32, 90, 180, 270]), any::<(bool, bool)>())
        .prop_map(|(width, height, fit, format, quality, angle, (flip_horizontal, flip_vertical))| {
            Transform {
                width,
                height,
                fit,
                format,
                quality: crate::transform::Quality::Fixed(quality),
                rotate: Milli(angle * 1_000),
                flip_horizontal,
                flip_vertical,
                ..Transform::default()
            }
        })
        .prop_map(|all| all.canonical())
}

fn own() -> Rules {
    let keys = vec![Secret::new(b"one"), Secret::new(b"two")];
    Rules { own: OwnRules { keys, unsigned: false }, ..Rules::default() }
}

proptest! {
    #[test]
    fn every_transform_has_a_cloudflare_url(all in crate::transform::any_transform(), source in source(), at in any::<Option<u32>>()) {
        let all = all.canonical();
        // the options have a limit of their own
        let is_short = all.to_string().replace('%', "%25").len() <= 1_000;
        for rules in [Rules::default(), own()] {
            let expires = at.map(u64::from).filter(|_| !rules.own.keys.is_empty());
            let Some(target) = print(Dialect::Cloudflare, &all, &source, &rules, expires) else {
                prop_assert!(!is_short, "no words for {} of {:?}", all, source);
                continue;
            };
            let parsed = parse(Dialect::Cloudflare, &target, &rules).unwrap();
            prop_assert_eq!((&parsed.transform, &parsed.source, parsed.wants.expires_s), (&all, &source, expires));
        }
    }

    #[test]
    fn what_is_common_has_words_in_imgproxy_and_imgix(all in common(), source in source(), at in any::<Option<u32>>()) {
        let rules = signing();
        let has_query = source.path_and_query().contains('?');
        for dialect in [Dialect::Imgproxy, Dialect::Query] {
            // one side cannot be extended, and parameters of the source are not kept
            let is_one_sided = all.width.is_none() != all.height.is_none() && all.fit == Fit::Extend;
            if is_one_sided || (has_query && dialect == Dialect::Query) {
                continue;
            }
            // parameters behind other paths are the page's own
            let source = match (dialect, &source) {
                (Dialect::Query, Source::Path(path)) => Source::Path(format!("{path}.jpg")),
                _ => source.clone(),
            };
            let at = at.map(u64::from).filter(|at| *at > 0);
            let target = print(dialect, &all, &source, &rules, at);
            let target = target.ok_or_else(|| TestCaseError::fail(format!("{dialect:?}: {all} of {source:?}")))?;
            let parsed = parse(dialect, &target, &rules).unwrap();
            prop_assert_eq!((&parsed.transform, &parsed.source, parsed.wants.expires_s), (&all, &source, at));
        }
    }

    #[test]
    fn what_is_written_is_read_back(all in crate::transform::any_transform(), source in source()) {
        let all = all.canonical();
        for dialect in [Dialect::Imgproxy, Dialect::Query] {
            if let Some(target) = print(dialect, &all, &source, &signing(), None) {
                let parsed = parse(dialect, &target, &signing()).unwrap();
                prop_assert_eq!((&parsed.transform, &parsed.source), (&all, &source));
            }
        }
    }

    #[test]
    fn anything_is_read_or_refused(rest in "\\PC{0,60}") {
        for rules in [Rules::default(), signing(), own()] {
            for dialect in Dialect::ALL {
                for target in [rest.clone(), format!("/{rest}"), format!("{}{rest}", start(dialect))] {
                    check(dialect, &target, &rules)?;
                }
            }
        }
    }

    #[test]
    fn option_shaped_text_is_read_or_refused(rest in "([a-z-]{1,4}[:_=][a-z0-9:_.,%-]{0,12}[/&,]){0,4}(plain/|full/max/!)?[a-z0-9%.@/,^]{0,20}") {
        for dialect in Dialect::ALL {
            check(dialect, &format!("{}{rest}", start(dialect)), &signing())?;
        }
    }

    #[test]
    fn known_names_with_any_value_are_read_or_refused(
        name in select(vec![
            "rs", "s", "z", "g", "c", "t", "pd", "rot", "fl", "bg", "wm", "fq", "fn", "exp", "ex", "pr", "mb", "msr",
            "w", "h", "fit", "crop", "rect", "ar", "orient", "sharpen", "trim", "pad", "border", "q", "dpr", "auto",
            "extract", "extend", "modulate", "pos", "threshold", "blur",
        ]),
        value in "[a-z0-9:_.,%p-]{0,16}",
    ) {
        for target in [
            format!("/imgproxy/unsafe/{name}:{value}/plain/a.jpg"),
            format!("/a.jpg?{name}={value}&w=3&h=0.5"),
            format!("/a.jpg?width=3&height=4&{name}={value}"),
            format!("/_ipx/{name}_{value}/a.jpg"),
            format!("/iiif/a.jpg/{value}/{value}/{value}/default.jpg"),
            format!("/cdn-cgi/image/{name}={value}/a.jpg"),
        ] {
            let claim = of_target(&target, &Dialect::ALL, &signing());
            if let Some(claim) = claim {
                check(claim.dialect, &target, &signing())?;
            }
        }
    }
}

fn start(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Cloudflare => "/cdn-cgi/image/",
        Dialect::Imgproxy => "/imgproxy/unsafe/",
        Dialect::Next => "/_next/image?url=",
        Dialect::Ipx => "/_ipx/",
        Dialect::Query => "/a.jpg?",
        Dialect::Iiif => "/iiif/",
    }
}

fn check(dialect: Dialect, target: &str, rules: &Rules) -> Result<(), TestCaseError> {
    let _claim = of_target(target, &Dialect::ALL, rules);
    match parse(dialect, target, rules) {
        Ok(parsed) => {
            prop_assert_eq!(&parsed.transform, &parsed.transform.canonical());
            let reread = parsed.transform.to_string().parse::<Transform>();
            prop_assert_eq!(reread.as_ref(), Ok(&parsed.transform), "{}", target);
            let path = parsed.source.path_and_query();
            prop_assert!(path.starts_with('/') && path.bytes().all(|byte| (0x21..=0x7e).contains(&byte)));
        }
        Err(refusal) => {
            prop_assert!((400..=501).contains(&refusal.status));
            prop_assert!(!refusal.reason.is_empty() && refusal.reason.len() < 700, "{}", refusal.reason);
            prop_assert!(!refusal.reason.chars().any(char::is_control));
        }
    }
    Ok(())
}
