//! What has to be done now and then: partitions ahead, indexes, counts into the rollups, new events indexed, replays,
//! alerts, retention. Each is a loop of its own, so that none waits for another or fails with it.

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

/// How often counts are added to the rollups, and the database is looked at.
const EVERY: Duration = Duration::from_secs(5);

/// How often counts that wait, and a readiness that has changed, are looked for in between: whoever asks right after a
/// start or an event is to see it.
const SOON: Duration = Duration::from_millis(500);

/// How often the partitions are looked at, a day is made two weeks ahead, and the indexes.
const PARTITIONS_EVERY: Duration = Duration::from_secs(3600);

/// How often the database's clock is measured.
const CLOCK_EVERY: Duration = Duration::from_secs(30);

/// A loop that has not come round for this long is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// The condition that the database answers.
pub(crate) const DATABASE: &str = "database";

/// The connections of the maintenance besides those of the pool, by purpose: the clock, retention and indexes.
pub(crate) const CONNECTIONS: [(&str, u32); 1] = [("maintenance", 3)];

/// The conditions of readiness that do not hold, each with its reason.
type Unmet = Vec<(String, String)>;

/// What the maintenance works with.
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
            self.keep_up(&stop),
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
            tracing::warn!(%error, "the database does not know that this process has ended; it shows as gone in 20 s");
        }
    }

    async fn keep_up(&self, stop: &CancellationToken) {
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
                // Once while it lasts: it goes on until somebody sets a clock.
                if difference.is_large() && !clock_is_off {
                    tracing::warn!(
                        "{difference}. Events have the database's time; requests that senders sign with a time are refused \
                         as stale once it is more than their tolerance (5 minutes), and so may be what handlers are sent. \
                         Have both clocks set by NTP"
                    );
                }
                clock_is_off = difference.is_large();
            }
            if Instant::now() >= partitions_at {
                match ensure_partitions(&self.pool).await {
                    Ok(_) => partitions_at = Instant::now() + PARTITIONS_EVERY,
                    Err(error) => {
                        throttled!(error, %error, "partitions could not be made ahead; this is tried again")
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

    /// Waits until there are counts to add, or the readiness differs from what was written; at most [`EVERY`].
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

    /// Adds what was counted, and says that this process lives. Counts of a failed statement are gone: they are for
    /// looking, not for accounting. Returns the conditions that did not hold.
    async fn add_counts(&self) -> Unmet {
        let counts = self.metrics.take_pending();
        match add_rollups(&self.pool, &counts).await {
            Ok(()) => self.readiness.set(DATABASE, Ok(())),
            Err(error) => {
                throttled!(warn, %error, counts = counts.len(), "counts could not be added to the rollups and are left out");
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
            throttled!(warn, %error, "the counts of SQL clients are not in the rollups yet; this is tried again");
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
                throttled!(warn, %error, "the database does not know for now that this process lives; this is tried again")
            }
        }
        unmet
    }
}

/// Beside everything else, since a large table's index takes its time.
async fn keep_indexes(database: &Database) {
    loop {
        if let Err(error) = ensure_indexes(database).await {
            throttled!(warn, %error, "not every index could be built; nothing is wrong without, and this is tried again");
        }
        tokio::time::sleep(PARTITIONS_EVERY).await;
    }
}
