//! A token bucket, which limits how many deliveries of a handler may start now.

use crate::domain::Rate;
use std::time::{Duration, Instant};

/// The part of a second's rate that an idle handler may start at once. It may always start one
/// delivery.
const BURST: f64 = 0.25;

/// The shortest wait for tokens, so that several gather: claims of single deliveries cost too much.
const GATHER: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct TokenBucket {
    per_second: f64,
    tokens: f64,
    at: Instant,
}

impl TokenBucket {
    /// Starts full.
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        let per_second = rate.deliveries_per_second();
        Self {
            per_second,
            tokens: burst(per_second),
            at: now,
        }
    }

    /// How many deliveries may start now (at least one), or how long to wait.
    pub(super) fn ready(&mut self, now: Instant) -> Result<usize, Duration> {
        let since = now.saturating_duration_since(self.at);
        self.tokens =
            (self.tokens + since.as_secs_f64() * self.per_second).min(burst(self.per_second));
        self.at = self.at.max(now);
        if self.tokens >= 1.0 {
            // Never negative, and at most a quarter of a million.
            return Ok(self.tokens as usize);
        }
        // A microsecond is added, so that rounding does not leave it slightly short.
        let wait = Duration::from_secs_f64((1.0 - self.tokens) / self.per_second)
            + Duration::from_micros(1);
        Err(wait.max(GATHER))
    }

    pub(super) fn take(&mut self) {
        self.tokens -= 1.0;
    }
}

fn burst(per_second: f64) -> f64 {
    (per_second * BURST).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bucket(per_second: f64, start: Instant) -> TokenBucket {
        TokenBucket::new(Rate::per_second(per_second).expect("a rate"), start)
    }

    #[test]
    fn half_a_delivery_a_second_is_one_every_two() {
        let start = Instant::now();
        let mut bucket = bucket(0.5, start);
        assert_eq!(bucket.ready(start), Ok(1));
        bucket.take();
        let wait = bucket.ready(start).expect_err("nothing is left");
        assert!((2.0..2.1).contains(&wait.as_secs_f64()), "{wait:?}");
        assert!(bucket.ready(start + Duration::from_millis(1990)).is_err());
        assert_eq!(bucket.ready(start + wait), Ok(1));
        assert_eq!(
            bucket.ready(start + Duration::from_secs(3600)),
            Ok(1),
            "an idle hour is no burst"
        );
    }

    proptest! {
        /// Whatever the claimer does, no interval contains more starts than the burst and the rate
        /// allow.
        #[test]
        fn no_stretch_of_time_has_more_than_its_share(
            per_second in 0.01f64..500.0,
            steps in prop::collection::vec((0u64..400, 0usize..100), 1..60),
        ) {
            let start = Instant::now();
            let mut bucket = bucket(per_second, start);
            let mut now = start;
            let mut started: Vec<Instant> = Vec::new();
            for (pause, wanted) in steps {
                now += Duration::from_millis(pause);
                for _ in 0..bucket.ready(now).unwrap_or(0).min(wanted) {
                    bucket.take();
                    started.push(now);
                }
            }
            for (i, from) in started.iter().enumerate() {
                for (j, to) in started.iter().enumerate().skip(i) {
                    let most = (per_second * BURST).max(1.0) + to.duration_since(*from).as_secs_f64() * per_second;
                    prop_assert!((j - i + 1) as f64 <= most + 1e-6);
                }
            }
        }

        /// A caller that waits as long as `ready` returns may start one. In the long run it gets
        /// all that the rate allows.
        #[test]
        fn waiting_is_never_in_vain(per_second in 0.01f64..20_000.0) {
            let start = Instant::now();
            let mut bucket = bucket(per_second, start);
            let mut now = start;
            let mut count = 0usize;
            for _ in 0..200 {
                match bucket.ready(now) {
                    Ok(ready) => {
                        (0..ready).for_each(|_| bucket.take());
                        count += ready;
                    }
                    Err(wait) => {
                        now += wait;
                        prop_assert!(bucket.ready(now).is_ok());
                    }
                }
            }
            let share = now.duration_since(start).as_secs_f64() * per_second;
            prop_assert!(count as f64 >= share * 0.99 - 1.0, "{count} of {share}");
        }
    }
}
