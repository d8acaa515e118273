//! What a reload cannot change while the node runs.
//!
//! Sites, origins, regions' addresses, tokens and most limits take effect at once. What is bound to a socket, a
//! cache file or an identity needs a new process; a reload refuses such a change by naming it.

use std::mem::discriminant;

use crate::model::{Config, Dns};

/// The settings that differ and that only a restart can change; empty: `new` can replace `old` live.
#[must_use]
pub fn restart_needed(old: &Config, new: &Config) -> Vec<&'static str> {
    let zone = |config: &Config| config.dns.as_ref().map(|dns: &Dns| dns.zone.clone());
    let changed = [
        ("node", old.node != new.node),
        ("cluster", old.cluster.bus != new.cluster.bus),
        ("listen", (&old.listen.http, &old.listen.https) != (&new.listen.http, &new.listen.https)),
        ("listen.dns", old.listen.dns != new.listen.dns),
        ("cache", old.cache != new.cache),
        // new certificates of the same kind are picked up live
        ("tls", discriminant(&old.tls) != discriminant(&new.tls)),
        ("dns.zone", zone(old) != zone(new)),
        ("admin.listen", old.admin.listen != new.admin.listen),
    ];
    changed.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"
        [node]
        state = "state"
        [listen]
        http = "127.0.0.1:80"
        dns = "127.0.0.1:53"
        [regions.eu]
        location = [50, 8]
        addresses = ["192.0.2.1"]
        [dns]
        zone = "example.org"
        services = ["cdn.example.org"]
        name_servers = ["ns.example.org"]
        [admin]
        listen = "127.0.0.1:9000"
        [origins.app]
        url = "http://127.0.0.1:3000"
        [[site]]
        name = "app"
        hosts = ["cdn.example.org"]
        origins = ["app"]
    "#;

    fn after(from: &str, to: &str) -> Vec<&'static str> {
        let text = BASE.replace(from, to);
        assert_ne!(text, BASE, "{from} is not in the text");
        let read = |text: &str| crate::parse(text, "edge.toml", &|_| None);
        match (read(BASE), read(&text)) {
            (Ok(old), Ok(new)) => restart_needed(&old, &new),
            (old, new) => panic!("{old:?} {new:?}"),
        }
    }

    #[test]
    fn names_what_is_bound_to_the_process() {
        for (from, to, section) in [
            ("\"state\"", "\"other\"", "node"),
            ("127.0.0.1:80\"", "127.0.0.1:81\"", "listen"),
            ("127.0.0.1:53\"", "127.0.0.1:54\"", "listen.dns"),
            ("zone = \"example.org\"", "zone = \"org\"", "dns.zone"),
            ("127.0.0.1:9000", "127.0.0.1:9001", "admin.listen"),
            ("[admin]", "[cache]\nmemory = \"1 GiB\"\n[admin]", "cache"),
            ("[admin]", "[tls]\ncertificates = [{ certificate = \"a\", key = \"b\" }]\n[admin]", "tls"),
        ] {
            assert_eq!(after(from, to), [section]);
        }
    }

    #[test]
    fn lets_the_rest_change_live() {
        for (from, to) in [
            ("3000", "3001"),
            ("hosts = [\"cdn.example.org\"]", "hosts = [\"www.example.org\"]"),
            ("192.0.2.1", "192.0.2.2"),
            ("[admin]", "[limits]\ndrain = \"5s\"\n[admin]"),
        ] {
            assert_eq!(after(from, to), [""; 0]);
        }
    }
}
