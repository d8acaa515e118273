use proptest::prelude::*;

use super::*;
use crate::{
    fixture::{PARIS, board, dns, places, region, regions},
    health::Forced,
};

fn responder_with(board: Arc<Board>) -> Responder {
    Responder::new(Zone::new(&dns()), board, Arc::new(places()), dns().ttl).unwrap()
}

fn responder() -> Responder {
    responder_with(board())
}

fn question(name: &str, kind: RecordType) -> Message {
    let mut message = Message::new(0x1234, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

fn with_edns(mut message: Message, payload: u16, subnets: &[(&str, u8, u8)]) -> Message {
    let mut edns = Edns::new();
    edns.set_max_payload(payload);
    for (address, source, scope) in subnets {
        let address = address.parse().unwrap();
        edns.options_mut().insert(EdnsOption::Subnet(ClientSubnet::new(address, *source, *scope)));
    }
    message.set_edns(edns);
    message
}

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 0, 9));

fn ask(responder: &Responder, message: &Message) -> Message {
    let bytes = responder.respond(&message.to_vec().unwrap(), PEER, Transport::Udp).unwrap();
    Message::from_vec(&bytes).unwrap()
}

fn code(message: &Message) -> ResponseCode {
    message.metadata.response_code
}

fn first_data(message: &Message) -> Option<String> {
    message.answers.first().map(|record| record.data.to_string())
}

fn subnet_of(message: &Message) -> Option<(IpAddr, u8, u8)> {
    match message.edns.as_ref()?.option(EdnsCode::Subnet)? {
        EdnsOption::Subnet(subnet) => Some((subnet.addr(), subnet.source_prefix(), subnet.scope_prefix())),
        _ => None,
    }
}

#[test]
fn a_steered_name_has_the_nearest_regions_address() {
    let responder = responder();
    let answer = ask(&responder, &question("www.cdn.example.", RecordType::A));
    assert_eq!(code(&answer), ResponseCode::NoError);
    assert_eq!(first_data(&answer).as_deref(), Some("192.0.2.2"));
    assert!(answer.metadata.authoritative && answer.metadata.recursion_desired);
    assert!(!answer.metadata.recursion_available && !answer.metadata.truncation);
    assert_eq!(answer.metadata.id, 0x1234);
    assert!(answer.edns.is_none(), "no EDNS without EDNS (RFC 6891 section 7)");
    let answer = ask(&responder, &question("www.cdn.example.", RecordType::AAAA));
    assert_eq!(first_data(&answer).as_deref(), Some("2001:db8::2"));
}

#[test]
fn the_question_comes_back_as_it_was_written() {
    let answer = ask(&responder(), &question("wWw.CdN.eXample.", RecordType::A));
    assert_eq!(answer.queries[0].name.to_ascii(), "wWw.CdN.eXample.");
    assert_eq!(answer.answers.len(), 1);
}

#[test]
fn apex_records_stand_at_the_apex() {
    let responder = responder();
    let soa = ask(&responder, &question("cdn.example.", RecordType::SOA));
    assert!(matches!(&soa.answers[0].data, RData::SOA(soa) if soa.mname.to_ascii() == "ns1.cdn.example."));
    let ns = ask(&responder, &question("cdn.example.", RecordType::NS));
    assert_eq!(ns.answers.len(), 2);
    assert!(ns.metadata.authoritative);
}

#[test]
fn negative_answers_carry_the_soa() {
    let responder = responder();
    for (name, kind, expected) in [
        ("nope.cdn.example.", RecordType::A, ResponseCode::NXDomain),
        ("www.cdn.example.", RecordType::TXT, ResponseCode::NoError),
        ("b.cdn.example.", RecordType::A, ResponseCode::NoError),
    ] {
        let answer = ask(&responder, &question(name, kind));
        assert_eq!(code(&answer), expected, "{name}");
        assert!(answer.answers.is_empty() && answer.metadata.authoritative, "{name}");
        let RData::SOA(soa) = &answer.authorities[0].data else { panic!("no soa for {name}") };
        assert_eq!((answer.authorities[0].ttl, soa.minimum), (30, 30), "{name}");
    }
}

#[test]
fn a_client_near_a_region_without_the_family_gets_the_next_region() {
    let mut regions = regions();
    regions.get_mut("eu").unwrap().addresses.truncate(1);
    let responder = responder_with(Board::new(&regions, &dns()));
    let answer = ask(&responder, &question("www.cdn.example.", RecordType::AAAA));
    assert_eq!((code(&answer), answer.answers.len()), (ResponseCode::NoError, 1));
}

#[test]
fn a_family_that_no_region_has_is_nodata() {
    let mut regions = regions();
    for region in regions.values_mut() {
        region.addresses.truncate(1);
    }
    let responder = responder_with(Board::new(&regions, &dns()));
    let answer = ask(&responder, &question("www.cdn.example.", RecordType::AAAA));
    assert!(answer.answers.is_empty());
    assert_eq!((code(&answer), answer.authorities.len()), (ResponseCode::NoError, 1));
}

#[test]
fn what_is_not_ours_is_refused() {
    let responder = responder();
    let mut chaos = question("www.cdn.example.", RecordType::A);
    chaos.queries[0].query_class = DNSClass::CH;
    for message in [
        question("example.com.", RecordType::A),
        question(".", RecordType::NS),
        question("cdn.example.", RecordType::AXFR),
        chaos,
    ] {
        let answer = ask(&responder, &message);
        assert_eq!(code(&answer), ResponseCode::Refused);
        assert!(!answer.metadata.authoritative && answer.answers.is_empty() && answer.authorities.is_empty());
    }
}

#[test]
fn any_is_answered_minimally() {
    let answer = ask(&responder(), &question("www.cdn.example.", RecordType::ANY));
    assert!(matches!(&answer.answers[..], [only] if only.record_type() == RecordType::HINFO));
}

#[test]
fn other_operations_are_not_implemented() {
    for op_code in [OpCode::Status, OpCode::Notify, OpCode::Update] {
        let mut message = question("www.cdn.example.", RecordType::A);
        message.metadata.op_code = op_code;
        let answer = ask(&responder(), &message);
        assert_eq!((code(&answer), answer.metadata.op_code), (ResponseCode::NotImp, op_code));
    }
}

#[test]
fn one_question_only() {
    let responder = responder();
    let mut none = question("www.cdn.example.", RecordType::A);
    none.queries.clear();
    let mut two = question("www.cdn.example.", RecordType::A);
    two.add_query(two.queries[0].clone());
    for message in [none, two] {
        assert_eq!(code(&ask(&responder, &message)), ResponseCode::FormErr);
    }
}

#[test]
fn later_edns_versions_are_told_so() {
    let mut message = with_edns(question("www.cdn.example.", RecordType::A), 1232, &[]);
    message.edns.as_mut().unwrap().set_version(1);
    let answer = ask(&responder(), &message);
    assert_eq!(u16::from(code(&answer)), 16);
    assert_eq!(answer.edns.as_ref().map(Edns::version), Some(0));
    assert!(answer.answers.is_empty());
}

#[test]
fn the_clients_network_decides_and_comes_back_with_its_scope() {
    let responder = responder();
    for (subnet, source, expected, scope) in [
        ("10.2.3.0", 24, "192.0.2.1", 16),
        ("10.2.0.0", 16, "192.0.2.1", 16),
        ("10.1.0.0", 18, "192.0.2.2", 16),
        ("2001:db8:1::", 56, "192.0.2.3", 48),
        ("0.0.0.0", 0, "192.0.2.2", 0),
    ] {
        let message = with_edns(question("www.cdn.example.", RecordType::A), 1232, &[(subnet, source, 0)]);
        let answer = ask(&responder, &message);
        assert_eq!(first_data(&answer).as_deref(), Some(expected), "{subnet}/{source}");
        assert_eq!(subnet_of(&answer), Some((subnet.parse().unwrap(), source, scope)), "{subnet}/{source}");
    }
}

#[test]
fn an_unknown_network_is_answered_for_itself_alone() {
    let message = with_edns(question("www.cdn.example.", RecordType::A), 1232, &[("203.0.113.0", 24, 0)]);
    assert_eq!(subnet_of(&ask(&responder(), &message)), Some(("203.0.113.0".parse().unwrap(), 24, 24)));
}

#[test]
fn answers_that_are_the_same_for_all_have_scope_zero() {
    let responder = responder();
    for name in ["cdn.example.", "nope.cdn.example."] {
        let message = with_edns(question(name, RecordType::SOA), 1232, &[("10.2.3.0", 24, 0)]);
        assert_eq!(subnet_of(&ask(&responder, &message)).map(|subnet| subnet.2), Some(0), "{name}");
    }
}

#[test]
fn malformed_networks_are_format_errors() {
    let responder = responder();
    for subnets in
        [&[("10.2.3.1", 20, 0)][..], &[("10.2.3.0", 24, 24)], &[("10.2.3.0", 24, 0), ("10.1.3.0", 24, 0)]]
    {
        let message = with_edns(question("www.cdn.example.", RecordType::A), 1232, subnets);
        assert_eq!(code(&ask(&responder, &message)), ResponseCode::FormErr, "{subnets:?}");
    }
}

/// A question with one raw EDNS option at its end.
fn raw_subnet(data: &[u8], declared: usize) -> Vec<u8> {
    let mut packet = question("www.cdn.example.", RecordType::A).to_vec().unwrap();
    packet[11] = 1;
    packet.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0]);
    packet.extend_from_slice(&u16::try_from(data.len() + 4).unwrap().to_be_bytes());
    packet.extend_from_slice(&[0, 8]);
    packet.extend_from_slice(&u16::try_from(declared).unwrap().to_be_bytes());
    packet.extend_from_slice(data);
    packet
}

#[test]
fn raw_networks_with_wrong_lengths_are_format_errors() {
    let responder = responder();
    for (data, declared, expected) in [
        (&[0, 1, 24, 0, 10, 2, 3][..], 7, 0),
        (&[0, 1, 24, 0, 10, 2, 3, 0], 8, 1),
        (&[0, 1, 24, 0, 10, 2], 6, 1),
        (&[0, 1, 40, 0, 10, 2, 3, 0, 0], 9, 1),
        (&[0, 9, 8, 0, 10], 5, 1),
        (&[0, 1], 2, 1),
        (&[0, 1, 24, 0, 10, 2, 3], 9, 1),
    ] {
        let bytes = responder.respond(&raw_subnet(data, declared), PEER, Transport::Udp).unwrap();
        assert_eq!(bytes[3] & 0x0f, expected, "{data:?}");
    }
}

#[test]
fn a_ttl_is_bounded_by_the_next_possible_flip() {
    let board = board();
    let responder = responder_with(Arc::clone(&board));
    let ttl = |responder: &Responder| {
        ask(responder, &question("www.cdn.example.", RecordType::A)).answers.first().map(|record| record.ttl)
    };
    assert_eq!(ttl(&responder), Some(2), "two probes of a second each");
    board.record("ap", Err(crate::probe::ProbeFailure::new("x")));
    assert_eq!(ttl(&responder), Some(1));
    for name in ["ap", "eu", "us"] {
        board.force(name, Some(Forced::Up));
    }
    assert_eq!(ttl(&responder), Some(30), "no probe can change it");
}

#[test]
fn a_ttl_is_at_least_a_second() {
    let mut dns = dns();
    dns.health.every = Duration::from_millis(100);
    dns.ttl = Duration::ZERO;
    let board = Board::new(&regions(), &dns);
    let responder = Responder::new(Zone::new(&dns), board, Arc::new(places()), dns.ttl).unwrap();
    let answer = ask(&responder, &question("www.cdn.example.", RecordType::A));
    assert_eq!(answer.answers[0].ttl, 1);
}

/// Paris with 60 addresses: 960 bytes of A records and more.
fn crowded() -> Responder {
    let mut crowd = region("eu", PARIS, 2);
    crowd.addresses = (0..60).map(|last| IpAddr::from([192, 0, 2, last])).collect();
    responder_with(Board::new(&[("eu".to_owned(), crowd)].into(), &dns()))
}

#[test]
fn what_does_not_fit_is_truncated_to_nothing() {
    let responder = crowded();
    let plain = question("www.cdn.example.", RecordType::A);
    let offers = |payload| with_edns(plain.clone(), payload, &[]);
    for (message, truncated) in [
        (plain.clone(), true),
        (offers(0), true),
        (offers(512), true),
        (offers(1232), false),
        (offers(65_535), false),
    ] {
        let answer = ask(&responder, &message);
        assert_eq!(answer.metadata.truncation, truncated);
        assert_eq!(answer.answers.len(), if truncated { 0 } else { 60 });
        assert_eq!(answer.edns.is_some(), message.edns.is_some());
    }
    let bytes = responder.respond(&plain.to_vec().unwrap(), PEER, Transport::Tcp).unwrap();
    assert_eq!(Message::from_vec(&bytes).unwrap().answers.len(), 60);
}

#[test]
fn no_datagram_exceeds_1232_bytes_whatever_is_offered() {
    let mut crowd = region("eu", PARIS, 2);
    crowd.addresses = (0..200).map(|last| IpAddr::from([192, 0, 2, last])).collect();
    let responder = responder_with(Board::new(&[("eu".to_owned(), crowd)].into(), &dns()));
    let message = with_edns(question("www.cdn.example.", RecordType::A), 65_535, &[]);
    assert!(ask(&responder, &message).metadata.truncation);
}

#[test]
fn responses_and_scraps_are_dropped() {
    let responder = responder();
    let mut response = question("www.cdn.example.", RecordType::A);
    response.metadata.message_type = MessageType::Response;
    for packet in [&[][..], &[0; 11], &response.to_vec().unwrap()] {
        assert_eq!(responder.respond(packet, PEER, Transport::Udp), None);
    }
}

#[test]
fn an_unreadable_query_gets_a_bare_format_error() {
    let mut packet = question("www.cdn.example.", RecordType::A).to_vec().unwrap();
    packet.truncate(packet.len() - 3);
    let bytes = responder().respond(&packet, PEER, Transport::Udp).unwrap();
    assert_eq!(bytes, [0x12, 0x34, 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_name_that_points_at_itself_ends() {
    let packet = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1];
    let bytes = responder().respond(&packet, PEER, Transport::Udp).unwrap();
    assert_eq!(bytes[3] & 0x0f, 1);
}

#[test]
fn every_answer_is_counted_under_one_name() {
    let responder = responder();
    for name in ["www.cdn.example.", "nope.cdn.example.", "example.com."] {
        ask(&responder, &question(name, RecordType::A));
    }
    ask(&responder, &question("www.cdn.example.", RecordType::TXT));
    assert_eq!(responder.respond(&[0; 3], PEER, Transport::Udp), None);
    assert!(responder.respond(&[0; 12], PEER, Transport::Udp).is_some());
    let metrics = responder.metrics();
    let read: std::collections::BTreeMap<_, _> = metrics.read().into_iter().collect();
    for name in ["answered", "nxdomain", "refused", "nodata", "dropped", "formerr"] {
        assert_eq!(read[name], 1, "{name} in {read:?}");
    }
}

#[test]
fn a_name_that_does_not_fit_is_an_error() {
    let mut dns = dns();
    dns.name_servers = vec![format!("{}.cdn.example.", "x".repeat(64))];
    let made = Responder::new(Zone::new(&dns), board(), Arc::new(places()), dns.ttl);
    assert!(matches!(made, Err(ServerError::Name { .. })));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(packet in proptest::collection::vec(any::<u8>(), 0..600)) {
        let answer = responder().respond(&packet, PEER, Transport::Udp);
        prop_assert!(answer.is_none_or(|bytes| bytes.len() >= 12 && bytes.len() <= 1232));
    }

    #[test]
    fn a_damaged_question_never_panics(
        damage in proptest::collection::vec((0_usize..80, any::<u8>()), 0..6),
        cut in 0_usize..90,
    ) {
        let message = with_edns(question("www.cdn.example.", RecordType::A), 1232, &[("10.2.3.0", 24, 0)]);
        let mut packet = message.to_vec().unwrap();
        for (at, byte) in damage {
            if let Some(slot) = packet.get_mut(at) {
                *slot = byte;
            }
        }
        packet.truncate(cut.max(12));
        let id = packet[..2].to_vec();
        if let Some(bytes) = responder().respond(&packet, PEER, Transport::Udp) {
            prop_assert_eq!(&bytes[..2], &id[..]);
            prop_assert!(bytes[2] & 0x80 != 0, "only responses are sent");
        }
    }
}
