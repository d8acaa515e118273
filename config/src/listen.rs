//! `[listen]`: where the data plane accepts connections and queries.

use std::net::SocketAddr;

use toml::de::DeValue;

use crate::{
    bounds::{self, Bound},
    keys,
    model::Listen,
    names,
    raw::{Spot, Table},
    validate::{ListenerMark, Marks, Use},
    values::plain,
};

/// All listeners of the data plane.
pub(crate) fn listen(root: &Table<'_>, marks: &mut Marks) -> Listen {
    let table = root.table("listen", &keys::LISTEN);
    let mut read = |bound: &'static Bound, purpose| {
        marks.listens |= table.value(bound.key).is_some();
        let sockets = sockets(&table, bound);
        let mark = |spot: &Spot<SocketAddr>| ListenerMark { at: spot.clone(), purpose };
        marks.listeners.extend(sockets.iter().map(mark));
        plain(sockets)
    };
    Listen {
        http: read(&bounds::LISTEN_HTTP, Use::Http),
        https: read(&bounds::LISTEN_HTTPS, Use::Https),
        dns: read(&bounds::LISTEN_DNS, Use::Dns),
    }
}

/// One address or a list of them.
fn sockets(table: &Table<'_>, bound: &'static Bound) -> Vec<Spot<SocketAddr>> {
    match table.value(bound.key) {
        Some(value) if matches!(value.node.get_ref(), DeValue::String(_)) => {
            value.parse(names::socket).into_iter().collect()
        }
        _ => table.parse_list(bound, names::socket),
    }
}
