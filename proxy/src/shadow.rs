//! A share of the requests asked again at a standby, so that it is warm when it is needed.
//!
//! Hits are repeated like misses: the standby should hold what visitors ask for. A repetition never delays or fails its
//! visitor: it runs in a task of its own, there are few at a time, and one that finds no place is dropped and counted.
//! Only GET is repeated, without cookies and credentials, and never a repetition itself, so that two edges may be each
//! other's standby.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use overfall_cache::{
    body::Body,
    origin::{OriginError, OriginRequest},
    waterfall::Step,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use crate::route::SiteRoute;

/// Where and how often a site's requests are repeated.
pub struct Shadow {
    step: Step,
    sample_ppm: u32,
    places: Arc<Semaphore>,
    counters: Arc<ShadowCounters>,
}

/// What became of repetitions since start.
#[derive(Debug, Default)]
pub struct ShadowCounters {
    /// Answered whole, whatever the status.
    pub answered: AtomicU64,
    /// Not answered, or not whole.
    pub failed: AtomicU64,
    /// Not sent: the standby is left alone by its breaker or checks, or switched off.
    pub skipped: AtomicU64,
    /// Not sent: [`CONCURRENT_MAX`] were running.
    pub dropped: AtomicU64,
}

impl Shadow {
    /// Repeats `sample_ppm` of a million requests to `step`; goes on with the counters of an earlier configuration.
    #[must_use]
    pub fn new(step: Step, sample_ppm: u32, counters: Arc<ShadowCounters>) -> Self {
        Self { step, sample_ppm, places: Arc::new(Semaphore::new(CONCURRENT_MAX)), counters }
    }

    /// What became of repetitions.
    #[must_use]
    pub const fn counters(&self) -> &Arc<ShadowCounters> {
        &self.counters
    }
}

/// Repeats a request that has been answered, if its site has a shadow and the request is in the sample. Never waits.
/// `headers` are the client's own.
pub fn repeat(
    route: &SiteRoute,
    method: &Method,
    host: &str,
    target: &str,
    headers: &HeaderMap,
    request_id: u128,
) {
    let Some(shadow) = &route.shadow else { return };
    if !is_sampled(request_id, shadow.sample_ppm) || method != Method::GET || headers.contains_key(SHADOW) {
        return;
    }
    let Ok(place) = Arc::clone(&shadow.places).try_acquire_owned() else {
        shadow.counters.dropped.fetch_add(1, Relaxed);
        return;
    };
    let request = OriginRequest {
        host: host.to_owned(),
        path_and_query: target.to_owned(),
        headers: repeated(headers),
        deadline: Instant::now() + shadow.step.head_timeout,
        request_id,
        interim: None,
    };
    tokio::spawn(run(Arc::clone(shadow), request, place));
}

async fn run(shadow: Arc<Shadow>, request: OriginRequest, place: OwnedSemaphorePermit) {
    let asked = async {
        let response = shadow.step.ask(&request).await?;
        discard(response.body).await
    };
    let result = timeout(TOTAL_MAX, asked).await.unwrap_or(Err(OriginError::Timeout));
    let counter = match result {
        Ok(()) => &shadow.counters.answered,
        Err(OriginError::BreakerOpen | OriginError::Unhealthy | OriginError::Disabled) => {
            &shadow.counters.skipped
        }
        Err(_) => &shadow.counters.failed,
    };
    counter.fetch_add(1, Relaxed);
    drop(place);
}

/// Reads to the end: an edge that is left half-way may not keep what it fetched.
async fn discard(body: Body) -> Result<(), OriginError> {
    let Body::Stream { mut stream, .. } = body else { return Ok(()) };
    let mut left = BODY_BYTES_MAX;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| OriginError::Protocol(error.to_string()))?;
        left = left.saturating_sub(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if left == 0 {
            break;
        }
    }
    Ok(())
}

/// The fields that select an answer, and those that tell a repetition from a visitor.
fn repeated(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in KEPT {
        for value in headers.get_all(&name) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept.insert(SHADOW, HeaderValue::from_static("?1"));
    kept
}

/// Whether a request is among the `ppm` of a million that are repeated. Ids are numbered in a row, so their bits are
/// mixed first.
const fn is_sampled(request_id: u128, ppm: u32) -> bool {
    #[expect(clippy::cast_possible_truncation, reason = "both halves of the id are mixed into one")]
    let mut mixed = (request_id >> 64) as u64 ^ (request_id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^= mixed >> 32;
    mixed % MILLION < ppm as u64
}

/// Marks a repetition.
const SHADOW: HeaderName = HeaderName::from_static("overfall-shadow");
const KEPT: [HeaderName; 5] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::USER_AGENT,
    HeaderName::from_static("cdn-loop"),
];
/// Repetitions that run at one time, per site.
pub const CONCURRENT_MAX: usize = 64;
/// Bytes of a body that are read.
const BODY_BYTES_MAX: u64 = 64 << 20;
/// Time for one repetition, its body included.
const TOTAL_MAX: Duration = Duration::from_secs(60);
const MILLION: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_the_share_that_was_asked_for() {
        for (ppm, least, most) in
            [(50_000, 4_500, 5_500), (1_000_000, 100_000, 100_000), (500_000, 49_000, 51_000), (1, 0, 5)]
        {
            let base = 0x1234_5678_9abc_def0_u128 << 64;
            let count = (0..100_000).filter(|id| is_sampled(base | id, ppm)).count();
            assert!((least..=most).contains(&count), "{ppm} ppm: {count} of 100000");
        }
    }

    #[test]
    fn the_same_request_is_always_in_the_sample_or_never() {
        for id in 0..1000 {
            assert_eq!(is_sampled(id, 50_000), is_sampled(id, 50_000));
            assert!(!is_sampled(id, 50_000) || is_sampled(id, 60_000), "a larger sample holds the smaller");
        }
    }

    #[test]
    fn nothing_personal_is_repeated() {
        let mut headers = HeaderMap::new();
        for name in
            ["accept", "cookie", "authorization", "if-none-match", "range", "x-forwarded-for", "user-agent"]
        {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        let kept = repeated(&headers);
        let mut names: Vec<_> = kept.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "overfall-shadow", "user-agent"]);
    }
}
