//! Applies the numbered migrations of tables, types and data.

use super::{MigrateError, Schema};
use crate::store::{
    Database, Role,
    connect::POOLED,
    error::within,
    owner::{ActingFor, act_as_owner, act_as_session_user},
    server_process::ServerProcess,
};
use sqlx::{PgConnection, migrate::Migrator};
use std::collections::HashMap;

/// The table in which sqlx records the migrations.
const TABLE: &str = "hookfast_data.migrations";

/// Returns the file names of the migrations that are not applied yet, in their order.
///
/// # Errors
/// [`MigrateError::Unreleased`] if an applied migration differs from the one of this schema.
pub(super) async fn pending(
    connection: &mut PgConnection,
    schema: &Schema,
) -> Result<Vec<String>, MigrateError> {
    let recorded = within(POOLED, "read the migrations", recorded(connection)).await?;
    let mut pending = Vec::new();
    for migration in &schema.migrations {
        match recorded.get(&migration.version) {
            Some(checksum) if *checksum == *migration.checksum => {}
            Some(_) => {
                return Err(MigrateError::Unreleased {
                    version: migration.version,
                });
            }
            None => pending.push(format!(
                "{:04}_{}.sql",
                migration.version,
                migration.description.replace(' ', "_")
            )),
        }
    }
    Ok(pending)
}

/// Applies the pending migrations, each in a transaction of its own.
pub(super) async fn apply(
    connection: &mut PgConnection,
    server: &ServerProcess,
    schema: &Schema,
) -> Result<(), MigrateError> {
    if pending(connection, schema).await?.is_empty() {
        return Ok(());
    }
    // Applied migrations of a newer program are missing here; `check_schema` decides about them.
    let mut migrator = Migrator {
        ignore_missing: true,
        locking: false,
        ..Migrator::DEFAULT
    };
    migrator.migrations = schema.migrations.clone().into();
    migrator.dangerous_set_table_name(TABLE);
    let run = async {
        act_as_owner(&mut *connection, ActingFor::Session).await?;
        create_schemas(&mut *connection).await?;
        let migrated = migrator.run_direct(None, &mut *connection, false).await;
        // If a migration has to wait for locks, it logs who holds them, which the owner may not
        // see.
        act_as_session_user(connection).await?;
        Ok(migrated)
    };
    Ok(server.wait("migrate", run).await??)
}

/// Postgres checks the privilege to create a schema before it checks whether the schema exists.
async fn create_schemas(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    for create in ["CREATE SCHEMA hookfast", "CREATE SCHEMA hookfast_data"] {
        let name = create.trim_start_matches("CREATE SCHEMA ");
        let exists = "SELECT to_regnamespace($1) IS NOT NULL";
        if !sqlx::query_scalar(exists)
            .bind(name)
            .fetch_one(&mut *connection)
            .await?
        {
            sqlx::raw_sql(create).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// The checksums of the applied migrations, by number.
async fn recorded(connection: &mut PgConnection) -> Result<HashMap<i64, Vec<u8>>, sqlx::Error> {
    let exists = "SELECT to_regclass('hookfast_data.migrations') IS NOT NULL";
    if !sqlx::query_scalar(exists)
        .fetch_one(&mut *connection)
        .await?
    {
        return Ok(HashMap::new());
    }
    let recorded = "SELECT version, checksum FROM hookfast_data.migrations WHERE success";
    Ok(sqlx::query_as(recorded)
        .fetch_all(connection)
        .await?
        .into_iter()
        .collect())
}

/// Drops both schemas with all their data if an unreleased build made them. Returns whether it did.
/// This is for a private database that nobody depends on.
///
/// # Errors
/// If the database cannot be queried, or this role does not own the schemas.
pub async fn drop_unreleased(database: &Database) -> Result<bool, MigrateError> {
    let mut connection = database.connect(Role::General).await?;
    let found = pending(&mut connection.inner, &Schema::of_this_program()).await;
    let dropped = match found {
        Err(MigrateError::Unreleased { .. }) => {
            let drop = "DROP SCHEMA IF EXISTS hookfast, hookfast_data CASCADE";
            let server = ServerProcess::behind(&mut connection.inner, database).await?;
            let dropping = sqlx::raw_sql(drop).execute(&mut connection.inner);
            server
                .wait("drop an unreleased schema", dropping)
                .await
                .map(|_| true)
                .map_err(MigrateError::from)
        }
        found => found.map(|_| false),
    };
    connection.close().await;
    dropped
}
