//! From one release to the next: what waits while the schema is brought up, and that one release back still works.

mod patience;
mod plan;
mod previous;
mod whole;

use crate::support::postgres;
use hookfast::store::{Database, Role, ensure_partitions};
use sqlx::{AssertSqlSafe, PgConnection, migrate::Migrator};
use std::time::{Duration, Instant};

/// The last migration of the previous release.
const PREVIOUS: i64 = 9;

/// Every migration of this program's, as its own files have them.
static MIGRATIONS: Migrator = sqlx::migrate!();

/// The statement with which the previous release stores what came in.
const PREVIOUS_INGEST: &str = include_str!("previous/ingest.sql");

/// A database with the schema as it was after some migration, and its partitions.
struct Old {
    of: Database,
    connection: PgConnection,
    database: postgres::Database,
}

impl Old {
    /// With nothing of ours at all.
    async fn empty() -> Self {
        let database = postgres::database().await;
        let (of, connection) = (database.url().parse().expect("a URL"), database.connect().await);
        let mut old = Self { of, connection, database };
        old.execute("SET client_min_messages = warning; DROP SCHEMA hookfast, hookfast_data CASCADE").await;
        old
    }

    async fn at(version: i64) -> Self {
        let mut old = Self::empty().await;
        let mut migrator = Migrator { locking: false, migrations: MIGRATIONS.migrations.clone(), ..Migrator::DEFAULT };
        migrator.dangerous_set_table_name("hookfast_data.migrations");
        migrator.create_schema("hookfast_data");
        migrator.run_direct(Some(version), &mut old.connection, false).await.expect("the migrations");
        ensure_partitions(&old.of.pool(Role::General, 1)).await.expect("the partitions");
        old
    }

    async fn execute(&mut self, statement: &str) {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut self.connection).await.expect(statement);
    }
}

/// One webhook, as the previous release stores it; answers with how long that took.
async fn ingest(connection: &mut PgConnection, key: usize) -> Duration {
    let began = Instant::now();
    sqlx::query(PREVIOUS_INGEST)
        .bind([uuid::Uuid::now_v7()].as_slice())
        .bind([1i16].as_slice())
        .bind([format!("key-{key}")].as_slice())
        .bind([None::<String>].as_slice())
        .bind([None::<i64>].as_slice())
        .bind(["airalo.order.completed"].as_slice())
        .bind([None::<String>].as_slice())
        .bind([None::<String>].as_slice())
        .bind(["{}"].as_slice())
        .bind([b"{}".as_slice()].as_slice())
        .bind("webhook")
        .fetch_one(connection)
        .await
        .expect("stored");
    began.elapsed()
}
