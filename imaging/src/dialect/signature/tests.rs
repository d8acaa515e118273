//! Signatures of each kind, whole, cut and wrong.

use super::*;
use crate::dialect::rules::{ImgixRules, OwnRules, Secret};

const PATH: &str = "/rs:fill:300:400:0/g:sm/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png";
const SIGNATURE: &str = "oKfUtW34Dvo2BGQehJFR4Nr0_rIjOtdtzJ3QFsUcXH8";

fn pair() -> Pair {
    Pair { key: Secret::new(&hex("736563726574")), salt: Secret::new(&hex("68656C6C6F")) }
}

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).unwrap()
}

fn rules(pairs: Vec<Pair>, signature_bytes: usize) -> ImgproxyRules {
    ImgproxyRules { pairs, signature_bytes, ..ImgproxyRules::default() }
}

#[test]
fn imgproxys_own_examples_fit() {
    let rules = rules(vec![pair()], 32);
    for (path, signature) in [
        (PATH, SIGNATURE),
        ("/rs:fit:320:0/plain/local:///demo/kitten.jpg@webp", "o3oBuUJvgef0jrC-nDjKMxMaY25sTsnppxVhssmuy4E"),
        (
            "/f:png/g:sm/h:400/rt:fill/w:300/aHR0cDovL2V4YW1wbGUuY29tL2ltYWdlcy9jdXJpb3NpdHkuanBn",
            "75qIhiS-BZXxKXf5kkh4xX7yku0OjS9_9DhMgz9p7EQ",
        ),
        (
            "/h:400/rt:fill/w:300/plain/http://example.com/images/curiosity.jpg",
            "8n4AmE-F_38ylg-N7-nFX-RGIy459jTbHpM-Nz0OXwk",
        ),
        ("/w:800/h:600/f:webp/q:75/rt:fill/L2EvcGljLmpwZw", "zzcK8WjOacHvtevaYiQfddow6sdcN1t9y6djf6faPjY"),
    ] {
        assert_eq!(imgproxy(&pair(), path, 32), signature);
        assert_eq!(check_imgproxy(signature, path, &rules), Ok(()), "{path}");
    }
}

#[test]
fn a_changed_character_is_forbidden() {
    let rules = rules(vec![pair()], 32);
    for at in 0..SIGNATURE.len() {
        let mut changed = SIGNATURE.as_bytes().to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let refusal = check_imgproxy(&changed, PATH, &rules).unwrap_err();
        assert_eq!((refusal.status, refusal.body.as_str()), (403, "Forbidden"), "{changed}");
    }
    assert!(check_imgproxy(SIGNATURE, &PATH.replace("300", "301"), &rules).is_err());
}

#[test]
fn signatures_may_be_cut_and_keys_rotated() {
    let other = Pair { key: Secret::new(b"other"), salt: Secret::new(b"") };
    for bytes in 1..=32 {
        let rules = rules(vec![other.clone(), pair()], bytes);
        let cut = imgproxy(&pair(), PATH, bytes);
        assert_eq!(check_imgproxy(&cut, PATH, &rules), Ok(()), "{bytes}");
        let longer = imgproxy(&pair(), PATH, bytes + 1);
        assert_eq!(check_imgproxy(&longer, PATH, &rules).is_ok(), bytes == 32, "{bytes}");
    }
    assert!(check_imgproxy(SIGNATURE, PATH, &rules(vec![other], 32)).is_err());
}

#[test]
fn without_keys_or_a_signature() {
    let status =
        |given: &str, rules: &ImgproxyRules| check_imgproxy(given, PATH, rules).map_err(|error| error.status);
    let mut rules = rules(Vec::new(), 32);
    assert_eq!(status("unsafe", &rules), Err(403));
    rules.unsigned = true;
    for anything in ["unsafe", "insecure", "_", "whatever"] {
        assert_eq!(status(anything, &rules), Ok(()));
    }
    let refusal = check_imgproxy("rs:fill:1:1", PATH, &rules).unwrap_err();
    assert_eq!(refusal.status, 403);
    assert!(refusal.body.starts_with("The signature is missing: an option stands in its place."));
    rules.pairs = vec![pair()];
    assert_eq!(status("unsafe", &rules), Ok(()));
    assert_eq!(status("whatever", &rules), Err(403));
    rules.unsigned = false;
    assert_eq!(status("unsafe", &rules), Err(403));
    assert_eq!(status(SIGNATURE, &rules), Ok(()));
}

#[test]
fn imgixs_own_examples_fit() {
    for (target, signature) in [
        ("/users/1.png?w=400&h=300", "c7b86f666a832434dd38577e38cf86d1"),
        ("/users/1.png", "6797c24146142d5b40bde3141fd3600c"),
    ] {
        assert_eq!(imgix(b"FOO123bar", target), signature);
        let rules = Rules {
            imgix: ImgixRules { token: Some(Secret::new(b"FOO123bar")), unsigned: false },
            ..Rules::default()
        };
        let signed = format!("{target}{}s={signature}", joint(target));
        assert_eq!(checked(Dialect::Query, &signed, &rules), Ok((target, None)));
        let changed = signed.replace("6d1", "6d2").replace("00c", "00d");
        assert_eq!(checked(Dialect::Query, &changed, &rules).unwrap_err().status, 403);
        assert_eq!(checked(Dialect::Query, target, &rules).unwrap_err().status, 403);
        // it concerns the query alone
        assert_eq!(checked(Dialect::Next, target, &rules), Ok((target, None)));
    }
}

#[test]
fn our_own_may_be_hexadecimal_and_cut() {
    let mac = authenticated(b"key", &[b"/a.jpg?w=3"]).finalize().into_bytes();
    for bytes in 16..=32 {
        for text in [HEXLOWER.encode(&mac[..bytes]), BASE64URL_NOPAD.encode(&mac[..bytes])] {
            let target = format!("/a.jpg?w=3&sig={text}");
            let verified = Verified { target: "/a.jpg?w=3", expires_s: None };
            assert_eq!(verify(&target, &[b"key"]), Ok(verified), "{text}");
            assert_eq!(verify(&target, &[b"yek"]), Err(SignatureError::Wrong), "{text}");
        }
    }
    for text in [HEXLOWER.encode(&mac[..15]), BASE64URL_NOPAD.encode(&mac[..15]), String::new(), "!".into()] {
        assert_eq!(
            verify(&format!("/a.jpg?w=3&sig={text}"), &[b"key"]),
            Err(SignatureError::Malformed),
            "{text}"
        );
    }
}

#[test]
fn our_own_is_the_last_parameter() {
    for target in ["/a.jpg", "/a.jpg?w=3", "/a.jpg?sig=x&w=3", ""] {
        assert_eq!(verify(target, &[b"key"]), Err(SignatureError::Missing), "{target}");
    }
    for (target, expires_s) in
        [("/a.jpg", None), ("/a.jpg", Some(7)), ("/a.jpg?w=3", None), ("/a.jpg?w=3", Some(u64::MAX))]
    {
        let signed = sign(target, b"key", expires_s);
        assert_eq!(verify(&signed, &[b"key"]), Ok(Verified { target, expires_s }), "{signed}");
        assert_eq!(verify(&signed.replace("/a", "/b"), &[b"key"]), Err(SignatureError::Wrong), "{signed}");
        assert_eq!(verify(&format!("{signed}&w=9"), &[b"key"]), Err(SignatureError::Missing), "{signed}");
    }
    // an expiry further to the front is just a parameter
    let signed = sign("/a.jpg?exp=5&w=3", b"key", None);
    assert_eq!(verify(&signed, &[b"key"]), Ok(Verified { target: "/a.jpg?exp=5&w=3", expires_s: None }));
}

#[test]
fn who_has_to_sign() {
    let own = |unsigned| Rules {
        own: OwnRules { keys: vec![Secret::new(b"old"), Secret::new(b"new")], unsigned },
        ..Rules::default()
    };
    let target = "/a.jpg?w=3";
    let signed = sign(target, b"new", Some(9));
    for dialect in [Dialect::Cloudflare, Dialect::Next, Dialect::Ipx, Dialect::Query, Dialect::Iiif] {
        assert_eq!(checked(dialect, &signed, &own(false)), Ok((target, Some(9))), "{dialect:?}");
        assert_eq!(checked(dialect, target, &own(false)).unwrap_err().status, 403, "{dialect:?}");
        assert_eq!(checked(dialect, target, &own(true)), Ok((target, None)), "{dialect:?}");
        let forged = sign(target, b"forged", None);
        assert_eq!(checked(dialect, &forged, &own(true)).unwrap_err().status, 403, "{dialect:?}");
        assert_eq!(checked(dialect, &forged, &Rules::default()), Ok((forged.as_str(), None)), "{dialect:?}");
    }
    assert_eq!(checked(Dialect::Imgproxy, target, &own(false)), Ok((target, None)));
}
