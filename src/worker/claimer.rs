//! Claims the deliveries of one handler whenever the handler has free slots, and starts a task for
//! each.

use super::{
    Shared,
    admission::{Admission, AdmissionControl},
    doubt::Doubt,
    handler_runtime::HandlerRuntime,
    lease::ActiveLease,
    lease_renewer::ActiveLeases,
    runner,
    wake::{Wake, Woken},
};
use crate::boot_time::BootTime;
use crate::store::{
    Batch, ClaimLimits, Connection, Database, LeaseId, Role, StoreError, Truncated, Watermarks,
};
use crate::telemetry::health::Heartbeat;
use crate::throttle::{Backoff, throttled};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{Mutex, OwnedSemaphorePermit};

/// How often a claimer claims without a wake-up. Up to a fifth is added at random.
const POLL: Duration = Duration::from_secs(1);

/// The shortest time between two claims. Several deliveries in one claim cost little more than one.
const PACE: Duration = Duration::from_millis(3);

/// When the worker stops: how long the claim in progress, and then the last reconciliation, may
/// take. An unreachable database must not delay the shutdown.
const LAST_CLAIM: Duration = Duration::from_millis(500);
const LAST_LOOK: Duration = Duration::from_secs(1);

/// How long to wait before the next attempt to use the database.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// The longest pause between claims that fail.
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// A claim connection, shared by some of the handlers.
pub(super) type ClaimConnection = Arc<Mutex<Line>>;

pub(super) struct Line {
    connection: Option<Connection>,
    backoff: Backoff,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            connection: None,
            backoff: Backoff::new(RETRY, LONGEST_RETRY),
        }
    }
}

pub(super) struct Claimer {
    pub(super) runtime: Arc<HandlerRuntime>,
    pub(super) gate: AdmissionControl,
    pub(super) shared: Shared,
    pub(super) leases: ActiveLeases,
    pub(super) line: ClaimConnection,
    pub(super) database: Database,
    pub(super) wake: Wake,
    pub(super) heartbeat: Heartbeat,
    pub(super) doubt: Doubt,
}

impl Claimer {
    /// Runs until the worker stops.
    pub(super) async fn run(mut self) {
        let stop = self.shared.stop.clone();
        let overdue = async {
            stop.cancelled().await;
            tokio::time::sleep(LAST_CLAIM).await;
        };
        // If the last claim gets its response in time, it leaves nothing to reconcile.
        tokio::select! {
            () = self.claim_until_stopped() => {}
            () = overdue => {}
        }
        self.doubt
            .add(self.runtime.in_flight.take_doubts(), Instant::now());
        if self.doubt.remains() {
            // Deliveries of a claim whose response was lost become free now, and not when the lease
            // expires.
            let _ = tokio::time::timeout(LAST_LOOK, self.reconcile_after_claims()).await;
            // A claim may still reach the server later. With this doubt the lease renewer searches
            // for its deliveries when it gives back the lease.
            self.runtime.in_flight.doubt();
        }
        self.heartbeat.retire();
    }

    async fn claim_until_stopped(&mut self) {
        let mut wake = self.wake.subscribe();
        let mut memory = Memory::new(None);
        let mut odd = false;
        // Whether the last claim had a single slot, so it covered only one of the two kinds of
        // deliveries (due and fresh), and found none. The next claim covers the other kind before
        // the claimer idles.
        let mut one_lane_empty = false;
        let stop = self.shared.stop.clone();
        stop.run_until_cancelled(self.show_closed()).await;
        while !stop.is_cancelled() {
            // Before the claim, so that a wake-up during the claim triggers the next one.
            wake.work.mark_unchanged();
            if let Some(due) = wake.take_late() {
                memory.floors.heard_late(due);
            }
            self.heartbeat.tick();
            odd = !odd;
            stop.run_until_cancelled(self.compare()).await;
            let Some(slots) = stop.run_until_cancelled(self.slots()).await.flatten() else {
                continue;
            };
            // Checked after the wait for a slot, because a breaker may have opened during it.
            let allowance = match self.gate.ask(Instant::now()) {
                Ok(allowance) => allowance,
                Err(wait) => {
                    drop(slots);
                    self.rest(wait.min(POLL)).await;
                    continue;
                }
            };
            let most = slots.num_permits().min(allowance.most);
            match self.claim(slots, allowance, &mut memory, odd).await {
                Ok(true) => {
                    one_lane_empty = false;
                    self.rest(PACE).await;
                }
                Ok(false) => {
                    one_lane_empty = most == 1 && !self.runtime.ordered() && !one_lane_empty;
                    if one_lane_empty {
                        self.rest(PACE).await;
                    } else {
                        stop.run_until_cancelled(self.idle(&mut wake)).await;
                    }
                }
                Err(error) => {
                    // Whatever the error was: the remembered scan positions must not make the next
                    // claim fail as well.
                    memory = Memory::new(None);
                    throttled!(warn, %error, handler = %self.runtime.name, "claim failed, retrying");
                }
            }
        }
    }

    /// Compares the deliveries that the outbox has under this lease with those known here, if there
    /// is a reason to. No claim for this handler runs meanwhile. So each unknown delivery is from a
    /// claim whose response was lost.
    async fn compare(&mut self) {
        let now = Instant::now();
        self.doubt.add(self.runtime.in_flight.take_doubts(), now);
        if self.doubt.is_due(now) {
            let succeeded = self.reconcile().await.is_ok();
            self.doubt.compared(now, succeeded);
        }
    }

    /// Waits for this long, or until the worker stops.
    async fn rest(&self, pause: Duration) {
        self.shared
            .stop
            .run_until_cancelled(tokio::time::sleep(pause))
            .await;
    }

    /// Takes all free slots, at least one. `None` if none becomes free within `POLL`.
    async fn slots(&self) -> Option<OwnedSemaphorePermit> {
        let held = self.runtime.slots.clone();
        let mut slots = tokio::time::timeout(POLL, held.clone().acquire_owned())
            .await
            .ok()?
            .ok()?;
        if let Ok(more) = u32::try_from(held.available_permits())
            && let Ok(more) = held.try_acquire_many_owned(more)
        {
            slots.merge(more);
        }
        Some(slots)
    }

    async fn idle(&self, wake: &mut Woken) {
        let poll = POLL.mul_f64(1.0 + 0.2 * rand::random::<f64>());
        let _ = tokio::time::timeout(poll, wake.work.changed()).await;
        // Deliveries that were committed together with the one that caused the wake-up join the
        // same claim.
        tokio::time::sleep(PACE).await;
    }

    /// Claims into the free slots. Returns whether more deliveries may be available at once.
    async fn claim(
        &mut self,
        mut slots: OwnedSemaphorePermit,
        allowance: Admission,
        memory: &mut Memory,
        odd: bool,
    ) -> Result<bool, StoreError> {
        let Some(lease) = self.leases.borrow_and_update().clone() else {
            let changed = tokio::time::timeout(POLL, self.leases.changed());
            let _ = self.shared.stop.run_until_cancelled(changed).await;
            return Ok(true);
        };
        if !lease.may_start(BootTime::now()) {
            self.rest(RETRY).await;
            return Ok(true);
        }
        let most = slots.num_permits().min(allowance.most);
        let limits = if self.runtime.ordered() {
            ordered(most)
        } else {
            share(most, odd, memory.cut)
        };
        let claiming = self.runtime.in_flight.claiming();
        let batch = self.claim_on_line(&lease, limits, memory).await?;
        let more = batch.more;
        for claimed in batch.claimed {
            // A claim never exceeds the slots. If it did, `claiming` would leave a doubt, and
            // reconciliation would soon release the delivery.
            let Some(slot) = slots.split(1) else {
                return Ok(more);
            };
            let held = self.runtime.in_flight.hold(claimed.claim.delivery);
            let probe = claimed
                .starts()
                .then(|| self.gate.start(allowance))
                .flatten();
            let attempt = runner::run(
                self.runtime.clone(),
                self.shared.clone(),
                lease.clone(),
                claimed,
                probe,
                (slot, held),
            );
            self.shared.attempts.spawn(attempt);
        }
        claiming.answered();
        Ok(more)
    }

    async fn claim_on_line(
        &self,
        lease: &Arc<ActiveLease>,
        limits: ClaimLimits,
        memory: &mut Memory,
    ) -> Result<Batch, StoreError> {
        let mut line = self.line.lock().await;
        // The backoff holds for all handlers that share this connection. The lock is released
        // before the wait, so that none of them waits for the lock.
        let remaining = line.backoff.remaining(Instant::now());
        if !remaining.is_zero() {
            drop(line);
            self.rest(remaining.min(POLL)).await;
            return Ok(Batch {
                claimed: Vec::new(),
                cut: Truncated::default(),
                more: true,
            });
        }
        let claimed = self
            .claim_on(&mut line.connection, lease, limits, memory)
            .await;
        match &claimed {
            Ok(_) => line.backoff.succeeded(),
            Err(_) => line.backoff.failed(Instant::now()),
        }
        claimed
    }

    /// Takes the connection out of `line`, so that a failed claim drops it.
    async fn claim_on(
        &self,
        line: &mut Option<Connection>,
        lease: &Arc<ActiveLease>,
        limits: ClaimLimits,
        memory: &mut Memory,
    ) -> Result<Batch, StoreError> {
        let mut connection = match line.take() {
            Some(open) => open,
            None => self.database.connect(Role::Claim).await?,
        };
        // A connection may claim only under a lease of its own server epoch.
        if connection.epoch() != Some(lease.epoch) {
            self.rest(RETRY).await;
            return Ok(Batch {
                claimed: Vec::new(),
                cut: Truncated::default(),
                more: true,
            });
        }
        if memory.lease != Some(lease.id) {
            *memory = Memory::new(Some(lease.id));
        }
        let unsequenced = self.runtime.ordered() && connection.sequence(self.runtime.id).await?;
        let name = (self.runtime.id, &self.runtime.name);
        let mut batch = connection
            .claim(
                name,
                lease.id,
                limits,
                &mut memory.floors,
                self.runtime.policy.filter.as_ref(),
            )
            .await?;
        batch.more |= unsequenced;
        memory.cut = batch.cut;
        *line = Some(connection);
        Ok(batch)
    }
}

/// What a claimer has learned from its claims under one lease. A crash of the server may undo
/// claims, and their rows are then below the watermarks. So each lease starts with empty
/// watermarks.
struct Memory {
    lease: Option<LeaseId>,
    floors: Watermarks,
    /// Which limits the last claim reached.
    cut: Truncated,
}

impl Memory {
    fn new(lease: Option<LeaseId>) -> Self {
        Self {
            lease,
            floors: Watermarks::new(Instant::now()),
            cut: Truncated::default(),
        }
    }
}

/// A delivery of an ordered handler has a due time from the moment it has its ordering key.
fn ordered(slots: usize) -> ClaimLimits {
    ClaimLimits {
        due: slots,
        fresh: 0,
    }
}

/// Gives half of the slots to due deliveries (with a due time, such as retries) and half to fresh
/// ones (without a due time), so that neither kind starves the other. The odd slot alternates. If
/// the last claim found all deliveries of one kind, that kind gets one slot until it fills it, and
/// the other kind gets the rest.
fn share(slots: usize, odd: bool, last: Truncated) -> ClaimLimits {
    let due = match (last.fresh, last.due) {
        (true, false) if slots > 1 => 1,
        (false, true) if slots > 1 => slots - 1,
        _ => (slots + usize::from(odd)) / 2,
    };
    ClaimLimits {
        due,
        fresh: slots - due,
    }
}

#[cfg(test)]
mod tests {
    use super::{Truncated, share};

    #[test]
    fn both_lanes_get_their_turn_of_a_single_place() {
        for (fresh, due) in [(false, false), (true, false), (false, true), (true, true)] {
            for slots in 1..10 {
                let cut = Truncated { fresh, due };
                let (one, other) = (share(slots, true, cut), share(slots, false, cut));
                assert_eq!(
                    (one.due + one.fresh, other.due + other.fresh),
                    (slots, slots)
                );
                assert!(one.due + other.due > 0 && one.fresh + other.fresh > 0);
            }
        }
    }

    #[test]
    fn a_lane_that_is_empty_leaves_its_places_to_the_other() {
        let limits = |fresh, due| {
            let limits = share(64, false, Truncated { fresh, due });
            (limits.fresh, limits.due)
        };
        assert_eq!(
            [limits(true, false), limits(false, true), limits(true, true)],
            [(63, 1), (1, 63), (32, 32)]
        );
    }
}
