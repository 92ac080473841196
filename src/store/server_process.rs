//! Statements that may take as long as the tables are large, or as a handler's function may, have no useful deadline. They
//! are waited for as long as the server works on them.

use super::{Database, Role, StoreError, connect::POOLED, error::within};
use crate::throttle::throttled;
use sqlx::{PgConnection, PgPool};
use std::{
    io,
    time::{Duration, Instant},
};

/// Even a server that works is given up after this long.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// How often the server is asked, on another connection.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// For this long it may have nothing to do before its answer is taken for lost: between two statements it waits for us.
const IDLE: Duration = Duration::from_secs(20);

/// For this long it may be out of reach.
const OUT_OF_REACH: Duration = Duration::from_secs(60);

const OURS: &str =
    "SELECT pid, backend_start::text FROM pg_catalog.pg_stat_activity WHERE pid = pg_backend_pid()";

/// Since when it waits for a statement; null while it works on one. No row if the process has ended. Another process may get
/// its number later, so it is identified also by its start, or by the beginning of its transaction. With `track_activities = off`
/// nothing is known, and it counts as working.
const STATE: &str = "SELECT CASE WHEN a.state LIKE 'idle%' THEN a.state_change::text END \
    FROM pg_catalog.pg_stat_activity a WHERE a.pid = $1 AND ($2 IN (a.backend_start::text, a.xact_start::text) OR a.state = 'disabled')";

const END: &str = "SELECT pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a \
    WHERE a.pid = $1 AND $2 IN (a.backend_start::text, a.xact_start::text)";

/// The server's process behind one of our connections.
#[derive(Debug)]
pub(super) struct ServerProcess {
    /// The server is asked on a connection of this pool.
    pool: PgPool,
    pid: i32,
    /// When the process was started, or its transaction began.
    started: String,
}

/// What the process is doing.
#[derive(PartialEq, Eq)]
enum State {
    Works,
    /// Or it has ended, and there is no time.
    Idle(Option<String>),
}

impl ServerProcess {
    /// The one behind this connection to `database`.
    ///
    /// # Errors
    /// If the database cannot be asked.
    pub(super) async fn behind(
        connection: &mut PgConnection,
        database: &Database,
    ) -> Result<Self, StoreError> {
        let ask = sqlx::query_as(OURS).fetch_one(connection);
        let (pid, started) = within(POOLED, "find the server's process", ask).await?;
        Ok(Self {
            pool: database.pool(Role::General, 1),
            pid,
            started,
        })
    }

    /// The one that runs a transaction, by its number and the transaction's beginning.
    pub(super) fn of_transaction(pool: PgPool, pid: i32, began: String) -> Self {
        Self {
            pool,
            pid,
            started: began,
        }
    }

    /// Waits for work on the connection, as long as the server does it. If the server has nothing to do, or cannot be
    /// reached, the connection has died silently; the process behind it is ended, since it may hold locks.
    ///
    /// # Errors
    /// Those of the work, and [`super::Fault::Lost`].
    pub(super) async fn wait<T>(
        &self,
        statement: &'static str,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        within(LONGEST, statement, self.watch(work)).await
    }

    /// The same within a deadline that somebody else sets.
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
                    return "the server cannot be reached any more, so the connection was dropped";
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
                    return "the server had finished and its answer did not arrive, so the connection was dropped";
                }
                Some(unchanged) => idle = Some(unchanged),
                None => idle = Some((state, Instant::now())),
            }
        }
    }

    async fn state(&self) -> Result<State, StoreError> {
        let since: Option<Option<String>> = self.ask(STATE).await?;
        Ok(match since {
            Some(None) => State::Works,
            Some(since) => State::Idle(since),
            None => State::Idle(None),
        })
    }

    /// If it is still there, and can be reached.
    pub(super) async fn end(&self) {
        let ended: Result<Option<bool>, StoreError> = self.ask(END).await;
        if let Err(error) = ended {
            throttled!(warn, %error, pid = self.pid, "a server process that lost its connection was not ended");
        }
    }

    async fn ask<T>(&self, question: &'static str) -> Result<Option<T>, StoreError>
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let ask = sqlx::query_scalar(question)
            .bind(self.pid)
            .bind(&self.started)
            .fetch_optional(&self.pool);
        within(POOLED, "ask for the server's process", ask).await
    }
}
