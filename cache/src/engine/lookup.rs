//! Walking the tiers: memory, disk, then the shared ones.

use std::sync::Arc;

use super::{Engine, Request, TierResult, Trace, language, vary_variant};
use crate::{
    cache_control::RequestDirectives,
    clock::Millis,
    freshness::{self, Use},
    key::{Key, KeyHash},
    purge::Coverage,
    slices,
    stored::{Kind, StoredRef},
    tier::Tier,
    vary,
};

/// The best that the tiers hold.
pub(super) struct Found {
    pub(super) stored: StoredRef,
    pub(super) tier: &'static str,
    pub(super) usage: Use,
}

/// The result of a walk: where the response would live, and what is there.
pub(super) struct Place {
    /// Key with the variant that `Vary` selects for this request, as far as it is known.
    pub(super) key: Key,
    pub(super) hash: KeyHash,
    pub(super) found: Option<Found>,
}

/// Name of the memory tier in `Cache-Status`, logs and metrics.
pub(super) const MEMORY: &str = "memory";

impl Engine {
    /// Looks the request up. Stops at the first response that may be used at once; remembers the first stale one.
    pub(super) async fn lookup(
        &self,
        request: &Request,
        directives: &RequestDirectives,
        trace: &mut Trace,
    ) -> Place {
        let hash = request.key.hash();
        let place = self.walk(request.key.clone(), hash, directives, trace).await;
        let Some(Found { stored, .. }) = &place.found else { return place };
        let stored = Arc::clone(stored);
        if stored.kind != Kind::VaryMarker {
            return place;
        }
        let selected = vary::variant(&stored.vary, &request.headers);
        let key = request.key.with_variant(vary_variant(&request.key.variant, &selected));
        let hash = key.hash();
        trace.tiers.clear();
        let place = self.walk(key, hash, directives, trace).await;
        for (_, result) in trace.tiers.iter_mut().filter(|(_, result)| *result == TierResult::Miss) {
            *result = TierResult::VariantMiss;
        }
        if place.found.is_some() {
            return place;
        }
        let Some(selected) = language::preferred(&stored, &request.headers) else { return place };
        let key = request.key.with_variant(vary_variant(&request.key.variant, &selected));
        let hash = key.hash();
        let mut other = Trace::new();
        let preferred = self.walk(key, hash, directives, &mut other).await;
        if !matches!(preferred.found, Some(Found { usage: Use::Fresh, .. })) {
            return place;
        }
        trace.tiers = other.tiers;
        preferred
    }

    async fn walk(
        &self,
        key: Key,
        hash: KeyHash,
        directives: &RequestDirectives,
        trace: &mut Trace,
    ) -> Place {
        let now = self.clock.now();
        let mut best: Option<Found> = None;
        if let Some(stored) = self.hybrid.memory(&key, hash) {
            let found = self.weigh(stored, MEMORY, directives, now, trace);
            if found.as_ref().is_some_and(is_usable) {
                return Place { key, hash, found };
            }
            best = found;
        } else {
            trace.tiers.push((MEMORY, TierResult::Miss));
        }
        if best.is_none() && self.hybrid.has_disk() {
            best = self.ask(self.hybrid.as_ref(), &key, hash, directives, trace).await;
        }
        for tier in &self.shared {
            if best.is_some() {
                break;
            }
            best = self.ask(tier.as_ref(), &key, hash, directives, trace).await;
            if let Some(found) = &best {
                self.hybrid.insert(hash, Arc::clone(&found.stored));
            }
        }
        Place { key, hash, found: best }
    }

    async fn ask(
        &self,
        tier: &dyn Tier,
        key: &Key,
        hash: KeyHash,
        directives: &RequestDirectives,
        trace: &mut Trace,
    ) -> Option<Found> {
        match tier.get(key, hash).await {
            Ok(Some(stored)) => {
                let now = self.clock.now();
                self.weigh(stored, tier.name(), directives, now, trace)
            }
            Ok(None) => {
                trace.tiers.push((tier.name(), TierResult::Miss));
                None
            }
            Err(error) => {
                trace.tiers.push((tier.name(), TierResult::Failed(error.reason())));
                None
            }
        }
    }

    /// The part that is kept beside a place where nothing else was found. This node alone keeps parts.
    pub(super) async fn lookup_part(
        &self,
        place: &Place,
        directives: &RequestDirectives,
        trace: &mut Trace,
    ) -> Option<Found> {
        let key = place.key.with_variant(slices::part_variant(&place.key.variant));
        let hash = key.hash();
        if let Some(stored) = self.hybrid.memory(&key, hash) {
            return self.weigh(stored, MEMORY, directives, self.clock.now(), trace);
        }
        trace.tiers.push((MEMORY, TierResult::Miss));
        if !self.hybrid.has_disk() {
            return None;
        }
        self.ask(self.hybrid.as_ref(), &key, hash, directives, trace).await
    }

    /// Judges a response; a purged one is as good as absent, so that a later tier may hold its successor.
    fn weigh(
        &self,
        stored: StoredRef,
        tier: &'static str,
        directives: &RequestDirectives,
        now: Millis,
        trace: &mut Trace,
    ) -> Option<Found> {
        let coverage = self.purges.coverage(&stored);
        let usage = freshness::judge(&stored.lifetime, coverage, directives, now);
        let plain = freshness::judge(&stored.lifetime, coverage, &RequestDirectives::default(), now);
        let result = match usage {
            Use::Validate { .. } if plain == Use::Fresh => TierResult::Unwanted,
            Use::Fresh => TierResult::Fresh,
            Use::StaleWhileRevalidate | Use::MaxStale | Use::Validate { .. } => TierResult::Stale,
            Use::Never => TierResult::Purged,
        };
        trace.tiers.push((tier, result));
        if coverage == Coverage::Dead || usage == Use::Never {
            return None;
        }
        Some(Found { stored, tier, usage })
    }
}

/// Whether the walk may stop: nothing later can be better.
fn is_usable(found: &Found) -> bool {
    found.stored.kind == Kind::VaryMarker
        || matches!(found.usage, Use::Fresh | Use::StaleWhileRevalidate | Use::MaxStale)
}
