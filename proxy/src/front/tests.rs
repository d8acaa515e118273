//! What a hit from memory costs besides time.

use std::{io, sync::Arc};

use overfall_cache::bus::embedded::Embedded;
use pingora::{proxy::http_proxy, server::configuration::ServerConf};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    runtime::{Builder, Runtime},
    sync::watch,
};

use super::*;
use crate::{
    access_log::AccessLog,
    error::StartError,
    listen,
    node::NodeParts,
    telemetry::Metrics,
    tls::{Certificates, Table},
};

const BODY: [u8; 1024] = [b'x'; 1024];
const REQUEST: &[u8] =
    b"GET /a.js HTTP/1.1\r\nHost: h.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\
    Accept: */*\r\nAccept-Encoding: gzip, br\r\nReferer: https://h.example/\r\nCookie: a=b\r\n\r\n";
const HITS: u64 = 1000;
/// Allocations of one hit. The access log's buffer grows now and then, which is not one per hit.
const ALLOCATIONS_MAX: f64 = 0.05;
/// Bytes allocated for one hit; the same buffer.
const BYTES_MAX: f64 = 4096.0;

/// A node of this program, which is none that image workers could be started from.
async fn node(dir: &std::path::Path, limits: &str) -> Result<(Arc<Node>, watch::Sender<bool>), StartError> {
    std::fs::create_dir(dir.join("www")).unwrap();
    std::fs::write(dir.join("www/a.js"), BODY).unwrap();
    let text = "[listen]\nhttp = \"127.0.0.1:0\"\n[cache]\nmemory = \"64 MiB\"\n[origins.files]\nurl = \"file:www\"\n\
                [[site]]\nname = \"site\"\nhosts = [\"h.example\"]\norigins = [\"files\"]\nttl = \"1h\"\ncompress = false\n";
    let config =
        overfall_config::parse(&format!("{text}[limits]\n{limits}"), dir.join("overfall.toml"), &|_| None)
            .unwrap();
    std::fs::create_dir_all(&config.node.state).unwrap();
    let (stop, shutdown) = watch::channel(false);
    let parts = NodeParts {
        bus: Embedded::open(&config.node.state.join("purge-log")).unwrap(),
        metrics: Metrics::new().unwrap(),
        access_log: AccessLog::to(io::sink()).unwrap(),
        distance: None,
        certificates: Arc::new(Certificates::new(Table::new())),
        open: watch::Sender::new(true),
        shutdown,
    };
    Ok((Node::start(&config, parts).await?, stop))
}

async fn front(dir: &std::path::Path) -> (Arc<Front>, watch::Sender<bool>) {
    let (node, stop) = node(dir, "image_workers = false").await.unwrap();
    let mut proxy = http_proxy(&Arc::new(ServerConf::default()), Edge::new(Arc::clone(&node)));
    proxy.server_options = Some(listen::http_options());
    (Arc::new(Front::new(proxy, node)), stop)
}

/// Sends the request and reads its answer into `answer`; tells how long it was.
async fn ask(client: &mut DuplexStream, answer: &mut [u8]) -> usize {
    client.write_all(REQUEST).await.unwrap();
    let mut read = 0;
    while !answer[..read].ends_with(&BODY[..100]) || read < BODY.len() {
        read += client.read(&mut answer[read..]).await.unwrap();
    }
    read
}

fn connected(runtime: &Runtime, dir: &std::path::Path) -> (DuplexStream, watch::Sender<bool>) {
    let (front, stop) = runtime.block_on(front(dir));
    let (client, server) = tokio::io::duplex(16 * 1024);
    let shutdown = stop.subscribe();
    runtime.spawn(async move { front.process_new(Box::new(server), &shutdown).await });
    (client, stop)
}

#[tokio::test]
async fn where_workers_are_not_to_be_had_the_setting_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = node(dir.path(), "").await.err().unwrap().to_string();
    assert!(error.contains("limits.image_workers = false"), "{error}");
}

#[test]
fn a_hit_allocates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (mut client, _stop) = connected(&runtime, dir.path());
    let mut answer = vec![0; 16 * 1024];
    let mut is_hit = false;
    for _ in 0..100 {
        let length = runtime.block_on(ask(&mut client, &mut answer));
        is_hit = String::from_utf8_lossy(&answer[..length]).contains("/memory; hit");
    }
    assert!(is_hit, "{}", String::from_utf8_lossy(&answer));
    let counted = allocation_counter::measure(|| {
        for _ in 0..HITS {
            runtime.block_on(ask(&mut client, &mut answer));
        }
    });
    let each = |count: u64| count as f64 / HITS as f64;
    let (allocations, bytes) = (each(counted.count_total), each(counted.bytes_total));
    assert!(
        allocations <= ALLOCATIONS_MAX && bytes <= BYTES_MAX,
        "{allocations} allocations, {bytes} bytes a hit"
    );
}
