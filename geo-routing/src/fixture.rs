//! A small world for tests: three regions on three continents and a zone with two services.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use overfall_config::{Dns, DnsHealth, Location, Region};

use crate::{health::Board, locate::PrefixTable};

pub(crate) const PARIS: Location = Location { latitude: 48.86, longitude: 2.35 };
pub(crate) const TOKYO: Location = Location { latitude: 35.68, longitude: 139.69 };
pub(crate) const VIRGINIA: Location = Location { latitude: 38.9, longitude: -77.4 };

pub(crate) fn region(name: &str, location: Location, last: u8) -> Region {
    Region {
        name: name.to_owned(),
        location,
        addresses: vec![
            IpAddr::from([192, 0, 2, last]),
            IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)]),
        ],
        probe: Some(format!("http://192.0.2.{last}/healthz")),
        weight: 100,
    }
}

/// `ap` in Tokyo (.1), `eu` in Paris (.2), `us` in Virginia (.3).
pub(crate) fn regions() -> BTreeMap<String, Region> {
    [region("ap", TOKYO, 1), region("eu", PARIS, 2), region("us", VIRGINIA, 3)]
        .into_iter()
        .map(|region| (region.name.clone(), region))
        .collect()
}

pub(crate) fn dns() -> Dns {
    Dns {
        zone: "cdn.example.".to_owned(),
        services: vec!["www.cdn.example.".to_owned(), "img.a.b.cdn.example.".to_owned()],
        name_servers: vec!["ns1.cdn.example.".to_owned(), "ns2.example.net.".to_owned()],
        ttl: Duration::from_secs(30),
        health: DnsHealth {
            every: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            fail: 2,
            pass: 3,
        },
        locations: Vec::new(),
    }
}

pub(crate) fn board() -> Arc<Board> {
    Board::new(&regions(), &dns())
}

/// 10.1/16 is in Paris, 10.2/16 in Tokyo, 2001:db8:1::/48 in Virginia; all else is unknown.
pub(crate) fn places() -> PrefixTable {
    let nets = [("10.1.0.0/16", PARIS), ("10.2.0.0/16", TOKYO), ("2001:db8:1::/48", VIRGINIA)];
    PrefixTable::new(nets.into_iter().filter_map(|(net, place)| Some((net.parse().ok()?, place))).collect())
}
