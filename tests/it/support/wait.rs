//! Waiting for a condition, never for a fixed time.

use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Long enough for a loaded machine; a test that passes never waits that long.
const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `condition` holds, and fails with `what` in the message if it does not hold within a
/// minute.
pub(crate) async fn wait_until(what: &str, condition: impl AsyncFnMut() -> bool) {
    wait_until_within(DEADLINE, what, condition).await;
}

/// The same with a given deadline.
pub(crate) async fn wait_until_within(
    deadline: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> bool,
) {
    let started = Instant::now();
    while !condition().await {
        assert!(
            started.elapsed() < deadline,
            "not within {deadline:?}: {what}"
        );
        sleep(Duration::from_millis(10)).await;
    }
}
