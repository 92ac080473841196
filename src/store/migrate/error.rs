//! The reasons why a schema cannot be migrated or used.

use super::VERSION;
use crate::store::{StoreError, error::describe};

/// Why a schema could not be migrated, or why this program may not run on it.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database could not be queried.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A migration failed and was rolled back.
    #[error("a migration failed and was rolled back; earlier migrations stay applied: {}", describe_migration(.0))]
    Migration(sqlx::migrate::MigrateError),
    /// A function or a view could not be replaced.
    #[error(
        "{object} could not be replaced, so no function or view was replaced; tables and data are unchanged: {}. If \
         you created an object of that name yourself, rename it and start again; otherwise run the previous release, \
         and report this",
        describe(.cause)
    )]
    Object {
        /// The function or the view.
        object: String,
        /// The server's error.
        cause: sqlx::Error,
    },
    /// The schema was made by a build that was never released.
    #[error(
        "the schema was made by an unreleased build of hookfast (migration {version} differs), and cannot be \
         upgraded; nothing was changed. Use an empty database, or delete all its events with DROP SCHEMA hookfast, \
         hookfast_data CASCADE, then start again"
    )]
    Unreleased {
        /// The first migration that differs.
        version: i64,
    },
    /// The program's own plan of the migrations cannot be parsed.
    #[error(
        "the migration plan of this program cannot be read ({0}); nothing was changed. Run another build"
    )]
    Plan(#[from] toml::de::Error),
    /// A migration did not get its locks in time.
    #[error(
        "a migration did not get its locks in {seconds} s, because other transactions hold locks on Hookfast's \
         tables; it was rolled back, earlier migrations stay applied, and other sessions waited only for a moment. \
         The oldest transactions with such locks: {holders}. End them (SELECT pg_terminate_backend(PID)), and start \
         again"
    )]
    Blocked {
        /// For how many seconds the migration was tried.
        seconds: u64,
        /// The sessions that have held locks on Hookfast's tables for longest.
        holders: String,
    },
    /// The database has another encoding than UTF8, which payloads and texts need.
    #[error(
        "the database has the encoding {encoding}, and Hookfast needs UTF8; nothing was changed. Create one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding {
        /// The encoding of the database.
        encoding: String,
    },
    /// Migrations are pending, and the server is read-only.
    #[error(
        "the database lacks migrations of this program, and the server is read-only (a standby, or \
         default_transaction_read_only); nothing was changed. Point DATABASE_URL at the primary, or wait until it is \
         writable"
    )]
    ReadOnly,
    /// Migrations are pending, and their objects would belong to the wrong role.
    #[error(
        "the database lacks migrations of this program; its schemas belong to {owner}, and this role may not act as {owner}, so nothing was changed. Run `hookfast migrate` as {owner}, or GRANT {owner} TO this role"
    )]
    NotOwner {
        /// The owner of the schemas.
        owner: String,
    },
    /// Migrations are pending, and this process does not apply them.
    #[error(
        "the database lacks migrations of this program; nothing was changed. Run `hookfast migrate`, or start without --no-migrate"
    )]
    Pending,
    /// The schema needs a newer program.
    #[error(
        "the database's schema {schema} requires version {oldest} of this program or a later one, and this is \
         {VERSION}; nothing was changed. Run a newer hookfast"
    )]
    TooOld {
        /// The version of the schema.
        schema: i32,
        /// The oldest version of the program that may run on the schema.
        oldest: i32,
    },
}

impl From<sqlx::migrate::MigrateError> for MigrateError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        Self::Migration(error)
    }
}

fn describe_migration(error: &sqlx::migrate::MigrateError) -> String {
    use sqlx::migrate::MigrateError as Failed;
    match error {
        Failed::Execute(error) => describe(error),
        Failed::ExecuteMigration(error, version) => format!("{version}: {}", describe(error)),
        other => other.to_string(),
    }
}

impl MigrateError {
    /// Whether a lock timeout or a deadlock is the cause. Nothing was changed then, and the same
    /// may succeed later.
    pub(super) fn is_lock_conflict(&self) -> bool {
        use sqlx::migrate::MigrateError::{Execute, ExecuteMigration};
        let (Self::Migration(Execute(error) | ExecuteMigration(error, _))
        | Self::Object { cause: error, .. }) = self
        else {
            return false;
        };
        let code = error.as_database_error().and_then(|error| error.code());
        matches!(code.as_deref(), Some("55P03" | "40P01"))
    }
}
