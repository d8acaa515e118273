//! Parameters of Fastly, imgix, Netlify and those that document no more than a loader.

use super::*;
use crate::path::Source;

fn read_with(target: &str, rules: &Rules) -> Result<Parsed, Refusal> {
    parse(target, rules)
}

fn transform_of(target: &str) -> String {
    let parsed = read_with(target, &Rules::default());
    parsed.unwrap_or_else(|refusal| panic!("{target}: {refusal:?}")).transform.to_string()
}

#[test]
fn fastlys_parameters_are_understood() {
    for (query, transform) in [
        ("width=800&height=600&format=webp&quality=75&fit=bounds", "w=800,h=600,fit=scale-down,q=75,f=webp"),
        ("width=800&height=600", "w=800,h=600,fit=squeeze-down,f=source"),
        ("width=800&height=600&fit=cover", "w=800,h=600,fit=outside-down,f=source"),
        ("width=800&height=600&fit=crop", "w=800,h=600,fit=crop,f=source"),
        ("width=800&height=600&fit=crop&enable=upscale", "w=800,h=600,fit=cover,f=source"),
        ("width=800&enable=upscale", "w=800,fit=contain,f=source"),
        ("width=800&disable=upscale&fit=bounds", "w=800,fit=scale-down,f=source"),
        ("width=0.5", "scale=0.5;0.5,f=source"),
        ("width=50p", "scale=0.5;0.5,f=source"),
        ("width=50%25", "scale=0.5;0.5,f=source"),
        ("width=50%25&height=25%25", "scale=0.5;0.25,f=source"),
        ("width=50%25&height=25%25&fit=bounds", "scale=0.25;0.25,f=source"),
        ("width=50%25&height=25%25&fit=crop", "crop=100%;50%;center,scale=0.5;0.5,f=source"),
        ("width=300&dpr=2", "w=600,fit=scale-down,f=source"),
        ("width=300&dpr=9", "w=1500,fit=scale-down,f=source"),
        ("quality=80,70&auto=webp&width=3", "w=3,fit=scale-down,q=80,fq=webp;70,f=auto"),
        ("quality=80,70&format=webp", "q=70,f=webp"),
        ("format=jpg&auto=avif", "f=auto"),
        ("format=pjpg", "f=jpeg,progressive=true"),
        ("format=webpll", "f=webp,lossless=true"),
        ("format=auto&width=640&quality=75", "w=640,fit=scale-down,q=75,f=auto"),
        ("width=3&bg-color=f00", "w=3,fit=scale-down,f=source,background=ff0000"),
        ("width=3&bg-color=255,0,0,0.5", "w=3,fit=scale-down,f=source,background=ff0000"),
        ("width=3&blur=10", "w=3,fit=scale-down,blur=10,f=source"),
        ("width=3&sharpen=a5,r2,t10", "w=3,fit=scale-down,unsharp=2;5;10,f=source"),
        ("width=3&orient=r", "h=3,fit=scale-down,rotate=90,f=source"),
        ("width=3&orient=6", "auto-orient=false,h=3,fit=scale-down,rotate=90,f=source"),
        ("width=3&orient=5", "auto-orient=false,h=3,fit=scale-down,rotate=90,flip=v,f=source"),
        ("width=3&orient=hv", "w=3,fit=scale-down,rotate=180,f=source"),
        ("width=3&trim=1,2,3,4", "trim=1;2;3;4,w=3,fit=scale-down,f=source"),
        ("width=3&pad=5", "w=3,fit=scale-down,padding=5;5;5;5,f=source"),
        ("width=3&pad=1,2,3", "w=3,fit=scale-down,padding=1;2;3;2,f=source"),
        (
            "width=3&brightness=-20&contrast=50&saturation=0",
            "w=3,fit=scale-down,brightness=0.8,contrast=1.5,f=source",
        ),
        ("width=3&frame=1", "anim=false,w=3,fit=scale-down,f=source"),
        ("width=3&metadata=copyright", "w=3,fit=scale-down,f=source,metadata=copyright"),
        ("width=3&optimize=high", "w=3,fit=scale-down,q=auto,f=source"),
        ("crop=300,200&width=30", "crop=300;200;center,w=30,fit=scale-down,f=source"),
        ("crop=300,200,x10,y20&width=30", "crop=300;200;10;20,w=30,fit=scale-down,f=source"),
        ("crop=300,200,10,20&width=30", "crop=300;200;10;20,w=30,fit=scale-down,f=source"),
        (
            "crop=300,200,offset-x0,offset-y100&width=30",
            "crop=300;200;bottom-left,w=30,fit=scale-down,f=source",
        ),
        ("crop=300,200,x10&width=30", "crop=300;200;left;10;0,w=30,fit=scale-down,f=source"),
        ("crop=0.8,0.4&width=30", "crop=80%;40%;center,w=30,fit=scale-down,f=source"),
        ("crop=16:9,smart&width=30", "crop=16:9;0;0;auto,w=30,fit=scale-down,f=source"),
        ("crop=1.91:1&width=30", "crop=191:100;0;0;center,w=30,fit=scale-down,f=source"),
        ("crop=300,200,safe&width=30", "crop=300;200;center,w=30,fit=scale-down,f=source"),
    ] {
        assert_eq!(transform_of(&format!("/a.jpg?{query}")), transform, "{query}");
    }
}

#[test]
fn imgixs_parameters_are_understood() {
    for (query, transform) in [
        ("w=800&h=600&fm=webp&q=75&fit=crop", "w=800,h=600,fit=cover,q=75,f=webp"),
        ("fm=webp&w=800&h=600&q=75&fit=min", "w=800,h=600,fit=cover-down,q=75,f=webp"),
        ("auto=format&fit=max&w=640&q=75", "w=640,fit=scale-down,q=75,f=auto"),
        ("w=800&h=600", "w=800,h=600,fit=contain,f=source"),
        ("w=3&h=2&fit=clamp", "w=3,h=2,fit=pad,f=source"),
        ("w=3&h=2&fit=fill&fill=solid&fill-color=0f0", "w=3,h=2,fit=pad,f=source,background=00ff00"),
        ("w=3&h=2&fit=fillmax", "w=3,h=2,fit=extend,f=source"),
        ("w=3&h=2&fit=scale", "w=3,h=2,fit=squeeze,f=source"),
        ("w=3&h=2&fit=crop&crop=top", "w=3,h=2,fit=cover,g=top,f=source"),
        ("w=3&h=2&fit=crop&crop=bottom,left", "w=3,h=2,fit=cover,g=bottom-left,f=source"),
        ("w=3&h=2&fit=crop&crop=faces,edges", "w=3,h=2,fit=cover,g=entropy,f=source"),
        ("w=3&h=2&fit=crop&crop=edges", "w=3,h=2,fit=cover,g=auto,f=source"),
        ("w=3&h=2&fit=crop&crop=focalpoint&fp-x=0.25&fp-y=1", "w=3,h=2,fit=cover,g=0.25x1,f=source"),
        ("w=3&h=2&fit=crop&fp-x=0.25", "w=3,h=2,fit=cover,f=source"),
        ("w=300&ar=16:9&fit=crop", "w=300,aspect=16:9,fit=cover,f=source"),
        ("w=300&ar=1.5&fit=crop", "w=300,aspect=3:2,fit=cover,f=source"),
        ("w=300&ar=16:9", "w=300,fit=contain,f=source"),
        ("w=0.5", "scale=0.5;0.5,f=source"),
        ("w=1", "w=1,fit=contain,f=source"),
        ("w=1.0", "f=source"),
        ("w=300.4", "w=300,fit=contain,f=source"),
        ("w=300&dpr=2&q=50", "w=600,fit=contain,q=50,f=source"),
        ("w=300&dpr=1&q=75", "w=300,fit=contain,q=75,f=source"),
        ("w=3&q=0", "w=3,fit=contain,q=1,f=source"),
        ("w=3&auto=format,compress", "w=3,fit=contain,f=auto"),
        ("w=3&auto=compress", "w=3,fit=contain,f=source"),
        ("w=3&auto=format&fm=jpg", "w=3,fit=contain,f=jpeg"),
        ("w=3&bg=80ff0000", "w=3,fit=contain,f=source,background=ff0000"),
        ("w=3&blur=80", "w=3,fit=contain,blur=10,f=source"),
        ("w=3&sharp=10", "w=3,fit=contain,sharpen=1,f=source"),
        ("w=3&usm=20&usmrad=5", "w=3,fit=contain,unsharp=5;0.2;0,f=source"),
        ("w=3&rot=90", "h=3,fit=contain,rotate=270,f=source"),
        (
            "w=3&h=2&fit=crop&crop=top&orient=90",
            "auto-orient=false,w=2,h=3,fit=cover,g=left,rotate=90,f=source",
        ),
        ("w=3&flip=hv", "w=3,fit=contain,rotate=180,f=source"),
        ("w=3&rect=1,2,30,40", "crop=30;40;1;2,w=3,fit=contain,f=source"),
        ("w=3&rect=center,bottom,30,40", "crop=30;40;bottom,w=3,fit=contain,f=source"),
        ("w=3&trim=auto", "trim=border;10,w=3,fit=contain,f=source"),
        ("w=3&trim=color&trim-color=fff&trim-tol=7", "trim=border;7;ffffff,w=3,fit=contain,f=source"),
        ("w=3&pad=4&pad-left=9", "w=3,fit=contain,padding=4;4;4;9,f=source"),
        ("w=3&border=4,f00", "w=3,fit=contain,border=4;4;4;4;ff0000,f=source"),
        ("w=3&mask=ellipse", "w=3,fit=contain,radius=max,f=source"),
        ("w=3&mask=corners&corner-radius=8", "w=3,fit=contain,radius=8,f=source"),
        ("w=3&px=8&bri=10", "w=3,fit=contain,brightness=1.1,pixelate=8,f=source"),
        ("w=3&ixlib=js-3.8.0&ixid=x&unheard=of", "w=3,fit=contain,f=source"),
        ("fm=json", "f=json"),
    ] {
        assert_eq!(transform_of(&format!("/a.jpg?{query}")), transform, "{query}");
    }
}

#[test]
fn loaders_of_other_services_are_understood() {
    for (target, transform) in [
        ("/a.jpg?imwidth=640", "w=640,fit=scale-down,f=source"),
        ("/a.jpg?format=auto&w=640&q=75", "w=640,fit=contain,q=75,f=auto"),
        ("/a.jpg?width=640&quality=75", "w=640,fit=scale-down,q=75,f=source"),
        ("/a.jpg?width=640&height=3&resize=cover", "w=640,h=3,fit=cover,f=source"),
        ("/a.jpg?width=640&height=3&resize=contain&format=origin", "w=640,h=3,fit=scale-down,f=source"),
        (
            "/.netlify/images?w=800&h=600&fm=webp&q=75&fit=cover&url=%2Fa%2Fpic.jpg",
            "w=800,h=600,fit=cover,q=75,f=webp",
        ),
        ("/.netlify/images?url=/a.jpg&w=3&h=2&fit=fill", "w=3,h=2,fit=squeeze,f=auto"),
        ("/.netlify/images?url=/a.jpg&w=3&h=2&fit=cover&position=left", "w=3,h=2,fit=cover,g=left,f=auto"),
        ("/.netlify/images?url=/a.jpg", "f=auto"),
    ] {
        assert_eq!(transform_of(target), transform, "{target}");
    }
}

#[test]
fn the_source_is_the_path_without_its_parameters() {
    let rules = |unknown| Rules { unknown, ..Rules::default() };
    for (target, unknown, source) in [
        ("/a%2Fb.jpg?w=3&v=2", Unknown::Drop, "/a%2Fb.jpg"),
        ("/a.jpg?v=2&w=3&x=%26", Unknown::Keep, "/a.jpg?v=2&x=%26"),
        ("/a.jpg?w=3&ixlib=x", Unknown::Keep, "/a.jpg"),
        ("/https%3A%2F%2Fh.example%2Fa.jpg%3Fv%3D1?w=3", Unknown::Drop, "/a.jpg?v=1"),
        ("/.netlify/images?url=https%3A%2F%2Fh.example%2Fb.jpg&w=3", Unknown::Drop, "/b.jpg"),
        ("/.netlify/images?url=c.jpg&w=3", Unknown::Drop, "/c.jpg"),
    ] {
        let parsed = read_with(target, &rules(unknown)).unwrap();
        assert_eq!(parsed.source.path_and_query(), source, "{target}");
        assert_eq!(matches!(parsed.source, Source::Url { .. }), target.contains("h.example"), "{target}");
    }
    let refusal = read_with("/a.jpg?w=3&v=2", &rules(Unknown::Refuse)).unwrap_err();
    assert_eq!((refusal.status, refusal.body.as_str()), (400, "unknown parameter \"v\""));
    assert_eq!(
        read_with("/.netlify/images?w=3", &rules(Unknown::Drop)).unwrap_err().body,
        "the parameter url is missing"
    );
}

#[test]
fn what_concerns_the_answer() {
    let wants = read_with("/a.jpg?w=3&dl=my.jpg&expires=17", &Rules::default()).unwrap().wants;
    assert!(wants.attachment);
    assert_eq!((wants.filename.as_deref(), wants.expires_s), (Some("my.jpg"), Some(17)));
    assert!(read_with("/a.jpg?w=auto", &Rules::default()).unwrap().wants.width_from_hints);
    let open = Rules { negotiate: true, ..Rules::default() };
    assert_eq!(read_with("/a.jpg?w=3", &open).unwrap().transform.format, crate::transform::Format::Auto);
}

#[test]
fn refusals_name_the_parameter() {
    for (query, said) in [
        ("w=0", "w is \"0\"; accepted: pixels from 1 to 16384"),
        ("w=abc", "w is \"abc\""),
        ("w=-3", "w is \"-3\""),
        ("w=99999", "w is \"99999\""),
        ("h=1e3", "h is \"1e3\""),
        ("w=0.5&h=300", "a side in pixels beside one as a share"),
        ("w=0.5&h=0.25&fit=fill", "not available with this fit"),
        ("w=3&fit=facearea", "fit=facearea is not available"),
        ("w=3&fit=bogus", "fit is \"bogus\""),
        ("w=3&crop=middle", "crop is \"middle\""),
        ("w=3&crop=300", "crop is \"300\""),
        ("w=3&crop=3,2,offset-x33", "crop is"),
        ("w=3&fp-x=2&crop=focalpoint", "fp-x is \"2\""),
        ("w=3&ar=0:3", "ar is \"0:3\""),
        ("w=3&q=101", "q is \"101\""),
        ("w=3&fm=bmp", "fm is \"bmp\""),
        ("w=3&fm=blurhash", "fm is \"blurhash\""),
        ("w=3&auto=enhance", "auto is \"enhance\""),
        ("w=3&dpr=0", "dpr is \"0\""),
        ("w=3&rot=45", "rot is \"45\"; accepted: 0, 90, 180, 270"),
        ("w=3&flip=x", "flip is \"x\""),
        ("w=3&orient=9", "orient is \"9\""),
        ("w=3&bg=nocolour", "bg is \"nocolour\""),
        ("w=3&trim=alpha", "trim is \"alpha\""),
        ("w=3&fill=blur", "fill is \"blur\""),
        ("w=3&mask=https://h/a", "mask is"),
        ("w=3&sharpen=loud", "sharpen is \"loud\""),
        ("w=3&expires=soon", "expires is \"soon\""),
        ("w=3&canvas=3,3", "parameter canvas is not available in this version"),
        ("w=3&precrop=3,3", "parameter precrop is not available"),
        ("w=3&txt=hello", "parameter txt is not available"),
        ("w=3&mark-align=top", "parameter mark-align is not available"),
        ("w=3&blend-mode=normal", "parameter blend-mode is not available"),
        ("w=3&sepia=80", "parameter sepia is not available"),
        ("w=3&exp=20", "parameter exp is not available"),
        ("w=3&resize-filter=nearest", "parameter resize-filter is not available"),
        ("w=3&fp-z=2", "parameter fp-z is not available"),
        ("w=%FF", "not utf-8"),
    ] {
        let refusal = read_with(&format!("/a.jpg?{query}"), &Rules::default()).expect_err(query);
        assert_eq!(refusal.status, 400, "{query}");
        assert!(refusal.body.contains(said), "{query}: {}", refusal.body);
    }
    let many = format!("/a.jpg?{}", "v=1&".repeat(200));
    assert!(read_with(&many, &Rules::default()).unwrap_err().reason.contains("more than 128"));
}
