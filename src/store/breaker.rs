//! Records the state of circuit breakers in the database, for views and alerts. Workers do not read
//! it.

use super::{HandlerId, StoreError, clock::interval_millis, connect::POOLED, error::within};
use sqlx::PgPool;
use std::time::Duration;

const OPEN: &str = "UPDATE hookfast_data.handlers SET \
        breaker_opened_at = coalesce(breaker_opened_at, clock_timestamp()), \
        breaker_until = clock_timestamp() + $2 * interval '1 millisecond' \
    WHERE id = $1 AND retired_at IS NULL";

const CLOSED: &str = "UPDATE hookfast_data.handlers SET breaker_opened_at = NULL, breaker_until = NULL \
    WHERE id = $1 AND breaker_opened_at IS NOT NULL";

/// Records that the circuit breaker of a handler is open for `pause`, or, with `None`, that it is
/// closed.
///
/// # Errors
/// If the database cannot be queried.
pub async fn note_breaker(
    pool: &PgPool,
    handler: HandlerId,
    pause: Option<Duration>,
) -> Result<(), StoreError> {
    let statement = match pause {
        Some(pause) => sqlx::query(OPEN)
            .bind(handler.0)
            .bind(interval_millis(pause)),
        None => sqlx::query(CLOSED).bind(handler.0),
    };
    within(POOLED, "record a circuit breaker", statement.execute(pool))
        .await
        .map(drop)
}
