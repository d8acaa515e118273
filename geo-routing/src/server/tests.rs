use hickory_proto::{
    op::{Message, MessageType, OpCode, Query},
    rr::{Name, RecordType},
};
use tokio::task::JoinHandle;

use super::*;
use crate::{
    fixture::{board, dns, places},
    health::Forced,
};

/// Longer than any answer takes, short enough to fail a test.
const PATIENCE: Duration = Duration::from_secs(10);

struct Running {
    address: SocketAddr,
    board: Arc<Board>,
    metrics: Arc<Metrics>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

fn start(listen: &str) -> Running {
    let board = board();
    let server = Server::bind(
        &[listen.parse().unwrap()],
        Zone::new(&dns()),
        Arc::clone(&board),
        Arc::new(places()),
        dns().ttl,
    )
    .unwrap();
    let (stop, stopped) = watch::channel(false);
    let (address, metrics) = (server.local_addrs()[0], server.metrics());
    Running { address, board, metrics, stop, task: tokio::spawn(server.run(stopped)) }
}

fn packet(id: u16) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii("www.cdn.example.").unwrap(), RecordType::A));
    message.to_vec().unwrap()
}

async fn ask_udp(server: &Running, packets: &[&[u8]]) -> Message {
    let any = if server.address.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let socket = UdpSocket::bind(any).await.unwrap();
    for packet in packets {
        socket.send_to(packet, server.address).await.unwrap();
    }
    let mut buffer = [0; 2048];
    let length = timeout(PATIENCE, socket.recv(&mut buffer)).await.unwrap().unwrap();
    Message::from_vec(&buffer[..length]).unwrap()
}

fn framed(packet: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(packet.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(packet);
    bytes
}

async fn next_tcp(stream: &mut TcpStream) -> Message {
    let packet = timeout(PATIENCE, read_framed(stream)).await.unwrap().unwrap().unwrap();
    Message::from_vec(&packet).unwrap()
}

/// Whether the server has ended the connection.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    // a reset is an end as well
    matches!(timeout(PATIENCE, stream.read(&mut byte)).await, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn udp_and_tcp_share_a_port() {
    let server = start("127.0.0.1:0");
    let answer = ask_udp(&server, &[&packet(7)]).await;
    assert_eq!((answer.metadata.id, answer.answers.len()), (7, 1));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&framed(&packet(8))).await.unwrap();
    let answer = next_tcp(&mut stream).await;
    assert_eq!((answer.metadata.id, answer.answers.len()), (8, 1));
}

#[tokio::test]
async fn a_region_that_goes_down_leaves_the_answers() {
    let server = start("127.0.0.1:0");
    let before = ask_udp(&server, &[&packet(1)]).await.answers[0].data.to_string();
    let snapshot = server.board.snapshot();
    let owner = snapshot.regions.iter().find(|region| region.addresses[0].to_string() == before).unwrap();
    server.board.force(&owner.name, Some(Forced::Down));
    let after = ask_udp(&server, &[&packet(2)]).await.answers[0].data.to_string();
    assert_ne!(after, before);
}

#[tokio::test]
async fn garbage_does_not_stop_a_socket() {
    let server = start("127.0.0.1:0");
    let mut response = packet(3);
    response[2] |= 0x80;
    let answer = ask_udp(&server, &[b"", b"garbage", &response, &[0xff; 3000], &packet(9)]).await;
    assert_eq!(answer.metadata.id, 9, "what is no query gets no answer");
}

#[tokio::test]
async fn tcp_queries_may_come_together_or_in_pieces() {
    let server = start("127.0.0.1:0");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let both = [framed(&packet(1)), framed(&packet(2))].concat();
    let (head, tail) = both.split_at(5);
    stream.write_all(head).await.unwrap();
    stream.flush().await.unwrap();
    stream.write_all(tail).await.unwrap();
    assert_eq!(next_tcp(&mut stream).await.metadata.id, 1);
    assert_eq!(next_tcp(&mut stream).await.metadata.id, 2);
}

#[tokio::test]
async fn tcp_garbage_ends_its_connection_only() {
    let server = start("127.0.0.1:0");
    for bytes in [&[0, 3, 1, 2, 3][..], &[0, 0], &[0xff, 0xff, 1]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        assert!(is_closed(&mut stream).await, "{bytes:?}");
    }
    assert_eq!(ask_udp(&server, &[&packet(4)]).await.metadata.id, 4);
}

#[tokio::test]
async fn connections_beyond_the_bound_are_closed_and_counted() {
    let server = start("127.0.0.1:0");
    let mut held = Vec::new();
    for _ in 0..TCP_CONNECTIONS_MAX {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&framed(&packet(5))).await.unwrap();
        assert_eq!(next_tcp(&mut stream).await.metadata.id, 5);
        held.push(stream);
    }
    let mut extra = TcpStream::connect(server.address).await.unwrap();
    assert!(is_closed(&mut extra).await);
    assert!(server.metrics.read().contains(&("tcp_refused", 1)));
}

#[tokio::test]
async fn ipv6_sockets_leave_ipv4_to_others() {
    let Ok(probe) = std::net::UdpSocket::bind("[::1]:0") else { return };
    drop(probe);
    let server = start("[::1]:0");
    assert_eq!(ask_udp(&server, &[&packet(6)]).await.metadata.id, 6);
    let pair = Pair::bind("[::1]:0".parse().unwrap()).unwrap();
    assert!(socket2::SockRef::from(&pair.udp).only_v6().unwrap());
    assert!(socket2::SockRef::from(&pair.tcp).only_v6().unwrap());
}

#[tokio::test]
async fn a_taken_address_is_an_error_that_names_it() {
    let server = start("127.0.0.1:0");
    let again = Server::bind(&[server.address], Zone::new(&dns()), board(), Arc::new(places()), dns().ttl);
    let error = again.err().unwrap();
    assert!(
        error.to_string().starts_with(&format!("cannot listen for DNS on {}", server.address)),
        "{error}"
    );
}

#[tokio::test]
async fn shutdown_ends_open_connections() {
    let server = start("127.0.0.1:0");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&framed(&packet(1))).await.unwrap();
    next_tcp(&mut stream).await;
    server.stop.send(true).unwrap();
    timeout(PATIENCE, server.task).await.unwrap().unwrap();
    assert!(is_closed(&mut stream).await);
    assert!(Pair::bind(server.address).is_ok(), "the port is free again");
}

#[tokio::test]
async fn a_lost_sender_stops_the_server() {
    let server = start("127.0.0.1:0");
    drop(server.stop);
    timeout(PATIENCE, server.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_silent_or_slow_peer_is_let_go() {
    let responder = Responder::new(Zone::new(&dns()), board(), Arc::new(places()), dns().ttl).unwrap();
    for sent in [&[][..], &[0], &[0, 30, 1, 2, 3]] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        peer.write_all(sent).await.unwrap();
        let (stream, from) = listener.accept().await.unwrap();
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let talk = converse(stream, client(from), &responder, permit, Duration::from_millis(20));
        let ended = timeout(PATIENCE, talk).await.unwrap();
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut, "{sent:?}");
        assert!(is_closed(&mut peer).await);
    }
}
