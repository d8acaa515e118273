//! Decorators that an operator or the demo puts around an origin: a switch, and distance.
//!
//! They touch only new attempts; a body that is under way goes on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use overfall_cache::{
    origin::{Origin, OriginError, OriginRequest, OriginResponse},
    waterfall::health::Health,
};
use tokio::time::{Instant, sleep_until};

/// An origin that can be switched off, and what is known of it.
pub struct Switch {
    inner: Arc<dyn Origin>,
    enabled: AtomicBool,
    health: Arc<Health>,
}

impl Switch {
    /// Switched on.
    #[must_use]
    pub const fn new(inner: Arc<dyn Origin>, health: Arc<Health>) -> Self {
        Self { inner, enabled: AtomicBool::new(true), health }
    }

    /// What is known of the origin.
    #[must_use]
    pub const fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// One word for metrics, status and explanations: `disabled`, `unhealthy`, `open`, `half-open` or `ok`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        if self.is_enabled() { self.health.view(Instant::now()).as_str() } else { "disabled" }
    }

    /// Lets attempts through again.
    pub fn enable(&self) {
        self.enabled.store(true, Ordering::Relaxed);
    }

    /// Fails every attempt from here on.
    pub fn disable(&self) {
        self.enabled.store(false, Ordering::Relaxed);
    }

    /// Whether attempts go through.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Origin for Switch {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn fetch(&self, request: &OriginRequest) -> Result<OriginResponse, OriginError> {
        if !self.is_enabled() {
            return Err(OriginError::Disabled);
        }
        self.inner.fetch(request).await
    }
}

/// An origin that is farther away than it is.
pub struct Distance {
    inner: Arc<dyn Origin>,
    delay: Duration,
}

impl Distance {
    /// Each attempt begins `delay` later.
    #[must_use]
    pub fn new(inner: Arc<dyn Origin>, delay: Duration) -> Self {
        Self { inner, delay }
    }
}

#[async_trait]
impl Origin for Distance {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn fetch(&self, request: &OriginRequest) -> Result<OriginResponse, OriginError> {
        let arrival = Instant::now() + self.delay;
        sleep_until(arrival.min(request.deadline)).await;
        if arrival >= request.deadline {
            return Err(OriginError::Timeout);
        }
        self.inner.fetch(request).await
    }
}

#[cfg(test)]
mod tests {
    use overfall_cache::{body::Body, stored::ResponseHead};

    use super::*;

    struct Fixed;

    #[async_trait]
    impl Origin for Fixed {
        fn name(&self) -> &str {
            "fixed"
        }

        async fn fetch(&self, _: &OriginRequest) -> Result<OriginResponse, OriginError> {
            let head = ResponseHead { status: ::http::StatusCode::OK, headers: ::http::HeaderMap::new() };
            Ok(OriginResponse { head, body: Body::empty(), provenance: None })
        }
    }

    fn request(within: Duration) -> OriginRequest {
        OriginRequest {
            host: "example.net".into(),
            path_and_query: "/".into(),
            headers: ::http::HeaderMap::new(),
            deadline: Instant::now() + within,
            request_id: 1,
            interim: None,
        }
    }

    #[tokio::test]
    async fn a_disabled_origin_says_so_until_enabled() {
        let switch = Switch::new(Arc::new(Fixed), Health::new(None, Instant::now()));
        switch.disable();
        assert_eq!(switch.fetch(&request(Duration::from_secs(1))).await.unwrap_err(), OriginError::Disabled);
        switch.enable();
        assert!(switch.fetch(&request(Duration::from_secs(1))).await.is_ok());
        assert_eq!(switch.name(), "fixed");
    }

    #[tokio::test(start_paused = true)]
    async fn distance_takes_its_time() {
        let far = Distance::new(Arc::new(Fixed), Duration::from_millis(120));
        let before = Instant::now();
        far.fetch(&request(Duration::from_secs(1))).await.unwrap();
        assert!(before.elapsed() >= Duration::from_millis(120));
    }

    #[tokio::test(start_paused = true)]
    async fn distance_beyond_the_deadline_is_a_timeout_at_the_deadline() {
        let far = Distance::new(Arc::new(Fixed), Duration::from_secs(60));
        let before = Instant::now();
        assert_eq!(far.fetch(&request(Duration::from_secs(1))).await.unwrap_err(), OriginError::Timeout);
        assert!(before.elapsed() < Duration::from_secs(2));
    }
}
