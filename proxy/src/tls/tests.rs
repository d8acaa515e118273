use std::{fs, time::Duration};

use overfall_config::{CompressRules, QueryRule, SiteTailoring};

use super::*;

fn site(hosts: &[&str]) -> Arc<Site> {
    Arc::new(Site {
        name: "site".into(),
        hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
        origins: Vec::new(),
        ttl: None,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        query: QueryRule::All,
        compress: CompressRules::default(),
        images: None,
        on_failure: None,
        request_cache_control: overfall_config::RequestRule::Ignore,
        set_cookie: overfall_config::SetCookieRule::Private,
        tailoring: SiteTailoring::default(),
        shadow: None,
    })
}

/// Writes a self-signed pair for `host` as NAME.pem and NAME.key.
fn files(dir: &Path, name: &str, host: &str) -> CertificateFiles {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    let (certificate, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    CertificateFiles { certificate, key }
}

fn certified(host: &str) -> Arc<CertifiedKey> {
    let dir = tempfile::tempdir().unwrap();
    Arc::new(load(&files(dir.path(), "any", host)).unwrap())
}

#[test]
fn finds_exact_then_one_label_wildcard_then_default() {
    let (exact, wild, default) = (certified("a.example"), certified("b.example"), certified("c.example"));
    let mut table = Table::new();
    table.insert("www.example.net", Arc::clone(&exact));
    table.insert("*.example.net", Arc::clone(&wild));
    let found = |table: &Table, name| table.find(name).cloned();
    assert!(Arc::ptr_eq(&found(&table, Some("www.example.net")).unwrap(), &exact));
    assert!(Arc::ptr_eq(&found(&table, Some("WWW.Example.NET.")).unwrap(), &exact));
    assert!(Arc::ptr_eq(&found(&table, Some("img.example.net")).unwrap(), &wild));
    for name in [None, Some("example.net"), Some("a.b.example.net"), Some(".example.net"), Some("")] {
        assert!(found(&table, name).is_none(), "{name:?}");
    }
    table.set_default(Arc::clone(&default));
    assert!(Arc::ptr_eq(&found(&table, None).unwrap(), &default));
    assert!(Arc::ptr_eq(&found(&table, Some("www.example.net")).unwrap(), &exact));
}

#[test]
fn operators_files_serve_the_hosts_that_they_cover() {
    let dir = tempfile::tempdir().unwrap();
    let pairs = vec![files(dir.path(), "a", "a.example"), files(dir.path(), "b", "*.b.example")];
    let table =
        Table::from_config(&Tls::Certificates(pairs), &[site(&["a.example", "x.b.example", "c.example"])]);
    let table = table.unwrap();
    assert!(table.find(Some("a.example")).is_some());
    assert!(table.find(Some("x.b.example")).is_some());
    assert!(table.find(Some("c.example")).is_none(), "no certificate covers it");
    assert!(table.find(Some("y.b.example")).is_none(), "no site has it");
}

#[test]
fn the_internal_ca_serves_every_host() {
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::Internal { path: dir.path().join("ca") };
    let table = Table::from_config(&tls, &[site(&["a.example", "b.example"]), site(&["c.example"])]).unwrap();
    for host in ["a.example", "b.example", "c.example"] {
        assert!(covers(table.find(Some(host)).unwrap(), host), "{host}");
    }
}

#[test]
fn unusable_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let good = files(dir.path(), "good", "a.example");
    let other = files(dir.path(), "other", "a.example");
    let (empty, missing) = (dir.path().join("empty.pem"), dir.path().join("missing.pem"));
    let not_der = dir.path().join("notder.pem");
    fs::write(&empty, "").unwrap();
    fs::write(&not_der, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    for (certificate, key, named) in [
        (&missing, &good.key, "missing.pem"),
        (&good.certificate, &missing, "missing.pem"),
        (&empty, &good.key, "empty.pem"),
        (&good.certificate, &empty, "empty.pem"),
        (&not_der, &good.key, "notder.pem"),
        (&good.key, &good.key, "good.key"),
        (&good.certificate, &good.certificate, "good.pem"),
        (&good.certificate, &other.key, "other.key"),
    ] {
        let pair = CertificateFiles { certificate: certificate.clone(), key: key.clone() };
        let error = Table::from_config(&Tls::Certificates(vec![pair]), &[]).unwrap_err().to_string();
        assert!(error.contains(named), "{named}: {error}");
    }
}

#[test]
fn replacing_is_seen_at_once() {
    let certificates = Certificates::new(Table::new());
    assert!(!certificates.knows(Some("a.example")));
    let mut table = Table::new();
    table.insert("a.example", certified("a.example"));
    certificates.replace(table);
    assert!(certificates.knows(Some("a.example")));
}

#[test]
fn only_forward_secret_authenticated_suites() {
    let config = server_config(Arc::new(Certificates::new(Table::new()))).unwrap();
    for suite in &config.crypto_provider().cipher_suites {
        let name = format!("{:?}", suite.suite());
        let authenticated = name.contains("_GCM_") || name.contains("CHACHA20_POLY1305");
        let forward_secret = name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_");
        assert!(authenticated && forward_secret, "{name}");
    }
    assert_eq!(config.crypto_provider().kx_groups[0].name(), rustls::NamedGroup::X25519MLKEM768);
    assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
}

#[test]
fn the_provider_of_the_process_is_ours() {
    install_provider();
    install_provider();
    let groups = &CryptoProvider::get_default().unwrap().kx_groups;
    assert!(groups.iter().any(|group| group.name() == rustls::NamedGroup::X25519MLKEM768));
}
