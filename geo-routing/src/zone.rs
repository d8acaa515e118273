//! Which names the zone holds and what kind of answer each gets, before any steering.
//!
//! Pure and without DNS wire types: names are lower-case absolute text. The zone has an apex (SOA, NS) and
//! steered services; it refuses every name outside, and it never invents records for names inside.

use std::{collections::BTreeSet, time::Duration};

use overfall_config::Dns;

/// Upper bound of negative answers' lifetime (RFC 2308 section 5 allows hours): a name added by a reload should
/// not stay hidden for longer.
const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(300);

/// What a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Start of authority.
    Soa,
    /// Name servers.
    Ns,
    /// Everything; answered minimally (RFC 8482).
    Any,
    /// A zone transfer; refused.
    Transfer,
    /// Any other type: this zone has none.
    Other,
}

/// Family of addresses to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// A records.
    V4,
    /// AAAA records.
    V6,
}

/// What to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Addresses of the steered region.
    Steered(Family),
    /// The apex's SOA.
    Soa,
    /// The apex's NS records.
    Ns,
    /// The minimal answer to ANY (RFC 8482 section 4.2).
    Any,
    /// The name exists without that type (RFC 2308 section 2.2).
    NoData,
    /// The name does not exist (RFC 2308 section 2.1).
    NxDomain,
    /// Not ours to answer.
    Refused,
}

/// The names of one zone.
#[derive(Debug, Clone)]
pub struct Zone {
    apex: String,
    services: BTreeSet<String>,
    name_servers: Vec<String>,
    /// Names that exist without addresses here: in-zone name servers and empty non-terminals.
    bare: BTreeSet<String>,
    negative_ttl: Duration,
}

impl Zone {
    /// The zone as configured.
    pub fn new(dns: &Dns) -> Self {
        let apex = dns.zone.to_ascii_lowercase();
        let services: BTreeSet<String> = dns.services.iter().map(|name| name.to_ascii_lowercase()).collect();
        let name_servers: Vec<String> =
            dns.name_servers.iter().map(|name| name.to_ascii_lowercase()).collect();
        let mut bare = BTreeSet::new();
        for name in services.iter().chain(&name_servers).filter(|name| within(name, &apex)) {
            bare.extend(above(name, &apex));
        }
        bare.extend(name_servers.iter().filter(|name| within(name, &apex)).cloned());
        let negative_ttl = dns.ttl.clamp(Duration::from_secs(1), NEGATIVE_TTL_MAX);
        Self { apex, services, name_servers, bare, negative_ttl }
    }

    /// What to answer for `name` (lower case, absolute).
    ///
    /// Below a service or any other leaf there is nothing (RFC 8020); between a leaf and the apex names exist
    /// but are empty (RFC 4592 section 2.2.2).
    pub fn lookup(&self, name: &str, wanted: Wanted) -> Lookup {
        if wanted == Wanted::Transfer || !within(name, &self.apex) {
            return Lookup::Refused;
        }
        let apex = name == self.apex;
        let service = self.services.contains(name);
        if !apex && !service && !self.bare.contains(name) {
            return Lookup::NxDomain;
        }
        match wanted {
            Wanted::A if service => Lookup::Steered(Family::V4),
            Wanted::Aaaa if service => Lookup::Steered(Family::V6),
            Wanted::Soa if apex => Lookup::Soa,
            Wanted::Ns if apex => Lookup::Ns,
            Wanted::Any if apex || service => Lookup::Any,
            _ => Lookup::NoData,
        }
    }

    /// The apex, lower case with a trailing dot.
    pub fn apex(&self) -> &str {
        &self.apex
    }

    /// Name servers in order; the first is the SOA's primary.
    pub fn name_servers(&self) -> &[String] {
        &self.name_servers
    }

    /// How long a resolver may remember that something does not exist (RFC 2308 section 5), 1 to 300 s.
    pub fn negative_ttl(&self) -> Duration {
        self.negative_ttl
    }
}

/// Whether `name` is the apex or below it, on a label boundary.
fn within(name: &str, apex: &str) -> bool {
    let Some(rest) = name.strip_suffix(apex) else { return false };
    match rest.strip_suffix('.') {
        None => rest.is_empty(),
        // an odd run of backslashes escapes the dot: it is part of a label, not its end
        Some(labels) => {
            !labels.is_empty() && labels.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 0
        }
    }
}

/// The names strictly between `name` and `apex`.
fn above(name: &str, apex: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = name;
    while let Some((_, parent)) = rest.split_once('.') {
        if parent == apex || !within(parent, apex) {
            break;
        }
        names.push(parent.to_owned());
        rest = parent;
    }
    names
}

#[cfg(test)]
mod tests;
