//! Pauses between retries that grow while the fault lasts.

use std::time::{Duration, Instant};

/// The time of the next retry. Only a success of the work itself resets the pause; a mere connect
/// does not. Otherwise a database that accepts connections and stores nothing would be retried
/// without a pause.
#[derive(Debug)]
pub(crate) struct Backoff {
    from: Duration,
    to: Duration,
    failing: Option<Failing>,
}

#[derive(Clone, Copy, Debug)]
struct Failing {
    pause: Duration,
    until: Instant,
}

impl Backoff {
    /// Pauses that double from `from` up to `to`.
    pub(crate) const fn new(from: Duration, to: Duration) -> Self {
        Self {
            from,
            to,
            failing: None,
        }
    }

    pub(crate) fn failed(&mut self, now: Instant) {
        let pause = self
            .failing
            .map_or(self.from, |failing| (failing.pause * 2).min(self.to));
        self.failing = Some(Failing {
            pause,
            until: now + pause,
        });
    }

    pub(crate) fn succeeded(&mut self) {
        self.failing = None;
    }

    /// The time until the next retry.
    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        self.failing.map_or(Duration::ZERO, |failing| {
            failing.until.saturating_duration_since(now)
        })
    }

    /// Waits until the next retry.
    pub(crate) async fn wait(&self) {
        let remaining = self.remaining(Instant::now());
        if !remaining.is_zero() {
            tokio::time::sleep(remaining).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_begin_again_after_a_success() {
        let (mut backoff, now) = (
            Backoff::new(Duration::from_secs(1), Duration::from_secs(5)),
            Instant::now(),
        );
        assert_eq!(backoff.remaining(now), Duration::ZERO);
        let mut pause = || {
            backoff.failed(now);
            backoff.remaining(now).as_secs()
        };
        assert_eq!(
            [pause(), pause(), pause(), pause(), pause()],
            [1, 2, 4, 5, 5]
        );
        assert_eq!(
            backoff.remaining(now + Duration::from_secs(4)),
            Duration::from_secs(1)
        );
        backoff.succeeded();
        assert_eq!(backoff.remaining(now), Duration::ZERO);
        backoff.failed(now);
        assert_eq!(backoff.remaining(now), Duration::from_secs(1));
    }
}
