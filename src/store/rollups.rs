//! Adds counts of things that have no rows of their own to the rollups by minute.

use super::{StoreError, connect::POOLED, error::within};
use sqlx::PgPool;

/// Adds the counts of a process to the current minute: subject, counter and value.
///
/// # Errors
/// If the statement fails. It is not known then whether the counts were added.
pub async fn add_rollups(
    pool: &PgPool,
    counts: &[(String, &'static str, i64)],
) -> Result<(), StoreError> {
    within(
        POOLED,
        "add rollups",
        sqlx::query(
            "INSERT INTO hookfast_data.rollups AS r (minute, subject, counter, value) \
         SELECT date_trunc('minute', clock_timestamp()), subject, counter, value \
         FROM unnest($1::text[], $2::text[], $3::bigint[]) AS t (subject, counter, value) ORDER BY subject, counter \
         ON CONFLICT (minute, subject, counter) DO UPDATE SET value = r.value + excluded.value",
        )
        .bind(counts.iter().map(|c| c.0.as_str()).collect::<Vec<_>>())
        .bind(counts.iter().map(|c| c.1).collect::<Vec<_>>())
        .bind(counts.iter().map(|c| c.2).collect::<Vec<_>>())
        .execute(pool),
    )
    .await
    .map(drop)
}
