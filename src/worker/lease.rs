//! A lease that this process holds: when attempts may start under it, and when this worker may
//! declare others dead.

use crate::boot_time::BootTime;
use crate::store::LeaseId;
use parking_lot::Mutex;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A lease expires this long after its last renewal, by the database's clock.
pub(super) const LEASE: Duration = Duration::from_secs(15);

pub(super) const RENEW_EVERY: Duration = Duration::from_secs(5);

/// No attempt is started within this time before the lease expires: a start takes a moment, and
/// clocks drift.
const MARGIN: Duration = Duration::from_secs(2);

/// The right to hold deliveries under one lease, in one run of the database server.
#[derive(Debug)]
pub(super) struct ActiveLease {
    pub(super) id: LeaseId,
    /// The right to hold deliveries under one lease, in one server epoch.
    pub(super) epoch: Uuid,
    /// After a crash of the server, claims of the earlier epoch may be undone and their fences may
    /// be issued again.
    pub(super) lost: CancellationToken,
    renewals: Mutex<Renewals>,
}

#[derive(Clone, Copy, Debug)]
struct Renewals {
    last: BootTime,
    unbroken_since: BootTime,
}

impl ActiveLease {
    /// `sent` is when the registration was sent. The lease began no earlier.
    pub(super) fn new(id: LeaseId, epoch: Uuid, sent: BootTime) -> Self {
        let renewals = Mutex::new(Renewals {
            last: sent,
            unbroken_since: sent,
        });
        Self {
            id,
            epoch,
            lost: CancellationToken::new(),
            renewals,
        }
    }

    /// The lease that follows `before`, which a crash of the server ended. It keeps the record of
    /// renewals: a worker may judge others once the database has been reachable for a full period,
    /// and a restart of the server within it does not matter.
    pub(super) fn after_crash(before: &Self, id: LeaseId, epoch: Uuid, sent: BootTime) -> Self {
        before.renewed(sent);
        let renewals = Mutex::new(*before.renewals());
        Self {
            id,
            epoch,
            lost: CancellationToken::new(),
            renewals,
        }
    }

    fn renewals(&self) -> parking_lot::MutexGuard<'_, Renewals> {
        self.renewals.lock()
    }

    /// Records a renewal that was sent at `sent`.
    pub(super) fn renewed(&self, sent: BootTime) {
        let mut renewals = self.renewals();
        if sent.duration_since(renewals.last) > LEASE {
            renewals.unbroken_since = sent;
        }
        renewals.last = sent;
    }

    /// Whether an attempt may start now, by this machine's own clock. A process that was stopped or
    /// suspended for a while, or cannot reach the database, must not start deliveries that others
    /// have taken over.
    pub(super) fn may_start(&self, now: BootTime) -> bool {
        !self.lost.is_cancelled() && now.duration_since(self.renewals().last) < LEASE - MARGIN
    }

    /// Whether the lease has been renewed without interruption for a full period. Only then may
    /// this worker declare others dead: after an outage of the database every worker looks dead.
    pub(super) fn may_rescue(&self, now: BootTime) -> bool {
        let renewals = self.renewals();
        !self.lost.is_cancelled()
            && now.duration_since(renewals.last) < LEASE - MARGIN
            && renewals.last.duration_since(renewals.unbroken_since) >= LEASE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_attempt_starts_near_the_end_of_a_lease_and_no_rescue_after_a_gap() {
        let start = BootTime::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let lease = ActiveLease::new(LeaseId(1), Uuid::nil(), start);
        assert!(lease.may_start(at(12)) && !lease.may_start(at(13)));
        for seconds in [5, 10, 15] {
            assert!(!lease.may_rescue(at(seconds)));
            lease.renewed(at(seconds));
        }
        assert!(lease.may_rescue(at(16)));
        lease.renewed(at(40));
        assert!(
            lease.may_start(at(41)) && !lease.may_rescue(at(41)),
            "the database was away, or we were"
        );
        lease.renewed(at(50));
        lease.renewed(at(55));
        assert!(lease.may_rescue(at(56)));
        lease.lost.cancel();
        assert!(!lease.may_start(at(56)) && !lease.may_rescue(at(56)));
    }

    #[test]
    fn a_crash_of_the_server_prevents_rescues_only_after_a_long_outage() {
        let start = BootTime::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let before = ActiveLease::new(LeaseId(1), Uuid::nil(), start);
        before.renewed(at(5));
        before.lost.cancel();
        let second = ActiveLease::after_crash(&before, LeaseId(2), Uuid::max(), at(10));
        second.renewed(at(15));
        assert!(second.may_start(at(16)) && second.may_rescue(at(16)));
        second.lost.cancel();
        let third = ActiveLease::after_crash(&second, LeaseId(3), Uuid::nil(), at(40));
        assert!(third.may_start(at(41)) && !third.may_rescue(at(41)));
    }
}
