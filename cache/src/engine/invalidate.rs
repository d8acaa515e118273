//! What an unsafe request may have changed. RFC 9111 section 4.4.
//!
//! The engine only says whether there is anything to invalidate; the purge log does it, so that variants, renderings and
//! fetches under way are covered and a restart forgets nothing. It changes nothing itself.

use super::Engine;
use crate::{key::Key, purge::Coverage, stored::Stored, tier::Tier};

impl Engine {
    /// Whether a response under this key, or a variant of it, may be served now or once a running fetch has ended. A
    /// tier that fails counts as holding one.
    pub async fn may_hold(&self, key: &Key) -> bool {
        let hash = key.hash();
        let is_alive = |stored: &Stored| self.purges.coverage(stored) != Coverage::Dead;
        if self.flights.is_running(hash) || self.hybrid.memory(key, hash).as_deref().is_some_and(is_alive) {
            return true;
        }
        let disk: Option<&dyn Tier> = self.hybrid.has_disk().then_some(self.hybrid.as_ref());
        for tier in disk.into_iter().chain(self.shared.iter().map(AsRef::as_ref)) {
            match tier.get(key, hash).await {
                Ok(found) if !found.as_deref().is_some_and(is_alive) => {}
                Ok(_) | Err(_) => return true,
            }
        }
        false
    }
}
