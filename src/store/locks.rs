//! Locks for work that only one process does at a time. They are rows and tables of Hookfast, which
//! other roles may not use. Any role that may connect to the database can hold an advisory lock.

use super::{Connection, Database, Fault, Role, StoreError, connect::POOLED, error::within};
use sqlx::{AssertSqlSafe, PgConnection};
use std::time::Duration;

/// How long the connection that holds the lock may take to answer before the lock is considered
/// lost.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// Waits for a lock, and holds it until the end of the transaction.
pub(super) async fn lock(transaction: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT hookfast_data.lock($1)")
        .bind(name)
        .execute(transaction)
        .await
        .map(drop)
}

/// Work that takes long, and parts of which cannot run inside a transaction.
#[derive(Clone, Copy, Debug)]
pub(super) enum LongWork {
    Indexes,
    Retention,
}

impl LongWork {
    fn table(self) -> &'static str {
        match self {
            Self::Indexes => "index_lock",
            Self::Retention => "retention_lock",
        }
    }
}

/// The exclusive right to do some long work: a transaction on its own connection that has locked a
/// table and done nothing else. It has neither a transaction id nor a snapshot, so it may stay open
/// for hours.
pub(super) struct Alone(Connection);

impl Alone {
    /// Returns `None` if another process is doing the work.
    pub(super) async fn with(
        database: &Database,
        work: LongWork,
    ) -> Result<Option<Self>, StoreError> {
        let mut connection = database.connect(Role::General).await?;
        let lock = format!(
            "SET idle_in_transaction_session_timeout = 0; BEGIN; LOCK TABLE hookfast_data.{} IN EXCLUSIVE MODE NOWAIT",
            work.table()
        );
        let locking = sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut connection.inner);
        match within(POOLED, "lock", locking).await {
            Ok(_) => Ok(Some(Self(connection))),
            Err(error) => {
                connection.close().await;
                if error.fault() == Fault::LockTimeout {
                    Ok(None)
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Called before each step: the connection may be lost, and another process may be doing the
    /// work.
    pub(super) async fn check(&mut self) -> Result<(), sqlx::Error> {
        let check = sqlx::query("SELECT")
            .persistent(false)
            .execute(&mut self.0.inner);
        match tokio::time::timeout(CHECK_TIMEOUT, check).await {
            Ok(checked) => checked.map(drop),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// The lock ends with the connection.
    pub(super) async fn end(self) {
        self.0.close().await;
    }
}
