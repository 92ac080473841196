//! Indexes that are built while everything goes on: by the program, since a migration would keep ingest waiting.

use super::{
    Database, Role, StoreError,
    error::told,
    locks::{Alone, LongWork},
    server_process::ServerProcess,
};
use crate::throttle::throttled;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use std::time::{Duration, Instant};

/// A piece is attached under a lock that its partition's readers and writers would queue behind: for so long, and, in all,
/// so often, so long apart. What is left is for the next round.
const ATTACH_TIMEOUT: &str = "100ms";
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);

/// A build that took longer than this is logged.
const WORTH_A_LINE: Duration = Duration::from_secs(5);

/// Each index by its name, with what it is on. Nothing is wrong without them, only slower.
pub(super) const INDEXES: [(&str, &str); 9] = [
    // What is pending of one event. Not a B-tree: every ingest would pay for it, and events come in order.
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

/// Each partitioned index that a migration made on the parent alone: table, the end of its pieces' names, what a piece
/// is on.
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

/// Whether an index is there, and whether it can be used: an interrupted build leaves one that cannot.
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

/// Builds what is missing, and what an interrupted build left broken; answers with how many it built. One process at a
/// time: where another is at it, none.
///
/// It may take as long as the tables are large, and as the oldest transaction of the database is open. Readers and
/// writers do not wait for it.
///
/// # Errors
/// Where the database cannot be asked, or something could not be built; the rest was, and what is missing costs time
/// and nothing else.
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
        tries: TRIES,
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

/// What cannot be built keeps nothing else from being built.
struct Builder<'c> {
    connection: &'c mut PgConnection,
    alone: &'c mut Alone,
    /// How many more times a piece may fail to be attached.
    tries: u32,
    built: usize,
    failed: Option<sqlx::Error>,
}

impl Builder<'_> {
    /// Whether the index is there now.
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
            // On empty tables, as at the first start, there is nothing to report.
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
                    error = told(&error),
                    name,
                    "an index could not be built; this is tried again"
                );
                self.failed = Some(error);
                return false;
            }
        }
        true
    }

    /// Days to come have their pieces from the start.
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
        // Each has its piece, and the last came with its partition: attaching any again makes Postgres look.
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
            if !matches!(code.as_deref(), Some("55P03" | "40P01")) || self.tries == 0 {
                throttled!(
                    warn,
                    error = told(&error),
                    piece,
                    "a piece of an index could not be attached; this is tried again"
                );
                self.failed = Some(error);
                return;
            }
            self.tries -= 1;
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
