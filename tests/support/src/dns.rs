//! DNS questions over UDP and TCP, with a client subnet (RFC 7871) when asked.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr as _,
    time::Duration,
};

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{
        Name, RData, RecordType,
        rdata::opt::{ClientSubnet, EdnsCode, EdnsOption},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

/// One try may take this long; UDP may lose a datagram, so a question is asked again.
const PATIENCE: Duration = Duration::from_secs(2);
/// Tries over UDP.
const TRIES: usize = 5;
/// Largest datagram that is read.
const DATAGRAM_BYTES_MAX: usize = 4096;

/// Asks over UDP. `subnet` is such as `192.0.2.0/24`.
pub async fn udp(server: SocketAddr, name: &str, kind: RecordType, subnet: Option<&str>) -> Message {
    let question = question(name, kind, subnet);
    let packet = question.to_vec().expect("a question can be encoded");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free UDP port");
    socket.connect(server).await.expect("a route to loopback");
    for _ in 0..TRIES {
        // a server that is gone shows as an error on the next call, and the next try asks again
        drop(socket.send(&packet).await);
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        let Ok(Ok(length)) = timeout(PATIENCE, socket.recv(&mut buffer)).await else { continue };
        buffer.truncate(length);
        let answer = Message::from_vec(&buffer).expect("an answer that can be read");
        assert_eq!(answer.metadata.id, question.metadata.id, "the answer is for another question");
        return answer;
    }
    panic!("{server} gave no answer to {name} {kind} over UDP");
}

/// Sends raw bytes over UDP and gives what comes back, if anything does within the time given.
pub async fn udp_raw(server: SocketAddr, packet: &[u8], within: Duration) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free UDP port");
    socket.connect(server).await.expect("a route to loopback");
    socket.send(packet).await.expect("a datagram can be sent");
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let length = timeout(within, socket.recv(&mut buffer)).await.ok()?.ok()?;
    buffer.truncate(length);
    Some(buffer)
}

/// Asks over TCP (RFC 7766).
pub async fn tcp(server: SocketAddr, name: &str, kind: RecordType, subnet: Option<&str>) -> Message {
    let packet = question(name, kind, subnet).to_vec().expect("a question can be encoded");
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_u16(u16::try_from(packet.len()).expect("a question is short")).await?;
        stream.write_all(&packet).await?;
        let mut buffer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut buffer).await?;
        std::io::Result::Ok(buffer)
    };
    let answer =
        timeout(PATIENCE, exchange).await.expect("an answer over TCP in time").expect("an answer over TCP");
    Message::from_vec(&answer).expect("an answer that can be read")
}

/// A question, ready to be sent.
#[must_use]
pub fn question(name: &str, kind: RecordType, subnet: Option<&str>) -> Message {
    let mut message = Message::query();
    debug_assert_eq!(
        (message.metadata.message_type, message.metadata.op_code),
        (MessageType::Query, OpCode::Query)
    );
    message.add_query(Query::query(Name::from_str(name).expect("a name"), kind));
    let mut edns = Edns::new();
    edns.set_max_payload(1232);
    if let Some(subnet) = subnet {
        let subnet = ClientSubnet::from_str(subnet).expect("a subnet");
        edns.options_mut().insert(EdnsOption::Subnet(subnet));
    }
    message.set_edns(edns);
    message
}

/// Addresses in the answer section.
#[must_use]
pub fn addresses(message: &Message) -> Vec<IpAddr> {
    let addresses = message.answers.iter().filter_map(|record| match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    });
    addresses.collect()
}

/// Scope of the client subnet in the answer (RFC 7871 section 7.2.1).
#[must_use]
pub fn subnet_scope(message: &Message) -> Option<u8> {
    match message.edns.as_ref()?.option(EdnsCode::Subnet)? {
        EdnsOption::Subnet(subnet) => Some(subnet.scope_prefix()),
        _ => None,
    }
}

/// Response code.
#[must_use]
pub fn code(message: &Message) -> ResponseCode {
    message.metadata.response_code
}
