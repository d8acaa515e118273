//! A front for an S3 server that refuses, hangs, fails, is slow or gives other bytes than were kept.
//!
//! Requests go on to the real server unchanged, so that their signatures hold; only answers are harmed. What it does
//! follows from its [`Mood`]; in [`Mood::Corrupts`] seeded chance says how.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, client::conn, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use crate::{dice::Dice, s3::S3};

/// Largest object that goes through, in bytes.
const OBJECT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How late a slow answer comes.
const SLOWNESS: Duration = Duration::from_millis(400);

/// What the server is like at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As it should be.
    Well,
    /// Connections are closed as soon as they stand.
    Refuses,
    /// Requests are taken and never answered.
    Hangs,
    /// 500 to everything.
    Fails,
    /// Every answer is late.
    Slow,
    /// Objects come with a byte flipped, zeros in them, their end missing, or another object's bytes.
    Corrupts,
}

/// Every mood.
pub const MOODS: [Mood; 6] =
    [Mood::Well, Mood::Refuses, Mood::Hangs, Mood::Fails, Mood::Slow, Mood::Corrupts];

/// A running front; stops when dropped.
pub struct FaultyS3 {
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
    _server: S3,
    tier_table: String,
}

struct Shared {
    upstream: SocketAddr,
    mood: Mutex<Mood>,
    dice: Mutex<Dice>,
    other: Mutex<Bytes>,
    found: AtomicU64,
    harmed: AtomicU64,
}

impl FaultyS3 {
    /// Stands before a server; well at first.
    pub async fn before(mut server: S3, seed: u64) -> Self {
        let upstream = server.endpoint.trim_start_matches("http://").parse().expect("an address and a port");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        server.endpoint = format!("http://{address}");
        let shared = Arc::new(Shared {
            upstream,
            mood: Mutex::new(Mood::Well),
            dice: Mutex::new(Dice::of(seed, "s3")),
            other: Mutex::default(),
            found: AtomicU64::new(0),
            harmed: AtomicU64::new(0),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        let tier_table = server.tier_table("cache");
        Self { shared, serving, _server: server, tier_table }
    }

    /// The value of `[cache] s3` that goes through this front.
    #[must_use]
    pub fn tier_table(&self) -> &str {
        &self.tier_table
    }

    /// Changes its mood, for requests that come from now on.
    pub fn change(&self, mood: Mood) {
        *lock(&self.shared.mood) = mood;
    }

    /// Objects that were found, harmed ones included.
    #[must_use]
    pub fn found(&self) -> u64 {
        self.shared.found.load(Ordering::SeqCst)
    }

    /// Objects that were harmed on their way.
    #[must_use]
    pub fn harmed(&self) -> u64 {
        self.shared.harmed.load(Ordering::SeqCst)
    }
}

impl Drop for FaultyS3 {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        if shared.mood() == Mood::Refuses {
            continue;
        }
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
            // a client that goes away is not the server's trouble
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> anyhow::Result<Response<Full<Bytes>>> {
    let mood = shared.mood();
    match mood {
        Mood::Well | Mood::Corrupts => {}
        Mood::Refuses => anyhow::bail!("refused on command"),
        Mood::Hangs => return Ok(std::future::pending::<Result<_, Infallible>>().await?),
        Mood::Slow => sleep(SLOWNESS).await,
        Mood::Fails => {
            let mut failed = Response::new(Full::from("<Error><Code>InternalError</Code></Error>"));
            *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            return Ok(failed);
        }
    }
    let is_read = request.method() == Method::GET;
    let stream = TcpStream::connect(shared.upstream).await?;
    let (mut sender, connection) = conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, OBJECT_BYTES_MAX).collect().await;
    let mut bytes = body.map_err(|error| anyhow::anyhow!("{error}"))?.to_bytes();
    driver.abort();
    if is_read && head.status == StatusCode::OK {
        shared.found.fetch_add(1, Ordering::SeqCst);
        if mood == Mood::Corrupts {
            bytes = shared.harm(&bytes);
        }
    }
    let mut response = Response::from_parts(head, Full::new(bytes.clone()));
    if response.headers().contains_key(http::header::CONTENT_LENGTH) && is_read {
        response.headers_mut().insert(http::header::CONTENT_LENGTH, bytes.len().into());
    }
    Ok(response)
}

impl Shared {
    fn mood(&self) -> Mood {
        *lock(&self.mood)
    }

    fn harm(&self, bytes: &Bytes) -> Bytes {
        self.harmed.fetch_add(1, Ordering::SeqCst);
        let other = std::mem::replace(&mut *lock(&self.other), bytes.clone());
        let mut dice = lock(&self.dice);
        let mut harmed = bytes.to_vec();
        let place = dice.place(harmed.len());
        match dice.below(4) {
            0 => harmed.truncate(place),
            1 => harmed.iter_mut().skip(place).take(512).for_each(|byte| *byte = 0),
            2 if !other.is_empty() => return other,
            _ => harmed.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
        }
        harmed.into()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
