//! A hit from memory on the wire, in the metrics and in the access log; and the few refusals that the front makes itself.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    ops::Range,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use bytes::Buf as _;
use http::StatusCode;
use overfall_cache::{clock::Millis, engine::MemoryHit, wire};
use pingora::protocols::Stream;
use tokio::{
    io::AsyncWrite as _,
    time::{Instant, timeout},
};

use super::{Found, Front, client_of, meters::HitMeters, parse::Simple};
use crate::{
    access_log::Entry,
    response,
    text::{push_decimal, push_hex, push_ms},
};

/// Bodies up to this size, in bytes, are copied behind their head: one buffer is written faster than two.
const COPIED_BYTES_MAX: usize = 4 * 1024;
/// How long a refused client may go on sending.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// Buffers that a connection keeps from request to request.
pub(super) struct Scratch {
    client: Option<String>,
    head: Vec<u8>,
    line: Vec<u8>,
    ended: Instant,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Whole,
    /// The client went away, or took nothing for too long.
    Cut,
}

impl Scratch {
    /// Buffers for a connection.
    pub(super) fn new(stream: &Stream) -> Self {
        let client = client_of(stream).map(|address| address.to_string());
        Self { client, head: Vec::new(), line: Vec::new(), ended: Instant::now() }
    }

    /// When the last answer was sent.
    pub(super) const fn ended(&self) -> Instant {
        self.ended
    }
}

/// Sends a stored response.
pub(super) async fn send(
    front: &Front,
    stream: &mut Stream,
    request: &Simple<'_>,
    found: &Found,
    began: Instant,
    closes: bool,
    scratch: &mut Scratch,
) -> Sent {
    let request_id = front.node.next_request_id();
    let head = &mut scratch.head;
    head.clear();
    head.extend_from_slice(found.hit.head());
    let cache_status = push_fields(front, &found.hit, began, request_id, head);
    head.extend_from_slice(if closes {
        b"Connection: close\r\n\r\n"
    } else {
        b"Connection: keep-alive\r\n\r\n"
    });
    let body = if request.is_head { &[][..] } else { found.hit.body() };
    let mut rest = body;
    if body.len() <= COPIED_BYTES_MAX {
        head.extend_from_slice(body);
        rest = &[];
    }
    let written = write(stream, head, rest, front.node.limits().stall).await;
    scratch.ended = Instant::now();
    let outcome = Outcome { began, request_id, cache_status, body, error: written.err() };
    record(front, request, found, &outcome, scratch);
    if outcome.error.is_none() { Sent::Whole } else { Sent::Cut }
}

/// Refuses a request that has no whole head, and says that no other is heard.
pub(super) async fn refuse(
    front: &Front,
    stream: &mut Stream,
    status: StatusCode,
    message: &str,
    scratch: &mut Scratch,
) {
    let began = Instant::now();
    let node = &front.node;
    node.metrics().refused.with_label_values(&[node.name(), status.as_str()]).inc();
    let (plain, _) = response::plain(status.as_u16(), "");
    let body = format!("{message}\n");
    let mut head = wire::head(&plain, body.len(), Millis(node.now_ms())).unwrap_or_default();
    head.extend_from_slice(b"Connection: close\r\n\r\n");
    let written = write(stream, &head, body.as_bytes(), LINGER).await;
    let entry = Entry {
        method: "",
        host: "",
        target: "",
        status: status.as_u16(),
        bytes: if written.is_ok() { body.len() as u64 } else { 0 },
        duration_us: micros(began.elapsed()),
        site: None,
        cache: None,
        error: Some(message),
        agent: None,
        referrer: None,
        ..entry(front, node.next_request_id(), scratch.client.as_deref())
    };
    node.access_log().write(&entry, &mut scratch.line);
}

/// How an answer went.
struct Outcome<'a> {
    began: Instant,
    request_id: u128,
    cache_status: Range<usize>,
    body: &'a [u8],
    error: Option<io::Error>,
}

/// Appends what differs from answer to answer; tells where the value of `Cache-Status` stands.
fn push_fields(
    front: &Front,
    hit: &MemoryHit,
    began: Instant,
    request_id: u128,
    head: &mut Vec<u8>,
) -> Range<usize> {
    head.extend_from_slice(b"Age: ");
    push_decimal(head, hit.age_s());
    head.extend_from_slice(b"\r\nCache-Status: ");
    let begin = head.len();
    head.extend_from_slice(front.cache_status.as_bytes());
    push_decimal(head, hit.ttl_s());
    let status = begin..head.len();
    let took_us = micros(began.elapsed());
    head.extend_from_slice(b"\r\nServer-Timing: tiers;dur=");
    push_ms(head, took_us);
    head.extend_from_slice(b", edge;dur=");
    push_ms(head, took_us);
    head.extend_from_slice(b"\r\nX-Request-Id: ");
    push_hex(head, request_id);
    head.extend_from_slice(b"\r\n");
    status
}

/// Counts and logs an answer, as the ordinary way does.
fn record(front: &Front, request: &Simple<'_>, found: &Found, outcome: &Outcome<'_>, scratch: &mut Scratch) {
    let node = &front.node;
    let status = found.hit.stored().head.status.as_u16();
    let bytes = if outcome.error.is_none() { outcome.body.len() as u64 } else { 0 };
    let took = scratch.ended.duration_since(outcome.began);
    let meters = found.route.hit_meters.get_or_init(|| HitMeters::new(node, &found.route.site.name));
    meters.count(status, bytes, took);
    let cache = scratch.head.get(outcome.cache_status.clone()).unwrap_or_default();
    let error = outcome.error.as_ref().map(|_| "WriteError");
    let entry = Entry {
        method: if request.is_head { "HEAD" } else { "GET" },
        host: request.host,
        target: request.target,
        status,
        bytes,
        duration_us: micros(took),
        site: Some(&found.route.site.name),
        cache: str::from_utf8(cache).ok(),
        error,
        agent: request.agent,
        referrer: request.referrer,
        ..entry(front, outcome.request_id, scratch.client.as_deref())
    };
    node.access_log().write(&entry, &mut scratch.line);
}

/// What every entry of this front has; the rest is empty.
fn entry<'a>(front: &'a Front, request_id: u128, client: Option<&'a str>) -> Entry<'a> {
    Entry {
        ts_ms: front.node.now_ms(),
        request_id,
        node: front.node.name(),
        client,
        method: "",
        host: "",
        target: "",
        protocol: "HTTP/1.1",
        status: 0,
        bytes: 0,
        duration_us: 0,
        site: None,
        cache: None,
        attempts: &[],
        error: None,
        agent: None,
        referrer: None,
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Writes head and body, together where the stream can do that. Fails when the client takes nothing for `stall`.
async fn write(stream: &mut Stream, head: &[u8], body: &[u8], stall: Duration) -> io::Result<()> {
    let (mut head, mut body) = (head, body);
    let is_vectored = stream.is_write_vectored();
    while !(head.is_empty() && body.is_empty()) {
        let step = poll_fn(|cx| {
            let stream = Pin::new(&mut *stream);
            match (head, body) {
                ([], body) => stream.poll_write(cx, body),
                (head, body) if is_vectored && !body.is_empty() => {
                    stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)])
                }
                (head, _) => stream.poll_write(cx, head),
            }
        });
        let written = soon(step, stall).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let of_head = written.min(head.len());
        head.advance(of_head);
        body.advance(written - of_head);
    }
    soon(poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)), stall).await
}

/// Waits for `step`, which is most often ready at once, and for `stall` at most.
async fn soon<T>(step: impl Future<Output = io::Result<T>>, stall: Duration) -> io::Result<T> {
    let mut step = pin!(step);
    match poll_fn(|cx| Poll::Ready(step.as_mut().poll(cx))).await {
        Poll::Ready(done) => done,
        Poll::Pending => timeout(stall, step).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
    }
}
