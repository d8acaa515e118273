//! `Cache-Status` (RFC 9211) and `Server-Timing`: how the answer was found, one member per tier.
//!
//! Members stand in the order of RFC 9211 section 2: the cache nearest the origin first, so the last tier that was asked
//! comes first and memory last.

use http::{HeaderMap, HeaderName, HeaderValue};
use overfall_cache::{
    engine::{Served, TierResult, Trace},
    waterfall::{Attempt, AttemptOutcome},
};
use tokio::time::Instant;

/// Adds `Cache-Status` for one answer.
pub fn append(headers: &mut HeaderMap, node: &str, trace: &Trace) {
    let node = node_token(node);
    let members: Vec<_> =
        trace.tiers.iter().rev().map(|(tier, result)| member(&node, tier, result, trace)).collect();
    let value = if members.is_empty() { format!("{node}; fwd=bypass") } else { members.join(", ") };
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.append(HeaderName::from_static("cache-status"), value);
    }
}

fn member(node: &str, tier: &str, result: &TierResult, trace: &Trace) -> String {
    let mut member = format!("{node}/{tier}");
    let served_here = match trace.served {
        Served::Hit(from) | Served::Stale(from) => from == tier,
        _ => false,
    };
    if served_here {
        member.push_str(&format!("; hit; ttl={}", trace.ttl_ms.div_euclid(1000)));
        if let Some(reason) = trace.reason {
            member.push_str(&format!("; detail={reason}"));
        }
        return member;
    }
    match result {
        TierResult::Miss => member.push_str("; fwd=uri-miss"),
        TierResult::Fresh | TierResult::Stale => member.push_str("; fwd=stale"),
        TierResult::Purged => member.push_str("; fwd=uri-miss; detail=purged"),
        TierResult::Failed(_) => member.push_str("; fwd=miss; detail=tier-failed"),
    }
    // what the origin said belongs to the member that went forward to it: the last tier asked
    if trace.tiers.last().is_some_and(|(last, _)| *last == tier) {
        forwarded(&mut member, trace);
    }
    member
}

fn forwarded(member: &mut String, trace: &Trace) {
    if let Some(Attempt { outcome: AttemptOutcome::Status(status), .. }) = trace.attempts.last() {
        member.push_str(&format!("; fwd-status={}", status.as_u16()));
    }
    if trace.stored {
        member.push_str("; stored");
    }
    if trace.collapsed {
        member.push_str("; collapsed");
    }
    if let (Served::Passed | Served::Failed, Some(reason)) = (trace.served, trace.reason) {
        member.push_str(&format!("; detail={reason}"));
    }
}

/// The node's name as a structured-field token (RFC 8941 section 3.3.4); what does not fit becomes `_`.
#[must_use]
pub fn node_token(node: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let token: String = node.chars().map(|c| if legal(c) { c } else { '_' }).collect();
    if token.starts_with(|c: char| c.is_ascii_alphabetic()) { token } else { format!("n{token}") }
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
            OriginError::Busy { .. } => "busy",
        },
    };
    trace.attempts.iter().map(|attempt| (attempt.origin.clone(), outcome(attempt))).collect()
}

#[cfg(test)]
mod tests {
    use super::node_token;

    #[test]
    fn names_become_tokens() {
        for (name, token) in [("eu-1", "eu-1"), ("1st", "n1st"), ("a b", "a_b"), ("", "n"), ("ü", "n_")] {
            assert_eq!(node_token(name), token, "{name}");
        }
    }
}
