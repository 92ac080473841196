//! What each migration brings, locks and rewrites, in its own words: for whoever wants to know before.

use super::{
    Database, MigrateError, Role,
    error::within,
    indexes::{INDEXES, PARTITIONED},
    migrate::pending,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Beside the migrations, since the released ones are as they are for ever. A test holds it to what they really do.
const PLAN: &str = include_str!("../../migrations/plan.toml");

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

/// What `hookfast migrate` would do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The migrations that are not applied yet, in their order, by the names of their files.
    pub migrations: Vec<(String, Planned)>,
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

/// Says what is still to be done, and changes nothing.
///
/// # Errors
/// Where the database cannot be asked.
pub async fn plan(database: &Database) -> Result<Plan, MigrateError> {
    let mut connection = database.connect(Role::General).await?;
    let pending = pending(&mut connection.inner).await?;
    let all = (INDEXES.iter().map(|(name, on)| ((*name).to_owned(), (*on).to_owned()))).chain(
        PARTITIONED.iter().map(|(table, end, on)| (format!("{table}_{end}"), format!("each day of {table} {on}"))),
    );
    let mut indexes = Vec::new();
    for (name, on) in all {
        let there: bool = within(
            connection.deadline(),
            "look for indexes",
            sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_index \
             WHERE indexrelid = to_regclass('hookfast_data.' || $1) AND indisvalid)",
            )
            .bind(&name)
            .fetch_one(&mut connection.inner),
        )
        .await?;
        if !there {
            indexes.push((name, on));
        }
    }
    connection.close().await;
    let mut planned = planned()?;
    let nothing = || Planned { says: "It says nothing of itself.".to_owned(), ..Planned::default() };
    let migrations = pending.into_iter().map(|file| {
        let says = planned.remove(&file).unwrap_or_else(nothing);
        (file, says)
    });
    Ok(Plan { migrations: migrations.collect(), indexes })
}
