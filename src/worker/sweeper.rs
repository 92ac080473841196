//! Checks all pending deliveries in small steps for those that rescue and wake-ups have missed.

use super::{rescuer::report, wake::Wake};
use crate::store::{HandlerId, KeySweep, OutboxSweep, StoreError, live_workers, pulled_handlers};
use crate::telemetry::{health::Heartbeat, metrics::Metrics};
use crate::throttle::throttled;
use sqlx::PgPool;
use std::time::{Duration, Instant};

/// The shortest pause between two steps, multiplied by the number of live workers: all of them
/// together take one step in this time.
const STEP: Duration = Duration::from_millis(60);

/// The pause is this many times as long as the step before it took, multiplied by the number of
/// live workers, so together they use about a fortieth of one processor. They use more only if this
/// pause would be longer than [`LONGEST_STEP`]: one worker with steps over 128 ms, or ten with steps
/// over 13 ms. A step takes longer on a busy server, and then the sweep gets slower.
const PAUSE_FACTOR: u32 = 39;

/// The longest pause between two steps, however many workers are live.
const LONGEST_STEP: Duration = Duration::from_secs(5);

/// The pause after a whole sweep of the outbox. Also the shortest time between two sweeps of the
/// ordering keys of all handlers.
const REST: Duration = Duration::from_secs(60);

/// The pause between two sweeps of the ordering keys of this worker's ordered handlers.
const ORDERED_REST: Duration = Duration::from_secs(10);

/// Searches for deliveries whose lease no longer exists.
pub(super) async fn outbox(pool: PgPool, metrics: Metrics, wake: Wake, heartbeat: Heartbeat) {
    let mut sweep = OutboxSweep::default();
    let mut pace = Pace::default();
    loop {
        heartbeat.tick();
        let began = Instant::now();
        let more = match sweep.step(&pool).await {
            Ok((rescued, more)) => {
                report(&rescued, &metrics, &wake);
                more
            }
            Err(error) => {
                throttled!(warn, %error, "sweep of deliveries without a lease failed, retrying");
                true
            }
        };
        rest(
            if more {
                pace.pause(&pool, began.elapsed()).await
            } else {
                REST
            },
            &heartbeat,
        )
        .await;
    }
}

/// Searches for deliveries that wait for an earlier delivery of their ordering key although there
/// is none. It covers this worker's handlers and all pulled handlers, which no worker serves. For
/// handlers that are not ordered, it searches for deliveries that still wait for an order which the
/// handler no longer keeps.
pub(super) async fn keys(
    pool: PgPool,
    handlers: Vec<(HandlerId, bool)>,
    wake: Wake,
    heartbeat: Heartbeat,
) {
    let mut pace = Pace::default();
    let mut all_at: Option<Instant> = None;
    loop {
        let all = all_at.is_none_or(|at| at.elapsed() >= REST);
        let mut turn: Vec<_> = handlers
            .iter()
            .filter(|(_, ordered)| all || *ordered)
            .map(|(id, _)| *id)
            .collect();
        if all {
            all_at = Some(Instant::now());
            match pulled_handlers(&pool).await {
                Ok(pulled) => turn.extend(pulled),
                Err(error) => {
                    throttled!(warn, %error, "sweep of the ordering keys of pulled handlers failed, retrying");
                    all_at = None;
                }
            }
        }
        for handler in turn {
            if let Err(error) = keys_of(&pool, handler, &mut pace, &wake, &heartbeat).await {
                throttled!(warn, %error, handler = handler.0, "sweep of ordering keys failed, retrying");
                all_at = None;
            }
        }
        rest(ORDERED_REST, &heartbeat).await;
    }
}

async fn keys_of(
    pool: &PgPool,
    handler: HandlerId,
    pace: &mut Pace,
    wake: &Wake,
    heartbeat: &Heartbeat,
) -> Result<(), StoreError> {
    let mut sweep = KeySweep::new(handler);
    loop {
        heartbeat.tick();
        let began = Instant::now();
        let (changed, more) = sweep.step(pool).await?;
        let took = began.elapsed();
        if changed > 0 {
            // For some of them the regular wake-up is in progress: the previous delivery has just
            // been settled.
            tracing::debug!(changed, handler = handler.0, "made parked deliveries due");
            wake.wake();
        }
        if !more {
            return Ok(());
        }
        // Deliveries were stuck, so the next step follows without a pause.
        if changed == 0 {
            rest(pace.pause(pool, took).await, heartbeat).await;
        }
    }
}

/// The pause between two steps. It is longer with more workers, because all of them sweep the same
/// tables.
struct Pace {
    workers: u32,
    counted: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            workers: 1,
            counted: None,
        }
    }
}

impl Pace {
    async fn pause(&mut self, pool: &PgPool, took: Duration) -> Duration {
        if self.counted.is_none_or(|at| at.elapsed() >= REST) {
            // On an error the old count stays: the next steps will report the error.
            self.workers = live_workers(pool).await.unwrap_or(self.workers);
            self.counted = Some(Instant::now());
        }
        pause_after(took, self.workers)
    }
}

/// The pause after a step, with this number of live workers.
fn pause_after(took: Duration, workers: u32) -> Duration {
    let pause = STEP.max(took.saturating_mul(PAUSE_FACTOR));
    pause.saturating_mul(workers).min(LONGEST_STEP)
}

/// Waits up to a fifth longer, so that the workers do not run in lockstep.
async fn rest(pause: Duration, heartbeat: &Heartbeat) {
    const TICK: Duration = Duration::from_secs(10);
    let mut left = pause.mul_f64(1.0 + 0.2 * rand::random::<f64>());
    while !left.is_zero() {
        let part = left.min(TICK);
        tokio::time::sleep(part).await;
        left -= part;
        heartbeat.tick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_workers_together_use_a_fortieth_of_a_processor_until_the_longest_pause() {
        for (workers, longest_ms) in [(1, 128), (10, 12), (40, 3)] {
            for took in (0..=200).map(Duration::from_millis) {
                let paused_enough = pause_after(took, workers) >= took * 39 * workers;
                let short = took <= Duration::from_millis(longest_ms);
                assert_eq!(paused_enough, short, "{took:?} {workers}");
            }
        }
    }

    #[test]
    fn a_step_follows_within_five_seconds_and_not_before_60_ms() {
        for took in [
            Duration::ZERO,
            Duration::from_millis(20),
            Duration::from_secs(60),
            Duration::MAX,
        ] {
            for workers in [1, 2, 40, u32::MAX] {
                let pause = pause_after(took, workers);
                assert!(STEP <= pause && pause <= LONGEST_STEP, "{took:?} {workers}");
            }
        }
        assert_eq!(pause_after(Duration::ZERO, 3), STEP * 3);
    }
}
