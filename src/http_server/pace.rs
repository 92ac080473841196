//! Measures how well a peer keeps up with a minimum rate.

use std::time::Duration;
use tokio::time::Instant;

/// How far ahead of its rate a peer may be. Bytes that were sent long ago do not excuse a long
/// silence.
const MOST_CREDIT: Duration = Duration::from_secs(1);

/// The moment until which the bytes received so far suffice at the given rate. Of two peers, the
/// one with the earlier moment has made less progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    bytes_per_second: f64,
    paid_until: Instant,
}

impl Pace {
    /// Starts with full credit at `now`.
    pub(crate) fn new(bytes_per_second: usize, now: Instant) -> Self {
        Self {
            bytes_per_second: bytes_per_second.max(1) as f64,
            paid_until: now + MOST_CREDIT,
        }
    }

    /// Counts received bytes.
    pub(crate) fn received(&mut self, bytes: usize, now: Instant) {
        let paid = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second)
            .min(MOST_CREDIT + self.behind(now));
        self.paid_until = (self.paid_until + paid).min(now + MOST_CREDIT);
    }

    /// The moment until which the received bytes suffice.
    pub(crate) fn paid_until(&self) -> Instant {
        self.paid_until
    }

    fn behind(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.paid_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pay_for_time_and_no_burst_pays_for_long() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let mut pace = Pace::new(1000, start);
        assert_eq!(pace.paid_until(), after(1000));
        pace.received(500, after(800));
        assert_eq!(pace.paid_until(), after(1500));
        pace.received(usize::MAX, after(2000));
        assert_eq!(pace.paid_until(), after(3000), "at most a second ahead");
        pace.received(500, after(10_000));
        assert_eq!(
            pace.paid_until(),
            after(3500),
            "a few bytes do not make up for a long silence"
        );
    }
}
