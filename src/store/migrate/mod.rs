//! Migrates the schema of a database to the version of this program: first the numbered migrations
//! of tables, types and data, then the functions and views that have changed. It keeps its records
//! in `hookfast_data`, because an application may have its own migrations in the same database.

mod check;
mod error;
mod lock;
mod numbered;
mod objects;
mod patience;
mod plan;
mod replace;

pub use check::check_schema;
pub use error::MigrateError;
pub use numbered::drop_unreleased;
pub use objects::{Object, ObjectKind};
pub use plan::{Plan, Planned, Replaced, plan, planned};

use super::{
    Connection, Database, Role, connect::POOLED, error::within, owner::OWNER_OUT_OF_REACH,
    server_process::ServerProcess,
};
use patience::Patience;
use sqlx::{
    AssertSqlSafe, PgConnection,
    migrate::{Migration, Migrator},
};
use std::time::Duration;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// The version of the schema that this program was written for. It cannot run on an older one.
const VERSION: i32 = 2;

/// How long a migration waits for a lock per try. Statements that arrive later, such as ingest,
/// wait behind it for as long.
const LOCK_TIMEOUT: &str = "100ms";

/// For how long a migration that does not get its locks is retried.
const PATIENCE: Duration = Duration::from_secs(300);

/// The schema of a program, to which [`migrate_to`] migrates a database.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The version of the schema. A program of an older version does not change a newer schema.
    pub version: i32,
    /// The numbered migrations, in their order.
    pub migrations: Vec<Migration>,
    /// The functions and views, in the order of creation.
    pub objects: Vec<Object>,
}

impl Schema {
    /// Returns the schema of this program.
    pub fn of_this_program() -> Self {
        Self {
            version: VERSION,
            migrations: MIGRATIONS.migrations.iter().cloned().collect(),
            objects: objects::OBJECTS.to_vec(),
        }
    }
}

/// What a run of the migrations has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Migrated {
    /// How many numbered migrations were applied.
    pub migrations: usize,
    /// How many functions and views were created or replaced.
    pub objects: usize,
}

/// Migrates the database to the schema of this program. One process does so at a time.
///
/// It needs CREATE on the database unless both schemas exist. It never needs a superuser or an
/// extension. If nothing is pending, it writes nothing.
///
/// # Errors
/// [`MigrateError`].
pub async fn migrate(database: &Database) -> Result<Migrated, MigrateError> {
    migrate_to(database, &Schema::of_this_program(), PATIENCE).await
}

/// Migrates a database to any schema. A migration that does not get its locks is rolled back and
/// retried after a pause, for at most `patience`.
///
/// # Errors
/// [`MigrateError`].
pub async fn migrate_to(
    database: &Database,
    schema: &Schema,
    patience: Duration,
) -> Result<Migrated, MigrateError> {
    let mut connection = database.connect(Role::General).await?;
    let migrated = run(&mut connection, database, schema, patience).await;
    // The lock ends with the connection.
    connection.close().await;
    migrated
}

async fn run(
    connection: &mut Connection,
    database: &Database,
    schema: &Schema,
    patience: Duration,
) -> Result<Migrated, MigrateError> {
    let connection = &mut connection.inner;
    if !anything_pending(connection, schema).await? {
        return Ok(Migrated::default());
    }
    may_write(connection).await?;
    // A migration may take longer than any other statement, but must not queue in front of ingest.
    let prepare = format!("SET statement_timeout = 0; SET lock_timeout = '{LOCK_TIMEOUT}'");
    within(
        POOLED,
        "migrate",
        sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection),
    )
    .await?;
    lock::wait(connection).await?;
    let server = ServerProcess::behind(connection, database).await?;
    let mut patience = Patience::new(patience);
    let before = numbered::pending(connection, schema).await?.len();
    loop {
        let Err(error) = numbered::apply(connection, &server, schema).await else {
            break;
        };
        patience.pause(connection, error).await?;
    }
    let objects = loop {
        match replace::apply(connection, &server, schema).await {
            Ok(objects) => break objects,
            Err(error) => patience.pause(connection, error).await?,
        }
    };
    Ok(Migrated {
        migrations: before,
        objects,
    })
}

async fn anything_pending(
    connection: &mut PgConnection,
    schema: &Schema,
) -> Result<bool, MigrateError> {
    Ok(!numbered::pending(connection, schema).await?.is_empty()
        || !replace::pending(connection, schema).await?.is_empty())
}

async fn may_write(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let settings = "SELECT current_setting('transaction_read_only')::boolean, current_setting('server_encoding')";
    let (read_only, encoding): (bool, String) = within(
        POOLED,
        "migrate",
        sqlx::query_as(settings).fetch_one(&mut *connection),
    )
    .await?;
    if encoding != "UTF8" {
        return Err(MigrateError::Encoding { encoding });
    }
    if read_only {
        return Err(MigrateError::ReadOnly);
    }
    let out_of_reach = sqlx::query_scalar(OWNER_OUT_OF_REACH).fetch_optional(connection);
    let out_of_reach: Option<String> =
        within(POOLED, "find the owner of the schemas", out_of_reach).await?;
    out_of_reach.map_or(Ok(()), |owner| Err(MigrateError::NotOwner { owner }))
}
