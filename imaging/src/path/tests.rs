//! What clients send, and what is refused.

use proptest::prelude::*;

use super::*;

fn path(text: &str) -> Source {
    Source::Path(text.into())
}

fn url(scheme: Scheme, host: &str, port: Option<u16>, path: &str) -> Source {
    Source::Url { scheme, host: host.into(), port, path_and_query: path.into() }
}

fn refusal(rest: &str) -> PathError {
    parse(rest).expect_err(rest)
}

#[test]
fn urls_of_real_clients_are_read() {
    let remote = || url(Scheme::Https, "cdn.example.com", None, "/a/pic.jpg");
    for (rest, transform, source) in [
        (
            "width=800,height=600,quality=75,f=webp,fit=cover/https://cdn.example.com/a/pic.jpg",
            "w=800,h=600,fit=cover,q=75,f=webp",
            remote(),
        ),
        (
            "width=200,quality=80,f=auto,fit=cover/a/pic.jpg",
            "w=200,fit=contain,q=80,f=auto",
            path("/a/pic.jpg"),
        ),
        (
            "w=800,h=600,f=webp,q=75,fit=cover/a/pic.jpg",
            "w=800,h=600,fit=cover,q=75,f=webp",
            path("/a/pic.jpg"),
        ),
        (
            "width=640,quality=75,format=auto//a/pic.jpg",
            "w=640,fit=scale-down,q=75,f=auto",
            path("/a/pic.jpg"),
        ),
        ("width=640%2Cquality=75/a/pic.jpg", "w=640,fit=scale-down,q=75,f=auto", path("/a/pic.jpg")),
        ("background=%23fff/a/pic.jpg", "f=auto,background=ffffff", path("/a/pic.jpg")),
    ] {
        let parsed = parse(rest).unwrap();
        assert_eq!((parsed.transform.to_string().as_str(), parsed.source), (transform, source), "{rest}");
    }
}

#[test]
fn sources_are_understood_in_every_spelling() {
    let remote = |path: &str| url(Scheme::Https, "h.example", None, path);
    for (source, expected) in [
        ("a.jpg", path("/a.jpg")),
        ("/a.jpg", path("/a.jpg")),
        ("//a.jpg", path("/a.jpg")),
        ("a.jpg?v=1&w=2", path("/a.jpg?v=1&w=2")),
        ("a%20b.jpg", path("/a%20b.jpg")),
        ("a b.jpg", path("/a%20b.jpg")),
        ("fotos/über.jpg", path("/fotos/%C3%BCber.jpg")),
        ("a,b=c/d.jpg", path("/a,b=c/d.jpg")),
        ("a:b/c.jpg", path("/a:b/c.jpg")),
        ("%2Fa%2Fpic.jpg%3Fv%3D1", path("/a/pic.jpg?v=1")),
        ("pic.jpg%3Fv%3D1", path("/pic.jpg?v=1")),
        ("dir/pic%3F.jpg", path("/dir/pic%3F.jpg")),
        ("a.jpg#top", path("/a.jpg")),
        ("https://h.example/a.jpg", remote("/a.jpg")),
        ("https:/h.example/a.jpg", remote("/a.jpg")),
        ("/https://h.example/a.jpg", remote("/a.jpg")),
        ("HTTPS://H.Example.:443/a.jpg", remote("/a.jpg")),
        ("https://h.example", remote("/")),
        ("https://h.example?x=1", remote("/?x=1")),
        ("https%3A%2F%2Fh.example%2Fa.jpg%3Fv%3D1%26w%3D2", remote("/a.jpg?v=1&w=2")),
        ("http://h.example:8080/a.jpg", url(Scheme::Http, "h.example", Some(8080), "/a.jpg")),
        ("http://[::1]:81/a.jpg", url(Scheme::Http, "[::1]", Some(81), "/a.jpg")),
        ("http://[::1]/a.jpg", url(Scheme::Http, "[::1]", None, "/a.jpg")),
    ] {
        assert_eq!(parse(&format!("w=1/{source}")).unwrap().source, expected, "{source}");
    }
}

#[test]
fn unusable_options_say_what_is_accepted() {
    for (options, said) in [
        ("", "no options given; accepted: width (w)"),
        ("images", "\"images\" is not of the form key=value"),
        ("wdith=300", "unknown option \"wdith\"; accepted: width (w)"),
        ("w=300,segment=foreground", "option segment is not available in this version; accepted: width (w)"),
        ("w=300,onerror=ignore", "onerror is \"ignore\"; accepted: redirect"),
        ("w=300,", "an option is empty"),
        ("w=300,,h=2", "an option is empty"),
        ("w=", "\"w\" has no value"),
        ("w=300,width=300", "\"width\" is given twice"),
        ("W=300", "unknown option \"W\""),
        ("w=0", "width is \"0\"; it must be a whole number from 1 to 16384"),
        ("w=-1", "width is \"-1\""),
        ("w=+1", "width is \"+1\""),
        ("w=1.5", "width is \"1.5\""),
        ("w=1e3", "width is \"1e3\""),
        ("h=16385", "height is \"16385\""),
        ("h=99999999999999999999", "height is \"9999"),
        ("h=auto", "height is \"auto\""),
        ("w=9000,dpr=2", "width times dpr is 18000 pixels, at most 16384"),
        ("dpr=0,w=1", "dpr is \"0\"; accepted: 0.1 to 10"),
        ("dpr=inf,w=1", "dpr is \"inf\""),
        ("dpr=NaN,w=1", "dpr is \"NaN\""),
        ("q=0", "quality is \"0\"; accepted: 1 to 100"),
        ("q=101", "quality is \"101\""),
        ("f=bmp", "format is \"bmp\"; accepted: auto, best, jpeg, png"),
        ("fit=fill", "fit is \"fill\"; accepted: contain, scale-down"),
        ("g=north", "gravity is \"north\"; accepted: auto, entropy, center"),
        ("g=0.5x1.5", "gravity is \"0.5x1.5\""),
        ("g=top;1", "gravity is \"top;1\""),
        ("metadata=all", "metadata is \"all\"; accepted: none, copyright, keep"),
        ("anim=yes", "anim is \"yes\"; accepted: true, false"),
        ("blur=251", "blur is \"251\"; accepted: 0 to 250"),
        ("blur=-1", "blur is \"-1\""),
        ("rotate=a", "rotate is \"a\"; accepted: degrees clockwise"),
        ("flip=x", "flip is \"x\"; accepted: h, v, hv"),
        ("trim=1;2;3", "trim is \"1;2;3\"; accepted: top;right;bottom;left"),
        ("trim=border;256", "trim is \"border;256\""),
        ("crop=1;2", "crop is \"1;2\"; accepted: width;height;x;y"),
        ("crop=4:0;0;0;center", "crop is \"4:0;0;0;center\"; accepted: width;height;x;y"),
        ("threshold=256", "threshold is \"256\"; accepted: a whole number from 0 to 255"),
        ("fq=webp", "format-quality is \"webp\"; accepted: formats with their qualities"),
        ("fq=png;70", "format-quality is \"png;70\""),
        ("fq=webp;0", "format-quality is \"webp;0\""),
        ("crop=-1;2;0;0", "crop is \"-1;2;0;0\""),
        ("border=4", "border is \"4\"; accepted: pixels and a colour"),
        ("gamma=0", "gamma is \"0\"; accepted: 0.1 to 10"),
        ("radius=0", "radius is \"0\"; accepted: a whole number from 1"),
        ("aspect=4", "aspect is \"4\"; accepted: width:height"),
        ("scale=0", "scale is \"0\"; accepted: a factor"),
        ("unsharp=1;1", "unsharp is \"1;1\"; accepted: radius;amount;threshold"),
        ("watermark=a;2", "watermark opacity is \"2\"; accepted: 0 to 1"),
        ("text=;20", "text is \";20\"; accepted: 1 to 200 printable characters"),
        ("text=a%250Ab", "text is \"a%0Ab\"; accepted: 1 to 200 printable"),
        ("max-bytes=0", "max-bytes is \"0\"; accepted: a whole number from 1"),
        ("background=%23ff", "background is \"#ff\"; accepted: a basic css colour name"),
        ("background=rgb(1)", "background is \"rgb(1)\""),
        ("background=é", "background is \"é\""),
        ("%FF=1", "the options are not utf-8"),
    ] {
        let error = refusal(&format!("{options}/a.jpg"));
        assert_eq!(error.code, 9401, "{options}");
        assert!(error.message.contains(said), "{options}: {}", error.message);
    }
}

#[test]
fn unusable_sources_are_refused() {
    for (rest, said) in [
        ("w=1", "the source is missing"),
        ("w=1/", "the source is missing"),
        ("w=1//", "the source is missing"),
        ("w=1/?v=1", "the source is missing"),
        ("w=1/#a", "the source is missing"),
        ("w=1/ftp://h/a.jpg", "scheme \"ftp\" are not accepted; use http or https"),
        ("w=1/file:/etc/passwd", "scheme \"file\""),
        ("w=1/data:image/png;base64,AAAA", "scheme \"data\""),
        ("w=1/s3%3A%2F%2Fbucket%2Fa.jpg", "scheme \"s3\""),
        ("w=1/https://", "not a host name"),
        ("w=1/https:///", "not a host name"),
        ("w=1/https://h:0/a", "not a host name"),
        ("w=1/https://h:70000/a", "not a host name"),
        ("w=1/https://h:x/a", "not a host name"),
        ("w=1/https://h..example/a", "not a host name"),
        ("w=1/https://h%20x/a", "not a host name"),
        ("w=1/https://bücher.example/a", "not a host name"),
        ("w=1/https://[::g]/a", "not a host name"),
        ("w=1/https://user:secret@h/a", "user name or password"),
        ("w=1/a/../b.jpg", "\"..\" segment"),
        ("w=1/a/%2E%2e/b.jpg", "\"..\" segment"),
        ("w=1/./b.jpg", "\"..\" segment"),
        ("w=1/%2Fa%2F..%2Fb.jpg", "\"..\" segment"),
        ("w=1/https://h/a/../b", "\"..\" segment"),
        ("w=1/%2Fa%0D%0AX-Evil: 1", "control characters"),
        ("w=1/%2Fa%00", "control characters"),
        ("w=1/%2Fa%FF", "not utf-8"),
    ] {
        let error = refusal(rest);
        assert_eq!(error.code, 9406, "{rest}");
        assert!(error.message.contains(said), "{rest}: {}", error.message);
    }
}

#[test]
fn image_urls_are_no_sources_of_image_urls() {
    for source in ["/cdn-cgi/image/w=2/a.jpg", "CDN-CGI/image/w=2/a.jpg", "%2Fcdn-cgi%2Fimage%2Fw=2%2Fa.jpg"]
    {
        assert_eq!(refusal(&format!("w=1/{source}")).code, 9403, "{source}");
    }
    let remote = parse("w=1/https://own.example/cdn-cgi/image/w=2/a.jpg").unwrap();
    assert!(remote.source.is_image_url());
    assert!(!parse("w=1/https://own.example/a.jpg").unwrap().source.is_image_url());
}

#[test]
fn what_concerns_the_answer_is_apart_from_the_picture() {
    let parsed = parse("width=auto,onerror=redirect,scq=medium-low/a.jpg").unwrap();
    assert_eq!(parsed.transform, Transform::default());
    assert!(parsed.wants.width_from_hints);
    assert_eq!((parsed.wants.on_error, parsed.wants.saving_quality), (OnError::Redirect, Some(65)));
    assert_eq!(parse("w=1/a.jpg").unwrap().wants, Wants::default());
    assert!("width=auto".parse::<Transform>().is_err(), "there is no client to ask");
}

#[test]
fn lengths_are_bounded() {
    assert_eq!(refusal(&format!("w={}/a.jpg", "1".repeat(2_000))).code, 9401);
    assert_eq!(refusal(&format!("w=1/{}", "a".repeat(9_000))).code, 9406);
}

#[test]
fn messages_repeat_little_and_nothing_unprintable() {
    let message = refusal(&format!("w=%07{}/a.jpg", "9".repeat(900))).message;
    assert!(message.len() < 200 && !message.contains('\u{7}'), "{message}");
}

proptest! {
    #[test]
    fn anything_is_read_or_refused(rest in "\\PC{0,80}") {
        if let Ok(parsed) = parse(&rest) {
            let target = parsed.source.path_and_query();
            prop_assert!(target.starts_with('/') && !target.starts_with("/?/"));
            prop_assert!(target.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "{}", target);
        }
    }

    #[test]
    fn url_shaped_text_is_read_or_refused(rest in "w=1/{1,3}(https?:/{1,3})?[a-z.:@%0-9\\[\\]]{0,12}[/?#%2Fa.]{0,12}") {
        if let Ok(parsed) = parse(&rest) {
            prop_assert!(parsed.source.path_and_query().starts_with('/'));
        }
    }
}
