//! Repairs that a claimer makes: it releases deliveries whose claim response was lost, and clears a
//! circuit breaker that an earlier process left open in the registry.

use super::{
    claim_connection::RETRY, handler_runtime::HandlerRuntime, lease_renewer::ActiveLeases,
    reconcile_schedule::ReconcileSchedule,
};
use crate::store::{StoreError, note_breaker, release_unknown, wait_for_claims};
use crate::throttle::throttled;
use sqlx::PgPool;
use std::{sync::Arc, time::Instant};

pub(super) struct SafetySweeps {
    runtime: Arc<HandlerRuntime>,
    leases: ActiveLeases,
    pool: PgPool,
    schedule: ReconcileSchedule,
}

impl SafetySweeps {
    pub(super) fn new(runtime: Arc<HandlerRuntime>, leases: ActiveLeases, pool: PgPool) -> Self {
        Self {
            runtime,
            leases,
            pool,
            schedule: ReconcileSchedule::new(Instant::now()),
        }
    }

    /// Clears the registry: a process that ended while its breaker was open has left it open there.
    pub(super) async fn clear_breaker(&self) {
        if self.runtime.circuit.is_some()
            && let Err(error) = note_breaker(&self.pool, self.runtime.id, None).await
        {
            throttled!(warn, %error, handler = %self.runtime.name,
                "the registry may show the circuit breaker as open although it is closed");
        }
    }

    /// Compares the deliveries that the outbox has under this lease with those known here, if there
    /// is a reason to. No claim for this handler may run meanwhile: then each unknown delivery is
    /// from a claim whose response was lost.
    pub(super) async fn reconcile_if_due(&mut self) {
        let now = Instant::now();
        let uncertainty = self.runtime.in_flight.take_uncertainty();
        self.schedule.add(uncertainty, now);
        if self.schedule.is_due(now) {
            let succeeded = self.reconcile().await.is_ok();
            self.schedule.compared(now, succeeded);
        }
    }

    /// Whether a claim or a delivery is still uncertain.
    pub(super) fn is_uncertain(&mut self) -> bool {
        let uncertainty = self.runtime.in_flight.take_uncertainty();
        self.schedule.add(uncertainty, Instant::now());
        self.schedule.remains()
    }

    /// Reconciles when the worker stops: a claim may have been interrupted.
    pub(super) async fn reconcile_after_claims(&self) -> Result<(), StoreError> {
        let Some(lease) = self.leases.borrow().clone() else {
            return Ok(());
        };
        wait_for_claims(&self.pool, lease.id).await?;
        self.reconcile().await
    }

    /// Releases the deliveries that the outbox has under this lease and this process does not know
    /// of: the response to their claim was lost.
    async fn reconcile(&self) -> Result<(), StoreError> {
        let Some(lease) = self.leases.borrow().clone() else {
            return Ok(());
        };
        let known = self.runtime.in_flight.known();
        match release_unknown(&self.pool, lease.id, self.runtime.id, &known).await {
            Ok(0) => Ok(()),
            Ok(freed) => {
                throttled!(warn, freed, handler = %self.runtime.name, "released deliveries whose claim response was lost");
                Ok(())
            }
            Err(error) => {
                throttled!(warn, %error, handler = %self.runtime.name, "in-flight reconciliation failed, retrying");
                tokio::time::sleep(RETRY).await;
                Err(error)
            }
        }
    }
}
