//! Active checks of origins: one task per origin that has them, ended with the table of routes that it belongs to.
//!
//! A check is an ordinary attempt at the origin itself, past its switch and breaker. It refuses nobody: it only moves
//! the origin's [`Health`], and the waterfall decides.

use std::sync::Arc;

use ::http::HeaderMap;
use overfall_cache::{
    origin::{Origin, OriginError, OriginRequest},
    waterfall::health::Health,
};
use overfall_config::OriginHealth;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout_at},
};

/// The running checks; dropping them ends them.
#[derive(Default)]
pub struct Checks {
    tasks: JoinSet<()>,
}

/// What is checked, and whom it concerns.
pub(crate) struct Check {
    pub(crate) origin: Arc<dyn Origin>,
    /// Sent as `Host` unless the origin has its own.
    pub(crate) host: String,
    pub(crate) rule: OriginHealth,
    pub(crate) health: Arc<Health>,
}

impl Checks {
    /// Checks at once and then at every interval.
    pub(crate) fn watch(&mut self, check: Check) {
        self.tasks.spawn(check.run());
    }
}

impl Check {
    async fn run(self) {
        let mut count = Count::default();
        let mut ticks = interval(self.rule.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let checked = self.once().await;
            let before = count.is_failing;
            count = count.after(&self.rule, checked.is_ok());
            self.health.set_failing_checks(count.is_failing);
            match (before, count.is_failing, checked) {
                (false, true, Err(reason)) => {
                    tracing::warn!(origin = self.origin.name(), reason, "origin fails its health checks");
                }
                (true, false, _) => {
                    tracing::info!(origin = self.origin.name(), "origin passes its health checks again");
                }
                _ => {}
            }
        }
    }

    async fn once(&self) -> Result<(), String> {
        let deadline = Instant::now() + self.rule.timeout;
        let request = OriginRequest {
            host: self.host.clone(),
            path_and_query: self.rule.path.clone(),
            headers: HeaderMap::new(),
            deadline,
            request_id: 0,
            interim: None,
        };
        let fetched = timeout_at(deadline, self.origin.fetch(&request)).await;
        match fetched.unwrap_or(Err(OriginError::Timeout)) {
            Ok(response) if response.head.status.is_success() || response.head.status.is_redirection() => {
                // an unread body would cost the connection
                drop(timeout_at(deadline, response.body.collect(BODY_BYTES_MAX)).await);
                Ok(())
            }
            Ok(response) => Err(format!("answered {}", response.head.status.as_u16())),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Results in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    is_failing: bool,
    /// Results in a row that speak against the present state.
    against: u32,
}

impl Count {
    fn after(self, rule: &OriginHealth, passed: bool) -> Self {
        let Self { is_failing, against } = self;
        if passed != is_failing {
            return Self { is_failing, against: 0 };
        }
        let against = against.saturating_add(1);
        let needed = if is_failing { rule.pass } else { rule.fail };
        if against >= needed {
            return Self { is_failing: !is_failing, against: 0 };
        }
        Self { is_failing, against }
    }
}

/// Bytes of a check's body that are read; a longer one costs its connection.
const BODY_BYTES_MAX: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
        time::Duration,
    };

    use async_trait::async_trait;
    use overfall_cache::origin::OriginResponse;

    use super::*;

    fn rule(fail: u32, pass: u32) -> OriginHealth {
        OriginHealth {
            path: "/up".into(),
            every: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            fail,
            pass,
        }
    }

    #[test]
    fn results_in_a_row_decide() {
        let rule = rule(3, 2);
        let mut count = Count::default();
        let mut seen = Vec::new();
        for passed in [false, false, true, false, false, false, true, false, true, true] {
            count = count.after(&rule, passed);
            seen.push(count.is_failing);
        }
        assert_eq!(seen, [false, false, false, false, false, true, true, true, true, false]);
    }

    #[derive(Default)]
    struct Moody {
        is_well: AtomicBool,
        asked: AtomicU64,
    }

    #[async_trait]
    impl Origin for Moody {
        fn name(&self) -> &str {
            "moody"
        }

        async fn fetch(&self, request: &OriginRequest) -> Result<OriginResponse, OriginError> {
            assert_eq!((request.host.as_str(), request.path_and_query.as_str()), ("h.example", "/up"));
            self.asked.fetch_add(1, SeqCst);
            if self.is_well.load(SeqCst) {
                return Ok(super::super::bare(::http::StatusCode::FOUND, HeaderMap::new()));
            }
            std::future::pending().await
        }
    }

    /// Lets the checks of so many seconds happen.
    async fn pass(seconds: u64) {
        for _ in 0..seconds * 10 {
            tokio::time::advance(Duration::from_millis(100)).await;
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_origin_goes_and_comes_back_with_its_checks() {
        let origin = Arc::new(Moody::default());
        let health = Health::new(None, Instant::now());
        let mut checks = Checks::default();
        checks.watch(Check {
            origin: Arc::clone(&origin) as _,
            host: "h.example".into(),
            rule: rule(2, 2),
            health: Arc::clone(&health),
        });
        let is_failing = || health.view(Instant::now()).is_failing_checks;
        pass(4).await;
        assert!(!is_failing(), "one late answer is not enough");
        pass(5).await;
        assert!(is_failing());
        origin.is_well.store(true, SeqCst);
        pass(10).await;
        assert!(!is_failing());
        let asked = origin.asked.load(SeqCst);
        drop(checks);
        pass(60).await;
        assert_eq!(origin.asked.load(SeqCst), asked, "checks end with their table");
    }
}
