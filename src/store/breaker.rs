//! Where a handler's circuit breaker shows: for people, nothing acts on it.

use super::{HandlerId, StoreError, clock::interval_millis, connect::POOLED, error::within};
use sqlx::PgPool;
use std::time::Duration;

const OPEN: &str = "UPDATE hookfast_data.handlers SET \
        breaker_opened_at = coalesce(breaker_opened_at, clock_timestamp()), \
        breaker_until = clock_timestamp() + $2 * interval '1 millisecond' \
    WHERE id = $1 AND retired_at IS NULL";

const CLOSED: &str = "UPDATE hookfast_data.handlers SET breaker_opened_at = NULL, breaker_until = NULL \
    WHERE id = $1 AND breaker_opened_at IS NOT NULL";

/// Notes that a handler is left alone for a while, or, with `None`, that it is not any more.
///
/// # Errors
/// Where the database cannot be asked.
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
    within(POOLED, "note a breaker", statement.execute(pool))
        .await
        .map(drop)
}
