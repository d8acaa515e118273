use http::StatusCode;

use super::{NotStored, judge};
use crate::{
    fields::tests::{Fields, map},
    policy::Policy,
    stored::ResponseHead,
};

const MODIFIED: (&str, &str) = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");

const fn policy(default_ttl_ms: Option<u64>) -> Policy {
    Policy {
        default_ttl_ms,
        stale_while_revalidate_ms: 0,
        stale_if_error_ms: 0,
        negative_ttl_ms: 10_000,
        compress: None,
        stores_cookies: false,
        stores_errors: true,
    }
}

fn verdict(
    request: &[(&str, &str)],
    status: u16,
    fields: &[(&str, &str)],
    ttl_ms: Option<u64>,
) -> Result<(), NotStored> {
    let head = ResponseHead { status: StatusCode::from_u16(status).unwrap(), headers: map(fields) };
    judge(&map(request), &head, &policy(ttl_ms))
}

fn response(status: u16, fields: &[(&str, &str)]) -> Result<(), NotStored> {
    verdict(&[], status, fields, None)
}

#[test]
fn cache_control_decides() {
    use NotStored::{NoFreshness, NoStore, Private};
    let table = [
        ("max-age=60", Ok(())),
        ("s-maxage=60", Ok(())),
        ("max-age=0", Ok(())),
        ("max-age=60, no-cache", Ok(())),
        ("no-store", Err(NoStore)),
        ("no-store, max-age=60", Err(NoStore)),
        ("NO-STORE", Err(NoStore)),
        ("no-store, must-understand, max-age=60", Ok(())),
        ("private", Err(Private)),
        ("private, max-age=60", Err(Private)),
        ("private, s-maxage=60", Err(Private)),
        ("private=\"x\", max-age=60", Err(Private)),
        ("public", Err(NoFreshness)),
        ("no-cache", Err(NoFreshness)),
        ("stale-if-error=60", Err(NoFreshness)),
        ("x", Err(NoFreshness)),
    ];
    for (value, wanted) in table {
        assert_eq!(response(200, &[("cache-control", value)]), wanted, "{value}");
    }
}

#[test]
fn without_a_word_on_freshness_nothing_is_stored() {
    assert_eq!(response(200, &[]), Err(NotStored::NoFreshness));
    assert_eq!(
        response(200, &[("etag", "\"v\"")]),
        Err(NotStored::NoFreshness),
        "made for one reader, more often than not"
    );
    assert_eq!(response(200, &[("last-modified", "yesterday")]), Err(NotStored::NoFreshness));
}

#[test]
fn a_guess_or_the_site_or_expires_is_enough() {
    assert_eq!(response(200, &[MODIFIED]), Ok(()));
    assert_eq!(response(200, &[("expires", "Sun, 06 Nov 1994 08:49:37 GMT")]), Ok(()));
    assert_eq!(response(200, &[("expires", "0")]), Ok(()), "stale, but explicit");
    assert_eq!(verdict(&[], 200, &[], Some(1000)), Ok(()));
}

#[test]
fn statuses_without_explicit_freshness() {
    let stored = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];
    let refused =
        [201, 202, 205, 302, 303, 307, 400, 401, 403, 406, 412, 416, 418, 429, 451, 500, 502, 503, 504, 599];
    for status in stored {
        assert_eq!(verdict(&[], status, &[MODIFIED], Some(1000)), Ok(()), "{status}");
    }
    for status in refused {
        assert_eq!(verdict(&[], status, &[MODIFIED], Some(1000)), Err(NotStored::Status(status)), "{status}");
    }
}

#[test]
fn statuses_with_explicit_freshness() {
    for status in [200, 201, 302, 307, 403, 404, 410, 451, 500, 503, 599] {
        assert_eq!(response(status, &[("cache-control", "max-age=1")]), Ok(()), "{status}");
    }
}

#[test]
fn what_is_not_a_final_whole_answer_is_never_stored() {
    let fresh = ("cache-control", "public, max-age=60");
    for status in [100, 101, 103, 304] {
        assert_eq!(response(status, &[fresh]), Err(NotStored::Status(status)), "{status}");
    }
    assert_eq!(response(206, &[fresh, ("content-range", "bytes 0-1/2")]), Err(NotStored::Partial));
    assert_eq!(response(206, &[fresh]), Err(NotStored::Partial));
    assert_eq!(response(200, &[fresh, ("content-range", "bytes 0-1/2")]), Ok(()), "means nothing here");
}

#[test]
fn must_understand_forbids_unknown_statuses() {
    assert_eq!(response(299, &[("cache-control", "must-understand, max-age=60")]), Err(NotStored::NoStore));
    assert_eq!(response(299, &[("cache-control", "max-age=60")]), Ok(()));
}

#[test]
fn public_lets_other_statuses_be_guessed() {
    assert_eq!(response(302, &[("cache-control", "public"), MODIFIED]), Ok(()));
    assert_eq!(response(302, &[("cache-control", "public")]), Err(NotStored::NoFreshness));
}

#[test]
fn credentials_need_leave_to_share() {
    let table = [
        ("max-age=60", Err(NotStored::Authorization)),
        ("max-age=60, proxy-revalidate", Err(NotStored::Authorization)),
        ("max-age=60, no-cache", Err(NotStored::Authorization)),
        ("max-age=60, public", Ok(())),
        ("max-age=60, must-revalidate", Ok(())),
        ("s-maxage=60", Ok(())),
    ];
    for (value, wanted) in table {
        let found = verdict(&[("authorization", "Basic eDp5")], 200, &[("cache-control", value)], Some(1000));
        assert_eq!(found, wanted, "{value}");
    }
}

#[test]
fn cookies_need_leave_to_share() {
    let table = [
        ("max-age=60", Err(NotStored::SetCookie)),
        ("max-age=60, must-revalidate", Err(NotStored::SetCookie)),
        ("max-age=60, public", Ok(())),
        ("s-maxage=60", Ok(())),
    ];
    for (value, wanted) in table {
        assert_eq!(response(200, &[("cache-control", value), ("set-cookie", "sid=1")]), wanted, "{value}");
    }
    assert_eq!(verdict(&[], 200, &[("set-cookie", "sid=1")], Some(1000)), Err(NotStored::SetCookie));
}

#[test]
fn vary_star_is_never_stored() {
    for value in ["*", "accept, *", "not a name"] {
        let found = response(200, &[("cache-control", "max-age=60"), ("vary", value)]);
        assert_eq!(found, Err(NotStored::VaryStar), "{value}");
    }
    assert_eq!(response(200, &[("cache-control", "max-age=60"), ("vary", "accept")]), Ok(()));
}

#[test]
fn a_clients_no_store_is_respected_and_its_no_cache_is_not() {
    let fresh = [("cache-control", "max-age=60")];
    assert_eq!(verdict(&[("cache-control", "no-store")], 200, &fresh, None), Err(NotStored::NoStore));
    assert_eq!(verdict(&[("cache-control", "no-cache, max-age=0")], 200, &fresh, None), Ok(()));
}

#[test]
fn targeted_fields_overrule_the_general_ones() {
    let table: [(Fields<'_>, Result<(), NotStored>); 6] = [
        (&[("cdn-cache-control", "max-age=60"), ("cache-control", "no-store, private")], Ok(())),
        (&[("cdn-cache-control", "no-store"), ("cache-control", "max-age=60")], Err(NotStored::NoStore)),
        (&[("cdn-cache-control", "private"), ("cache-control", "max-age=60")], Err(NotStored::Private)),
        (&[("cdn-cache-control", "&"), ("cache-control", "no-store")], Err(NotStored::NoStore)),
        (
            &[("cdn-cache-control", "public"), ("expires", "Sun, 06 Nov 1994 08:49:37 GMT")],
            Err(NotStored::NoFreshness),
        ),
        (&[("surrogate-control", "max-age=60"), ("cache-control", "private")], Err(NotStored::Private)),
    ];
    for (fields, wanted) in table {
        assert_eq!(response(200, fields), wanted, "{fields:?}");
    }
}

#[test]
fn reasons_are_tokens_and_distinct() {
    use NotStored::{Authorization, NoFreshness, NoStore, Partial, Private, SetCookie, Status, VaryStar};
    let all = [NoStore, Private, Authorization, VaryStar, SetCookie, Partial, Status(500), NoFreshness];
    let mut reasons = all.map(NotStored::reason);
    reasons.sort_unstable();
    assert!(reasons.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(reasons.iter().all(|reason| reason.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
}
