//! Recurring work of a process: makes partitions and indexes, adds counts to the rollups, indexes
//! new events, runs replays, raises alerts, and applies retention. Each job has its own loop, so
//! that none waits for another or fails with it.

mod periodic;
mod retention;

use crate::store::{
    ClockDifference, Database, DatabaseClock, Process, Role, StoreError, add_rollups,
    ensure_indexes, ensure_partitions, fold_counts,
};
use crate::telemetry::{
    health::{Heartbeats, Readiness},
    metrics::Metrics,
};
use crate::throttle::throttled;
use sqlx::PgPool;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How often counts are added to the rollups and the process is recorded as alive. This also shows
/// whether the database responds.
const EVERY: Duration = Duration::from_secs(5);

/// How often to check in between for pending counts and a changed readiness. Someone who looks
/// right after a start or an event must see it.
const SOON: Duration = Duration::from_millis(500);

/// How often partitions and indexes are checked. The partition of a day is made two weeks ahead.
const PARTITIONS_EVERY: Duration = Duration::from_secs(3600);

const CLOCK_EVERY: Duration = Duration::from_secs(30);

/// A loop without a heartbeat for this long is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// The readiness condition: the database responds.
pub(crate) const DATABASE: &str = "database";

/// The connections of the maintenance outside the pool, by purpose: the clock, retention and
/// indexes.
pub(crate) const CONNECTIONS: [(&str, u32); 1] = [("maintenance", 3)];

/// The conditions of readiness that are not met, each with its reason.
type Unmet = Vec<(String, String)>;

/// The parts of the process that the maintenance needs.
#[derive(Clone)]
pub(crate) struct Maintenance {
    pub(crate) database: Database,
    pub(crate) pool: PgPool,
    pub(crate) clock: DatabaseClock,
    pub(crate) metrics: Metrics,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) readiness: Readiness,
    pub(crate) process: Process,
}

impl Maintenance {
    /// Runs until `stop` is cancelled, and then adds the last counts.
    pub(crate) async fn run(self, stop: CancellationToken) {
        tokio::join!(
            self.run_until_stopped(&stop),
            periodic::index(&self, &stop),
            periodic::alerts(&self, &stop),
            periodic::replays(&self, &stop),
            periodic::retired(&self, &stop),
            periodic::watch(&self, &stop),
            retention::run(&self, &stop),
            stop.run_until_cancelled(keep_indexes(&self.database))
        );
        self.add_counts().await;
        if let Err(error) = self.process.has_ended(&self.pool).await {
            tracing::warn!(%error,
                "the end of this process could not be recorded; the process is listed as alive for up to 20 s");
        }
    }

    async fn run_until_stopped(&self, stop: &CancellationToken) {
        let heartbeat = self.heartbeats.register("maintenance", STUCK);
        let mut partitions_at = Instant::now() + PARTITIONS_EVERY;
        let (mut clock_at, mut clock_is_off) = (Instant::now(), false);
        loop {
            heartbeat.tick();
            let written = self.add_counts().await;
            if Instant::now() >= clock_at
                && let Ok(difference) = self.measure_clock().await
            {
                clock_at = Instant::now() + CLOCK_EVERY;
                self.metrics.clock_difference(difference.seconds());
                // Logged once while it lasts, because it lasts until someone sets a clock.
                if difference.is_large() && !clock_is_off {
                    tracing::warn!(
                        "{difference}. Events have the database's time. If the difference exceeds the tolerance (5 \
                         minutes), requests with a signed time are rejected as stale, and receivers may reject \
                         deliveries. Synchronize both clocks with NTP"
                    );
                }
                clock_is_off = difference.is_large();
            }
            if Instant::now() >= partitions_at {
                match ensure_partitions(&self.pool).await {
                    Ok(_) => partitions_at = Instant::now() + PARTITIONS_EVERY,
                    Err(error) => {
                        throttled!(error, %error, "partitions could not be created ahead, retrying")
                    }
                }
            }
            if stop
                .run_until_cancelled(self.until_changed(&written))
                .await
                .is_none()
            {
                break;
            }
        }
        heartbeat.retire();
    }

    /// Waits until there are counts to add, or the readiness differs from `written`, for at most
    /// [`EVERY`].
    async fn until_changed(&self, written: &Unmet) {
        let begun = Instant::now();
        loop {
            tokio::time::sleep(SOON).await;
            if begun.elapsed() >= EVERY
                || self.metrics.has_pending()
                || self.readiness.unmet() != *written
            {
                return;
            }
        }
    }

    async fn measure_clock(&self) -> Result<ClockDifference, StoreError> {
        let mut connection = self.database.connect(Role::General).await?;
        let measured = self.clock.measure(&mut connection).await;
        connection.close().await;
        measured
    }

    /// Adds the pending counts and records that this process is alive. If the statement fails, its
    /// counts are lost: they are for monitoring, not for accounting. Returns the conditions that
    /// are not met.
    async fn add_counts(&self) -> Unmet {
        let counts = self.metrics.take_pending();
        match add_rollups(&self.pool, &counts).await {
            Ok(()) => self.readiness.set(DATABASE, Ok(())),
            Err(error) => {
                throttled!(warn, %error, counts = counts.len(),
                    "counts could not be added to the rollups and are lost");
                self.readiness.set(
                    DATABASE,
                    Err("the database does not answer; requests get 503 until it does".to_owned()),
                );
                return self.readiness.unmet();
            }
        }
        let unmet = self.readiness.unmet();
        let reasons: Vec<_> = unmet
            .iter()
            .map(|(name, why)| format!("{name}: {why}"))
            .collect();
        let not_ready = (!reasons.is_empty()).then(|| reasons.join("; "));
        if let Err(error) = fold_counts(&self.pool).await {
            throttled!(warn, %error, "the counts of SQL clients could not be added to the rollups, retrying");
        }
        match self
            .process
            .is_alive(&self.pool, not_ready.as_deref())
            .await
        {
            Ok(retired) if retired.is_empty() => {}
            Ok(retired) => tracing::warn!(
                handlers = retired.join(", "),
                "handlers were retired that this process has in its configuration, so they are subscribed again. Events \
                 that arrived while they were retired are not delivered to them; hookfast.replay_all delivers those"
            ),
            Err(error) => {
                throttled!(warn, %error, "the heartbeat of this process could not be recorded, retrying")
            }
        }
        unmet
    }
}

/// Runs separately from the other jobs, because the index of a large table takes long.
async fn keep_indexes(database: &Database) {
    loop {
        if let Err(error) = ensure_indexes(database).await {
            throttled!(warn, %error, "not every index could be built, retrying; results stay correct without them");
        }
        tokio::time::sleep(PARTITIONS_EVERY).await;
    }
}
