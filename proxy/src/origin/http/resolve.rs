//! Addresses of one origin, remembered for a short while.
//!
//! A name is asked for again after [`FRESH`], so that an origin that moved is followed. An address needs no lookup.

use std::{
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use overfall_cache::origin::OriginError;
use tokio::{
    net::lookup_host,
    sync::Mutex,
    time::{Instant, timeout},
};

/// Resolves one `host:port`.
pub(super) struct Resolver {
    host: String,
    port: u16,
    known: Mutex<Option<(Vec<SocketAddr>, Instant)>>,
    /// Where the last connection succeeded: tried first, so that a dead address costs its timeout once.
    preferred: AtomicUsize,
}

impl Resolver {
    /// Nothing is looked up yet.
    pub(super) fn new(host: String, port: u16) -> Self {
        Self { host, port, known: Mutex::new(None), preferred: AtomicUsize::new(0) }
    }

    #[cfg(test)]
    pub(super) async fn with_known(host: &str, addresses: Vec<SocketAddr>) -> Self {
        let resolver = Self::new(host.into(), 0);
        *resolver.known.lock().await = Some((addresses, Instant::now()));
        resolver
    }

    /// One to [`ADDRESSES_MAX`] addresses, the preferred one first. Concurrent callers share one lookup.
    ///
    /// # Errors
    /// [`OriginError::Resolve`] when the name has no address or `within` passes.
    pub(super) async fn addresses(&self, within: Duration) -> Result<Vec<SocketAddr>, OriginError> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        let mut addresses = timeout(within, self.named())
            .await
            .map_err(|_| OriginError::Resolve(format!("{}: no answer in time", self.host)))??;
        let first = self.preferred.load(Relaxed).checked_rem(addresses.len()).unwrap_or(0);
        addresses.rotate_left(first);
        Ok(addresses)
    }

    /// Remembers that `address` took a connection.
    pub(super) async fn prefer(&self, address: SocketAddr) {
        let known = self.known.lock().await;
        let place = known.as_ref().and_then(|(all, _)| all.iter().position(|known| *known == address));
        self.preferred.store(place.unwrap_or(0), Relaxed);
    }

    async fn named(&self) -> Result<Vec<SocketAddr>, OriginError> {
        let mut known = self.known.lock().await;
        if let Some((addresses, since)) = known.as_ref()
            && since.elapsed() < FRESH
        {
            return Ok(addresses.clone());
        }
        let found = lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(|error| OriginError::Resolve(format!("{}: {error}", self.host)))?;
        let addresses: Vec<_> = found.take(ADDRESSES_MAX).collect();
        if addresses.is_empty() {
            return Err(OriginError::Resolve(format!("{}: no address", self.host)));
        }
        *known = Some((addresses.clone(), Instant::now()));
        Ok(addresses)
    }
}

/// How long an answer is used.
const FRESH: Duration = Duration::from_secs(30);
/// More addresses than this are not tried.
const ADDRESSES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_needs_no_lookup() {
        for (host, expected) in [("192.0.2.1", "192.0.2.1:81"), ("2001:db8::1", "[2001:db8::1]:81")] {
            let found = Resolver::new(host.into(), 81).addresses(Duration::ZERO).await.unwrap();
            assert_eq!(found, [expected.parse::<SocketAddr>().unwrap()]);
        }
    }

    #[tokio::test]
    async fn the_address_that_answered_comes_first() {
        let [a, b]: [SocketAddr; 2] = ["192.0.2.1:80", "192.0.2.2:80"].map(|text| text.parse().unwrap());
        let resolver = Resolver::with_known("origin.invalid", vec![a, b]).await;
        resolver.prefer(b).await;
        assert_eq!(resolver.addresses(Duration::from_secs(1)).await.unwrap(), [b, a]);
    }

    #[tokio::test]
    async fn a_name_that_is_no_name_has_no_address() {
        let resolver = Resolver::new("not a name".into(), 80);
        let error = resolver.addresses(Duration::from_secs(5)).await.unwrap_err();
        assert!(matches!(error, OriginError::Resolve(_)), "{error}");
    }
}
