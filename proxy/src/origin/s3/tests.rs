use std::net::SocketAddr;

use bytes::Bytes;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use overfall_config::{OriginTarget, Secret};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

const SECRET: &str = "a-secret-of-the-test";

/// An S3 server over a folder, which checks signatures.
async fn server() -> (SocketAddr, tempfile::TempDir) {
    crate::tls::install_provider();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("bucket")).unwrap();
    let mut builder = S3ServiceBuilder::new(FileSystem::new(dir.path()).unwrap());
    builder.set_auth(SimpleAuth::from_single("key", SECRET));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(tcp), service).await.ok();
            });
        }
    });
    (address, dir)
}

fn target(address: SocketAddr) -> S3Target {
    S3Target {
        bucket: "bucket".into(),
        prefix: "photos".into(),
        endpoint: Some(format!("http://{address}")),
        region: "test-1".into(),
        access_key: Secret::new("key".into()),
        secret_key: Secret::new(SECRET.into()),
    }
}

fn origin(target: &S3Target) -> S3Origin {
    let timeout = Duration::from_secs(10);
    let config = overfall_config::Origin {
        name: "s3".into(),
        target: OriginTarget::S3(target.clone()),
        connect_timeout: timeout,
        head_timeout: timeout,
        read_timeout: timeout,
        host: None,
        ca: None,
        serve: overfall_config::Serve::Always,
        breaker: None,
        health: None,
    };
    S3Origin::new(&config, target).unwrap()
}

fn request(path: &str, condition: Option<&str>) -> OriginRequest {
    let condition = condition.map(|tag| (header::IF_NONE_MATCH, HeaderValue::try_from(tag).unwrap()));
    OriginRequest {
        host: "example.net".into(),
        path_and_query: path.into(),
        headers: condition.into_iter().collect(),
        deadline: Instant::now() + Duration::from_secs(10),
        request_id: 1,
        interim: None,
    }
}

async fn put(target: &S3Target, key: &str, body: &'static str) {
    let fields = ObjectFields {
        content_type: Some("image/jpeg".into()),
        metadata: vec![("surrogate-key".into(), "hero photo-1".into())],
        ..ObjectFields::default()
    };
    Client::connect(target).unwrap().put(key, Bytes::from_static(body.as_bytes()), fields).await.unwrap();
}

#[tokio::test]
async fn an_object_becomes_a_response() {
    let (address, _dir) = server().await;
    let target = target(address);
    put(&target, "photos/a b.jpg", "pixels").await;
    let got = origin(&target).fetch(&request("/a%20b.jpg?v=1", None)).await.unwrap();
    assert_eq!(got.head.status, 200);
    assert_eq!(got.head.headers["content-type"], "image/jpeg");
    assert_eq!(got.head.headers["surrogate-key"], "hero photo-1");
    assert_eq!(got.head.headers["content-length"], "6");
    assert!(got.head.headers["etag"].to_str().unwrap().starts_with('"'));
    assert!(httpdate::parse_http_date(got.head.headers["last-modified"].to_str().unwrap()).is_ok());
    assert_eq!(got.body.collect(100).await.unwrap(), "pixels");
}

#[tokio::test]
async fn what_is_missing_outside_or_no_key_is_not_found() {
    let (address, _dir) = server().await;
    let target = target(address);
    put(&target, "secret.jpg", "no").await;
    for path in ["/missing.jpg", "/secret.jpg", "/../secret.jpg", "/%2e%2e/secret.jpg", "/"] {
        let got = origin(&target).fetch(&request(path, None)).await.unwrap();
        assert_eq!(got.head.status, 404, "{path}");
        assert_eq!(got.body.length(), Some(0), "{path}");
    }
}

#[tokio::test]
async fn a_condition_that_holds_is_not_modified() {
    let (address, _dir) = server().await;
    let target = target(address);
    put(&target, "photos/a.jpg", "pixels").await;
    let origin = origin(&target);
    let headers = origin.fetch(&request("/a.jpg", None)).await.unwrap().head.headers;
    let etag = headers["etag"].to_str().unwrap();
    let same = origin.fetch(&request("/a.jpg", Some(etag))).await.unwrap();
    assert_eq!((same.head.status.as_u16(), &same.head.headers["etag"]), (304, &headers["etag"]));
    let other = origin.fetch(&request("/a.jpg", Some("\"other\""))).await.unwrap();
    assert_eq!(other.head.status, 200);
}

#[tokio::test]
async fn wrong_keys_are_an_error_that_shows_none() {
    let (address, _dir) = server().await;
    let mut stranger = target(address);
    stranger.secret_key = Secret::new("wrong".into());
    let error = origin(&stranger).fetch(&request("/a.jpg", None)).await.unwrap_err();
    assert!(matches!(&error, OriginError::Protocol(said) if !said.contains("wrong")), "{error}");
}

/// The bucket's server answers `reply` to whatever it is asked.
async fn canned(reply: &'static str, condition: Option<&str>) -> Result<OriginResponse, OriginError> {
    crate::tls::install_provider();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            assert_ne!(tcp.read(&mut [0; 8192]).await.unwrap(), 0);
            tcp.write_all(reply.as_bytes()).await.unwrap();
        }
    });
    origin(&target(address)).fetch(&request("/a.jpg", condition)).await
}

#[tokio::test]
async fn a_304_of_the_bucket_is_handed_on() {
    let got = canned("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", Some("\"a\"")).await.unwrap();
    assert_eq!((got.head.status.as_u16(), got.head.headers["etag"].to_str().unwrap()), (304, "\"a\""));
}

#[tokio::test]
async fn a_missing_bucket_is_an_error_not_a_missing_object() {
    let reply = "HTTP/1.1 404 Not Found\r\nContent-Type: application/xml\r\nContent-Length: 42\r\n\r\n\
                 <Error><Code>NoSuchBucket</Code></Error>  ";
    let error = canned(reply, None).await.unwrap_err();
    assert!(matches!(error, OriginError::Protocol(_)), "{error}");
}

#[tokio::test]
async fn an_object_that_breaks_off_is_not_whole() {
    let reply = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf";
    let got = canned(reply, None).await.unwrap();
    assert!(got.body.collect(100).await.is_err());
}

#[tokio::test]
async fn no_server_is_a_connect_error() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    crate::tls::install_provider();
    let error = origin(&target(free)).fetch(&request("/a.jpg", None)).await.unwrap_err();
    assert!(matches!(error, OriginError::Connect(_)), "{error}");
}

#[tokio::test]
async fn a_silent_server_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    crate::tls::install_provider();
    let mut wanted = request("/a.jpg", None);
    wanted.deadline = Instant::now() + Duration::from_millis(60);
    let error = origin(&target(listener.local_addr().unwrap())).fetch(&wanted).await.unwrap_err();
    assert_eq!(error, OriginError::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_an_error() {
    use futures_util::StreamExt as _;
    let mut slow = hurried(Box::pin(futures_util::stream::pending()), Duration::from_millis(70));
    assert_eq!(slow.next().await, Some(Err(BodyError::Stalled { ms: 70 })));
    assert_eq!(slow.next().await, None);
}

#[test]
fn fields_that_cannot_be_sent_are_left_out() {
    let object = ObjectFields {
        content_type: Some("a\nb".into()),
        last_modified_s: Some(i64::MAX),
        metadata: vec![("surrogate-key".into(), "a\0".into()), ("other".into(), "x".into())],
        ..ObjectFields::default()
    };
    assert!(fields(&object).is_empty());
    assert!(fields(&ObjectFields { last_modified_s: Some(-1), ..ObjectFields::default() }).is_empty());
}

#[test]
fn a_304_names_only_a_tag_that_is_certain() {
    assert_eq!(matched(Some("\"a\""))["etag"], "\"a\"");
    for condition in [None, Some("*"), Some("\"a\", \"b\"")] {
        assert!(matched(condition).is_empty(), "{condition:?}");
    }
}

#[test]
fn paths_become_keys_below_the_prefix() {
    for (prefix, target, expected) in [
        ("", "/a.jpg", "a.jpg"),
        ("photos", "/a.jpg", "photos/a.jpg"),
        ("photos/", "/a/b%20c.jpg?width=3", "photos/a/b c.jpg"),
        ("", "/%C3%A4.jpg", "ä.jpg"),
        ("", "/.well-known/x", ".well-known/x"),
    ] {
        assert_eq!(key(prefix, target).as_deref(), Some(expected), "{target}");
    }
}

#[test]
fn a_folder_is_its_index() {
    for (prefix, target, expected) in [
        ("", "/", "index.html"),
        ("photos", "/?a", "photos/index.html"),
        ("photos", "/a/", "photos/a/index.html"),
    ] {
        assert_eq!(key(prefix, target).as_deref(), Some(expected), "{target}");
    }
}

#[test]
fn what_cannot_be_a_key_is_refused() {
    let long = format!("/{}", "a".repeat(KEY_BYTES_MAX + 1));
    for target in [
        "",
        "a",
        "//a",
        "/a//b",
        "/..",
        "/../a",
        "/a/../b",
        "/%2e%2e/a",
        "/./a",
        "/a%2Fb",
        "/a%00",
        "/a%0a",
        "/%ff",
        &long,
    ] {
        assert_eq!(key("photos", target), None, "{target:?}");
    }
}

fn with(mut request: OriginRequest, fields: &[(HeaderName, &str)]) -> OriginRequest {
    for (name, value) in fields {
        request.headers.insert(name, HeaderValue::from_str(value).unwrap());
    }
    request
}

#[tokio::test]
async fn a_range_gets_its_bytes() {
    let (address, _dir) = server().await;
    let target = target(address);
    put(&target, "photos/digits", "0123456789").await;
    let origin = origin(&target);
    for (range, content_range, text) in [
        ("bytes=2-5", "bytes 2-5/10", "2345"),
        ("bytes=7-", "bytes 7-9/10", "789"),
        ("bytes=-3", "bytes 7-9/10", "789"),
    ] {
        let got = origin.fetch(&with(request("/digits", None), &[(header::RANGE, range)])).await.unwrap();
        assert_eq!(
            (got.head.status.as_u16(), got.head.headers["content-range"].to_str().unwrap()),
            (206, content_range)
        );
        assert_eq!(got.body.collect(100).await.unwrap(), text);
    }
    let several = with(request("/digits", None), &[(header::RANGE, "bytes=0-1,5-6")]);
    let got = origin.fetch(&several).await.unwrap();
    assert_eq!((got.head.status.as_u16(), got.body.length()), (200, Some(10)));
}

#[tokio::test]
async fn a_range_past_the_end_says_how_long_the_object_is() {
    let (address, _dir) = server().await;
    let target = target(address);
    put(&target, "photos/digits", "0123456789").await;
    let wanted = with(request("/digits", None), &[(header::RANGE, "bytes=10-")]);
    let got = origin(&target).fetch(&wanted).await.unwrap();
    assert_eq!(
        (got.head.status.as_u16(), got.head.headers["content-range"].to_str().unwrap()),
        (416, "bytes */10")
    );
}

#[tokio::test]
async fn a_range_of_another_version_gets_the_whole() {
    let (address, _dir) = server().await;
    let target = target(address);
    put(&target, "photos/digits", "0123456789").await;
    let origin = origin(&target);
    let headers = origin.fetch(&request("/digits", None)).await.unwrap().head.headers;
    let etag = headers["etag"].to_str().unwrap();
    for (condition, status) in [(etag, 206), ("\"other\"", 200), ("Thu, 01 Jan 1970 00:00:00 GMT", 200)] {
        let fields = [(header::RANGE, "bytes=2-5"), (header::IF_RANGE, condition)];
        let got = origin.fetch(&with(request("/digits", None), &fields)).await.unwrap();
        assert_eq!(got.head.status, status, "{condition}");
    }
}

#[tokio::test]
async fn what_is_not_newer_is_not_modified() {
    let (address, _dir) = server().await;
    let target = target(address);
    put(&target, "photos/a.jpg", "pixels").await;
    let origin = origin(&target);
    let headers = origin.fetch(&request("/a.jpg", None)).await.unwrap().head.headers;
    let modified = headers["last-modified"].to_str().unwrap();
    for (since, status) in [(modified, 304), ("Thu, 01 Jan 1970 00:00:00 GMT", 200)] {
        let wanted = with(request("/a.jpg", None), &[(header::IF_MODIFIED_SINCE, since)]);
        assert_eq!(origin.fetch(&wanted).await.unwrap().head.status, status, "{since}");
    }
}

#[tokio::test]
async fn a_part_that_contradicts_itself_is_an_error() {
    let reply = "HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\nContent-Range: bytes 0-4/10\r\n\r\nabc";
    let error = canned(reply, None).await.unwrap_err();
    assert!(matches!(error, OriginError::Protocol(_)), "{error}");
}

#[test]
fn tags_get_their_quotes() {
    for (tag, expected) in [("\"a\"", "\"a\""), ("a-1", "\"a-1\""), ("W/\"a\"", "W/\"a\"")] {
        assert_eq!(quoted(tag), expected);
    }
}
