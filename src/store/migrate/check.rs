//! Checks whether this program may run on the schema of a database.

use super::{MigrateError, Schema, VERSION, numbered, replace};
use crate::store::{Database, Role, connect::POOLED, error::within};
use sqlx::PgConnection;

/// Checks that this program may run on the schema as it is.
///
/// # Errors
/// [`MigrateError::Pending`], [`MigrateError::TooOld`] or [`MigrateError::Unreleased`], or if the
/// database cannot be queried.
pub async fn check_schema(database: &Database) -> Result<(), MigrateError> {
    let mut connection = database.connect(Role::General).await?;
    let checked = check(&mut connection.inner).await;
    connection.close().await;
    checked
}

async fn check(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let ours = Schema::of_this_program();
    let pending = numbered::pending(connection, &ours).await?;
    if pending.len() == ours.migrations.len() {
        return Err(MigrateError::Pending);
    }
    let versions =
        sqlx::query_as("SELECT schema_version, oldest_program FROM hookfast_data.compatibility");
    let (schema, oldest): (i32, i32) = within(
        POOLED,
        "check the schema",
        versions.fetch_one(&mut *connection),
    )
    .await?;
    if oldest > VERSION {
        return Err(MigrateError::TooOld { schema, oldest });
    }
    if !pending.is_empty() || !replace::pending(connection, &ours).await?.is_empty() {
        return Err(MigrateError::Pending);
    }
    Ok(())
}
