//! Creates or replaces the functions and views whose files have changed, all in one transaction.
//!
//! Only a program that is not older than the schema does so. Of two builds of one version the later
//! one wins, once: each build is recorded, and a superseded build runs on the functions and views
//! of the other.

use super::{MigrateError, Object, Schema};
use crate::store::{
    StoreError,
    connect::POOLED,
    error::within,
    owner::{ActingFor, act_as_owner},
    server_process::ServerProcess,
};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row};
use std::collections::HashMap;

/// The version of the schema, and the recorded builds of this program's version, the newest first.
const BUILDS: &str = "SELECT c.schema_version, ARRAY( \
        SELECT b.hash FROM hookfast_data.schema_builds b WHERE b.schema_version = $1 ORDER BY b.id DESC) AS builds \
    FROM hookfast_data.compatibility c";

/// The recorded hash of each object that exists. An object that was dropped is created again.
const RECORDED: &str = "SELECT o.name, o.hash FROM hookfast_data.schema_objects o \
    WHERE to_regclass(o.name) IS NOT NULL OR EXISTS (SELECT FROM pg_catalog.pg_proc p \
        JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname || '.' || p.proname = o.name)";

const RECORD: &str = "INSERT INTO hookfast_data.schema_objects AS o (name, hash) VALUES ($1, $2) \
    ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, applied_at = excluded.applied_at";

/// A release that changes only functions raises the version as well.
const RECORD_BUILD: &str = "WITH raised AS ( \
        UPDATE hookfast_data.compatibility SET schema_version = $1 WHERE schema_version < $1) \
    INSERT INTO hookfast_data.schema_builds (schema_version, hash) VALUES ($1, $2) ON CONFLICT DO NOTHING";

/// Returns the objects of this schema that have to be created or replaced.
pub(super) async fn pending(
    connection: &mut PgConnection,
    schema: &Schema,
) -> Result<Vec<Object>, StoreError> {
    within(
        POOLED,
        "read the functions and views",
        changed(connection, schema),
    )
    .await
}

async fn changed(
    connection: &mut PgConnection,
    schema: &Schema,
) -> Result<Vec<Object>, sqlx::Error> {
    let exists = "SELECT to_regclass('hookfast_data.schema_builds') IS NOT NULL";
    if !sqlx::query_scalar(exists)
        .fetch_one(&mut *connection)
        .await?
    {
        return Ok(schema.objects.clone());
    }
    let row = sqlx::query(BUILDS)
        .bind(schema.version)
        .fetch_one(&mut *connection)
        .await?;
    let (version, builds): (i32, Vec<String>) = (row.try_get(0)?, row.try_get(1)?);
    let ours = hash_of_all(&schema.objects);
    let superseded = builds.first() != Some(&ours) && builds.contains(&ours);
    if superseded || version > schema.version {
        tracing::debug!(
            version,
            "a later build has applied its functions and views; this process uses them"
        );
        return Ok(Vec::new());
    }
    let recorded: HashMap<String, String> = sqlx::query_as(RECORDED)
        .fetch_all(connection)
        .await?
        .into_iter()
        .collect();
    let changed = |object: &&Object| recorded.get(&object.name()) != Some(&object.hash());
    Ok(schema.objects.iter().filter(changed).copied().collect())
}

/// Creates or replaces the pending objects. Returns their number.
pub(super) async fn apply(
    connection: &mut PgConnection,
    server: &ServerProcess,
    schema: &Schema,
) -> Result<usize, MigrateError> {
    let pending = pending(connection, schema).await?;
    if pending.is_empty() {
        return Ok(0);
    }
    let replacing = async {
        let mut transaction = connection.begin().await?;
        act_as_owner(&mut transaction, ActingFor::Transaction).await?;
        for object in &pending {
            if let Err(cause) = sqlx::raw_sql(AssertSqlSafe(object.definition))
                .execute(&mut *transaction)
                .await
            {
                transaction.rollback().await?;
                return Ok(Err(MigrateError::Object {
                    object: object.to_string(),
                    cause,
                }));
            }
            let record = sqlx::query(RECORD).bind(object.name()).bind(object.hash());
            record.execute(&mut *transaction).await?;
        }
        let record = sqlx::query(RECORD_BUILD)
            .bind(schema.version)
            .bind(hash_of_all(&schema.objects));
        record.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Ok(pending.len()))
    };
    server
        .wait("replace the functions and views", replacing)
        .await?
}

fn hash_of_all(objects: &[Object]) -> String {
    let mut all = Sha256::new();
    for object in objects {
        all.update(object.name());
        all.update([0]);
        all.update(object.hash());
    }
    hex::encode(all.finalize())
}
