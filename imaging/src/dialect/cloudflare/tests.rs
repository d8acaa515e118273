//! What Cloudflare means by its options, beyond how they are written.

use super::*;
use crate::dialect::{Dialect, OwnRules, Rules, Secret};
use crate::path::{OnError, Source};

fn read(target: &str) -> Result<String, Refusal> {
    parse(target).map(|parsed| parsed.transform.to_string())
}

#[test]
fn sizes_are_those_of_the_result() {
    for (options, transform) in [
        ("w=300,h=200,fit=cover,rotate=90", "w=200,h=300,fit=cover,rotate=90,f=auto"),
        ("w=300,rotate=270", "h=300,fit=scale-down,rotate=270,f=auto"),
        ("w=300,h=200,rotate=180", "w=300,h=200,fit=scale-down,rotate=180,f=auto"),
        ("w=300,flip=h,rotate=90", "h=300,fit=scale-down,rotate=90,flip=h,f=auto"),
        ("w=300,h=200,fit=cover,rotate=90,g=0.1x0.2", "w=200,h=300,fit=cover,g=0.1x0.2,rotate=90,f=auto"),
    ] {
        assert_eq!(read(&format!("{PREFIX}{options}/a.jpg")).as_deref(), Ok(transform), "{options}");
    }
}

#[test]
fn refusals_carry_the_number() {
    for (rest, code, said) in [
        ("w=0/a.jpg", 9401, "ERROR 9401: width is \"0\""),
        ("wdith=3/a.jpg", 9401, "accepted: width (w), height (h)"),
        ("/a.jpg", 9401, "no options given"),
        ("w=1/", 9406, "the source is missing"),
        ("w=1/cdn-cgi/image/w=2/a.jpg", 9403, "ERROR 9403: "),
    ] {
        let refusal = read(&format!("{PREFIX}{rest}")).unwrap_err();
        assert_eq!((refusal.status, refusal.code), (400, Some(code)), "{rest}");
        assert!(refusal.body.contains(said), "{rest}: {}", refusal.body);
        assert!(refusal.content_type.starts_with("text/plain"));
    }
}

#[test]
fn what_concerns_the_answer_is_kept() {
    let parsed = parse("/cdn-cgi/image/w=300,onerror=redirect/a.jpg?v=2").unwrap();
    assert_eq!(parsed.wants.on_error, OnError::Redirect);
    assert_eq!(parsed.source, Source::Path("/a.jpg?v=2".into()));
}

#[test]
fn our_own_signature_is_not_part_of_the_source() {
    let own = OwnRules { keys: vec![Secret::new(b"k")], unsigned: false };
    let rules = Rules { own, ..Rules::default() };
    let signed = crate::dialect::sign("/cdn-cgi/image/w=3/a.jpg?v=2", b"k", Some(17));
    let parsed = crate::dialect::parse(Dialect::Cloudflare, &signed, &rules).unwrap();
    assert_eq!(parsed.source, Source::Path("/a.jpg?v=2".into()));
    assert_eq!(parsed.wants.expires_s, Some(17));
    for bad in
        [signed.replace("w=3", "w=4"), signed.replace("exp=17", "exp=18"), signed.replace("v=2", "v=3")]
    {
        let refusal = crate::dialect::parse(Dialect::Cloudflare, &bad, &rules).unwrap_err();
        assert_eq!((refusal.status, refusal.code), (403, Some(9401)), "{bad}");
    }
    let unsigned =
        crate::dialect::parse(Dialect::Cloudflare, "/cdn-cgi/image/w=3/a.jpg", &rules).unwrap_err();
    assert_eq!(unsigned.body, "ERROR 9401: the url has to be signed: sig= as its last parameter");
}
