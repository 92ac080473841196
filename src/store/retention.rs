//! Applies retention: deletes expired events one day at a time, and expired rows of other classes
//! in batches.

use super::{
    Connection, Database, Role, StoreError,
    clock::interval_millis,
    connect::POOLED,
    error::{describe, within},
    locks::{Alone, LongWork},
    server_process::ServerProcess,
};
use crate::domain::Retention;
use crate::throttle::throttled;
use sqlx::{AssertSqlSafe, PgPool, Row};

const DIFFERS: &str = "SELECT EXISTS (SELECT FROM hookfast_data.retention r \
    JOIN unnest($1::text[], $2::bigint[]) AS t (class, ms) ON r.class = t.class \
    WHERE r.keep IS DISTINCT FROM t.ms * interval '1 millisecond')";

const SET: &str = "WITH changed AS (\
        UPDATE hookfast_data.retention r SET keep = t.ms * interval '1 millisecond' \
        FROM unnest($1::text[], $2::bigint[]) AS t (class, ms) \
        WHERE r.class = t.class AND r.keep IS DISTINCT FROM t.ms * interval '1 millisecond' RETURNING r.class, r.keep) \
    INSERT INTO hookfast_data.audit_log (action, target, details) \
    SELECT 'retention.set', class, jsonb_build_object('keep', coalesce(keep::text, 'forever')) FROM changed";

/// How many rows one statement deletes.
const BATCH: i64 = 1000;

/// One statement rewrites a day with the events that stay, which may take long.
const SLOW: &str = "SET statement_timeout = '15min'; SET lock_timeout = '100ms'";

/// The three tables of a day. `events` is the first: while it has the day, the other two get their
/// partitions again.
const TABLES: [&str; 3] = ["events", "attempts", "search_terms"];

/// The result of one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PurgeReport {
    /// Days whose partitions were removed.
    pub days: usize,
    /// Days of which some events stay.
    pub days_with_survivors: usize,
    /// Days that were in use. They are retried.
    pub days_in_use: usize,
    /// Deleted rows of other classes.
    pub rows: i64,
    /// Days and classes that failed. They are retried.
    pub failed: usize,
}

/// Stores the retention settings in the database.
///
/// # Errors
/// If the database cannot be queried.
pub async fn set_retention(pool: &PgPool, keep: &Retention) -> Result<(), StoreError> {
    let classes = [
        ("events", keep.events),
        ("dead_letters", keep.dead_letters),
        ("conflicts", keep.conflicts),
        ("rollups", keep.rollups),
        ("keys", keep.keys),
    ];
    let (names, keep) = (
        classes.map(|(class, _)| class),
        classes.map(|(_, keep)| keep.map(interval_millis)),
    );
    let setting = async {
        let differs = sqlx::query_scalar(DIFFERS)
            .bind(names.as_slice())
            .bind(keep.as_slice());
        if differs.fetch_one(pool).await? {
            sqlx::query(SET)
                .bind(names.as_slice())
                .bind(keep.as_slice())
                .execute(pool)
                .await?;
        }
        Ok(())
    };
    within(POOLED, "set the retention", setting).await
}

/// Deletes expired data, on a connection of its own. The first deletion of a class is announced,
/// and happens a day later; so is the first one after its retention was shortened. `stop` is
/// checked between steps.
///
/// # Errors
/// If the database cannot be queried. Data that was deleted before stays deleted.
pub async fn purge_expired(
    database: &Database,
    stop: impl Fn() -> bool,
) -> Result<PurgeReport, StoreError> {
    let Some(mut alone) = Alone::with(database, LongWork::Retention).await? else {
        return Ok(PurgeReport::default());
    };
    let mut connection = database.connect(Role::General).await?;
    let server = ServerProcess::behind(&mut connection.inner, database).await?;
    let report = server
        .wait("retention", round(&mut connection, &mut alone, stop))
        .await;
    connection.close().await;
    alone.end().await;
    report
}

/// Days come first: they free the most space, and rows may take as long as the round. A step that
/// fails is retried in the next round, and does not stop the others.
async fn round(
    connection: &mut Connection,
    alone: &mut Alone,
    stop: impl Fn() -> bool,
) -> Result<PurgeReport, sqlx::Error> {
    let connection = &mut connection.inner;
    sqlx::raw_sql(SLOW).execute(&mut *connection).await?;
    let mut report = PurgeReport::default();
    let days = days(connection, alone, &mut report, &stop).await;
    report.or_later(days, "days of events")?;
    for class in ["keys", "rollups", "dead_letters"] {
        let rows = rows(connection, alone, class, &mut report, &stop).await;
        report.or_later(rows, class)?;
    }
    Ok(report)
}

impl PurgeReport {
    /// Counts a failure, unless the connection is lost.
    fn or_later(&mut self, result: Result<(), sqlx::Error>, what: &str) -> Result<(), sqlx::Error> {
        match result {
            Err(error) if matches!(error, sqlx::Error::Database(_)) => {
                throttled!(
                    error,
                    error = describe(&error),
                    what,
                    "expired data could not be purged, retrying; other data is purged"
                );
                self.failed += 1;
                Ok(())
            }
            other => other,
        }
    }
}

async fn days(
    connection: &mut sqlx::PgConnection,
    alone: &mut Alone,
    report: &mut PurgeReport,
    stop: &impl Fn() -> bool,
) -> Result<(), sqlx::Error> {
    if !may_purge(connection, "events").await? {
        return Ok(());
    }
    let days =
        sqlx::query("SELECT day::text, to_char(day, 'YYYYMMDD') FROM hookfast_data.expired_days()");
    for row in days.fetch_all(&mut *connection).await? {
        if stop() {
            break;
        }
        alone.check().await?;
        let (name, suffix): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let emptied = day(connection, &name, &suffix, report).await;
        report.or_later(emptied, &name)?;
    }
    drop_empty(connection).await
}

async fn day(
    connection: &mut sqlx::PgConnection,
    day: &str,
    suffix: &str,
    report: &mut PurgeReport,
) -> Result<(), sqlx::Error> {
    let empty = sqlx::query_scalar("SELECT hookfast_data.purge_day($1::date)").bind(day);
    match empty.fetch_one(&mut *connection).await? {
        None => report.days_in_use += 1,
        Some(0i64) => {
            for table in TABLES {
                detach(connection, table, suffix).await?;
            }
            report.days += 1;
        }
        Some(_) => report.days_with_survivors += 1,
    }
    Ok(())
}

async fn rows(
    connection: &mut sqlx::PgConnection,
    alone: &mut Alone,
    class: &str,
    report: &mut PurgeReport,
    stop: &impl Fn() -> bool,
) -> Result<(), sqlx::Error> {
    let mut since = "-infinity".to_owned();
    while may_purge(connection, class).await? && !stop() {
        alone.check().await?;
        let (rows, upto): (i64, String) = sqlx::query_as(
            "SELECT purged, upto::text FROM hookfast_data.purge_rows($1, $2, $3::timestamptz)",
        )
        .bind(class)
        .bind(BATCH)
        .bind(&since)
        .fetch_one(&mut *connection)
        .await?;
        report.rows += rows;
        since = upto;
        if rows < BATCH {
            break;
        }
    }
    Ok(())
}

async fn may_purge(connection: &mut sqlx::PgConnection, class: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT hookfast_data.purge_allowed($1)")
        .bind(class)
        .fetch_one(connection)
        .await
}

/// Whether the partition of a day is attached, and whether an earlier detachment of it has not
/// finished.
const ATTACHED: &str = "SELECT i.inhdetachpending FROM pg_catalog.pg_inherits i \
    WHERE i.inhrelid = to_regclass('hookfast_data.' || $1)";

/// This blocks nobody: it waits for transactions that read the whole table, and other transactions
/// proceed meanwhile. If it takes too long, a later round finishes it.
async fn detach(
    connection: &mut sqlx::PgConnection,
    table: &str,
    suffix: &str,
) -> Result<(), sqlx::Error> {
    let day = format!("{table}_{suffix}");
    let how = match sqlx::query_scalar(ATTACHED)
        .bind(&day)
        .fetch_optional(&mut *connection)
        .await?
    {
        None => return Ok(()),
        Some(false) => "CONCURRENTLY",
        Some(true) => "FINALIZE",
    };
    let statement =
        format!("ALTER TABLE hookfast_data.{table} DETACH PARTITION hookfast_data.{day} {how}");
    sqlx::raw_sql("SET lock_timeout = '10s'")
        .execute(&mut *connection)
        .await?;
    let detached = sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut *connection)
        .await;
    sqlx::raw_sql("SET lock_timeout = '100ms'")
        .execute(&mut *connection)
        .await?;
    retry_if_in_use(detached.map(drop))
}

/// Detached partitions that are older than the retention of events. Only an empty one is dropped:
/// somebody may have detached one with its rows, and keeps it.
const DETACHED: &str = "SELECT c.relname::text FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'hookfast_data' \
    CROSS JOIN hookfast_data.retention r \
    WHERE r.class = 'events' AND c.relkind = 'r' AND NOT c.relispartition \
        AND c.relname ~ '^(events|attempts|search_terms)_[0-9]{8}$' \
        AND to_date(right(c.relname, 8), 'YYYYMMDD') < current_date - r.keep ORDER BY 1";

async fn drop_empty(connection: &mut sqlx::PgConnection) -> Result<(), sqlx::Error> {
    let detached: Vec<String> = sqlx::query_scalar(DETACHED)
        .fetch_all(&mut *connection)
        .await?;
    for day in detached {
        let any = format!("SELECT EXISTS (SELECT FROM hookfast_data.{day})");
        if !sqlx::query_scalar::<_, bool>(AssertSqlSafe(any))
            .fetch_one(&mut *connection)
            .await?
        {
            let statement = format!("DROP TABLE hookfast_data.{day}");
            retry_if_in_use(
                sqlx::raw_sql(AssertSqlSafe(statement))
                    .execute(&mut *connection)
                    .await
                    .map(drop),
            )?;
        }
    }
    Ok(())
}

/// A lock that was not available, or a statement that took too long, is retried in a later
/// round.
fn retry_if_in_use(result: Result<(), sqlx::Error>) -> Result<(), sqlx::Error> {
    match result {
        Err(error) if matches!(code(&error).as_deref(), Some("55P03" | "57014" | "55000")) => {
            throttled!(
                info,
                error = describe(&error),
                "an expired day is still in use; it is purged later"
            );
            Ok(())
        }
        other => other,
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|c| c.into_owned())
}
