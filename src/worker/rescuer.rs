//! Takes over what dead workers held.

use super::{keeper::Tenures, wake::Wake};
use crate::health::Heartbeat;
use crate::metrics::Metrics;
use crate::store::{Rescued, StoreError, rescue_expired, rescue_pulled, sweep_orphans, wake_pulled_keys};
use crate::throttle::throttled;
use sqlx::PgPool;
use std::time::{Duration, Instant};

/// How often it looks for expired leases.
const EVERY: Duration = Duration::from_secs(3);

/// How often it looks for deliveries under no lease at all, and for keys that nobody woke.
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
            self.tell(rescue_expired(&self.pool).await);
            self.tell(rescue_pulled(&self.pool).await);
            if swept.elapsed() >= SWEEP_EVERY {
                swept = Instant::now();
                self.tell(sweep_orphans(&self.pool).await);
                if let Err(error) = wake_pulled_keys(&self.pool).await {
                    throttled!(warn, %error, "the order of what is pulled cannot be looked at for now; this is tried again");
                }
            }
        }
    }

    /// Each by itself: what one found is told although another failed.
    fn tell(&self, rescued: Result<Vec<Rescued>, StoreError>) {
        match rescued {
            Ok(rescued) => self.report(&rescued),
            Err(error) => {
                throttled!(warn, %error, "looking for deliveries of dead workers failed; this is tried again")
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
