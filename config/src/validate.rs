//! Checks that span tables: names that must be unique or defined, settings that need or exclude each other.
//!
//! The readers of single tables leave marks: values with the places they came from. Everything here compares marks
//! with the configuration and notes mistakes; nothing is changed.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    net::{IpAddr, SocketAddr},
};

use ipnet::IpNet;

use crate::{
    bounds,
    model::{Config, Serve},
    raw::{Reader, Span, Spot},
    report::{Mistake, quoted},
    tailoring::TailoringMarks,
    units,
};

/// Places that a cross check points at.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub(crate) node: Span,
    pub(crate) node_region: Option<Spot<String>>,
    pub(crate) regions: Vec<RegionMarks>,
    /// Per region.
    pub(crate) addresses: Vec<Vec<Spot<IpAddr>>>,
    /// Whether a listener was written down, right or wrong, or may hide behind a key that is not known.
    pub(crate) listens: bool,
    pub(crate) listeners: Vec<ListenerMark>,
    pub(crate) object_max: Option<Spot<u64>>,
    pub(crate) shared: Option<SharedMark>,
    pub(crate) dns: Option<DnsMarks>,
    /// Whether tokens were written down, right or wrong.
    pub(crate) admin_tokens: bool,
    pub(crate) token_names: Vec<Spot<String>>,
    /// Every origin by name, those that are wrong included.
    pub(crate) origins: BTreeSet<String>,
    pub(crate) sites: Vec<SiteMarks>,
}

/// A region that the file names.
#[derive(Debug)]
pub(crate) struct RegionMarks {
    pub(crate) name: Spot<String>,
    pub(crate) weight: u16,
}

/// An address that something listens on.
#[derive(Debug)]
pub(crate) struct ListenerMark {
    pub(crate) at: Spot<SocketAddr>,
    pub(crate) purpose: Use,
}

/// What listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Http,
    Https,
    Dns,
    Admin,
}

/// The shared tier in a bucket.
#[derive(Debug)]
pub(crate) struct SharedMark {
    pub(crate) span: Span,
    /// Key prefix.
    pub(crate) place: String,
}

/// Places in `[dns]`.
#[derive(Debug)]
pub(crate) struct DnsMarks {
    pub(crate) span: Span,
    pub(crate) zone: Option<Spot<String>>,
    pub(crate) services: Vec<Spot<String>>,
    pub(crate) networks: Vec<Spot<IpNet>>,
}

/// Places in one `[[site]]`.
#[derive(Debug)]
pub(crate) struct SiteMarks {
    pub(crate) name: Option<Spot<String>>,
    pub(crate) hosts: Vec<Spot<String>>,
    pub(crate) origins: Vec<Spot<String>>,
    /// Where images are switched on.
    pub(crate) images: Option<Span>,
    /// Classes, rules and redirects.
    pub(crate) tailoring: TailoringMarks,
    /// The origin that requests are repeated to.
    pub(crate) shadow: Option<Spot<String>>,
}

/// Notes every contradiction.
pub(crate) fn validate(reader: &Reader<'_>, config: &Config, marks: &Marks) {
    regions(reader, config, marks);
    listeners(reader, marks);
    admin(reader, marks);
    cache(reader, config, marks);
    dns(reader, marks);
    sites(reader, config, marks);
}

fn regions(reader: &Reader<'_>, config: &Config, marks: &Marks) {
    for addresses in &marks.addresses {
        unique(reader, "address", addresses.iter());
    }
    let Some(region) = &marks.node_region else { return };
    if !config.regions.contains_key(&region.value) {
        undefined(reader, "region", region, config.regions.keys().map(String::as_str));
    }
}

fn listeners(reader: &Reader<'_>, marks: &Marks) {
    if !marks.listens {
        let mistake = Mistake::new(0..0, "nothing to listen on");
        reader.push(mistake.help("add for example [listen] with http = \"127.0.0.1:8080\""));
    }
    // port 0 is a different port each time
    unique(reader, "listener", marks.listeners.iter().map(|mark| &mark.at).filter(|at| at.value.port() != 0));
    let dns = marks.listeners.iter().find(|mark| mark.purpose == Use::Dns);
    match (&marks.dns, dns) {
        (None, Some(mark)) => {
            let mistake = Mistake::new(mark.at.span.clone(), "a DNS listener without a zone to answer for");
            reader.push(mistake.help("add [dns] with \"zone\", \"services\" and \"name_servers\""));
        }
        (Some(dns), None) => {
            let mistake = Mistake::new(dns.span.clone(), "[dns] without a listener");
            reader.push(mistake.help("set \"dns\" in [listen]"));
        }
        _ => {}
    }
}

fn admin(reader: &Reader<'_>, marks: &Marks) {
    unique(reader, "token", marks.token_names.iter());
    let admin = marks.listeners.iter().find(|mark| mark.purpose == Use::Admin);
    if let Some(mark) = admin.filter(|mark| !mark.at.value.ip().is_loopback() && !marks.admin_tokens) {
        let mistake =
            Mistake::new(mark.at.span.clone(), "an admin listener that others can reach needs tokens");
        reader.push(mistake.help("add \"tokens\" to [admin], or listen on 127.0.0.1"));
    }
}

fn cache(reader: &Reader<'_>, config: &Config, marks: &Marks) {
    let disk = config.cache.disk.as_ref().map_or(0, |disk| disk.size_bytes);
    let largest = config.cache.memory_bytes.max(disk);
    if let Some(object) = marks.object_max.as_ref().filter(|object| object.value > largest) {
        let mistake =
            Mistake::new(object.span.clone(), "\"object_max\" is larger than every tier of this node");
        reader.push(mistake.help(format!("the largest tier holds {}", units::show_size(largest))));
    }
    // with a purge log per process, a record of another node could outlive its purge
    let shared = marks.shared.as_ref().filter(|shared| !shared.place.contains(&config.node.name));
    if let Some(shared) = shared.filter(|_| config.regions.len() > 1) {
        let mistake = Mistake::new(
            shared.span.clone(),
            "with the embedded bus a bucket's prefix belongs to one node, and this one does not name it",
        );
        reader.push(
            mistake.help(format!("set \"prefix\" so that it holds the node's name, {}", config.node.name)),
        );
    }
}

fn dns(reader: &Reader<'_>, marks: &Marks) {
    let Some(dns) = &marks.dns else { return };
    unique(reader, "service", dns.services.iter());
    unique(reader, "network", dns.networks.iter());
    for service in &dns.services {
        let Some(zone) = dns.zone.as_ref().map(|zone| &zone.value) else { break };
        let inside = service
            .value
            .strip_suffix(zone.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        if !inside {
            let message = format!("service {} is not in the zone {}", quoted(&service.value), quoted(zone));
            let relative = quoted(&format!("{}{zone}", service.value));
            let mistake = Mistake::new(service.span.clone(), message);
            reader.push(mistake.help(format!("write the whole name, such as {relative}")));
        }
    }
    if marks.regions.is_empty() {
        let mistake = Mistake::new(dns.span.clone(), "[dns] has no region to answer with");
        reader.push(mistake.help("add [regions.NAME] with \"location\" and \"addresses\""));
        return;
    }
    for (region, addresses) in marks.regions.iter().zip(&marks.addresses) {
        if addresses.is_empty() {
            let message = format!("region {} has no addresses for DNS to answer", quoted(&region.name.value));
            reader.push(Mistake::new(region.name.span.clone(), message).help("set \"addresses\""));
        }
    }
    if marks.regions.iter().all(|region| region.weight == 0) {
        reader.push(Mistake::new(dns.span.clone(), "every region has weight 0, so DNS could answer nothing"));
    }
}

fn sites(reader: &Reader<'_>, config: &Config, marks: &Marks) {
    unique(reader, "site", marks.sites.iter().filter_map(|site| site.name.as_ref()));
    unique(reader, "host", marks.sites.iter().flat_map(|site| &site.hosts));
    let hosts = marks.sites.iter().map(|site| site.hosts.len()).fold(0, usize::saturating_add);
    if u64::try_from(hosts).unwrap_or(u64::MAX) > bounds::HOSTS_MAX {
        let message = format!("{hosts} host names in all sites, allowed are {}", bounds::HOSTS_MAX);
        reader.push(Mistake::new(0..0, message));
    }
    for site in &marks.sites {
        unique(reader, "origin", site.origins.iter());
        for origin in site.origins.iter().filter(|origin| !marks.origins.contains(&origin.value)) {
            undefined(reader, "origin", origin, marks.origins.iter().map(String::as_str));
        }
        for origin in site.shadow.iter().filter(|origin| !marks.origins.contains(&origin.value)) {
            undefined(reader, "origin", origin, marks.origins.iter().map(String::as_str));
        }
        only_archives(reader, config, &site.origins);
    }
    let queue = config.limits.image_queue_megapixels.saturating_mul(1_000_000);
    for (site, marks) in config.sites.iter().zip(&marks.sites) {
        let pixels = site.images.as_ref().map_or(0, |images| images.source_pixels_max);
        if let Some(span) = marks.images.clone().filter(|_| pixels > queue) {
            let message = format!("images of up to {pixels} pixels do not fit the queue of {queue}");
            let mistake = Mistake::new(span, message);
            reader
                .push(mistake.help("lower \"pixels_max\", or raise \"image_queue_megapixels\" in [limits]"));
        }
    }
}

/// An archive is asked when the other origins have failed, so there must be another.
fn only_archives(reader: &Reader<'_>, config: &Config, origins: &[Spot<String>]) {
    let is_archive = |name: &Spot<String>| {
        config.origins.get(&name.value).is_some_and(|origin| origin.serve == Serve::LastGood)
    };
    if let Some(first) = origins.first().filter(|_| origins.iter().all(is_archive)) {
        let message = "every origin of this site serves as \"last-good\" only";
        let mistake = Mistake::new(first.span.clone(), message);
        reader.push(
            mistake.help("remove \"serve\" from one of them, or list an origin that knows the present state"),
        );
    }
}

fn undefined<'a>(
    reader: &Reader<'_>,
    kind: &str,
    name: &Spot<String>,
    known: impl Iterator<Item = &'a str> + Clone,
) {
    let shown: Vec<&str> = known.clone().take(KNOWN_SHOWN_MAX).collect();
    let mistake = Mistake::new(name.span.clone(), format!("{kind} {} is not defined", quoted(&name.value)));
    let more = if known.clone().nth(KNOWN_SHOWN_MAX).is_some() { ", …" } else { "" };
    let label = format!("expected one of: {}{more}", shown.join(", "));
    let mistake = if shown.is_empty() { mistake } else { mistake.label(label) };
    reader.push(mistake.maybe_help(reader.suggestion(&name.value, known)));
}

/// Notes every value that was given before.
fn unique<'s, T>(reader: &Reader<'_>, kind: &str, spots: impl Iterator<Item = &'s Spot<T>>)
where
    T: Eq + Hash + ToString + 's,
{
    let mut first: HashMap<&T, Span> = HashMap::new();
    for spot in spots {
        let Some(earlier) = first.get(&spot.value) else {
            first.insert(&spot.value, spot.span.clone());
            continue;
        };
        let message = format!("{kind} {} is given twice", quoted(&spot.value.to_string()));
        let help =
            (!reader.is_full()).then(|| format!("the first is on line {}", reader.line(earlier.start)));
        reader.push(Mistake::new(spot.span.clone(), message).maybe_help(help));
    }
}

/// Known names that a message lists.
const KNOWN_SHOWN_MAX: usize = 12;
