//! What one process at a time does for all: new events read, news raised, replays moved on.

use super::{Maintenance, STUCK};
use crate::store::{StoreError, announce_dead, newest_alerts, read_new_events, step_replays, watch as look};
use crate::throttle::throttled;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How many new events one step reads, and how long the next step waits where there are more: it keeps up with a
/// thousand a second, and takes next to nothing from what brings more.
const EVENTS: i64 = 500;
const MORE: Duration = Duration::from_millis(500);

/// How long it waits where there is nothing to do.
const IDLE: Duration = Duration::from_secs(2);

/// How many dead letters one step announces.
const DEAD: i64 = 200;

/// How often it is looked for what is wrong.
const WATCH: Duration = Duration::from_secs(10);

pub(super) async fn run(maintenance: &Maintenance, stop: &CancellationToken) {
    let heartbeat = maintenance.heartbeats.register("chores", STUCK);
    loop {
        heartbeat.tick();
        let more = step(maintenance).await.unwrap_or_else(|error| {
            throttled!(warn, %error, "new events, news and replays wait for the database");
            false
        });
        let pause = if more { MORE } else { IDLE };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            break;
        }
    }
    heartbeat.retire();
}

/// Answers whether there is more to do soon.
async fn step(maintenance: &Maintenance) -> Result<bool, StoreError> {
    let pool = &maintenance.pool;
    let read = read_new_events(pool, EVENTS).await?;
    let dead = announce_dead(pool, DEAD).await?;
    let (replays, _) = step_replays(pool).await?;
    Ok(read == EVENTS || dead == DEAD || replays > 0)
}

pub(super) async fn watch(maintenance: &Maintenance, stop: &CancellationToken) {
    let heartbeat = maintenance.heartbeats.register("watch", STUCK);
    while stop.run_until_cancelled(tokio::time::sleep(WATCH)).await.is_some() {
        heartbeat.tick();
        match look(&maintenance.pool).await {
            Ok(0) => {}
            Ok(raised) => log_alerts(maintenance, raised).await,
            Err(error) => throttled!(warn, %error, "it cannot be looked for now whether something is wrong"),
        }
    }
    heartbeat.retire();
}

async fn log_alerts(maintenance: &Maintenance, raised: i64) {
    match newest_alerts(&maintenance.pool, raised).await {
        Ok(alerts) => {
            for (alert, subject) in alerts {
                tracing::warn!("type" = alert, subject, "alert raised; docs/RUNBOOK.md has a section for it");
            }
        }
        Err(error) => tracing::warn!(%error, raised, "alerts were raised; which ones could not be read"),
    }
}
