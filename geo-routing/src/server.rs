//! Sockets of the DNS server: UDP datagrams and TCP with two-byte framing (RFC 1035 section 4.2, RFC 7766).
//!
//! One task per socket; [`Responder`] does the thinking and never waits, so a UDP task answers in order without
//! a queue of its own. TCP is bounded in connections, idle time and queries per connection. Nothing a stranger
//! sends is logged above debug, and no error of one socket or peer ends the server.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    answer::{Responder, Transport},
    health::Board,
    locate::Locator,
    metrics::{Metrics, count},
    zone::Zone,
};

/// TCP connections open at once, over all listeners; more are closed on arrival.
const TCP_CONNECTIONS_MAX: usize = 128;
/// Time a TCP peer has for its next whole query, and for taking an answer (RFC 7766 section 6.2.3).
const TCP_IDLE: Duration = Duration::from_secs(10);
/// Queries on one TCP connection.
const TCP_QUERIES_MAX: u32 = 1024;
/// Connections the kernel queues per listener.
const TCP_BACKLOG: i32 = 128;
/// A larger datagram than any we accept: queries are small, and the rest is cut by the kernel.
const DATAGRAM_BYTES_MAX: usize = 4096;
/// Tries to find a port that is free for UDP and TCP alike.
const PORT_TRIES_MAX: u32 = 32;
/// Pause after a socket error, so that a persistent one (such as no file descriptors) does not spin.
const ERROR_PAUSE: Duration = Duration::from_millis(20);

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// A listener could not be opened.
    #[error("cannot listen for DNS on {address}: {source}")]
    Bind {
        /// As configured.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// A configured name does not fit into DNS messages (RFC 1035 section 2.3.4).
    #[error("{name:?} is not a DNS name")]
    Name {
        /// The name.
        name: String,
    },
}

/// Bound listeners, ready to run.
pub struct Server {
    pairs: Vec<Pair>,
    responder: Arc<Responder>,
}

/// UDP and TCP on one address.
struct Pair {
    udp: UdpSocket,
    tcp: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Opens every address for UDP and TCP; port 0 finds one that is free for both. `ttl` bounds the lifetime of
    /// steered answers; they live shorter when probes could change them sooner, but at least 1 s. Must run within
    /// a tokio runtime.
    ///
    /// # Errors
    /// [`ServerError::Bind`] when an address is taken or not ours, [`ServerError::Name`] for names that cannot be
    /// sent.
    pub fn bind(
        listen: &[SocketAddr],
        zone: Zone,
        board: Arc<Board>,
        locator: Arc<dyn Locator>,
        ttl: Duration,
    ) -> Result<Self, ServerError> {
        let responder = Arc::new(Responder::new(zone, board, locator, ttl)?);
        let pairs = listen
            .iter()
            .map(|address| {
                Pair::bind(*address).map_err(|source| ServerError::Bind { address: *address, source })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { pairs, responder })
    }

    /// Bound addresses in the order of `listen`; each holds for UDP and TCP.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.pairs.iter().map(|pair| pair.address).collect()
    }

    /// The counters that this server feeds.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.responder.metrics()
    }

    /// Answers until `shutdown` turns true or its sender is gone; then every task is ended and joined. Dropping
    /// the future closes all sockets.
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let connections = Arc::new(Semaphore::new(TCP_CONNECTIONS_MAX));
        let mut tasks = JoinSet::new();
        for pair in self.pairs {
            tracing::info!(address = %pair.address, "answering dns");
            tasks.spawn(serve_udp(pair.udp, Arc::clone(&self.responder)));
            tasks.spawn(serve_tcp(pair.tcp, Arc::clone(&self.responder), Arc::clone(&connections)));
        }
        // an error says that the sender is gone: nobody could stop us later
        drop(shutdown.wait_for(|stop| *stop).await);
        tasks.shutdown().await;
    }
}

impl Pair {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        let mut tries = 0;
        loop {
            tries += 1;
            let tcp = open(address, Type::STREAM)?;
            tcp.listen(TCP_BACKLOG)?;
            let tcp = TcpListener::from_std(tcp.into())?;
            let bound = tcp.local_addr()?;
            match open(bound, Type::DGRAM) {
                Ok(udp) => {
                    return Ok(Self { udp: UdpSocket::from_std(udp.into())?, tcp, address: bound });
                }
                // the port was free for TCP only: ask for another
                Err(error)
                    if address.port() == 0
                        && error.kind() == io::ErrorKind::AddrInUse
                        && tries < PORT_TRIES_MAX => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn open(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let protocol = if kind == Type::STREAM { Protocol::TCP } else { Protocol::UDP };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // lets 0.0.0.0:53 and [::]:53 stand side by side
        socket.set_only_v6(true)?;
    }
    if kind == Type::STREAM {
        // a restart must not wait for old connections to time out
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Runs until aborted.
async fn serve_udp(socket: UdpSocket, responder: Arc<Responder>) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let (length, peer) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%error, "cannot receive dns datagram");
                sleep(ERROR_PAUSE).await;
                continue;
            }
        };
        let Some(packet) = buffer.get(..length) else { continue };
        // a source port of 0 cannot be answered and only serves to provoke errors
        if peer.port() == 0 {
            continue;
        }
        let Some(response) = responder.respond(packet, client(peer), Transport::Udp) else { continue };
        if let Err(error) = socket.send_to(&response, peer).await {
            tracing::debug!(%error, "cannot send dns datagram");
        }
    }
}

/// Runs until aborted; its connections are aborted with it.
async fn serve_tcp(listener: TcpListener, responder: Arc<Responder>, connections: Arc<Semaphore>) {
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = tasks.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "cannot accept dns connection");
                sleep(ERROR_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
            count(tcp_refused(&responder));
            continue;
        };
        let responder = Arc::clone(&responder);
        tasks.spawn(async move {
            if let Err(error) = converse(stream, client(peer), &responder, permit, TCP_IDLE).await {
                tracing::debug!(%error, "dns connection ended");
            }
        });
    }
}

fn tcp_refused(responder: &Responder) -> &AtomicU64 {
    &responder.counters().tcp_refused
}

/// One connection: queries one after the other until the peer is done, slow, wrong or has had its share. The
/// permit is held for as long as the connection.
async fn converse(
    mut stream: TcpStream,
    peer: IpAddr,
    responder: &Responder,
    _permit: OwnedSemaphorePermit,
    idle: Duration,
) -> io::Result<()> {
    for _ in 0..TCP_QUERIES_MAX {
        let Some(packet) = timeout(idle, read_framed(&mut stream)).await?? else { return Ok(()) };
        // what would be dropped as a datagram ends a connection: its peer does not speak DNS
        let Some(response) = responder.respond(&packet, peer, Transport::Tcp) else { return Ok(()) };
        let Ok(length) = u16::try_from(response.len()) else { return Ok(()) };
        let mut framed = Vec::with_capacity(response.len() + 2);
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(&response);
        timeout(idle, stream.write_all(&framed)).await??;
    }
    Ok(())
}

/// The next message, or none when the peer has closed between messages.
async fn read_framed(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let length = match stream.read_u16().await {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if usize::from(length) > DATAGRAM_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "query is too long"));
    }
    let mut packet = vec![0; usize::from(length)];
    stream.read_exact(&mut packet).await?;
    Ok(Some(packet))
}

/// The peer's address as the table of locations knows it.
fn client(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}

#[cfg(test)]
mod tests;
