use std::path::PathBuf;

use futures_util::StreamExt as _;
use http::HeaderMap;
use overfall_cache::body::{Body, BodyError};
use overfall_config::OriginTarget;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::*;

/// What a scripted origin does on a connection, in order.
#[derive(Debug, Clone)]
enum Act {
    /// Reads one request head and keeps it.
    Read,
    Write(Vec<u8>),
    /// Waits until the client closes.
    Hang,
}

fn write(text: impl AsRef<[u8]>) -> Act {
    Act::Write(text.as_ref().to_vec())
}

/// Plays one script per connection; gives the requests back when all are played.
async fn scripted(scripts: Vec<Vec<Act>>) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let played = tokio::spawn(async move {
        let mut requests = Vec::new();
        for script in scripts {
            let (tcp, _) = listener.accept().await.unwrap();
            play(tcp, script, &mut requests).await;
        }
        requests
    });
    (address, played)
}

async fn play(mut tcp: TcpStream, script: Vec<Act>, requests: &mut Vec<String>) {
    for act in script {
        match act {
            Act::Read => {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match tcp.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                requests.push(String::from_utf8(head).unwrap());
            }
            Act::Write(bytes) => drop(tcp.write_all(&bytes).await),
            Act::Hang => drop(tcp.read(&mut [0]).await),
        }
    }
}

fn config(address: SocketAddr) -> overfall_config::Origin {
    overfall_config::Origin {
        name: "test".into(),
        target: OriginTarget::File { path: PathBuf::new() },
        connect_timeout: Duration::from_secs(5),
        head_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_secs(5),
        host: Some(format!("origin.example:{}", address.port())),
        ca: None,
        serve: overfall_config::Serve::Always,
        breaker: None,
        health: None,
    }
}

fn place(address: SocketAddr) -> Place {
    Place { tls: false, host: address.ip().to_string(), port: address.port(), path: String::new() }
}

fn origin(address: SocketAddr) -> HttpOrigin {
    crate::tls::install_provider();
    HttpOrigin::new(&config(address), place(address)).unwrap()
}

fn request(target: &str) -> OriginRequest {
    OriginRequest {
        host: "www.example.net".into(),
        path_and_query: target.into(),
        headers: HeaderMap::new(),
        deadline: Instant::now() + Duration::from_secs(10),
        request_id: 7,
        interim: None,
    }
}

async fn whole(body: Body) -> Result<String, BodyError> {
    body.collect(1 << 20).await.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

/// One fetch of an origin that answers `reply` and closes.
async fn one(reply: impl AsRef<[u8]>) -> Result<OriginResponse, OriginError> {
    let (address, _played) = scripted(vec![vec![Act::Read, write(reply)]]).await;
    origin(address).fetch(&request("/")).await
}

#[tokio::test]
async fn hands_on_head_and_body() {
    let got = one("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"a\"\r\nX-A: 1\r\nX-A: 2\r\n\r\nhello")
        .await
        .unwrap();
    assert_eq!(got.head.status, 200);
    assert_eq!(got.head.headers["etag"], "\"a\"");
    assert_eq!(got.head.headers.get_all("x-a").iter().count(), 2);
    assert_eq!(got.body.length(), Some(5));
    assert_eq!(whole(got.body).await.unwrap(), "hello");
}

#[tokio::test]
async fn drops_hop_by_hop_fields() {
    let got =
        one("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: X-Private, keep-alive\r\nX-Private: 1\r\n\
         Keep-Alive: timeout=5\r\nUpgrade: h2c\r\nProxy-Authenticate: Basic\r\nX-Kept: 1\r\n\r\n");
    let headers = got.await.unwrap().head.headers;
    let names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["content-length", "x-kept"]);
}

#[tokio::test]
async fn sends_a_clean_request() {
    let (address, played) = scripted(vec![vec![Act::Read, write("HTTP/1.1 204 No Content\r\n\r\n")]]).await;
    let mut place = place(address);
    place.path = "/base".into();
    let mut wanted = request("/a%20b?c=d");
    for (name, value) in [
        ("accept", "image/webp"),
        ("if-none-match", "\"x\""),
        ("host", "evil.example"),
        ("connection", "x-secret"),
        ("x-secret", "1"),
        ("te", "trailers"),
        ("content-length", "5"),
        ("transfer-encoding", "chunked"),
        ("expect", "100-continue"),
        ("via", "2 other"),
    ] {
        wanted.headers.append(name, value.parse().unwrap());
    }
    let got = HttpOrigin::new(&config(address), place).unwrap().fetch(&wanted).await.unwrap();
    assert_eq!(got.body.length(), Some(0));
    let sent = played.await.unwrap().remove(0).to_ascii_lowercase();
    let mut lines: Vec<_> = sent.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "get /base/a%20b?c=d http/1.1");
    lines.sort_unstable();
    let host = format!("host: origin.example:{}", address.port());
    assert_eq!(
        lines,
        [
            "accept: image/webp",
            "cdn-loop: overfall",
            &host,
            "if-none-match: \"x\"",
            "via: 1.1 overfall",
            "via: 2 other"
        ]
    );
}

#[tokio::test]
async fn the_clients_host_goes_through_when_none_is_configured() {
    let (address, played) = scripted(vec![vec![Act::Read, write("HTTP/1.1 204 No Content\r\n\r\n")]]).await;
    let mut config = config(address);
    config.host = None;
    HttpOrigin::new(&config, place(address)).unwrap().fetch(&request("/")).await.unwrap();
    assert!(played.await.unwrap()[0].contains("Host: www.example.net\r\n"));
}

#[tokio::test]
async fn targets_that_would_break_the_request_line_are_not_sent() {
    let origin = origin("127.0.0.1:9".parse().unwrap());
    for target in ["", "*", "http://other.example/", "/a b", "/a\r\nX: 1", "/a\0", "/\u{7f}"] {
        let error = origin.fetch(&request(target)).await.unwrap_err();
        assert!(matches!(error, OriginError::Protocol(_)), "{target:?}: {error}");
    }
}

#[tokio::test]
async fn a_short_body_is_cut_not_ended() {
    let got = one("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await.unwrap();
    assert_eq!(whole(got.body).await, Err(BodyError::Cut { received: 4 }));
}

#[tokio::test]
async fn a_short_chunked_body_is_cut_not_ended() {
    for tail in ["", "4\r\nha", "4\r\nhalf\r\n", "4\r\nhalf\r\n0\r\n", "zz\r\n"] {
        let reply = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n{tail}");
        let got = one(reply).await.unwrap();
        let error = whole(got.body).await.unwrap_err();
        assert!(matches!(error, BodyError::Cut { .. }), "{tail:?}: {error}");
    }
}

#[tokio::test]
async fn a_reset_is_cut_not_ended() {
    for head in ["Content-Length: 10\r\n", "Transfer-Encoding: chunked\r\n", ""] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = origin(listener.local_addr().unwrap());
        let wanted = request("/");
        let answering = async {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n4\r\nhalf").as_bytes()).await.unwrap();
            tcp
        };
        let (got, tcp) = tokio::join!(origin.fetch(&wanted), answering);
        let Body::Stream { mut stream, .. } = got.unwrap().body else { panic!("no stream") };
        assert!(stream.next().await.unwrap().is_ok());
        socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).unwrap();
        drop(tcp);
        let error = stream.next().await.unwrap().unwrap_err();
        assert!(matches!(error, BodyError::Cut { .. }), "{head:?}: {error}");
        assert!(stream.next().await.is_none(), "nothing after an error");
    }
}

#[tokio::test]
async fn chunks_and_closes_end_cleanly() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n";
    let closed = "HTTP/1.1 200 OK\r\n\r\nabcde";
    let meaningless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: ABCDEF\r\n\r\nabcde";
    for reply in [chunked, closed, meaningless] {
        let got = one(reply).await.unwrap();
        assert_eq!(got.body.length(), None);
        assert_eq!(whole(got.body).await.unwrap(), "abcde", "{reply}");
    }
}

#[tokio::test]
async fn a_stalled_body_is_an_error() {
    let reply = write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    let (address, _played) = scripted(vec![vec![Act::Read, reply, Act::Hang]]).await;
    let mut config = config(address);
    config.read_timeout = Duration::from_millis(50);
    let got = HttpOrigin::new(&config, place(address)).unwrap().fetch(&request("/")).await.unwrap();
    assert_eq!(whole(got.body).await, Err(BodyError::Stalled { ms: 50 }));
}

#[tokio::test]
async fn interim_responses_are_skipped_up_to_a_bound() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let got = one(format!("HTTP/1.1 100 Continue\r\n\r\n{early}{last}")).await.unwrap();
    assert!(!got.head.headers.contains_key("link"));
    assert_eq!(whole(got.body).await.unwrap(), "ok");
    let error = one(early.repeat(INTERIM_MAX) + last).await.unwrap_err();
    assert!(matches!(error, OriginError::Protocol(_)), "{error}");
    let error = one("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n").await.unwrap_err();
    assert!(matches!(error, OriginError::Protocol(_)), "{error}");
}

#[tokio::test]
async fn bodiless_statuses_have_no_body() {
    for reply in
        ["HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"]
    {
        let got = one(reply).await.unwrap();
        assert_eq!(whole(got.body).await.unwrap(), "", "{reply}");
    }
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_clean_end() {
    let ok = write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let chunked = write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    let script = vec![Act::Read, ok.clone(), Act::Read, chunked, Act::Read, ok];
    let (address, played) = scripted(vec![script]).await;
    let origin = origin(address);
    for target in ["/1", "/2", "/3"] {
        let got = origin.fetch(&request(target)).await.unwrap();
        assert_eq!(whole(got.body).await.unwrap(), "ok");
    }
    assert_eq!(played.await.unwrap().len(), 3);
}

#[tokio::test]
async fn an_abandoned_body_costs_its_connection() {
    let begun = write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    let ok = write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let (address, played) = scripted(vec![vec![Act::Read, begun, Act::Hang], vec![Act::Read, ok]]).await;
    let origin = origin(address);
    drop(origin.fetch(&request("/1")).await.unwrap());
    let got = origin.fetch(&request("/2")).await.unwrap();
    assert_eq!(whole(got.body).await.unwrap(), "ok");
    assert_eq!(played.await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_pooled_connection_that_died_is_replaced() {
    let ok = write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    // reads the second request and closes without a word
    let dying = vec![Act::Read, ok.clone(), Act::Read];
    let (address, played) = scripted(vec![dying, vec![Act::Read, ok]]).await;
    let origin = origin(address);
    for target in ["/1", "/2"] {
        let got = origin.fetch(&request(target)).await.unwrap();
        assert_eq!(whole(got.body).await.unwrap(), "ok");
    }
    assert_eq!(played.await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_fresh_connection_that_dies_is_not_tried_again() {
    let (address, played) = scripted(vec![vec![Act::Read]]).await;
    let error = origin(address).fetch(&request("/")).await.unwrap_err();
    assert!(matches!(error, OriginError::Protocol(_)), "{error}");
    assert_eq!(played.await.unwrap().len(), 1);
}

#[tokio::test]
async fn no_head_by_the_deadline_is_a_timeout() {
    for begun in ["", "HTTP/1.1 200 OK\r\nX-A"] {
        let (address, _played) = scripted(vec![vec![Act::Read, write(begun), Act::Hang]]).await;
        let mut wanted = request("/");
        wanted.deadline = Instant::now() + Duration::from_millis(60);
        assert_eq!(origin(address).fetch(&wanted).await.unwrap_err(), OriginError::Timeout);
    }
}

#[tokio::test]
async fn the_origins_own_head_timeout_counts_too() {
    let (address, _played) = scripted(vec![vec![Act::Read, Act::Hang]]).await;
    let mut config = config(address);
    config.head_timeout = Duration::from_millis(60);
    let error = HttpOrigin::new(&config, place(address)).unwrap().fetch(&request("/")).await.unwrap_err();
    assert_eq!(error, OriginError::Timeout);
}

#[tokio::test]
async fn malformed_heads_are_refused() {
    let large = format!("HTTP/1.1 200 OK\r\nX-Large: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(70_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "X-A: 1\r\n".repeat(140));
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "X-A: 1\r\n".repeat(400));
    let plain = [
        "",
        "nonsense\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "HTTP/1.1 2xx OK\r\n\r\n",
        "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
        "HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: abc;q=1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: abc\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: a\rb\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX-A: a\x1bb\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
    ];
    for reply in plain.into_iter().chain([large.as_str(), &many, &endless]) {
        let said = reply.chars().take(80).collect::<String>();
        match one(reply).await {
            Err(error) => assert!(matches!(error, OriginError::Protocol(_)), "{said:?}: {error}"),
            Ok(got) => panic!("{said:?} passed as {:?}", got.head),
        }
    }
}

#[tokio::test]
async fn no_listener_is_a_connect_error() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = origin(free).fetch(&request("/")).await.unwrap_err();
    assert!(matches!(&error, OriginError::Connect(said) if said.contains(&free.to_string())), "{error}");
}

#[tokio::test]
async fn the_next_address_is_tried_and_remembered() {
    let ok = write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    let (address, _played) = scripted(vec![vec![Act::Read, ok.clone()], vec![Act::Read, ok]]).await;
    let origin = origin(address);
    let dead = SocketAddr::from(([127, 0, 0, 2], address.port()));
    let named = Resolver::with_known("origin.invalid", vec![dead, address]).await;
    let origin = HttpOrigin { resolver: named, ..origin };
    for _ in 0..2 {
        origin.fetch(&request("/")).await.unwrap();
        assert_eq!(origin.resolver.addresses(Duration::from_secs(1)).await.unwrap(), [address, dead]);
    }
}

/// An address that neither takes nor refuses connections: its queue is full.
async fn silent() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        queued.push(stream);
        assert!(queued.len() < 100, "this system queues without end");
    }
    (address, listener, queued)
}

#[tokio::test]
async fn an_address_that_is_slow_to_connect_costs_a_head_start_only() {
    let ok = write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    let (address, _played) = scripted(vec![vec![Act::Read, ok]]).await;
    let (silent, _listener, _queued) = silent().await;
    let named = Resolver::with_known("origin.invalid", vec![silent, address]).await;
    let origin = HttpOrigin { resolver: named, ..origin(address) };
    let began = Instant::now();
    origin.fetch(&request("/")).await.unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "the whole connect timeout is 5 s: {:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn setup_names_what_is_wrong() {
    crate::tls::install_provider();
    let dir = tempfile::tempdir().unwrap();
    let address = "127.0.0.1:9".parse().unwrap();
    let mut place = place(address);
    place.tls = true;
    for (file, text) in [("missing.pem", None), ("empty.pem", Some("")), ("bad.pem", Some("-----BEGIN X"))] {
        let path = dir.path().join(file);
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let mut config = config(address);
        config.ca = Some(path);
        let error = HttpOrigin::new(&config, place.clone()).err().unwrap().to_string();
        assert!(error.contains(file) && error.contains("test"), "{error}");
    }
    let mut config = config(address);
    config.host = Some("a\nb".into());
    assert!(matches!(HttpOrigin::new(&config, tests::place(address)), Err(OriginSetupError::Value { .. })));
}

mod secure;

#[tokio::test]
async fn a_range_and_its_part_pass_unharmed() {
    let reply = "HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\nContent-Range: bytes 2-5/10\r\n\
                 ETag: \"a\"\r\n\r\ncdef";
    let (address, played) = scripted(vec![vec![Act::Read, write(reply)]]).await;
    let mut wanted = request("/");
    for (name, value) in [(http::header::RANGE, "bytes=2-5"), (http::header::IF_RANGE, "\"a\"")] {
        wanted.headers.insert(name, HeaderValue::from_static(value));
    }
    let got = origin(address).fetch(&wanted).await.unwrap();
    assert_eq!(
        (got.head.status.as_u16(), got.head.headers["content-range"].to_str().unwrap()),
        (206, "bytes 2-5/10")
    );
    assert_eq!(whole(got.body).await.unwrap(), "cdef");
    let sent = played.await.unwrap().concat().to_ascii_lowercase();
    assert!(sent.contains("range: bytes=2-5\r\n") && sent.contains("if-range: \"a\"\r\n"), "{sent}");
}

#[tokio::test]
async fn a_part_is_not_longer_than_its_range() {
    let head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-5/10\r\n";
    let error = one(format!("{head}Content-Length: 5\r\n\r\ncdefg")).await.unwrap_err();
    assert!(matches!(error, OriginError::Protocol(_)), "{error}");
    let short = one(format!("{head}Content-Length: 3\r\n\r\ncde")).await.unwrap();
    assert_eq!((short.body.length(), whole(short.body).await.unwrap().as_str()), (Some(3), "cde"));
    // without a length of its own the range tells
    let short = one(format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\ncde\r\n0\r\n\r\n")).await.unwrap();
    assert_eq!(whole(short.body).await, Err(BodyError::Cut { received: 3 }));
    let long = one(format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\ncdefg\r\n0\r\n\r\n")).await.unwrap();
    assert!(whole(long.body).await.is_err());
}
