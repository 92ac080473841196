//! Creates the daily partitions of `events`, `attempts` and `search_terms` ahead of time. Each is a
//! range of event ids.

use super::{StoreError, connect::POOLED, error::within};
use sqlx::{Connection as _, PgConnection, PgPool, Row};
use std::time::Duration;

/// How many days ahead partitions are created.
const DAYS_AHEAD: i32 = 14;

/// DDL of the running program may be delayed, but must not queue in front of ingest.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '100ms'";

const MAKE: &str = "SELECT hookfast_data.create_partition($1, $2, $3::uuid, $4::uuid)";

/// How often a partition is retried, and after which pause, before it is left to the next round.
const MAX_ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);

/// Every day without an attached partition, for each of the tables, with its bounds. The days begin
/// with yesterday, since a current event id may belong to the day before. Older days are included
/// if `events` has them: a table that an upgrade adds lacks them.
const MISSING: &str = "\
    WITH attached AS MATERIALIZED ( \
        SELECT c.relname::text AS name FROM pg_catalog.pg_inherits i \
        JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'hookfast_data' \
    ), \
    days AS ( \
        SELECT d.day FROM generate_series( \
            date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') - interval '1 day', \
            date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') + $1 * interval '1 day', interval '1 day') AS d (day) \
        UNION \
        SELECT to_date(substring(a.name FROM '^events_([0-9]{8})$'), 'YYYYMMDD')::timestamp FROM attached a \
        WHERE a.name ~ '^events_[0-9]{8}$' \
    ) \
    SELECT t.name AS parent, t.name || '_' || to_char(d.day, 'YYYYMMDD') AS partition, \
        hookfast_data.event_id_at(d.day AT TIME ZONE 'UTC')::text AS lower, \
        hookfast_data.event_id_at((d.day + interval '1 day') AT TIME ZONE 'UTC')::text AS upper \
    FROM days d CROSS JOIN (VALUES ('events'), ('attempts'), ('search_terms')) AS t (name) \
    WHERE to_regclass('hookfast_data.' || t.name) IS NOT NULL \
        AND NOT EXISTS (SELECT FROM attached a WHERE a.name = t.name || '_' || to_char(d.day, 'YYYYMMDD')) \
    ORDER BY d.day, t.name";

/// Creates the missing partitions for the next two weeks. Returns their number.
///
/// Several processes, and applications that enqueue, may do this at the same time.
///
/// # Errors
/// If the database cannot be queried, or a lock was not available after all retries. Partitions
/// that were created before remain.
pub async fn ensure_partitions(pool: &PgPool) -> Result<usize, StoreError> {
    const STATEMENT: &str = "make partitions";
    let mut connection = within(POOLED, STATEMENT, pool.acquire()).await?;
    let missing = sqlx::query(MISSING)
        .bind(DAYS_AHEAD)
        .fetch_all(&mut *connection);
    let missing = within(POOLED, STATEMENT, missing).await?;
    for row in &missing {
        let column = |name: &str| row.try_get::<String, _>(name);
        let make = async {
            let (parent, partition) = (column("parent")?, column("partition")?);
            make(
                &mut connection,
                &parent,
                &partition,
                &column("lower")?,
                &column("upper")?,
            )
            .await
        };
        within(POOLED, STATEMENT, make).await?;
    }
    Ok(missing.len())
}

async fn make(
    connection: &mut PgConnection,
    parent: &str,
    partition: &str,
    lower: &str,
    upper: &str,
) -> Result<(), sqlx::Error> {
    let mut attempts = 0;
    loop {
        let mut transaction = connection.begin().await?;
        let making = async {
            sqlx::raw_sql(LOCK_TIMEOUT)
                .execute(&mut *transaction)
                .await?;
            let make = sqlx::query(MAKE)
                .bind(parent)
                .bind(partition)
                .bind(lower)
                .bind(upper);
            make.execute(&mut *transaction).await.map(drop)
        };
        let Err(error) = making.await else {
            return transaction.commit().await;
        };
        transaction.rollback().await?;
        match code(&error).as_deref() {
            Some("55P03" | "40P01") if attempts < MAX_ATTEMPTS => {
                attempts += 1;
                tokio::time::sleep(PAUSE).await;
            }
            _ => return Err(error),
        }
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|c| c.into_owned())
}
