//! What a memory hit costs inside the engine: look-up, purge check, freshness, answer. No sockets.

#![expect(clippy::unwrap_used, reason = "a bench ends at the first surprise")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use divan::{AllocProfiler, Bencher};
use overfall_cache::{
    body::Body,
    clock::SystemClock,
    encoding::Accepted,
    engine::{Engine, EngineLimits, EngineParts, Request, Served},
    key::Key,
    origin::{Origin, OriginError, OriginRequest, OriginResponse},
    policy::Policy,
    purge::Table,
    stored::ResponseHead,
    tier::hybrid::Hybrid,
    waterfall::{Step, Waterfall},
};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

struct Constant(Bytes);

#[async_trait::async_trait]
impl Origin for Constant {
    fn name(&self) -> &str {
        "constant"
    }

    async fn fetch(&self, _request: &OriginRequest) -> Result<OriginResponse, OriginError> {
        let mut headers = http::HeaderMap::new();
        headers.insert("cache-control", "max-age=3600".parse().unwrap());
        headers.insert("content-type", "text/javascript".parse().unwrap());
        headers.insert("etag", "\"1\"".parse().unwrap());
        let head = ResponseHead { status: http::StatusCode::OK, headers };
        Ok(OriginResponse { head, body: Body::Full(self.0.clone()), provenance: None })
    }
}

async fn warm(bytes: usize) -> (Arc<Engine>, Request) {
    let engine = Engine::new(EngineParts {
        hybrid: Hybrid::open(64 << 20, None).await.unwrap(),
        shared: Vec::new(),
        purges: Arc::new(Table::new()),
        clock: Arc::new(SystemClock),
        limits: EngineLimits { object_bytes_max: 1 << 24, fetches_max: 64, filling_bytes_max: 1 << 24 },
    });
    let origin = Arc::new(Constant(vec![b'x'; bytes].into()));
    let request = Request {
        key: Key {
            site: "bench".to_owned(),
            host: "www.example.com".to_owned(),
            target: "/w/loader.js".to_owned(),
            variant: String::new(),
        },
        method: http::Method::GET,
        headers: http::HeaderMap::new(),
        accepted: Accepted::PLAIN,
        host: "www.example.com".to_owned(),
        path_and_query: "/w/loader.js".to_owned(),
        policy: Arc::new(Policy {
            default_ttl_ms: None,
            stale_while_revalidate_ms: 0,
            stale_if_error_ms: 0,
            negative_ttl_ms: 0,
            compress: None,
            stores_cookies: false,
            stores_errors: true,
        }),
        waterfall: Arc::new(Waterfall { steps: vec![Step::new(origin, Duration::from_secs(1))] }),
        request_id: 0,
        is_trusted: false,
    };
    drop(engine.serve(request.clone()).await.unwrap().body.collect(1 << 24).await);
    (engine, request)
}

#[divan::bench(args = [1024, 32 * 1024])]
fn memory_hit(bencher: Bencher<'_, '_>, bytes: usize) {
    let runtime = Runtime::new().unwrap();
    let (engine, request) = runtime.block_on(warm(bytes));
    bencher.bench_local(|| {
        let answer = runtime.block_on(engine.serve(request.clone())).unwrap();
        assert_eq!(answer.trace.served, Served::Hit("memory"));
        answer
    });
}

/// The same without a request of its own: what the connection loop does for a hit.
#[divan::bench(args = [1024, 32 * 1024])]
fn memory_hit_at_once(bencher: Bencher<'_, '_>, bytes: usize) {
    let runtime = Runtime::new().unwrap();
    let (engine, request) = runtime.block_on(warm(bytes));
    bencher.bench_local(|| {
        engine.memory_hit(request.key.borrowed(), Some(b"gzip, br"), &request.policy).unwrap()
    });
}

#[divan::bench]
fn key_hash(bencher: Bencher<'_, '_>) {
    let runtime = Runtime::new().unwrap();
    let (_, request) = runtime.block_on(warm(1));
    bencher.bench_local(|| request.key.hash());
}
