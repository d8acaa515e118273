//! The demo's zone as a resolver sees it.

use std::{net::IpAddr, time::Duration};

use hickory_proto::{
    op::ResponseCode,
    rr::{RData, RecordType},
};
use overfall_test_support::{
    Demo,
    demo::HOST,
    dns::{addresses, code, subnet_scope, tcp, udp, udp_raw},
    wait_until,
};
use tokio::time::Instant;

use crate::demo;

/// Client networks of the demo's table and the region each is near.
const NETWORKS: [(&str, &str); 3] =
    [("192.0.2.0/24", "eu-west"), ("198.51.100.0/24", "us-east"), ("203.0.113.0/24", "ap-south")];

/// A dead region leaves the answers, and a living one returns, within this time.
const FLIP_WITHIN: Duration = Duration::from_secs(3);

fn address_of(demo: &Demo, region: &str) -> IpAddr {
    demo.region(region).https.ip()
}

async fn steered(demo: &Demo, subnet: &str) -> Vec<IpAddr> {
    addresses(&udp(demo.dns, HOST, RecordType::A, Some(subnet)).await)
}

#[tokio::test]
async fn each_client_network_is_sent_to_its_region() {
    let demo = demo().await;
    for (subnet, region) in NETWORKS {
        for answer in [
            udp(demo.dns, HOST, RecordType::A, Some(subnet)).await,
            tcp(demo.dns, HOST, RecordType::A, Some(subnet)).await,
        ] {
            assert_eq!(code(&answer), ResponseCode::NoError, "{answer}");
            assert_eq!(addresses(&answer), [address_of(&demo, region)], "{subnet}: {answer}");
            assert!(answer.metadata.authoritative && !answer.metadata.recursion_available, "{answer}");
            assert!(answer.answers.iter().all(|record| record.ttl <= 30), "{answer}");
            assert!(
                subnet_scope(&answer).is_some_and(|scope| scope <= 24),
                "RFC 7871 section 7.2.1: {answer}"
            );
        }
    }
    let shouted = udp(demo.dns, &HOST.to_ascii_uppercase(), RecordType::A, Some("192.0.2.0/24")).await;
    assert_eq!(addresses(&shouted), [address_of(&demo, "eu-west")], "names have no case: {shouted}");
    let plain = udp(demo.dns, HOST, RecordType::A, None).await;
    assert_eq!(addresses(&plain).len(), 1, "{plain}");
    assert_eq!(subnet_scope(&plain), None, "not asked, not told: {plain}");
}

#[tokio::test]
async fn the_zone_has_its_records_and_says_what_it_has_not() {
    let demo = demo().await;
    let zone = demo.ready["zone"].as_str().unwrap().to_owned();
    let soa = udp(demo.dns, &zone, RecordType::SOA, None).await;
    assert!(matches!(soa.answers.first().map(|record| &record.data), Some(RData::SOA(_))), "{soa}");
    let ns = udp(demo.dns, &zone, RecordType::NS, None).await;
    assert!(
        !ns.answers.is_empty() && ns.answers.iter().all(|record| matches!(record.data, RData::NS(_))),
        "{ns}"
    );
    for (name, kind, expected) in [
        (format!("nothing.{zone}"), RecordType::A, ResponseCode::NXDomain),
        (HOST.to_owned(), RecordType::MX, ResponseCode::NoError),
        (HOST.to_owned(), RecordType::AAAA, ResponseCode::NoError),
        (zone.clone(), RecordType::A, ResponseCode::NoError),
    ] {
        for answer in [udp(demo.dns, &name, kind, None).await, tcp(demo.dns, &name, kind, None).await] {
            assert_eq!(code(&answer), expected, "{name} {kind}: {answer}");
            assert!(answer.answers.is_empty(), "{name} {kind}: {answer}");
            let is_soa = |record: &hickory_proto::rr::Record| matches!(record.data, RData::SOA(_));
            assert!(answer.authorities.iter().any(is_soa), "RFC 2308 section 2: {answer}");
        }
    }
    let foreign = udp(demo.dns, "www.elsewhere.test.", RecordType::A, None).await;
    assert_eq!(code(&foreign), ResponseCode::Refused, "{foreign}");
    assert!(foreign.answers.is_empty(), "{foreign}");
}

#[tokio::test]
async fn broken_packets_do_not_stop_the_server() {
    let demo = demo().await;
    for packet in [
        &b""[..],
        b"\x00",
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00",
        b"\x12\x34\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01",
        b"\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01",
    ] {
        // whatever it says, it goes on
        drop(udp_raw(demo.dns, packet, Duration::from_millis(50)).await);
    }
    assert_eq!(steered(&demo, "192.0.2.0/24").await, [address_of(&demo, "eu-west")]);
}

#[tokio::test]
async fn a_dropped_regions_address_leaves_within_three_seconds_and_comes_back() {
    let demo = demo().await;
    let (home, subnet) = (address_of(&demo, "us-east"), "198.51.100.0/24");
    assert_eq!(steered(&demo, subnet).await, [home]);
    let node = demo.region("us-east").node.clone();
    for (gone, back) in [("drop", "restore"), ("drain", "resume")] {
        let began = Instant::now();
        demo.admin.post(&format!("/api/v1/nodes/{node}/{gone}")).await.expect(200);
        let answer = wait_until("the region is out of the answers", FLIP_WITHIN, async || {
            let answer = steered(&demo, subnet).await;
            (answer != [home]).then_some(answer)
        })
        .await;
        let took = began.elapsed();
        assert!(took < FLIP_WITHIN, "{gone} took {took:?}");
        assert!(!answer.is_empty() && !answer.contains(&home), "another region answers: {answer:?}");
        assert_eq!(steered(&demo, "192.0.2.0/24").await, [address_of(&demo, "eu-west")], "others stay");
        demo.admin.post(&format!("/api/v1/nodes/{node}/{back}")).await.expect(200);
        wait_until("the region is back in the answers", Duration::from_secs(10), async || {
            (steered(&demo, subnet).await == [home]).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn with_every_region_down_something_is_still_answered() {
    let demo = demo().await;
    for region in &demo.regions {
        demo.admin.post(&format!("/api/v1/nodes/{}/drop", region.node)).await.expect(200);
    }
    let is_down = |region: &serde_json::Value| region["up"] == false;
    wait_until("DNS knows that all are down", Duration::from_secs(5), async || {
        let status = demo.admin.get("/api/v1/status").await.expect(200).json();
        let regions = status["dns"]["regions"].as_array().unwrap_or_else(|| panic!("{status}"));
        (regions.len() == 3 && regions.iter().all(is_down)).then_some(())
    })
    .await;
    let answer = udp(demo.dns, HOST, RecordType::A, Some("192.0.2.0/24")).await;
    assert!(!addresses(&answer).is_empty(), "fail open: {answer}");
}
