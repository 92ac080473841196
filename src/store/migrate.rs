//! Migrations, recorded in `hookfast_data`: an application may have its own in the same database.

use super::{
    Database, Role, StoreError,
    connect::{LONGEST, POOLED},
    error::within,
};
use sqlx::{AssertSqlSafe, PgConnection, migrate::Migrator};
use std::time::{Duration, Instant};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// The version of the schema this program was written for, and the oldest it can run on.
const PROGRAM_VERSION: i32 = 2;

/// "hookfast" in ASCII: what the processes agree to lock while one of them migrates.
const LOCK: i64 = 0x686f_6f6b_6661_7374;

/// How long a migration waits for a lock in one go: whoever comes after it, as ingest, waits behind it for as long.
const LOCK_TIMEOUT: &str = "100ms";

/// How long to leave everybody alone before it is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// For how long it is tried.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often it is said that somebody is in the way.
const SAY_EVERY: Duration = Duration::from_secs(15);

/// Who holds locks on our tables, those first that began first. What a role may not see of others is left out.
const HOLDERS: &str = "\
    SELECT coalesce(string_agg(who, ', '), 'nobody any more, so it may work now') FROM ( \
        SELECT CASE WHEN l.pid IS NULL THEN 'a prepared transaction (look into pg_prepared_xacts)' \
            ELSE 'pid ' || l.pid || ' (' || concat_ws(', ', nullif(min(a.application_name), ''), 'user ' || min(a.usename), \
                min(a.state), 'since ' || to_char(min(a.xact_start), 'HH24:MI:SS TZ')) || ')' END AS who \
        FROM pg_catalog.pg_locks l \
        JOIN pg_catalog.pg_class c ON c.oid = l.relation \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname IN ('hookfast', 'hookfast_data') \
        LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
        WHERE l.granted AND l.pid IS DISTINCT FROM pg_backend_pid() \
            AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) \
        GROUP BY l.pid ORDER BY min(a.xact_start) LIMIT 3) h";

/// A schema that could not be brought up, or that this program may not run on.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A migration failed, or one that is recorded is not known to this program.
    #[error("a migration failed, and was rolled back; the ones before it stand: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The program's own plan cannot be read.
    #[error("this program's own plan of its migrations cannot be read ({0}); nothing was changed. Run another build")]
    Plan(#[from] toml::de::Error),
    /// Somebody held a table for too long.
    #[error(
        "a migration did not get its locks in {seconds} s, since somebody holds our tables; it was rolled back, the ones before it stand, and nobody was held up for longer than a moment. They have been held for longest by: {holders}. End that transaction (SELECT pg_terminate_backend(PID)), and start this again"
    )]
    Blocked {
        /// For how long it was tried.
        seconds: u64,
        /// Who holds locks on our tables for longest.
        holders: String,
    },
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
    migrate_within(database, PATIENCE).await
}

/// The same, with another patience towards those that hold our tables: each migration is tried again, whole, until it
/// gets its locks, and stands back in between.
///
/// # Errors
/// [`MigrateError`].
pub async fn migrate_within(database: &Database, patience: Duration) -> Result<usize, MigrateError> {
    let mut connection = database.connect(Role::General).await?;
    // A migration may take longer than anything else, but may not queue in front of ingest.
    let prepare = format!("SET statement_timeout = 0; SET lock_timeout = '{LOCK_TIMEOUT}'");
    within(connection.deadline(), "migrate", sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut connection.inner))
        .await?;
    // Tried and polled, not waited for: a waiter's snapshot would deadlock with CREATE INDEX CONCURRENTLY.
    while !lock(&mut connection.inner).await? {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let before = applied(&mut connection.inner).await?;
    let migrated = apply(&mut connection.inner, patience).await;
    let after = applied(&mut connection.inner).await;
    // The lock goes with the connection.
    connection.close().await;
    migrated?;
    Ok(after?.saturating_sub(before))
}

async fn apply(connection: &mut PgConnection, patience: Duration) -> Result<(), MigrateError> {
    let (began, mut said) = (Instant::now(), None::<Instant>);
    loop {
        let run = async { Ok(migrator().run_direct(None, connection, false).await) };
        let Err(error) = within(LONGEST, "migrate", run).await? else { return Ok(()) };
        if !is_in_the_way(&error) {
            return Err(error.into());
        }
        let asked = sqlx::query_scalar(HOLDERS).fetch_one(&mut *connection);
        let holders: String = within(POOLED, "ask who holds our tables", asked).await?;
        if began.elapsed() + PAUSE > patience {
            return Err(MigrateError::Blocked { seconds: began.elapsed().as_secs(), holders });
        }
        if said.is_none_or(|at| at.elapsed() >= SAY_EVERY) {
            said = Some(Instant::now());
            tracing::warn!(holders, "a migration waits for whoever holds our tables; ingest goes on meanwhile");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A lock that was not had in time, or a deadlock: nothing happened, and the same again may work.
fn is_in_the_way(error: &sqlx::migrate::MigrateError) -> bool {
    use sqlx::migrate::MigrateError::{Execute, ExecuteMigration};
    let (Execute(error) | ExecuteMigration(error, _)) = error else { return false };
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("55P03" | "40P01"))
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
    let (schema, oldest): (i32, i32) = within(
        connection.deadline(),
        "check the schema",
        sqlx::query_as("SELECT schema_version, oldest_program FROM hookfast_data.compatibility")
            .fetch_one(&mut connection.inner),
    )
    .await?;
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

/// The files of the migrations that are not applied yet, in their order.
pub(super) async fn pending(connection: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    let applied: Vec<i64> = if applied(connection).await? == 0 {
        Vec::new()
    } else {
        within(
            POOLED,
            "read the migrations",
            sqlx::query_scalar("SELECT version FROM hookfast_data.migrations WHERE success").fetch_all(connection),
        )
        .await?
    };
    let pending = MIGRATIONS.iter().filter(|migration| !applied.contains(&migration.version));
    Ok(pending.map(|m| format!("{:04}_{}.sql", m.version, m.description.replace(' ', "_"))).collect())
}

async fn lock(connection: &mut PgConnection) -> Result<bool, StoreError> {
    within(
        POOLED,
        "lock the migrations",
        sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(connection),
    )
    .await
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
    within(POOLED, "read the migrations", run).await
}
