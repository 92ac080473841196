//! Retries a migration that does not get its locks. Other transactions can proceed during the
//! pauses.

use super::MigrateError;
use crate::store::{connect::POOLED, error::within};
use sqlx::PgConnection;
use std::time::{Duration, Instant};

/// How long a migration pauses before the next try.
const PAUSE: Duration = Duration::from_secs(1);

/// How often the log reports that other sessions hold the tables.
const LOG_EVERY: Duration = Duration::from_secs(15);

/// The sessions that hold locks on Hookfast's tables, the oldest transaction first. Columns of
/// other sessions that a role may not see are left out.
const HOLDERS: &str = "\
    SELECT coalesce(string_agg(who, ', '), 'no session any more, so a retry may succeed') FROM ( \
        SELECT CASE WHEN l.pid IS NULL THEN 'a prepared transaction (look into pg_prepared_xacts)' \
            ELSE 'pid ' || l.pid || ' (' || concat_ws(', ', nullif(min(a.application_name), ''), 'user ' || min(a.usename), \
                min(a.state), 'since ' || to_char(min(a.xact_start), 'HH24:MI:SS TZ')) || ')' END AS who \
        FROM pg_catalog.pg_locks l \
        JOIN pg_catalog.pg_class c ON c.oid = l.relation \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname IN ('hookfast', 'hookfast_data') \
        LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
        WHERE l.granted AND l.pid IS DISTINCT FROM pg_backend_pid() \
            AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) \
        GROUP BY l.pid ORDER BY min(a.xact_start) LIMIT 3) h";

/// For how long a run may still be retried.
pub(super) struct Patience {
    began: Instant,
    most: Duration,
    logged: Option<Instant>,
}

impl Patience {
    pub(super) fn new(most: Duration) -> Self {
        Self {
            began: Instant::now(),
            most,
            logged: None,
        }
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// The error itself if a retry does not help, and [`MigrateError::Blocked`] if the time is
    /// over.
    pub(super) async fn pause(
        &mut self,
        connection: &mut PgConnection,
        error: MigrateError,
    ) -> Result<(), MigrateError> {
        if !error.is_lock_conflict() {
            return Err(error);
        }
        let holders = sqlx::query_scalar(HOLDERS).fetch_one(connection);
        let holders: String = within(POOLED, "find the holders of table locks", holders).await?;
        if self.began.elapsed() + PAUSE > self.most {
            return Err(MigrateError::Blocked {
                seconds: self.began.elapsed().as_secs(),
                holders,
            });
        }
        if self.logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            self.logged = Some(Instant::now());
            tracing::warn!(
                holders,
                "a migration waits for transactions that hold locks on Hookfast's tables; ingest continues"
            );
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}
