//! Which region a client is answered with, and why.
//!
//! Pure: a snapshot, a locator and an address give a decision. [`pick`] is what every query runs and allocates
//! almost nothing; [`steer`] is the same decision with every candidate's reason, for people. Steering never
//! answers with nothing while a region has addresses: when all are down it fails open, because a region that a
//! probe cannot reach may still serve.

use std::{cmp::Ordering, fmt, net::IpAddr};

use overfall_config::Location;
use serde::Serialize;

use crate::{
    health::{RegionState, Snapshot},
    locate::{Locator, bits, distance_km},
    zone::Family,
};

/// Bits of a client's address that the stable hash sees: what resolvers send as ECS by default (RFC 7871
/// section 11.1), so that a client and its resolver's subnet agree.
const HASH_BITS_V4: u8 = 24;
/// As [`HASH_BITS_V4`], for IPv6.
const HASH_BITS_V6: u8 = 56;

/// What the choice rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The client's place is known; the nearest region wins.
    Distance,
    /// The place is unknown; a stable hash of the client's network, shared out by weight.
    Default,
}

/// The choice alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// Index into the snapshot's regions; none when no region has addresses.
    pub region: Option<usize>,
    /// Bits of the client's address that the choice depends on.
    pub scope_prefix: u8,
    /// What it rests on.
    pub level: Level,
    /// No region was up with a weight, so health was left out.
    pub fail_open: bool,
}

/// The choice with its reasons.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// Who asked.
    pub client: IpAddr,
    /// Every region, best first.
    pub candidates: Vec<Candidate>,
    /// Index of the chosen region in `candidates`; none when no region has addresses.
    pub region: Option<usize>,
    /// The chosen region's addresses, both families.
    pub chosen: Vec<IpAddr>,
    /// Bits of the client's address that the choice depends on, before it is cut to the question's ECS length.
    pub scope_prefix: u8,
    /// What the choice rests on.
    pub level: Level,
    /// Health was left out because nothing was up.
    pub fail_open: bool,
}

impl Decision {
    /// The chosen region's name.
    pub fn region_name(&self) -> Option<&str> {
        self.candidates.get(self.region?).map(|candidate| candidate.region.as_str())
    }
}

/// One region in a decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// The region's name.
    pub region: String,
    /// Kilometres from the client; none when its place is unknown.
    pub distance_km: Option<f64>,
    /// Its health.
    pub up: bool,
    /// Its share.
    pub weight: u16,
    /// Why it stands where it stands.
    pub why: String,
}

/// Chooses a region for `client`.
///
/// Only regions with an address of `family` are in the running, so that nobody is left without one while a region could
/// give it; `None` asks for either.
pub fn pick(snapshot: &Snapshot, locator: &dyn Locator, client: IpAddr, family: Option<Family>) -> Pick {
    let place = locator.locate(client);
    let pool = Pool::of(snapshot, family);
    let ranking = Ranking { place: place.map(|(location, _)| location), prefix: hash_prefix(client) };
    let region = snapshot
        .regions
        .iter()
        .enumerate()
        .filter(|(_, region)| pool.holds(region, family))
        .min_by(|(_, a), (_, b)| ranking.compare(a, b))
        .map(|(index, _)| index);
    let (level, scope_prefix) = match place {
        Some((_, used)) => (Level::Distance, used),
        // nothing says how far "unknown" reaches, so the answer is for this address's network only
        None => (Level::Default, if client.is_ipv4() { 32 } else { 128 }),
    };
    Pick { region, scope_prefix, level, fail_open: pool != Pool::Healthy }
}

/// As [`pick`], with every candidate and its reason.
pub fn steer(snapshot: &Snapshot, locator: &dyn Locator, client: IpAddr) -> Decision {
    let pick = pick(snapshot, locator, client, None);
    let pool = Pool::of(snapshot, None);
    let place = locator.locate(client).map(|(location, _)| location);
    let ranking = Ranking { place, prefix: hash_prefix(client) };
    let mut order: Vec<(usize, &RegionState)> = snapshot.regions.iter().enumerate().collect();
    order.sort_by(|(_, a), (_, b)| {
        pool.holds(b, None).cmp(&pool.holds(a, None)).then_with(|| ranking.compare(a, b))
    });
    let candidates = order
        .iter()
        .map(|(index, region)| Candidate {
            region: region.name.clone(),
            distance_km: place.map(|place| distance_km(place, region.location)),
            up: region.up,
            weight: region.weight,
            why: why(region, pool, pick.region == Some(*index), pick.level),
        })
        .collect();
    let chosen = pick.region.and_then(|index| snapshot.regions.get(index));
    Decision {
        client,
        candidates,
        region: order.iter().position(|(index, _)| Some(*index) == pick.region),
        chosen: chosen.map(|region| region.addresses.clone()).unwrap_or_default(),
        scope_prefix: pick.scope_prefix,
        level: pick.level,
        fail_open: pick.fail_open,
    }
}

/// Who is in the running: the first pool that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pool {
    /// Up, with a weight.
    Healthy,
    /// With a weight, whatever the health.
    Weighted,
    /// Anything with an address.
    Anything,
}

impl Pool {
    fn of(snapshot: &Snapshot, family: Option<Family>) -> Self {
        let some = |pool: Self| snapshot.regions.iter().any(|region| pool.holds(region, family));
        [Self::Healthy, Self::Weighted].into_iter().find(|pool| some(*pool)).unwrap_or(Self::Anything)
    }

    fn holds(self, region: &RegionState, family: Option<Family>) -> bool {
        let is_asked = |address: &IpAddr| match family {
            None => true,
            Some(Family::V4) => address.is_ipv4(),
            Some(Family::V6) => address.is_ipv6(),
        };
        if !region.addresses.iter().any(is_asked) {
            return false;
        }
        match self {
            Self::Healthy => region.up && region.weight > 0,
            Self::Weighted => region.weight > 0,
            Self::Anything => true,
        }
    }
}

/// The order among regions of one pool; ties fall to the snapshot's order, which is by name.
struct Ranking {
    place: Option<Location>,
    prefix: u128,
}

impl Ranking {
    fn compare(&self, a: &RegionState, b: &RegionState) -> Ordering {
        self.cost(a).total_cmp(&self.cost(b)).then_with(|| a.name.cmp(&b.name))
    }

    /// Kilometres, or the weighted rendezvous cost: each region is first for its share of networks, and when one
    /// leaves only its own networks move.
    fn cost(&self, region: &RegionState) -> f64 {
        match self.place {
            Some(place) => distance_km(place, region.location),
            None => -unit(hash(self.prefix, &region.name)).ln() / f64::from(region.weight.max(1)),
        }
    }
}

fn why(region: &RegionState, pool: Pool, chosen: bool, level: Level) -> String {
    if region.addresses.is_empty() {
        return "has no address".to_owned();
    }
    if !pool.holds(region, None) {
        return if region.weight == 0 {
            "weight is 0".to_owned()
        } else {
            format!("down: {}", region.reason)
        };
    }
    let open = if pool == Pool::Healthy { "" } else { ", health left out since nothing is up" };
    match (chosen, level) {
        (true, Level::Distance) => format!("nearest{open}"),
        (true, Level::Default) => format!("first for this network by weight{open}"),
        (false, Level::Distance) => "farther".to_owned(),
        (false, Level::Default) => "another network's first".to_owned(),
    }
}

fn hash_prefix(client: IpAddr) -> u128 {
    let kept = if client.is_ipv4() { HASH_BITS_V4 } else { HASH_BITS_V6 };
    bits(client) & (u128::MAX << (128 - u32::from(kept)))
}

/// FNV-1a with a final mix. Written out because the choice must survive restarts and compilers, which the
/// standard hasher does not promise.
fn hash(prefix: u128, name: &str) -> u64 {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in prefix.to_be_bytes().into_iter().chain(name.bytes()) {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    state = (state ^ (state >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    state = (state ^ (state >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    state ^ (state >> 33)
}

/// A hash as a number above 0 and up to 1.
fn unit(hash: u64) -> f64 {
    let top = u32::try_from(hash >> 32).unwrap_or(u32::MAX);
    (f64::from(top) + 1.0) / (f64::from(u32::MAX) + 1.0)
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Distance => "distance",
            Level::Default => "default (place unknown)",
        };
        let region = self.region_name().unwrap_or("none");
        writeln!(f, "{} -> {region} by {level}, scope /{}", self.client, self.scope_prefix)?;
        if self.fail_open {
            writeln!(f, "fail open: no region is up")?;
        }
        for candidate in &self.candidates {
            let state = if candidate.up { "up" } else { "down" };
            write!(f, "  {:<16} {state:<5} weight {:<5}", candidate.region, candidate.weight)?;
            match candidate.distance_km {
                Some(distance) => write!(f, " {distance:>6.0} km")?,
                None => write!(f, "      ? km")?,
            }
            writeln!(f, "  {}", candidate.why)?;
        }
        for address in &self.chosen {
            writeln!(f, "  answer {address}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
