//! A TCP connection as pingora's sessions want it, with nothing between them and the socket.
//!
//! pingora's own stream keeps clocks and buffers around each read and write; a hit from memory would pay for them.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    os::fd::AsRawFd as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest,
    UniqueID, UniqueIDType, raw_connect::ProxyDigest,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
};

/// A client's connection without TLS.
#[derive(Debug)]
pub(super) struct Plain {
    tcp: TcpStream,
    digest: Arc<SocketDigest>,
}

impl Plain {
    /// Wraps a connection from `peer`.
    #[must_use]
    pub(super) fn new(tcp: TcpStream, peer: SocketAddr) -> Self {
        let digest = Arc::new(digest(&tcp, peer));
        Self { tcp, digest }
    }
}

/// Both addresses, set at once: pingora would else ask for them later by descriptor, which may by then belong to another
/// connection.
pub(super) fn digest(tcp: &TcpStream, peer: SocketAddr) -> SocketDigest {
    let digest = SocketDigest::from_raw_fd(tcp.as_raw_fd());
    digest.peer_addr.set(Some(peer.into())).ok();
    digest.local_addr.set(tcp.local_addr().ok().map(Into::into)).ok();
    digest
}

impl AsyncRead for Plain {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_read(cx, into)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().tcp).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().tcp).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for Plain {
    async fn shutdown(&mut self) {
        // fails only on a connection that is gone already
        drop(self.tcp.shutdown().await);
    }
}

impl UniqueID for Plain {
    fn id(&self) -> UniqueIDType {
        self.tcp.as_raw_fd()
    }
}

impl GetSocketDigest for Plain {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.digest))
    }
}

impl GetTimingDigest for Plain {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Plain {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl Ssl for Plain {}

impl Peek for Plain {}
