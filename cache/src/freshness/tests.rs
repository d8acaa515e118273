use http::StatusCode;
use proptest::prelude::{any, proptest};

use super::{HEURISTIC_MS_MAX, Use, age_ms, judge, lifetime};
use crate::{
    cache_control::RequestDirectives,
    clock::Millis,
    fields::tests::{Fields, map},
    policy::Policy,
    purge::Coverage,
    stored::{Lifetime, ResponseHead},
};

/// Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: Millis = Millis(784_111_777_000);
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const MINUTE_LATER: &str = "Sun, 06 Nov 1994 08:50:37 GMT";
const HOUR_BEFORE: &str = "Sun, 06 Nov 1994 07:49:37 GMT";
const YEAR_BEFORE: &str = "Sat, 06 Nov 1993 08:49:37 GMT";

const SITE: Policy = Policy {
    default_ttl_ms: None,
    stale_while_revalidate_ms: 60_000,
    stale_if_error_ms: 86_400_000,
    negative_ttl_ms: 10_000,
    compress: None,
    stores_cookies: false,
    stores_errors: true,
};
const SITE_TTL: Policy = Policy { default_ttl_ms: Some(300_000), ..SITE };

fn head(status: u16, fields: &[(&str, &str)]) -> ResponseHead {
    ResponseHead { status: StatusCode::from_u16(status).unwrap(), headers: map(fields) }
}

fn of(policy: &Policy, status: u16, fields: &[(&str, &str)]) -> Lifetime {
    lifetime(&map(&[]), &head(status, fields), policy, NOW, NOW)
}

fn fresh_s(fields: &[(&str, &str)]) -> u64 {
    of(&SITE, 200, fields).fresh_ms / 1000
}

#[test]
fn explicit_freshness() {
    let table: [(Fields<'_>, u64); 15] = [
        (&[("cache-control", "max-age=60")], 60),
        (&[("cache-control", "max-age=60, s-maxage=5")], 5),
        (&[("cache-control", "max-age=60"), ("expires", DATE), ("date", DATE)], 60),
        (&[("cache-control", "max-age=0"), ("expires", MINUTE_LATER)], 0),
        (&[("cache-control", "max-age=x"), ("expires", MINUTE_LATER)], 0),
        (&[("expires", MINUTE_LATER), ("date", DATE)], 60),
        (&[("expires", MINUTE_LATER)], 60),
        (&[("expires", MINUTE_LATER), ("date", HOUR_BEFORE)], 3660),
        (&[("expires", HOUR_BEFORE), ("date", DATE)], 0),
        (&[("expires", "0"), ("last-modified", YEAR_BEFORE)], 0),
        (&[("expires", "-1")], 0),
        (&[("expires", MINUTE_LATER), ("expires", "0")], 0),
        (&[("expires", MINUTE_LATER), ("expires", HOUR_BEFORE), ("date", DATE)], 0),
        (&[("cdn-cache-control", "max-age=5"), ("cache-control", "s-maxage=60")], 5),
        (&[("surrogate-control", "max-age=5"), ("expires", MINUTE_LATER)], 5),
    ];
    for (fields, wanted) in table {
        assert_eq!(fresh_s(fields), wanted, "{fields:?}");
    }
}

#[test]
fn not_found_is_not_kept_beyond_its_freshness_unless_the_origin_says_so() {
    let absent = of(&SITE_TTL, 404, &[]);
    assert_eq!((absent.fresh_ms, absent.stale_while_revalidate_ms, absent.stale_if_error_ms), (10_000, 0, 0));
    let named = of(&SITE_TTL, 404, &[("cache-control", "max-age=5, stale-if-error=7")]);
    assert_eq!((named.stale_while_revalidate_ms, named.stale_if_error_ms), (0, 7000));
    assert_eq!(of(&SITE_TTL, 200, &[]).stale_while_revalidate_ms, 60_000);
}

#[test]
fn guessed_freshness() {
    let table: [(Fields<'_>, u64); 6] = [
        (&[("last-modified", HOUR_BEFORE)], 360),
        (&[("last-modified", HOUR_BEFORE), ("date", MINUTE_LATER)], 366),
        (&[("last-modified", YEAR_BEFORE)], HEURISTIC_MS_MAX / 1000),
        (&[("last-modified", MINUTE_LATER)], 0),
        (&[("last-modified", "soon")], 0),
        (&[], 0),
    ];
    for (fields, wanted) in table {
        assert_eq!(fresh_s(fields), wanted, "{fields:?}");
    }
}

#[test]
fn no_guess_for_statuses_that_may_not_be_guessed() {
    assert_eq!(of(&SITE, 302, &[("last-modified", HOUR_BEFORE)]).fresh_ms, 0);
    assert_eq!(of(&SITE_TTL, 503, &[]).fresh_ms, 0);
}

#[test]
fn the_sites_ttl_beats_guesses_and_nothing_else() {
    let table: [(u16, Fields<'_>, u64); 8] = [
        (200, &[], 300),
        (200, &[("last-modified", YEAR_BEFORE)], 300),
        (301, &[], 300),
        (200, &[("cache-control", "max-age=1")], 1),
        (200, &[("expires", "0")], 0),
        (404, &[], 10),
        (410, &[("last-modified", YEAR_BEFORE)], 10),
        (404, &[("cache-control", "max-age=100")], 100),
    ];
    for (status, fields, wanted) in table {
        assert_eq!(of(&SITE_TTL, status, fields).fresh_ms, wanted * 1000, "{status} {fields:?}");
    }
    let short = Policy { default_ttl_ms: Some(2_000), ..SITE };
    assert_eq!(of(&short, 404, &[]).fresh_ms, 2_000, "an absence never outlives a presence");
}

#[test]
fn initial_age() {
    let table: [(Fields<'_>, u64, u64); 16] = [
        (&[], 0, 0),
        (&[("age", "7")], 0, 7000),
        (&[("age", "7")], 1500, 8500),
        (&[], 1500, 1500),
        (&[("date", HOUR_BEFORE)], 0, 3_600_000),
        (&[("date", HOUR_BEFORE), ("age", "7200")], 0, 7_200_000),
        (&[("date", HOUR_BEFORE), ("age", "1")], 0, 3_600_000),
        (&[("date", MINUTE_LATER)], 0, 0),
        (&[("date", "noon")], 0, 0),
        (&[("age", "-7")], 0, 0),
        (&[("age", "7a")], 0, 0),
        (&[("age", "7.5")], 0, 0),
        (&[("age", "")], 0, 0),
        (&[("age", "7, 100")], 0, 7000),
        (&[("age", "7"), ("age", "100")], 0, 7000),
        (&[("age", "99999999999999999999999")], 0, 2_147_483_648_000),
    ];
    for (fields, delay_ms, wanted) in table {
        let asked = Millis(NOW.0 - delay_ms);
        let found = lifetime(&map(&[]), &head(200, fields), &SITE, asked, NOW);
        assert_eq!(found.initial_age_ms, wanted, "{fields:?} {delay_ms}");
    }
}

#[test]
fn a_date_of_this_second_is_not_old() {
    let received = Millis(NOW.0 + 999);
    let found = lifetime(&map(&[]), &head(200, &[("date", DATE)]), &SITE, received, received);
    assert_eq!(found.initial_age_ms, 0);
}

#[test]
fn a_clock_that_went_back_makes_nothing_old() {
    let found = lifetime(&map(&[]), &head(200, &[]), &SITE, Millis(NOW.0 + 5000), NOW);
    assert_eq!(found.initial_age_ms, 0);
    assert_eq!(age_ms(&found, Millis(0)), 0);
}

#[test]
fn age_grows_with_the_clock() {
    let found = of(&SITE, 200, &[("age", "7")]);
    assert_eq!(age_ms(&found, Millis(NOW.0 + 3000)), 10_000);
}

#[test]
fn windows_come_from_the_response_or_else_the_site() {
    let table: [(&str, (u64, u64)); 9] = [
        ("max-age=60", (60, 86_400)),
        ("max-age=60, stale-while-revalidate=5", (5, 86_400)),
        ("max-age=60, stale-if-error=5", (60, 5)),
        ("max-age=60, stale-while-revalidate=0, stale-if-error=0", (0, 0)),
        ("max-age=60, stale-while-revalidate", (60, 86_400)),
        ("max-age=0", (0, 86_400)),
        ("max-age=0, stale-while-revalidate=5", (5, 86_400)),
        ("s-maxage=60", (0, 0)),
        ("s-maxage=60, stale-while-revalidate=5", (5, 0)),
    ];
    for (value, wanted) in table {
        let found = of(&SITE, 200, &[("cache-control", value)]);
        let windows = (found.stale_while_revalidate_ms / 1000, found.stale_if_error_ms / 1000);
        assert_eq!(windows, wanted, "{value}");
    }
}

#[test]
fn without_any_freshness_there_are_no_windows() {
    let found = of(&SITE, 200, &[("etag", "\"v\"")]);
    assert_eq!((found.stale_while_revalidate_ms, found.stale_if_error_ms), (0, 0));
}

#[test]
fn what_forbids_stale_use() {
    let table = [
        ("max-age=60", false),
        ("max-age=60, must-revalidate", true),
        ("max-age=60, proxy-revalidate", true),
        ("max-age=60, must-revalidate, stale-while-revalidate=5", true),
        ("s-maxage=60", true),
        ("s-maxage=60, stale-while-revalidate=5", false),
        ("s-maxage=60, stale-if-error=5", false),
        ("s-maxage=60, proxy-revalidate, stale-if-error=5", true),
    ];
    for (value, wanted) in table {
        assert_eq!(of(&SITE, 200, &[("cache-control", value)]).never_stale, wanted, "{value}");
    }
    let credentials = map(&[("authorization", "Basic eDp5")]);
    let found =
        lifetime(&credentials, &head(200, &[("cache-control", "public, max-age=60")]), &SITE, NOW, NOW);
    assert!(found.never_stale);
}

#[test]
fn no_cache_asks_for_validation_each_time() {
    assert!(of(&SITE, 200, &[("cache-control", "no-cache, max-age=60")]).always_validate);
    assert!(of(&SITE, 200, &[("cache-control", "no-cache=\"x\", max-age=60")]).always_validate);
    assert!(!of(&SITE, 200, &[("cache-control", "max-age=60")]).always_validate);
}

/// Fresh 10 s, then 5 s stale-while-revalidate, 20 s stale-if-error.
const STORED: Lifetime = Lifetime {
    received: NOW,
    initial_age_ms: 0,
    fresh_ms: 10_000,
    stale_while_revalidate_ms: 5_000,
    stale_if_error_ms: 20_000,
    always_validate: false,
    never_stale: false,
};
const KEPT: Use = Use::Validate { stale_if_error: true };
const GONE: Use = Use::Validate { stale_if_error: false };

fn at(lifetime: &Lifetime, coverage: Coverage, age_ms: u64) -> Use {
    judge(lifetime, coverage, &RequestDirectives::default(), Millis(NOW.0 + age_ms))
}

#[test]
fn use_by_age() {
    let table = [
        (0, Use::Fresh),
        (9_999, Use::Fresh),
        (10_000, Use::StaleWhileRevalidate),
        (15_000, Use::StaleWhileRevalidate),
        (15_001, KEPT),
        (30_000, KEPT),
        (30_001, GONE),
        (u64::MAX - NOW.0, GONE),
    ];
    for (age_ms, wanted) in table {
        assert_eq!(at(&STORED, Coverage::Clear, age_ms), wanted, "{age_ms} ms");
    }
}

#[test]
fn a_soft_purge_makes_stale_from_this_moment() {
    let table = [
        (0, Use::StaleWhileRevalidate),
        (9_999, Use::StaleWhileRevalidate),
        (15_000, Use::StaleWhileRevalidate),
        (15_001, KEPT),
        (30_001, GONE),
    ];
    for (age_ms, wanted) in table {
        assert_eq!(at(&STORED, Coverage::Stale, age_ms), wanted, "{age_ms} ms");
    }
}

#[test]
fn a_soft_purge_without_windows_leaves_validation_only() {
    let bare = Lifetime { stale_while_revalidate_ms: 0, stale_if_error_ms: 0, ..STORED };
    assert_eq!(at(&bare, Coverage::Stale, 0), GONE);
    assert_eq!(at(&Lifetime { stale_if_error_ms: 1, ..bare }, Coverage::Stale, 0), KEPT);
}

#[test]
fn a_hard_purge_ends_everything() {
    for age_ms in [0, 12_000, 20_000, 99_000] {
        assert_eq!(at(&STORED, Coverage::Dead, age_ms), Use::Never);
    }
}

#[test]
fn no_window_means_no_stale_use_at_the_very_end_of_freshness() {
    let bare = Lifetime { stale_while_revalidate_ms: 0, stale_if_error_ms: 0, ..STORED };
    assert_eq!(at(&bare, Coverage::Clear, 10_000), GONE);
}

#[test]
fn forbidden_stale_use_is_never_offered() {
    for strict in [Lifetime { never_stale: true, ..STORED }, Lifetime { always_validate: true, ..STORED }] {
        for age_ms in [10_000, 12_000, 20_000, 31_000] {
            assert_eq!(at(&strict, Coverage::Clear, age_ms), GONE);
        }
        assert_eq!(at(&strict, Coverage::Stale, 0), GONE);
    }
    assert_eq!(at(&Lifetime { never_stale: true, ..STORED }, Coverage::Clear, 0), Use::Fresh);
    assert_eq!(at(&Lifetime { always_validate: true, ..STORED }, Coverage::Clear, 0), GONE);
}

#[test]
fn zero_freshness_is_stale_at_once() {
    let zero = Lifetime { fresh_ms: 0, stale_while_revalidate_ms: 0, ..STORED };
    assert_eq!(at(&zero, Coverage::Clear, 0), KEPT);
}

#[test]
fn only_a_trusted_client_may_ask_for_newer() {
    let table = [
        (RequestDirectives { no_cache: true, ..RequestDirectives::default() }, KEPT),
        (RequestDirectives { max_age_s: Some(0), ..RequestDirectives::default() }, KEPT),
        (RequestDirectives { max_age_s: Some(4), ..RequestDirectives::default() }, KEPT),
        (RequestDirectives { max_age_s: Some(5), ..RequestDirectives::default() }, Use::Fresh),
        (RequestDirectives { min_fresh_s: Some(6), ..RequestDirectives::default() }, KEPT),
        (RequestDirectives { min_fresh_s: Some(5), ..RequestDirectives::default() }, Use::Fresh),
        (RequestDirectives { max_stale_s: Some(5), ..RequestDirectives::default() }, Use::Fresh),
        (
            RequestDirectives { only_if_cached: true, no_store: true, ..RequestDirectives::default() },
            Use::Fresh,
        ),
    ];
    for (request, trusted) in table {
        let now = Millis(NOW.0 + 5000);
        assert_eq!(judge(&STORED, Coverage::Clear, &request, now), Use::Fresh, "{request:?}");
        let request = RequestDirectives { is_trusted: true, ..request };
        assert_eq!(judge(&STORED, Coverage::Clear, &request, now), trusted, "{request:?}");
    }
}

#[test]
fn only_a_trusted_client_gets_stale_ones_for_the_asking() {
    let stale = Lifetime { stale_while_revalidate_ms: 0, stale_if_error_ms: 0, ..STORED };
    let now = Millis(NOW.0 + stale.fresh_ms + 5000);
    let asks = |max_stale_s| RequestDirectives { max_stale_s, ..RequestDirectives::default() };
    let trusted = |max_stale_s| RequestDirectives { is_trusted: true, ..asks(max_stale_s) };
    let judged = |lifetime: &Lifetime, request| judge(lifetime, Coverage::Clear, &request, now);
    assert_eq!(judged(&stale, asks(Some(60))), GONE);
    assert_eq!(judged(&stale, trusted(Some(60))), Use::MaxStale);
    assert_eq!(judged(&stale, trusted(Some(5))), Use::MaxStale, "to the end");
    assert_eq!(judged(&stale, trusted(Some(4))), GONE);
    assert_eq!(judged(&Lifetime { never_stale: true, ..stale }, trusted(Some(60))), GONE);
    assert_eq!(judged(&Lifetime { always_validate: true, ..stale }, trusted(Some(60))), GONE);
    assert_eq!(judge(&stale, Coverage::Stale, &trusted(Some(60)), now), GONE, "a purge is not overruled");
}

proptest! {
    #[test]
    fn time_never_makes_a_response_more_usable(
        times in any::<[u32; 4]>(), ages in any::<[u32; 2]>(), flags in any::<[bool; 2]>(), soft in any::<bool>(),
    ) {
        let lifetime = Lifetime {
            received: NOW,
            initial_age_ms: times[0].into(),
            fresh_ms: times[1].into(),
            stale_while_revalidate_ms: times[2].into(),
            stale_if_error_ms: times[3].into(),
            always_validate: flags[0],
            never_stale: flags[1],
        };
        let rank = |usage| match usage {
            Use::Fresh => 3,
            Use::StaleWhileRevalidate | Use::MaxStale => 2,
            Use::Validate { stale_if_error } => u8::from(stale_if_error),
            Use::Never => 0,
        };
        let coverage = if soft { Coverage::Stale } else { Coverage::Clear };
        let (early, late) = (ages[0].min(ages[1]), ages[0].max(ages[1]));
        assert!(rank(at(&lifetime, coverage, early.into())) >= rank(at(&lifetime, coverage, late.into())));
        assert!(rank(at(&lifetime, Coverage::Clear, early.into())) >= rank(at(&lifetime, Coverage::Stale, early.into())));
    }

    #[test]
    fn no_head_panics(
        cache_control in "[ -~]{0,60}", age in "[ -~]{0,12}", date in "[ -~]{0,40}", asked in any::<u64>(),
        received in any::<u64>(), now in any::<u64>(),
    ) {
        let fields = [("cache-control", &*cache_control), ("age", &*age), ("date", &*date), ("expires", &*date)];
        let found = lifetime(&map(&[]), &head(200, &fields), &SITE_TTL, Millis(asked), Millis(received));
        let usage = judge(&found, Coverage::Clear, &RequestDirectives::default(), Millis(now));
        assert_ne!(usage, Use::Never, "only a purge says so");
    }
}

#[test]
fn an_unknown_history_is_validated_first_and_never_served_behind_a_validation() {
    let stored =
        of(&SITE, 200, &[("cache-control", "max-age=60, stale-while-revalidate=60, stale-if-error=60")]);
    let usage = judge(&stored, Coverage::Unknown, &RequestDirectives::default(), NOW);
    assert_eq!(usage, Use::Validate { stale_if_error: true });
}
