//! The days of `events`, `attempts` and `search_terms`: partitions by ranges of event ids, made ahead.

use super::{StoreError, connect::POOLED, error::within, locks::lock};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, Row};
use std::time::Duration;

/// How many days ahead there are partitions.
const DAYS_AHEAD: i32 = 14;

/// DDL of the running program may be late, but may not queue in front of ingest.
const LOCK_TIMEOUT: &str = "100ms";

/// How often, and how long apart, a partition is tried before it is left for the next round.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);

/// Every wanted day that is not attached, for each of the tables, with its bounds. From yesterday on, since a moment's
/// id may be of the day before; and of older days those that events have, which an upgrade's new table lacks.
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
        hookfast_data.id_at(d.day AT TIME ZONE 'UTC')::text AS lower, \
        hookfast_data.id_at((d.day + interval '1 day') AT TIME ZONE 'UTC')::text AS upper \
    FROM days d CROSS JOIN (VALUES ('events'), ('attempts'), ('search_terms')) AS t (name) \
    WHERE to_regclass('hookfast_data.' || t.name) IS NOT NULL \
        AND NOT EXISTS (SELECT FROM attached a WHERE a.name = t.name || '_' || to_char(d.day, 'YYYYMMDD')) \
    ORDER BY d.day, t.name";

/// Whether a day is attached. That its table is there is not enough: somebody may have detached it.
const ATTACHED: &str =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhrelid = to_regclass('hookfast_data.' || $1))";

/// Makes what is missing up to two weeks ahead; answers with how many partitions it made.
///
/// The table first, then ATTACH, which locks out no reader and no writer; CREATE … PARTITION OF would make all
/// ingest wait behind the oldest reader. Several processes may do this at once.
///
/// # Errors
/// Where the database cannot be asked, or a lock was not had in ten seconds; what was made stays.
pub async fn ensure_partitions(pool: &PgPool) -> Result<usize, StoreError> {
    const STATEMENT: &str = "make partitions";
    let mut connection = within(POOLED, STATEMENT, pool.acquire()).await?;
    let missing = sqlx::query(MISSING).bind(DAYS_AHEAD).fetch_all(&mut *connection);
    let missing = within(POOLED, STATEMENT, missing).await?;
    for row in &missing {
        let column = |name: &str| row.try_get::<String, _>(name);
        let make = async {
            let (parent, partition) = (column("parent")?, column("partition")?);
            make(&mut connection, &parent, &partition, &column("lower")?, &column("upper")?).await
        };
        within(POOLED, STATEMENT, make).await?;
    }
    Ok(missing.len())
}

/// One process at a time, and only what is still missing: so it does not matter who comes first.
async fn make(
    connection: &mut PgConnection,
    parent: &str,
    partition: &str,
    lower: &str,
    upper: &str,
) -> Result<(), sqlx::Error> {
    let prepare = format!("SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'");
    let attach = format!(
        "CREATE TABLE IF NOT EXISTS hookfast_data.{partition} (LIKE hookfast_data.{parent} INCLUDING ALL); \
         ALTER TABLE hookfast_data.{parent} ATTACH PARTITION hookfast_data.{partition} \
             FOR VALUES FROM ('{lower}') TO ('{upper}')"
    );
    let mut tries = 0;
    loop {
        let mut transaction = connection.begin().await?;
        let making = async {
            sqlx::raw_sql(AssertSqlSafe(prepare.as_str())).execute(&mut *transaction).await?;
            lock(&mut transaction, "partitions").await?;
            let attached: bool = sqlx::query_scalar(ATTACHED).bind(partition).fetch_one(&mut *transaction).await?;
            if !attached {
                sqlx::raw_sql(AssertSqlSafe(attach.as_str())).execute(&mut *transaction).await?;
            }
            Ok(())
        };
        let Err(error) = making.await else { return transaction.commit().await };
        transaction.rollback().await?;
        match code(&error).as_deref() {
            Some("55P03" | "40P01") if tries < TRIES => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            _ => return Err(error),
        }
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|c| c.into_owned())
}
