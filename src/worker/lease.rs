//! One lease of this process, from its registration to its end.

use crate::boot_time::BootTime;
use crate::store::LeaseId;
use std::{sync::Mutex, time::Duration};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A lease is dead this long after its last renewal, by the database's clock.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// How often it is renewed.
pub(super) const RENEW_EVERY: Duration = Duration::from_secs(5);

/// No handler is started within this time of the lease's end: a start takes a moment, and clocks drift.
const MARGIN: Duration = Duration::from_secs(2);

/// The right to hold deliveries, under one lease and in one run of the database server.
#[derive(Debug)]
pub(super) struct ActiveLease {
    pub(super) id: LeaseId,
    /// The server's run. After a crash of the server, claims of before may be gone, and their tokens come again.
    pub(super) epoch: Uuid,
    /// Cancelled when the lease is gone: everything held under it stops.
    pub(super) lost: CancellationToken,
    renewals: Mutex<Renewals>,
}

#[derive(Clone, Copy, Debug)]
struct Renewals {
    last: BootTime,
    unbroken_since: BootTime,
}

impl ActiveLease {
    /// `sent` is when the registration was sent: the lease began no earlier.
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

    /// The lease after a crash of the server ended `before`. A worker may judge others once the database has
    /// been reachable for a full period, over a restart of the server, too.
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

    fn renewals(&self) -> std::sync::MutexGuard<'_, Renewals> {
        self.renewals
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Notes a renewal that was sent at `sent`.
    pub(super) fn renewed(&self, sent: BootTime) {
        let mut renewals = self.renewals();
        if sent.duration_since(renewals.last) > LEASE {
            renewals.unbroken_since = sent;
        }
        renewals.last = sent;
    }

    /// Whether a handler may be started now, by this machine's own clock: a process that was stopped or
    /// suspended for a while, or cannot reach the database, must not start what others have taken over.
    pub(super) fn may_start(&self, now: BootTime) -> bool {
        !self.lost.is_cancelled() && now.duration_since(self.renewals().last) < LEASE - MARGIN
    }

    /// Whether the lease has been renewed without interruption for a full period: only then may this worker judge
    /// others, since a database that was away makes everybody look dead.
    pub(super) fn may_judge(&self, now: BootTime) -> bool {
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
    fn nothing_starts_near_the_end_of_a_lease_and_nobody_judges_after_a_gap() {
        let start = BootTime::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let lease = ActiveLease::new(LeaseId(1), Uuid::nil(), start);
        assert!(lease.may_start(at(12)) && !lease.may_start(at(13)));
        for seconds in [5, 10, 15] {
            assert!(!lease.may_judge(at(seconds)));
            lease.renewed(at(seconds));
        }
        assert!(lease.may_judge(at(16)));
        lease.renewed(at(40));
        assert!(
            lease.may_start(at(41)) && !lease.may_judge(at(41)),
            "the database was away, or we were"
        );
        lease.renewed(at(50));
        lease.renewed(at(55));
        assert!(lease.may_judge(at(56)));
        lease.lost.cancel();
        assert!(!lease.may_start(at(56)) && !lease.may_judge(at(56)));
    }

    #[test]
    fn a_crash_of_the_server_takes_the_judgement_only_if_it_was_away_for_long() {
        let start = BootTime::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let before = ActiveLease::new(LeaseId(1), Uuid::nil(), start);
        before.renewed(at(5));
        before.lost.cancel();
        let second = ActiveLease::after_crash(&before, LeaseId(2), Uuid::max(), at(10));
        second.renewed(at(15));
        assert!(second.may_start(at(16)) && second.may_judge(at(16)));
        second.lost.cancel();
        let third = ActiveLease::after_crash(&second, LeaseId(3), Uuid::nil(), at(40));
        assert!(third.may_start(at(41)) && !third.may_judge(at(41)));
    }
}
