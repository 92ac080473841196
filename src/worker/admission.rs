//! Limits how many deliveries of a handler the claimer may claim now, by the handler's rate limit
//! and circuit breaker.

use super::breaker::{Circuit, Permission, Probe};
use crate::domain::Rate;
use crate::throttle::TokenBucket;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The part of a second's rate that an idle handler may start at once. It may always start one
/// delivery.
const BURST: f64 = 0.25;

/// The shortest wait for tokens, so that several gather: claims of single deliveries cost too much.
const GATHER: Duration = Duration::from_millis(50);

/// The limits that the claimer checks before each claim.
pub(super) struct AdmissionControl {
    bucket: Option<TokenBucket>,
    circuit: Option<Arc<Circuit>>,
}

/// How many deliveries one claim may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    pub(super) most: usize,
    probe: bool,
}

impl AdmissionControl {
    pub(super) fn new(rate: Option<Rate>, circuit: Option<Arc<Circuit>>) -> Self {
        Self {
            bucket: rate.map(|rate| bucket(rate, Instant::now())),
            circuit,
        }
    }

    /// How many deliveries may be claimed now, or how long to wait before the next claim.
    pub(super) fn admit(&mut self, now: Instant) -> Result<Admission, Duration> {
        let most = self
            .bucket
            .as_mut()
            .map_or(Ok(usize::MAX), |bucket| ready(bucket, now))?;
        match self
            .circuit
            .as_ref()
            .map_or(Permission::Claim, |circuit| circuit.permission(now))
        {
            Permission::Claim => Ok(Admission { most, probe: false }),
            Permission::Probe => Ok(Admission {
                most: 1,
                probe: true,
            }),
            Permission::Wait(wait) => Err(wait),
        }
    }

    /// Counts a claimed delivery that is about to start. Returns the probe if this delivery is one.
    pub(super) fn start(&mut self, allowance: Admission) -> Option<Probe> {
        if let Some(bucket) = &mut self.bucket {
            bucket.take();
        }
        self.circuit.as_ref().filter(|_| allowance.probe)?.probe()
    }
}

fn bucket(rate: Rate, now: Instant) -> TokenBucket {
    let per_second = rate.deliveries_per_second();
    TokenBucket::new(per_second, (per_second * BURST).max(1.0), now)
}

/// How many deliveries may start now (at least one), or how long to wait.
fn ready(bucket: &mut TokenBucket, now: Instant) -> Result<usize, Duration> {
    match bucket.available(now) {
        0 => Err(bucket.wait().max(GATHER)),
        ready => Ok(ready),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bucket(per_second: f64, start: Instant) -> TokenBucket {
        super::bucket(Rate::per_second(per_second).expect("a rate"), start)
    }

    #[test]
    fn half_a_delivery_a_second_is_one_every_two() {
        let start = Instant::now();
        let mut bucket = bucket(0.5, start);
        assert_eq!(ready(&mut bucket, start), Ok(1));
        bucket.take();
        let wait = ready(&mut bucket, start).expect_err("nothing is left");
        assert!((2.0..2.1).contains(&wait.as_secs_f64()), "{wait:?}");
        assert!(ready(&mut bucket, start + Duration::from_millis(1990)).is_err());
        assert_eq!(ready(&mut bucket, start + wait), Ok(1));
        assert_eq!(
            ready(&mut bucket, start + Duration::from_secs(3600)),
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
                for _ in 0..ready(&mut bucket, now).unwrap_or(0).min(wanted) {
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
        fn a_wait_is_never_too_short(per_second in 0.01f64..20_000.0) {
            let start = Instant::now();
            let mut bucket = bucket(per_second, start);
            let mut now = start;
            let mut count = 0usize;
            for _ in 0..200 {
                match ready(&mut bucket, now) {
                    Ok(ready) => {
                        (0..ready).for_each(|_| bucket.take());
                        count += ready;
                    }
                    Err(wait) => {
                        now += wait;
                        prop_assert!(ready(&mut bucket, now).is_ok());
                    }
                }
            }
            let share = now.duration_since(start).as_secs_f64() * per_second;
            prop_assert!(count as f64 >= share * 0.99 - 1.0, "{count} of {share}");
        }
    }
}
