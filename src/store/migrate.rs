//! Migrations, recorded in `hookfast_data`: an application may have its own in the same database.

use super::{Database, Role, StoreError};
use sqlx::{PgConnection, migrate::Migrator};
use std::time::Duration;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// The version of the schema this program was written for, and the oldest it can run on.
const PROGRAM_VERSION: i32 = 1;

/// "hookfast" in ASCII: what the processes agree to lock while one of them migrates.
const LOCK: i64 = 0x686f_6f6b_6661_7374;

/// A schema that could not be brought up, or that this program may not run on.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A migration failed, or one that is recorded is not known to this program.
    #[error("a migration failed, and was rolled back; the ones before it stand: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// There are migrations to apply, and nobody may apply them here.
    #[error(
        "the database lacks migrations of this program; nothing was changed. Run `hookfast migrate`, or start without --no-migrate"
    )]
    Pending,
    /// The schema is too new.
    #[error(
        "the database's schema {schema} asks for a program of version {oldest} at least, and this one is {PROGRAM_VERSION}; nothing was changed. Run a newer hookfast"
    )]
    TooOld {
        /// The schema's version.
        schema: i32,
        /// The oldest program it lets run.
        oldest: i32,
    },
}

/// Brings the schema up to this program, one process at a time; answers with how many migrations it applied.
///
/// Needs CREATE on the database once, never superuser, no extension.
///
/// # Errors
/// [`MigrateError`].
pub async fn migrate(database: &Database) -> Result<usize, MigrateError> {
    let mut connection = database.connect(Role::General).await?;
    // A migration may take longer than anything else, and waits for locks as short as everything else.
    let prepare = "SET statement_timeout = 0; SET lock_timeout = '5s'";
    sqlx::raw_sql(prepare).execute(&mut connection.inner).await.map_err(StoreError::new("migrate"))?;
    // Tried and polled, not waited for: a waiter's snapshot would deadlock with CREATE INDEX CONCURRENTLY.
    while !lock(&mut connection.inner).await? {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let before = applied(&mut connection.inner).await?;
    let migrated = migrator().run_direct(None, &mut connection.inner, false).await;
    let after = applied(&mut connection.inner).await;
    // The lock goes with the connection.
    connection.close().await;
    migrated?;
    Ok(after?.saturating_sub(before))
}

/// Looks whether this program may run on the schema as it is.
///
/// # Errors
/// [`MigrateError::Pending`] and [`MigrateError::TooOld`], or the database could not be asked.
pub async fn check_schema(database: &Database) -> Result<(), MigrateError> {
    let mut connection = database.connect(Role::General).await?;
    let known = applied(&mut connection.inner).await?;
    if known == 0 {
        return Err(MigrateError::Pending);
    }
    let (schema, oldest): (i32, i32) =
        sqlx::query_as("SELECT schema_version, oldest_program FROM hookfast_data.compatibility")
            .fetch_one(&mut connection.inner)
            .await
            .map_err(StoreError::new("check the schema"))?;
    connection.close().await;
    if oldest > PROGRAM_VERSION {
        return Err(MigrateError::TooOld { schema, oldest });
    }
    if known < MIGRATIONS.iter().count() {
        return Err(MigrateError::Pending);
    }
    Ok(())
}

/// Applied migrations that this program does not know are of a newer one; [`check_schema`] decides about them.
fn migrator() -> Migrator {
    let mut migrator = Migrator { ignore_missing: true, locking: false, ..Migrator::DEFAULT };
    migrator.migrations = MIGRATIONS.migrations.clone();
    migrator.dangerous_set_table_name("hookfast_data.migrations");
    migrator.create_schema("hookfast_data");
    migrator
}

async fn lock(connection: &mut PgConnection) -> Result<bool, StoreError> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(LOCK)
        .fetch_one(connection)
        .await
        .map_err(StoreError::new("lock the migrations"))
}

async fn applied(connection: &mut PgConnection) -> Result<usize, StoreError> {
    let run = async {
        let there: bool = sqlx::query_scalar("SELECT to_regclass('hookfast_data.migrations') IS NOT NULL")
            .fetch_one(&mut *connection)
            .await?;
        if !there {
            return Ok(0);
        }
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM hookfast_data.migrations WHERE success")
            .fetch_one(&mut *connection)
            .await
            .map(|n| usize::try_from(n).unwrap_or(0))
    };
    run.await.map_err(StoreError::new("read the migrations"))
}
