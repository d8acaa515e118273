//! "Why?" for one request: what the tiers hold and what would happen, without changing anything.

use serde::Serialize;
use tokio::time::Instant;

use super::{Engine, Request, lookup::MEMORY, vary_variant};
use crate::{
    cache_control::RequestDirectives,
    freshness::{self, Use},
    key::{Key, KeyHash},
    purge::Coverage,
    stored::{Kind, Stored},
    tier::Tier,
    vary,
    waterfall::{OriginRole, Step},
};

/// What the engine knows about one request.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The key in words.
    pub key: String,
    /// Its slot.
    pub hash: String,
    /// Request fields that select the variant, when known.
    pub vary: Vec<String>,
    /// Tiers in the order in which they are asked.
    pub tiers: Vec<TierFinding>,
    /// Origins in the order in which they would be asked.
    pub origins: Vec<String>,
    /// The same origins with what this node believes of them.
    pub origin_states: Vec<OriginFinding>,
    /// What a request would get.
    pub verdict: String,
    /// Last purge applied, as `epoch/seq`.
    pub purge_log: String,
}

/// What a node believes of one origin.
#[derive(Debug, Clone, Serialize)]
pub struct OriginFinding {
    /// Origin name.
    pub origin: String,
    /// `ordinary`, or `archive`: asked only when the others failed.
    pub role: &'static str,
    /// `ok`, `open` or `half-open` (its breaker) or `unhealthy` (its checks).
    pub state: &'static str,
}

/// What one tier holds under the key.
#[derive(Debug, Clone, Serialize)]
pub struct TierFinding {
    /// Tier name.
    pub tier: String,
    /// `absent`, `fresh`, `stale`, `purged` or the failure.
    pub state: String,
    /// Status code.
    pub status: Option<u16>,
    /// Body length.
    pub bytes: Option<u64>,
    /// Age in seconds.
    pub age_s: Option<u64>,
    /// Freshness left in seconds, negative when stale.
    pub ttl_s: Option<i64>,
    /// Surrogate keys.
    pub tags: Vec<String>,
    /// What it was made from.
    pub sources: Vec<String>,
    /// Number of the last purge that its fetch had seen.
    pub seq: Option<u64>,
}

impl Engine {
    /// Explains one request. Reads every tier, changes none.
    pub async fn explain(&self, request: &Request) -> Explanation {
        let directives = request.directives();
        let mut key = request.key.clone();
        let (mut tiers, mut held) = self.inspect(&key, key.hash(), &directives).await;
        let mut vary = Vec::new();
        if let Some((names, true)) = held.take() {
            let selected = vary::variant(&names, &request.headers);
            key = request.key.with_variant(vary_variant(&request.key.variant, &selected));
            vary = names;
            (tiers, _) = self.inspect(&key, key.hash(), &directives).await;
        }
        let position = self.purges.position();
        Explanation {
            hash: key.hash().to_string(),
            key: printable(&key),
            vary,
            verdict: verdict(&tiers, request),
            tiers,
            origins: request.waterfall.steps.iter().map(|step| step.origin.name().to_owned()).collect(),
            origin_states: request.waterfall.steps.iter().map(origin_finding).collect(),
            purge_log: format!("{:016x}/{}", position.epoch, position.seq),
        }
    }

    async fn inspect(
        &self,
        key: &Key,
        hash: KeyHash,
        directives: &RequestDirectives,
    ) -> (Vec<TierFinding>, Option<(Vec<String>, bool)>) {
        let mut findings = Vec::new();
        let mut held = None;
        let mut note = |tier: &str, found: Result<Option<&Stored>, String>| {
            if let Ok(Some(stored)) = found
                && held.is_none()
            {
                held = Some((stored.vary.clone(), stored.kind == Kind::VaryMarker));
            }
            findings.push(self.finding(tier, found, directives));
        };
        note(MEMORY, Ok(self.hybrid.memory(key, hash).as_deref()));
        let disk: Option<&dyn Tier> = self.hybrid.has_disk().then_some(self.hybrid.as_ref());
        for tier in disk.into_iter().chain(self.shared.iter().map(AsRef::as_ref)) {
            match tier.get(key, hash).await {
                Ok(found) => note(tier.name(), Ok(found.as_deref())),
                Err(error) => note(tier.name(), Err(error.to_string())),
            }
        }
        (findings, held)
    }

    fn finding(
        &self,
        tier: &str,
        found: Result<Option<&Stored>, String>,
        directives: &RequestDirectives,
    ) -> TierFinding {
        let blank = TierFinding {
            tier: tier.to_owned(),
            state: "absent".to_owned(),
            status: None,
            bytes: None,
            age_s: None,
            ttl_s: None,
            tags: Vec::new(),
            sources: Vec::new(),
            seq: None,
        };
        let stored = match found {
            Ok(None) => return blank,
            Err(error) => return TierFinding { state: error, ..blank },
            Ok(Some(stored)) => stored,
        };
        let now = self.clock.now();
        let coverage = self.purges.coverage(stored);
        let age_ms = freshness::age_ms(&stored.lifetime, now);
        let left = i64::try_from(stored.lifetime.fresh_ms)
            .unwrap_or(i64::MAX)
            .saturating_sub(i64::try_from(age_ms).unwrap_or(i64::MAX));
        TierFinding {
            state: state(freshness::judge(&stored.lifetime, coverage, directives, now), coverage).to_owned(),
            status: Some(stored.head.status.as_u16()),
            bytes: u64::try_from(stored.body.len()).ok(),
            age_s: Some(age_ms / 1000),
            ttl_s: Some(left / 1000),
            tags: stored.scopes.tags.clone(),
            sources: stored.scopes.sources.iter().map(|(host, target)| format!("{host}{target}")).collect(),
            seq: Some(stored.position.seq),
            ..blank
        }
    }
}

fn origin_finding(step: &Step) -> OriginFinding {
    let role = match step.role {
        OriginRole::Ordinary => "ordinary",
        OriginRole::Archive => "archive",
    };
    let state = step.health.as_ref().map_or("ok", |health| health.view(Instant::now()).as_str());
    OriginFinding { origin: step.origin.name().to_owned(), role, state }
}

const fn state(usage: Use, coverage: Coverage) -> &'static str {
    match (coverage, usage) {
        (Coverage::Dead, _) | (_, Use::Never) => "purged",
        (Coverage::Stale, _) => "softly purged",
        (Coverage::Unknown, _) => "of unknown history, validated before use",
        (Coverage::Clear, Use::Fresh) => "fresh",
        (Coverage::Clear, Use::StaleWhileRevalidate) => "stale, served while revalidating",
        (Coverage::Clear, Use::MaxStale) => "stale, served because the request takes stale ones",
        (Coverage::Clear, Use::Validate { .. }) => "stale, validated before use",
    }
}

fn verdict(tiers: &[TierFinding], request: &Request) -> String {
    for finding in tiers {
        if finding.state == "fresh" {
            return format!("hit in {}", finding.tier);
        }
        if finding.ttl_s.is_some() && finding.state != "purged" {
            return format!("{} in {}", finding.state, finding.tier);
        }
    }
    match request.waterfall.steps.iter().find(|step| step.role == OriginRole::Ordinary) {
        Some(step) => format!("miss, fetched from origin {}", step.origin.name()),
        None => "miss, and the site has no origin".to_owned(),
    }
}

/// The key without control characters.
fn printable(key: &Key) -> String {
    key.to_string().replace(|c: char| c.is_control(), " vary:")
}
