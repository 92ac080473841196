//! What one process at a time does. Not by advisory locks: whoever may connect to the database can hold those. These are
//! rows and tables of ours, which nobody else may touch.

use super::{Connection, Database, Fault, Role, StoreError, connect::POOLED, error::within};
use sqlx::{AssertSqlSafe, PgConnection};
use std::time::Duration;

/// How long the connection that holds a right may take to answer before the right is taken for lost.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// Waits for a lock that is held until the end of the transaction.
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

/// The right to do some long work alone: a transaction on a connection of its own that has locked a table and done
/// nothing else. It has neither a transaction id nor a snapshot, so it may stay open for hours.
pub(super) struct Alone(Connection);

impl Alone {
    /// `None` where another process is at it.
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

    /// To be asked before each step: the connection may be lost, and another process at it.
    pub(super) async fn check(&mut self) -> Result<(), sqlx::Error> {
        let check = sqlx::query("SELECT")
            .persistent(false)
            .execute(&mut self.0.inner);
        match tokio::time::timeout(CHECK_TIMEOUT, check).await {
            Ok(checked) => checked.map(drop),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// The lock goes with the connection.
    pub(super) async fn end(self) {
        self.0.close().await;
    }
}
