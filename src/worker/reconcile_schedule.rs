//! Decides when a claimer compares the deliveries that the outbox has under its lease with those it
//! knows of.

use super::in_flight::Uncertainty;
use std::time::{Duration, Instant};

/// How long a claim that failed on this side may still run on the server: its statement timeout and
/// some seconds.
const STILL_RUNNING: Duration = Duration::from_secs(15);

/// How often to compare without a reason. This covers, for example, a server that was frozen for
/// longer than `STILL_RUNNING`.
const PERIODIC_EVERY: Duration = Duration::from_secs(600);

/// The reasons to compare, and when.
///
/// A claim that failed may have been committed, and this process does not know which deliveries it
/// took. So the comparison is due at once, and again when the claim cannot be running any more.
/// Deliveries that were dropped without a settlement are compared only later: most of them belong
/// to a lease that no longer exists, and a delivery whose outcome the database rejects must not
/// become free at once.
#[derive(Debug)]
pub(super) struct ReconcileSchedule {
    now: bool,
    later: Option<Instant>,
    periodic: Instant,
}

impl ReconcileSchedule {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            now: false,
            later: None,
            periodic: now + PERIODIC_EVERY,
        }
    }

    /// Adds the reasons that have arisen since the last call.
    pub(super) fn add(&mut self, reasons: Uncertainty, now: Instant) {
        self.now |= reasons.claim;
        if reasons.any() {
            self.later = Some(now + STILL_RUNNING);
        }
    }

    /// Whether there is a reason to compare, now or later.
    pub(super) fn remains(&self) -> bool {
        self.now || self.later.is_some()
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.now || self.later.is_some_and(|later| now >= later) || now >= self.periodic
    }

    /// Records a comparison whose statement began at `began`. If it failed, it stays due.
    pub(super) fn compared(&mut self, began: Instant, succeeded: bool) {
        self.now = !succeeded;
        if succeeded {
            self.later = self.later.filter(|later| began < *later);
            self.periodic = began + PERIODIC_EVERY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: Uncertainty = Uncertainty {
        claim: true,
        delivery: false,
    };
    const DELIVERY: Uncertainty = Uncertainty {
        claim: false,
        delivery: true,
    };

    #[test]
    fn a_failed_claim_is_compared_at_once_and_after_it_cannot_run_any_more() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut schedule = ReconcileSchedule::new(start);
        assert!(!schedule.is_due(at(1)));
        schedule.add(CLAIM, at(10));
        assert!(schedule.is_due(at(10)));
        schedule.compared(at(10), false);
        assert!(schedule.is_due(at(11)), "the database did not answer");
        schedule.compared(at(11), true);
        assert!(!schedule.is_due(at(24)));
        // The claim may have been committed after the first comparison.
        assert!(schedule.is_due(at(25)) && schedule.remains());
        schedule.compared(at(25), true);
        assert!(!schedule.is_due(at(600)) && !schedule.remains());
        assert!(schedule.is_due(at(625)), "the periodic comparison");
    }

    #[test]
    fn a_later_failure_postpones_the_second_comparison_and_not_the_first() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut schedule = ReconcileSchedule::new(start);
        schedule.add(CLAIM, at(0));
        schedule.compared(at(0), true);
        schedule.add(CLAIM, at(14));
        assert!(schedule.is_due(at(14)));
        schedule.compared(at(14), true);
        assert!(!schedule.is_due(at(28)));
        assert!(schedule.is_due(at(29)));
    }

    #[test]
    fn a_dropped_delivery_is_compared_later_only() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut schedule = ReconcileSchedule::new(start);
        schedule.add(Uncertainty::default(), at(0));
        assert!(!schedule.remains());
        schedule.add(DELIVERY, at(0));
        assert!(schedule.remains() && !schedule.is_due(at(14)) && schedule.is_due(at(15)));
    }
}
