//! Claims the deliveries of one handler whenever the handler has free slots, and starts a task for
//! each.

use super::{
    Shared,
    admission::{Admission, AdmissionControl},
    claim_connection::{ClaimConnection, Lent, RETRY},
    claim_split::ClaimSplit,
    handler_runtime::HandlerRuntime,
    lease::ActiveLease,
    lease_renewer::ActiveLeases,
    runner,
    safety_sweeps::SafetySweeps,
    wake::{Wake, Woken},
};
use crate::boot_time::BootTime;
use crate::store::{Batch, Database, LeaseId, StoreError, Truncated, Watermarks};
use crate::telemetry::health::Heartbeat;
use crate::throttle::throttled;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::OwnedSemaphorePermit;

/// How often a claimer claims without a wake-up. Up to a fifth is added at random.
const POLL: Duration = Duration::from_secs(1);

/// The shortest time between two claims. Several deliveries in one claim cost little more than one.
const PACE: Duration = Duration::from_millis(3);

/// When the worker stops: how long the claim in progress, and then the last reconciliation, may
/// take. An unreachable database must not delay the shutdown.
const LAST_CLAIM: Duration = Duration::from_millis(500);
const LAST_LOOK: Duration = Duration::from_secs(1);

pub(super) struct Claimer {
    pub(super) runtime: Arc<HandlerRuntime>,
    pub(super) admission: AdmissionControl,
    pub(super) shared: Shared,
    pub(super) leases: ActiveLeases,
    pub(super) connection: ClaimConnection,
    pub(super) database: Database,
    pub(super) wake: Wake,
    pub(super) heartbeat: Heartbeat,
    pub(super) sweeps: SafetySweeps,
}

/// What a claimer does after one round.
enum Next {
    /// Claims again soon: more deliveries may be ready.
    ClaimSoon,
    /// Idles: nothing more is ready. The claim had this many slots.
    Idle { slots: usize },
    /// Waits before the next round: nothing could be claimed.
    Pause(Duration),
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
        if self.sweeps.is_uncertain() {
            // Deliveries of a claim whose response was lost become free now, and not when the lease
            // expires.
            let _ = tokio::time::timeout(LAST_LOOK, self.sweeps.reconcile_after_claims()).await;
            // A claim may still reach the server later, so the lease renewer searches for its
            // deliveries when it gives back the lease.
            self.runtime.in_flight.claim_uncertain();
        }
        self.heartbeat.retire();
    }

    async fn claim_until_stopped(&mut self) {
        let mut wake = self.wake.subscribe();
        let mut memory = Memory::new(None);
        let mut split = ClaimSplit::default();
        let is_ordered = self.runtime.ordered();
        let stop = self.shared.stop.clone();
        stop.run_until_cancelled(self.sweeps.clear_breaker()).await;
        while !stop.is_cancelled() {
            // Before the claim, so that a wake-up during the claim triggers the next one.
            wake.work.mark_unchanged();
            if let Some(due) = wake.take_late() {
                memory.watermarks.lower_due(due);
            }
            self.heartbeat.tick();
            stop.run_until_cancelled(self.sweeps.reconcile_if_due())
                .await;
            match self.round(&mut memory, &mut split).await {
                Ok(Next::ClaimSoon) => {
                    split.found();
                    self.rest(PACE).await;
                }
                Ok(Next::Pause(pause)) => self.rest(pause).await,
                Ok(Next::Idle { slots }) if split.other_kind_is_next(slots, is_ordered) => {
                    self.rest(PACE).await;
                }
                Ok(Next::Idle { .. }) => {
                    stop.run_until_cancelled(self.idle(&mut wake)).await;
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

    /// Claims once, if there are slots, a lease, and nothing that forbids it.
    async fn round(
        &mut self,
        memory: &mut Memory,
        split: &mut ClaimSplit,
    ) -> Result<Next, StoreError> {
        let stop = self.shared.stop.clone();
        let Some(slots) = stop.run_until_cancelled(self.slots()).await.flatten() else {
            return Ok(Next::Pause(Duration::ZERO));
        };
        // Checked after the wait for a slot, because a breaker may have opened during it.
        let admission = match self.admission.admit(Instant::now()) {
            Ok(admission) => admission,
            Err(wait) => return Ok(Next::Pause(wait.min(POLL))),
        };
        let Some(lease) = self.leases.borrow_and_update().clone() else {
            let changed = tokio::time::timeout(POLL, self.leases.changed());
            let _ = stop.run_until_cancelled(changed).await;
            return Ok(Next::Pause(PACE));
        };
        if !lease.may_start(BootTime::now()) {
            return Ok(Next::Pause(RETRY));
        }
        let most = slots.num_permits().min(admission.most);
        let connection = self.connection.clone();
        let mut connection = match connection.lend().await {
            Ok(connection) => connection,
            Err(pause) => return Ok(Next::Pause(pause.min(POLL))),
        };
        let claiming = self.runtime.in_flight.claiming();
        let claimed = self
            .claim(&mut connection, &lease, most, split, memory)
            .await;
        connection.record(&claimed);
        drop(connection);
        let Some(batch) = claimed? else {
            claiming.answered();
            return Ok(Next::Pause(RETRY));
        };
        let next = if batch.more {
            Next::ClaimSoon
        } else {
            Next::Idle { slots: most }
        };
        if self.start(batch, slots, admission, &lease) {
            claiming.answered();
        }
        Ok(next)
    }

    /// Claims on an open connection. `None` if the connection may not claim under this lease.
    async fn claim(
        &self,
        lent: &mut Lent<'_>,
        lease: &ActiveLease,
        most: usize,
        split: &mut ClaimSplit,
        memory: &mut Memory,
    ) -> Result<Option<Batch>, StoreError> {
        let Some(mut connection) = lent.open(&self.database, lease).await? else {
            return Ok(None);
        };
        if memory.lease != Some(lease.id) {
            *memory = Memory::new(Some(lease.id));
        }
        // Not before it is certain that a claim is sent: each claim is another kind's turn.
        let limits = split.limits(most, self.runtime.ordered(), memory.truncated);
        let unsequenced = self.runtime.ordered() && connection.sequence(self.runtime.id).await?;
        let name = (self.runtime.id, &self.runtime.name);
        let mut batch = connection
            .claim(
                name,
                lease.id,
                limits,
                &mut memory.watermarks,
                self.runtime.policy.filter.as_ref(),
            )
            .await?;
        batch.more |= unsequenced;
        memory.truncated = batch.truncated;
        lent.give_back(connection);
        Ok(Some(batch))
    }

    /// Starts a task for each claimed delivery. A claim never exceeds the slots. If it did, the
    /// answer is false: the claim stays uncertain, and reconciliation releases the rest.
    fn start(
        &mut self,
        batch: Batch,
        mut slots: OwnedSemaphorePermit,
        admission: Admission,
        lease: &Arc<ActiveLease>,
    ) -> bool {
        for claimed in batch.claimed {
            let Some(slot) = slots.split(1) else {
                return false;
            };
            let held = self.runtime.in_flight.hold(claimed.claim.delivery);
            let probe = claimed
                .starts()
                .then(|| self.admission.start(admission))
                .flatten();
            self.shared.attempts.spawn(runner::run(
                self.runtime.clone(),
                self.shared.clone(),
                lease.clone(),
                claimed,
                probe,
                slot,
                held,
            ));
        }
        true
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
        let all = self.runtime.slots.clone();
        let mut slots = tokio::time::timeout(POLL, all.clone().acquire_owned())
            .await
            .ok()?
            .ok()?;
        if let Ok(more) = u32::try_from(all.available_permits())
            && let Ok(more) = all.try_acquire_many_owned(more)
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
}

/// What a claimer has learned from its claims under one lease. A crash of the server may undo
/// claims, and their rows are then below the watermarks. So each lease starts with empty
/// watermarks.
struct Memory {
    lease: Option<LeaseId>,
    watermarks: Watermarks,
    /// Which limits the last claim reached.
    truncated: Truncated,
}

impl Memory {
    fn new(lease: Option<LeaseId>) -> Self {
        Self {
            lease,
            watermarks: Watermarks::new(Instant::now()),
            truncated: Truncated::default(),
        }
    }
}
