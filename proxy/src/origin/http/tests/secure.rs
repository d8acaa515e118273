//! HTTPS and HTTP/2 origins, served by hyper with certificates of an internal CA.

use std::convert::Infallible;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{
    ca::InternalCa,
    tls::{Certificates, Table, server_config},
};

struct SecureOrigin {
    address: SocketAddr,
    ca: PathBuf,
    _dir: tempfile::TempDir,
}

/// Answers `/cut` with a body that breaks off, anything else with the protocol's version.
async fn respond(request: Request<Incoming>) -> Result<Response<BoxedBody>, Infallible> {
    let chunks: Vec<Result<Frame<Bytes>, std::io::Error>> = match request.uri().path() {
        "/cut" => vec![Ok(Frame::data("half".into())), Err(std::io::Error::other("as asked"))],
        _ => vec![Ok(Frame::data(format!("{:?}", request.version()).into()))],
    };
    // the first chunk leaves before the error takes the stream with it
    let chunks = futures_util::stream::iter(chunks).then(|chunk| async {
        if chunk.is_err() {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        chunk
    });
    Ok(Response::new(StreamBody::new(Box::pin(chunks))))
}

type BoxedBody = StreamBody<
    std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send>>,
>;

async fn start(alpn: &[&[u8]]) -> SecureOrigin {
    crate::tls::install_provider();
    let dir = tempfile::tempdir().unwrap();
    let ca = InternalCa::open_or_create(dir.path()).unwrap();
    let mut table = Table::new();
    table.set_default(Arc::new(ca.issue(&["127.0.0.1".into(), "origin.example".into()]).unwrap()));
    let mut tls = (*server_config(Arc::new(Certificates::new(table))).unwrap()).clone();
    tls.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(tcp).await else { return };
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                server.serve_connection(TokioIo::new(tls), service_fn(respond)).await.ok();
            });
        }
    });
    SecureOrigin { address, ca: dir.path().join("ca.pem"), _dir: dir }
}

fn connect(secure: &SecureOrigin, host: Option<&str>) -> HttpOrigin {
    let mut config = config(secure.address);
    config.ca = Some(secure.ca.clone());
    config.host = host.map(str::to_owned);
    let place = Place { tls: true, ..place(secure.address) };
    HttpOrigin::new(&config, place).unwrap()
}

#[tokio::test]
async fn speaks_http2_when_the_origin_does() {
    let both: &[&[u8]] = &[b"h2", b"http/1.1"];
    for (alpn, version) in [(both, "HTTP/2.0"), (&[b"http/1.1"], "HTTP/1.1"), (&[], "HTTP/1.1")] {
        let secure = start(alpn).await;
        let origin = connect(&secure, None);
        for _ in 0..3 {
            let got = origin.fetch(&request("/")).await.unwrap();
            assert_eq!(got.head.status, 200);
            assert_eq!(whole(got.body).await.unwrap(), version);
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_cut_over_either_version() {
    for alpn in [b"h2".as_slice(), b"http/1.1"] {
        let secure = start(&[alpn]).await;
        let got = connect(&secure, None).fetch(&request("/cut")).await.unwrap();
        assert_eq!(whole(got.body).await, Err(BodyError::Cut { received: 4 }), "{alpn:?}");
    }
}

#[tokio::test]
async fn the_configured_host_names_the_certificate_of_an_address() {
    let secure = start(&[b"h2"]).await;
    connect(&secure, Some("origin.example")).fetch(&request("/")).await.unwrap();
    let error = connect(&secure, Some("other.example")).fetch(&request("/")).await.unwrap_err();
    assert!(matches!(error, OriginError::Tls(_)), "{error}");
}

#[tokio::test]
async fn an_unknown_authority_is_refused() {
    let secure = start(&[b"h2"]).await;
    let other = start(&[b"h2"]).await;
    let stranger = SecureOrigin { address: secure.address, ca: other.ca, _dir: other._dir };
    let error = connect(&stranger, None).fetch(&request("/")).await.unwrap_err();
    assert!(matches!(error, OriginError::Tls(_)), "{error}");
}

#[tokio::test]
async fn an_origin_that_speaks_no_tls_is_refused() {
    let secure = start(&[b"h2"]).await;
    let (address, _played) = scripted(vec![vec![write("HTTP/1.1 400 Bad Request\r\n\r\n")]]).await;
    let plain = SecureOrigin { address, ..secure };
    let error = connect(&plain, None).fetch(&request("/")).await.unwrap_err();
    assert!(matches!(error, OriginError::Tls(_) | OriginError::Connect(_)), "{error}");
}
