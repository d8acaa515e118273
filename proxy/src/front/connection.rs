//! One HTTP/1.1 connection: its bytes, its requests one after the other, its end.

use std::{
    io,
    ops::ControlFlow::{self, Break, Continue},
    pin::{Pin, pin},
    task::Poll,
};

use bytes::{Buf as _, BytesMut};
use http::StatusCode;
use pingora::{
    apps::HttpServerApp as _,
    protocols::{Stream, http::ServerSession},
    server::ShutdownWatch,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, Sleep, sleep_until, timeout},
};

use super::{
    Front,
    answer::{self, Scratch, Sent},
    handed::Handed,
    parse::{self, Extent},
};
use crate::{
    admission::{FIELD_BYTES_MAX, TARGET_BYTES_MAX},
    dated::Dated,
    listen::KEEPALIVE_REQUESTS_MAX,
    shutdown::raised,
};

/// Room for reading that a connection has at least.
const READ_BYTES: usize = 4 * 1024;
/// A buffer that grew beyond this for one request is given back after it.
const KEPT_BYTES_MAX: usize = 16 * 1024;
/// Longest head that is gathered: the largest target and fields that are admitted, and something for the rest.
const HEAD_BYTES_MAX: usize = TARGET_BYTES_MAX + FIELD_BYTES_MAX + 8 * 1024;
/// What pingora is told of the time between requests, which it never has to wait for. Seconds.
const KEEPALIVE_S: u64 = 60;
/// What a client may go on sending after it was refused, and how long, before the connection is cut.
const LINGER_BYTES_MAX: usize = 256 * 1024;

/// The connection between two requests.
pub(super) struct Connection<'a> {
    front: &'a Front,
    shutdown: &'a ShutdownWatch,
    /// Turns ready when the node stops.
    stopping: Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
    /// None while pingora has it, and when it did not give it back.
    stream: Option<Stream>,
    unread: BytesMut,
    /// Fires at `deadline` or before.
    timer: Pin<Box<Sleep>>,
    deadline: Instant,
    /// A head has begun, and `deadline` is its end.
    is_begun: bool,
    /// Requests that may follow.
    requests_left: u32,
    scratch: Scratch,
}

/// What happened while a request was awaited.
enum Event {
    Bytes(usize),
    Stopping,
    Late,
}

impl<'a> Connection<'a> {
    /// A connection whose first request is awaited.
    pub(super) fn new(front: &'a Front, stream: Stream, shutdown: &'a ShutdownWatch) -> Self {
        let deadline = Instant::now() + front.node.limits().idle;
        let mut watched = shutdown.clone();
        Self {
            front,
            shutdown,
            stopping: Box::pin(async move { raised(&mut watched).await }),
            scratch: Scratch::new(&stream),
            stream: Some(stream),
            unread: BytesMut::new(),
            timer: Box::pin(sleep_until(deadline)),
            deadline,
            is_begun: false,
            requests_left: KEEPALIVE_REQUESTS_MAX,
        }
    }

    /// Serves requests until one of the two ends the connection.
    pub(super) async fn run(mut self) {
        while let Continue(()) = self.step().await {}
        if let Some(mut stream) = self.stream.take() {
            // fails only on a connection that is gone already
            drop(stream.shutdown().await);
        }
    }

    /// Answers the request that has been read, or reads on.
    async fn step(&mut self) -> ControlFlow<()> {
        let began = Instant::now();
        if let Some((request, length)) = parse::simple(&self.unread)
            && let Some(found) = self.front.find(&request)
        {
            let Some(stream) = &mut self.stream else { return Break(()) };
            let closes = request.closes || self.requests_left == 0 || *self.shutdown.borrow();
            let sent =
                answer::send(self.front, stream, &request, &found, began, closes, &mut self.scratch).await;
            self.unread.advance(length);
            self.requests_left = self.requests_left.saturating_sub(1);
            self.await_next(self.scratch.ended());
            return if sent == Sent::Whole && !closes { Continue(()) } else { Break(()) };
        }
        match parse::extent(&self.unread) {
            Extent::Whole(length) => self.hand_over(length).await,
            Extent::Partial if self.unread.len() > HEAD_BYTES_MAX => {
                self.refuse(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the request head is too long").await
            }
            Extent::Partial => self.read_on().await,
            Extent::Hopeless => self.refuse(StatusCode::BAD_REQUEST, "this is not an HTTP request").await,
        }
    }

    /// Waits for more bytes of a request, or its first.
    async fn read_on(&mut self) -> ControlFlow<()> {
        let is_idle = self.unread.is_empty();
        if !is_idle && !self.is_begun {
            self.is_begun = true;
            self.expect_by(Instant::now() + self.front.node.limits().head_deadline);
        }
        match self.event(is_idle).await {
            Ok(Event::Bytes(read)) if read > 0 => Continue(()),
            Ok(Event::Late) if !is_idle => {
                self.refuse(StatusCode::REQUEST_TIMEOUT, "the request head took too long").await
            }
            _ => Break(()),
        }
    }

    /// An earlier moment than the timer's makes it start anew; a later one it finds when it fires.
    fn expect_by(&mut self, deadline: Instant) {
        self.deadline = deadline;
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
    }

    async fn event(&mut self, is_idle: bool) -> io::Result<Event> {
        let Self { stream, unread, timer, deadline, stopping, .. } = self;
        let Some(stream) = stream else { return Ok(Event::Bytes(0)) };
        if unread.is_empty() && unread.capacity() > KEPT_BYTES_MAX {
            *unread = BytesMut::new();
        }
        unread.reserve(READ_BYTES);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(read) = pin!(stream.read_buf(unread)).poll(cx) {
                return Poll::Ready(read.map(Event::Bytes));
            }
            if is_idle && stopping.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(Event::Stopping));
            }
            while timer.as_mut().poll(cx).is_ready() {
                if Instant::now() >= *deadline {
                    return Poll::Ready(Ok(Event::Late));
                }
                timer.as_mut().reset(*deadline);
            }
            Poll::Pending
        })
        .await
    }

    /// Lets the ordinary way answer the request at the beginning of `unread`.
    async fn hand_over(&mut self, head: usize) -> ControlFlow<()> {
        let Some(stream) = self.stream.take() else { return Break(()) };
        let unread = std::mem::take(&mut self.unread);
        let framing = parse::framing(unread.get(..head).unwrap_or_default());
        let handed = Handed::new(stream, unread, head, framing, self.front.node.limits().stall);
        let mut session = ServerSession::new_http1(Dated::wrap(Box::new(handed)));
        session.set_keepalive((!*self.shutdown.borrow()).then_some(KEEPALIVE_S));
        session.set_keepalive_reuses_remaining(Some(self.requests_left));
        self.requests_left = self.requests_left.saturating_sub(1);
        let Some(reused) = self.front.proxy.process_new_http(session, self.shutdown).await else {
            return Break(());
        };
        let (stream, _) = reused.consume();
        let Ok(dated) = stream.into_any().downcast::<Dated>() else { return Break(()) };
        let Ok(handed) = dated.into_inner().into_any().downcast::<Handed>() else { return Break(()) };
        let (stream, unread) = handed.into_parts();
        self.stream = Some(stream);
        self.unread = unread;
        self.await_next(Instant::now());
        Continue(())
    }

    fn await_next(&mut self, now: Instant) {
        self.is_begun = false;
        self.deadline = now + self.front.node.limits().idle;
    }

    /// Says what was wrong and waits a while for the client to have read it, since closing with unread bytes makes the
    /// kernel throw the answer away.
    async fn refuse(&mut self, status: StatusCode, message: &str) -> ControlFlow<()> {
        let Some(stream) = &mut self.stream else { return Break(()) };
        answer::refuse(self.front, stream, status, message, &mut self.scratch).await;
        drop(stream.shutdown().await);
        let unread = &mut self.unread;
        let reading = async {
            let mut left = LINGER_BYTES_MAX;
            while left > 0 {
                unread.clear();
                match stream.read_buf(unread).await {
                    Ok(read) if read > 0 => left = left.saturating_sub(read),
                    _ => return,
                }
            }
        };
        drop(timeout(answer::LINGER, reading).await);
        Break(())
    }
}
