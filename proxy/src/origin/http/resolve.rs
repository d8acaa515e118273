//! Addresses of one origin, followed as they change.
//!
//! A name is looked up again [`FRESH`] after the last time, since the system's resolver does not say how long its answer
//! holds. That happens behind the requests: they go on with what is known, and only the very first one waits. A lookup
//! that fails changes nothing for as long as there is an earlier answer, and is repeated after [`RETRY`] at the earliest.
//! An address needs no lookup.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use overfall_cache::origin::OriginError;
use parking_lot::Mutex;
use tokio::{
    net::lookup_host,
    time::{Instant, timeout},
};

/// Asks for the addresses of a name; the port is given with them.
type Lookup = dyn Fn(String, u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

/// Resolves one `host:port`.
pub(super) struct Resolver {
    shared: Arc<Shared>,
}

struct Shared {
    host: String,
    port: u16,
    lookup: Box<Lookup>,
    state: Mutex<State>,
    /// Held by whoever looks up.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    known: Vec<SocketAddr>,
    /// Where the last connection succeeded: tried first, so that a dead address costs its timeout once.
    preferred: Option<SocketAddr>,
    /// When the last lookup ended, and why it failed.
    asked: Option<(Instant, Option<String>)>,
}

impl State {
    /// Whether a lookup would say nothing new.
    fn is_current(&self, now: Instant) -> bool {
        self.asked.as_ref().is_some_and(|(at, failure)| {
            now.saturating_duration_since(*at) < if failure.is_none() { FRESH } else { RETRY }
        })
    }

    fn ordered(&self) -> Vec<SocketAddr> {
        let mut addresses = self.known.clone();
        let first = addresses.iter().position(|address| Some(*address) == self.preferred);
        addresses.rotate_left(first.unwrap_or(0));
        addresses
    }
}

impl Resolver {
    /// Nothing is looked up yet.
    pub(super) fn new(host: String, port: u16) -> Self {
        Self::with_lookup(host, port, Box::new(|host, port| Box::pin(system(host, port))))
    }

    fn with_lookup(host: String, port: u16, lookup: Box<Lookup>) -> Self {
        let (state, turn) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { shared: Arc::new(Shared { host, port, lookup, state, turn }) }
    }

    #[cfg(test)]
    pub(super) async fn with_known(host: &str, addresses: Vec<SocketAddr>) -> Self {
        let lookup = move |_, _| Box::pin(std::future::ready(Ok(addresses.clone()))) as BoxFuture<_>;
        let resolver = Self::with_lookup(host.into(), 0, Box::new(lookup));
        resolver.shared.look_up().await;
        resolver
    }

    /// One to [`ADDRESSES_MAX`] addresses, the preferred one first. Concurrent callers share one lookup.
    ///
    /// # Errors
    /// [`OriginError::Resolve`] when nothing is known and the lookup fails or takes longer than `within`.
    pub(super) async fn addresses(&self, within: Duration) -> Result<Vec<SocketAddr>, OriginError> {
        let shared = &self.shared;
        if let Ok(address) = shared.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, shared.port)]);
        }
        let (known, is_current) = {
            let state = shared.state.lock();
            (state.ordered(), state.is_current(Instant::now()))
        };
        if !known.is_empty() {
            if !is_current {
                self.refresh();
            }
            return Ok(known);
        }
        let failed = |reason: &str| OriginError::Resolve(format!("{}: {reason}", shared.host));
        timeout(within, shared.look_up()).await.map_err(|_| failed("no answer in time"))?;
        let state = shared.state.lock();
        if state.known.is_empty() {
            let reason = state.asked.as_ref().and_then(|(_, failure)| failure.as_deref());
            return Err(failed(reason.unwrap_or("no address")));
        }
        Ok(state.ordered())
    }

    /// Remembers that `address` took a connection.
    pub(super) fn prefer(&self, address: SocketAddr) {
        self.shared.state.lock().preferred = Some(address);
    }

    /// Looks up behind the requests, unless somebody does already.
    fn refresh(&self) {
        if self.shared.turn.try_lock().is_ok() {
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move { timeout(LOOKUP_MAX, shared.look_up()).await });
        }
    }
}

impl Shared {
    /// Looks up, or waits for whoever does.
    async fn look_up(&self) {
        let _turn = self.turn.lock().await;
        if self.state.lock().is_current(Instant::now()) {
            return;
        }
        let found = (self.lookup)(self.host.clone(), self.port).await;
        let mut state = self.state.lock();
        let failure = match found {
            Ok(found) if found.is_empty() => Some("no address".to_owned()),
            Ok(found) => {
                state.known = found.into_iter().take(ADDRESSES_MAX).collect();
                None
            }
            Err(error) => Some(error.to_string()),
        };
        state.asked = Some((Instant::now(), failure));
    }
}

async fn system(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(lookup_host((host.as_str(), port)).await?.take(ADDRESSES_MAX).collect())
}

/// How long an answer is used without asking again.
const FRESH: Duration = Duration::from_secs(30);
/// Between two lookups when the first has failed.
const RETRY: Duration = Duration::from_secs(1);
/// A lookup behind the requests that takes longer is given up.
const LOOKUP_MAX: Duration = Duration::from_secs(30);
/// More addresses than this are not tried.
const ADDRESSES_MAX: usize = 8;

#[cfg(test)]
mod tests;
