//! A token bucket: it limits the rate of events, and allows a burst after a pause.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct TokenBucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    at: Instant,
}

impl TokenBucket {
    /// Starts full, with `burst` tokens.
    pub(crate) fn new(per_second: f64, burst: f64, now: Instant) -> Self {
        Self {
            per_second,
            burst,
            tokens: burst,
            at: now,
        }
    }

    /// How many whole tokens there are.
    pub(crate) fn available(&mut self, now: Instant) -> usize {
        let since = now.saturating_duration_since(self.at);
        self.tokens = (self.tokens + since.as_secs_f64() * self.per_second).min(self.burst);
        self.at = self.at.max(now);
        // Never negative, and at most the burst.
        self.tokens as usize
    }

    /// How long after the last call of `available` there is a whole token.
    pub(crate) fn wait(&self) -> Duration {
        // A microsecond is added, so that rounding does not leave the bucket slightly short.
        Duration::from_secs_f64(((1.0 - self.tokens) / self.per_second).max(0.0))
            + Duration::from_micros(1)
    }

    /// Takes a token, which `available` has counted.
    pub(crate) fn take(&mut self) {
        self.tokens -= 1.0;
    }

    /// Takes a token if there is one.
    pub(crate) fn try_take(&mut self, now: Instant) -> bool {
        let is_available = self.available(now) > 0;
        if is_available {
            self.take();
        }
        is_available
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_allows_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let taken = |bucket: &mut TokenBucket, at| (0..100).filter(|_| bucket.try_take(at)).count();
        let mut bucket = TokenBucket::new(10.0, 10.0, start);
        assert_eq!(taken(&mut bucket, start), 10);
        assert_eq!(taken(&mut bucket, start + Duration::from_millis(500)), 5);
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(60)), 10);
        let mut bucket = TokenBucket::new(10.0, 50.0, start);
        assert_eq!(taken(&mut bucket, start), 50, "a burst");
        assert_eq!(taken(&mut bucket, start + Duration::from_secs(1)), 10);
    }
}
