//! Builds indexes concurrently while the program runs. A migration would block ingest for as long.

use super::{
    Database, Role, StoreError,
    error::describe,
    locks::{Alone, LongWork},
    server_process::ServerProcess,
};
use crate::throttle::throttled;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use std::time::{Duration, Instant};

/// Readers and writers of a partition queue behind the lock that attaches a piece. So a try waits
/// for the lock no longer than this. A round has `MAX_ATTEMPTS` retries in all, which are `PAUSE` apart;
/// the next round attaches the remaining pieces.
const ATTACH_TIMEOUT: &str = "100ms";
const MAX_ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);

/// A build that took longer than this is logged.
const WORTH_A_LINE: Duration = Duration::from_secs(5);

/// The name and the definition of each index. Without them nothing fails, but queries are slower.
pub(super) const INDEXES: [(&str, &str); 9] = [
    // Finds the pending deliveries of an event. Every ingest would have to update a B-tree, and
    // events arrive in order, so BRIN suffices.
    (
        "outbox_event",
        "outbox USING brin (event_id) WITH (pages_per_range = 16)",
    ),
    ("dead_letters_event", "dead_letters (event_id)"),
    ("dead_letters_died", "dead_letters (died_at, delivery_id)"),
    (
        "dead_letters_handler",
        "dead_letters (handler_id, died_at, delivery_id)",
    ),
    (
        "dead_letters_alerts",
        "dead_letters (delivery_id) WHERE NOT announced",
    ),
    (
        "idempotency_keys_expiry",
        "idempotency_keys (expires_at) WHERE expires_at IS NOT NULL",
    ),
    ("rollups_subject", "rollups (subject, counter, minute)"),
    ("audit_log_target", "audit_log (target, at)"),
    (
        "quarantine_requested",
        "quarantine (id) WHERE requested_action IS NOT NULL",
    ),
];

/// The partitioned indexes that a migration created on the parent only: the table, the suffix of
/// the names of the pieces, and the definition of a piece.
pub(super) const PARTITIONED: [(&str, &str, &str); 4] = [
    (
        "events",
        "conflicts",
        "(id) WHERE conflicts_with IS NOT NULL",
    ),
    (
        "events",
        "conflicting",
        "(conflicts_with) WHERE conflicts_with IS NOT NULL",
    ),
    ("events", "alerts", "(id) WHERE origin = 'hookfast'"),
    (
        "attempts",
        "failed",
        "(finished_at) WHERE outcome IN ('retry', 'dead', 'lost')",
    ),
];

/// Whether an index exists, and whether it is valid: an interrupted build leaves an invalid index.
const VALID: &str = "SELECT i.indisvalid FROM pg_catalog.pg_index i WHERE i.indexrelid = to_regclass('hookfast_data.' || $1)";

/// The partitions of a table with their pieces of an index, and whether the index is complete.
const PIECES: &str = "\
    SELECT p.relname::text AS partition, w.indisvalid AS complete, ( \
        SELECT c.relname::text FROM pg_catalog.pg_inherits a JOIN pg_catalog.pg_index x ON x.indexrelid = a.inhrelid \
            JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid \
        WHERE a.inhparent = w.indexrelid AND x.indrelid = p.oid) AS piece \
    FROM pg_catalog.pg_index w \
    JOIN pg_catalog.pg_inherits i ON i.inhparent = w.indrelid AND NOT i.inhdetachpending \
    JOIN pg_catalog.pg_class p ON p.oid = i.inhrelid \
    WHERE w.indexrelid = to_regclass('hookfast_data.' || $1) ORDER BY p.relname DESC";

/// Builds missing indexes, and rebuilds those that an interrupted build left invalid. Returns the
/// number of built indexes. If another process is building indexes, it builds none.
///
/// The duration depends on the size of the tables, and on the oldest open transaction of the
/// database. Readers and writers do not wait for it.
///
/// # Errors
/// If the database cannot be queried, or an index could not be built. The other indexes were built.
/// A missing index only makes queries slower.
pub async fn ensure_indexes(database: &Database) -> Result<usize, StoreError> {
    let Some(mut alone) = Alone::with(database, LongWork::Indexes).await? else {
        return Ok(0);
    };
    let mut connection = database.connect(Role::General).await?;
    let server = ServerProcess::behind(&mut connection.inner, database).await?;
    let built = server
        .wait("build indexes", build(&mut connection.inner, &mut alone))
        .await;
    connection.close().await;
    alone.end().await;
    built
}

async fn build(connection: &mut PgConnection, alone: &mut Alone) -> Result<usize, sqlx::Error> {
    sqlx::raw_sql("SET statement_timeout = 0")
        .execute(&mut *connection)
        .await?;
    let mut builder = Builder {
        connection,
        alone,
        attempts: MAX_ATTEMPTS,
        built: 0,
        failed: None,
    };
    for (name, on) in INDEXES {
        builder.ensure(name, on).await;
    }
    for (table, suffix, on) in PARTITIONED {
        builder.ensure_pieces(table, suffix, on).await?;
    }
    builder.failed.map_or(Ok(builder.built), Err)
}

/// An index that cannot be built does not stop the others.
struct Builder<'c> {
    connection: &'c mut PgConnection,
    alone: &'c mut Alone,
    /// How many more times attaching a piece may fail.
    attempts: u32,
    built: usize,
    failed: Option<sqlx::Error>,
}

impl Builder<'_> {
    /// Returns whether the index exists now.
    async fn ensure(&mut self, name: &str, on: &str) -> bool {
        let building = async {
            self.alone.check().await?;
            match sqlx::query_scalar(VALID)
                .bind(name)
                .fetch_optional(&mut *self.connection)
                .await?
            {
                Some(true) => return Ok(false),
                Some(false) => {
                    self.execute(&format!("DROP INDEX CONCURRENTLY hookfast_data.{name}"))
                        .await?
                }
                None => {}
            }
            tracing::debug!(name, "building an index");
            let begun = Instant::now();
            self.execute(&format!(
                "CREATE INDEX CONCURRENTLY {name} ON hookfast_data.{on}"
            ))
            .await?;
            // Builds on empty tables, such as at the first start, are not worth a log line.
            if begun.elapsed() > WORTH_A_LINE {
                tracing::info!(name, took = ?begun.elapsed(), "index built");
            }
            Ok(true)
        };
        let built: Result<bool, sqlx::Error> = building.await;
        match built {
            Ok(new) => self.built += usize::from(new),
            Err(error) => {
                throttled!(
                    warn,
                    error = describe(&error),
                    name,
                    "an index could not be built, retrying"
                );
                self.failed = Some(error);
                return false;
            }
        }
        true
    }

    /// Partitions of future days have their pieces from the start.
    async fn ensure_pieces(
        &mut self,
        table: &str,
        suffix: &str,
        on: &str,
    ) -> Result<(), sqlx::Error> {
        let whole = format!("{table}_{suffix}");
        let rows = sqlx::query(PIECES)
            .bind(&whole)
            .fetch_all(&mut *self.connection)
            .await?;
        let mut missing = 0;
        for row in &rows {
            let (partition, piece): (String, Option<String>) =
                (row.try_get("partition")?, row.try_get("piece")?);
            if piece.is_none() {
                missing += 1;
                let piece = format!("{partition}_{suffix}");
                if self.ensure(&piece, &format!("{partition} {on}")).await {
                    self.attach(&whole, &piece).await;
                }
            }
        }
        // Every partition has its piece, and the last one got it when it was created. Postgres
        // checks whether the index is complete only if a piece is attached, so this attaches one
        // again.
        if let Some(row) = rows.first()
            && missing == 0
            && !row.try_get::<bool, _>("complete")?
        {
            let piece: Option<String> = row.try_get("piece")?;
            self.attach(&whole, &piece.unwrap_or_default()).await;
        }
        Ok(())
    }

    async fn attach(&mut self, whole: &str, piece: &str) {
        let attach =
            format!("ALTER INDEX hookfast_data.{whole} ATTACH PARTITION hookfast_data.{piece}");
        loop {
            let attaching = async {
                self.execute(&format!("SET lock_timeout = '{ATTACH_TIMEOUT}'"))
                    .await?;
                let attached = self.execute(&attach).await;
                self.execute("SET lock_timeout = 0").await?;
                attached
            };
            let attached: Result<(), sqlx::Error> = attaching.await;
            let Err(error) = attached else { return };
            let code = error.as_database_error().and_then(|error| error.code());
            if !matches!(code.as_deref(), Some("55P03" | "40P01")) || self.attempts == 0 {
                throttled!(
                    warn,
                    error = describe(&error),
                    piece,
                    "an index of a partition could not be attached, retrying"
                );
                self.failed = Some(error);
                return;
            }
            self.attempts -= 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn execute(&mut self, statement: &str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *self.connection)
            .await
            .map(drop)
    }
}
