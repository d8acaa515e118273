//! Sockets that clients connect to, and the loop that turns connections into sessions.
//!
//! It stands in front of pingora's sessions because pingora's own listener neither bounds connections nor the time of a
//! handshake, and holds large buffers for idle ones. One task per socket accepts; it owns the tasks of its
//! connections, so closing the door ends them. It knows nothing of HTTP: the application does.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use overfall_config::Limits;
use pingora::{
    apps::{HttpServerOptions, ServerApp},
    listeners::tls::Acceptor,
    protocols::{GetSocketDigest as _, Stream, http::v2::server::H2Options, l4::stream::Stream as L4Stream},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use self::plain::Plain;
use crate::{
    shutdown::raised,
    tls::{Certificates, TlsError, hello, server_config},
};

mod plain;

/// What clients speak on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP/1.1 in the clear.
    Http,
    /// TLS, then what ALPN settles.
    Https,
}

/// A listening address could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

/// Counts for metrics; they only grow, but for `active`.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections taken in.
    pub accepted: AtomicU64,
    /// Connections closed at once because [`Limits::connections_max`] was reached.
    pub refused: AtomicU64,
    /// TLS handshakes that failed or took longer than [`HANDSHAKE_DEADLINE`].
    pub handshakes_failed: AtomicU64,
    /// Connections whose task panicked; each is a defect.
    pub panics: AtomicU64,
    /// Connections open at the moment.
    pub active: AtomicU64,
}

/// Bound sockets, not yet accepting.
///
/// ```
/// # fn main() -> Result<(), overfall_proxy::listen::BindError> {
/// let any = "127.0.0.1:0".parse().expect("an address");
/// let listeners = overfall_proxy::listen::Listeners::bind(&[any], &[])?;
/// assert_ne!(listeners.local_addrs(overfall_proxy::listen::Scheme::Http)[0].port(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<Socket>,
    open: watch::Sender<bool>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Socket {
    /// With the port that was given when 0 was asked for, so that it can be had again.
    address: SocketAddr,
    scheme: Scheme,
    listener: std::net::TcpListener,
}

impl Listeners {
    /// Binds every address. Port 0 takes a free one.
    ///
    /// # Errors
    /// [`BindError`] naming the first address that is not to be had.
    pub fn bind(http: &[SocketAddr], https: &[SocketAddr]) -> Result<Self, BindError> {
        let plain = http.iter().map(|address| (*address, Scheme::Http));
        let secure = https.iter().map(|address| (*address, Scheme::Https));
        let sockets = plain.chain(secure).map(|(address, scheme)| Socket::bind(address, scheme));
        let sockets = sockets.collect::<Result<_, _>>()?;
        Ok(Self { sockets, open: watch::Sender::new(true), counters: Arc::default() })
    }

    /// Addresses really bound, in the order given to [`Self::bind`].
    #[must_use]
    pub fn local_addrs(&self, scheme: Scheme) -> Vec<SocketAddr> {
        self.sockets.iter().filter(|socket| socket.scheme == scheme).map(|socket| socket.address).collect()
    }

    /// The door. Sending false closes the listening sockets and ends live connections at once; sending true binds the
    /// same addresses again.
    #[must_use]
    pub fn door(&self) -> watch::Sender<bool> {
        self.open.clone()
    }

    /// Shared with the loop.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Accepts until `shutdown` is true; then closes the sockets, calls [`ServerApp::cleanup`], gives running
    /// connections `limits.drain` and ends the rest. Dropping the future ends everything at once.
    ///
    /// # Errors
    /// [`TlsError::Setup`] before the first connection when TLS cannot be set up.
    pub async fn serve<A>(
        self,
        app: Arc<A>,
        certificates: Arc<Certificates>,
        limits: &Limits,
        shutdown: watch::Receiver<bool>,
    ) -> Result<(), TlsError>
    where
        A: ServerApp + Send + Sync + 'static,
    {
        let acceptor = Arc::new(Acceptor::from_server_config(server_config(Arc::clone(&certificates))?));
        let permits = Arc::new(Semaphore::new(limits.connections_max.min(Semaphore::MAX_PERMITS)));
        let mut doors = JoinSet::new();
        for socket in self.sockets {
            let tls = (socket.scheme == Scheme::Https)
                .then(|| Front { acceptor: Arc::clone(&acceptor), certificates: Arc::clone(&certificates) });
            let door = Door {
                address: socket.address,
                app: Arc::clone(&app),
                tls,
                permits: Arc::clone(&permits),
                counters: Arc::clone(&self.counters),
                open: self.open.subscribe(),
                shutdown: shutdown.clone(),
            };
            doors.spawn(door.run(socket.listener));
        }
        let mut running = Vec::new();
        while let Some(ended) = doors.join_next().await {
            running.extend(ended.ok());
        }
        // wakes keep-alive connections that wait for a request, which would else hold up the drain
        app.cleanup().await;
        drain(running, limits.drain).await;
        Ok(())
    }
}

/// HTTP/2 settings for clients (RFC 9113 section 6.5.2), for `HttpProxy` to use on each connection.
#[must_use]
pub fn h2_options() -> H2Options {
    let mut options = H2Options::new();
    options
        .max_concurrent_streams(H2_STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .max_send_buffer_size(H2_SEND_BUFFER_BYTES)
        .max_concurrent_reset_streams(H2_RESETS_MAX)
        .max_pending_accept_reset_streams(H2_RESETS_MAX);
    options
}

/// What pingora leaves open by default: no HTTP/2 in the clear, no CONNECT, a bounded life on one connection.
#[must_use]
pub fn http_options() -> HttpServerOptions {
    let mut options = HttpServerOptions::default();
    options.h2c = false;
    options.allow_connect_method_proxying = false;
    options.keepalive_request_limit = Some(KEEPALIVE_REQUESTS_MAX);
    options.h2_idle_timeout = Some(H2_IDLE);
    options
}

impl Socket {
    fn bind(address: SocketAddr, scheme: Scheme) -> Result<Self, BindError> {
        let listener = listen(address).map_err(|source| BindError { address, source })?;
        let address = listener.local_addr().map_err(|source| BindError { address, source })?;
        Ok(Self { address, scheme, listener })
    }
}

fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM.nonblocking(),
        Some(socket2::Protocol::TCP),
    )?;
    // a restart must not wait for connections of the last run in TIME_WAIT
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// TLS in front of an application.
#[derive(Clone)]
struct Front {
    acceptor: Arc<Acceptor>,
    certificates: Arc<Certificates>,
}

impl Front {
    async fn handshake(&self, mut stream: L4Stream) -> Result<Stream, String> {
        hello::admit(&mut stream, &self.certificates).await.map_err(|e| e.to_string())?;
        let secured = self.acceptor.tls_handshake(stream).await.map_err(|e| e.to_string())?;
        Ok(Box::new(secured))
    }
}

/// One listening socket and all that its connections need.
struct Door<A> {
    address: SocketAddr,
    app: Arc<A>,
    tls: Option<Front>,
    permits: Arc<Semaphore>,
    counters: Arc<Counters>,
    open: watch::Receiver<bool>,
    shutdown: watch::Receiver<bool>,
}

enum Left {
    Closed,
    Stopped,
}

impl<A: ServerApp + Send + Sync + 'static> Door<A> {
    /// Returns the connections that still run when the node stops.
    async fn run(self, first: std::net::TcpListener) -> JoinSet<()> {
        let mut running = JoinSet::new();
        let mut next = Some(first);
        while let Some(listener) = next.take() {
            match self.accept(listener, &mut running).await {
                Left::Stopped => break,
                Left::Closed => {
                    running.shutdown().await;
                    next = self.reopened().await;
                }
            }
        }
        running
    }

    /// Takes connections in until told otherwise; the listening socket is closed on return.
    async fn accept(&self, listener: std::net::TcpListener, running: &mut JoinSet<()>) -> Left {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(address = %self.address, %error, "socket cannot be used");
                return Left::Closed;
            }
        };
        let (mut shutdown, mut open) = (self.shutdown.clone(), self.open.clone());
        loop {
            tokio::select! {
                biased;
                () = raised(&mut shutdown) => return Left::Stopped,
                () = closed(&mut open) => return Left::Closed,
                Some(ended) = running.join_next(), if !running.is_empty() => self.count_end(ended),
                accepted = listener.accept() => match accepted {
                    Ok((tcp, peer)) => self.admit(tcp, peer, running),
                    Err(error) => {
                        // out of descriptors, most likely: accepting again at once would spin
                        tracing::debug!(address = %self.address, %error, "accept failed");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }

    fn admit(&self, tcp: TcpStream, peer: SocketAddr, running: &mut JoinSet<()>) {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            self.counters.refused.fetch_add(1, Relaxed);
            return;
        };
        self.counters.accepted.fetch_add(1, Relaxed);
        let connection = Connection {
            app: Arc::clone(&self.app),
            tls: self.tls.clone(),
            shutdown: self.shutdown.clone(),
            _place: Place::take(permit, Arc::clone(&self.counters)),
        };
        running.spawn(connection.run(tcp, peer));
    }

    fn count_end(&self, ended: Result<(), tokio::task::JoinError>) {
        if ended.is_err_and(|error| error.is_panic()) {
            self.counters.panics.fetch_add(1, Relaxed);
            tracing::error!(address = %self.address, "a connection's task panicked");
        }
    }

    /// Waits for the door to open and binds again, for as long as it takes; none when the node stops first.
    async fn reopened(&self) -> Option<std::net::TcpListener> {
        let (mut shutdown, mut open) = (self.shutdown.clone(), self.open.clone());
        loop {
            tokio::select! {
                biased;
                () = raised(&mut shutdown) => return None,
                opened = open.wait_for(|open| *open) => if opened.is_err() { return None },
            }
            match listen(self.address) {
                Ok(listener) => return Some(listener),
                Err(error) => {
                    tracing::warn!(address = %self.address, %error, "cannot listen again yet");
                    tokio::select! {
                        () = raised(&mut shutdown) => return None,
                        () = sleep(REBIND_PAUSE) => {}
                    }
                }
            }
        }
    }
}

/// Waits until the door is closed; for ever when nobody can close it any more.
async fn closed(open: &mut watch::Receiver<bool>) {
    if open.wait_for(|open| !*open).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A connection's share of the bound, given back when dropped.
struct Place {
    _permit: OwnedSemaphorePermit,
    counters: Arc<Counters>,
}

impl Place {
    fn take(permit: OwnedSemaphorePermit, counters: Arc<Counters>) -> Self {
        counters.active.fetch_add(1, Relaxed);
        Self { _permit: permit, counters }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.counters.active.fetch_sub(1, Relaxed);
    }
}

struct Connection<A> {
    app: Arc<A>,
    tls: Option<Front>,
    shutdown: watch::Receiver<bool>,
    _place: Place,
}

impl<A: ServerApp + Send + Sync + 'static> Connection<A> {
    async fn run(self, tcp: TcpStream, peer: SocketAddr) {
        // fails only on a connection that is already gone, which the first read finds out
        tcp.set_nodelay(true).ok();
        let mut next = match &self.tls {
            None => Some(Box::new(Plain::new(tcp, peer)) as Stream),
            Some(front) => self.secured(front, buffered(tcp, peer), peer).await,
        };
        while let Some(stream) = next {
            next = self.app.process_new(stream, &self.shutdown).await;
        }
    }

    async fn secured(&self, front: &Front, stream: L4Stream, peer: SocketAddr) -> Option<Stream> {
        let outcome = timeout(HANDSHAKE_DEADLINE, front.handshake(stream)).await;
        match outcome.unwrap_or_else(|_| Err("handshake took too long".into())) {
            Ok(stream) => Some(stream),
            Err(error) => {
                self._place.counters.handshakes_failed.fetch_add(1, Relaxed);
                // any stranger can cause this
                tracing::debug!(%peer, error, "tls handshake failed");
                None
            }
        }
    }
}

/// Dresses a socket as pingora's own listener does, for a TLS handshake.
fn buffered(tcp: TcpStream, peer: SocketAddr) -> L4Stream {
    let digest = plain::digest(&tcp, peer);
    let mut stream = L4Stream::from(tcp);
    stream.set_socket_digest(digest);
    stream
}

async fn drain(running: Vec<JoinSet<()>>, within: Duration) {
    let mut running = running;
    let finished = timeout(within, async {
        for set in &mut running {
            while set.join_next().await.is_some() {}
        }
    });
    if finished.await.is_err() {
        let left: usize = running.iter().map(JoinSet::len).sum();
        tracing::warn!(connections = left, "drain time is over; ending the rest");
        for set in &mut running {
            set.shutdown().await;
        }
    }
}

/// From the first byte to the end of the TLS handshake.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Bytes of request header that any protocol accepts.
pub const HEADER_BYTES_MAX: u32 = 64 << 10;
/// Concurrent requests on one HTTP/2 connection.
pub const H2_STREAMS_MAX: u32 = 100;
/// Connections that the kernel completes before we accept them.
const BACKLOG: i32 = 1024;
/// Bytes per HTTP/2 stream that wait for the client's window.
const H2_SEND_BUFFER_BYTES: usize = 128 << 10;
/// Streams reset by the client that we still remember (rapid reset, CVE-2023-44487).
const H2_RESETS_MAX: usize = 20;
/// Requests on one HTTP/1.1 connection.
pub(crate) const KEEPALIVE_REQUESTS_MAX: u32 = 10_000;
/// An HTTP/2 connection without a request is closed.
const H2_IDLE: Duration = Duration::from_secs(60);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const REBIND_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
