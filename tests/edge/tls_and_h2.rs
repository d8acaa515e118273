//! TLS with the printed authority, and what ALPN and SNI choose.

use http::Version;
use overfall_test_support::{client::Protocol, demo::HOST, tls::handshake};
use rustls::{NamedGroup, ProtocolVersion};

use crate::demo;

#[tokio::test]
async fn the_printed_authority_verifies_every_region() {
    let demo = demo().await;
    assert_eq!(demo.regions.len(), 3, "{}", demo.ready);
    for region in &demo.regions {
        for name in [HOST, "localhost"] {
            let shake = handshake(&demo.ca, region.https, name, &["h2", "http/1.1"]).await;
            let shake = shake.unwrap_or_else(|error| panic!("{} as {name}: {error:#}", region.name));
            assert_eq!(shake.alpn.as_deref(), Some("h2"), "{} as {name}", region.name);
            assert_eq!(shake.version, Some(ProtocolVersion::TLSv1_3));
            assert_eq!(
                shake.group,
                Some(NamedGroup::X25519MLKEM768),
                "post-quantum key exchange is preferred"
            );
        }
        let foreign = handshake(&demo.ca, region.https, "www.elsewhere.test", &[]).await;
        assert!(foreign.is_err(), "{} shows a certificate for a name that is not its own", region.name);
    }
    let old = handshake(&demo.ca, demo.regions[0].https, HOST, &["http/1.1"]).await.unwrap();
    assert_eq!(old.alpn.as_deref(), Some("http/1.1"));
    let silent = handshake(&demo.ca, demo.regions[0].https, HOST, &[]).await.unwrap();
    assert_eq!(silent.alpn, None, "nothing is chosen when nothing is offered");
    let unknown = handshake(&demo.ca, demo.regions[0].https, HOST, &["spdy/3"]).await;
    assert!(unknown.is_err(), "RFC 7301 section 3.2: no common protocol ends the handshake");
}

#[tokio::test]
async fn the_page_comes_over_both_protocols_of_every_region() {
    let demo = demo().await;
    for region in &demo.regions {
        for (protocol, version) in [(Protocol::Any, Version::HTTP_2), (Protocol::Http1, Version::HTTP_11)] {
            let client = demo.client(&region.name, protocol);
            let page = client.get(&demo.url("/")).await.expect(200);
            assert_eq!(page.version, version, "{page}");
            assert!(page.header("content-type").starts_with("text/html"), "{page}");
            assert!(page.text().contains("/w/loader.js"), "{page}\n  embeds the widget");
            let script = client.get(&demo.url("/w/loader.js")).await.expect(200);
            assert!(script.body.len() > 30_000, "{script}\n  is some 60 kB of script");
            assert!(
                script.cache_status().contains(&region.node),
                "{script}\n  names the node {}",
                region.node
            );
        }
    }
}
