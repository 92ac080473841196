//! Decides which workers are dead: those whose lease has not changed for long enough by this
//! process's own clock.

use super::lease::{LEASE, RENEW_EVERY};
use crate::store::{LeaseId, WorkerLease};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// A live worker renews its lease within this time.
const UNCHANGED_FOR: Duration = RENEW_EVERY.saturating_add(Duration::from_secs(1));

/// No attempt runs under a lease that has not been renewed for this long, whatever the database's
/// clock shows.
const DEAD_AFTER: Duration = LEASE.saturating_add(Duration::from_secs(1));

/// When each lease was first seen with its present expiry, by this process's clock. The database's
/// clock alone would make every worker look dead if it is set forward, and none if it is set back.
/// A dead worker has usually been seen unchanged for long enough when its lease expires, so this
/// causes no delay.
#[derive(Debug, Default)]
pub(super) struct Sightings(HashMap<LeaseId, (i64, Instant)>);

impl Sightings {
    /// Returns the leases to rescue. It never returns `own`, because a process that asks is alive.
    pub(super) fn dead(
        &mut self,
        leases: &[WorkerLease],
        own: LeaseId,
        now: Instant,
    ) -> Vec<WorkerLease> {
        self.0
            .retain(|lease, _| leases.iter().any(|seen| seen.lease == *lease));
        let mut dead = Vec::new();
        for seen in leases {
            let (expires_at, since) = self.0.entry(seen.lease).or_insert((seen.expires_at, now));
            if *expires_at != seen.expires_at {
                (*expires_at, *since) = (seen.expires_at, now);
            }
            let unchanged_for = now.duration_since(*since);
            let is_dead =
                seen.expired && unchanged_for >= UNCHANGED_FOR || unchanged_for >= DEAD_AFTER;
            if is_dead && seen.lease != own {
                dead.push(*seen);
            }
        }
        dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: LeaseId = LeaseId(1);

    fn lease(id: i64, expires_at: i64, expired: bool) -> WorkerLease {
        WorkerLease {
            lease: LeaseId(id),
            expires_at,
            expired,
        }
    }

    #[test]
    fn a_clock_that_is_set_forward_makes_no_live_worker_dead() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut sightings = Sightings::default();
        assert!(
            sightings
                .dead(&[lease(1, 100, false), lease(2, 100, false)], OWN, at(0))
                .is_empty()
        );
        // The clock is set an hour forward: all leases have expired, and each worker renews at its
        // next renewal time.
        assert!(
            sightings
                .dead(&[lease(1, 100, true), lease(2, 100, true)], OWN, at(3))
                .is_empty()
        );
        assert!(
            sightings
                .dead(&[lease(1, 3700, false), lease(2, 3700, false)], OWN, at(5))
                .is_empty()
        );
        assert!(
            sightings
                .dead(&[lease(1, 3705, false), lease(2, 3700, true)], OWN, at(8))
                .is_empty()
        );
    }

    #[test]
    fn a_worker_that_does_not_renew_is_dead_once_its_lease_has_expired() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut sightings = Sightings::default();
        for seconds in [0, 3, 6, 9, 12] {
            let own = lease(1, 100 + i64::try_from(seconds).expect("small"), false);
            assert!(
                sightings
                    .dead(&[own, lease(2, 100, false)], OWN, at(seconds))
                    .is_empty()
            );
        }
        assert_eq!(
            sightings.dead(&[lease(1, 200, false), lease(2, 100, true)], OWN, at(15)),
            [lease(2, 100, true)]
        );
    }

    #[test]
    fn a_lease_that_expired_before_this_process_started_is_checked_twice() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut sightings = Sightings::default();
        let leases = [lease(1, 100, true), lease(2, 50, true)];
        assert!(sightings.dead(&leases, OWN, at(0)).is_empty());
        assert!(sightings.dead(&leases, OWN, at(3)).is_empty());
        assert_eq!(
            sightings.dead(&leases, OWN, at(6)),
            [lease(2, 50, true)],
            "and never its own"
        );
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_no_dead_worker_alive() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut sightings = Sightings::default();
        for seconds in [0, 6, 12, 15] {
            let own = lease(1, 100 + i64::try_from(seconds).expect("small"), false);
            assert!(
                sightings
                    .dead(&[own, lease(2, 3700, false)], OWN, at(seconds))
                    .is_empty()
            );
        }
        assert_eq!(
            sightings.dead(&[lease(1, 200, false), lease(2, 3700, false)], OWN, at(16)),
            [lease(2, 3700, false)]
        );
    }
}
