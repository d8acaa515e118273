use proptest::prelude::{any, proptest};

use super::{CacheStatus, Forward, TEXT_CHARS_MAX, TIERS_MAX, TierOutcome};

#[test]
fn one_member_for_a_node() {
    let new = || CacheStatus::new("eu-1");
    let table = [
        (new(), "eu-1"),
        (new().hit(59), "eu-1; hit; ttl=59"),
        (new().hit(-3), "eu-1; hit; ttl=-3"),
        (new().forward(Forward::UriMiss), "eu-1; fwd=uri-miss"),
        (
            new().forward(Forward::Stale).fwd_status(304).stored(true).collapsed(true).ttl(60),
            "eu-1; fwd=stale; fwd-status=304; stored; collapsed; ttl=60",
        ),
        (new().forward(Forward::Miss).stored(false).collapsed(false), "eu-1; fwd=miss"),
        (new().hit(1).key("h/a").detail("no-store"), "eu-1; hit; ttl=1; key=\"h/a\"; detail=no-store"),
        (new().detail("two words"), "eu-1; detail=\"two words\""),
    ];
    for (status, wanted) in table {
        assert_eq!(status.to_string(), wanted);
        assert_eq!(status.to_header(), wanted);
    }
}

#[test]
fn a_hit_and_a_forward_exclude_each_other() {
    let both =
        CacheStatus::new("n").forward(Forward::Miss).fwd_status(200).stored(true).collapsed(true).hit(5);
    assert_eq!(both.to_string(), "n; hit; ttl=5");
    assert_eq!(CacheStatus::new("n").hit(5).forward(Forward::Bypass).to_string(), "n; fwd=bypass; ttl=5");
}

#[test]
fn tokens_of_the_rfc() {
    use Forward::{Bypass, Method, Miss, Partial, Request, Stale, UriMiss, VaryMiss};
    let all = [Bypass, Method, UriMiss, VaryMiss, Miss, Request, Stale, Partial];
    let tokens = ["bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"];
    assert_eq!(all.map(Forward::token), tokens);
}

#[test]
fn tiers_stand_from_the_origins_side() {
    let status = CacheStatus::new("eu-1")
        .tier("memory", TierOutcome::Forward(Forward::UriMiss))
        .tier("disk", TierOutcome::Failed("checksum differs".to_owned()))
        .tier("s3", TierOutcome::Hit { ttl_s: 59 });
    let tiers =
        "eu-1/s3; hit; ttl=59, eu-1/disk; fwd=miss; detail=\"checksum differs\", eu-1/memory; fwd=uri-miss";
    assert_eq!(status.to_string(), tiers);
    let status = status.forward(Forward::Stale).fwd_status(200);
    assert_eq!(status.to_string(), format!("{tiers}, eu-1; fwd=stale; fwd-status=200"));
}

#[test]
fn tiers_are_bounded() {
    let many = (0..TIERS_MAX + 5)
        .fold(CacheStatus::new("n"), |status, _| status.tier("t", TierOutcome::Hit { ttl_s: 1 }));
    assert_eq!(many.to_string().matches("hit").count(), TIERS_MAX);
}

#[test]
fn odd_names_become_legal_strings() {
    let table = [
        ("1st", "\"1st\""),
        ("", "\"\""),
        ("a b", "\"a b\""),
        ("a\"b\\c", "\"a\\\"b\\\\c\""),
        ("a, b; hit", "\"a, b; hit\""),
        ("knoten-ü", "\"knoten-?\""),
        ("a\r\nb", "\"a??b\""),
        ("-a", "\"-a\""),
        ("*a", "*a"),
        ("eu:1/x~", "eu:1/x~"),
    ];
    for (name, wanted) in table {
        assert_eq!(CacheStatus::new(name).to_string(), wanted, "{name:?}");
    }
}

#[test]
fn a_key_is_always_a_string() {
    assert_eq!(CacheStatus::new("n").key("token").to_string(), "n; key=\"token\"");
}

#[test]
fn numbers_stay_in_range() {
    assert_eq!(CacheStatus::new("n").hit(i64::MAX).to_string(), "n; hit; ttl=999999999999999");
    assert_eq!(CacheStatus::new("n").hit(i64::MIN).to_string(), "n; hit; ttl=-999999999999999");
}

#[test]
fn long_texts_are_cut() {
    let long = "x".repeat(TEXT_CHARS_MAX * 2);
    let status =
        CacheStatus::new(&long).key(&long).detail(&long).tier(&long, TierOutcome::Failed(long.clone()));
    assert!(status.to_string().len() < TEXT_CHARS_MAX * 7);
}

proptest! {
    #[test]
    fn any_text_makes_a_legal_field(
        node in any::<String>(), tier in any::<String>(), key in any::<String>(), detail in any::<String>(), ttl in any::<i64>(),
    ) {
        let status = CacheStatus::new(&node).hit(ttl).key(&key).detail(&detail).tier(&tier, TierOutcome::Failed(detail.clone()));
        assert_eq!(status.to_header(), status.to_string().as_str());
        let outside = status.to_string();
        let outside = outside.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(outside.matches('"').count() % 2, 0, "quotes are closed");
        let members = outside.split('"').step_by(2).map(|part| part.matches(',').count()).sum::<usize>();
        assert_eq!(members, 1, "two members, whatever the names hold");
    }
}
