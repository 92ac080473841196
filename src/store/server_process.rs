//! Waits for statements that have no useful deadline, because their duration depends on the size of
//! the tables or on a handler's function. It waits as long as the server works on them.

use super::{Database, Role, StoreError, connect::POOLED, error::within};
use crate::throttle::throttled;
use sqlx::{PgConnection, PgPool};
use std::{
    io,
    time::{Duration, Instant},
};

/// The maximum, even if the server is working.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// How often the server is queried, on another connection.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How long the server process may be idle before its answer is considered lost. Between two
/// statements it waits for this process.
const IDLE: Duration = Duration::from_secs(20);

/// How long the server may be unreachable.
const OUT_OF_REACH: Duration = Duration::from_secs(60);

const OURS: &str =
    "SELECT pid, backend_start::text FROM pg_catalog.pg_stat_activity WHERE pid = pg_backend_pid()";

/// The time since which the process has waited for a statement; null while it works on one. No row
/// if the process has ended. Another process may get the same pid later, so the start of the
/// process, or of its transaction, is compared too. With `track_activities = off` nothing is known,
/// and the process counts as working.
const STATE: &str = "SELECT CASE WHEN a.state LIKE 'idle%' THEN a.state_change::text END \
    FROM pg_catalog.pg_stat_activity a WHERE a.pid = $1 AND ($2 IN (a.backend_start::text, a.xact_start::text) OR a.state = 'disabled')";

const END: &str = "SELECT pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a \
    WHERE a.pid = $1 AND $2 IN (a.backend_start::text, a.xact_start::text)";

/// The server process behind a connection of this program.
#[derive(Debug)]
pub(super) struct ServerProcess {
    /// The pool for queries about the process.
    pool: PgPool,
    pid: i32,
    /// When the process or its transaction began.
    started: String,
}

#[derive(PartialEq, Eq)]
enum State {
    Works,
    /// The time since when; `None` if the process has ended.
    Idle(Option<String>),
}

impl ServerProcess {
    /// Finds the process behind this connection to `database`.
    ///
    /// # Errors
    /// If the database cannot be queried.
    pub(super) async fn behind(
        connection: &mut PgConnection,
        database: &Database,
    ) -> Result<Self, StoreError> {
        let query = sqlx::query_as(OURS).fetch_one(connection);
        let (pid, started) = within(POOLED, "find the server's process", query).await?;
        Ok(Self {
            pool: database.pool(Role::General, 1),
            pid,
            started,
        })
    }

    /// The process that runs a transaction, by its pid and the beginning of the transaction.
    pub(super) fn of_transaction(pool: PgPool, pid: i32, began: String) -> Self {
        Self {
            pool,
            pid,
            started: began,
        }
    }

    /// Waits for work on the connection, as long as the server does it. If the server has nothing
    /// to do or cannot be reached, the connection has died silently. A process that has nothing to
    /// do is ended, since it may hold locks.
    ///
    /// # Errors
    /// The errors of the work, and [`super::Fault::Lost`].
    pub(super) async fn wait<T>(
        &self,
        statement: &'static str,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        within(LONGEST, statement, self.watch(work)).await
    }

    /// Like [`Self::wait`], within a deadline of the caller.
    pub(super) async fn watch<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        tokio::select! {
            ended = work => ended,
            why = self.answer_lost() => Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, why))),
        }
    }

    async fn answer_lost(&self) -> &'static str {
        let mut idle: Option<(State, Instant)> = None;
        let mut reached = Instant::now();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let Ok(state) = self.state().await else {
                if reached.elapsed() >= OUT_OF_REACH {
                    return "the server can no longer be reached, so the connection was dropped";
                }
                continue;
            };
            reached = Instant::now();
            match idle
                .take()
                .filter(|(before, _)| *before == state && state != State::Works)
            {
                Some((_, since)) if since.elapsed() >= IDLE => {
                    self.end().await;
                    return "the server had finished, but its response did not arrive, so the connection was dropped";
                }
                Some(unchanged) => idle = Some(unchanged),
                None => idle = Some((state, Instant::now())),
            }
        }
    }

    async fn state(&self) -> Result<State, StoreError> {
        let since: Option<Option<String>> = self.query(STATE).await?;
        Ok(match since {
            Some(None) => State::Works,
            Some(since) => State::Idle(since),
            None => State::Idle(None),
        })
    }

    /// Ends the process, if it still exists and can be reached.
    pub(super) async fn end(&self) {
        let ended: Result<Option<bool>, StoreError> = self.query(END).await;
        if let Err(error) = ended {
            throttled!(warn, %error, pid = self.pid, "a server process that lost its connection could not be ended");
        }
    }

    async fn query<T>(&self, statement: &'static str) -> Result<Option<T>, StoreError>
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let query = sqlx::query_scalar(statement)
            .bind(self.pid)
            .bind(&self.started)
            .fetch_optional(&self.pool);
        within(POOLED, "query the server's process", query).await
    }
}
