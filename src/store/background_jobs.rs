//! Runs the periodic jobs in the database that one process at a time does for all: counts, alerts
//! and replays. Each call is one step.

use super::{StoreError, connect::POOLED, error::within};
use crate::throttle::throttled;
use sqlx::PgPool;

/// Adds the counts of SQL clients to the rollups. Returns the number of counts.
///
/// # Errors
/// If the database cannot be queried.
pub async fn fold_counts(pool: &PgPool) -> Result<i64, StoreError> {
    step(
        pool,
        "fold counts",
        "SELECT hookfast_data.roll_up_counts()",
        None,
    )
    .await
}

/// Raises alerts for at most `most` new conflicts. Returns their number.
///
/// # Errors
/// If the database cannot be queried.
pub async fn announce_conflicts(pool: &PgPool, most: i64) -> Result<i64, StoreError> {
    step(
        pool,
        "announce conflicts",
        "SELECT hookfast_data.alert_conflicts($1)",
        Some(most),
    )
    .await
}

/// Raises alerts for at most `most` new dead letters. Returns their number.
///
/// # Errors
/// If the database cannot be queried.
pub async fn announce_dead(pool: &PgPool, most: i64) -> Result<i64, StoreError> {
    step(
        pool,
        "announce dead letters",
        "SELECT hookfast_data.alert_dead_letters($1)",
        Some(most),
    )
    .await
}

/// Evaluates the conditions of all alerts, and raises alerts for new problems and for problems that
/// have ended. Returns their number.
///
/// # Errors
/// If the database cannot be queried.
pub async fn watch(pool: &PgPool) -> Result<i64, StoreError> {
    step(
        pool,
        "watch",
        "SELECT hookfast_data.evaluate_alerts()",
        None,
    )
    .await
}

/// Returns the newest alerts that [`watch`] raised, oldest first: the type and the subject of each.
///
/// # Errors
/// If the database cannot be queried.
pub async fn newest_alerts(pool: &PgPool, count: i64) -> Result<Vec<(String, String)>, StoreError> {
    let list = sqlx::query_as(
        "SELECT n.type, concat_ws(' ', n.payload->>'handler', n.payload->>'source', n.payload->>'class', n.payload->>'delivery_id', \
            n.payload->>'event_id') FROM hookfast.alerts n \
        WHERE n.type NOT IN ('hookfast.delivery.dead', 'hookfast.conflict') ORDER BY n.event_id DESC LIMIT $1",
    )
    .bind(count)
    .fetch_all(pool);
    let mut alerts: Vec<(String, String)> = within(POOLED, "list alerts", list).await?;
    alerts.reverse();
    Ok(alerts)
}

/// Advances every running replay by one step. Returns the number of running replays, and the number
/// of deliveries that were created. A replay that fails does not stop the others.
///
/// # Errors
/// If the running replays cannot be listed. A step that fails changes nothing.
pub async fn step_replays(pool: &PgPool) -> Result<(usize, i64), StoreError> {
    let running: Vec<i64> = within(
        POOLED,
        "find replays",
        sqlx::query_scalar(
            "SELECT id FROM hookfast_data.replays WHERE state = 'running' ORDER BY id",
        )
        .fetch_all(pool),
    )
    .await?;
    let mut made = 0;
    for replay in &running {
        match step(
            pool,
            "advance a replay",
            "SELECT hookfast_data.advance_replay($1)",
            Some(*replay),
        )
        .await
        {
            Ok(deliveries) => made += deliveries,
            Err(error) => {
                throttled!(warn, %error, replay,
                    "a replay could not be advanced, retrying; other replays are not affected")
            }
        }
    }
    Ok((running.len(), made))
}

async fn step(
    pool: &PgPool,
    what: &'static str,
    statement: &'static str,
    argument: Option<i64>,
) -> Result<i64, StoreError> {
    let query = sqlx::query_scalar(statement);
    let query = if let Some(argument) = argument {
        query.bind(argument)
    } else {
        query
    };
    within(POOLED, what, query.fetch_one(pool)).await
}
