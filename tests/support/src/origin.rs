//! A scripted HTTP origin in this process: it answers by path, counts, records, and misbehaves on command.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
};

use crate::wait::{DEADLINE, wait_until};

/// Requests remembered.
const RECORDED_MAX: usize = 100_000;
/// Largest request body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A running origin; stops when dropped.
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    replies: Mutex<HashMap<String, Reply>>,
    otherwise: Mutex<Option<Reply>>,
    requests: Mutex<Vec<Recorded>>,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Fields.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// What a path answers, every time it is asked.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    fields: Vec<(String, String)>,
    script: Script,
}

#[derive(Clone)]
enum Script {
    Whole(Bytes),
    Derived { length: usize },
    Cut { bytes: Bytes, announced: usize },
    Drip(Drip),
    Hang,
    Slam,
}

/// A body that grows when the test says so. Every request for it gets it from its beginning.
#[derive(Clone)]
pub struct Drip {
    state: watch::Sender<DripState>,
}

#[derive(Clone, Default)]
struct DripState {
    chunks: Vec<Bytes>,
    end: Option<End>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Clean,
    Cut,
}

impl Origin {
    /// Starts on a free port; every path answers 404.
    pub async fn start() -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await
    }

    /// Starts on a port that is known to be free, such as that of an origin that was stopped.
    pub async fn start_at(address: SocketAddr) -> Self {
        let mut origin = Self { address, shared: Arc::default(), serving: None };
        origin.resume().await;
        origin
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets what a path answers. A target with query wins over a path without.
    pub fn on(&self, target: &str, reply: Reply) {
        lock(&self.shared.replies).insert(target.to_owned(), reply);
    }

    /// Sets what every path answers for which nothing else is set.
    pub fn otherwise(&self, reply: Reply) {
        *lock(&self.shared.otherwise) = Some(reply);
    }

    /// How often a target was asked, whatever the method.
    #[must_use]
    pub fn count(&self, target: &str) -> usize {
        self.requests(target).len()
    }

    /// How often anything was asked.
    #[must_use]
    pub fn count_all(&self) -> usize {
        lock(&self.shared.requests).len()
    }

    /// Requests for a target (with its query), oldest first.
    #[must_use]
    pub fn requests(&self, target: &str) -> Vec<Recorded> {
        lock(&self.shared.requests).iter().filter(|request| request.target == target).cloned().collect()
    }

    /// Waits until a target was asked this often.
    pub async fn until_asked(&self, target: &str, times: usize) {
        let what = format!("the origin is asked {times} times for {target}");
        wait_until(&what, DEADLINE, async || (self.count(target) >= times).then_some(())).await;
    }

    /// Closes the port and every connection: refused from here on.
    pub async fn stop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            // an aborted task ends with an error, which is what was asked for
            drop(serving.await);
        }
    }

    /// Opens the port again.
    pub async fn resume(&mut self) {
        let listener = TcpListener::bind(self.address).await;
        let listener = listener.unwrap_or_else(|error| panic!("origin at {}: {error}", self.address));
        self.address = listener.local_addr().expect("a bound listener has an address");
        self.serving = Some(tokio::spawn(serve(listener, Arc::clone(&self.shared))));
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

impl Reply {
    /// 200 with a body.
    #[must_use]
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self { status: 200, fields: Vec::new(), script: Script::Whole(body.into()) }
    }

    /// 200 with the body that [`derived`] gives for the request target.
    #[must_use]
    pub fn derived(length: usize) -> Self {
        Self { status: 200, fields: Vec::new(), script: Script::Derived { length } }
    }

    /// A status with a short body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, fields: Vec::new(), script: Script::Whole(format!("origin says {status}\n").into()) }
    }

    /// Announces more bytes than it sends, then closes the connection.
    #[must_use]
    pub fn cut(bytes: impl Into<Bytes>, announced: usize) -> Self {
        Self { status: 200, fields: Vec::new(), script: Script::Cut { bytes: bytes.into(), announced } }
    }

    /// A body that grows at the test's command.
    #[must_use]
    pub fn drip() -> (Self, Drip) {
        let drip = Drip { state: watch::Sender::new(DripState::default()) };
        (Self { status: 200, fields: Vec::new(), script: Script::Drip(drip.clone()) }, drip)
    }

    /// Takes the request and never answers.
    #[must_use]
    pub fn hang() -> Self {
        Self { status: 200, fields: Vec::new(), script: Script::Hang }
    }

    /// Takes the request and closes the connection.
    #[must_use]
    pub fn slam() -> Self {
        Self { status: 200, fields: Vec::new(), script: Script::Slam }
    }

    /// Another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a field. With an `ETag`, a matching `If-None-Match` is answered with 304.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds `Cache-Control`.
    #[must_use]
    pub fn cache_control(self, value: &str) -> Self {
        self.with("cache-control", value)
    }

    fn etag(&self) -> Option<&str> {
        self.fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("etag"))
            .map(|(_, value)| value.as_str())
    }
}

/// A body that no other target has, so that a reader can check every byte.
#[must_use]
pub fn derived(target: &str, length: usize) -> Bytes {
    let mut state = target.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }) | 1;
    let words = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(length).collect()
}

impl Drip {
    /// Lets bytes through.
    pub fn push(&self, bytes: impl Into<Bytes>) {
        self.state.send_modify(|state| state.chunks.push(bytes.into()));
    }

    /// Ends the body cleanly.
    pub fn end(&self) {
        self.state.send_modify(|state| state.end = Some(End::Clean));
    }

    /// Breaks the body off.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.end = Some(End::Cut));
    }

    async fn play(self, frames: mpsc::Sender<Result<Bytes, Broken>>) {
        let mut state = self.state.subscribe();
        let mut sent = 0;
        loop {
            let DripState { chunks, end } = state.borrow_and_update().clone();
            for chunk in chunks.iter().skip(sent) {
                if frames.send(Ok(chunk.clone())).await.is_err() {
                    return;
                }
            }
            sent = chunks.len();
            match end {
                Some(End::Clean) => return,
                // nobody reads on when the connection is gone
                Some(End::Cut) => return drop(frames.send(Err(Broken)).await),
                None => {}
            }
            if state.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Makes hyper close the connection without ending the body.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("broken off on command")
    }
}

impl std::error::Error for Broken {}

/// Frames as they are handed over.
struct Frames(mpsc::Receiver<Result<Bytes, Broken>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.poll_recv(cx).map(|next| next.map(|chunk| chunk.map(Frame::data)))
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
            // a client that goes away is not the origin's trouble
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Frames>, Broken> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or_else(|| head.uri.to_string(), |target| target.to_string());
    let validator = head.headers.get(header::IF_NONE_MATCH).cloned();
    let is_head = head.method == http::Method::HEAD;
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|_| Broken)?.to_bytes();
    {
        let mut requests = lock(&shared.requests);
        assert!(requests.len() < RECORDED_MAX, "the origin is asked without end");
        let recorded =
            Recorded { method: head.method.to_string(), target: target.clone(), headers: head.headers, body };
        requests.push(recorded);
    }
    let reply = {
        let replies = lock(&shared.replies);
        let path = target.split('?').next().unwrap_or_default();
        replies.get(&target).or_else(|| replies.get(path)).cloned()
    };
    let otherwise = || lock(&shared.otherwise).clone();
    let mut reply = reply.or_else(otherwise).unwrap_or_else(|| Reply::status(404));
    if let Script::Derived { length } = reply.script {
        reply.script = Script::Whole(derived(&target, length));
    }
    let is_same =
        validator.is_some_and(|sent| reply.etag().is_some_and(|own| sent.as_bytes() == own.as_bytes()));
    play(reply, is_same, is_head).await
}

async fn play(reply: Reply, is_same: bool, is_head: bool) -> Result<Response<Frames>, Broken> {
    let (frames, received) = mpsc::channel(4);
    let mut response = Response::new(Frames(received));
    *response.status_mut() = StatusCode::from_u16(reply.status).expect("a status code");
    for (name, value) in &reply.fields {
        let name: http::HeaderName = name.parse().expect("a field name");
        response.headers_mut().append(name, value.parse().expect("a field value"));
    }
    if is_same {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let announce = |response: &mut Response<Frames>, length: usize| {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    };
    match reply.script {
        Script::Whole(bytes) => {
            announce(&mut response, bytes.len());
            if !is_head {
                drop(frames.send(Ok(bytes)).await);
            }
        }
        // made whole where the target is known
        Script::Derived { .. } => return Err(Broken),
        Script::Cut { bytes, announced } => {
            announce(&mut response, announced);
            drop(frames.send(Ok(bytes)).await);
            drop(frames.send(Err(Broken)).await);
        }
        Script::Drip(drip) => drop(tokio::spawn(drip.play(frames))),
        Script::Hang => std::future::pending().await,
        Script::Slam => return Err(Broken),
    }
    Ok(response)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
