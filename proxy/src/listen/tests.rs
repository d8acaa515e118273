use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use rustls::{
    AlertDescription, ClientConfig, NamedGroup, ProtocolVersion, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::{ca::InternalCa, tls::Table};

/// Answers every line with the client's address as pingora knows it.
struct Echo;

#[async_trait]
impl ServerApp for Echo {
    async fn process_new(self: &Arc<Self>, mut session: Stream, _: &ShutdownWatch) -> Option<Stream> {
        let mut line = [0; 64];
        let read = session.read(&mut line).await.ok()?;
        if read == 0 || line.starts_with(b"quit") {
            return None;
        }
        assert!(!line.starts_with(b"panic"), "as asked");
        let digest = session.get_socket_digest()?;
        session.write_all(format!("{:?}", digest.peer_addr()).as_bytes()).await.ok()?;
        session.flush().await.ok()?;
        Some(session)
    }
}

struct Node {
    ca: InternalCa,
    certificates: Arc<Certificates>,
    http: SocketAddr,
    https: SocketAddr,
    door: watch::Sender<bool>,
    counters: Arc<Counters>,
    stop: watch::Sender<bool>,
    served: JoinHandle<Result<(), TlsError>>,
    _dir: tempfile::TempDir,
}

fn start() -> Node {
    start_with(64, Duration::from_secs(10))
}

fn start_with(connections_max: usize, drain: Duration) -> Node {
    let dir = tempfile::tempdir().unwrap();
    let ca = InternalCa::open_or_create(dir.path()).unwrap();
    let mut table = Table::new();
    for host in ["a.example", "b.example"] {
        table.insert(host, issue(&ca, host));
    }
    let certificates = Arc::new(Certificates::new(table));
    let any = "127.0.0.1:0".parse().unwrap();
    let listeners = Listeners::bind(&[any], &[any]).unwrap();
    let (http, https) = (listeners.local_addrs(Scheme::Http)[0], listeners.local_addrs(Scheme::Https)[0]);
    let (door, counters) = (listeners.door(), listeners.counters());
    let (stop, shutdown) = watch::channel(false);
    let shared = Arc::clone(&certificates);
    let served = tokio::spawn(async move {
        listeners.serve(Arc::new(Echo), shared, &limits(connections_max, drain), shutdown).await
    });
    Node { ca, certificates, http, https, door, counters, stop, served, _dir: dir }
}

fn limits(connections_max: usize, drain: Duration) -> Limits {
    Limits {
        connections_max,
        request_body_bytes_max: 0,
        fetches_max: 1,
        image_threads: 1,
        image_queue_megapixels: 1,
        has_image_workers: false,
        drain,
        head_deadline: Duration::from_secs(10),
        idle: Duration::from_secs(60),
        stall: Duration::from_secs(30),
    }
}

fn issue(ca: &InternalCa, host: &str) -> Arc<CertifiedKey> {
    Arc::new(ca.issue(&[host.to_owned()]).unwrap())
}

fn client(node: &Node, versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(node.ca.ca_pem().as_bytes()).unwrap()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

async fn handshake(node: &Node, config: ClientConfig, host: &str) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(node.https).await.unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await
}

fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

async fn answer(
    stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin),
) -> io::Result<String> {
    stream.write_all(b"hello").await?;
    stream.flush().await?;
    let mut bytes = [0; 128];
    let read = stream.read(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes[..read]).into_owned())
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = timeout(Duration::from_secs(20), async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn sessions_know_their_client() {
    let node = start();
    let mut plain = TcpStream::connect(node.http).await.unwrap();
    let ours = plain.local_addr().unwrap().to_string();
    assert!(answer(&mut plain).await.unwrap().contains(&ours));
    let mut secured = handshake(&node, client(&node, &[&TLS13]), "a.example").await.unwrap();
    let ours = secured.get_ref().0.local_addr().unwrap().to_string();
    assert!(answer(&mut secured).await.unwrap().contains(&ours));
    assert_eq!(node.counters.accepted.load(Relaxed), 2);
}

#[tokio::test]
async fn a_session_that_comes_back_is_served_again() {
    let node = start();
    let mut plain = TcpStream::connect(node.http).await.unwrap();
    assert_eq!(answer(&mut plain).await.unwrap(), answer(&mut plain).await.unwrap());
}

#[tokio::test]
async fn tls13_is_post_quantum_with_h2() {
    let node = start();
    let mut config = client(&node, &[&TLS12, &TLS13]);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = handshake(&node, config, "a.example").await.unwrap();
    let session = stream.get_ref().1;
    assert_eq!(session.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(session.alpn_protocol(), Some(&b"h2"[..]));
}

#[tokio::test]
async fn alpn_falls_back_to_http11_and_refuses_what_we_do_not_speak() {
    let node = start();
    let mut config = client(&node, &[&TLS13]);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = handshake(&node, config.clone(), "a.example").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    config.alpn_protocols = vec![b"spdy/3".to_vec()];
    let error = handshake(&node, config, "a.example").await.unwrap_err();
    assert_eq!(alert(&error), Some(AlertDescription::NoApplicationProtocol), "{error}");
}

#[tokio::test]
async fn tls12_is_forward_secret() {
    let node = start();
    let stream = handshake(&node, client(&node, &[&TLS12]), "a.example").await.unwrap();
    let suite = format!("{:?}", stream.get_ref().1.negotiated_cipher_suite().unwrap().suite());
    assert!(suite.starts_with("TLS_ECDHE_ECDSA_"), "{suite}");
}

#[tokio::test]
async fn tls11_is_refused() {
    let node = start();
    let mut tcp = TcpStream::connect(node.https).await.unwrap();
    // a hello for TLS 1.1 with one suite and no extensions
    let mut hello = vec![22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0, 47, 1, 0]);
    tcp.write_all(&hello).await.unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer.first(), Some(&21), "an alert: {answer:?}");
    until("counted", || node.counters.handshakes_failed.load(Relaxed) == 1).await;
}

#[tokio::test]
async fn the_name_selects_the_certificate() {
    let node = start();
    for host in ["a.example", "b.example", "B.Example"] {
        // the client verifies the name
        handshake(&node, client(&node, &[&TLS13]), host).await.unwrap_or_else(|e| panic!("{host}: {e}"));
    }
}

#[tokio::test]
async fn an_unknown_name_is_said_to_be_unknown() {
    let node = start();
    for versions in [&[&TLS13][..], &[&TLS12][..]] {
        let error = handshake(&node, client(&node, versions), "c.example").await.unwrap_err();
        assert_eq!(alert(&error), Some(AlertDescription::UnrecognisedName), "{error}");
    }
    until("counted", || node.counters.handshakes_failed.load(Relaxed) == 2).await;
}

#[tokio::test]
async fn no_name_needs_a_default() {
    let node = start();
    let error = handshake(&node, client(&node, &[&TLS13]), "127.0.0.1").await.unwrap_err();
    assert_eq!(alert(&error), Some(AlertDescription::UnrecognisedName), "{error}");
    let mut table = Table::new();
    table.set_default(issue(&node.ca, "127.0.0.1"));
    node.certificates.replace(table);
    handshake(&node, client(&node, &[&TLS13]), "127.0.0.1").await.unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_live_at_once() {
    let node = start();
    let mut table = Table::new();
    table.insert("c.example", issue(&node.ca, "c.example"));
    node.certificates.replace(table);
    handshake(&node, client(&node, &[&TLS13]), "c.example").await.unwrap();
    assert!(handshake(&node, client(&node, &[&TLS13]), "a.example").await.is_err());
}

#[tokio::test]
async fn what_is_not_tls_is_closed() {
    let node = start();
    let endless = [22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff];
    for garbage in
        [&b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"[..], &[0; 100], &[0x80, 0x2e, 1, 0, 2], &endless]
    {
        let mut tcp = TcpStream::connect(node.https).await.unwrap();
        tcp.write_all(garbage).await.unwrap();
        tcp.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // a reset is a close too
        tcp.read_to_end(&mut answer).await.ok();
        assert!(answer.first().is_none_or(|kind| *kind == 21), "{answer:?}");
    }
    until("counted", || node.counters.handshakes_failed.load(Relaxed) == 4).await;
    handshake(&node, client(&node, &[&TLS13]), "a.example").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_silent_handshake_ends_at_the_deadline() {
    let node = start();
    let mut tcp = TcpStream::connect(node.https).await.unwrap();
    assert_eq!(tcp.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(node.counters.handshakes_failed.load(Relaxed), 1);
}

#[tokio::test]
async fn a_connection_too_many_is_closed_and_counted() {
    let node = start_with(1, Duration::from_secs(10));
    let mut first = TcpStream::connect(node.http).await.unwrap();
    answer(&mut first).await.unwrap();
    let mut second = TcpStream::connect(node.http).await.unwrap();
    assert!(second.read(&mut [0; 8]).await.map_or(true, |read| read == 0));
    assert_eq!(node.counters.refused.load(Relaxed), 1);
    first.write_all(b"quit").await.unwrap();
    until("room again", || node.counters.active.load(Relaxed) == 0).await;
    let mut third = TcpStream::connect(node.http).await.unwrap();
    assert!(!answer(&mut third).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_panic_costs_one_connection() {
    let node = start();
    let mut broken = TcpStream::connect(node.http).await.unwrap();
    broken.write_all(b"panic").await.unwrap();
    assert!(broken.read(&mut [0; 8]).await.map_or(true, |read| read == 0));
    until("counted", || node.counters.panics.load(Relaxed) == 1).await;
    let mut other = TcpStream::connect(node.http).await.unwrap();
    assert!(!answer(&mut other).await.unwrap().is_empty());
    assert_eq!(node.counters.active.load(Relaxed), 1);
}

#[tokio::test]
async fn a_closed_door_refuses_and_an_open_one_is_where_it_was() {
    let node = start();
    let mut live = TcpStream::connect(node.http).await.unwrap();
    answer(&mut live).await.unwrap();
    node.door.send_replace(false);
    assert!(live.read(&mut [0; 8]).await.map_or(true, |read| read == 0), "live connections end");
    for address in [node.http, node.https] {
        timeout(Duration::from_secs(20), async { while TcpStream::connect(address).await.is_ok() {} })
            .await
            .expect("the socket is closed");
    }
    node.door.send_replace(true);
    let again = timeout(Duration::from_secs(20), async {
        loop {
            if let Ok(tcp) = TcpStream::connect(node.http).await {
                return tcp;
            }
            tokio::task::yield_now().await;
        }
    });
    let mut again = again.await.expect("the socket is open again");
    assert!(!answer(&mut again).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_stop_waits_for_what_runs() {
    let node = start();
    let mut live = TcpStream::connect(node.http).await.unwrap();
    answer(&mut live).await.unwrap();
    node.stop.send_replace(true);
    timeout(Duration::from_secs(20), async { while TcpStream::connect(node.http).await.is_ok() {} })
        .await
        .expect("the socket is closed");
    assert!(!answer(&mut live).await.unwrap().is_empty(), "still served");
    assert!(!node.served.is_finished());
    live.write_all(b"quit").await.unwrap();
    node.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stop_ends_what_outlives_the_drain() {
    let node = start_with(8, Duration::from_millis(20));
    let mut live = TcpStream::connect(node.http).await.unwrap();
    answer(&mut live).await.unwrap();
    node.stop.send_replace(true);
    node.served.await.unwrap().unwrap();
    assert!(live.read(&mut [0; 8]).await.map_or(true, |read| read == 0));
    assert_eq!(node.counters.active.load(Relaxed), 0);
}

#[tokio::test]
async fn a_stop_reaches_a_closed_door() {
    let node = start();
    node.door.send_replace(false);
    node.stop.send_replace(true);
    node.served.await.unwrap().unwrap();
}

#[test]
fn an_address_that_is_taken_is_named() {
    let any = "127.0.0.1:0".parse().unwrap();
    let first = Listeners::bind(&[any], &[]).unwrap();
    let taken = first.local_addrs(Scheme::Http)[0];
    let error = Listeners::bind(&[any], &[taken]).unwrap_err();
    assert_eq!(error.address, taken);
    assert!(error.to_string().contains(&taken.to_string()));
}

#[test]
fn pingoras_wide_defaults_are_closed() {
    let options = http_options();
    assert!(!options.h2c && !options.allow_connect_method_proxying);
    assert!(options.keepalive_request_limit.is_some() && options.h2_idle_timeout.is_some());
}
