//! An HTTP origin, over pingora's connector: pool, TLS, HTTP/2 by ALPN.
//!
//! One fetch is a GET: resolve, connect (or reuse), send, read the head by the deadline, hand the body on as it comes. A
//! pooled connection that turns out to be dead is replaced once, within a `budget`; an address that fails or
//! is slow to connect has the next one tried. It refuses heads that are malformed or too large and bodies that end
//! early, and never follows redirects.

mod budget;
mod head;
mod resolve;
mod transfer;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use http::{HeaderValue, StatusCode};
use overfall_cache::{
    engine::Interim,
    fields,
    origin::{Origin, OriginError, OriginRequest, OriginResponse},
    stored::ResponseHead,
};
use parking_lot::Mutex;
use pingora::{
    BError, ErrorType,
    connectors::{ConnectorOptions, http::Connector},
    http::{RequestHeader, ResponseHeader},
    protocols::http::client::HttpSession,
    tls::{RootCertStore, load_ca_file_into_store, load_platform_certs_incl_env_into_store},
    upstreams::peer::{ALPN, HttpPeer},
};
use tokio::time::{Instant, sleep_until, timeout_at};

use self::{
    budget::Budget,
    resolve::Resolver,
    transfer::{IDLE, Transfer},
};
use super::OriginSetupError;

type Pool = Connector;

/// A connection, whether it was used before, and where it leads.
type Connected = (HttpSession, HttpPeer, bool, SocketAddr);

/// Where an HTTP origin is.
#[derive(Debug, Clone)]
pub struct Place {
    /// TLS to the origin.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Prepended to the request path; empty or begins with `/`.
    pub path: String,
}

/// An origin that speaks HTTP.
pub struct HttpOrigin {
    name: String,
    tls: bool,
    path: String,
    /// Sent instead of the client's host.
    host: Option<HeaderValue>,
    /// Name that the origin's certificate must bear; never empty with TLS, since pingora would then verify nothing.
    server_name: String,
    pool: Arc<Pool>,
    resolver: Resolver,
    budget: Mutex<Budget>,
    connect_timeout: Duration,
    head_timeout: Duration,
    read_timeout: Duration,
}

impl HttpOrigin {
    /// Prepares a pool. With `config.ca` only that file's roots are trusted, else the system's. The certificate must
    /// bear the URL's host, or `config.host` when the URL names an address.
    ///
    /// # Errors
    /// [`OriginSetupError`] when root certificates are unreadable or `config.host` is not a field value.
    pub fn new(config: &overfall_config::Origin, place: Place) -> Result<Self, OriginSetupError> {
        let options = connector_options(config, place.tls)?;
        let host = config.host.as_ref().map(|host| {
            HeaderValue::try_from(host).map_err(|_| OriginSetupError::Value {
                name: config.name.clone(),
                what: "a host",
                value: host.clone(),
            })
        });
        let named = place.host.parse::<std::net::IpAddr>().is_err();
        let server_name = config.host.clone().filter(|_| !named).unwrap_or_else(|| place.host.clone());
        Ok(Self {
            name: config.name.clone(),
            tls: place.tls,
            path: place.path,
            host: host.transpose()?,
            server_name,
            pool: Arc::new(Connector::new(Some(options))),
            resolver: Resolver::new(place.host, place.port),
            budget: Mutex::new(Budget::new(Instant::now())),
            connect_timeout: config.connect_timeout,
            head_timeout: config.head_timeout,
            read_timeout: config.read_timeout,
        })
    }

    async fn attempt(&self, request: &OriginRequest) -> Result<OriginResponse, OriginError> {
        let wanted = head::request(request, self.host.as_ref(), &self.path)?;
        let mut generation = 0;
        self.budget.lock().earn(Instant::now());
        loop {
            let (mut session, peer, reused) = self.open(generation).await?;
            match exchange(&mut session, wanted.clone(), request.interim.as_ref()).await {
                Ok(()) => return self.response(session, peer).await,
                // the origin may close an idle connection just as we take it; another try costs nothing, a GET may
                // be repeated (RFC 9110 section 9.2.2), and another generation has another pool
                Err(Broken { in_transport: true, .. })
                    if reused
                        && generation < REPLACEMENTS_MAX
                        && self.budget.lock().spend(Instant::now()) =>
                {
                    generation += 1;
                }
                Err(Broken { error, .. }) => return Err(error),
            }
        }
    }

    /// A connection to an address that gives one, and whether it was used before. The next address is tried when one
    /// fails, and beside it when it takes long (RFC 8305 section 5); what comes second is dropped.
    async fn open(&self, generation: u64) -> Result<(HttpSession, HttpPeer, bool), OriginError> {
        let addresses = self.resolver.addresses(self.connect_timeout).await?;
        let several = addresses.len() > 1;
        let mut rest = addresses.into_iter();
        let mut running = FuturesUnordered::new();
        let mut last = OriginError::Resolve(format!("{}: no address", self.server_name));
        running.extend(rest.next().map(|address| self.connect(address, generation)));
        while !running.is_empty() {
            let next = tokio::select! {
                connected = running.next() => connected,
                () = sleep_until(Instant::now() + HEAD_START), if !rest.as_slice().is_empty() => None,
            };
            match next {
                Some(Ok((session, peer, reused, address))) => {
                    if several && !reused {
                        self.resolver.prefer(address);
                    }
                    return Ok((session, peer, reused));
                }
                Some(Err(error)) => last = error,
                None => {}
            }
            running.extend(rest.next().map(|address| self.connect(address, generation)));
        }
        Err(last)
    }

    async fn connect(&self, address: SocketAddr, generation: u64) -> Result<Connected, OriginError> {
        let peer = self.peer(address, generation);
        match self.pool.get_http_session(&peer).await {
            Ok((session, reused)) => Ok((session, peer, reused, address)),
            Err(error) => Err(connect_error(address, &error)),
        }
    }

    fn peer(&self, address: SocketAddr, generation: u64) -> HttpPeer {
        let mut peer = HttpPeer::new(address, self.tls, self.server_name.clone());
        peer.group_key = generation;
        peer.options.connection_timeout = Some(self.connect_timeout);
        peer.options.total_connection_timeout = Some(self.connect_timeout);
        peer.options.idle_timeout = Some(IDLE);
        peer.options.alpn = if self.tls { ALPN::H2H1 } else { ALPN::H1 };
        peer.options.max_h2_streams = H2_STREAMS_MAX;
        peer.options.h2_stream_window_size = Some(H2_STREAM_WINDOW_BYTES);
        peer.options.h2_connection_window_size = Some(H2_CONNECTION_WINDOW_BYTES);
        peer
    }

    async fn response(&self, session: HttpSession, peer: HttpPeer) -> Result<OriginResponse, OriginError> {
        let raw = session.as_http1().map(|session| session.get_headers_raw_bytes()).unwrap_or_default();
        let received =
            session.response_header().ok_or_else(|| OriginError::Protocol("no response head".into()))?;
        let head = head::response(received, &raw)?;
        let length = head::body_length(&head);
        let (pool, read_timeout) = (Arc::clone(&self.pool), self.read_timeout);
        let transfer = Transfer { session, peer, pool, read_timeout, length, received: 0 };
        Ok(OriginResponse { head, body: transfer.into_body().await, provenance: None })
    }
}

#[async_trait]
impl Origin for HttpOrigin {
    fn name(&self) -> &str {
        &self.name
    }

    async fn fetch(&self, request: &OriginRequest) -> Result<OriginResponse, OriginError> {
        let deadline = request.deadline.min(Instant::now() + self.head_timeout);
        timeout_at(deadline, Box::pin(self.attempt(request))).await.unwrap_or(Err(OriginError::Timeout))
    }
}

/// A failed exchange, and whether the connection rather than its content failed.
struct Broken {
    error: OriginError,
    in_transport: bool,
}

/// Sends the request and reads the final response head.
async fn exchange(
    session: &mut HttpSession,
    wanted: RequestHeader,
    interim: Option<&Interim>,
) -> Result<(), Broken> {
    match session {
        HttpSession::H2(stream) => {
            stream.write_request_header(Box::new(wanted), true).map_err(|e| broken(&e))?
        }
        HttpSession::H1(connection) => {
            connection.write_request_header(Box::new(wanted)).await.map_err(|e| broken(&e))?;
        }
        HttpSession::Custom(()) => {}
    }
    for _ in 0..INTERIM_MAX {
        session.read_response_header().await.map_err(|e| broken(&e))?;
        let status = session.response_header().map_or(0, |head| head.status.as_u16());
        let is_http1 = session.as_http1().is_some();
        match status {
            // a protocol that nobody asked for; and pingora reads an HTTP/2 head only once
            101 => return Err(refused("origin switched protocols unasked")),
            100..=199 if is_http1 => pass_on(session.response_header(), interim),
            100..=199 => return Err(refused("interim response instead of a final one")),
            _ => return Ok(()),
        }
    }
    Err(refused("too many interim responses"))
}

/// Hands an interim response on to the client; 100 was for us.
fn pass_on(head: Option<&ResponseHeader>, interim: Option<&Interim>) {
    if let (Some(head), Some(interim)) = (head.filter(|head| head.status != StatusCode::CONTINUE), interim) {
        interim.send(ResponseHead { status: head.status, headers: fields::storable_response(&head.headers) });
    }
}

fn refused(what: &str) -> Broken {
    Broken { error: OriginError::Protocol(what.to_owned()), in_transport: false }
}

fn broken(error: &BError) -> Broken {
    let in_transport =
        matches!(error.etype(), ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError)
            || error.retry();
    // the context repeats what a stranger's server sent; its kind is enough
    Broken {
        error: OriginError::Protocol(format!("no response head: {}", error.etype().as_str())),
        in_transport,
    }
}

fn connect_error(address: SocketAddr, error: &BError) -> OriginError {
    let cause =
        std::error::Error::source(error.as_ref()).map_or_else(String::new, |cause| format!(" ({cause})"));
    let said = format!("{address}: {}{cause}", error.etype().as_str());
    match error.etype() {
        ErrorType::TLSHandshakeFailure | ErrorType::TLSHandshakeTimedout | ErrorType::InvalidCert => {
            OriginError::Tls(said)
        }
        ErrorType::HandshakeError | ErrorType::H2Error | ErrorType::InvalidH2 => OriginError::Protocol(said),
        _ => OriginError::Connect(said),
    }
}

fn connector_options(
    config: &overfall_config::Origin,
    tls: bool,
) -> Result<ConnectorOptions, OriginSetupError> {
    let mut options = ConnectorOptions::new(POOL_MAX);
    // pingora reads roots twice per connector, and panics on a bad file; so they are tried here first, and an origin
    // without TLS gets none
    options.ca_file = match &config.ca {
        _ if !tls => Some("/dev/null".into()),
        Some(path) => Some(own_roots(config, path)?),
        None => {
            system_roots(config)?;
            None
        }
    };
    Ok(options)
}

fn own_roots(config: &overfall_config::Origin, path: &Path) -> Result<String, OriginSetupError> {
    let refused =
        |reason: String| OriginSetupError::Ca { name: config.name.clone(), path: path.into(), reason };
    let mut roots = RootCertStore::empty();
    load_ca_file_into_store(path, &mut roots).map_err(|e| refused(e.to_string()))?;
    if roots.is_empty() {
        return Err(refused("it holds no certificate".into()));
    }
    path.to_str().map(str::to_owned).ok_or_else(|| refused("its path is not utf-8".into()))
}

fn system_roots(config: &overfall_config::Origin) -> Result<(), OriginSetupError> {
    let mut roots = RootCertStore::empty();
    load_platform_certs_incl_env_into_store(&mut roots)
        .map_err(|e| OriginSetupError::SystemCa { name: config.name.clone(), reason: e.to_string() })
}

/// Our name in `CDN-Loop` (RFC 8586); a request that comes back with it has gone in a circle.
pub const CDN_ID: &str = "overfall";
/// Idle connections kept per origin.
const POOL_MAX: usize = 128;
/// An address that has not taken a connection by then has the next one tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);
/// Fresh connections tried after a dead one from the pool.
const REPLACEMENTS_MAX: u64 = 1;
/// Interim (1xx) responses before the final one.
const INTERIM_MAX: usize = 8;
/// Concurrent requests on one HTTP/2 connection.
const H2_STREAMS_MAX: usize = 100;
/// Bytes that an HTTP/2 origin may send ahead of the reader, per response and per connection.
const H2_STREAM_WINDOW_BYTES: u32 = 1 << 20;
const H2_CONNECTION_WINDOW_BYTES: u32 = 8 << 20;

#[cfg(test)]
mod tests;
