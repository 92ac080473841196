//! Counts of what leaves no row of its own, added up by the minute.

use super::{StoreError, connect::POOLED, error::within};
use sqlx::PgPool;

/// Adds a process's counts to this minute's: subject, counter, how many.
///
/// # Errors
/// Where the statement failed; whether it was added is then not known.
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
