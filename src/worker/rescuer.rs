//! Takes over what dead workers held.

use super::{keeper::Tenures, wake::Wake};
use crate::health::Heartbeat;
use crate::metrics::Metrics;
use crate::store::{Rescued, rescue_expired, rescue_pulled, sweep_orphans, wake_all_keys};
use sqlx::PgPool;
use std::time::{Duration, Instant};

/// How often it looks for expired leases.
const EVERY: Duration = Duration::from_secs(3);

/// How often it looks for deliveries under no lease at all.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Rescuer {
    pub(super) pool: PgPool,
    pub(super) tenures: Tenures,
    pub(super) metrics: Metrics,
    pub(super) wake: Wake,
    pub(super) heartbeat: Heartbeat,
}

impl Rescuer {
    pub(super) async fn run(self) {
        let mut swept = Instant::now();
        loop {
            tokio::time::sleep(EVERY.mul_f64(1.0 + 0.2 * rand::random::<f64>())).await;
            self.heartbeat.tick();
            let tenure = self.tenures.borrow().clone();
            if !tenure.is_some_and(|tenure| tenure.may_judge(Instant::now())) {
                continue;
            }
            let mut rescued = match (rescue_expired(&self.pool).await, rescue_pulled(&self.pool).await) {
                (Ok(workers), Ok(pulled)) => Ok([workers, pulled].concat()),
                (failed @ Err(_), _) | (_, failed @ Err(_)) => failed,
            };
            if swept.elapsed() >= SWEEP_EVERY {
                swept = Instant::now();
                rescued = match (rescued, sweep_orphans(&self.pool).await) {
                    (Ok(mut expired), Ok(orphans)) => {
                        expired.extend(orphans);
                        Ok(expired)
                    }
                    (failed @ Err(_), _) | (_, failed @ Err(_)) => failed,
                };
            }
            match rescued {
                Ok(rescued) => {
                    self.wake_behind_dead(&rescued).await;
                    self.report(&rescued);
                }
                Err(error) => {
                    tracing::warn!(%error, "looking for deliveries of dead workers failed; this is tried again")
                }
            }
        }
    }

    /// What was given up as lost may have stood before others of its key.
    async fn wake_behind_dead(&self, rescued: &[Rescued]) {
        for Rescued { handler, .. } in rescued.iter().filter(|rescued| rescued.dead > 0) {
            if let Err(error) = wake_all_keys(&self.pool, *handler).await {
                tracing::warn!(%error, handler = handler.0, "what waits behind a lost delivery is not due yet; a sweep finds it");
            }
        }
    }

    fn report(&self, rescued: &[Rescued]) {
        for Rescued { handler, rescued, dead } in rescued {
            tracing::warn!(handler = handler.0, rescued, dead, "deliveries of a dead worker were taken over");
            self.metrics.count("worker", "rescue", "lost", rescued.unsigned_abs());
        }
        if !rescued.is_empty() {
            self.wake.wake();
        }
    }
}
