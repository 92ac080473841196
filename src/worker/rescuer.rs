//! Rescues deliveries: takes over those of workers and pulling clients whose lease has expired.

use super::{lease::ActiveLease, lease_renewer::ActiveLeases, sightings::Sightings, wake::Wake};
use crate::boot_time::BootTime;
use crate::store::{Rescued, StoreError, rescue, rescue_pulled, worker_leases};
use crate::telemetry::{health::Heartbeat, metrics::Metrics};
use crate::throttle::throttled;
use sqlx::PgPool;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How often to check for expired leases.
const EVERY: Duration = Duration::from_secs(3);

pub(super) struct Rescuer {
    pub(super) pool: PgPool,
    pub(super) leases: ActiveLeases,
    pub(super) metrics: Metrics,
    pub(super) wake: Wake,
    pub(super) heartbeat: Heartbeat,
    pub(super) sightings: Sightings,
}

impl Rescuer {
    pub(super) async fn run(mut self) {
        loop {
            tokio::time::sleep(EVERY.mul_f64(1.0 + 0.2 * rand::random::<f64>())).await;
            self.heartbeat.tick();
            let Some(own) = self.leases.borrow().clone() else {
                continue;
            };
            let rescued = self.rescue_workers(&own).await;
            self.report_result(rescued);
            if own.may_rescue(BootTime::now()) {
                let rescued = rescue_pulled(&self.pool).await;
                self.report_result(rescued);
            }
        }
    }

    /// Lists the leases even while this worker may not judge others. So it learns sooner which ones
    /// are renewed.
    async fn rescue_workers(&mut self, own: &Arc<ActiveLease>) -> Result<Vec<Rescued>, StoreError> {
        let leases = worker_leases(&self.pool).await?;
        let dead = self.sightings.dead(&leases, own.id, Instant::now());
        if dead.is_empty() || !own.may_rescue(BootTime::now()) {
            return Ok(Vec::new());
        }
        rescue(&self.pool, &dead).await
    }

    /// Reports the result of one rescue. Each rescue is reported by itself, so that the failure of
    /// one does not hide what the other took over.
    fn report_result(&self, rescued: Result<Vec<Rescued>, StoreError>) {
        match rescued {
            Ok(rescued) => report(&rescued, &self.metrics, &self.wake),
            Err(error) => {
                throttled!(warn, %error, "rescuing the deliveries of dead workers failed, retrying")
            }
        }
    }
}

/// Logs and counts the rescued deliveries, and wakes the claimers.
pub(super) fn report(rescued: &[Rescued], metrics: &Metrics, wake: &Wake) {
    for Rescued {
        handler,
        rescued,
        dead,
    } in rescued
    {
        tracing::warn!(
            handler = handler.0,
            rescued,
            dead,
            "rescued deliveries of a dead worker"
        );
        metrics.rescued(rescued.unsigned_abs());
    }
    if !rescued.is_empty() {
        wake.wake();
    }
}
