//! What one process at a time does for all: the functions that keep the books for operators, each a step of its own.

use super::{StoreError, connect::POOLED, error::within};
use crate::throttle::throttled;
use sqlx::PgPool;

/// Adds up what SQL clients counted.
///
/// # Errors
/// Where the database cannot be asked.
pub async fn fold_counts(pool: &PgPool) -> Result<i64, StoreError> {
    step(
        pool,
        "fold counts",
        "SELECT hookfast_data.roll_up_counts()",
        None,
    )
    .await
}

/// Raises the alerts about new conflicts, up to so many; answers with how many.
///
/// # Errors
/// Where the database cannot be asked.
pub async fn announce_conflicts(pool: &PgPool, most: i64) -> Result<i64, StoreError> {
    step(
        pool,
        "announce conflicts",
        "SELECT hookfast_data.alert_conflicts($1)",
        Some(most),
    )
    .await
}

/// Raises the alerts about new dead letters, up to so many; answers with how many.
///
/// # Errors
/// Where the database cannot be asked.
pub async fn announce_dead(pool: &PgPool, most: i64) -> Result<i64, StoreError> {
    step(
        pool,
        "announce dead letters",
        "SELECT hookfast_data.alert_dead_letters($1)",
        Some(most),
    )
    .await
}

/// Looks for what is wrong, and raises alerts about new problems; answers with how many.
///
/// # Errors
/// Where the database cannot be asked.
pub async fn watch(pool: &PgPool) -> Result<i64, StoreError> {
    step(
        pool,
        "watch",
        "SELECT hookfast_data.evaluate_alerts()",
        None,
    )
    .await
}

/// The newest alerts that [`watch`] raised, oldest first: type, and what it is about.
///
/// # Errors
/// Where the database cannot be asked.
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

/// Lets every running replay go on by a step; answers with how many there are, and how many deliveries they made. One
/// that fails stops no other.
///
/// # Errors
/// Where the database cannot be asked for them; a step is whole or did not happen.
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
            "step a replay",
            "SELECT hookfast_data.advance_replay($1)",
            Some(*replay),
        )
        .await
        {
            Ok(deliveries) => made += deliveries,
            Err(error) => {
                throttled!(warn, %error, replay, "a replay could not go on; others do, and this is tried again")
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
