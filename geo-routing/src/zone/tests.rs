use super::*;
use crate::fixture::dns;

#[test]
fn every_name_and_type_has_its_answer() {
    let zone = Zone::new(&dns());
    for (name, wanted, lookup) in [
        ("www.cdn.example.", Wanted::A, Lookup::Steered(Family::V4)),
        ("www.cdn.example.", Wanted::Aaaa, Lookup::Steered(Family::V6)),
        ("www.cdn.example.", Wanted::Any, Lookup::Any),
        ("www.cdn.example.", Wanted::Soa, Lookup::NoData),
        ("www.cdn.example.", Wanted::Ns, Lookup::NoData),
        ("www.cdn.example.", Wanted::Other, Lookup::NoData),
        ("cdn.example.", Wanted::Soa, Lookup::Soa),
        ("cdn.example.", Wanted::Ns, Lookup::Ns),
        ("cdn.example.", Wanted::Any, Lookup::Any),
        ("cdn.example.", Wanted::A, Lookup::NoData),
        ("ns1.cdn.example.", Wanted::A, Lookup::NoData),
        ("x.cdn.example.", Wanted::A, Lookup::NxDomain),
        ("x.cdn.example.", Wanted::Any, Lookup::NxDomain),
        ("below.www.cdn.example.", Wanted::A, Lookup::NxDomain),
        ("example.", Wanted::Soa, Lookup::Refused),
        ("xcdn.example.", Wanted::A, Lookup::Refused),
        ("ns2.example.net.", Wanted::A, Lookup::Refused),
        ("cdn.example.net.", Wanted::A, Lookup::Refused),
        (".", Wanted::Ns, Lookup::Refused),
        ("", Wanted::A, Lookup::Refused),
        (".cdn.example.", Wanted::A, Lookup::Refused),
        ("cdn.example.", Wanted::Transfer, Lookup::Refused),
    ] {
        assert_eq!(zone.lookup(name, wanted), lookup, "{name} {wanted:?}");
    }
}

#[test]
fn names_between_a_service_and_the_apex_exist_but_are_empty() {
    let zone = Zone::new(&dns());
    assert_eq!(zone.lookup("img.a.b.cdn.example.", Wanted::A), Lookup::Steered(Family::V4));
    assert_eq!(zone.lookup("a.b.cdn.example.", Wanted::A), Lookup::NoData);
    assert_eq!(zone.lookup("b.cdn.example.", Wanted::Any), Lookup::NoData);
    assert_eq!(zone.lookup("c.b.cdn.example.", Wanted::A), Lookup::NxDomain);
}

#[test]
fn an_escaped_dot_does_not_end_a_label() {
    let zone = Zone::new(&dns());
    assert_eq!(zone.lookup(r"x\.cdn.example.", Wanted::A), Lookup::Refused, "the label is `x.cdn`");
    assert_eq!(zone.lookup(r"x\\.cdn.example.", Wanted::A), Lookup::NxDomain);
}

#[test]
fn the_apex_may_be_a_service() {
    let mut dns = dns();
    dns.services = vec![dns.zone.clone()];
    let zone = Zone::new(&dns);
    assert_eq!(zone.lookup("cdn.example.", Wanted::A), Lookup::Steered(Family::V4));
    assert_eq!(zone.lookup("cdn.example.", Wanted::Soa), Lookup::Soa);
    assert_eq!(zone.lookup("www.cdn.example.", Wanted::A), Lookup::NxDomain);
}

#[test]
fn negative_ttl_stays_in_bounds() {
    for (ttl, negative) in [(0, 1), (30, 30), (86_400, 300)] {
        let mut dns = dns();
        dns.ttl = Duration::from_secs(ttl);
        assert_eq!(Zone::new(&dns).negative_ttl(), Duration::from_secs(negative));
    }
}
