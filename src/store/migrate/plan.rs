//! Reports what each pending migration adds, locks and rewrites, before it is applied.

use super::{MigrateError, Object, Schema, numbered, replace};
use crate::store::{
    Database, Role,
    connect::POOLED,
    error::within,
    indexes::{INDEXES, PARTITIONED},
};
use serde::Deserialize;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};

/// A file beside the migrations, since released migrations never change. A test compares it with
/// their real effects.
const PLAN: &str = include_str!("../../../migrations/plan.toml");

/// The effects of a migration on a database with data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// The changes that the migration makes, and the work that waits meanwhile.
    pub description: String,
    /// Tables and views that existed before, with the strongest lock that the migration takes on
    /// each. ACCESS SHARE, which every reader takes, is left out. The lock of a partition is listed
    /// as the lock of its table.
    #[serde(default)]
    pub locks: BTreeMap<String, String>,
    /// Tables whose files the migration rewrites.
    #[serde(default)]
    pub rewrites: BTreeSet<String>,
    /// Tables that the migration reads completely under its locks.
    #[serde(default)]
    pub scans: BTreeSet<String>,
}

/// A function or a view that is to be created or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The function or the view.
    pub object: Object,
    /// Whether it exists already. An existing view is locked for a moment.
    pub exists: bool,
}

/// The actions that `hookfast migrate` would take.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The pending migrations in their order, by the names of their files.
    pub migrations: Vec<(String, Planned)>,
    /// The changed functions and views, in the order in which they are created or replaced.
    pub objects: Vec<Replaced>,
    /// The indexes that are built afterwards without blocking anything, each with its definition.
    pub indexes: Vec<(String, String)>,
}

/// Returns the effects of all migrations, by the names of their files.
///
/// # Errors
/// Only if the program's own text is invalid, which a test excludes.
pub fn planned() -> Result<BTreeMap<String, Planned>, MigrateError> {
    Ok(toml::from_str(PLAN)?)
}

/// Plans the migration of a database to a schema, and changes nothing.
///
/// # Errors
/// If the database cannot be queried, and [`MigrateError::Unreleased`].
pub async fn plan(database: &Database, schema: &Schema) -> Result<Plan, MigrateError> {
    let mut connection = database.connect(Role::General).await?;
    let planning = of_connection(&mut connection.inner, schema).await;
    connection.close().await;
    planning
}

async fn of_connection(
    connection: &mut PgConnection,
    schema: &Schema,
) -> Result<Plan, MigrateError> {
    let mut planned = planned()?;
    let nothing = || Planned {
        description: "No description.".to_owned(),
        ..Planned::default()
    };
    let migrations = numbered::pending(connection, schema)
        .await?
        .into_iter()
        .map(|file| {
            let description = planned.remove(&file).unwrap_or_else(nothing);
            (file, description)
        });
    let migrations = migrations.collect();
    let mut objects = Vec::new();
    for object in replace::pending(connection, schema).await? {
        let exists = "SELECT to_regclass($1) IS NOT NULL OR to_regproc($1) IS NOT NULL";
        let exists = sqlx::query_scalar(exists)
            .bind(object.name())
            .fetch_one(&mut *connection);
        objects.push(Replaced {
            object,
            exists: within(POOLED, "find functions and views", exists).await?,
        });
    }
    let indexes = within(POOLED, "find indexes", missing_indexes(connection)).await?;
    Ok(Plan {
        migrations,
        objects,
        indexes,
    })
}

async fn missing_indexes(
    connection: &mut PgConnection,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    let all = (INDEXES
        .iter()
        .map(|(name, on)| ((*name).to_owned(), (*on).to_owned())))
    .chain(PARTITIONED.iter().map(|(table, end, on)| {
        (
            format!("{table}_{end}"),
            format!("each day of {table} {on}"),
        )
    }));
    let mut missing = Vec::new();
    for (name, on) in all {
        let valid = "SELECT EXISTS (SELECT FROM pg_catalog.pg_index \
            WHERE indexrelid = to_regclass('hookfast_data.' || $1) AND indisvalid)";
        if !sqlx::query_scalar(valid)
            .bind(&name)
            .fetch_one(&mut *connection)
            .await?
        {
            missing.push((name, on));
        }
    }
    Ok(missing)
}
