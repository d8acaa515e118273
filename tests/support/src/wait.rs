//! Waiting for a condition of another process, with a deadline. The one place that looks again and again.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

/// How long anything that should happen soon may take on a loaded machine.
pub const DEADLINE: Duration = Duration::from_secs(15);

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until `look` gives something. Fails the test with `what` when that takes longer than `within`.
pub async fn wait_until<T>(what: &str, within: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < within, "waited {within:?} in vain until {what}");
    }
}
