//! What each migration brings, locks and rewrites, in its own words: for whoever wants to know before.

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

/// Beside the migrations, since the released ones are as they are for ever. A test holds it to what they really do.
const PLAN: &str = include_str!("../../../migrations/plan.toml");

/// What a migration does to what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// What it brings, and what waits meanwhile.
    pub says: String,
    /// Tables and views that were there before, with the strongest lock it takes on each. ACCESS SHARE, which every
    /// reader takes, is left out; a partition's lock is its table's.
    #[serde(default)]
    pub locks: BTreeMap<String, String>,
    /// Tables whose files it writes anew.
    #[serde(default)]
    pub rewrites: BTreeSet<String>,
    /// Tables it reads whole under its locks.
    #[serde(default)]
    pub scans: BTreeSet<String>,
}

/// A function or a view that is to be created or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Which one.
    pub object: Object,
    /// Whether it exists already. A view that exists is locked for a moment.
    pub exists: bool,
}

/// What `hookfast migrate` would do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The migrations that are not applied yet, in their order, by the names of their files.
    pub migrations: Vec<(String, Planned)>,
    /// The functions and views that have changed, in the order in which they are created or replaced.
    pub objects: Vec<Replaced>,
    /// The indexes that are built afterwards, while everything goes on, each with what it is on.
    pub indexes: Vec<(String, String)>,
}

/// Everything that is planned, by the names of the migrations' files.
///
/// # Errors
/// None that the program's own text could have; a test reads it.
pub fn planned() -> Result<BTreeMap<String, Planned>, MigrateError> {
    Ok(toml::from_str(PLAN)?)
}

/// Says what is still to be done for a schema, and changes nothing.
///
/// # Errors
/// Where the database cannot be asked, and [`MigrateError::Unreleased`].
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
        says: "It says nothing of itself.".to_owned(),
        ..Planned::default()
    };
    let migrations = numbered::pending(connection, schema)
        .await?
        .into_iter()
        .map(|file| {
            let says = planned.remove(&file).unwrap_or_else(nothing);
            (file, says)
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
            exists: within(POOLED, "look for functions and views", exists).await?,
        });
    }
    let indexes = within(POOLED, "look for indexes", missing_indexes(connection)).await?;
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
