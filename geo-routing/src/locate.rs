//! Where a client stands: longest-prefix match over a small table, and distance on the globe.
//!
//! It exists so that steering has a place to measure from. It also says how many bits of the client's address
//! the result depends on, because that number travels back to resolvers as the ECS scope (RFC 7871 section
//! 7.2.1) and decides who shares a cached answer. It never guesses: an address outside the table has no place.

use std::net::IpAddr;

use ipnet::IpNet;
use overfall_config::Location;

/// Mean radius of the earth (IUGG), kilometres.
const EARTH_RADIUS_KM: f64 = 6371.0088;

/// Finds the place of a client.
pub trait Locator: Send + Sync {
    /// The client's place and the prefix length, 0 to 32 (IPv4) or 0 to 128 (IPv6), within which every address
    /// has the same place; `None` for an unknown network.
    fn locate(&self, client: IpAddr) -> Option<(Location, u8)>;
}

/// A fixed table of networks; the longest match wins, of equal networks the last.
///
/// ```
/// use overfall_config::Location;
/// use overfall_geo_routing::locate::{Locator, PrefixTable};
///
/// let paris = Location { latitude: 48.9, longitude: 2.4 };
/// let table = PrefixTable::new(vec![("192.0.2.0/24".parse().unwrap(), paris)]);
/// assert_eq!(table.locate("192.0.2.7".parse().unwrap()), Some((paris, 24)));
/// assert_eq!(table.locate("198.51.100.7".parse().unwrap()), None);
/// ```
#[derive(Debug, Clone, Default)]
pub struct PrefixTable {
    v4: Trie,
    v6: Trie,
}

impl PrefixTable {
    /// Builds the table. Memory grows with entries times prefix length, at most 128 nodes per entry.
    pub fn new(entries: Vec<(IpNet, Location)>) -> Self {
        let mut table = Self::default();
        for (net, location) in entries {
            let trie = if net.addr().is_ipv4() { &mut table.v4 } else { &mut table.v6 };
            trie.insert(bits(net.network()), net.prefix_len(), location);
        }
        table
    }
}

impl Locator for PrefixTable {
    fn locate(&self, client: IpAddr) -> Option<(Location, u8)> {
        match client {
            IpAddr::V4(_) => self.v4.find(bits(client), 32),
            IpAddr::V6(_) => self.v6.find(bits(client), 128),
        }
    }
}

/// One bit per level; nodes live in one vector and point by index.
#[derive(Debug, Clone)]
struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    zero: Option<usize>,
    one: Option<usize>,
    location: Option<Location>,
}

impl Node {
    fn child(&self, bit: bool) -> Option<usize> {
        if bit { self.one } else { self.zero }
    }
}

impl Default for Trie {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl Trie {
    fn insert(&mut self, address: u128, length: u8, location: Location) {
        let mut at = 0;
        for depth in 0..length {
            let bit = bit_at(address, depth);
            let fresh = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else { return };
            let slot = if bit { &mut node.one } else { &mut node.zero };
            at = *slot.get_or_insert(fresh);
            if at == fresh {
                self.nodes.push(Node::default());
            }
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.location = Some(location);
        }
    }

    /// The walk also remembers where a more specific network branched off: an answer scoped wider than that
    /// would be reused for the other network's clients, which RFC 7871 section 7.2.1 forbids.
    fn find(&self, address: u128, width: u8) -> Option<(Location, u8)> {
        let mut found = None;
        let mut scope = 0;
        let mut at = Some(0);
        for depth in 0..=width {
            let Some(node) = at.and_then(|index| self.nodes.get(index)) else { break };
            if let Some(location) = node.location {
                found = Some(location);
                scope = scope.max(depth);
            }
            if depth == width {
                break;
            }
            let bit = bit_at(address, depth);
            if node.child(!bit).is_some() {
                scope = depth + 1;
            }
            at = node.child(bit);
            if at.is_none() && node.child(!bit).is_none() {
                break;
            }
        }
        found.map(|location| (location, scope))
    }
}

/// An address left-aligned in 128 bits.
pub(crate) fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn bit_at(address: u128, depth: u8) -> bool {
    (address >> (127 - u32::from(depth.min(127)))) & 1 == 1
}

/// Great-circle distance in kilometres (haversine), 0 to some 20 015.
///
/// ```
/// use overfall_config::Location;
/// use overfall_geo_routing::locate::distance_km;
///
/// let paris = Location { latitude: 48.86, longitude: 2.35 };
/// let tokyo = Location { latitude: 35.68, longitude: 139.69 };
/// assert!((distance_km(paris, tokyo) - 9713.0).abs() < 20.0);
/// ```
pub fn distance_km(a: Location, b: Location) -> f64 {
    let (lat_a, lat_b) = (a.latitude.to_radians(), b.latitude.to_radians());
    let half_lat = (lat_b - lat_a) / 2.0;
    let half_lon = (b.longitude - a.longitude).to_radians() / 2.0;
    let chord = half_lat.sin().powi(2) + lat_a.cos() * lat_b.cos() * half_lon.sin().powi(2);
    // rounding can push antipodes past 1, where asin has no value
    2.0 * EARTH_RADIUS_KM * chord.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARIS: Location = Location { latitude: 48.86, longitude: 2.35 };
    const TOKYO: Location = Location { latitude: 35.68, longitude: 139.69 };

    fn at(table: &PrefixTable, client: &str) -> Option<(Location, u8)> {
        table.locate(client.parse().ok()?)
    }

    fn table(entries: &[(&str, Location)]) -> PrefixTable {
        PrefixTable::new(
            entries.iter().filter_map(|(net, place)| Some((net.parse().ok()?, *place))).collect(),
        )
    }

    #[test]
    fn longest_prefix_wins_in_any_order() {
        for entries in
            [[("10.0.0.0/8", PARIS), ("10.1.0.0/16", TOKYO)], [("10.1.0.0/16", TOKYO), ("10.0.0.0/8", PARIS)]]
        {
            let table = table(&entries);
            assert_eq!(at(&table, "10.1.2.3"), Some((TOKYO, 16)));
            assert_eq!(at(&table, "10.200.2.3").map(|found| found.0), Some(PARIS));
        }
    }

    #[test]
    fn scope_stops_short_of_a_more_specific_network() {
        let table = table(&[("10.0.0.0/8", PARIS), ("10.128.0.0/16", TOKYO)]);
        assert_eq!(at(&table, "10.1.2.3"), Some((PARIS, 9)), "10.0.0.0/9 holds no part of the other");
        assert_eq!(at(&table, "10.129.0.1"), Some((PARIS, 16)));
    }

    #[test]
    fn families_do_not_mix() {
        let table = table(&[("0.0.0.0/0", PARIS), ("2001:db8::/32", TOKYO)]);
        assert_eq!(at(&table, "203.0.113.9"), Some((PARIS, 0)));
        assert_eq!(at(&table, "2001:db8::1"), Some((TOKYO, 32)));
        assert_eq!(at(&table, "2001:db9::1"), None);
        assert_eq!(at(&table, "::"), None);
    }

    #[test]
    fn host_networks_match_exactly() {
        let table = table(&[("192.0.2.1/32", PARIS), ("2001:db8::1/128", TOKYO)]);
        assert_eq!(at(&table, "192.0.2.1"), Some((PARIS, 32)));
        assert_eq!(at(&table, "192.0.2.2"), None);
        assert_eq!(at(&table, "2001:db8::1"), Some((TOKYO, 128)));
        assert_eq!(at(&table, "2001:db8::3"), None);
    }

    #[test]
    fn an_empty_table_knows_nobody() {
        assert_eq!(at(&PrefixTable::default(), "192.0.2.1"), None);
    }

    #[test]
    fn distance_is_symmetric_and_bounded() {
        let north = Location { latitude: 90.0, longitude: 0.0 };
        let south = Location { latitude: -90.0, longitude: 180.0 };
        assert!((distance_km(PARIS, TOKYO) - distance_km(TOKYO, PARIS)).abs() < 1e-9);
        assert!(distance_km(PARIS, PARIS).abs() < 1e-9);
        assert!((distance_km(north, south) - 20_015.1).abs() < 0.1);
        let (east, west) =
            (Location { latitude: 0.0, longitude: 179.0 }, Location { latitude: 0.0, longitude: -179.0 });
        assert!(distance_km(east, west) < 223.0, "the short way over the date line");
    }
}
