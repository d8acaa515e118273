//! The client and the tier against a real server over a socket, with signatures checked.

use std::{fs, net::Ipv4Addr, path::PathBuf, sync::atomic::Ordering};

use futures_util::StreamExt as _;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use overfall_config::Secret;
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

use super::*;
use crate::tier::testing::{body, key, stored};

const BUCKET: &str = "bucket";
const ACCESS: &str = "an-access-key";
const SECRET: &str = "a-secret-key";

/// A server in this process; stops when dropped.
struct Server {
    endpoint: String,
    root: TempDir,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir(root.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(root.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS, SECRET));
        let service = builder.build();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                connections.spawn(async move {
                    drop(
                        Builder::new(TokioExecutor::new())
                            .serve_connection(TokioIo::new(stream), service)
                            .await,
                    );
                });
            }
        });
        Self { endpoint, root, serving }
    }

    /// Stops serving; connections are refused from here on.
    async fn stop(mut self) {
        self.serving.abort();
        drop((&mut self.serving).await);
    }

    fn target(&self) -> S3Target {
        target(&self.endpoint)
    }

    fn client(&self) -> Arc<Client> {
        Client::connect(&self.target()).unwrap()
    }

    fn tier(&self) -> Arc<S3Tier> {
        S3Tier::with_deadline(self.client(), "/cache/", &Budget::new(1 << 30), Duration::from_secs(20))
    }

    /// Where the server keeps a tier's object.
    fn file(&self, target: &str) -> PathBuf {
        let name = key(target).hash().to_string();
        let shelf = name.split_at(2).0;
        self.root.path().join(BUCKET).join("cache/v1").join(shelf).join(&name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn target(endpoint: &str) -> S3Target {
    S3Target {
        bucket: BUCKET.to_owned(),
        prefix: String::new(),
        endpoint: Some(endpoint.to_owned()),
        region: "test-1".to_owned(),
        access_key: Secret::new(ACCESS.to_owned()),
        secret_key: Secret::new(SECRET.to_owned()),
    }
}

fn fields() -> ObjectFields {
    ObjectFields {
        content_type: Some("image/jpeg".to_owned()),
        cache_control: Some("max-age=60".to_owned()),
        content_encoding: Some("br".to_owned()),
        metadata: vec![("surrogate-key".to_owned(), "photos cat".to_owned())],
        ..ObjectFields::default()
    }
}

async fn found(client: &Client, key: &str, range: Option<(u64, Option<u64>)>) -> (ObjectFields, Bytes) {
    match client.get(key, range, None).await {
        Ok(GetOutcome::Found(object)) => (object.fields, object.body.collect(1 << 30).await.unwrap()),
        other => panic!("{key}: {other:?}"),
    }
}

async fn tier_get(tier: &S3Tier, target: &str) -> Result<Option<Bytes>, TierError> {
    let key = key(target);
    Ok(tier.get(&key, key.hash()).await?.map(|stored| stored.body.clone()))
}

fn tier_put(tier: &S3Tier, target: &str, body: impl Into<Bytes>) {
    let stored = stored(target, body);
    tier.put(stored.key.hash(), stored);
}

/// A server that reads one request head, answers so and closes.
async fn canned(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && stream.read_buf(&mut head).await.is_ok_and(|read| read > 0)
            {
            }
            drop(stream.write_all(answer).await);
        }
    });
    endpoint
}

#[tokio::test]
async fn an_object_comes_back_with_its_fields_and_metadata() {
    let server = Server::start().await;
    let client = server.client();
    client.put("a/photo.jpg", body(1, 3_000_000), fields()).await.unwrap();
    let (got, bytes) = found(&client, "a/photo.jpg", None).await;
    assert_eq!(bytes, body(1, 3_000_000));
    assert_eq!(got.content_type, fields().content_type);
    assert_eq!(got.cache_control, fields().cache_control);
    assert_eq!(got.content_encoding, fields().content_encoding);
    assert_eq!(got.metadata, fields().metadata);
    assert!(got.etag.is_some_and(|tag| tag.starts_with('"') && tag.ends_with('"')));
    assert!(got.last_modified_s.is_some_and(|seconds| seconds > 1_700_000_000));
}

#[tokio::test]
async fn an_empty_object_and_odd_keys_come_back() {
    let server = Server::start().await;
    let client = server.client();
    for key in ["empty", "with space+plus%25.txt", "ä/ö", "a&b=c?d"] {
        client.put(key, Bytes::new(), ObjectFields::default()).await.unwrap();
        assert_eq!(found(&client, key, None).await.1, Bytes::new(), "{key}");
    }
}

#[tokio::test]
async fn a_range_gives_its_part_and_says_so() {
    let server = Server::start().await;
    let client = server.client();
    client.put("a", Bytes::from_static(b"0123456789"), ObjectFields::default()).await.unwrap();
    for (range, bytes, said) in [
        ((2, Some(4)), "234", "bytes 2-4/10"),
        ((7, None), "789", "bytes 7-9/10"),
        ((0, Some(99)), "0123456789", "bytes 0-9/10"),
    ] {
        let (fields, got) = found(&client, "a", Some(range)).await;
        assert_eq!(
            (got.as_ref(), fields.content_range.as_deref()),
            (bytes.as_bytes(), Some(said)),
            "{range:?}"
        );
    }
}

#[tokio::test]
async fn a_range_past_the_end_is_told_apart() {
    let server = Server::start().await;
    let client = server.client();
    client.put("a", Bytes::from_static(b"0123456789"), ObjectFields::default()).await.unwrap();
    let got = client.get("a", Some((50, None)), None).await;
    assert!(matches!(got, Ok(GetOutcome::Unsatisfiable)), "{got:?}");
}

#[tokio::test]
async fn a_condition_that_holds_is_not_modified() {
    let endpoint = canned(b"HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\nconnection: close\r\n\r\n").await;
    let client = Client::connect(&target(&endpoint)).unwrap();
    let got = client.get("a", None, Some("\"x\"")).await;
    assert!(matches!(got, Ok(GetOutcome::NotModified)), "{got:?}");
}

#[tokio::test]
async fn a_condition_that_fails_gives_the_object() {
    let server = Server::start().await;
    let client = server.client();
    client.put("a", Bytes::from_static(b"hello"), ObjectFields::default()).await.unwrap();
    let got = client.get("a", None, Some("\"another\"")).await;
    assert!(matches!(got, Ok(GetOutcome::Found(_))), "{got:?}");
}

#[tokio::test]
async fn a_missing_object_is_missing() {
    let server = Server::start().await;
    let client = server.client();
    let got = client.get("nothing/here", None, None).await;
    assert!(matches!(got, Ok(GetOutcome::Missing)), "{got:?}");
    assert_eq!(client.head("nothing/here").await, Ok(None));
}

#[tokio::test]
async fn head_list_and_delete_work() {
    let server = Server::start().await;
    let client = server.client();
    for key in ["p/b", "p/a", "q/c"] {
        client.put(key, Bytes::from_static(b"hello"), fields()).await.unwrap();
    }
    let (got, length) = client.head("p/a").await.unwrap().unwrap();
    assert_eq!((got.content_type, got.metadata, length), (fields().content_type, fields().metadata, 5));
    let expected = [("p/a".to_owned(), 5), ("p/b".to_owned(), 5)];
    assert_eq!(client.list("p/", 10).await.as_deref(), Ok(expected.as_slice()));
    assert_eq!(client.list("p/", 1).await.as_deref(), Ok(&expected[..1]));
    client.delete("p/a").await.unwrap();
    assert_eq!(client.head("p/a").await, Ok(None));
}

#[tokio::test]
async fn a_wrong_secret_is_denied_and_not_told() {
    let server = Server::start().await;
    let wrong = S3Target { secret_key: Secret::new("wrong-secret".to_owned()), ..server.target() };
    let client = Client::connect(&wrong).unwrap();
    let got = client.get("a", None, None).await;
    let Err(error @ S3Error::Denied(_)) = got else { panic!("{got:?}") };
    let put = client.put("a", Bytes::new(), ObjectFields::default()).await;
    assert!(matches!(put, Err(S3Error::Denied(_))), "{put:?}");
    for shown in [format!("{error} {error:?}"), format!("{client:?}")] {
        assert!(![SECRET, ACCESS, "wrong-secret"].iter().any(|secret| shown.contains(secret)), "{shown}");
    }
}

#[tokio::test]
async fn an_unknown_access_key_is_denied() {
    let server = Server::start().await;
    let wrong = S3Target { access_key: Secret::new("nobody".to_owned()), ..server.target() };
    let got = Client::connect(&wrong).unwrap().get("a", None, None).await;
    assert!(matches!(got, Err(S3Error::Denied(_))), "{got:?}");
}

#[tokio::test]
async fn a_missing_bucket_is_told_from_a_missing_object() {
    let server = Server::start().await;
    let wrong = S3Target { bucket: "nothing".to_owned(), ..server.target() };
    let client = Client::connect(&wrong).unwrap();
    let listed = client.list("", 10).await;
    assert_eq!(listed, Err(S3Error::NoBucket));
}

#[tokio::test]
async fn a_stopped_server_is_unreachable() {
    let server = Server::start().await;
    let client = server.client();
    server.stop().await;
    let got = client.get("a", None, None).await;
    assert!(matches!(got, Err(S3Error::Unreachable(_))), "{got:?}");
}

#[tokio::test]
async fn a_body_cut_short_is_an_error_and_never_an_end() {
    let endpoint = canned(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this").await;
    let client = Client::connect(&target(&endpoint)).unwrap();
    let Ok(GetOutcome::Found(object)) = client.get("a", None, None).await else { panic!("no object") };
    let Body::Stream { mut stream, length } = object.body else { panic!("no stream") };
    let mut last = None;
    while let Some(chunk) = stream.next().await {
        last = Some(chunk);
    }
    assert_eq!(length, Some(100));
    assert!(matches!(last, Some(Err(_))), "{last:?}");
}

#[tokio::test]
async fn an_error_of_the_server_is_told_by_status() {
    let endpoint =
        canned(b"HTTP/1.1 501 Not Implemented\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let got = Client::connect(&target(&endpoint)).unwrap().get("a", None, None).await;
    assert!(matches!(&got, Err(S3Error::Other(reason)) if reason.starts_with("501")), "{got:?}");
}

#[tokio::test]
async fn what_is_not_http_is_an_error() {
    let endpoint = canned(b"SSH-2.0-OpenSSH_9.2\r\n").await;
    let got = Client::connect(&target(&endpoint)).unwrap().get("a", None, None).await;
    assert!(got.is_err(), "{got:?}");
}

#[test]
fn an_endpoint_that_is_no_url_is_refused() {
    for endpoint in ["", "127.0.0.1:9000", "ftp://host", "http://", "http:///", "not a url", "https://["] {
        let connected = Client::connect(&target(endpoint));
        assert!(matches!(connected, Err(S3Error::Other(_))), "{endpoint:?}: {connected:?}");
    }
}

#[tokio::test]
async fn the_tier_finds_what_was_put_also_from_another_node() {
    let server = Server::start().await;
    let (one, two) = (server.tier(), server.tier());
    for n in 0..20 {
        tier_put(&one, &format!("/{n}"), body(n, 10_000));
    }
    one.flush().await;
    for n in 0..20 {
        assert_eq!(tier_get(&two, &format!("/{n}")).await, Ok(Some(body(n, 10_000))), "/{n}");
    }
    assert_eq!(one.counters().written.load(Ordering::Relaxed), 20);
    assert_eq!(two.counters().hits.load(Ordering::Relaxed), 20);
    assert!(server.file("/0").is_file());
}

#[tokio::test]
async fn the_tier_misses_what_is_absent_or_another_key() {
    let server = Server::start().await;
    let tier = server.tier();
    assert_eq!(tier_get(&tier, "/a").await, Ok(None));
    tier.put(key("/b").hash(), stored("/a", "hello"));
    tier.flush().await;
    assert_eq!(tier_get(&tier, "/b").await, Ok(None));
    assert_eq!(tier.counters().misses.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_changed_object_is_corrupt() {
    let server = Server::start().await;
    let tier = server.tier();
    tier_put(&tier, "/a", "hello");
    tier.flush().await;
    let mut record = fs::read(server.file("/a")).unwrap();
    let middle = record.len() / 2;
    record[middle] ^= 1;
    for broken in [record, Vec::new(), b"junk".to_vec()] {
        fs::write(server.file("/a"), broken).unwrap();
        let got = tier_get(&tier, "/a").await;
        assert!(matches!(got, Err(TierError::Corrupt(_))), "{got:?}");
    }
}

#[tokio::test]
async fn a_tier_whose_server_is_gone_fails_and_drops_its_writes() {
    let server = Server::start().await;
    let tier = server.tier();
    server.stop().await;
    let got = tier_get(&tier, "/a").await;
    assert!(matches!(got, Err(TierError::Io(_))), "{got:?}");
    tier_put(&tier, "/a", "hello");
    tier.flush().await;
    assert_eq!(tier.counters().refused.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_tier_whose_server_is_silent_times_out() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let client = Client::connect(&target(&endpoint)).unwrap();
    let tier = S3Tier::with_deadline(client, "", &Budget::new(1 << 30), Duration::from_millis(50));
    assert_eq!(tier_get(&tier, "/a").await, Err(TierError::Timeout { ms: 50 }));
    assert_eq!(tier.counters().failures.load(Ordering::Relaxed), 1);
}
