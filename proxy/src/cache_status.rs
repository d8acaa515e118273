//! `Cache-Status` (RFC 9211) and `Server-Timing`: how the answer was found, one member per tier.
//!
//! Members stand in the order of RFC 9211 section 2: the cache nearest the origin first, so the last tier that was asked
//! comes first and memory last.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use overfall_cache::{
    engine::{LAST_GOOD, Served, TierResult, Trace},
    status::{CacheStatus, Forward, TierOutcome},
    waterfall::{Attempt, AttemptOutcome},
};
use tokio::time::Instant;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Adds `Cache-Status` for one answer.
pub fn append(headers: &mut HeaderMap, node: &str, trace: &Trace) {
    let mut status = CacheStatus::new(node);
    for (tier, result) in &trace.tiers {
        status = status.tier(tier, outcome(tier, result, trace));
    }
    let went_nowhere = trace.served == Served::Failed && trace.attempts.is_empty();
    if !went_nowhere && !matches!(trace.served, Served::Hit(_) | Served::Stale(_)) {
        status = status.forward(reason_to_forward(trace));
    }
    if let Some(Attempt { outcome: AttemptOutcome::Status(answered), .. }) = trace.attempts.last() {
        status = status.fwd_status(answered.as_u16());
    }
    if trace.stored {
        status = status.stored(true);
    }
    if trace.collapsed {
        status = status.collapsed(true);
    }
    let last_good = headers.contains_key(LAST_GOOD).then_some("last-good");
    if let Some(reason) = last_good.or(trace.reason).or_else(|| purged(trace)) {
        status = status.detail(reason);
    }
    headers.append(CACHE_STATUS, status.to_header());
}

/// What a tier did for this answer.
fn outcome(tier: &str, result: &TierResult, trace: &Trace) -> TierOutcome {
    if matches!(trace.served, Served::Hit(from) | Served::Stale(from) if from == tier) {
        return TierOutcome::Hit { ttl_s: trace.ttl_ms.div_euclid(1000) };
    }
    match result {
        TierResult::Miss => TierOutcome::Forward(Forward::UriMiss),
        TierResult::VariantMiss => TierOutcome::Forward(Forward::VaryMiss),
        TierResult::Unwanted => TierOutcome::Forward(Forward::Request),
        TierResult::Fresh | TierResult::Stale => TierOutcome::Forward(Forward::Stale),
        TierResult::Partial => TierOutcome::Forward(Forward::Partial),
        TierResult::Purged => TierOutcome::Forward(Forward::Miss),
        TierResult::Failed(reason) => TierOutcome::Failed((*reason).to_owned()),
    }
}

/// Why the request went to the origins: the best that a tier had to say.
fn reason_to_forward(trace: &Trace) -> Forward {
    let has = |wanted: &TierResult| trace.tiers.iter().any(|(_, result)| result == wanted);
    match () {
        () if has(&TierResult::Partial) => Forward::Partial,
        () if has(&TierResult::Unwanted) => Forward::Request,
        () if has(&TierResult::Stale) => Forward::Stale,
        () if has(&TierResult::Purged) => Forward::Miss,
        () if has(&TierResult::VariantMiss) => Forward::VaryMiss,
        () => Forward::UriMiss,
    }
}

fn purged(trace: &Trace) -> Option<&'static str> {
    trace.tiers.iter().any(|(_, result)| *result == TierResult::Purged).then_some("purged")
}

/// The value for a request that no cache may answer: another method, or a change of protocol.
#[must_use]
pub fn passed(node: &str, method: &Method) -> HeaderValue {
    let is_readable = matches!(*method, Method::GET | Method::HEAD);
    let why = if is_readable { Forward::Bypass } else { Forward::Method };
    CacheStatus::new(node).forward(why).to_header()
}

/// Adds `Server-Timing`: time on tiers, at origins, and until the head was ready, in ms.
pub fn server_timing(headers: &mut HeaderMap, trace: &Trace, began: Instant) {
    let ms = |us: u64| format!("{}.{:03}", us / 1000, us % 1000);
    let mut value = format!("tiers;dur={}", ms(trace.lookup_us));
    if trace.fetch_us > 0 {
        value.push_str(&format!(", origin;dur={}", ms(trace.fetch_us)));
    }
    let total = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    value.push_str(&format!(", edge;dur={}", ms(total)));
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.append(HeaderName::from_static("server-timing"), value);
    }
}

/// Tries at origins as `(name, status class or reason)`, for log and metrics; reasons are a closed set.
#[must_use]
pub fn attempts(trace: &Trace) -> Vec<(String, &'static str)> {
    use overfall_cache::origin::OriginError;
    let outcome = |attempt: &Attempt| match &attempt.outcome {
        AttemptOutcome::Status(status) => crate::telemetry::status_class(status.as_u16()),
        AttemptOutcome::Failed(error) => match error {
            OriginError::Resolve(_) => "resolve",
            OriginError::Connect(_) => "connect",
            OriginError::Tls(_) => "tls",
            OriginError::Timeout => "timeout",
            OriginError::Protocol(_) => "protocol",
            OriginError::Disabled => "disabled",
            OriginError::BreakerOpen => "breaker_open",
            OriginError::Unhealthy => "unhealthy",
            OriginError::Busy { .. } => "busy",
        },
    };
    trace.attempts.iter().map(|attempt| (attempt.origin.clone(), outcome(attempt))).collect()
}
