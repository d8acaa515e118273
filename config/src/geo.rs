//! `[dns]`: the zone this node answers for and how it judges regions.

use ipnet::IpNet;

use crate::{
    bounds, keys,
    model::{Dns, DnsHealth, Location},
    names,
    raw::{Spot, Table, Value},
    validate::{DnsMarks, Marks},
    values::plain,
};

/// The DNS role, if the file gives it.
pub(crate) fn dns(root: &Table<'_>, marks: &mut Marks) -> Option<Dns> {
    let table = root.table_if("dns", &keys::DNS)?;
    let zone = table.required("zone").and_then(|value| value.parse(names::absolute));
    let services = required_names(&table, "services");
    let name_servers = required_names(&table, "name_servers");
    if let Some(policy) = table.value("policy") {
        policy.word(&[("latency", ())]);
    }
    let locations: Vec<_> = table.list(&bounds::DNS_LOCATIONS).into_iter().filter_map(location).collect();
    marks.dns = Some(DnsMarks {
        span: table.span(),
        zone: zone.clone(),
        services: services.clone(),
        networks: locations.iter().map(|(network, _)| network.clone()).collect(),
    });
    Some(Dns {
        zone: zone.map(|spot| spot.value).unwrap_or_default(),
        services: plain(services),
        name_servers: plain(name_servers),
        ttl: table.time(&bounds::DNS_TTL),
        health: health(&table),
        locations: locations.into_iter().map(|(network, location)| (network.value, location)).collect(),
    })
}

fn required_names(table: &Table<'_>, key: &'static str) -> Vec<Spot<String>> {
    let bound = if key == "services" { &bounds::DNS_SERVICES } else { &bounds::DNS_NAME_SERVERS };
    if table.required(key).is_none() {
        return Vec::new();
    }
    table.parse_list(bound, names::absolute)
}

fn health(dns: &Table<'_>) -> DnsHealth {
    let table = dns.table("health", &keys::HEALTH);
    let times = |bound| u32::try_from(table.amount(bound)).unwrap_or(u32::MAX);
    DnsHealth {
        every: table.time(&bounds::HEALTH_EVERY),
        timeout: table.time(&bounds::HEALTH_TIMEOUT),
        fail: times(&bounds::HEALTH_FAIL),
        pass: times(&bounds::HEALTH_PASS),
    }
}

fn location(value: Value<'_>) -> Option<(Spot<IpNet>, Location)> {
    let table = value.table(&keys::DNS_LOCATION)?;
    let network = table.required("network").and_then(|value| value.parse(names::network));
    let location = table.required("location").and_then(Value::location);
    Some((network?, location?))
}
