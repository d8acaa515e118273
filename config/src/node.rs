//! `[node]`, `[regions.NAME]` and `[cluster]`: which machine this is and where the fleet stands.

use std::{collections::BTreeMap, path::Path};

use crate::{
    bounds, keys,
    model::{BusKind, Cluster, Location, Node, Region},
    names,
    raw::{Spot, Table},
    report::quoted,
    units::Refusal,
    validate::{Marks, RegionMarks},
    values::plain,
};

/// Regions by name. A file that names none has one, `local`, at 0° N 0° E.
pub(crate) fn regions(root: &Table<'_>, marks: &mut Marks) -> BTreeMap<String, Region> {
    let mut regions = BTreeMap::new();
    for (name, table) in root.named(&bounds::REGIONS, &keys::REGION) {
        let region = region(&name.value, &table, marks);
        marks.regions.push(RegionMarks { name: name.clone(), weight: region.weight });
        regions.insert(name.value, region);
    }
    if regions.is_empty() {
        let location = Location { latitude: 0.0, longitude: 0.0 };
        let name = LOCAL.to_owned();
        let region = Region { name, location, addresses: Vec::new(), probe: None, weight: 100 };
        regions.insert(LOCAL.to_owned(), region);
    }
    regions
}

fn region(name: &str, table: &Table<'_>, marks: &mut Marks) -> Region {
    let location = table.required("location").and_then(|value| value.location());
    let addresses = table.parse_list(&bounds::REGION_ADDRESSES, names::address);
    marks.addresses.push(addresses.clone());
    Region {
        name: name.to_owned(),
        location: location.unwrap_or(Location { latitude: 0.0, longitude: 0.0 }),
        addresses: plain(addresses),
        probe: table.parse("probe", probe).map(|spot| spot.value),
        weight: u16::try_from(table.amount(&bounds::REGION_WEIGHT)).unwrap_or(u16::MAX),
    }
}

fn probe(text: &str) -> Result<String, Refusal> {
    if names::http_url(text)?.tls {
        return Err(Refusal::new("a probe over https is not available in this version")
            .help("probe \"/healthz\" of the plain listener"));
    }
    Ok(text.to_owned())
}

/// This machine; `regions` must hold at least one entry.
pub(crate) fn node(
    root: &Table<'_>,
    regions: &BTreeMap<String, Region>,
    folder: &Path,
    marks: &mut Marks,
) -> Node {
    let table = root.table("node", &keys::NODE);
    let name = table.parse("name", names::identifier);
    marks.node_region = table.parse("region", |text| Ok(text.to_owned()));
    marks.node = table.span();
    let only = regions.keys().next().filter(|_| regions.len() == 1).cloned();
    let given = marks.node_region.clone().map(|spot| spot.value);
    let refused = table.value("region").is_some() && given.is_none();
    if given.is_none() && only.is_none() && !refused {
        let known: Vec<&str> = regions.keys().map(String::as_str).collect();
        let refusal = Refusal::new("missing key \"region\" in [node]: there are several regions");
        let help = format!("name the region this node stands in: {}", known.join(", "));
        table.reader.refuse(table.span(), refusal.help(help));
    }
    Node {
        name: name.map_or_else(|| "node-1".to_owned(), |spot| spot.value),
        region: given.or(only).unwrap_or_default(),
        state: table.value("state").and_then(|value| value.path()).unwrap_or_else(|| folder.join(STATE)),
    }
}

/// The purge bus: the embedded one, whose log belongs to one process.
pub(crate) fn cluster(root: &Table<'_>) -> Cluster {
    let table = root.table("cluster", &keys::CLUSTER);
    let bus: Option<Spot<BusKind>> = table.parse("bus", bus);
    Cluster { bus: bus.map_or(BusKind::Embedded, |spot| spot.value) }
}

fn bus(text: &str) -> Result<BusKind, Refusal> {
    match text {
        "embedded" => Ok(BusKind::Embedded),
        text if text.starts_with("nats://") || text.starts_with("tls://") => {
            Err(Refusal::new("a NATS bus is not available in this version, which has the embedded bus only")
                .help("remove the key, and send each purge to every node"))
        }
        text => Err(Refusal::new(format!("{} is not a bus", quoted(text))).help("write \"embedded\"")),
    }
}

/// Region of a file that names none.
const LOCAL: &str = "local";
/// Default of `[node] state`.
const STATE: &str = "overfall-state";
