use std::net::Ipv4Addr;

use super::*;
use crate::{
    fixture::{board, dns, places, regions},
    health::{Board, Forced},
};

fn name(snapshot: &Snapshot, client: &str) -> Option<String> {
    let decision = steer(snapshot, &places(), client.parse().ok()?);
    decision.region_name().map(str::to_owned)
}

/// A snapshot where the named regions are down.
fn down(names: &[&str]) -> Snapshot {
    let board = board();
    for name in names {
        board.force(name, Some(Forced::Down));
    }
    board.snapshot().as_ref().clone()
}

fn unknown_clients() -> impl Iterator<Item = IpAddr> {
    (0..3000_u32).map(|n| IpAddr::V4(Ipv4Addr::from_bits(0xcb00_0000 + (n << 8))))
}

#[test]
fn the_nearest_region_that_is_up_wins() {
    for (out, client, expected) in [
        (&[][..], "10.1.2.3", "eu"),
        (&[], "10.2.2.3", "ap"),
        (&[], "2001:db8:1::5", "us"),
        (&["eu"], "10.1.2.3", "us"),
        (&["eu", "us"], "10.1.2.3", "ap"),
        (&["us"], "10.1.2.3", "eu"),
    ] {
        assert_eq!(name(&down(out), client).as_deref(), Some(expected), "{client} without {out:?}");
    }
}

#[test]
fn all_down_fails_open_to_the_nearest() {
    let snapshot = down(&["ap", "eu", "us"]);
    let decision = steer(&snapshot, &places(), "10.2.0.1".parse().unwrap());
    assert!(decision.fail_open);
    assert_eq!(decision.region_name(), Some("ap"));
    assert_eq!(decision.chosen[0], IpAddr::from([192, 0, 2, 1]));
}

#[test]
fn weight_zero_is_never_answered_while_others_stand() {
    let mut snapshot = down(&["us", "ap"]);
    snapshot.regions[1].weight = 0;
    assert_eq!(name(&snapshot, "10.1.0.1").as_deref(), Some("us"), "down but weighted goes before weight 0");
    for region in &mut snapshot.regions {
        region.weight = 0;
    }
    assert_eq!(name(&snapshot, "10.1.0.1").as_deref(), Some("eu"), "better than no answer");
}

#[test]
fn regions_without_addresses_are_passed_over() {
    let mut snapshot = down(&[]);
    snapshot.regions[1].addresses.clear();
    assert_eq!(name(&snapshot, "10.1.0.1").as_deref(), Some("us"));
    for region in &mut snapshot.regions {
        region.addresses.clear();
    }
    assert_eq!(name(&snapshot, "10.1.0.1"), None);
    assert_eq!(name(&snapshot, "203.0.113.1"), None);
    assert_eq!(name(&Snapshot { regions: Vec::new() }, "10.1.0.1"), None);
}

#[test]
fn unknown_clients_are_shared_out_by_weight() {
    let mut snapshot = down(&[]);
    snapshot.regions[0].weight = 300;
    let mut counts = [0_u32; 3];
    for client in unknown_clients() {
        counts[pick(&snapshot, &places(), client, None).region.unwrap()] += 1;
    }
    // shares of 3000 are 1800, 600, 600; the hash is fixed, so this cannot flake
    assert!((1650..1950).contains(&counts[0]), "{counts:?}");
    assert!((500..700).contains(&counts[1]) && (500..700).contains(&counts[2]), "{counts:?}");
}

#[test]
fn losing_a_region_moves_only_its_own_clients() {
    let (all, without) = (down(&[]), down(&["eu"]));
    for client in unknown_clients() {
        let (before, after) =
            (pick(&all, &places(), client, None).region, pick(&without, &places(), client, None).region);
        if before == Some(1) {
            assert_ne!(after, Some(1), "{client}");
        } else {
            assert_eq!(after, before, "{client}");
        }
    }
}

#[test]
fn neighbours_in_one_network_get_one_answer() {
    let snapshot = down(&[]);
    let expected = name(&snapshot, "203.0.113.0");
    assert!((1..=255).all(|host| name(&snapshot, &format!("203.0.113.{host}")) == expected));
    let expected = name(&snapshot, "2001:db8:ffff::");
    assert_eq!(name(&snapshot, "2001:db8:ffff:ff::9"), expected, "same /56");
}

#[test]
fn the_scope_says_what_the_choice_rests_on() {
    let snapshot = down(&[]);
    for (client, scope, level) in [
        ("10.1.2.3", 16, Level::Distance),
        ("2001:db8:1::5", 48, Level::Distance),
        ("203.0.113.1", 32, Level::Default),
        ("2001:db8:9::", 128, Level::Default),
    ] {
        let pick = pick(&snapshot, &places(), client.parse().unwrap(), None);
        assert_eq!((pick.scope_prefix, pick.level), (scope, level), "{client}");
    }
}

#[test]
fn pick_and_steer_agree() {
    for out in [&[][..], &["eu"], &["ap", "eu", "us"]] {
        let snapshot = down(out);
        for client in unknown_clients().take(50).chain(["10.1.0.1".parse().unwrap()]) {
            let decision = steer(&snapshot, &places(), client);
            let pick = pick(&snapshot, &places(), client, None);
            assert_eq!(decision.region, Some(0), "the chosen region leads the list");
            assert_eq!(decision.region_name(), Some(snapshot.regions[pick.region.unwrap()].name.as_str()));
        }
    }
}

#[test]
fn a_decision_explains_itself() {
    let board = Board::new(&regions(), &dns());
    board.force("eu", Some(Forced::Down));
    let decision = steer(&board.snapshot(), &places(), "10.1.2.3".parse().unwrap());
    let text = decision.to_string();
    assert!(text.starts_with("10.1.2.3 -> us by distance, scope /16\n"), "{text}");
    assert!(text.contains("down: forced down by an operator"), "{text}");
    assert!(text.contains("answer 192.0.2.3"), "{text}");
    let value = serde_json::to_value(&decision).unwrap();
    assert_eq!(value["level"], "distance");
    assert_eq!(value["candidates"][0]["region"], "us");
    assert_eq!(value["candidates"][0]["why"], "nearest");
}

#[test]
fn a_region_without_the_asked_family_is_not_chosen_for_it() {
    let mut snapshot = down(&[]);
    for region in &mut snapshot.regions {
        if region.name == "eu" {
            region.addresses.retain(IpAddr::is_ipv6);
        }
    }
    let client = "10.1.2.3".parse().unwrap();
    let chosen = |family| {
        let index = pick(&snapshot, &places(), client, Some(family)).region;
        index.map(|index| snapshot.regions[index].name.as_str())
    };
    assert_eq!(chosen(Family::V6), Some("eu"));
    assert_eq!(chosen(Family::V4), Some("us"), "the next nearest that has an IPv4 address");
    for region in &mut snapshot.regions {
        region.addresses.retain(IpAddr::is_ipv6);
    }
    assert_eq!(pick(&snapshot, &places(), client, Some(Family::V4)).region, None);
}
