//! What an unsafe request may have changed. RFC 9111 section 4.4.
//!
//! The engine only says whether there is anything to invalidate; the purge log does it, so that variants, renderings and
//! fetches under way are covered and a restart forgets nothing. It changes nothing itself.

use super::Engine;
use crate::{key::Key, purge::Coverage, slices, stored::Stored, tier::Tier};

impl Engine {
    /// Whether a response under this key, or a variant or part of it, may be served now or once a running fetch has ended.
    /// A tier that fails counts as holding one.
    pub async fn may_hold(&self, key: &Key) -> bool {
        let part = key.with_variant(slices::part_variant(&key.variant));
        let is_alive = |stored: &Stored| self.purges.coverage(stored) != Coverage::Dead;
        let in_memory = |key: &Key| self.hybrid.memory(key, key.hash()).as_deref().is_some_and(is_alive);
        if self.flights.is_running(key.hash()) || in_memory(key) || in_memory(&part) {
            return true;
        }
        let disk: Option<&dyn Tier> = self.hybrid.has_disk().then_some(self.hybrid.as_ref());
        let tiers = disk.into_iter().chain(self.shared.iter().map(AsRef::as_ref));
        // parts are kept on the node alone
        for (tier, key) in tiers.map(|tier| (tier, key)).chain(disk.map(|disk| (disk, &part))) {
            match tier.get(key, key.hash()).await {
                Ok(found) if !found.as_deref().is_some_and(is_alive) => {}
                Ok(_) | Err(_) => return true,
            }
        }
        false
    }
}
