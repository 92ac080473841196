//! Retires handlers that no configuration contains any more.

use super::{StoreError, connect::POOLED, error::within};
use crate::domain::HandlerName;
use sqlx::PgPool;

const UNCONFIGURED: &str = "SELECT h.name FROM hookfast_data.handlers h \
    WHERE h.retired_at IS NULL AND h.name <> ALL ($1) AND hookfast_data.served_by(h.id) IS NULL ORDER BY h.name";

const RETIRED: &str = "SELECT h.name FROM hookfast_data.handlers h \
    WHERE h.retired_at IS NOT NULL AND h.name = ANY ($1) ORDER BY h.name";

const RETIRE: &str = "SELECT h.name FROM hookfast_data.handlers h \
    CROSS JOIN LATERAL hookfast.retire_handler(h.name, $2, 'keep', 9223372036854775807) \
    WHERE h.retired_at IS NULL AND h.name = ANY ($1) AND hookfast_data.served_by(h.id) IS NULL";

/// Returns the registered handlers that are not in `configured`, and that no live process or client
/// serves.
///
/// # Errors
/// If the database cannot be queried.
pub async fn unconfigured_handlers(
    pool: &PgPool,
    configured: &[HandlerName],
) -> Result<Vec<String>, StoreError> {
    names(
        pool,
        "list unconfigured handlers",
        sqlx::query_scalar(UNCONFIGURED),
        configured,
    )
    .await
}

/// Returns those of the handlers that are retired.
///
/// # Errors
/// If the database cannot be queried.
pub async fn retired_handlers(
    pool: &PgPool,
    handlers: &[HandlerName],
) -> Result<Vec<String>, StoreError> {
    names(
        pool,
        "list retired handlers",
        sqlx::query_scalar(RETIRED),
        handlers,
    )
    .await
}

/// Retires those of the handlers that no live process or client serves, and keeps their pending
/// deliveries. Returns the names of the retired handlers.
///
/// # Errors
/// If the database cannot be queried.
pub async fn retire_handlers(
    pool: &PgPool,
    handlers: &[HandlerName],
    why: &str,
) -> Result<Vec<String>, StoreError> {
    let named: Vec<_> = handlers.iter().map(HandlerName::as_str).collect();
    let retire = sqlx::query_scalar(RETIRE)
        .bind(named)
        .bind(why)
        .fetch_all(pool);
    within(POOLED, "retire handlers", retire).await
}

/// Discards up to `most` pending deliveries of handlers that were retired with `discard`. Returns
/// their number.
///
/// # Errors
/// If the database cannot be queried.
pub async fn discard_retired(pool: &PgPool, most: i64) -> Result<i64, StoreError> {
    let discard = sqlx::query_scalar("SELECT hookfast_data.discard_retired(NULL, $1)")
        .bind(most)
        .fetch_one(pool);
    within(POOLED, "discard deliveries of retired handlers", discard).await
}

async fn names(
    pool: &PgPool,
    statement: &'static str,
    query: sqlx::query::QueryScalar<'_, sqlx::Postgres, String, sqlx::postgres::PgArguments>,
    handlers: &[HandlerName],
) -> Result<Vec<String>, StoreError> {
    let named: Vec<_> = handlers.iter().map(HandlerName::as_str).collect();
    within(POOLED, statement, query.bind(named).fetch_all(pool)).await
}
