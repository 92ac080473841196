//! Lets one process migrate at a time. The lock is an advisory lock, since there may be no table
//! yet. Any role that may connect can hold it too, so a process that waits logs who holds it.

use crate::store::{StoreError, connect::POOLED, error::within};
use sqlx::PgConnection;
use std::time::{Duration, Instant};

/// The ASCII codes of "hookfast".
const LOCK: i64 = 0x686f_6f6b_6661_7374;

const POLL: Duration = Duration::from_millis(100);

/// How long a process waits before it logs the holder, and then between two log lines.
const LOG_EVERY: Duration = Duration::from_secs(5);

/// Columns of another session that a role may not see are null.
const HOLDER: &str = "SELECT 'process ' || l.pid || coalesce(' of ' || a.usename, '') \
        || coalesce(' (' || nullif(a.application_name, '') || ')', '') \
    FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
        AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()) \
        AND (l.classid::bigint << 32 | l.objid::bigint) = $1 LIMIT 1";

/// Waits for the lock, which ends with the connection. It polls, because a statement that waits has
/// a snapshot, which would deadlock with CREATE INDEX CONCURRENTLY.
pub(super) async fn wait(connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut logged = Instant::now();
    let lock = "SELECT pg_try_advisory_lock($1)";
    while !within(
        POOLED,
        "lock the migrations",
        sqlx::query_scalar(lock)
            .bind(LOCK)
            .fetch_one(&mut *connection),
    )
    .await?
    {
        if logged.elapsed() >= LOG_EVERY {
            logged = Instant::now();
            let query = sqlx::query_scalar(HOLDER)
                .bind(LOCK)
                .fetch_optional(&mut *connection);
            let holder: Option<String> =
                within(POOLED, "find the holder of the migration lock", query).await?;
            let holder = holder.as_deref().unwrap_or("a process that has just ended");
            tracing::warn!(
                holder,
                "another session holds the lock on the migrations, and this process waits until the lock is released; \
                 if the session does not belong to Hookfast, end it with pg_terminate_backend"
            );
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
